"""First iterate: bounds and scales, guess, rollout, warm start, first multipliers. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.dense import factor_dense, solve_dense
from twin.engine.ocp_edges import fill_element
from twin.engine.ocp_filter import residuals_now
from twin.engine.ocp_records import *
from twin.engine.ocp_riccati import backward, factorize, forward, multipliers
from twin.engine.ocp_rows import FAR
from twin.engine.ocp_values import own_rows

PUSH = 1e-2  # first distance to a limit, of max(1, |limit|) and of the width
LARGEST_FIRST = 1e3  # first multipliers beyond this are taken as zero
NEWTON_MOST, HALVINGS = 40, 12


def set_rows(m: Ocp, d: Data, w: Work) -> int:
    """Scaled limits and kinds of all rows; 1 where a lower limit is above its upper one (row in state HELD_BACK)."""
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    width = m.size[N_ROW]
    count = 0
    for n in range(m.counts[NODES]):
        kind = m.kind[n]
        own = own_rows(m, kind)
        scale = m.node_scale[kind]
        for i in range(width):
            r = n * width + i
            low = limit(d.node_low[n][i], scale[i])
            high = limit(d.node_high[n][i], scale[i])
            sort = sort_of(low, high)
            if sort == EQUALITY and ((i < n_x and n == 0) or (i >= n_x and i < n_y)):
                sort = FIXED
            if i >= n_y + own or (i >= n_x and i < n_y and m.has_u[n] == 0):
                sort = ABSENT
            w.low[r] = low
            w.high[r] = high
            w.sort[r] = sort
            if sort != ABSENT and low > high:
                w.state[HELD_BACK] = r
                return 1
            if sort != ABSENT and sort != FIXED:
                w.active[count] = r
                count += 1
    width = m.size[N_ROW_P]
    for p in range(m.counts[EDGES] * m.size[POINTS]):
        last = p % m.size[POINTS] == m.size[POINTS] - 1
        for i in range(width):
            r = m.counts[FIRST_POINT_ROW] + p * width + i
            low = limit(d.point_low[p][i], m.point_scale[i])
            high = limit(d.point_high[p][i], m.point_scale[i])
            sort = sort_of(low, high)
            if last and i < m.size[N_C]:
                sort = ABSENT
            if sort == EQUALITY:  # there is no recursion for equalities between the nodes: a thin band
                low -= 1e-9
                high += 1e-9
                sort = INEQUALITY
            w.low[r] = low
            w.high[r] = high
            w.sort[r] = sort
            if sort != ABSENT and low > high:
                w.state[HELD_BACK] = r
                return 1
            if sort != ABSENT:
                w.active[count] = r
                count += 1
    w.state[ACTIVE] = count
    return 0


def limit(value: float, scale: float) -> float:
    """A scaled limit; one that is far is none."""
    if value > FAR:
        return 2.0 * FAR
    if value < -FAR:
        return -2.0 * FAR
    return value / scale


def sort_of(low: float, high: float) -> int:
    """What a row with these limits is."""
    if low == high:
        return EQUALITY
    if low < -FAR and high > FAR:
        return ABSENT
    return INEQUALITY


def inside(value: float, low: float, high: float, push: float) -> float:
    """The value moved a little away from its limits."""
    below = low > -FAR
    above = high < FAR
    if below and above:
        value = max(value, low + min(push * max(1.0, abs(low)), push * (high - low)))
        return min(value, high - min(push * max(1.0, abs(high)), push * (high - low)))
    if below:
        return max(value, low + push * max(1.0, abs(low)))
    if above:
        return min(value, high - push * max(1.0, abs(high)))
    return value


def place(w: Work, r: int, value: float, push: float) -> float:
    """A variable with its bound row: at a fixed value, or inside."""
    if w.sort[r] == FIXED:
        return w.low[r]
    if w.sort[r] == INEQUALITY:
        return inside(value, w.low[r], w.high[r], push)
    return value


def take_guess(m: Ocp, d: Data, w: Work) -> int:
    """The guess, scaled and within the bounds."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    n_z = m.size[N_Z]
    start = d.option[START]
    for n in range(m.counts[NODES]):
        rows = n * m.size[N_ROW]
        scale = m.node_scale[m.kind[n]]
        for i in range(n_x):
            w.x[n][i] = place(w, rows + i, d.guess_x[n][i] / scale[i], PUSH)
        for i in range(n_x, n_y):
            w.u[n][i - n_x] = 0.0
            if m.has_u[n] == 1:
                w.u[n][i - n_x] = place(w, rows + i, d.guess_u[n][i - n_x] / scale[i], PUSH)
    for e in range(m.counts[EDGES]):
        p = m.parent[e + 1]
        for j in range(m.size[POINTS]):
            point = e * m.size[POINTS] + j
            rows = m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P]
            part = (j // m.size[DEGREE] + m.tau[j % m.size[DEGREE]]) / m.size[ELEMENTS]
            for i in range(n_c):
                value = w.x[p][i] + part * (w.x[e + 1][i] - w.x[p][i])
                if start == FROM_POINTS:
                    value = d.guess_xp[point][i] / m.point_scale[i]
                w.xp[point][i] = place(w, rows + i, value, PUSH)
            for i in range(n_c, n_x):
                w.xp[point][i] = w.x[p][i]
            for i in range(n_z):
                w.zp[point][i] = place(w, rows + n_c + i, d.guess_zp[point][i] / m.point_scale[n_c + i], PUSH)
        last = w.xp[(e + 1) * m.size[POINTS] - 1]
        for i in range(n_c):
            last[i] = w.x[e + 1][i]
    return 0


def element_residual(m: Ocp, d: Data, w: Work, block: int, h: float, out: Vector) -> float:
    """Residual of one element for length `h`, with kernel outs for `fill_element`; its 1-norm."""
    n_c = m.size[N_C]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    e = block // m.size[ELEMENTS]
    k = block % m.size[ELEMENTS]
    p = m.parent[e + 1]
    first = block * degree
    begin = w.x[p]
    if k > 0:
        begin = w.xp[first - 1]
    y = w.multiplier
    total = 0.0
    for j in range(degree):
        point = first + j
        y[0] = (k + m.tau[j]) / m.size[ELEMENTS]
        for i in range(m.size[N_F]):
            y[1 + i] = 0.0
        t = d.t_start[e] + (k + m.tau[j]) * d.length[e] / m.size[ELEMENTS]
        m.point_all(t, w.xp[point], w.zp[point], w.u[p], y, d.p_edge[e], w.point_out[point], w.kernel)
        value = w.point_out[point]
        slope = m.slope[j + 1]
        for i in range(n_c):
            r = slope[0] * begin[i] - h * value[i]
            for q in range(degree):
                r += slope[q + 1] * w.xp[first + q][i]
            out[j * n_v + i] = r
            total += abs(r)
        for i in range(n_c, n_v):
            out[j * n_v + i] = value[i]
            total += abs(value[i])
    return total


def solve_element(m: Ocp, d: Data, w: Work, block: int, h: float) -> int:
    """Newton's method on the equations of one element from the values at hand; 1 where it fails."""
    n_c = m.size[N_C]
    n_v = m.size[N_V]
    degree = m.size[DEGREE]
    first = block * degree
    r = w.v0[block]
    before = element_residual(m, d, w, block, h, r)
    tries = 0
    while tries < NEWTON_MOST:
        if not (before < 1e300):
            return 1
        if before < 1e-11:
            return 0
        fill_element(m, w, block, h)
        if factor_dense(w.lu[block], w.lu_pivot[block], m.size[BLOCK]) != 0:
            return 1
        solve_dense(w.lu[block], w.lu_pivot[block], r, m.size[BLOCK])
        size = 0.0
        for i in range(m.size[BLOCK]):
            w.dv[block][i] = r[i]
            size = max(size, abs(r[i]))
        alpha = 1.0
        found = 0
        halved = 0
        while halved < HALVINGS:
            for j in range(degree):
                for i in range(n_c):
                    w.xp[first + j][i] -= alpha * w.dv[block][j * n_v + i]
                for i in range(n_c, n_v):
                    w.zp[first + j][i - n_c] -= alpha * w.dv[block][j * n_v + i]
            after = element_residual(m, d, w, block, h, r)
            if after <= (1.0 - 0.1 * alpha) * before or (after < 1e-8 and size < 1e-8):
                found = 1
                break
            for j in range(degree):
                for i in range(n_c):
                    w.xp[first + j][i] += alpha * w.dv[block][j * n_v + i]
                for i in range(n_c, n_v):
                    w.zp[first + j][i - n_c] += alpha * w.dv[block][j * n_v + i]
            alpha *= 0.5
            halved += 1
        if found == 0:
            return 1
        before = after
        if size < 1e-10 and before < 1e-8:
            return 0
        tries += 1
    return 1


def spread(m: Ocp, w: Work, block: int) -> int:
    """The points of an element take the states at its beginning."""
    e = block // m.size[ELEMENTS]
    first = block * m.size[DEGREE]
    begin = w.x[m.parent[e + 1]]
    if block % m.size[ELEMENTS] > 0:
        begin = w.xp[first - 1]
    for j in range(m.size[DEGREE]):
        for i in range(m.size[N_X]):
            w.xp[first + j][i] = begin[i]
    return 0


def rollout(m: Ocp, d: Data, w: Work) -> int:
    """Simulate the collocation equations from the root's states with the inputs at hand; number of elements that failed.

    An element that Newton's method cannot solve at once is reached over shorter ones.
    """
    n_c = m.size[N_C]
    failed = 0
    for e in range(m.counts[EDGES]):
        p = m.parent[e + 1]
        for i in range(m.size[N_K]):
            w.x[e + 1][n_c + i] = m.carry[i][0] * w.x[p][n_c + i] + m.carry[i][1] * w.u[p][m.carry_input[i]]
        h = d.length[e] / m.size[ELEMENTS]
        for k in range(m.size[ELEMENTS]):
            block = e * m.size[ELEMENTS] + k
            spread(m, w, block)
            if solve_element(m, d, w, block, h) != 0:
                part = 1.0 / 64.0
                good = 1
                spread(m, w, block)
                while part < 1.0 and good == 1:
                    if solve_element(m, d, w, block, part * h) != 0:
                        good = 0
                    part *= 1.6
                if good == 0 or solve_element(m, d, w, block, h) != 0:
                    spread(m, w, block)
                    failed += 1
        last = w.xp[(e + 1) * m.size[POINTS] - 1]
        for i in range(n_c):
            w.x[e + 1][i] = last[i]
    return failed


def first_slacks(w: Work, push: float) -> int:
    """Slacks at the values of their rows, moved inside; all limits pull alike."""
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            w.s[r] = inside(w.val[r], w.low[r], w.high[r], push)
            w.zl[r] = 0.0
            w.zu[r] = 0.0
            if w.low[r] > -FAR:
                w.zl[r] = 1.0
            if w.high[r] < FAR:
                w.zu[r] = 1.0
    return 0


def clear_multipliers(m: Ocp, w: Work) -> int:
    """Multipliers of dynamics and equalities become zero."""
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.lam[b][i] = 0.0
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_K]):
            w.kap[n][i] = 0.0
    for r in range(m.counts[ROWS]):
        w.y[r] = 0.0
    return 0


def first_multipliers(m: Ocp, d: Data, w: Work) -> int:
    """Multipliers of dynamics and equalities by least squares; zero where they come out too large. Needs `differentiate`."""
    for n in range(m.counts[NODES]):
        nonzeros = m.size[JAC_S]
        second = m.size[HES_S]
        values = 1 + m.size[D_STAGE]
        if m.kind[n] == TERMINAL_KIND:
            nonzeros = m.size[JAC_T]
            second = m.size[HES_T]
            values = 1 + m.size[D_TERMINAL]
        elif m.kind[n] == INITIAL_KIND:
            nonzeros = m.size[JAC_I]
            second = m.size[HES_I]
            values = 1 + m.size[D_INITIAL]
        for k in range(second):
            w.node_out[n][values + nonzeros + k] = 0.0
    for p in range(m.counts[EDGES] * m.size[POINTS]):
        for k in range(m.size[HES_P]):
            w.point_out[p][m.size[N_F] + m.size[JAC_P] + k] = 0.0
    for r in range(m.counts[ROWS]):
        w.weight[r] = 0.0
        w.pull[r] = 0.0
    residuals_now(m, w)
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.cres[b][i] = 0.0
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_K]):
            w.cgap[n][i] = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        w.cval[r] = w.low[r]
        if w.sort[r] == INEQUALITY:
            w.pull[r] = w.zu[r] - w.zl[r]
    w.number[DELTA] = 1.0
    found = factorize(m, d, w, 1)
    w.number[DELTA] = 0.0
    if found != 0:
        return 1
    backward(m, d, w)
    forward(m, d, w)
    multipliers(m, d, w)
    largest = 0.0
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            largest = max(largest, abs(w.lam_new[b][i]))
            if not (abs(w.lam_new[b][i]) < 1e300):
                return 1
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == EQUALITY:
            largest = max(largest, abs(w.y_new[r]))
    if largest > LARGEST_FIRST:
        return 1
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.lam[b][i] = w.lam_new[b][i]
    for n in range(1, m.counts[NODES]):
        for i in range(m.size[N_K]):
            w.kap[n][i] = w.kap_new[n][i]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == EQUALITY:
            w.y[r] = w.y_new[r]
    return 0
