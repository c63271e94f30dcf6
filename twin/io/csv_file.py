"""CSV files: delimiter and encoding found, every cell as it stands, rows numbered as a spreadsheet numbers them."""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin import errors
from twin.data import Data
from twin.files import replace_file

DELIMITERS = (",", ";", "\t", "|")
_OPENERS = {".gz": "gzip", ".xz": "lzma", ".bz2": "bz2"}
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_table(path: Path, *, delimiter: str | None = None, decimal: str = ".", encoding: str | None = None,
               header: int | None = 1, names: Sequence[str] | None = None) -> tuple[Any, int]:
    """A DataFrame of the file and the row number of its first row.

    Raises
    ------
    StorageError
        Where the file cannot be read.
    DataError
        Where it is empty or no table.
    """
    import pandas as pd

    text = read_text(path, encoding)
    lines = text.split("\n")
    skip = _rows_before(header, names, path)
    if not any(line.strip() for line in lines[skip:]):
        raise errors.DataError(f"{path.name} is empty{' below row ' + str(skip) if skip else ''}. Expected a header "
                               "and rows. Check the export.")
    delimiter = delimiter or _sniff(lines[skip:skip + 50], decimal)
    if delimiter == decimal:
        raise errors.SpecError(f"{path.name}: delimiter and decimal are both {decimal!r}. Expected two. Pass "
                               "delimiter=';'.")
    columns = list(names) if names is not None else _header(lines[skip:], delimiter, path, skip + 1)
    first = skip + (1 if names is None else 0)
    body = io.StringIO(text)
    for _ in range(first):
        body.readline()
    sep = r"\s+" if delimiter == " " else delimiter
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # pandas warns where it drops cells
            warnings.filterwarnings("ignore", message=".*float_precision.*")
            frame = pd.read_csv(body, sep=sep, header=None, names=range(len(columns)), index_col=False, decimal=decimal,
                                keep_default_na=False, na_values=[""], low_memory=False, float_precision="round_trip",
                                skip_blank_lines=False, skipinitialspace=True, on_bad_lines="error")
    except pd.errors.EmptyDataError:
        frame = pd.DataFrame(columns=range(len(columns)))
    except Exception as e:  # pandas raises many kinds, and warns, for a table that is none
        raise _no_table(path, lines, first, delimiter, len(columns), e) from e
    return frame.set_axis(columns, axis=1), first + 1


def read_text(path: Path, encoding: str | None = None) -> str:
    """The whole text of a file, unpacked where it ends with .gz, .xz or .bz2.

    Raises
    ------
    StorageError
        Where the file cannot be read or unpacked.
    DataError
        Where it is not text in the encoding.
    """
    import importlib
    import zlib

    try:
        raw = path.read_bytes()
        if path.suffix in _OPENERS:
            raw = importlib.import_module(_OPENERS[path.suffix]).decompress(raw)
    except (OSError, EOFError, ValueError, zlib.error, RuntimeError) as e:
        raise errors.StorageError(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}. Check the path.") from e
    except Exception as e:  # lzma has an error class of its own
        raise errors.StorageError(f"{path} cannot be unpacked: {e}. Copy the file again.") from e
    found = encoding or next((name for mark, name in _MARKS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(found)
    except LookupError:
        raise errors.SpecError(f"encoding is {encoding!r}, which is not known. Expected one such as 'utf-8' or "
                               "'cp1252'.") from None
    except ValueError as e:
        at = getattr(e, "start", 0)
        row = raw[:at].count(b"\n") + 1
        raise errors.DataError(f"{path.name}: row {row} is no text in {found}. Expected a CSV file. Pass "
                               "encoding='cp1252' if it comes from an older Windows program.", row=row) from e
    if "\0" in text:
        row = text[:text.index("\0")].count("\n") + 1
        raise errors.DataError(f"{path.name}: row {row} holds a zero byte. Expected text. Check that this is a CSV "
                               "file.", row=row)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_table(path: Path, data: Data) -> Path:
    """Write runs as one CSV file that `twin.read` reads back without loss.

    Raises
    ------
    StorageError
        Where the file cannot be written; an older one stays whole.
    """
    frame = table_of(data)
    return replace_file(path, lambda temporary: frame.to_csv(temporary, index=False, lineterminator="\n"))


def table_of(data: Data) -> Any:
    """One DataFrame with the columns run, start, time [unit], and name [unit; hold] for each series."""
    import pandas as pd

    base = data[0].time_unit if len(data) else "s"
    found: dict[str, tuple[str, str]] = {}
    flagged = set()
    for run in data:
        for s in run.series:
            unit, hold = found.setdefault(s.name, (s.unit, s.hold))
            if (unit, hold) != (s.unit, s.hold):
                raise errors.DataError(f"Series '{s.name}' has the unit {unit} ({hold}) in one run and {s.unit} "
                                       f"({s.hold}) in run '{run.name}'. Expected one for all. Convert it, or write an "
                                       "HDF5 file.",
                                       name=s.name)
            if s.quality.any():
                flagged.add(s.name)
    frames = []
    for run in data:
        part = run.in_time_unit(base).to_frame(absolute=False, quality=True)
        part.insert(0, f"time [{base}]", part.index)
        if any(r.start for r in data):
            part.insert(0, "start", run.start.isoformat() if run.start else None)
        part.insert(0, "run", run.name)
        frames.append(part.reset_index(drop=True))
    frame = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["run", f"time [{base}]"])
    frame = frame.drop(columns=[f"{n}.quality" for n in found if n not in flagged])
    headers = {n: f"{n} [{unit}{'; linear' if hold == 'linear' else ''}]" for n, (unit, hold) in found.items()}
    return frame.rename(columns=headers)


def _rows_before(header: int | None, names: Sequence[str] | None, path: Path) -> int:
    if header is None:
        if names is None:
            raise errors.SpecError(f"{path.name}: header is None and there are no names. Expected names of the "
                                   "columns. Pass names=['time', 'feed', ...].")
        return 0
    if isinstance(header, bool) or not isinstance(header, int) or header < 1:
        raise errors.SpecError(f"header is {header!r}. Expected the row number of the header, from 1, or None. Correct "
                               "it.")
    return header if names is not None else header - 1


def _header(lines: Sequence[str], delimiter: str, path: Path, row: int) -> list[str]:
    if delimiter == " ":
        cells = lines[0].split()
    else:
        try:
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            cells = next(reader, [])
        except csv.Error as e:
            raise errors.DataError(f"{path.name}: row {row} is no header: {e}. Check that this is a CSV file.",
                                   row=row) from e
        if reader.line_num > 1:
            raise errors.DataError(f"{path.name}: the header in row {row} runs over several lines. Expected one line. "
                                   "Close the quotation marks.", row=row)
    names = [c.strip() or f"column {k + 1}" for k, c in enumerate(cells)]
    if names and all(_is_number(n) for n in names):
        raise errors.SpecError(f"{path.name}: row {row} holds numbers only ({', '.join(names[:4])}). Expected a "
                               "header. Pass header=None and names=['time', ...].", row=row)
    for name in names:
        if names.count(name) > 1:
            raise errors.DataError(f"{path.name} has {names.count(name)} columns '{name}'. Expected each name once. "
                                   "Rename or remove the others.", name=name)
    return names


def _no_table(path: Path, lines: Sequence[str], first: int, delimiter: str, width: int,
              error: Exception) -> errors.DataError:
    rows = enumerate((line.split() for line in lines[first:]) if delimiter == " " else
                     csv.reader(lines[first:], delimiter=delimiter, skipinitialspace=True), first + 1)
    with contextlib.suppress(csv.Error):
        for row, cells in rows:
            if len(cells) > width and any(c.strip() for c in cells[width:]):
                return errors.DataError(f"{path.name}: row {row} has {len(cells)} cells "
                                        f"('{delimiter.join(cells)[:60]}'). Expected {width}, as in the header. "
                                        "Correct the row, or pass delimiter= or decimal=','.", row=row)
    return errors.DataError(f"{path.name} is no table with {width} columns: {str(error).strip()[:200]}. Expected as "
                            f"many cells in each row as in the header, split by {delimiter!r}. Pass delimiter= or "
                            "correct the row.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _sniff(lines: Sequence[str], decimal: str) -> str:
    """The delimiter that splits the first lines into the most columns, equally many in each."""
    lines = [line for line in lines if line.strip()][:20]
    best, most = ",", 1
    for candidate in DELIMITERS:
        if candidate == decimal:
            continue
        try:
            counts = [len(cells) for cells in csv.reader(lines, delimiter=candidate)]
        except csv.Error:
            continue
        if counts and counts[0] > most and counts.count(counts[0]) >= 0.8 * len(counts):
            best, most = candidate, counts[0]
    if most == 1:
        counts = [len(line.split()) for line in lines]
        if counts and counts[0] > 1 and len(set(counts)) == 1:
            return " "
        if decimal == ",":
            return ";"
    return best
