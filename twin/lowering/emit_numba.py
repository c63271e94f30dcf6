"""Program to module text for numba; compiled with eager signatures, `error_model="numpy"` and without fastmath."""

from __future__ import annotations

from collections.abc import Iterable

from twin.lowering.emit import Spelling, lines, python_number
from twin.lowering.opcodes import NUMBA_PRELUDE
from twin.lowering.program import Program


def emit_numba(programs: Iterable[Program]) -> str:
    """Module text with an undecorated function for each program, on contiguous float64 arrays."""
    text = [NUMBA_PRELUDE]
    for p in programs:
        how = Spelling(text=lambda o: o.numba, number=python_number, let="{0} = {1}",
                       loop="for {0} in range({1}):", end="", indent="    ", stop="", table=f"{p.name}_table")
        if p.table:
            text.append(f"{p.name}_table = np.array([{', '.join(map(python_number, p.table))}])")
        text += [f"def {p.name}(t, x, z, u, d, p, out, work):", *(lines(p, how) or ["    pass"])]
    return "\n".join(text) + "\n"
