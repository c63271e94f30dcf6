"""Runs lowered programs in all three languages."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin.lowering.emit_c import emit_c
from twin.lowering.emit_numba import emit_numba
from twin.lowering.emit_python import emit_python
from twin.lowering.program import Program

Run = Callable[[Program, str, float, Sequence[Any]], Any]


@pytest.fixture
def run_program(tmp_path: Path) -> Run:
    """Function (program, language, time, [x, z, u, d, p]) -> out."""

    def run(program: Program, language: str, t: float, vectors: Sequence[Any]) -> Any:
        if language == "python":
            space: dict[str, Any] = {}
            exec(emit_python([program]), space)
            out, work = [0.0] * program.size("out"), [0.0] * program.size("work")
            space[program.name](t, *([float(q) for q in v] for v in vectors), out, work)
            return np.array(out, dtype=float)
        rows = [np.ascontiguousarray(v, dtype=float) for v in vectors]
        rows += [np.zeros(program.size("out")), np.zeros(program.size("work"))]
        if language == "numba":
            import numba

            space = {}
            exec(emit_numba([program]), space)
            numba.njit(error_model="numpy")(space[program.name])(t, *rows)
            return rows[5]
        if shutil.which("cc") is None:
            pytest.skip("no C compiler here")
        source, library = tmp_path / f"{program.key()}.c", tmp_path / f"{program.key()}.so"
        source.write_text(emit_c([program], "m_"))
        flags = ["-O1", "-ffp-contract=off", "-shared", "-fPIC", "-std=c99"]
        subprocess.run(["cc", *flags, str(source), "-o", str(library), "-lm"], check=True)
        f = getattr(ctypes.CDLL(str(library)), f"m_{program.name}")
        f.argtypes, f.restype = [ctypes.c_double] + [ctypes.c_void_p] * 7, None
        f(t, *(r.ctypes.data for r in rows))
        return rows[5]

    return run
