"""Unit-specific event points in continuous time (Ierapetritou and Floudas 1998, DOI 10.1021/ie970927g) for HiGHS.

At each event point a unit starts at most one task; the times of an event point differ from unit to unit. Columns: w(i, n) starts
task i at point n, b its size, start(i, n) and end(i, n); the stock of each material at each point.
"""

from __future__ import annotations

from typing import Any

from optimizers.backends.milp import Milp, MilpAnswer
from optimizers.schedule.network import Batch, Network
from twin import errors


def run(plant: Network, points: int, *, max_seconds: float | None, seed: int, gap: float, threads: int) -> tuple[MilpAnswer,
                                                                                                                 list[Batch]]:
    """Solve it with a number of event points at which tasks start."""
    import numpy as np

    if plant.utilities or any(u.closed for u in plant.units) or any(m.receipts for m in plant.materials):
        raise errors.SpecError("Event points go without utilities, closed windows and receipts. Use discrete time: events=None.")
    m, horizon, inf = Milp(), plant.horizon, np.inf
    runs = [(p, u, fit) for p in plant.processes for u, fit in p.units.items()]
    w, b, start, end = [], [], [], []
    for _, _, fit in runs:
        w.append(m.add(points, 0, 1, -fit.cost, integer=True))
        b.append(m.add(points, 0, fit.most))
        start.append(m.add(points, 0, horizon))
        end.append(m.add(points, 0, horizon))
        m.require(-inf, 0, points, (b[-1], 1.0), (w[-1], -fit.most))
        if fit.least:
            m.require(0, inf, points, (b[-1], 1.0), (w[-1], -fit.least))
        m.require(0, 0, points, (end[-1], 1.0), (start[-1], -1.0), (w[-1], -fit.duration), (b[-1], -fit.per_amount))
        if points > 1:
            m.require(0, inf, points - 1, (start[-1][1:], 1.0), (end[-1][:-1], -1.0))
    later = np.arange(points - 1)
    for equipment in plant.units:
        own = [k for k, r in enumerate(runs) if r[1] == equipment.name]
        if not own:
            continue
        m.require(-inf, 1, points, *[(w[k], 1.0) for k in own])
        # All batches of a unit fit the horizon one after another: redundant, and strong.
        fits = [runs[k][2] for k in own]
        m.row(-inf, horizon, np.concatenate([np.concatenate([w[k], b[k]]) for k in own]),
              np.concatenate([np.repeat([f.duration, f.per_amount], points) for f in fits]))
        for k in own:
            for other in own:
                if k != other and points > 1:
                    m.require(-horizon, inf, points - 1, (start[k][1:], 1.0), (end[other][:-1], -1.0),
                              (w[other][later], -horizon))
    for k, (p, unit, _) in enumerate(runs):
        for other, (q, place, _) in enumerate(runs):
            if unit != place and points > 1 and set(p.consumes) & {name for name, _, _ in q.outputs(place)}:
                m.require(-horizon, inf, points - 1, (start[k][1:], 1.0), (end[other][:-1], -1.0), (w[other][later], -horizon))
    for material in plant.materials:
        stock = m.add(points, 0, inf if material.capacity is None else material.capacity)
        (left,) = m.add(1, material.least, None, material.price)
        given = np.zeros(points)
        given[0] = material.initial
        at = np.arange(points)
        terms: list[tuple[Any, Any]] = [(stock, 1.0), (np.where(at > 0, stock[np.maximum(at - 1, 0)], -1), -1.0)]
        last: list[tuple[int, float]] = [(int(left), 1.0), (int(stock[-1]), -1.0)]
        for k, (p, unit, _) in enumerate(runs):
            if material.name in p.consumes:
                terms.append((b[k], p.consumes[material.name]))
            for name, share, _ in p.outputs(unit):
                if name == material.name:
                    terms.append((np.where(at > 0, b[k][np.maximum(at - 1, 0)], -1), -share))
                    last.append((int(b[k][-1]), -share))
        m.require(given, given, points, *terms)
        m.row(0, 0, [c for c, _ in last], [v for _, v in last])
    answer = m.solve(maximize=True, max_seconds=max_seconds, gap=gap, seed=seed, threads=threads)
    batches = []
    if answer.x is not None:
        for k, (p, unit, _) in enumerate(runs):
            for n in np.flatnonzero(answer.x[w[k]] > 0.5):
                size = float(answer.x[b[k][n]])
                if size > 1e-7:
                    batches.append(Batch(p.name, unit, float(answer.x[start[k][n]]), float(answer.x[end[k][n]]), size))
    return answer, sorted(batches, key=lambda e: (e.start, e.unit))
