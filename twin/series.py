"""Series: one measured quantity with times, unit, quality and hold of its own; units of time."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from twin import errors

GOOD, UNCERTAIN, BAD = 0, 1, 2
QUALITIES = ("good", "uncertain", "bad")
HOLDS = ("previous", "linear")
MICROSECONDS = {"us": 1, "ms": 1000, "s": 10**6, "min": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6,
                "week": 604800 * 10**6}


def convert_time(time: Any, source: str, target: str) -> Any:
    """Convert a time or an array of times; exact where one unit is a multiple of the other and the result is a float.

    Raises
    ------
    UnitError
        For a unit that is not a unit of time.

    Examples
    --------
    >>> convert_time(90.0, "min", "h")
    1.5
    """
    for unit in (source, target):
        check_time_unit(unit)
    one, other = MICROSECONDS[source], MICROSECONDS[target]
    if one % other == 0:
        return time * (one // other) if one != other else time
    return time / (other // one) if other % one == 0 else time * one / other


def check_time_unit(unit: str, name: str = "time") -> str:
    """Return `unit` if it is a unit of time.

    Raises
    ------
    UnitError
        Otherwise.
    """
    if unit not in MICROSECONDS:
        raise errors.UnitError(f"{name} has the unit {unit!r}. Expected one of {', '.join(MICROSECONDS)}. "
                               "Give time_unit='h'.", name=name, unit=unit)
    return unit


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """One quantity measured over time, at times of its own.

    Parameters
    ----------
    name
        Name of the signal.
    times
        Times since the start of the run, in the time unit of the run, strictly increasing, shape (n,).
    values
        One value a time, in `unit`, shape (n,). NaN where a sample is bad.
    unit
        Unit of the values; "-" for none.
    quality
        0 good, 1 uncertain, 2 bad for each sample; without it, good where the value is a number.
    hold
        What holds between samples: "previous" (a staircase) or "linear".

    Raises
    ------
    DataError
        For times that go back or repeat, infinite values, or lengths that differ.
    UnitError
        Without a unit.

    Examples
    --------
    >>> Series("t_bed", [0.0, 1.0, 2.0], [20.0, 22.0, 26.0], "degC", hold="linear").at([1.5]).tolist()
    [24.0]
    """

    name: str
    times: Any
    values: Any
    unit: str
    quality: Any = None
    hold: str = "previous"

    def __post_init__(self) -> None:
        import numpy as np

        who = f"Series '{self.name}'"
        if not self.name or not isinstance(self.name, str):
            raise errors.DataError(f"A Series has the name {self.name!r}. Expected text. Name the signal it measures.")
        if not isinstance(self.unit, str) or not self.unit.strip():
            raise errors.UnitError(f"{who} has no unit. Expected one such as 'g/l', or '-' for none. Give unit=.",
                                   name=self.name)
        if self.hold not in HOLDS:
            raise errors.DataError(f"{who} has hold={self.hold!r}. Expected 'previous' or 'linear'.", name=self.name)
        times, values = (floats(getattr(self, k), f"{who}.{k}") for k in ("times", "values"))
        if times.shape != values.shape:
            raise errors.DataError(f"{who} has {len(times)} times and {len(values)} values. Expected as many. "
                                   "Give one value a time.", name=self.name)
        quality = np.zeros(len(times), np.uint8) if self.quality is None else np.array(self.quality)
        if quality.shape != times.shape or (len(quality) and not set(np.unique(quality)) <= {GOOD, UNCERTAIN, BAD}):
            raise errors.DataError(f"{who}.quality is not one of 0 (good), 1 (uncertain), 2 (bad) for each of "
                                   f"{len(times)} samples. Give as many of these.", name=self.name)
        quality = quality.astype(np.uint8)
        _increasing(times, self.unit, values, who)
        k = _first(np.isinf(values))
        if k is not None:
            raise errors.DataError(f"{who} is {values[k]} {self.unit} at time {times[k]:g} (row {k}). Expected a "
                                   "finite number. Make it NaN if the sample is bad.", name=self.name, row=k)
        quality[np.isnan(values)] = BAD
        for name, array in (("times", times), ("values", values), ("quality", quality)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.times)

    def __eq__(self, other: object) -> bool:
        import numpy as np

        if not isinstance(other, Series):
            return NotImplemented
        return ((self.name, self.unit, self.hold) == (other.name, other.unit, other.hold)
                and np.array_equal(self.times, other.times) and np.array_equal(self.quality, other.quality)
                and np.array_equal(self.values, other.values, equal_nan=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        span = f", {self.times[0]:g} to {self.times[-1]:g}" if len(self) else ""
        return f"Series('{self.name}', {len(self)} samples{span}, unit='{self.unit}', hold='{self.hold}')"

    @property
    def usable(self) -> Any:
        """True for each sample that is a number and not of bad quality, shape (n,)."""
        import numpy as np

        return (self.quality != BAD) & np.isfinite(self.values)

    def where(self, mask: Any) -> Series:
        """The samples at which `mask` is true (or an index array)."""
        return dataclasses.replace(self, times=self.times[mask], values=self.values[mask], quality=self.quality[mask])

    def to(self, unit: str) -> Series:
        """The same series in another unit.

        Raises
        ------
        UnitError
            Where the dimension differs.
        """
        if unit == self.unit:
            return self
        from twin import units

        return dataclasses.replace(self, values=units.convert(self.values, self.unit, unit, name=self.name), unit=unit)

    def at(self, times: Any, hold: str | None = None, longest: float = math.inf) -> Any:
        """Values at other times, from the usable samples, in `unit`.

        Parameters
        ----------
        times
            Times since the start of the run, in its time unit.
        hold
            "previous" or "linear"; that of the series without.
        longest
            NaN where the last usable sample is older than this, or (linear) the two around are farther apart.

        Returns
        -------
        numpy.ndarray
            NaN before the first sample, and with "linear" after the last one.
        """
        import numpy as np

        wanted = np.asarray(times, dtype=float)
        kept = self.usable
        t, v = self.times[kept], self.values[kept]
        found = np.full(wanted.shape, np.nan)
        if not len(t):
            return found
        left = np.searchsorted(t, wanted, side="right") - 1
        if (hold or self.hold) == "previous":
            inside = (left >= 0) & (wanted - t[left] <= longest)
            found[inside] = v[left[inside]]
            return found
        exact = (left >= 0) & (t[left] == wanted)
        right = np.minimum(left + 1, len(t) - 1)
        inside = (left >= 0) & (wanted <= t[-1]) & ((t[right] - t[left] <= longest) | exact)
        found[inside] = np.interp(wanted[inside], t, v)
        return found


def floats(values: Any, who: str) -> Any:
    """A row of numbers as a float64 array of its own; DataError otherwise."""
    import numpy as np

    try:
        array = np.array(values, dtype=float)
    except (TypeError, ValueError, OverflowError) as e:
        raise errors.DataError(f"{who} cannot be read as numbers: {e}. Give a list of floats.") from e
    if array.ndim != 1:
        raise errors.DataError(f"{who} has the shape {array.shape}. Expected one row of numbers.")
    return array


def _first(mask: Any) -> int | None:
    return int(mask.argmax()) if len(mask) and mask.any() else None


def _increasing(times: Any, unit: str, values: Any, who: str) -> None:
    import numpy as np

    k = _first(~np.isfinite(times))
    if k is not None:
        raise errors.DataError(f"{who} has the time {times[k]} in row {k}. Expected a finite number. "
                               "Drop or mend the row.", row=k)
    k = _first(np.diff(times) <= 0)
    if k is not None:
        what = "repeats the one before" if times[k + 1] == times[k] else f"follows {times[k]:g}"
        raise errors.DataError(f"{who}: the time {times[k + 1]:g} in row {k + 1} (value {values[k + 1]:g} {unit}) "
                               f"{what}. Expected increasing times. Sort the rows or drop the duplicate.", row=k + 1)


def mixed_up(series: Series, signal: Any) -> str:
    """Sentence where the median of a temperature lies outside its limits, but inside were K read as degC or back.

    Raises
    ------
    UnitError
        Where the dimension differs.
    """
    import numpy as np

    from twin import units

    units.convert(0.0, series.unit, signal.unit, name=series.name)  # says which unit is wrong: that of the data
    lower, upper = (units.convert(v, signal.unit, series.unit, name=series.name) for v in (signal.lower, signal.upper))
    kept = series.values[series.usable]
    if not len(kept):
        return ""
    hint = units.mixed_up(float(np.median(kept)), series.unit, lower, upper)
    return f"Expected {lower:g} to {upper:g} {series.unit}. {hint}" if hint else ""
