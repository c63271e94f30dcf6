"""The oven that the synthetic profiles come from: `python oven_plant.py` writes the files beside it. Nothing here was measured.

It knows more than the models of the library: a board core behind the joint, air that is off its set point in three zones and
droops where the board enters, hot walls that lag behind the air, a fan that blows harder in the last zones, and a thermocouple
that lags and is read with noise. Geometry as in the contest case (11 zones of 30.5 cm, gaps of 5 cm, 25 cm before and behind).
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

ZONE, GAP, ENTRY, HOT, ZONES = 30.5, 5.0, 25.0, 9, 11
OFFSET = (0.0, -3.0, 3.0, 0.0, 2.0, -6.0, 5.0, 2.0, -3.0)  # degC: what a set point does not say
AMBIENT = 25.0
NOISE, LAG = 0.25, 1.2  # degC, s
MEASURED = {"profile_reference": ((175.0, 195.0, 235.0, 255.0), 70.0), "profile_check": ((182.0, 203.0, 237.0, 254.0), 76.0)}


def air(x: Any, zones: Any) -> Any:
    """Air along the belt: erf-like steps wider than those of the model, a droop behind the entry, a cooler in two parts."""
    z = np.array([zones[0]] * 5 + [zones[1], zones[2], zones[3], zones[3]]) + np.array(OFFSET)
    step = 0.5 * (1.0 + np.tanh((x - 26.5) / 13.5))
    value = AMBIENT + (z[0] - AMBIENT) * step
    for k in range(1, HOT):
        border = ENTRY + k * (ZONE + GAP) - 0.5 * GAP
        value = value + (z[k] - z[k - 1]) * 0.5 * (1.0 + np.tanh((x - border) / 5.0))
    value = value - 14.0 * np.exp(-(((x - 60.0) / 16.0) ** 2))
    beyond = np.maximum(x - (ENTRY + HOT * (ZONE + GAP) - GAP), 0.0)
    return value - (z[-1] - 75.0) * (0.7 * (1.0 - np.exp(-beyond / 45.0)) + 0.3 * (1.0 - np.exp(-beyond / 120.0)))


def rate(x: Any) -> Any:
    """Convection over the heat capacity of joint and core together, 1/s; the fan blows harder from zone 8 on."""
    fan = 0.5 * (1.0 + np.tanh((x - (ENTRY + 7 * (ZONE + GAP))) / 8.0))
    cool = 0.5 * (1.0 + np.tanh((x - (ENTRY + 9 * (ZONE + GAP))) / 8.0))
    return 0.0170 + 0.0045 * fan + 0.0135 * cool


def passage(zones: Any, speed: float, dt: float = 0.02) -> tuple[Any, Any]:
    """Times in s and temperatures in degC of the joint, as the thermocouple has them, without noise."""
    length = 2 * ENTRY + ZONES * ZONE + (ZONES - 1) * GAP
    count = int(length / (speed / 60.0) / dt)
    x = np.arange(count + 1) * dt * speed / 60.0
    gas, q = air(x, zones), rate(x)
    joint = core = read = wall = AMBIENT
    found = np.empty(count + 1)
    for k in range(count + 1):
        found[k] = read
        radiation = 6.5e-13 * ((wall + 273.15) ** 4 - (joint + 273.15) ** 4) * (2.0 * 5.67)
        joint += dt * (1.6 * q[k] * (gas[k] - joint) + radiation + 0.12 * (core - joint))
        core += dt * (0.85 * q[k] * (gas[k] - core) + 0.03 * (joint - core))
        wall += dt * (gas[k] - wall) / 12.0
        read += dt * (joint - read) / LAG
    return np.arange(count + 1) * dt, found


def main() -> None:
    """Write the two profiles, a sample each half second."""
    for seed, (name, (zones, speed)) in enumerate(MEASURED.items()):
        times, joint = passage(zones, speed)
        rows = range(0, len(times), 25)
        noise = NOISE * np.random.default_rng(seed).standard_normal(len(rows))
        with (Path(__file__).parent / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["time_s", "joint_degC"])
            writer.writerows([f"{times[k]:.1f}", f"{joint[k] + e:.2f}"] for k, e in zip(rows, noise, strict=True))


if __name__ == "__main__":
    main()
