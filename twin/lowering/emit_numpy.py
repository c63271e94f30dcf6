"""Program to a Python function on numpy arrays: the same expression for any number of points at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twin.lowering.emit import Spelling, lines, python_number
from twin.lowering.program import Program

SPELLING = Spelling(text=lambda o: o.numpy, number=python_number, let="{0} = {1}", loop="for {0} in range({1}):", end="",
                    indent=" ", stop="", table="table")


def on_arrays(program: Program) -> Callable[..., Any]:
    """Function (t, x, z, u, d, p, lanes) -> out of shape (out, *lanes).

    `t` and the elements of x, z, u, d, p are numbers or arrays that broadcast to the shape `lanes`. Where the mathematics
    has no value, out holds NaN or infinity.
    """
    import math

    import numpy as np

    head = ["def kernel(t, x, z, u, d, p, out, work):", *(lines(program, SPELLING) or [" pass"])]
    space: dict[str, Any] = {"np": np, "math": math, "table": program.table}
    if any("special." in line for line in head):
        from scipy import special

        space["special"] = special
    exec(compile("\n".join(head), f"<arrays of {program.name}>", "exec"), space)
    kernel, n_out, n_work = space["kernel"], program.size("out"), program.size("work")

    def run(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any, lanes: tuple[int, ...]) -> Any:
        out, work = np.zeros((n_out, *lanes)), np.zeros((n_work, *lanes))
        with np.errstate(all="ignore"):
            kernel(t, x, z, u, d, p, out, work)
        return out

    return run
