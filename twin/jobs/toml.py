"""Strict reading of TOML tables: unknown keys and wrong types are errors that name the line."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from twin import errors

MAX_BYTES = 1_000_000
_HEADER = re.compile(r"^\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_WORDS: dict[type, str] = {str: "text in quotes", dict: "a table", list: "a list", float: "a number",
                           int: "a whole number", bool: "true or false"}


def load(path: Path) -> Table:
    """The top table of a TOML file.

    Raises
    ------
    StorageError
        Where the file cannot be read.
    SpecError
        Where it is not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as e:
        raise errors.StorageError(f"{path} cannot be read: {e.strerror}. Check the path.") from e
    except UnicodeDecodeError as e:
        raise errors.SpecError(f"{path} is not UTF-8 text (byte {e.start}). Expected a TOML job file.") from e
    if len(content) > MAX_BYTES:
        raise errors.StorageError(f"{path} is longer than {MAX_BYTES} bytes. Expected a job file. "
                                  "Data belong into a file of their own, named under [data].")
    try:
        return Table(tomllib.loads(text), path, text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as e:
        raise errors.SpecError(f"{path} is not valid TOML: {e}. Correct that place.") from e


@dataclasses.dataclass(frozen=True)
class Table:
    """One table of a file with the keys that lead to it."""

    values: Mapping[str, Any]
    path: Path
    text: str = dataclasses.field(repr=False)
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As it is written in the file."""
        return f"[{'.'.join(self.keys)}]" if self.keys else "the job"

    def where(self, *keys: str) -> str:
        """File and line of a key below this table."""
        return f"{self.path}, line {line_of(self.text, (*self.keys, *keys))}"

    def error(self, message: str, *keys: str) -> errors.SpecError:
        """Error at a key below this table."""
        return errors.SpecError(f"{self.where(*keys)}: {message}", line=line_of(self.text, (*self.keys, *keys)))

    def only(self, known: Collection[str]) -> None:
        """Refuse keys other than the known ones."""
        for key in self.values:
            if key not in known:
                raise self.error(str(errors.unknown("key", key, self.name, known)), key)

    def choose(self, kind: str, key: str, known: Collection[str], *keys: str) -> str:
        """`key` where it is one of the known names."""
        if key not in known:
            raise self.error(str(errors.unknown(kind, key, self.name, known)), *(keys or (key,)))
        return key

    def get(self, key: str, kind: type, default: Any = None, *, required: str = "") -> Any:
        """Value of a key; `required` is an example that the error shows where the key is missing."""
        if key not in self.values:
            if required:
                raise self.error(f"{self.name} has no '{key}'. Expected {_WORDS[kind]}. Add: {key} = {required}")
            return default
        value = self.values[key]
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.error(f"'{key}' of {self.name} is {value!r}. Expected {_WORDS[kind]}.", key)
        return value

    def table(self, key: str, *, required: bool = False) -> Table:
        """A table below this one, empty where there is none."""
        if required and key not in self.values:
            raise self.error(f"{self.name} has no table [{'.'.join((*self.keys, key))}]. Add it.")
        return Table(self.get(key, dict, {}), self.path, self.text, (*self.keys, key))

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        found = self.get(key, list, [])
        for value in found:
            if not isinstance(value, str):
                raise self.error(f"'{key}' of {self.name} holds {value!r}. Expected names in quotes.", key)
        return tuple(found)


def line_of(text: str, keys: tuple[str, ...]) -> int:
    """Line, from 1, on which the keys (or the longest part of them that is found) are written."""
    table: tuple[str, ...] = ()
    best, line = 0, 1
    for number, row in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(row), _KEY.match(row)
        if header:
            found = table = _split(header[1])
        elif key:
            found = (*table, *_split(key[1]))
        else:
            continue
        found = found[:len(keys)]
        if len(found) > best and found == keys[:len(found)]:
            best, line = len(found), number
    return line


def _split(dotted: str) -> tuple[str, ...]:
    parts = re.findall(r"\"[^\"]*\"|'[^']*'|[^\s.]+", dotted)
    return tuple(p[1:-1] if p[:1] in "\"'" else p for p in parts)
