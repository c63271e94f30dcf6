"""The primal-dual interior-point method: barrier loop, regularization, restoration, answers. Engine subset.

A. Waechter, L. T. Biegler, "On the implementation of an interior-point filter line-search algorithm for large-scale
nonlinear programming", Mathematical Programming 106 (2006) 25-57, doi:10.1007/s10107-004-0559-y; the linear algebra and the
restoration are our own (see docs/optimal_control_theory.md).
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_answers import keep_answer
from twin.engine.ocp_attempts import INFEASIBLE, begin, try_again
from twin.engine.ocp_errors import error_at, errors_now, measure, new_filter, set_costs
from twin.engine.ocp_filter import (
    full_step,
    line_search,
    make_trial,
    residuals_now,
    take_trial,
)
from twin.engine.ocp_records import *
from twin.engine.ocp_restoration import FAILED, GOES_ON, restore, set_elastic_targets, try_to_return
from twin.engine.ocp_riccati import FACTORED, SINGULAR, factorize, multipliers
from twin.engine.ocp_rows import condense_rows, longest_dual_step, longest_step, move_multipliers, violation
from twin.engine.ocp_values import differentiate, evaluate, lagrangian

# Positions in twin.engine.optimal.STATUSES.
SOLVED, HALTED, LIMIT_REACHED, TIME_OVER = 0, 1, 2, 3
WARM_MOST = 15
KAPPA_EPSILON, KAPPA_MU, THETA_MU = 10.0, 0.2, 1.5
FEASIBLE = 1e-6
LARGEST_DELTA = 1e20


def factor_regular(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """Factors with the smallest regularization that gives the right inertia; SINGULAR where none does."""
    w.number[DELTA] = 0.0
    found = factorize(m, d, w, 1)
    out.stat[FACTORS] += 1
    if found == FACTORED:
        return FACTORED
    last = w.number[DELTA_LAST]
    delta = 1e-4
    if last > 0.0:
        delta = max(1e-20, last / 3.0)
    while found != FACTORED:
        if found == SINGULAR or delta > LARGEST_DELTA:
            return SINGULAR
        w.number[DELTA] = delta
        found = factorize(m, d, w, 0)
        out.stat[FACTORS] += 1
        if found == FACTORED:
            w.number[DELTA_LAST] = delta
        elif last > 0.0:
            delta *= 8.0
        else:
            delta *= 100.0
    return FACTORED


def lower_barrier(m: Ocp, d: Data, w: Work) -> int:
    """Lower the barrier parameter as far as the error at the iterate allows."""
    least = 0.1 * d.setting[TOLERANCE]
    lowered = 0
    while w.number[N_MU] > least:
        mu = w.number[N_MU]
        if error_at(w, mu) > KAPPA_EPSILON * mu and w.state[TINY_STEPS] < 2:
            break
        w.number[N_MU] = max(least, min(KAPPA_MU * mu, mu ** THETA_MU))
        w.state[TINY_STEPS] = 0
        lowered = 1
    if lowered == 1:
        if w.state[ELASTIC] == 1:
            w.number[PROX] = 1e-2 * w.number[N_MU] ** 0.5
        measure(m, w)
        new_filter(w)
    return lowered


def move(m: Ocp, w: Work, alpha: float, tau: float) -> int:
    """After the line search: multipliers follow the primal step."""
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.lam[b][i] += alpha * (w.lam_new[b][i] - w.lam[b][i])
    for n in range(1, m.counts[NODES]):
        for i in range(m.size[N_K]):
            w.kap[n][i] += alpha * (w.kap_new[n][i] - w.kap[n][i])
    if w.state[ELASTIC] == 1:
        set_elastic_targets(w)
    else:
        for k in range(w.state[ACTIVE]):
            r = w.active[k]
            if w.sort[r] == EQUALITY:
                w.y[r] += alpha * (w.y_new[r] - w.y[r])
    move_multipliers(w, longest_dual_step(w, tau))
    return 0


def relative_step(m: Ocp, w: Work) -> float:
    """Largest step of a variable against its size."""
    most = 0.0
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_X]):
            most = max(most, abs(w.dy[n][i]) / (1.0 + abs(w.x[n][i])))
        for i in range(m.size[N_U]):
            most = max(most, abs(w.dy[n][m.size[N_X] + i]) / (1.0 + abs(w.u[n][i])))
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            most = max(most, abs(w.ds[r]) / (1.0 + abs(w.s[r])))
    return most


def advance(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """One iteration: step, line search, multipliers; or restoration."""
    condense_rows(w, w.val)
    if factor_regular(m, d, w, out) != FACTORED:
        return restore(m, d, w, out)
    residuals_now(m, w)
    full_step(m, d, w)
    mu = w.number[N_MU]
    tau = max(0.99, 1.0 - mu)
    if relative_step(m, w) < 1e-14:
        w.state[TINY_STEPS] += 1
        alpha = longest_step(w, tau)
        make_trial(m, w, alpha)
        w.number[COST] = evaluate(m, d, w, w.tx, w.tu, w.txp, w.tzp, w.tres, w.tgap, w.tval)
        take_trial(m, w)
    else:
        w.state[TINY_STEPS] = 0
        alpha = line_search(m, d, w, tau)
        w.number[ALPHA] = alpha
        w.state[SHORT] = w.state[SHORT] + 1 if alpha < 0.1 else 0
        if alpha == 0.0:
            if w.number[PRIMAL_ERROR] <= d.setting[TOLERANCE] and w.state[ELASTIC] == 0:
                return FAILED
            return restore(m, d, w, out)
        w.number[COST] = w.number[T_COST]
    multipliers(m, d, w)
    move(m, w, alpha, tau)
    measure(m, w)
    return GOES_ON


def remember(m: Ocp, w: Work, k: int, error: float) -> int:
    """A line of the trace, while it has room."""
    if k < TRACED:
        line = w.trace[k]
        line[0] = w.number[N_MU]
        line[1] = w.number[COST]
        line[2] = w.number[THETA]
        line[3] = error
        line[4] = w.number[DELTA]
        line[5] = w.number[ALPHA]
        line[6] = w.number[DUAL_ERROR]
        line[7] = float(w.state[ELASTIC])
    return 0


def ended(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """Does the iteration end at the present iterate? Its code, or GOES_ON."""
    differentiate(m, d, w)
    lagrangian(m, d, w)
    errors_now(m, w)
    error = error_at(w, 0.0)
    out.info[ERROR] = error
    remember(m, w, out.stat[ITERATIONS], error)
    if w.state[ELASTIC] == 0:
        if error <= d.setting[TOLERANCE]:
            return SOLVED
        best = w.state[HAS_BEST] == 0 or w.number[COST] < w.number[BEST_COST]
        if best and w.number[PRIMAL_ERROR] <= FEASIBLE and violation(w, w.val) <= FEASIBLE:
            w.state[HAS_BEST] = 1
            w.number[BEST_COST] = w.number[COST]
            keep_answer(m, w, out)
    elif error <= d.setting[TOLERANCE]:
        return INFEASIBLE
    if w.state[TINY_STEPS] > 3 and w.number[N_MU] <= 0.1 * d.setting[TOLERANCE]:
        return FAILED
    if w.stop[0] == 1:
        return HALTED
    if w.stop[0] == 2:
        return TIME_OVER
    if out.stat[ITERATIONS] >= d.option[MAX_ITERATIONS]:
        return LIMIT_REACHED
    if d.option[START] == FROM_ANSWER and w.state[ATTEMPT] < 2 and w.state[ATTEMPT] < d.option[ATTEMPTS]:
        tried = out.stat[ITERATIONS] - w.state[BEGAN]
        if w.state[SHORT] >= 3 or tried >= (WARM_MOST if w.state[ATTEMPT] == 0 else 2 * WARM_MOST):
            return FAILED  # for this attempt: the old answer is no help as it is
    return GOES_ON


def solve_ocp(m: Ocp, d: Data, w: Work, warm: Answer, out: Answer) -> int:
    """Solve the problem; the answer stands in `out`, the code says how it ended."""
    code = begin(m, d, w, warm, out)
    if code == INFEASIBLE:
        return code
    while True:
        if code == GOES_ON:
            code = ended(m, d, w, out)
        if code >= INFEASIBLE:  # or failed, or not finite
            code = try_again(m, d, w, warm, out, code)
            out.stat[ITERATIONS] += 1
        elif code == GOES_ON and w.state[ELASTIC] == 1 and try_to_return(m, d, w, out.info[FACTOR]) == 1:
            out.stat[ITERATIONS] += 1
        elif code == GOES_ON:
            lower_barrier(m, d, w)
            code = advance(m, d, w, out)
            out.stat[ITERATIONS] += 1
            continue
        if code != GOES_ON:
            break
    out.info[MU] = w.number[N_MU]
    kept = w.state[HAS_BEST]
    if w.state[STATIONARY] == 1 and not (max(w.number[PRIMAL_ERROR], violation(w, w.val)) < w.number[LEAST_VIOLATION]):
        kept = 1
    if code >= INFEASIBLE and w.state[STATIONARY] == 1 and w.state[HAS_BEST] == 0:
        code = INFEASIBLE  # as one of the attempts found; its point was kept
    elif code == SOLVED or kept == 0 or d.option[KEEP_LAST] == 1:
        keep_answer(m, w, out)
    finish_answer(m, d, w, out)
    return code


def finish_answer(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """Cost, worst violation and multipliers of fixed variables of the answer."""
    factor = out.info[FACTOR]
    set_costs(m, d, w, factor)
    cost = evaluate(m, d, w, out.x, out.u, out.xp, out.zp, w.tres, w.tgap, w.tval)
    out.info[OBJECTIVE] = cost / factor
    worst = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        miss = max(w.low[r] - w.tval[r], w.tval[r] - w.high[r])
        if miss > worst or not (miss < 1e300):
            worst = miss
            out.stat[WORST_ROW] = r
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            miss = abs(w.tres[b][i])
            if miss > worst or not (miss < 1e300):
                worst = miss
                out.stat[WORST_ROW] = -1
    out.info[VIOLATION] = worst
    return 0
