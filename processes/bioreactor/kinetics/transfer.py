"""Oxygen transfer and heat of a stirred, aerated vessel."""

from __future__ import annotations

from typing import Any

from twin import errors

# kLa = factor (P/V)**a vs**b in 1/s, W/m3, m/s
_VAN_T_RIET = {"coalescing": (0.026, 0.4, 0.5), "non-coalescing": (0.002, 0.7, 0.2)}
SECONDS = 3600.0
OXYCALORIC = 460.0  # kJ/mol O2


def van_t_riet(power: Any, gas_velocity: Any, liquid: str = "coalescing") -> Any:
    """Oxygen transfer coefficient kLa of a stirred vessel in 1/h, within 20 to 40 % for water.

    `0.026 (P/V)^0.4 vs^0.5` (coalescing: pure water), `0.002 (P/V)^0.7 vs^0.2` (non-coalescing: salts) in 1/s.
    Valid for 500 to 10 000 W/m3, 2 to 2600 l (4400 l with salts), low viscosity.
    Source: van't Riet, Ind. Eng. Chem. Process Des. Dev. 18 (1979) 357-364, doi:10.1021/i260071a001 [textbook constants].

    Parameters
    ----------
    power
        Stirrer power over liquid volume in W/m3.
    gas_velocity
        Superficial gas velocity in m/s.
    liquid
        "coalescing" or "non-coalescing".

    Raises
    ------
    SpecError
        For another liquid.

    Examples
    --------
    >>> round(van_t_riet(1000.0, 0.02), 1), round(van_t_riet(1000.0, 0.02, "non-coalescing"), 1)
    (209.8, 414.5)
    """
    if liquid not in _VAN_T_RIET:
        raise errors.unknown("liquid", liquid, "van_t_riet", _VAN_T_RIET)
    factor, a, b = _VAN_T_RIET[liquid]
    return SECONDS * factor * power**a * gas_velocity**b


def oxygen_transfer_rate(kla: Any, saturation: Any, dissolved: Any) -> Any:
    """Oxygen transfer rate `kLa (C* - C)`, in the unit of the concentrations over that of time.

    Parameters
    ----------
    kla
        Transfer coefficient (1/h).
    saturation, dissolved
        Oxygen in the liquid at equilibrium with the gas (about 0.21 mmol/l in water under air at 37 degC), and now.

    Examples
    --------
    >>> round(oxygen_transfer_rate(595.24, 0.21, 0.2 * 0.21), 3)
    100.0
    """
    return kla * (saturation - dissolved)


def needed_kla(uptake: Any, saturation: Any, dissolved: Any) -> Any:
    """Transfer coefficient that keeps the dissolved oxygen at a value: `OUR / (C* - C)`.

    Valid for dissolved < saturation.

    Parameters
    ----------
    uptake
        Oxygen uptake rate OUR (mmol/(l h)).
    saturation, dissolved
        Oxygen in the liquid at equilibrium, and at the value to keep (mmol/l).

    Examples
    --------
    >>> round(needed_kla(100.0, 0.21, 0.2 * 0.21))
    595
    """
    return uptake / (saturation - dissolved)


def metabolic_heat(oxygen_uptake: Any) -> Any:
    """Heat that aerobic cells release, in kW/m3: 460 kJ a mol of oxygen.

    Valid for respiration, whatever the substrate, within about 10 %; fermentation adds little.
    Source: Cooney, Wang, Mateles, Biotechnol. Bioeng. 11 (1969) 269-281, doi:10.1002/bit.260110302 [textbook constant].

    Parameters
    ----------
    oxygen_uptake
        Oxygen uptake rate in mmol/(l h).

    Examples
    --------
    >>> round(metabolic_heat(150.0), 1)
    19.2
    """
    return OXYCALORIC * oxygen_uptake / SECONDS
