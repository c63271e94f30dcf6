"""Where searches begin: the nominal recipe, and random inputs between their bounds."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic.grid import Decisions, start_of
from optimizers.dynamic.plan import Plan
from twin.simulation.simulate import simulate


def nominal(problem: Any, plan: Plan, given: Mapping[str, Any] | None) -> Decisions:
    """The recipe as it is, within all bounds; phases that end at a crossing take the time they take in simulation."""
    lengths: dict[int, float] = {}
    if any(isinstance(p.until, tuple) for p in plan.recipe_phases):
        lengths = _crossings(problem, plan)
    start = start_of(plan, given)
    if not lengths:
        return start
    durations = list(start.durations)
    for k, length in lengths.items():
        if plan.phases[k].free and not (given and (plan.phases[k].name in given or "duration" in given)):
            durations[k] = min(max(length, plan.phases[k].shortest), plan.phases[k].longest)
    return dataclasses.replace(start, durations=durations)


def _crossings(problem: Any, plan: Plan) -> dict[int, float]:
    """Length of each phase of the nominal recipe."""
    from twin.recipe import Recipe

    phases = list(plan.recipe_phases)
    total = sum(p.duration for p in plan.phases)
    limit = next((k for k in plan.limits if k.said == "duration"), None)
    if limit is not None:
        low, high = limit.sides(0.0)
        total = 0.5 * (low + high) if math.isfinite(low) else high
    last = phases[-1]
    if last.until is None:
        phases[-1] = dataclasses.replace(last, until=total)
    run = simulate(problem.model, Recipe(phases), initial=_by_name(plan), duration=total, points=2, check_limits=False,
                   throw=False)
    spans = run.spans()
    return {k: b - a for k, (a, b, _) in enumerate(spans) if b > a}


def _by_name(plan: Plan) -> dict[str, Any]:
    own = {s.name for s in getattr(plan.model, "base", plan.model).signals}
    rows = [r for r in plan.model.layout("state") if r.signal.name in own]
    return {r.signal.name: list(plan.x0[r.where]) if r.shape else plan.x0[r.where] for r in rows}


def random_start(plan: Plan, nominal_start: Decisions, seed: int, number: int) -> Decisions:
    """Random inputs: straight lines through one to six random values; lengths and parameters anywhere between their bounds."""
    import numpy as np

    draw = random.Random(seed * 1_000_003 + number)
    controls = []
    for phase in plan.phases:
        own = {}
        for m in phase.moved:
            knots = [draw.uniform(m.lower, m.upper) for _ in range(draw.randint(1, 6))]
            middle = np.array(m.shares) if m.linear else 0.5 * (np.array(m.shares[1:]) + np.array(m.shares[:-1]))
            own[m.place.name] = np.interp(middle, np.linspace(0, 1, len(knots)) if len(knots) > 1 else [0.5], knots)
        controls.append(own)
    durations = [draw.uniform(p.shortest, p.longest) if p.free else p.duration for p in plan.phases]
    values = []
    for d in (*plan.parameters, *plan.initial):
        wide = d.lower > 0 and d.upper > 100 * d.lower
        values.append(math.exp(draw.uniform(math.log(d.lower), math.log(d.upper))) if wide else draw.uniform(d.lower, d.upper))
    n = len(plan.parameters)
    return Decisions(controls, durations, values[:n], values[n:])


def between(a: Decisions, b: Decisions, share: float) -> Decisions:
    """Decisions on the way from a to b."""
    mix = lambda p, q: p + share * (q - p)  # noqa: E731
    return Decisions([{n: mix(v, other[n]) for n, v in own.items()} for own, other in zip(a.controls, b.controls, strict=True)],
                     [mix(p, q) for p, q in zip(a.durations, b.durations, strict=True)],
                     [mix(p, q) for p, q in zip(a.parameters, b.parameters, strict=True)],
                     [mix(p, q) for p, q in zip(a.initial, b.initial, strict=True)])


def on_plan(plan: Plan, other: Plan, decisions: Decisions) -> Decisions:
    """Decisions of one plan read on the intervals of another."""
    import numpy as np

    controls = []
    for phase, source, own in zip(plan.phases, other.phases, decisions.controls, strict=True):
        found = {}
        for m, old in zip(phase.moved, source.moved, strict=True):
            values = np.asarray(own[m.place.name])
            if m.linear:
                found[m.place.name] = np.interp(m.shares, old.shares, values)
            else:
                middle = 0.5 * (np.array(m.shares[1:]) + np.array(m.shares[:-1]))
                k = np.clip(np.searchsorted(old.shares, middle, side="right") - 1, 0, len(values) - 1)
                found[m.place.name] = values[k]
        controls.append(found)
    return dataclasses.replace(decisions, controls=controls)
