"""Plan: a dynamic optimization problem with every name resolved and every number in the units of the model."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from twin.recipe import Profile

Side = float | Profile


@dataclasses.dataclass(frozen=True)
class Place:
    """One scalar quantity: its role, its position in the flat vector of the role, and what to call it."""

    name: str
    role: str
    index: int
    unit: str
    nominal: float

    @property
    def size(self) -> float:
        """Typical size, never zero."""
        return abs(self.nominal) or 1.0


@dataclasses.dataclass(frozen=True)
class Limit:
    """A lower and an upper side of one quantity.

    Attributes
    ----------
    lower, upper
        Numbers (infinite where there is none) or profiles over the time of the run.
    price
        Cost of one unit of excess at each node; None where the limit is hard.
    phase
        At the end of this phase, -1 of the last one; None: all along.
    said
        What a message calls it.
    """

    place: Place
    lower: Side
    upper: Side
    price: float | None = None
    phase: int | None = None
    said: str = ""

    def sides(self, time: float) -> tuple[float, float]:
        """Lower and upper side at a time of the run."""
        return at(self.lower, time), at(self.upper, time)

    @property
    def equal(self) -> bool:
        """True where both sides are the same number."""
        return self.lower == self.upper


def at(side: Side, time: float) -> float:
    """A side at a time."""
    if not isinstance(side, Profile):
        return side
    times, values = side.times, side.values
    k = sum(t <= time + 1e-9 * (1 + abs(time)) for t in times) - 1
    if k < 0 or k + 1 >= len(times) or side.hold == "previous":
        return values[max(k, 0)]
    share = (time - times[k]) / (times[k + 1] - times[k])
    return values[k] + share * (values[k + 1] - values[k])


@dataclasses.dataclass(frozen=True)
class Moved:
    """An input that is moved in one phase: bounds, shares of the phase at which it may change, and where to begin."""

    place: Place
    lower: float
    upper: float
    shares: tuple[float, ...]
    hold: str
    rate: tuple[float, float]
    start: Any  # a number or a profile over the phase

    @property
    def linear(self) -> bool:
        """True where the input runs in straight lines."""
        return self.hold == "linear"

    @property
    def values(self) -> int:
        """How many numbers describe it."""
        return len(self.shares) - 1 + self.linear


@dataclasses.dataclass(frozen=True)
class PhasePlan:
    """One phase: its length or the bounds of it, the inputs that are given and those that are moved."""

    name: str
    duration: float
    shortest: float
    longest: float
    given: dict[str, Any]
    moved: tuple[Moved, ...]
    reset: tuple[Any, ...]
    intervals: int = 1  # at least so many stretches, also where nothing moves

    @property
    def free(self) -> bool:
        """True where the length is a decision."""
        return self.longest > self.shortest


@dataclasses.dataclass(frozen=True)
class Term:
    """weight x a quantity at the end of the run, or its sum at `times`."""

    place: Place
    weight: float
    times: tuple[float, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Decision:
    """A free parameter or initial value."""

    place: Place
    lower: float
    upper: float
    start: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """The whole problem in numbers; `model` carries the integrals as states."""

    model: Any
    name: str
    time_unit: str
    sign: float  # +1 where the objective is minimized
    terms: tuple[Term, ...]
    time_weight: float
    phases: tuple[PhasePlan, ...]
    limits: tuple[Limit, ...]
    parameters: tuple[Decision, ...]
    initial: tuple[Decision, ...]
    x0: tuple[float, ...]
    p: tuple[float, ...]
    unit: str
    goal: str
    recipe_phases: tuple[Any, ...] = ()  # the nominal recipe

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the inputs that are moved, in order."""
        return tuple(dict.fromkeys(m.place.name for phase in self.phases for m in phase.moved))

    @property
    def free_time(self) -> bool:
        """True where some length is a decision."""
        return any(phase.free for phase in self.phases)

    def coarse(self, factor: int) -> Plan:
        """The plan with every `factor`-th interval of its moves only."""
        phases = tuple(dataclasses.replace(p, intervals=max(p.intervals // factor, 1), moved=tuple(
            dataclasses.replace(m, shares=(*m.shares[:-1:factor], 1.0)) for m in p.moved)) for p in self.phases)
        return dataclasses.replace(self, phases=phases)

    def softened(self, price: float) -> Plan:
        """The problem to violate the hard limits as little as possible, each counted by its typical size."""
        loose = tuple(dataclasses.replace(k, price=price / k.place.size) if k.price is None else k for k in self.limits)
        return dataclasses.replace(self, limits=loose, terms=(), time_weight=0.0)


def finite(side: Side) -> bool:
    """True where a side limits anything."""
    return isinstance(side, Profile) or math.isfinite(side)
