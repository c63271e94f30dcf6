"""Process capability with its confidence interval."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from twin import errors


@dataclasses.dataclass(frozen=True)
class Capability:
    """Capability of a process against its tolerance.

    Attributes
    ----------
    cp, cpk
        Potential and actual capability.
    cpk_low, cpk_high
        Confidence interval of cpk.
    count
        Number of samples.
    ppm_outside
        Share outside the tolerance in parts per million if the samples are normal.
    """

    cp: float
    cpk: float
    cpk_low: float
    cpk_high: float
    count: int
    ppm_outside: float


def capability(values: Sequence[float], lower: float, upper: float, *, confidence: float = 0.9) -> Capability:
    """Capability indices of samples against a tolerance.

    Parameters
    ----------
    values
        Samples; NaN are left out.
    lower, upper
        Tolerance in the unit of the samples.
    confidence
        Of the two-sided interval of cpk (Bissell, Applied Statistics 39 (1990) 331-340, doi:10.2307/2347383).

    Raises
    ------
    twin.errors.SpecError
        Fewer than two samples, no spread, or a tolerance of no width.

    Examples
    --------
    >>> found = capability([9.9, 10.0, 10.1, 10.0, 9.95, 10.05], 9.5, 10.5)
    >>> found.cpk > 2
    True
    """
    from statistics import NormalDist

    kept = [float(v) for v in values if not math.isnan(v)]
    if not lower < upper:
        raise errors.SpecError(f"The tolerance is {lower:g} to {upper:g}. Expected lower < upper.")
    n = len(kept)
    mean = sum(kept) / max(n, 1)
    spread = math.sqrt(sum((v - mean) ** 2 for v in kept) / (n - 1)) if n > 1 else 0.0
    if not spread > 0:
        raise errors.SpecError(f"Capability needs samples that vary. Got {n} samples with a standard deviation of {spread:g}.")
    normal = NormalDist()
    cpk = min(upper - mean, mean - lower) / (3.0 * spread)
    half = normal.inv_cdf(0.5 + 0.5 * confidence) * math.sqrt(1.0 / (9.0 * n) + cpk * cpk / (2.0 * (n - 1)))
    outside = normal.cdf((lower - mean) / spread) + normal.cdf((mean - upper) / spread)
    return Capability((upper - lower) / (6.0 * spread), cpk, cpk - half, cpk + half, n, 1e6 * outside)
