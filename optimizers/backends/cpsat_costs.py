"""The goal of a plan in a CP-SAT model."""

from __future__ import annotations

from typing import Any

COST_SCALE = 1000


def add_goal(model: Any) -> None:
    """Minimize the weighted sum of the plan's goal."""
    plan, m, goal = model.plan, model.m, model.plan.aims
    step = plan.step
    if model.makespan is not None:
        model.term(goal.makespan * step, model.makespan, model.horizon)
    followed = {k.before for k in plan.all_links}
    for order in plan.orders:
        lasts = [model.end[n] for n in (f"{order.name}/{t.name}" for t in order.tasks) if n not in followed]
        lasts = lasts or [model.end[f"{order.name}/{t.name}"] for t in order.tasks]
        if goal.flow:
            model.term(goal.flow * step, _latest(model, lasts) - model.ticks(order.release), model.horizon)
        if order.due is None or not (goal.tardiness or goal.earliness):
            continue
        end, due = _latest(model, lasts), model.ticks(order.due)
        if goal.tardiness and order.weight:
            late = m.new_int_var(0, model.horizon, "")
            m.add(late >= end - due)
            model.term(goal.tardiness * order.weight * step, late, model.horizon)
        if goal.earliness and order.weight:
            early = m.new_int_var(0, model.horizon, "")
            m.add(early >= due - end)
            model.term(goal.earliness * order.weight * step, early, model.horizon)
    if goal.waiting:
        for link in plan.all_links:
            model.term(goal.waiting * step, model.start[link.after] - model.end[link.before] - model.ticks(link.min_wait),
                       model.horizon)
    add_modes(model)
    add_changes(model)
    if model.terms:
        scale = scale_of(model)
        m.minimize(sum(round(w * scale) * v for w, v in model.terms))


def _latest(model: Any, ends: list[Any]) -> Any:
    if len(ends) == 1:
        return ends[0]
    last = model.m.new_int_var(0, model.horizon, "")
    model.m.add_max_equality(last, ends)
    return last


def add_modes(model: Any) -> None:
    """Costs of modes and of energy; the start of a task that draws power is chosen among all its starts, each with its cost."""
    plan, m, goal = model.plan, model.m, model.plan.aims
    for name, task in plan.tasks.items():
        lits = model.chosen[name]
        priced = plan.prices and goal.energy and any(mode.power for mode in task.ways)
        for lit, mode in zip(lits, task.ways, strict=True):
            if mode.cost and goal.modes and lit is not None:
                model.term(goal.modes * mode.cost, lit, 1)
        if not priced:
            continue
        early, late = (model.ticks(t) for t in model.windows[name])
        at: dict[int, list[Any]] = {}
        model.largest += 1  # one of the starts is chosen
        for lit, mode in zip(lits, task.ways, strict=True):
            own = []
            for t in range(early, late - model.ticks(mode.duration) + 1):
                x = m.new_bool_var("")
                own.append(x)
                at.setdefault(t, []).append(x)
                cost = plan.energy_cost(mode.power, t * plan.step, t * plan.step + mode.duration)
                model.term(goal.energy * cost, x, 0)
            m.add(sum(own) == lit)
        m.add(sum(t * x for t, xs in at.items() for x in xs) == model.start[name])


def add_changes(model: Any) -> None:
    """What it costs to differ from an earlier plan."""
    plan, m = model.plan, model.m
    if not plan.change_cost:
        return
    for p in plan.previous:
        if p.task not in model.start:
            continue
        moved = m.new_int_var(0, model.horizon, "")
        m.add_abs_equality(moved, model.start[p.task] - model.ticks(p.start))
        model.term(plan.change_cost * plan.step, moved, model.horizon)
        lits = model.chosen[p.task]
        if len(lits) > 1:
            model.term(plan.change_cost, 1 - lits[p.mode], 1)


def scale_of(model: Any) -> float:
    """1 where every weight is whole, so that bounds are exact; else a thousandth of the currency is the unit."""
    return 1.0 if all(float(w).is_integer() for w, _ in model.terms) else float(COST_SCALE)


def rounding(model: Any) -> float:
    """How much rounded weights may have raised the scaled objective above its true value."""
    return 0.0 if scale_of(model) == 1.0 else 0.5 * model.largest
