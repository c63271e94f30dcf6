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
A value set outside a loop may be read inside it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

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

    def to_json(self) -> str:
        """Exact text: floats as hexadecimal."""
        return json.dumps({"version": PROGRAM_VERSION, "name": self.name, "sizes": self.sizes,
                           "table": [v.hex() for v in self.table], "body": _freeze(self.body)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """The Program written by `to_json`."""
        raw = json.loads(text)
        if raw.get("version") != PROGRAM_VERSION:
            raise ValueError(f"The program has version {raw.get('version')}. Expected {PROGRAM_VERSION}.")
        sizes, table = tuple((n, int(k)) for n, k in raw["sizes"]), tuple(float.fromhex(v) for v in raw["table"])
        return cls(raw["name"], sizes, table, tuple(_thaw(s) for s in raw["body"]))

    def key(self) -> str:
        """Program key: hash of everything the compiled code depends on, constants with their bytes."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:32]


def _freeze(value: Any) -> Any:
    if isinstance(value, tuple | list):
        if len(value) == 3 and value[0] == "const":
            return ["const", value[1], float(value[2]).hex()]
        return [_freeze(v) for v in value]
    return value


def _thaw(value: Any) -> Any:
    if isinstance(value, list):
        if len(value) == 3 and value[0] == "const":
            return ("const", value[1], float.fromhex(value[2]))
        return tuple(_thaw(v) for v in value)
    return value
