"""One step of Rodas5P and its dense output. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.linear import solve
from twin.engine.records import *
from twin.engine.tableau import ALPHA, GAMMA_T, A, C, H


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
