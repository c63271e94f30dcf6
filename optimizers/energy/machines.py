"""Power of compressors, pumps and photovoltaics from textbook relations, as coefficients for plans."""

from __future__ import annotations

import math

from twin import errors


def compression_energy(inlet: float, outlet: float, *, exponent: float = 1.4, efficiency: float = 1.0, stages: int = 1) -> float:
    """Work to compress one cubic meter of gas at inlet conditions, in Wh.

    Parameters
    ----------
    inlet, outlet
        Absolute pressures in bar.
    exponent
        Of the polytropic change; 1 is isothermal, 1.4 adiabatic for air.
    efficiency
        Of the machine.
    stages
        Equal stages with cooling back to the inlet temperature between them.

    Returns
    -------
    float
        Energy in Wh for a cubic meter at the inlet.

    Raises
    ------
    twin.errors.SpecError
        A pressure or the efficiency is not positive, or the outlet is below the inlet.

    Notes
    -----
    Ideal gas [textbook]. Air from 1 to 8 bar: 78.9 Wh/m3 adiabatic in one stage, 57.8 isothermal.

    Examples
    --------
    >>> round(compression_energy(1, 8), 1), round(compression_energy(1, 8, exponent=1.0), 1)
    (78.9, 57.8)
    """
    if not (0 < inlet <= outlet and 0 < efficiency <= 1 and stages >= 1):
        raise errors.SpecError(f"Compression from {inlet:g} to {outlet:g} bar with efficiency {efficiency:g} in {stages} stages. "
                               "Expected 0 < inlet <= outlet, an efficiency up to 1 and 1 stage or more.")
    joule = inlet * 1e5
    if abs(exponent - 1) < 1e-12:
        work = joule * math.log(outlet / inlet)
    else:
        power = (exponent - 1) / exponent
        work = stages * joule / power * ((outlet / inlet) ** (power / stages) - 1)
    return work / 3600 / efficiency


def pump_power(flow: float, head: float, *, efficiency: float = 1.0, density: float = 1000.0, speed: float = 1.0) -> float:
    """Electrical power of a pump or fan in kW.

    Parameters
    ----------
    flow
        Volume flow at full speed in m3/h.
    head
        Head at full speed in m.
    efficiency
        Of pump and drive.
    density
        In kg/m3.
    speed
        Share of full speed: flow goes with it, head with its square, power with its cube (affinity laws).

    Returns
    -------
    float
        Power in kW.

    Raises
    ------
    twin.errors.SpecError
        The efficiency is not between 0 and 1.

    Notes
    -----
    Affinity laws [textbook]; without static head and at constant efficiency.

    Examples
    --------
    >>> round(pump_power(360, 50, efficiency=0.75), 2), round(pump_power(360, 50, efficiency=0.75, speed=0.8), 2)
    (65.38, 33.47)
    """
    if not 0 < efficiency <= 1:
        raise errors.SpecError(f"The efficiency is {efficiency:g}. Expected more than 0 and at most 1.")
    return density * 9.80665 * flow / 3600 * head / efficiency / 1000 * speed**3


def photovoltaic_power(irradiance: float, air: float, *, peak: float, noct: float = 45.0, coefficient: float = -0.004) -> float:
    """Power of photovoltaics from irradiance on the panel and air temperature, in the unit of `peak`.

    Parameters
    ----------
    irradiance
        On the plane of the panel in W/m2.
    air
        Air temperature in degC.
    peak
        Power at 1000 W/m2 and 25 degC.
    noct
        Cell temperature at 800 W/m2 and 20 degC air, in degC.
    coefficient
        Change of power with cell temperature in 1/K.

    Returns
    -------
    float
        Power, not below 0.

    Notes
    -----
    Linear model with nominal cell temperature [textbook].

    Examples
    --------
    >>> round(photovoltaic_power(800, 20, peak=10.0), 2)
    7.36
    """
    cell = air + (noct - 20.0) / 800.0 * irradiance
    return max(0.0, peak * irradiance / 1000.0 * (1 + coefficient * (cell - 25.0)))
