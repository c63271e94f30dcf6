"""Values and derivatives of the problem at an iterate. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_records import *


def own_rows(m: Ocp, kind: int) -> int:
    """How many function rows a node of this kind has."""
    if kind == TERMINAL_KIND:
        return m.size[D_TERMINAL]
    if kind == INITIAL_KIND:
        return m.size[D_INITIAL]
    return m.size[D_STAGE]


def evaluate(m: Ocp, d: Data, w: Work, x: Matrix, u: Matrix, xp: Matrix, zp: Matrix, res: Matrix, gap: Matrix,
             val: Vector) -> float:
    """Write residuals of the dynamics and values of the rows at an iterate; the cost."""
    n_c = m.size[N_C]
    n_k = m.size[N_K]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_u = m.size[N_U]
    n_v = m.size[N_V]
    n_path = m.size[N_PATH]
    degree = m.size[DEGREE]
    elements = m.size[ELEMENTS]
    out = w.out
    total = 0.0
    for n in range(m.counts[NODES]):
        kind = m.kind[n]
        if kind == TERMINAL_KIND:
            m.terminal(0.0, x[n], w.none, u[n], w.multiplier, d.p_node[n], out, w.kernel)
        elif kind == INITIAL_KIND:
            m.initial(0.0, x[n], w.none, u[n], w.multiplier, d.p_node[n], out, w.kernel)
        else:
            m.stage(0.0, x[n], w.none, u[n], w.multiplier, d.p_node[n], out, w.kernel)
        total += w.cost_node[n] * out[0]
        at = n * m.size[N_ROW]
        for i in range(n_x):
            val[at + i] = x[n][i]
        for i in range(n_u):
            val[at + n_x + i] = u[n][i]
        for i in range(own_rows(m, kind)):
            val[at + n_x + n_u + i] = out[1 + i]
    for e in range(m.counts[EDGES]):
        c = e + 1
        p = m.parent[c]
        for i in range(n_k):
            gap[c][i] = x[c][n_c + i] - m.carry[i][0] * x[p][n_c + i] - m.carry[i][1] * u[p][m.carry_input[i]]
        h = d.length[e] / elements
        for k in range(elements):
            block = e * elements + k
            first = block * degree
            begin = x[p]
            if k > 0:
                begin = xp[first - 1]
            r = res[block]
            for j in range(degree):
                point = first + j
                w.multiplier[0] = (k + m.tau[j]) / elements
                m.point(d.t_start[e] + h * (k + m.tau[j]), xp[point], zp[point], u[p], w.multiplier, d.p_edge[e], out, w.kernel)
                slope = m.slope[j + 1]
                for i in range(n_c):
                    r[j * n_v + i] = slope[0] * begin[i] - h * out[i]
                for q in range(degree):
                    s = slope[q + 1]
                    other = xp[first + q]
                    for i in range(n_c):
                        r[j * n_v + i] += s * other[i]
                for i in range(n_z):
                    r[j * n_v + n_c + i] = out[n_c + i]
                total += w.cost_point[point] * out[n_v + n_path]
                at = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
                for i in range(n_c):
                    val[at + i] = xp[point][i]
                for i in range(n_z):
                    val[at + n_c + i] = zp[point][i]
                for i in range(n_path):
                    val[at + n_v + i] = out[n_v + i]
    return total


def multiplier_of(w: Work, r: int) -> float:
    """Multiplier of a row."""
    if w.sort[r] == INEQUALITY:
        return w.zu[r] - w.zl[r]
    return w.y[r]


def differentiate(m: Ocp, d: Data, w: Work) -> int:
    """Write the outs of the derivative kernels at the iterate, weighted by its multipliers."""
    n_v = m.size[N_V]
    n_path = m.size[N_PATH]
    n_c = m.size[N_C]
    degree = m.size[DEGREE]
    elements = m.size[ELEMENTS]
    y = w.multiplier
    for n in range(m.counts[NODES]):
        kind = m.kind[n]
        at = n * m.size[N_ROW] + m.size[N_Y]
        y[0] = w.cost_node[n]
        for i in range(own_rows(m, kind)):
            y[1 + i] = multiplier_of(w, at + i)
        if kind == TERMINAL_KIND:
            m.terminal_all(0.0, w.x[n], w.none, w.u[n], y, d.p_node[n], w.node_out[n], w.kernel)
        elif kind == INITIAL_KIND:
            m.initial_all(0.0, w.x[n], w.none, w.u[n], y, d.p_node[n], w.node_out[n], w.kernel)
        else:
            m.stage_all(0.0, w.x[n], w.none, w.u[n], y, d.p_node[n], w.node_out[n], w.kernel)
    for e in range(m.counts[EDGES]):
        p = m.parent[e + 1]
        h = d.length[e] / elements
        for k in range(elements):
            block = e * elements + k
            lam = w.lam[block]
            for j in range(degree):
                point = block * degree + j
                y[0] = (k + m.tau[j]) / elements
                for i in range(n_c):
                    y[1 + i] = -h * lam[j * n_v + i]
                for i in range(n_c, n_v):
                    y[1 + i] = lam[j * n_v + i]
                at = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P] + n_v
                for i in range(n_path):
                    y[1 + n_v + i] = multiplier_of(w, at + i)
                y[1 + n_v + n_path] = w.cost_point[point]
                m.point_all(d.t_start[e] + h * (k + m.tau[j]), w.xp[point], w.zp[point], w.u[p], y, d.p_edge[e],
                            w.point_out[point], w.kernel)
    return 0


def node_slopes(m: Ocp, w: Work, n: int, weight: float, rows: Vector, first: int, out: Vector) -> int:
    """Add weight (gradient of the cost) + sum of rows[first + i] (gradient of function row i) of a node to `out`."""
    kind = m.kind[n]
    jac = m.stage_jac
    count = m.size[JAC_S]
    values = 1 + m.size[D_STAGE]
    if kind == TERMINAL_KIND:
        jac = m.terminal_jac
        count = m.size[JAC_T]
        values = 1 + m.size[D_TERMINAL]
    elif kind == INITIAL_KIND:
        jac = m.initial_jac
        count = m.size[JAC_I]
        values = 1 + m.size[D_INITIAL]
    row = jac[0]
    column = jac[1]
    slopes = w.node_out[n]
    for k in range(count):
        i = row[k]
        factor = weight
        if i > 0:
            factor = rows[first + i - 1]
        out[column[k]] += factor * slopes[values + k]
    return 0


def lagrangian(m: Ocp, d: Data, w: Work) -> int:
    """Write the gradient of the Lagrangian at the iterate into `dn` (nodes) and `dp` (points); needs `differentiate`."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    m.size[N_Z]
    n_v = m.size[N_V]
    n_y = m.size[N_Y]
    degree = m.size[DEGREE]
    elements = m.size[ELEMENTS]
    y = w.pull
    for r in range(m.counts[ROWS]):
        y[r] = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        y[r] = multiplier_of(w, r)
    for n in range(m.counts[NODES]):
        out = w.dn[n]
        at = n * m.size[N_ROW]
        for i in range(n_y):
            out[i] = y[at + i]
        node_slopes(m, w, n, w.cost_node[n], y, at + n_y, out)
    for e in range(m.counts[EDGES]):
        c = e + 1
        p = m.parent[c]
        own = w.dn[p]
        child = w.dn[c]
        h = d.length[e] / elements
        for i in range(m.size[N_K]):
            kap = w.kap[c][i]
            child[n_c + i] -= kap
            own[n_c + i] += m.carry[i][0] * kap
            own[n_x + m.carry_input[i]] += m.carry[i][1] * kap
        for k in range(elements):
            block = e * elements + k
            lam = w.lam[block]
            first = block * degree
            for j in range(degree):
                out = w.dp[first + j]
                at = m.counts[FIRST_POINT_ROW] + (first + j) * m.size[N_ROW_P]
                for i in range(n_v):
                    out[i] = y[at + i]
            begin = own
            if k > 0:
                begin = w.dp[first - 1]
            for j in range(degree):
                slope = m.slope[j + 1]
                for i in range(n_c):
                    begin[i] += slope[0] * lam[j * n_v + i]
                for q in range(degree):
                    s = slope[q + 1]
                    out = w.dp[first + q]
                    for i in range(n_c):
                        out[i] += s * lam[j * n_v + i]
            for j in range(degree):
                at = m.counts[FIRST_POINT_ROW] + (first + j) * m.size[N_ROW_P] + n_v
                out = w.dp[first + j]
                slopes = w.point_out[first + j]
                for q in range(m.size[JAC_P]):
                    i = m.point_jac[0][q]
                    place = m.point_jac[1][q]
                    factor = w.cost_point[first + j]
                    if i < n_c:
                        factor = -h * lam[j * n_v + i]
                    elif i < n_v:
                        factor = lam[j * n_v + i]
                    elif q < m.size[COST_AT]:
                        factor = y[at + i - n_v]
                    factor *= slopes[m.size[N_F] + q]
                    if place < n_v:
                        out[place] += factor
                    else:
                        own[m.column[place - n_v]] += factor
        last = w.dp[(e + 1) * elements * degree - 1]
        for i in range(n_c):
            w.costate[c][i] = -last[i]
            child[i] += last[i]
            last[i] = 0.0
        for i in range(n_c, n_x):
            w.costate[c][i] = w.kap[c][i - n_c]
    for i in range(n_x):
        w.costate[0][i] = w.dn[0][i]
    return 0
