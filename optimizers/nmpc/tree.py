"""The tree of a horizon: one chain, or one that branches where scenarios are told apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Tree:
    """Nodes of a horizon, level by level.

    Attributes
    ----------
    parents
        Parent of each node, -1 of the root.
    level
        Intervals from the root to each node.
    scenario
        Which sample holds on the edge that leads to each node; 0 for the root.
    weight
        Probability of each node.
    """

    parents: tuple[int, ...]
    level: tuple[int, ...]
    scenario: tuple[int, ...]
    weight: tuple[float, ...]

    @property
    def leaves(self) -> tuple[int, ...]:
        """Nodes without children."""
        inner = set(self.parents)
        return tuple(n for n in range(len(self.parents)) if n not in inner)

    def path(self, leaf: int) -> tuple[int, ...]:
        """Nodes from the root to a leaf."""
        found = [leaf]
        while self.parents[found[-1]] >= 0:
            found.append(self.parents[found[-1]])
        return tuple(reversed(found))

    def children(self) -> Any:
        """First child of each node, -1 of a leaf (numpy)."""
        import numpy as np

        first = np.full(len(self.parents), -1)
        for n in range(len(self.parents) - 1, 0, -1):
            first[self.parents[n]] = n
        return first


def tree(steps: int, weights: Sequence[float], branching: int) -> Tree:
    """A horizon of `steps` intervals on which the samples are told apart in each of the first `branching` intervals.

    After that a sample holds until the end. One sample gives a chain.
    """
    parents, level, scenario, weight = [-1], [0], [0], [1.0]
    last = [0]
    for k in range(steps):
        grown = []
        for n in last:
            for s in range(len(weights)) if k < branching else (scenario[n],):
                grown.append(len(parents))
                parents.append(n)
                level.append(k + 1)
                scenario.append(s)
                weight.append(weight[n] * (weights[s] if k < branching else 1.0))
        last = grown
    return Tree(tuple(parents), tuple(level), tuple(scenario), tuple(weight))
