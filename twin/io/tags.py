"""Tag maps: which column of a plant's file is which signal, in which unit; as a mapping or a TOML file."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twin import errors
from twin.series import HOLDS

_KEYS = ("signal", "unit", "factor", "quality", "hold", "note")


@dataclasses.dataclass(frozen=True)
class Tag:
    """One column of a file.

    Parameters
    ----------
    column
        Header of the column.
    signal
        Name it gets, as a rule that of a signal of the model.
    unit
        Unit of the values (after `factor`); empty where the header or `units=` says it.
    factor
        Number that the column is multiplied by.
    quality
        Column that holds the quality of this one.
    hold
        "previous" or "linear"; empty: what `hold=` of the reader says.
    note
        For people.

    Raises
    ------
    SpecError
        For an empty name, an unknown hold, or a factor that is not a finite number other than 0.
    """

    column: str
    signal: str
    unit: str = ""
    factor: float = 1.0
    quality: str = ""
    hold: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        for key in ("column", "signal", "unit", "quality", "hold", "note"):
            if not isinstance(getattr(self, key), str):
                raise errors.SpecError(f"Tag '{self.column}' has {key} = {getattr(self, key)!r}. Expected text. Put it "
                                       "in quotes.")
        if not self.column or not self.signal:
            raise errors.SpecError(f"A Tag maps {self.column!r} to {self.signal!r}. Expected two names. Name column "
                                   "and signal.")
        if self.hold and self.hold not in HOLDS:
            raise errors.SpecError(f"Tag '{self.column}' has hold = {self.hold!r}. Expected 'previous' or 'linear'. "
                                   "Correct it.")
        factor = self.factor
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not math.isfinite(factor) or factor == 0:
            raise errors.SpecError(f"Tag '{self.column}' has factor = {factor!r}. Expected a number other than 0. "
                                   "Leave it out for 1.")


@dataclasses.dataclass(frozen=True)
class TagMap:
    """Tags of one file; each column and each signal once.

    Raises
    ------
    SpecError
        Where a column or a signal is there twice, or there is none.

    Examples
    --------
    >>> TagMap.of({"TI1201.PV": ("t_bed", "degC")}).tags[0].signal
    't_bed'
    """

    tags: Sequence[Tag]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))
        if not self.tags:
            raise errors.SpecError("A TagMap has no tags. Expected at least one. Write 'column' = ['signal', 'unit'].")
        for what in ("column", "signal"):
            seen: set[str] = set()
            for tag in self.tags:
                name = getattr(tag, what)
                if name in seen:
                    raise errors.SpecError(f"The {what} '{name}' is mapped twice. Expected each {what} once. Remove "
                                           "one.",
                                           name=name)
                seen.add(name)

    def __iter__(self) -> Any:
        return iter(self.tags)

    @classmethod
    def of(cls, value: TagMap | Mapping[str, Any] | str | Path) -> TagMap:
        """A tag map from a mapping {column: "signal" | (signal, unit) | {"signal": ..., "unit": ...}}, or a TOML file.

        Raises
        ------
        SpecError
            Where an entry is wrong.
        StorageError
            Where the file cannot be read.
        """
        if isinstance(value, TagMap):
            return value
        if isinstance(value, str | Path):
            return cls.read(value)
        if not isinstance(value, Mapping):
            raise errors.SpecError(f"tags is a {type(value).__name__}. Expected a mapping, a TagMap or the path of a "
                                   "TOML file. Write {'TI1201.PV': ('t_bed', 'degC')}.")
        return cls([_tag(str(column), entry) for column, entry in value.items()])

    @classmethod
    def read(cls, path: str | Path) -> TagMap:
        """Read the table [tags] of a TOML file.

        Raises
        ------
        SpecError
            Where the text is no tag map.
        StorageError
            Where the file cannot be read.
        """
        try:
            raw = Path(path).read_bytes()
        except (OSError, ValueError) as e:
            reason = getattr(e, "strerror", None) or e
            raise errors.StorageError(f"The tag map {path} cannot be read: {reason}. Check the path.") from e
        try:
            top = tomllib.loads(raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as e:
            raise errors.SpecError(f"The tag map {path} is no TOML file: {e}. Write [tags] and below it "
                                   "\"TI1201.PV\" = { signal = \"t_bed\", unit = \"degC\" }.") from e
        table = top.get("tags")
        if not isinstance(table, Mapping):
            raise errors.SpecError(f"The tag map {path} has no table [tags]. Expected one. Write [tags] above the "
                                   "entries.")
        return cls.of(table)


def _tag(column: str, entry: Any) -> Tag:
    if isinstance(entry, Tag):
        return dataclasses.replace(entry, column=column)
    if isinstance(entry, str):
        return Tag(column, entry)
    if isinstance(entry, Mapping):
        for key in entry:
            if key not in _KEYS:
                raise errors.unknown("key", str(key), f"tag '{column}'", _KEYS)
        if "signal" not in entry:
            raise errors.SpecError(f"Tag '{column}' names no signal. Expected one. Write signal = \"t_bed\".",
                                   name=column)
        return Tag(column, **entry)
    if isinstance(entry, Sequence) and len(entry) == 2:
        return Tag(column, *entry)
    raise errors.SpecError(f"Tag '{column}' is {entry!r}. Expected a signal name, [signal, unit], or a table. "
                           "Write [\"t_bed\", \"degC\"].", name=column)
