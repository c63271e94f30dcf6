"""The optimal-control solver in the three executions: plain Python on lists, C, and LLVM through numba."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
from pathlib import Path
from typing import Any

from twin.engine import load_c, ocp_records, optimal_tables, store
from twin.engine.optimal_tables import Tables
from twin.engine.translate_c import Translator

SOURCES = ("dense", "ocp_records", "ocp_values", "ocp_edges", "ocp_equalities", "ocp_riccati", "ocp_rows", "ocp_filter",
           "ocp_errors", "ocp_start", "ocp_restoration", "ocp_answers", "ocp_attempts", "ocp_solver")
ENTRY = "solve_ocp"
# gcc 12 distributes a loop with a conditional store wrongly; and -O2 with vectors is as fast here as -O3, in half the time.
FLAGS = ("-std=c99", "-O2", "-ftree-vectorize", "-fno-tree-loop-distribution", "-fno-tree-loop-distribute-patterns",
         "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-w")
QUICK = ("-std=c99", "-O1", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "-w")
KERNEL_FIELDS = ("point", "point_all", "stage", "stage_all", "terminal", "terminal_all", "initial", "initial_all")


def sources() -> list[str]:
    """Texts of the engine modules."""
    here = Path(__file__).parent
    return [(here / f"{name}.py").read_text() for name in SOURCES]


@functools.cache
def _writers() -> str:
    """Hash of every file that has a say in the text of a library."""
    from twin import lowering

    home = Path(lowering.__file__).parent
    texts = [(home / f"{name}.py").read_text() for name in ("emit", "emit_c", "opcodes")]
    return store.key_of(*sources(), Path(__file__).with_name("translate_c.py").read_text(), *texts)


def unit_text(t: Tables) -> str:
    """One translation unit: kernels and solver, with the sizes as constants."""
    from twin.lowering.emit_c import emit_c

    unique = {p.name: p for p in t.programs.values()}
    known = {field: f"kernel_{p.name}" for field, p in t.programs.items()}
    fixed = {("Ocp", "size"): dict(enumerate(t.fields["size"]))}
    return emit_c(unique.values(), prefix="kernel_") + Translator(fixed, known, lengths_of(t)).translate(sources(), (ENTRY,))


def lengths_of(t: Tables) -> dict[tuple[str, str], tuple[int, ...]]:
    """Row lengths of the work space, which depend on the sizes of a problem only."""
    shapes = optimal_tables.work_shapes(t, 0, 0)
    return {("Work", field): shape[1:] for field, shape in shapes.items() if len(shape) > 1 and field != "g_f"}


def _entry(library: ctypes.CDLL) -> Any:
    entry = library.solve_ocp_packed
    entry.argtypes, entry.restype = [ctypes.c_void_p], ctypes.c_int64
    return entry


def _key(t: Tables) -> str:
    return load_c.key_of(FLAGS, _writers(), repr(t.fields["size"]), *(p.key() for p in t.programs.values()))


def c_entry(t: Tables) -> Any:
    """The solver with the sizes and kernels of one problem built in, as a ctypes function of the address of the slots."""
    return _entry(load_c.library_with_key(_key(t), lambda: unit_text(t), FLAGS))


def c_ready(t: Tables) -> bool:
    """True where `c_entry` needs no compiler."""
    return load_c.is_there(_key(t))


def general_library() -> ctypes.CDLL:
    """The solver for any sizes, compiled once a machine."""
    from twin.engine import executions

    key = load_c.key_of(FLAGS, _writers())
    if not load_c.is_there(key):
        executions.progress("compiling the optimal-control solver, once on this machine (some seconds)")
    return load_c.library_with_key(key, lambda: Translator().translate(sources(), (ENTRY,)), FLAGS)


def general_entry(t: Tables) -> tuple[Any, list[int]]:
    """The solver for any sizes, compiled once a machine, and addresses of the kernels of a problem (a tenth of a second)."""
    from twin.lowering.emit_c import emit_c

    library = general_library()
    unique = {p.name: p for p in t.programs.values()}
    key = load_c.key_of(QUICK, _writers(), *(p.key() for p in unique.values()))
    kernels = load_c.library_with_key(key, lambda: emit_c(unique.values(), prefix="kernel_"), QUICK)
    at = [ctypes.cast(getattr(kernels, f"kernel_{t.programs[f].name}"), ctypes.c_void_p).value or 0 for f in KERNEL_FIELDS]
    return _entry(library), at


@dataclasses.dataclass(frozen=True)
class _Programs:
    """Programs by name, as a System has them."""

    name: str
    programs: dict[str, Any]

    def program(self, name: str) -> Any:
        """Program by name."""
        return self.programs[name]


def llvm_entry(t: Tables) -> tuple[Any, list[int]]:
    """The compiled entry of the solver, and the addresses of the kernels of a problem in the order of records.Ocp."""
    from twin.engine import executions, load_numba

    if not load_numba.ready(ENTRY, sources):
        executions.progress("compiling the optimal-control solver with LLVM, once on this machine")
    unique = {p.name: p for p in t.programs.values()}
    at = load_numba.kernel_addresses(_Programs("problem", unique), list(unique))
    return load_numba.engine(ENTRY, sources), [at[t.programs[f].name] for f in KERNEL_FIELDS]


def python_ocp(t: Tables) -> Any:
    """The problem with its kernels as plain Python functions."""
    from twin.lowering.emit_python import emit_python

    unique = {p.name: p for p in t.programs.values()}
    space: dict[str, Any] = {}
    exec(compile(emit_python(list(unique.values())), "<kernels of an optimal-control problem>", "exec"), space)
    return ocp_records.Ocp(**{f: space[p.name] for f, p in t.programs.items()}, **t.fields)
