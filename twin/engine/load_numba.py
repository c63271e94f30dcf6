"""The engine compiled by numba, once a machine; the kernels of a model enter as function pointers.

Both are written as real modules into the cache folder, since numba can only cache functions of importable files.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.engine import batch, kernels, load_c, records, shapes, store
from twin.engine.translate_numba import NumbaTranslator

ENTRY = "run_members"
_lock = threading.RLock()
_compiled: dict[str, Any] = {}


def engine_text() -> str:
    """Text of the engine module."""
    return NumbaTranslator().translate(load_c.sources(), (ENTRY,))


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


def ready() -> bool:
    """True where the compiled engine is in this process or in the cache."""
    if ENTRY in _compiled:
        return True
    name = f"twinworks_engine_{store.key_of(engine_text(), sys.version)}"
    return any((store.folder() / "numba" / "__pycache__").glob(f"{name}.{ENTRY}_packed*.nbc"))


def engine() -> Any:
    """The compiled entry, as a ctypes function of the address of the slots."""
    with _lock:
        if ENTRY not in _compiled:
            import ctypes

            import numba

            module, keep = _module("engine", engine_text())
            entry = numba.cfunc("int64(int64)", error_model="numpy", cache=keep)(getattr(module, f"{ENTRY}_packed"))
            _compiled[ENTRY] = entry, ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(entry.address)
        return _compiled[ENTRY][1]


def kernel_module(system: Any, names: Sequence[str]) -> str:
    """Kernels, and for each a callback on addresses."""
    lines = [kernels.numba_text(system, names), "import numba", "from numba import carray"]
    arrays = ("x", "z", "u", "d", "p", "out", "work")
    for name in names:
        program = system.program(name)
        views = ", ".join(f"carray({a}, {max(1, program.size(a))})" for a in arrays)
        lines += [f"{name} = numba.njit(error_model='numpy', nogil=True)({name})",
                  f"def {name}_at(t, {', '.join(arrays)}):", f"    {name}(t, {views})"]
    return "\n".join(lines) + "\n"


def kernel_addresses(system: Any, names: Sequence[str]) -> dict[str, int]:
    """Addresses of the compiled kernels."""
    text = kernel_module(system, names)
    with _lock:
        if text not in _compiled:
            import numba
            from numba import types

            module, keep = _module("kernels", text)
            kind = types.void(types.float64, *[types.CPointer(types.float64)] * 7)
            compiled = numba.cfunc(kind, error_model="numpy", cache=keep)
            _compiled[text] = {n: compiled(getattr(module, f"{n}_at")) for n in names}
        return {n: callback.address for n, callback in _compiled[text].items()}


class NumbaRun(batch.SlotRun):
    """One task on one model in numba."""

    name = "numba"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        super().__init__(system, names, facts, task)
        self.entry = engine()
        self.kernels = list(kernels.by_field(kernel_addresses(system, names)).values())
