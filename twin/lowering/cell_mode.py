"""Programs of a model of equal cells in a row: one loop over the cells, whatever their number, then the scalar equations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twin.errors import LoweringError
from twin.lowering import arrays, derivatives
from twin.lowering.cell_row import Blocks, Cells, Row, cells_of
from twin.lowering.loops import Writer, affine, plus, times
from twin.lowering.program import Index, Program
from twin.lowering.system import CellStructure, check_index

WHICH = {"left": 0, "own": 1, "right": 2, "border": 3}
Place = tuple[int, int, int]


def structure(model: Any) -> CellStructure:
    """Cells, border and the pattern of the Jacobian of a cell.

    Raises
    ------
    SpecError
        The cells cannot be put in a row, or a residual leaves an algebraic free (index above 1).
    """
    cells = cells_of(model)
    if cells.layout is None:
        cells.layout = CellStructure(cells.count, cells.m_x, cells.m_z, cells.b_x, cells.b_z, tuple(_pattern(cells)))
        n_x, held = cells.sizes["x"], list(_algebraic_places(cells.layout))
        held.sort(key=lambda q: q[0] != q[1])  # each residual is tried on its own variable first
        check_index(cells.kind, model.layout("algebraic"), n_x, [(n_x + i, n_x + j) for i, j in held])
    return cells.layout


def _algebraic_places(c: CellStructure) -> Iterator[tuple[int, int]]:
    """Where residuals may depend on algebraics; those of the border on all."""
    n, total = c.count, c.count * c.m_z + c.border_z
    for which, i, j in c.pattern:
        if i >= c.m_x and which == 3 and j >= c.border_x:
            yield from ((k * c.m_z + i - c.m_x, n * c.m_z + j - c.border_x) for k in range(n))
        elif i >= c.m_x and which < 3 and j >= c.m_x:
            near = range(max(0, 1 - which), min(n, n + 1 - which))
            yield from ((k * c.m_z + i - c.m_x, (k + which - 1) * c.m_z + j - c.m_x) for k in near)
    for i in range(n * c.m_z, total):
        yield from ((i, j) for j in range(total))


def lower_cells(model: Any, name: str) -> Program:
    """One program of a model on cells; see the table in docs/architecture.md.

    Raises
    ------
    LoweringError
        Something cannot be lowered, or the program is not made for models on cells.
    """
    cells = cells_of(model)
    if name in ("rhs", "jacobian", "input_jacobian", "parameter_jacobian"):
        w = Writer()
        row = Row(cells, w)
        total = {"rhs": _rhs, "jacobian": _jacobian}.get(name, _columns(name))(cells, w, row)
        return w.program(name, cells.sizes, total)
    if name == "output_jacobian":
        return arrays.lower_arrays(by_rows(derivatives.outputs(model), (1, 2, 3, 4)), name, cells.sizes)
    if name == "hessian":
        raise LoweringError(f"{cells.kind} is a model on many cells: its dense Hessian is not lowered. "
                            "Use the program 'sensitivity_tangent' for second derivatives along directions.")
    function, sizes = derivatives.functions(model)[name]()
    return arrays.lower_arrays(function, name, sizes)


def _pattern(cells: Cells) -> list[Place]:
    """Entries (which, i, j) of the Jacobian of any cell, what the ghosts add included."""
    w = Writer()
    row = Row(cells, w)
    with w.loop(cells.count) as c:
        found = set(_entries(w, row.at(affine(0, (c, 1)), tuple(WHICH))))
    found |= {(WHICH[k], i, j) for _, i, k, j, _ in row.through_ghosts(("own", "border")) if k in WHICH}
    return sorted(found, key=lambda q: (q[1], q[0], q[2]))


def _entries(w: Writer, blocks: Blocks) -> Iterator[Place]:
    for k, which in WHICH.items():
        block = blocks[k]
        yield from ((which, i, j) for i, j in _nonzeros(w, block))


def _nonzeros(w: Writer, block: Any) -> Iterator[tuple[int, int]]:
    for i in range(block.shape[0]):
        for j in range(block.shape[1]):
            if w.builder.constant(int(block[i, j])) != 0.0:
                yield i, j


def _rhs(cells: Cells, w: Writer, row: Row) -> int:
    with w.loop(cells.count) as c:
        cell = affine(0, (c, 1))
        for i, node in enumerate(row.at(cell, ())[""]):
            w.store("out", _equation(cells, cell, i), int(node))
    n_x = cells.sizes["x"]
    _border(cells, w, lambda f: f, [cells.count * cells.m_x, n_x + cells.count * cells.m_z])
    return n_x + cells.sizes["z"]


def _equation(cells: Cells, cell: Index, i: int) -> Index:
    """Position of row i of a cell in the order of `rhs`."""
    if i < cells.m_x:
        return plus(times(cell, cells.m_x), (i, ()))
    return plus(times(cell, cells.m_z), (cells.sizes["x"] + i - cells.m_x, ()))


def _jacobian(cells: Cells, w: Writer, row: Row) -> int:
    n, m, b = cells.count, cells.m, cells.b
    layout = structure(cells.model)
    pattern = layout.pattern
    at = {place: k for k, place in enumerate(pattern)}
    rows = n * len(pattern)
    times_at = rows + b * n * m + b * b
    with w.loop(n) as c:
        cell = affine(0, (c, 1))
        blocks = row.at(cell, (*WHICH, "time"))
        names = list(WHICH)
        for k, (which, i, j) in enumerate(pattern):
            w.store("out", plus(times(cell, len(pattern)), (k, ())), int(blocks[names[which]][i, j]))
        for i in range(m):
            w.store("out", plus(_equation(cells, cell, i), (times_at, ())), int(blocks["time"][i, 0]))
    for end, i, argument, j, node in row.through_ghosts(("own", "border", "time")):
        place = plus(_equation(cells, (end, ()), i), (times_at, ())) if argument == "time" else (
            end * len(pattern) + at[WHICH[argument], i, j], ())
        w.add("out", place, node)
    for end, gone in ((0, 0), (n - 1, 2)):
        for k, (which, _, _) in enumerate(pattern):
            if which == gone:
                w.store("out", (end * len(pattern) + k, ()), w.builder.const(0.0))
    if b:
        border_jacobian(layout, _equations(cells), cells.sizes, w, rows, times_at)
    return times_at + cells.sizes["x"] + cells.sizes["z"]


def _columns(name: str) -> Callable[[Cells, Writer, Row], int]:
    """Dense derivative of all equations with respect to inputs or parameters."""
    own, profile = ("inputs", ()) if name == "input_jacobian" else ("parameters", ("profile",))

    def write(cells: Cells, w: Writer, row: Row) -> int:
        n, n_x = cells.count, cells.sizes["x"]
        width = len(cells.inputs) if own == "inputs" else cells.sizes["p"]
        total = (n_x + cells.sizes["z"]) * width
        if not width:
            return 0
        w.fill("out", 0, total)

        def place(cell: Index, i: int, argument: str, j: int) -> Index:
            column = plus((cells.profile_start[j], ()), cell) if argument == "profile" else (j, ())
            return plus(times(_equation(cells, cell, i), width), column)

        with w.loop(n) as c:
            cell = affine(0, (c, 1))
            blocks = row.at(cell, (own, *profile))
            for argument in (own, *profile):
                for i, j in _nonzeros(w, blocks[argument]):
                    w.add("out", place(cell, i, argument, j), int(blocks[argument][i, j]))
        for end, i, argument, j, node in row.through_ghosts((own, *profile)):
            w.add("out", place((end, ()), i, argument, j), node)
        which = (3, 4) if own == "inputs" else (5,)
        _border(cells, w, lambda f: by_rows(f, which), [n * cells.m_x * width, (n_x + n * cells.m_z) * width], width)
        return total

    return write


# --- the scalar states and algebraics


def _equations(cells: Cells) -> Callable[..., Any]:
    """Their derivatives, then residuals, as one vector."""
    import jax.numpy as jnp

    def border(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        model = cells.model.with_parameter_vector(p)
        s = model.values(t, state=x, algebraic=z, input=u, disturbance=d)
        found = {**model.rhs(s), **model.residual(s)}
        return jnp.stack([jnp.asarray(found[k], float).reshape(()) for k in cells.border])

    return border


def by_rows(f: Callable[..., Any], which: tuple[int, ...]) -> Callable[..., Any]:
    """Rows of df with respect to the arguments, one block beside the other; few outputs of many arguments."""
    import jax
    import jax.numpy as jnp

    def rows(*args: Any) -> Any:
        if not jax.eval_shape(f, *args).shape[0]:
            return jnp.zeros((0,))
        return jnp.concatenate(jax.jacrev(f, which)(*args), 1)

    return rows


def _border(cells: Cells, w: Writer, derive: Callable[..., Any], places: list[int], width: int = 1) -> None:
    """Write the scalar equations, or rows of `width` derivatives of them, states and algebraics apart."""
    if not cells.b:
        return
    import jax.numpy as jnp

    f = derive(_equations(cells))

    def halves(*args: Any) -> Any:
        return tuple(jnp.split(f(*args).reshape(-1), [cells.b_x * width]))

    arrays.lower_into(w, halves, cells.sizes, [("out", at) for at in places])


def border_jacobian(cells: CellStructure, f: Callable[..., Any], sizes: Mapping[str, int], w: Writer, rows: int,
                    times_at: int) -> None:
    """Write the rows of the scalar equations `f`: over all cells, over the scalars, and in time."""
    n, b_x, m_x, m_z = cells.count, cells.border_x, cells.m_x, cells.m_z
    b = b_x + cells.border_z
    if not b:
        return
    import jax
    import jax.numpy as jnp

    def parts(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        in_x, in_z = jax.jacrev(lambda x, z: f(t, x, z, u, d, p), (0, 1))(x, z)
        on_cells = [in_x[:, :n * m_x].reshape(b, n, m_x), in_z[:, :n * m_z].reshape(b, n, m_z)]
        slope = jax.jvp(lambda t: f(t, x, z, u, d, p), (t,), (1.0,))[1]
        return (jnp.concatenate(on_cells, 2), jnp.concatenate([in_x[:, n * m_x:], in_z[:, n * m_z:]], 1),
                slope[:b_x], slope[b_x:])

    places = [rows, rows + b * n * (m_x + m_z), times_at + n * m_x, times_at + sizes["x"] + n * m_z]
    arrays.lower_into(w, parts, sizes, [("out", at) for at in places])
