"""One step of Rodas5P, its dense output, and the loop over steps up to a boundary. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.linear import factor, solve
from twin.engine.records import *
from twin.engine.tableau import ALPHA, GAMMA, GAMMA_T, A, C, H

SUCCESS, STOPPED, STEP_LIMIT, STEP_TOO_SMALL, NOT_FINITE, ALGEBRAIC_FAILED, EVENT_MISSED = 0, 1, 2, 3, 4, 5, 6
CROSSED = -1  # not an end: the crossing of the phase was found


def inputs_at(m: Model, w: Work, t: float) -> int:
    """Write inputs and disturbances at time `t` of the segment into `u` and `d`."""
    n_u = m.size[N_U]
    start = w.v[V_START]
    slope = w.v[V_SLOPE]
    since = t - w.clock[SEGMENT_START]
    for i in range(n_u):
        w.u[i] = start[i] + slope[i] * since
    for i in range(m.size[N_D]):
        w.d[i] = start[n_u + i] + slope[n_u + i] * since
    return 0


def sloped(m: Model, w: Work) -> int:
    """1 where an input or disturbance moves within the segment."""
    slope = w.v[V_SLOPE]
    for i in range(m.size[N_U] + m.size[N_D]):
        if slope[i] != 0.0:
            return 1
    return 0


def linearize(m: Model, w: Work, p: Vector, t: float, moving: int, row: int) -> int:
    """Right-hand side F0, Jacobian and time derivative F_T at a row of x and z; 1 where F0 is not finite."""
    n = m.size[N_X] + m.size[N_Z]
    n_u = m.size[N_U]
    x = w.x[row]
    z = w.z[row]
    f0 = w.f[F0]
    f_t = w.f[F_T]
    if moving == 1:
        inputs_at(m, w, t)
    m.rhs(t, x, z, w.u, w.d, p, f0, w.kernel)
    m.jacobian(t, x, z, w.u, w.d, p, w.jac, w.kernel)
    w.stat[CALLS] += 1
    w.stat[JACOBIANS] += 1
    if m.size[AUTONOMOUS] == 0:
        at = m.size[JACOBIAN] - n
        for i in range(n):
            f_t[i] = w.jac[at + i]
    elif moving == 1:
        for i in range(n):
            f_t[i] = 0.0
    if moving == 1:
        n_v = n_u + m.size[N_D]
        slope = w.v[V_SLOPE]
        m.input_jacobian(t, x, z, w.u, w.d, p, w.input_jac, w.kernel)
        for i in range(n):
            total = f_t[i]
            for j in range(n_v):
                total += w.input_jac[i * n_v + j] * slope[j]
            f_t[i] = total
    for i in range(n):
        if not (abs(f0[i]) < 1e300):
            w.stat[WORST] = i
            return 1
    return 0


def stages(m: Model, w: Work, p: Vector, t: float, h: float, moving: int) -> int:
    """The 8 stages of a step of size `h`; the new value goes into row NEW. Needs `linearize` and `factor`."""
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    x = w.x[HERE]
    z = w.z[HERE]
    xs = w.x[STAGE]
    zs = w.z[STAGE]
    f_t = w.f[F_T]
    load = w.f[LOAD]
    timed = moving == 1 or m.size[AUTONOMOUS] == 0
    for s in range(8):
        stage = w.stage[s]
        if s == 0:
            f0 = w.f[F0]
            for i in range(n_x + n_z):
                stage[i] = f0[i]
        else:
            for i in range(n_x):
                load[i] = 0.0
            if s < 6:
                for i in range(n_x):
                    xs[i] = x[i]
                for i in range(n_z):
                    zs[i] = z[i]
                for j in range(s):
                    a = A[s][j]
                    c = C[s][j]
                    u = w.stage[j]
                    for i in range(n_x):
                        xs[i] += a * u[i]
                        load[i] += c * u[i]
                    for i in range(n_z):
                        zs[i] += a * u[n_x + i]
            else:
                last = w.stage[s - 1]
                for i in range(n_x):
                    xs[i] += last[i]
                for i in range(n_z):
                    zs[i] += last[n_x + i]
                for j in range(s):
                    c = C[s][j]
                    u = w.stage[j]
                    for i in range(n_x):
                        load[i] += c * u[i]
            at = t + ALPHA[s] * h
            if moving == 1:
                inputs_at(m, w, at)
            m.rhs(at, xs, zs, w.u, w.d, p, stage, w.kernel)
            inverse = 1.0 / h
            for i in range(n_x):
                stage[i] += load[i] * inverse
        if timed and s < 5:
            weight = GAMMA_T[s] * h
            for i in range(n_x + n_z):
                stage[i] += weight * f_t[i]
        solve(m, w, stage)
    last = w.stage[7]
    for i in range(n_x):
        w.x[NEW][i] = xs[i] + last[i]
    for i in range(n_z):
        w.z[NEW][i] = zs[i] + last[n_x + i]
    w.stat[CALLS] += 7
    return 0


def error_of(m: Model, k: Task, w: Work) -> float:
    """Largest error of the step in units of the tolerance, or -1 where a number is not finite; WORST tells where."""
    n_x = m.size[N_X]
    rtol = k.setting[RTOL]
    error = w.stage[7]
    worst = 0.0
    for i in range(n_x):
        old = abs(w.x[HERE][i])
        new = abs(w.x[NEW][i])
        ratio = abs(error[i]) / (k.atol[i] + rtol * (new if new > old else old))
        if ratio > worst:
            worst = ratio
            w.stat[WORST] = i
        if not (new < 1e300 and ratio < 1e300):
            w.stat[WORST] = i
            return -1.0
    for i in range(m.size[N_Z]):
        old = abs(w.z[HERE][i])
        new = abs(w.z[NEW][i])
        ratio = abs(error[n_x + i]) / (k.atol[n_x + i] + rtol * (new if new > old else old))
        if ratio > worst:
            worst = ratio
            w.stat[WORST] = n_x + i
        if not (new < 1e300 and ratio < 1e300):
            w.stat[WORST] = n_x + i
            return -1.0
    return worst


def dense_rows(stage: Matrix, n: int) -> int:
    """Write the three rows of the dense output behind the eight stages."""
    for row in range(3):
        out = stage[8 + row]
        for i in range(n):
            out[i] = 0.0
        for j in range(8):
            weight = H[row][j]
            u = stage[j]
            for i in range(n):
                out[i] += weight * u[i]
    return 0


def dense_at(m: Model, w: Work, s: float) -> int:
    """Write states and algebraics at the fraction `s` of the step into row STAGE."""
    n_x = m.size[N_X]
    r = 1.0 - s
    k1 = w.stage[8]
    k2 = w.stage[9]
    k3 = w.stage[10]
    x = w.x[STAGE]
    z = w.z[STAGE]
    for i in range(n_x):
        x[i] = r * w.x[HERE][i] + s * (w.x[NEW][i] + r * (k1[i] + s * (k2[i] + s * k3[i])))
    for i in range(m.size[N_Z]):
        j = n_x + i
        z[i] = r * w.z[HERE][i] + s * (w.z[NEW][i] + r * (k1[j] + s * (k2[j] + s * k3[j])))
    return 0


def quantity(m: Model, w: Work, p: Vector, t: float, role: int, index: int, x: Vector, z: Vector) -> float:
    """Value of a state, algebraic or output at the point (t, x, z)."""
    if role == STATE:
        return x[index]
    if role == OUTPUT:
        inputs_at(m, w, t)
        m.outputs(t, x, z, w.u, w.d, p, w.y, w.kernel)
        return w.y[index]
    return z[index]


def write_row(m: Model, w: Work, p: Vector, t: float, x: Vector, z: Vector, row: Vector) -> int:
    """Write [x, z, y, u, d] at time `t` into a row of the result."""
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n_y = m.size[N_Y]
    n_u = m.size[N_U]
    inputs_at(m, w, t)
    for i in range(n_x):
        row[i] = x[i]
    for i in range(n_z):
        row[n_x + i] = z[i]
    at = n_x + n_z
    if n_y > 0:
        m.outputs(t, x, z, w.u, w.d, p, w.y, w.kernel)
        for i in range(n_y):
            row[at + i] = w.y[i]
    at += n_y
    for i in range(n_u):
        row[at + i] = w.u[i]
    at += n_u
    for i in range(m.size[N_D]):
        row[at + i] = w.d[i]
    return 0


def past(m: Model, k: Task, w: Work, p: Vector, phase: int, t: float, x: Vector, z: Vector) -> float:
    """How far the quantity of the phase is past its level, positive once it has crossed."""
    rule = k.phase[phase]
    return rule[SIGN] * (quantity(m, w, p, t, rule[ROLE], rule[INDEX], x, z) - k.limit[phase][LEVEL])


def crossing(m: Model, k: Task, w: Work, p: Vector, phase: int, t: float, h: float) -> float:
    """Fraction of the step at which the phase's crossing happens first, or 2 where it does not."""
    x = w.x[STAGE]
    z = w.z[STAGE]
    low = 0.0
    high = 2.0
    at_low = past(m, k, w, p, phase, t, w.x[HERE], w.z[HERE])
    at_high = at_low
    for part in range(1, 5):
        s = 0.25 * part
        dense_at(m, w, s)
        value = past(m, k, w, p, phase, t + s * h, x, z)
        if value >= 0.0:
            high = s
            at_high = value
            break
        low = s
        at_low = value
    if high > 1.0:
        return high
    tiny = 4.0 * k.setting[TINY] / h
    if tiny < 1e-13:
        tiny = 1e-13
    # Illinois iteration; every third try halves, so that the bracket always shrinks.
    tries = 0
    while high - low > tiny and at_high > 0.0 and tries < 200:
        s = 0.5 * (low + high)
        if tries % 3 != 2 and at_high > at_low:
            s = low - at_low * (high - low) / (at_high - at_low)
            if not (s > low and s < high):
                s = 0.5 * (low + high)
        dense_at(m, w, s)
        value = past(m, k, w, p, phase, t + s * h, x, z)
        if value >= 0.0:
            high = s
            at_high = value
            at_low *= 0.5
        else:
            low = s
            at_low = value
            at_high *= 0.5
        tries += 1
    return high


def first_size(m: Model, k: Task, w: Work, p: Vector, t: float, span: float) -> float:
    """Step size to start with, from the slope and its change over an Euler step (Hairer, Norsett, Wanner, II.4)."""
    n_x = m.size[N_X]
    rtol = k.setting[RTOL]
    x = w.x[HERE]
    f0 = w.f[F0]
    d0 = 0.0
    d1 = 0.0
    for i in range(n_x):
        scale = k.atol[i] + rtol * abs(x[i])
        d0 = max(d0, abs(x[i]) / scale)
        d1 = max(d1, abs(f0[i]) / scale)
    h = 1e-6 * span
    if d0 > 1e-5 and d1 > 1e-5:
        h = min(0.01 * d0 / d1, span)
    for i in range(n_x):
        w.x[STAGE][i] = x[i] + h * f0[i]
    m.rhs(t, w.x[STAGE], w.z[HERE], w.u, w.d, p, w.f[LOAD], w.kernel)
    w.stat[CALLS] += 1
    d2 = 0.0
    for i in range(n_x):
        scale = k.atol[i] + rtol * abs(x[i])
        change = abs(w.f[LOAD][i] - f0[i]) / (scale * h)
        if not (change < 1e300):
            return h * 0.01
        d2 = max(d2, change)
    most = max(d1, d2)
    if most <= 1e-15:
        return min(max(1e-6 * span, h * 1e-3), span)
    return min(min(100.0 * h, (0.01 / most) ** 0.2), span)


def advance(m: Model, k: Task, w: Work, p: Vector, rows: Matrix, goal: float, phase: int) -> int:
    """Integrate to the time `goal`, or to the crossing of the phase (code CROSSED), writing the result rows before it.

    The clock and the rows HERE hold the point where it ended. At `goal` nothing is written: the caller changes inputs first.
    """
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    tiny = k.setting[TINY]
    clock = w.clock
    stat = w.stat
    watched = k.phase[phase][END] == BY_CROSSING
    moving = sloped(m, w)
    inputs_at(m, w, clock[NOW])
    t = clock[NOW]
    if linearize(m, w, p, t, moving, HERE) != 0:
        return NOT_FINITE
    if clock[SIZE] <= 0.0:
        clock[SIZE] = first_size(m, k, w, p, t, goal - t)
    rejected = 0
    while goal - t > tiny:
        if w.stop[0] != 0:
            return STOPPED
        if stat[STEPS] + stat[REJECTED] >= k.count[MAX_STEPS]:
            return STEP_LIMIT
        wanted = clock[SIZE]
        h = wanted
        last = 0
        if h > 0.99 * (goal - t):
            h = goal - t
            last = 1
        elif h > 0.5 * (goal - t):
            h = 0.5 * (goal - t)
        if t + 0.1 * h == t:
            return NOT_FINITE if stat[NAN] == 1 else STEP_TOO_SMALL
        stat[FACTORS] += 1
        error = -1.0
        if factor(m, w, 1.0 / (GAMMA * h), 0) == 0:
            stages(m, w, p, t, h, moving)
            error = error_of(m, k, w)
        end = goal if last == 1 else t + h
        if error >= 0.0 and error <= 1.0 and last == 0 and linearize(m, w, p, end, moving, NEW) != 0:
            error = -1.0
            linearize(m, w, p, t, moving, HERE)
        if error < 0.0:
            clock[SIZE] = 0.2 * h
            rejected = 1
            stat[REJECTED] += 1
            stat[NAN] = 1
            continue
        stat[NAN] = 0
        change = 4.0
        if error > 0.0:
            change = min(4.0, max(0.15, 0.9 * error ** -0.2))
        if error > 1.0:
            clock[SIZE] = h * min(change, 0.9)
            rejected = 1
            stat[REJECTED] += 1
            continue
        stat[STEPS] += 1
        if rejected == 1:
            change = min(change, 1.0)
        rejected = 0
        # A step shortened to meet the goal says little against the size wanted before.
        clock[SIZE] = max(h * change, wanted) if h < wanted else h * change
        fraction = 2.0
        ready = 0
        if watched:
            ready = dense_rows(w.stage, n_x + n_z) + 1
            fraction = crossing(m, k, w, p, phase, t, h)
        stop = end
        if fraction <= 1.0:
            stop = t + fraction * h
        while stat[ROW] < k.count[TIMES] and k.times[stat[ROW]] < stop - tiny:
            if ready == 0:
                ready = dense_rows(w.stage, n_x + n_z) + 1
            at = k.times[stat[ROW]]
            dense_at(m, w, (at - t) / h)
            write_row(m, w, p, at, w.x[STAGE], w.z[STAGE], rows[stat[ROW]])
            stat[ROW] += 1
        if fraction <= 1.0:
            dense_at(m, w, fraction)
            for i in range(n_x):
                w.x[HERE][i] = w.x[STAGE][i]
            for i in range(n_z):
                w.z[HERE][i] = w.z[STAGE][i]
            clock[NOW] = stop
            inputs_at(m, w, stop)
            return CROSSED
        for i in range(n_x):
            w.x[HERE][i] = w.x[NEW][i]
        for i in range(n_z):
            w.z[HERE][i] = w.z[NEW][i]
        t = end
        clock[NOW] = t
    clock[NOW] = goal
    inputs_at(m, w, goal)
    return SUCCESS
