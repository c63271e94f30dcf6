"""How well the data fix the unknowns: covariance, intervals, directions that the data do not fix."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from twin.calibration.problem import Problem
from twin.calibration.squares import Outcome

SINGULAR = 1e-9  # singular values below this share of the largest are zero


def t_quantile(level: float, degrees: float) -> float:
    """Quantile of Student's t; of the normal distribution with infinite degrees of freedom, infinite without any."""
    from scipy import special

    if math.isinf(degrees):
        return float(special.ndtri(level))
    return float(special.stdtrit(degrees, level)) if degrees > 0 else math.inf


@dataclasses.dataclass(frozen=True, eq=False)
class Precision:
    """Linearized uncertainty at the optimum, in coordinates.

    Attributes
    ----------
    held
        True where a bound holds a coordinate, shape (n,).
    degrees
        Rows (priors included) less free coordinates.
    spread_degrees
        Degrees of freedom of Student's t: `degrees`, or infinite where all deviations were stated.
    factor
        Estimated variance of a residual: 1 where deviations were stated or estimated by signal.
    reduced
        Sum of squares over `degrees`: 1 where the stated noise is what the residuals show.
    covariance
        Of the coordinates, shape (n, n); zero for held ones, infinite on the diagonal where the data fix nothing.
    singular, directions
        Singular values of the Jacobian of the free coordinates, each column scaled by the size of its value, and the
        directions (rows), weakest last.
    free
        Positions of the free coordinates.
    """

    held: Any
    degrees: int
    spread_degrees: float
    factor: float
    reduced: float
    covariance: Any
    singular: Any
    directions: Any
    free: Any


def precision_of(problem: Problem, outcome: Outcome) -> Precision:
    """Precision at an optimum."""
    import numpy as np

    n = len(problem.space)
    held = problem.held(outcome.q, outcome)
    free = np.flatnonzero(~held)
    w = np.sqrt(problem.loss.weights(outcome.residuals))
    jacobian = outcome.jacobian[:, free] * w[:, None]
    degrees = len(outcome.residuals) - len(free)
    reduced = outcome.cost / degrees if degrees > 0 else math.nan
    factor = reduced if problem.noise.equal else 1.0
    # Columns per relative change of the value, so that singular values compare parameters of any unit.
    slope = problem.space.slope(problem.space.natural(outcome.q))[free]
    values = problem.space.natural(outcome.q)[free]
    size = _sizes([problem.space.coordinates[k] for k in free], values) / np.where(slope != 0, np.abs(slope), 1.0)
    _, s, vt = np.linalg.svd(jacobian * size, full_matrices=False)
    if len(s) < len(free):  # fewer rows than unknowns
        s = np.concatenate([s, np.zeros(len(free) - len(s))])
        vt = np.linalg.svd(jacobian * size, full_matrices=True)[2]
    lost = s <= SINGULAR * s.max(initial=0.0)
    inverse = np.where(lost, 0.0, 1 / np.where(lost, 1.0, s))
    half = vt.T * inverse
    inner = (half @ half.T) * np.outer(size, size) * factor
    for direction in vt[lost]:
        for k in np.flatnonzero(np.abs(direction) > 1e-3):
            inner[k, k] = math.inf
    covariance = np.zeros((n, n))
    covariance[np.ix_(free, free)] = inner
    known = not problem.noise.equal and not problem.noise.estimated
    return Precision(held, degrees, math.inf if known else degrees, factor,
                     reduced, covariance, s / math.sqrt(factor) if factor > 0 else s, vt, free)


def _sizes(coordinates: Any, values: Any) -> Any:
    """Typical size of each value: its own; where it may be zero, its nominal one or the median of those with the same unit."""
    import numpy as np

    found = np.array([max(abs(v), c.size if c.lower < 0 else 0.0) for c, v in zip(coordinates, values, strict=True)])
    for unit in {c.unit for c in coordinates if c.scale == "linear"}:
        mine = [k for k, c in enumerate(coordinates) if c.unit == unit and c.scale == "linear"]
        found[mine] = np.maximum(found[mine], np.median(found[mine]))
    return np.where(found > 0, found, 1.0)


def intervals(problem: Problem, q: Any, precision: Precision, confidence: float) -> list[tuple[float, float]]:
    """Interval of each value; a held value has none (NaN)."""
    import numpy as np

    t = t_quantile(0.5 + confidence / 2, precision.spread_degrees)
    found = []
    for k, c in enumerate(problem.space.coordinates):
        if precision.held[k]:
            found.append((math.nan, math.nan))
            continue
        half = t * float(np.sqrt(precision.covariance[k, k]))
        ends = [q[k] - half, q[k] + half]
        with np.errstate(over="ignore"):
            low, high = (float(np.exp(e)) for e in ends) if c.scale == "log" else (float(e * c.size) for e in ends)
        found.append((low, high))
    return found


def correlation(covariance: Any) -> Any:
    """Correlation matrix; NaN where a variance is zero or infinite."""
    import numpy as np

    s = np.sqrt(np.diag(covariance))
    ok = (s > 0) & np.isfinite(s)
    found = np.full_like(covariance, np.nan)
    found[np.ix_(ok, ok)] = covariance[np.ix_(ok, ok)] / np.outer(s[ok], s[ok])
    return found
