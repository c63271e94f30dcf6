"""Equalities of the nodes within the Riccati recursion: pivots on inputs, what is left goes to the parent. Engine subset.

Row t of a node says g_a . [X, U] + g_a0 = 0 with the pivot variable's factor 1. As in the generalized Riccati recursion of
L. Vanroye, A. Sathya, J. De Schutter and W. Decre, "FATROP" (IROS 2023), but with pivots of rows and columns.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_records import *

# g_count
G_ROWS, G_INPUTS, G_UP = 0, 1, 2
SMALLEST = 1e-9  # of a row's largest factor: below it a factor is no pivot


def own_equalities(m: Ocp, d: Data, w: Work, n: int) -> int:
    """Write the node's own equality rows."""
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    w.g_count[n][G_ROWS] = 0
    w.g_count[n][G_INPUTS] = 0
    w.g_count[n][G_UP] = 0
    if w.state[ELASTIC] == 1 or d.g_first[n + 1] == d.g_first[n]:
        return 0
    base = d.g_first[n]
    count = 0
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
    first = n * m.size[N_ROW]
    for i in range(m.size[N_ROW]):
        if w.sort[first + i] == EQUALITY:
            g = w.g[base + count]
            for q in range(n_y):
                g[q] = 0.0
            if i < n_x:
                g[i] = 1.0
            else:
                for k in range(nonzeros):
                    if jac[0][k] == 1 + i - n_y:
                        g[jac[1][k]] += w.node_out[n][values + k]
            w.g_own[base + count] = first + i
            count += 1
    w.g_count[n][G_ROWS] = count
    return 0


def hand_up(m: Ocp, d: Data, w: Work, c: int) -> int:
    """Give the rows left over at node `c` to its parent, in terms of the parent's [X, U]."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    up = w.g_count[c][G_UP]
    if up == 0:
        return 0
    p = m.parent[c]
    last = (c - 1) * m.size[ELEMENTS] + m.size[ELEMENTS] - 1
    at = (m.size[DEGREE] - 1) * m.size[N_V]
    for k in range(up):
        t = d.g_first[c] + w.g_count[c][G_INPUTS] + k
        r = d.g_first[p] + w.g_count[p][G_ROWS]
        a = w.g_a[t]
        g = w.g[r]
        for q in range(n_y):
            g[q] = 0.0
        for i in range(n_c):
            if a[i] != 0.0:
                line = w.v[last][at + i]
                for q in range(m.size[N_A]):
                    g[m.column[q]] += a[i] * line[q]
        for i in range(n_c, n_x):
            g[i] += a[i] * m.carry[i - n_c][0]
            g[n_x + m.carry_input[i - n_c]] += a[i] * m.carry[i - n_c][1]
        w.g_own[r] = -1
        w.g_up[t] = w.g_count[p][G_ROWS]
        w.g_count[p][G_ROWS] += 1
    return 0


def pivot_row(m: Ocp, d: Data, w: Work, n: int, t: int, first: int, stop: int) -> int:
    """Find the largest factor of the rows left over among the free columns, and eliminate it there; 1 where there is none."""
    n_y = m.size[N_Y]
    base = d.g_first[n]
    count = w.g_count[n][G_ROWS]
    size = 0.0
    best = -1
    best_column = 0
    for r in range(count):
        if w.g_left[base + r] == 1:
            g = w.g[base + r]
            for q in range(first, stop):
                if w.done[n][q] == BY_PIVOT and abs(g[q]) > size:
                    size = abs(g[q])
                    best = r
                    best_column = q
    if best < 0:
        return 1
    if not (size > SMALLEST * w.g_at[base + best]):
        return 1
    g = w.g[base + best]
    pivot = g[best_column]
    w.g_row[base + t] = best
    w.g_column[base + t] = best_column
    w.g_pivot[base + t] = pivot
    w.g_left[base + best] = 0
    a = w.g_a[base + t]
    inverse = 1.0 / pivot
    for q in range(n_y):
        a[q] = g[q] * inverse
    a[best_column] = 1.0
    f = w.g_f[base + t]
    for r in range(count):
        f[r] = 0.0
        if w.g_left[base + r] == 1:
            other = w.g[base + r]
            factor = other[best_column]
            if factor != 0.0:
                f[r] = factor
                for q in range(n_y):
                    other[q] -= factor * a[q]
                other[best_column] = 0.0
    return 0


def substitute(h: Matrix, a: Vector, kept: Vector, column: int, n: int) -> int:
    """Put y[column] = -a . y into the quadratic form `h`; its row before is kept."""
    row = h[column]
    for q in range(n):
        kept[q] = row[q]
    for i in range(n):
        if i != column and a[i] != 0.0:
            line = h[i]
            share = a[i]
            for q in range(n):
                line[q] -= share * kept[q]
    # The factor of y[column] in row i is now h[i][column] - a[i] h[column][column].
    for i in range(n):
        if i != column:
            line = h[i]
            factor = line[column]
            if factor != 0.0:
                for q in range(n):
                    line[q] -= factor * a[q]
            line[column] = 0.0
    for q in range(n):
        row[q] = 0.0
    return 0


def eliminate_equalities(m: Ocp, d: Data, w: Work, n: int) -> int:
    """Pivot the equality rows of a node on its inputs (at the root on all), then on its states for the parent."""
    count = w.g_count[n][G_ROWS]
    if count == 0:
        return 0
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    base = d.g_first[n]
    for r in range(count):
        size = 0.0
        for q in range(n_y):
            size = max(size, abs(w.g[base + r][q]))
        w.g_at[base + r] = size
        w.g_left[base + r] = 1
    t = 0
    while t < count:
        if pivot_row(m, d, w, n, t, n_x, n_y) != 0:
            break
        column = w.g_column[base + t]
        substitute(w.h[n], w.g_a[base + t], w.g_h[base + t], column, n_y)
        w.done[n][column] = BY_EQUALITY
        t += 1
    if n == 0:
        while t < count:
            if pivot_row(m, d, w, n, t, 0, n_x) != 0:
                break
            column = w.g_column[base + t]
            substitute(w.h[n], w.g_a[base + t], w.g_h[base + t], column, n_y)
            w.done[n][column] = BY_EQUALITY
            t += 1
    w.g_count[n][G_INPUTS] = t
    if n > 0:
        up = 0
        while t < count:
            if pivot_row(m, d, w, n, t, 0, n_x) != 0:
                break
            t += 1
            up += 1
        w.g_count[n][G_UP] = up
    return 0


def equality_gradient(m: Ocp, d: Data, w: Work, n: int, h: Vector) -> int:
    """The elimination of a node's equalities, on residuals and gradient."""
    count = w.g_count[n][G_ROWS]
    if count == 0:
        return 0
    n_y = m.size[N_Y]
    base = d.g_first[n]
    for r in range(count):
        own = w.g_own[base + r]
        if own >= 0:
            w.g_at[base + r] = w.cval[own] - w.low[own]
    for t in range(w.g_count[n][G_INPUTS] + w.g_count[n][G_UP]):
        a0 = w.g_at[base + w.g_row[base + t]] / w.g_pivot[base + t]
        w.g_a0[base + t] = a0
        f = w.g_f[base + t]
        for r in range(count):
            w.g_at[base + r] -= f[r] * a0
        if t < w.g_count[n][G_INPUTS]:
            column = w.g_column[base + t]
            a = w.g_a[base + t]
            kept = w.g_h[base + t]
            w.g_hk[base + t] = h[column]
            share = h[column] - a0 * kept[column]
            for q in range(n_y):
                if q != column:
                    h[q] += -a0 * kept[q] - a[q] * share
            h[column] = 0.0
    return 0


def equality_residual_up(m: Ocp, d: Data, w: Work, c: int) -> int:
    """Residuals of the rows that node `c` handed to its parent."""
    n_x = m.size[N_X]
    p = m.parent[c]
    for k in range(w.g_count[c][G_UP]):
        t = d.g_first[c] + w.g_count[c][G_INPUTS] + k
        total = w.g_a0[t]
        for i in range(n_x):
            total += w.g_a[t][i] * w.b[c][i]
        w.g_at[d.g_first[p] + w.g_up[t]] = total
    return 0


def equality_steps(m: Ocp, d: Data, w: Work, n: int) -> int:
    """Steps of the variables that equalities fix, from the others."""
    base = d.g_first[n]
    dy = w.dy[n]
    inputs = w.g_count[n][G_INPUTS]
    for back in range(inputs):
        t = base + inputs - 1 - back
        column = w.g_column[t]
        dy[column] = 0.0
        total = w.g_a0[t]
        for q in range(m.size[N_Y]):
            total += w.g_a[t][q] * dy[q]
        dy[column] = -total
    return 0


def equality_multipliers(m: Ocp, d: Data, w: Work, n: int) -> int:
    """Multipliers of the rows of a node, from its step and from those that the parent found for rows handed up."""
    n_x = m.size[N_X]
    base = d.g_first[n]
    count = w.g_count[n][G_ROWS]
    inputs = w.g_count[n][G_INPUTS]
    up = w.g_count[n][G_UP]
    for r in range(count):
        w.g_eta[base + r] = 0.0
    for back in range(inputs + up):
        t = inputs + up - 1 - back
        if t >= inputs:
            eta = w.g_eta[d.g_first[m.parent[n]] + w.g_up[base + t]]
            for i in range(n_x):
                w.costate[n][i] += w.g_a[base + t][i] * eta
        else:
            eta = -w.g_hk[base + t]
            for q in range(m.size[N_Y]):
                eta -= w.g_h[base + t][q] * w.dy[n][q]
        f = w.g_f[base + t]
        for r in range(count):
            eta -= f[r] * w.g_eta[base + r]
        w.g_eta[base + w.g_row[base + t]] = eta / w.g_pivot[base + t]
    for r in range(count):
        own = w.g_own[base + r]
        if own >= 0:
            w.y_new[own] = w.g_eta[base + r]
    return 0
