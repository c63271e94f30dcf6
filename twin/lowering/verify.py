"""Checks a Program that came from a file before any kernel is made of it: no text is pasted, no index leaves its array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.lowering.program import ARRAYS, Program

MAX_LENGTH = 50_000_000
MAX_STATEMENTS = 5_000_000
MAX_DEPTH = 16
READABLE = frozenset(ARRAYS)
WRITABLE = frozenset(("out", "work"))


def verify_program(program: Program, expected: Mapping[str, int]) -> None:
    """Refuse a program that is not closed.

    Parameters
    ----------
    program
        The program.
    expected
        Lengths that its array arguments must have, by name.

    Raises
    ------
    ValueError
        Where an identifier is not a number, an opcode is unknown, a value is read before it is set, or an index may lie
        outside its array.
    """
    sizes = dict(program.sizes)
    _need(set(sizes) == set(ARRAYS) - {"table"} and len(program.sizes) == len(sizes), "it does not name its arrays")
    for name, n in sizes.items():
        _need(type(n) is int and 0 <= n <= MAX_LENGTH, f"array {name} has length {n!r}")
        _need(expected.get(name, n) == n, f"array {name} has length {n} instead of {expected.get(name)}")
    _need(program.name.isidentifier() and program.name.isascii() and len(program.name) < 200, f"name {program.name!r}")
    _need(all(type(v) is float for v in program.table), "its table holds something else than numbers")
    _Walk({**sizes, "table": len(program.table)}).block(program.body, {}, set(), 0)


class _Walk:
    def __init__(self, sizes: Mapping[str, int]) -> None:
        from twin.lowering.opcodes import OPCODES

        self.sizes, self.opcodes, self.count = sizes, OPCODES, 0
        self.ever: set[int] = set()

    def block(self, body: Any, loops: dict[int, int], known: set[int], depth: int) -> None:
        """Check statements in order; `known` are the values that are set, `loops` the counts of the loops around."""
        _need(type(body) is tuple and depth <= MAX_DEPTH, "a block is no list of statements, or nested too deep")
        mine: set[int] = set()
        for statement in body:
            self.count += 1
            _need(self.count <= MAX_STATEMENTS, f"it has more than {MAX_STATEMENTS} statements")
            _need(type(statement) is tuple and len(statement) > 1, f"statement {statement!r}")
            kind, rest = statement[0], statement[1:]
            if kind == "loop":
                i, count, inner = _exactly(rest, 3)
                _need(type(i) is int and i >= 0 and i not in loops, f"loop {i!r}")
                _need(type(count) is int and 0 < count <= MAX_LENGTH, f"loop count {count!r}")
                self.block(inner, {**loops, i: count}, known | mine, depth + 1)
            elif kind in ("store", "add"):
                array, index, v = _exactly(rest, 3)
                _need(array in WRITABLE, f"a write into {array!r}")
                self.inside(array, index, loops)
                self.read(v, known, mine)
            else:
                self.value(kind, rest, loops, known, mine)

    def value(self, kind: Any, rest: tuple[Any, ...], loops: dict[int, int], known: set[int], mine: set[int]) -> None:
        """Check one statement that sets a value."""
        v = rest[0]
        _need(type(v) is int and v >= 0 and v not in self.ever, f"value {v!r} is set twice or is no number")
        if kind == "const":
            _need(type(_exactly(rest, 2)[1]) is float, f"constant {rest[1]!r}")
        elif kind == "time":
            _exactly(rest, 1)
        elif kind == "load":
            _, array, index = _exactly(rest, 3)
            _need(array in READABLE, f"a read from {array!r}")
            self.inside(array, index, loops)
        elif kind == "let":
            opcode = rest[1] if len(rest) > 1 else None
            _need(type(opcode) is str and opcode in self.opcodes, f"opcode {opcode!r}")
            _need(len(rest) - 2 == self.opcodes[opcode].arity, f"opcode {opcode} with {len(rest) - 2} arguments")
            for a in rest[2:]:
                self.read(a, known, mine)
        else:
            _need(False, f"statement {kind!r}")
        self.ever.add(v)
        mine.add(v)

    def read(self, v: Any, known: set[int], mine: set[int]) -> None:
        """Check that a value is set before."""
        _need(type(v) is int and (v in mine or v in known), f"value {v!r} is read before it is set")

    def inside(self, array: str, index: Any, loops: dict[int, int]) -> None:
        """Check that an affine index stays inside its array for all turns of its loops."""
        _need(type(index) is tuple and len(index) == 2 and type(index[0]) is int and type(index[1]) is tuple,
              f"index {index!r}")
        low = high = index[0]
        for part in index[1]:
            _need(type(part) is tuple and len(part) == 2 and type(part[0]) is int and type(part[1]) is int
                  and part[0] in loops, f"index {index!r}")
            reach = part[1] * (loops[part[0]] - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        _need(0 <= low and high < self.sizes[array], f"an index into {array} from {low} to {high} of {self.sizes[array]}")


def _exactly(rest: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    _need(len(rest) == n, f"a statement with {len(rest)} parts instead of {n}")
    return rest


def _need(true: bool, what: str) -> None:
    if not true:
        raise ValueError(f"not a closed program: {what}")
