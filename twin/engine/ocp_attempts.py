"""How a solve begins, and begins again elsewhere where it led nowhere. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_answers import keep_answer, recenter, take_answer
from twin.engine.ocp_errors import largest_slope, measure, new_filter, set_costs
from twin.engine.ocp_filter import dynamics_missed
from twin.engine.ocp_records import *
from twin.engine.ocp_restoration import GOES_ON, begin_elastic, start_elastic
from twin.engine.ocp_rows import FAR, violation
from twin.engine.ocp_start import clear_multipliers, first_multipliers, first_slacks, place, rollout, set_rows, take_guess
from twin.engine.ocp_values import differentiate, evaluate

INFEASIBLE, NOT_FINITE = 4, 6
PUSH_FIRST = 1e-2
MU_AGAIN, MU_WARM_AGAIN = 0.1, 1e-4


def begin(m: Ocp, d: Data, w: Work, warm: Answer, out: Answer) -> int:
    """The first iterate with its multipliers, filter and scale of the cost."""
    for i in range(STATE_LENGTH):
        w.state[i] = 0
    for i in range(NUMBER_LENGTH):
        w.number[i] = 0.0
    for i in range(STAT_LENGTH):
        out.stat[i] = 0
    for i in range(INFO_LENGTH):
        out.info[i] = 0.0
    out.info[FACTOR] = 1.0
    if set_rows(m, d, w) != 0:
        out.stat[WORST_ROW] = w.state[HELD_BACK]
        out.info[VIOLATION] = w.low[w.state[HELD_BACK]] - w.high[w.state[HELD_BACK]]
        return INFEASIBLE
    clear_multipliers(m, w)
    w.number[N_MU] = d.setting[MU_START]
    if d.option[START] != FROM_ANSWER:
        take_guess(m, d, w)
        if d.option[START] == FROM_ROLLOUT:
            rollout(m, d, w)
        return fresh(m, d, w, out)
    return go_on_from_answer(m, d, w, warm, out)


def go_on_from_answer(m: Ocp, d: Data, w: Work, warm: Answer, out: Answer) -> int:
    """An old answer with its multipliers, moved to the barrier parameter at hand."""
    take_answer(m, d, w, warm)
    recenter(w)
    out.info[FACTOR] = warm.info[FACTOR]
    set_costs(m, d, w, warm.info[FACTOR])
    w.number[COST] = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
    if not finite(m, w):
        return NOT_FINITE
    measure(m, w)
    new_filter(w)
    return GOES_ON


def finite(m: Ocp, w: Work) -> int:
    """1 where cost, dynamics and rows of the iterate are finite."""
    if abs(w.number[COST]) < 1e300 and dynamics_missed(m, w.res, w.gap) < 1e300 and violation(w, w.val) < 1e300:
        return 1
    return 0


def fresh(m: Ocp, d: Data, w: Work, out: Answer) -> int:
    """Slacks, multipliers, filter and scale of the cost for the variables at hand."""
    out.info[FACTOR] = 1.0
    set_costs(m, d, w, 1.0)
    clear_multipliers(m, w)
    w.number[COST] = evaluate(m, d, w, w.x, w.u, w.xp, w.zp, w.res, w.gap, w.val)
    if not finite(m, w):
        return NOT_FINITE
    first_slacks(w, PUSH_FIRST)
    differentiate(m, d, w)
    most = largest_slope(m, w)
    if most > 100.0:
        out.info[FACTOR] = max(1e-8, 100.0 / most)
        set_costs(m, d, w, out.info[FACTOR])
        w.number[COST] *= out.info[FACTOR]
    first_multipliers(m, d, w)
    measure(m, w)
    new_filter(w)
    return GOES_ON


def try_again(m: Ocp, d: Data, w: Work, warm: Answer, out: Answer, code: int) -> int:
    """Start elsewhere if attempts are left: from the old answer with a larger barrier parameter, from a simulation with its
    inputs, those of the guess, near their lower limits, in their middle. Of stationary points of the violation the one
    with the least is kept."""
    if code == INFEASIBLE:
        worst = violation(w, w.val)
        if w.state[STATIONARY] == 0 or worst < w.number[LEAST_VIOLATION]:
            w.number[LEAST_VIOLATION] = worst
            if w.state[HAS_BEST] == 0:
                keep_answer(m, w, out)
        w.state[STATIONARY] = 1
    factor = out.info[FACTOR]
    while w.state[ATTEMPT] < d.option[ATTEMPTS]:
        w.state[ATTEMPT] += 1
        out.stat[FURTHER_STARTS] += 1
        way = w.state[ATTEMPT]
        if d.option[START] == FROM_ANSWER:
            way -= 2
        w.state[ELASTIC] = 0
        w.state[ELASTIC_TIMES] = 0
        w.state[TINY_STEPS] = 0
        w.state[SHORT] = 0
        w.state[BEGAN] = out.stat[ITERATIONS]
        w.number[PROX] = 0.0
        w.number[OMEGA] = 0.0
        w.number[DELTA_LAST] = 0.0
        w.number[N_MU] = MU_AGAIN
        if way < 0:
            w.number[N_MU] = MU_WARM_AGAIN
            clear_multipliers(m, w)
            if go_on_from_answer(m, d, w, warm, out) == GOES_ON:
                return GOES_ON
            continue
        if way == 0:
            take_answer(m, d, w, warm)
            place_inputs(m, w)
        else:
            take_guess(m, d, w)
            if way == 2:
                inputs_at_part(m, w, 0.02)
            elif way > 2:
                inputs_at_part(m, w, 0.5)
        rollout(m, d, w)
        if fresh(m, d, w, out) == GOES_ON:
            w.number[BEST_COST] *= out.info[FACTOR] / factor
            if w.state[STATIONARY] == 1:  # first of all see whether there is a feasible point
                w.number[THETA_REFERENCE] = w.number[THETA]
                w.state[ELASTIC_TIMES] = 1
                begin_elastic(m, d, w)
                start_elastic(m, w)
            return GOES_ON
    out.info[FACTOR] = factor
    return code


def place_inputs(m: Ocp, w: Work) -> int:
    """Inputs (and free states of the root) moved inside their limits."""
    for n in range(m.counts[NODES]):
        rows = n * m.size[N_ROW]
        if m.has_u[n] == 1:
            for i in range(m.size[N_U]):
                w.u[n][i] = place(w, rows + m.size[N_X] + i, w.u[n][i], PUSH_FIRST)
    for i in range(m.size[N_X]):
        w.x[0][i] = place(w, i, w.x[0][i], PUSH_FIRST)
    return 0


def inputs_at_part(m: Ocp, w: Work, part: float) -> int:
    """Inputs with two limits at this part of the way between them."""
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_U]):
            r = n * m.size[N_ROW] + m.size[N_X] + i
            if w.sort[r] == INEQUALITY and w.low[r] > -FAR and w.high[r] < FAR:
                w.u[n][i] = w.low[r] + part * (w.high[r] - w.low[r])
    return 0
