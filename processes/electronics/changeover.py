"""Changeover of a tunnel oven between recipes: the last board leaves, the zones heat up or cool down, the next board enters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import twin
from processes.electronics.boards import check_oven
from processes.electronics.tunnel import SIZE
from twin import errors, jnp, smooth

ROUND = 1.0  # kW: over which a heater turns from its limit to control
HORIZON, STEP = 90.0, 0.1  # min: the longest changeover that is looked for, and between the times that are looked at


class OvenZones(twin.DynamicModel):
    """Heated zones on their way from one recipe to the next: a heat capacity each, heaters with a limit, neighbors that leak.

    The heaters get what holds the set point and `gain` for each degree that is missing, at most `heater`, at least nothing: a
    zone cools by its loss alone. The passage models hold the air at its set points; the dynamics here are sizes from textbooks,
    to be fitted to one recorded changeover of your oven.
    """

    time_unit = "min"

    zones = twin.static(9, doc="number of heated zones")
    zone = twin.state("degC", shape=("zones",), lower=-20, upper=400, nominal=150, doc="air and metal of each zone")
    farthest = twin.output("degC", lower=0, upper=400, nominal=10, doc="largest distance of a zone from its set point")
    power_drawn = twin.output("kW", lower=0, upper=1000, nominal=30, doc="power of all heaters")

    set_points = twin.parameter((175.0, 175.0, 175.0, 175.0, 175.0, 195.0, 235.0, 255.0, 255.0), "degC", shape=("zones",),
                                bounds=(0, 400), source="as ReflowOven", doc="of the next recipe")
    before = twin.parameter((175.0, 175.0, 175.0, 175.0, 175.0, 195.0, 235.0, 255.0, 255.0), "degC", shape=("zones",),
                            bounds=(0, 400), source="as ReflowOven", doc="temperatures at the start")
    ambient = twin.parameter(25.0, "degC", bounds=(-20, 60), source=SIZE, doc="around the oven")
    loss = twin.parameter(0.018, "kW/K", bounds=(1e-4, 1), source=SIZE, doc="to the hall and the exhaust")
    leak = twin.parameter(0.004, "kW/K", bounds=(0, 1), source=SIZE, doc="between neighbors")
    capacity = twin.parameter(60.0, "kJ/K", bounds=(0.1, 1e4), scale="log", source=SIZE, doc="heat capacity of a zone")
    heater = twin.parameter(9.0, "kW", bounds=(0.1, 1000), scale="log", source=SIZE, doc="largest heating power of a zone")
    gain = twin.parameter(1.0, "kW/K", bounds=(0.001, 1000), scale="log", source=SIZE, doc="of the controller")

    def exchange(self, values: Any) -> Any:
        """Heat from the neighbors into each zone, kW."""
        left = jnp.concatenate([values[:1], values[:-1]])
        right = jnp.concatenate([values[1:], values[-1:]])
        return self.leak * (left + right - 2.0 * values)

    def holding(self) -> Any:
        """Power that holds each set point, kW."""
        return self.loss * (self.set_points - self.ambient) - self.exchange(self.set_points)

    def power(self, zone: Any) -> Any:
        """Power of each heater, kW."""
        hold = self.holding()
        # the smooth limit is a little off its argument; without that at the set point, where a zone comes to rest
        off = smooth.limit(hold, 0.0, self.heater, ROUND) - hold
        return smooth.limit(hold + self.gain * (self.set_points - zone), 0.0, self.heater, ROUND) - off

    def rhs(self, s: Any) -> Mapping[str, Any]:
        flow = self.power(s.zone) + self.exchange(s.zone) - self.loss * (s.zone - self.ambient)
        return {"zone": 60.0 * flow / self.capacity}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        far = smooth.absolute(s.zone[0] - self.set_points[0], 0.1)
        for k in range(1, self.zones):
            far = smooth.maximum(far, smooth.absolute(s.zone[k] - self.set_points[k], 0.01), 0.1)
        return {"farthest": far, "power_drawn": self.power(s.zone).sum()}

    def initial(self) -> Mapping[str, Any]:
        return {"zone": self.before}

    def recipe(self) -> twin.Recipe:
        """An hour."""
        return twin.Recipe([twin.Phase(name="changeover", until=60.0)])


def changeover_minutes(first: Any, second: Any, *, zones: OvenZones | None = None, tolerance: float = 2.0) -> float:
    """Time from the last board of one recipe, at the entry, to the first board of the next one.

    Where a heated zone changes, the last board first leaves the heated zones; then all zones run to their new set points, until
    each is within the tolerance. Where the belt speed changes, the last board leaves the oven.

    Parameters
    ----------
    first, second
        The oven with the recipe that runs and with the next one.
    zones
        Dynamics of the zones; None: `OvenZones` with its sizes from textbooks.
    tolerance
        Distance from the set point at which a zone counts as ready, degC.

    Returns
    -------
    float
        Minutes; 0 where neither a heated zone nor the speed changes.

    Raises
    ------
    twin.errors.SpecError
        A zone cannot hold its set point.

    Examples
    --------
    >>> from processes.electronics import ReflowOven
    >>> oven = ReflowOven()
    >>> hot = oven.with_recipe(z8_9=265.0)
    >>> round(changeover_minutes(oven, hot), 1), round(changeover_minutes(hot, oven), 1)
    (6.9, 7.0)
    """
    return changeover_matrix({"first": first, "second": second}, zones=zones, tolerance=tolerance)["first", "second"]


def changeover_matrix(recipes: Mapping[str, Any], *, zones: OvenZones | None = None, tolerance: float = 2.0,
                      step: float = 0.0) -> dict[tuple[str, str], float]:
    """Changeover times between all pairs of recipes, as `optimizers.schedule.Changeover` takes them.

    Parameters
    ----------
    recipes
        {product: oven with its recipe}.
    zones, tolerance
        Those of `changeover_minutes`.
    step
        Minutes are rounded up to multiples of it, for a plan in such steps; 0 leaves them.

    Examples
    --------
    >>> from processes.electronics import ReflowOven
    >>> oven = ReflowOven()
    >>> changeover_matrix({"a": oven, "b": oven.with_recipe(speed=80.0)}, step=1.0)
    {('a', 'b'): 7.0, ('b', 'a'): 6.0}
    """
    for name, oven in recipes.items():
        check_oven(name, oven, next(iter(recipes.values())))
    names = [(a, b) for a in recipes for b in recipes if a != b]
    waits = settling([(recipes[a], recipes[b]) for a, b in names], zones or OvenZones(), tolerance)
    found = {}
    for pair, wait in zip(names, waits, strict=True):
        minutes = emptying(recipes[pair[0]], recipes[pair[1]]) + wait
        found[pair] = step * math.ceil(minutes / step - 1e-9) if step else minutes
    return found


def emptying(first: Any, second: Any) -> float:
    """Minutes until the last board is out of the way: of the heated zones where they change, of the oven where the speed does."""
    if float(first.speed) != float(second.speed):
        return float(first.length() / first.speed)
    changed = any(float(a) != float(b) for a, b in zip(first.set_points, second.set_points, strict=True))
    return float((first.borders()[first.hot - 1] - 0.5 * first.gap) / first.speed) if changed else 0.0


def settling(pairs: Sequence[tuple[Any, Any]], zones: OvenZones, tolerance: float) -> list[float]:
    """Minutes until all heated zones are within the tolerance, of many changes in one ensemble."""
    import dataclasses

    import numpy as np

    if not tolerance > 0:
        raise errors.SpecError(f"tolerance is {tolerance:g} degC. Expected above 0 degC.", name="tolerance")
    if not pairs:
        return []
    heated = pairs[0][0].hot
    starts, ends = (np.array([[float(z) for z in pair[k].set_points[:heated]] for pair in pairs]) for k in (0, 1))
    model = zones if zones.zones == heated else dataclasses.replace(
        zones, zones=heated, set_points=tuple(ends[0]), before=tuple(starts[0]))
    for row in np.unique(ends, axis=0):
        _check_holding(dataclasses.replace(model, set_points=tuple(row), before=tuple(row)))
    many = twin.simulate_many(model, twin.Recipe.constant(), duration=HORIZON, every=STEP, initial=starts,
                              parameters={f"set_points[{k}]": ends[:, k] for k in range(heated)})
    away = np.abs(many["zone"] - ends[:, None, :]).max(axis=2)
    times, found = np.asarray(many.times), []
    for row in away:
        last = int(np.flatnonzero(row > tolerance)[-1]) if (row > tolerance).any() else -1
        if last == len(row) - 1:
            raise errors.SpecError(f"A zone is still {row[-1]:.3g} degC from its set point after {HORIZON:g} min. Choose a wider "
                                   "tolerance, or check heaters and heat capacity.")
        share = 0.0 if last < 0 else (row[last] - tolerance) / (row[last] - row[last + 1])
        found.append(0.0 if last < 0 else float(times[last] + share * (times[last + 1] - times[last])))
    return found


def _check_holding(model: OvenZones) -> None:
    import numpy as np

    for k, power in enumerate(np.asarray(model.holding()).tolist()):
        if not 0.0 < power < float(model.heater):
            need = f"needs {power:.3g} kW of heating, and the heater gives {float(model.heater):.3g} kW" if power > 0 else \
                "gets more heat from its neighbors than it loses"
            raise errors.SpecError(f"Zone {k + 1} cannot hold {float(model.set_points[k]):g} degC: it {need}. Choose set points "
                                   "that the oven can hold.", name=f"z{k + 1}")
