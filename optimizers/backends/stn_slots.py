"""Discrete-time state-task network for HiGHS: W starts a batch, B is its size, S is the stock after each slot.

Beyond the textbook formulation (allocation over the slots that a batch takes, B <= most W, balances): totals over the horizon.
The number of batches of each process on each unit is an integer column, their total amount is at most that many full batches,
the time of all batches fits the horizon, and the material balance holds for the totals. All follow from the other rows, but HiGHS
finds rounding cuts on the few totals that it cannot find on the many slots.
"""

from __future__ import annotations

from typing import Any

from optimizers.backends.milp import Milp, MilpAnswer
from optimizers.schedule.network import Batch, Network


def run(plant: Network, *, max_seconds: float | None, seed: int, gap: float, threads: int) -> tuple[MilpAnswer, list[Batch]]:
    """Solve it."""
    import numpy as np

    m = Milp()
    steps = round(plant.horizon / plant.step)
    inf = np.inf
    runs = [(p, u, fit, round(fit.duration / plant.step)) for p in plant.processes for u, fit in p.units.items()]
    w, b = [], []
    for p, unit, fit, length in runs:
        closed = [(round(c.start / plant.step), round(c.end / plant.step)) for c in plant.unit_of[unit].closed]
        cost = np.array([-fit.cost - sum(fixed * _priced(plant, name, t, t + length) for name, (fixed, _) in p.uses.items())
                         for t in range(steps)])
        size_cost = np.array([-sum(each * _priced(plant, name, t, t + length) for name, (_, each) in p.uses.items())
                              for t in range(steps)])
        can = np.array([t + length <= steps and not any(t < e and t + length > s for s, e in closed) for t in range(steps)],
                       float)
        w.append(m.add(steps, 0, can, cost, integer=True))
        b.append(m.add(steps, 0, fit.most * can, size_cost))
        m.require(-inf, 0, steps, (b[-1], 1.0), (w[-1], -fit.most))
        if fit.least:
            m.require(0, inf, steps, (b[-1], 1.0), (w[-1], -fit.least))
    for place in plant.units:
        own = [k for k, r in enumerate(runs) if r[1] == place.name]
        terms = [(np.arange(steps) - d, k) for k in own for d in range(runs[k][3])]
        if terms:
            m.require(-inf, 1, steps, *[(np.where(t >= 0, w[k][np.maximum(t, 0)], -1), 1.0) for t, k in terms])
    ends = _balances(m, plant, runs, b, steps)
    _utilities(m, plant, runs, w, b, steps)
    if not plant.plain:
        _totals(m, plant, runs, w, b, ends, steps)
    answer = m.solve(maximize=True, max_seconds=max_seconds, gap=gap, seed=seed, threads=threads)
    batches = []
    if answer.x is not None:
        for k, (p, unit, fit, _) in enumerate(runs):
            for t in np.flatnonzero(answer.x[w[k]] > 0.5):
                start = float(t) * plant.step
                size = float(answer.x[b[k][t]])
                if size > 1e-7 or fit.cost:
                    batches.append(Batch(p.name, unit, start, start + fit.duration, size))
    return answer, sorted(batches, key=lambda e: (e.start, e.unit))


def _priced(plant: Network, name: str, first: int, last: int) -> float:
    prices = next(u.prices for u in plant.utilities if u.name == name)
    return float(sum(prices[first:last])) * plant.step if prices else 0.0


def _balances(m: Milp, plant: Network, runs: list[Any], b: list[Any], steps: int) -> dict[str, Any]:
    """Stock of each material at each slot limit; the columns of the stocks at the end."""
    import numpy as np

    ends = {}
    at = np.arange(steps + 1)
    for material in plant.materials:
        lower = np.zeros(steps + 1)
        lower[-1] = material.least
        value = np.zeros(steps + 1)
        value[-1] = material.price
        upper = np.inf if material.capacity is None else material.capacity
        stock = m.add(steps + 1, lower, upper, value)
        given = np.zeros(steps + 1)
        given[0] = material.initial
        for time, amount in material.receipts:
            given[round(time / plant.step)] += amount
        terms: list[tuple[Any, Any]] = [(stock, 1.0), (np.where(at > 0, stock[np.maximum(at - 1, 0)], -1), -1.0)]
        for k, (p, unit, _, _) in enumerate(runs):
            if material.name in p.consumes:
                terms.append((np.where(at < steps, b[k][np.minimum(at, steps - 1)], -1), p.consumes[material.name]))
            for name, share, delay in p.outputs(unit):
                if name == material.name:
                    t = at - round(delay / plant.step)
                    terms.append((np.where((t >= 0) & (t < steps), b[k][np.clip(t, 0, steps - 1)], -1), -share))
        m.require(given, given, steps + 1, *terms)
        ends[material.name] = stock[-1]
    return ends


def _utilities(m: Milp, plant: Network, runs: list[Any], w: list[Any], b: list[Any], steps: int) -> None:
    import numpy as np

    at = np.arange(steps)
    for utility in plant.utilities:
        if utility.limit is None:
            continue
        terms = []
        for k, (p, _, _, length) in enumerate(runs):
            fixed, each = p.uses.get(utility.name, (0.0, 0.0))
            for d in range(length):
                t = at - d
                if fixed:
                    terms.append((np.where(t >= 0, w[k][np.maximum(t, 0)], -1), fixed))
                if each:
                    terms.append((np.where(t >= 0, b[k][np.maximum(t, 0)], -1), each))
        if terms:
            m.require(-np.inf, utility.limit, steps, *terms)


def _totals(m: Milp, plant: Network, runs: list[Any], w: list[Any], b: list[Any], ends: dict[str, Any], steps: int) -> None:
    """Numbers and amounts over the horizon."""
    import numpy as np

    number, amount = [], []
    for k, (_, _, fit, length) in enumerate(runs):
        (n,) = m.add(1, 0, steps // max(length, 1), 0.0, integer=True)
        (total,) = m.add(1)
        m.row(0, 0, [*w[k], n], [1.0] * steps + [-1.0])
        m.row(0, 0, [*b[k], total], [1.0] * steps + [-1.0])
        m.row(-np.inf, 0, [total, n], [1.0, -fit.most])
        number.append(n)
        amount.append(total)
    for unit in plant.units:
        own = [k for k, r in enumerate(runs) if r[1] == unit.name]
        open_steps = steps - sum(round((c.end - c.start) / plant.step) for c in unit.closed if c.end <= plant.horizon)
        if own:
            m.row(-np.inf, open_steps, [number[k] for k in own], [float(runs[k][3]) for k in own])
    for material in plant.materials:
        given = material.initial + sum(a for _, a in material.receipts)
        columns, shares = [ends[material.name]], [1.0]
        for k, (p, unit, _, _) in enumerate(runs):
            share = p.consumes.get(material.name, 0.0) - sum(s for name, s, _ in p.outputs(unit) if name == material.name)
            if share:
                columns.append(amount[k])
                shares.append(share)
        m.row(given, given, columns, shares)
