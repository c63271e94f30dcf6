"""Measured data: runs of time series with a common start; pandas at the edge."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, overload

from twin import errors
from twin.recipe import Profile
from twin.series import QUALITIES, Series, check_time_unit, convert_time, floats, mixed_up


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """One batch, campaign or stretch of operation: series with a common start.

    Parameters
    ----------
    name
        Name of the run.
    start
        Absolute time of time 0, with a time zone (kept as UTC), or None where it is not known.
    series
        The series, each name once.
    time_unit
        Unit of the times of all series.

    Raises
    ------
    DataError
        For a start without a time zone and for names that repeat.
    """

    name: str
    start: datetime.datetime | None
    series: Sequence[Series]
    time_unit: str = "s"

    def __post_init__(self) -> None:
        check_time_unit(self.time_unit, f"Run '{self.name}'")
        if self.start is not None:
            if not isinstance(self.start, datetime.datetime) or self.start.utcoffset() is None:
                raise errors.DataError(f"Run '{self.name}' starts at {self.start!r}, without a time zone. Expected a "
                                       "datetime with one. Give tzinfo=datetime.UTC or "
                                       "zoneinfo.ZoneInfo('Europe/Berlin').",
                                       name=self.name)
            object.__setattr__(self, "start", self.start.astimezone(datetime.UTC))
        object.__setattr__(self, "series", tuple(self.series))
        _unique((s.name for s in self.series), f"Series of run '{self.name}'")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Run):
            return NotImplemented
        mine, others = ((r.name, r.start, r.time_unit, r.series) for r in (self, other))
        return mine == others

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        start = f", {self.start.isoformat()}" if self.start else ""
        return f"Run('{self.name}'{start}, {self.duration:g} {self.time_unit}, {', '.join(self.names) or 'no series'})"

    def __getitem__(self, name: str) -> Series:
        for s in self.series:
            if s.name == name:
                return s
        raise errors.unknown("series", name, f"run '{self.name}'", self.names)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the series."""
        return tuple(s.name for s in self.series)

    @property
    def duration(self) -> float:
        """Time of the last sample of any series, in the time unit."""
        return max((float(s.times[-1]) for s in self.series if len(s)), default=0.0)

    def time(self, when: float | datetime.datetime) -> float:
        """Time since the start of the run in its time unit, of a number (itself) or an absolute time.

        Raises
        ------
        DataError
            For an absolute time where the run has no start, or without a time zone.
        """
        if not isinstance(when, datetime.datetime):
            return float(when)
        if self.start is None or when.utcoffset() is None:
            lack = f"run '{self.name}' has no absolute start" if self.start is None else "it has no time zone"
            raise errors.DataError(f"{when.isoformat()} cannot be placed: {lack}. Expected both. "
                                   f"Give the time since the start in {self.time_unit}, or add what lacks.")
        return float(convert_time((when - self.start) / datetime.timedelta(microseconds=1), "us", self.time_unit))

    def select(self, *names: str) -> Run:
        """The run with these series only."""
        return dataclasses.replace(self, series=tuple(self[n] for n in names))

    def between(self, first: float | datetime.datetime, last: float | datetime.datetime,
                carry: Sequence[str] = ()) -> Run:
        """The samples from `first` to `last` (both included), as a run that starts at `first`.

        `carry` names series whose held value at `first` becomes a sample there (inputs, as a rule; never lab samples).
        """
        import numpy as np

        low, high = self.time(first), self.time(last)
        if not low <= high:
            raise errors.DataError(f"between is {low:g} to {high:g} {self.time_unit}. Expected first <= last.")
        cut = []
        for s in self.series:
            part = s.where((s.times >= low) & (s.times <= high))
            if s.name in carry and not (len(part) and part.times[0] == low):
                value = s.at([low])
                part = dataclasses.replace(part, times=np.concatenate([[low], part.times]),
                                           values=np.concatenate([value, part.values]),
                                           quality=np.concatenate([np.zeros(1, np.uint8), part.quality]))
            cut.append(dataclasses.replace(part, times=part.times - low))
        for name in carry:
            self[name]
        shift = datetime.timedelta(microseconds=round(convert_time(low, self.time_unit, "us")))
        return dataclasses.replace(self, series=tuple(cut), start=None if self.start is None else self.start + shift)

    def resample(self, every: float | None = None, *, times: Any = None, hold: str | None = None,
                 longest: float = math.inf) -> Run:
        """All series on one grid: every `every` from 0 to the end, or at `times` (in the time unit of the run).

        Where a series has no value (see `Series.at`), the sample is NaN and bad.
        """
        import numpy as np

        if (every is None) == (times is None) or (every is not None and not 0 < every < math.inf):
            raise errors.DataError(f"resample got every={every!r} and {'times' if times is not None else 'no times'}. "
                                   "Expected one of the two, every positive. Give resample(every=1.0).")
        if every is not None and self.duration / every > 1e8:
            raise errors.DataError(f"every={every:g} {self.time_unit} makes more than 1e8 samples. Raise it.")
        grid = floats(times if every is None else np.arange(math.floor(self.duration / every + 1e-9) + 1) * every,
                      "times")
        series = [Series(s.name, grid, s.at(grid, hold, longest), s.unit, None, hold or s.hold) for s in self.series]
        return dataclasses.replace(self, series=tuple(series))

    def in_time_unit(self, unit: str) -> Run:
        """The same run with times in another unit."""
        if unit == self.time_unit:
            return self
        series = tuple(dataclasses.replace(s, times=convert_time(s.times, self.time_unit, unit)) for s in self.series)
        return dataclasses.replace(self, series=series, time_unit=unit)

    def in_units_of(self, model: Any) -> Run:
        """Series that are signals of the model, in the units and the time unit of the model; others are left out."""
        known = {s.name: s.unit for s in model.signals}
        kept = tuple(s.to(known[s.name]) for s in self.series if s.name in known)
        return dataclasses.replace(self, series=kept).in_time_unit(model.time_unit)

    def profile(self, name: str, unit: str | None = None, time_unit: str | None = None) -> Profile:
        """A series as a profile of a recipe, from its usable samples.

        Parameters
        ----------
        name
            Name of the series.
        unit, time_unit
            Units of the model; those of the run without.

        Raises
        ------
        DataError
            Where the series has no usable sample.
        """
        s = self[name]
        if not s.usable.any():
            raise errors.DataError(f"'{name}' of run '{self.name}' has no usable sample. Expected at least one. "
                                   "Leave the signal out or hold it at a constant.", name=name)
        s = s.where(s.usable).to(unit or s.unit)
        times = convert_time(s.times, self.time_unit, time_unit or self.time_unit)
        return Profile(times.tolist(), s.values.tolist(), s.hold)

    def inputs(self, model: Any) -> dict[str, Profile]:
        """The inputs and disturbances of the model that this run holds, as profiles in the units of the model."""
        acted = [s for s in model.signals if s.role in ("input", "disturbance") and s.name in self]
        return {s.name: self.profile(s.name, s.unit, model.time_unit) for s in acted}

    def to_frame(self, absolute: bool | None = None, quality: bool = False) -> Any:
        """DataFrame with a column for each series; NaN where a series has no sample at that time.

        Parameters
        ----------
        absolute
            True: DatetimeIndex in UTC (to the microsecond); False: times since the start, exact. By default absolute
            where the start is known.
        quality
            Adds a column "name.quality" with good, uncertain or bad for each series.
        """
        import numpy as np
        import pandas as pd

        start = self.start
        absolute = start is not None if absolute is None else absolute
        if absolute and start is None:
            raise errors.DataError(f"Run '{self.name}' has no absolute start. Ask for absolute=False, or give it one.")
        grid = np.unique(np.concatenate([s.times for s in self.series] or [np.zeros(0)]))
        columns: dict[str, Any] = {}
        for s in self.series:
            at = np.searchsorted(grid, s.times)
            columns[s.name] = np.full(len(grid), np.nan)
            columns[s.name][at] = s.values
            if quality:
                words = np.full(len(grid), None, dtype=object)
                words[at] = np.array(QUALITIES, dtype=object)[s.quality]
                columns[f"{s.name}.quality"] = words
        if absolute and start is not None:
            micros = np.round(convert_time(grid, self.time_unit, "us")).astype("timedelta64[us]")
            index = pd.DatetimeIndex(np.datetime64(start.replace(tzinfo=None), "us") + micros,
                                     name="time").tz_localize("UTC")
        else:
            index = pd.Index(grid, name=f"time [{self.time_unit}]", dtype=float)
        frame = pd.DataFrame(columns, index=index)
        frame.attrs["units"] = {s.name: s.unit for s in self.series}
        return frame


class Data(tuple[Run, ...]):
    """Measured runs, in order.

    Parameters
    ----------
    runs
        The runs, each name once.

    Examples
    --------
    >>> data = Data.example()
    >>> data[0].names
    ('feed', 't_tank', 'tracer')
    """

    __slots__ = ()

    def __new__(cls, runs: Iterable[Run] = ()) -> Data:
        runs = tuple(runs)
        for r in runs:
            if not isinstance(r, Run):
                raise errors.DataError(f"Data hold {r!r}. Expected runs. Give twin.Run objects.")
        _unique((r.name for r in runs), "Runs")
        return super().__new__(cls, runs)

    @overload
    def __getitem__(self, key: SupportsIndex | str) -> Run: ...
    @overload
    def __getitem__(self, key: slice) -> Data: ...
    def __getitem__(self, key: Any) -> Any:
        """A run by position or name; a slice is Data again."""
        if isinstance(key, str):
            for run in self:
                if run.name == key:
                    return run
            raise errors.unknown("run", key, "the data", self.names)
        found = super().__getitem__(key)
        return Data(found) if isinstance(key, slice) else found

    def __repr__(self) -> str:
        return f"Data({len(self)} runs: {', '.join(self.names[:6])}{', ...' if len(self) > 6 else ''})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the runs."""
        return tuple(run.name for run in self)

    def select(self, *names: str) -> Data:
        """All runs with these series only."""
        return Data(run.select(*names) for run in self)

    def in_units_of(self, model: Any) -> Data:
        """All runs in the units of the model; see `Run.in_units_of`."""
        return Data(run.in_units_of(model) for run in self)

    def to_frame(self, absolute: bool | None = None, quality: bool = False) -> Any:
        """One DataFrame with the index (run, time); absolute times only where every run has a start."""
        import pandas as pd

        absolute = all(r.start is not None for r in self) if absolute is None else absolute
        base = self[0].time_unit if len(self) else "s"
        frames = [r.in_time_unit(base).to_frame(absolute, quality) for r in self]
        if not frames:
            return pd.DataFrame()
        frame = pd.concat(frames, keys=self.names, names=["run", frames[0].index.name])
        frame.attrs["units"] = {n: u for f in frames for n, u in f.attrs["units"].items()}
        return frame

    def check(self, model: Any) -> Data:
        """Check names, dimensions and plausible values against the signals of a model; returns the data.

        Raises
        ------
        SpecError
            For a series that is no signal of the model.
        UnitError
            For another dimension, and where the values say that degC and K were mixed up.
        """
        known = {s.name: s for s in model.signals}
        for run in self:
            for s in run.series:
                if s.name not in known:
                    raise errors.unknown("series", s.name, f"{_title(model)} in run '{run.name}'", known)
                hint = mixed_up(s, known[s.name])
                if hint:
                    k = int(s.usable.argmax())
                    raise errors.UnitError(f"{s.name} of run '{run.name}' is {s.values[k]:g} {s.unit} in row {k}. "
                                           f"{hint} Correct the unit of the column.", name=s.name,
                                           value=float(s.values[k]), row=k)
        return self

    @classmethod
    def from_frame(cls, frame: Any, **options: Any) -> Data:
        """Data from a DataFrame: DatetimeIndex, index of numbers, or a time column; options as in `twin.read`.

        Raises
        ------
        DataError
            With row and column, where the frame cannot be used as it is.
        """
        from twin.io.frames import read_frame

        return read_frame(frame, **options)

    @classmethod
    def example(cls) -> Data:
        """Two simulated runs of a stirred tank: feed and temperature each minute, a tracer sampled by hand."""
        import numpy as np

        runs = []
        minutes = np.arange(0.0, 181.0)
        for k, level in enumerate((1.2, 2.0)):
            feed = np.where(minutes < 60, 1.0, level)
            warm = 25 + 15 * (1 - np.exp(-minutes / 40)) + 0.05 * np.sin(1.7 * minutes + k)
            lab = np.array([0.0, 30, 75, 120, 180])
            washed = 5 * np.exp(-np.interp(lab, minutes, np.cumsum(feed)) / 100)
            series = (Series("feed", minutes, feed, "l/min"), Series("t_tank", minutes, warm, "degC", hold="linear"),
                      Series("tracer", lab, washed, "g/l", hold="linear"))
            runs.append(Run(f"batch {k + 1}", datetime.datetime(2024, 5, 1 + k, 6, tzinfo=datetime.UTC), series, "min"))
        return cls(runs)


def _unique(names: Iterable[str], who: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise errors.DataError(f"{who}: '{name}' is there twice. Expected each name once. Rename one of the two.",
                                   name=name)
        seen.add(name)


def _title(model: Any) -> str:
    return model.__name__ if isinstance(model, type) else type(model).__name__
