"""Forward sensitivities: derivatives S of [x, z] with respect to parameters and initial states. Engine subset.

S is taken at a fixed time since the start of the phase; `shift` is the derivative of that start. So inputs given over
the time of a phase do not depend on the columns, and at a fixed time on the clock the derivative is S - shift d[x, z]/dt.
Each step applies the same Rosenbrock step, with the same factors, to S: its right-hand side is J S + F_q, and the
Jacobian of that with respect to (t, x, z) enters as a tangent along the stage of the step itself.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.linear import factor, solve
from twin.engine.records import *
from twin.engine.step import dense_rows, inputs_at, linearize, quantity, sloped
from twin.engine.tableau import ALPHA, GAMMA_T, A, C


def start_tangents(m: Model, k: Task, w: Work) -> int:
    """S at the very start: 1 for the initial state of a column, 0 elsewhere."""
    for c in range(k.counts[COLUMNS]):
        for i in range(m.size[N_X] + m.size[N_Z]):
            w.s[c][i] = 0.0
        if k.column[c][0] == 1:
            w.s[c][k.column[c][1]] = 1.0
        w.shift[c] = 0.0
    return 0


def load_column(m: Model, k: Task, w: Work, p: Vector, c: int) -> int:
    """Write p and the direction q of a column into the extended parameters."""
    n_p = m.size[N_P]
    at = n_p + m.size[N_X] + m.size[N_Z]
    for i in range(n_p):
        w.s_p[i] = p[i]
        w.s_p[at + i] = 0.0
    if k.column[c][0] == 0:
        w.s_p[at + k.column[c][1]] = 1.0
    return 0


def carry(m: Model, k: Task, w: Work, p: Vector, t: float, h: float, moving: int) -> int:
    """The step of size `h` from `t`, just taken by x and z, for every column; the new S goes into `s_new`."""
    n_x = m.size[N_X]
    n_z = m.size[N_Z]
    n = n_x + n_z
    n_p = m.size[N_P]
    x = w.x[HERE]
    z = w.z[HERE]
    xs = w.x[STAGE]
    zs = w.z[STAGE]
    turned = w.f[SPARE]
    for s in range(8):
        for i in range(n_x):
            xs[i] = x[i]
        for i in range(n_z):
            zs[i] = z[i]
        for j in range(s):
            a = A[s][j]
            u = w.stage[j]
            for i in range(n_x):
                xs[i] += a * u[i]
            for i in range(n_z):
                zs[i] += a * u[n_x + i]
        at = t + ALPHA[s] * h
        weight = GAMMA_T[s] * h
        for c in range(k.counts[COLUMNS]):
            load_column(m, k, w, p, c)
            old = w.s[c]
            for i in range(n):
                w.s_p[n_p + i] = old[i]
                w.s_p[2 * n_p + n + i] = w.stage[s][i]
            w.s_p[2 * n_p + 2 * n] = weight
            inputs_at(m, w, t)
            m.tangent(t, x, z, w.u, w.d, w.s_p, turned, w.kernel)
            if moving == 1 and weight != 0.0:
                add_input_slope(m, w, t, h, weight)
            for i in range(n):
                w.s_p[n_p + i] = old[i]
            for j in range(s):
                a = A[s][j]
                u = w.s_stage[c][j]
                for i in range(n):
                    w.s_p[n_p + i] += a * u[i]
            stage = w.s_stage[c][s]
            if moving == 1:
                inputs_at(m, w, at)
            m.sensitivity(at, xs, zs, w.u, w.d, w.s_p, stage, w.kernel)
            for i in range(n):
                stage[i] += turned[i]
            for j in range(s):
                ratio = C[s][j] / h
                u = w.s_stage[c][j]
                for i in range(n_x):
                    stage[i] += ratio * u[i]
            solve(m, w, stage)
            if s == 7:
                for i in range(n):
                    w.s_new[c][i] = w.s_p[n_p + i] + stage[i]
    return 0


def add_input_slope(m: Model, w: Work, t: float, h: float, weight: float) -> int:
    """Add to SPARE the change of J S + F_q with the inputs that move, a central difference over a part of the step."""
    n = m.size[N_X] + m.size[N_Z]
    part = 1e-3 * h
    ratio = weight / (2.0 * part)
    for side in range(2):
        inputs_at(m, w, t + (part if side == 0 else -part))
        m.sensitivity(t, w.x[HERE], w.z[HERE], w.u, w.d, w.s_p, w.f[LOAD], w.kernel)
        for i in range(n):
            w.f[SPARE][i] += (ratio if side == 0 else -ratio) * w.f[LOAD][i]
    inputs_at(m, w, t)
    return 0


def take_tangents(m: Model, k: Task, w: Work, s: float) -> int:
    """Move S to the fraction `s` of the step."""
    n = m.size[N_X] + m.size[N_Z]
    r = 1.0 - s
    for c in range(k.counts[COLUMNS]):
        old = w.s[c]
        new = w.s_new[c]
        if s < 1.0:
            dense_rows(w.s_stage[c], n)
            k1 = w.s_stage[c][8]
            k2 = w.s_stage[c][9]
            k3 = w.s_stage[c][10]
            for i in range(n):
                old[i] = r * old[i] + s * (new[i] + r * (k1[i] + s * (k2[i] + s * k3[i])))
        else:
            for i in range(n):
                old[i] = new[i]
    return 0


def write_tangents(m: Model, k: Task, w: Work, s: float, h: float, tangents: Matrix) -> int:
    """Write the rows of the present output time at the fraction `s` of the step of size `h`."""
    n_x = m.size[N_X]
    n = n_x + m.size[N_Z]
    columns = k.counts[COLUMNS]
    r = 1.0 - s
    for c in range(columns):
        dense_rows(w.s_stage[c], n)
        k1 = w.s_stage[c][8]
        k2 = w.s_stage[c][9]
        k3 = w.s_stage[c][10]
        out = tangents[w.stat[ROW] * columns + c]
        for i in range(n):
            out[i] = r * w.s[c][i] + s * (w.s_new[c][i] + r * (k1[i] + s * (k2[i] + s * k3[i])))
        if w.shift[c] != 0.0:
            q1 = w.stage[8]
            q2 = w.stage[9]
            q3 = w.stage[10]
            for i in range(n):
                change = w.x[NEW][i] - w.x[HERE][i] if i < n_x else w.z[NEW][i - n_x] - w.z[HERE][i - n_x]
                inner = q1[i] + s * (q2[i] + s * q3[i])
                rate = change + (r - s) * inner + s * r * (q2[i] + 2.0 * s * q3[i])
                out[i] -= w.shift[c] * rate / h
    return 0


def rates(m: Model, w: Work, p: Vector, t: float) -> int:
    """Write d[x, z]/dt at the present point into SPARE; 1 where it cannot be computed."""
    n_x = m.size[N_X]
    n = n_x + m.size[N_Z]
    moving = sloped(m, w)
    inputs_at(m, w, t)
    if linearize(m, w, p, t, moving, HERE) != 0:
        return 1
    out = w.f[SPARE]
    timed = moving == 1 or m.size[AUTONOMOUS] == 0
    for i in range(n):
        out[i] = w.f[F0][i] if i < n_x else 0.0
        if i >= n_x and timed:
            out[i] = w.f[F_T][i]
    if n > n_x:
        if factor(m, w, 0.0, 1) != 0:
            return 1
        solve(m, w, out)
    return 0


def write_tangents_here(m: Model, k: Task, w: Work, p: Vector, t: float, tangents: Matrix) -> int:
    """Write the rows of the present output time at the present point."""
    n = m.size[N_X] + m.size[N_Z]
    columns = k.counts[COLUMNS]
    known = 0
    for c in range(columns):
        out = tangents[w.stat[ROW] * columns + c]
        for i in range(n):
            out[i] = w.s[c][i]
        if w.shift[c] != 0.0:
            if known == 0:
                if rates(m, w, p, t) != 0:
                    return 1
                known = 1
            for i in range(n):
                out[i] -= w.shift[c] * w.f[SPARE][i]
    return 0


def settle_tangents(m: Model, k: Task, w: Work, p: Vector, t: float) -> int:
    """Make the algebraic part of S agree with its states; 1 where the algebraic equations are singular."""
    n_x = m.size[N_X]
    n = n_x + m.size[N_Z]
    if n == n_x:
        return 0
    inputs_at(m, w, t)
    m.jacobian(t, w.x[HERE], w.z[HERE], w.u, w.d, p, w.jac, w.kernel)
    w.stat[JACOBIANS] += 1
    if factor(m, w, 0.0, 1) != 0:
        return 1
    for c in range(k.counts[COLUMNS]):
        load_column(m, k, w, p, c)
        for i in range(n):
            w.s_p[m.size[N_P] + i] = 0.0
        m.sensitivity(t, w.x[HERE], w.z[HERE], w.u, w.d, w.s_p, w.f[LOAD], w.kernel)
        for i in range(n_x):
            w.f[LOAD][i] = w.s[c][i]
        solve(m, w, w.f[LOAD])
        for i in range(n_x, n):
            w.s[c][i] = w.f[LOAD][i]
    return 0


def output_change(m: Model, k: Task, w: Work, p: Vector, t: float, index: int, c: int, along: Vector, dt: float) -> float:
    """Derivative of an output along a direction of [x, z], of the parameter of column `c` (-1: none) and of time."""
    n_x = m.size[N_X]
    n_p = m.size[N_P]
    size = abs(dt) / (abs(t) + 1.0)
    for i in range(n_x + m.size[N_Z]):
        here = w.x[HERE][i] if i < n_x else w.z[HERE][i - n_x]
        size = max(size, abs(along[i]) / (abs(here) + k.atol[i] / k.setting[RTOL]))
    if c >= 0 and k.column[c][0] == 0:
        size = max(size, 1.0 / (abs(p[k.column[c][1]]) + 1e-12))
    if size <= 0.0:
        return 0.0
    part = 1e-5 / size
    total = 0.0
    for side in range(2):
        step = part if side == 0 else -part
        for i in range(n_x):
            w.x[STAGE][i] = w.x[HERE][i] + step * along[i]
        for i in range(m.size[N_Z]):
            w.z[STAGE][i] = w.z[HERE][i] + step * along[n_x + i]
        for i in range(n_p):
            w.s_p[i] = p[i]
        if c >= 0 and k.column[c][0] == 0:
            w.s_p[k.column[c][1]] += step
        value = quantity(m, w, w.s_p, t + step * dt, OUTPUT, index, w.x[STAGE], w.z[STAGE])
        total += value if side == 0 else -value
    inputs_at(m, w, t)
    return total / (2.0 * part)


def cross_tangents(m: Model, k: Task, w: Work, p: Vector, t: float, phase: int) -> int:
    """Let S and `shift` follow the end of a phase that a crossing decides; 1 where the crossing is tangential."""
    n_x = m.size[N_X]
    n = n_x + m.size[N_Z]
    role = k.phase[phase][ROLE]
    index = k.phase[phase][INDEX]
    if rates(m, w, p, t) != 0:
        return 1
    rate = w.f[SPARE]
    place = index if role == STATE else n_x + index
    speed = output_change(m, k, w, p, t, index, -1, rate, 1.0) if role == OUTPUT else rate[place]
    if speed == 0.0:
        return 1
    for c in range(k.counts[COLUMNS]):
        s = w.s[c]
        change = output_change(m, k, w, p, t, index, c, s, 0.0) if role == OUTPUT else s[place]
        delay = -change / speed
        for i in range(n):
            s[i] += rate[i] * delay
        w.shift[c] += delay
    return 0


def reset_tangents(m: Model, k: Task, w: Work, r: int) -> int:
    """Apply the derivative of a reset to S, before the reset itself."""
    what = k.reset[r][WHAT]
    where = k.reset[r][WHERE]
    amount = k.amount[r][0]
    x = w.x[HERE]
    for c in range(k.counts[COLUMNS]):
        s = w.s[c]
        if what == ASSIGN:
            s[where] = 0.0
        elif what == HARVEST_FRACTION:
            s[where] *= 1.0 - amount
        elif what == BOLUS:
            old = x[where]
            new = old + amount
            for i in range(m.size[N_X]):
                if k.dilutes[r][i] == 1:
                    mixed = (x[i] * old + k.amount[r][1 + i] * amount) / new
                    s[i] = (s[i] * old + x[i] * s[where] - mixed * s[where]) / new
    return 0
