"""Which of the three executions of the engine runs: uncompiled Python, C, or numba."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twin.engine import records, shapes
from twin.engine.load_python import PythonRun


def make_run(name: str, system: Any, programs: Sequence[str], facts: shapes.Facts, task: records.Task) -> Any:
    """The run object of one execution."""
    return PythonRun(system, programs, facts, task)


def run_one(runner: Any, x0: Sequence[float], z0: Sequence[float], p: Sequence[float]) -> dict[str, Any]:
    """One trajectory in the execution that suits."""
    return runner._run_of("python").one(x0, z0, p)
