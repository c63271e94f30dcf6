"""Sums of squares under bounds: Levenberg-Marquardt on the free coordinates, robust losses, failed trials.

The damping follows the ratio of actual to predicted reduction (Nielsen 1999); columns are scaled by the largest norm seen
(More 1978); bounds enter each step by an active set, so that a step is the minimum of its quadratic model within them.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

from twin import errors
from twin.status import Status

LARGEST_DAMPING = 1e15
TOLERANCE = 1e-6
ROUNDING = 1e-24  # a cost that fell so far is rounding
LOSSES = ("squares", "huber", "soft_l1")
Evaluate = Callable[[Any], tuple[Any, Any] | None]
Seen = Callable[[Any, float], bool]


@dataclasses.dataclass(frozen=True)
class Loss:
    """What a residual costs: squares, or less than squares beyond `threshold` standard deviations."""

    kind: str = "squares"
    threshold: float = 1.5

    def __post_init__(self) -> None:
        if self.kind not in LOSSES:
            raise errors.SpecError(f"loss is {self.kind!r}. Expected one of {', '.join(LOSSES)}.")

    def cost(self, r: Any) -> float:
        """Sum of the losses."""
        import numpy as np

        if self.kind == "squares":
            return float(r @ r)
        a, c = np.abs(r), self.threshold
        if self.kind == "huber":
            return float(np.where(a <= c, r * r, 2 * c * a - c * c).sum())
        return float((2 * c * c * (np.sqrt(1 + (r / c) ** 2) - 1)).sum())

    def weights(self, r: Any) -> Any:
        """Weight of each square that gives the gradient of the loss."""
        import numpy as np

        if self.kind == "squares":
            return np.ones_like(r)
        if self.kind == "huber":
            return np.minimum(1.0, self.threshold / np.maximum(np.abs(r), 1e-300))
        return 1 / np.sqrt(1 + (r / self.threshold) ** 2)


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """Where a fit ended.

    Attributes
    ----------
    q
        Best coordinates, shape (n,).
    residuals, jacobian
        There, without the weights of a robust loss.
    cost
        Sum of squares, or of the losses.
    status, message
        How it ended.
    iterations, evaluations, failures
        Steps tried, evaluations made, and those among them that gave no numbers.
    history
        Cost after each accepted step.
    """

    q: Any
    residuals: Any
    jacobian: Any
    cost: float
    status: Status
    message: str
    iterations: int
    evaluations: int
    failures: int
    history: tuple[float, ...]


def fit_squares(evaluate: Evaluate, start: Any, lower: Any, upper: Any, *, loss: Loss | None = None, reach: Any = None,
                max_iterations: int = 100, tolerance: float = TOLERANCE, floor: float = 0.0, max_seconds: float = math.inf,
                progress: Callable[[int, float], None] | None = None, seen: Seen | None = None) -> Outcome:
    """Minimize a sum of squared residuals within bounds.

    Parameters
    ----------
    evaluate
        Coordinates (n,) -> residuals (m,) and Jacobian (m, n), or None where there are none. The Jacobian may be a function
        without arguments that gives it: then it is computed for accepted points only.
    start, lower, upper
        First coordinates and their bounds, shape (n,).
    loss
        Squares without.
    reach
        Longest step of each coordinate, shape (n,); no limit without.
    max_iterations, max_seconds
        Limits; the best point so far is kept.
    tolerance
        Ends where a Gauss-Newton step would reduce the cost by less than this share of the variance of a residual (cost
        over degrees of freedom): 1e-6 is a step of a thousandth of a standard error.
    floor
        Ends where the cost is below it.
    progress
        Called with the number of steps and the cost.
    seen
        Called with each accepted point and its cost; True ends the fit there.

    Raises
    ------
    ConvergenceError
        Where there are no residuals at the start.
    """
    return _Fit(evaluate, loss or Loss(), lower, upper, reach, tolerance, floor, progress, seen).run(start, max_iterations,
                                                                                                     max_seconds)


class _Fit:
    def __init__(self, evaluate: Evaluate, loss: Loss, lower: Any, upper: Any, reach: Any, tolerance: float, floor: float,
                 progress: Callable[[int, float], None] | None, seen: Seen | None) -> None:
        import numpy as np

        self.evaluate, self.loss, self.tolerance, self.floor, self.progress = evaluate, loss, tolerance, floor, progress
        self.seen = seen
        self.lower, self.upper = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
        self.reach = np.full(len(self.lower), np.inf) if reach is None else np.asarray(reach, dtype=float)
        self.evaluations = self.failures = 0

    def at(self, q: Any) -> tuple[Any, Any, float] | None:
        """Residuals, Jacobian (or what gives it) and cost; None where they are not finite."""
        import numpy as np

        self.evaluations += 1
        found = self.evaluate(q)
        if found is None or not (np.all(np.isfinite(found[0])) and (callable(found[1]) or np.all(np.isfinite(found[1])))):
            self.failures += 1
            return None
        return found[0], found[1], self.loss.cost(found[0])

    def with_jacobian(self, point: tuple[Any, Any, float] | None) -> tuple[Any, Any, float] | None:
        """The point with its Jacobian as numbers; None where they are not finite."""
        import numpy as np

        if point is None or not callable(point[1]):
            return point
        jacobian = point[1]()
        if jacobian is None or not np.all(np.isfinite(jacobian)):
            self.failures += 1
            return None
        return point[0], jacobian, point[2]

    def run(self, start: Any, max_iterations: int, max_seconds: float) -> Outcome:
        import numpy as np

        begin, q = time.monotonic(), np.clip(np.asarray(start, dtype=float), self.lower, self.upper)
        here = self.with_jacobian(self.at(q))
        if here is None:
            raise errors.ConvergenceError("The residuals cannot be computed at the start of the fit. Give another start.",
                                          status=Status.NOT_FINITE)
        history, k, damping, growth = [here[2]], 0, 1e-3, 2.0
        scale = np.zeros(len(q))
        status, message = Status.ITERATION_LIMIT, ""
        try:
            while k < max_iterations:
                if time.monotonic() - begin > max_seconds:
                    status = Status.TIME_LIMIT
                    break
                model = Quadratic(here[0], here[1], self.loss)
                scale = np.maximum(scale, model.norms)
                low, high = self.lower - q, self.upper - q
                full = model.step(0.0, scale, low, high)
                enough = self.tolerance * variance_of(here[2], here[1])
                if here[2] <= max(self.floor, ROUNDING * history[0]) or model.reduction(full) <= enough:
                    status = Status.SUCCESS
                    break
                accepted = False
                while k < max_iterations and not accepted:
                    k += 1
                    d = model.step(damping, scale, np.maximum(low, -self.reach), np.minimum(high, self.reach))
                    promised = model.reduction(d)
                    there = self.at(np.clip(q + d, self.lower, self.upper))
                    gain = -1.0 if there is None or not promised > 0 else (here[2] - there[2]) / promised
                    there = self.with_jacobian(there) if gain > 1e-4 else there
                    if there is not None and gain > 1e-4:
                        q, here, accepted = np.clip(q + d, self.lower, self.upper), there, True
                        history.append(here[2])
                        damping, growth = damping * max(1 / 5, 1 - (2 * min(gain, 1.0) - 1) ** 3), 2.0
                        damping = max(damping, 1e-14)
                    else:
                        damping, growth = max(damping, 1e-8) * growth * (4 if there is None else 1), 2 * growth
                    if self.progress is not None:
                        self.progress(k, here[2])
                    if damping > LARGEST_DAMPING or time.monotonic() - begin > max_seconds:
                        break
                if accepted and self.seen is not None and self.seen(q, here[2]):
                    break
                if not accepted and damping > LARGEST_DAMPING:
                    # Rounding, or the tolerance of a simulation, hides what little is left to gain.
                    near = model.reduction(full) <= 1e-5 * here[2]
                    status = Status.SUCCESS if near else Status.NOT_CONVERGED
                    break
        except KeyboardInterrupt:
            status = Status.STOPPED
        if self.failures:
            message = f"{self.failures} of {self.evaluations} trials could not be simulated and were passed over."
        return Outcome(q, here[0], here[1], here[2], status, message, k, self.evaluations, self.failures, tuple(history))


def variance_of(cost: float, jacobian: Any) -> float:
    """Cost over the degrees of freedom."""
    m, n = jacobian.shape
    return cost / max(m - n, 1)


class Quadratic:
    """The quadratic model of the cost around a point, in triangular form.

    `shift` is a change of the residuals that every step brings with it.
    """

    def __init__(self, r: Any, jacobian: Any, loss: Loss, shift: Any = None) -> None:
        import numpy as np

        w = np.sqrt(loss.weights(r))
        a, here = jacobian * w[:, None], r * w
        b = here if shift is None else here + shift * w
        self.shifted = float(b @ b - here @ here)
        self.norms = np.sqrt((a * a).sum(axis=0))
        if len(a) > 2 * a.shape[1]:  # rotated once, so that every step is a small problem
            q, a = np.linalg.qr(a)
            b = q.T @ b
        self.a, self.b = a, b

    def step(self, damping: float, scale: Any, low: Any, high: Any) -> Any:
        """Minimum of the damped model within low <= d <= high."""
        import numpy as np

        n = self.a.shape[1]
        d, free = np.zeros(n), np.ones(n, dtype=bool)
        safe = np.where(scale > 0, scale, 1.0)
        free &= scale > 0
        penalty = math.sqrt(damping) * np.eye(n)
        matrix = np.vstack([self.a / safe, penalty]) if damping else self.a / safe
        right = np.concatenate([-self.b, np.zeros(n)]) if damping else -self.b
        held = np.zeros(n)  # scaled steps of the coordinates at a bound
        low, high = low * safe, high * safe
        for _ in range(4 * n + 4):
            d = held.copy()
            if free.any():
                d[free] = np.linalg.lstsq(matrix[:, free], right - matrix @ held, rcond=1e-13)[0]
            over = free & ((d < low) | (d > high))
            if over.any():
                # One at a time would be exact, all at once is quick; those wrongly held are released below.
                held[over] = np.clip(d[over], low[over], high[over])
                free &= ~over
                continue
            slope = matrix.T @ (matrix @ d - right)
            fixed = ~free & (scale > 0)
            wrong = fixed & (((held <= low) & (slope < -1e-12 * np.abs(slope).max(initial=0)))
                             | ((held >= high) & (slope > 1e-12 * np.abs(slope).max(initial=0)))) & (low < high)
            if not wrong.any():
                break
            k = int(np.argmax(np.where(wrong, np.abs(slope), -1.0)))
            free[k], held[k] = True, 0.0
        return np.clip(d, low, high) / safe

    def reduction(self, d: Any) -> float:
        """By how much the model says the cost falls after the shift, undamped."""
        moved = self.a @ d
        return float(-(moved @ moved) - 2 * (moved @ self.b))

    def change(self, d: Any) -> float:
        """Change of the cost with shift and step."""
        return self.shifted - self.reduction(d)
