"""Program to plain Python text that runs on lists and needs only the standard library."""

from __future__ import annotations

import math
from collections.abc import Iterable

from twin.lowering.emit import Spelling, lines
from twin.lowering.opcodes import OPCODES, PYTHON_PRELUDE
from twin.lowering.program import Program


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "math.nan" if value != value else "math.inf" if value > 0 else "-math.inf"


def _spelling(careful: bool, table: str) -> Spelling:
    return Spelling(text=lambda o: o.careful if careful else o.python, number=_number, let="{0} = {1}",
                    loop="for {0} in range({1}):", end="", indent="    ", stop="", table=table)


def emit_python(programs: Iterable[Program]) -> str:
    """Module text with a function for each program; a kernel never raises: where Python would, a careful twin runs."""
    text = [PYTHON_PRELUDE]
    for p in programs:
        table = f"{p.name}_table"
        arguments = "t, x, z, u, d, p, out, work"
        fast = lines(p, _spelling(False, table), OPCODES, 2)
        careful = lines(p, _spelling(True, table), OPCODES, 1)
        if p.table:
            text.append(f"{table} = ({', '.join(map(_number, p.table))},)")
        text += [f"def {p.name}({arguments}):", "    try:", *(fast or ["        pass"]),
                 "    except (ArithmeticError, ValueError):", f"        {p.name}_careful({arguments})",
                 f"def {p.name}_careful({arguments}):", *(careful or ["    pass"])]
    return "\n".join(text) + "\n"
