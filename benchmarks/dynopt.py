"""Dynamic optimization: the public problems, each answer re-simulated, and CasADi with IPOPT on the same grid and start.

Tier A from a single start to 1e-4 of the best known value on that grid, tier B to 1e-3 with several starts in at most 60 s, tier
C reported. The value is the objective of the answer when it is simulated from the start with a tight tolerance; the violation is
the worst one along that simulation, as a share of the typical size of the limited quantity.

Times: `warm_ratio` is one solve of CasADi + IPOPT over one of ours, both built, on the same collocation grid (degree 3, one
element an interval), from the same simulated start, both to 1e-8. `build_ratio` is the time from the model to the first
iteration of both, in a process that has solved another problem before: CasADi's symbols, functions and solver object over our
simulated start, tracing, lowering, compiling and loading, with nothing of this problem in the cache. The part of the solver
that serves all problems is compiled once on a machine and not counted. Medians over the problems that both solve.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optimizers
import twin
from benchmarks import harness
from benchmarks.peers.collocation import Collocation
from benchmarks.problems.public import CASES, Case, case

QUICK = ("P03", "P17b", "P24")
REPEATS = 5
LIMIT_SECONDS = 60.0


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    casadi = harness.peer("casadi")
    rows = []
    for c in CASES:
        if quick and c.name not in QUICK:
            continue
        rows.append(_row(c, casadi, quick, log))
    out: dict[str, Any] = {"benchmark": "dynopt", "quick": quick}
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


def _row(c: Case, casadi: Any, quick: bool, log: harness.Log) -> dict[str, Any]:
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
        row |= _times(c, casadi, log)
    return row


def _times(c: Case, casadi: Any, log: harness.Log) -> dict[str, Any]:
    """One solve of both, built before, and the time it takes to build."""
    try:
        peer = Collocation(casadi, c.build(), dict(c.start) or None)
    except NotImplementedError as e:
        return {"peer": str(e)}
    theirs, value, count, status = peer.solve()
    theirs = min(theirs, *(peer.solve()[0] for _ in range(REPEATS - 1)))
    mine, own, status_mine = [], 0, ""
    first: dict[str, Any] = {}
    for _ in range(REPEATS):
        answer = optimizers.solve(c.build(), start=dict(c.start) or None, gap=0.9, throw=False, build=True,
                                  max_seconds=LIMIT_SECONDS)
        first = answer.stats["solves"][0]
        mine.append(first["seconds"])
        own, status_mine = first["iterations"], first["status"]
    found = {"casadi_status": status, "casadi_claim": value, "casadi_iterations": count, "casadi_solve_s": theirs,
             "casadi_build_s": peer.build_seconds, "solve_s": min(mine), "solve_iterations": own, "solve_status": status_mine,
             "edges": first["stretches"], "casadi_edges": peer.edges}
    if status == "Solve_Succeeded" and status_mine == "SUCCESS" and first["stretches"] == peer.edges:
        found["warm_ratio"] = theirs / min(mine)
    built = _build_seconds(c.name)
    if built is not None:
        found |= {"build_s": built, "build_ratio": peer.build_seconds / built}
    log(f"   solve {min(mine) * 1e3:.2f} ms ({own} iterations), CasADi {theirs * 1e3:.1f} ms ({count}); build {built} s, CasADi "
        f"{peer.build_seconds:.2f} s")
    return found


def _build_seconds(name: str) -> float | None:
    """Model to first iteration with an empty cache for this problem, imports aside (they are aside for CasADi as well)."""
    code = ("import sys; from benchmarks.dynopt import build_once; build_once(sys.argv[1])")
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "TWINWORKS_CACHE": folder}
        done = subprocess.run([sys.executable, "-c", code, name], capture_output=True, text=True, env=env, check=False,
                              cwd=Path(__file__).parents[1], timeout=300)
    with contextlib.suppress(ValueError, IndexError):
        return float(done.stdout.splitlines()[-1])
    return None


def build_once(name: str) -> None:
    """Time from the statement of a problem to its first iteration; printed."""
    import jax.numpy  # noqa: F401
    import numpy  # noqa: F401
    import scipy.sparse  # noqa: F401

    c, other = case(name), case("P24" if name != "P24" else "P17a")
    optimizers.solve(other.build(), start=dict(other.start) or None, gap=0.9, throw=False, max_iterations=1)
    begin = time.perf_counter()
    problem = c.build()
    stated = time.perf_counter() - begin
    stats = optimizers.solve(problem, start=dict(c.start) or None, gap=0.9, throw=False, max_iterations=1).stats
    sys.stdout.write(f"{stated + stats['build_seconds'] + stats['solves'][0]['seconds']}\n")
