"""ResourceNetwork: everything is a resource (materials, equipment, people, power, a clean vessel), and activities change their
levels. A state-task network is the special case that `resources_of` writes out.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from optimizers.schedule.network import Network, off_grid, refuse
from twin import errors

TINY = 1e-9


@dataclasses.dataclass(frozen=True)
class Resource:
    """Anything whose level activities change.

    Attributes
    ----------
    name
        Its name.
    initial
        Level at the start: an amount, or how many of the equipment there are.
    capacity
        Highest level; None is no limit, 0 is no storage at all. No level is ever below 0.
    price
        Value of one unit at the end.
    least
        Level that must be there at the end.
    receipts
        (time, amount) that arrives, negative: that is delivered, or equipment that is closed until it comes back.
    supply
        Most that can be bought in each step.
    prices
        Price in each step of what is bought; empty: it costs nothing.

    Examples
    --------
    >>> Resource("reactor", initial=2, receipts=((8, -1), (12, 1))).initial
    2
    """

    name: str
    initial: float = 0.0
    capacity: float | None = None
    price: float = 0.0
    least: float = 0.0
    receipts: Sequence[tuple[float, float]] = ()
    supply: float = 0.0
    prices: Sequence[float] = ()


@dataclasses.dataclass(frozen=True)
class Take:
    """An activity takes `fixed` + `each` x size of a `resource`, `at` a time after its start.

    Examples
    --------
    >>> list(Take("clinker", 0.95).changes(2.0, 1.0))
    [(0.0, -0.0, -0.95)]
    """

    resource: str
    each: float = 0.0
    fixed: float = 0.0
    at: float = 0.0

    def changes(self, duration: float, step: float) -> Iterator[tuple[float, float, float]]:
        """Time after the start, change for each activity, change for each amount unit."""
        yield self.at, -self.fixed, -self.each


@dataclasses.dataclass(frozen=True)
class Give:
    """An activity gives `fixed` + `each` x size of a `resource`, at its end or `at` a time after its start.

    Examples
    --------
    >>> list(Give("cement", 1.0).changes(2.0, 1.0))
    [(2.0, 0.0, 1.0)]
    """

    resource: str
    each: float = 0.0
    fixed: float = 0.0
    at: float | None = None

    def changes(self, duration: float, step: float) -> Iterator[tuple[float, float, float]]:
        """Time after the start, change for each activity, change for each amount unit."""
        yield duration if self.at is None else self.at, self.fixed, self.each


@dataclasses.dataclass(frozen=True)
class Hold:
    """An activity holds `fixed` + `each` x size of a `resource` from its start to its end: equipment, people, power.

    Examples
    --------
    >>> list(Hold("mill").changes(2.0, 1.0))
    [(0.0, -1.0, -0.0), (2.0, 1.0, 0.0)]
    """

    resource: str
    fixed: float = 1.0
    each: float = 0.0

    def changes(self, duration: float, step: float) -> Iterator[tuple[float, float, float]]:
        """Time after the start, change for each activity, change for each amount unit."""
        yield 0.0, -self.fixed, -self.each
        yield duration, self.fixed, self.each


@dataclasses.dataclass(frozen=True)
class Draw:
    """An activity draws `fixed` + `each` x size of a `resource` per time unit all the while, negative: makes it.

    What is drawn in a step is booked at its start.

    Examples
    --------
    >>> list(Draw("power", 3.0).changes(2.0, 1.0))
    [(0.0, -3.0, -0.0), (1.0, -3.0, -0.0)]
    """

    resource: str
    fixed: float = 0.0
    each: float = 0.0

    def changes(self, duration: float, step: float) -> Iterator[tuple[float, float, float]]:
        """Time after the start, change for each activity, change for each amount unit."""
        for k in range(round(duration / step)):
            yield k * step, -self.fixed * step, -self.each * step


@dataclasses.dataclass(frozen=True)
class Activity:
    """Something that is carried out and changes resources (a task of a resource-task network).

    Attributes
    ----------
    name
        Its name.
    duration
        How long it takes.
    effects
        What it does to resources: `Take`, `Give`, `Hold`, `Draw`.
    most, least
        Limits of its size; 0 and 0 where it has none.
    cost
        Cost of carrying it out once.
    at_once
        How often it may start at one time; None: what it holds decides.

    Examples
    --------
    >>> mill = Activity("grind", 2, [Hold("mill"), Take("clinker", 1.0), Give("cement", 1.0), Draw("power", 3)], most=10)
    >>> mill.changes("power", 1.0)
    {0: (-3.0, 0.0), 1: (-3.0, 0.0)}
    """

    name: str
    duration: float
    effects: Sequence[Take | Give | Hold | Draw]
    most: float = 0.0
    least: float = 0.0
    cost: float = 0.0
    at_once: int | None = None

    def changes(self, resource: str, step: float) -> dict[int, tuple[float, float]]:
        """Change of a resource for each activity and for each amount unit, by step after the start."""
        found: dict[int, tuple[float, float]] = {}
        for effect in self.effects:
            if effect.resource == resource:
                for time, fixed, each in effect.changes(self.duration, step):
                    k = round(time / step)
                    before = found.get(k, (0.0, 0.0))
                    found[k] = before[0] + fixed, before[1] + each
        return found


@dataclasses.dataclass(frozen=True)
class Carried:
    """An activity in a plan: name, start, end, size."""

    activity: str
    start: float
    end: float
    size: float


@dataclasses.dataclass(frozen=True, eq=False)
class ResourceNetwork:
    """A resource-task network in discrete time. Solved by `optimizers.solve`, which makes the value as large as it can be.

    Attributes
    ----------
    resources, activities
        What there is, and what can be done with it.
    horizon
        Every activity ends by then.
    step
        Time slot.
    time_unit, amount_unit, currency
        Units for texts.
    plain
        True: without the redundant totals that make it faster.

    Notes
    -----
    Level of resource r: R(r, t) = R(r, t-1) + sum of (mu N + nu xi) over all activities begun at t - theta + receipts + bought
    (Pantelides 1994). Activities may start several times at once where what they hold allows it. Options of `optimizers.solve`:
    `gap` (relative gap to stop at, 0) and `threads` (1).

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Activity, Draw, Give, Hold, Resource, ResourceNetwork, Take
    >>> grind = Activity("grind", 2, [Hold("mill"), Take("clinker", 1.0), Give("cement", 1.0), Draw("power", 1)], most=10)
    >>> plant = ResourceNetwork([Resource("mill", 2), Resource("clinker", 100), Resource("cement", price=3),
    ...                          Resource("power", capacity=0, supply=9, prices=[5, 5, 40, 40, 5, 5])], [grind], horizon=6)
    >>> optimizers.solve(plant).objective
    80.0
    """

    solved_by: ClassVar[str] = "optimizers.schedule.resource_solving"

    resources: Sequence[Resource]
    activities: Sequence[Activity]
    horizon: float
    step: float = 1.0
    time_unit: str = "h"
    amount_unit: str = "kg"
    currency: str = ""
    plain: bool = False

    @functools.cached_property
    def resource_of(self) -> dict[str, Resource]:
        """Resources by name."""
        return {r.name: r for r in self.resources}

    @functools.cached_property
    def activity_of(self) -> dict[str, Activity]:
        """Activities by name."""
        return {a.name: a for a in self.activities}

    def at_once(self, activity: Activity) -> float:
        """How often an activity can start at one time, by what it holds."""
        most = math.inf if activity.at_once is None else float(activity.at_once)
        for effect in activity.effects:
            resource = self.resource_of[effect.resource]
            if isinstance(effect, Hold) and effect.fixed > TINY:
                top = resource.initial + sum(max(0.0, amount) for _, amount in resource.receipts)
                top = top if resource.capacity is None else min(top, resource.capacity)
                most = min(most, math.floor(top / effect.fixed + TINY))
        return most

    def check(self) -> None:
        """Raise a SpecError with every mistake in the statement."""
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[str]:
        for kind, names in (("resource", [r.name for r in self.resources]), ("activity", [a.name for a in self.activities])):
            for name in sorted({n for n in names if names.count(n) > 1}):
                yield f"There are {names.count(name)} entries of the {kind} '{name}'. Expected one of each name."
        if self.step <= 0 or self.horizon <= 0:
            yield (f"The horizon is {self.horizon:g} and the step {self.step:g} {self.time_unit}. Expected both above 0.")
            return
        yield from self._grid("The network", (self.horizon,))
        if not self.resources or not self.activities:
            yield (f"The network has {len(self.resources)} resources and {len(self.activities)} activities. Expected one of each "
                   "at least.")
        numbers = {f"{what} of '{r.name}'": v for r in self.resources for what, v in (
            ("initial", r.initial), ("capacity", r.capacity or 0.0), ("price", r.price), ("least", r.least), *r.receipts)}
        numbers |= {f"{what} of '{a.name}'": v for a in self.activities for what, v in (
            ("duration", a.duration), ("most", a.most), ("least", a.least), ("cost", a.cost))}
        broken = [f"{what} is {v:g}" for what, v in numbers.items() if not math.isfinite(v)]
        if broken:
            yield f"{', '.join(broken)}. Expected finite numbers."
            return
        for a in self.activities:
            unknown = [e.resource for e in a.effects if e.resource not in self.resource_of]
            for name in unknown:
                yield str(errors.unknown("resource", name, f"the activity '{a.name}'", self.resource_of))
            if not 0 <= a.least <= a.most:
                yield f"'{a.name}' has a size of {a.least:g} to {a.most:g} {self.amount_unit}. Expected 0 <= least <= most."
            times = [e.at for e in a.effects if isinstance(e, Take | Give) and e.at is not None]
            yield from self._grid(f"'{a.name}'", [a.duration, *times])
            for time in times:
                if not 0 <= time <= a.duration:
                    yield (f"'{a.name}' changes a resource {time:g} {self.time_unit} after its start. Expected 0 to "
                           f"its duration, {a.duration:g}.")
            if not unknown and self.at_once(a) < 1:
                most = {e.resource: e.fixed for e in a.effects if isinstance(e, Hold)}
                yield (f"'{a.name}' can never start: it holds {', '.join(f'{v:g} of {n!r}' for n, v in most.items())}, and there "
                       "is not as much of that at any time. Give more of it, or leave the activity out.")
            if not unknown and math.isinf(self.at_once(a)):
                yield (f"'{a.name}' holds nothing, so that it could start any number of times at once. Give it a resource to "
                       "hold, such as its equipment, or say how often: at_once.")
        steps = round(self.horizon / self.step)
        for r in self.resources:
            if r.capacity is not None and r.initial > r.capacity:
                yield f"'{r.name}' is {r.initial:g} at the start. Expected {r.capacity:g} at most, its capacity."
            if r.prices and len(r.prices) < steps:
                yield f"'{r.name}' has {len(r.prices)} prices. Expected {steps}, one for each step up to the horizon."
            if r.prices and not r.supply > 0:
                yield f"'{r.name}' has prices and no supply. Expected the most that can be bought in a step as `supply`."
            yield from self._grid(f"A receipt of '{r.name}'", [t for t, _ in r.receipts])

    def _grid(self, what: str, times: Sequence[float]) -> Iterator[str]:
        return off_grid(what, times, self.step, self.time_unit)

    def replace(self, **changes: Any) -> ResourceNetwork:
        """A copy with other attributes."""
        return dataclasses.replace(self, **changes)


def resources_of(plant: Network) -> tuple[ResourceNetwork, Mapping[str, tuple[str, str]]]:
    """A state-task network as the resource-task network that it is.

    Parameters
    ----------
    plant
        Materials, processes and units, with fixed durations.

    Returns
    -------
    ResourceNetwork, mapping
        Units, materials and utilities as resources, each process on each unit as an activity; process and unit by the name of the
        activity.

    Examples
    --------
    >>> from optimizers.schedule import Fit, Material, Process, Unit
    >>> mill = Process("grind", {"clinker": 1.0}, {"cement": 1.0}, {"mill": Fit(10, duration=2)})
    >>> network, names = resources_of(Network([Material("clinker", 100), Material("cement", price=3)], [mill], [Unit("mill")], 6))
    >>> [r.name for r in network.resources], names
    (['unit mill', 'material clinker', 'material cement'], {'grind on mill': ('grind', 'mill')})
    """
    resources = []
    for unit in plant.units:
        spans = [(max(0.0, w.start), w.end) for w in unit.closed if w.start < plant.horizon and w.end > 0]
        moves = [(t, v) for a, b in spans for t, v in ((a, -1.0), (b, 1.0)) if t < plant.horizon]
        resources.append(Resource(f"unit {unit.name}", 1, receipts=tuple(moves)))
    resources += [Resource(f"material {m.name}", m.initial, m.capacity, m.price, m.least, m.receipts) for m in plant.materials]
    for u in plant.utilities:
        if u.limit is not None:
            resources.append(Resource(f"limit {u.name}", u.limit))
        if u.prices:
            resources.append(Resource(f"bought {u.name}", capacity=0, supply=math.inf, prices=u.prices))
    known = {r.name for r in resources}
    activities, names = [], {}
    for p in plant.processes:
        for place, fit in p.units.items():
            effects: list[Take | Give | Hold | Draw] = [Hold(f"unit {place}")]
            effects += [Take(f"material {name}", share) for name, share in p.consumes.items()]
            effects += [Give(f"material {name}", share, at=delay) for name, share, delay in p.outputs(place)]
            for name, (fixed, each) in p.uses.items():
                effects += [Hold(f"limit {name}", fixed, each)] if f"limit {name}" in known else []
                effects += [Draw(f"bought {name}", fixed, each)] if f"bought {name}" in known else []
            name = f"{p.name} on {place}"
            activities.append(Activity(name, fit.duration, effects, fit.most, fit.least, fit.cost))
            names[name] = (p.name, place)
    return ResourceNetwork(resources, activities, plant.horizon, plant.step, plant.time_unit, plant.amount_unit, plant.currency,
                           plant.plain), names
