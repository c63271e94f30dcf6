"""The records of a job, read through its tag map, in the units of the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.jobs.job import FIRST, Job
from twin.recipe import Profile
from twin.report.page import number, pretty

Columns = tuple[list[float], list[float]]  # times and values
ACTED = ("input", "disturbance")


@dataclasses.dataclass(frozen=True)
class Records:
    """Measured runs as plain lists in the units of the model.

    Attributes
    ----------
    data
        The `twin.Data` that were read.
    runs
        {run: {signal: (times, values)}}, finite values only.
    unused
        Columns of the file that the tag map leaves out.
    """

    data: Any
    runs: Mapping[str, Mapping[str, Columns]]
    unused: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Excursion:
    """How far a signal of a run lies outside the limits that the model states for it."""

    signal: str
    unit: str
    low: float
    high: float
    lower: float
    upper: float
    share: float

    def sentence(self) -> str:
        """The finding in a sentence."""
        seen = f"{number(self.low)} to {number(self.high)}" if self.high > self.low else number(self.low)
        return (f"{pretty(self.signal)}: recorded {seen} {self.unit}, the model is stated for {self.lower:g} to "
                f"{self.upper:g} {self.unit}: extrapolated {self.share:.0%} of the time.")


def read_records(job: Job) -> Records:
    """Read the records of a job through its tag map.

    Raises
    ------
    DataError, UnitError
        With column and row, where the records cannot be used as they are.
    SpecError
        Where a factor of the tag map does not lead to the unit of its signal.
    """
    import twin

    tags = {t.column: (t.signal, t.unit) for t in job.tags}
    raw = twin.read(job.data_file, tags=tags, time_column=job.time_column, time_unit=job.time_unit or None,
                    run_column=job.run_column, **job.read_options)
    named = [dataclasses.replace(run, name=_run_name(job, run.name), series=[_scaled(job, s) for s in run.series])
             for run in raw]
    data = twin.Data(named).check(job.model).in_units_of(job.model)
    runs = {run.name: {s.name: (s.times[s.usable].tolist(), s.values[s.usable].tolist()) for s in run.series}
            for run in data}
    return Records(data, runs, unused_columns(job))


def _run_name(job: Job, name: str) -> str:
    """A run that is only a number is called by its column too: "batch 3"."""
    return f"{job.run_column} {name}" if job.run_column and name.isdigit() else name


def _scaled(job: Job, series: Any) -> Any:
    from twin import units

    tag = next(t for t in job.tags if t.signal == series.name)
    if not tag.factor:
        return series
    number_, _, unit = tag.factor.strip().partition(" ")
    target = next(s.unit for s in job.model.signals if s.name == series.name)
    try:
        times = float(number_) * units.factor(f"({tag.unit})*({unit})" if unit else tag.unit, target, tag.column)
    except (ValueError, errors.UnitError) as e:
        raise errors.SpecError(f"{job.path}: the factor '{tag.factor}' of '{tag.column}' does not lead from {tag.unit} "
                               f"to {target} ({e}). Expected a number with a unit, as in '1 l/kg'.",
                               name=tag.column) from e
    return dataclasses.replace(series, values=series.values * times, unit=target)


def unused_columns(job: Job) -> tuple[str, ...]:
    """Columns of a CSV file that the job does not use."""
    import csv

    if job.data_file.suffix.lower() not in (".csv", ".txt"):
        return ()
    encoding = job.read_options.get("encoding", "utf-8-sig")
    with job.data_file.open(newline="", encoding=encoding, errors="replace") as file:
        header = next(csv.reader(file, delimiter=job.read_options.get("delimiter", ",")), [])
    used = {job.time_column, job.run_column, *(t.column for t in job.tags)}
    return tuple(c.strip() for c in header if c.strip() and c.strip() not in used)


def plan(job: Job, run: str, measured: Mapping[str, Columns]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs (profiles from the records, constants from the job) and initial states of one run.

    Raises
    ------
    SpecError
        Where an input is neither recorded nor given, or the first measurement of a state is asked for and missing.
    """
    inputs: dict[str, Any] = {}
    for role in ACTED:
        for signal in job.model.of_role(role):
            if signal.name in job.inputs:
                inputs[signal.name] = job.inputs[signal.name]
            elif measured.get(signal.name, ((), ()))[0]:
                inputs[signal.name] = staircase(*measured[signal.name])
            elif role == "input":
                raise errors.SpecError(
                    f"{job.path}: {signal.name} in {signal.unit} is an input of {job.model_name}, but run '{run}' of "
                    f"{job.data_file} does not record it. Map a column to it under [data.tags], or hold it: "
                    f"[simulation] inputs = {{ {signal.name} = {signal.nominal:g} }}", name=signal.name)
    initial = {}
    for name, value in job.initial.items():
        if value == FIRST:
            if not measured.get(name, ((), ()))[0]:
                raise errors.SpecError(f"{job.path}: the initial {name} is to be its first measurement, but run "
                                       f"'{run}' of {job.data_file} has none. Give a number in "
                                       "[simulation.initial].", name=name)
            value = measured[name][1][0]
        initial[name] = value
    return inputs, initial


def staircase(times: list[float], values: list[float]) -> Profile | float:
    """Held values with the repetitions left out: every jump restarts the integrator."""
    kept = [k for k in range(len(times)) if k == 0 or values[k] != values[k - 1]]
    if len(kept) == 1:
        return values[0]
    return Profile([times[k] for k in kept], [values[k] for k in kept])


def excursions(job: Job, measured: Mapping[str, Columns]) -> tuple[Excursion, ...]:
    """Recorded signals that leave the limits which the model states."""
    found = []
    for signal in job.model.signals:
        _, values = measured.get(signal.name, ((), []))
        out = [v for v in values if not signal.lower <= v <= signal.upper]
        # A noisy zero a hair below its limit is no extrapolation.
        if out and max(max(signal.lower - v, v - signal.upper) for v in out) > 0.05 * abs(signal.nominal):
            found.append(Excursion(signal.name, signal.unit, min(values), max(values), signal.lower, signal.upper,
                                   len(out) / len(values)))
    return tuple(found)
