"""Exact derivatives of scalar expressions, taken on the graph itself: no further tracing, and only what is not zero.

Jacobians forward, the gradient of one expression backward; a Hessian is the forward derivative of a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from twin.lowering.builder import Builder
from twin.lowering.opcodes import BOOLEAN

FLAT = frozenset({*BOOLEAN, "floor", "ceil", "round", "sign", "const", "time", "load"})
Slope = Callable[[Builder, int, tuple[int, ...]], tuple[int, ...]]


def _one(rule: Callable[[Builder, int, int], int]) -> Slope:
    return lambda b, node, a: (rule(b, node, a[0]),)


def _square(b: Builder, a: int) -> int:
    return b.op("mul", a, a)


def _by_root(sign: float, square: float, of: float) -> Slope:
    """sign / sqrt(square a^2 + of)."""
    return _one(lambda b, n, a: b.op("div", b.const(sign), b.op("sqrt", b.op(
        "add", b.const(of), b.op("mul", b.const(square), _square(b, a))))))


def _power(b: Builder, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    base, exponent = a
    low = b.op("pow", base, b.op("sub", exponent, b.const(1.0)))
    return b.op("mul", exponent, low), b.op("mul", b.op("log", base), node)


def _atan2(b: Builder, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
    y, x = a
    square = b.op("add", _square(b, x), _square(b, y))
    return b.op("div", x, square), b.op("neg", b.op("div", y, square))


def _choice(comparison: str) -> Slope:
    def rule(b: Builder, node: int, a: tuple[int, ...]) -> tuple[int, ...]:
        first = b.op(comparison, *a)
        one, zero = b.const(1.0), b.const(0.0)
        return b.op("select", first, one, zero), b.op("select", first, zero, one)

    return rule


def _bell(sign: float) -> Slope:
    factor = sign * 2.0 / math.sqrt(math.pi)
    return _one(lambda b, n, a: b.op("mul", b.const(factor), b.op("exp", b.op("neg", _square(b, a)))))


# Opcode -> derivatives of the node by its arguments. `select` is treated where derivatives are put together.
SLOPES: dict[str, Slope] = {
    "add": lambda b, n, a: (b.const(1.0), b.const(1.0)),
    "sub": lambda b, n, a: (b.const(1.0), b.const(-1.0)),
    "mul": lambda b, n, a: (a[1], a[0]),
    "div": lambda b, n, a: (b.op("div", b.const(1.0), a[1]), b.op("neg", b.op("div", n, a[1]))),
    "neg": lambda b, n, a: (b.const(-1.0),),
    "abs": _one(lambda b, n, a: b.op("sign", a)),
    "sqrt": _one(lambda b, n, a: b.op("div", b.const(0.5), n)),
    "cbrt": _one(lambda b, n, a: b.op("div", b.const(1.0), b.op("mul", b.const(3.0), _square(b, n)))),
    "exp": _one(lambda b, n, a: n),
    "exp2": _one(lambda b, n, a: b.op("mul", b.const(math.log(2.0)), n)),
    "expm1": _one(lambda b, n, a: b.op("add", n, b.const(1.0))),
    "log": _one(lambda b, n, a: b.op("div", b.const(1.0), a)),
    "log1p": _one(lambda b, n, a: b.op("div", b.const(1.0), b.op("add", b.const(1.0), a))),
    "pow": _power,
    "sin": _one(lambda b, n, a: b.op("cos", a)),
    "cos": _one(lambda b, n, a: b.op("neg", b.op("sin", a))),
    "tan": _one(lambda b, n, a: b.op("add", b.const(1.0), _square(b, n))),
    "asin": _by_root(1.0, -1.0, 1.0), "acos": _by_root(-1.0, -1.0, 1.0), "asinh": _by_root(1.0, 1.0, 1.0),
    "acosh": _by_root(1.0, 1.0, -1.0),
    "atan": _one(lambda b, n, a: b.op("div", b.const(1.0), b.op("add", b.const(1.0), _square(b, a)))),
    "atan2": _atan2,
    "sinh": _one(lambda b, n, a: b.op("cosh", a)),
    "cosh": _one(lambda b, n, a: b.op("sinh", a)),
    "tanh": _one(lambda b, n, a: b.op("sub", b.const(1.0), _square(b, n))),
    "atanh": _one(lambda b, n, a: b.op("div", b.const(1.0), b.op("sub", b.const(1.0), _square(b, a)))),
    "erf": _bell(1.0), "erfc": _bell(-1.0),
    "min": _choice("lt"), "max": _choice("gt"),
}


def _below(b: Builder, wanted: Sequence[int]) -> list[int]:
    """The wanted nodes and all they are made of, oldest first."""
    seen: set[int] = set()
    stack = list(wanted)
    while stack:
        n = stack.pop()
        if n not in seen:
            seen.add(n)
            if b.nodes[n][0] not in ("const", "time", "load"):
                stack += b.nodes[n][1:]
    return sorted(seen)


def jacobian(b: Builder, outputs: Sequence[int], variables: Mapping[int, int]) -> list[dict[int, int]]:
    """For each output the nodes of its derivatives that are not zero, by position of the variable.

    `variables` maps nodes (loads) to positions.
    """
    found: dict[int, dict[int, int]] = {}
    for n in _below(b, outputs):
        opcode, *arguments = b.nodes[n]
        if n in variables:
            found[n] = {variables[n]: b.const(1.0)}
        elif opcode not in FLAT:
            total: dict[int, int] = {}
            if opcode == "select":
                condition, yes, no = arguments
                zero = b.const(0.0)
                a, c = found.get(yes, {}), found.get(no, {})
                total = {k: b.op("select", condition, a.get(k, zero), c.get(k, zero)) for k in {**a, **c}}
            elif any(found.get(a) for a in arguments):
                slopes = SLOPES[opcode](b, n, tuple(arguments))
                for a, slope in zip(arguments, slopes, strict=True):
                    for k, inner in found.get(a, {}).items():
                        part = b.op("mul", slope, inner)
                        total[k] = b.op("add", total[k], part) if k in total else part
            found[n] = {k: v for k, v in total.items() if b.constant(v) != 0.0}
    return [dict(sorted(found.get(n, {}).items())) for n in outputs]


def gradient(b: Builder, output: int, variables: Mapping[int, int]) -> dict[int, int]:
    """Nodes of the derivatives of one output that are not zero, by position of the variable."""
    order = _below(b, [output])
    reads: set[int] = set()  # nodes that depend on a variable
    for n in order:
        opcode, *arguments = b.nodes[n]
        if n in variables or (opcode not in FLAT and any(a in reads for a in arguments)):
            reads.add(n)
    adjoint = {output: b.const(1.0)}
    for n in reversed(order):
        opcode, *arguments = b.nodes[n]
        if n not in adjoint or n in variables or n not in reads:
            continue
        weight = adjoint[n]
        if opcode == "select":
            condition, zero = arguments[0], b.const(0.0)
            parts: dict[int, int] = {1: b.op("select", condition, weight, zero), 2: b.op("select", condition, zero, weight)}
        else:
            slopes = SLOPES[opcode](b, n, tuple(arguments))
            parts = {k: b.op("mul", weight, s) for k, s in enumerate(slopes) if arguments[k] in reads}
        for k, part in parts.items():
            a = arguments[k]
            if a in reads:
                adjoint[a] = b.op("add", adjoint[a], part) if a in adjoint else part
    out = {variables[n]: adjoint[n] for n in order if n in variables and n in adjoint}
    return {k: v for k, v in sorted(out.items()) if b.constant(v) != 0.0}


def lower_hessian(b: Builder, output: int, variables: Mapping[int, int]) -> dict[tuple[int, int], int]:
    """Nodes of the lower triangle of the Hessian of one output that are not zero, by (row, column)."""
    first = gradient(b, output, variables)
    rows = jacobian(b, list(first.values()), variables)
    return {(i, j): node for i, row in zip(first, rows, strict=True) for j, node in row.items() if j <= i}
