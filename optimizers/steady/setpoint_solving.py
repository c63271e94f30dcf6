"""Solving for set-points: several starts, the answer replayed as a steady state of the model, limits and prices by name."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

from optimizers.backends import slsqp
from optimizers.solution import Active, Solution
from optimizers.steady import kkt, setpoint_views
from optimizers.steady.engine import EngineSolver
from optimizers.steady.followed import Followed
from optimizers.steady.setpoints import Setpoints
from optimizers.steady.statement import Statement
from twin import errors, limits
from twin.simulation import settle
from twin.simulation.kernels import Kernels
from twin.simulation.steady import steady
from twin.status import Status

TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """Where one search ended."""

    v: Any
    cost: float
    violation: float
    error: float
    iterations: int

    @property
    def feasible(self) -> bool:
        """All equations and limits hold."""
        return self.violation <= TOLERANCE

    @property
    def optimal(self) -> bool:
        """Feasible, and multipliers explain the gradient."""
        return self.feasible and self.error <= 1e-5


def solve(problem: Setpoints, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          starts: int = 4, sensitivity: tuple[str, ...] | str = ()) -> Solution:
    """Solve for set-points; `start` gives inputs by name."""
    begun = time.perf_counter()
    kernels = Kernels(problem.model)
    reduced = solver == "reduced" or (solver is None and settle.is_large(kernels))
    statement = Followed(problem, kernels) if reduced else Statement(problem, kernels)
    solver, solver_name = solver_of("reduced" if reduced else solver, statement)
    tried: list[Candidate] = []
    for v in start_points(statement, start, starts, seed):
        if tried and max_seconds is not None and time.perf_counter() - begun > max_seconds:
            break
        tried.append(search(statement, v, solver))
    stats: dict[str, Any] = {"starts": len(tried), "iterations": sum(c.iterations for c in tried)}
    feasible = sorted((c for c in tried if c.feasible), key=lambda c: c.cost)
    if not feasible:
        return _infeasible(problem, statement, stats | {"seconds": time.perf_counter() - begun}, solver_name)
    best, point, branches = _chosen(statement, feasible)
    names = (sensitivity,) if isinstance(sensitivity, str) else tuple(sensitivity)
    found = kkt.multipliers(statement, best.v)
    details: dict[str, Any] = {"steady_states": branches, "kkt_error": found.error,
                               "optima": [_objective(statement, c.v) for c in feasible]}
    if names:
        details["sensitivity"] = kkt.sensitivities(statement, best.v, found, names)
    stats["seconds"] = time.perf_counter() - begun
    status = Status.SUCCESS if best.optimal else Status.NOT_CONVERGED
    values, _ = statement.quantities(best.v)
    violated, worst = _violated(statement, values)
    return Solution(
        problem, status, _message(statement, best, point, branches, status),
        {n: float(point[n]) for n in statement.moves}, _replayed(statement, point, best.v), statement.objective_unit,
        claimed=_objective(statement, best.v), violation=worst, violated=violated, active=active(statement, found, values),
        replay=point, solver=solver_name, stats=stats, details=details,
        views={"table": setpoint_views.table, "plot": setpoint_views.plot, "to_frame": setpoint_views.to_frame})


def start_points(statement: Statement, start: Mapping[str, Any] | None, count: int, seed: int) -> list[Any]:
    """Unknowns at steady states for inputs that fill the bounds evenly, the given or middle ones first."""
    import numpy as np

    spans = statement.moves
    if start is not None:
        for name in start:
            if name not in spans:
                raise errors.unknown("moved input", name, statement.kernels.name, spans)
    signals = statement.check.rows("input")
    first = {n: min(max(signals[n].signal.nominal, low), high) for n, (low, high) in spans.items()}
    first |= {n: statement.check.value(signals[n].signal, v) for n, v in (start or {}).items()}
    points = [first]
    root = 1.5
    for _ in range(60):
        root = (1 + root) ** (1 / (len(spans) + 1))
    shift = np.random.default_rng(seed).random(len(spans)) if seed else 0.5
    for k in range(1, count):
        share = (shift + k * root ** -np.arange(1, len(spans) + 1)) % 1.0
        points.append({n: low + float(t) * (high - low) for (n, (low, high)), t in zip(spans.items(), share, strict=True)})
    found: list[Any] = []
    last: Any = None
    for inputs in points:
        known: Any = None
        base = dataclasses.replace(statement.base, u=_with(statement, inputs))
        given = _entries(statement, base)
        for within in (True, False):
            near: list[Any] = [] if last is None else [_named(statement, last)]
            states = steady(statement.problem.model, given, parameters=statement.problem.parameters or None,
                            starts=near or 12, within_limits=within, throw=False)
            if not len(states) and near:
                states = steady(statement.problem.model, given, parameters=statement.problem.parameters or None, starts=12,
                                within_limits=within, throw=False)
            if len(states):
                known = next(iter(states.stable), states[0])
                break
        if known is None:
            w = np.asarray(statement.base.x + statement.base.z)
            known = dataclasses.replace(base, x=tuple(w[:statement.kernels.n_x]), z=tuple(w[statement.kernels.n_x:]))
        else:
            last = known
        found.append(statement.start(known))
    return found


def search(statement: Statement, v: Any, solver: Any) -> Candidate:
    """One search; its end is put back on the equations of the model before it is judged."""
    v, _, iterations = solver(statement, v)
    v = on_model(statement, v)
    found = kkt.multipliers(statement, v, near=1e-5)
    return Candidate(v, statement.cost(v)[0], found.violation, found.error, iterations)


def by_slsqp(statement: Statement, v: Any, iterations: int = 200, tolerance: float = 1e-11) -> tuple[Any, bool, int]:
    """The reference: SciPy's SLSQP."""
    import numpy as np

    def inside(x: Any) -> tuple[Any, Any]:
        rows, slopes, low, high = statement.limited(x)
        a, b = np.isfinite(low) & (low != high), np.isfinite(high) & (low != high)
        return np.concatenate([(rows - low)[a], (high - rows)[b]]), np.vstack([slopes[a], -slopes[b]])

    def zero(x: Any) -> tuple[Any, Any]:
        rates, jacobian = statement.equations(x)
        rows, slopes, low, high = statement.limited(x)
        held = low == high
        norms = np.linalg.norm(jacobian, axis=1)
        return np.concatenate([rates / norms, (rows - low)[held]]), np.vstack([jacobian / norms[:, None], slopes[held]])

    has = any(limit.lower != limit.upper for limit in statement.limits)
    equal = statement.n_w or any(limit.lower == limit.upper for limit in statement.limits)
    x, good, _ = slsqp.minimize(statement.cost, inside if has else None, v, statement.lower, statement.upper,
                                zero=zero if equal else None,
                                iterations=iterations, tolerance=tolerance)
    return x, good, 0


def solver_of(solver: Any, statement: Statement) -> tuple[Any, str]:
    """Search function of a solver and its name."""
    if solver in (None, "engine"):
        made: list[EngineSolver] = []

        def by_engine(own: Statement, v: Any) -> tuple[Any, bool, int]:
            if not made:
                made.append(EngineSolver(own))
            return made[0].search(v)

        return by_engine, "interior point"
    if solver == "slsqp":
        return by_slsqp, "SLSQP of SciPy"
    if solver == "reduced":
        return by_slsqp, "SLSQP of SciPy in the moved inputs, the steady state followed"
    raise errors.SpecError(f"solver is {solver!r}. Expected 'engine', 'reduced' or 'slsqp'.")


def on_model(statement: Statement, v: Any) -> Any:
    """The steady state at the inputs of v, by Newton's method from v; v itself where that fails."""
    import numpy as np

    x, n = v.copy(), statement.n_w
    for _ in range(20):
        rates, jacobian = statement.equations(x)
        try:
            step = np.linalg.solve(jacobian[:, :n], rates)
        except np.linalg.LinAlgError:
            return v
        if not np.isfinite(step).all():
            return v
        x[:n] -= step
        if np.max(np.abs(step), initial=0.0) < 1e-13:
            break
    for j, (k, side) in enumerate(statement.sides):
        limit = statement.limits[k]
        value = statement.quantities(x)[0][limit.place]
        x[statement.n + j] = max(limit.lower - value if side == "lower" else value - limit.upper, 0.0) / \
            statement.scale[statement.n + j]
    return x if np.max(np.abs(x - v)) < 1.0 else v


def _with(statement: Statement, inputs: Mapping[str, float]) -> tuple[float, ...]:
    u = list(statement.base.u)
    for name, c in zip(statement.moves, statement.columns, strict=True):
        u[c] = float(inputs[name])
    return tuple(u)


def _entries(statement: Statement, base: Any) -> dict[str, float]:
    """Inputs and disturbances by name at a point."""
    return {name: float((base.u if row.signal.role == "input" else base.d)[row.start])
            for name, row in statement.check.rows("input", "disturbance").items()}


def _named(statement: Statement, point: Any) -> dict[str, Any]:
    """States and algebraics by name at a point."""
    return {name: point[name] for name in statement.check.rows("state", "algebraic")}


def _chosen(statement: Statement, feasible: list[Candidate]) -> tuple[Candidate, Any, Any]:
    """The best candidate, the first stable one of those for dynamic models; its steady state and all at its inputs."""
    first = None
    for candidate in feasible:
        point, branches = _replay(statement, candidate.v)
        if first is None:
            first = candidate, point, branches
        if not point.kind or point.stable:
            return candidate, point, branches
    return first  # type: ignore[return-value]


def _replay(statement: Statement, v: Any) -> tuple[Any, Any]:
    """The steady state at the inputs that is nearest to v, and all that were found there."""
    import numpy as np

    at = statement.point(v)
    given, model = _entries(statement, at), statement.problem.model
    parameters = statement.problem.parameters or None
    named = statement.kernels.with_unknowns(at, np.asarray(at.x + at.z))
    own = steady(model, given, parameters=parameters, starts=[_named(statement, named)], within_limits=False)
    every = steady(model, given, parameters=parameters, starts=16, throw=False) if statement.kernels.n_x else own
    scale = statement.kernels.scale()

    def far(p: Any) -> float:
        return float(np.max(np.abs(np.asarray(p.x + p.z) - np.asarray(at.x + at.z)) / scale))

    return min([*own, *every], key=far), every


def _objective(statement: Statement, v: Any) -> float:
    """Objective of the user at unknowns, with prices of excesses."""
    return float(statement.sign * statement.cost(v)[0] * statement.size)


def _replayed(statement: Statement, point: Any, v: Any) -> float:
    """Objective of the user from the replayed steady state."""
    total = sum(w * float(point[n] if "[" not in n else point[n.partition("[")[0]][int(n.partition("[")[2][:-1])])
                for n, w in statement.weights.items())
    excess = sum(statement.limits[k].price * float(v[statement.n + j] * statement.scale[statement.n + j])
                 for j, (k, _) in enumerate(statement.sides))
    return total + statement.sign * excess


def _violated(statement: Statement, values: Any) -> tuple[list[str], float]:
    told, worst = [], 0.0
    for limit in statement.limits:
        over = max(limit.lower - values[limit.place], values[limit.place] - limit.upper, 0.0)
        if limit.price < math.inf:
            if over > TOLERANCE * limit.nominal:
                told.append(f"{limit.name} exceeds its soft limit by {over:.4g} {limit.unit}, at a price.")
            continue
        worst = max(worst, over / limit.nominal)
        if over > TOLERANCE * limit.nominal:
            told.append(f"{limit.name} is {values[limit.place]:.6g} {limit.unit}, beyond {limit.lower:g} to {limit.upper:g}.")
    return told, worst


def active(statement: Statement, found: kkt.Kkt, values: Any) -> list[Active]:
    """Limits with a price, the most expensive first."""
    listed, unit = [], statement.objective_unit
    rows = statement.row_limits()
    for k, side, m in found.rows:
        limit, soft_side = rows[k]
        worth = (-m if side == "equal" else m) * statement.size / limit.nominal
        if abs(m) * statement.size < 1e-9 * statement.size:
            continue
        side = soft_side or side
        at = limit.lower if side in ("lower", "equal") else limit.upper
        listed.append(Active(limit.name, side, float(values[limit.place]), at, limit.unit, worth, _per(unit, limit.unit)))
    labels = statement.labels()
    for k, side, m in found.bounds:
        if k >= statement.n or m < 1e-9:
            continue
        name, own_unit = labels[k]
        at = float((statement.lower if side == "lower" else statement.upper)[k] * statement.scale[k])
        where = "(physical limit of the model)" if k < statement.n_w else ""
        worth = m * statement.size / float(statement.scale[k])
        listed.append(Active(name, side, at, at, own_unit, worth, _per(unit, own_unit), where))
    return sorted(listed, key=lambda a: -abs(a.shadow_price * statement.places[a.name][2]))


def _per(unit: str, own: str) -> str:
    return unit if own == "-" else f"{unit} per {own}".strip()


def _message(statement: Statement, best: Candidate, point: Any, branches: Any, status: Status) -> str:
    moves = ", ".join(f"{n} {float(point[n]):.6g} {statement.places[n][1]}" for n in statement.moves)
    goal = statement.problem.maximize or statement.problem.minimize
    name = goal if isinstance(goal, str) else "objective"
    text = f"Best {name} at {moves}"
    text += f": a {point.kind}." if point.kind else "."
    if point.kind and not point.stable:
        text += " The plant does not stay there by itself: it needs control."
    if len(branches) > 1:
        others = ", ".join(p.kind for p in branches)
        text += (f" There are {len(branches)} steady states at these inputs ({others}): the start-up decides which one "
                 "is reached.")
    if status is not Status.SUCCESS:
        text += f" {status} (scaled error of the optimality conditions {best.error:.2g})."
    return text


def _infeasible(problem: Setpoints, statement: Statement, stats: Mapping[str, Any], solver_name: str) -> Solution:
    """Which limits are in conflict: the least sum of relative excesses, and the limits that stand against it."""
    soft = softened(statement, 1.0)
    message, conflict = "No steady state within the physical limits of the model was found for these inputs.", list[str]()
    if soft:
        elastic = type(statement)(dataclasses.replace(problem, limits=soft), statement.kernels)
        elastic.weights, elastic.size = {}, 1.0
        ends = [search(elastic, v, by_slsqp) for v in start_points(elastic, None, 3, 0)]
        good = sorted((c for c in ends if c.feasible), key=lambda c: c.cost)
        if good:
            values, _ = elastic.quantities(good[0].v)
            found = kkt.multipliers(elastic, good[0].v, near=1e-5)
            against = {elastic.row_limits()[k][0].name for k, _, m in found.rows if m > 1e-7}
            told = []
            for limit in elastic.limits:
                over = max(limit.lower - values[limit.place], values[limit.place] - limit.upper, 0.0)
                if over > TOLERANCE * limit.nominal or limit.name in against:
                    conflict.append(limit.name)
                    told.append(f"{limit.name} {values[limit.place]:.4g} {limit.unit} (limit {_span(limit)})")
            bounds = [n for k, _, m in found.bounds if statement.n_w <= k < statement.n and m > 1e-7
                      for n in [list(statement.moves)[k - statement.n_w]]]
            message = "No steady state keeps all limits. The nearest has " + ", ".join(told)
            message += f", with {', '.join(bounds)} at the end of the range." if bounds else "."
    return Solution(problem, Status.INFEASIBLE, message, {}, None, statement.objective_unit, solver=solver_name,
                    stats=stats, details={"conflict": conflict})


def softened(statement: Statement, price: float) -> dict[str, limits.Soft]:
    """All limits at a price of excess over their nominal size."""
    return {limit.name: limits.soft(None if math.isinf(limit.lower) else limit.lower,
                                    None if math.isinf(limit.upper) else limit.upper, price=price / limit.nominal)
            for limit in statement.limits}


def _span(limit: Any) -> str:
    if math.isinf(limit.lower):
        return f"at most {limit.upper:g}"
    return f"at least {limit.lower:g}" if math.isinf(limit.upper) else f"{limit.lower:g} to {limit.upper:g}"
