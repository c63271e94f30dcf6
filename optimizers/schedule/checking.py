"""What is stated wrongly about a plan, before any solver sees it: one sentence each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optimizers.schedule.network import off_grid, refuse
from twin import errors

if TYPE_CHECKING:
    from optimizers.schedule.problem import Schedule


def check(plan: Schedule) -> None:
    """Raise a SpecError with every mistake in the statement of a plan.

    Raises
    ------
    twin.errors.SpecError
        One sentence for each mistake.
    """
    refuse(mistakes(plan))


def mistakes(plan: Schedule) -> Iterator[str]:
    """The sentences."""
    yield from _twice("unit", [u.name for u in plan.units])
    yield from _twice("order", [o.name for o in plan.orders])
    for order in plan.orders:
        yield from _twice(f"task of the order '{order.name}'", [t.name for t in order.tasks])
    if not plan.orders:
        yield "The plan has no orders. Expected at least one."
    if plan.step <= 0:
        yield f"The step is {plan.step:g} {plan.time_unit}. Expected more than 0."
        return
    yield from _units(plan)
    yield from _crews(plan)
    yield from _tasks(plan)
    yield from _dates(plan)
    yield from _links(plan)
    yield from _campaigns(plan)
    yield from _prices(plan)


def _twice(kind: str, names: Sequence[str]) -> Iterator[str]:
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"There are {names.count(name)} entries of the {kind} '{name}'. Expected one of each name. Rename or join them."


def _units(plan: Schedule) -> Iterator[str]:
    for unit in plan.units:
        spans = sorted(unit.closed, key=lambda w: w.start)
        for a, b in itertools.pairwise(spans):
            if b.start < a.end:
                yield (f"The calendar of '{unit.name}' is closed twice from {b.start:g} to {min(a.end, b.end):g} "
                       f"{plan.time_unit}: {a} and {b} "
                       "overlap. Join them or move one.")
        for window in spans:
            yield from _grid(plan, f"The window {window} of '{unit.name}'", (window.start, window.end))
        if unit.changeover:
            for pair, time in unit.changeover.times.items():
                if time < 0:
                    yield (f"The changeover {pair[0]} -> {pair[1]} of '{unit.name}' takes {time:g} {plan.time_unit}. Expected "
                           "0 or more.")
                yield from _grid(plan, f"The changeover {pair[0]} -> {pair[1]} of '{unit.name}'", (time,))


def _crews(plan: Schedule) -> Iterator[str]:
    yield from _twice("crew", [c.name for c in plan.crews])
    yield from _twice("buffer", [b.name for b in plan.buffers])
    for crew in plan.crews:
        for window, _ in crew.absent:
            yield from _grid(plan, f"The absence {window} of '{crew.name}'", (window.start, window.end))
            if crew.present(window.start) < 0:
                away = crew.size - crew.present(window.start)
                yield (f"{away} of '{crew.name}' are away at {window.start:g} {plan.time_unit} ({window}). Expected {crew.size} "
                       "at most, its size.")


def _grid(plan: Schedule, what: str, times: Sequence[float]) -> Iterator[str]:
    for sentence in off_grid(what, times, plan.step, plan.time_unit):
        yield f"{sentence} Round it, or make the step smaller."


def _tasks(plan: Schedule) -> Iterator[str]:
    crews = {c.name: c for c in plan.crews}
    for name, task in plan.tasks.items():
        if not task.ways:
            yield f"No unit can carry out '{name}': it has no modes. Expected at least one unit with a duration."
        for mode in task.ways:
            if mode.unit not in plan.unit_of:
                yield str(errors.unknown("unit", mode.unit, f"the task '{name}'", plan.unit_of))
            yield from _grid(plan, f"'{name}' on '{mode.unit}'", (mode.duration,))
            for crew, number in mode.crews.items():
                if crew not in crews:
                    yield str(errors.unknown("crew", crew, f"the task '{name}'", crews))
                elif number > crews[crew].size:
                    yield f"'{name}' on '{mode.unit}' needs {number} of '{crew}'. There are {crews[crew].size}."
        horizon, open_modes = plan.end_of_time, [m for m in task.ways if m.unit in plan.unit_of]
        if open_modes and not any(_fits(plan, m, horizon) for m in open_modes):
            longest = min(m.duration for m in open_modes)
            yield (f"No unit can carry out '{name}': it takes {longest:g} {plan.time_unit} at least, and none of "
                   f"{', '.join(sorted({m.unit for m in open_modes}))} is open that long between {plan.now:g} and "
                   f"{horizon:g} {plan.time_unit}.")


def _fits(plan: Schedule, mode: Any, horizon: float) -> bool:
    at = plan.now
    for window in [*sorted(plan.unit_of[mode.unit].closed, key=lambda w: w.start), None]:
        if (horizon if window is None else min(window.start, horizon)) - at >= mode.duration - 1e-9:
            return True
        if window is not None:
            at = max(at, window.end)
    return False


def _dates(plan: Schedule) -> Iterator[str]:
    running = {plan.order_of[p.task].name for p in [*plan.fixed, *plan.previous] if p.task in plan.order_of}
    for o in plan.orders:
        yield from _grid(plan, f"The order '{o.name}'", [d for d in (o.release, o.due, o.deadline) if d is not None])
        for word, date in (("due", o.due), ("deadline", o.deadline)):
            if date is not None and date <= plan.now and o.name not in running:
                yield (f"The {word} date of the order '{o.name}' is {date:g} {plan.time_unit}, which is not after now "
                       f"({plan.now:g} {plan.time_unit}). "
                       "Give a later date, or leave the order out.")
            elif date is not None and date <= o.release:
                yield (f"The {word} date of the order '{o.name}' is {date:g} {plan.time_unit}, not after its release at "
                       f"{o.release:g} {plan.time_unit}.")
        if o.weight < 0:
            yield f"The weight of the order '{o.name}' is {o.weight:g}. Expected 0 or more."


def _links(plan: Schedule) -> Iterator[str]:
    buffers = {b.name for b in plan.buffers}
    after: dict[str, list[str]] = {}
    for link in plan.all_links:
        for end in (link.before, link.after):
            if end not in plan.tasks:
                yield str(errors.unknown("task", end, "a link", plan.tasks))
        if link.buffer and link.buffer not in buffers:
            yield str(errors.unknown("buffer", link.buffer, f"the link '{link.before}' -> '{link.after}'", buffers))
        yield from _grid(plan, f"The link '{link.before}' -> '{link.after}'",
                         [link.min_wait, *link.transfer.values(), *([] if link.max_wait is None else [link.max_wait])])
        after.setdefault(link.before, []).append(link.after)
    cycle = find_cycle(after)
    if cycle:
        yield f"The tasks wait for each other in a circle: {' -> '.join(cycle)}. Take one of these links out."


def find_cycle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """A shortest way around a circle of links, first task repeated at the end; empty where there is none."""
    best: list[str] = []
    for root in after:
        paths, seen = [[root]], {root}
        while paths:
            path = paths.pop(0)
            if best and len(path) >= len(best):
                break
            for follower in after.get(path[-1], ()):
                if follower == root:
                    best, paths = [*path, root], []
                    break
                if follower not in seen:
                    seen.add(follower)
                    paths.append([*path, follower])
    return best


def _campaigns(plan: Schedule) -> Iterator[str]:
    owner: dict[str, str] = {}
    for campaign in plan.campaigns:
        units = None
        for task in campaign.tasks:
            if task not in plan.tasks:
                yield str(errors.unknown("task", task, f"the campaign '{campaign.name}'", plan.tasks))
                return
            if task in owner:
                yield f"The task '{task}' belongs to the campaigns '{owner[task]}' and '{campaign.name}'. Expected one."
            owner[task] = campaign.name
            own = {m.unit for m in plan.tasks[task].ways}
            units = own if units is None else units & own
        if not units:
            yield (f"No unit can carry out all tasks of the campaign '{campaign.name}'. Expected at least one unit that every "
                   "task has a mode for.")


def _prices(plan: Schedule) -> Iterator[str]:
    steps = round(plan.end_of_time / plan.step)
    if plan.prices and len(plan.prices) < steps:
        yield (f"There are prices for {len(plan.prices)} steps. Expected {steps}, up to the horizon at {plan.end_of_time:g} "
               f"{plan.time_unit}. "
               "Give more prices or a shorter horizon.")
    if isinstance(plan.power_limit, Sequence) and len(plan.power_limit) < steps:
        yield f"There are power limits for {len(plan.power_limit)} steps. Expected {steps}, up to the horizon."
