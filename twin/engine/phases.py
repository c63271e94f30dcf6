"""The loop over phases, segments, samples of controllers and members of an ensemble. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.integrator import *
from twin.engine.linear import factor, solve
from twin.engine.records import *
from twin.engine.sensitivities import (
    cross_tangents,
    reset_tangents,
    settle_tangents,
    start_tangents,
    write_tangents_here,
)
from twin.engine.step import inputs_at, quantity, write_row


def consistent(m: Model, k: Task, w: Work, p: Vector, t: float) -> int:
    """Solve the algebraic equations for z at fixed states by damped Newton steps (affine-invariant monotony test)."""
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    if n_z == 0:
        return SUCCESS
    x = w.x[HERE]
    z = w.z[HERE]
    trial = w.z[STAGE]
    f = w.f[F0]
    d = w.f[LOAD]
    rtol = k.setting[RTOL]
    inputs_at(m, w, t)
    m.rhs(t, x, z, w.u, w.d, p, f, w.kernel)
    w.stat[CALLS] += 1
    for _ in range(50):
        m.jacobian(t, x, z, w.u, w.d, p, w.jac, w.kernel)
        w.stat[JACOBIANS] += 1
        if factor(m, w, 0.0, 1) != 0:
            return ALGEBRAIC_FAILED
        for i in range(n_x):
            f[i] = 0.0
        solve(m, w, f)
        size = newton_size(k, w, f, n_x, n_z, rtol)
        if not (size < 1e300):
            return ALGEBRAIC_FAILED
        if size <= 1e-9:
            for i in range(n_z):
                z[i] += f[n_x + i]
            return SUCCESS
        damp = 1.0
        found = 0
        while damp > 1e-6:
            for i in range(n_z):
                trial[i] = z[i] + damp * f[n_x + i]
            m.rhs(t, x, trial, w.u, w.d, p, d, w.kernel)
            w.stat[CALLS] += 1
            for i in range(n_x):
                d[i] = 0.0
            solve(m, w, d)
            new = newton_size(k, w, d, n_x, n_z, rtol)
            if new <= (1.0 - 0.25 * damp) * size:
                found = 1
                break
            # At the rounding level the correction cannot shrink further.
            if size <= 1e-3 and new <= 2.0 * size:
                for i in range(n_z):
                    z[i] = trial[i]
                return SUCCESS
            damp *= 0.5
        if found == 0:
            return ALGEBRAIC_FAILED
        for i in range(n_z):
            z[i] = trial[i]
        m.rhs(t, x, z, w.u, w.d, p, f, w.kernel)
        w.stat[CALLS] += 1
    return ALGEBRAIC_FAILED


def newton_size(k: Task, w: Work, d: Vector, n_x: int, n_z: int, rtol: float) -> float:
    """Largest correction in units of the tolerance; WORST tells where; 1e300 where one is not a number."""
    worst = 0.0
    for i in range(n_z):
        ratio = abs(d[n_x + i]) / (k.atol[n_x + i] + rtol * abs(w.z[HERE][i]))
        if not (ratio < 1e300):
            w.stat[WORST] = n_x + i
            return 1e300
        if ratio > worst:
            worst = ratio
            w.stat[WORST] = n_x + i
    return worst


def apply_resets(m: Model, k: Task, w: Work, phase: int) -> int:
    """Apply the resets of a phase to the states, in their order."""
    n_x = m.size[N_X]
    x = w.x[HERE]
    for r in range(k.phase[phase][RESET], k.phase[phase][RESET_STOP]):
        what = k.reset[r][WHAT]
        where = k.reset[r][WHERE]
        amount = k.amount[r][0]
        if k.counts[COLUMNS] > 0:
            reset_tangents(m, k, w, r)
        if what == ASSIGN:
            x[where] = amount
        elif what == BOLUS:
            old = x[where]
            new = old + amount
            for i in range(n_x):
                if k.dilutes[r][i] == 1:
                    x[i] = (x[i] * old + k.amount[r][1 + i] * amount) / new
            x[where] = new
        elif what == HARVEST:
            x[where] -= amount
        else:
            x[where] -= amount * x[where]
    return 0


def set_point(k: Task, loop: int, since: float) -> float:
    """Set-point of a controller at a time since its start."""
    rule = k.loop[loop]
    first = rule[POINT]
    stop = rule[POINT_STOP]
    if since <= k.point[first][0]:
        return k.point[first][1]
    for i in range(first + 1, stop):
        if since < k.point[i][0]:
            before = k.point[i - 1]
            if rule[LINEAR] == 0:
                return before[1]
            return before[1] + (k.point[i][1] - before[1]) * (since - before[0]) / (k.point[i][0] - before[0])
    return k.point[stop - 1][1]


def sample_loop(m: Model, k: Task, w: Work, p: Vector, loop: int, t: float) -> int:
    """One sample of a controller: measure, move the input, integrate unless a limit holds it."""
    rule = k.loop[loop]
    gain = k.gain[loop]
    state = w.loop_state[loop]
    measured = quantity(m, w, p, t, rule[LOOP_ROLE], rule[LOOP_INDEX], w.x[HERE], w.z[HERE])
    error = set_point(k, loop, t - state[LOOP_START]) - measured
    slope = 0.0
    if state[SAMPLES] > 0.0:
        slope = (measured - state[LAST]) / gain[SAMPLE]
    move = error + state[INTEGRAL] / gain[INTEGRAL_TIME] - gain[DERIVATIVE_TIME] * slope
    free = gain[BIAS] + gain[GAIN] * move
    value = min(max(free, gain[LOWER]), gain[UPPER])
    if value == free or (free - value) * gain[GAIN] * error < 0.0:
        state[INTEGRAL] += error * gain[SAMPLE]
    state[LAST] = measured
    state[SAMPLES] += 1.0
    w.v[V_START][rule[LOOP_INPUT]] = value
    w.v[V_SLOPE][rule[LOOP_INPUT]] = 0.0
    return 0


def start_segment(m: Model, k: Task, w: Work, t: float, phase: int, segment: int, start: float) -> int:
    """Take the inputs of a segment that started at `start`; inputs not given keep what they have at `t`."""
    n_v = m.size[N_U] + m.size[N_D]
    value = w.v[V_START]
    slope = w.v[V_SLOPE]
    row = k.segment[segment]
    since = t - w.clock[SEGMENT_START]
    for i in range(n_v):
        if k.kind[phase][i] == TABLE:
            value[i] = row[1 + i] + row[1 + n_v + i] * (t - start)
            slope[i] = row[1 + n_v + i]
        else:
            value[i] = value[i] + slope[i] * since
            slope[i] = 0.0
    w.clock[SEGMENT_START] = t
    inputs_at(m, w, t)
    return 0


def next_sample(k: Task, w: Work, loop: int) -> float:
    """Time of the next sample of a controller."""
    state = w.loop_state[loop]
    return state[LOOP_START] + state[SAMPLES] * k.gain[loop][SAMPLE]


def write_due(m: Model, k: Task, w: Work, p: Vector, rows: Matrix, tangents: Matrix, t: float) -> int:
    """Write the result rows that are due at the present point."""
    while w.stat[ROW] < k.counts[TIMES] and k.times[w.stat[ROW]] <= t + k.setting[TINY]:
        write_row(m, w, p, t, w.x[HERE], w.z[HERE], rows[w.stat[ROW]])
        if k.counts[COLUMNS] > 0:
            write_tangents_here(m, k, w, p, t, tangents)
        w.stat[ROW] += 1
    return 0


def run_phase(m: Model, k: Task, w: Work, p: Vector, rows: Matrix, tangents: Matrix, phase: int) -> int:
    """One phase after its resets: segments, samples and steps until it ends."""
    clock = w.clock
    tiny = k.setting[TINY]
    stop_time = k.setting[T_STOP]
    begin = clock[NOW]
    rule = k.phase[phase]
    end = min(begin + k.limit[phase][LENGTH], stop_time)
    segment = rule[SEGMENT]
    for loop in range(k.counts[PIDS]):
        if k.active[phase][loop] == STARTS:
            w.loop_state[loop][LOOP_START] = begin
            w.loop_state[loop][SAMPLES] = 0.0
            w.loop_state[loop][INTEGRAL] = 0.0
            gain = k.gain[loop]
            where = k.loop[loop][LOOP_INPUT]
            w.v[V_START][where] = min(max(gain[BIAS], gain[LOWER]), gain[UPPER])
            w.v[V_SLOPE][where] = 0.0
    changed = 1
    while True:
        t = clock[NOW]
        while segment + 1 < rule[SEGMENT_STOP] and begin + k.segment[segment + 1][0] <= t + tiny:
            segment += 1
            changed = 1
        if changed == 1:
            start_segment(m, k, w, t, phase, segment, begin + k.segment[segment][0])
            code = consistent(m, k, w, p, t)
            if code != SUCCESS:
                return code
            if k.counts[COLUMNS] > 0 and settle_tangents(m, k, w, p, t) != 0:
                return ALGEBRAIC_FAILED
        sampled = 0
        for loop in range(k.counts[PIDS]):
            if k.active[phase][loop] != OFF and next_sample(k, w, loop) <= t + tiny:
                if sampled == 0 and changed == 0:
                    # Inputs that move keep their slope; restate them from now on.
                    shift_inputs(m, w, t)
                sample_loop(m, k, w, p, loop, t)
                sampled = 1
        if sampled == 1:
            inputs_at(m, w, t)
            code = consistent(m, k, w, p, t)
            if code != SUCCESS:
                return code
        changed = 0
        if rule[END] == BY_CROSSING and past(m, k, w, p, phase, t, w.x[HERE], w.z[HERE]) >= 0.0:
            return SUCCESS
        if t >= end - tiny and end < stop_time - tiny:
            return EVENT_MISSED if rule[END] == BY_CROSSING else SUCCESS
        write_due(m, k, w, p, rows, tangents, t)
        if t >= end - tiny:
            return SUCCESS
        goal = end
        if segment + 1 < rule[SEGMENT_STOP]:
            goal = min(goal, begin + k.segment[segment + 1][0])
        for loop in range(k.counts[PIDS]):
            if k.active[phase][loop] != OFF:
                goal = min(goal, next_sample(k, w, loop))
        code = advance(m, k, w, p, rows, tangents, goal, phase)
        if code == CROSSED:
            if k.counts[COLUMNS] > 0 and cross_tangents(m, k, w, p, clock[NOW], phase) != 0:
                return NOT_FINITE
            return SUCCESS
        if code != SUCCESS:
            return code


def shift_inputs(m: Model, w: Work, t: float) -> int:
    """Let the present segment of the inputs start at `t`, with the values and slopes they have there."""
    since = t - w.clock[SEGMENT_START]
    for i in range(m.size[N_U] + m.size[N_D]):
        w.v[V_START][i] += w.v[V_SLOPE][i] * since
    w.clock[SEGMENT_START] = t
    return 0


def run_member(m: Model, k: Task, w: Work, x0: Vector, z0: Vector, p: Vector, rows: Matrix, events: Matrix,
               tangents: Matrix) -> int:
    """Simulate one member of an ensemble; returns the position of its status in ENGINE_CODES."""
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    for i in range(n_x):
        w.x[HERE][i] = x0[i]
    for i in range(n_z):
        w.z[HERE][i] = z0[i]
    for i in range(m.size[N_U] + m.size[N_D]):
        w.v[V_START][i] = k.first[i]
        w.v[V_SLOPE][i] = 0.0
    for i in range(STAT_LENGTH):
        w.stat[i] = 0
    start_tangents(m, k, w)
    clock = w.clock
    clock[NOW] = k.setting[T_START]
    clock[SEGMENT_START] = k.setting[T_START]
    code = SUCCESS
    for phase in range(k.counts[PHASES]):
        w.stat[PHASE] = phase
        clock[SIZE] = 0.0
        event = events[phase]
        event[0] = clock[NOW]
        event[1] = phase
        for i in range(n_x):
            event[2 + i] = w.x[HERE][i]
        apply_resets(m, k, w, phase)
        for i in range(n_x):
            event[2 + n_x + i] = w.x[HERE][i]
        w.stat[EVENTS] = phase + 1
        code = run_phase(m, k, w, p, rows, tangents, phase)
        if code != SUCCESS:
            return code
        if clock[NOW] >= k.setting[T_STOP] - k.setting[TINY]:
            break
    write_due(m, k, w, p, rows, tangents, clock[NOW])
    return code


def run_members(m: Model, k: Task, w: Work, first: int, stop: int, x0: Matrix, z0: Matrix, p: Matrix, rows: Cube,
                events: Cube, tangents: Cube, codes: Integers, stats: IntegerRows, ends: Matrix) -> int:
    """Simulate the members `first` to `stop` - 1; `codes` of members never begun stay as they are. Ends: t, x, z."""
    n_x = m.size[N_X]
    for member in range(first, stop):
        if w.stop[0] != 0:
            return STOPPED
        codes[member] = run_member(m, k, w, x0[member], z0[member], p[member], rows[member], events[member],
                                   tangents[member])
        for i in range(STAT_LENGTH):
            stats[member][i] = w.stat[i]
        ends[member][0] = w.clock[NOW]
        for i in range(n_x):
            ends[member][1 + i] = w.x[HERE][i]
        for i in range(m.size[N_Z]):
            ends[member][1 + n_x + i] = w.z[HERE][i]
    return SUCCESS
