"""Why there is no answer: the run that violates the limits least, and the limits that stand in its way."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from optimizers.dynamic import replay
from optimizers.dynamic.grid import Decisions
from optimizers.dynamic.plan import Plan
from optimizers.dynamic.search import Found, Search

TOLD = 1e-6  # of its typical size


@dataclasses.dataclass(frozen=True, eq=False)
class Conflict:
    """The least violation that was found.

    Attributes
    ----------
    decisions, played
        The run with it.
    excesses
        Limits violated there; without them all others can be met, as this run shows.
    solved
        True where the search for it ended normally.
    """

    decisions: Decisions
    played: replay.Played
    excesses: Sequence[replay.Excess]
    solved: bool


def look(search: Search, plan: Plan, decisions: Decisions, number: int) -> Conflict | Found | None:
    """Solve for the least violation; where all limits can be met after all, solve again from there."""
    if not any(k.price is None and k.place.role != "input" for k in plan.limits):
        return None
    search.say(f"{plan.name}: looking for the limits in conflict")
    soft = search.once(search.grid(plan.softened(1.0), decisions), decisions, number)
    if soft is None or soft.cost == float("inf"):
        return None
    violated = [e for e in replay.excesses(plan, soft.played, soft.decisions.durations) if e.share > TOLD]
    if not violated:
        again = search.once(search.grid(plan, soft.decisions), soft.decisions, number)
        if again is not None:
            again = search.polish(again, number)
            if again.usable:
                return again
        return None
    violated.sort(key=lambda e: -e.share)
    return Conflict(soft.decisions, soft.played, violated, bool(soft.status))


def sentences(conflict: Any, plan: Plan) -> list[str]:
    """What stands in the way, in sentences."""
    found = []
    for e in conflict.excesses:
        side = "at least" if e.value < e.bound else "at most"
        if e.limit.equal:
            side = "equal to"
        when = "at the end" if e.limit.phase is not None else f"at {e.time:.4g} {plan.time_unit}"
        unit = e.limit.place.unit
        found.append(f"{e.limit.said or e.limit.place.name} must be {side} {e.bound:.6g} {unit}; the nearest run reaches "
                     f"{e.value:.6g} {unit} {when}.")
    return found
