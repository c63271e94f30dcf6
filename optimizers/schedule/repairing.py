"""Plans that meet reality: repair after a breakdown or a rush order with few changes, and rolling horizons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from optimizers.schedule.plant import Window
from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Order, Placed
from optimizers.solution import Solution
from twin import errors


def repair(solution: Solution, *, now: float, down: Sequence[tuple[str, Window]] = (), rush: Sequence[Order] = (),
           change_cost: float = 1.0,
           freeze: float = 0.0, max_seconds: float = 10.0, **options: Any) -> Solution:
    """Plan again from `now` on with few changes: what has begun stays, the rest starts from the old plan.

    Parameters
    ----------
    solution
        The plan that is being carried out.
    now
        The present; tasks that have begun are fixed. A task that runs on a unit when it breaks down begins again after the
        repair.
    down
        (unit, window) of breakdowns.
    rush
        Orders that came in.
    change_cost
        What it costs to move a start by one time unit or a task to another unit, in the unit of the objective.
    freeze
        Tasks that start within this time from now on stay too, besides those that a breakdown moves.
    max_seconds
        Time limit.
    options
        Further options of `optimizers.solve`.

    Returns
    -------
    Solution
        The new plan; `details["moved"]` lists tasks with another start or unit, `details["changes"]` says how many of how many.

    Raises
    ------
    twin.errors.SpecError
        There is no plan to repair, or a unit is unknown.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Task, Unit
    >>> plan = optimizers.Schedule([Unit("saw")], [Order("A", [Task("cut", {"saw": 3})]), Order("B", [Task("cut", {"saw": 3})])])
    >>> new = repair(optimizers.solve(plan), now=4, down=[("saw", Window(4, 6, "blade"))])
    >>> new.details["costs"]["makespan"]
    9.0
    """
    import optimizers

    plan: Schedule = solution.problem
    if solution.replay is None:
        raise errors.SpecError(f"There is no plan to repair. {solution.message}")
    for name, _ in down:
        plan.find("unit", name, plan.unit_of, "the plan")
    broken: dict[str, list[Window]] = {}
    for name, window in down:
        broken.setdefault(name, []).append(window)
    units = [dataclasses.replace(u, closed=_joined([*u.closed, *broken.get(u.name, [])])) for u in plan.units]
    kept, again = [], []
    for p in solution.replay.placed:
        hit = any(p.start < w.end and p.end > w.start for w in broken.get(p.unit, []))
        if p.start < now + freeze and not (hit and p.end > now):
            kept.append(p)
        elif p.start < now:
            again.append(p.task)
    asked = dataclasses.replace(plan, units=units, orders=[*plan.orders, *rush], now=now, fixed=tuple(kept),
                                previous=solution.replay.placed, change_cost=change_cost)
    found = optimizers.solve(asked, start=solution.replay.placed, max_seconds=max_seconds, **{"throw": True, **options})
    if found.replay is None:
        return found
    old = {p.task: p for p in solution.replay.placed}
    moved = [p.task for p in found.replay.placed if p.task in old and (p.unit, p.start) != (old[p.task].unit, old[p.task].start)]
    text = f"{len(moved)} of {len(old)} tasks moved, {len(rush)} orders came in; begun again: {', '.join(again) or 'none'}."
    return dataclasses.replace(found, message=f"{found.message} {text}",
                               details={**found.details, "moved": moved, "changes": text})


def _joined(windows: Sequence[Window]) -> tuple[Window, ...]:
    """Windows that overlap become one."""
    found: list[Window] = []
    for w in sorted(windows, key=lambda w: w.start):
        if found and w.start < found[-1].end:
            last = found.pop()
            reason = " and ".join(dict.fromkeys(r for r in (last.reason, w.reason) if r))
            w = Window(last.start, max(last.end, w.end), reason)
        found.append(w)
    return tuple(found)


def rolling(plan: Schedule, *, window: float, keep: float, max_seconds: float = 10.0, **options: Any) -> Iterator[Solution]:
    """Plan in windows: orders that are released before the end of a window are planned, what starts in its first part is kept.

    Parameters
    ----------
    plan
        All orders; each is known from its release on.
    window
        How far ahead orders are taken in.
    keep
        How much of each plan is kept before the next one.
    max_seconds
        Time limit of each window.
    options
        Further options of `optimizers.solve`.

    Yields
    ------
    Solution
        The plan of each window; the last one holds all tasks.

    Raises
    ------
    twin.errors.SpecError
        `keep` is not positive or longer than the window.

    Examples
    --------
    >>> from optimizers.schedule import Task, Unit
    >>> orders = [Order(str(k), [Task("cut", {"saw": 3})], release=4 * k) for k in range(3)]
    >>> [len(s.value) for s in rolling(Schedule([Unit("saw")], orders), window=5, keep=4)]
    [2, 3]
    """
    import optimizers

    if not 0 < keep <= window:
        raise errors.SpecError(f"keep is {keep:g} and the window {window:g} {plan.time_unit}. Expected 0 < keep <= window.")
    now = plan.now
    placed: Sequence[Placed] = ()
    while True:
        known = [o for o in plan.orders if o.release <= now + window]
        names = {f"{o.name}/{t.name}" for o in known for t in o.tasks}
        kept = [p for p in placed if p.start < now]
        part = dataclasses.replace(
            plan, orders=known, now=now, fixed=tuple(kept), campaigns=[c for c in plan.campaigns if set(c.tasks) <= names],
            links=[k for k in plan.links if {k.before, k.after} <= names])
        found = optimizers.solve(part, start=placed, max_seconds=max_seconds, **options)
        placed = found.replay.placed if found.replay is not None else ()
        yield found
        if len(known) == len(plan.orders):
            return
        now += keep


def unit_hours(solution: Solution, *, hour: float | None = None) -> dict[str, float]:
    """What one more hour of each unit is worth: how much better the objective gets when two neighbors on it may overlap by an
    hour.

    Parameters
    ----------
    solution
        A plan.
    hour
        How long an hour is in the time unit of the plan; from `Schedule.hours` without it.

    Returns
    -------
    dict
        Value by unit, in the unit of the objective: order and units of all tasks stay, all times move (a linear program; the
        largest dual of the unit's pairs, times an hour). Energy is left out: its prices are not linear in time.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Task, Unit
    >>> plan = optimizers.Schedule([Unit("saw")], [Order("A", [Task("cut", {"saw": 3})]), Order("B", [Task("cut", {"saw": 3})])])
    >>> unit_hours(optimizers.solve(plan), hour=1)
    {'saw': 1.0}
    """
    from optimizers.backends import timing

    plan: Schedule = solution.problem
    placed: Sequence[Placed] = solution.replay.placed if solution.replay is not None else ()
    if not placed:
        raise errors.SpecError(f"There is no plan. {solution.message}")
    length = (1.0 / plan.hours) if hour is None else hour
    return {name: value * length for name, value in timing.worth(plan, placed).items()}
