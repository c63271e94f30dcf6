"""Recording a run row by row so that a killed process loses a torn line at most: whole chunks, a journal for the rest.

While it records, `run.h5.partial` holds whole chunks and `run.h5.journal-<first row>` the rows since, one line of JSON
each. The journals of the last two chunks are kept, so that a chunk torn while it was written is still in them. `close`
writes `run.h5`, whole, and removes both.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from twin import errors
from twin.data import Data, Run
from twin.io.hdf5 import write_runs
from twin.series import BAD, GOOD, HOLDS, Series, check_time_unit

CHUNK = 256
_FORMAT = "twinworks-recording"


@dataclasses.dataclass(frozen=True)
class Recovered:
    """What was left of an interrupted recording.

    Attributes
    ----------
    run
        The rows that could be read.
    rows, lost
        Numbers of rows read, and known to be lost.
    message
        Both in a sentence.
    """

    run: Run
    rows: int
    lost: int
    message: str


class RunWriter:
    """Records a run into an HDF5 file, row by row.

    Parameters
    ----------
    path
        The finished file; it appears when `close` is called, and never in part.
    name, start, time_unit
        Those of the `Run`.
    units
        {signal: unit}, in the order of the columns.
    hold
        {signal: "previous" or "linear"}; previous where not named.

    Raises
    ------
    StorageError
        Where the folder cannot be written, the file is there, or an interrupted recording of it is.

    Examples
    --------
    >>> import tempfile, pathlib, twin
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "shift.h5"
    >>> with RunWriter(path, "shift 1", {"t_bed": "degC"}, time_unit="min") as record:
    ...     record.append(0.0, {"t_bed": 25.0})
    >>> twin.read(path)[0]["t_bed"].values.tolist()
    [25.0]
    """

    def __init__(self, path: str | Path, name: str, units: Mapping[str, str], *, start: datetime.datetime | None = None,
                 time_unit: str = "s", hold: Mapping[str, str] | None = None) -> None:
        import h5py

        self.path = Path(path)
        self.units = dict(units)
        check_time_unit(time_unit, f"RunWriter '{name}'")
        hold = dict(hold or {})
        for signal, kind in hold.items():
            if signal not in self.units or kind not in HOLDS:
                raise errors.SpecError(f"hold has {signal!r}: {kind!r}. Expected a recorded signal with 'previous' or "
                                       "'linear'. Correct it.")
        begin = Run(name, start, ()).start
        self.facts = {"name": name, "start": begin.isoformat() if begin else "", "time_unit": time_unit,
                      "names": list(self.units), "units": list(self.units.values()),
                      "hold": [hold.get(n, "previous") for n in self.units]}
        self.rows, self.last = 0, -math.inf
        self.buffer: list[list[float]] = []
        if self.path.exists() or interrupted(self.path):
            what = "is there already" if self.path.exists() else "has an interrupted recording beside it"
            raise errors.StorageError(f"{self.path} {what}. Expected a new name. Choose another, or read it with "
                                      "twin.read(path, recover=True) and remove it.")
        try:
            with _partial(self.path).open("xb"):
                pass
            self.file: Any = h5py.File(_partial(self.path), "w")
            self.file.attrs.update(format=_FORMAT, facts=json.dumps(self.facts))
            width = 1 + 2 * len(self.units)
            self.table = self.file.create_dataset("rows", (0, width), "f8", maxshape=(None, width), chunks=(CHUNK,
                                                                                                            width),
                                                  fillvalue=math.nan)
            self.file.flush()
            self.journal: Any = self._new_journal()
        except OSError as e:
            raise errors.StorageError(f"{self.path} cannot be recorded: {e.strerror or e}. Nothing was changed. Choose "
                                      "another folder or check its permissions.") from e

    def append(self, time: float, values: Mapping[str, float], quality: Mapping[str, int] | None = None) -> None:
        """Record one row: time since the start in the time unit, and the values that there are at that time.

        Parameters
        ----------
        time
            Larger than that of the row before.
        values
            {signal: value} in the units stated; signals left out have no sample at this time.
        quality
            {signal: 0 good, 1 uncertain, 2 bad}; good where not named.

        Raises
        ------
        DataError
            For a time that does not increase, an infinite value or an unknown signal; nothing is recorded then.
        StorageError
            Where the row cannot be written.
        """
        for name in (*values, *(quality or ())):
            if name not in self.units:
                raise errors.unknown("signal", name, f"the recording {self.path.name}", self.units)
        if not math.isfinite(time) or not time > self.last:
            raise errors.DataError(f"{self.path.name}: row {self.rows} has the time {time:g} {self.facts['time_unit']} "
                                   f"after {self.last:g}. Expected increasing times. Check the clock.", row=self.rows)
        row = [float(time)]
        flags = quality or {}
        for name, unit in self.units.items():
            value, flag = float(values.get(name, math.nan)), int(flags.get(name, GOOD))
            if math.isinf(value) or flag not in (0, 1, 2):
                raise errors.DataError(f"{self.path.name}: {name} is {value:g} {unit} with quality {flag} in row "
                                       f"{self.rows}. Expected a finite number and 0, 1 or 2. Pass NaN for a bad "
                                       "value.",
                                       row=self.rows)
            there = name in values
            row += [value, float(BAD if there and math.isnan(value) else flag) if there else math.nan]
        try:
            self.journal.write(json.dumps([None if math.isnan(v) else v for v in row]) + "\n")
            self.journal.flush()
            self.buffer.append(row)
            self.rows, self.last = self.rows + 1, float(time)
            if len(self.buffer) == CHUNK:
                self._store_chunk()
        except OSError as e:
            raise errors.StorageError(f"{self.path} cannot be written: {e.strerror or e}. {self.rows} rows are kept. "
                                      "Free space, then read them with twin.read(path, recover=True).") from e

    def close(self) -> Path:
        """Finish: the file appears whole at `path`, then the partial file and the journals go."""
        if self.file is None:
            return self.path
        table = [*self.table[()].tolist(), *self.buffer]
        self.file.close()
        self.journal.close()
        self.file = None
        write_runs(self.path, Data([_run(self.facts, table)]))
        for leftover in (_partial(self.path), *_journals(self.path)):
            leftover.unlink(missing_ok=True)
        return self.path

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _store_chunk(self) -> None:
        first = self.table.shape[0]
        self.table.resize(first + CHUNK, axis=0)
        self.table[first:] = self.buffer
        self.file.flush()
        self.buffer = []
        self.journal.close()
        self.journal = self._new_journal()
        for old in _journals(self.path)[:-2]:
            old.unlink(missing_ok=True)

    def _new_journal(self) -> Any:
        journal = self.path.with_name(f"{self.path.name}.journal-{self.rows:012d}").open("x", encoding="ascii")
        journal.write(json.dumps(self.facts) + "\n")
        journal.flush()
        return journal


def interrupted(path: Path) -> bool:
    """True where a recording of `path` was not closed."""
    return _partial(path).exists() or bool(_journals(path))


def recover_run(path: str | Path) -> Recovered:
    """Read what an interrupted recording left: whole chunks, and the journals for all rows after them.

    Raises
    ------
    StorageError
        Where nothing was left.
    """
    path = Path(path)
    facts: Any = None
    found: dict[int, Any] = {}
    for journal in _journals(path):
        first = int(journal.name.rsplit("-", 1)[1])
        lines = journal.read_bytes().split(b"\n")
        stated = _json(lines[0])
        facts = stated if _is_facts(stated) else facts
        for k, line in enumerate(lines[1:]):
            row = _json(line)
            if isinstance(row, list) and facts and len(row) == 1 + 2 * len(facts["names"]) and isinstance(row[0],
                                                                                                          int | float):
                found[first + k] = [math.nan if v is None else float(v) for v in row]
            elif line.strip():
                found.setdefault(first + k, None)
    stored, facts = _stored_rows(path, facts)
    found |= {k: row for k, row in stored.items() if row is not None or k not in found}
    if facts is None:
        raise errors.StorageError(f"{path} has no recording to recover. Expected {path.name}.partial or its journal. "
                                  "Check the path.")
    table = [found[k] for k in sorted(found) if found[k] is not None]
    lost = (max(found) + 1 if found else 0) - len(table)
    run = _run(facts, table)
    text = (f"{path} was recovered from an interrupted recording: {len(table)} rows read, {lost} lost"
            f"{' (torn while they were written)' if lost else ''}.")
    return Recovered(run, len(table), lost, text)


def _stored_rows(path: Path, facts: Any) -> tuple[dict[int, Any], Any]:
    """Rows of the whole chunks, None where one cannot be read; nothing where the file itself cannot."""
    import h5py

    rows: dict[int, Any] = {}
    try:
        with h5py.File(_partial(path), "r") as file:
            stated = _json(file.attrs["facts"])
            facts = stated if facts is None and _is_facts(stated) else facts
            table = file["rows"]
            if facts is None or table.dtype != "f8" or table.ndim != 2 or table.shape[1] != 1 + 2 * len(facts["names"]):
                return rows, facts
            for a in range(0, table.shape[0], CHUNK):
                try:
                    block = table[a:a + CHUNK].tolist()
                except (OSError, RuntimeError, ValueError):
                    block = [[math.nan]] * min(CHUNK, table.shape[0] - a)
                rows |= {a + k: row if math.isfinite(row[0]) else None for k, row in enumerate(block)}
    except Exception:  # not there, or torn beyond opening: the journals hold the last two chunks
        return rows, facts
    return rows, facts


def _run(facts: Mapping[str, Any], table: Sequence[Sequence[float]]) -> Run:
    import numpy as np

    start = datetime.datetime.fromisoformat(facts["start"]) if facts["start"] else None
    array = np.array(table, dtype=float).reshape(len(table), 1 + 2 * len(facts["names"]))
    array = array[np.concatenate([[True], np.diff(array[:, 0]) > 0])] if len(array) else array
    series = []
    for k, (name, unit, hold) in enumerate(zip(facts["names"], facts["units"], facts["hold"], strict=True)):
        there = ~np.isnan(array[:, 2 + 2 * k])
        part = array[there]
        series.append(Series(name, part[:, 0], part[:, 1 + 2 * k], unit, part[:, 2 + 2 * k].astype(np.uint8), hold))
    return Run(facts["name"], start, tuple(series), facts["time_unit"])


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _journals(path: Path) -> list[Path]:
    found = path.parent.glob("*.journal-*")
    return sorted(p for p in found if p.name.startswith(f"{path.name}.journal-") and p.name.rsplit("-", 1)[1].isdigit())


def _json(line: Any) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError, TypeError):
        return None


def _is_facts(value: Any) -> bool:
    if not isinstance(value, dict) or not {"name", "start", "time_unit", "names", "units", "hold"} <= set(value):
        return False
    lists = [value[k] for k in ("names", "units", "hold")]
    return all(isinstance(c, list) and len(c) == len(lists[0]) and all(isinstance(v, str) for v in c) for c in lists)
