"""Where the line search fails: simulation with the inputs at hand, then least violation with exact dynamics. Engine subset.

In elastic mode the cost is OMEGA / 2 times the squares of what bounds and rows miss; the dynamics stay equations, so that a
stationary point names limits in conflict, never a residual of the transcription.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_errors import measure, new_filter, set_costs
from twin.engine.ocp_filter import (
    add_to_filter,
    dynamics_missed,
    filtered,
    infeasibility,
    make_trial,
    merit,
    take_trial,
)
from twin.engine.ocp_records import *
from twin.engine.ocp_rows import FAR, violation
from twin.engine.ocp_start import clear_multipliers, first_multipliers, first_slacks, rollout
from twin.engine.ocp_values import differentiate, evaluate

GOES_ON, FAILED = -1, 5
PUSH_BACK = 1e-2
MOST_RESTORATIONS = 60


def reset_bounds(w: Work) -> int:
    """Multipliers of the limits from the slacks: mu / distance."""
    mu = w.number[N_MU]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            if w.low[r] > -FAR:
                w.zl[r] = min(mu / (w.s[r] - w.low[r]), 1e3)
            if w.high[r] < FAR:
                w.zu[r] = min(mu / (w.high[r] - w.s[r]), 1e3)
    return 0


def go_on_from(m: Ocp, d: Data, w: Work) -> int:
    """Go on with the problem itself from a restored point, whose cost and residuals are at hand."""
    reset_bounds(w)
    clear_multipliers(m, w)
    differentiate(m, d, w)
    first_multipliers(m, d, w)
    measure(m, w)
    w.state[TINY_STEPS] = 0
    return 0


def restore(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """The line search failed: simulate with the inputs at hand, and if that is not enough, minimize the violation."""
    out.stat[RESTORATIONS] += 1
    if out.stat[RESTORATIONS] > MOST_RESTORATIONS:
        return FAILED
    theta = w.number[THETA]
    if w.state[ELASTIC] == 0:
        add_to_filter(w, theta, w.number[PHI])
        w.number[THETA_REFERENCE] = theta
    # The trial keeps the iterate while the rollout is tried.
    for k in range(w.state[ACTIVE]):
        w.ds[w.active[k]] = 0.0
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_Y]):
            w.dy[n][i] = 0.0
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            w.dv[b][i] = 0.0
    make_trial(m, w, 0.0)
    before = dynamics_missed(m, w.res, w.gap)
    rollout(m, d, w)
    cost = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
    after = dynamics_missed(m, w.res, w.gap)
    if not (abs(cost) < 1e300 and after < 0.9 * before and violation(w, w.val) < 1e300):
        for k in range(w.state[ACTIVE]):
            w.ts[w.active[k]] = w.s[w.active[k]]
        cost = evaluate(m, d, w, w.tx, w.tu, w.txp, w.tzp, w.tres, w.tgap, w.tval)
        take_trial(m, w)
        if w.state[ELASTIC] == 1:
            return FAILED  # the dynamics cannot be met, neither by Newton steps nor by simulation
    w.number[COST] = cost
    first_slacks(w, PUSH_BACK)
    if w.state[ELASTIC] == 0:
        measure(m, w)
        if w.number[THETA] <= 0.9 * theta and filtered(w, w.number[THETA], w.number[PHI]) == 0:
            go_on_from(m, d, w)
            return GOES_ON
        begin_elastic(m, d, w)
    start_elastic(m, w)
    return GOES_ON


def begin_elastic(m: Ocp, d: Data, w: Work) -> int:
    """Leave the problem itself; its filter and barrier parameter are kept."""
    w.state[FILTERED_MAIN] = w.state[FILTERED]
    w.number[MU_MAIN] = w.number[N_MU]
    w.number[MOST_MAIN] = w.number[THETA_MOST]
    w.number[SMALL_MAIN] = w.number[THETA_SMALL]
    w.state[ELASTIC] = 1
    w.state[ELASTIC_TIMES] += 1
    w.number[OMEGA] = 1e3
    w.number[N_MU] = max(w.number[N_MU], min(0.1, violation(w, w.val)))
    w.number[PROX] = 1e-2 * w.number[N_MU] ** 0.5
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_U]):
            w.reference[n][i] = w.u[n][i]
    set_costs(m, d, w, 0.0)
    return 0


def start_elastic(m: Ocp, w: Work) -> int:
    """Multipliers and filter of the elastic mode at the point at hand."""
    w.number[COST] = 0.0
    clear_multipliers(m, w)
    reset_bounds(w)
    set_elastic_targets(w)
    measure(m, w)
    new_filter(w)
    w.number[DELTA_LAST] = 0.0
    return 0


def set_elastic_targets(w: Work) -> int:
    """In elastic mode the multiplier of an equality is its miss times OMEGA."""
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == EQUALITY:
            w.y[r] = w.number[OMEGA] * (w.val[r] - w.low[r])
    return 0


def try_to_return(m: Ocp, d: Data, w: Work, factor: float) -> int:
    """Leave the elastic mode where the filter of the problem itself takes the point; 1 where it does."""
    w.state[ELASTIC] = 0
    theta = infeasibility(m, w, w.res, w.gap, w.val, w.s)
    # A problem that needs this again and again is probably infeasible: each time it must come closer before it may return.
    if theta <= 9.0 * 0.1 ** w.state[ELASTIC_TIMES] * w.number[THETA_REFERENCE]:
        set_costs(m, d, w, factor)
        cost = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
        mu = w.number[N_MU]
        count = w.state[FILTERED]
        w.number[N_MU] = w.number[MU_MAIN]
        w.state[FILTERED] = w.state[FILTERED_MAIN]
        phi = merit(m, w, cost, w.u, w.val, w.s)
        if abs(phi) < 1e300 and filtered(w, theta, phi) == 0:
            w.number[COST] = cost
            w.number[THETA_MOST] = w.number[MOST_MAIN]
            w.number[THETA_SMALL] = w.number[SMALL_MAIN]
            w.number[OMEGA] = 0.0
            w.number[PROX] = 0.0
            w.number[DELTA_LAST] = 0.0
            go_on_from(m, d, w)
            return 1
        w.number[N_MU] = mu
        w.state[FILTERED] = count
        set_costs(m, d, w, 0.0)
    w.state[ELASTIC] = 1
    return 0
