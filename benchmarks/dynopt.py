"""Dynamic optimization: the public problems, each answer re-simulated, and CasADi with IPOPT on the same grid and start.

Tier A from a single start to 1e-4 of the best known value on that grid, tier B to 1e-3 with several starts in at most 60 s, tier
C reported. The value is the objective of the answer when it is simulated from the start with a tight tolerance; the violation is
the worst one along that simulation, as a share of the typical size of the limited quantity.

Times: `warm_ratio` is one solve of CasADi + IPOPT over one of ours, both built, on the same collocation grid (degree 3, one
element an interval), from the same simulated start, both to 1e-8. `build_ratio` is the time from the model to the first
iteration of both, in a process that has solved another problem before: CasADi's symbols, functions and solver object over our
simulated start, tracing, lowering, compiling and loading, with nothing of this problem in the cache. The part of the solver
that serves all problems is compiled once on a machine and is not in the ratio; `first_problem_s` is the time from a small problem
to its first iteration with an empty cache, that part included. Medians over the problems that both solve.

Each side solves up to REPEATS times within BUDGET_SECONDS a problem, and its fastest solve counts; each is built BUILDS times,
ours in a new process each, and the fastest counts.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optimizers
import twin
from benchmarks import harness
from benchmarks.peers.collocation import Collocation
from benchmarks.problems.public import CASES, Case, case

QUICK = ("P03", "P17b", "P24")
REPEATS, BUDGET_SECONDS = 5, 8.0
LIMIT_SECONDS = 60.0
BUILDS = 3
WARM = "P24", "P17a"  # one of them has been solved in every process in which a build is timed


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    casadi = harness.peer("casadi")
    rows = []
    out: dict[str, Any] = {"benchmark": "dynopt", "quick": quick}
    with tempfile.TemporaryDirectory() as cache:
        if not quick:
            out["first_problem_s"] = _in_process("build_first", WARM[0], cache)
            _in_process("build_first", WARM[1], cache)
        for c in CASES:
            if not quick or c.name in QUICK:
                rows.append(_row(c, casadi, cache, quick, log))
    for tier in "ABC":
        own = [r for r in rows if r["tier"] == tier]
        out |= {f"tier_{tier.lower()}": len(own), f"tier_{tier.lower()}_failed": sum(not r["ok"] for r in own)}
    out |= {"resim_gap_max": max(r["gap"] for r in rows if r["tier"] != "C"),
            "violation_max": max(r["violation"] for r in rows if r["tier"] != "C"),
            "failed": [r["problem"] for r in rows if not r["ok"]], "seconds_max": max(r["seconds"] for r in rows)}
    for key in ("warm_ratio", "build_ratio"):
        found = [r[key] for r in rows if r.get(key)]
        if found:
            out |= {f"{key}_median": statistics.median(found), f"{key}_min": min(found), f"{key}_problems": len(found)}
    return out | {"problems": rows}


def _row(c: Case, casadi: Any, cache: str, quick: bool, log: harness.Log) -> dict[str, Any]:
    problem = c.build()
    begin = time.perf_counter()
    answer = optimizers.solve(problem, start=dict(c.start) or None, starts=1 if quick else c.starts, max_seconds=LIMIT_SECONDS,
                              throw=False, threads=2)
    seconds = time.perf_counter() - begin
    short = c.shortfall(answer.objective) if answer.objective is not None else float("inf")
    gap = answer.stats.get("gap", float("inf"))
    ended = answer.status in (twin.Status.SUCCESS, twin.Status.TIME_LIMIT)
    ok = ended and short <= c.tolerance and answer.violation <= 1e-6 and gap <= 1e-6
    row: dict[str, Any] = {
        "problem": c.name, "tier": c.tier, "ok": ok, "status": answer.status.name, "objective": answer.objective,
        "reference": c.value, "shortfall": short if answer.objective is not None else None, "gap": gap,
        "violation": answer.violation, "starts": answer.stats["starts"], "starts_solved": answer.stats["starts_solved"],
        "seconds": seconds, "solver": answer.solver, "iterations": sum(map(sum, answer.stats["iterations"]))}
    log(f"{c.name} {'ok' if ok else 'FAILED'}: {answer.objective} (reference {c.value}), gap {gap:.1e}, violation "
        f"{answer.violation:.1e}, {seconds:.1f} s")
    if not quick:
        row |= _times(c, casadi, cache, log)
    return row


def _times(c: Case, casadi: Any, cache: str, log: harness.Log) -> dict[str, Any]:
    """One solve of both, built before, and the time it takes to build."""
    try:
        peer = Collocation(casadi, c.build(), dict(c.start) or None)
    except NotImplementedError as e:
        return {"peer": str(e)}
    theirs, value, count, status = min(_repeated(peer.solve), key=lambda found: float(found[0]))
    answers = _repeated(lambda: optimizers.solve(c.build(), start=dict(c.start) or None, gap=0.9, throw=False, build=True,
                                                 max_seconds=LIMIT_SECONDS))
    first = min((a.stats["solves"][0] for a in answers), key=lambda found: float(found["seconds"]))
    mine, own, status_mine = first["seconds"], first["iterations"], first["status"]
    peers_build = min(peer.build_seconds, *(Collocation(casadi, c.build(), dict(c.start) or None).build_seconds
                                            for _ in range(BUILDS - 1)))
    found = {"casadi_status": status, "casadi_claim": value, "casadi_iterations": count, "casadi_solve_s": theirs,
             "casadi_build_s": peers_build, "solve_s": mine, "solve_iterations": own, "solve_status": status_mine,
             "edges": first["stretches"], "casadi_edges": peer.edges}
    if status == "Solve_Succeeded" and status_mine == "SUCCESS" and first["stretches"] == peer.edges:
        found["warm_ratio"] = theirs / mine
    builds = []
    for _ in range(BUILDS):
        with tempfile.TemporaryDirectory() as folder:
            builds.append(_in_process("build_once", c.name, shutil.copytree(cache, Path(folder) / "cache")))
    built = min((b for b in builds if b is not None), default=None)
    if built is not None:
        found |= {"build_s": built, "build_ratio": peers_build / built}
    log(f"   solve {mine * 1e3:.2f} ms ({own} iterations), CasADi {theirs * 1e3:.1f} ms ({count}); build {built} s, CasADi "
        f"{peers_build:.2f} s")
    return found


def _repeated(solve: Callable[[], Any]) -> list[Any]:
    """What up to REPEATS solves give within BUDGET_SECONDS; at least one."""
    begin, found = time.perf_counter(), [solve()]
    while len(found) < REPEATS and time.perf_counter() - begin < BUDGET_SECONDS:
        found.append(solve())
    return found


def _in_process(what: str, name: str, cache: str | Path) -> float | None:
    """A time that a function of this module prints in a new process with a cache folder of its own."""
    code = f"import sys; from benchmarks.dynopt import {what}; {what}(sys.argv[1])"
    env = {**os.environ, "TWINWORKS_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, env=env, check=False,
                          cwd=Path(__file__).parents[1], timeout=300)
    with contextlib.suppress(ValueError, IndexError):
        return float(done.stdout.splitlines()[-1])
    return None


def build_first(name: str) -> None:
    """Time from the statement of a problem to its first iteration, the first of the process; printed."""
    _imports()
    sys.stdout.write(f"{_first_iteration(case(name))}\n")


def build_once(name: str) -> None:
    """Time from the statement of a problem to its first iteration where the process has solved another one; printed."""
    _imports()
    _first_iteration(case(WARM[0] if name != WARM[0] else WARM[1]))
    sys.stdout.write(f"{_first_iteration(case(name))}\n")


def _imports() -> None:
    """Imports are aside, as they are for CasADi."""
    import jax.numpy  # noqa: F401
    import numpy  # noqa: F401
    import scipy.sparse  # noqa: F401


def _first_iteration(c: Case) -> float:
    begin = time.perf_counter()
    problem = c.build()
    stated = time.perf_counter() - begin
    stats = optimizers.solve(problem, start=dict(c.start) or None, gap=0.9, throw=False, max_iterations=1).stats
    return float(stated + stats["build_seconds"] + stats["solves"][0]["seconds"])
