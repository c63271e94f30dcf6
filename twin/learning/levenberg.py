"""Levenberg-Marquardt steps for sums of squares with a quadratic prior and bounds; every accepted point is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

TRIES = 8  # shorter steps before an iteration gives up
LARGEST = 2.0  # most change of one unknown in one step, in its scaled coordinate


@dataclasses.dataclass(frozen=True)
class Prior:
    """The penalty |rows theta - target|**2, and the box that holds theta."""

    rows: Any
    target: Any
    lower: Any
    upper: Any

    def cost(self, theta: Any) -> float:
        """Its value."""
        off = self.rows @ theta - self.target
        return float(off @ off)


def descend(function: Callable[[Any, bool], Any], theta: Any, prior: Prior, *, iterations: int, tolerance: float = 1e-3,
            seen: Callable[[Any, float], bool] | None = None) -> Any:
    """Minimize |r(theta)|**2 + prior from `theta`; the last accepted point.

    Parameters
    ----------
    function
        (theta, with derivatives) -> (residuals, Jacobian or None); None where it cannot be evaluated.
    theta
        Start, shape (n,), inside the box.
    prior
        Penalty and box.
    iterations
        Most accepted steps.
    tolerance
        Relative decrease of the cost below which it is done.
    seen
        Called with each accepted point and its cost; True ends the descent.
    """
    import numpy as np

    now = function(theta, True)
    if now is None:
        return theta
    cost, damping = float(now[0] @ now[0]) + prior.cost(theta), 1e-2
    for _ in range(iterations):
        residuals, jacobian = now
        slope = jacobian.T @ residuals + prior.rows.T @ (prior.rows @ theta - prior.target)
        curvature = jacobian.T @ jacobian + prior.rows.T @ prior.rows
        diagonal = np.diag(curvature) + 1e-12 * max(float(np.diag(curvature).max()), 1e-300)
        for _ in range(TRIES):
            step = -np.linalg.solve(curvature + np.diag(damping * diagonal), slope)
            moved = np.clip(theta + np.clip(step, -LARGEST, LARGEST), prior.lower, prior.upper)
            trial = function(moved, False)  # without derivatives a simulation is many times cheaper
            found = np.inf if trial is None else float(trial[0] @ trial[0]) + prior.cost(moved)
            if found < cost:
                break
            damping *= 5.0
        else:
            return theta
        gain, cost, theta, now = (cost - found) / cost, found, moved, function(moved, True)
        if now is None:
            return theta
        damping = max(damping / 5.0, 1e-8)
        if (seen is not None and seen(theta, cost)) or gain < tolerance:
            break
    return theta
