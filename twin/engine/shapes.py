"""Shapes of every array the engine is handed, and how to make them as lists or as numpy arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

from twin.engine import records as r

FLOAT, INTEGER = "d", "q"
NUMBER_KINDS = {"Vector": (FLOAT, 1), "Matrix": (FLOAT, 2), "Cube": (FLOAT, 3), "Integers": (INTEGER, 1),
                "IntegerRows": (INTEGER, 2)}


@dataclasses.dataclass(frozen=True)
class Facts:
    """Sizes and sparsity of a System as the engine takes them."""

    size: list[int]
    pattern: list[list[int]]
    order: list[int]


def facts_of(system: Any) -> Facts:
    """Sizes, sparsity and order of unknowns of a System."""
    n_x, n_z = system.n_x, system.n_z
    n = n_x + n_z
    size = [0] * r.SIZE_LENGTH
    size[:6] = [n_x, n_z, system.n_u, system.n_d, system.n_p, system.n_y]
    parts = zip(*system.cells.pattern, strict=True) if system.structure == "cells" else system.pattern
    pattern = [list(part) for part in parts]
    nonzeros = len(pattern[0])
    order = list(range(n))
    length = nonzeros
    if system.structure == "cells":
        cells = system.cells
        m, border = cells.m_x + cells.m_z, cells.border_x + cells.border_z
        size[r.CELLS:r.B_Z + 1] = [cells.count, cells.m_x, cells.m_z, cells.border_x, cells.border_z]
        order = [place for c in range(cells.count) for place in
                 (*range(c * cells.m_x, (c + 1) * cells.m_x), *range(n_x + c * cells.m_z, n_x + (c + 1) * cells.m_z))]
        order += [*range(cells.count * cells.m_x, n_x), *range(n_x + cells.count * cells.m_z, n)]
        length = nonzeros * cells.count + border * m * cells.count + border * border
        off = [(i, j) for which, i, j in zip(*pattern, strict=True) if which in (0, 2)]
        size[r.DIAGONAL] = int(all(i == j for i, j in off))
    size[r.NONZEROS], size[r.AUTONOMOUS], size[r.JACOBIAN] = nonzeros, int(system.autonomous), length + n
    return Facts(size, pattern, order)


def work_shapes(size: list[int], count: list[int], kernel: int) -> dict[str, tuple[int, ...]]:
    """Shape of each field of `records.Work`."""
    n_x, n_z, n_u, n_d, n_p, n_y = size[:6]
    n, n_v = n_x + n_z, n_u + n_d
    cells, m = size[r.CELLS], size[r.M_X] + size[r.M_Z]
    border = size[r.B_X] + size[r.B_Z] if cells else 0
    full = border if cells else n
    columns = count[r.COLUMNS]
    blocks = (cells + 2, m, m) if cells else (0, 0, 0)
    return {
        "clock": (r.CLOCK_LENGTH,), "stat": (r.STAT_LENGTH,), "stop": (1,), "x": (3, n_x), "z": (3, n_z), "u": (n_u,),
        "d": (n_d,), "v": (2, n_v), "y": (n_y,), "f": (4, n), "stage": (11, n), "jac": (size[r.JACOBIAN],),
        "input_jac": (n * n_v,), "kernel": (kernel,), "loop_state": (count[r.PIDS], 4), "full": (full, full),
        "pivot": (max(full, m),), "gathered": (n,), "tail": (border,), "diagonal": blocks, "upper": blocks, "lower": blocks,
        "column": (cells, border, m), "row": (border, cells, m), "s": (columns, n), "s_new": (columns, n),
        "s_stage": (columns, 11, n), "s_p": (n_p + 2 * n + n_p + 1 if columns else 0,), "shift": (columns,),
    }


def kind_of(record: type, field: str) -> tuple[str, int]:
    """Number kind and dimensions of a field of a record."""
    return NUMBER_KINDS[record.__annotations__[field].__forward_arg__]


def lists(record: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """A record of zero-filled lists."""

    def zeros(shape: tuple[int, ...], zero: float | int) -> list[Any]:
        if len(shape) == 1:
            return [zero] * shape[0]
        return [zeros(shape[1:], zero) for _ in range(shape[0])]

    return record(**{name: zeros(shape, 0.0 if kind_of(record, name)[0] == FLOAT else 0) for name, shape in shapes.items()})


def arrays(record: Any, shapes: dict[str, tuple[int, ...]]) -> Any:
    """A record of zero-filled numpy arrays."""
    import numpy as np

    return record(**{name: np.zeros(shape, np.float64 if kind_of(record, name)[0] == FLOAT else np.int64)
                     for name, shape in shapes.items()})


def as_arrays(record: Any, values: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    """Fields of a record of lists as contiguous numpy arrays of the right dimensions."""
    import numpy as np

    out = {}
    for name in fields:
        kind, dims = kind_of(record, name)
        array = np.array(getattr(values, name), np.float64 if kind == FLOAT else np.int64)
        out[name] = np.ascontiguousarray(array.reshape((0,) * dims) if array.size == 0 else array)
    return out
