"""Decisions played on the model by the tight simulator: starts of the search, and the truth about every answer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from optimizers.dynamic.filling import Path
from optimizers.dynamic.grid import Decisions, Grid, radau
from optimizers.dynamic.plan import Limit, Plan, at
from twin.recipe import Assign, Phase, Profile, Recipe
from twin.simulation.simulate import Simulator

RTOL, START_RTOL = 1e-10, 1e-8
DENSE = 6  # points looked at in each element beside its collocation points


def recipe_of(plan: Plan, decisions: Decisions) -> Recipe:
    """What is done, as a recipe; moved inputs are profiles over their phase."""
    phases = []
    for k, phase in enumerate(plan.phases):
        inputs = dict(phase.given)
        for m in phase.moved:
            values = [float(v) for v in decisions.controls[k][m.place.name]]
            times = [s * decisions.durations[k] for s in m.shares]
            inputs[m.place.name] = (Profile(times, values, "linear") if m.linear
                                    else values[0] if len(values) == 1 else Profile(times[:-1], values))
        phases.append(Phase(name=phase.name, inputs=inputs, until=float(decisions.durations[k]), reset=phase.reset))
    return Recipe(phases)


def starting(plan: Plan, decisions: Decisions) -> tuple[list[float], list[float]]:
    """Initial states and parameters."""
    x0, p = list(plan.x0), list(plan.p)
    for d, value in zip(plan.initial, decisions.initial, strict=True):
        x0[d.place.index] = float(value)
    for d, value in zip(plan.parameters, decisions.parameters, strict=True):
        p[d.place.index] = float(value)
    return x0, p


@dataclasses.dataclass(frozen=True, eq=False)
class Played:
    """A simulated run beside the grid it was looked at on.

    Attributes
    ----------
    trajectory
        At all times of `grid` and some between.
    path
        States and algebraics at the points of the grid.
    """

    trajectory: Any
    path: Path
    rows: Any  # of the trajectory at each point, shape (edges, points + 1)


def play(plan: Plan, grid: Grid, decisions: Decisions, *, rtol: float = RTOL, dense: int = 0, execution: str | None = None,
         max_steps: int = 200_000) -> Played:
    """Simulate decisions; `dense` more times are looked at in each element."""
    import numpy as np

    times = grid.times(decisions.durations)
    end = times[-1, -1]
    between = times[:, :1] + (times[:, -1:] - times[:, :1]) * np.linspace(0, 1, 1 + max(dense, 1) * grid.elements)
    wanted = np.unique(np.concatenate([times.reshape(-1), between.reshape(-1) if dense else np.zeros(0)]))
    keep = np.concatenate([[True], np.diff(wanted) > 1e-12 * end])  # one of two times that differ by rounding
    wanted = np.minimum(wanted[keep], end)
    run = Simulator(plan.model, recipe_of(plan, decisions), times=wanted, rtol=rtol, check_limits=False, execution=execution,
                    max_steps=max_steps)
    trajectory = run(*starting(plan, decisions), throw=False)
    rows = np.clip(np.searchsorted(wanted, times - 1e-11 * end), 0, max(len(trajectory) - 1, 0))
    return Played(trajectory, _path(plan, grid, trajectory, rows), rows)


def _path(plan: Plan, grid: Grid, trajectory: Any, rows: Any) -> Path:
    import numpy as np

    n = len(trajectory)
    x, z = (np.asarray(trajectory.raw[role], float).reshape(n, -1)[rows] if n else np.zeros((*rows.shape, plan.model.size(role)))
            for role in ("state", "algebraic"))
    if any(e.is_reset for e in grid.edges):
        events = {e.phase: (_flat(plan, e.before), _flat(plan, e.after)) for e in trajectory.events}
        for k, edge in enumerate(grid.edges):
            if edge.is_reset and edge.phase in events:
                before, after = events[edge.phase]
                steps = len(plan.phases[edge.phase].reset)
                share = (edge.step + np.array([0.0, *grid.taus])) / steps
                x[k] = before + share[:, None] * (after - before)
                if k and not grid.edges[k - 1].is_reset:
                    x[k - 1, -1] = before
    return Path(x, z)


def _flat(plan: Plan, named: Any) -> Any:
    import numpy as np

    flat = np.zeros(plan.model.size("state"))
    for r in plan.model.layout("state"):
        flat[r.where] = named[r.signal.name]
    return flat


def series(plan: Plan, trajectory: Any, place: Any) -> Any:
    """One quantity along a trajectory."""
    import numpy as np

    return np.asarray(trajectory.raw[place.role], float).reshape(len(trajectory), -1)[:, place.index]


def objective_of(plan: Plan, trajectory: Any, durations: Sequence[float]) -> float:
    """The goal of a simulated run, soft limits aside."""
    total = plan.time_weight * float(sum(durations))
    for term in plan.terms:
        values = series(plan, trajectory, term.place)
        if term.times is None:
            total += term.weight * float(values[-1])
        else:
            sampled = trajectory.at(term.times)
            times, own = sampled.times, series(plan, sampled, term.place)
            total += term.weight * sum(float(own[int(abs(times - t).argmin())]) for t in term.times)
    return total


def penalty_of(plan: Plan, grid: Grid, played: Played) -> float:
    """What soft limits cost: price times excess at the end of each interval."""
    total = 0.0
    for limit in plan.limits:
        if limit.price is None:
            continue
        values = series(plan, played.trajectory, limit.place)
        edges = [grid.last_of(limit.phase)] if limit.phase is not None else range(len(grid.edges))
        for n in edges:
            row = played.rows[n, -1]
            low, high = limit.sides(float(played.trajectory.raw_times[row]))
            total += limit.price * (max(low - values[row], 0.0) + max(values[row] - high, 0.0))
    return total


@dataclasses.dataclass(frozen=True)
class Excess:
    """How far a limit is violated at worst, and when; `share` of its typical size."""

    limit: Limit
    number: int
    amount: float
    value: float
    bound: float
    time: float

    @property
    def share(self) -> float:
        """Of the typical size of the quantity."""
        return self.amount / self.limit.place.size


def excesses(plan: Plan, played: Played, durations: Sequence[float]) -> list[Excess]:
    """Worst violation of each hard limit in a simulated run; 0 where it holds."""
    import numpy as np

    times = np.asarray(played.trajectory.raw_times, float)
    ends = np.cumsum(durations)
    found = []
    for number, limit in enumerate(plan.limits):
        if limit.price is not None or limit.place.role == "input":
            continue
        values = series(plan, played.trajectory, limit.place)
        if limit.phase is None:
            rows = np.arange(len(times))
        else:
            rows = np.array([int(abs(times - ends[limit.phase]).argmin())])
        if limit.phase is not None and 0 <= limit.phase < len(ends) - 1:
            event = next((e for e in played.trajectory.events if e.phase == limit.phase + 1), None)
            if event is not None and limit.place.role == "state":
                values = values.copy()
                values[rows] = _flat(plan, event.before)[limit.place.index]
        sides = np.array([limit.sides(t) for t in times[rows]]).reshape(-1, 2)
        beyond = np.maximum(sides[:, 0] - values[rows], values[rows] - sides[:, 1])
        k = int(beyond.argmax())
        side = sides[k, 0] if sides[k, 0] - values[rows][k] >= values[rows][k] - sides[k, 1] else sides[k, 1]
        value, time = float(values[rows][k]), float(times[rows][k])
        found.append(Excess(limit, number, max(float(beyond[k]), 0.0), value, float(side), time))
    return found


def excess_by_edge(plan: Plan, grid: Grid, played: Played, number: int) -> tuple[Any, Any]:
    """How far a limit that holds all along is exceeded at its lower and upper side within each edge."""
    import numpy as np

    limit = plan.limits[number]
    times = np.asarray(played.trajectory.raw_times, float)
    values = series(plan, played.trajectory, limit.place)
    sides = np.array([limit.sides(t) for t in times])
    low, high = np.maximum(sides[:, 0] - values, 0.0), np.maximum(values - sides[:, 1], 0.0)
    found = np.zeros((2, len(grid.edges)))
    for n in range(len(grid.edges)):
        a, b = played.rows[n, 0], played.rows[n, -1] + 1
        found[:, n] = low[a:b].max(initial=0.0), high[a:b].max(initial=0.0)
    return found[0], found[1]


def curvature(plan: Plan, grid: Grid, played: Played) -> Any:
    """How far the polynomials of the grid miss a simulated run between their points, in typical sizes, shape (edges,)."""
    import numpy as np

    n = len(played.trajectory)
    x = np.asarray(played.trajectory.raw["state"], float).reshape(n, -1)
    times = np.asarray(played.trajectory.raw_times, float)
    sizes = np.ones(x.shape[1])
    for r in plan.model.layout("state"):
        sizes[r.where] = abs(r.signal.nominal) or 1.0
    nodes, errors = np.array([0.0, *radau(grid.degree)]), np.zeros(len(grid.edges))
    for k, edge in enumerate(grid.edges):
        for e in range(0 if edge.is_reset else grid.elements):
            rows = played.rows[k, e * grid.degree:(e + 1) * grid.degree + 1]
            inner = np.arange(rows[0] + 1, rows[-1])
            a, b = times[rows[0]], times[rows[-1]]
            if not (len(inner) and b > a):
                continue
            s = (times[inner] - a) / (b - a)
            weights = np.array([np.prod([(s - q) / (p - q) for q in nodes if q != p], axis=0) for p in nodes])
            read = weights.T @ played.path.x[k, e * grid.degree:(e + 1) * grid.degree + 1]
            errors[k] = max(errors[k], float((np.abs(x[inner] - read) / sizes).max()))
    return errors


def local_errors(plan: Plan, grid: Grid, decisions: Decisions, x: Any, execution: str | None = None) -> Any:
    """How far the end of each edge lies from a simulation that starts in its first node, in typical sizes, shape (edges,).

    `x` are the states at the nodes. One simulation does it all: each edge is a phase that begins by setting the states.
    """
    import numpy as np

    rows = plan.model.layout("state")
    if any(r.shape for r in rows):
        return None
    kept = [(n, e) for n, e in enumerate(grid.edges) if not e.is_reset]
    full = recipe_of(plan, decisions)
    phases = []
    for n, edge in kept:
        length = decisions.durations[edge.phase]
        whole = full.phases[edge.phase].inputs
        inputs = {name: _cut(value, edge.a * length, edge.b * length) for name, value in whole.items()}
        reset = [Assign(r.signal.name, float(x[n, r.start])) for r in rows]
        phases.append(Phase(inputs=inputs, until=(edge.b - edge.a) * length, reset=reset))
    phases.append(Phase(inputs=phases[-1].inputs, until=phases[-1].until))  # its event holds the end of the last edge
    lengths = [(e.b - e.a) * decisions.durations[e.phase] for _, e in kept]
    end = float(sum(lengths) + lengths[-1])
    _, p = starting(plan, decisions)
    run = Simulator(plan.model, Recipe(phases), times=[end], rtol=1e-9, check_limits=False, execution=execution,
                    max_steps=500_000)
    trajectory = run([float(v) for v in x[0]], p, throw=False)
    errors = np.zeros(len(grid.edges))
    sizes = np.array([abs(r.signal.nominal) or 1.0 for r in rows])
    for k, (n, _) in enumerate(kept):
        if k + 1 < len(trajectory.events):
            errors[n] = (np.abs(_flat(plan, trajectory.events[k + 1].before) - x[n + 1]) / sizes).max()
    return errors


def _cut(value: Any, a: float, b: float) -> Any:
    """A profile between two times, seen from the first."""
    if not isinstance(value, Profile):
        return value
    near = 1e-9 * (b - a)
    inner = [(t - a, v) for t, v in zip(value.times, value.values, strict=True) if a + near < t < b - near]
    if value.hold == "previous":
        if not inner:
            return at(value, 0.5 * (a + b))
        return Profile([0.0, *(t for t, _ in inner)], [at(value, a), *(v for _, v in inner)])
    points = [(0.0, at(value, a)), *inner, (b - a, at(value, b))]
    return Profile([t for t, _ in points], [v for _, v in points], "linear")


def reached(trajectory: Any, end: float) -> bool:
    """True where a simulation came to its end."""
    return bool(trajectory.status) and len(trajectory) > 0 and math.isclose(float(trajectory.raw_times[-1]), end, rel_tol=1e-9)
