"""Functions of an optimal-control problem as kernels: values alone, and values with sparse Jacobian and Hessian at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from twin.lowering import gradients
from twin.lowering.builder import Builder
from twin.lowering.program import Program
from twin.lowering.scalar import finish, scalar_nodes

Order = Callable[[int, int, bool], Any]


@dataclasses.dataclass(frozen=True)
class Lowered:
    """One function f(t, x, z, u, d, p): its kernels and where the nonzeros of its derivatives by [x, z, u] lie.

    `values` gives f. `derivatives` takes a weight for each value behind the `n_d` entries of `d` and gives f, the
    nonzeros of its Jacobian, and those of the lower triangle of the Hessian of the weighted sum.
    """

    values: Program
    derivatives: Program
    jacobian: tuple[tuple[int, int], ...]
    hessian: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """Number of values."""
        return self.values.size("out")


def _sorted(nodes: dict[tuple[int, int], int], order: Order, second: bool) -> dict[tuple[int, int], int]:
    return {k: nodes[k] for k in sorted(nodes, key=lambda k: order(k[0], k[1], second))}


def lower_function(function: Callable[..., Any], name: str, sizes: Mapping[str, int],
                   order: Order | None = None) -> Lowered:
    """Lower f(t, x, z, u, d, p) -> flat array with its derivatives; `sizes` are the lengths of x, z, u, d, p.

    `order` gives the rank of a nonzero (row, column, whether of the Hessian) among its like.
    """
    b = Builder()
    outputs = scalar_nodes(function, sizes, b)
    values = finish(name, sizes, b, outputs)
    at, variables = 0, {}
    for array in "xzu":
        for i in range(sizes[array]):
            variables[b.load(array, i)] = at + i
        at += sizes[array]
    weighted = b.const(0.0)
    for i, node in enumerate(outputs):
        weighted = b.op("add", weighted, b.op("mul", b.load("d", sizes["d"] + i), node))
    rows = gradients.jacobian(b, outputs, variables)
    hessian = gradients.lower_hessian(b, weighted, variables)
    slopes = {(i, j): node for i, row in enumerate(rows) for j, node in row.items()}
    if order is not None:
        slopes = _sorted(slopes, order, False)
        hessian = _sorted(hessian, order, True)
    nodes = [*outputs, *slopes.values(), *hessian.values()]
    longer = {**sizes, "d": sizes["d"] + len(outputs)}
    return Lowered(values, finish(f"{name}_all", longer, b, nodes), tuple(slopes), tuple(hessian))
