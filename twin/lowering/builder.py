"""Scalar expressions as a hash-consed graph, and its reading off as Program statements."""

from __future__ import annotations

import math
from collections.abc import Iterable
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
        rule = getattr(self, f"_{opcode}", None)
        simpler = rule(*args) if rule else None
        if simpler is not None:
            return int(simpler)
        return self._node(opcode, *(sorted(args) if opcode in ("add", "mul") else args))

    def _minus(self, node: int) -> int | None:
        """The node of which this one is the negative, or None."""
        row = self.nodes[node]
        return row[1] if row[0] == "neg" else None

    # Rules by opcode: a simpler node of the same value, or None.

    def _add(self, a: int, b: int) -> int | None:
        for this, other in ((a, b), (b, a)):
            if self.constant(this) == 0:
                return other
            minus = self._minus(this)
            if minus is not None:
                return self.op("sub", other, minus)
        return None

    def _sub(self, a: int, b: int) -> int | None:
        if self.constant(b) == 0:
            return a
        minus = self._minus(b)
        if minus is not None:
            return self.op("add", a, minus)
        return self.op("neg", b) if self.constant(a) == 0 else None

    def _mul(self, a: int, b: int) -> int | None:
        for this, other in ((a, b), (b, a)):
            value = self.constant(this)
            if value in (0, 1, -1):
                return self.const(0.0) if value == 0 else other if value == 1 else self.op("neg", other)
        return self._both_negative("mul", a, b)

    def _div(self, a: int, b: int) -> int | None:
        if self.constant(a) == 0:
            return self.const(0.0)
        if self.constant(b) in (1, -1):
            return a if self.constant(b) == 1 else self.op("neg", a)
        return self._both_negative("div", a, b)

    def _both_negative(self, opcode: str, a: int, b: int) -> int | None:
        left, right = self._minus(a), self._minus(b)
        return None if left is None or right is None else self.op(opcode, left, right)

    def _neg(self, a: int) -> int | None:
        return self._minus(a)

    def _select(self, condition: int, a: int, b: int) -> int | None:
        if a == b:
            return a
        value = self.constant(condition)
        return None if value is None else a if value else b

    def _pow(self, a: int, b: int) -> int | None:
        exponent = self.constant(b)
        if exponent == 0.5:
            return self.op("sqrt", a)
        return self.power(a, int(exponent)) if exponent in (-1, 0, 1, 2, 3) else None  # type: ignore[arg-type]

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
