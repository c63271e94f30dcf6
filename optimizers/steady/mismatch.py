"""What the plant does that the model does not: regression on past measurements, with the uncertainty of its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Mismatch:
    """Plant minus model about one point, as constant + slope . x + 1/2 x' curvature x, by Bayesian linear regression.

    Parameters
    ----------
    points
        Where the plant was measured, moves over their ranges, (count, n).
    differences, sd
        Measured minus model, and its standard deviation, over the nominal size of the quantity.
    center
        Where the modifiers are wanted.
    prior
        Prior standard deviation of slopes and curvatures: by how much plant and model may differ over the whole range of a
        move. Third order of this size is allowed for as noise, so that far points count little.
    curvature
        False: curvature is part of the uncertainty only, and the modifiers are of first order.
    """

    def __init__(self, points: Any, differences: Any, sd: Any, center: Any, prior: float, curvature: bool) -> None:
        import numpy as np

        self.center, self.curvature, self.n = center, curvature, len(center)
        x = np.asarray(points) - center
        phi = self._features(x)
        spread = np.concatenate([[1e3], np.full(phi.shape[1] - 1, prior)])
        noise = np.asarray(sd) ** 2 + (prior * np.linalg.norm(x, axis=1) ** 3) ** 2 + 1e-10
        weighted = phi / noise[:, None]
        self.covariance = np.linalg.inv(weighted.T @ phi + np.diag(spread**-2.0))
        self.mean = self.covariance @ (weighted.T @ np.asarray(differences))

    def _features(self, x: Any) -> Any:
        import numpy as np

        pairs = [x[:, i] * x[:, j] * (0.5 if i == j else 1.0) for i, j in self._pairs]
        return np.column_stack([np.ones(len(x)), x, *pairs])

    @property
    def _pairs(self) -> Sequence[tuple[int, int]]:
        return [(i, j) for i in range(self.n) for j in range(i, self.n)]

    def _slopes(self, x: Any) -> Any:
        """Derivatives of the features by x, (features, n)."""
        import numpy as np

        rows = [np.zeros((1, self.n)), np.eye(self.n)]
        for i, j in self._pairs:
            row = np.zeros((1, self.n))
            row[0, i] += x[j] * (0.5 if i == j else 1.0)
            row[0, j] += x[i] * (0.5 if i == j else 1.0)
            rows.append(row)
        return np.vstack(rows)

    @property
    def _weights(self) -> Any:
        import numpy as np

        kept = np.ones(len(self.mean))
        if not self.curvature:
            kept[1 + self.n:] = 0.0
        return self.mean * kept

    def value(self, point: Any, times_sd: float = 0.0) -> tuple[float, Any]:
        """Mean plus a multiple of the standard deviation at a point, and the gradient of both together."""
        import numpy as np

        x = np.asarray(point) - self.center
        features, slopes = self._features(x[None])[0], self._slopes(x)
        value, gradient = float(features @ self._weights), slopes.T @ self._weights
        if times_sd:
            along = self.covariance @ features
            sd = float(np.sqrt(max(features @ along, 1e-16)))
            value, gradient = value + times_sd * sd, gradient + times_sd * (slopes.T @ along) / sd
        return value, gradient

    def sd(self, point: Any) -> float:
        """Standard deviation of the mismatch at a point."""
        import numpy as np

        features = self._features((np.asarray(point) - self.center)[None])[0]
        return float(np.sqrt(max(features @ self.covariance @ features, 0.0)))

    @property
    def slope(self) -> Any:
        """First-order modifiers at the center."""
        return self.mean[1:1 + self.n]

    @property
    def slope_sd(self) -> Any:
        """Their standard deviations."""
        import numpy as np

        return np.sqrt(np.diag(self.covariance)[1:1 + self.n])
