"""Functions in the engine's subset that work on one record of arrays, compiled and ready to call: C, or LLVM assembly without
a compiler.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin.engine import load_c, load_numba, store
from twin.engine.translate_c import Translator

_lock = threading.Lock()


@functools.lru_cache(maxsize=32)
def compiled(sources: tuple[str, ...], entry: str, scalar: bool = False) -> Any:
    """The function `entry` of these sources, which takes one record; as a ctypes function of the address of its slots.

    `scalar` keeps the C compiler from vector code, which costs more than it brings where loops are short.
    """
    with _lock:
        if store.compiler() is not None:
            flags = (*load_c.FLAGS, load_c.SCALAR) if scalar else load_c.FLAGS
            function = getattr(load_c.library_of_text(Translator().translate(sources, (entry,)), flags), f"{entry}_packed")
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_int64
            return function
        return load_numba.engine(entry, lambda: [*sources, f"# {entry}"])  # a file of its own for each entry


def slots_of(arrays: Sequence[Any]) -> Any:
    """The record of a compiled call: the address of each array, then its row lengths. The arrays must live as long as it."""
    import numpy as np

    found: list[int] = []
    for a in arrays:
        if not a.flags.c_contiguous or a.dtype not in (np.float64, np.int64):
            raise TypeError(f"Expected contiguous float64 or int64 arrays, got {a.dtype}.")
        found += [a.ctypes.data, *a.shape[1:]]
    return np.array(found, np.int64)


def text_of(modules: Sequence[Any]) -> tuple[str, ...]:
    """Source texts of modules."""
    return tuple(Path(m.__file__).read_text() for m in modules)
