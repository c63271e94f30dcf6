"""Equilibrium constants of gas reactions; ideal gas, temperatures in K, pressures in bar or atm as stated."""

from __future__ import annotations

from typing import Any

from twin.lazy import array_module


def water_gas_shift(temperature: Any) -> Any:
    """Equilibrium constant of CO + H2O = CO2 + H2: `exp(4577.8 / T - 4.33)`, without unit.

    Valid for 450 to 1200 K.
    Source: Moe, Chem. Eng. Prog. 58 (1962) 33-36 [textbook constants].

    Parameters
    ----------
    temperature
        In K.

    Examples
    --------
    >>> round(float(water_gas_shift(523.15)), 3)
    83.134
    """
    return array_module(temperature).exp(4577.8 / temperature - 4.33)


def methanol(temperature: Any) -> Any:
    """Equilibrium constant of CO + 2 H2 = CH3OH in 1/bar**2: `10**(3066 / T - 10.592)`.

    Valid for 450 to 600 K.
    Source: Graaf, Sijtsema, Stamhuis, Joosten, Chem. Eng. Sci. 41 (1986) 2883-2890, doi:10.1016/0009-2509(86)80019-7
    [textbook constants].

    Parameters
    ----------
    temperature
        In K.

    Examples
    --------
    >>> round(float(methanol(523.15)), 9)
    1.8563e-05
    """
    return 10 ** (3066.0 / temperature - 10.592)


def reverse_water_gas_shift(temperature: Any) -> Any:
    """Equilibrium constant of CO2 + H2 = CO + H2O: `10**(-2073 / T + 2.029)`, without unit.

    Valid for 450 to 600 K. Source as of `methanol`.

    Parameters
    ----------
    temperature
        In K.

    Examples
    --------
    >>> round(float(reverse_water_gas_shift(523.15)), 6)
    0.011654
    """
    return 10 ** (-2073.0 / temperature + 2.029)


def ammonia(temperature: Any) -> Any:
    """Equilibrium constant of 1/2 N2 + 3/2 H2 = NH3 in 1/atm.

    Valid for 600 to 800 K, ideal gas: at 200 atm the true one is larger.
    Source: Gillespie, Beattie, Phys. Rev. 36 (1930) 743-753, doi:10.1103/PhysRev.36.743 [textbook constants].

    Parameters
    ----------
    temperature
        In K.

    Examples
    --------
    >>> round(float(ammonia(673.15)), 6)
    0.012566
    """
    t = temperature
    return 10 ** (-2.691122 * array_module(t).log10(t) - 5.519265e-5 * t + 1.848863e-7 * t * t + 2001.6 / t + 2.6899)


def ammonia_share(temperature: Any, pressure: Any) -> Any:
    """Ammonia at equilibrium, in mol/mol, from nitrogen and hydrogen 1:3 without inerts.

    Ideal gas; validity and source as of `ammonia`.

    Parameters
    ----------
    temperature
        In K.
    pressure
        In atm.

    Examples
    --------
    >>> round(float(ammonia_share(673.15, 200.0)), 4)
    0.3475
    """
    # y = factor (1 - y)**2 with N2 = (1 - y)/4 and H2 = 3 (1 - y)/4
    factor = ammonia(temperature) * pressure * 0.25**0.5 * 0.75**1.5
    return 2 * factor / (2 * factor + 1 + array_module(factor).sqrt(4 * factor + 1))
