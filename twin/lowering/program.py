"""Program: a function as data. A closed list of statements that three emitters turn into Python, C99 and numba text.

Statements (tuples, so that a Program can be hashed, compared and stored as JSON):

    ("const", v, number)            v is a value id (int), each set once
    ("time", v)                     v = t
    ("load", v, array, index)       v = array[index]
    ("let", v, opcode, a, b, ...)   v = opcode(a, b, ...), see opcodes.py; a, b are value ids
    ("store", array, index, v)      array[index] = v
    ("add", array, index, v)        array[index] += v
    ("loop", i, count, body)        for i in range(count): body; i is a loop id; ids set in body live in body

`index` is affine: (offset, ((loop id, stride), ...)). Arrays: x z u d p out work, and "table" (the constants).
A value set outside a loop may be read inside it. Inputs are never written; `out` and `work` may hold anything at the start,
so that a kernel can be run again (the careful Python text does): store before adding.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

from twin.errors import StorageError

ARRAYS = ("x", "z", "u", "d", "p", "out", "work", "table")
PROGRAM_VERSION = 1

Index = tuple[int, tuple[tuple[int, int], ...]]
Statement = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class Program:
    """One lowered function k(t, x, z, u, d, p, out, work)."""

    name: str
    sizes: tuple[tuple[str, int], ...]  # lengths of x z u d p out work
    table: tuple[float, ...]
    body: tuple[Statement, ...]

    def size(self, array: str) -> int:
        """Length of one array argument."""
        return dict(self.sizes)[array]

    def to_data(self) -> dict[str, Any]:
        """The Program as lists and strings; floats as hexadecimal, so that nothing is rounded."""
        return {"version": PROGRAM_VERSION, "name": self.name, "sizes": self.sizes,
                "table": [v.hex() for v in self.table], "body": [_freeze(s) for s in self.body]}

    @classmethod
    def from_data(cls, raw: dict[str, Any]) -> Program:
        """The Program of `to_data`.

        Raises
        ------
        StorageError
            Where another version of the library wrote it.
        """
        if raw.get("version") != PROGRAM_VERSION:
            raise StorageError(f"The stored program has version {raw.get('version')}. Expected {PROGRAM_VERSION}. "
                               "Save it again from its class.")
        sizes, table = tuple((n, int(k)) for n, k in raw["sizes"]), tuple(float.fromhex(v) for v in raw["table"])
        return cls(raw["name"], sizes, table, tuple(_thaw(s) for s in raw["body"]))

    def to_json(self) -> str:
        """Exact text."""
        return json.dumps(self.to_data(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """The Program written by `to_json`."""
        return cls.from_data(json.loads(text))

    def key(self) -> str:
        """Program key: hash of everything the compiled code depends on, constants with their bytes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]


def _freeze(s: Statement) -> Any:
    if s[0] == "const":
        return ("const", s[1], float(s[2]).hex())
    return (*s[:3], [_freeze(inner) for inner in s[3]]) if s[0] == "loop" else s


def _thaw(s: list[Any]) -> Statement:
    kind = s[0]
    if kind == "const":
        return ("const", s[1], float.fromhex(s[2]))
    if kind == "load":
        return ("load", s[1], s[2], _index(s[3]))
    if kind == "loop":
        return ("loop", s[1], s[2], tuple(_thaw(inner) for inner in s[3]))
    return (kind, s[1], _index(s[2]), s[3]) if kind == "store" or kind == "add" else tuple(s)


def _index(raw: list[Any]) -> Index:
    return raw[0], tuple((i, stride) for i, stride in raw[1])
