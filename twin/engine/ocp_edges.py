"""Elimination of the collocation points of an edge, element by element. Engine subset.

The step of the unknowns of an element is v0 + V da, with da those entries of the step of the parent's [X, U] that matter to
the points. Vectors of a point are in the order [unknowns, others], as in Ocp.point_jac.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.dense import factor_dense, solve_dense, solve_rows, solve_transposed
from twin.engine.ocp_records import *


def fill_element(m: Ocp, w: Work, block: int, h: float) -> int:
    """Write the matrix of an element and the right-hand sides that give V, from the kernel outs of its points."""
    n_c = m.size[N_C]
    n_v = m.size[N_V]
    n_a = m.size[N_A]
    degree = m.size[DEGREE]
    row = m.point_jac[0]
    place = m.point_jac[1]
    a = w.lu[block]
    v = w.v[block]
    for i in range(m.size[BLOCK]):
        line = a[i]
        for q in range(m.size[BLOCK]):
            line[q] = 0.0
        line = v[i]
        for q in range(n_a):
            line[q] = 0.0
    inner = block % m.size[ELEMENTS]
    for j in range(degree):
        slope = m.slope[j + 1]
        at = j * n_v
        for q in range(degree):
            for i in range(n_c):
                a[at + i][q * n_v + i] = slope[q + 1]
        if inner == 0:
            for i in range(n_c):
                v[at + i][i] = -slope[0]
        else:
            for i in range(n_c):
                line = v[at + i]
                before = w.v[block - 1][(degree - 1) * n_v + i]
                for q in range(n_a):
                    line[q] = -slope[0] * before[q]
        slopes = w.point_out[block * degree + j]
        for q in range(m.size[JAC_V]):
            value = slopes[m.size[N_F] + q]
            if row[q] < n_c:
                value *= -h
            a[at + row[q]][at + place[q]] += value
        for q in range(m.size[JAC_V], m.size[PATH_AT]):
            value = slopes[m.size[N_F] + q]
            if row[q] < n_c:
                value *= -h
            v[at + row[q]][place[q] - n_v] -= value
    return 0


def factor_edge(m: Ocp, d: Data, w: Work, e: int) -> int:
    """Factors of the elements of an edge and V; 1 where one is singular."""
    elements = m.size[ELEMENTS]
    for k in range(elements):
        block = e * elements + k
        fill_element(m, w, block, d.length[e] / elements)
        if factor_dense(w.lu[block], w.lu_pivot[block], m.size[BLOCK]) != 0:
            return 1
        solve_rows(w.lu[block], w.lu_pivot[block], w.v[block], m.size[BLOCK], m.size[N_A])
    return 0


def condense_point(m: Ocp, w: Work, point: int, v: Matrix, at: int, last: int, value: Matrix) -> int:
    """Add the Hessian of a point in terms of the others to `qa`; at the `last` point with the value function of the child."""
    n_c = m.size[N_C]
    n_v = m.size[N_V]
    n_a = m.size[N_A]
    delta = w.number[DELTA]
    rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
    slopes = w.point_out[point]
    first = m.size[N_F] + m.size[JAC_P]
    row = m.point_hes[0]
    column = m.point_hes[1]
    for i in range(n_v):
        out = w.hv[i]
        factor = delta + w.weight[rows + i]
        line = v[at + i]
        for q in range(n_a):
            out[q] = factor * line[q]
    if last == 1:
        for i in range(n_c):
            out = w.hv[i]
            p = value[i]
            for k in range(n_c):
                factor = p[k]
                line = v[at + k]
                for q in range(n_a):
                    out[q] += factor * line[q]
    for k in range(m.size[HES_VV]):
        factor = slopes[first + k]
        out = w.hv[row[k]]
        line = v[at + column[k]]
        for q in range(n_a):
            out[q] += factor * line[q]
        if row[k] != column[k]:
            out = w.hv[column[k]]
            line = v[at + row[k]]
            for q in range(n_a):
                out[q] += factor * line[q]
    for k in range(m.size[HES_VV], m.size[HES_VA]):
        factor = slopes[first + k]
        other = column[k] - n_v
        w.hv[row[k]][other] += factor
        out = w.qa[other]
        line = v[at + row[k]]
        for q in range(n_a):
            out[q] += factor * line[q]
    for k in range(m.size[HES_VA], m.size[HES_P]):
        factor = slopes[first + k]
        i = row[k] - n_v
        j = column[k] - n_v
        w.qa[i][j] += factor
        if i != j:
            w.qa[j][i] += factor
    for i in range(n_v):
        line = w.hv[i]
        before = v[at + i]
        for a in range(n_a):
            factor = before[a]
            out = w.qa[a]
            for q in range(n_a):
                out[q] += factor * line[q]
    if m.size[N_PATH] > 0:
        condense_path(m, w, point, rows, v, at)
    return 0


def condense_path(m: Ocp, w: Work, point: int, rows: int, v: Matrix, at: int) -> int:
    """Add the squares of the path rows of a point to `qa`."""
    n_v = m.size[N_V]
    n_a = m.size[N_A]
    slopes = w.point_out[point]
    line = w.path_row
    k = m.size[PATH_AT]
    while k < m.size[COST_AT]:
        i = m.point_jac[0][k]
        weight = w.weight[rows + i]
        for q in range(n_a):
            line[q] = 0.0
        while k < m.size[COST_AT]:
            if m.point_jac[0][k] != i:
                break
            factor = slopes[m.size[N_F] + k]
            place = m.point_jac[1][k]
            if place < n_v:
                before = v[at + place]
                for q in range(n_a):
                    line[q] += factor * before[q]
            else:
                line[place - n_v] += factor
            k += 1
        if weight != 0.0:
            for a in range(n_a):
                factor = weight * line[a]
                out = w.qa[a]
                for q in range(n_a):
                    out[q] += factor * line[q]
    return 0


def condense_edge(m: Ocp, w: Work, e: int) -> int:
    """Add Hessian of the points and value function of the child, in terms of the parent's [X, U], to the parent's Hessian."""
    n_c = m.size[N_C]
    n_k = m.size[N_K]
    n_x = m.size[N_X]
    n_a = m.size[N_A]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    elements = m.size[ELEMENTS]
    value = w.h[e + 1]
    target = w.h[m.parent[e + 1]]
    for a in range(n_a):
        out = w.qa[a]
        for q in range(n_a):
            out[q] = 0.0
    for k in range(elements):
        block = e * elements + k
        for j in range(degree):
            last = 0
            if k == elements - 1 and j == degree - 1:
                last = 1
            condense_point(m, w, block * degree + j, w.v[block], j * n_v, last, value)
    for a in range(n_a):
        out = target[m.column[a]]
        line = w.qa[a]
        for q in range(n_a):
            out[m.column[q]] += line[q]
    # Value function of the carried states: x_next = keep x + gain u.
    v = w.v[(e + 1) * elements - 1]
    at = (degree - 1) * n_v
    line = w.ga
    for k in range(n_k):
        keep = m.carry[k][0]
        gain = m.carry[k][1]
        own = n_c + k
        from_u = n_x + m.carry_input[k]
        p = value[own]
        for q in range(n_a):
            line[q] = 0.0
        for i in range(n_c):
            factor = p[i]
            before = v[at + i]
            for q in range(n_a):
                line[q] += factor * before[q]
        if keep != 0.0:
            for q in range(n_a):
                target[own][m.column[q]] += keep * line[q]
                target[m.column[q]][own] += keep * line[q]
            for j in range(n_k):
                target[own][n_c + j] += keep * m.carry[j][0] * p[n_c + j]
                target[own][n_x + m.carry_input[j]] += keep * m.carry[j][1] * p[n_c + j]
        if gain != 0.0:
            for q in range(n_a):
                target[from_u][m.column[q]] += gain * line[q]
                target[m.column[q]][from_u] += gain * line[q]
            for j in range(n_k):
                target[from_u][n_c + j] += gain * m.carry[j][0] * p[n_c + j]
                target[from_u][n_x + m.carry_input[j]] += gain * m.carry[j][1] * p[n_c + j]
    return 0


def particular(m: Ocp, w: Work, e: int) -> int:
    """Write v0 of an edge for the residuals `cres`."""
    n_c = m.size[N_C]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    for k in range(m.size[ELEMENTS]):
        block = e * m.size[ELEMENTS] + k
        out = w.v0[block]
        r = w.cres[block]
        for i in range(m.size[BLOCK]):
            out[i] = -r[i]
        if k > 0:
            before = w.v0[block - 1]
            for j in range(degree):
                s = m.slope[j + 1][0]
                for i in range(n_c):
                    out[j * n_v + i] -= s * before[(degree - 1) * n_v + i]
        solve_dense(w.lu[block], w.lu_pivot[block], out, m.size[BLOCK])
    return 0


def point_gradient(m: Ocp, w: Work, point: int, q: Vector, out: Vector) -> int:
    """Write Hessian times `q` plus the gradient of cost and rows of a point into `out`."""
    n_v = m.size[N_V]
    delta = w.number[DELTA]
    rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
    slopes = w.point_out[point]
    for i in range(n_v):
        out[i] = w.pull[rows + i] + (delta + w.weight[rows + i]) * q[i]
    for i in range(n_v, m.size[N_Q]):
        out[i] = 0.0
    first = m.size[N_F] + m.size[JAC_P]
    for k in range(m.size[HES_P]):
        i = m.point_hes[0][k]
        c = m.point_hes[1][k]
        value = slopes[first + k]
        out[i] += value * q[c]
        if i != c:
            out[c] += value * q[i]
    row = m.point_jac[0]
    place = m.point_jac[1]
    first = m.size[N_F]
    for k in range(m.size[COST_AT], m.size[JAC_P]):
        out[place[k]] += w.cost_point[point] * slopes[first + k]
    k = m.size[PATH_AT]
    while k < m.size[COST_AT]:
        i = row[k]
        r = rows + i
        begin = k
        total = 0.0
        while k < m.size[COST_AT]:
            if row[k] != i:
                break
            total += slopes[first + k] * q[place[k]]
            k += 1
        total = w.weight[r] * total + w.pull[r]
        for a in range(begin, k):
            out[place[a]] += total * slopes[first + a]
    return 0


def edge_gradient(m: Ocp, w: Work, e: int) -> int:
    """Add gradient of the points at v0 and of the value function of the child at its step `b` to the parent's gradient."""
    n_c = m.size[N_C]
    n_k = m.size[N_K]
    n_x = m.size[N_X]
    n_a = m.size[N_A]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    elements = m.size[ELEMENTS]
    c = e + 1
    q = w.q
    out = w.tq
    ga = w.ga
    pb = w.pb
    b = w.b[c]
    v0 = w.v0[c * elements - 1]
    for i in range(n_c):
        b[i] = v0[(degree - 1) * n_v + i]
    for i in range(n_k):
        b[n_c + i] = -w.cgap[c][i]
    for i in range(n_x):
        total = w.hn[c][i]
        row = w.h[c][i]
        for k in range(n_x):
            total += row[k] * b[k]
        pb[i] = total
    for i in range(m.size[N_Q]):
        q[i] = 0.0
    for a in range(n_a):
        ga[a] = 0.0
    for k in range(elements):
        block = e * elements + k
        v0 = w.v0[block]
        for j in range(degree):
            at = j * n_v
            for i in range(n_v):
                q[i] = v0[at + i]
            point_gradient(m, w, block * degree + j, q, out)
            if k == elements - 1 and j == degree - 1:
                for i in range(n_c):
                    out[i] += pb[i]
            for i in range(n_v):
                factor = out[i]
                line = w.v[block][at + i]
                for a in range(n_a):
                    ga[a] += factor * line[a]
            for a in range(n_a):
                ga[a] += out[n_v + a]
    target = w.hn[m.parent[c]]
    for a in range(n_a):
        target[m.column[a]] += ga[a]
    for k in range(n_k):
        target[n_c + k] += pb[n_c + k] * m.carry[k][0]
        target[n_x + m.carry_input[k]] += pb[n_c + k] * m.carry[k][1]
    return 0


def edge_steps(m: Ocp, w: Work, e: int) -> int:
    """Steps of the unknowns of an edge and of the rows on its points from the step of the parent."""
    n_a = m.size[N_A]
    n_v = m.size[N_V]
    dy = w.dy[m.parent[e + 1]]
    da = w.ga
    for a in range(n_a):
        da[a] = dy[m.column[a]]
    for k in range(m.size[ELEMENTS]):
        block = e * m.size[ELEMENTS] + k
        dv = w.dv[block]
        for i in range(m.size[BLOCK]):
            line = w.v[block][i]
            total = w.v0[block][i]
            for a in range(n_a):
                total += line[a] * da[a]
            dv[i] = total
        for j in range(m.size[DEGREE]):
            point = block * m.size[DEGREE] + j
            rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
            for i in range(n_v):
                w.along[rows + i] = dv[j * n_v + i]
            for i in range(m.size[N_PATH]):
                w.along[rows + n_v + i] = 0.0
            slopes = w.point_out[point]
            for q in range(m.size[PATH_AT], m.size[COST_AT]):
                place = m.point_jac[1][q]
                change = dv[j * n_v + place] if place < n_v else da[place - n_v]
                w.along[rows + m.point_jac[0][q]] += slopes[m.size[N_F] + q] * change
    return 0


def edge_multipliers(m: Ocp, w: Work, e: int) -> int:
    """Multipliers of the dynamics of an edge after the step, from the costate of its end."""
    n_c = m.size[N_C]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    c = e + 1
    dy = w.dy[m.parent[c]]
    q = w.q
    for a in range(m.size[N_A]):
        q[n_v + a] = dy[m.column[a]]
    end = w.adjoint  # derivative with respect to the end of the element
    for i in range(n_c):
        end[i] = w.costate[c][i]
    for i in range(m.size[N_K]):
        w.kap_new[c][i] = w.costate[c][n_c + i]
    for back in range(m.size[ELEMENTS]):
        block = e * m.size[ELEMENTS] + m.size[ELEMENTS] - 1 - back
        lam = w.lam_new[block]
        dv = w.dv[block]
        for j in range(degree):
            at = j * n_v
            for i in range(n_v):
                q[i] = dv[at + i]
            point_gradient(m, w, block * degree + j, q, w.tq)
            for i in range(n_v):
                lam[at + i] = -w.tq[i]
        for i in range(n_c):
            lam[(degree - 1) * n_v + i] -= end[i]
        solve_transposed(w.lu[block], w.lu_pivot[block], lam, m.size[BLOCK])
        for i in range(n_c):
            total = 0.0
            for j in range(degree):
                total += m.slope[j + 1][0] * lam[j * n_v + i]
            end[i] = total
    return 0
