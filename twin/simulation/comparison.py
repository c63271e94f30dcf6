"""How far trajectories lie from measured data: error measures for each signal and run, with units."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twin import errors

if TYPE_CHECKING:
    from twin.simulation.trajectory import Trajectory


@dataclasses.dataclass(frozen=True)
class Deviation:
    """Errors of one signal in one run, model less measurement.

    Attributes
    ----------
    count
        Number of finite measurements that were compared.
    rmse, bias
        Root mean square and mean of the error, in `unit`.
    nrmse
        `rmse` over the range of the measurements (NaN where that is zero).
    r2
        1 - sum of squared errors / sum of squares about the mean (NaN for constant measurements); negative where
        the mean of the measurements would be the better model.
    """

    run: str
    signal: str
    unit: str
    count: int
    rmse: float
    nrmse: float
    bias: float
    r2: float


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """Trajectories beside measured data."""

    deviations: tuple[Deviation, ...]
    skipped: tuple[str, ...]
    trajectories: Mapping[str, Trajectory] = dataclasses.field(repr=False)
    points: Mapping[tuple[str, str], tuple[Any, Any, Any]] = dataclasses.field(repr=False)

    def __getitem__(self, key: str | tuple[str, str]) -> Deviation:
        """Deviation of a signal, or of (run, signal) where there are several runs."""
        run, signal = key if isinstance(key, tuple) else (None, key)
        found = [d for d in self.deviations if d.signal == signal and run in (None, d.run)]
        if len(found) == 1:
            return found[0]
        if found:
            runs = ", ".join(d.run for d in found)
            raise errors.SpecError(f"'{signal}' was compared in several runs ({runs}). Ask for it by [run, signal].")
        raise errors.unknown("compared signal", signal, "this comparison", sorted({d.signal for d in self.deviations}))

    def table(self) -> Any:
        """DataFrame: one row a run and signal."""
        import pandas as pd

        names = [f.name for f in dataclasses.fields(Deviation)]
        rows = [dataclasses.astuple(d) for d in self.deviations]
        return pd.DataFrame(rows, columns=names).set_index(["run", "signal"])

    def plot(self, signals: Sequence[str] | None = None) -> Any:
        """matplotlib Figure: a row of panels a signal and a column a run, model as line, measurements as points."""
        from twin.simulation.plots import plot_comparison

        return plot_comparison(self, signals)


def compare(trajectories: Trajectory | Mapping[str, Trajectory], data: Any,
            signals: Sequence[str] | None = None) -> Comparison:
    """Compare trajectories with measured data.

    Parameters
    ----------
    trajectories
        One trajectory, or trajectories by run name.
    data
        `twin.Data`, one of its runs, a DataFrame (index: time in the model's unit, columns: signals), or
        {signal: (times, values)}. Units are converted to those of the model where the data state them.
    signals
        Signals to compare; all measured states, algebraics and outputs without.

    Raises
    ------
    SpecError
        Where nothing can be compared, or a run or signal is unknown.
    """
    from twin.simulation.trajectory import Trajectory

    runs = runs_of(data)
    if isinstance(trajectories, Trajectory):
        if len(runs) > 1:
            raise errors.SpecError(f"One trajectory cannot be compared with {len(runs)} runs ({', '.join(runs)}). "
                                   "Choose one run, or give {run: trajectory}.")
        trajectories = dict.fromkeys(runs, trajectories)
    deviations, skipped, points = [], [], {}
    for run, trajectory in trajectories.items():
        if run not in runs:
            raise errors.unknown("run", run, "the data", runs)
        measured = measurements(runs[run], trajectory, signals)
        grid = sorted({t for times, _ in measured.values() for t in times})
        sampled = trajectory.at(grid or trajectory.raw_times)
        where = {t: k for k, t in enumerate(sampled.raw_times)}
        for name, (times, values) in measured.items():
            if not times:
                skipped.append(f"{run}: {name} has no finite measurement within the simulated span.")
                continue
            model = [float(v) for v in sampled[name][[where[t] for t in times]]]
            points[run, name] = (times, values, model)
            deviations.append(_deviation(run, name, trajectory.unit(name), values, model))
    if not deviations:
        raise errors.SpecError("Nothing to compare: no finite measurement of a model signal lies within the "
                               "simulated "
                               "span. Check names, units and start time of the data.", skipped=tuple(skipped))
    return Comparison(tuple(deviations), tuple(skipped), dict(trajectories), points)


def _deviation(run: str, name: str, unit: str, values: Sequence[float], model: Sequence[float]) -> Deviation:
    n = len(values)
    error = [m - v for m, v in zip(model, values, strict=True)]
    squares = math.fsum(e * e for e in error)
    mean = math.fsum(values) / n
    about = math.fsum((v - mean) ** 2 for v in values)
    width = max(values) - min(values)
    rmse = math.sqrt(squares / n)
    return Deviation(run, name, unit, n, rmse, rmse / width if width > 0 else math.nan, math.fsum(error) / n,
                     1 - squares / about if about > 0 else math.nan)


def runs_of(data: Any) -> dict[str, Any]:
    """The runs of any accepted form of data by name."""
    if isinstance(data, Mapping) or hasattr(data, "columns") or hasattr(data, "series"):
        return {str(getattr(data, "name", "") or "data"): data}
    runs = {str(getattr(run, "name", "") or f"run {k}"): run for k, run in enumerate(data)}
    if not runs:
        raise errors.SpecError("The data hold no run. Read at least one.")
    return runs


def measurements(run: Any, trajectory: Trajectory, signals: Sequence[str] | None,
                 roles: Sequence[str] = ("state", "algebraic", "output")) -> dict[str, tuple[list[float], list[float]]]:
    """Finite measurements of one run within the simulated span, in the model's units: {signal: (times, values)}."""
    known = [n for n in trajectory.names(*roles) if not trajectory.row(n).shape]
    raw = _series(run, trajectory)
    for name in signals or ():
        if name not in known:
            raise errors.unknown("signal", name, trajectory.model, known)
        if name not in raw:
            raise errors.unknown("measured signal", name, "the data", raw)
    last = float(trajectory.raw_times[-1]) if len(trajectory) else -math.inf
    first = float(trajectory.raw_times[0]) if len(trajectory) else math.inf
    found = {}
    for name in signals or [n for n in known if n in raw]:
        times, values = raw[name]
        kept = [(float(t), float(v)) for t, v in zip(times, values, strict=True)
                if first <= float(t) <= last and math.isfinite(float(v))]
        found[name] = ([t for t, _ in kept], [v for _, v in kept])
    return found


def _series(run: Any, trajectory: Trajectory) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    if hasattr(run, "columns"):
        return {str(c): (list(run.index), list(run[c])) for c in run.columns}
    if isinstance(run, Mapping):
        return {n: (list(times), list(values)) for n, (times, values) in run.items()}
    found: dict[str, tuple[Sequence[float], Sequence[float]]] = {}
    for series in run.series.values() if isinstance(run.series, Mapping) else run.series:
        if series.name in trajectory.names():
            found[series.name] = series_in(series, run, trajectory.unit(series.name), trajectory.time_unit)
    return found


def series_in(series: Any, run: Any, unit: str, time_unit: str) -> tuple[list[float], list[float]]:
    """Times and values of a measured series in the units given; a series without unit is taken as it is."""
    from twin import units

    t_unit = getattr(series, "time_unit", None) or getattr(run, "time_unit", None) or time_unit
    usable = getattr(series, "usable", None)
    kept = range(len(series.times)) if usable is None else [i for i, good in enumerate(usable) if good]
    times = [float(series.times[i]) for i in kept]
    values = [float(series.values[i]) for i in kept]
    if t_unit != time_unit:
        times = [float(units.convert(t, t_unit, time_unit, name="time")) for t in times]
    if series.unit and series.unit != unit:
        values = [float(units.convert(v, series.unit, unit, name=series.name)) for v in values]
    return times, values
