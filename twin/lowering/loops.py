"""Statements from nodes, with loops: each node is computed once, in the outermost loop that its value allows."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from twin.lowering.builder import Builder
from twin.lowering.program import Index, Program, Statement


def affine(offset: int, *terms: tuple[int, int]) -> Index:
    """Index offset + sum(stride * loop), each loop once, without zero strides."""
    found: dict[int, int] = {}
    for loop, stride in terms:
        found[loop] = found.get(loop, 0) + stride
    return int(offset), tuple((i, int(s)) for i, s in sorted(found.items()) if s)


def plus(a: Index, b: Index) -> Index:
    """Sum of two indices."""
    return affine(a[0] + b[0], *a[1], *b[1])


def times(a: Index, factor: int) -> Index:
    """Index multiplied by a whole number."""
    return affine(a[0] * factor, *((i, s * factor) for i, s in a[1]))


class LoopBuilder(Builder):
    """Builder that divides once before a loop and multiplies within it, where the divisor does not change."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def op(self, opcode: str, *args: int) -> int:
        """Node of an operation."""
        if opcode == "div" and self.constant(args[0]) is None:
            innermost = self._writer.innermost
            if innermost(args[1]) < innermost(args[0]):
                return super().op("mul", args[0], super().op("div", self.const(1.0), args[1]))
        return super().op(opcode, *args)


class Writer:
    """Writes a Program statement by statement; what does not change in a loop is computed before it.

    `work` grows as buffers are asked for. A buffer made within a loop belongs to that loop: its elements are never
    taken out of it.
    """

    def __init__(self) -> None:
        self.builder = LoopBuilder(self)
        self.body: list[Statement] = []
        self.work = 0
        self.table: list[float] = []
        self._open: list[tuple[int, list[Statement]]] = []
        self._placed: dict[int, int] = {}  # node: the open loops around its statement
        self.counts: list[int] = []  # of each loop
        self._owned: list[tuple[int, int, int]] = []  # work range (start, stop) that changes within a loop
        self._inner: dict[int, int] = {}
        self._tables: dict[tuple[float, ...], int] = {}

    def buffer(self, size: int) -> int:
        """Offset of `size` new entries of `work`."""
        start = self.work
        self.work += size
        if self._open:
            self.own(start, size)
        return start

    def own(self, start: int, size: int) -> None:
        """These entries of `work` change within the open loop."""
        self._owned.append((start, start + size, self._open[-1][0]))

    def fork(self, counts: Iterable[int] = ()) -> Writer:
        """Empty writer within the same loops and more, to try something."""
        other = Writer()
        other.counts = [*self.counts, *counts]
        return other

    def constants(self, values: Iterable[float]) -> int:
        """Offset of these numbers in the table."""
        row = tuple(float(v) for v in values)
        if row not in self._tables:
            self._tables[row] = len(self.table)
            self.table += row
        return self._tables[row]

    @contextlib.contextmanager
    def loop(self, count: int) -> Iterator[int]:
        """Loop over range(count); gives its id."""
        i, body = len(self.counts), []  # type: int, list[Statement]
        self.counts.append(int(count))
        self._open.append((i, body))
        yield i
        self._open.pop()
        self._placed = {n: depth for n, depth in self._placed.items() if depth <= len(self._open)}
        if body:
            self._here().append(("loop", i, int(count), tuple(body)))

    def store(self, array: str, index: Index, node: int) -> None:
        """array[index] = node."""
        self.need(node)
        self._here().append(("store", array, index, node))

    def add(self, array: str, index: Index, node: int) -> None:
        """array[index] += node."""
        self.need(node)
        self._here().append(("add", array, index, node))

    def fill(self, array: str, start: int, count: int, value: float = 0.0) -> None:
        """Give `count` entries one value."""
        node = self.builder.const(value)
        if count == 1:
            self.store(array, (start, ()), node)
        elif count > 1:
            with self.loop(count) as i:
                self.store(array, affine(start, (i, 1)), node)

    def need(self, *nodes: int) -> None:
        """Write what computes these nodes and is not written yet."""
        missing, stack = set(), list(nodes)
        while stack:
            n = stack.pop()
            if n not in missing and n not in self._placed:
                missing.add(n)
                stack += self._arguments(n)
        for n in sorted(missing):  # arguments are always older than the nodes that use them
            kind, *rest = self.builder.nodes[n]
            if kind == "const":
                statement: Statement = ("const", n, rest[1])
            elif kind == "time":
                statement = ("time", n)
            elif kind == "load":
                statement = ("load", n, *rest)
            else:
                statement = ("let", n, kind, *rest)
            depth = self._depth(n)
            (self._open[depth - 1][1] if depth else self.body).append(statement)
            self._placed[n] = depth

    def program(self, name: str, sizes: Mapping[str, int], out: int) -> Program:
        """The Program written so far, its values numbered in order."""
        names: dict[int, int] = {}
        fresh = itertools.count()
        body = tuple(_numbered(s, names, fresh) for s in self.body)
        lengths = tuple((a, sizes[a]) for a in "xzudp") + (("out", out), ("work", self.work))
        return Program(name, lengths, tuple(self.table), body)

    def _here(self) -> list[Statement]:
        return self._open[-1][1] if self._open else self.body

    def _arguments(self, node: int) -> tuple[int, ...]:
        row = self.builder.nodes[node]
        return () if row[0] in ("const", "time", "load") else row[1:]

    def _depth(self, node: int) -> int:
        """How many of the open loops enclose the node's statement."""
        i = self.innermost(node)
        return next((k + 1 for k, (loop, _) in enumerate(self._open) if loop == i), 0)

    def innermost(self, node: int) -> int:
        """The innermost loop that the node depends on, or -1; inner loops have larger ids."""
        stack = [node]
        while stack:
            n = stack[-1]
            if n in self._inner:
                stack.pop()
                continue
            row = self.builder.nodes[n]
            if row[0] == "load":
                offset, terms = row[2]
                found = [i for i, _ in terms]
                if row[1] == "work":
                    found += [i for a, b, i in self._owned if a <= offset < b]
                self._inner[n] = max(found, default=-1)
                continue
            waiting = [a for a in self._arguments(n) if a not in self._inner]
            if waiting:
                stack += waiting
            else:
                self._inner[n] = max((self._inner[a] for a in self._arguments(n)), default=-1)
        return self._inner[node]


def _numbered(s: Any, names: dict[int, int], fresh: Iterator[int]) -> Statement:
    """The statement with values numbered as they are set; a value set again after its loop gets a new number."""
    kind = s[0]
    if kind == "loop":
        return ("loop", s[1], s[2], tuple(_numbered(q, names, fresh) for q in s[3]))
    if kind in ("store", "add"):
        return (kind, s[1], s[2], names[s[3]])
    rest = (s[2], *(names[a] for a in s[3:])) if kind == "let" else s[2:]
    names[s[1]] = next(fresh)
    return (kind, names[s[1]], *rest)
