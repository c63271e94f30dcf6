"""Recipes: what is done to a unit, phase by phase, as data; every verb takes the same recipe."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors


@dataclasses.dataclass(frozen=True)
class Profile:
    """An input or disturbance given at points in time.

    Parameters
    ----------
    times
        Times since the start of the phase, in the model's time unit, strictly increasing.
    values
        One value a time, in the unit of the signal.
    hold
        "previous" (a staircase) or "linear". Before the first and after the last time the end value holds.
    """

    times: Sequence[float]
    values: Sequence[float]
    hold: str = "previous"

    def __post_init__(self) -> None:
        times = tuple(float(t) for t in self.times)
        values = tuple(float(v) for v in self.values)
        if len(times) != len(values) or not times:
            raise errors.SpecError(f"A Profile has {len(times)} times and {len(values)} values. Expected as many, "
                                   "at least one.")
        for i, (a, b) in enumerate(itertools.pairwise(times)):
            if not b > a:
                raise errors.SpecError(f"Profile time {b:g} in row {i + 1} follows {a:g}. Expected increasing times. "
                                       "Sort the rows and drop duplicates.")
        for i, v in enumerate(values):
            if not math.isfinite(v) or not math.isfinite(times[i]):
                raise errors.SpecError(f"Profile row {i} is ({times[i]}, {v}). Expected finite numbers. Drop or "
                                       "fill the row.")
        if self.hold not in ("previous", "linear"):
            raise errors.SpecError(f"hold is '{self.hold}'. Expected 'previous' or 'linear'.")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PID:
    """A sampled PID controller that moves an input (positional form, derivative on the measurement, clamped integral).

    With e = setpoint - measured: u = bias + gain (e + integral of e / integral_time - derivative_time d(measured)/dt).
    Between samples the input is held. A negative `gain` makes a reverse-acting loop.

    Parameters
    ----------
    measured
        State, algebraic or output that the loop holds.
    setpoint
        A number, or a `Profile`, in the unit of `measured`.
    gain, bias
        Input per error, and input without error.
    sample_time, integral_time, derivative_time
        In the time unit of the model.
    lower, upper
        Limits of the input; the integral stops there.
    """

    measured: str
    setpoint: float | Profile
    gain: float
    sample_time: float
    integral_time: float = math.inf
    derivative_time: float = 0.0
    bias: float = 0.0
    lower: float = -math.inf
    upper: float = math.inf

    def __post_init__(self) -> None:
        for name in ("sample_time", "integral_time"):
            if not getattr(self, name) > 0:
                raise errors.SpecError(f"PID.{name} is {getattr(self, name):g}. Expected a positive time.")
        if not self.lower < self.upper:
            raise errors.SpecError(f"PID limits are {self.lower:g} and {self.upper:g}. Expected lower < upper.")


@dataclasses.dataclass(frozen=True)
class Bolus:
    """Add `amount` (in the unit of the volume state `into`) that carries `contents` (concentrations by state name)."""

    into: str
    amount: float
    contents: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Harvest:
    """Draw off `amount` (in the unit of the volume state `out_of`), or the `fraction` of it; concentrations stay."""

    out_of: str
    amount: float = 0.0
    fraction: float = 0.0


@dataclasses.dataclass(frozen=True)
class Assign:
    """Set a state to a value."""

    state: str
    value: float


Reset = Bolus | Harvest | Assign
InputValue = float | str | Profile | PID


@dataclasses.dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase of a recipe.

    Parameters
    ----------
    inputs
        Inputs and disturbances by name: a number in the signal's unit, a string with unit ("25 degC"), a `Profile` or
        (inputs only) a `PID`. What is not named keeps what it had in the phase before; disturbances never named take
        their nominal value.
    until
        A duration in the model's time unit or with a unit ("8 h"); a crossing ("substrate", "below", 0.3) of a state,
        algebraic or output; or None: to the end of the simulation.
    at_most
        Longest duration of a phase that ends with a crossing.
    reset
        What happens to the states at the start of the phase, in order.
    name
        For reports and events.
    """

    inputs: Mapping[str, InputValue] = dataclasses.field(default_factory=dict)
    until: float | str | tuple[str, str, float | str] | None = None
    at_most: float | str = math.inf
    reset: Sequence[Reset] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.until, tuple):
            if len(self.until) != 3 or self.until[1] not in ("above", "below"):
                raise errors.SpecError(f"until is {self.until!r}. Expected (signal, 'above' or 'below', value).")
        else:
            _positive("until", self.until)
        _positive("at_most", self.at_most)
        object.__setattr__(self, "reset", tuple(self.reset))


def _positive(name: str, value: float | str | None) -> None:
    if isinstance(value, int | float) and not value > 0:
        raise errors.SpecError(f"{name} is {value:g}. Expected a positive duration.")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Phases that follow each other: `phases` is a sequence of `Phase`; only the last one may have no end."""

    phases: Sequence[Phase]

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(self.phases))
        if not self.phases:
            raise errors.SpecError("A Recipe has no phases. Give at least one Phase.")
        for k, phase in enumerate(self.phases[:-1]):
            if phase.until is None:
                raise errors.SpecError(f"Phase {k} '{phase.name}' has no end. Only the last phase may leave out "
                                       "`until`.")

    @classmethod
    def constant(cls, **inputs: Any) -> Recipe:
        """One phase with these inputs, to the end of the simulation."""
        return cls([Phase(inputs=inputs)])
