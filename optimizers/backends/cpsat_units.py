"""Tasks, units, campaigns, crews, buffers and the power limit in a CP-SAT model."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from optimizers.schedule.plant import Unit
from optimizers.schedule.work import Placed

POWER = 1000  # the power limit counts in thousandths of the power unit


def add_task(model: Any, name: str, fixed: Placed | None) -> None:
    """Start, end, and an interval for each mode."""
    m, plan = model.m, model.plan
    modes = plan.tasks[name].ways
    early, late = (model.ticks(t) for t in model.windows[name])
    durations = [model.ticks(mode.duration) for mode in modes]
    if fixed is not None:
        early = late = model.ticks(fixed.start)
        late += max(durations)
    if late - min(durations) < early:
        m.add_bool_or([])  # no room at all: the model says so itself
        late = early + min(durations)
    start = model.start[name] = m.new_int_var(early, late - min(durations), "")
    pool = pool_of(model, [mode.unit for mode in modes])
    if len(modes) == 1 or pool:
        model.end[name] = start + durations[0]
        model.chosen[name] = [1] if len(modes) == 1 else [None] * len(modes)
        where = pool or modes[0].unit
        model.intervals.setdefault(where, []).append((name, 0, m.new_fixed_size_interval_var(start, durations[0], "")))
        return
    lits = model.chosen[name] = [m.new_bool_var("") for _ in modes]
    if fixed is not None:
        m.add(lits[fixed.mode] == 1)
    m.add_exactly_one(lits)
    if len(set(durations)) == 1:
        model.end[name] = start + durations[0]
    else:
        model.end[name] = m.new_int_var(early + min(durations), late, "")
        length = m.new_int_var_from_domain(_domain(durations), "")
        m.new_interval_var(start, length, model.end[name], "")
        for lit, d in zip(lits, durations, strict=True):
            m.add(length == d).only_enforce_if(lit)
    for k, (lit, mode, d) in enumerate(zip(lits, modes, durations, strict=True)):
        interval = m.new_optional_fixed_size_interval_var(start, d, lit, "")
        model.intervals.setdefault(mode.unit, []).append((name, k, interval))


def _domain(values: Sequence[int]) -> Any:
    from optimizers.backends.cpsat import load

    return load().Domain.from_values(sorted(set(values)))


def pool_of(model: Any, units: Sequence[str]) -> str:
    """Name of the pool that these units are, or an empty text."""
    for first, members in model.pools.items():
        if set(units) == set(members):
            return str(first)
    return ""


def add_units(model: Any) -> None:
    """Each unit carries out one task at a time, with changeovers, outside closed windows."""
    m, plan = model.m, model.plan
    pooled = {u for members in model.pools.values() for u in members}
    grouped = add_campaigns(model)
    for unit in plan.units:
        if unit.name in pooled and unit.name not in model.pools:
            continue
        if unit.name in model.pools:
            intervals = [i for _, _, i in model.intervals.get(unit.name, ())]
            if model.on(f"unit {unit.name}"):
                m.add_cumulative(intervals, [1] * len(intervals), len(model.pools[unit.name]))
            continue
        own = [e for e in model.intervals.get(unit.name, ()) if e[0] not in grouped]
        intervals = [i for _, _, i in own] + model.blocks.get(unit.name, [])
        if model.on(f"closed {unit.name}"):
            intervals += [m.new_fixed_size_interval_var(model.ticks(w.start), model.ticks(w.end) - model.ticks(w.start), "")
                          for w in unit.closed if w.start < plan.end_of_time]
        if len(intervals) > 1 and model.on(f"unit {unit.name}"):
            m.add_no_overlap(intervals)
        if unit.changeover and len(own) > 0 and model.on(f"changeover {unit.name}"):
            add_changeovers(model, unit, own)


def add_campaigns(model: Any) -> set[str]:
    """The tasks of a campaign follow each other on one unit; the unit sees one block. Tasks of campaigns, which need no
    interval of their own.
    """
    m, plan = model.m, model.plan
    model.blocks = {}
    grouped: set[str] = set()
    for campaign in plan.campaigns:
        if not model.on(f"campaign {campaign.name}"):
            continue
        names = list(campaign.tasks)
        units = [u.name for u in plan.units if all(any(mode.unit == u.name for mode in plan.tasks[n].ways) for n in names)]
        lits = {u: m.new_bool_var("") for u in units}
        m.add_exactly_one(lits.values())
        for name in names:
            grouped.add(name)
            for k, mode in enumerate(plan.tasks[name].ways):
                own = model.chosen[name][k]
                if mode.unit not in lits:
                    m.add(own == 0)
                else:
                    m.add(own == lits[mode.unit])
        for a, b in itertools.pairwise(names):
            m.add(model.start[b] == model.end[a])
        setup = model.ticks(campaign.setup)
        for unit, lit in lits.items():
            length = sum(next(model.ticks(mode.duration) for mode in plan.tasks[n].ways if mode.unit == unit) for n in names)
            block = m.new_optional_fixed_size_interval_var(model.start[names[0]], length + setup, lit, "")
            model.blocks.setdefault(unit, []).append(block)
    return grouped


def add_changeovers(model: Any, unit: Unit, own: list[tuple[str, int, Any]]) -> None:
    """The order of the tasks on a unit as a circuit, whose arcs carry times and costs."""
    m, plan, change = model.m, model.plan, unit.changeover
    arcs: list[tuple[int, int, Any]] = []
    lits = [model.chosen[n][k] for n, k, _ in own]
    if change is None:
        return
    empty = m.new_bool_var("")
    model.largest += len(own)
    arcs.append((0, 0, empty))
    for i, (a, _, _) in enumerate(own, 1):
        m.add_implication(empty, ~lits[i - 1]) if not isinstance(lits[i - 1], int) else m.add(empty == 0)
        first, last = m.new_bool_var(""), m.new_bool_var("")
        arcs += [(0, i, first), (i, 0, last)]
        if not isinstance(lits[i - 1], int):
            arcs.append((i, i, ~lits[i - 1]))
        if change.initial:
            time, cost = change.time(change.initial, plan.family(a)), change.cost(change.initial, plan.family(a))
            if time:
                m.add(model.start[a] >= model.ticks(plan.now + time)).only_enforce_if(first)
            if cost and plan.aims.changeover:
                model.term(plan.aims.changeover * cost, first, 0)
        for j, (b, _, _) in enumerate(own, 1):
            if i == j or a == b:
                continue
            arc = m.new_bool_var("")
            arcs.append((i, j, arc))
            time, cost = change.time(plan.family(a), plan.family(b)), change.cost(plan.family(a), plan.family(b))
            m.add(model.start[b] >= model.end[a] + model.ticks(time)).only_enforce_if(arc)
            if cost and plan.aims.changeover:
                model.term(plan.aims.changeover * cost, arc, 0)
    m.add_circuit(arcs)


def add_shared(model: Any) -> None:
    """Crews, buffers and the power limit."""
    m, plan = model.m, model.plan
    pooled = {u for members in model.pools.values() for u in members}
    for crew in plan.crews:
        intervals, sizes = [], []
        for entries in model.intervals.values():
            for name, k, interval in entries:
                number = plan.tasks[name].ways[k].crews.get(crew.name, 0)
                if number:
                    intervals.append(interval)
                    sizes.append(number)
        for window, away in crew.absent:
            intervals.append(m.new_fixed_size_interval_var(model.ticks(window.start), model.ticks(window.length), ""))
            sizes.append(away)
        if intervals and model.on(f"crew {crew.name}"):
            m.add_cumulative(intervals, sizes, crew.size)
    for buffer in plan.buffers:
        intervals = []
        for link in plan.all_links:
            if link.buffer == buffer.name:
                wait = m.new_int_var(0, model.horizon, "")
                intervals.append(m.new_interval_var(model.end[link.before], wait, model.start[link.after], ""))
        if intervals and model.on(f"buffer {buffer.name}"):
            m.add_cumulative(intervals, [1] * len(intervals), buffer.places)
    if plan.power_limit is not None and model.on("power limit") and not pooled:
        add_power_limit(model)


def add_power_limit(model: Any) -> None:
    """Running tasks together draw no more than the limit."""
    m, plan = model.m, model.plan
    entries = [(i, plan.tasks[n].ways[k].power) for rows in model.intervals.values() for n, k, i in rows
               if plan.tasks[n].ways[k].power]
    if not entries:
        return
    limit = plan.power_limit
    levels = [float(v) for v in limit[:model.horizon]] if isinstance(limit, Sequence) else [float(limit)]
    top = max(levels)
    intervals, sizes = [i for i, _ in entries], [-int(-p * POWER // 1) for _, p in entries]
    if len(levels) > 1:
        at = 0
        for k in range(1, len(levels) + 1):
            if k == len(levels) or levels[k] != levels[at]:
                if levels[at] < top:
                    intervals.append(m.new_fixed_size_interval_var(at, k - at, ""))
                    sizes.append(int(top * POWER) - int(levels[at] * POWER))
                at = k
    m.add_cumulative(intervals, sizes, int(top * POWER + 1e-6))


def read(model: Any, solver: Any) -> list[Placed]:
    """The plan that the solver found."""
    plan, step = model.plan, model.plan.step
    placed, waiting = [], []
    for name, task in plan.tasks.items():
        start = solver.value(model.start[name])
        lits = model.chosen[name]
        if lits[0] is None:
            waiting.append((start, name))
            continue
        k = next(k for k, lit in enumerate(lits) if isinstance(lit, int) or solver.value(lit))
        mode = task.ways[k]
        placed.append(Placed(name, mode.unit, start * step, start * step + mode.duration, k))
    free: dict[str, float] = {}
    for start, name in sorted(waiting, key=lambda e: e[0]):
        modes = plan.tasks[name].ways
        k = next(k for k, mode in enumerate(modes) if free.get(mode.unit, 0.0) <= start * step + 1e-9)
        free[modes[k].unit] = start * step + modes[k].duration
        placed.append(Placed(name, modes[k].unit, start * step, start * step + modes[k].duration, k))
    return placed
