"""Walk over the statements of a Program that the three emitters share; each gives only its spelling."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from twin.lowering.opcodes import Opcode
from twin.lowering.program import Index, Program, Statement


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


def lines(program: Program, how: Spelling, opcodes: dict[str, Opcode], level: int = 1) -> list[str]:
    """Text lines of the body of a Program."""
    out: list[str] = []
    _walk(program.body, how, opcodes, level, out)
    return out


def _place(array: str, index: Index, how: Spelling) -> str:
    offset, strides = index
    parts = [f"i{i}" if s == 1 else f"{s} * i{i}" for i, s in strides]
    if offset or not parts:
        parts.append(str(offset))
    return f"{how.table if array == 'table' else array}[{' + '.join(parts)}]"


def _walk(body: Sequence[Statement], how: Spelling, opcodes: dict[str, Opcode], level: int, out: list[str]) -> None:
    pad = how.indent * level
    for s in body:
        kind = s[0]
        if kind == "let":
            value = how.text(opcodes[s[2]]).format(*(f"v{a}" for a in s[3:]))
            out.append(pad + how.let.format(f"v{s[1]}", value))
        elif kind == "const":
            out.append(pad + how.let.format(f"v{s[1]}", how.number(s[2])))
        elif kind == "time":
            out.append(pad + how.let.format(f"v{s[1]}", "t"))
        elif kind == "load":
            out.append(pad + how.let.format(f"v{s[1]}", _place(s[2], s[3], how)))
        elif kind in ("store", "add"):
            sign = "=" if kind == "store" else "+="
            out.append(f"{pad}{_place(s[1], s[2], how)} {sign} v{s[3]}{how.stop}")
        else:
            out.append(pad + how.loop.format(f"i{s[1]}", s[2]))
            _walk(s[3], how, opcodes, level + 1, out)
            if how.end:
                out.append(pad + how.end)


