"""Cells of a table: numbers, missing values, texts for bad values, quality codes; every error names its row."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.series import BAD, GOOD, QUALITIES, UNCERTAIN

MISSING = frozenset(("", "nan", "null", "none", "na", "n/a", "-", "--"))
# What historians and spreadsheets write in place of a number.
BAD_TEXTS = ("bad", "bad input", "bad value", "i/o timeout", "no data", "not connect", "comm fail", "calc failed",
             "shutdown",
             "configure", "over range", "under range", "scan off", "error", "#n/a", "#value!", "#div/0!", "#ref!",
             "#num!", "#name?")


def column_numbers(cells: Any, rows: Any, tag: Any, source: str, options: Any) -> tuple[Any, Any, Any]:
    """Values (float64), mask of the rows that hold a sample, and quality, of one column.

    Raises
    ------
    DataError
        For a cell that is neither number, missing nor a known text for a bad value.
    """
    import numpy as np
    import pandas as pd

    quality = np.zeros(len(cells), np.uint8)
    if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_complex_dtype(cells.dtype):
        values = cells.to_numpy(dtype=float, na_value=np.nan,
                                copy=True) if cells.hasnans else cells.to_numpy(dtype=float, copy=True)
        there = ~np.isnan(values)
    else:
        bad = {str(b).strip().lower() for b in options.bad}
        values = np.full(len(cells), np.nan)
        there = np.zeros(len(cells), dtype=bool)
        for k, cell in enumerate(cells.tolist()):
            number = cell_number(cell, options.decimal)
            if number is None:
                text = str(cell).strip()
                if text.lower() in bad:
                    there[k], quality[k] = True, BAD
                    continue
                raise _no_number(text, int(rows[k]), tag, source, options.decimal)
            values[k], there[k] = number, not math.isnan(number)
    k = int(np.isinf(values).argmax()) if len(values) else 0
    if len(values) and np.isinf(values[k]):
        raise errors.DataError(f"{source}: column '{tag.column}' is {values[k]} {tag.unit} in row {rows[k]}. Expected "
                               "a finite number. Correct the cell or leave it empty.", name=tag.column,
                               row=int(rows[k]))
    return values * tag.factor, there, quality


def cell_number(cell: Any, decimal: str) -> float | None:
    """A cell as a number, NaN where it is empty, None where it is something else."""
    if cell is None:
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in MISSING:
            return math.nan
        if decimal == ",":
            if "." in text and "," not in text:
                return None  # a stray point among decimal commas may be a thousands separator: never guess
            text = text.replace(",", ".")
        if "_" in text:
            return None
        try:
            return float(text)
        except ValueError:
            return None
    if isinstance(cell, int | float) or hasattr(cell, "__float__"):
        try:
            return float(cell)
        except (OverflowError, TypeError, ValueError):
            return None
    return math.nan if cell != cell else None  # NaT and NA are unequal to themselves


def numbers_or_none(cells: Any, decimal: str) -> Any:
    """All cells as floats, or None where one is something else."""
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_complex_dtype(cells.dtype):
        return cells.to_numpy(dtype=float)
    found = [cell_number(c, decimal) for c in cells.tolist()]
    return None if any(v is None or math.isnan(v) for v in found) else np.array(found, dtype=float)


def qualities(cells: Any, rows: Any, column: str, source: str, codes: Any) -> tuple[Any, Any]:
    """Quality of each row (0 good, 1 uncertain, 2 bad) and the mask of rows that state one.

    `codes` is "opc-da" (192 is good), "opc-ua" (0 is good), a mapping {code: "good" | "uncertain" | "bad"}, or None for
    the three words themselves.

    Raises
    ------
    DataError
        For a code that is not known.
    SpecError
        For numbers whose meaning was not stated.
    """
    import numpy as np

    found = np.zeros(len(cells), np.uint8)
    stated = np.zeros(len(cells), dtype=bool)
    table = _code_table(codes)
    for k, cell in enumerate(cells.tolist()):
        text = "" if cell is None or cell != cell else str(cell).strip()
        if not text:
            continue
        stated[k] = True
        number = cell_number(cell, ".")
        whole = number is not None and math.isfinite(number) and number == int(number)
        code = str(int(number or 0)) if whole else text.lower()
        quality = table.get(code)
        if quality is None and whole and codes in ("opc-da", "opc-ua"):
            quality = _opc(int(number or 0), codes)
        if quality is None and number is not None and codes is None:
            raise errors.SpecError(f"{source}: the quality in row {rows[k]} is {text} (column '{column}'): 0 is bad in "
                                   "OPC DA and good in OPC UA. Expected to be told. Pass quality_codes='opc-da', "
                                   "'opc-ua' or {0: 'good'}.",
                                   name=column, row=int(rows[k]))
        if quality is None:
            raise errors.DataError(f"{source}: the quality in row {rows[k]} is '{text}' (column '{column}'). Expected "
                                   f"one of {', '.join(list(table)[:12])}. Pass quality_codes={{'{text}': 'bad'}}.",
                                   name=column, row=int(rows[k]))
        found[k] = quality
    return found, stated


def _code_table(codes: Any) -> dict[str, int]:
    table = {word: k for k, word in enumerate(QUALITIES)}
    if codes is None or codes in ("opc-da", "opc-ua"):
        return table
    if not isinstance(codes, Mapping):
        raise errors.SpecError(f"quality_codes is {codes!r}. Expected 'opc-da', 'opc-ua' or a mapping "
                               f"{{code: 'good'}}. Correct it.")
    for code, word in codes.items():
        if word not in QUALITIES:
            raise errors.SpecError(f"quality_codes maps {code!r} to {word!r}. Expected good, uncertain or bad. Correct "
                                   "it.")
        table[str(code).strip().lower()] = QUALITIES.index(word)
    return table


def _opc(code: int, kind: str) -> int:
    """Quality from the top two bits: of 8 in OPC DA (Data Access 2.05a), of 32 in OPC UA (part 4, StatusCode)."""
    if kind == "opc-da":
        return (BAD, UNCERTAIN, UNCERTAIN, GOOD)[code >> 6 & 3]
    return (GOOD, UNCERTAIN, BAD, BAD)[code >> 30 & 3]


def _no_number(text: str, row: int, tag: Any, source: str, decimal: str) -> errors.DataError:
    todo = f"Correct the cell, or pass bad=['{text[:40]}'] if it marks a bad value."
    if decimal == "." and re.fullmatch(r"[-+]?[\d.]*\d,\d+(?:[eE][-+]?\d+)?", text):
        todo = "It looks like a decimal comma: pass decimal=','."
    return errors.DataError(f"{source}: column '{tag.column}' ({tag.unit}) is '{text[:60]}' in row {row}. Expected a "
                            f"number. {todo}",
                            name=tag.column, value=text, row=row)
