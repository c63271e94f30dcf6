"""How many CSTR problems a second: our engine on two threads against CasADi with IPOPT on one, and a GPU where there is one.

The nominal problem of `nmpc` from random states. Each of ours starts from a simulated guess; IPOPT starts from its constant one, as
do-mpc does at the first step. Both at a tolerance of 1e-8. First the answers: sixteen problems to 1e-6 against IPOPT at 1e-10
without bound relaxation, and those of the JAX path against those of the engine.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.problems import cstr_program, predictive
from benchmarks.problems.predictive import CSTR

COUNT, CHECKED, LARGE = 1024, 16, 10_000
QUICK = 16
JAX_CHECKED = 64  # problems of the JAX path on a CPU: its compilation takes most of a minute
DIFFERENCE = 2e-6  # of objectives at tolerance 1e-8: the barrier's last value times the number of limits


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    casadi = harness.peer("casadi")
    count = QUICK if quick else COUNT
    log("answers")
    states = starts(count)
    sharp = predictive.controller(CSTR, False, tolerance=1e-10)
    found = sharp.many(part(states, CHECKED), before=BEFORE)
    exact, _ = ipopt(casadi, states[:CHECKED], {"ipopt.tol": 1e-10, "ipopt.bound_relax_factor": 0.0, "ipopt.max_iter": 500})
    error = float(np.max(np.abs(found.objective - exact) / np.abs(exact)))
    if not all(found.statuses) or error > 1e-6:
        raise RuntimeError(f"The answers differ by {error:.2g}. Expected 1e-6 at most.")
    out: dict[str, Any] = {"benchmark": "throughput", "quick": quick, "objective_rel_err": error}
    control = predictive.controller(CSTR, False)
    control.many(part(states, 2), before=BEFORE)
    if quick:
        return out
    log("threads")
    walls = {}
    for threads in (1, 2):
        rounds = []
        for _ in range(3):
            solved = control.many(part(states, count), before=BEFORE, threads=threads)
            rounds.append(solved.seconds)
        walls[threads] = min(rounds)
    failed = sum(not s for s in solved.statuses)
    log("ipopt")
    _, seconds = ipopt(casadi, states[:128], {"ipopt.tol": 1e-8})
    peer = 128 / seconds
    out |= {"solves_per_s": count / walls[2], "solves_per_s_per_core": count / walls[1], "failed": failed,
            "iterations": float(np.median(solved.iterations)), "casadi_solves_per_s": peer, "ratio_vs_casadi": count / walls[2] / peer,
            "ratio_per_core": count / walls[1] / peer}
    return out | accelerator(control, log)


BEFORE = {"flow": 0.0, "duty": 0.0}


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
    program = cstr_program.Program(casadi, False)
    solve = casadi.nlpsol("solver", "ipopt", program.nlp, {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes", **options})
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


def accelerator(control: Any, log: harness.Log) -> dict[str, Any]:
    """The JAX path, in one array on a GPU, in small ones on a CPU."""
    import jax

    gpu = jax.devices()[0].platform == "gpu"
    count = LARGE if gpu else JAX_CHECKED
    log(f"jax on {jax.devices()[0].platform}: {count} problems")
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
    key = "gpu" if gpu else "jax_cpu"
    return {f"{key}_solves_per_s": count / best, f"{key}_first_call_s": cold, f"{key}_repeated": first.repeated,
            f"{key}_objective_gap": gap, f"{key}_device": first.device, "gpu": gpu}
