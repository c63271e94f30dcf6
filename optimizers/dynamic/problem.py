"""Trajectory: what is sought in a run and within which limits, as data; Move, Integral and Sum say the details."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from twin import errors
from twin.limits import Soft
from twin.recipe import Profile, Recipe


@dataclasses.dataclass(frozen=True)
class Integral:
    """The integral of a signal over the whole run, in the unit of the signal times the time unit of the model."""

    signal: str


@dataclasses.dataclass(frozen=True)
class Sum:
    """The sum of a signal over given times, in the unit of the signal; for deviations from samples, for example.

    Attributes
    ----------
    signal
        An output or state.
    times
        Times since the start of the run, in the time unit of the model. Given inputs and disturbances count with the value
        that they have from that time on.
    """

    signal: str
    times: Sequence[float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", tuple(float(t) for t in self.times))


Term = str | Integral | Sum


@dataclasses.dataclass(frozen=True)
class Move:
    """How an input may be moved.

    Attributes
    ----------
    lower, upper
        Bounds in the unit of the input, or text with a unit; those of the signal where None.
    intervals
        Equal intervals in each phase; those of the problem where None.
    grid
        In place of `intervals`, the times at which the input may change, from 0 to the end of the phase, in the model's time
        unit.
    hold
        "previous" (a staircase) or "linear" (straight lines from interval to interval).
    rate
        (lower, upper) bounds of the change per time, in the unit of the input per time unit of the model; a change between
        two intervals counts over the length of the first one.
    phases
        Names or numbers of the phases in which it may be moved; all where None.
    """

    lower: float | str | None = None
    upper: float | str | None = None
    _: dataclasses.KW_ONLY
    intervals: int | None = None
    grid: Sequence[float] | None = None
    hold: str = "previous"
    rate: tuple[float | None, float | None] = (None, None)
    phases: Sequence[str | int] | None = None

    def __post_init__(self) -> None:
        if self.hold not in ("previous", "linear"):
            raise errors.SpecError(f"Move.hold is '{self.hold}'. Expected 'previous' or 'linear'.")
        if self.intervals is not None:
            count("Move.intervals", self.intervals)
        if self.intervals is not None and self.grid is not None:
            raise errors.SpecError("A Move has intervals and a grid. Keep one of the two.")
        if self.grid is not None:
            object.__setattr__(self, "grid", increasing("Move.grid", self.grid))


def count(what: str, value: Any) -> int:
    """A whole number above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise errors.SpecError(f"{what} is {value!r}. Expected a whole number above 0.")
    return value


def increasing(what: str, values: Sequence[float]) -> tuple[float, ...]:
    """Increasing finite times from zero."""
    found = tuple(float(v) for v in values)
    if len(found) < 2 or found[0] != 0 or any(not b > a for a, b in itertools.pairwise(found)) \
            or not math.isfinite(found[-1]):
        raise errors.SpecError(f"{what} is {list(found)}. Expected increasing times from 0 to the end of the phase.")
    return found


Pair = tuple[float | str | None, float | str | None]
Bounds = Pair | Soft | float | str | Sequence[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectory:
    """The best run of a model: which inputs to move how, for how long, within which limits.

    A pair (lower, upper) is free or limited between its two ends, None where there is none; a number is fixed. Numbers are in
    the units of the model; text with a unit ("150 h") is converted. Signals are named as in the model.

    Parameters
    ----------
    model
        A dynamic model.
    maximize, minimize
        One of the two. A state or output: its value at the end of the run. `Integral("power")`: its integral. "duration".
        `Sum("error", times)`: its sum over samples. Several as {term: weight}.
    moves
        Inputs to be found: a name, names, {name: (lower, upper)} or {name: Move(...)}. Bounds are those of the signals
        where none are given.
    intervals
        Intervals in which an input is constant, for all moves that do not say it themselves.
    duration
        Length of the run, or (shortest, longest). With a recipe it is that of the last phase where that has no end.
    recipe
        What is done where nothing is moved, as for `twin.simulate`; without it that of the model. It is also where the search
        starts. A phase that ends at a crossing ends there in the optimum, too, whenever that is.
    durations
        {phase: (shortest, longest)} of phases of the recipe, by name or number.
    inputs
        Inputs and disturbances that replace those of the recipe: a number, text with a unit, or a `twin.Profile`.
    parameters, initial
        Values that replace those of the model; a pair makes one a decision.
    limits
        {signal: (lower, upper)} that hold all along; also a number with `twin.soft(...)`, a `twin.Profile` for a side that
        changes in time, or a list of these.
    final
        {signal: value or (lower, upper)} at the end of the run.
    totals
        {signal: (lower, upper)} of integrals over the run.
    unit
        Unit of an objective of several terms, for reports.

    Options of `solve`
    ------------------
    starts
        Number of searches; the further ones start from random inputs.
    degree
        Collocation points in an element, 2 to 5.
    gap
        Largest relative difference between claimed and re-simulated objective before elements are refined.
    tolerance, max_iterations
        Of the interior-point method.
    build
        True compiles the solver for this problem alone before the first solve: a few seconds that pay for repeated solves.
    execution, threads, progress
        As elsewhere; `progress` is called with a line of text.

    Raises
    ------
    twin.errors.SpecError
        A name, unit or value is wrong, limits contradict each other, or a grid does not fit.

    Examples
    --------
    The feed of a penicillin batch with a limit on the biomass, the batch as long as is best:

    >>> import optimizers
    >>> from processes.bioreactor import BajpaiReuss
    >>> batch = optimizers.Trajectory(
    ...     BajpaiReuss(), maximize="product_mass", moves="feed", intervals=30, duration=(100, 150),
    ...     limits={"biomass": (None, 40), "substrate": (0, 25)}, final={"volume": (None, 10)})

    Bringing the van de Vusse reactor to another concentration within 30 minutes:

    >>> from processes.chemical import VanDeVusse
    >>> change = optimizers.Trajectory(
    ...     VanDeVusse.do_mpc(), maximize="c_b", moves=["flow", "duty"], intervals=20, duration="30 min",
    ...     limits={"t_reactor": ("100 degC", "140 degC")})
    """

    model: Any
    _: dataclasses.KW_ONLY
    maximize: Term | Mapping[Term, float] | None = None
    minimize: Term | Mapping[Term, float] | None = None
    moves: str | Sequence[str] | Mapping[str, Pair | Move] = ()
    intervals: int = 20
    duration: float | str | Pair | None = None
    recipe: Recipe | Mapping[str, Any] | None = None
    durations: Mapping[str | int, Pair] = dataclasses.field(default_factory=dict)
    inputs: Mapping[str, float | str | Profile] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, float | str | Pair] = dataclasses.field(default_factory=dict)
    initial: Mapping[str, float | str | Pair] = dataclasses.field(default_factory=dict)
    limits: Mapping[str, Bounds] = dataclasses.field(default_factory=dict)
    final: Mapping[str, Bounds] = dataclasses.field(default_factory=dict)
    totals: Mapping[str, Bounds] = dataclasses.field(default_factory=dict)
    unit: str = ""
    plan: Any = dataclasses.field(default=None, init=False, repr=False, metadata={"doc": "every name and number of it, checked"})

    solved_by: ClassVar[str] = "optimizers.dynamic.solving"

    def __post_init__(self) -> None:
        from optimizers.dynamic.statement import plan_of

        object.__setattr__(self, "plan", plan_of(self))  # a mistake is told where it is written, not where it is solved

    def __repr__(self) -> str:
        goal = f"maximize={self.maximize!r}" if self.minimize is None else f"minimize={self.minimize!r}"
        return f"Trajectory({type(self.model).__name__}, {goal})"
