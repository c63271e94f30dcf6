"""The smallest set of constraints that exclude each other, of a plan that cannot be carried out."""

from __future__ import annotations

import time

from optimizers.schedule.problem import Schedule

LIMIT = 20.0  # seconds for the whole search
LOOK = 2.0    # seconds for one set


def groups(plan: Schedule) -> dict[str, str]:
    """Groups of constraints that can be left out, with a sentence about each; what is most likely to be given up comes first."""
    found: dict[str, str] = {}
    unit = plan.time_unit
    if plan.power_limit is not None:
        limit = plan.power_limit
        text = "at changing levels" if not isinstance(limit, int | float) else f"of {limit:g} {plan.power_unit}"
        found["power limit"] = f"the power limit {text}"
    for c in plan.crews:
        found[f"crew {c.name}"] = f"the crew '{c.name}' of {c.size}"
    for b in plan.buffers:
        found[f"buffer {b.name}"] = f"the buffer '{b.name}' with {b.places} places"
    for c2 in plan.campaigns:
        found[f"campaign {c2.name}"] = f"the campaign '{c2.name}' without a gap"
    for u in plan.units:
        if u.changeover:
            found[f"changeover {u.name}"] = f"the changeovers of '{u.name}'"
        if u.closed:
            found[f"closed {u.name}"] = f"the closed windows of '{u.name}' ({', '.join(str(w) for w in u.closed[:3])})"
        found[f"unit {u.name}"] = f"one task at a time on '{u.name}'"
    for k in plan.all_links:
        wait = "" if k.max_wait is None else f" within {k.max_wait:g} {unit}"
        found[f"link {k.before} -> {k.after}"] = f"'{k.after}' after '{k.before}'{wait}"
    for o in plan.orders:
        if o.release > plan.now:
            found[f"release {o.name}"] = f"the release of '{o.name}' at {o.release:g} {unit}"
        if o.deadline is not None:
            found[f"deadline {o.name}"] = f"the deadline of '{o.name}' at {o.deadline:g} {unit}"
    return found


def conflict(plan: Schedule) -> str:
    """A sentence with a set of constraints of which each is needed for the conflict, or what could be found in the time."""
    from optimizers.backends import cpsat

    until = time.perf_counter() + LIMIT
    relaxed = plan.replace(prices=(), goal=None, change_cost=0.0)
    names = groups(plan)
    kept = list(names)

    def infeasible(inside: list[str]) -> bool:
        from twin.status import Status

        skip = frozenset(names) - frozenset(inside)
        answer = cpsat.run(relaxed, skip=skip, max_seconds=LOOK, workers=4)
        return answer.status is Status.INFEASIBLE

    if not infeasible(kept):
        return "No values satisfy all limits at once; which of them are in conflict was not found in the time."
    size, complete = max(1, len(kept) // 2), True
    while True:  # leave out blocks, halving their size: few solves where most constraints do not matter
        at = 0
        while at < len(kept):
            if time.perf_counter() > until:
                complete = False
                break
            rest = kept[:at] + kept[at + size:]
            if infeasible(rest):
                kept = rest
            else:
                at += size
        if size == 1 or not complete:
            break
        size = max(1, size // 2)
    horizon = f" by the horizon at {plan.end_of_time:g} {plan.time_unit}" if plan.horizon is not None else ""
    what = "; ".join(names[k] for k in kept)
    if not kept:
        return f"No plan ends{horizon}: the tasks alone take longer. Give a later horizon."
    tail = " Loosen one of them." if complete else " The search for a smaller set ran out of time."
    return f"No plan satisfies all of these at once{horizon}: {what}.{tail}"
