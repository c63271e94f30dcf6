"""Emission factors: versioned rows with value, unit, source, year, uncertainty and validity."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from twin import errors, units

# kind -> (scope, sign): what stays in the product is taken off; biogenic carbon stands beside the scopes
KINDS = {"fuel": ("1", 1.0), "process": ("1", 1.0), "retained": ("1", -1.0), "electricity": ("2", 1.0), "heat": ("2", 1.0),
         "biogenic": ("memo", 1.0)}
COLUMNS = ("name", "kind", "value", "unit", "uncertainty", "content", "year", "valid_from", "valid_until", "source")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Factor:
    """CO2 of one unit of an activity: one version of it.

    Attributes
    ----------
    name
        Such as "natural gas"; the same name may stand for several versions.
    value, unit
        CO2 over activity: 56.1 and "kg/GJ". Zero or above.
    kind
        "fuel", "process", "retained" (carbon that stays in the product, taken off), "electricity", "heat" (bought), "biogenic".
    source, year
        Where it comes from, and the year that it describes.
    uncertainty
        Standard uncertainty as a share of the value, 0 to 1.
    valid_from, valid_until
        First and last day, as dates or ISO text; None: no last day.
    content
        Heating value, such as "25.8 GJ/t", for fuels that are weighed; "" where there is none.

    Raises
    ------
    twin.errors.SpecError
        For a field that is not as stated here.

    Examples
    --------
    >>> Factor(name="steam", value=70, unit="kg/GJ", kind="heat", source="supplier", year=2025, uncertainty=0.05,
    ...        valid_from="2025-01-01").scope
    '2'
    """

    name: str
    value: float
    unit: str
    kind: str
    source: str
    year: int
    uncertainty: float
    valid_from: dt.date | str
    valid_until: dt.date | str | None = None
    content: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise errors.unknown("kind", self.kind, f"factor '{self.name}'", KINDS)
        for field, value, high in (("value", self.value, math.inf), ("uncertainty", self.uncertainty, 1.0)):
            if not (math.isfinite(value) and 0 <= value <= high):
                raise errors.out_of_range(f"The {field} of factor '{self.name}'", value, self.unit if field == "value" else "-",
                                          0,
                                          high, "Correct the row.")
        if not self.source.strip():
            raise errors.SpecError(f"Factor '{self.name}' has no source. Expected where its {self.value:g} {self.unit} comes "
                                   f"from.")
        for field in ("valid_from", "valid_until"):
            object.__setattr__(self, field, _day(getattr(self, field), f"{field} of factor '{self.name}'"))
        if self.valid_from is None:
            raise errors.SpecError(f"Factor '{self.name}' has no valid_from. Expected the first day on which it holds.")
        if self.valid_until is not None and self.valid_until < self.valid_from:  # type: ignore[operator]
            raise errors.SpecError(f"Factor '{self.name}' holds from {self.valid_from} to {self.valid_until}. Expected the last "
                                   f"day "
                                   "after the first.")
        units.check(self.unit, f"factor '{self.name}'")

    @property
    def scope(self) -> str:
        """"1", "2", or "memo" for biogenic carbon."""
        return KINDS[self.kind][0]

    @property
    def key(self) -> str:
        """Name and first day: what tells versions apart."""
        return f"{self.name}, {self.valid_from}"

    def of_one(self, unit: str, hours: float, what: str) -> tuple[float, float, bool]:
        """kg of CO2 and GJ of one `unit` of an activity, and whether `unit` is a rate, here held for `hours`.

        Raises
        ------
        twin.errors.UnitError
            Where the unit does not fit the factor.
        """
        number, _, per = self.content.partition(" ")
        for rate, times in ((False, 1.0), (True, hours)):
            one = f"({unit}) * h" if rate else f"({unit})"
            energy = 0.0
            for text, size in ((one, 1.0), (f"{one} * ({per})", float(number or 0.0))):
                if (text == one or per) and units.same_dimension(text, "GJ"):
                    energy = units.factor(text, "GJ") * size * times
            if units.same_dimension(f"{one} * ({self.unit})", "kg"):
                co2 = units.factor(f"{one} * ({self.unit})", "kg") * self.value * times
            elif energy and units.same_dimension(self.unit, "kg/GJ"):
                co2 = units.factor(self.unit, "kg/GJ") * self.value * energy
            else:
                continue
            return KINDS[self.kind][1] * co2, energy, rate
        expected = (self.unit.partition("/")[2] or self.unit) + (f", what {self.content} turns into "
                                                                 f"energy" if self.content else "")
        raise errors.UnitError(f"{what} is in {unit}, and factor '{self.name}' in {self.unit}. Expected {expected}, or a rate "
                               f"of it. "
                               "Convert the activity first.", name=what, unit=unit)


@dataclasses.dataclass(frozen=True, eq=False)
class Factors:
    """Rows of emission factors, several versions of a name among them.

    Attributes
    ----------
    rows
        The `Factor` rows.

    Examples
    --------
    >>> import twin
    >>> twin.emission_factors().at("natural gas", None).value
    56.1
    """

    rows: tuple[Factor, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for row in self.rows:
            if row.key in seen:
                raise errors.SpecError(f"Factor '{row.name}' has two rows from {row.valid_from}. Expected one. Leave one out.")
            seen.add(row.key)

    def __iter__(self) -> Iterator[Factor]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def names(self) -> tuple[str, ...]:
        """All names, each once."""
        return tuple(dict.fromkeys(r.name for r in self.rows))

    def with_rows(self, rows: Iterable[Factor]) -> Factors:
        """A table with more rows; one with the same name and first day replaces the older."""
        kept = {r.key: r for r in (*self.rows, *rows)}
        return Factors(tuple(kept.values()))

    def at(self, name: str, day: dt.date | None) -> Factor:
        """The version that holds on a day; without a day the newest.

        Raises
        ------
        twin.errors.SpecError
            For an unknown name, a day before the first version, and a day on which the version is out of date.
        """
        own = sorted((r for r in self.rows if r.name == name), key=lambda r: str(r.valid_from))
        if not own:
            raise errors.unknown("factor", name, "the emission factors", self.names())
        if day is None:
            return own[-1]
        begun = [r for r in own if r.valid_from <= day]  # type: ignore[operator]
        if not begun:
            raise errors.SpecError(f"Factor '{name}' has no version for {day}: the first holds from {own[0].valid_from}. Add a "
                                   f"row "
                                   "with with_rows().")
        found = begun[-1]
        if found.valid_until is not None and found.valid_until < day:  # type: ignore[operator]
            raise errors.SpecError(f"Factor '{name}' ({found.value:g} {found.unit}, {found.year}) is out of date on {day}: it "
                                   f"holds "
                                   f"until {found.valid_until}. Add a newer row with with_rows(), or extend this one.")
        return found

    def to_frame(self) -> Any:
        """DataFrame, one row a version."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(r) for r in self.rows], columns=COLUMNS)


def emission_factors(path: str | Path | None = None) -> Factors:
    """Emission factors of the package, or of a CSV file with the same columns.

    Parameters
    ----------
    path
        CSV file with the columns name, kind, value, unit, uncertainty, content, year, valid_from, valid_until, source; None: the
        table of the package. Its rows are defaults: where a supplier or an authority states a factor, that one counts.

    Returns
    -------
    Factors
        The rows, checked.

    Raises
    ------
    twin.errors.SpecError, twin.errors.StorageError
        For a row that is wrong, with its line, and for a file that cannot be read.

    Examples
    --------
    >>> emission_factors().at("calcium carbonate", None).unit
    'kg/kg'
    """
    file = Path(__file__).with_name("emission_factors.csv") if path is None else Path(path)
    try:
        with file.open(encoding="utf-8", newline="") as text:
            table = csv.DictReader(text)
            missing = sorted(set(COLUMNS) - set(table.fieldnames or ()))
            if missing:
                raise errors.SpecError(f"{file} has no column '{missing[0]}'. Expected {', '.join(COLUMNS)}.")
            return Factors(tuple(_row(row, f"{file}, line {table.line_num}") for row in table))
    except OSError as e:
        raise errors.StorageError(f"{file} cannot be read: {e.strerror}. Check the path.") from e


def _row(row: dict[str, str], where: str) -> Factor:
    given: dict[str, Any] = {c: (row[c] or "").strip() for c in COLUMNS}
    try:
        given |= {"value": float(given["value"]), "uncertainty": float(given["uncertainty"]), "year": int(given["year"])}
        return Factor(**given | {"valid_until": given["valid_until"] or None})
    except errors.TwinError as fault:
        raise errors.SpecError(f"{where}: {fault}") from fault
    except ValueError as fault:
        raise errors.SpecError(f"{where}: value, uncertainty and year are {row['value']!r}, {row['uncertainty']!r} and "
                               f"{row['year']!r}. Expected numbers.") from fault


def _day(value: Any, what: str) -> dt.date | None:
    if value is None or (isinstance(value, dt.date) and not isinstance(value, dt.datetime)):
        return value
    try:
        return dt.date.fromisoformat(str(value)[:10])
    except ValueError:
        raise errors.SpecError(f"{what} is {value!r}. Expected a day such as '2025-01-01'.") from None
