"""Which limits hold an optimum back, where along time, and what more room would be worth."""

from __future__ import annotations

from typing import Any

from optimizers.dynamic import filling
from optimizers.dynamic.search import Found
from optimizers.solution import Active

SMALLEST = 1e-6  # of the objective for one typical size of room: what is worth less is not told
NEAR = 0.02  # of the run: stretches with less between them are told as one
PART = 1e-3  # of the largest multiplier: where a limit counts as active


def active_limits(found: Found) -> tuple[Active, ...]:
    """Active limits, the most expensive first."""
    if found.result is None:
        return ()
    rows = [*_limits(found), *_inputs(found), *_constants(found)]
    return tuple(a for _, a in sorted(rows, key=lambda r: -r[0]))


def stretches(found: Found, weights: Any) -> list[tuple[float, float]]:
    """Stretches of time in which a multiplier counts."""
    times = found.grid.times(found.decisions.durations)
    spans: list[tuple[float, float]] = []
    for n, w in enumerate(weights):
        if w <= PART * max(weights):
            continue
        a, b = float(times[n, 0]), float(times[n, -1])
        if spans and a - spans[-1][1] <= NEAR * float(times[-1, -1]):
            spans[-1] = (spans[-1][0], b)
        else:
            spans.append((a, b))
    return spans


def where(found: Found, weights: Any) -> str:
    """The same in words."""
    unit = found.plan.time_unit
    spans = stretches(found, weights)
    whole = float(sum(found.decisions.durations))
    if len(spans) == 1 and spans[0][0] <= 1e-9 * whole and spans[0][1] >= (1 - 1e-9) * whole:
        return "all along"
    told = [f"{a:.4g} to {b:.4g} {unit}" for a, b in spans[:3]]
    return "from " + ", ".join(told) + (f" and {len(spans) - 3} more times" if len(spans) > 3 else "")


def active_spans(found: Found) -> dict[str, list[tuple[float, float, float]]]:
    """By signal: (from, to, limit) of each stretch in which a limit that holds all along is active."""
    spans: dict[str, list[tuple[float, float, float]]] = {}
    times = found.grid.times(found.decisions.durations)
    for limit, both in zip(found.plan.limits, found.prices, strict=True):
        for side, weights in enumerate(both):
            if limit.phase is None and _told(found, float(weights.sum()), limit.place.size):
                bound = limit.sides(float(times[int(weights.argmax()), -1]))[side]
                spans.setdefault(limit.place.name, []).extend((a, b, bound) for a, b in stretches(found, weights))
    return spans


def _told(found: Found, price: float, size: float) -> float:
    """How much one typical size of room is worth beside the objective; 0 where too little."""
    worth = price * size / max(abs(found.objective), 1e-12)
    return worth if worth > SMALLEST else 0.0


def _row(found: Found, name: str, side: str, value: float, limit: float, unit: str, price: float, size: float,
         place: str) -> list[tuple[float, Active]]:
    worth = _told(found, price, size)
    return [(worth, Active(name, side, value, limit, unit, price, found.plan.unit, place))] if worth else []


def _limits(found: Found) -> list[tuple[float, Active]]:
    from optimizers.dynamic import replay

    rows: list[tuple[float, Active]] = []
    times = found.grid.times(found.decisions.durations)
    excess = {e.number: e for e in found.excesses}
    for number, (limit, (low, high)) in enumerate(zip(found.plan.limits, found.prices, strict=True)):
        for side, weights in (("lower", low), ("upper", high)):
            price = float(weights.sum())
            if price <= 0:
                continue
            k = int(weights.argmax())
            bound = limit.sides(float(times[k, -1]))[side == "upper"]
            values = replay.series(found.plan, found.played.trajectory, limit.place)
            value = float(values[found.played.rows[k, -1]])
            if limit.phase is not None and number in excess:
                value = excess[number].value
            place = where(found, weights) if limit.phase is None else ("at the end" if limit.phase == -1 else "")
            name = limit.said or limit.place.name
            kind = "equal" if limit.equal else side
            rows += _row(found, name, kind, value, bound, limit.place.unit, price, limit.place.size, place)
    return rows


def _inputs(found: Found) -> list[tuple[float, Active]]:
    """Bounds of moved inputs."""
    import numpy as np

    rows: list[tuple[float, Active]] = []
    tr, lay = found.tr, found.tr.layout
    for j, c in enumerate(lay.controls):
        moved = next(m for p in found.plan.phases for m in p.moved if m.place.name == c.name)
        if c.kind == "value":
            both = np.asarray(found.result.u_dual)[:len(found.grid.edges), j].copy()
        else:
            both = np.asarray(found.result.x_dual)[1:, lay.at_value + lay.carried_values.index(j)].copy()
        for n, edge in enumerate(found.grid.edges):
            if c.name not in {m.place.name for m in found.plan.phases[edge.phase].moved} or edge.is_reset:
                both[n] = 0.0
        for side, weights in (("lower", np.maximum(-both, 0)), ("upper", np.maximum(both, 0))):
            if not weights.any():
                continue
            bound = filling.bounds_of_move(tr, found.grid.edges[int(weights.argmax())].phase, c.name)[side == "upper"]
            rows += _row(found, c.name, side, bound, bound, moved.place.unit, float(weights.sum()), moved.upper - moved.lower,
                         where(found, weights))
    return rows


def _constants(found: Found) -> list[tuple[float, Active]]:
    """Bounds of lengths and parameters."""
    lay, plan, duals = found.tr.layout, found.plan, found.result.x_dual
    rows: list[tuple[float, Active]] = []
    for i, k in enumerate(lay.free_phases):
        phase, dual = plan.phases[k], float(duals[0, lay.at_time + i])
        bound = phase.longest if dual > 0 else phase.shortest
        name = f"duration of {phase.name}" if phase.name else "duration"
        side = "upper" if dual > 0 else "lower"
        rows += _row(found, name, side, found.decisions.durations[k], bound, plan.time_unit, abs(dual), phase.longest, "")
    for i, d in enumerate(plan.parameters):
        dual = float(duals[0, lay.at_parameter + i])
        rows += _row(found, d.place.name, "upper" if dual > 0 else "lower", found.decisions.parameters[i],
                     d.upper if dual > 0 else d.lower, d.place.unit, abs(dual), d.place.size, "")
    for d, value in zip(plan.initial, found.decisions.initial, strict=True):
        dual = float(duals[0, lay.kept.index(d.place.index)])
        side, bound = ("upper", d.upper) if dual > 0 else ("lower", d.lower)
        rows += _row(found, f"initial {d.place.name}", side, value, bound, d.place.unit, abs(dual), d.place.size, "")
    return rows
