"""Excel workbooks, through openpyxl."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from twin import errors
from twin.data import Data
from twin.files import replace_file
from twin.io.csv_file import table_of


def read_sheet(path: Path, *, sheet: str | int = 0, header: int = 1) -> tuple[Any, int]:
    """A DataFrame of one sheet and the row number of its first row.

    Raises
    ------
    StorageError
        Where the file cannot be read or is no workbook.
    SpecError
        For an unknown sheet.
    MissingExtraError
        Without openpyxl.
    """
    import pandas as pd

    if isinstance(header, bool) or not isinstance(header, int) or header < 1:
        raise errors.SpecError(f"header is {header!r}. Expected the row number of the header, from 1. Correct it.")
    _need_openpyxl()
    try:
        with warnings.catch_warnings():  # openpyxl warns of styles and extensions that carry no values
            warnings.simplefilter("ignore")
            with pd.ExcelFile(path, engine="openpyxl") as book:
                sheets = [str(s) for s in book.sheet_names]
                if isinstance(sheet, str) and sheet not in sheets:
                    raise errors.unknown("sheet", sheet, path.name, sheets)
                if isinstance(sheet, int) and not 0 <= sheet < len(sheets):
                    raise errors.SpecError(f"sheet is {sheet}. Expected 0 to {len(sheets) - 1} of {path.name}. Name "
                                           "the sheet.")
                frame = book.parse(sheet, header=None, keep_default_na=False, na_values=[""])
    except errors.TwinError:
        raise
    except OSError as e:
        raise errors.StorageError(f"{path} cannot be read: {e.strerror or e}. Check the path.") from e
    except Exception as e:  # a broken zip or XML raises nearly anything
        raise errors.StorageError(f"{path} is no Excel workbook (.xlsx) or is damaged: {type(e).__name__}. Save it "
                                  "again from Excel, or export CSV.") from e
    if len(frame) < header:
        raise errors.DataError(f"{path.name} is empty: sheet '{sheets[sheet] if isinstance(sheet, int) else sheet}' "
                               f"has {len(frame)} rows. Expected a header in row {header}. Check sheet= and header=.")
    names = [f"column {k + 1}" if cell != cell or str(cell).strip() == "" else str(cell).strip()
             for k, cell in enumerate(frame.iloc[header - 1].tolist())]
    for name in names:
        if names.count(name) > 1:
            raise errors.DataError(f"{path.name} has {names.count(name)} columns '{name}'. Expected each name once. "
                                   "Rename or remove the others.", name=name)
    body = frame.iloc[header:].reset_index(drop=True).set_axis(names, axis=1)
    return body, header + 1


def write_sheet(path: Path, data: Data) -> Path:
    """Write runs as a workbook of one sheet that `twin.read` reads back.

    Raises
    ------
    StorageError
        Where the file cannot be written; an older one stays whole.
    MissingExtraError
        Without openpyxl.
    """
    _need_openpyxl()
    frame = table_of(data)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            frame.to_excel(file, index=False, sheet_name="data", engine="openpyxl")

    return replace_file(path, write)


def _need_openpyxl() -> None:
    try:
        import openpyxl  # noqa: F401
    except ImportError as e:
        raise errors.MissingExtraError("Excel files need openpyxl, which is not installed. Install it with "
                                       "'pip install openpyxl', or export CSV.") from e
