"""What a controller is to do, checked: names resolved, numbers in the units of the model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.dynamic.plan import Limit, Place
from optimizers.dynamic.problem import Integral, count
from optimizers.dynamic.reading import bounds_of, limit_of, moves_of, places, rate_of
from twin import errors
from twin.recipe import Profile
from twin.simulation.checks import Checker, number

MEASURED = ("state", "algebraic", "output")


@dataclasses.dataclass(frozen=True)
class Track:
    """A quantity that is held at a target.

    Parameters
    ----------
    target
        In the unit of the quantity: a number, text with a unit, or a `twin.Profile` over the time of the plant.
    weight
        Cost of the square of one unit of deviation, counted at each step of the horizon and at its end; None: 1 over the
        square of the nominal value.
    """

    target: float | str | Profile
    weight: float | None = None


@dataclasses.dataclass(frozen=True)
class Tracked:
    """A tracked quantity in numbers."""

    place: Place
    target: float | Profile
    weight: float


@dataclasses.dataclass(frozen=True)
class Priced:
    """A quantity whose value (or integral) counts in the objective."""

    place: Place
    weight: float
    integral: bool


@dataclasses.dataclass(frozen=True)
class Control:
    """A moved input: bounds, bounds of its rate per time, cost of a squared change."""

    place: Place
    lower: float
    upper: float
    rate: tuple[float, float]
    change: float


@dataclasses.dataclass(frozen=True)
class Statement:
    """A control problem in numbers; the horizon has `len(blocks)` moves of `sum(blocks)` intervals."""

    check: Checker
    interval: float
    blocks: tuple[int, ...]
    controls: tuple[Control, ...]
    tracked: tuple[Tracked, ...]
    priced: tuple[Priced, ...]
    limits: tuple[Limit, ...]
    given: Mapping[str, float | Profile]
    p: tuple[float, ...]
    degree: int
    elements: int
    last_interval: bool

    @property
    def steps(self) -> int:
        """Intervals of the horizon."""
        return sum(self.blocks)

    @property
    def held(self) -> tuple[bool, ...]:
        """For each interval, whether the inputs are those of the one before."""
        return tuple(k > 0 for block in self.blocks for k in range(block))


def statement_of(model: Any, *, moves: Any, interval: Any, horizon: int, track: Mapping[str, Any], maximize: Any, minimize: Any,
                 change: Mapping[str, float], limits: Mapping[str, Any], final: Mapping[str, Any], inputs: Mapping[str, Any],
                 parameters: Mapping[str, Any] | None, blocks: Sequence[int] | None, degree: int, elements: int,
                 last_interval: bool) -> Statement:
    """The checked statement."""
    if not hasattr(model, "derivative") or not model.layout("state"):
        raise errors.SpecError(f"Nmpc got {type(model).__name__}. Expected a dynamic model; load a stored one with "
                               "twin.load(path, model=ItsClass).")
    check = Checker(model)
    controls = _controls(check, moves, change)
    names = {c.place.name for c in controls}
    tracked = tuple(_tracked(check, name, given) for name, given in track.items())
    priced = (*_priced(check, minimize, 1.0, "minimize"), *_priced(check, maximize, -1.0, "maximize"))
    if not tracked and not priced:
        raise errors.SpecError("The controller has no goal. Give track={name: target}, minimize= or maximize=.")
    found = []
    for where, table, phase in (("", limits, None), ("final ", final, -1)):
        for name, given in table.items():
            for place in places(check, name, *MEASURED):
                for one in given if isinstance(given, list) else [given]:
                    found.append(limit_of(check, place, one, phase, f"{where}{place.name}"))
    if phase_soft := [k for k in found if k.phase is not None and k.price is not None]:
        raise errors.SpecError(f"The final limit of {phase_soft[0].place.name} is soft. Expected a hard one, or track= with a "
                               "weight.")
    made = tuple(blocks) if blocks is not None else (1,) * count("horizon", horizon)
    for size in made:
        count("a block", size)
    return Statement(check, check.time("interval", interval), made, controls, tracked, priced, tuple(found),
                     _given(check, inputs, names), tuple(check.parameters(parameters)), degree, elements, last_interval)


def _controls(check: Checker, moves: Any, change: Mapping[str, float]) -> tuple[Control, ...]:
    found = moves_of(check, moves)
    if not found:
        raise errors.SpecError(f"The controller moves nothing. Name inputs of {check.name} in moves=: "
                               f"{', '.join(check.rows('input')) or 'it has none'}.")
    for name in change:
        if name not in found:
            raise errors.unknown("moved input", name, f"{check.name} (change=)", found)
    controls = []
    for name, move in found.items():
        if move.hold != "previous" or move.grid is not None or move.intervals is not None or move.phases is not None:
            raise errors.SpecError(f"The move of {name} has a hold, grid, intervals or phases. A controller holds its inputs "
                                   "over one interval; use blocks= for coarser moves.")
        weight = float(change.get(name, 0.0))
        if not (math.isfinite(weight) and weight >= 0):
            raise errors.SpecError(f"change of {name} is {weight:g}. Expected a cost of 0 or more for a squared change.")
        place = places(check, name, "input")[0]
        signal = check.known("input", name, "input").signal
        controls.append(Control(place, *bounds_of(check, name, move), rate_of(check, name, move, signal), weight))
    return tuple(controls)


def target_of(label: str, value: Any, unit: str) -> float | Profile:
    """A target, or anything else that may change in time."""
    return value if isinstance(value, Profile) else number(label, value, unit)


def _tracked(check: Checker, name: str, given: Any) -> Tracked:
    track = given if isinstance(given, Track) else Track(*given) if isinstance(given, tuple) else Track(given)
    found = places(check, name, *MEASURED)
    if len(found) > 1:
        raise errors.SpecError(f"track names {name}, which lies on {len(found)} cells. Name one, such as '{name}[0]'.")
    place = found[0]
    weight = 1 / place.size**2 if track.weight is None else float(track.weight)
    if not (math.isfinite(weight) and weight > 0):
        raise errors.SpecError(f"The weight of {check.name}.{name} is {weight:g}. Expected a number above 0.")
    return Tracked(place, target_of(f"the target of {check.name}.{name}", track.target, place.unit), weight)


def _priced(check: Checker, goal: Any, sign: float, what: str) -> tuple[Priced, ...]:
    if goal is None:
        return ()
    given = goal if isinstance(goal, Mapping) else {goal: 1.0}
    found = []
    for term, weight in given.items():
        name = term.signal if isinstance(term, Integral) else term
        if not isinstance(name, str):
            raise errors.SpecError(f"{what} names {term!r}. Expected a signal or Integral(signal).")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight == 0:
            raise errors.SpecError(f"The weight of {name} in {what} is {weight!r}. Expected a number other than 0.")
        found += [Priced(place, sign * float(weight), isinstance(term, Integral))
                  for place in places(check, name, *MEASURED, "input")]
    return tuple(found)


def _given(check: Checker, inputs: Mapping[str, Any], moved: set[str]) -> dict[str, float | Profile]:
    """Inputs and disturbances that are not moved: given ones, those of the model's recipe, nominal disturbances."""
    rows = check.rows("input", "disturbance")
    recipe = check.model.recipe() if hasattr(check.model, "recipe") else None
    found: dict[str, Any] = {n: r.signal.nominal for n, r in rows.items() if r.signal.role == "disturbance"}
    if recipe is not None:
        found |= {n: v for n, v in recipe.phases[0].inputs.items() if isinstance(v, int | float | Profile)}
    for name, value in inputs.items():
        row = check.known("input", name, "input", "disturbance")
        if name in moved:
            raise errors.SpecError(f"{check.name}.{name} is moved and given. Leave it out of inputs=.")
        found[name] = value if isinstance(value, Profile) else check.value(row.signal, value)
    found = {n: v for n, v in found.items() if n not in moved}
    missing = [n for n, r in rows.items() if r.signal.role == "input" and n not in moved and n not in found]
    if missing:
        raise errors.SpecError(f"{check.name} has inputs that are neither moved nor given: {', '.join(missing)}. Name them in "
                               "moves= or give them a value in inputs=.")
    return found

