"""Solidification of steel: liquidus, the analytic one-phase Stefan problem."""

from __future__ import annotations

import math
from collections.abc import Mapping

from twin import errors

# Kelvin for one weight percent; one of several published sets [textbook]
LOWERS_LIQUIDUS = {"C": 88.0, "Si": 8.0, "Mn": 5.0, "P": 30.0, "S": 25.0, "Ni": 4.0, "Cr": 1.5}
PURE_IRON = 1537.0


def liquidus(composition: Mapping[str, float]) -> float:
    """Liquidus temperature of a low-alloy steel in degC.

    Parameters
    ----------
    composition
        Weight percent by element: C, Si, Mn, P, S, Ni, Cr. [textbook] Valid for carbon below 0.5 %, other elements below 3 %.

    Raises
    ------
    twin.errors.SpecError
        An element is not in the formula, or an amount is negative or above 5 %.

    Examples
    --------
    >>> round(liquidus({"C": 0.12, "Mn": 1.0, "Si": 0.2}), 2)
    1519.84
    """
    for element, percent in composition.items():
        if element not in LOWERS_LIQUIDUS:
            raise errors.unknown("element", element, "the liquidus formula", LOWERS_LIQUIDUS)
        if not 0 <= percent <= 5:
            raise errors.out_of_range(element, percent, "%", 0, 5, "Give weight percent.")
    return PURE_IRON - sum(LOWERS_LIQUIDUS[e] * v for e, v in composition.items())


def stefan_constant(stefan: float) -> float:
    """Growth constant of a melt at its melting point with a constant wall temperature: sqrt(pi) a exp(a^2) erf(a) = stefan.

    Parameters
    ----------
    stefan
        Stefan number: heat capacity of the solid times (melting point - wall) over latent heat; above 0, below 100.

    Returns
    -------
    float
        a: the shell is 2 a sqrt(diffusivity time) thick.

    Examples
    --------
    >>> round(stefan_constant(1.0), 7)
    0.6200626
    """
    if not 0 < stefan < 100:
        raise errors.out_of_range("stefan", stefan, "-", 0, 100, "It is c (T_melt - T_wall) / latent heat.")
    low, high = 0.0, 3.0
    for _ in range(200):
        a = 0.5 * (low + high)
        low, high = (a, high) if math.sqrt(math.pi) * a * math.exp(a * a) * math.erf(a) < stefan else (low, a)
    return 0.5 * (low + high)
