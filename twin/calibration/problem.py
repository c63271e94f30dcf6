"""Residuals in coordinates, divided by their deviations, with the priors as further rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from twin.calibration.noise import Noise
from twin.calibration.residuals import Evaluation
from twin.calibration.squares import TOLERANCE, Loss, Outcome, fit_squares
from twin.calibration.unknowns import Space

DECADE = math.log(10.0)


@dataclasses.dataclass
class Problem:
    """One weighted least-squares problem; `engine.evaluate(values)` gives model values and their derivatives."""

    engine: Any
    space: Space
    noise: Noise
    loss: Loss
    last_failed: dict[str, str] = dataclasses.field(default_factory=dict)

    def evaluation(self, q: Any) -> Evaluation:
        """Model values and derivatives at coordinates."""
        found: Evaluation = self.engine.evaluate(self.space.natural(q))
        return found

    def weighted(self, q: Any) -> tuple[Any, Any] | None:
        """Residuals over deviations, and their Jacobian; priors last. None where a run fails."""
        found = self.evaluation(q)
        if found.failed:
            self.last_failed = dict(found.failed)
            return None
        return self.assembled(q, found)

    def assembled(self, q: Any, found: Evaluation) -> tuple[Any, Any]:
        """Rows of the least-squares problem from model values."""
        import numpy as np

        rows = self.engine.rows
        sigma = self.noise.sigma
        r = (found.values - rows.value) / sigma
        jacobian = found.jacobian * (self.space.slope(self.space.natural(q)) / sigma[:, None])
        at, mean, spread = self.space.prior_rows()
        if not len(at):
            return r, jacobian
        below = np.zeros((len(at), len(q)))
        below[np.arange(len(at)), at] = 1 / spread
        return np.concatenate([r, (q[at] - mean) / spread]), np.vstack([jacobian, below])

    @property
    def reach(self) -> Any:
        """Longest step: a decade on log scales."""
        import numpy as np

        return np.array([DECADE if c.scale == "log" else np.inf for c in self.space.coordinates])

    @property
    def floor(self) -> float:
        """Cost that is rounding."""
        import numpy as np

        return 1e-22 * float(np.sum((self.engine.rows.value / self.noise.sigma) ** 2))

    def fit(self, q: Any, *, max_iterations: int, max_seconds: float = math.inf, tolerance: float = TOLERANCE,
            progress: Callable[[int, float], None] | None = None) -> Outcome:
        """Minimize from a point."""
        if hasattr(self.engine, "fit"):
            found: Outcome = self.engine.fit(self, q, max_iterations=max_iterations, max_seconds=max_seconds, tolerance=tolerance,
                                             progress=progress)
            return found
        lower, upper = self.space.bounds
        return fit_squares(self.weighted, q, lower, upper, loss=self.loss, reach=self.reach, max_iterations=max_iterations,
                           floor=self.floor, tolerance=tolerance, max_seconds=max_seconds, progress=progress)

    def held(self, q: Any, outcome: Outcome) -> Any:
        """True for each coordinate that its bound holds."""
        import numpy as np

        lower, upper = self.space.bounds
        slope = outcome.jacobian.T @ (outcome.residuals * self.loss.weights(outcome.residuals))
        room = 1e-9 * (1 + np.abs(q))
        low, high = (q - lower <= room) & np.isfinite(lower), (upper - q <= room) & np.isfinite(upper)
        return (low & (slope >= 0)) | (high & (slope <= 0))


def leverages(jacobian: Any) -> Any:
    """Diagonal of the hat matrix, shape (m,)."""
    import numpy as np

    scale = np.sqrt((jacobian * jacobian).sum(axis=0))
    u, s, _ = np.linalg.svd(jacobian / np.where(scale > 0, scale, 1.0), full_matrices=False)
    kept = u[:, s > 1e-10 * s.max(initial=0.0)]
    return (kept * kept).sum(axis=1)
