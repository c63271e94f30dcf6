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
# Vector code of loops over a handful of unknowns waits for its own stores; blocks of cells gain from it.
SCALAR = "-fno-tree-vectorize"
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


def flags_for(facts: shapes.Facts) -> tuple[str, ...]:
    """Compiler flags for a model."""
    return FLAGS if facts.size[records.CELLS] else (*FLAGS, SCALAR)


def _key(text: str, flags: Sequence[str]) -> str:
    cc = store.compiler()
    if cc is None:
        raise errors.MissingExtraError("There is no C compiler. Set CC to one, or choose twin.use('numba').")
    stamp = os.stat(cc)
    return store.key_of(text, cc, str(stamp.st_mtime_ns), str(stamp.st_size), store.machine(), " ".join(flags))


def library(text: str, flags: Sequence[str] = FLAGS) -> ctypes.CDLL:
    """The shared object of a C text, compiled where the cache does not hold it."""
    key = _key(text, flags)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _open(key, text, flags)
        return _loaded[key]


def cached(text: str, flags: Sequence[str] = FLAGS) -> bool:
    """True where the compiled text is there already."""
    if store.compiler() is None:
        return False
    key = _key(text, flags)
    return key in _loaded or (store.folder() / "c" / f"{key}.so").exists()


def _open(key: str, text: str, flags: Sequence[str]) -> ctypes.CDLL:
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
    _compile(text, path, flags)
    return ctypes.CDLL(str(path))


def _compile(text: str, path: Path, flags: Sequence[str]) -> None:
    cc = str(store.compiler())
    stem = path.with_name(f".{path.stem}.{os.getpid()}.{threading.get_ident()}")
    source, made = stem.with_suffix(".c"), stem.with_suffix(".so")
    try:
        source.write_text(text)
        done = subprocess.run([cc, *flags, "-o", str(made), str(source), "-lm"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise errors.LoweringError(f"The C compiler {cc} failed: {done.stderr.strip()[:400]} "
                                       "Use another compiler (CC), or twin.use('numba').")
        os.replace(made, path)
    finally:
        source.unlink(missing_ok=True)
        made.unlink(missing_ok=True)


class SlotRun:
    """One task on one model: everything is handed to the entry as one array of addresses and lengths."""

    name = ""
    entry: Any
    kernels: list[int]

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        self.facts, self.kernel_length = facts, kernels.work_length(system, names)
        self.model = shapes.as_arrays(records.Model, facts, ("size", "pattern", "order"))
        self.task = shapes.as_arrays(records.Task, task, records.Task._fields)
        self.count = task.count
        self.lone: Batch | None = None

    def call(self, batch: Batch, first: int, stop: int) -> int:
        """Run members `first` to `stop` - 1 of a batch."""
        if batch.address is None:
            batch.pack(self)
        batch.slots[batch.span], batch.slots[batch.span + 1] = first, stop
        return int(self.entry(batch.address))

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
        self.call(b, 0, 1)
        return {"code": int(b.codes[0]), "rows": b.rows[0].copy(), "events": b.events[0].copy(),
                "tangents": b.tangents[0].copy(), "stat": b.stats[0].tolist(), "end": b.ends[0].copy()}


class CompiledRun(SlotRun):
    """One task on one model in C."""

    name = "c"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        super().__init__(system, names, facts, task)
        text = unit_text(kernels.c_text(system, names), names, facts)
        self.entry = library(text, flags_for(facts)).run_members_packed
        self.entry.argtypes, self.entry.restype = [ctypes.c_void_p], ctypes.c_int64
        self.kernels = [0] * len(kernels.PROGRAMS)  # called directly


class Batch:
    """Results of the members of an ensemble, and the work space of one thread."""

    RESULTS = ("x0", "z0", "p", "rows", "events", "tangents", "codes", "stats", "ends")

    def __init__(self, run: SlotRun, members: int, like: Batch | None = None) -> None:
        import numpy as np

        size, count = run.facts.size, run.count
        self.work = shapes.arrays(records.Work, shapes.work_shapes(size, count, run.kernel_length))
        self.address: int | None = None
        if like is not None:
            for name in self.RESULTS:
                setattr(self, name, getattr(like, name))
            return
        n_x, n = size[records.N_X], size[records.N_X] + size[records.N_Z]
        self.x0, self.z0 = np.zeros((members, n_x)), np.zeros((members, n - n_x))
        self.p = np.zeros((members, size[records.N_P]))
        self.rows = np.full((members, count[records.TIMES], sum(size[:6]) - size[records.N_P]), np.nan)
        self.events = np.zeros((members, count[records.PHASES], 2 + 2 * n_x))
        self.tangents = np.zeros((members, count[records.TIMES] * count[records.COLUMNS], n))
        self.codes = np.full(members, -1, np.int64)
        self.stats = np.zeros((members, records.STAT_LENGTH), np.int64)
        self.ends = np.zeros((members, 1 + n))

    def pack(self, run: SlotRun) -> None:
        """Write addresses and row lengths as the entry takes them."""
        import numpy as np

        slots = list(run.kernels)
        for array in (*run.model.values(), *run.task.values(), *self.work):
            slots += [array.ctypes.data, *array.shape[1:]]
        self.span = len(slots)
        slots += [0, 0]
        for name in self.RESULTS:
            array = getattr(self, name)
            slots += [array.ctypes.data, *array.shape[1:]]
        self.slots = np.array(slots, np.int64)
        self.address = self.slots.ctypes.data
