"""Average run lengths of control charts: how many samples until an alarm, in and out of control.

The statistic is a Markov chain on an interval; the mean time until it leaves solves a Fredholm equation of the second kind,
here by Gauss-Legendre quadrature (Crowder, J. Quality Technology 19 (1987) 161-164, doi:10.1080/00224065.1987.11979055;
Lucas and Crosier, Technometrics 24 (1982) 199-205, doi:10.1080/00401706.1982.10487759). Samples are independent and normal.
"""

from __future__ import annotations

import math
from typing import Any

from twin import errors

NODES = 48  # 96 nodes give the same run lengths to seven digits for weights from 0.05


def _density(x: Any) -> Any:
    import numpy as np

    return np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def _below(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise errors.SpecError(f"{name} is {value:g}. Expected a number above 0.", name=name)


def arl_shewhart(limit: float = 3.0, shift: float = 0.0) -> float:
    """Average run length of a Shewhart chart with limits at +- `limit` standard deviations.

    Parameters
    ----------
    limit
        Distance of the limits from the center, in standard deviations of one sample; above 0.
    shift
        Shift of the mean, in standard deviations.

    Examples
    --------
    >>> round(arl_shewhart(), 1), round(arl_shewhart(shift=1.0), 1)
    (370.4, 43.9)
    """
    _positive(limit=limit)
    return 1.0 / (_below(-limit - shift) + _below(-limit + shift))


def arl_ewma(weight: float, limit: float, shift: float = 0.0) -> float:
    """Average run length, started at the center, of a two-sided EWMA chart with limits of constant width.

    Parameters
    ----------
    weight
        Weight of the newest sample, above 0, at most 1 (1 is a Shewhart chart).
    limit
        Distance of the limits from the center, in standard deviations of the EWMA in the long run; above 0.
    shift
        Shift of the mean, in standard deviations of one sample.

    Examples
    --------
    >>> round(arl_ewma(0.1, 2.814)), round(arl_ewma(0.1, 2.814, shift=1.0), 1)
    (500, 10.3)
    """
    import numpy as np

    _positive(weight=weight, limit=limit)
    if weight > 1:
        raise errors.SpecError(f"weight is {weight:g}. Expected at most 1.", name="weight")
    if weight == 1:
        return arl_shewhart(limit, shift)
    edge = limit * math.sqrt(weight / (2.0 - weight))
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    y, w = edge * nodes, edge * weights

    def kernel(z: Any) -> Any:
        return w / weight * _density((y - (1.0 - weight) * z) / weight - shift)

    system = np.eye(NODES) - kernel(y[:, None])
    return float(1.0 + kernel(np.zeros(1)) @ np.linalg.solve(system, np.ones(NODES)))


def arl_cusum(reference: float, decision: float, shift: float = 0.0) -> float:
    """Average run length, started at zero, of a two-sided CUSUM chart.

    Parameters
    ----------
    reference
        Allowance k, in standard deviations of one sample: half the shift that is to be found soon; above 0.
    decision
        Decision interval h, in standard deviations; above 0.
    shift
        Shift of the mean, in standard deviations.

    Examples
    --------
    >>> round(arl_cusum(0.5, 5.0)), round(arl_cusum(0.5, 5.0, shift=1.0), 1)
    (465, 10.4)
    """
    _positive(reference=reference, decision=decision)
    return 1.0 / (1.0 / _one_sided(reference, decision, shift) + 1.0 / _one_sided(reference, decision, -shift))


def _one_sided(k: float, h: float, shift: float) -> float:
    import numpy as np

    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    y, w = 0.5 * h * (nodes + 1.0), 0.5 * h * weights
    # Unknowns: run lengths from 0, where the sum rests, and from the nodes.
    start = np.concatenate([[0.0], y])
    step = np.empty((NODES + 1, NODES + 1))
    step[:, 0] = [_below(k - u - shift) for u in start]
    step[:, 1:] = w * _density(y[None, :] + k - start[:, None] - shift)
    return float(np.linalg.solve(np.eye(NODES + 1) - step, np.ones(NODES + 1))[0])


def limit_for(arl: Any, wanted: float, low: float, high: float) -> float:
    """The limit at which `arl(limit)` is `wanted`, by bisection on its logarithm."""
    _positive(arl0=wanted)
    if not arl(low) < wanted < arl(high):
        raise errors.SpecError(f"A run length of {wanted:g} in control is out of reach. Expected {arl(low):.3g} to "
                               f"{arl(high):.3g}.")
    for _ in range(30):  # to 1e-8 of the range
        middle = 0.5 * (low + high)
        low, high = (middle, high) if arl(middle) < wanted else (low, middle)
    return 0.5 * (low + high)
