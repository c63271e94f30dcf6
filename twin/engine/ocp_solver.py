"""The primal-dual interior-point method: barrier loop, regularization, restoration, answers. Engine subset.

A. Waechter, L. T. Biegler, "On the implementation of an interior-point filter line-search algorithm for large-scale
nonlinear programming", Mathematical Programming 106 (2006) 25-57, doi:10.1007/s10107-004-0559-y; the linear algebra and the
restoration are our own (see docs/optimal_control_theory.md).
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_answers import keep_answer, take_answer
from twin.engine.ocp_filter import (
    add_to_filter,
    dynamics_missed,
    filtered,
    full_step,
    infeasibility,
    line_search,
    make_trial,
    merit,
    residuals_now,
    take_trial,
)
from twin.engine.ocp_records import *
from twin.engine.ocp_riccati import FACTORED, SINGULAR, factorize, multipliers
from twin.engine.ocp_rows import FAR, condense_rows, longest_dual_step, longest_step, move_multipliers, violation
from twin.engine.ocp_start import (
    clear_multipliers,
    first_multipliers,
    first_slacks,
    rollout,
    set_rows,
    take_guess,
)
from twin.engine.ocp_values import differentiate, evaluate, lagrangian, multiplier_of

# Positions in twin.engine.optimal.STATUSES.
SOLVED, HALTED, LIMIT_REACHED, TIME_OVER, INFEASIBLE, FAILED, NOT_FINITE = 0, 1, 2, 3, 4, 5, 6
GOES_ON = -1
PUSH_FIRST, PUSH_BACK = 1e-2, 1e-2
KAPPA_EPSILON, KAPPA_MU, THETA_MU = 10.0, 0.2, 1.5
FEASIBLE = 1e-6
MOST_RESTORATIONS = 60
LARGEST_DELTA = 1e20


def set_costs(m: Ocp, d: Data, w: Work, factor: float) -> int:
    """Weights of the costs of nodes and points."""
    for n in range(m.counts[NODES]):
        w.cost_node[n] = factor * d.weight_node[n]
    for e in range(m.counts[EDGES]):
        h = d.length[e] / m.size[ELEMENTS]
        for j in range(m.size[POINTS]):
            w.cost_point[e * m.size[POINTS] + j] = factor * d.weight_edge[e] * h * m.quad[j % m.size[DEGREE]]
    return 0


def largest_slope(m: Ocp, w: Work) -> float:
    """Largest derivative of the cost by one variable, node by node and point by point."""
    most = 0.0
    for n in range(m.counts[NODES]):
        jac = m.stage_jac
        nonzeros = m.size[JAC_S]
        values = 1 + m.size[D_STAGE]
        if m.kind[n] == TERMINAL_KIND:
            jac = m.terminal_jac
            nonzeros = m.size[JAC_T]
            values = 1 + m.size[D_TERMINAL]
        elif m.kind[n] == INITIAL_KIND:
            jac = m.initial_jac
            nonzeros = m.size[JAC_I]
            values = 1 + m.size[D_INITIAL]
        for k in range(nonzeros):
            if jac[0][k] == 0:
                most = max(most, abs(w.cost_node[n] * w.node_out[n][values + k]))
    for p in range(m.counts[EDGES] * m.size[POINTS]):
        for k in range(m.size[COST_AT], m.size[JAC_P]):
            most = max(most, abs(w.cost_point[p] * w.point_out[p][m.size[N_F] + k]))
    return most


def errors_now(m: Ocp, w: Work) -> int:
    """Scaled dual error and primal error of the iterate; needs `lagrangian`."""
    dual = 0.0
    total = 0.0
    for n in range(m.counts[NODES]):
        rows = n * m.size[N_ROW]
        for i in range(m.size[N_Y]):
            if w.sort[rows + i] != FIXED and (i < m.size[N_X] or m.has_u[n] == 1):
                value = w.dn[n][i]
                if w.state[ELASTIC] == 1 and i >= m.size[N_X]:
                    value += w.number[PROX] * (w.u[n][i - m.size[N_X]] - w.reference[n][i - m.size[N_X]])
                dual = max(dual, abs(value))
                total += abs(value)
    for p in range(m.counts[EDGES] * m.size[POINTS]):
        for i in range(m.size[N_V]):
            dual = max(dual, abs(w.dp[p][i]))
            total += abs(w.dp[p][i])
    primal = 0.0
    size = 0.0
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            primal = max(primal, abs(w.res[b][i]))
            size += abs(w.lam[b][i])
    for n in range(1, m.counts[NODES]):
        for i in range(m.size[N_K]):
            primal = max(primal, abs(w.gap[n][i]))
            size += abs(w.kap[n][i])
    bounds = 0.0
    count = 0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            if w.state[ELASTIC] == 1:
                dual = max(dual, abs(w.number[OMEGA] * (w.val[r] - w.s[r]) - multiplier_of(w, r)))
            else:
                primal = max(primal, abs(w.val[r] - w.s[r]))
            if w.low[r] > -FAR:
                bounds += w.zl[r]
                count += 1
            if w.high[r] < FAR:
                bounds += w.zu[r]
                count += 1
        elif w.state[ELASTIC] == 0:
            primal = max(primal, abs(w.val[r] - w.low[r]))
            size += abs(w.y[r])
    equations = m.counts[EDGES] * m.size[ELEMENTS] * m.size[BLOCK] + m.counts[NODES] * m.size[N_K] + count + 1
    w.number[DUAL_ERROR] = dual / (max(100.0, (size + bounds) / equations) / 100.0)
    w.number[PRIMAL_ERROR] = primal
    w.number[GAP_SCALE] = max(100.0, bounds / (count + 1)) / 100.0
    if not (total < 1e300):
        w.number[DUAL_ERROR] = 1e300
    return 0


def error_at(w: Work, mu: float) -> float:
    """Scaled error of the optimality conditions for a barrier parameter; needs `errors_now`."""
    worst = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            if w.low[r] > -FAR:
                worst = max(worst, abs((w.s[r] - w.low[r]) * w.zl[r] - mu))
            if w.high[r] < FAR:
                worst = max(worst, abs((w.high[r] - w.s[r]) * w.zu[r] - mu))
    return max(max(w.number[DUAL_ERROR], w.number[PRIMAL_ERROR]), worst / w.number[GAP_SCALE])


def measure(m: Ocp, w: Work) -> int:
    """Theta and phi of the iterate from the values at hand."""
    w.number[THETA] = infeasibility(m, w, w.res, w.gap, w.val, w.s)
    w.number[PHI] = merit(m, w, w.number[COST], w.u, w.val, w.s)
    return 0


def new_filter(w: Work) -> int:
    """An empty filter, with the bounds on theta of the present point."""
    w.state[FILTERED] = 0
    w.number[THETA_MOST] = 1e4 * max(1.0, w.number[THETA])
    w.number[THETA_SMALL] = 1e-4 * max(1.0, w.number[THETA])
    return 0


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


def reset_bounds(w: Work) -> int:
    """Multipliers of the limits from the slacks: mu / distance."""
    mu = w.number[N_MU]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            if w.low[r] > -FAR:
                w.zl[r] = min(mu / (w.s[r] - w.low[r]), 1e3)
            if w.high[r] < FAR:
                w.zu[r] = min(mu / (w.high[r] - w.s[r]), 1e3)
    return 0


def go_on_from(m: Ocp, d: Data, w: Work) -> int:
    """Go on with the problem itself from a restored point, whose cost and residuals are at hand."""
    reset_bounds(w)
    clear_multipliers(m, w)
    differentiate(m, d, w)
    first_multipliers(m, d, w)
    measure(m, w)
    w.state[TINY_STEPS] = 0
    return 0


def restore(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """The line search failed: simulate with the inputs at hand, and if that is not enough, minimize the violation."""
    out.stat[RESTORATIONS] += 1
    if out.stat[RESTORATIONS] > MOST_RESTORATIONS:
        return FAILED
    theta = w.number[THETA]
    if w.state[ELASTIC] == 0:
        add_to_filter(w, theta, w.number[PHI])
        w.number[THETA_REFERENCE] = theta
    # The trial keeps the iterate while the rollout is tried.
    for k in range(w.state[ACTIVE]):
        w.ds[w.active[k]] = 0.0
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_Y]):
            w.dy[n][i] = 0.0
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.dv[b][i] = 0.0
    make_trial(m, w, 0.0)
    before = dynamics_missed(m, w.res, w.gap)
    rollout(m, d, w)
    cost = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
    after = dynamics_missed(m, w.res, w.gap)
    if not (abs(cost) < 1e300 and after < 0.9 * before and violation(w, w.val) < 1e300):
        for k in range(w.state[ACTIVE]):
            w.ts[w.active[k]] = w.s[w.active[k]]
        cost = evaluate(m, d, w, w.tx, w.tu, w.txp, w.tzp, w.tres, w.tgap, w.tval)
        take_trial(m, w)
        if w.state[ELASTIC] == 1:
            return FAILED  # the dynamics cannot be met, neither by Newton steps nor by simulation
    w.number[COST] = cost
    first_slacks(w, PUSH_BACK)
    if w.state[ELASTIC] == 0:
        measure(m, w)
        if w.number[THETA] <= 0.9 * theta and filtered(w, w.number[THETA], w.number[PHI]) == 0:
            go_on_from(m, d, w)
            return GOES_ON
        w.state[FILTERED_MAIN] = w.state[FILTERED]
        w.number[MU_MAIN] = w.number[N_MU]
        w.number[MOST_MAIN] = w.number[THETA_MOST]
        w.number[SMALL_MAIN] = w.number[THETA_SMALL]
        w.state[ELASTIC] = 1
        w.number[OMEGA] = 1e3
        w.number[N_MU] = max(w.number[N_MU], min(0.1, violation(w, w.val)))
        w.number[PROX] = 1e-2 * w.number[N_MU] ** 0.5
        for n in range(m.counts[NODES]):
            for i in range(m.size[N_U]):
                w.reference[n][i] = w.u[n][i]
        set_costs(m, d, w, 0.0)
    w.number[COST] = 0.0
    clear_multipliers(m, w)
    reset_bounds(w)
    set_elastic_targets(w)
    measure(m, w)
    new_filter(w)
    w.number[DELTA_LAST] = 0.0
    return GOES_ON


def set_elastic_targets(w: Work) -> int:
    """In elastic mode the multiplier of an equality is its miss times OMEGA."""
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == EQUALITY:
            w.y[r] = w.number[OMEGA] * (w.val[r] - w.low[r])
    return 0


def try_to_return(m: Ocp, d: Data, w: Work, factor: float) -> int:
    """Leave the elastic mode where the filter of the problem itself takes the point; 1 where it does."""
    w.state[ELASTIC] = 0
    theta = infeasibility(m, w, w.res, w.gap, w.val, w.s)
    if theta <= 0.9 * w.number[THETA_REFERENCE]:
        set_costs(m, d, w, factor)
        cost = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
        mu = w.number[N_MU]
        count = w.state[FILTERED]
        w.number[N_MU] = w.number[MU_MAIN]
        w.state[FILTERED] = w.state[FILTERED_MAIN]
        phi = merit(m, w, cost, w.u, w.val, w.s)
        if abs(phi) < 1e300 and filtered(w, theta, phi) == 0:
            w.number[COST] = cost
            w.number[THETA_MOST] = w.number[MOST_MAIN]
            w.number[THETA_SMALL] = w.number[SMALL_MAIN]
            w.number[OMEGA] = 0.0
            w.number[PROX] = 0.0
            w.number[DELTA_LAST] = 0.0
            go_on_from(m, d, w)
            return 1
        w.number[N_MU] = mu
        w.state[FILTERED] = count
        set_costs(m, d, w, 0.0)
    w.state[ELASTIC] = 1
    return 0


def begin(m: Ocp, d: Data, w: Work, warm: Answer, out: Answer) -> int:
    """The first iterate with its multipliers, filter and scale of the cost."""
    for i in range(STATE_LENGTH):
        w.state[i] = 0
    for i in range(NUMBER_LENGTH):
        w.number[i] = 0.0
    for i in range(STAT_LENGTH):
        out.stat[i] = 0
    for i in range(INFO_LENGTH):
        out.info[i] = 0.0
    out.info[FACTOR] = 1.0
    if set_rows(m, d, w) != 0:
        out.stat[WORST_ROW] = w.state[HELD_BACK]
        out.info[VIOLATION] = w.low[w.state[HELD_BACK]] - w.high[w.state[HELD_BACK]]
        return INFEASIBLE
    clear_multipliers(m, w)
    set_costs(m, d, w, 1.0)
    w.number[N_MU] = d.setting[MU_START]
    if d.option[START] == FROM_ANSWER:
        take_answer(m, d, w, warm)
        set_costs(m, d, w, warm.info[FACTOR])
        out.info[FACTOR] = warm.info[FACTOR]
    else:
        take_guess(m, d, w)
        if d.option[START] == FROM_ROLLOUT:
            rollout(m, d, w)
    w.number[COST] = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
    if not (dynamics_missed(m, w.res, w.gap) < 1e300 and abs(w.number[COST]) < 1e300 and violation(w, w.val) < 1e300):
        return NOT_FINITE
    if d.option[START] != FROM_ANSWER:
        first_slacks(w, PUSH_FIRST)
        differentiate(m, d, w)
        most = largest_slope(m, w)
        if most > 100.0:
            out.info[FACTOR] = max(1e-8, 100.0 / most)
            set_costs(m, d, w, out.info[FACTOR])
            w.number[COST] *= out.info[FACTOR]
        first_multipliers(m, d, w)
    measure(m, w)
    new_filter(w)
    return GOES_ON


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
    if w.stop[0] == 1:
        return HALTED
    if w.stop[0] == 2:
        return TIME_OVER
    if out.stat[ITERATIONS] >= d.option[MAX_ITERATIONS]:
        return LIMIT_REACHED
    return GOES_ON


def solve_ocp(m: Ocp, d: Data, w: Work, warm: Answer, out: Answer) -> int:
    """Solve the problem; the answer stands in `out`, the code says how it ended."""
    code = begin(m, d, w, warm, out)
    if code == INFEASIBLE:
        return code
    while code == GOES_ON:
        code = ended(m, d, w, out)
        if code != GOES_ON:
            break
        if w.state[ELASTIC] == 1 and try_to_return(m, d, w, out.info[FACTOR]) == 1:
            out.stat[ITERATIONS] += 1
            continue
        lower_barrier(m, d, w)
        code = advance(m, d, w, out)
        out.stat[ITERATIONS] += 1
    out.info[MU] = w.number[N_MU]
    if w.state[HAS_BEST] == 0 or d.option[KEEP_LAST] == 1 or code <= SOLVED or code == INFEASIBLE:
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
