"""What can be proved about a plan by arithmetic: time windows of tasks, pools of like units, bounds of the makespan."""

from __future__ import annotations

import math
from collections import defaultdict

from optimizers.schedule.problem import Schedule


def pools(plan: Schedule) -> dict[str, tuple[str, ...]]:
    """Groups of units that every task treats alike and that have no calendar, changeover, campaign or link of their own, by
    first name.
    """
    if plan.prices or plan.power_limit is not None or plan.fixed or plan.previous or plan.campaigns:
        return {}
    plain = {u.name for u in plan.units if not u.closed and u.changeover is None and u.states is None}
    plain -= {n for k in plan.all_links for pair in k.transfer for n in pair}
    seen: dict[str, list[tuple[str, tuple[object, ...]]]] = {u.name: [] for u in plan.units}
    for name, task in plan.tasks.items():
        for mode in task.ways:
            seen[mode.unit].append((name, (mode.duration, mode.power, mode.cost, tuple(sorted(mode.crews.items())))))
    groups = defaultdict(list)
    for unit, modes in seen.items():
        once = len({n for n, _ in modes}) == len(modes)
        if unit in plain and modes and once:
            groups[tuple(modes)].append(unit)
    return {g[0]: tuple(g) for g in groups.values() if len(g) > 1}


def windows(plan: Schedule, skip: frozenset[str] = frozenset()) -> dict[str, tuple[float, float]]:
    """Earliest start and latest end of every task, by release, deadline, horizon and links."""
    least = {n: min((m.duration for m in t.ways), default=0) for n, t in plan.tasks.items()}
    early = {n: max(plan.now, o.release if f"release {o.name}" not in skip else 0.0) for n, o in plan.order_of.items()}
    late = {n: min(plan.end_of_time, o.deadline if o.deadline is not None and f"deadline {o.name}" not in skip else math.inf)
            for n, o in plan.order_of.items()}
    for p in plan.fixed:
        early[p.task], late[p.task] = p.start, p.end
    links = [k for k in plan.all_links if f"link {k.before} -> {k.after}" not in skip]
    for _ in range(len(plan.tasks)):
        changed = False
        for k in links:
            start = early[k.before] + least[k.before] + k.min_wait
            end = late[k.after] - least[k.after] - k.min_wait
            if start > early[k.after]:
                early[k.after], changed = start, True
            if end < late[k.before]:
                late[k.before], changed = end, True
        if not changed:
            break
    return {n: (early[n], late[n]) for n in plan.tasks}


def tails(plan: Schedule) -> dict[str, float]:
    """Time from the end of each task to the end of the plan at least."""
    least = {n: min((m.duration for m in t.ways), default=0) for n, t in plan.tasks.items()}
    tail = dict.fromkeys(plan.tasks, 0.0)
    for _ in range(len(plan.tasks)):
        changed = False
        for k in plan.all_links:
            value = tail[k.after] + least[k.after] + k.min_wait
            if value > tail[k.before] + 1e-12:
                tail[k.before], changed = value, True
        if not changed:
            break
    return tail


def makespan(plan: Schedule, spans: dict[str, tuple[float, float]]) -> float:
    """A bound of the makespan: for every group of units and every set of tasks with a head and a tail of at least so much,
    m machines start no earlier than the m smallest heads, end no later than the m smallest tails before the end, and carry out
    all work between.
    """
    tail = tails(plan)
    least = {n: min(m.duration for m in t.ways) for n, t in plan.tasks.items()}
    best = max((spans[n][0] + least[n] + tail[n] for n in plan.tasks), default=0.0)
    groups: dict[frozenset[str], list[str]] = defaultdict(list)
    for name, task in plan.tasks.items():
        groups[frozenset(m.unit for m in task.ways)].append(name)
    for units in list(groups):
        inside = [n for own, names in groups.items() if own <= units for n in names]
        best = max(best, _capacity([(spans[n][0], least[n], tail[n]) for n in inside], len(units)))
    return math.ceil(best / plan.step - 1e-9) * plan.step


def _capacity(jobs: list[tuple[float, float, float]], machines: int) -> float:
    """Largest of the bounds over the sets {head >= h, tail >= q}."""
    best = 0.0
    for h in sorted({r for r, _, _ in jobs}):
        late = [j for j in jobs if j[0] >= h]
        for q in sorted({t for _, _, t in late}):
            chosen = [j for j in late if j[2] >= q]
            m = min(machines, len(chosen))
            heads = sum(sorted(j[0] for j in chosen)[:m])
            ends = sum(sorted(j[2] for j in chosen)[:m])
            best = max(best, (heads + ends + sum(j[1] for j in chosen)) / m)
    return best
