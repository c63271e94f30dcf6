"""What else the data allow: samples of the posterior, and profile likelihoods."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.calibration.precision import precision_of, t_quantile
from twin.calibration.unknowns import BIAS
from twin.scenarios import Scenarios
from twin.status import Status

if TYPE_CHECKING:
    from twin.calibration.result import Calibration


@dataclasses.dataclass(frozen=True, eq=False)
class Profiled:
    """Profile likelihood of one unknown.

    Attributes
    ----------
    name, unit
        The unknown.
    values
        Fixed values, increasing, shape (points,).
    objective
        Best objective with each of them.
    threshold
        Objective at the ends of the interval.
    interval
        Where the profile crosses the threshold; infinite where it does not within the values tried.
    quadratic
        The interval of the linearized fit, for comparison.
    statuses
        How each fit ended.
    """

    name: str
    unit: str
    values: Any
    objective: Any
    threshold: float
    interval: tuple[float, float]
    quadratic: tuple[float, float]
    statuses: tuple[Status, ...]

    def table(self) -> Any:
        """DataFrame: one row a fixed value."""
        import pandas as pd

        return pd.DataFrame({"value": self.values, "objective": self.objective, "inside": self.objective <= self.threshold})

    def plot(self) -> Any:
        """matplotlib Figure: profile, threshold, both intervals."""
        from twin.calibration.plots import plot_profile

        return plot_profile(self)


def profiled(fit: Calibration, name: str, points: int, reach: float) -> Profiled:
    """The profile of one unknown; see `Calibration.profile`."""
    import numpy as np

    problem, outcome = fit.problem, fit.outcome
    if name not in fit.parameters:
        raise errors.unknown("unknown", name, "this calibration", fit.parameters)
    if points < 5 or not reach > 0:
        raise errors.SpecError(f"points is {points} and reach {reach:g}. Expected at least 5 points and a positive reach.")
    k = problem.space.labels.index(name)
    precision = precision_of(problem, outcome)
    error = float(np.sqrt(precision.covariance[k, k]))
    if not 0 < error < math.inf:
        error = 0.2 * (abs(float(outcome.q[k])) or 1.0)
    # Rows: the change of the objective that one free parameter may cause, F(1, degrees) = t squared.
    variance = precision.reduced if problem.noise.equal else 1.0
    threshold = outcome.cost + variance * t_quantile(0.5 + fit.confidence / 2, precision.spread_degrees) ** 2
    lower, upper = problem.space.bounds
    found: dict[float, tuple[float, Status]] = {float(outcome.q[k]): (outcome.cost, outcome.status)}
    for side in (-1, 1):
        q = outcome.q
        for j in range(1, points // 2 + 1):
            at = float(outcome.q[k] + side * reach * error * j / (points // 2))
            if not lower[k] <= at <= upper[k]:
                break
            q = np.array(q, dtype=float)
            q[k] = at
            try:
                ended = _fit_others(problem, q, k)
            except errors.ConvergenceError:
                break
            found[at], q = (ended.cost, ended.status), ended.q
    order = sorted(found)
    costs = np.array([found[v][0] for v in order])
    c = problem.space.coordinates[k]
    low, high = _crossings(np.array(order), costs, threshold)
    interval = (c.to_natural(low) if math.isfinite(low) else low, c.to_natural(high) if math.isfinite(high) else high)
    return Profiled(name, c.unit, np.array([c.to_natural(v) for v in order]), costs, threshold, interval,
                    fit.intervals[name], tuple(found[v][1] for v in order))


def _fit_others(problem: Any, q: Any, k: int) -> Any:
    """Fit of all coordinates but one."""
    import numpy as np

    from twin.calibration.squares import fit_squares

    others = np.arange(len(q)) != k

    def evaluate(part: Any) -> tuple[Any, Any] | None:
        full = q.copy()
        full[others] = part
        found = problem.weighted(full)
        return None if found is None else (found[0], found[1][:, others])

    lower, upper = problem.space.bounds
    if not others.any():
        found = problem.weighted(q)
        if found is None:
            raise errors.ConvergenceError("The profile could not be simulated.", status=Status.NOT_FINITE)
        return _Ended(problem.loss.cost(found[0]), Status.SUCCESS, q)
    ended = fit_squares(evaluate, q[others], lower[others], upper[others], loss=problem.loss, reach=problem.reach[others],
                        max_iterations=50, floor=problem.floor)
    full = q.copy()
    full[others] = ended.q
    return _Ended(ended.cost, ended.status, full)


@dataclasses.dataclass(frozen=True)
class _Ended:
    cost: float
    status: Status
    q: Any


def _crossings(q: Any, cost: Any, threshold: float) -> tuple[float, float]:
    """Where the profile crosses the threshold on both sides, on parabolas through the square root of the rise."""
    import numpy as np

    best = int(np.argmin(cost))
    rise, level = np.sqrt(np.maximum(cost - cost[best], 0)), math.sqrt(max(threshold - cost[best], 0.0))
    ends = [-math.inf, math.inf]
    for side, order in ((0, range(best, 0, -1)), (1, range(best, len(q) - 1))):
        for i in order:
            j = i - 1 if side == 0 else i + 1
            if rise[j] >= level > rise[i]:
                ends[side] = float(q[i] + (q[j] - q[i]) * (level - rise[i]) / (rise[j] - rise[i]))
                break
    return ends[0], ends[1]


def sampled(fit: Calibration, count: int, seed: int) -> Scenarios:
    """Samples of the posterior; see `Calibration.scenarios`."""
    import numpy as np

    space = fit.problem.space
    precision = precision_of(fit.problem, fit.outcome)
    if not np.all(np.isfinite(precision.covariance)):
        lost = [c.label for k, c in enumerate(space.coordinates) if not math.isfinite(precision.covariance[k, k])]
        raise errors.SpecError(f"The data do not fix {', '.join(lost)}: there is no distribution to draw from. Hold it at a "
                               "value, "
                               "or give it a prior.")
    if count < 1:
        raise errors.SpecError(f"count is {count}. Expected at least 1.")
    random = np.random.default_rng(seed)
    shared = [k for k, c in enumerate(space.coordinates) if c.run is None and not c.name.startswith(BIAS)]
    if not shared:
        raise errors.SpecError("Every unknown belongs to a single run: there is nothing to sample for the model.")
    values, vectors = np.linalg.eigh(precision.covariance[np.ix_(shared, shared)])
    normal = random.standard_normal((count, len(shared))) * np.sqrt(np.maximum(values, 0)) @ vectors.T
    degrees = max(precision.spread_degrees, 1)
    stretch = np.sqrt(degrees / random.chisquare(degrees, count))[:, None] if math.isfinite(degrees) else 1.0
    lower, upper = space.bounds
    q = np.clip(fit.outcome.q[shared] + normal * stretch, lower[shared], upper[shared])
    names = [space.coordinates[k] for k in shared]
    table = {c.name: [c.to_natural(float(v)) for v in column] for c, column in zip(names, q.T, strict=True)}
    return Scenarios(fit.model, table)
