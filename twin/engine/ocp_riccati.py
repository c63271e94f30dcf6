"""The Newton step by a Riccati recursion over the tree, from the leaves to the root and back. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_edges import condense_edge, edge_gradient, edge_multipliers, edge_steps, factor_edge, particular
from twin.engine.ocp_equalities import (
    eliminate_equalities,
    equality_gradient,
    equality_multipliers,
    equality_residual_up,
    equality_steps,
    hand_up,
    own_equalities,
)
from twin.engine.ocp_records import *
from twin.engine.ocp_values import node_slopes

FACTORED, WRONG_INERTIA, SINGULAR = 0, 1, 2
SMALLEST_PIVOT = 1e-15  # of the diagonal before the elimination


def node_hessian(m: Ocp, w: Work, n: int) -> int:
    """Write the Hessian of a node: cost, rows, bounds and regularization."""
    n_y = m.size[N_Y]
    n_x = m.size[N_X]
    kind = m.kind[n]
    jac = m.stage_jac
    hes = m.stage_hes
    nonzeros = m.size[JAC_S]
    second = m.size[HES_S]
    values = 1 + m.size[D_STAGE]
    if kind == TERMINAL_KIND:
        jac = m.terminal_jac
        hes = m.terminal_hes
        nonzeros = m.size[JAC_T]
        second = m.size[HES_T]
        values = 1 + m.size[D_TERMINAL]
    elif kind == INITIAL_KIND:
        jac = m.initial_jac
        hes = m.initial_hes
        nonzeros = m.size[JAC_I]
        second = m.size[HES_I]
        values = 1 + m.size[D_INITIAL]
    slopes = w.node_out[n]
    h = w.h[n]
    rows = n * m.size[N_ROW]
    for i in range(n_y):
        line = h[i]
        for q in range(n_y):
            line[q] = 0.0
        line[i] = w.weight[rows + i] + w.number[DELTA]
        w.done[n][i] = HELD if w.sort[rows + i] == FIXED else BY_PIVOT
    for i in range(n_x, n_y):
        h[i][i] += w.number[PROX]
    if m.has_u[n] == 0:
        for i in range(n_x, n_y):
            w.done[n][i] = HELD
    for k in range(second):
        i = hes[0][k]
        c = hes[1][k]
        value = slopes[values + nonzeros + k]
        h[i][c] += value
        if i != c:
            h[c][i] += value
    k = 0
    while k < nonzeros:
        i = jac[0][k]
        begin = k
        while k < nonzeros:
            if jac[0][k] != i:
                break
            k += 1
        if i > 0:
            weight = w.weight[rows + n_y + i - 1]
            if weight != 0.0:
                for a in range(begin, k):
                    factor = weight * slopes[values + a]
                    line = h[jac[1][a]]
                    for c in range(begin, k):
                        line[jac[1][c]] += factor * slopes[values + c]
    return 0


def eliminate(m: Ocp, w: Work, n: int) -> int:
    """Eliminate the free inputs of a node (at the root the states, too); 1 where a pivot is not positive."""
    n_y = m.size[N_Y]
    first = m.size[N_X]
    if n == 0:
        first = 0
    h = w.h[n]
    done = w.done[n]
    for k in range(first, n_y):
        w.diagonal[k] = abs(h[k][k])
    for back in range(n_y - first):
        k = n_y - 1 - back
        if done[k] == BY_PIVOT:
            row = h[k]
            pivot = row[k]
            if not (pivot > SMALLEST_PIVOT * w.diagonal[k] and pivot < 1e300):
                return 1
            inverse = 1.0 / pivot
            w.inverse[n][k] = inverse
            for i in range(k):
                factor = row[i] * inverse
                if factor != 0.0:
                    line = h[i]
                    for q in range(k):
                        line[q] -= factor * row[q]
    return 0


def factorize(m: Ocp, d: Data, w: Work, fresh: int) -> int:
    """Factors of the Newton matrix with regularization DELTA; `fresh`: the derivatives have changed."""
    nodes = m.counts[NODES]
    if fresh == 1:
        w.state[EDGES_LEFT] = m.counts[EDGES]
    for n in range(nodes):
        node_hessian(m, w, n)
        own_equalities(m, d, w, n)
    for back in range(nodes):
        n = nodes - 1 - back
        eliminate_equalities(m, d, w, n)
        if eliminate(m, w, n) != 0:
            return WRONG_INERTIA
        if n > 0:
            if n - 1 < w.state[EDGES_LEFT]:
                if factor_edge(m, d, w, n - 1) != 0:
                    return SINGULAR
                w.state[EDGES_LEFT] = n - 1
            condense_edge(m, w, n - 1)
            hand_up(m, d, w, n)
    return FACTORED


def backward(m: Ocp, d: Data, w: Work) -> int:
    """The recursion on gradients, for the residuals `cres`, `cgap`, `cval` and the pulls of the rows."""
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    nodes = m.counts[NODES]
    for n in range(nodes):
        h = w.hn[n]
        rows = n * m.size[N_ROW]
        for i in range(n_y):
            h[i] = w.pull[rows + i]
        if w.state[ELASTIC] == 1:
            for i in range(n_x, n_y):
                h[i] += w.number[PROX] * (w.u[n][i - n_x] - w.reference[n][i - n_x])
        node_slopes(m, w, n, w.cost_node[n], w.pull, rows + n_y, h)
    for back in range(nodes):
        n = nodes - 1 - back
        h = w.hn[n]
        equality_gradient(m, d, w, n, h)
        first = n_x
        if n == 0:
            first = 0
        for back_k in range(n_y - first):
            k = n_y - 1 - back_k
            if w.done[n][k] == BY_PIVOT:
                factor = h[k] * w.inverse[n][k]
                row = w.h[n][k]
                for q in range(k):
                    h[q] -= factor * row[q]
        if n > 0:
            particular(m, w, n - 1)
            edge_gradient(m, w, n - 1)
            equality_residual_up(m, d, w, n)
    return 0


def forward(m: Ocp, d: Data, w: Work) -> int:
    """Steps of all variables and of the row values, from the root to the leaves."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    at = (m.size[DEGREE] - 1) * m.size[N_V]
    for n in range(m.counts[NODES]):
        dy = w.dy[n]
        first = n_x
        if n == 0:
            first = 0
        else:
            p = m.parent[n]
            edge_steps(m, w, n - 1)
            dv = w.dv[n * m.size[ELEMENTS] - 1]
            for i in range(n_c):
                dy[i] = dv[at + i]
            for i in range(n_c, n_x):
                k = i - n_c
                dy[i] = m.carry[k][0] * w.dy[p][i] + m.carry[k][1] * w.dy[p][n_x + m.carry_input[k]] + w.b[n][i]
        for k in range(first, n_y):
            dy[k] = 0.0
        for k in range(first, n_y):
            if w.done[n][k] == BY_PIVOT:
                total = w.hn[n][k]
                row = w.h[n][k]
                for q in range(k):
                    total += row[q] * dy[q]
                dy[k] = -total * w.inverse[n][k]
        equality_steps(m, d, w, n)
        rows = n * m.size[N_ROW]
        for i in range(n_y):
            w.along[rows + i] = dy[i]
        for i in range(n_y, m.size[N_ROW]):
            w.along[rows + i] = 0.0
        node_along(m, w, n, rows + n_y)
    return 0


def node_along(m: Ocp, w: Work, n: int, rows: int) -> int:
    """Changes of the function rows of a node along its step."""
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
        i = jac[0][k]
        if i > 0:
            w.along[rows + i - 1] += w.node_out[n][values + k] * w.dy[n][jac[1][k]]
    return 0


def multipliers(m: Ocp, d: Data, w: Work) -> int:
    """Costates and multipliers of dynamics and equalities after the step."""
    n_x = m.size[N_X]
    for n in range(m.counts[NODES]):
        costate = w.costate[n]
        dy = w.dy[n]
        for i in range(n_x):
            total = w.hn[n][i]
            row = w.h[n][i]
            for k in range(n_x):
                total += row[k] * dy[k]
            costate[i] = total
        equality_multipliers(m, d, w, n)
        if n > 0:
            edge_multipliers(m, w, n - 1)
    return 0


def newton_step(m: Ocp, d: Data, w: Work) -> int:
    """Step of the primal variables for the residuals `cres`, `cgap`, `cval`, with the factors of `factorize`."""
    backward(m, d, w)
    forward(m, d, w)
    return 0
