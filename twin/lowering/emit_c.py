"""Program to C99. Compile with -ffp-contract=off and without fast-math, so that all languages agree."""

from __future__ import annotations

import math
from collections.abc import Iterable

from twin.lowering.emit import Spelling, lines
from twin.lowering.opcodes import C_PRELUDE
from twin.lowering.program import Program


def _number(value: float) -> str:
    if math.isfinite(value):
        return value.hex() if math.copysign(1.0, value) > 0 else f"({value.hex()})"
    return "NAN" if value != value else "INFINITY" if value > 0 else "(-INFINITY)"


def emit_c(programs: Iterable[Program], prefix: str = "") -> str:
    """One translation unit with a function `prefix + name` for each program."""
    text = [C_PRELUDE]
    for p in programs:
        name = prefix + p.name
        how = Spelling(text=lambda o: o.c, number=_number, let="const double {0} = {1};",
                       loop="for (int64_t {0} = 0; {0} < {1}; {0}++) {{", end="}", indent="    ", stop=";",
                       table=f"{name}_table")
        if p.table:
            text.append(f"static const double {name}_table[{len(p.table)}] = {{{', '.join(map(_number, p.table))}}};")
        text += [f"void {name}(double t, const double *restrict x, const double *restrict z, const double *restrict u,",
                 "    const double *restrict d, const double *restrict p, double *restrict out,",
                 "    double *restrict work) {",
                 "    (void)t; (void)x; (void)z; (void)u; (void)d; (void)p; (void)out; (void)work;",
                 *lines(p, how), "}"]
    return "\n".join(text) + "\n"
