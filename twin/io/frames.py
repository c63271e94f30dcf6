"""Tables to Data: columns, units, quality, runs and rows; CSV, Excel and DataFrames all come through here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.data import Data, Run
from twin.io import times
from twin.io.cells import BAD_TEXTS, column_numbers, numbers_or_none, qualities
from twin.io.tags import Tag, TagMap
from twin.series import BAD, HOLDS, Series, check_time_unit

TIME_NAMES = ("time", "timestamp", "datetime", "date time", "date_time", "date")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """How a table is to be read; `twin.read` explains each."""

    tags: Any = None
    units: Any = None
    leave_out: Sequence[str] = ()
    time_column: str | None = None
    time_unit: str | None = None
    time_zone: str | None = None
    time_format: str | None = None
    fold: str | None = None
    repair: Sequence[str] = ()
    every: float | None = None
    start: Any = None
    run_column: str | None = None
    tag_column: str | None = None
    value_column: str | None = None
    quality_column: str | None = None
    quality_codes: Any = None
    bad: Sequence[str] = BAD_TEXTS
    hold: Any = "previous"
    decimal: str = "."

    def __post_init__(self) -> None:
        if self.time_unit is not None:
            check_time_unit(self.time_unit, "time_unit")
        if isinstance(self.hold, str) and self.hold not in HOLDS:
            raise errors.SpecError(f"hold is {self.hold!r}. Expected 'previous', 'linear' or a mapping. Correct it.")
        if self.decimal not in (".", ","):
            raise errors.SpecError(f"decimal is {self.decimal!r}. Expected '.' or ','. Correct it.")
        for name in ("leave_out", "repair", "bad"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        if self.every is not None and (not 0 < self.every < float("inf") or self.time_unit is None or self.time_column):
            raise errors.SpecError(f"every is {self.every!r}, time_unit {self.time_unit!r}. Expected a positive "
                                   "interval, its time_unit, and no time_column. Pass every=30, time_unit='s'.")
        if (self.tag_column is None) != (self.value_column is None):
            raise errors.SpecError("tag_column and value_column belong together. Expected both or none. Name both.")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Options:
        """Options by name; an unknown one is an error that names the nearest."""
        known = [f.name for f in dataclasses.fields(cls)]
        for name in options:
            if name not in known:
                raise errors.unknown("option", name, "twin.read", known)
        return cls(**options)


@dataclasses.dataclass(frozen=True)
class Header:
    """What a column header says: "t_bed [degC]", "feed [l/h; linear]" or plain "t_bed"."""

    name: str
    unit: str = ""
    hold: str = ""

    @classmethod
    def of(cls, text: str) -> Header:
        """Split a header."""
        found = re.fullmatch(r"\s*(.+?)\s*\[([^\[\];]*)(?:;\s*(previous|linear))?\s*\]\s*", text, re.DOTALL)
        return cls(found[1], found[2].strip(), found[3] or "") if found else cls(text.strip())


def read_frame(frame: Any, *, source: str = "the frame", first_row: int = 0, name: str = "run 1",
               **options: Any) -> Data:
    """Data from a pandas DataFrame; `first_row` is the row number that errors give to its first row.

    Raises
    ------
    DataError
        For what is wrong in a row or column.
    SpecError
        For options that are missing or wrong.
    """
    o = Options.of(options)
    frame, o = _flat(frame, o)
    return _Table(frame, o, source, first_row, name).data()


def _flat(frame: Any, o: Options) -> tuple[Any, Options]:
    """Index levels as columns, headers as text, units that the frame carries."""
    import pandas as pd

    units = frame.attrs.get("units")
    if units and o.units is None:
        o = dataclasses.replace(o, units=units)
    levels = [d if n is None else str(n) for n, d in zip(frame.index.names, ("run", "time"), strict=False)]
    columns = [str(c) for c in frame.columns]
    if frame.index.nlevels == 2:
        o = dataclasses.replace(o, run_column=o.run_column or levels[0], time_column=o.time_column or levels[1])
        frame, columns = frame.reset_index(names=levels, allow_duplicates=True), levels + columns
    elif frame.index.nlevels == 1 and not isinstance(frame.index, pd.RangeIndex) and o.every is None:
        label = "time" if frame.index.name is None else str(frame.index.name)
        timed = any(Header.of(c).name.lower() in TIME_NAMES for c in columns)
        if o.time_column == label or (o.time_column is None and not timed):
            o = dataclasses.replace(o, time_column=label)
            frame, columns = frame.reset_index(names=[label], allow_duplicates=True), [label, *columns]
    for name in columns:
        if columns.count(name) > 1:
            raise errors.DataError(f"{columns.count(name)} columns are called '{name}'. Expected each name once. "
                                   "Rename or remove the others.", name=name)
    return frame.set_axis(columns, axis=1), o


class _Table:
    """One table on its way to Data."""

    def __init__(self, frame: Any, o: Options, source: str, first_row: int, name: str) -> None:
        import numpy as np

        self.o, self.source, self.name = o, source, name
        if not len(frame.columns):
            raise errors.DataError(f"{source} is empty. Expected a header and rows. Check the export.")
        self.headers = {c: Header.of(c) for c in frame.columns}
        full = ~frame.isna().all(axis=1).to_numpy()
        if not full.any():
            raise errors.DataError(f"{source} has a header ({', '.join(list(frame.columns)[:8])}) but no rows. "
                                   "Expected at least one. Check the export's time range.")
        self.rows = np.flatnonzero(full) + first_row
        self.frame = frame[full] if not full.all() else frame

    def data(self) -> Data:
        o = self.o
        if o.every is not None:
            self.time_column = "(every)"
            self.headers.pop(self.time_column, None)
        else:
            self.time_column = self.find(o.time_column, "time_column") if o.time_column else self.guess_time()
        self.run_column = self.find(o.run_column, "run_column") if o.run_column else self.own("run")
        self.start_column = self.own("start") if o.start is None else None
        groups = self.groups(self.run_column)
        clock = times.Clock(self.time_column, o.time_unit or self.time_unit_of_header(), o.time_zone, o.time_format,
                            o.fold, o.repair)
        if o.every is not None:
            self.times = times.regular(len(self.frame), [g for _, g in groups], o.every, self.rows, clock, self.source)
        else:
            self.times = times.parse(self.frame[self.time_column], self.rows, [g for _, g in groups], clock,
                                     self.source,
                                     lambda cells: numbers_or_none(cells, o.decimal))
        if o.tag_column:
            return self.long(groups)
        columns = [self.column(t) for t in self.tags()]
        return Data(self.run(name, self.starts(g), [(t, *c, g) for t, c in columns]) for name, g in groups)

    # -- which column is what ------------------------------------------------------------------------------------------

    def find(self, name: str, option: str) -> str:
        """The column of this name, or whose header begins with it."""
        if name in self.headers:
            return name
        for column, header in self.headers.items():
            if header.name == name:
                return str(column)
        raise errors.unknown("column", name, f"{self.source} ({option})", self.frame.columns)

    def own(self, name: str) -> str | None:
        """A column that `twin.write` made: its tables begin with run, and state the unit of time in brackets."""
        columns = list(self.frame.columns)
        made = columns[0] == "run" and bool(self.time_column in self.headers and self.headers[self.time_column].unit)
        return name if made and name in columns else None

    def guess_time(self) -> str:
        found = [c for c, h in self.headers.items() if h.name.lower() in TIME_NAMES]
        if len(found) != 1:
            which = "none of its columns is called time" if not found else f"{' and '.join(found)} could be the time"
            raise errors.SpecError(f"{self.source}: {which}. Expected one. Pass time_column=, one of: "
                                   f"{', '.join(list(self.headers)[:12])}.")
        return str(found[0])

    def time_unit_of_header(self) -> str | None:
        unit = self.headers[self.time_column].unit if self.time_column in self.headers else ""
        return check_time_unit(unit, f"{self.source}: column '{self.time_column}'") if unit else None

    def tags(self) -> list[Tag]:
        """The tags to read, each with column, signal, unit, quality column and hold settled."""
        o = self.o
        if o.tags is not None:
            found = [dataclasses.replace(t, column=self.find(t.column, "tags")) for t in TagMap.of(o.tags)]
        else:
            for c in o.leave_out:
                self.find(c, "leave_out")
            used = {self.time_column, self.run_column, self.start_column, o.quality_column, *o.leave_out}
            names = {h.name for h in self.headers.values()}
            found = [Tag(c, h.name) for c, h in self.headers.items() if c not in used and h.name not in o.leave_out
                     and not (c.endswith(".quality") and c.removesuffix(".quality") in names)]
            if not found:
                raise errors.DataError(f"{self.source} has no column besides the time. Expected at least one. Check "
                                       "the delimiter of the file.")
        return [self.settled(t) for t in found]

    def settled(self, tag: Tag) -> Tag:
        header = self.headers.get(tag.column, Header(tag.column))
        quality = tag.quality or self.o.quality_column or ""
        if quality:
            quality = self.find(quality, "quality")
        elif f"{header.name}.quality" in self.headers:
            quality = f"{header.name}.quality"
        hold = self.o.hold if isinstance(self.o.hold, str) else self.lookup(self.o.hold, tag) or "previous"
        return dataclasses.replace(tag, unit=self.unit(tag, header), quality=quality,
                                   hold=tag.hold or header.hold or hold)

    def lookup(self, mapping: Mapping[str, Any], tag: Tag) -> Any:
        return mapping.get(tag.signal, mapping.get(tag.column))

    def unit(self, tag: Tag, header: Header) -> str:
        from twin import units

        stated = self.o.units if isinstance(self.o.units, str) else self.lookup(self.o.units or {}, tag)
        unit = tag.unit or stated or header.unit
        if not unit:
            raise errors.UnitError(f"{self.source}: column '{tag.column}' has no unit. Expected one such as 'degC', or "
                                   f"'-' for none. Pass units={{'{tag.signal}': 'degC'}} or name it in tags=.",
                                   name=tag.column)
        return units.check(str(unit), f"{self.source}: column '{tag.column}'")

    # -- values --------------------------------------------------------------------------------------------------------

    def column(self, tag: Tag) -> tuple[Tag, tuple[Any, Any, Any]]:
        """Values, sample mask and quality of a column, all rows."""
        values, there, quality = column_numbers(self.frame[tag.column], self.rows, tag, self.source, self.o)
        if tag.quality:
            said, stated = qualities(self.frame[tag.quality], self.rows, tag.quality, self.source, self.o.quality_codes)
            there = there | (stated & (said == BAD))
            quality = quality.clip(said)
        if not there.any() or (not tag.quality and not (quality[there] != BAD).any()):
            raise errors.DataError(f"{self.source}: column '{tag.column}' ({tag.unit}) holds no number in rows "
                                   f"{self.rows[0]} to {self.rows[-1]}. Expected at least one. Pass "
                                   f"leave_out=['{tag.column}'] or mend the export.",
                                   name=tag.column, row=int(self.rows[0]))
        values[quality == BAD] = float("nan")
        return tag, (values, there, quality)

    def groups(self, *columns: str | None) -> list[tuple[str, Any]]:
        """Names and row positions of the groups that a column makes, in order of appearance."""
        import numpy as np

        column = columns[0]
        if column is None:
            return [(self.name, np.arange(len(self.frame)))]
        cells = self.frame[column]
        missing = cells.isna().to_numpy()
        if missing.any():
            row = int(self.rows[missing.argmax()])
            raise errors.DataError(f"{self.source}: row {row} names no run (column '{column}'). Expected one in each "
                                   "row. Fill it in or drop the row.", name=column, row=row)
        found: dict[str, list[int]] = {}
        for k, cell in enumerate(cells.tolist()):
            text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
            found.setdefault(text, []).append(k)
        return [(name, np.array(at)) for name, at in found.items()]

    def starts(self, at: Any) -> Any:
        """The stated start of a run, or None."""
        stated = self.o.start
        if self.start_column is not None:
            cells = self.frame[self.start_column].iloc[at].dropna()
            stated = cells.iloc[0] if len(cells) else None
        return None if stated is None else times.start_of(stated, self.source)

    def run(self, name: str, start: Any, parts: list[tuple[Tag, Any, Any, Any, Any]]) -> Run:
        """A run of series; each part has the positions of its rows."""
        import numpy as np

        ordered: dict[int, tuple[Any, Any]] = {}
        for *_, at in parts:
            if id(at) not in ordered:
                ordered[id(at)] = self.times.ordered(at)
        absolute = self.times.absolute
        begin = min(t[0] for _, t in ordered.values())
        unit = self.times.clock.unit or "s"
        series = []
        for tag, values, there, quality, rows in parts:
            at, stamps = ordered[id(rows)]
            zero, since = times.since(np.concatenate([[begin], stamps]), absolute, unit)
            start = zero if absolute else start
            kept = there[at]
            if kept.any():
                chosen = at[kept]
                series.append(Series(tag.signal, since[1:][kept], values[chosen], tag.unit, quality[chosen], tag.hold))
        return Run(name, start, series, unit)

    def long(self, groups: list[tuple[str, Any]]) -> Data:
        """A table with one value a row: columns for tag, time and value, as historians export it."""
        import numpy as np

        o = self.o
        tag_column, value_column = self.find(str(o.tag_column), "tag_column"), self.find(str(o.value_column),
                                                                                         "value_column")
        quality = self.find(o.quality_column, "quality_column") if o.quality_column else ""
        rows_of = dict(self.groups(tag_column))
        self.headers = {c: Header.of(c) for c in rows_of}
        if o.tags is not None:
            wanted = [dataclasses.replace(t, column=self.known_tag(t.column, rows_of)) for t in TagMap.of(o.tags)]
        else:
            wanted = [Tag(c, h.name) for c, h in self.headers.items() if c not in o.leave_out]
        parts = []
        for tag in wanted:
            at = rows_of[tag.column]
            header = self.headers[tag.column]
            hold = o.hold if isinstance(o.hold, str) else self.lookup(o.hold, tag) or "previous"
            full = dataclasses.replace(tag, unit=self.unit(tag, header), hold=tag.hold or header.hold or hold)
            inner = _Table.__new__(_Table)
            inner.__dict__.update(self.__dict__, frame=self.frame.iloc[at], rows=self.rows[at])
            _, (values, there, flags) = inner.column(dataclasses.replace(full, column=value_column, quality=quality))
            whole = [np.zeros(len(self.frame), a.dtype) for a in (values, there, flags)]
            for target, part in zip(whole, (values, there, flags), strict=True):
                target[at] = part
            parts.append((full, whole, at))
        runs = []
        for name, g in groups:
            members = [(tag, *whole, np.intersect1d(g, at)) for tag, whole, at in parts]
            held = [m for m in members if len(m[-1])]
            if held:
                runs.append(self.run(name, self.starts(g), held))
        return Data(runs)

    def known_tag(self, name: str, known: Mapping[str, Any]) -> str:
        if name not in known:
            raise errors.unknown("tag", name, f"{self.source} (column '{self.o.tag_column}')", known)
        return name
