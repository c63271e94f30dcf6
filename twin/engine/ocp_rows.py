"""Bounds and constraint rows: slacks strictly between their limits, with their multipliers. Engine subset.

Row r says value_r - s_r = 0 with low < s < high. Slacks are eliminated: what remains of a row is a weight on the square
of its change and a pull. In elastic mode a row may be missed by e at a cost of OMEGA e^2 / 2.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from math import log

from twin.engine.ocp_records import *

FAR = 1e20  # a limit beyond this is none
DAMPING = 1e-5  # keeps slacks with one limit from drifting away (Waechter and Biegler 2006, section 3.7)


def condense_rows(w: Work, val: Vector) -> int:
    """Weights and pulls of the rows with values `val` at the present slacks, multipliers and barrier."""
    mu = w.number[N_MU]
    omega = w.number[OMEGA]
    elastic = w.state[ELASTIC]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        weight = 0.0
        pull = 0.0
        if w.sort[r] == INEQUALITY:
            s = w.s[r]
            lower = w.low[r] > -FAR
            upper = w.high[r] < FAR
            if lower:
                gap = s - w.low[r]
                weight = w.zl[r] / gap
                pull = -mu / gap
            if upper:
                gap = w.high[r] - s
                weight += w.zu[r] / gap
                pull += mu / gap
                if not lower:
                    pull -= DAMPING * mu
            elif lower:
                pull += DAMPING * mu
            pull += weight * (val[r] - s)
            if elastic == 1:
                share = omega / (omega + weight)
                weight *= share
                pull *= share
        elif elastic == 1 and w.sort[r] == EQUALITY:
            weight = omega
            pull = omega * (val[r] - w.low[r])
        w.weight[r] = weight
        w.pull[r] = pull
    return 0


def row_steps(w: Work, val: Vector) -> int:
    """Steps of slacks and their multipliers from the change `along` of the row values."""
    mu = w.number[N_MU]
    omega = w.number[OMEGA]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            s = w.s[r]
            step = w.along[r] + (val[r] - s)
            lower = w.low[r] > -FAR
            upper = w.high[r] < FAR
            below = 1.0
            above = 1.0
            if lower:
                below = s - w.low[r]
            if upper:
                above = w.high[r] - s
            if w.state[ELASTIC] == 1:
                sigma = 0.0
                pull = 0.0
                if lower:
                    sigma = w.zl[r] / below
                    pull = -mu / below
                if upper:
                    sigma += w.zu[r] / above
                    pull += mu / above
                    if not lower:
                        pull -= DAMPING * mu
                elif lower:
                    pull += DAMPING * mu
                step = (omega * step - pull) / (omega + sigma)
            w.ds[r] = step
            if lower:
                w.dzl[r] = (mu - w.zl[r] * step) / below - w.zl[r]
            if upper:
                w.dzu[r] = (mu + w.zu[r] * step) / above - w.zu[r]
        elif w.state[ELASTIC] == 1:
            w.y_new[r] = omega * (w.along[r] + (val[r] - w.low[r]))
    return 0


def longest_step(w: Work, tau: float) -> float:
    """Largest part of the step that keeps a share 1 - tau of each distance of the slacks to their limits."""
    alpha = 1.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            step = w.ds[r]
            room = 2.0 * FAR
            if step < 0.0 and w.low[r] > -FAR:
                room = tau * (w.s[r] - w.low[r])
            elif step > 0.0 and w.high[r] < FAR:
                room = tau * (w.high[r] - w.s[r])
            if abs(step) * alpha > room:
                alpha = room / abs(step)
    return alpha


def longest_dual_step(w: Work, tau: float) -> float:
    """Largest part of the step that keeps the multipliers positive."""
    alpha = 1.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            if w.low[r] > -FAR and w.dzl[r] < 0.0 and -w.dzl[r] * alpha > tau * w.zl[r]:
                alpha = tau * w.zl[r] / -w.dzl[r]
            if w.high[r] < FAR and w.dzu[r] < 0.0 and -w.dzu[r] * alpha > tau * w.zu[r]:
                alpha = tau * w.zu[r] / -w.dzu[r]
    return alpha


def move_multipliers(w: Work, alpha: float) -> int:
    """Take the dual step and keep each multiplier within a factor of 1e10 of mu / slack."""
    mu = w.number[N_MU]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            if w.low[r] > -FAR:
                gap = w.s[r] - w.low[r]
                w.zl[r] = min(max(w.zl[r] + alpha * w.dzl[r], mu / (1e10 * gap)), 1e10 * mu / gap)
            if w.high[r] < FAR:
                gap = w.high[r] - w.s[r]
                w.zu[r] = min(max(w.zu[r] + alpha * w.dzu[r], mu / (1e10 * gap)), 1e10 * mu / gap)
    return 0


def barrier(w: Work, s: Vector) -> float:
    """Barrier terms of the slacks `s`; not finite where one is at its limit."""
    total = 0.0
    drift = 0.0
    product = 1.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            lower = w.low[r] > -FAR
            upper = w.high[r] < FAR
            gap = 1.0
            if lower:
                gap = s[r] - w.low[r]
                if not upper:
                    drift += gap
            if upper:
                other = w.high[r] - s[r]
                if not lower:
                    drift += other
                if not (other > 0.0):
                    return 1e301
                gap *= other
            if not (gap > 0.0):
                return 1e301
            # One logarithm for many factors: a product that stays far from overflow and underflow.
            product *= gap
            if not (product > 1e-100 and product < 1e100):
                if not (product > 0.0 and product < 1e300):
                    return 1e301
                total -= log(product)
                product = 1.0
    total -= log(product)
    return w.number[N_MU] * (total + DAMPING * drift)


def missed(w: Work, val: Vector, s: Vector) -> float:
    """Sum of what the rows miss: slack minus value, target minus value."""
    total = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            total += abs(val[r] - s[r])
        else:
            total += abs(val[r] - w.low[r])
    return total


def elastic_cost(w: Work, val: Vector, s: Vector) -> float:
    """OMEGA / 2 times the sum of squares of what the rows miss."""
    total = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        miss = val[r] - w.low[r]
        if w.sort[r] == INEQUALITY:
            miss = val[r] - s[r]
        total += miss * miss
    return 0.5 * w.number[OMEGA] * total


def violation(w: Work, val: Vector) -> float:
    """Largest violation of a limit or target."""
    worst = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        value = val[r]
        if not (abs(value) < 1e300):
            return 1e300
        worst = max(worst, max(w.low[r] - value, value - w.high[r]))
    return worst
