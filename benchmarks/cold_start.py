"""Cold start: what a user waits for before the first answer, in fresh processes on an installed wheel.

All times are CPU seconds of the process and its children (compilers), the least of some repeats.

import_cpu_s                 `import twin, processes.bioreactor`, less a bare Python
first_simulation_fresh_s     penicillin, 400 h, in a new process; every cache is deleted, the bytecode of our packages too
first_simulation_cached_s    the same once more
engine_compile_cc_s          the same from deleted caches with the C execution, the whole process, less the cached one
engine_compile_numba_s       the same with numba
new_model_ready_s            new_model_ready_cc_s where there is a C compiler, else new_model_ready_numba_s
new_model_ready_*_s          a model class is edited in a running session; from there to its finished simulation, compiled
casadi_*                     the peer: the edited model from its equations to the finished integration, and a whole process
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.installed import Installed, build_wheel, install

PRODUCT = 1.61937  # g/l at 400 h: PenSim (Birol, Undey, Cinar 2002)
FIRST = """
import json, sys
import twin
from processes.bioreactor import Penicillin
batch = twin.simulate(Penicillin(), duration=400.0, execution=sys.argv[1])
print(json.dumps(batch.final))
"""
CLOCK = """
import importlib, json, resource, sys
def cpu():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
"""
EDITED = CLOCK + """
import twin, original
twin.simulate(original.Pen6(), duration=400.0, execution=sys.argv[1])
start = cpu()
edited = importlib.import_module(sys.argv[2])
final = twin.simulate(edited.Pen6(), duration=400.0, execution=sys.argv[1]).final
print(json.dumps({"seconds": cpu() - start, "product": final["product"]}))
"""
PEER = CLOCK + """
import casadi
problem = importlib.import_module(sys.argv[1]).PEN6
start = cpu()
x, p = casadi.SX.sym("x", 6), casadi.SX.sym("p", 3)
ode = casadi.vertcat(*problem.rhs([x[i] for i in range(6)], [p[i] for i in range(3)]))
run = casadi.integrator("run", "cvodes", {"x": x, "p": p, "ode": ode}, 0, problem.end, {"reltol": 1e-8, "abstol": 1e-11})
final = run(x0=problem.start, p=problem.parameters)["xf"]
print(json.dumps({"seconds": cpu() - start, "product": float(final[2])}))
"""
YIELD = "-growth / 0.45"  # of biomass on sugar, in benchmarks/problems/stiff.py; an edit replaces the number


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    harness.peer("casadi")
    with tempfile.TemporaryDirectory(prefix="twinworks-cold-") as name:
        folder = Path(name)
        (folder / "wheel").mkdir()
        (folder / "empty").mkdir()
        log("cold_start: building and installing the wheel")
        bench = Bench(folder, install(build_wheel(folder / "wheel"), folder / "environment"), quick)
        bench.edit("original")
        bench.edit("edited", "-growth / 0.47")
        result = {"benchmark": "cold_start", "quick": quick, **answers(bench, log)}
        return result if quick else result | times(bench, log)


class Bench:
    """The installed library, an empty home, and the caches that are deleted when asked."""

    def __init__(self, folder: Path, installed: Installed, quick: bool) -> None:
        self.folder, self.installed, self.quick, self.repeats = folder, installed, quick, 1 if quick else 5
        self.cache = folder / "cache"
        self.env = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder / "empty"), "TWINWORKS_CACHE": str(self.cache),
                    "PYTHONPATH": str(folder / "models"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def edit(self, name: str, change: str = YIELD) -> str:
        """The problem as a model file of this name with one number edited; its name."""
        text = (Path(__file__).parent / "problems" / "stiff.py").read_text()
        if text.count(YIELD) != 1:
            raise RuntimeError(f"benchmarks/problems/stiff.py does not hold '{YIELD}' once.")
        (self.folder / "models").mkdir(exist_ok=True)
        (self.folder / "models" / f"{name}.py").write_text(text.replace(YIELD, change))
        return name

    def forget(self) -> None:
        """Delete the cache folder and the bytecode of our packages."""
        shutil.rmtree(self.cache, ignore_errors=True)
        for package in ("twin", "processes", "optimizers"):
            for place in self.installed.folder.glob(f"lib*/**/site-packages/{package}/**/__pycache__"):
                shutil.rmtree(place, ignore_errors=True)

    def cpu(self, *words: str) -> tuple[float, dict[str, Any]]:
        """CPU seconds of a fresh Python and all its children, and the JSON it prints."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen([self.installed.script("python"), *words], cwd=self.folder / "empty", env=self.env,
                                       stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode:
                raise RuntimeError(f"A measured process failed: {err.read().decode()[-2000:]}")
            text = out.read().decode().strip()
        return usage.ru_utime + usage.ru_stime, json.loads(text.splitlines()[-1]) if text else {}

    def least(self, *words: str, before: Callable[[], object] = lambda: None, repeats: int = 0) -> float:
        """Least CPU seconds of fresh processes."""
        found = []
        for _ in range(repeats or self.repeats):
            before()
            found.append(self.cpu(*words)[0])
        return min(found)


def executions(quick: bool = False) -> dict[str, str]:
    """Short name of each compiled execution that this machine has; only the faster one in a quick run."""
    found = ({"cc": "c"} if shutil.which("cc") else {}) | {"numba": "numba"}
    return dict([next(iter(found.items()))]) if quick else found


def answers(bench: Bench, log: harness.Log) -> dict[str, Any]:
    """Assert the answers of every process that is timed later."""
    log("cold_start: answers")
    found: dict[str, Mapping[str, float]] = {}
    for execution in ("auto", "python", *executions(bench.quick).values()):
        bench.forget()
        found[execution] = bench.cpu("-c", FIRST, execution)[1]
        check(f"penicillin, {execution}", found[execution]["product"], PRODUCT, 1e-5)
        for signal, value in found["auto"].items():
            check(f"{signal}, {execution} against auto", found[execution][signal], value, 1e-12)
    peer = bench.cpu("-c", PEER, "edited")[1]["product"]
    original = bench.cpu("-c", PEER, "original")[1]["product"]
    if abs(peer / original - 1) < 1e-4:
        raise RuntimeError(f"The edited model gives {peer:.6g} g/l, the original {original:.6g}. Expected a difference.")
    for name, execution in executions(bench.quick).items():
        check(f"edited model, {name}", bench.cpu("-c", EDITED, execution, "edited")[1]["product"], peer, 1e-5)
    return {"product": found["auto"]["product"], "edited_product": peer}


def check(what: str, value: float, expected: float, rtol: float) -> None:
    """An error where the value is another."""
    if not math.isclose(value, expected, rel_tol=rtol, abs_tol=1e-300):
        raise RuntimeError(f"{what} is {value!r}. Expected {expected!r} within {rtol:g}.")


def times(bench: Bench, log: harness.Log) -> dict[str, Any]:
    """The times; every process is the one whose answer was asserted."""
    log("cold_start: import")
    bare = bench.least("-c", "pass", repeats=20)
    out: dict[str, Any] = {"bare_python_s": bare}
    out["import_cpu_s"] = bench.least("-c", "import twin, processes.bioreactor", repeats=20) - bare
    log("cold_start: first simulation")
    out["first_simulation_fresh_s"] = bench.least("-c", FIRST, "auto", before=bench.forget)
    bench.cpu("-c", FIRST, "auto")
    out["first_simulation_cached_s"] = bench.least("-c", FIRST, "auto")
    out |= {"engine_compile_cc_s": None, "new_model_ready_cc_s": None}
    for name, execution in executions().items():
        log(f"cold_start: {name}")
        repeats = 5 if name == "cc" else 2
        cold = bench.least("-c", FIRST, execution, before=bench.forget, repeats=repeats)
        warm = bench.least("-c", FIRST, execution)
        out |= {f"engine_compile_{name}_s": cold - warm, f"whole_process_{name}_s": cold, f"whole_process_{name}_cached_s": warm}
        out[f"new_model_ready_{name}_s"] = ready(bench, execution)
    out["new_model_ready_s"] = out["new_model_ready_cc_s"] or out["new_model_ready_numba_s"]
    log("cold_start: CasADi")
    out["casadi_build_s"] = min(bench.cpu("-c", PEER, "edited")[1]["seconds"] for _ in range(bench.repeats))
    out["casadi_whole_process_s"] = bench.least("-c", PEER, "edited")
    return out


def ready(bench: Bench, execution: str) -> float:
    """Least seconds from an edit to the finished simulation; each edit is a number that no cache has seen."""
    bench.cpu("-c", EDITED, execution, "original")
    edits = [bench.edit(f"edited_{execution}_{k}", f"-growth / {0.46 + 1e-4 * k!r}") for k in range(bench.repeats)]
    return min(float(bench.cpu("-c", EDITED, execution, name)[1]["seconds"]) for name in edits)
