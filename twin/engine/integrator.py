"""The loop over steps up to a boundary or a crossing. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.linear import factor
from twin.engine.records import *
from twin.engine.sensitivities import carry, take_tangents, write_tangents
from twin.engine.step import dense_at, dense_rows, error_of, inputs_at, linearize, quantity, sloped, stages, write_row
from twin.engine.tableau import GAMMA

SUCCESS, STOPPED, STEP_LIMIT, STEP_TOO_SMALL, NOT_FINITE, ALGEBRAIC_FAILED, EVENT_MISSED = 0, 1, 2, 3, 4, 5, 6
CROSSED = -1  # not an end: the crossing of the phase was found


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


def advance(m: Model, k: Task, w: Work, p: Vector, rows: Matrix, tangents: Matrix, goal: float, phase: int) -> int:
    """Integrate to the time `goal`, or to the crossing of the phase (code CROSSED), writing the result rows before it.

    The clock and the rows HERE hold the point where it ended. At `goal` nothing is written: the caller changes inputs
    first.
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
        if stat[STEPS] + stat[REJECTED] >= k.counts[MAX_STEPS]:
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
        if k.counts[COLUMNS] > 0:
            carry(m, k, w, p, t, h, moving)
        fraction = 2.0
        ready = 0
        if watched:
            ready = dense_rows(w.stage, n_x + n_z) + 1
            fraction = crossing(m, k, w, p, phase, t, h)
        stop = end
        if fraction <= 1.0:
            stop = t + fraction * h
        while stat[ROW] < k.counts[TIMES] and k.times[stat[ROW]] < stop - tiny:
            if ready == 0:
                ready = dense_rows(w.stage, n_x + n_z) + 1
            at = k.times[stat[ROW]]
            dense_at(m, w, (at - t) / h)
            write_row(m, w, p, at, w.x[STAGE], w.z[STAGE], rows[stat[ROW]])
            if k.counts[COLUMNS] > 0:
                write_tangents(m, k, w, (at - t) / h, h, tangents)
            stat[ROW] += 1
        if k.counts[COLUMNS] > 0:
            take_tangents(m, k, w, min(fraction, 1.0))
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
