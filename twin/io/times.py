"""Times of a table: numbers with a unit, ISO text, local clocks, daylight saving; every error names its row."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from typing import Any

from twin import errors
from twin.series import convert_time

REPAIRS = ("midnight", "sort", "keep first", "keep last")
_DAY = 86400 * 10**6
# Tried only to name in the error what the user can pass, never to guess.
_FORMATS = tuple(d + t for d in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d-%b-%y", "%d-%b-%Y")
                 for t in (" %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M:%S %p", ""))


@dataclasses.dataclass(frozen=True)
class Clock:
    """How the time column is to be read; see `twin.read` for the options."""

    column: str
    unit: str | None = None
    zone: str | None = None
    format: str | None = None
    fold: str | None = None
    repair: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.fold not in (None, "first", "second", "infer"):
            raise errors.SpecError(f"fold is {self.fold!r}. Expected 'first', 'second' or 'infer'. Correct it.")
        for name in self.repair:
            if name not in REPAIRS:
                raise errors.unknown("repair", str(name), "repair=", REPAIRS)


@dataclasses.dataclass(frozen=True)
class Times:
    """Times of all rows: microseconds since 1970 UTC where `absolute`, else numbers in the unit of the column."""

    absolute: bool
    values: Any
    naive: Any
    cells: Any
    rows: Any
    clock: Clock
    source: str

    def text(self, k: int) -> str:
        """The cell as the user wrote it."""
        return str(self.cells[k])

    def error(self, k: int, what: str, todo: str) -> errors.DataError:
        """An error about one row."""
        return errors.DataError(f"{self.source}: the time '{self.text(k)}' in row {self.rows[k]} (column "
                                f"'{self.clock.column}') {what} {todo}", name=self.clock.column, value=self.text(k),
                                row=int(self.rows[k]))

    def ordered(self, at: Any) -> tuple[Any, Any]:
        """Positions and times of one run (positions `at`), repaired as asked, strictly increasing.

        Raises
        ------
        DataError
            Where a time goes back or repeats and no repair was asked for.
        """
        import numpy as np

        values = self.values[at]
        if "midnight" in self.clock.repair and self.naive is not None:
            values = np.where(self._old_midnights(at), values + _DAY, values)
        if "sort" in self.clock.repair:
            order = np.argsort(values, kind="stable")
            at, values = at[order], values[order]
        step = np.diff(values)
        if (step < 0).any():
            raise self._backwards(at, values)
        same = step == 0
        if same.any():
            last = "keep last" in self.clock.repair
            if not last and "keep first" not in self.clock.repair:
                k = int(same.argmax()) + 1
                more = f", one of {int(same.sum())} duplicates" if same.sum() > 1 else ""
                raise self.error(int(at[k]), f"repeats the time of row {self.rows[at[k - 1]]}{more}. Expected each "
                                             "time once.",
                                 "Remove one of the rows, or pass repair=['keep first'] or ['keep last'].")
            kept = np.concatenate([~same, [True]]) if last else np.concatenate([[True], ~same])
            at, values = at[kept], values[kept]
        return at, values

    def _old_midnights(self, at: Any) -> Any:
        """Rows at 00:00 that carry the date of the day that ends."""
        import numpy as np

        naive = self.naive[at]
        back = np.concatenate([[False], np.diff(naive) < 0])
        return back & (naive % _DAY == 0)

    def _backwards(self, at: Any, values: Any) -> errors.DataError:
        import numpy as np

        back = np.flatnonzero(np.diff(values) < 0) + 1
        k = int(back[0])
        size = float(values[k - 1] - values[k])
        unit = self.clock.unit or "time units"
        span = str(datetime.timedelta(microseconds=size)) if self.absolute else f"{size:g} {unit}"
        more = f" (and in {len(back) - 1} further rows)" if len(back) > 1 else ""
        what = (f"goes back by {span} from '{self.text(int(at[k - 1]))}' in the row before{more}. Expected increasing "
                "times.")
        todo = "Name run_column= if the file holds several runs, or pass repair=['sort']."
        if self.naive is not None:
            old = self._old_midnights(at)
            if old[back].mean() > 0.9:
                todo = (f"{int(old[back].sum())} rows at 00:00 carry the date of the day that ends there, so the clock "
                        "jumps back a day and forward again. Pass repair=['midnight'] to give these rows the next "
                        "day's date.")
            elif self.clock.zone == "UTC" and size <= 3600 * 10**6:
                todo = ("A clock that was set back at the end of daylight saving looks like this: pass the local zone, "
                        "such as time_zone='Europe/Berlin', and fold='infer'.")
        return self.error(int(at[k]), what, todo)


def parse(cells: Any, rows: Any, groups: Sequence[Any], clock: Clock, source: str,
          numbers: Callable[[Any], Any]) -> Times:
    """Read a time column (a pandas Series); `numbers` tries to read it as floats and gives None where it cannot.

    Raises
    ------
    DataError
        For an empty or unreadable cell, an ambiguous or missing local hour.
    SpecError
        Where the unit or the time zone is not stated.
    """
    import numpy as np
    import pandas as pd

    raw = cells.to_numpy(dtype=object)
    blank = Times(True, None, None, raw, rows, clock, source)
    missing = cells.isna().to_numpy()
    if missing.any():
        k = int(missing.argmax())
        raise errors.DataError(f"{source}: row {rows[k]} has no time (column '{clock.column}'). Expected one in each "
                               "row. Fill it in or drop the row.", name=clock.column, row=int(rows[k]))
    if not pd.api.types.is_datetime64_any_dtype(cells.dtype):
        found = numbers(cells)
        if found is not None:
            if clock.unit is None:
                raise errors.UnitError(f"{source}: column '{clock.column}' holds numbers ({raw[0]} in row {rows[0]}) "
                                       "without a unit. Expected a unit of time. Pass time_unit='h', 'min' or 's'.",
                                       name=clock.column)
            k = int((~np.isfinite(found)).argmax())
            if not np.isfinite(found[k]):
                raise blank.error(k, "is not finite.", "Correct or drop the row.")
            return Times(False, found, None, raw, rows, clock, source)
    stamps = _stamps(cells, blank)
    if stamps.tz is not None:
        return dataclasses.replace(blank, values=_micros(stamps.tz_convert("UTC")))
    if clock.zone is None:
        raise errors.SpecError(f"{source}: the time '{raw[0]}' in row {rows[0]} (column '{clock.column}') has no time "
                               "zone. Expected one. Pass time_zone='Europe/Berlin' (the plant's clock) or 'UTC'.",
                               name=clock.column)
    naive = _micros(stamps)
    return dataclasses.replace(blank, naive=naive, values=_micros(_localize(stamps, naive, groups, blank)))


def regular(count: int, groups: Sequence[Any], every: float, rows: Any, clock: Clock, source: str) -> Times:
    """Times of a table that has none: row k of each run at k times `every`."""
    import numpy as np

    values = np.zeros(count)
    for at in groups:
        values[at] = np.arange(len(at)) * every
    return Times(False, values, None, values, rows, clock, source)


def start_of(text: Any, source: str) -> datetime.datetime:
    """An absolute start from text or a datetime, with time zone.

    Raises
    ------
    DataError
        Where it is neither, or has no time zone.
    """
    try:
        found = text if isinstance(text, datetime.datetime) else datetime.datetime.fromisoformat(str(text).strip())
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise errors.DataError(f"{source}: the start is {text!r}. Expected ISO 8601 with a time zone. "
                               "Write 2024-05-01T06:00:00+00:00.", value=str(text))
    return found.astimezone(datetime.UTC)


def since(values: Any, absolute: bool, unit: str | None) -> tuple[datetime.datetime | None, Any]:
    """Start and times since the start in `unit` (seconds without), of microseconds; numbers stay as they are."""
    if not absolute:
        return None, values
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(microseconds=int(values[0]))
    return start, convert_time((values - values[0]).astype(float), "us", unit or "s")


def _micros(stamps: Any) -> Any:
    return stamps.as_unit("us").asi8


def _stamps(cells: Any, blank: Times) -> Any:
    """DatetimeIndex of text or datetime cells, aware or naive."""
    import pandas as pd

    clock = blank.clock
    if pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return pd.DatetimeIndex(cells)
    text = cells.map(lambda c: c.isoformat() if hasattr(c, "isoformat") else str(c).strip())
    aware = text.str.contains(r"(?:[T ]\d\d.*[+-]\d\d:?(?:\d\d)?|Z)$", regex=True).to_numpy(dtype=bool)
    if clock.format is None and aware.any() != aware.all():
        k = int((aware != aware[0]).argmax())
        raise blank.error(k, f"{'has a' if aware[k] else 'has no'} time zone, unlike the rows before. Expected all "
                             "alike.",
                          "Export the times in UTC.")
    utc = "%z" in clock.format if clock.format else bool(aware.all())
    parsed = _try_format(text, clock.format or "ISO8601", utc)
    bad = parsed.isna().to_numpy()
    if bad.any():
        k = int(bad.argmax())
        fits = [f for f in _FORMATS if not _try_format(text, f, False).isna().any()] if not clock.format else []
        todo = (f"Pass time_format='{fits[0]}'" + "".join(f" or '{f}'" for f in fits[1:3]) + "." if fits else
                "Pass time_format= with the codes of datetime.strptime, such as '%d.%m.%Y %H:%M'.")
        raise blank.error(k, f"cannot be read. Expected {clock.format or 'ISO 8601, such as 2024-05-01T06:00'}.", todo)
    return pd.DatetimeIndex(parsed)


def _try_format(text: Any, form: str, utc: bool) -> Any:
    import pandas as pd

    try:
        return pd.to_datetime(text, format=form, utc=utc, errors="coerce")
    except (ValueError, OverflowError, TypeError) as e:
        if form in _FORMATS or form == "ISO8601":
            return pd.Series(pd.NaT, index=text.index)
        raise errors.SpecError(f"time_format is {form!r}: {e}. Expected codes of datetime.strptime. Write '%d.%m.%Y "
                               "%H:%M'.") from e


def _localize(stamps: Any, naive: Any, groups: Sequence[Any], blank: Times) -> Any:
    import zoneinfo

    import numpy as np

    clock = blank.clock
    try:
        zone = zoneinfo.ZoneInfo(str(clock.zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise errors.unknown("time_zone", str(clock.zone), "the time zone database",
                             _near(str(clock.zone), zoneinfo.available_timezones())) from None
    all_first = np.ones(len(stamps), dtype=bool)
    lost = stamps.tz_localize(zone, ambiguous=all_first, nonexistent="NaT").isna()
    if lost.any():
        raise blank.error(int(lost.argmax()), f"does not exist in {clock.zone}: the clock was set forward over it.",
                          "Check time_zone=, or export the times in UTC.")
    twice = stamps.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").isna()
    first = all_first
    if twice.any():
        k = int(twice.argmax())
        if clock.fold is None:
            raise blank.error(k, f"is ambiguous: {clock.zone} set the clock back, this hour came twice. Expected to be "
                                 "told which.",
                              "Pass fold='infer' (by the order of the rows), 'first' or 'second'.")
        if clock.fold == "second":
            first = ~twice
        elif clock.fold == "infer":
            first = _infer(naive, twice, groups, blank)
    return stamps.tz_localize(zone, ambiguous=first).tz_convert("UTC")


def _infer(naive: Any, twice: Any, groups: Sequence[Any], blank: Times) -> Any:
    """Which of the ambiguous rows belong to the first pass through the hour: those before the clock steps back."""
    import numpy as np

    first = np.ones(len(naive), dtype=bool)
    for at in groups:
        edges = np.flatnonzero(np.diff(np.concatenate([[False], twice[at], [False]]).astype(int)))
        for a, b in zip(edges[::2], edges[1::2], strict=True):
            back = np.flatnonzero(np.diff(naive[at[a:b]]) <= 0)
            if len(back) != 1:
                raise blank.error(int(at[a]), f"is ambiguous in {blank.clock.zone}, and the rows do not pass this hour "
                                              "twice.",
                                  "Pass fold='first' or 'second'.")
            first[at[a + int(back[0]) + 1:b]] = False
    return first


def _near(name: str, known: set[str]) -> list[str]:
    import difflib

    return difflib.get_close_matches(name, known, 5, 0.4) or ["UTC", "Europe/Berlin"]
