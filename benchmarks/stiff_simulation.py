"""Stiff simulation against CVODES (through CasADi) and scipy, at matched accuracy.

Rule for every tool: the loosest tolerance of the grid 10^(-k/4) whose relative error stays at or below 1e-6 at all output
times and all parameter sets; then the time of one trajectory with these output times. CVODES takes one absolute tolerance,
so it is tried on the states as they are and on scaled states, and the faster of the two counts. CasADi evaluates the
equations in its virtual machine, as it does without further options; Jacobians are exact in both tools.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import twin
from benchmarks import harness
from benchmarks.problems import tubular
from benchmarks.problems.stiff import MODELS, PEN6, ROBER, Problem
from processes.chemical import TubularReactor

LIMIT = 1e-6
SETS, QUICK_SETS = 20, 4


def run(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All keys of the benchmark."""
    casadi = harness.peer("casadi")
    result: dict[str, Any] = {}
    for problem in (PEN6, ROBER):
        result[problem.name] = small(problem, casadi, quick, log)
    result["chain100"] = chain(casadi, quick, log)
    flat = {f"{name}.{key}": value for name, part in result.items() for key, value in part.items()}
    return {"benchmark": "stiff_simulation", "quick": quick, **flat}


def grid(first: int, last: int) -> list[float]:
    """Tolerances 10^(-k/4), loosest first."""
    return [10 ** (-k / 4) for k in range(first, last + 1)]


def loosest(tolerances: list[float], solve: Callable[[float], Any], measure: Callable[[Any], float]) -> tuple[float, float]:
    """Loosest tolerance whose error is within the limit, and that error; an error if none is."""
    for rtol in tolerances:
        try:
            error = measure(solve(rtol))
        except (RuntimeError, twin.TwinError):
            continue
        if error <= LIMIT:
            return rtol, error
    raise RuntimeError("No tolerance of the grid reaches the accuracy.")


def reference(problem: Problem, times: Any, sets: Any) -> Any:
    """scipy's Radau at 1e-11, shape (sets, times, states)."""
    from scipy.integrate import solve_ivp

    found = []
    for p in sets:
        with np.errstate(all="ignore"):
            solution = solve_ivp(lambda t, x, p=p: problem.rhs(x, p), (0, problem.end), problem.start, method="Radau",
                                 t_eval=times, rtol=1e-11, atol=1e-14)
        found.append(solution.y.T)
    return np.array(found)


def cvodes(casadi: Any, problem: Problem, times: Any, rtol: float, scaled: bool) -> Any:
    """CasADi integrator with its output scaling."""
    n = len(problem.start)
    size = np.array(problem.scale) if scaled else np.ones(n)
    x, p = casadi.SX.sym("x", n), casadi.SX.sym("p", len(problem.parameters))
    ode = casadi.vertcat(*problem.rhs([x[i] * float(size[i]) for i in range(n)], [p[i] for i in range(len(problem.parameters))]))
    absolute = rtol * 1e-3 * (1.0 if scaled else float(min(problem.scale)))
    options = {"reltol": rtol, "abstol": absolute, "max_num_steps": 1_000_000}
    function = casadi.integrator("I", "cvodes", {"x": x, "p": p, "ode": ode / size}, 0, [float(t) for t in times], options)
    return function, size, np.array(problem.start) / size


def ours(problem: Problem, times: Any, rtol: float) -> Any:
    """Our prepared simulator in compiled C (numba where there is no compiler)."""
    model = MODELS[problem.name]()
    absolute = dict(zip((s.name for s in model.of_role("state")), rtol * 1e-3 * np.array(problem.scale), strict=True))
    return twin.simulator(model, times=[float(t) for t in times], rtol=rtol, atol=absolute, execution=compiled())


def compiled() -> str:
    """The fastest execution of this machine."""
    import shutil

    return "c" if shutil.which("cc") else "numba"


def states(trajectory: Any) -> Any:
    """Rows of states, shape (times, states)."""
    return np.asarray(trajectory.raw["state"])


def small(problem: Problem, casadi: Any, quick: bool, log: harness.Log) -> dict[str, Any]:
    """One of the small problems."""
    log(f"{problem.name}: reference")
    sets, start = problem.sets(QUICK_SETS if quick else SETS), list(problem.start)
    exact = reference(problem, problem.times, sets)

    def peer_error(rtol: float, scaled: bool) -> float:
        function, size, x0 = cvodes(casadi, problem, problem.times, rtol, scaled)
        return max(problem.error(np.array(function(x0=x0, p=p)["xf"]).T * size, r) for p, r in zip(sets, exact, strict=True))

    def our_error(rtol: float) -> float:
        simulate = ours(problem, problem.times, rtol)
        return max(problem.error(states(simulate(start, list(p))), r) for p, r in zip(sets, exact, strict=True))

    log(f"{problem.name}: tolerances")
    our_rtol, our_worst = loosest(grid(16, 40), our_error, float)
    peer = {scaled: loosest(grid(20, 44), lambda r, s=scaled: peer_error(r, s), float) for scaled in (False, True)}
    out: dict[str, Any] = {"rtol": our_rtol, "error": our_worst, "cvodes_rtol": peer[False][0], "cvodes_error": peer[False][1],
                           "cvodes_scaled_rtol": peer[True][0], "cvodes_scaled_error": peer[True][1]}
    if quick:
        return out
    log(f"{problem.name}: times")
    many = [list(p) for p in sets]
    simulate = ours(problem, problem.times, our_rtol)
    mine = timed(lambda: [simulate(start, p) for p in many]) / SETS
    theirs = {}
    for scaled in (False, True):
        function, _, x0 = cvodes(casadi, problem, problem.times, peer[scaled][0], scaled)
        theirs[scaled] = timed(lambda f=function, x0=x0: [f(x0=x0, p=p) for p in sets]) / SETS
    best = min(theirs, key=theirs.__getitem__)
    out |= {"ms": mine * 1e3, "cvodes_ms": theirs[best] * 1e3, "cvodes_scaled_states": best,
            "ratio_vs_cvodes": theirs[best] / mine}

    dense_times = np.linspace(problem.end / 400, problem.end, 400)
    dense = ours(problem, dense_times, our_rtol)
    function, _, x0 = cvodes(casadi, problem, dense_times, peer[best][0], best)
    dense_mine = timed(lambda: [dense(start, p) for p in many]) / SETS
    dense_theirs = timed(lambda: [function(x0=x0, p=p) for p in sets]) / SETS
    out |= {"dense_ms": dense_mine * 1e3, "cvodes_dense_ms": dense_theirs * 1e3, "dense_ratio": dense_theirs / dense_mine}

    family = problem.sets(1000)
    mapped, _, x0 = cvodes(casadi, problem, problem.times, peer[best][0], best)
    parallel = mapped.map(1000, "thread", 2)
    wall_theirs = harness.cpu(lambda: parallel(x0=x0, p=family.T), 3, clock=time.perf_counter)
    wall_mine = harness.cpu(lambda: simulate.many(parameters=family, threads=2), 3, clock=time.perf_counter)
    out |= {"ensemble_s": wall_mine, "cvodes_ensemble_s": wall_theirs, "ensemble_ratio": wall_theirs / wall_mine}
    return out


def timed(call: Callable[[], object]) -> float:
    """Minimum CPU time of a call, rounds long enough for the clock."""
    return harness.cpu(call, 7, harness.number_for(call))


def chain(casadi: Any, quick: bool, log: harness.Log) -> dict[str, Any]:
    """The tubular reactor with 100 cells."""
    from scipy.integrate import solve_ivp

    start, times = tubular.start(), [float(t) for t in tubular.TIMES]
    model = TubularReactor()
    nominal = dict.fromkeys(model.cell_names(), 1.0) | {"temperature": 600.0}

    def mine(rtol: float) -> Any:
        absolute = {name: rtol * 1e-3 * size for name, size in nominal.items()}
        return twin.simulator(model, times=times, rtol=rtol, atol=absolute, execution=compiled())

    log("chain100: reference, two methods")
    exact = states(mine(1e-11)())
    other = solve_ivp(tubular.rhs, (0, times[-1]), start, method="LSODA", t_eval=times, rtol=1e-11, atol=1e-12 * tubular.SCALE,
                      lband=tubular.BAND, uband=tubular.BAND).y.T
    agreement = tubular.error(exact, other)
    if agreement > 1e-7:
        raise RuntimeError(f"The references disagree by {agreement:.2g}. Expected 1e-7 at most.")

    x, ode = tubular.casadi_ode(casadi)

    def cvodes_at(rtol: float, scaled: bool) -> tuple[Any, Any]:
        size = tubular.SCALE if scaled else np.ones_like(tubular.SCALE)
        scaled_ode = casadi.substitute(ode, x, x * size) / size
        options = {"reltol": rtol, "abstol": rtol * 1e-3, "max_num_steps": 1_000_000}
        return casadi.integrator("I", "cvodes", {"x": x, "ode": scaled_ode}, 0, times, options), size

    def cvodes_error(rtol: float, scaled: bool) -> float:
        function, size = cvodes_at(rtol, scaled)
        return tubular.error(np.array(function(x0=start / size)["xf"]).T * size, exact)

    def scipy_run(method: str, rtol: float) -> Any:
        band = {"lband": tubular.BAND, "uband": tubular.BAND} if method == "LSODA" else {"jac_sparsity": pattern()}
        return solve_ivp(tubular.rhs, (0, times[-1]), start, method=method, t_eval=times, rtol=rtol,
                         atol=rtol * 1e-3 * tubular.SCALE, **band).y.T

    log("chain100: tolerances")
    our_rtol, our_worst = loosest(grid(16, 40), lambda r: tubular.error(states(mine(r)()), exact), float)
    peer = {s: loosest(grid(24, 44), lambda r, s=s: cvodes_error(r, s), float) for s in (False, True)}
    out: dict[str, Any] = {"reference_agreement": agreement, "rtol": our_rtol, "error": our_worst,
                           "cvodes_rtol": peer[False][0], "cvodes_error": peer[False][1],
                           "cvodes_scaled_rtol": peer[True][0], "cvodes_scaled_error": peer[True][1]}
    if quick:
        return out
    log("chain100: times")
    simulate = mine(our_rtol)
    seconds = harness.cpu(simulate, 7)
    theirs = {}
    for scaled in (False, True):
        function, size = cvodes_at(peer[scaled][0], scaled)
        theirs[scaled] = harness.cpu(lambda f=function, s=size: f(x0=start / s), 5)
    out |= {"ms": seconds * 1e3, "cvodes_ms": min(theirs.values()) * 1e3, "ratio_vs_cvodes": min(theirs.values()) / seconds}
    for method in ("LSODA", "BDF"):
        rtol, worst = loosest(grid(24, 44), lambda r, m=method: tubular.error(scipy_run(m, r), exact), float)
        took = harness.cpu(lambda m=method, r=rtol: scipy_run(m, r), 2)
        out |= {f"scipy_{method.lower()}_rtol": rtol, f"scipy_{method.lower()}_error": worst,
                f"ratio_vs_scipy_{method.lower()}": took / seconds}
    return out


def pattern() -> Any:
    """Sparsity of the Jacobian for scipy's BDF, which takes no band."""
    from scipy.sparse import diags

    n = tubular.CELLS * tubular.FIELDS
    return diags([1.0] * (2 * tubular.BAND + 1), range(-tubular.BAND, tubular.BAND + 1), shape=(n, n))
