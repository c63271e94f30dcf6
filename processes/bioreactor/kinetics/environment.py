"""Temperature, pH and switches: factors on the rates of cells."""

from __future__ import annotations

from typing import Any

from twin import smooth
from twin.lazy import array_module

EDGE = 1e-6  # K or pH: width of the corners at the ends of a cardinal range
GAS_CONSTANT = 8.314462618  # J/(mol K)


def cardinal_temperature(temperature: Any, coldest: Any, best: Any, hottest: Any) -> Any:
    """Share of the optimal growth rate at a temperature: 0 at and beyond `coldest` and `hottest`, 1 at `best`.

    Valid where `best` lies above the middle of the two ends, as it does for all microbes.
    Source: Rosso, Lobry, Flandrois, J. Theor. Biol. 162 (1993) 447-463, doi:10.1006/jtbi.1993.1099.

    Parameters
    ----------
    temperature
        In degC (or K, then all four).
    coldest, best, hottest
        Cardinal temperatures in the same unit, for example 4.9, 41.3, 47.5 degC for E. coli.

    Examples
    --------
    >>> round(float(2.3 * cardinal_temperature(37.0, 4.9, 41.3, 47.5)), 6)
    2.078683
    """
    t = smooth.limit(temperature, coldest, hottest, EDGE)
    span = best - coldest
    below = (t - hottest) * (t - coldest) ** 2
    return below / (span * (span * (t - best) - (best - hottest) * (best + coldest - 2 * t)))


def cardinal_ph(ph: Any, lowest: Any, best: Any, highest: Any) -> Any:
    """Share of the optimal growth rate at a pH: 0 at and beyond `lowest` and `highest`, 1 at `best`.

    Valid for lowest < best < highest.
    Source: Rosso, Lobry, Bajard, Flandrois, Appl. Environ. Microbiol. 61 (1995) 610-616, doi:10.1128/aem.61.2.610-616.1995.

    Parameters
    ----------
    ph, lowest, best, highest
        pH, and the cardinal values, for example 4.0, 7.0, 9.0 for E. coli.

    Examples
    --------
    >>> float(cardinal_ph(7.0, 4.0, 7.0, 9.0))
    1.0
    """
    p = smooth.limit(ph, lowest, highest, EDGE)
    product = (p - lowest) * (p - highest)
    return product / (product - (p - best) ** 2)


def arrhenius(temperature: Any, energy: Any, reference: Any) -> Any:
    """Factor of a rate at a temperature over that at the reference: `exp(-E/R (1/T - 1/T_ref))`.

    Valid where one step limits the rate; cells die above their optimum, see `cardinal_temperature`.

    Parameters
    ----------
    temperature, reference
        In K.
    energy
        Activation energy in J/mol.

    Examples
    --------
    >>> float(arrhenius(300.0, 5e4, 300.0))
    1.0
    """
    return array_module(temperature, energy).exp(-energy / GAS_CONSTANT * (1.0 / temperature - 1.0 / reference))


def smooth_switch(value: Any, threshold: Any, width: float) -> Any:
    """Share from 0 (well below the threshold) to 1 (well above): a shift of metabolism without a jump.

    Parameters
    ----------
    value, threshold
        In one unit.
    width
        In the same unit; at two widths from the threshold 98 % of the step are done.

    Examples
    --------
    >>> float(smooth_switch(1.0, 1.0, 0.1))
    0.5
    """
    return smooth.step(value - threshold, width)
