"""Test for gross errors in reconciled measurements, with critical values for the correlations of the adjustments."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

DRAWS = 100_000


@dataclasses.dataclass(frozen=True)
class GrossError:
    """A measurement that cannot be explained by its noise.

    Attributes
    ----------
    name
        The measurement.
    statistic, critical
        Its adjustment over the standard deviation of that, and what this may be.
    measured, estimate, unit
        What was measured, what the other measurements say, and the unit.
    alike
        Other measurements whose error would explain the data equally well: the balances cannot tell them apart.
    """

    name: str
    statistic: float
    critical: float
    measured: float
    estimate: float
    unit: str = "-"
    alike: tuple[str, ...] = ()

    def __str__(self) -> str:
        unit = "" if self.unit == "-" else f" {self.unit}"
        text = (f"{self.name} has a gross error: measured {self.measured:.6g}{unit}, by the others {self.estimate:.6g}{unit} "
                f"(statistic {self.statistic:.3g}, critical {self.critical:.3g}).")
        if self.alike:
            text += f" An error in {', '.join(self.alike)} would explain the data equally well."
        return text


class Test:
    """Statistics of adjustments a = y - values under rows B (values) = const, noise s."""

    def __init__(self, rows: Any, adjustments: Any, s: Any, alpha: float) -> None:
        import numpy as np
        from scipy.stats import chi2

        weighted = rows * s
        inverse = np.linalg.pinv(weighted @ weighted.T)
        self.degrees = int(np.linalg.matrix_rank(weighted)) if weighted.size else 0
        influence = weighted.T @ inverse @ weighted  # covariance of the adjustments over s
        spread = np.sqrt(np.clip(np.diag(influence), 0.0, None))
        self.redundant = spread > 1e-6
        scaled = adjustments / s
        self.z = np.where(self.redundant, np.abs(scaled) / np.where(self.redundant, spread, 1.0), 0.0)
        self.sd_after = s * np.sqrt(np.clip(1.0 - spread**2, 0.0, None))
        self.statistic = float(scaled @ scaled)
        self.critical = float(chi2.ppf(1 - alpha, self.degrees)) if self.degrees else 0.0
        safe = np.where(self.redundant, spread, 1.0)
        self.correlation = influence / np.outer(safe, safe)
        self.critical_z = critical_of(self.correlation[np.ix_(self.redundant, self.redundant)], alpha)
        self._adjustments, self._spread = adjustments, spread

    def suspect(self) -> int | None:
        """Position of the measurement that is most suspect beyond the critical value."""
        if not self.redundant.any():
            return None
        worst = int(self.z.argmax())
        return worst if self.z[worst] > self.critical_z else None

    def alike(self, suspect: int) -> list[int]:
        """Measurements whose error leaves the same trace."""
        same = abs(self.correlation[suspect]) > 1 - 1e-9
        return [k for k, yes in enumerate(same) if yes and self.redundant[k]]

    def size(self, suspect: int) -> float:
        """Estimated size of the error."""
        return float(self._adjustments[suspect] / self._spread[suspect] ** 2)


def critical_of(correlation: Any, alpha: float) -> float:
    """Value that the greatest of correlated standard normals exceeds, in size, with probability alpha.

    Found by a fixed set of draws, since correlated tests make the bound of independent ones too wide.
    """
    import numpy as np

    if not correlation.size:
        return float("inf")
    return _critical(np.round(correlation, 10).tobytes(), correlation.shape[0], alpha)


@functools.lru_cache(maxsize=256)
def _critical(correlation: bytes, n: int, alpha: float) -> float:
    import numpy as np

    matrix = np.frombuffer(correlation).reshape(n, n)
    values, vectors = np.linalg.eigh(matrix)
    keep = values > 1e-9
    root = vectors[:, keep] * np.sqrt(values[keep])
    draws = np.random.default_rng(0).standard_normal((DRAWS, root.shape[1]))
    return float(np.quantile(np.abs(draws @ root.T).max(axis=1), 1 - alpha))
