"""Weights of the cost, and how far an iterate is from optimality. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_filter import infeasibility, merit
from twin.engine.ocp_records import *
from twin.engine.ocp_rows import FAR
from twin.engine.ocp_values import multiplier_of


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
