"""Model predictive control in closed loop against do-mpc, and on the CSTR against CasADi's solvers.

Five problems from the examples of do-mpc, 150 steps each against the same plant (CVODES at 1e-10). Compared is the CPU time of a
whole call: `make_step` there, `step` here, both converged to 1e-8; step 0 and steps that failed are left out. `cold` is our
solver without anything remembered, on the same states. First the answer: the optimum at step 0 at a tolerance of 1e-10 against
the exact values, found with IPOPT at 1e-10 and `bound_relax_factor` 0 (by default slacks may be negative: worth 0.1 % here).
A failure is a step without an optimum. Where the limits of a step cannot all hold (the nominal polymerization from step 38 on,
where do-mpc fails), ours gives the plan that exceeds them least; such steps are counted apart, and take part in the times.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import twin
from benchmarks import harness
from benchmarks.problems import cstr_program, predictive
from benchmarks.problems.predictive import BATCH, CSTR, POLY, Case

STEPS, TOLERANCE = 150, 1e-8
QUICK_STEPS = 3
FINISHED = 20680.0  # kg of polymer: the end of a polymerization
# name -> case, robust, exact optimum at step 0
CASES = {"cstr_nominal": (CSTR, False, 0.015063913), "cstr_robust": (CSTR, True, 0.016510009),
         "batch": (BATCH, False, -0.94223404),
         "poly_nominal": (POLY, False, -16434.839), "poly_robust": (POLY, True, -17356.646)}
TRANSIENT = 40  # steps of the CSTR before it rests


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    casadi = harness.peer("casadi")
    result: dict[str, Any] = {"benchmark": "nmpc", "quick": quick}
    for name, (case, robust, exact) in CASES.items():
        if quick and robust:
            continue
        found = one(name, case, robust, exact, casadi, quick, log)
        result |= {f"{name}.{key}": value for key, value in found.items()}
    if not quick:
        result |= solvers(casadi, log)
    return result


def one(name: str, case: Case, robust: bool, exact: float, casadi: Any, quick: bool, log: harness.Log) -> dict[str, Any]:
    """One problem: the answer, the closed loop here, the closed loop there."""
    names, start = case.ours, list(case.initial.values())
    inputs = {names[n]: 0.0 for n in case.inputs}
    estimate = {names[n]: v for n, v in case.initial.items()}
    log(f"{name}: answer")
    sharp = predictive.controller(case, robust, tolerance=1e-10, max_seconds=60.0)
    found = sharp.step(sharp.init(inputs), estimate)[1]
    error = abs(found.objective - exact) / abs(exact)
    if not found.status or error > 1e-6:
        raise RuntimeError(f"{name}: the optimum is {found.objective:.10g}. Expected {exact:.10g}. {found.message}")
    out: dict[str, Any] = {"objective": found.objective, "objective_rel_err": error}
    steps = QUICK_STEPS if quick else STEPS
    log(f"{name}: closed loop")
    mine = closed_loop(case, robust, predictive.plant(casadi, case), start, steps)
    out |= {"iterations": float(np.median(mine["iterations"][1:])), "iterations_max": int(max(mine["iterations"][1:])),
            "failures": mine["failures"], "steps_where_limits_yield": sum(mine["yields"]), "steps": steps,
            "p50_ms": np.median(mine["cpu"][1:]) * 1e3, "p99_ms": np.percentile(mine["cpu"][1:], 99) * 1e3,
            "cold_p50_ms": np.median(mine["cold"][1:]) * 1e3,
            "cold_iterations": float(np.median(mine["cold_iterations"][1:]))}
    if mine["failures"]:
        out["first_failure"] = mine["said"][0]
    if case is POLY:
        done = np.flatnonzero(mine["x"][:, list(case.initial).index("m_P")] >= FINISHED)
        out["finished_at_step"] = int(done[0]) if len(done) else None
    if quick:
        return out
    log(f"{name}: do-mpc")
    theirs = do_mpc_loop(casadi, case, robust, start, steps)
    good = [k for k in range(1, steps) if theirs["success"][k]]
    peer = [theirs["cpu"][k] for k in good]
    apart = np.abs(np.array(theirs["u"])[:3] - np.array(mine["u"])[:3]) / [max(map(abs, b)) for b in case.inputs.values()]
    out |= {"do_mpc_p50_ms": np.median(peer) * 1e3, "do_mpc_p99_ms": np.percentile(peer, 99) * 1e3,
            "do_mpc_failures": theirs["success"].count(False), "inputs_differ": float(np.max(apart)),
            "do_mpc_iterations": float(np.median([theirs["iterations"][k] for k in good]))}
    out |= {"p50_ratio": out["do_mpc_p50_ms"] / out["p50_ms"], "p99_ratio": out["do_mpc_p99_ms"] / out["p99_ms"],
            "cold_p50_ratio": out["do_mpc_p50_ms"] / out["cold_p50_ms"]}
    return out


def closed_loop(case: Case, robust: bool, plant: Callable[[Any, Any], Any], start: list[float], steps: int) -> dict[str, Any]:
    """Our controller on the plant, each step also cold."""
    names = case.ours
    control = predictive.controller(case, robust, tolerance=TOLERANCE, max_seconds=60.0)
    control.warm_up()
    state, x = control.init({names[n]: 0.0 for n in case.inputs}), np.array(start)
    rows: dict[str, Any] = {key: [] for key in ("cpu", "cold", "iterations", "cold_iterations", "u", "said", "yields")}
    states, failures = [x], 0
    for _ in range(steps):
        estimate = {names[n]: float(v) for n, v in zip(case.initial, x, strict=True)}
        forgetful = control.forget(state)
        begin = time.process_time()
        cold = control.step(forgetful, estimate)[1]
        middle = time.process_time()
        state, info = control.step(state, estimate)
        rows["cpu"].append(time.process_time() - middle)
        rows["cold"].append(middle - begin)
        rows["iterations"].append(info.iterations)
        rows["cold_iterations"].append(cold.iterations)
        # an optimum that exceeds limits which provably cannot all hold is told apart from a step without an optimum
        yields = info.status is twin.Status.INFEASIBLE and "Limits yield" in info.message
        rows["yields"].append(yields)
        if not info.status and not yields:
            failures += 1
            rows["said"].append(info.message)
        u = np.array([info.inputs[names[n]] for n in case.inputs])
        rows["u"].append(u)
        x = plant(x, u)
        states.append(x)
    return rows | {"x": np.array(states), "failures": failures}


def do_mpc_loop(casadi: Any, case: Case, robust: bool, start: list[float], steps: int) -> dict[str, Any]:
    """do-mpc's controller on the same plant."""
    do_mpc = harness.peer("do_mpc")
    plant = predictive.plant(casadi, case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, control = predictive.do_mpc_controller(do_mpc, casadi, case, robust, {"ipopt.tol": TOLERANCE})
        control.setup()
        x = np.array(start)
        control.x0 = x.reshape(-1, 1)
        control.set_initial_guess()
        rows: dict[str, Any] = {key: [] for key in ("cpu", "iterations", "success", "u")}
        for _ in range(steps):
            begin = time.process_time()
            u = control.make_step(x.reshape(-1, 1)).ravel()
            rows["cpu"].append(time.process_time() - begin)
            rows["iterations"].append(control.solver_stats["iter_count"])
            rows["success"].append(bool(control.solver_stats["success"]))
            rows["u"].append(u)
            x = plant(x, u)
    return rows


def solvers(casadi: Any, log: harness.Log) -> dict[str, Any]:
    """The nominal CSTR against CasADi's solvers on a program built by hand: transient and rest apart."""
    plant, start = predictive.plant(casadi, CSTR), list(CSTR.initial.values())
    mine = closed_loop(CSTR, False, plant, start, STEPS)
    parts: Mapping[str, slice] = {"transient": slice(1, TRANSIENT), "rest": slice(TRANSIENT, STEPS), "all": slice(1, STEPS)}
    out: dict[str, Any] = {f"cstr_nominal.{part}_ms": float(np.median(mine["cpu"][at])) * 1e3 for part, at in parts.items()}
    for kind in ("ipopt", "fatrop", "qrsqp"):
        log(f"cstr_nominal: {kind}")
        program = cstr_program.Program(casadi, kind == "fatrop")
        solve = program.solver(kind, TOLERANCE)
        x, before, warm = np.array(start), np.zeros(2), None
        cpu, residuals, failures = [], [], 0
        for k in range(STEPS):
            arguments = program.arguments(x, before, warm)
            begin = time.process_time()
            found = solve(**arguments)
            v = np.array(found["x"]).ravel()
            cpu.append(time.process_time() - begin)
            failures += not solve.stats()["success"]
            if k == 0 and abs(float(found["f"]) - 0.015063913) > 1e-4 * 0.015063913 + 2.1e-5:  # 2e-5: bound relaxation
                raise RuntimeError(f"{kind}: the optimum is {float(found['f']):.9g}. Expected 0.015063913.")
            residuals.append(program.residual(found, x, before))
            before = v[program.first_input:program.first_input + 2] * cstr_program.SCALE_U
            x, warm = plant(x, before), found
        out |= {f"cstr_nominal.{kind}_failures": failures, f"cstr_nominal.{kind}_residual": float(np.median(residuals)),
                f"cstr_nominal.{kind}_residual_max": float(np.max(residuals[1:]))}
        for part, at in parts.items():
            name = f"cstr_nominal.{kind}" if part == "all" else f"cstr_nominal.{kind}_{part}"
            out |= {f"{name}_ms": float(np.median(cpu[at])) * 1e3,
                    f"{name}_ratio": float(np.median(cpu[at]) / np.median(mine["cpu"][at]))}
    return out
