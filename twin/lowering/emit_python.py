"""Program to plain Python text that runs on lists and needs only the standard library."""

from __future__ import annotations

from collections.abc import Iterable

from twin.lowering.emit import Spelling, lines, python_number
from twin.lowering.opcodes import PYTHON_PRELUDE
from twin.lowering.program import Program

ARGUMENTS = "t, x, z, u, d, p, out, work"


def _spelling(careful: bool, table: str) -> Spelling:
    return Spelling(text=lambda o: o.careful if careful else o.python, number=python_number, let="{0} = {1}",
                    loop="for {0} in range({1}):", end="", indent=" ", stop="", table=table)


def emit_python(programs: Iterable[Program]) -> str:
    """Module text with a function for each program.

    A kernel never raises: where Python would, its careful twin runs, whose text is compiled only then.
    """
    fast, careful = [PYTHON_PRELUDE], []
    for p in programs:
        table = f"{p.name}_table"
        if p.table:
            fast.append(f"{table} = ({', '.join(map(python_number, p.table))},)")
        fast += [f"def {p.name}({ARGUMENTS}):", " try:", *(lines(p, _spelling(False, table), 2) or ["  pass"]),
                 " except (ArithmeticError, ValueError):", f"  careful({p.name!r})({ARGUMENTS})"]
        careful += [f"def {p.name}({ARGUMENTS}):", *(lines(p, _spelling(True, table)) or [" pass"])]
    fast += ["careful = deferred('''", *careful, "''', globals())"]
    return "\n".join(fast) + "\n"
