"""Which kernels a run needs, and their text in each language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twin.engine import records as r

# Field of records.Model -> program of the System.
PROGRAMS = {"rhs": "rhs", "jacobian": "jacobian", "input_jacobian": "input_jacobian", "outputs": "outputs",
            "sensitivity": "sensitivity", "tangent": "sensitivity_tangent"}


def needed(system: Any, task: r.Task) -> tuple[str, ...]:
    """Programs that a task calls."""
    names = ["rhs", "jacobian"]
    n_v = system.n_u + system.n_d
    if any(slope != 0.0 for row in task.segment for slope in row[1 + n_v:]):
        names.append("input_jacobian")
    if system.n_y:
        names.append("outputs")
    if task.counts[r.COLUMNS]:
        names += ["sensitivity", "sensitivity_tangent"]
    return tuple(names)


def work_length(system: Any, names: Sequence[str]) -> int:
    """Length of the work array that suffices for all these programs."""
    return max(system.program(name).size("work") for name in names)


def by_field(kernels: dict[str, Any]) -> dict[str, Any]:
    """Kernels by field of records.Model; `rhs` stands in where a kernel is never called."""
    return {field: kernels.get(name, kernels["rhs"]) for field, name in PROGRAMS.items()}


def python_kernels(system: Any, names: Sequence[str]) -> dict[str, Callable[..., Any]]:
    """Kernels as plain Python functions on lists."""
    from twin.lowering.emit_python import emit_python

    space: dict[str, Any] = {}
    text = emit_python([system.program(name) for name in names])
    exec(compile(text, f"<kernels of {system.name}>", "exec"), space)
    return {name: space[name] for name in names}


def c_text(system: Any, names: Sequence[str]) -> str:
    """Kernels as C99; function names are those of the programs behind `kernel_`."""
    from twin.lowering.emit_c import emit_c

    return emit_c([system.program(name) for name in names], prefix="kernel_")


def numba_text(system: Any, names: Sequence[str]) -> str:
    """Kernels as the text of a module for numba."""
    from twin.lowering.emit_numba import emit_numba

    return emit_numba([system.program(name) for name in names])
