"""The cell and end functions of a model of equal cells in a row, as nodes at any cell.

States and algebraics are copied cell by cell into `work`, with a ghost cell beyond either end, so that one loop body
serves all cells. What the ghosts depend on enters the derivatives of the end cells by the chain rule.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors, module
from twin.lowering import derivatives
from twin.lowering.loops import Writer, affine, plus, times
from twin.lowering.program import Index
from twin.lowering.scalar import interpret
from twin.model import Values

CELL_ARGUMENTS = ("left", "own", "right", "profile", "place", "time", "border", "inputs", "parameters")
END_ARGUMENTS = ("first", "last", "first_profile", "last_profile", "time", "border", "inputs", "parameters")
Blocks = Mapping[str, Any]  # argument name -> nodes of the derivative, rows x entries; "" -> the values


class Cells:
    """Geometry of a model on cells, and its cell and end functions on flat vectors."""

    def __init__(self, model: Any) -> None:
        import jax
        import numpy as np

        module.register()
        self.model, self.kind = model, type(model).__name__
        self.sizes = derivatives.sizes_of(model)
        shapes = {r.shape for role in ("state", "algebraic") for r in model.layout(role) if r.shape}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise errors.SpecError(f"{self.kind} has cell() and signals on cells of shape {sorted(shapes)}. "
                                   "Expected one shape of one axis. Write the others in rhs().")
        self.count = next(iter(shapes))[0]
        named = {(role, on): tuple(r.signal.name for r in model.layout(role) if bool(r.shape) == on)
                 for role in ("state", "algebraic") for on in (True, False)}
        self.names = named["state", True] + named["algebraic", True]
        self.border = named["state", False] + named["algebraic", False]
        self.inputs = tuple(r.signal.name for role in ("input", "disturbance") for r in model.layout(role))
        self.m_x, self.m_z = len(named["state", True]), len(named["algebraic", True])
        self.b_x, self.b_z = len(named["state", False]), len(named["algebraic", False])
        self.m, self.b = self.m_x + self.m_z, self.b_x + self.b_z
        self.profiles = tuple(model.profile_names())
        paths = list(model.parameter_names())
        self.profile_start = [paths.index(f"{k}[0]") for k in self.profiles]
        self.low: tuple[str, ...] = ()
        self.high: tuple[str, ...] = ()
        with jax.enable_x64(True):  # the checks of the whole model: names, shapes
            jax.eval_shape(derivatives.equations(model), *(jax.ShapeDtypeStruct((), np.float64),
                           *(jax.ShapeDtypeStruct((self.sizes[a],), np.float64) for a in "xzudp")))
        self.layout: Any = None  # the CellStructure, once known
        self._traces: dict[Any, Any] = {}
        self.trace("ends", ())

    # --- functions on flat vectors

    def _scalars(self, time: Any, border: Any, inputs: Any) -> Values:
        named = dict(zip(self.border, border, strict=True)) | dict(zip(self.inputs, inputs, strict=True))
        return Values(self.kind, named | {"time": time})

    def _one(self, values: Any, profile: Any, place: Any) -> Values:
        named = dict(zip(self.names, values, strict=True)) | dict(zip(self.profiles, profile, strict=True))
        return Values(self.kind, named | {"position": place})

    def _neighbor(self, values: Any, known: Sequence[str]) -> Values:
        return Values(self.kind, {k: v for k, v in zip(self.names, values, strict=True) if k in known})

    def cell(self, left: Any, own: Any, right: Any, profile: Any, place: Any, time: Any, border: Any, inputs: Any,
             parameters: Any) -> Any:
        """Derivatives, then residuals, of one cell."""
        import jax.numpy as jnp

        model = self.model.with_parameter_vector(parameters)
        found = model.cell(self._neighbor(left, self.low), self._one(own, profile, place),
                           self._neighbor(right, self.high), self._scalars(time, border, inputs))
        return jnp.stack([jnp.asarray(found[k], float) for k in self.names])

    def ends(self, first: Any, last: Any, first_profile: Any, last_profile: Any, time: Any, border: Any, inputs: Any,
             parameters: Any) -> Any:
        """Ghost values: those before the first cell, then those behind the last."""
        import jax.numpy as jnp

        model, n = self.model.with_parameter_vector(parameters), self.count
        low, high = model.ends(self._one(first, first_profile, 0.5 / n), self._one(last, last_profile, (n - 0.5) / n),
                               self._scalars(time, border, inputs))
        self.low, self.high = (tuple(k for k in self.names if k in side) for side in (low, high))
        ghosts = [low[k] for k in self.low] + [high[k] for k in self.high]
        return jnp.stack([jnp.asarray(v, float) for v in ghosts]) if ghosts else jnp.zeros(0)

    # --- nodes

    def trace(self, what: str, wanted: tuple[str, ...]) -> Any:
        """Jaxpr of a function's values and of its derivatives with respect to the wanted arguments."""
        import jax
        import numpy as np

        if (what, wanted) in self._traces:
            return self._traces[what, wanted]
        function, names = (self.cell, CELL_ARGUMENTS) if what == "cell" else (self.ends, END_ARGUMENTS)
        length = {"time": (), "place": (), "border": (self.b,), "inputs": (len(self.inputs),),
                  "parameters": (self.sizes["p"],)}
        shapes = [length.get(k, (len(self.profiles),) if "profile" in k else (self.m,)) for k in names]
        which = tuple(names.index(k) for k in wanted)

        def both(*args: Any) -> Any:
            values = function(*args)
            if not which or not values.shape[0]:
                return (values,)
            forward = sum(int(np.prod(shapes[k])) for k in which) < 4 * values.shape[0]
            return (values, *(jax.jacfwd if forward else jax.jacrev)(function, which)(*args))

        with jax.enable_x64(True):
            found = jax.make_jaxpr(both)(*(jax.ShapeDtypeStruct(s, np.float64) for s in shapes))
        self._traces[what, wanted] = found
        return found

    def blocks(self, what: str, w: Writer, arguments: Sequence[Any], wanted: Sequence[str]) -> Blocks:
        """Nodes of the values and derivatives at these argument nodes."""
        import jax
        import numpy as np

        names = CELL_ARGUMENTS if what == "cell" else END_ARGUMENTS
        wanted = tuple(k for k in wanted if k in names)
        closed = self.trace(what, wanted)
        with jax.enable_x64(True):
            found = interpret(closed.jaxpr, closed.consts, [np.asarray(a) for a in arguments], w.builder)
        rows = found[0].shape[0]
        if not rows:
            return {"": found[0]}
        return {"": found[0]} | {k: v.reshape(rows, -1) for k, v in zip(wanted, found[1:], strict=True)}

    def scalars(self, w: Writer) -> list[Any]:
        """Nodes of time, border, inputs and parameters."""
        b = w.builder
        border = [b.load("x", self.count * self.m_x + i) for i in range(self.b_x)]
        border += [b.load("z", self.count * self.m_z + i) for i in range(self.b_z)]
        inputs = [b.load(a, i) for a in "ud" for i in range(self.sizes[a])]
        return [b.time(), _array(border), _array(inputs), _array([b.load("p", i) for i in range(self.sizes["p"])])]

    def profile(self, w: Writer, cell: Index) -> Any:
        """Nodes of the position-dependent parameters of a cell."""
        return _array([w.builder.load("p", plus((k, ()), cell)) for k in self.profile_start])


class Row:
    """A row of cells within one program: the values with ghosts in `work`, and the functions at any cell."""

    def __init__(self, cells: Cells, w: Writer) -> None:
        self.cells, self.w = cells, w
        m, n = cells.m, cells.count
        self.base = w.buffer((n + 2) * m)
        if cells.m_x == m or cells.m_z == m:
            with w.loop(n * m) as i:
                value = w.builder.load("x" if cells.m_x else "z", affine(0, (i, 1)))
                w.store("work", affine(self.base + m, (i, 1)), value)
        else:
            with w.loop(n) as i:
                for j in range(m):
                    array, width, k = ("x", cells.m_x, j) if j < cells.m_x else ("z", cells.m_z, j - cells.m_x)
                    w.store("work", affine(self.base + m + j, (i, m)), w.builder.load(array, affine(k, (i, width))))
        ghosts = self.ends(())[""]
        for k, (at, name) in enumerate([(0, q) for q in cells.low] + [(n + 1, q) for q in cells.high]):
            w.store("work", affine(self.base + at * m + cells.names.index(name)), int(ghosts[k]))

    def values(self, cell: Index) -> Any:
        """Nodes of the unknowns of a cell; -1 and `count` are the ghosts."""
        return _array([self.w.builder.load("work", plus(times(cell, self.cells.m), affine(self.base + self.cells.m + j)))
                       for j in range(self.cells.m)])

    def at(self, cell: Index, wanted: Sequence[str]) -> Blocks:
        """Values and derivatives of the cell function at a cell."""
        cells, w = self.cells, self.w
        n = cells.count
        if cell[1]:
            start = w.constants((i + 0.5) / n for i in range(n)) if self._reads_place(wanted) else 0
            place = w.builder.load("table", plus((start, ()), cell))
        else:
            place = w.builder.const((cell[0] + 0.5) / n)
        around = [self.values(plus(cell, (k, ()))) for k in (-1, 0, 1)]
        return cells.blocks("cell", w, [*around, cells.profile(w, cell), place, *cells.scalars(w)], wanted)

    def ends(self, wanted: Sequence[str]) -> Blocks:
        """Ghost values and their derivatives."""
        cells, w = self.cells, self.w
        sides = [self.values((i, ())) for i in (0, cells.count - 1)]
        profiles = [cells.profile(w, (i, ())) for i in (0, cells.count - 1)]
        return cells.blocks("ends", w, [*sides, *profiles, *cells.scalars(w)], wanted)

    def _reads_place(self, wanted: Sequence[str]) -> bool:
        jaxpr = self.cells.trace("cell", tuple(k for k in wanted if k in CELL_ARGUMENTS)).jaxpr
        var = jaxpr.invars[CELL_ARGUMENTS.index("place")]
        return any(var is a for eqn in jaxpr.eqns for a in eqn.invars) or any(var is a for a in jaxpr.outvars)

    def through_ghosts(self, wanted: Sequence[str]) -> list[tuple[int, int, str, int, int]]:
        """What the ghosts add to derivatives of the end cells: (cell, row, argument, entry, node)."""
        cells, b = self.cells, self.w.builder
        n, found = cells.count, []
        kept = [k for k in wanted if k in END_ARGUMENTS]
        kept += [k for k in ("first", "last") if "own" in wanted]
        kept += [k for k in ("first_profile", "last_profile") if "profile" in wanted]
        ghosts = self.ends(kept)
        for side, cell, names, skip in (("left", 0, cells.low, 0), ("right", n - 1, cells.high, len(cells.low))):
            if not names:
                continue
            block = self.at((cell, ()), (side,))[side]
            here = "first" if cell == 0 else "last"
            for argument in kept:
                inner = ghosts[argument][skip:skip + len(names)]
                for i in range(cells.m):
                    for j in range(inner.shape[1]):
                        total = b.const(0.0)
                        for k, name in enumerate(names):
                            product = b.op("mul", int(block[i, cells.names.index(name)]), int(inner[k, j]))
                            total = b.op("add", total, product)
                        if b.constant(total) != 0.0:
                            found.append((cell, i, self._own_argument(argument, here, side), j, total))
        return found

    def _own_argument(self, argument: str, here: str, side: str) -> str:
        if not argument.startswith(("first", "last")):
            return argument
        if not argument.startswith(here) and self.cells.count > 1:
            ends = ("before the first", "last") if side == "left" else ("behind the last", "first")
            raise errors.SpecError(f"{self.cells.kind}.ends: the values {ends[0]} cell depend on the {ends[1]} cell. "
                                   "Carry a recycle through a scalar state or algebraic.")
        return "profile" if "profile" in argument else "own"


def _array(nodes: Sequence[int]) -> Any:
    import numpy as np

    return np.array(nodes, dtype=np.int64)


@functools.lru_cache(maxsize=4)
def cells_of(model: Any) -> Cells:
    """The cells of a model, traced once."""
    return Cells(model)
