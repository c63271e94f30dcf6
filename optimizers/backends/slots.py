"""A plan on a grid of time slots as a mixed-integer program: starts of tasks and the power states of units, for HiGHS.

x(task, mode, t) = 1: the task starts at slot t. A unit with power states is in each slot off, standing ready, running a task,
or on the way between off and ready. The optimum over whole sequences of states: pricing each gap between two tasks on its own,
idle or off, misses that the first switching on and the last switching off depend on the prices too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optimizers.backends.milp import Milp
from optimizers.schedule import bounds
from optimizers.schedule.answer import Answer
from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Placed
from twin import errors


def run(plan: Schedule, *, max_seconds: float | None = None, seed: int = 0, gap: float = 0.0) -> Answer:
    """Solve a plan whose units have power states."""
    import numpy as np

    _refuse(plan)
    m, goal = Milp(), plan.aims
    steps = round(plan.end_of_time / plan.step)
    spans = bounds.windows(plan)
    hours = plan.step * plan.hours
    price = np.asarray([*plan.prices[:steps], *([0.0] * (steps - len(plan.prices)))], float) * hours * goal.energy
    fixed = {p.task: p for p in plan.fixed}
    busy: dict[str, list[list[int]]] = {u.name: [[] for _ in range(steps)] for u in plan.units}
    power: list[list[tuple[int, float]]] = [[] for _ in range(steps)]
    starts: dict[str, list[tuple[int, int, int]]] = {}
    for name, task in plan.tasks.items():
        early, late = (round(t / plan.step) for t in spans[name])
        own: list[tuple[int, int, int]] = []
        for k, mode in enumerate(task.ways):
            length = round(mode.duration / plan.step)
            shut = {t for w in plan.unit_of[mode.unit].closed
                    for t in range(round(w.start / plan.step), round(w.end / plan.step))}
            for t in range(early, late - length + 1):
                elsewhere = name in fixed and (fixed[name].mode, round(fixed[name].start / plan.step)) != (k, t)
                if elsewhere or shut.intersection(range(t, t + length)):
                    continue
                cost = mode.power * float(price[t:t + length].sum()) + goal.modes * mode.cost
                (x,) = m.add(1, 0, 1, cost, integer=True)
                own.append((int(x), k, t))
                for slot in range(t, t + length):
                    busy[mode.unit][slot].append(int(x))
                    power[slot].append((int(x), mode.power))
        starts[name] = own
        m.row(1, 1, [x for x, _, _ in own], 1.0)
    for unit in plan.units:
        _states(m, unit, busy[unit.name], price, steps, plan) if unit.states else _one_at_a_time(m, busy[unit.name])
    _links(m, plan, starts)
    _dates(m, plan, starts, steps)
    if plan.power_limit is not None:
        for slot, terms in enumerate(power):
            limit = plan.power_limit[slot] if isinstance(plan.power_limit, Sequence) else plan.power_limit
            if terms:
                m.row(-np.inf, limit, [x for x, _ in terms], [p for _, p in terms])
    answer = m.solve(max_seconds=max_seconds, seed=seed, gap=gap)
    placed: list[Placed] = []
    if answer.x is not None:
        for name, own in starts.items():
            x, k, t = max(own, key=lambda e: answer.x[e[0]])
            mode = plan.tasks[name].ways[k]
            placed.append(Placed(name, mode.unit, t * plan.step, t * plan.step + mode.duration, k))
    return Answer(answer.status, tuple(placed), answer.objective, answer.bound, "HiGHS",
                  {"nodes": answer.nodes, "solve_s": answer.seconds})


def _refuse(plan: Schedule) -> None:
    goal = plan.aims
    there = {"campaigns": plan.campaigns, "crews": plan.crews, "buffers": plan.buffers,
             "changeovers": any(u.changeover for u in plan.units),
             "a price for changes": plan.change_cost, "transfer times": any(k.transfer for k in plan.all_links),
             "waiting in the goal": goal.waiting, "earliness in the goal": goal.earliness, "flow in the goal": goal.flow}
    found = [name for name, value in there.items() if value]
    if found:
        raise errors.SpecError(f"Units with power states do not go together with {', '.join(found)}. Leave one of them out.")


def _one_at_a_time(m: Milp, busy: list[list[int]]) -> None:
    for own in busy:
        if len(own) > 1:
            m.row(-float("inf"), 1, own, 1.0)


def _states(m: Milp, unit: Any, busy: list[list[int]], price: Any, steps: int, plan: Schedule) -> None:
    """Off, ready, busy, switching on or off: exactly one in each slot; the unit is off before and after the plan."""
    import numpy as np

    s = unit.states
    on, off = round(s.on_time / plan.step), round(s.off_time / plan.step)

    def begin_cost(power: float, length: int) -> Any:
        return np.array([power * price[t:t + length].sum() for t in range(steps)])

    down = m.add(steps, 0, 1, 0.0)
    ready = m.add(steps, 0, 1, s.idle * price)
    up_starts = m.add(steps, 0, [1.0 if t + on < steps else 0.0 for t in range(steps)], begin_cost(s.on_power, on), integer=True)
    down_starts = m.add(steps + 1, 0, [1.0 if t + off <= steps else 0.0 for t in range(steps + 1)],
                        np.append(begin_cost(s.off_power, off), 0.0), integer=True)
    for t in range(steps):
        switching = [int(up_starts[k]) for k in range(max(0, t - on + 1), t + 1) if on] + [
            int(down_starts[k]) for k in range(max(0, t - off + 1), t + 1) if off]
        m.row(1, 1, [down[t], ready[t], *switching, *busy[t]], 1.0)
        # What is off stays off until it begins to switch on; it is off again when switching off has ended.
        ended = [int(down_starts[t - off])] if t >= off else []
        before, side = ([int(down[t - 1])], 0.0) if t else ([], 1.0)
        terms = [int(down[t]), *before, int(up_starts[t]), *ended]
        m.row(side, side, terms, [1.0] + [-1.0] * len(before) + [1.0] + [-1.0] * len(ended))
    last = [int(down_starts[steps - off])] if off <= steps else []
    m.row(1, 1, [int(down[steps - 1]), *last], 1.0)


def _links(m: Milp, plan: Schedule, starts: dict[str, list[tuple[int, int, int]]]) -> None:
    """Time of a start and an end as sums over the slots; strong form: whoever starts by t has a predecessor that ended by
    then.
    """
    for link in plan.all_links:
        before, after = starts[link.before], starts[link.after]
        low = round(link.min_wait / plan.step)
        lengths = [round(mode.duration / plan.step) for mode in plan.tasks[link.before].ways]
        for t in sorted({t for _, _, t in after}):
            late = [x for x, k, b in before if b + lengths[k] + low > t]
            early = [x for x, _, a in after if a <= t]
            if late and early:
                m.row(-float("inf"), 1, [*late, *early], 1.0)
        if link.max_wait is not None:
            high = round(link.max_wait / plan.step)
            for t in sorted({t for _, _, t in before}):
                soon = [x for x, k, b in before if b + lengths[k] <= t + lengths[0]]
                tardy = [x for x, _, a in after if a > t + lengths[0] + high]
                if soon and tardy:
                    m.row(-float("inf"), 1, [*soon, *tardy], 1.0)


def _dates(m: Milp, plan: Schedule, starts: dict[str, list[tuple[int, int, int]]], steps: int) -> None:
    """Makespan and tardiness."""
    goal, step = plan.aims, plan.step
    ends = {n: ([x for x, _, _ in own], [t + round(plan.tasks[n].ways[k].duration / step) for _, k, t in own]) for n,
            own in starts.items()}
    if goal.makespan:
        (z,) = m.add(1, 0, steps, goal.makespan * step)
        for xs, times in ends.values():
            m.row(0, float("inf"), [int(z), *xs], [1.0, *(-float(t) for t in times)])
    if goal.tardiness:
        for order in plan.orders:
            if order.due is not None and order.weight:
                (late,) = m.add(1, 0, None, goal.tardiness * order.weight * step)
                for task in order.tasks:
                    xs, times = ends[f"{order.name}/{task.name}"]
                    m.row(-order.due / step, float("inf"), [int(late), *xs], [1.0, *(-float(t) for t in times)])
