"""Principal components of normal operation, T2 and SPE with limits that hold for small samples, contributions by tag."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.figures import new_figure


@dataclasses.dataclass(frozen=True, eq=False)
class PcaReport:
    """What a monitor says of new rows.

    Attributes
    ----------
    t2, spe
        Distance within the plane of normal operation, and distance from it, one value a row; NaN where a tag is missing.
    t2_limit, spe_limit
        Limits at the false-alarm rate of the monitor.
    t2_contributions, spe_contributions
        {tag: share of the statistic}, one value a row.
    """

    t2: Any
    spe: Any
    t2_limit: float
    spe_limit: float
    t2_contributions: Mapping[str, Any]
    spe_contributions: Mapping[str, Any]

    @property
    def alarms(self) -> Any:
        """True for each row beyond one of the limits."""
        return (self.t2 > self.t2_limit) | (self.spe > self.spe_limit)

    def explain(self, row: int, most: int = 3) -> str:
        """Which tags make row `row` unusual, at most `most` of them."""
        beyond = [(n, v[row], limit, c) for n, v, limit, c in (("T2", self.t2, self.t2_limit, self.t2_contributions),
                                                               ("SPE", self.spe, self.spe_limit, self.spe_contributions))
                  if v[row] > limit]
        if not beyond:
            return f"Row {row} is within the limits: T2 {self.t2[row]:.4g} of {self.t2_limit:.4g}, SPE {self.spe[row]:.4g} " \
                   f"of {self.spe_limit:.4g}."
        said = []
        for name, value, limit, shares in beyond:
            top = sorted(shares, key=lambda tag: -shares[tag][row])[:most]
            parts = ", ".join(f"{tag} {100 * shares[tag][row] / value:.0f} %" for tag in top)
            said.append(f"Row {row}: {name} is {value:.4g}, limit {limit:.4g}; it comes from {parts}.")
        return " ".join(said)

    def plot(self) -> Any:
        """Figure of both statistics over the rows with their limits."""
        figure = new_figure(9, 5)
        for k, (name, value, limit) in enumerate((("T2", self.t2, self.t2_limit), ("SPE", self.spe, self.spe_limit))):
            axes = figure.add_subplot(2, 1, k + 1)
            axes.axhspan(0, limit, color="tab:green", alpha=0.12)
            axes.plot(value, color="tab:blue", lw=1)
            axes.set_yscale("log")
            axes.set_ylabel(name)
        axes.set_xlabel("row")
        return figure


@dataclasses.dataclass(frozen=True, eq=False)
class PcaMonitor:
    """A plane of normal operation with limits for T2 and SPE of new rows.

    T2 of a new row follows k (n^2 - 1) / (n (n - k)) F(k, n - k): the chi-square limit, which is for n rows without end, gives
    several times the nominal false alarms at n = 50. The limit of SPE is that of Box, g chi2(h) matched to the mean and
    variance (Nomikos and MacGregor, Technometrics 37 (1995) 41-59, doi:10.1080/00401706.1995.10485888), with two changes for
    small samples: the residuals are those of rows that were left out, and F takes the place of chi2.

    Attributes
    ----------
    tags, center, scale
        Names, means and standard deviations of the training rows.
    directions, variances
        Principal directions (components, tags) and the variance of the scores along them.
    t2_limit, spe_limit, alarm_rate
        Limits and the false-alarm rate that they are for, each.
    rows
        Number of training rows.
    """

    tags: tuple[str, ...]
    center: Any
    scale: Any
    directions: Any
    variances: Any
    t2_limit: float
    spe_limit: float
    alarm_rate: float
    rows: int

    @classmethod
    def fit(cls, table: Any, *, components: int | float = 0.9, alarm_rate: float = 0.01) -> PcaMonitor:
        """A monitor from rows of normal operation.

        Parameters
        ----------
        table
            DataFrame or {tag: values}; rows with a missing value are left out.
        components
            Number of principal components, or the share of the variance (below 1) that they must carry.
        alarm_rate
            False-alarm rate of each of the two limits.

        Raises
        ------
        twin.errors.DataError
            Too few rows for the tags, or a tag that does not vary.
        """
        import numpy as np
        from scipy import stats

        tags, x = _matrix(table)
        x = x[np.isfinite(x).all(axis=1)]
        n, m = x.shape
        if n < m + 2:
            raise errors.DataError(f"There are {n} complete rows for {m} tags. Expected at least {m + 2}; better 5 a tag.")
        center, scale = x.mean(axis=0), x.std(axis=0, ddof=1)
        for tag, value in zip(tags, scale, strict=True):
            if not value > 0:
                raise errors.DataError(f"The tag {tag} does not vary. Leave it out, or give rows in which it moves.", name=tag)
        z = (x - center) / scale
        _, singular, directions = np.linalg.svd(z, full_matrices=False)
        variances = singular**2 / (n - 1)
        share = np.cumsum(variances) / variances.sum()
        k = int(np.searchsorted(share, components) + 1) if components < 1 else int(components)
        if not 1 <= k <= m:
            raise errors.SpecError(f"components is {components}. Expected 1 to {m}, or a share below 1.")
        t2 = k * (n * n - 1) / (n * (n - k)) * stats.f.ppf(1 - alarm_rate, k, n - k)
        spe = 0.0 if k == m else _spe_limit(_left_out_residuals(z, k), alarm_rate)
        return cls(tags, center, scale, directions[:k], variances[:k], float(t2), float(spe), alarm_rate, n)

    def check(self, table: Any) -> PcaReport:
        """T2, SPE and contributions of new rows.

        Parameters
        ----------
        table
            DataFrame or {tag: values} with the tags of the training rows.
        """
        import numpy as np

        tags, x = _matrix(table, self.tags)
        z = (x - self.center) / self.scale
        scores = z @ self.directions.T
        residual = z - scores @ self.directions
        weighted = (scores / self.variances) @ self.directions
        spe = (residual**2).sum(axis=1) if len(self.variances) < len(tags) else np.zeros(len(z))
        return PcaReport((scores**2 / self.variances).sum(axis=1), spe, self.t2_limit, self.spe_limit,
                         dict(zip(tags, (z * weighted).T, strict=True)), dict(zip(tags, (residual**2).T, strict=True)))


def _matrix(table: Any, tags: Sequence[str] | None = None) -> tuple[tuple[str, ...], Any]:
    import numpy as np

    names = tuple(str(c) for c in table)
    for tag in tags or ():
        if tag not in names:
            raise errors.unknown("tag", tag, "the table", names)
    kept = tuple(tags) if tags is not None else names
    return kept, np.column_stack([np.asarray(table[t], dtype=float) for t in kept])


def _left_out_residuals(z: Any, k: int) -> Any:
    """What each row has off the plane of the other rows, with their center and scale."""
    import numpy as np

    n = len(z)
    found = np.empty_like(z)
    total, square = z.sum(axis=0), z.T @ z
    for i, row in enumerate(z):
        mean = (total - row) / (n - 1)
        covariance = (square - np.outer(row, row) - (n - 1) * np.outer(mean, mean)) / (n - 2)
        size = np.sqrt(np.diag(covariance))
        directions = np.linalg.eigh(covariance / np.outer(size, size))[1][:, -k:]
        new = (row - mean) / size
        found[i] = new - directions @ (directions.T @ new)
    return found


def _spe_limit(residuals: Any, alarm_rate: float) -> float:
    """Limit of the squared length of a new residual."""
    from scipy import stats

    n = len(residuals)
    covariance = residuals.T @ residuals / n
    first = covariance.trace()
    # The trace of the squared sample covariance is too large by what sampling adds (normal rows).
    second = n * n / ((n - 1.0) * (n + 2.0)) * ((covariance**2).sum() - first**2 / n)
    degrees = first**2 / second
    return float(first * stats.f.ppf(1 - alarm_rate, degrees, degrees * n))
