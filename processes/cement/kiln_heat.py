"""Heat transfer in a rotary kiln: gas, bed and wall, and through the lining to the hall.

Convection after Tscheng and Watkinson, Can. J. Chem. Eng. 57 (1979) 433-443, doi:10.1002/cjce.5450570405; covered wall after
the same; radiation of a gray gas and a network between wall and bed (Mujumdar and Ranade, Chem. Eng. Res. Des. 84 (2006)
165-177, doi:10.1205/cherd.04193). Everything for one meter of kiln.
"""

from __future__ import annotations

import math
from typing import Any

from twin import jnp

SIGMA = 5.670374419e-8  # W/(m2 K4)
T_0 = 298.15  # K
C_GAS, C_GAS_SLOPE = 1173.0, 0.106  # J/(kg K), J/(kg K2): flue gas [textbook]
PRANDTL = 0.7
M_GAS = 0.030  # kg/mol
PRESSURE = 101325.0


def gas_enthalpy(t: Any) -> Any:
    """Sensible heat of gas in J/kg at a temperature in K, from 298 K."""
    return C_GAS * (t - T_0) + 0.5 * C_GAS_SLOPE * (t * t - T_0 * T_0)


def gas_capacity(t: Any) -> Any:
    """Heat capacity of gas in J/(kg K)."""
    return C_GAS + C_GAS_SLOPE * t


def gas_temperature(h: Any) -> Any:
    """Temperature in K of gas with a sensible heat in J/kg."""
    c = C_GAS * T_0 + 0.5 * C_GAS_SLOPE * T_0 * T_0 + h
    return (jnp.sqrt(C_GAS * C_GAS + 2.0 * C_GAS_SLOPE * c) - C_GAS) / C_GAS_SLOPE


def filling_angle(area: Any, radius: Any) -> Any:
    """Angle in rad that the bed covers, from its cross section: angle - sin(angle) = 2 area / radius^2."""
    x = 2.0 * area / (radius * radius)
    angle = (6.0 * x) ** (1.0 / 3.0)
    angle = angle + angle**3 / 60.0
    for _ in range(3):  # Newton from a start that is right to a percent
        angle = angle - (angle - jnp.sin(angle) - x) / (1.0 - jnp.cos(angle))
    return angle


def viscosity(t: Any) -> Any:
    """Viscosity of flue gas in Pa s."""
    return 1.672e-6 * jnp.sqrt(t) - 1.058e-5


def coefficients(gas_flow: Any, t_gas: Any, angle: Any, radius: Any, spin: Any) -> tuple[Any, Any]:
    """Convection between gas and bed, and gas and wall, in W/(m2 K); `spin` in rad/s, `gas_flow` in kg/s."""
    free = math.pi * radius**2 - 0.5 * radius**2 * (angle - jnp.sin(angle))
    diameter = radius * (2.0 * math.pi - angle + jnp.sin(angle)) / (math.pi - 0.5 * angle + jnp.sin(0.5 * angle))
    mu = viscosity(t_gas)
    density = PRESSURE * M_GAS / (8.314462618 * t_gas)
    conductivity = mu * gas_capacity(t_gas) / PRANDTL
    reynolds = gas_flow * diameter / (free * mu)
    turning = diameter**2 * spin * density / mu
    fill = (angle - jnp.sin(angle)) / (2.0 * math.pi)
    bed = 0.46 * conductivity / diameter * reynolds**0.535 * turning**0.104 * fill**-0.341
    wall = 1.54 * conductivity / diameter * reynolds**0.575 * turning**-0.292
    return bed, wall


def gas_radiation(t_gas: Any, t_other: Any, gas_emissivity: Any, emissivity: Any) -> Any:
    """Radiation from gas to a gray surface in W/m2."""
    return SIGMA * 0.5 * (1.0 + emissivity) * gas_emissivity * (t_gas**4 - t_other**4)


def wall_to_bed(t_wall: Any, t_bed: Any, angle: Any, radius: Any, spin: Any, gas_emissivity: Any, wall: Any, bed: Any,
                bed_conductivity: Any, bed_capacity: Any) -> Any:
    """Heat from wall to bed in W/m: radiation across the gas, and conduction under the bed; `bed_capacity` in J/(m3 K)."""
    chord, open_wall, covered = 2.0 * radius * jnp.sin(0.5 * angle), radius * (2.0 * math.pi - angle), radius * angle
    resistance = (1.0 - wall) / (wall * open_wall) + 1.0 / chord + (1.0 - bed) / (bed * chord)
    radiation = (1.0 - gas_emissivity) * SIGMA * (t_wall**4 - t_bed**4) / resistance
    diffusivity = bed_conductivity / bed_capacity
    contact = 11.6 * bed_conductivity / covered * (spin * radius**2 * angle / diffusivity) ** 0.3
    return radiation + contact * covered * (t_wall - t_bed)


def shell(t_wall: Any, radius: Any, lining: Any, conductivity: Any, emissivity: Any, convection: Any,
          ambient: Any) -> tuple[Any, Any]:
    """Loss through the lining in W/m, and the temperature of the shell in K."""
    outer = radius + lining
    inside = 2.0 * math.pi * conductivity / jnp.log(outer / radius)
    t = ambient + 0.2 * (t_wall - ambient)
    for _ in range(4):  # Newton: the loss of the shell is convex in its temperature
        out = 2.0 * math.pi * outer * (convection * (t - ambient) + emissivity * SIGMA * (t**4 - ambient**4))
        slope = 2.0 * math.pi * outer * (convection + 4.0 * emissivity * SIGMA * t**3)
        t = t - (out - inside * (t_wall - t)) / (slope + inside)
    return inside * (t_wall - t), t
