"""What was done and measured in each run: recipes, starts and samples in the units of the model."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.data import Data, Run
from twin.recipe import Profile, Recipe
from twin.series import Series
from twin.simulation.checks import Checker

MEASURED = ("state", "algebraic", "output")
FIRST = "first"


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """One run: its recipe, its initial states, its output times and its samples."""

    name: str
    recipe: Recipe
    initial: dict[str, float]
    times: tuple[float, ...]
    samples: dict[str, tuple[Any, Any]]  # signal -> positions in times, values
    data: Run

    @property
    def count(self) -> int:
        """Number of samples."""
        return sum(len(v) for _, v in self.samples.values())


def runs_of(data: Any, model: Any) -> tuple[Run, ...]:
    """Runs of any accepted form: Data, a run, runs, a DataFrame, or {signal: (times, values)} in the units of the model."""
    if isinstance(data, Run):
        return (data,)
    if hasattr(data, "columns"):
        return tuple(Data.from_frame(data))
    if isinstance(data, Mapping):
        known = {s.name: s for s in model.signals}
        for name in data:
            if name not in known:
                raise errors.unknown("signal", name, Checker(model).name, known)
        series = [Series(n, times, values, known[n].unit) for n, (times, values) in data.items()]
        return (Run("data", None, series, model.time_unit),)
    return tuple(Data(data))


def experiments_of(model: Any, data: Any, *, signals: Sequence[str] | None = None, recipe: Any = None,
                   inputs: Mapping[str, Any] | None = None, initial: Any = None,
                   exclude: Iterable[tuple[str, str, float]] = ()) -> tuple[Experiment, ...]:
    """One experiment a run; arguments as `twin.calibrate`."""
    runs = runs_of(data, model)
    if not runs:
        raise errors.DataError("The data hold no run. Read at least one.")
    check = Checker(model)
    known = [n for role in MEASURED for n, r in check.rows(role).items() if not r.shape]
    for name in signals or ():
        if name not in known:
            raise errors.unknown("measured signal", name, check.name, known)
    for per_run in (recipe, initial):
        if isinstance(per_run, Mapping) and any(n in per_run for n in (r.name for r in runs)):
            for name in per_run:
                if name not in [r.name for r in runs]:
                    raise errors.unknown("run", name, "the data", [r.name for r in runs])
    if not hasattr(model, "with_parameter_vector"):
        raise errors.SpecError(f"{check.name} is a stored model. Its parameters are fitted through its class: load it with "
                               "twin.load(path, model=TheClass).")
    if not model.layout("state"):
        raise errors.SpecError(f"{check.name} has no states: nothing moves in time. Expected a dynamic model.")
    left_out = {(run, signal, round(float(t), 9)) for run, signal, t in exclude}
    wanted = list(signals) if signals is not None else known
    found = [_experiment(model, run, [n for n in wanted if n in run], recipe, inputs, initial, left_out) for run in runs]
    if not any(e.count for e in found):
        measured = ", ".join(sorted({n for run in runs for n in run.names})) or "nothing"
        raise errors.DataError(f"The data hold no sample of a state, algebraic or output of {check.name} that can be fitted. "
                               f"They hold {measured}. Name the series as the signals of the model.")
    return tuple(found)


def unused(model: Any, experiments: Sequence[Experiment]) -> list[str]:
    """Sentences on series whose name is no signal of the model."""
    known = [s.name for s in model.signals]
    lost: dict[str, list[str]] = {}
    for e in experiments:
        for name in e.data.names:
            if name not in known:
                lost.setdefault(name, []).append(e.name)
    said = []
    for name, runs in lost.items():
        near = difflib.get_close_matches(name, known, 1, 0.6)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        where = "in all runs" if len(runs) == len(experiments) else f"in run {', '.join(runs[:3])}"
        said.append(f"Series '{name}' ({where}) is no signal of {Checker(model).name} and was not used.{hint}")
    return said


def _experiment(model: Any, run: Run, names: Sequence[str], recipe: Any, inputs: Mapping[str, Any] | None, initial: Any,
                left_out: set[tuple[str, str, float]]) -> Experiment:
    import numpy as np

    check = Checker(model)
    native = run.in_units_of(model)
    Data([native.select(*names)]).check(model)
    kept: dict[str, tuple[Any, Any]] = {}
    for name in names:
        series = native[name]
        good = series.usable & (series.times >= 0)
        if left_out:
            good &= np.array([(run.name, name, round(float(t), 9)) not in left_out for t in series.times], dtype=bool)
        kept[name] = (series.times[good], series.values[good])
    kept = {n: v for n, v in kept.items() if len(v[0])}
    grid = np.unique(np.concatenate([t for t, _ in kept.values()])) if kept else np.zeros(0)
    samples = {n: (np.searchsorted(grid, t), v) for n, (t, v) in kept.items()}
    if len(grid) and not grid[-1] > 0:
        raise errors.DataError(f"Run '{run.name}' has samples at its start only. Expected one later at least.")
    given = initial.get(run.name, initial) if isinstance(initial, Mapping) else initial
    return Experiment(run.name, _recipe(check, run, recipe, inputs), _start(check, given, native, names),
                      tuple(float(t) for t in grid), samples, run)


def _recipe(check: Checker, run: Run, recipe: Any, inputs: Mapping[str, Any] | None) -> Recipe:
    """The recipe of a run: the one given, else what was measured over the recipe of the model."""
    acted = {n: thinned(p) for n, p in run.inputs(check.model).items()}
    loose = dataclasses.replace(check, limits=False)  # measured inputs are what they are
    if isinstance(recipe, Mapping) and run.name in recipe:
        recipe = recipe[run.name]
    if isinstance(recipe, Recipe):
        first = recipe.phases[0]
        started = dataclasses.replace(first, inputs={**acted, **first.inputs})
        return loose.recipe(Recipe((started, *recipe.phases[1:])), inputs)
    extra = {**acted, **(recipe or {}), **(inputs or {})}
    needed = {r.signal.name for r in check.model.layout("input")}
    if needed <= set(extra):
        return loose.recipe(Recipe.constant(**extra), None)
    return loose.recipe(None, extra)


def thinned(profile: Profile) -> Profile:
    """The same profile without the points that change nothing: each point is a restart of the integrator."""
    times, values = profile.times, profile.values
    keep = [0]
    for k in range(1, len(times)):
        if profile.hold == "previous":
            same = values[k] == values[keep[-1]]
        elif k + 1 < len(times):
            a, b = keep[-1], k + 1
            line = values[a] + (values[b] - values[a]) * (times[k] - times[a]) / (times[b] - times[a])
            same = abs(values[k] - line) <= 1e-12 * max(abs(values[k]), abs(values[a]), abs(values[b]))
        else:
            same = False
        if not same:
            keep.append(k)
    return profile if len(keep) == len(times) else Profile([times[k] for k in keep], [values[k] for k in keep], profile.hold)


def _start(check: Checker, given: Any, run: Run, names: Sequence[str]) -> dict[str, float]:
    """Initial states by name: those of the model, over them what is given or measured first."""
    rows = check.rows("state")
    loose = dataclasses.replace(check, limits=False)
    if given == FIRST:
        given = {}
        for name in names:
            if name in rows and run[name].usable.any():
                given[name] = float(run[name].values[run[name].usable][0])
    elif given is not None and not isinstance(given, Mapping):
        raise errors.SpecError(f"initial is {given!r}. Expected {{state: value}}, {{run: {{state: value}}}}, or '{FIRST}' for "
                               "the first sample of each measured state.")
    flat = loose.initial(given)
    return {n: flat[r.where] if r.shape else flat[r.start] for n, r in rows.items()}
