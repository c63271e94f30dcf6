"""forecast: how a run will go on, with intervals measured on runs left out, and where nothing is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.forecasting.intervals import Intervals, intervals_from, measure_intervals
from twin.forecasting.members import Members, members_of
from twin.forecasting.result import Band, Forecast
from twin.learning.domain import ROLES, outside
from twin.learning.kept import with_numbers
from twin.learning.result import Training
from twin.recipe import Phase, Recipe
from twin.status import Status

POINTS = 201


def forecast(source: Any, recipe: Any = None, *, so_far: Any = None, update: Sequence[Any] = (), intervals: Any = None,
             level: float = 0.9, signals: Sequence[str] | None = None, initial: Mapping[str, Any] | None = None,
             inputs: Mapping[str, Any] | None = None, duration: float | str | None = None, times: Sequence[float] | None = None,
             points: int = POINTS, rtol: float = 1e-6, execution: str | None = None, throw: bool = True) -> Forecast:
    """Forecast a run with intervals.

    Parameters
    ----------
    source
        What `train` or `calibrate` gave, `twin.Scenarios`, or a model.
    recipe
        What will be done: a `Recipe`, {input: value or profile}, or a run of `twin.Data` whose inputs are taken as planned.
        With `so_far` it begins now; without a recipe the last inputs are held.
    so_far
        A run of `twin.Data` that is still going on: its inputs are taken as recorded, "now" is its last sample.
    update
        What is fitted to the measurements of the run so far, for each member, as the unknowns of `calibrate`: names, or
        `twin.Unknown` with a prior. Initial states ("initial.biomass") suit most.
    intervals
        `Intervals`, or runs that were left out, on which they are measured. A training brings its own.
    level
        Share of the measurements that the bands shall hold.
    signals
        Signals to forecast; those with measured intervals, and all states and outputs, without.
    initial
        Initial states, {state: value}.
    inputs
        Inputs and disturbances that the recipe lacks.
    duration, times, points
        Length and output times of the run from its start, as in `simulate`.
    rtol, execution, throw
        As in `simulate`.

    Raises
    ------
    SpecError, DataError
        Where a name, unit or value is wrong.
    ConvergenceError
        Where the forecast itself cannot be simulated to its end.

    Examples
    --------
    >>> import twin
    >>> from processes.bioreactor import BajpaiReuss
    >>> s = twin.Scenarios(BajpaiReuss(), {"mu_max": [0.105, 0.110, 0.115]})
    >>> f = twin.forecast(s, {"feed": 10.0}, duration="100 h")
    >>> value, lower, upper = f.final["product"]
    >>> lower < value < upper
    True
    """
    if not 0 < level < 1:
        raise errors.out_of_range("level", level, "-", 0, 1, "Give 0.9, for example.")
    members, known = members_of(source), _intervals(source, intervals, initial, inputs)
    now, plan = 0.0, recipe
    if so_far is not None:
        members, now, plan = _from_now(members, so_far, recipe, update, known, initial, inputs)
    elif update:
        raise errors.SpecError("update was given without so_far. Expected the run whose measurements it is fitted to.")
    model = members.model
    from twin.simulation.simulate import simulator

    prepared = simulator(model, plan, inputs=inputs, duration=duration, times=times, points=points, rtol=rtol,
                         check_limits=False, execution=execution)
    start = initial if members.starts is None else members.starts
    main = prepared(None if initial is None else initial, members.vectors[0], throw=throw) if members.starts is None else (
        prepared(members.starts[0], members.vectors[0], throw=throw))
    many = prepared.many(start, members.vectors)
    bands, done = {}, len(main)
    for name in _signals(main, known, signals):
        values = many[name][:, :done]
        center, spread = members.center(values), members.spread(values)
        bands[name] = _band(main.row(name).signal, center, spread, known, level, values)
    rows = {role: main.raw[role] for role in ROLES}
    left = outside(model, rows, main.times, members.vectors[0]) if getattr(model, "learned", None) else ()
    coverage = known.coverage(level) if known is not None else {}
    failed = len(members.vectors) - len(many.finished)
    return Forecast(main.status, main.message, main.model, main.time_unit, main.times, level, bands, coverage, left, now, main,
                    tuple(_sentences(main, bands, known, coverage, level, left, failed)),
                    known.scales if known is not None else {})


def _intervals(source: Any, given: Any, initial: Any, inputs: Any) -> Intervals | None:
    if isinstance(given, Intervals):
        return given
    if given is not None:
        return measure_intervals(source, given, initial=initial, inputs=inputs)
    if isinstance(source, Training) and source.predictions:
        return intervals_from(source.predictions)
    return None


def _from_now(members: Members, run: Any, recipe: Any, update: Sequence[Any], known: Intervals | None, initial: Any,
              inputs: Mapping[str, Any] | None) -> tuple[Members, float, Recipe]:
    """Members fitted to the run so far, the time now, and the recorded inputs with the plan behind them."""
    import numpy as np

    from twin.calibration.experiments import thinned

    run = run.in_units_of(members.model)
    now = run.duration
    if not now > 0:
        raise errors.DataError(f"Run '{run.name}' has no sample after its start. Expected a run that is going on.")
    recorded: dict[str, Any] = {n: thinned(p) for n, p in run.inputs(members.model).items()}
    held = {n: p.values[-1] for n, p in recorded.items()}
    if recipe is None:
        recipe = Recipe.constant(**held)
    elif isinstance(recipe, Mapping):
        recipe = Recipe.constant(**{**held, **recipe})
    elif not isinstance(recipe, Recipe):
        plan = recipe.in_units_of(members.model).between(now, recipe.in_units_of(members.model).duration,
                                                        carry=tuple(recipe.inputs(members.model)))
        recipe = Recipe.constant(**{**held, **{n: thinned(p) for n, p in plan.inputs(members.model).items()}})
    past = Phase(name="so far", inputs={**recorded, **(inputs or {})}, until=now)
    whole = Recipe((past, *(dataclasses.replace(p, name=p.name or "plan") for p in recipe.phases)))
    if not update:
        return members, now, whole
    from twin.calibration.fit import calibrate

    noise = None if known is None else {n: (s.absolute, f"{100 * s.relative:.6g} %") for n, s in known.scales.items() if n in run}
    vectors, starts = [], []
    for p in members.vectors:
        model = with_numbers(members.model, p)
        fit = calibrate(model, run, list(update), initial=initial, inputs=inputs, noise=noise, loss="soft_l1", throw=False)
        vectors.append(fit.model.parameter_vector())
        starts.append(_start_of(fit, run.name, initial))
    return dataclasses.replace(members, vectors=np.array(vectors, float), starts=np.array(starts, float)), now, whole


def _start_of(fit: Any, run: str, initial: Any) -> Any:
    """Initial states of a run after a calibration."""
    from twin.simulation.checks import Checker

    given = dict(initial or {})
    for name, value in fit.parameters.items():
        kind, _, rest = name.partition(".")
        state, _, where = rest.partition("@")
        if kind == "initial" and where in ("", run):
            given[state] = float(value)
    return Checker(fit.model, False).initial(given)


def _signals(main: Any, known: Intervals | None, wanted: Sequence[str] | None) -> list[str]:
    if wanted is not None:
        for name in wanted:
            main.row(name)
        return list(wanted)
    every = [n for n in main.names("state", "algebraic", "output") if not main.row(n).shape]
    first = [n for n in (known.scales if known is not None else ()) if n in every]
    return [*first, *(n for n in every if n not in first)]


def _band(signal: Any, center: Any, spread: Any, known: Intervals | None, level: float, values: Any) -> Band:
    """Interval of one signal, within its physical limits where the forecast itself is."""
    import numpy as np

    measured = known is not None and signal.name in known.scales
    if known is not None and measured:
        half = known.half(signal.name, center, spread, level)
        lower, upper = center - half, center + half
    else:
        tail = 0.5 * (1 - level)
        with np.errstate(all="ignore"):
            lower, upper = np.nanquantile(values, tail, axis=0), np.nanquantile(values, 1 - tail, axis=0)
        lower, upper = np.minimum(lower, center), np.maximum(upper, center)
    lower = np.maximum(lower, np.minimum(signal.lower, center))
    upper = np.minimum(upper, np.maximum(signal.upper, center))
    return Band(signal.name, signal.unit, center, lower, upper, spread, measured)


def _sentences(main: Any, bands: Mapping[str, Band], known: Intervals | None, coverage: Mapping[str, float], level: float,
               left: Sequence[Any], failed: int) -> list[str]:
    found = []
    if main.status is not Status.SUCCESS:
        found.append(main.message)
    measured = [n for n, b in bands.items() if b.measured]
    if known is not None and measured:
        for n in measured:
            b = bands[n]
            found.append(f"{n} ends at {b.value[-1]:.4g} {b.unit}, with {level:.0%} between {b.lower[-1]:.4g} and "
                         f"{b.upper[-1]:.4g} {b.unit}.")
        share = coverage.get("", math.nan)
        found.append(f"On {len(known.runs)} runs left out, each judged by the others, the {level:.0%} bands held {share:.0%} "
                     "of the samples." if math.isfinite(share) else
                     f"Intervals come from {len(known.runs)} runs left out: too few to measure how many samples they hold.")
    else:
        found.append("No runs were left out: the bands show how far the members differ, not how far the plant does. Give "
                     "intervals=runs that the model was not fitted to.")
    found += [o.sentence(main.time_unit) for o in left]
    found += [f"Outside its limits: {e}" for e in main.excursions]
    if failed:
        found.append(f"{failed} members could not be simulated to the end and were left out.")
    return found
