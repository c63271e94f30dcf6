"""Walk over the statements of a Program that the three emitters share; each gives only its spelling.

A value that is used once is written where it is used; the order of evaluation within an expression stays the same, so
that all languages round alike.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from twin.lowering.opcodes import OPCODES, Opcode
from twin.lowering.program import Index, Program, Statement

DEEPEST = 16  # nesting of expressions; parsers have limits, readers too
INPUTS = ("x", "z", "u", "d", "p", "table")  # a kernel never writes them


@dataclasses.dataclass(frozen=True)
class Spelling:
    """How one language writes statements; `text` picks the template of an opcode."""

    text: Callable[[Opcode], str]
    number: Callable[[float], str]
    let: str
    loop: str
    end: str
    indent: str
    stop: str
    table: str


class _Text(NamedTuple):
    """Expression of a value; `whole` where it needs no brackets as an operand."""

    text: str
    whole: bool = True
    depth: int = 0


class _Form(NamedTuple):
    """What matters of a template: how often each argument occurs, and whether it is a call."""

    template: str
    counts: tuple[int, ...]
    call: bool


@functools.cache
def _form(template: str, arity: int) -> _Form:
    counts = tuple(template.count(f"{{{k}}}") for k in range(arity))
    return _Form(template, counts, template[0].isalpha() and template.endswith(")"))


def python_number(value: float) -> str:
    """Text of a constant in Python and numba."""
    if math.isfinite(value):
        return repr(value) if math.copysign(1.0, value) > 0 else f"({value!r})"
    return "math.nan" if value != value else "math.inf" if value > 0 else "(-math.inf)"


def lines(program: Program, how: Spelling, level: int = 1) -> list[str]:
    """Text lines of the body of a Program."""
    return _Writer(program, how).walk(program.body, level)


class _Writer:
    def __init__(self, program: Program, how: Spelling) -> None:
        self.how = how
        self.forms = {name: _form(how.text(o), o.arity) for name, o in OPCODES.items()}
        self.values: dict[int, _Text] = {}
        self.uses: dict[int, int] = {}
        self._count(program.body, {}, 0)

    def _count(self, body: Sequence[Statement], home: dict[int, int], depth: int) -> None:
        """How often the text of each value would occur; a use in an inner loop counts as many."""
        for s in body:
            kind = s[0]
            if kind == "let":
                for a, n in zip(s[3:], self.forms[s[2]].counts, strict=True):
                    self.uses[a] = self.uses.get(a, 0) + (n if home[a] == depth else 2)
            elif kind == "store" or kind == "add":
                self.uses[s[3]] = self.uses.get(s[3], 0) + (1 if home[s[3]] == depth else 2)
                continue
            elif kind == "loop":
                self._count(s[3], home, depth + 1)
                continue
            home[s[1]] = depth

    def place(self, array: str, index: Index) -> str:
        """Array element."""
        offset, strides = index
        parts = [f"i{i}" if s == 1 else f"{s} * i{i}" for i, s in strides]
        if offset or not parts:
            parts.append(str(offset))
        return f"{self.how.table if array == 'table' else array}[{' + '.join(parts)}]"

    def operation(self, opcode: str, arguments: Sequence[int]) -> _Text:
        """Expression of an operation, its arguments written out where they are used only here."""
        form, texts, depth = self.forms[opcode], [], 0
        for a in arguments:
            text, whole, deep = self.values[a]
            texts.append(text if whole or form.call else f"({text})")
            depth = max(depth, deep)
        return _Text(form.template.format(*texts), form.call, depth + 1)

    def walk(self, body: Sequence[Statement], level: int) -> list[str]:
        """Lines of a body."""
        how, pad, out = self.how, self.how.indent * level, []
        for s in body:
            kind = s[0]
            if kind == "loop":
                out.append(pad + how.loop.format(f"i{s[1]}", s[2]))
                out += self.walk(s[3], level + 1)
                out += [pad + how.end] if how.end else []
            elif kind in ("store", "add"):
                sign = "=" if kind == "store" else "+="
                out.append(f"{pad}{self.place(s[1], s[2])} {sign} {self.values[s[3]].text}{how.stop}")
            elif kind == "const":
                self.values[s[1]] = _Text(how.number(s[2]))
            elif kind == "time":
                self.values[s[1]] = _Text("t")
            else:
                value = self.operation(s[2], s[3:]) if kind == "let" else _Text(self.place(s[2], s[3]))
                once = self.uses.get(s[1], 0) == 1 and (kind == "let" or s[2] in INPUTS)
                if not once or value.depth >= DEEPEST:
                    out.append(pad + how.let.format(f"v{s[1]}", value.text))
                    value = _Text(f"v{s[1]}")
                self.values[s[1]] = value
        return out
