"""What electricity costs: time of use, demand charges, series of real-time prices. Tables, never code: the market changes
them.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

from twin import errors

EVERY_DAY, EVERY_MONTH = (0, 1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)


@dataclasses.dataclass(frozen=True)
class Rate:
    """A price that holds in some hours.

    Attributes
    ----------
    price
        Price of a unit of energy.
    hours
        (from, to) hours of the day, local time of the tariff; (22, 6) goes over midnight.
    weekdays
        0 is Monday.
    months
        1 is January.
    name
        Such as "peak".

    Examples
    --------
    >>> Rate(140, hours=((17, 21),)).holds(dt.datetime(2026, 1, 5, 18))
    True
    """

    price: float
    hours: Sequence[tuple[float, float]] = ((0, 24),)
    weekdays: Sequence[int] = EVERY_DAY
    months: Sequence[int] = EVERY_MONTH
    name: str = ""

    def holds(self, time: dt.datetime) -> bool:
        """Whether it holds at a time."""
        hour = time.hour + time.minute / 60
        inside = any((a <= hour < b) if a < b else (hour >= a or hour < b) for a, b in self.hours)
        return inside and time.weekday() in self.weekdays and time.month in self.months


@dataclasses.dataclass(frozen=True)
class DemandCharge:
    """A price for the highest power of a calendar month within some hours.

    Attributes
    ----------
    price
        Price of a unit of power and month.
    hours, weekdays, months
        When power counts, as in `Rate`.

    Examples
    --------
    >>> DemandCharge(15000).price
    15000
    """

    price: float
    hours: Sequence[tuple[float, float]] = ((0, 24),)
    weekdays: Sequence[int] = EVERY_DAY
    months: Sequence[int] = EVERY_MONTH

    def holds(self, time: dt.datetime) -> bool:
        """Whether power counts at a time."""
        return Rate(0.0, self.hours, self.weekdays, self.months).holds(time)


@dataclasses.dataclass(frozen=True)
class Tariff:
    """Rates and demand charges.

    Attributes
    ----------
    rates
        The first rate that holds gives the price.
    demand
        Demand charges; each is billed for every calendar month.

    Examples
    --------
    >>> night = Rate(40, hours=((22, 6),), name="night")
    >>> Tariff([night, Rate(85)]).prices(dt.datetime(2026, 1, 5, 4), 4)
    [40, 40, 85, 85]
    """

    rates: Sequence[Rate]
    demand: Sequence[DemandCharge] = ()

    def prices(self, start: dt.datetime, count: int, hours: float = 1.0) -> list[float]:
        """Price in each of `count` steps of `hours` hours from `start` on."""
        found = []
        for k in range(count):
            time = start + dt.timedelta(hours=k * hours)
            rate = next((r for r in self.rates if r.holds(time)), None)
            if rate is None:
                raise errors.SpecError(f"The tariff has no rate for {time:%A, %Y-%m-%d %H:%M}. Expected one for every hour. "
                                       "Add a last rate "
                                       "without hours.")
            found.append(rate.price)
        return found

    def billed(self, start: dt.datetime, count: int, hours: float = 1.0) -> list[tuple[float, str, list[int]]]:
        """Price, month and steps of every demand charge and calendar month that the steps touch."""
        found = []
        for charge in self.demand:
            months: dict[str, list[int]] = {}
            for k in range(count):
                time = start + dt.timedelta(hours=k * hours)
                if charge.holds(time):
                    months.setdefault(f"{time:%Y-%m}", []).append(k)
            found += [(charge.price, month, steps) for month, steps in months.items()]
        return found


def price_series(times: Sequence[Any], prices: Sequence[float], *, hours: float = 1.0) -> list[float]:
    """Prices of a series with times, one for each step, or an error about the first step that is missing or there twice.

    Parameters
    ----------
    times
        Start of each step: datetimes or ISO texts. With time zones they are compared in UTC; without, a change of clocks shows
        as a missing or a doubled hour.
    prices
        Price of each step.
    hours
        Length of a step.

    Returns
    -------
    list of float
        The prices in order of time.

    Raises
    ------
    twin.errors.DataError
        A step is missing, there twice, or off the grid; a price is not a number.

    Examples
    --------
    >>> price_series(["2026-01-01 00:00", "2026-01-01 01:00"], [40, 42])
    [40.0, 42.0]
    """
    if len(times) != len(prices):
        raise errors.DataError(f"The price series has {len(times)} times and {len(prices)} prices. Expected one price for "
                               "each time.")
    stamps = [t if isinstance(t, dt.datetime) else dt.datetime.fromisoformat(str(t)) for t in times]
    stamps = [t.astimezone(dt.UTC) if t.tzinfo else t for t in stamps]
    step = dt.timedelta(hours=hours)
    order = sorted(range(len(stamps)), key=stamps.__getitem__)
    for a, b in itertools.pairwise(order):
        gap = stamps[b] - stamps[a]
        if gap == step:
            continue
        if gap == dt.timedelta(0):
            raise errors.DataError(f"The price series has two values for {stamps[b]:%Y-%m-%d %H:%M} (rows {a + 1} and "
                                   f"{b + 1}). Expected one. "
                                   "Where clocks go back an hour comes twice: give times with their zone or in UTC.")
        missing = stamps[a] + step
        if gap > step:
            raise errors.DataError(f"The price series has no value for {missing:%Y-%m-%d %H:%M}: {stamps[a]:%H:%M} is "
                                   "followed by "
                                   f"{stamps[b]:%Y-%m-%d %H:%M}. Where clocks go forward an hour is left out: give times "
                                   "with their zone or "
                                   "in UTC, else fill the gap.")
        raise errors.DataError(f"The price series has {stamps[b]:%Y-%m-%d %H:%M} {gap.total_seconds() / 3600:g} h after the "
                               "time before. "
                               f"Expected steps of {hours:g} h.")
    found = [float(prices[k]) for k in order]
    for k, value in zip(order, found, strict=True):
        if value != value:
            raise errors.DataError(f"The price at {stamps[k]:%Y-%m-%d %H:%M} is not a number. Expected one. Fill the gap.")
    return found
