"""A control problem as the engine takes it: functions in jnp, and data filled in at each step.

On an edge the parameters are [inputs, disturbances, parameters of the model]. On a node they are [time, inputs, disturbances,
parameters, targets, 1 where a change counts, 1 / probability].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.dynamic.plan import Limit, Place, at
from optimizers.nmpc.statement import Priced, Statement, Tracked
from optimizers.nmpc.tree import Tree
from twin.lazy import jnp

ROLES = ("input", "disturbance")


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What a controller solves: the statement, its tree, and how each limit is counted.

    Attributes
    ----------
    limits
        Those of the statement in their order; where the problem yields, hard ones have a price.
    soft, on_states, on_paths, final_rows, final_states
        Their positions, by kind: counted with a slack at the nodes; hard on states; hard on other signals; at the end.
    """

    statement: Statement
    tree: Tree
    limits: tuple[Limit, ...]
    soft: tuple[int, ...]
    on_states: tuple[int, ...]
    on_paths: tuple[int, ...]
    final_rows: tuple[int, ...]
    final_states: tuple[int, ...]

    @classmethod
    def of(cls, statement: Statement, tree: Tree, elastic: float | None = None) -> Problem:
        """The problem; with `elastic` hard limits become soft at this price a nominal size, and final ones are dropped."""
        limits = statement.limits
        if elastic is not None:
            limits = tuple(dataclasses.replace(k, price=elastic / k.place.size) if k.price is None else k for k in limits)

        def where(soft: bool, final: bool, states: bool | None = None) -> tuple[int, ...]:
            return tuple(i for i, k in enumerate(limits) if (k.price is not None) == soft and (k.phase is not None) == final
                         and states in (None, k.place.role == "state"))

        return cls(statement, tree, limits, where(True, False), where(False, False, True), where(False, False, False),
                   where(False, True, False), where(False, True, True))

    def places(self, which: Sequence[int]) -> list[Place]:
        """Quantities of some limits."""
        return [self.limits[i].place for i in which]

    @property
    def changes(self) -> tuple[int, ...]:
        """Controls whose change is limited in rate or by blocks: they have a row."""
        blocked = any(self.statement.held)
        return tuple(i for i, c in enumerate(self.statement.controls) if blocked or any(map(math.isfinite, c.rate)))

    @property
    def slack_at(self) -> int:
        """Position of the first slack in u."""
        return len(self.statement.controls)

    def spec(self) -> Any:
        """The OcpSpec."""
        from twin.engine.optimal import Carried, OcpSpec

        functions = Functions(self)
        st, model = self.statement, self.statement.check.model
        nominal = [abs(v) or 1.0 for v in st.check.nominal("state")]
        sizes = [max(abs(c.upper), abs(c.lower), 1e-12) for c in st.controls]
        slacks = [0.01 * k.size for k in self.places(self.soft)]
        rows = [size for size in slacks for _ in range(2)] + [sizes[i] for i in self.changes]
        n_v = model.size("input") + model.size("disturbance") + len(st.p)
        return OcpSpec(
            st.check.name, functions.point, functions.stage, functions.terminal, parents=self.tree.parents, n_c=len(nominal),
            n_u=len(sizes) + len(slacks), carried=tuple(Carried(0.0, 1.0, i) for i in range(len(sizes))),
            n_z=model.size("algebraic"), n_path=len(self.on_paths), n_rows=len(rows), n_rows_terminal=len(self.final_rows),
            n_p_edge=n_v + len(st.tracked), n_p_node=1 + n_v + len(st.tracked) + 2, degree=st.degree, elements=st.elements,
            x_scale=nominal + sizes, u_scale=sizes + slacks, z_scale=[abs(v) or 1.0 for v in st.check.nominal("algebraic")],
            path_scale=[k.size for k in self.places(self.on_paths)], row_scale=rows,
            terminal_row_scale=[k.size for k in self.places(self.final_rows)])


class Functions:
    """The functions of a problem in jnp."""

    def __init__(self, problem: Problem) -> None:
        st = problem.statement
        self.problem, self.st, self.model = problem, st, st.check.model
        self.n_x, self.n_z = self.model.size("state"), self.model.size("algebraic")
        self.n_u, self.n_d, self.n_p = self.model.size("input"), self.model.size("disturbance"), len(st.p)
        self.moved = [c.place.index for c in st.controls]
        # What depends on algebraic variables is known at the collocation points only: it counts as a mean over the interval.
        everything: list[Any] = [*st.tracked, *st.priced]
        inner = [t for t in everything if self.needs_algebraics(t.place)]
        integrals = [p for p in st.priced if p.integral and p not in inner]
        self.at_points: list[Any] = [*inner, *integrals]
        self.at_nodes: list[Any] = [t for t in everything if t not in self.at_points]

    def needs_algebraics(self, place: Place) -> bool:
        """True where a quantity may depend on algebraic variables."""
        return bool(self.n_z) and place.role in ("algebraic", "output")

    def _split(self, p: Any, moves: Any) -> tuple[Any, Any, Any]:
        """Model with its parameters, inputs with the moved ones put in, disturbances."""
        given, d, own = p[:self.n_u], p[self.n_u:self.n_u + self.n_d], p[self.n_u + self.n_d:self.n_u + self.n_d + self.n_p]
        u = [given[i] for i in range(self.n_u)]
        for k, i in enumerate(self.moved):
            u[i] = moves[k]
        return self.model.with_parameter_vector(own), jnp.stack(u), d

    def _values(self, places: Sequence[Place], model: Any, t: Any, x: Any, z: Any, u: Any, d: Any) -> list[Any]:
        """Values of some quantities."""
        parts = {"state": x, "algebraic": z, "input": u, "disturbance": d}
        if any(place.role == "output" for place in places):
            parts["output"] = model.output_vector(t, x, z, u, d)
        return [parts[place.role][place.index] for place in places]

    def point(self, t: Any, x: Any, z: Any, u: Any, s: Any, p: Any) -> tuple[Any, Any, Any, Any]:
        """Rates, residuals, limited outputs, integrand."""
        model, inputs, d = self._split(p, u)
        own = x[:self.n_x]
        rates, residuals = model.derivative(t, own, z, inputs, d)
        paths = self._values(self.problem.places(self.problem.on_paths), model, t, own, z, inputs, d)
        cost: Any = 0.0
        found = self._values([q.place for q in self.at_points], model, t, own, z, inputs, d)
        at = self.n_u + self.n_d + self.n_p
        for q, value in zip(self.at_points, found, strict=True):
            if isinstance(q, Tracked):
                cost = cost + q.weight * (value - p[at + self.st.tracked.index(q)]) ** 2 / self.st.interval
            else:
                cost = cost + q.weight * value / (1.0 if q.integral else self.st.interval)
        return rates, residuals, jnp.stack(paths) if paths else jnp.zeros(0), cost

    def _node_cost(self, model: Any, t: Any, x: Any, u: Any, d: Any, targets: Any) -> Any:
        cost: Any = 0.0
        found = self._values([q.place for q in self.at_nodes], model, t, x, jnp.zeros(self.n_z), u, d)
        for q, value in zip(self.at_nodes, found, strict=True):
            off = value if isinstance(q, Priced) else (value - targets[self.st.tracked.index(q)]) ** 2
            cost = cost + q.weight * off
        return cost

    def stage(self, x: Any, u: Any, p: Any) -> tuple[Any, Any]:
        """Cost and rows of a node with inputs."""
        st, n_m = self.st, len(self.moved)
        model, inputs, d = self._split(p[1:], u)
        own, before, at = x[:self.n_x], x[self.n_x:], 1 + self.n_u + self.n_d + self.n_p
        n_t = len(st.tracked)
        cost = self._node_cost(model, p[0], own, inputs, d, p[at:at + n_t])
        for i, c in enumerate(st.controls):
            if c.change:
                cost = cost + p[at + n_t] * c.change * (u[i] - before[i]) ** 2
        soft = self.problem.soft
        rows = []
        found = self._values(self.problem.places(soft), model, p[0], own, jnp.zeros(self.n_z), inputs, d)
        for j, value in enumerate(found):
            slack = u[n_m + j]
            cost = cost + p[at + n_t + 1] * (self.problem.limits[soft[j]].price or 0.0) * slack
            rows += [value - slack, value + slack]
        rows += [u[i] - before[i] for i in self.problem.changes]
        return cost, jnp.stack(rows) if rows else jnp.zeros(0)

    def terminal(self, x: Any, p: Any) -> tuple[Any, Any]:
        """Cost and rows of a leaf."""
        own, before, at = x[:self.n_x], x[self.n_x:], 1 + self.n_u + self.n_d + self.n_p
        model, inputs, d = self._split(p[1:], before)
        cost = self._node_cost(model, p[0], own, inputs, d, p[at:at + len(self.st.tracked)])
        rows = self._values(self.problem.places(self.problem.final_rows), model, p[0], own, jnp.zeros(self.n_z), inputs, d)
        return cost, jnp.stack(rows) if rows else jnp.zeros(0)


@dataclasses.dataclass(frozen=True, eq=False)
class Moment:
    """What differs from step to step, in numbers."""

    time: float
    x: Any
    before: Any | None  # inputs applied last; None: the first change costs nothing and is not limited
    targets: Sequence[Any]
    given: Mapping[str, Any]
    parameters: Any  # (samples, n_p)
    limits: Mapping[int, Limit] = dataclasses.field(default_factory=dict)  # by position in the statement
    moving: bool = False  # something is a profile or a forecast: it changes with time
    price: float = 1.0  # factor on the prices of all soft limits
    said: tuple[str, ...] = ()

    def alike(self, other: Moment) -> bool:
        """True where only time, state and last inputs may differ."""
        return (not self.moving and not other.moving and self.targets == other.targets and self.given == other.given
                and (self.parameters is other.parameters or bool((self.parameters == other.parameters).all()))
                and self.limits == other.limits and self.price == other.price)


class Filler:
    """Writes one moment into the data of a solver; what stays the same from step to step is written once."""

    def __init__(self, problem: Problem, solver: Any) -> None:
        import numpy as np

        self.problem, self.solver = problem, solver
        tree, st = problem.tree, problem.statement
        self.level, self.scenario = np.array(tree.level), np.array(tree.scenario)
        self.up = np.array(tree.parents)[1:]
        self.leaves = np.array(tree.leaves)
        self.inside = np.setdiff1d(np.arange(len(self.level)), self.leaves)
        model = st.check.model
        self.n_x, self.n_m = model.size("state"), len(st.controls)
        self.n_u, self.n_p = model.size("input"), len(st.p)
        self.n_v = self.n_u + model.size("disturbance")
        self.rows = st.check.rows(*ROLES)
        self.low = np.array([c.lower for c in st.controls])
        self.high = np.array([c.upper for c in st.controls])
        self.clock = st.interval * np.arange(st.steps + 1)
        self.base: tuple[Moment, list[Any]] | None = None  # what was filled last, to copy from
        self.ready: list[tuple[Moment, Any]] = []  # data that are free, with the moment they were last filled for

    def data(self, moment: Moment) -> Any:
        """The data of a moment; `release` gives them back."""
        d: Any = None
        if self.ready:
            last, d = self.ready.pop()
            d = d if moment.alike(last) else None
        if d is None and self.base is not None and moment.alike(self.base[0]):
            d = self.solver.data()
            for own, known in zip(d.record, self.base[1], strict=True):
                own[...] = known
        if d is None:
            d = self._filled(moment)
            self.base = moment, [array.copy() for array in d.record]
        times = moment.time + self.clock
        d.t_start[:] = times[self.level[self.up]]
        d.p_node[:, 0] = times[self.level]
        self._start(d, moment)
        return d

    def release(self, moment: Moment, d: Any) -> None:
        """Data that are not used any more."""
        self.ready.append((moment, d))

    def _filled(self, moment: Moment) -> Any:
        """Everything but the start and the clock."""
        import numpy as np

        d, st, tree, n_v, n_p = self.solver.data(), self.problem.statement, self.problem.tree, self.n_v, self.n_p
        d.u_lower[:, :self.n_m], d.u_upper[:, :self.n_m] = self.low, self.high
        d.u_lower[:, self.n_m:], d.u_upper[:, self.n_m:] = 0.0, math.inf
        d.length[:] = st.interval
        weight = np.array(tree.weight)
        d.weight_node[:], d.weight_edge[:] = weight, weight[1:]
        times = moment.time + self.clock
        table = np.zeros((st.steps + 1, n_v))
        for name, value in moment.given.items():
            row = self.rows[name]
            first = row.start + (self.n_u if row.signal.role == "disturbance" else 0)
            for i in range(row.count):
                table[:, first + i * row.step] = sampled(value, times)
        d.p_edge[:, :n_v] = table[self.level[self.up]]
        d.p_edge[:, n_v:n_v + n_p] = moment.parameters[self.scenario[1:]]
        d.p_node[:, 1:1 + n_v] = table[self.level]
        d.p_node[:, 1 + n_v:1 + n_v + n_p] = moment.parameters[self.scenario]
        at = 1 + n_v + n_p
        for j, target in enumerate(moment.targets):
            d.p_edge[:, n_v + n_p + j] = sampled(target, times)[self.level[self.up]]
            d.p_node[:, at + j] = sampled(target, times)[self.level]
        d.p_node[:, -2], d.p_node[:, -1] = 1.0, moment.price / weight
        self._limits(d, moment, times)
        return d

    def arrays(self, ocp: Any, moments: Sequence[Moment]) -> dict[str, Any]:
        """Many moments that differ in state, last inputs, constant given signals and parameters, as arrays for `JaxOcp`."""
        import numpy as np

        count, n_p, n_v, n_u = len(moments), self.n_p, self.n_v, self.n_u
        first = ocp.arrays(self.data(moments[0]))
        tiled = {"stage": {n: np.repeat(v[None], count, 0) for n, v in first["stage"].items()},
                 "end": {n: np.repeat(np.asarray(v)[None], count, 0) for n, v in first["end"].items()}}
        starts = []
        for k, m in enumerate(moments):
            start, before = self._before(m)
            starts.append((start, before))
            tiled["stage"]["p_edge"][k, :, n_v:n_v + n_p] = m.parameters[0]
            tiled["stage"]["p_node"][k, :, 1 + n_v:1 + n_v + n_p] = m.parameters[0]
            tiled["end"]["p_end"][k, 1 + n_v:1 + n_v + n_p] = m.parameters[0]
            for name, value in m.given.items():
                if isinstance(value, float) and value != moments[0].given[name]:
                    at = self.rows[name].start + (n_u if self.rows[name].signal.role == "disturbance" else 0)
                    tiled["stage"]["p_edge"][k, :, at] = tiled["stage"]["p_node"][k, :, 1 + at] = value
                    tiled["end"]["p_end"][k, 1 + at] = value
        u = np.zeros((count, self.problem.statement.steps, ocp.n_u))
        u[:, :, :self.n_m] = np.array([b for _, b in starts])[:, None] / ocp.scale_u[:self.n_m]
        return tiled | {"x0": np.array([s for s, _ in starts]) / ocp.scale_x, "u": u}

    def _before(self, moment: Moment) -> tuple[Any, Any]:
        """Root state with the last inputs, and inputs to start from."""
        import numpy as np

        if moment.before is None:
            middle = 0.5 * (self.low + self.high)
            return np.concatenate([moment.x, middle]), middle
        return np.concatenate([moment.x, moment.before]), np.minimum(np.maximum(moment.before, self.low), self.high)

    def _limits(self, d: Any, moment: Moment, times: Any) -> None:
        import numpy as np

        st, problem, level, leaves, inside = self.problem.statement, self.problem, self.level, self.leaves, self.inside
        edge = level[1:]
        held_to = edge <= (st.steps if st.last_interval else st.steps - 1)
        held = np.array([*st.held, False])[level]
        for j, i in enumerate(problem.changes):
            row, (low, high) = 2 * len(problem.soft) + j, (v * st.interval for v in st.controls[i].rate)
            d.row_lower[inside, row] = np.where(held, 0.0, low)[inside]
            d.row_upper[inside, row] = np.where(held, 0.0, high)[inside]

        def found(i: int) -> tuple[int, Any, Any]:
            limit = moment.limits.get(i, problem.limits[i])
            return limit.place.index, sampled(limit.lower, times), sampled(limit.upper, times)

        for i in problem.on_states:
            at_x, low, high = found(i)
            least, most = np.where(held_to, low[edge], -math.inf), np.where(held_to, high[edge], math.inf)
            raise_to(d.x_lower[1:, at_x], least)
            lower_to(d.x_upper[1:, at_x], most)
            raise_to(d.xp_lower[:, :, at_x], least[:, None])
            lower_to(d.xp_upper[:, :, at_x], most[:, None])
        for j, i in enumerate(problem.on_paths):
            _, low, high = found(i)
            d.path_lower[:, :, j] = np.where(held_to, low[edge], -math.inf)[:, None]
            d.path_upper[:, :, j] = np.where(held_to, high[edge], math.inf)[:, None]
        for j, i in enumerate(problem.soft):
            _, low, high = found(i)
            d.row_upper[inside, 2 * j], d.row_lower[inside, 2 * j + 1] = high[level[inside]], low[level[inside]]
        for j, i in enumerate(problem.final_rows):
            _, low, high = found(i)
            d.row_lower[leaves, j], d.row_upper[leaves, j] = low[-1], high[-1]
        for i in problem.final_states:
            at_x, low, high = found(i)
            d.x_lower[leaves, at_x] = np.maximum(d.x_lower[leaves, at_x], low[-1])
            d.x_upper[leaves, at_x] = np.minimum(d.x_upper[leaves, at_x], high[-1])

    def _start(self, d: Any, moment: Moment) -> None:
        """Initial state, last inputs, and a first guess that holds the inputs."""
        start, before = self._before(moment)
        d.x_lower[0] = d.x_upper[0] = start
        base = 2 * len(self.problem.soft)
        known = moment.before is not None
        d.p_node[0, -2] = float(known)
        if self.problem.changes:
            for j, i in enumerate(self.problem.changes):
                low, high = (v * self.problem.statement.interval for v in self.problem.statement.controls[i].rate)
                d.row_lower[0, base + j], d.row_upper[0, base + j] = (low, high) if known else (-math.inf, math.inf)
        d.x[:] = start
        d.u[:, :self.n_m] = before
        d.u[:, self.n_m:] = 0.0


def sampled(value: Any, times: Any) -> Any:
    """A number, a profile over time, or one number a step as one number a time."""
    import numpy as np

    if hasattr(value, "hold"):
        return np.array([at(value, t) for t in times])
    array = np.asarray(value, dtype=float)
    if array.ndim == 0:
        return np.full(len(times), float(array))
    return np.concatenate([array[:len(times)], np.full(max(0, len(times) - len(array)), array[-1])])



def raise_to(view: Any, values: Any) -> None:
    """Entries of a view made at least so high."""
    view[:] = view.clip(min=values)


def lower_to(view: Any, values: Any) -> None:
    """Entries of a view made at most so high."""
    view[:] = view.clip(max=values)
