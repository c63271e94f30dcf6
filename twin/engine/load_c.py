"""The engine and the kernels of one model as C, compiled by the machine's compiler and loaded by ctypes.

Both stand in one translation unit with the sizes of the model as constants, so that the compiler unrolls the small loops.
"""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twin import errors
from twin.engine import batch, kernels, records, shapes, store
from twin.engine.translate_c import Translator
from twin.lowering import cache

SOURCES = ("tableau", "records", "dense", "linear", "step", "sensitivities", "integrator", "phases")
FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-w")
# Vector code of loops over a handful of unknowns waits for its own stores; blocks of cells gain from it.
SCALAR = "-fno-tree-vectorize"
_loaded: dict[str, ctypes.CDLL] = {}
_lock = threading.Lock()


def sources() -> list[str]:
    """Texts of the engine modules."""
    here = Path(__file__).parent
    return [(here / f"{name}.py").read_text() for name in SOURCES]


def unit_text(kernel_text: str, names: Sequence[str], facts: shapes.Facts) -> str:
    """One translation unit: kernels and engine."""
    known = {field: f"kernel_{name if name in names else 'rhs'}" for field, name in kernels.PROGRAMS.items()}
    fixed = {("Model", "size"): dict(enumerate(facts.size))}
    if "sensitivity" not in names:
        fixed["Task", "counts"] = {records.COLUMNS: 0}
    engine = Translator(fixed, known).translate(sources(), ("run_members",))
    return kernel_text + engine


def flags_for(facts: shapes.Facts) -> tuple[str, ...]:
    """Compiler flags for a model."""
    return FLAGS if facts.size[records.CELLS] else (*FLAGS, SCALAR)


def key_of(flags: Sequence[str], *parts: str) -> str:
    """Key of a library: what it is made of, and by which compiler for which machine."""
    cc = store.compiler()
    if cc is None:
        raise errors.MissingExtraError("There is no C compiler. Set CC to one, or choose twin.use('numba').")
    stamp = Path(cc).stat()
    return store.key_of(*parts, cc, stamp.st_mtime_ns, stamp.st_size, store.machine(), " ".join(flags))


def _model_key(system: Any, names: Sequence[str], facts: shapes.Facts) -> str:
    """Key of the library of a model, found without writing its text."""
    programs = [part for name in names for part in (name, system.program(name).key())]
    return key_of(flags_for(facts), _writers(), *programs, repr(facts.size))


@functools.cache
def _writers() -> str:
    """Hash of every file that has a say in the text of a library."""
    from twin import lowering

    home = Path(lowering.__file__).parent
    texts = [(home / f"{name}.py").read_text() for name in ("emit", "emit_c", "opcodes")]
    return store.key_of(*sources(), Path(__file__).with_name("translate_c.py").read_text(), *texts)


def cached(system: Any, names: Sequence[str], facts: shapes.Facts) -> bool:
    """True where the library of a model is there already."""
    if store.compiler() is None:
        return False
    return is_there(_model_key(system, names, facts))


def library(system: Any, names: Sequence[str], facts: shapes.Facts) -> ctypes.CDLL:
    """The shared object with kernels and engine of a model, compiled where the cache does not hold it."""
    key = _model_key(system, names, facts)
    return library_with_key(key, lambda: unit_text(kernels.c_text(system, names), names, facts), flags_for(facts))


def library_of_text(text: str, flags: Sequence[str] = FLAGS) -> ctypes.CDLL:
    """The shared object of any C text."""
    return library_with_key(key_of(flags, text), lambda: text, flags)


def is_there(key: str) -> bool:
    """True where the library of this key needs no compiler."""
    return key in _loaded or cache.find(f"{key}.so") is not None


def library_with_key(key: str, text: Callable[[], str], flags: Sequence[str]) -> ctypes.CDLL:
    """The shared object of this key, compiled from `text()` where it is not there yet."""
    with _lock:
        if key not in _loaded:
            path = cache.find(f"{key}.so") or store.keep(f"{key}.so", compile_text(text(), flags))
            _loaded[key] = ctypes.CDLL(str(path))
        return _loaded[key]


def compile_text(text: str, flags: Sequence[str]) -> bytes:
    """Shared object of a C text.

    Raises
    ------
    twin.errors.LoweringError
        The compiler failed; its message is told.
    """
    cc = str(store.compiler())
    with tempfile.TemporaryDirectory(prefix="twinworks-") as folder:
        source, made = Path(folder) / "unit.c", Path(folder) / "unit.so"
        source.write_text(text)
        done = subprocess.run([cc, *flags, "-o", str(made), str(source), "-lm"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise errors.LoweringError(f"The C compiler {cc} failed: {done.stderr.strip()[:400]} "
                                       "Use another compiler (CC), or twin.use('numba').")
        return made.read_bytes()


class CompiledRun(batch.SlotRun):
    """One task on one model in C."""

    name = "c"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        super().__init__(system, names, facts, task)
        self.entry = library(system, names, facts).run_members_packed
        self.entry.argtypes, self.entry.restype = [ctypes.c_void_p], ctypes.c_int64
        self.kernels = [0] * len(kernels.PROGRAMS)  # called directly
