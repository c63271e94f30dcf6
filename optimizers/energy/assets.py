"""What supplies, stores, converts and shifts energy. Powers and flows are per hour; a carrier is a name such as "electricity"
or "steam".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from optimizers.energy.tariff import Tariff
from twin import errors

Amounts = float | Sequence[float]


@dataclasses.dataclass(frozen=True)
class Source:
    """A connection where a carrier is bought, and sold where that is allowed: the grid, gas, purchased steam.

    Attributes
    ----------
    name, carrier
        Its name and what it delivers.
    price
        Price of a unit of energy: a number, one for each step, or a `Tariff` (which needs `Dispatch.start`).
    limit
        Most power that is drawn; None is no limit.
    sell
        Price of a unit that is sold, at most the price of buying in every step; None: nothing can be sold.
    sell_limit
        Most power that is sold.
    co2
        Emission of a unit drawn; a number or one for each step.

    Examples
    --------
    >>> Source("gas", "gas", 35.0, co2=0.202).carrier
    'gas'
    """

    name: str
    carrier: str
    price: Amounts | Tariff
    limit: float | None = None
    sell: Amounts | None = None
    sell_limit: float | None = None
    co2: Amounts = 0.0


@dataclasses.dataclass(frozen=True)
class Storage:
    """A battery, a heat store, a gas holder.

    Attributes
    ----------
    name, carrier
        Its name and what it stores.
    energy, power
        Capacity, and most that goes in or out.
    efficiency
        Of charging and again of discharging.
    loss
        Share of the content that is lost in an hour.
    initial
        Content at the start; the end is the same. None: the optimizer chooses.

    Examples
    --------
    >>> Storage("battery", "electricity", energy=4, power=1, efficiency=0.95).energy
    4
    """

    name: str
    carrier: str
    energy: float
    power: float
    efficiency: float = 1.0
    loss: float = 0.0
    initial: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.efficiency <= 1:
            raise errors.SpecError(f"The efficiency of '{self.name}' is {self.efficiency:g}. Expected more than 0 and at most 1.")
        if self.initial is not None and not 0 <= self.initial <= self.energy:
            raise errors.SpecError(f"'{self.name}' holds {self.initial:g} at the start. Expected 0 to {self.energy:g}, its "
                                   "capacity.")


@dataclasses.dataclass(frozen=True)
class Converter:
    """A boiler, a turbine, a valve, a heat pump: flows that follow one activity x, with a part that only depends on being on.

    Attributes
    ----------
    name
        Its name.
    inputs, outputs
        (amount per x, amount while on) by carrier. A boiler that makes x of steam from 1.1 x + 2 of gas: inputs={"gas": (1.1,
        2)}, outputs={"steam": (1, 0)}. A back-pressure turbine on its Willans line: outputs={"electricity": (0.2, -1), "low
        steam": (1, 0)}.
    most, least
        Range of x while it is on; 0 while it is off.
    curve
        Part load in place of a line: for one input the points (x, amount), from `least` to `most`, joined by straight lines.
    start_cost
        Cost of each start.
    on_cost, cost
        Cost of an hour on, and of a unit of x.
    least_on, least_off
        Steps that it stays on, or off, at least.
    ramp
        Most change of x from one step to the next while it is on.
    initially_on
        Whether it is on before the first step.

    Examples
    --------
    >>> Converter("valve", {"high": (1, 0)}, {"low": (1, 0)}, most=100).switched
    False
    """

    name: str
    inputs: Mapping[str, tuple[float, float]]
    outputs: Mapping[str, tuple[float, float]]
    most: float
    least: float = 0.0
    curve: Mapping[str, Sequence[tuple[float, float]]] = dataclasses.field(default_factory=dict)
    start_cost: float = 0.0
    on_cost: float = 0.0
    cost: float = 0.0
    least_on: int = 1
    least_off: int = 1
    ramp: float | None = None
    initially_on: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise errors.SpecError(f"'{self.name}' runs between {self.least:g} and {self.most:g}. Expected 0 <= least <= most.")
        for carrier, points in self.curve.items():
            xs = [x for x, _ in points]
            if len(points) < 2 or sorted(set(xs)) != xs or xs[0] > self.least or xs[-1] < self.most:
                raise errors.SpecError(f"The curve of '{self.name}' for '{carrier}' has x = {xs}. Expected rising values "
                                       f"from {self.least:g} "
                                       f"to {self.most:g}.")

    @property
    def switched(self) -> bool:
        """Whether on and off make a difference."""
        fixed = any(b for _, b in [*self.inputs.values(), *self.outputs.values()])
        return bool(fixed or self.least or self.start_cost or self.on_cost or self.curve or self.least_on > 1
                    or self.least_off > 1)


@dataclasses.dataclass(frozen=True)
class Profile:
    """A flow that is given, such as photovoltaics.

    Attributes
    ----------
    name, carrier
        Its name and what it delivers.
    power
        Power in each step.
    curtail
        Whether less may be taken.

    Examples
    --------
    >>> Profile("roof", "electricity", [0, 1, 2, 1]).curtail
    True
    """

    name: str
    carrier: str
    power: Sequence[float]
    curtail: bool = True


@dataclasses.dataclass(frozen=True)
class Shift:
    """Demand response: load that moves within windows, and load that is cut for money.

    Attributes
    ----------
    name, carrier
        Its name and what it takes.
    down, up
        Most that the load falls or rises.
    window
        Steps within which what was cut is made good again (rebound): 24 for a day of hours.
    rebound
        How much energy comes back for each unit that was moved.
    cost
        Cost of each unit that is moved.
    cut, cut_price
        Most load that is cut for good, and what a unit of it costs.

    Examples
    --------
    >>> Shift("mills", "electricity", down=3, up=2, window=24).rebound
    1.0
    """

    name: str
    carrier: str
    down: float
    up: float
    window: int
    rebound: float = 1.0
    cost: float = 0.0
    cut: float = 0.0
    cut_price: float = 0.0
