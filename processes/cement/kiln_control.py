"""A kiln in few states for controllers, and a free-lime soft sensor on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import twin
from processes.cement.kiln import RotaryKiln

OUTPUTS = ("free_lime", "burning_zone", "oxygen", "nox", "inlet_gas", "hottest_shell", "heat_demand")
ENTRIES = ("fuel", "air", "rpm", "feed", "lime", "ease", "coal")
# What counts as a change: about one step that an operator makes, and what it leads to
SIZES = {"free_lime": 0.1, "burning_zone": 5.0, "oxygen": 0.2, "nox": 0.1, "inlet_gas": 5.0, "hottest_shell": 2.0,
         "heat_demand": 0.02, "fuel": 0.02, "air": 0.2, "rpm": 0.1, "feed": 0.7, "lime": 0.01, "ease": 0.1, "coal": 0.02}
# Standard deviations of readings: pyrometer, gas analyzers, thermocouple, laboratory [textbook]
READINGS = {"burning_zone": 5.0, "oxygen": 0.1, "nox": 0.05, "inlet_gas": 5.0, "free_lime": 0.1}
WALKS = {"ease": 0.015, "coal": 0.004, "burning_zone_bias": 0.5, "oxygen_bias": 0.02}
DOUBT = {"ease": 0.05, "coal": 0.01, "burning_zone_bias": 3.0, "oxygen_bias": 0.05}


def reduced_kiln(kiln: RotaryKiln, at: Any = None, *, order: int = 8, outputs: Sequence[str] = OUTPUTS,
                 entries: Sequence[str] = ENTRIES) -> Any:
    """A kiln in few linear states about a steady operation, free lime on a logarithmic scale.

    Parameters
    ----------
    kiln
        The full model.
    at
        The steady operation, from `twin.steady`; that of `kiln.recipe()` without.
    order
        Number of states.
    outputs, entries
        What is kept of its outputs, and of its inputs and disturbances.

    Returns
    -------
    twin.simulation.reduction.Reduction
        `.model` for estimators and controllers; `.errors(steps, duration, every=)` against the full kiln.

    Examples
    --------
    >>> from processes.cement import RotaryKiln, reduced_kiln
    >>> reduced_kiln(RotaryKiln(cells=15), order=6).model.order
    6
    """
    kept = {n: SIZES[n] for n in (*outputs, *entries) if n in SIZES}
    return twin.reduce(kiln, at, outputs=tuple(outputs), order=order, entries=tuple(entries), sizes=kept,
                       logarithms=tuple(n for n in ("free_lime",) if n in outputs),
                       biases=tuple(n for n in ("burning_zone", "oxygen") if n in outputs))


def free_lime_sensor(model: Any, *, interval: float | str = "5 min", readings: Mapping[str, float] | None = None,
                     walks: Mapping[str, float] | None = None, longest_delay: float | str = "30 min") -> Any:
    """An extended Kalman filter that knows the free lime between two laboratory samples, with its uncertainty.

    Burnability of the meal, heating value of the coal and an offset of pyrometer and O2 analyzer are estimated with it, so
    that a controller on these estimates leaves no offset.

    Parameters
    ----------
    model
        The model of `reduced_kiln`.
    interval
        Time between two steps.
    readings
        {measured output: standard deviation}; those of usual instruments without.
    walks
        {disturbance: standard deviation of its change over an interval}.
    longest_delay
        How late a laboratory result may come.

    Returns
    -------
    twin.Ekf
        `state, info = sensor.step(state, readings, inputs=...)`; `sensor.expected(state)["free_lime"]` is the free lime in
        percent and its standard deviation.

    Examples
    --------
    >>> from processes.cement import RotaryKiln, free_lime_sensor, reduced_kiln
    >>> sensor = free_lime_sensor(reduced_kiln(RotaryKiln(cells=15), order=6).model)
    >>> state, info = sensor.step(sensor.init(), {"burning_zone": 1400.0, "oxygen": 3.2}, inputs={"fuel": 1.0})
    >>> lime, sd = sensor.expected(state)["free_lime"]
    """
    first = {f"mode_{k + 1}": 0.3 for k in range(model.order)}
    return twin.Ekf(model, {**(READINGS if readings is None else readings)}, interval=interval,
                    walks={**(WALKS if walks is None else walks)}, sd=first | DOUBT,
                    noise={n: 0.05 for n in first}, longest_delay=longest_delay)
