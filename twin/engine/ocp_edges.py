"""Elimination of the collocation points of an edge, element by element. Engine subset.

The step of the unknowns of an element is v0 + V dy with dy the step of [X, U] of the parent.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.dense import factor_dense, solve_dense, solve_rows, solve_transposed
from twin.engine.ocp_records import *


def fill_element(m: Ocp, w: Work, block: int, h: float) -> int:
    """Write the matrix of an element and the right-hand sides that give V, from the kernel outs of its points."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_y = m.size[N_Y]
    n_v = m.size[N_V]
    n_f = m.size[N_F]
    degree = m.size[DEGREE]
    row = m.point_jac[0]
    column = m.point_jac[1]
    a = w.lu[block]
    v = w.v[block]
    for i in range(m.size[BLOCK]):
        line = a[i]
        for q in range(m.size[BLOCK]):
            line[q] = 0.0
        line = v[i]
        for q in range(n_y):
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
                for q in range(n_y):
                    line[q] = -slope[0] * before[q]
        slopes = w.point_out[block * degree + j]
        for q in range(m.size[PATH_AT]):
            i = row[q]
            c = column[q]
            value = slopes[n_f + q]
            if i < n_c:
                value *= -h
            if c < n_c:
                a[at + i][at + c] += value
            elif c < n_x:
                v[at + i][c] -= value
            elif c < n_x + n_z:
                a[at + i][at + n_c + c - n_x] += value
            else:
                v[at + i][c - n_z] -= value
    return 0


def factor_edge(m: Ocp, d: Data, w: Work, e: int) -> int:
    """Factors of the elements of an edge and V; 1 where one is singular."""
    elements = m.size[ELEMENTS]
    for k in range(elements):
        block = e * elements + k
        fill_element(m, w, block, d.length[e] / elements)
        if factor_dense(w.lu[block], w.lu_pivot[block], m.size[BLOCK]) != 0:
            return 1
        solve_rows(w.lu[block], w.lu_pivot[block], w.v[block], m.size[BLOCK], m.size[N_Y])
    return 0


def add_line(m: Ocp, v: Matrix, at: int, column: int, factor: float, out: Vector) -> int:
    """Add factor times the row of sensitivities of variable `column` of [x, z, u] at a point to `out`."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    if column < n_c:
        line = v[at + column]
        for q in range(m.size[N_Y]):
            out[q] += factor * line[q]
    elif column < n_x:
        out[column] += factor
    elif column < n_x + n_z:
        line = v[at + n_c + column - n_x]
        for q in range(m.size[N_Y]):
            out[q] += factor * line[q]
    else:
        out[column - n_z] += factor
    return 0


def condense_edge(m: Ocp, w: Work, e: int, target: Matrix) -> int:
    """Add the Hessian of the points of an edge, in terms of [X, U] of the parent, to `target`."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_y = m.size[N_Y]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    delta = w.number[DELTA]
    hv = w.hv
    for k in range(m.size[ELEMENTS]):
        block = e * m.size[ELEMENTS] + k
        v = w.v[block]
        for j in range(degree):
            point = block * degree + j
            at = j * n_v
            rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
            slopes = w.point_out[point]
            for i in range(n_v):
                line = hv[i if i < n_c else i - n_c + n_x]
                factor = delta + w.weight[rows + i]
                before = v[at + i]
                for q in range(n_y):
                    line[q] = factor * before[q]
            for i in range(n_c, n_x):
                line = hv[i]
                for q in range(n_y):
                    line[q] = 0.0
            for i in range(n_x + n_z, m.size[N_Q]):
                line = hv[i]
                for q in range(n_y):
                    line[q] = 0.0
            first = m.size[N_F] + m.size[JAC_P]
            for q in range(m.size[HES_P]):
                i = m.point_hes[0][q]
                c = m.point_hes[1][q]
                value = slopes[first + q]
                add_line(m, v, at, c, value, hv[i])
                if i != c:
                    add_line(m, v, at, i, value, hv[c])
            for i in range(n_v):
                line = hv[i if i < n_c else i - n_c + n_x]
                before = v[at + i]
                for a in range(n_y):
                    factor = before[a]
                    if factor != 0.0:
                        out = target[a]
                        for q in range(n_y):
                            out[q] += factor * line[q]
            for i in range(n_c, n_x):
                line = hv[i]
                out = target[i]
                for q in range(n_y):
                    out[q] += line[q]
            for i in range(n_x + n_z, m.size[N_Q]):
                line = hv[i]
                out = target[i - n_z]
                for q in range(n_y):
                    out[q] += line[q]
            if m.size[N_PATH] > 0:
                condense_path(m, w, point, rows + n_v, v, at, target)
    return 0


def condense_path(m: Ocp, w: Work, point: int, rows: int, v: Matrix, at: int, target: Matrix) -> int:
    """Add the squares of the path rows of a point to `target`."""
    n_y = m.size[N_Y]
    slopes = w.point_out[point]
    line = w.path_row
    q = m.size[PATH_AT]
    while q < m.size[COST_AT]:
        i = m.point_jac[0][q]
        weight = w.weight[rows + i - m.size[N_V]]
        for a in range(n_y):
            line[a] = 0.0
        while q < m.size[COST_AT]:
            if m.point_jac[0][q] != i:
                break
            add_line(m, v, at, m.point_jac[1][q], slopes[m.size[N_F] + q], line)
            q += 1
        if weight != 0.0:
            for a in range(n_y):
                factor = weight * line[a]
                if factor != 0.0:
                    out = target[a]
                    for c in range(n_y):
                        out[c] += factor * line[c]
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
    """Write Hessian times `q` plus the gradient of cost and rows of a point, both in [x, z, u], into `out`."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_v = m.size[N_V]
    delta = w.number[DELTA]
    rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
    slopes = w.point_out[point]
    for i in range(m.size[N_Q]):
        out[i] = 0.0
    for i in range(n_v):
        c = i if i < n_c else i - n_c + n_x
        out[c] = w.pull[rows + i] + (delta + w.weight[rows + i]) * q[c]
    first = m.size[N_F] + m.size[JAC_P]
    for k in range(m.size[HES_P]):
        i = m.point_hes[0][k]
        c = m.point_hes[1][k]
        value = slopes[first + k]
        out[i] += value * q[c]
        if i != c:
            out[c] += value * q[i]
    row = m.point_jac[0]
    column = m.point_jac[1]
    first = m.size[N_F]
    for k in range(m.size[COST_AT], m.size[JAC_P]):
        out[column[k]] += w.cost_point[point] * slopes[first + k]
    k = m.size[PATH_AT]
    while k < m.size[COST_AT]:
        i = row[k]
        r = rows + i
        begin = k
        total = 0.0
        while k < m.size[COST_AT]:
            if row[k] != i:
                break
            total += slopes[first + k] * q[column[k]]
            k += 1
        total = w.weight[r] * total + w.pull[r]
        for a in range(begin, k):
            out[column[a]] += total * slopes[first + a]
    return 0


def edge_gradient(m: Ocp, w: Work, e: int, target: Vector) -> int:
    """Add the gradient of the points of an edge at v0, in terms of [X, U] of the parent, to `target`."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_y = m.size[N_Y]
    n_v = m.size[N_V]
    q = w.q
    out = w.tq
    for i in range(m.size[N_Q]):
        q[i] = 0.0
    for k in range(m.size[ELEMENTS]):
        block = e * m.size[ELEMENTS] + k
        v0 = w.v0[block]
        for j in range(m.size[DEGREE]):
            at = j * n_v
            for i in range(n_v):
                q[i if i < n_c else i - n_c + n_x] = v0[at + i]
            point_gradient(m, w, block * m.size[DEGREE] + j, q, out)
            for i in range(n_v):
                factor = out[i if i < n_c else i - n_c + n_x]
                line = w.v[block][at + i]
                for a in range(n_y):
                    target[a] += factor * line[a]
            for i in range(n_c, n_x):
                target[i] += out[i]
            for i in range(n_x + n_z, m.size[N_Q]):
                target[i - n_z] += out[i]
    return 0


def edge_steps(m: Ocp, w: Work, e: int) -> int:
    """Steps of the unknowns of an edge and of the rows on its points from the step of the parent."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_y = m.size[N_Y]
    n_v = m.size[N_V]
    dy = w.dy[m.parent[e + 1]]
    for k in range(m.size[ELEMENTS]):
        block = e * m.size[ELEMENTS] + k
        dv = w.dv[block]
        for i in range(m.size[BLOCK]):
            line = w.v[block][i]
            total = w.v0[block][i]
            for q in range(n_y):
                total += line[q] * dy[q]
            dv[i] = total
        for j in range(m.size[DEGREE]):
            point = block * m.size[DEGREE] + j
            rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
            for i in range(n_v):
                w.along[rows + i] = dv[j * n_v + i]
            for i in range(m.size[N_PATH]):
                w.along[rows + n_v + i] = 0.0
            slopes = w.point_out[point]
            for k2 in range(m.size[PATH_AT], m.size[COST_AT]):
                r = rows + m.point_jac[0][k2]
                c = m.point_jac[1][k2]
                change = 0.0
                if c < n_c:
                    change = dv[j * n_v + c]
                elif c < n_x:
                    change = dy[c]
                elif c < n_x + n_z:
                    change = dv[j * n_v + n_c + c - n_x]
                else:
                    change = dy[c - n_z]
                w.along[r] += slopes[m.size[N_F] + k2] * change
    return 0


def edge_multipliers(m: Ocp, w: Work, e: int) -> int:
    """Multipliers of the dynamics of an edge after the step, from the costate of its end."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    c = e + 1
    dy = w.dy[m.parent[c]]
    q = w.q
    for i in range(n_c, n_x):
        q[i] = dy[i]
    for i in range(n_x + n_z, m.size[N_Q]):
        q[i] = dy[i - n_z]
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
                q[i if i < n_c else i - n_c + n_x] = dv[at + i]
            point_gradient(m, w, block * degree + j, q, w.tq)
            for i in range(n_v):
                lam[at + i] = -w.tq[i if i < n_c else i - n_c + n_x]
        for i in range(n_c):
            lam[(degree - 1) * n_v + i] -= end[i]
        solve_transposed(w.lu[block], w.lu_pivot[block], lam, m.size[BLOCK])
        for i in range(n_c):
            total = 0.0
            for j in range(degree):
                total += m.slope[j + 1][0] * lam[j * n_v + i]
            end[i] = total
    return 0
