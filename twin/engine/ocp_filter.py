"""Filter line search with second-order correction (A. Waechter, L. T. Biegler, Math. Program. 106, 2006). Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_records import *
from twin.engine.ocp_riccati import newton_step
from twin.engine.ocp_rows import DAMPING, FAR, barrier, condense_rows, elastic_cost, longest_step, missed, row_steps
from twin.engine.ocp_values import evaluate

ACCEPTED, REFUSED = 0, 1
GAMMA_THETA, GAMMA_PHI, ARMIJO, KEEP_THETA = 1e-5, 1e-8, 1e-8, 0.99
ROUNDING = 2.2e-15
MOST_CORRECTIONS = 4
LONGEST_FILTER = 200
PATIENCE, MOST_RESETS = 5, 5  # iterations in a row shortened by old entries, after which the filter is emptied; how often


def dynamics_missed(m: Ocp, res: Matrix, gap: Matrix) -> float:
    """Sum of the residuals of the dynamics."""
    total = 0.0
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        r = res[b]
        for i in range(m.size[BLOCK]):
            total += abs(r[i])
    for n in range(1, m.counts[NODES]):
        for i in range(m.size[N_K]):
            total += abs(gap[n][i])
    return total


def infeasibility(m: Ocp, w: Work, res: Matrix, gap: Matrix, val: Vector, s: Vector) -> float:
    """The measure theta: 1-norm of all residuals; in elastic mode of the dynamics only."""
    total = dynamics_missed(m, res, gap)
    if w.state[ELASTIC] == 0:
        total += missed(w, val, s)
    return total


def merit(m: Ocp, w: Work, cost: float, u: Matrix, val: Vector, s: Vector) -> float:
    """The barrier function phi."""
    total = cost + barrier(w, s)
    if w.state[ELASTIC] == 1:
        total += elastic_cost(w, val, s)
        away = 0.0
        for n in range(m.counts[NODES]):
            if m.has_u[n] == 1:
                for i in range(m.size[N_U]):
                    away += (u[n][i] - w.reference[n][i]) * (u[n][i] - w.reference[n][i])
        total += 0.5 * w.number[PROX] * away
    return total


def cost_slope(m: Ocp, w: Work) -> float:
    """Derivative of the barrier function along the step."""
    m.size[N_C]
    n_x = m.size[N_X]
    m.size[N_Z]
    n_v = m.size[N_V]
    total = 0.0
    for n in range(m.counts[NODES]):
        kind = m.kind[n]
        jac = m.stage_jac
        nonzeros = m.size[JAC_S]
        values = 1 + m.size[D_STAGE]
        if kind == TERMINAL_KIND:
            jac = m.terminal_jac
            nonzeros = m.size[JAC_T]
            values = 1 + m.size[D_TERMINAL]
        elif kind == INITIAL_KIND:
            jac = m.initial_jac
            nonzeros = m.size[JAC_I]
            values = 1 + m.size[D_INITIAL]
        for k in range(nonzeros):
            if jac[0][k] > 0:
                break
            total += w.cost_node[n] * w.node_out[n][values + k] * w.dy[n][jac[1][k]]
        if w.state[ELASTIC] == 1 and m.has_u[n] == 1:
            for i in range(m.size[N_U]):
                total += w.number[PROX] * (w.u[n][i] - w.reference[n][i]) * w.dy[n][n_x + i]
    for e in range(m.counts[EDGES]):
        dy = w.dy[m.parent[e + 1]]
        for j in range(m.size[POINTS]):
            point = e * m.size[POINTS] + j
            dv = w.dv[point // m.size[DEGREE]]
            at = (point % m.size[DEGREE]) * n_v
            slopes = w.point_out[point]
            for k in range(m.size[COST_AT], m.size[JAC_P]):
                place = m.point_jac[1][k]
                change = dv[at + place] if place < n_v else dy[m.column[place - n_v]]
                total += w.cost_point[point] * slopes[m.size[N_F] + k] * change
    mu = w.number[N_MU]
    omega = w.number[OMEGA]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            pull = 0.0
            lower = w.low[r] > -FAR
            if lower:
                pull = -mu / (w.s[r] - w.low[r])
            if w.high[r] < FAR:
                pull += mu / (w.high[r] - w.s[r])
                if not lower:
                    pull -= DAMPING * mu
            elif lower:
                pull += DAMPING * mu
            total += pull * w.ds[r]
            if w.state[ELASTIC] == 1:
                total += omega * (w.val[r] - w.s[r]) * (w.along[r] - w.ds[r])
        elif w.state[ELASTIC] == 1:
            total += omega * (w.val[r] - w.low[r]) * w.along[r]
    return total


def make_trial(m: Ocp, w: Work, alpha: float) -> int:
    """Write the iterate plus `alpha` times the step into the trial."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_v = m.size[N_V]
    for n in range(m.counts[NODES]):
        dy = w.dy[n]
        for i in range(n_x):
            w.tx[n][i] = w.x[n][i] + alpha * dy[i]
        for i in range(m.size[N_U]):
            w.tu[n][i] = w.u[n][i] + alpha * dy[n_x + i]
    for e in range(m.counts[EDGES]):
        own = w.tx[m.parent[e + 1]]
        for j in range(m.size[POINTS]):
            point = e * m.size[POINTS] + j
            dv = w.dv[point // m.size[DEGREE]]
            at = (point % m.size[DEGREE]) * n_v
            for i in range(n_c):
                w.txp[point][i] = w.xp[point][i] + alpha * dv[at + i]
            for i in range(n_c, n_x):
                w.txp[point][i] = own[i]
            for i in range(n_z):
                w.tzp[point][i] = w.zp[point][i] + alpha * dv[at + n_c + i]
        last = w.txp[(e + 1) * m.size[POINTS] - 1]
        for i in range(n_c):
            w.tx[e + 1][i] = last[i]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        w.ts[r] = w.s[r] + alpha * w.ds[r]
    return 0


def take_trial(m: Ocp, w: Work) -> int:
    """The trial becomes the iterate."""
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_X]):
            w.x[n][i] = w.tx[n][i]
        for i in range(m.size[N_U]):
            w.u[n][i] = w.tu[n][i]
        for i in range(m.size[N_K]):
            w.gap[n][i] = w.tgap[n][i]
    for p in range(m.counts[EDGES] * m.size[POINTS]):
        for i in range(m.size[N_X]):
            w.xp[p][i] = w.txp[p][i]
        for i in range(m.size[N_Z]):
            w.zp[p][i] = w.tzp[p][i]
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.res[b][i] = w.tres[b][i]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        w.s[r] = w.ts[r]
        w.val[r] = w.tval[r]
    return 0


def filtered(w: Work, theta: float, phi: float) -> int:
    """1 where an entry of the filter is better in both."""
    first = w.state[ELASTIC] * LONGEST_FILTER
    for k in range(w.state[FILTERED]):
        entry = w.filter[first + k]
        if theta >= entry[0] and phi >= entry[1]:
            return 1
    return 0


def add_to_filter(w: Work, theta: float, phi: float) -> int:
    """Add the present point with its margins, in place of entries it makes useless; the oldest makes room in a full filter."""
    first = w.state[ELASTIC] * LONGEST_FILTER
    low = (1.0 - GAMMA_THETA) * theta
    better = phi - GAMMA_PHI * theta
    kept = 0
    for k in range(w.state[FILTERED]):
        entry = w.filter[first + k]
        if not (entry[0] >= low and entry[1] >= better):
            target = w.filter[first + kept]
            target[0] = entry[0]
            target[1] = entry[1]
            kept += 1
    if kept == LONGEST_FILTER:
        for k in range(1, kept):
            entry = w.filter[first + k]
            target = w.filter[first + k - 1]
            target[0] = entry[0]
            target[1] = entry[1]
        kept -= 1
    target = w.filter[first + kept]
    target[0] = low
    target[1] = better
    w.state[FILTERED] = kept + 1
    return 0


def evaluate_trial(m: Ocp, d: Data, w: Work) -> int:
    """Cost, theta and phi of the trial; 1 where something is not finite."""
    cost = evaluate(m, d, w, w.tx, w.tu, w.txp, w.tzp, w.tres, w.tgap, w.tval)
    theta = infeasibility(m, w, w.tres, w.tgap, w.tval, w.ts)
    phi = merit(m, w, cost, w.tu, w.tval, w.ts)
    w.number[T_COST] = cost
    w.number[T_THETA] = theta
    w.number[T_PHI] = phi
    if theta < 1e300 and abs(phi) < 1e300:
        return 0
    return 1


def accept(m: Ocp, d: Data, w: Work, alpha: float, slope: float) -> int:
    """Does the filter take the evaluated trial at `alpha`? 1: yes, by descent of phi; 2: yes, otherwise; 0: no;
    -1: no, because of an entry."""
    theta = w.number[THETA]
    phi = w.number[PHI]
    theta_t = w.number[T_THETA]
    phi_t = w.number[T_PHI]
    if theta_t > w.number[THETA_MOST] or filtered(w, theta_t, phi_t) == 1:
        return -1
    slack = ROUNDING * abs(phi)
    if slope < 0.0 and theta <= w.number[THETA_SMALL] and alpha * (-slope) ** 2.3 > theta ** 1.1:
        if phi_t - phi - slack <= ARMIJO * alpha * slope:
            return 1
        return 0
    if theta_t <= (1.0 - GAMMA_THETA) * theta or phi_t - phi - slack <= -GAMMA_PHI * theta:
        if slope < 0.0 and alpha * (-slope) ** 2.3 > theta ** 1.1 and phi_t - phi - slack <= ARMIJO * alpha * slope:
            return 1
        return 2
    return 0


def residuals_now(m: Ocp, w: Work) -> int:
    """The step is computed for the residuals of the iterate."""
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.cres[b][i] = w.res[b][i]
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_K]):
            w.cgap[n][i] = w.gap[n][i]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        w.cval[r] = w.val[r]
    return 0


def residuals_added(m: Ocp, w: Work, alpha: float) -> int:
    """The step is computed for alpha times the residuals before, plus those of the trial."""
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.cres[b][i] = alpha * w.cres[b][i] + w.tres[b][i]
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_K]):
            w.cgap[n][i] = alpha * w.cgap[n][i] + w.tgap[n][i]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            w.cval[r] = w.s[r] + alpha * (w.cval[r] - w.s[r]) + w.tval[r] - w.ts[r]
        else:
            w.cval[r] = w.low[r] + alpha * (w.cval[r] - w.low[r]) + w.tval[r] - w.low[r]
    return 0


def full_step(m: Ocp, d: Data, w: Work) -> int:
    """Primal step and row steps for the residuals `cres`, `cgap`, `cval`."""
    condense_rows(w, w.cval)
    newton_step(m, d, w)
    row_steps(w, w.cval)
    return 0


def correct(m: Ocp, d: Data, w: Work, alpha: float, tau: float, slope: float) -> float:
    """Second-order corrections of a full trial that missed more than the iterate; the length accepted, or 0."""
    before = w.number[THETA]
    length = alpha
    tries = 0
    while tries < MOST_CORRECTIONS:
        residuals_added(m, w, length)
        full_step(m, d, w)
        length = longest_step(w, tau)
        make_trial(m, w, length)
        if evaluate_trial(m, d, w) != 0:
            break
        how = accept(m, d, w, alpha, slope)
        if how > 0:
            if how == 2:
                add_to_filter(w, w.number[THETA], w.number[PHI])
            return length
        if w.number[T_THETA] > KEEP_THETA * before:
            break
        before = w.number[T_THETA]
        tries += 1
    residuals_now(m, w)
    full_step(m, d, w)
    return 0.0


def watch(w: Work, blocked: int) -> int:
    """Empty the filter where its old entries have shortened many steps in a row."""
    if blocked == 0:
        w.state[BLOCKED] = 0
        return 0
    w.state[BLOCKED] += 1
    if w.state[BLOCKED] >= PATIENCE and w.state[RESETS] < MOST_RESETS:
        w.state[FILTERED] = 0
        w.state[BLOCKED] = 0
        w.state[RESETS] += 1
    return 0


def line_search(m: Ocp, d: Data, w: Work, tau: float) -> float:
    """Find a point along the step that the filter takes, make it the iterate and return its length; 0 where there is none."""
    slope = cost_slope(m, w)
    theta = w.number[THETA]
    most = longest_step(w, tau)
    shortest = GAMMA_THETA
    if slope < 0.0:
        shortest = min(shortest, GAMMA_PHI * theta / -slope)
        if theta <= w.number[THETA_SMALL]:
            shortest = min(shortest, theta ** 1.1 / (-slope) ** 2.3)
    shortest *= 0.05
    alpha = most
    first = 1
    blocked = 0
    while alpha >= shortest and alpha > 1e-16:
        make_trial(m, w, alpha)
        bad = evaluate_trial(m, d, w)
        if bad == 0:
            how = accept(m, d, w, alpha, slope)
            if how > 0:
                if how == 2:
                    add_to_filter(w, theta, w.number[PHI])
                take_trial(m, w)
                watch(w, blocked)
                return alpha
            blocked = how
            if first == 1 and w.number[T_THETA] >= theta:
                length = correct(m, d, w, alpha, tau, slope)
                if length > 0.0:
                    take_trial(m, w)
                    return length
        first = 0
        alpha *= 0.5
    return 0.0
