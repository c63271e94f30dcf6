"""From a Plan on a Grid to the functions and arrays of the optimal-control engine, and back to decisions and prices."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

from optimizers.dynamic import integrals
from optimizers.dynamic.grid import Grid
from optimizers.dynamic.plan import Limit, Place, Plan
from optimizers.dynamic.resets import jumps_of, reset_rates
from twin import errors
from twin.simulation.jax_path import as_jax


@dataclasses.dataclass(frozen=True)
class Control:
    """An input of the engine that stands for a moved input.

    "value": u is the input. "step": u is added to the carried value at the start of the edge, zero where the value is held.
    "line": u is added along the edge.
    """

    name: str
    kind: str
    input: int  # position in the inputs of the model


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """What stands where in the vectors of the engine.

    A node's x is [states that are integrated; lengths of free phases; free parameters; values of inputs that are held or run in
    lines; previous inputs; values at the end that need inputs or algebraics].
    """

    plan: Plan
    kept: tuple[int, ...]  # states that are integrated; integrals of the goal alone are not
    costed: tuple[tuple[int, float], ...]  # (state that counts an integral, weight) that become running cost
    free_phases: tuple[int, ...]
    controls: tuple[Control, ...]
    carried_values: tuple[int, ...]  # controls with a carried value
    previous: tuple[int, ...]  # controls whose value an edge before counts
    soft: tuple[tuple[Limit, int], ...]  # (soft limit, side -1 or 1), one slack input each
    path: tuple[Place, ...]  # outputs (and soft quantities) that stand in the path rows
    ends: tuple[Place, ...]  # terms of the goal that depend on inputs or algebraics at the end
    rates: tuple[tuple[int, int], ...]  # (control, side) of rate rows
    jumps: tuple[tuple[int, int, int], ...]  # (phase, step, state) of resets that set a state; one input is its change

    n_c = property(lambda self: len(self.kept))
    at_time = property(lambda self: self.n_c)
    at_parameter = property(lambda self: self.n_c + len(self.free_phases))
    at_value = property(lambda self: self.at_parameter + len(self.plan.parameters))
    at_previous = property(lambda self: self.at_value + len(self.carried_values))
    at_end = property(lambda self: self.at_previous + len(self.previous))
    n_x = property(lambda self: self.at_end + len(self.ends))
    at_jump = property(lambda self: len(self.controls) + len(self.soft))
    n_u = property(lambda self: self.at_jump + (len(self.jumps) > 0))


def layout_of(plan: Plan, grid: Grid) -> Layout:
    """How a plan lies in the vectors of the engine."""
    limited = {k.place.name for k in plan.limits if k.place.role == "state"}
    goal = {t.place.index: t.weight for t in plan.terms if t.place.role == "state" and t.times is None
            and t.place.name.startswith(integrals.PREFIX) and t.place.name not in limited}
    n_x = plan.model.size("state")
    controls = tuple(_control(plan, grid, name) for name in plan.moved)
    carried = tuple(j for j, c in enumerate(controls) if c.kind != "value")
    rates = tuple((j, side) for j, c in enumerate(controls) for side in (-1, 1) if any(
        math.isfinite(m.rate[(side + 1) // 2]) for p in plan.phases for m in p.moved if m.place.name == c.name))
    previous = tuple(j for j, c in enumerate(controls) if (c.kind == "value" and any(r[0] == j for r in rates))
                     or (c.kind == "line" and _is_coarse(plan, grid, c.name)))
    soft = tuple((k, side) for k in plan.limits if k.price is not None for side in (-1, 1)
                 if (side < 0 and _some(k.lower, -math.inf)) or (side > 0 and _some(k.upper, math.inf)))
    ends = tuple(t.place for t in plan.terms if t.times is None and (t.place.role == "algebraic" or (
        t.place.role == "output" and reads(plan, t.place))))
    for t in plan.terms:
        if t.times is not None and t.place.role == "output" and plan.moved and reads(plan, t.place) & {"input", "algebraic"}:
            raise errors.SpecError(f"The goal sums {t.place.name}, which depends on inputs or algebraic variables. Expected an "
                                   "output of states and disturbances.")
    path = [k.place for k in plan.limits if k.place.role == "output" and k.price is None]
    return Layout(plan, tuple(i for i in range(n_x) if i not in goal), tuple(goal.items()),
                  tuple(k for k, p in enumerate(plan.phases) if p.free), controls, carried, previous, soft,
                  tuple(dict.fromkeys(path)), ends, rates, jumps_of(plan.model, plan.phases))


def _some(side: Any, none: float) -> bool:
    return bool(side != none)


def _control(plan: Plan, grid: Grid, name: str) -> Control:
    place = next(m.place for p in plan.phases for m in p.moved if m.place.name == name)
    moved = [(k, m) for k, p in enumerate(plan.phases) for m in p.moved if m.place.name == name]
    if moved[0][1].linear:
        return Control(name, "line", place.index)
    return Control(name, "step" if _is_coarse(plan, grid, name) else "value", place.index)


def _is_coarse(plan: Plan, grid: Grid, name: str) -> bool:
    """True where an interval of the input spans several edges."""
    return any(sum(e.phase == k and not e.is_reset for e in grid.edges) > len(m.shares) - 1
               for k, p in enumerate(plan.phases) for m in p.moved if m.place.name == name)


def reads(plan: Plan, place: Place) -> set[str]:
    """Roles other than states that an output depends on."""
    import jax
    import numpy as np

    plant = as_jax(plan.model)
    roles = ("algebraic", "input", "disturbance")
    x, *rest = (np.zeros(plan.model.size(r)) + 0.5 for r in ("state", *roles))
    with jax.enable_x64(True):
        closed = jax.make_jaxpr(lambda z, u, d: plant._outputs(0.0, x, z, u, d, np.array(plan.p))[place.index])(*rest)
    used: set[Any] = {v for v in closed.jaxpr.outvars if not hasattr(v, "val")}
    for equation in reversed(closed.jaxpr.eqns):
        if used & set(equation.outvars):
            used |= {v for v in equation.invars if not hasattr(v, "val")}
    return {role for role, v in zip(roles, closed.jaxpr.invars, strict=True) if v in used}


class Transcription:
    """One plan on one grid: the specification of the engine, data for it, and what its answers mean."""

    def __init__(self, plan: Plan, grid: Grid, like: Transcription | None = None) -> None:
        self.plan, self.grid = plan, grid
        self.layout = layout_of(plan, grid)
        # the functions do not depend on the grid: the engine compiles them once for all grids
        same = like is not None and like.layout == self.layout
        self.functions: tuple[Any, ...] = (self.point, self.stage, self.terminal)
        if like is not None and same:
            self.functions = like.functions
        self.plant = as_jax(plan.model)
        model = plan.model
        self.sizes = {r: model.size(r) for r in ("state", "algebraic", "input", "disturbance", "output")}
        self.n_v = self.sizes["input"] + self.sizes["disturbance"]
        self.names = [r.signal.name for role in ("input", "disturbance") for r in model.layout(role)]
        self.resets = tuple((k, step) for k, p in enumerate(plan.phases) for step in range(len(p.reset)))

    # -- rows of p_edge: length (constant, by free phase), time at the start (same), given values, change, who moves, resets,
    #    parameters of the model: new values cost no compilation

    @functools.cached_property
    def columns(self) -> dict[str, slice]:
        """Where each part lies in a row of p_edge."""
        nf, n_v, n_m = len(self.layout.free_phases), self.n_v, len(self.layout.controls)
        at, found = 0, {}
        for name, n in (("length", 1 + nf), ("time", 1 + nf), ("given", n_v), ("change", n_v), ("moves", n_m),
                        ("reset", len(self.resets)), ("parameter", len(self.plan.p))):
            found[name] = slice(at, at + n)
            at += n
        return found

    def spec(self) -> Any:
        """What the engine compiles: functions and sizes, no numbers of this problem."""
        from twin.engine.optimal import OcpSpec

        lay, grid = self.layout, self.grid
        m = len(grid.edges)
        sizes = self._scales()
        return OcpSpec(
            self.plan.name, *self.functions, parents=tuple(range(-1, m)), n_c=lay.n_c, n_u=lay.n_u,
            carried=self._carried(), n_z=self.sizes["algebraic"], n_path=len(self._path_rows()), n_rows=len(self._rows()),
            n_rows_terminal=0, n_p_edge=max(s.stop for s in self.columns.values()), n_p_node=self._n_p_node(),
            degree=grid.degree, elements=grid.elements, **sizes)

    def _carried(self) -> tuple[Any, ...]:
        from twin.engine.optimal import Carried

        lay = self.layout
        constant = [Carried(1.0)] * (len(lay.free_phases) + len(self.plan.parameters))
        values = [Carried(1.0, 1.0, j) for j in lay.carried_values]
        previous = [Carried(0.0, 1.0, j) for j in lay.previous]
        return (*constant, *values, *previous, *[Carried(1.0)] * len(lay.ends))

    def _scales(self) -> dict[str, Any]:
        import numpy as np

        plan, lay = self.plan, self.layout
        nominal = {role: np.ones(n) for role, n in self.sizes.items()}
        for role in nominal:
            for r in plan.model.layout(role):
                nominal[role][r.where] = abs(r.signal.nominal) or 1.0
        moved = {m.place.name: m for p in plan.phases for m in p.moved}
        reach = [max(abs(moved[c.name].lower), abs(moved[c.name].upper)) for c in lay.controls]
        x = [*nominal["state"][list(lay.kept)], *(plan.phases[k].longest for k in lay.free_phases),
             *(d.place.size for d in plan.parameters), *(reach[j] for j in lay.carried_values),
             *(reach[j] for j in lay.previous), *(p.size for p in lay.ends)]
        u = [*reach, *(k.place.size for k, _ in lay.soft), *([1.0] if lay.jumps else [])]
        return {"x_scale": np.array(x), "u_scale": np.array(u), "z_scale": nominal["algebraic"],
                "path_scale": np.array([p.size for p, _, _ in self._path_rows()])}

    def _sizes(self) -> list[float]:
        """Typical sizes of the states."""
        sizes = [1.0] * self.sizes["state"]
        for r in self.plan.model.layout("state"):
            for k in range(r.start, r.start + r.step * r.count, r.step):
                sizes[k] = abs(r.signal.nominal) or 1.0
        return sizes

    def _path_rows(self) -> list[tuple[Place, int, int]]:
        """(quantity, slack or -1, side): outputs with hard limits, soft quantities with their slack, values at the end."""
        lay = self.layout
        rows = [(p, -1, 0) for p in lay.path]
        rows += [(k.place, i, side) for i, (k, side) in enumerate(lay.soft)]
        return rows + [(p, -1, 9) for p in lay.ends]

    def _rows(self) -> list[tuple[str, int, int]]:
        """Rows of a stage: rates, and lines that go straight on over several edges."""
        lay = self.layout
        return [("rate", j, side) for j, side in lay.rates] + [
            ("straight", j, 0) for j in lay.previous if lay.controls[j].kind == "line"]

    def _n_p_node(self) -> int:
        """given values and time for sums, then bound and its length (constant, by free phase) of each row, then parameters."""
        return self._sums_width() + len(self._rows()) * (2 + len(self.layout.free_phases)) + len(self.plan.p)

    def _at_parameters(self) -> int:
        """Where the parameters of the model begin in a row of p_node."""
        return self._n_p_node() - len(self.plan.p)

    def _sums_width(self) -> int:
        return (self.n_v + 1) + len([t for t in self.plan.terms if t.times is not None]) if self._has_sums() else 0

    def _has_sums(self) -> bool:
        return any(t.times is not None for t in self.plan.terms)

    # -- functions of the engine -------------------------------------------------------------------------------------------

    def _lengths(self, x: Any, row: Any) -> Any:
        lay = self.layout
        total = row[0]
        for i in range(len(lay.free_phases)):
            total = total + row[1 + i] * x[lay.at_time + i]
        return total

    def _states(self, x: Any) -> Any:
        import jax.numpy as jnp

        lay = self.layout
        if lay.n_c == self.sizes["state"]:
            return x[:lay.n_c]
        at = {i: k for k, i in enumerate(lay.kept)}
        return jnp.stack([x[at[i]] if i in at else jnp.zeros(()) for i in range(self.sizes["state"])])

    def _parameters(self, x: Any, values: Any) -> Any:
        """Parameters of the model: the given ones, and those that are decisions."""
        import jax.numpy as jnp

        p = [values[i] for i in range(len(self.plan.p))]
        for i, d in enumerate(self.plan.parameters):
            p[d.place.index] = x[self.layout.at_parameter + i]
        return jnp.stack(p) if p else jnp.zeros(0)

    def _inputs(self, x: Any, u: Any, s: Any, given: Any, moves: Any) -> Any:
        """Inputs and disturbances at a position of an edge."""
        import jax.numpy as jnp

        lay = self.layout
        v = [given[i] for i in range(self.n_v)]
        for j, c in enumerate(lay.controls):
            own = u[j] if c.kind == "value" else None
            if own is None:
                base = x[lay.at_value + lay.carried_values.index(j)]
                own = base + u[j] if c.kind == "step" else base + s * u[j]
            always = all(any(m.place.name == c.name for m in p.moved) for p in self.plan.phases)
            v[c.input] = own if always else moves[j] * own + (1 - moves[j]) * v[c.input]
        n = self.sizes["input"]
        return (jnp.stack(v[:n]) if n else jnp.zeros(0)), (jnp.stack(v[n:]) if self.n_v > n else jnp.zeros(0))

    def point(self, t: Any, x: Any, z: Any, u: Any, s: Any, p: Any) -> tuple[Any, Any, Any, Any]:
        """Rates times the length of the edge, algebraic residuals, path rows, running cost."""
        import jax.numpy as jnp

        lay, col = self.layout, self.columns
        h = self._lengths(x, p[col["length"]])
        time = self._lengths(x, p[col["time"]]) + s * h
        given = p[col["given"]] + s * p[col["change"]]
        ui, d = self._inputs(x, u, s, given, p[col["moves"]])
        states, par = self._states(x), self._parameters(x, p[col["parameter"]])
        rates = self.plant._rhs(time, states, z, ui, d, par)
        residual = self.plant._residual(time, states, z, ui, d, par) if self.sizes["algebraic"] else jnp.zeros(0)
        cost = jnp.zeros(())
        for i, weight in lay.costed:
            cost = cost + self.plan.sign * weight * h * rates[i]
        f = h * rates[jnp.array(lay.kept, dtype=int)] if lay.n_c < self.sizes["state"] else h * rates
        for i, (k, step) in enumerate(self.resets):
            flag = p[col["reset"]][i]
            jump = reset_rates(self.plan.model, self.plan.phases[k].reset[step], states)
            for n in (n for *at, n in lay.jumps if at == [k, step]):
                jump[n] = u[lay.at_jump] * self._sizes()[n]
            f = f + flag * jnp.stack([jump[n] for n in lay.kept])
        rows = self._path_rows()
        y = self.plant._outputs(time, states, z, ui, d, par) if any(r[0].role == "output" for r in rows) else None
        values = []
        for place, slack, side in rows:
            own = {"state": states, "algebraic": z, "output": y, "input": ui}[place.role][place.index]
            if slack >= 0:
                own = own - side * u[len(lay.controls) + slack]
            if side == 9:
                own = own - x[lay.at_end + lay.ends.index(place)]
            values.append(own)
        return f, residual, jnp.stack(values) if values else jnp.zeros(0), cost

    def stage(self, x: Any, u: Any, p: Any) -> tuple[Any, Any]:
        """Price of the slacks, sums at the start of the edge, and the rows."""
        import jax.numpy as jnp

        lay = self.layout
        cost = jnp.zeros(())
        for i, (k, _) in enumerate(lay.soft):
            cost = cost + float(k.price or 0.0) * u[len(lay.controls) + i]
        rows, nf = [], len(lay.free_phases)
        for r, (kind, j, _) in enumerate(self._rows()):
            at = self._sums_width() + r * (2 + nf)
            if kind == "straight":
                before = x[lay.at_previous + lay.previous.index(j)]
                rows.append(u[j] - p[at] * before)
                continue
            change = u[j]
            if lay.controls[j].kind == "value":
                change = u[j] - x[lay.at_previous + lay.previous.index(j)]
            rows.append(change - p[at] * self._lengths(x, p[at + 1:at + 2 + nf]))
        return cost + self._sums(x, u, p), jnp.stack(rows) if rows else jnp.zeros(0)

    def _sums(self, x: Any, u: Any, p: Any) -> Any:
        """Sums over samples at this node."""
        import jax.numpy as jnp

        total = jnp.zeros(())
        if not self._has_sums():
            return total
        given = p[1:1 + self.n_v]
        states, par, n = self._states(x), self._parameters(x, p[self._at_parameters():]), self.sizes["input"]
        z = jnp.asarray(self._scales()["z_scale"])
        y = self.plant._outputs(p[0], states, z, given[:n], given[n:], par)
        for i, term in enumerate(t for t in self.plan.terms if t.times is not None):
            own = states if term.place.role == "state" else y
            total = total + p[1 + self.n_v + i] * self.plan.sign * term.weight * own[term.place.index]
        return total

    def terminal(self, x: Any, p: Any) -> tuple[Any, Any]:
        """The goal at the end of the run."""
        import jax.numpy as jnp

        lay, plan = self.layout, self.plan
        states, par = self._states(x), self._parameters(x, p[self._at_parameters():])
        cost = jnp.zeros(())
        left = [t for t in plan.terms if (t.times is None and t.place.index not in dict(lay.costed)) or t.place.role != "state"]
        left = [t for t in left if t.times is None]
        y = None
        for term in left:
            if term.place in lay.ends:
                own = x[lay.at_end + lay.ends.index(term.place)]
            elif term.place.role == "output":
                if y is None:
                    z, ui, d = (jnp.ones(self.sizes[r]) for r in ("algebraic", "input", "disturbance"))
                    y = self.plant._outputs(jnp.zeros(()), states, z, ui, d, par)
                own = y[term.place.index]
            else:
                own = states[term.place.index]
            cost = cost + plan.sign * term.weight * own
        for i in range(len(lay.free_phases)):
            cost = cost + plan.sign * plan.time_weight * x[lay.at_time + i]
        return cost + self._sums(x, None, p), jnp.zeros(0)
