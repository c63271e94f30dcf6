"""Which unknowns each equation of a model written in whole arrays depends on, and the block structure found in it.

A small model (`system.SMALL`) is lowered element by element. A larger one whose unknowns lie on cells that depend on
their neighbors gets the same block-tridiagonal layout with a border as a model with `cell`; its Jacobian is
computed column group by column group (every third cell at once). Any other large model has a full Jacobian.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twin.lowering import arrays, cell_mode, derivatives
from twin.lowering.builder import Builder
from twin.lowering.loops import Writer, affine
from twin.lowering.opcodes import BOOLEAN
from twin.lowering.program import Index, Program
from twin.lowering.scalar import scalar_nodes
from twin.lowering.system import CellStructure, check_index

FLAT = {*BOOLEAN, "floor", "ceil", "round", "sign"}  # without a slope


class Dependencies(Builder):
    """Builder whose nodes are sets of unknowns, as the bits of a number."""

    def __init__(self, n_x: int) -> None:
        super().__init__()
        self.n_x = n_x

    def depends(self, node: int) -> int:
        """The set of a node."""
        row = self.nodes[node]
        return row[1] if row[0] == "set" else 0

    def load(self, array: str, index: int | Index) -> int:
        at = index if isinstance(index, int) else index[0]
        return self._node("set", 1 << (at + (self.n_x if array == "z" else 0)) if array in "xz" else 0)

    def time(self) -> int:
        return self._node("set", 0)

    def op(self, opcode: str, *args: int) -> int:
        values = [self.constant(a) for a in args]
        if all(v is not None for v in values):
            return super().op(opcode, *args)
        if (opcode == "mul" and 0 in values) or (opcode == "div" and values[0] == 0):
            return self.const(0.0)
        if opcode == "select" and values[0] is not None:
            return args[1] if values[0] else args[2]
        found = 0
        for a in args[1:] if opcode == "select" else args:
            found |= self.depends(a)
        return self._node("set", 0 if opcode in FLAT else found)


def jacobian_rows(model: Any) -> list[list[int]]:
    """For each equation the unknowns, in the order [x, z], that it depends on."""
    sizes = derivatives.sizes_of(model)
    b = Dependencies(sizes["x"])
    return [list(_bits(b.depends(node))) for node in scalar_nodes(derivatives.equations(model), sizes, b)]


def _bits(value: int) -> Iterator[int]:
    while value:
        low = value & -value
        yield low.bit_length() - 1
        value ^= low


def structure(model: Any) -> CellStructure | None:
    """Cells and border of a large model in whole arrays, or None where there is no such order."""
    shapes = {r.shape for role in ("state", "algebraic") for r in model.layout(role) if r.shape}
    if len(shapes) != 1:
        return None
    sizes = derivatives.sizes_of(model)
    count = next(iter(shapes))[0]
    on_cells = [sum(r.count for r in model.layout(role) if r.shape) for role in ("state", "algebraic")]
    n_x, n_z = sizes["x"], sizes["z"]
    rows = jacobian_rows(model)
    nonzeros = sorted(((i, j) for i, row in enumerate(rows) for j in row), key=lambda q: q[0] != q[1])
    check_index(type(model).__name__, model.layout("algebraic"), n_x, nonzeros)

    def place(unknown: int, count: int) -> tuple[int, int]:
        """Cell (-1: border) and position in it."""
        at, total = (unknown, on_cells[0]) if unknown < n_x else (unknown - n_x, on_cells[1])
        width, first = total // count, 0 if unknown < n_x else on_cells[0] // count
        if at >= total:
            return -1, at - total + (0 if unknown < n_x else n_x - on_cells[0])
        return at // width, first + at % width

    def pairs(count: int) -> Iterator[tuple[int, int, int, int]]:
        for row, unknowns in enumerate(rows):
            cell, i = place(row, count)
            if cell >= 0:
                yield from ((cell, i, *place(k, count)) for k in unknowns)

    reach = max((abs(c - other) for c, _, other, _ in pairs(count) if other >= 0), default=0)
    count, rest = divmod(count, max(1, reach))
    if rest or count < 4:
        return None
    pattern = {(3 if other < 0 else other - c + 1, i, j) for c, i, other, j in pairs(count)}
    return CellStructure(count, on_cells[0] // count, on_cells[1] // count, n_x - on_cells[0], n_z - on_cells[1],
                         tuple(sorted(pattern, key=lambda q: (q[1], q[0], q[2]))))


def lower_large(model: Any, name: str, cells: CellStructure | None) -> Program:
    """One program of a large model in whole arrays."""
    if name == "jacobian" and cells is not None:
        return _jacobian(model, cells)
    known = derivatives.functions(model)
    if name == "output_jacobian":
        rows = cell_mode.by_rows(derivatives.outputs(model), (1, 2, 3, 4))
        return arrays.lower_arrays(rows, name, derivatives.sizes_of(model))
    if name != "jacobian":
        function, sizes = known[name]()
        return arrays.lower_arrays(function, name, sizes)
    function, sizes = known["jacobian_dense"]()
    n = sizes["x"] + sizes["z"]
    w = Writer()
    arrays.lower_into(w, function, sizes, [("out", 0)])
    arrays.lower_into(w, derivatives.time_derivative(model), sizes, [("out", n * n)])
    return w.program(name, sizes, n * n + n)


def _jacobian(model: Any, cells: CellStructure) -> Program:
    """Jacobian by tangents: one for each unknown of three neighboring cells, and one for each scalar."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    f, sizes = derivatives.equations(model), derivatives.sizes_of(model)
    n, m_x, m_z, n_x = cells.count, cells.m_x, cells.m_z, sizes["x"]
    m, b, total = m_x + m_z, cells.border_x + cells.border_z, n_x + sizes["z"]
    color = np.empty(total)
    for width, first, at in ((m_x, 0, 0), (m_z, m_x, n_x)):
        for c in range(n):
            color[at + c * width:at + (c + 1) * width] = (c % 3) * m + first + np.arange(width)
    color[n * m_x:n_x] = 3 * m + np.arange(cells.border_x)
    color[n_x + n * m_z:] = 3 * m + cells.border_x + np.arange(cells.border_z)

    def tangents(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        def along(k: Any) -> Any:
            seed = jnp.where(color == k, 1.0, 0.0)
            return jax.jvp(lambda a, c: f(t, a, c, u, d, p), (x, z), (seed[:n_x], seed[n_x:]))[1]

        return jax.vmap(along)(jnp.arange(3.0 * m + b)), jax.jvp(lambda a: f(a, x, z, u, d, p), (t,), (1.0,))[1]

    def scalars(*args: Any) -> Any:
        whole = f(*args)
        return jnp.concatenate([whole[n * m_x:n_x], whole[n_x + n * m_z:]])

    w = Writer()
    held = w.buffer((3 * m + b) * total)
    entries = n * len(cells.pattern)
    times_at = entries + b * n * m + b * b
    arrays.lower_into(w, tangents, sizes, [("work", held), ("out", times_at)])
    for first in range(min(3, n)):
        with w.loop((n - first + 2) // 3) as c:  # cells first, first + 3, ...
            for k, (which, i, j) in enumerate(cells.pattern):
                tangent = 3 * m + j if which == 3 else (first + which - 1) % 3 * m + j
                row, step = (first * m_x + i, m_x) if i < m_x else (n_x + first * m_z + i - m_x, m_z)
                node = w.builder.load("work", affine(held + tangent * total + row, (c, 3 * step)))
                w.store("out", affine(first * len(cells.pattern) + k, (c, 3 * len(cells.pattern))), node)
    cell_mode.border_jacobian(cells, scalars, sizes, w, entries, times_at)
    return w.program("jacobian", sizes, times_at + total)

