"""Marginal abatement curve of a dispatch, and the baseline of demand response."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from optimizers.energy.assets import Source
from optimizers.energy.dispatch import Dispatch
from twin import errors


@dataclasses.dataclass(frozen=True)
class Abatement:
    """One point of the curve: CO2, cost, and the cost of the next unit avoided."""

    co2: float
    cost: float
    marginal: float


def abatement_curve(problem: Dispatch, *, points: int = 6, lowest: float | None = None, **options: Any) -> list[Abatement]:
    """Least cost over CO2, by solving the dispatch under caps: measures act together, as they do in the plant.

    Parameters
    ----------
    problem
        The dispatch, without a cap.
    points
        Number of caps, the dispatch without a cap included.
    lowest
        The lowest cap; without it the least CO2 that is possible.
    options
        Options of `optimizers.solve`.

    Returns
    -------
    list of Abatement
        From the highest CO2 to the lowest, with `marginal` the shadow price of the cap.

    Raises
    ------
    twin.errors.SpecError
        The dispatch has a cap already, or fewer than two points are asked for.

    Examples
    --------
    >>> from optimizers.energy import Source
    >>> plant = Dispatch({"heat": [10.0]}, [Source("coal", "heat", 10, co2=0.4), Source("gas", "heat", 30, co2=0.2)])
    >>> [round(p.marginal) for p in abatement_curve(plant, points=3)]
    [0, 100, 100]
    """
    import optimizers

    if problem.co2_cap is not None or points < 2:
        raise errors.SpecError("An abatement curve needs a dispatch without a cap, and 2 points at least.")
    free = optimizers.solve(problem, **options)
    most = float(free.details["co2"])
    if lowest is None:
        parts = [dataclasses.replace(p, price=p.co2, sell=None) if isinstance(p, Source) else p for p in problem.parts]
        lowest = float(optimizers.solve(problem.replace(parts=parts, co2_price=0.0), **options).details["co2"]) * (1 + 1e-9)
    found = [Abatement(most, float(free.objective or 0.0), 0.0)]
    for k in range(1, points):
        cap = most + (lowest - most) * k / (points - 1)
        held = optimizers.solve(problem.replace(co2_cap=cap), **options)
        found.append(Abatement(float(held.details["co2"]), float(held.objective or 0.0), held.active[0].shadow_price
                               if held.active else 0.0))
    return found


def demand_baseline(days: Sequence[Sequence[float]], *, count: int = 10, today: Sequence[float] = (), adjust: Sequence[int] = (),
                    most: float = 0.2) -> list[float]:
    """Load of a day without demand response: the average of the last like days, adjusted by the morning of the day.

    Parameters
    ----------
    days
        Loads of like days (same kind of weekday, without events), the latest last; equal numbers of steps.
    count
        How many of the last days are averaged.
    today
        Load of the day so far, for the adjustment.
    adjust
        Steps before the event over which today is compared with the average.
    most
        The adjustment is at most this share up or down.

    Returns
    -------
    list of float
        The baseline in each step.

    Raises
    ------
    twin.errors.DataError
        There are no days, or they differ in length.

    Examples
    --------
    >>> demand_baseline([[10, 20], [12, 22]], today=[12.1], adjust=[0])
    [12.1, 23.1]
    """
    if not days or len({len(d) for d in days}) != 1:
        raise errors.DataError(f"The baseline got {len(days)} days with {sorted({len(d) for d in days})} steps. Expected "
                               "days of one length.")
    last = days[-count:]
    average = [sum(d[k] for d in last) / len(last) for k in range(len(last[0]))]
    factor = 1.0
    if adjust and today:
        known = sum(average[k] for k in adjust)
        factor = sum(today[k] for k in adjust) / known if known else 1.0
        factor = min(1 + most, max(1 - most, factor))
    return [round(v * factor, 12) for v in average]
