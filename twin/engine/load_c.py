"""The engine and the kernels of one model as C, compiled by the machine's compiler and loaded by ctypes.

Both stand in one translation unit with the sizes of the model as constants, so that the compiler unrolls the small loops.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twin import errors
from twin.engine import kernels, records, shapes, store
from twin.engine.translate_c import Translator

SOURCES = ("tableau", "records", "linear", "integrator", "sensitivities", "phases")
FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-w")
_loaded: dict[str, ctypes.CDLL] = {}
_lock = threading.Lock()


def sources() -> list[str]:
    """Texts of the engine modules."""
    here = Path(__file__).parent
    return [text.read_text() for name in SOURCES if (text := here / f"{name}.py").exists()]


def unit_text(kernel_text: str, names: Sequence[str], facts: shapes.Facts) -> str:
    """One translation unit: kernels and engine."""
    known = {field: f"kernel_{name if name in names else 'rhs'}" for field, name in kernels.PROGRAMS.items()}
    engine = Translator(fixed={("Model", "size"): facts.size}, kernels=known).translate(sources(), ("run_members",))
    return kernel_text + engine


def library(text: str) -> ctypes.CDLL:
    """The shared object of a C text, compiled where the cache does not hold it."""
    with _lock:
        cc = store.compiler()
        if cc is None:
            raise errors.MissingExtraError("There is no C compiler. Set CC to one, or choose twin.use('numba').")
        stamp = os.stat(cc)
        key = store.key_of(text, cc, str(stamp.st_mtime_ns), str(stamp.st_size), store.machine(), " ".join(FLAGS))
        if key not in _loaded:
            _loaded[key] = _open(key, text, cc)
        return _loaded[key]


def cached(text: str) -> bool:
    """True where the compiled text is there already."""
    cc = store.compiler()
    if cc is None:
        return False
    stamp = os.stat(cc)
    key = store.key_of(text, cc, str(stamp.st_mtime_ns), str(stamp.st_size), store.machine(), " ".join(FLAGS))
    return key in _loaded or (store.folder() / "c" / f"{key}.so").exists()


def _open(key: str, text: str, cc: str) -> ctypes.CDLL:
    place = store.writable("c")
    if place is None:
        held = store.folder() / "c" / f"{key}.so"
        place = held.parent if held.exists() else store.scratch()
    path = place / f"{key}.so"
    if path.exists():
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            path.unlink(missing_ok=True)
    _compile(text, path, cc)
    return ctypes.CDLL(str(path))


def _compile(text: str, path: Path, cc: str) -> None:
    stem = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}")
    source, made = stem.with_suffix(".c"), stem.with_suffix(".so")
    try:
        source.write_text(text)
        done = subprocess.run([cc, *FLAGS, "-o", str(made), str(source), "-lm"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise errors.LoweringError(f"The C compiler {cc} failed: {done.stderr.strip()[:400]} "
                                       "Use another compiler (CC), or twin.use('numba').")
        os.replace(made, path)
    finally:
        source.unlink(missing_ok=True)
        made.unlink(missing_ok=True)


class CompiledRun:
    """One task on one model in C: slots of pointers for a lone call, and copies of them for threads."""

    name = "c"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        text = unit_text(kernels.c_text(system, names), names, facts)
        self.call = library(text).run_members_packed
        self.call.argtypes, self.call.restype = [ctypes.c_void_p], ctypes.c_int64
        self.facts, self.kernel_length = facts, kernels.work_length(system, names)
        self.model = shapes.as_arrays(records.Model, facts, ("size", "pattern", "order"))
        self.task = shapes.as_arrays(records.Task, task, records.Task._fields)
        self.count = task.count
        self.lone: Batch | None = None

    def stop(self) -> None:
        """Ask the lone run, going on in another thread, to end."""
        if self.lone is not None:
            self.lone.work.stop[0] = 1

    def one(self, x0: Sequence[float], z0: Sequence[float], p: Sequence[float]) -> dict[str, Any]:
        """One trajectory; the fields of a RawRun."""
        if self.lone is None:
            self.lone = Batch(self, 1)
        b = self.lone
        b.x0[0], b.z0[0], b.p[0] = x0, z0, p
        b.work.stop[0] = 0
        self.call(b.address)
        return {"code": int(b.codes[0]), "rows": b.rows[0].copy(), "events": b.events[0].copy(),
                "tangents": b.tangents[0].copy(), "stat": b.stats[0].tolist(), "end": b.ends[0].copy()}


class Batch:
    """Buffers and slots of the members of an ensemble."""

    def __init__(self, run: Any, members: int, like: Batch | None = None) -> None:
        import numpy as np

        size, count = run.facts.size, run.count
        n_x, n = size[records.N_X], size[records.N_X] + size[records.N_Z]
        width = sum(size[:6]) - size[records.N_P]
        self.run = run
        self.work = shapes.arrays(records.Work, shapes.work_shapes(size, count, run.kernel_length))
        if like is None:
            self.x0, self.z0 = np.zeros((members, n_x)), np.zeros((members, n - n_x))
            self.p = np.zeros((members, size[records.N_P]))
            self.rows = np.full((members, count[records.TIMES], width), np.nan)
            self.events = np.zeros((members, count[records.PHASES], 2 + 2 * n_x))
            self.tangents = np.zeros((members, count[records.TIMES] * count[records.COLUMNS], n))
            self.codes = np.full(members, -1, np.int64)
            self.stats = np.zeros((members, records.STAT_LENGTH), np.int64)
            self.ends = np.zeros((members, 1 + n))
        else:
            for name in ("x0", "z0", "p", "rows", "events", "tangents", "codes", "stats", "ends"):
                setattr(self, name, getattr(like, name))
        self.slots = self._slots(0, members)
        self.address = self.slots.ctypes.data

    def arguments(self, first: int, stop: int) -> list[Any]:
        """Everything behind the model, in the order of `phases.run_members`."""
        return [*self.run.task.values(), *self.work, first, stop, self.x0, self.z0, self.p, self.rows, self.events,
                self.tangents, self.codes, self.stats, self.ends]

    def _slots(self, first: int, stop: int) -> Any:
        import numpy as np

        slots: list[int] = [0] * len(kernels.PROGRAMS)
        for value in (*self.run.model.values(), *self.arguments(first, stop)):
            if isinstance(value, int):
                slots.append(value)
            else:
                slots += [value.ctypes.data, *value.shape[1:]]
        return np.array(slots, np.int64)
