"""Rodas5P in pure JAX, for gradients and batches, without LAPACK calls in loops.

Two passes: `plan` chooses the steps (adaptive, not differentiated), `follow` walks them in a scan, so that forward
mode, reverse mode and vmap all work and give the derivative of the very steps that were taken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from twin.engine import tableau
from twin.lazy import jnp

UNROLLED = 8  # up to this size elimination is written out; beyond it is a loop

Function = Callable[[Any, Any, Any], Any]


class Plan(NamedTuple):
    """The steps of one run, each of the same fixed length of arrays, so that plans can be batched.

    Attributes
    ----------
    size
        Step sizes, zero where unused, shape (max_steps,).
    start
        Start times of the steps, shape (max_steps,).
    interval
        Index of the interval between output times that a step lies in, shape (max_steps,).
    last
        Index of the last step of each interval, shape (intervals,).
    complete
        False where the steps did not suffice.
    """

    size: Any
    start: Any
    interval: Any
    last: Any
    complete: Any


def _eliminate(matrix: Any) -> Any:
    import jax

    n = matrix.shape[0]
    rows = jnp.arange(n)

    def column(k: Any, a: Any) -> Any:
        pivot = jnp.argmax(jnp.where(rows >= k, jnp.abs(a[:, k]), -1.0))
        a = a[jnp.where(rows == k, pivot, jnp.where(rows == pivot, k, rows))]
        top = a[k] / a[k, k]
        return jnp.where((rows == k)[:, None], top, a - a[:, k][:, None] * top)

    work = jnp.concatenate([matrix, jnp.eye(n, dtype=matrix.dtype)], 1)
    if n > UNROLLED:
        work = jax.lax.fori_loop(0, n, column, work)
    else:
        for k in range(n):
            work = column(k, work)
    return work[:, n:]


@functools.cache
def _inverse() -> Callable[[Any], Any]:
    import jax

    inverse = jax.custom_jvp(_eliminate)

    @inverse.defjvp
    def tangent(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
        x = inverse(primals[0])
        return x, -x @ tangents[0] @ x

    return inverse


def inverse(matrix: Any) -> Any:
    """Inverse by Gauss-Jordan elimination with partial pivoting, shape (n, n); differentiable in both modes."""
    return _inverse()(matrix)


def step(function: Function, mass: Any, t: Any, y: Any, h: Any, k: Any) -> tuple[Any, Any]:
    """One step: the new state and the error estimate, both of shape (n,).

    `function(t, y, k)` gives mass * dy/dt, `k` is the number of the interval (inputs are constant within one).
    """
    import jax

    jacobian = jax.jacfwd(function, 1)(t, y, k)
    _, slope = jax.jvp(lambda time: function(time, y, k), (t,), (jnp.ones_like(t),))
    solve = inverse(jnp.diag(mass / (h * tableau.GAMMA)) - jacobian)
    n = y.shape[0]
    rows = tuple(jnp.asarray(v) for v in (tableau.A, tableau.C, tableau.ALPHA, tableau.GAMMA_T))

    def stage(k_all: Any, row: Any) -> tuple[Any, Any]:
        i, a, c, alpha, gamma = row
        at = y + a @ k_all
        right = function(t + alpha * h, at, k) + mass * (c @ k_all) / h + h * gamma * slope
        return k_all.at[i].set(solve @ right), at

    stages, points = jax.lax.scan(stage, jnp.zeros((8, n)), (jnp.arange(8), *rows))
    return points[-1] + stages[-1], stages[-1]


def plan(function: Function, consistent: Function, mass: Any, y0: Any, times: Any, rtol: Any, atol: Any,
         max_steps: int) -> Plan:
    """Choose the steps: each interval between two `times` is walked with error control and met exactly."""
    import jax

    count = times.shape[0] - 1
    y0 = consistent(times[0], y0, 0)
    tiny = 1e-14 * jnp.maximum(jnp.abs(times[-1] - times[0]), jnp.max(jnp.abs(times)))

    def norm(error: Any, a: Any, b: Any) -> Any:
        return jnp.sqrt(jnp.mean((error / (atol + rtol * jnp.maximum(jnp.abs(a), jnp.abs(b)))) ** 2))

    def going(c: Any) -> Any:
        return (c[0] < max_steps) & (c[1] < count) & (c[4] > tiny) & (c[9] < 4 * max_steps)

    def advance(c: Any) -> Any:
        n, k, t, y, h, sizes, starts, intervals, last, tries = c
        rest = times[k + 1] - t
        end = h >= rest * (1 - 1e-12)
        used = jnp.where(end, rest, jnp.minimum(h, 0.5 * rest + 0.5 * h))
        used = jnp.where(~end & (used > 0.999 * rest), 0.5 * rest, used)
        new, error = step(function, mass, t, y, used, k)
        size = norm(error, y, new)
        good = (size <= 1.0) & jnp.all(jnp.isfinite(new))
        factor = jnp.clip(0.9 * jnp.maximum(size, 1e-10) ** -0.2, 0.2, 6.0)
        factor = jnp.where(jnp.isfinite(size), factor, 0.1)
        grown = jnp.where(good & end, jnp.maximum(h, used * factor), used * factor)
        sizes = jnp.where(good, sizes.at[n].set(used), sizes)
        starts = jnp.where(good, starts.at[n].set(t), starts)
        intervals = jnp.where(good, intervals.at[n].set(k), intervals)
        last = jnp.where(good, last.at[k].set(n), last)
        y = jnp.where(good, new, y)
        k_new = jnp.where(good & end, k + 1, k)
        t = jnp.where(good, jnp.where(end, times[k + 1], t + used), t)
        inside = jnp.minimum(k_new, count - 1)
        y = jax.lax.cond(k_new > k, lambda v: consistent(t, v, inside), lambda v: v, y)
        return n + good, k_new, t, y, grown, sizes, starts, intervals, last, tries + 1

    f0 = function(times[0], y0, 0)
    weight = atol + rtol * jnp.abs(y0)
    d0 = jnp.sqrt(jnp.mean((mass * y0 / weight) ** 2))
    d1 = jnp.sqrt(jnp.mean((mass * f0 / weight) ** 2))
    h0 = jnp.minimum(0.01 * (d0 + 1e-5) / (d1 + 1e-12), times[1] - times[0])
    zeros = jnp.zeros(max_steps)
    start = (0, 0, times[0], y0, h0, zeros, zeros, jnp.zeros(max_steps, int), jnp.zeros(count, int), 0)
    done = jax.lax.while_loop(going, advance, start)
    return Plan(done[5], done[6], done[7], done[8], done[1] == count)


def follow(function: Function, consistent: Function, mass: Any, y0: Any, chosen: Plan) -> Any:
    """Walk a plan: values at the output times, shape (times, n); NaN where the plan is not complete."""
    import jax

    y0 = consistent(chosen.start[0], y0, 0)

    def walk(y: Any, row: Any) -> Any:
        h, t, k, fresh = row
        y = jax.lax.cond(fresh & (h > 0), lambda v: consistent(t, v, k), lambda v: v, y)
        # vmap runs both branches: a small step keeps the unused one finite, and with it the gradient
        safe = jnp.where(h > 0, h, 1e-3 * chosen.size[0])
        y = jax.lax.cond(h > 0, lambda v: step(function, mass, t, v, safe, k)[0], lambda v: v, y)
        return y, y

    fresh = jnp.concatenate([jnp.zeros(1, bool), chosen.interval[1:] > chosen.interval[:-1]])
    _, rows = jax.lax.scan(jax.checkpoint(walk), y0, (chosen.size, chosen.start, chosen.interval, fresh))
    all_rows = jnp.concatenate([y0[None], rows[chosen.last]])
    return jnp.where(chosen.complete, all_rows, jnp.nan)
