"""simulate: run a model through a recipe; simulator: the same, prepared for many calls."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from twin import errors
from twin.engine.runner import RawRun, Runner
from twin.lowering.system import system_of
from twin.recipe import Harvest, Recipe
from twin.simulation.checks import Checker
from twin.simulation.trajectory import PARTS, SHOWN, Event, Trajectory
from twin.status import Status

RTOL = 1e-6
MAX_STEPS = 100_000
POINTS = 201


def simulate(model: Any, recipe: Any = None, *, inputs: Mapping[str, Any] | None = None,
             initial: Mapping[str, Any] | Sequence[float] | None = None,
             parameters: Mapping[str, Any] | Sequence[float] | None = None, duration: float | str | None = None,
             times: Iterable[float | str] | None = None, points: int = POINTS, every: float | str | None = None,
             rtol: float = RTOL, atol: Any = None, max_steps: int = MAX_STEPS, sensitivities: Sequence[str] = (),
             check_limits: bool = True, execution: str | None = None, throw: bool = True) -> Trajectory:
    """Simulate a dynamic model.

    Parameters
    ----------
    model
        A dynamic model, or a stored one.
    recipe
        A `Recipe`, {input: value}, a run of `twin.Data` (its inputs as measured), or None for the recipe of the model.
        Values are numbers in the units of the model or strings with a unit ("25 degC").
    inputs
        Inputs and disturbances that replace those of the recipe in all phases.
    initial
        Initial states by name or as a vector; those of the model without.
    parameters
        Parameters by name or as a vector that differ from those of the model.
    duration
        Length in the model's time unit or with a unit ("400 h"); may be left out where the recipe has an end, which is
        then the last point, also where it is a crossing.
    times, every, points
        Output times, or their distance, or their number over the whole duration.
    rtol, atol
        Tolerances of one step; `atol` is a number, {state: number} in the units of the states, or by default `rtol`
        / 1000 times the nominal values.
    max_steps
        Most steps before the status is STEP_LIMIT.
    sensitivities
        Names of parameters and initial states ("initial.biomass") whose forward sensitivities are carried along.
    check_limits
        False allows inputs and initial states outside the limits of their signals.
    execution
        "python", "c", "numba" or "auto"; what `twin.use` says without.
    throw
        False returns what was computed with its status instead of raising.

    Raises
    ------
    SpecError
        Where a name, unit or value is wrong or an input is missing.
    ConvergenceError
        Where the simulation does not reach its end; `.trajectory` holds what was computed.

    Examples
    --------
    >>> import twin
    >>> from processes.bioreactor import Penicillin
    >>> batch = twin.simulate(Penicillin(), duration="400 h")
    >>> round(batch.final["product"], 3)
    1.619
    """
    prepared = Simulator(model, recipe, inputs=inputs, duration=duration, times=times, points=points, every=every,
                         rtol=rtol, atol=atol, max_steps=max_steps, sensitivities=sensitivities,
                         check_limits=check_limits, execution=execution)
    return prepared(initial, parameters, throw=throw)


def simulator(model: Any, recipe: Any = None, *, inputs: Mapping[str, Any] | None = None,
              duration: float | str | None = None, times: Iterable[float | str] | None = None, points: int = POINTS,
              every: float | str | None = None, rtol: float = RTOL, atol: Any = None, max_steps: int = MAX_STEPS,
              sensitivities: Sequence[str] = (), check_limits: bool = True,
              execution: str | None = None) -> Simulator:
    """A simulation prepared for repeated calls with other initial states and parameters; arguments as `simulate`.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> run = twin.simulator(ExothermicCstr(), {"t_coolant": 305.0}, duration=10)
    >>> cold, hot = run({"temperature": 320.0}), run({"temperature": 380.0})
    """
    return Simulator(model, recipe, inputs=inputs, duration=duration, times=times, points=points, every=every,
                     rtol=rtol, atol=atol, max_steps=max_steps, sensitivities=sensitivities,
                     check_limits=check_limits, execution=execution)


class Simulator:
    """A checked recipe, a compiled model and output times, ready to run."""

    def __init__(self, model: Any, recipe: Any = None, *, inputs: Mapping[str, Any] | None = None,
                 duration: Any = None, times: Any = None, points: int = POINTS, every: Any = None, rtol: float = RTOL,
                 atol: Any = None, max_steps: int = MAX_STEPS, sensitivities: Sequence[str] = (),
                 check_limits: bool = True, execution: str | None = None) -> None:
        self.check = check = Checker(model, check_limits)
        self.model, self.name = model, check.name
        if not model.layout("state"):
            raise errors.SpecError(f"{check.name} has no states: nothing moves in time. Use twin.steady.")
        if not 1e-14 < rtol < 1:
            raise errors.SpecError(f"rtol is {rtol:g}. Expected a number between 1e-14 and 1, 1e-6 for example.")
        self.recipe: Recipe = check.recipe(recipe, inputs)
        self.times = check.span(self.recipe, duration, times, points, every)
        # None lets the recipe itself end the run, so that a crossing that never comes is told
        self.duration = None if duration is None and times is None else self.times[-1]
        self.every = every
        self.rtol, self.max_steps, self.execution = float(rtol), int(max_steps), execution
        self.atol = self._atol(atol)
        self.sensitivities = tuple(sensitivities)
        self.layout = {role: tuple(model.layout(role)) for role in SHOWN}
        self.n_x = sum(r.count for r in self.layout["state"])
        held = {r.signal.per for r in self.layout["state"]}
        self.volumes = [r.start for r in self.layout["state"] if r.signal.name in held]
        self.phases = tuple(phase.name for phase in self.recipe.phases)
        self.parameter_names = tuple(check.parameter_names())
        self.system = system_of(model)
        self.runner = self._runner(self.times)
        self._defaults: tuple[list[float], list[float]] | None = None

    def _runner(self, times: Sequence[float]) -> Runner:
        return Runner(self.system, self.recipe, times=times, duration=self.duration, rtol=self.rtol, atol=self.atol,
                      max_steps=self.max_steps, execution=self.execution, sensitivities=self.sensitivities)

    def _atol(self, atol: Any) -> list[float]:
        scale = [abs(v) or 1.0 for v in self.check.nominal("state") + self.check.nominal("algebraic")]
        default = [1e-3 * self.rtol * v for v in scale]
        if atol is None:
            return default
        if isinstance(atol, Mapping):
            n = len(self.check.nominal("state"))
            loose = Checker(self.model, False)
            return loose.vector("state", atol, default[:n], "state") + default[n:]
        value = float(atol)
        if not value > 0 or not math.isfinite(value):
            raise errors.SpecError(f"atol is {atol}. Expected a positive number or {{state: number}}.")
        return [value] * len(default)

    def __call__(self, initial: Any = None, parameters: Any = None, *, throw: bool = True) -> Trajectory:
        """Simulate once.

        Parameters
        ----------
        initial, parameters
            By name, as vectors (their length, NaN and volumes are checked, not their limits), or None for those of the model.
        throw
            As in `simulate`.
        """
        x0, p = self.start(initial, parameters)
        raw = self.runner.run(x0, p)
        if self.duration is None and raw.status and raw.end < self.times[-1]:
            return self.with_times(self._up_to(raw.end))(initial, parameters, throw=throw)  # a crossing came before its at_most
        result = self._trajectory(raw, x0, p)
        if throw:
            self._refuse_empty_vessel(raw)
            if self.check.limits:
                self._refuse_overflow(result)
        if throw and not result.status:
            raise errors.ConvergenceError(result.message, status=result.status, trajectory=result)
        return result

    def _up_to(self, end: float) -> list[float]:
        """Output times of a recipe that ended earlier than it may: with the end, as many as were asked for."""
        if self.every is not None:
            return [*(t for t in self.times if t < end * (1 - 1e-12)), end]
        n = len(self.times) - 1
        return [*(end * (k / n) for k in range(n)), end]

    def start(self, initial: Any = None, parameters: Any = None) -> tuple[Sequence[float], Sequence[float]]:
        """Initial states and parameters as flat vectors."""
        if self._defaults is None:
            self._defaults = (self.check.initial(None), self.check.parameters(None))
        x0: Sequence[float]
        p: Sequence[float]
        x0, p = self._defaults
        by_name = initial is None or isinstance(initial, Mapping)
        if by_name and self._tied - set(initial or ()):
            raise errors.SpecError(
                f"The initial {', '.join(sorted(self._tied - set(initial or ())))} of {self.name} moves with the parameters of "
                f"sensitivities={list(self.sensitivities)}, which they do not see. Give initial= for it, then the start "
                "is fixed, or calibrate, which carries it along.")
        if parameters is not None:
            p = self._vector("parameters", parameters, len(p), self.check.parameters)
        if by_name and parameters is not None and self.moved_starts:
            x0 = self.check.initial(initial, p)
        elif initial is not None:
            x0 = self._vector("initial", initial, len(x0), self.check.initial)
        return x0, p

    @functools.cached_property
    def _tied(self) -> set[str]:
        """States whose start moves with a parameter that a sensitivity is asked for."""
        return set(self.check.moved_starts(self.sensitivities)) if self.sensitivities else set()

    @functools.cached_property
    def moved_starts(self) -> tuple[str, ...]:
        """States whose start, as the model gives it, moves with its parameters."""
        return self.check.moved_starts()

    def _vector(self, what: str, given: Any, n: int, convert: Any) -> Sequence[float]:
        if isinstance(given, Mapping):
            return convert(given)  # type: ignore[no-any-return]
        if len(given) != n:
            raise errors.SpecError(f"{what} has {len(given)} values. Expected {n} of {self.name}, or a mapping by "
                                   "name.")
        if not all(map(math.isfinite, given)) or (what == "initial" and any(not given[k] > 0 for k in self.volumes)):
            return convert(given)  # type: ignore[no-any-return]  # names the entry
        return given  # type: ignore[no-any-return]

    def _trajectory(self, raw: RawRun, x0: Sequence[float], p: Sequence[float]) -> Trajectory:
        return Trajectory(
            model=self.name, status=raw.status, message="" if raw.status else self._message(raw),
            time_unit=self.model.time_unit, raw_times=raw.times, raw=_Parts(raw), layout=self.layout,
            events=_Events(raw.events, self.layout["state"], self.phases), stats=raw.stats,
            parameters=_Parameters(self.parameter_names, p),
            sensitivities=self._sensitivities(raw, p) if self.sensitivities else None, again=_Again(self, x0, p))

    def _refuse_empty_vessel(self, raw: RawRun) -> None:
        """Raise where a harvest drew off all there is, or more."""
        for row in raw.events:
            phase = self.recipe.phases[int(row[1])]
            for name in {reset.out_of for reset in phase.reset if isinstance(reset, Harvest)}:
                held = self.check.rows("state")[name]
                before, after = row[2 + held.start], row[2 + self.n_x + held.start]
                if not after > 0:
                    unit = held.signal.unit
                    raise errors.SpecError(f"{self.name}.{name} is {after:g} {unit} after the harvest in phase {int(row[1])} "
                                           f"'{phase.name}' at {row[0]:g} {self.model.time_unit}. Expected a positive volume. "
                                           f"Draw off less than the {before:g} {unit} that are there.")

    def _refuse_overflow(self, result: Trajectory) -> None:
        """Raise where more was fed than the vessel holds; a thousandth more is left to `Trajectory.excursions`."""
        for k in self.volumes:
            row = next(r for r in self.layout["state"] if r.start == k)
            signal, rows = row.signal, result.raw["state"]
            for t, values in zip(result.raw_times, rows, strict=True):
                if values[k] > signal.upper * 1.001:
                    raise errors.SpecError(f"{self.name}.{signal.name} is {values[k]:g} {signal.unit} at {t:g} "
                                           f"{self.model.time_unit}. The vessel holds {signal.upper:g} {signal.unit}. Feed "
                                           "less, draw off with twin.Harvest, or see the run with check_limits=False.",
                                           trajectory=result)

    def _message(self, raw: RawRun) -> str:
        """What went wrong, when and where."""
        unit = self.model.time_unit
        text = f"{self.name} was simulated to {raw.end:.6g} {unit} of {self.times[-1]:.6g} {unit}. {raw.status}"
        if raw.status is Status.EVENT_MISSED:
            phase = self.recipe.phases[len(raw.events) - 1]
            return f"{text} Phase '{phase.name}' waited for {' '.join(str(v) for v in phase.until)}."  # type: ignore[union-attr]
        if raw.trouble and raw.status is not Status.STOPPED:
            values = named(self.layout["state"], raw.x_end) | named(self.layout["algebraic"], raw.z_end)
            name, _, cell = raw.trouble.partition("[")
            value = values[name][int(cell[:-1])] if cell else values[name]
            unit = self.check.rows("state", "algebraic")[name].signal.unit
            text += f" Trouble began with {raw.trouble} = {value:.6g} {unit}."
        return text

    def _sensitivities(self, raw: RawRun, p: Sequence[float]) -> Any:
        from twin.simulation.sensitivity import collect

        return collect(self, raw, p)

    def many(self, initial: Any = None, parameters: Any = None, *, executor: Any = None, threads: int | None = None,
             progress: Any = None) -> Any:
        """Simulate many members; see `twin.simulate_many`."""
        from twin.simulation.ensembles import run_members

        return run_members(self, initial, parameters, executor, threads, progress)

    def with_times(self, times: Sequence[float]) -> Simulator:
        """The same simulator with other output times (the same steps)."""
        other = copy.copy(self)
        other.times = [float(t) for t in times]
        other.runner = other._runner(other.times)
        return other


class _Parts(Mapping[str, Any]):
    """Rows by role, cut out of the engine's rows when asked for."""

    def __init__(self, raw: RawRun) -> None:
        self._raw, self._cut = raw, dict[str, Any]()

    def __getitem__(self, role: str) -> Any:
        if role not in self._cut:
            self._cut[role] = self._raw.part(PARTS[role])
        return self._cut[role]

    def __iter__(self) -> Iterator[str]:
        return iter(PARTS)

    def __len__(self) -> int:
        return len(PARTS)


class _Events(Sequence[Event]):
    """Events, named when asked for."""

    def __init__(self, rows: Any, states: Sequence[Any], phases: Sequence[str]) -> None:
        self._rows, self._states, self._phases = rows, states, phases

    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return tuple(self)[k]
        row = self._rows[k]
        n, phase = (len(row) - 2) // 2, int(row[1])
        return Event(float(row[0]), phase, self._phases[phase], named(self._states, row[2:2 + n]),
                     named(self._states, row[2 + n:2 + 2 * n]))

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return repr(tuple(self))


class _Parameters(Mapping[str, float]):
    """Parameters by name over the flat vector."""

    def __init__(self, names: tuple[str, ...], p: Sequence[float]) -> None:
        self._names, self._p = names, p

    def __getitem__(self, name: str) -> float:
        if name not in self._names:
            raise KeyError(name)
        return float(self._p[self._names.index(name)])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Again:
    """Repeats a run at other output times."""

    def __init__(self, simulator: Simulator, x0: Sequence[float], p: Sequence[float]) -> None:
        self.simulator, self.x0, self.p = simulator, x0, p

    def __call__(self, times: Sequence[float]) -> Trajectory:
        return self.simulator.with_times(times)(self.x0, self.p, throw=False)


def named(rows: Sequence[Any], flat: Sequence[float]) -> dict[str, Any]:
    """Values of a flat vector by name: floats, lists on cells."""
    return {r.signal.name: [float(v) for v in flat[r.where]] if r.shape else float(flat[r.where]) for r in rows}
