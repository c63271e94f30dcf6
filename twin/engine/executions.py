"""Which of the three executions of the engine runs: uncompiled Python, C, or numba."""

from __future__ import annotations

import os
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from twin import errors
from twin.engine import records, shapes, store

NAMES = ("auto", "python", "c", "numba")
# Seconds of plain Python that a model may use before it is compiled; a first numba compile takes longer than cc.
PATIENCE, LONG_PATIENCE = 0.2, 10.0
_chosen: str | None = None
_used: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()


def use(execution: str) -> None:
    """Choose how simulations run in this process.

    Parameters
    ----------
    execution
        "auto": plain Python at first, compiled once it pays; "python", "c" (needs a C compiler) or "numba": always this
        one. The environment variable TWINWORKS_EXECUTION sets it from outside. All give the same steps.

    Raises
    ------
    twin.errors.SpecError
        The name is not one of these.

    Examples
    --------
    >>> import twin
    >>> twin.use("python")
    >>> twin.use("auto")
    """
    global _chosen
    _chosen = _known(execution, "twin.use")


def _known(name: str, where: str) -> str:
    if name not in NAMES:
        raise errors.SpecError(f"{where} got the execution '{name}'. Expected one of {', '.join(NAMES)}.")
    return name


def wanted(execution: str | None = None) -> str:
    """The execution asked for: by argument, by `use`, by the environment, else "auto"."""
    if execution is not None:
        return _known(execution, "execution")
    return _chosen or _known(os.environ.get("TWINWORKS_EXECUTION") or "auto", "TWINWORKS_EXECUTION")


def say(text: str) -> None:
    """Progress line of a compile that takes seconds; replace `executions.progress` to send it elsewhere."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"twin: {text}\n")
        sys.stderr.flush()


progress: Callable[[str], None] = say


def make_run(name: str, system: Any, programs: Sequence[str], facts: shapes.Facts, task: records.Task) -> Any:
    """The run object of one execution."""
    if name == "python":
        from twin.engine.load_python import PythonRun

        return PythonRun(system, programs, facts, task)
    if name == "c":
        from twin.engine.load_c import CompiledRun

        return CompiledRun(system, programs, facts, task)
    from twin.engine import load_numba

    if not load_numba.ready():
        progress("compiling the engine with numba, once on this machine (about half a minute; a C compiler takes one second)")
    return load_numba.NumbaRun(system, programs, facts, task)


def compiled_name() -> str:
    """The compiled execution of this machine: "c" where there is a compiler, else "numba"."""
    return "c" if store.compiler() else "numba"


def name_for(runner: Any, many: bool) -> str:
    """The execution for a lone call or for an ensemble."""
    name = wanted(runner.execution)
    if name != "auto":
        return name
    if many or runner.system.structure == "cells":
        return compiled_name()
    if any(made in runner.runs for made in ("c", "numba")):
        return "c" if "c" in runner.runs else "numba"
    used = _used.get(runner.system, 0.0)
    if used <= PATIENCE and "numpy" not in sys.modules:
        return "python"  # numpy takes longer to import than a small simulation takes in plain Python
    if store.compiler():
        from twin.engine import load_c

        near = load_c.cached(runner.system, runner.programs, runner.facts)
        return "c" if near or used > PATIENCE else "python"
    return "numba" if used > LONG_PATIENCE else "python"


def obtain(runner: Any, many: bool = False) -> Any:
    """The run object for a call; in "auto" a compiler that fails is passed over."""
    name = name_for(runner, many)
    if name not in runner.runs:
        try:
            runner.runs[name] = make_run(name, runner.system, runner.programs, runner.facts, runner.task)
        except (errors.LoweringError, errors.MissingExtraError, OSError):
            if name != "c" or wanted(runner.execution) != "auto":
                raise
            progress("the C compiler failed; going on with numba")
            name = "numba"
            if name not in runner.runs:
                runner.runs[name] = make_run(name, runner.system, runner.programs, runner.facts, runner.task)
    return runner.runs[name]


def run_one(runner: Any, x0: Sequence[float], z0: Sequence[float], p: Sequence[float]) -> dict[str, Any]:
    """One trajectory in the execution that suits."""
    run = obtain(runner)
    if run.name != "python":
        found: dict[str, Any] = run.one(x0, z0, p)
        return found
    begin = time.process_time()
    found = run.one(x0, z0, p)
    _used[runner.system] = _used.get(runner.system, 0.0) + time.process_time() - begin
    return found


def warm() -> dict[str, Any]:
    """Compile ahead what can be compiled without a model; what `twin doctor --warm` calls.

    Returns
    -------
    dict
        "execution" that ensembles will use, its "compiler", and the "seconds" it took.
    """
    begin = time.perf_counter()
    name = compiled_name()
    if name == "c":
        from twin.engine import load_c, load_ocp

        load_c.library_of_text("int twinworks_answer(void) { return 42; }\n", load_c.FLAGS)
        load_ocp.general_library()
    else:
        from twin.engine import load_numba, load_ocp

        load_numba.engine()
        load_numba.engine(load_ocp.ENTRY, load_ocp.sources)
    return {"execution": name, "compiler": store.compiler() or "numba", "seconds": time.perf_counter() - begin}


