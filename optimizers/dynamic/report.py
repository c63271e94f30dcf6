"""The Solution of a Trajectory: status in sentences, what holds the optimum back, tables and frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic import conflict as conflicts
from optimizers.dynamic import replay
from optimizers.dynamic.active import active_limits, active_spans
from optimizers.dynamic.grid import Decisions
from optimizers.dynamic.plan import Plan
from optimizers.dynamic.search import Found
from optimizers.solution import Solution
from twin.status import Status

AGREE = 1e-6  # relative difference of claim and simulation that is still called an agreement


def solution(problem: Any, plan: Plan, found: Found | None, ended: Status | None, conflict: Any, note: str,
             stats: Mapping[str, Any], start: float = math.nan) -> Solution:
    """What comes back, whatever happened."""
    if isinstance(conflict, Found):
        found, conflict = conflict, None
    views = {"table": table, "plot": plot, "to_frame": to_frame}
    if found is None:
        status = ended or Status.NOT_CONVERGED
        return Solution(problem, status, f"{plan.name}: {status} There is no run yet.", {}, None, plan.unit, stats=stats)
    stats = {**stats, "gap": found.gap, "elements": found.grid.elements, "points": len(found.grid.edges) * found.grid.points,
             "kkt_error": float(getattr(found.result, "error", math.nan))}
    if conflict is not None:
        decisions, played = conflict.decisions, conflict.played
    else:
        decisions, played = found.decisions, found.played
    status, message = _status(plan, found, ended, conflict)
    usable = found.usable and conflict is None
    details = {"start": start, "decisions": decisions, "plan": plan, "recipe": replay.recipe_of(plan, decisions),
               "durations": list(decisions.durations), "times": _times(plan, decisions),
               "conflicts": [e.limit.said or e.limit.place.name for e in conflict.excesses] if conflict is not None else [],
               "active_spans": active_spans(found) if usable else {}}
    hidden = [e for e in found.excesses if e.share > 1e-6]
    violated = [f"{e.limit.said or e.limit.place.name} is {e.value:.6g} {e.limit.place.unit} at {e.time:.4g} {plan.time_unit}, "
                f"beyond its limit {e.bound:.6g} {e.limit.place.unit}." for e in hidden] if conflict is None else []
    violated += [f"Outside what the model is stated for: {text}" for text in played.trajectory.excursions] if usable else []
    violated += untrained(plan, decisions, played.trajectory) if usable else []
    return Solution(
        problem, status, message, _values(plan, decisions), found.objective if usable else None, plan.unit,
        claimed=found.claimed if usable else None, violation=found.violation, violated=violated,
        active=active_limits(found) if usable else (), replay=played.trajectory, stats=stats,
        solver=(note or found.solver) + _kept(plan, found), details=details, views=views)


def _kept(plan: Plan, found: Found) -> str:
    """Which states were kept within their ranges, because the polynomials left them and the model does not."""
    rows = plan.model.layout("state")
    names = ", ".join(dict.fromkeys(max((r for r in rows if r.start <= k), key=lambda r: r.start).signal.name
                                    for k, _ in sorted(found.within)))
    return f"; {names} kept within the range of the model" if names else ""


def untrained(plan: Plan, decisions: Decisions, run: Any) -> list[str]:
    """Sentences on arguments of learned terms that leave the domain in which the terms were trained."""
    from twin.learning.domain import ROLES, outside

    if not plan.model.learned:
        return []
    p = replay.starting(plan, decisions)[1]
    return [o.sentence(plan.time_unit) for o in outside(plan.model, {role: run.raw[role] for role in ROLES}, run.times, p)]


def _status(plan: Plan, found: Found, ended: Status | None, conflict: Any) -> tuple[Status, str]:
    goal = "best" if plan.terms or plan.time_weight else "feasible"
    length = f"{sum(found.decisions.durations):.5g} {plan.time_unit}"
    best = f"{plan.name}: the {goal} {plan.goal} is {found.objective:.8g} {plan.unit}".rstrip() + f", in {length}"
    if conflict is not None:
        reasons = " ".join(conflicts.sentences(conflict, plan))
        rest = (" The other limits can be met without it." if len(conflict.excesses) == 1 else
                " The other limits can be met without these.") if conflict.solved else ""
        return Status.INFEASIBLE, f"{plan.name}: no run within all limits was found. {reasons}{rest}"
    if not math.isfinite(found.cost):
        told = found.played.trajectory.message or "The model gave NaN or infinity."
        return Status.NOT_FINITE, f"{plan.name}: the run could not be simulated to its end. {told}"
    if ended is not None:
        held = (f"The best so far: {plan.goal} {found.objective:.8g} {plan.unit}".rstrip() + "; all limits hold." if found.usable
                else f"No run within all limits was found yet; the nearest one violates them by {found.violation:.2g} of their "
                     "size.")
        return ended, f"{plan.name}: {ended} {held}"
    if not found.usable:
        worst = max(found.excesses, key=lambda e: e.share)
        return (found.status if not found.status else Status.NOT_CONVERGED), (
            f"{plan.name}: {found.status} {worst.limit.said or worst.limit.place.name} is violated by {worst.amount:.3g} "
            f"{worst.limit.place.unit} at {worst.time:.4g} {plan.time_unit} when the answer is simulated.")
    if found.result is None:
        return Status.FEASIBLE, (f"{plan.name}: the search found nothing better than its start, whose {plan.goal} is "
                                 f"{found.objective:.8g} {plan.unit}. Give another start=, more starts, or a finer grid.")
    if not found.status:
        return found.status, f"{best}. It is not proved to be the best: {found.status}"
    if found.gap > AGREE:
        return Status.FEASIBLE, (f"{best}. The solver claims {found.claimed:.8g} {plan.unit}: the grid is too coarse to call it "
                                 "the best. Raise elements or degree.")
    return Status.SUCCESS, f"{best}. A local optimum; more starts may find a better one."


def _values(plan: Plan, decisions: Decisions) -> dict[str, Any]:
    """Decisions by name."""
    import numpy as np

    found: dict[str, Any] = {}
    for name in plan.moved:
        parts = [np.asarray(own[name], float) for own in decisions.controls if name in own]
        found[name] = np.concatenate(parts)
    if plan.free_time:
        found["duration"] = float(sum(decisions.durations))
        found |= {p.name: float(t) for p, t in zip(plan.phases, decisions.durations, strict=True) if p.free and p.name}
    for group, values in ((plan.parameters, decisions.parameters), (plan.initial, decisions.initial)):
        found |= {d.place.name: float(v) for d, v in zip(group, values, strict=True)}
    return found


def _times(plan: Plan, decisions: Decisions) -> dict[str, Any]:
    """Times at which the values of each moved input begin to hold (are reached, where it runs in lines)."""
    import numpy as np

    found: dict[str, list[float]] = {}
    start = 0.0
    for phase, length in zip(plan.phases, decisions.durations, strict=True):
        for m in phase.moved:
            shares = m.shares if m.linear else m.shares[:-1]
            found.setdefault(m.place.name, []).extend(start + s * length for s in shares)
        start += length
    return {name: np.array(v) for name, v in found.items()}


def to_frame(answer: Solution) -> Any:
    """pandas DataFrame of the moved inputs: one row a time at which one of them may change; units in `attrs`."""
    import numpy as np
    import pandas as pd

    plan, times = answer.details["plan"], answer.details["times"]
    index = np.unique(np.concatenate([*times.values(), np.zeros(1)]))
    columns = {}
    for name in plan.moved:
        k = np.searchsorted(times[name], index, side="right") - 1
        columns[name] = np.where(k >= 0, np.asarray(answer.value[name])[np.maximum(k, 0)], np.nan)
    frame = pd.DataFrame(columns, index=pd.Index(index, name=f"time [{plan.time_unit}]"))
    frame.attrs["units"] = {m.place.name: m.place.unit for p in plan.phases for m in p.moved}
    return frame


def table(answer: Solution) -> str:
    """The decisions, then every signal at the end, as text."""
    plan = answer.details["plan"]
    lines = [answer.message, ""]
    if plan.moved:
        frame = to_frame(answer)
        frame.columns = [f"{n} [{frame.attrs['units'][n]}]" for n in frame.columns]
        lines += [frame.to_string(float_format=lambda v: f"{v:.5g}"), ""]
    units = {d.place.name: d.place.unit for d in (*plan.parameters, *plan.initial)}
    lines += [f"{n} = {v:.6g} {units.get(n, plan.time_unit)}" for n, v in answer.value.items() if n not in plan.moved]
    run = answer.replay
    ends = [f"{n} {run.final[n]:.6g} {run.unit(n)}" for n in run.names("state", "output") if n in run.final
            and not isinstance(run.final[n], list)]
    return "\n".join([*lines, "At the end: " + ", ".join(ends) + "."])


def plot(answer: Solution, signals: Any = None, *, title: str | None = None) -> Any:
    """A panel for each moved input and each signal that counts; limits shaded, where they hold the optimum back in bold."""
    from optimizers.dynamic.pictures import picture

    return picture(answer, signals, title)
