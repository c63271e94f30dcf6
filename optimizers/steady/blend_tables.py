"""Materials from a DataFrame or a CSV file."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from twin import errors, units

OWN = ("price", "lower", "upper", "moisture", "yields")


def materials(table: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Materials by name and units of their qualities.

    Raises
    ------
    DataError
        Where the table cannot be read or a cell is not a number.
    """
    import pandas as pd

    from optimizers.steady.blend import Material

    if isinstance(table, str | Path):
        if not Path(table).is_file():
            raise errors.DataError(f"There is no file {table}. Give a DataFrame or the path of a CSV file.")
        table = pd.read_csv(table, index_col=0)
    if not isinstance(table, pd.DataFrame):
        raise errors.SpecError(f"materials is a {type(table).__name__}. Expected Material by name, a DataFrame or the path of a "
                               "CSV file.")
    if isinstance(table.index, pd.RangeIndex):
        table = table.set_index(table.columns[0])
    doubled = table.index[table.index.duplicated()]
    if len(doubled):
        raise errors.DataError(f"The material {doubled[0]} stands in the table twice. Give each material one row.")
    heads = {column: _head(str(column)) for column in table.columns}
    found, read_units = {}, {name: unit for name, unit in heads.values() if name not in OWN and unit}
    for label, row in table.iterrows():
        own: dict[str, float] = {}
        qualities: dict[str, float] = {}
        for column, (name, unit) in heads.items():
            value = _cell(str(label), name, row[column])
            if name in OWN:
                if name in ("moisture", "yields") and unit:
                    value = float(units.convert(value, unit, "-", name=name))
                own[name] = value
            else:
                qualities[name] = value
        limits = tuple(None if math.isnan(own.get(side, math.nan)) else own[side] for side in ("lower", "upper"))
        kept = {n: own[n] for n in ("price", "moisture", "yields") if not math.isnan(own.get(n, math.nan))}
        found[str(label)] = Material(qualities, amount=(limits[0] or 0.0, limits[1]), **kept)
    return found, read_units


def _head(column: str) -> tuple[str, str]:
    """Name and unit of a column such as "SiO2 [%]"."""
    parts = re.fullmatch(r"\s*(.*?)\s*(?:\[(.*)\])?\s*", column)
    return (parts[1], parts[2] or "") if parts else (column, "")


def _cell(material: str, name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise errors.DataError(f"{name} of {material} is {value!r}. Expected a number.") from None
