"""`read` and `write`: one verb each for CSV, Excel, HDF5 and DataFrames; the ending of the path says which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twin import errors
from twin.data import Data
from twin.io.frames import read_frame

TEXT = (".csv", ".txt", ".tsv", ".dat")
EXCEL = (".xlsx", ".xlsm")
HDF5 = (".h5", ".hdf5")
_PACKED = (".gz", ".xz", ".bz2")
_TEXT_OPTIONS = ("delimiter", "encoding", "header", "names")
_EXCEL_OPTIONS = ("sheet", "header")


def read(source: Any, **options: Any) -> Data:
    """Read measured runs from a file or a DataFrame.

    Every error names the row as a spreadsheet counts it (the header is row 1). Nothing is guessed: what a file leaves
    open (unit, time zone, an hour that came twice) is an error that says what to pass.

    Parameters
    ----------
    source
        Path of a .csv, .txt, .tsv or .dat file (also packed: .gz, .xz, .bz2), an .xlsx workbook, an .h5 file that
        `twin.write` or `twin.RunWriter` made, or a pandas DataFrame.
    tags
        Columns to read: {"TI1201.PV": ("t_bed", "degC")}, a `TagMap`, or the path of its TOML file; all without.
    units
        {column or signal: unit}, or one unit for all. Otherwise the tag map or a header "t_bed [degC]" says the unit.
    leave_out
        Columns not to read, where there is no tag map.
    time_column, time_unit, time_zone, time_format
        Which column; the unit of its numbers ("h"); the zone of its clock ("Europe/Berlin"); the format where it is not
        ISO 8601 ("%d.%m.%Y %H:%M"). Absolute times become seconds since the start, or `time_unit`.
    fold
        Which of the two hours at the end of daylight saving: "first", "second", or "infer" from the order of the rows.
    repair
        What may be mended: "midnight" (rows at 00:00 with the date of the day that ends), "sort", "keep first",
        "keep last". With "sort" the result does not depend on the order of the rows.
    every
        Sampling interval in `time_unit`, for a table without times.
    start
        Absolute time of time 0, for times that are numbers.
    run_column
        Column that names the run; one run without.
    tag_column, value_column
        For one value a row: the columns of the tag and of its value.
    quality_column, quality_codes
        Column with the quality of the row, and its codes: "opc-da", "opc-ua" or {code: "good" | "uncertain" | "bad"}.
        A bad value becomes NaN.
    bad
        Texts that stand for a bad value.
    hold
        "previous", "linear", or {signal: hold}.
    decimal, delimiter, encoding, header, names
        Of a text file: decimal sign, delimiter (found without), encoding, row number of the header (None: there is
        none), names of the columns.
    sheet
        Name or number of the sheet of a workbook.
    recover
        True reads what is left of an interrupted recording or a damaged .h5 file, and warns how many rows were lost.

    Returns
    -------
    Data

    Raises
    ------
    DataError
        For what is wrong in a row or column.
    SpecError, UnitError
        For what is not stated, or stated wrongly.
    StorageError
        For a file that cannot be read, or is damaged or foreign.
    """
    if hasattr(source, "columns") and hasattr(source, "index"):
        return read_frame(source, **options)
    path = Path(source)
    kind = (path.with_suffix("") if path.suffix.lower() in _PACKED else path).suffix.lower()
    if kind in HDF5:
        from twin.io.hdf5 import read_runs

        for name in options:
            if name != "recover":
                raise errors.unknown("option", name, f"twin.read of {path.name}", ["recover"])
        return read_runs(path, recover=bool(options.get("recover")))
    if kind in TEXT:
        from twin.io.csv_file import read_table

        own = {k: options.pop(k) for k in _TEXT_OPTIONS if k in options}
        if "decimal" in options:
            own["decimal"] = options["decimal"]
        frame, first = read_table(path, **own)
    elif kind in EXCEL:
        from twin.io.excel import read_sheet

        own = {k: options.pop(k) for k in _EXCEL_OPTIONS if k in options}
        frame, first = read_sheet(path, **own)
    else:
        raise errors.StorageError(f"{path} ends with '{path.suffix}'. Expected {', '.join(TEXT + EXCEL + HDF5)}. "
                                  "Rename the file, or read it with pandas and pass the DataFrame.")
    return read_frame(frame, source=path.name, first_row=first, name=path.name.split(".")[0], **options)


def write(path: str | Path, data: Data) -> Path:
    """Write measured runs to a .csv, .xlsx or .h5 file that `read` reads back; an older file is replaced in one step.

    Parameters
    ----------
    path
        Where; its suffix chooses the format.
    data
        The runs.

    Raises
    ------
    StorageError
        Where the file cannot be written; what was there before is unchanged.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind in HDF5:
        from twin.io.hdf5 import write_runs

        return write_runs(path, data)
    if kind in EXCEL:
        from twin.io.excel import write_sheet

        return write_sheet(path, data)
    if kind == ".csv":
        from twin.io.csv_file import write_table

        return write_table(path, data)
    raise errors.StorageError(f"{path} ends with '{path.suffix}'. Expected .csv, .xlsx or .h5. Choose one.")
