"""A line as data: stations in a row with machines, buffers, breakdowns, setups."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

from twin import errors
from twin.lines import random_numbers as r


@dataclasses.dataclass(frozen=True)
class Law:
    """How long something takes: a distribution. Made by its class methods; a plain number is a constant.

    Attributes
    ----------
    row
        (kind, a, b, c) as the simulator reads it.
    mean
        Its mean.

    Examples
    --------
    >>> Law.exponential(4.0).mean
    4.0
    """

    row: tuple[float, float, float, float]
    mean: float

    @classmethod
    def constant(cls, value: float) -> Law:
        """Always `value`."""
        _positive("A constant time", value, zero=True)
        return cls((r.CONSTANT, float(value), 0.0, 0.0), float(value))

    @classmethod
    def exponential(cls, mean: float) -> Law:
        """Exponential with `mean`."""
        _positive("The mean of an exponential time", mean)
        return cls((r.EXPONENTIAL, float(mean), 0.0, 0.0), float(mean))

    @classmethod
    def uniform(cls, low: float, high: float) -> Law:
        """Uniform from `low` to `high`."""
        _positive("The lower end of a uniform time", low, zero=True)
        _rising("A uniform time", low, high)
        return cls((r.UNIFORM, float(low), float(high), 0.0), (low + high) / 2)

    @classmethod
    def triangular(cls, low: float, mode: float, high: float) -> Law:
        """Triangular from `low` over `mode` to `high`."""
        _positive("The lower end of a triangular time", low, zero=True)
        _rising("A triangular time", low, mode, high)
        return cls((r.TRIANGULAR, float(low), float(mode), float(high)), (low + mode + high) / 3)

    @classmethod
    def weibull(cls, scale: float, shape: float) -> Law:
        """Weibull with `scale` and `shape`."""
        _positive("The scale of a Weibull time", scale)
        _positive("The shape of a Weibull time", shape)
        return cls((r.WEIBULL, float(scale), float(shape), 0.0), scale * math.gamma(1 + 1 / shape))

    @classmethod
    def normal(cls, mean: float, deviation: float) -> Law:
        """Normal with `mean` and `deviation`; what would be below 0 is 0, and `mean` of the law is that of the normal one."""
        _positive("The deviation of a normal time", deviation, zero=True)
        return cls((r.NORMAL, float(mean), float(deviation), 0.0), float(mean))

    @classmethod
    def lognormal(cls, mean: float, deviation: float) -> Law:
        """Lognormal with `mean` and `deviation` of the time itself."""
        _positive("The mean of a lognormal time", mean)
        variance = math.log(1 + (deviation / mean) ** 2)
        return cls((r.LOGNORMAL, math.log(mean) - variance / 2, math.sqrt(variance), 0.0), float(mean))


def _positive(what: str, value: float, zero: bool = False) -> None:
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        raise errors.SpecError(f"{what} is {value:g}. Expected {'0 or more' if zero else 'more than 0'}.")


def _rising(what: str, *values: float) -> None:
    if any(b < a for a, b in itertools.pairwise(values)) or values[0] == values[-1]:
        raise errors.SpecError(f"{what} has the limits {', '.join(f'{v:g}' for v in values)}. Expected rising values.")


def law_of(value: Law | float) -> Law:
    """A law; a number is a constant."""
    return value if isinstance(value, Law) else Law.constant(value)


@dataclasses.dataclass(frozen=True)
class Station:
    """Like machines in parallel, with places before them.

    Attributes
    ----------
    name
        Its name.
    time
        Time of a part: a law or a number, or one by product.
    machines
        How many there are.
    buffer
        Places before it, besides the machines.
    life, repair
        Busy time to a breakdown and time of a repair; without `life` it never breaks down.
    setup
        Time by (product before, product after).
    batch
        Parts that a machine takes at once, all as the product of the first.
    good
        Share of good parts; the others leave the line there.

    Examples
    --------
    >>> Station("oven", Law.exponential(2.0), buffer=5).machines
    1
    """

    name: str
    time: Law | float | Mapping[str, Law | float]
    machines: int = 1
    buffer: int = 1
    life: Law | float | None = None
    repair: Law | float = 0.0
    setup: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    batch: int = 1
    good: float = 1.0

    def __post_init__(self) -> None:
        if self.machines < 1 or self.batch < 1 or self.buffer < self.batch:
            raise errors.SpecError(f"The station '{self.name}' has {self.machines} machines, {self.buffer} places and takes "
                                   f"{self.batch} parts "
                                   "at once. Expected 1 machine or more, and at least as many places as it takes at once.")
        if self.life is not None and not law_of(self.life).mean > 0:
            raise errors.SpecError(f"The life of '{self.name}' is 0: it would break down without end. Expected more than 0, or "
                                   "None: it never breaks down.")
        if not 0 < self.good <= 1:
            raise errors.SpecError(f"The share of good parts of '{self.name}' is {self.good:g}. Expected more than 0 and at "
                                   "most 1.")


@dataclasses.dataclass(frozen=True)
class Line:
    """Stations one after another.

    Attributes
    ----------
    stations
        In the order of the flow.
    arrivals
        Time between arrivals; None: there is always a part before the first station.
    products
        Sequence of products, repeated; one product without it.
    time_unit
        For texts.

    Examples
    --------
    >>> Line([Station("a", 1.0), Station("b", 2.0)]).product_names
    ('part',)
    """

    stations: Sequence[Station]
    arrivals: Law | float | None = None
    products: Sequence[str] = ("part",)
    time_unit: str = "min"

    def __post_init__(self) -> None:
        names = [s.name for s in self.stations]
        if not names or len(set(names)) < len(names):
            raise errors.SpecError(f"The line has the stations {names}. Expected at least one, each with a name of its own.")
        times = [law_of(t).mean for s in self.stations for t in (s.time.values() if isinstance(s.time, Mapping) else [s.time])]
        if self.arrivals is not None:
            times = [law_of(self.arrivals).mean]
        if not any(t > 0 for t in times):
            raise errors.SpecError("Parts take no time at all in this line, so that time would stand still. Expected a time "
                                   f"above 0 {self.time_unit} at a station, or between arrivals.")
        for s in self.stations:
            if isinstance(s.time, Mapping):
                for product in self.product_names:
                    if product not in s.time:
                        raise errors.unknown("product", product, f"the times of the station '{s.name}'", s.time)
            for pair in s.setup:
                for product in pair:
                    if product not in self.product_names:
                        raise errors.unknown("product", product, f"the setups of the station '{s.name}'", self.product_names)

    @property
    def product_names(self) -> tuple[str, ...]:
        """Products in the order of their first part."""
        return tuple(dict.fromkeys(self.products))
