"""The engine compiled by numba, once a machine; the kernels of a model enter as function pointers.

Both are written as real modules into the cache folder, since numba can only cache functions of importable files.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.engine import kernels, load_c, records, shapes, store

ENTRY = "run_members"
HEAD = "from __future__ import annotations\nimport numpy as np\nfrom numba import njit\nfrom twin.engine.records import *\n"
_lock = threading.RLock()
_compiled: dict[str, Any] = {}


class _Flat(ast.NodeTransformer):
    """`a[i][j]` as `a[i, j]`: numba then makes no view of the row."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Join an index with the one before it."""
        self.generic_visit(node)
        if not isinstance(node.value, ast.Subscript):
            return node
        before = node.value.slice
        indices = [*(before.elts if isinstance(before, ast.Tuple) else [before]), node.slice]
        return ast.Subscript(node.value.value, ast.Tuple(indices, ast.Load()), node.ctx)


def engine_text() -> str:
    """Text of the engine module: tables are arrays, functions are jitted, rows are indexed at once."""
    lines = [HEAD]
    for text in load_c.sources():
        tree = ast.parse(text)
        if any(isinstance(node, ast.ClassDef) for node in tree.body):
            continue  # the records themselves are imported
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                lines.append('@njit(nogil=True, error_model="numpy")\n' + ast.unparse(_Flat().visit(node)))
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Tuple):
                lines.append(f"{node.targets[0].id} = np.array({ast.unparse(node.value)})")
            elif isinstance(node, ast.Assign):
                lines.append(ast.unparse(node))
    return "\n".join(lines) + "\n"


def _module(kind: str, text: str) -> tuple[Any, bool]:
    """The module of a text, imported under a name that stays the same from process to process; False where it cannot be kept."""
    key = store.key_of(text, sys.version)
    name = f"twinworks_{kind}_{key}"
    if name in sys.modules:
        return sys.modules[name], True
    place = store.writable("numba")
    folder = place or store.scratch()
    path = folder / f"{name}.py"
    if not path.exists() or path.read_text() != text:
        part = Path(f"{path}.{os.getpid()}.{threading.get_ident()}")
        part.write_text(text)
        os.replace(part, path)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module, place is not None


def _types() -> tuple[Any, Any]:
    """numba types: of a kernel, and of the arguments of the entry."""
    from numba import types

    array = lambda kind, dims: types.Array(types.float64 if kind == shapes.FLOAT else types.int64, dims, "C")  # noqa: E731
    vector = array(shapes.FLOAT, 1)
    kernel = types.void(types.float64, *[vector] * 7)

    def record(cls: Any) -> Any:
        return types.NamedTuple([types.FunctionType(kernel) if name in kernels.PROGRAMS else array(*shapes.kind_of(cls, name))
                                 for name in cls._fields], cls)

    real2, real3, whole1, whole2 = (array(*shapes.NUMBER_KINDS[n]) for n in ("Matrix", "Cube", "Integers", "IntegerRows"))
    entry = types.int64(record(records.Model), record(records.Task), record(records.Work), types.int64, types.int64,
                        real2, real2, real2, real3, real3, real3, whole1, whole2, real2)
    return kernel, entry


def engine() -> Any:
    """The compiled `run_members`."""
    with _lock:
        if ENTRY not in _compiled:
            import numba

            module, keep = _module("engine", engine_text())
            entry = getattr(module, ENTRY).py_func
            _compiled[ENTRY] = numba.njit(_types()[1], nogil=True, error_model="numpy", cache=keep)(entry)
        return _compiled[ENTRY]


def compiled_kernels(text: str, names: Sequence[str]) -> dict[str, Any]:
    """Kernels as C callbacks of numba."""
    with _lock:
        if text not in _compiled:
            import numba

            module, keep = _module("kernels", text)
            kernel = _types()[0]
            _compiled[text] = {n: numba.cfunc(kernel, error_model="numpy", cache=keep)(getattr(module, n)) for n in names}
        found: dict[str, Any] = _compiled[text]
        return found


class NumbaRun(load_c.ArrayRun):
    """One task on one model in numba."""

    name = "numba"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        super().__init__(system, names, facts, task)
        self.entry = engine()
        functions = kernels.by_field(compiled_kernels(kernels.numba_text(system, names), names))
        self.record = records.Model(**functions, **self.model)
        self.tables = records.Task(**self.task)

    def call(self, batch: load_c.Batch, first: int, stop: int) -> int:
        """Run members `first` to `stop` - 1 of a batch."""
        b = batch
        return int(self.entry(self.record, self.tables, b.work, first, stop, b.x0, b.z0, b.p, b.rows, b.events, b.tangents,
                              b.codes, b.stats, b.ends))
