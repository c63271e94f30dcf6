"""The independent checker: replays a plan event by event on the statement of the problem, knowing nothing of any engine."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from optimizers.schedule.plant import Unit
from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Placed

SLACK = 1e-6  # of a step: only floating-point noise is forgiven


@dataclasses.dataclass(frozen=True, eq=False)
class Replay:
    """What a plan does when it is carried out.

    Attributes
    ----------
    placed
        Tasks in order of their start.
    violated
        Sentences about limits that it breaks.
    costs
        Parts of the objective by name.
    objective
        Their weighted sum.
    late
        Time after the due date by order; 0 for those in time.
    """

    placed: Sequence[Placed]
    violated: Sequence[str]
    costs: Mapping[str, float]
    objective: float
    late: Mapping[str, float]


def replay(plan: Schedule, placed: Sequence[Placed]) -> Replay:
    """Check every constraint of a plan and add up its costs, with a code path of its own.

    Parameters
    ----------
    plan
        The statement of the problem.
    placed
        Where every task is.

    Returns
    -------
    Replay
        Sentences about everything that the plan breaks, and its costs.

    Examples
    --------
    >>> from optimizers import Schedule
    >>> from optimizers.schedule import Order, Placed, Task, Unit
    >>> plan = Schedule([Unit("saw")], [Order("A", [Task("cut", {"saw": 3})], release=2)])
    >>> replay(plan, [Placed("A/cut", "saw", 0, 3)]).violated
    ("'A/cut' starts at 0, before 2 min.",)
    """
    rows = sorted(placed, key=lambda p: (p.start, p.end, p.task))
    violated = list(violations(plan, rows))
    costs, late = costs_of(plan, rows) if len({p.task for p in rows} & set(plan.tasks)) == len(plan.tasks) else ({}, {})
    goal = plan.aims
    weights = {"makespan": goal.makespan, "tardiness": goal.tardiness, "earliness": goal.earliness, "waiting": goal.waiting,
               "flow": goal.flow, "energy": goal.energy, "changeover": goal.changeover, "modes": goal.modes, "changes": 1.0}
    return Replay(tuple(rows), tuple(violated), costs, sum(weights[k] * v for k, v in costs.items()), late)


def violations(plan: Schedule, rows: Sequence[Placed]) -> Iterator[str]:
    """Sentences about everything that the plan breaks."""
    eps = SLACK * plan.step
    yield from _presence(plan, rows)
    at = {p.task: p for p in rows}
    known = [p for p in rows if p.task in plan.tasks]
    for p in known:
        order = plan.order_of[p.task]
        frozen = any(f.task == p.task for f in plan.fixed)
        if p.start < max(order.release, plan.now) - eps and not frozen:
            yield f"'{p.task}' starts at {p.start:g}, before {max(order.release, plan.now):g} {plan.time_unit}."
        if order.deadline is not None and p.end > order.deadline + eps:
            yield f"'{p.task}' ends at {p.end:g}, after the deadline {order.deadline:g} {plan.time_unit} of '{order.name}'."
        if p.end > plan.end_of_time + eps:
            yield f"'{p.task}' ends at {p.end:g}, after the horizon {plan.end_of_time:g} {plan.time_unit}."
    for f in plan.fixed:
        if f.task in at and (at[f.task].unit != f.unit or abs(at[f.task].start - f.start) > eps):
            yield (f"'{f.task}' was fixed to '{f.unit}' at {f.start:g} and is on '{at[f.task].unit}' at {at[f.task].start:g} "
                   f"{plan.time_unit}.")
    for unit in plan.units:
        yield from _unit(plan, unit.name, [p for p in known if p.unit == unit.name], eps)
    yield from _links(plan, at, eps)
    yield from _campaigns(plan, at, known, eps)
    yield from _shared(plan, known, at, eps)


def _presence(plan: Schedule, rows: Sequence[Placed]) -> Iterator[str]:
    count: dict[str, int] = defaultdict(int)
    for p in rows:
        count[p.task] += 1
        task = plan.tasks.get(p.task)
        if task is None:
            yield f"'{p.task}' is not a task of the plan."
            continue
        if not any(m.unit == p.unit and abs(m.duration - (p.end - p.start)) <= SLACK * plan.step for m in task.ways):
            yield f"'{p.task}' takes {p.end - p.start:g} {plan.time_unit} on '{p.unit}', which is none of its modes."
    for name in plan.tasks:
        if count[name] != 1:
            yield f"'{name}' is carried out {count[name]} times. Expected once."


def _unit(plan: Schedule, name: str, rows: Sequence[Placed], eps: float) -> Iterator[str]:
    unit = plan.unit_of[name]
    for p in rows:
        for w in unit.closed:
            if p.start < w.end - eps and p.end > w.start + eps:
                yield f"'{p.task}' runs on '{name}' from {p.start:g} to {p.end:g} {plan.time_unit}, while it is closed ({w})."
    if unit.changeover and unit.changeover.initial and rows:
        first = rows[0]
        need = unit.changeover.time(unit.changeover.initial, plan.family(first.task))
        if first.start < plan.now + need - eps:
            yield f"'{first.task}' starts on '{name}' at {first.start:g} {plan.time_unit}, before the first changeover is over."
    for a, b in itertools.pairwise(rows):
        need = unit.changeover.time(plan.family(a.task), plan.family(b.task)) if unit.changeover else 0.0
        if b.start < a.end + need - eps:
            what = f"the changeover of {need:g}" if need else "the end of it"
            yield f"'{b.task}' starts on '{name}' at {b.start:g} {plan.time_unit}; '{a.task}' ends at {a.end:g}: before {what}."


def _links(plan: Schedule, at: Mapping[str, Placed], eps: float) -> Iterator[str]:
    for k in plan.all_links:
        if k.before not in at or k.after not in at:
            continue
        a, b = at[k.before], at[k.after]
        wait, least = b.start - a.end, max(k.min_wait, k.transfer.get((a.unit, b.unit), 0.0))
        if wait < least - eps:
            yield f"'{k.after}' starts {wait:g} {plan.time_unit} after '{k.before}'. Expected {least:g} at least."
        if k.max_wait is not None and wait > k.max_wait + eps:
            yield f"'{k.after}' starts {wait:g} {plan.time_unit} after '{k.before}'. Expected {k.max_wait:g} at most."


def _campaigns(plan: Schedule, at: Mapping[str, Placed], rows: Sequence[Placed], eps: float) -> Iterator[str]:
    for c in plan.campaigns:
        own = [at[t] for t in c.tasks if t in at]
        if len({p.unit for p in own}) > 1:
            yield f"The campaign '{c.name}' runs on {', '.join(sorted({p.unit for p in own}))}. Expected one unit."
        for a, b in itertools.pairwise(own):
            if abs(b.start - a.end) > eps:
                yield (f"The campaign '{c.name}' breaks between '{a.task}' (to {a.end:g}) and '{b.task}' (from {b.start:g} "
                       f"{plan.time_unit}).")
        if own and c.setup:
            inside = {p.task for p in own}
            others = [p for p in rows if p.unit == own[0].unit and p.task not in inside]
            for p in others:
                if own[0].start < p.end and p.start < own[-1].end + c.setup - eps:
                    yield (f"'{p.task}' starts on '{p.unit}' at {p.start:g} {plan.time_unit}, within {c.setup:g} after the "
                           "campaign "
                           f"'{c.name}'.")


def steps_of(spans: Sequence[tuple[float, float, float]]) -> list[tuple[float, float]]:
    """Total of amounts that hold from start to end, as (time, level after it)."""
    events = sorted([(s, a) for s, e, a in spans if e > s] + [(e, -a) for s, e, a in spans if e > s])
    levels, level = [], 0.0
    for time, group in itertools.groupby(events, key=lambda e: e[0]):
        level += sum(a for _, a in group)
        levels.append((time, level))
    return levels


def _shared(plan: Schedule, rows: Sequence[Placed], at: Mapping[str, Placed], eps: float) -> Iterator[str]:
    mode = {p.task: next((m for m in plan.tasks[p.task].ways if m.unit == p.unit
                          and abs(m.duration - (p.end - p.start)) <= eps), None)
            for p in rows}
    for crew in plan.crews:
        spans = [(p.start, p.end, float(m.crews.get(crew.name, 0))) for p in rows if (m := mode[p.task])]
        spans += [(w.start, w.end, float(n)) for w, n in crew.absent]
        for time, level in steps_of(spans):
            if level > crew.size + SLACK:
                yield f"{level - crew.size:g} of the crew '{crew.name}' are missing at {time:g} {plan.time_unit}."
                break
    for buffer in plan.buffers:
        waits = [(at[k.before].end, at[k.after].start, 1.0) for k in plan.all_links if k.buffer == buffer.name
                 and k.before in at and k.after in at]
        for time, level in steps_of(waits):
            if level > buffer.places + SLACK:
                yield f"{level:g} wait in '{buffer.name}' at {time:g} {plan.time_unit}. Expected {buffer.places} at most."
                break
    if plan.power_limit is not None:
        levels = steps_of([(p.start, p.end, m.power) for p in rows if (m := mode[p.task])])
        for (time, level), following in zip(levels, [*[t for t, _ in levels[1:]], None], strict=True):
            limit = least_limit(plan, time, time if following is None else following)
            if level > limit * (1 + 1e-9) + 1e-9:
                yield (f"The power is {level:g} {plan.power_unit} at {time:g} {plan.time_unit}. Expected {limit:g} "
                       f"{plan.power_unit} at most.")
                break


def least_limit(plan: Schedule, start: float, end: float) -> float:
    """The least power limit between two times."""
    limit = plan.power_limit
    if limit is None:
        return float("inf")
    if not isinstance(limit, Sequence):
        return float(limit)
    first, last = int(start / plan.step + SLACK), max(int(start / plan.step + SLACK) + 1, int(-(-(end / plan.step - SLACK) // 1)))
    return min(float(v) for v in limit[first:last] or limit[-1:])


def costs_of(plan: Schedule, rows: Sequence[Placed]) -> tuple[dict[str, float], dict[str, float]]:
    """Parts of the objective, and tardiness by order."""
    at = {p.task: p for p in rows}
    ends = {o.name: max(at[f"{o.name}/{t.name}"].end for t in o.tasks) for o in plan.orders}
    late = {o.name: max(0.0, ends[o.name] - o.due) if o.due is not None else 0.0 for o in plan.orders}
    modes = [next((m for m in plan.tasks[p.task].ways if m.unit == p.unit
                   and abs(m.duration - (p.end - p.start)) <= SLACK * plan.step), None)
             for p in rows]
    earlier = {p.task: p for p in plan.previous}
    costs = {
        "makespan": max(ends.values(), default=0.0),
        "tardiness": sum(o.weight * late[o.name] for o in plan.orders),
        "earliness": sum(o.weight * max(0.0, o.due - ends[o.name]) for o in plan.orders if o.due is not None),
        "waiting": sum(at[k.after].start - at[k.before].end - k.min_wait for k in plan.all_links),
        "flow": sum(ends[o.name] - o.release for o in plan.orders),
        "energy": sum(plan.energy_cost(m.power, p.start, p.end) for p, m in zip(rows, modes, strict=True) if m)
        + sum(standing_cost(plan, u, [p for p in rows if p.unit == u.name]) for u in plan.units if u.states),
        "changeover": sum(_changeovers(plan, u.name, [p for p in rows if p.unit == u.name]) for u in plan.units),
        "modes": sum(m.cost for m in modes if m),
        "changes": plan.change_cost * sum(abs(p.start - q.start) + (p.unit != q.unit) for p in rows
                                          if (q := earlier.get(p.task))),
    }
    return costs, late


def standing_cost(plan: Schedule, unit: Unit, rows: Sequence[Placed]) -> float:
    """Least energy cost of a unit while it runs no task: a shortest path over (slot, off or ready), off at both ends."""
    s, far = unit.states, float("inf")
    if s is None or not rows:
        return 0.0
    steps = round(plan.end_of_time / plan.step)
    on, off = round(s.on_time / plan.step), round(s.off_time / plan.step)
    runs = {round(p.start / plan.step): round(p.end / plan.step) for p in rows}
    taken = [False] * (steps + 1)
    for a, b in runs.items():
        taken[a:b] = [True] * (b - a)

    def price(power: float, a: int, b: int) -> float:
        return plan.energy_cost(power, a * plan.step, b * plan.step)

    down, ready = [0.0] + [far] * steps, [far] * (steps + 1)
    for t in range(steps):
        if t in runs:  # it must be ready, and is ready again at the end
            ready[runs[t]] = min(ready[runs[t]], ready[t])
            continue
        if taken[t]:
            continue
        down[t + 1] = min(down[t + 1], down[t])
        ready[t + 1] = min(ready[t + 1], ready[t] + price(s.idle, t, t + 1))
        if t + on <= steps and not any(taken[t:t + on]):
            ready[t + on] = min(ready[t + on], down[t] + price(s.on_power, t, t + on))
        if t + off <= steps and not any(taken[t:t + off]):
            down[t + off] = min(down[t + off], ready[t] + price(s.off_power, t, t + off))
    return down[steps]


def _changeovers(plan: Schedule, unit: str, rows: Sequence[Placed]) -> float:
    change = plan.unit_of[unit].changeover
    if change is None or not rows:
        return 0.0
    first = change.cost(change.initial, plan.family(rows[0].task)) if change.initial else 0.0
    return first + sum(change.cost(plan.family(a.task), plan.family(b.task)) for a, b in itertools.pairwise(rows))
