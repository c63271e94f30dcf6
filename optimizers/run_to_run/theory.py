"""What theory says of an EWMA controller, to choose its weight: mean squared errors in units of the noise variance.

Del Castillo, Statistical Process Adjustment for Quality Control, Wiley 2002. `ratio` is true gain over model gain.
"""

from __future__ import annotations

from twin import errors


def _stable(weight: float, ratio: float) -> float:
    product = weight * ratio
    if not 0 < product < 2:
        raise errors.SpecError(f"weight x ratio is {product:g}. Expected above 0 and below 2, else the loop is unstable.")
    return product


def ewma_mse(weight: float, *, ratio: float = 1.0, drift: float = 0.0, theta: float | None = None) -> float:
    """Mean squared deviation from target over the variance of the noise, in the long run.

    Parameters
    ----------
    weight
        Weight of the controller.
    ratio
        True gain over the gain of the model.
    drift
        Drift a run, in standard deviations of the noise.
    theta
        None: independent noise. A number: the disturbance is an IMA(1, 1) with this moving-average parameter.

    Examples
    --------
    >>> round(ewma_mse(0.3), 3), round(ewma_mse(0.1, drift=0.1), 2), ewma_mse(0.3, theta=0.7)
    (1.176, 2.05, 1.0)
    """
    product = _stable(weight, ratio)
    bias = (drift / product) ** 2
    if theta is None:
        return 2.0 / (2.0 - product) + bias
    gap = 1.0 - theta - product  # errors: e_t = (1 - product) e_{t-1} + a_t - theta a_{t-1}
    return 1.0 + gap * gap / (product * (2.0 - product)) + bias


def ewma_drift_offset(weight: float, drift: float, *, ratio: float = 1.0) -> float:
    """Lasting offset from target under a linear drift, in the unit of `drift`.

    Parameters
    ----------
    weight, ratio
        Those of `ewma_mse`.
    drift
        Drift a run.

    Examples
    --------
    >>> ewma_drift_offset(0.5, 0.1)
    0.2
    """
    return drift / _stable(weight, ratio)


def best_weight(*, drift: float = 0.0, theta: float | None = None, ratio: float = 1.0) -> float:
    """The weight with the smallest mean squared error, between 0.005 and the stability limit.

    Parameters
    ----------
    drift, theta, ratio
        Those of `ewma_mse`.

    Examples
    --------
    >>> round(best_weight(theta=0.7), 2)
    0.3
    """
    weights = [0.005 * k for k in range(1, 400) if 0.005 * k <= 1.0 and 0.005 * k * ratio < 2.0]
    return min(weights, key=lambda w: ewma_mse(w, ratio=ratio, drift=drift, theta=theta))
