"""Discrete-time resource-task network for HiGHS: N starts activities, X is their size, R the level of a resource in each slot.

A resource that activities only hold gets no level of its own: what is held in a slot is a sum over the activities begun within
their duration.

Beyond that formulation: totals over the horizon. The number of times that each activity is carried out is an integer column,
their total size is at most that many full ones, the time that a resource is held fits the horizon, and the balance holds for the
totals. All follow from the other rows, but HiGHS finds rounding cuts on the few totals that it cannot find on the many slots.
"""

from __future__ import annotations

import math
from typing import Any

from optimizers.backends.milp import Milp, MilpAnswer
from optimizers.schedule.resource_network import TINY, Carried, Resource, ResourceNetwork


def run(plant: ResourceNetwork, *, max_seconds: float | None, seed: int, gap: float,
        threads: int) -> tuple[MilpAnswer, list[Carried], dict[str, list[float]]]:
    """Solve it: what is carried out, and what is bought in each step."""
    import numpy as np

    model = Model(plant)
    answer = model.m.solve(maximize=True, max_seconds=max_seconds, gap=gap, seed=seed, threads=threads)
    found: list[Carried] = []
    bought: dict[str, list[float]] = {}
    if answer.x is not None:
        for k, a in enumerate(plant.activities):
            for t in np.flatnonzero(answer.x[model.starts[k]] > 0.5):
                number = round(float(answer.x[model.starts[k][t]]))
                size, start = float(answer.x[model.sizes[k][t]]) / number, float(t) * plant.step
                found += [Carried(a.name, start, start + a.duration, size)] * number
        bought = {name: answer.x[buy].tolist() for name, (_, buy) in model.stored.items() if buy is not None}
        bought |= {r.name: model.drawn(r, found) for r in model.bought}
    return answer, sorted(found, key=lambda e: (e.start, e.activity)), bought


class Model:
    """Columns and rows of a network."""

    def __init__(self, plant: ResourceNetwork) -> None:
        import numpy as np

        self.plant, self.m, self.steps = plant, Milp(), round(plant.horizon / plant.step)
        self.lengths = [round(a.duration / plant.step) for a in plant.activities]
        self.changes = {r.name: [a.changes(r.name, plant.step) for a in plant.activities] for r in plant.resources}
        self.bought = [r for r in plant.resources if self.bought_as_used(r)]
        held = [r for r in plant.resources if self.held_only(r)]
        m, steps, inf = self.m, self.steps, np.inf
        self.starts: list[Any] = []
        self.sizes: list[Any] = []
        for k, a in enumerate(plant.activities):
            can = (np.arange(steps) + self.lengths[k] <= steps).astype(float)
            costs = [self._cost(k, which) for which in (0, 1)]
            most = float(plant.at_once(a))
            self.starts.append(m.add(steps, 0, most * can, costs[0] - a.cost, integer=True))
            self.sizes.append(m.add(steps, 0, most * a.most * can, costs[1]))
            m.require(-inf, 0, steps, (self.sizes[-1], 1.0), (self.starts[-1], -a.most))
            if a.least:
                m.require(0, inf, steps, (self.sizes[-1], 1.0), (self.starts[-1], -a.least))
        for r in held:
            self._held(r)
        self.stored = {r.name: self._stored(r) for r in plant.resources if r not in held and r not in self.bought}
        if not plant.plain:
            self._totals(held)

    def held_only(self, r: Resource) -> bool:
        """Every activity gives back what it takes, and nothing is bought or worth anything."""
        return not (r.price or r.least or r.supply) and all(
            abs(sum(c[which] for c in changes.values())) < TINY for changes in self.changes[r.name] for which in (0, 1))

    def bought_as_used(self, r: Resource) -> bool:
        """Nothing is stored and any amount can be bought: what is drawn is what is bought."""
        return (r.capacity == 0 and not r.receipts and math.isinf(r.supply)
                and all(max(c) <= TINY for changes in self.changes[r.name] for c in changes.values()))

    def _cost(self, k: int, which: int) -> Any:
        """Cost of what an activity draws, by its start."""
        import numpy as np

        cost = np.zeros(self.steps)
        for r in self.bought:
            prices = np.zeros(self.steps + self.lengths[k] + 1)
            prices[:self.steps] = r.prices[:self.steps] if r.prices else 0.0
            for d, change in self.changes[r.name][k].items():
                cost += change[which] * prices[d:d + self.steps]
        return cost

    def drawn(self, r: Resource, carried: list[Carried]) -> list[float]:
        """What activities draw of a resource in each step."""
        total = [0.0] * self.steps
        for c in carried:
            for d, (fixed, each) in self.plant.activity_of[c.activity].changes(r.name, self.plant.step).items():
                total[round(c.start / self.plant.step) + d] -= fixed + each * c.size
        return total

    def _given(self, r: Resource, slots: int) -> Any:
        import numpy as np

        given = np.zeros(slots)
        given[0] = r.initial
        for time, amount in r.receipts:
            if 0 <= round(time / self.plant.step) < slots:
                given[round(time / self.plant.step)] += amount
        return given

    def _terms(self, r: Resource, slots: int, summed: bool) -> list[tuple[Any, Any]]:
        """What starts and sizes do to a resource in each slot, negative; or to its sum up to the slot."""
        import numpy as np

        at, found = np.arange(slots), []
        for k, changes in enumerate(self.changes[r.name]):
            for which, columns in ((0, self.starts[k]), (1, self.sizes[k])):
                total = 0.0
                for d in range(max(changes, default=-1) + 1):
                    change = changes.get(d, (0.0, 0.0))[which]
                    total = total + change if summed else change
                    if abs(total) > TINY:
                        t = at - d
                        found.append((np.where((t >= 0) & (t < self.steps), columns[np.clip(t, 0, self.steps - 1)], -1), -total))
        return found

    def _held(self, r: Resource) -> None:
        import numpy as np

        terms = self._terms(r, self.steps, summed=True)
        if terms:
            free = np.cumsum(self._given(r, self.steps))
            low = -np.inf if r.capacity is None or all(v > 0 for _, v in terms) else free - r.capacity
            self.m.require(low, free, self.steps, *terms)

    def _stored(self, r: Resource) -> tuple[int, Any]:
        """Level at each slot limit; the column of the level at the end, and those of what is bought."""
        import numpy as np

        steps, m = self.steps, self.m
        lower, value = np.zeros(steps + 1), np.zeros(steps + 1)
        lower[-1], value[-1] = r.least, r.price
        level = m.add(steps + 1, lower, np.inf if r.capacity is None else r.capacity, value)
        given, at = self._given(r, steps + 1), np.arange(steps + 1)
        terms: list[tuple[Any, Any]] = [(level, 1.0), (np.where(at > 0, level[np.maximum(at - 1, 0)], -1), -1.0)]
        terms += self._terms(r, steps + 1, summed=False)
        buy = None
        if r.supply > 0:
            buy = m.add(steps, 0, r.supply, -np.asarray(r.prices[:steps], float) if r.prices else 0.0)
            terms.append((np.where(at < steps, buy[np.minimum(at, steps - 1)], -1), -1.0))
        m.require(given, given, steps + 1, *terms)
        return level[-1], buy

    def _totals(self, held: list[Resource]) -> None:
        """Numbers and sizes over the horizon."""
        import numpy as np

        m, steps, inf = self.m, self.steps, np.inf
        number, amount = [], []
        for k, a in enumerate(self.plant.activities):
            (n,) = m.add(1, 0, self.plant.at_once(a) * (steps // max(self.lengths[k], 1)), 0.0, integer=True)
            (total,) = m.add(1)
            m.row(0, 0, [*self.starts[k], n], [1.0] * steps + [-1.0])
            m.row(0, 0, [*self.sizes[k], total], [1.0] * steps + [-1.0])
            m.row(-inf, 0, [total, n], [1.0, -a.most])
            number.append(n)
            amount.append(total)
        for r in held:
            if not any(c[1] for changes in self.changes[r.name] for c in changes.values()):  # held by the activities themselves
                weights = [sum(-c[0] * (self.lengths[k] - d) for d, c in changes.items())
                           for k, changes in enumerate(self.changes[r.name])]
                own = [k for k, weight in enumerate(weights) if weight]
                if own:
                    free = float(np.cumsum(self._given(r, steps)).sum())
                    m.row(-inf, free, [number[k] for k in own], [weights[k] for k in own])
        for name, (end, buy) in self.stored.items():
            given = float(self._given(self.plant.resource_of[name], steps + 1).sum())
            columns, shares = [end, *(buy if buy is not None else [])], [1.0] + ([-1.0] * steps if buy is not None else [])
            for k, changes in enumerate(self.changes[name]):
                for which, own_columns in ((0, number), (1, amount)):
                    share = -sum(c[which] for c in changes.values())
                    if share:
                        columns.append(own_columns[k])
                        shares.append(share)
            m.row(given, given, columns, shares)
