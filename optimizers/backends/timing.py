"""Times of a plan whose order and units are fixed, as a linear program; its duals say what time on a unit is worth."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from optimizers.backends.milp import Milp
from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Placed


def worth(plan: Schedule, placed: Sequence[Placed]) -> dict[str, float]:
    """The largest dual of the rows between neighbors on each unit: gain of the goal, without energy, for one time unit."""
    inf = float("inf")
    m, goal = Milp(), plan.aims
    at = {p.task: k for k, p in enumerate(placed)}
    length = [p.end - p.start for p in placed]
    start = m.add(len(placed), [max(plan.order_of[p.task].release, plan.now if not plan.fixed else 0.0) for p in placed])
    for k in plan.all_links:
        one, two = at[k.before], at[k.after]
        high = inf if k.max_wait is None else length[one] + k.max_wait
        low = length[one] + max(k.min_wait, k.transfer.get((placed[one].unit, placed[two].unit), 0.0))
        m.require(low, high, 1, (start[[two]], 1.0), (start[[one]], -1.0))
        if goal.waiting:
            (wait,) = m.add(1, 0, None, goal.waiting)
            gap = -length[one] - k.min_wait
            m.require(gap, gap, 1, ([wait], 1.0), (start[[two]], -1.0), (start[[one]], 1.0))
    rows: dict[str, list[int]] = {}
    for unit in plan.units:
        own = sorted((p for p in placed if p.unit == unit.name), key=lambda p: (p.start, p.end))
        for a, b in itertools.pairwise(own):
            change = unit.changeover.time(plan.family(a.task), plan.family(b.task)) if unit.changeover else 0.0
            row = m.require(length[at[a.task]] + change, inf, 1, (start[[at[b.task]]], 1.0), (start[[at[a.task]]], -1.0))
            rows.setdefault(unit.name, []).append(int(row[0]))
        for p in own:  # windows keep their side
            for w in unit.closed:
                if p.start >= w.end - 1e-9:
                    m.require(w.end, inf, 1, (start[[at[p.task]]], 1.0))
                elif p.end <= w.start + 1e-9:
                    m.require(-inf, w.start - length[at[p.task]], 1, (start[[at[p.task]]], 1.0))
    for c in plan.campaigns:
        for x, y in itertools.pairwise(c.tasks):
            m.require(length[at[x]], length[at[x]], 1, (start[[at[y]]], 1.0), (start[[at[x]]], -1.0))
    if goal.makespan:
        (z,) = m.add(1, 0, None, goal.makespan)
        for position, time in enumerate(length):
            m.require(time, inf, 1, ([z], 1.0), (start[[position]], -1.0))
    followed = {k.before for k in plan.all_links}
    for o in plan.orders:
        (end,) = m.add(1, 0, None, goal.flow)
        last = [at[n] for n in (f"{o.name}/{t.name}" for t in o.tasks) if n not in followed]
        for position in last:
            time = length[position]
            m.require(time, time if len(last) == 1 else inf, 1, ([end], 1.0), (start[[position]], -1.0))
        if o.due is not None and (goal.tardiness or goal.earliness):
            (late,) = m.add(1, 0, None, goal.tardiness * o.weight)
            (early,) = m.add(1, 0, None, goal.earliness * o.weight)
            m.require(-o.due, -o.due, 1, ([late], 1.0), ([end], -1.0), ([early], -1.0))
    answer = m.solve()
    if answer.duals is None or answer.x is None:
        return {}
    return {u.name: max([0.0, *(float(answer.duals[r]) for r in rows.get(u.name, []))]) for u in plan.units}
