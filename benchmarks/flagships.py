"""Kiln, caster, furnace and oven against scipy's BDF, which is handed our compiled right-hand side and sparse Jacobian.

Rule for both: the loosest tolerance of the grid 10^(-k/2) whose error, against our own run at 1e-10, stays within the limit of
the case at all output times; then the least CPU time of a run. scipy has no algebraic variables: the gas flow of the kiln
becomes a state there that follows its equation a million times a minute. With --data the measured reflow profile is fitted
as well, the contest's four questions are answered, and a learned correction is judged on segments that it never saw.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import twin
from benchmarks import harness, reflow_data
from processes.cement import RotaryKiln
from processes.electronics import ReflowOven
from processes.steel import BilletSlice, ReheatingFurnace, SlabSlice

FAST_GAS = 1e6  # 1/min
GRID = [10 ** (-k / 2) for k in range(4, 19)]


@dataclasses.dataclass(frozen=True)
class Case:
    """A run: the model, its inputs, output times, and the error that counts as the same answer (of nominal values)."""

    name: str
    model: Any
    inputs: dict[str, float]
    times: tuple[float, ...]
    start: Callable[[Any], Any] | None = None
    limit: float = 1e-4


def kiln_start(model: Any) -> Any:
    """Steady profile before the fuel is raised by 3 %."""
    return twin.steady(model)[0]


def cases(quick: bool) -> list[Case]:
    """What is timed."""
    furnace, oven = ReheatingFurnace(cells=20), ReflowOven()
    made = [
        Case("kiln", RotaryKiln(cells=20 if quick else 100),
             {"feed": 35.0, "fuel": 1.03, "air": 8.6, "tertiary": 34.0, "rpm": 3.5}, (10.0, 30.0, 60.0, 240.0), kiln_start),
        Case("slab", SlabSlice(cells=30 if quick else 110), {}, (60.0, 300.0, 900.0)),
        Case("furnace", furnace, {}, (60.0, 120.0, 180.0)),
        Case("oven", oven, {}, (100.0, 200.0, 300.0, 370.0)),
    ]
    return made if quick else [*made, Case("billet", BilletSlice(emissivity=0.8, stirred=4.0), {}, (60.0, 300.0))]


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    result: dict[str, Any] = {}
    for case in cases(quick):
        log(case.name)
        result |= {f"{case.name}.{k}": v for k, v in compare(case, quick).items()}
    ratios = [v for k, v in result.items() if k.endswith(".ratio_vs_scipy")]
    result["min_ratio_vs_scipy"] = min(ratios) if ratios else None
    result["reflow_profiles_per_s"] = None if quick else profiles_per_second()
    result |= {f"reflow.{k}": v for k, v in reflow_data.answers(data, log).items()}
    return {"benchmark": "flagships", "quick": quick, **result}


def compare(case: Case, quick: bool) -> dict[str, Any]:
    """Error, tolerance and time of both sides."""
    functions = twin.as_numpy(case.model, case.inputs or None)
    n = functions.states
    w0 = functions.start.copy()
    if case.start is not None:
        point = case.start(case.model)
        w0 = np.array([*point.x, *point.z])
    scale = nominal(case.model)

    def ours(rtol: float) -> Any:
        return twin.simulator(case.model, twin.Recipe.constant(**case.inputs), times=case.times, rtol=rtol, execution=compiled())

    def ran(simulator: Any) -> Any:
        return np.asarray(simulator(list(w0[:n])).raw["state"])

    exact = ran(ours(1e-10))

    def error(found: Any) -> float:
        return float(np.max(np.abs(found - exact) / scale))

    our_rtol, our_error = loosest(lambda r: ran(ours(r)), error, case.limit)
    peer_rtol, peer_error = loosest(lambda r: scipy_run(case, functions, w0, r), error, case.limit)
    found: dict[str, Any] = {"unknowns": len(w0), "our_rtol": our_rtol, "our_deviation": our_error, "scipy_rtol": peer_rtol,
                             "scipy_deviation": peer_error}
    if quick:
        return found
    prepared = ours(our_rtol)
    mine = harness.cpu(lambda: ran(prepared), 7, harness.number_for(lambda: ran(prepared)))
    theirs = harness.cpu(lambda: scipy_run(case, functions, w0, peer_rtol), 3)
    found |= {"ours_ms": 1e3 * mine, "scipy_ms": 1e3 * theirs, "ratio_vs_scipy": theirs / mine}
    if case.name == "billet":
        found["times_real_time"] = case.times[-1] / mine
    return found


def compiled() -> str:
    """The fastest execution of this machine."""
    import shutil

    return "c" if shutil.which("cc") else "numba"


def nominal(model: Any) -> Any:
    """Nominal size of each state."""
    size = np.zeros(model.size("state"))
    for row in model.layout("state"):
        size[row.where] = row.signal.nominal
    return size


def scipy_run(case: Case, functions: Any, w0: Any, rtol: float) -> Any:
    """States at the output times by scipy's BDF."""
    from scipy.integrate import solve_ivp
    from scipy.sparse import diags

    n = functions.states
    weight = np.concatenate([np.ones(n), FAST_GAS * np.ones(len(w0) - n)])
    absolute = np.concatenate([1e-3 * rtol * nominal(case.model), np.full(len(w0) - n, 1e-3 * rtol * 25.0)])
    if len(w0) > n:
        left = diags(weight)

        def rates(t: float, w: Any) -> Any:
            return weight * functions.rates(t, w)

        def jacobian(t: float, w: Any) -> Any:
            return left @ functions.jacobian(t, w)
    else:
        rates, jacobian = functions.rates, functions.jacobian
    found = solve_ivp(rates, (0.0, case.times[-1]), w0, method="BDF", t_eval=case.times, rtol=rtol, atol=absolute, jac=jacobian)
    if not found.success:
        raise RuntimeError(found.message)
    return found.y[:n].T


def loosest(solve: Callable[[float], Any], error: Callable[[Any], float], limit: float) -> tuple[float, float]:
    """Loosest tolerance of the grid within the limit, and its error; raises where there is none."""
    for rtol in GRID:
        try:
            size = error(solve(rtol))
        except (RuntimeError, twin.TwinError):
            continue
        if size <= limit:
            return rtol, size
    raise RuntimeError("No tolerance of the grid reaches the accuracy.")


def profiles_per_second() -> float:
    """Whole reflow profiles, 0.5 s apart, of random recipes on all cores, by wall clock."""
    draw = np.random.default_rng(0)
    n = 2000
    parameters = {"speed": 65 + 35 * draw.random(n)} | {f"set_points[{k}]": 165 + 20 * draw.random(n) for k in range(5)}
    prepared = twin.simulator(ReflowOven(), twin.Recipe.constant(), duration=400, every=0.5)
    prepared.many(None, parameters)
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        prepared.many(None, parameters)
        best = min(best, time.perf_counter() - begin)
    return n / best
