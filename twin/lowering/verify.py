"""Checks programs from a file before any kernel is made of them: no text is pasted, no index leaves its array."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from twin.lowering.program import ARRAYS, Program
from twin.signals import ROLES

MAX_SIGNALS = 1_000_000
MAX_LENGTH = 50_000_000
MAX_STATEMENTS = 5_000_000
MAX_DEPTH = 16
READABLE = frozenset(ARRAYS)
WRITABLE = frozenset(("out", "work"))


def verify_system(system: Any) -> None:
    """Refuse a system from a file whose layout, pattern and programs do not fit each other.

    Raises
    ------
    ValueError
        With the first thing that does not fit.
    """
    for role in ROLES:
        taken: list[int] = []
        for r in system.rows[role]:
            signal = r.signal
            _need(signal.role == role and str(signal.name).isidentifier(), f"{signal.role!r} {signal.name!r} as {role}")
            _need(all(type(v) is int for v in (r.start, r.step, r.count, *r.shape)) and 0 < r.count <= MAX_SIGNALS
                  and r.count == math.prod(r.shape), f"the place of {signal.name}")
            taken += range(r.start, r.start + r.step * r.count, r.step) if r.step > 0 else [-1]
        _need(sorted(taken) == list(range(len(taken))), f"the layout of role {role}")
    _need(len(system.values) == len(system.parameters) and all(type(n) is str for n in system.parameters),
          "its parameters")
    for name, value in system.initial.items():
        _need(name in {r.signal.name for r in system.rows["state"]}, f"initial value of {name!r}")
        _need(all(type(v) in (int, float) for v in (value if isinstance(value, list) else [value])), f"initial {name}")
    n_p, n_y, n, n_e = system.n_p, system.n_y, system.n_x + system.n_z, system.n_u + system.n_d
    extra = {"hessian": n, "output_sensitivity": n + n_p, "sensitivity": n + n_p, "sensitivity_tangent": 2 * n + n_p + 1}
    known = {"rhs": n, "input_jacobian": n * n_e, "parameter_jacobian": n * n_p, "outputs": n_y,
             "output_jacobian": n_y * (n + n_e), "output_sensitivity": n_y, "sensitivity": n, "sensitivity_tangent": n,
             "hessian": (n + n_e) * (n + n_e + 1) // 2}
    for name in system.held:
        out = known.get(name, _jacobian_length(system, n) if name == "jacobian" else None)
        _need(out is not None, f"program {name!r}")
        verify_program(system.program(name), {"x": system.n_x, "z": system.n_z, "u": system.n_u, "d": system.n_d,
                                 "p": n_p + extra.get(name, 0), "out": out or 0})


def _jacobian_length(system: Any, n: int) -> int:
    """Length of the jacobian's out, from its pattern, which is checked too."""
    if system.cells is None:
        rows, columns = system._patterns["jacobian"]
        _need(len(rows) == len(columns) and all(type(k) is int and 0 <= k < n for k in (*rows, *columns)),
              "the pattern of its Jacobian")
        return len(rows) + n
    c = system.cells
    counts = (c.count, c.m_x, c.m_z, c.border_x, c.border_z)
    _need(all(type(k) is int and k >= 0 for k in counts), "its cells")
    m, b = c.m_x + c.m_z, c.border_x + c.border_z
    _need((c.count * c.m_x + c.border_x, c.count * c.m_z + c.border_z) == (system.n_x, system.n_z),
          "the size of its cells")
    for which, i, j in c.pattern:
        _need(all(type(k) is int for k in (which, i, j)) and 0 <= which <= 3 and 0 <= i < m
              and 0 <= j < (b if which == 3 else m), f"entry {(which, i, j)} of its cell pattern")
    return c.count * len(c.pattern) + b * c.count * m + b * b + n


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
            opcode = rest[1] if len(rest) > 1 and type(rest[1]) is str else ""
            _need(opcode in self.opcodes, f"opcode {rest[1:2]}")
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
        _need(low >= 0 and high < self.sizes[array], f"an index into {array} from {low} to {high} of "
                                                     f"{self.sizes[array]}")


def _exactly(rest: tuple[Any, ...], n: int) -> tuple[Any, ...]:
    _need(len(rest) == n, f"a statement with {len(rest)} parts instead of {n}")
    return rest


def _need(true: bool, what: str) -> None:
    if not true:
        raise ValueError(f"not a closed program: {what}")
