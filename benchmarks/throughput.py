"""How many CSTR problems a second: our engine on two threads against CasADi with IPOPT on one, and a GPU where there is one.

The nominal problem of `nmpc` from random states. Each of ours starts from a simulated guess; IPOPT starts from its constant
one, as do-mpc does at the first step. Both at a tolerance of 1e-8. First the answers: sixteen problems to 1e-6 against IPOPT at
1e-10 without bound relaxation, and those of the JAX path against those of the engine. Without CasADi only a GPU is measured.

Ours is wall time of the whole call `Nmpc.many`, filling of the data included; IPOPT's is CPU time of its solves alone. On a
machine that others use, the ratio is therefore too low, never too high.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.problems import predictive
from benchmarks.problems.predictive import CSTR

COUNT, CHECKED, LARGE, PEER = 1024, 16, 10_000, 128
QUICK = 16
JAX_CHECKED = 64  # problems of the JAX path on a CPU, where it is only checked
DIFFERENCE = 2e-6  # of objectives at tolerance 1e-8: the barrier's last value times the number of limits
BEFORE = {"flow": 0.0, "duty": 0.0}


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    out: dict[str, Any] = {"benchmark": "throughput", "quick": quick}
    try:
        casadi = harness.peer("casadi")
    except harness.PeerMissing:
        if quick or not on_gpu():
            raise
        return out | accelerator(predictive.controller(CSTR, False), log)
    log("answers")
    states = starts(QUICK if quick else COUNT)
    sharp = predictive.controller(CSTR, False, tolerance=1e-10)
    found = sharp.many(part(states, CHECKED), before=BEFORE)
    exact, _ = ipopt(casadi, states[:CHECKED], {"ipopt.tol": 1e-10, "ipopt.bound_relax_factor": 0.0, "ipopt.max_iter": 500})
    error = float(np.max(np.abs(found.objective - exact) / np.abs(exact)))
    if not all(found.statuses) or error > 1e-6:
        raise RuntimeError(f"The answers differ by {error:.2g}. Expected 1e-6 at most.")
    out["objective_rel_err"] = error
    if quick:
        return out
    control = predictive.controller(CSTR, False)
    control.many(part(states, 2), before=BEFORE)
    walls = {}
    for threads in (1, 2):
        log(f"{threads} thread(s)")
        rounds = [control.many(part(states, COUNT), before=BEFORE, threads=threads) for _ in range(3)]
        walls[threads] = min(r.seconds for r in rounds)
    log("ipopt")
    _, seconds = ipopt(casadi, states[:PEER], {"ipopt.tol": 1e-8})
    peer, ours, one = PEER / seconds, COUNT / walls[2], COUNT / walls[1]
    out |= {"solves_per_s": ours, "solves_per_s_per_core": one, "failed": sum(not s for s in rounds[-1].statuses),
            "iterations": float(np.median(rounds[-1].iterations)), "casadi_solves_per_s": peer, "ratio_vs_casadi": ours / peer,
            "ratio_per_core": one / peer}
    return out | accelerator(control, log)


def starts(count: int) -> Any:
    """Random states around the initial one, within the limits; the first is the initial one."""
    rng = np.random.default_rng(0)
    x = np.array(list(CSTR.initial.values())) * (1 + 0.05 * rng.uniform(-1, 1, (count, len(CSTR.initial))))
    x[0] = list(CSTR.initial.values())
    x[:, 3] = np.minimum(x[:, 3], 139.5)
    return x


def part(states: Any, count: int) -> dict[str, Any]:
    """The first states by name."""
    return {CSTR.ours[n]: states[:count, k] for k, n in enumerate(CSTR.initial)}


def ipopt(casadi: Any, states: Any, options: dict[str, Any]) -> tuple[Any, float]:
    """Objectives by CasADi and IPOPT, and the CPU time of all solves."""
    from benchmarks.problems import cstr_program

    program = cstr_program.Program(casadi, False)
    silent = {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    solve = casadi.nlpsol("solver", "ipopt", program.nlp, silent | options)
    values, seconds = [], 0.0
    for x in states:
        arguments = program.arguments(x, np.zeros(2), None)
        begin = time.process_time()
        found = solve(**arguments)
        seconds += time.process_time() - begin
        if not solve.stats()["success"]:
            raise RuntimeError(f"IPOPT failed from {x}: {solve.stats()['return_status']}.")
        values.append(float(found["f"]))
    return np.array(values), seconds


def on_gpu() -> bool:
    """True where JAX sees a GPU."""
    import jax

    return bool(jax.devices()[0].platform == "gpu")


def accelerator(control: Any, log: harness.Log) -> dict[str, Any]:
    """The JAX path: in one array on a GPU, in small ones on a CPU."""
    gpu = on_gpu()
    count, key = (LARGE, "gpu") if gpu else (JAX_CHECKED, "jax_cpu")
    log(f"jax, {count} problems")
    states = starts(count)
    begin = time.perf_counter()
    first = control.many(part(states, count), before=BEFORE, device="jax")
    cold = time.perf_counter() - begin
    best = min(control.many(part(states, count), before=BEFORE, device="jax").seconds for _ in range(3))
    checked = min(count, 512)
    exact = control.many(part(states, checked), before=BEFORE)
    gap = float(np.max(np.abs(first.objective[:checked] - exact.objective)))
    if gap > DIFFERENCE:
        raise RuntimeError(f"The JAX path and the engine differ by {gap:.2g} in the objective. Expected {DIFFERENCE:g} at most.")
    return {"gpu": gpu, f"{key}_solves_per_s": count / best, f"{key}_first_call_s": cold, f"{key}_repeated": first.repeated,
            f"{key}_objective_gap": gap, f"{key}_device": first.device}
