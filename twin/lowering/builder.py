"""Scalar expressions as a hash-consed graph, and its reading off as Program statements."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from twin.lowering.opcodes import evaluate
from twin.lowering.program import Index, Statement


class Builder:
    """Graph of scalar operations: equal expressions are one node, constants are folded, structural zeros vanish.

    `0 * x` is taken as zero: the zeros come from derivatives with respect to variables that do not occur.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[Any, ...]] = []
        self._ids: dict[tuple[Any, ...], int] = {}

    def _node(self, *key: Any) -> int:
        found = self._ids.get(key)
        if found is None:
            found = self._ids[key] = len(self.nodes)
            self.nodes.append(key)
        return found

    def const(self, value: float) -> int:
        """Node of a constant (-0.0 and 0.0 differ)."""
        value = float(value)
        return self._node("const", value.hex(), value if value == value else math.nan)

    def time(self) -> int:
        """Node of the time argument."""
        return self._node("time")

    def load(self, array: str, index: int | Index) -> int:
        """Node of an array element."""
        return self._node("load", array, (index, ()) if isinstance(index, int) else index)

    def constant(self, node: int) -> float | None:
        """Value of a constant node, or None."""
        row = self.nodes[node]
        return row[2] if row[0] == "const" else None

    def op(self, opcode: str, *args: int) -> int:
        """Node of an operation."""
        values = [self.constant(a) for a in args]
        if all(v is not None for v in values):
            return self.const(evaluate(opcode, *values))  # type: ignore[arg-type]
        simple = self._simplify(opcode, args, values)
        return simple if simple is not None else self._node(opcode, *args)

    def _simplify(self, opcode: str, args: Sequence[int], values: Sequence[float | None]) -> int | None:
        a, b = args[0], args[1] if len(args) > 1 else -1
        va, vb = values[0], values[1] if len(args) > 1 else None
        if opcode == "add":
            return b if va == 0 else a if vb == 0 else None
        if opcode == "sub":
            return a if vb == 0 else self.op("neg", b) if va == 0 else None
        if opcode == "mul":
            if va == 0 or vb == 0:
                return self.const(0.0)
            if va == 1 or vb == 1:
                return b if va == 1 else a
            return self.op("neg", b) if va == -1 else self.op("neg", a) if vb == -1 else None
        if opcode == "div":
            return self.const(0.0) if va == 0 else a if vb == 1 else None
        if opcode == "neg" and self.nodes[a][0] == "neg":
            return int(self.nodes[a][1])
        if opcode == "select":
            if va is not None:
                return b if va else args[2]
            return b if b == args[2] else None
        return None

    def power(self, node: int, exponent: int) -> int:
        """Whole power by repeated squaring: the same products in every language."""
        if exponent < 0:
            return self.op("div", self.const(1.0), self.power(node, -exponent))
        result, square = self.const(1.0), node
        while exponent:
            if exponent & 1:
                result = self.op("mul", result, square)
            exponent >>= 1
            if exponent:
                square = self.op("mul", square, square)
        return result

    def statements(self, wanted: Iterable[int], names: dict[int, int] | None = None) -> list[Statement]:
        """Statements that set the wanted nodes and what they need, in order; ids already in `names` are left out."""
        done = {} if names is None else names
        needed: set[int] = set()
        stack = [n for n in wanted if n not in done]
        while stack:
            n = stack.pop()
            if n in needed or n in done:
                continue
            needed.add(n)
            if self.nodes[n][0] not in ("const", "time", "load"):
                stack += self.nodes[n][1:]
        body: list[Statement] = []
        for n in sorted(needed):  # arguments are always older than the nodes that use them
            kind, *rest = self.nodes[n]
            done[n] = n
            if kind == "const":
                body.append(("const", n, rest[1]))
            elif kind == "time":
                body.append(("time", n))
            elif kind == "load":
                body.append(("load", n, *rest))
            else:
                body.append(("let", n, kind, *rest))
        return body
