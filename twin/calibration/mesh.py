"""The mesh of many short pieces: where they begin, what the inputs are in them, how a piece is interpolated."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

from twin.calibration.experiments import Experiment
from twin.recipe import PID, Profile, Recipe

FEW = 150  # most sample times of a run that become ends of pieces
FIRST = 24  # least pieces of a run to begin with


@functools.cache
def radau() -> tuple[Any, Any]:
    """Nodes (0, c1, c2, c3 = 1) of Radau IIA and the derivatives D[j, s] of the Lagrange polynomials j at the points s = 1..3."""
    import numpy as np

    nodes = np.array([0.0, (4 - math.sqrt(6)) / 10, (4 + math.sqrt(6)) / 10, 1.0])
    return nodes, np.array([[lagrange(nodes, j, float(s), 1) for s in nodes[1:]] for j in range(4)])


def lagrange(nodes: Any, j: int, s: Any, derivative: int = 0) -> Any:
    """Value, or derivative, of the Lagrange polynomial of node j at s."""
    others = [float(n) for i, n in enumerate(nodes) if i != j]
    scale = math.prod(float(nodes[j]) - n for n in others)
    if derivative == 0:
        return math.prod(s - n for n in others) / scale
    return sum(math.prod(s - n for i, n in enumerate(others) if i != k) for k in range(len(others))) / scale


def supported(recipe: Recipe) -> bool:
    """True where phases end at known times, without resets and controllers."""
    return all(not isinstance(p.until, tuple) and not p.reset and not any(isinstance(v, PID) for v in p.inputs.values())
               for p in recipe.phases)


class Inputs:
    """Inputs and disturbances of a recipe as straight segments on the clock of the run."""

    def __init__(self, recipe: Recipe, nominal: dict[str, float]) -> None:
        self.segments: dict[str, tuple[list[float], list[float], list[float]]] = {}
        for name, value in nominal.items():
            self.segments[name] = ([0.0], [value], [0.0])
        begin = 0.0
        for k, phase in enumerate(recipe.phases):
            for name, held in self.segments.items():
                given = phase.inputs.get(name)
                if given is None and k:
                    self._add(held, begin, held[1][-1] + held[2][-1] * (begin - held[0][-1]), 0.0)
                elif isinstance(given, Profile):
                    self._profile(held, begin, given)
                elif given is not None:
                    self._add(held, begin, float(given), 0.0)  # type: ignore[arg-type]
            begin += float(phase.until) if isinstance(phase.until, int | float) else math.inf

    def _add(self, held: tuple[list[float], list[float], list[float]], at: float, value: float, slope: float) -> None:
        if held[0] and held[0][-1] >= at:
            for column in held:
                column.pop()
        for column, entry in zip(held, (at, value, slope), strict=True):
            column.append(entry)

    def _profile(self, held: tuple[list[float], list[float], list[float]], begin: float, p: Profile) -> None:
        self._add(held, begin, p.values[0], 0.0)
        for i, (t, v) in enumerate(zip(p.times, p.values, strict=True)):
            last = i + 1 == len(p.times)
            slope = 0.0 if p.hold == "previous" or last else (p.values[i + 1] - v) / (p.times[i + 1] - t)
            if t >= 0:
                self._add(held, begin + t, v, slope)
            elif last or p.times[i + 1] > 0:
                self._add(held, begin, v - slope * t, slope)

    def breaks(self, end: float) -> set[float]:
        """Times before `end` where an input jumps or bends."""
        return {t for starts, _, _ in self.segments.values() for t in starts if 0 < t < end}

    def at(self, times: Any, within: Any) -> Any:
        """Values, shape (inputs, ...), at times that belong to the segments in which the times `within` lie."""
        import numpy as np

        rows = []
        for starts, values, slopes in self.segments.values():
            if len(starts) == 1 and slopes[0] == 0.0:
                rows.append(np.broadcast_to(values[0], np.shape(times)))
                continue
            k = np.maximum(np.searchsorted(np.array(starts), within, side="right") - 1, 0)
            rows.append(np.array(values)[k] + np.array(slopes)[k] * (times - np.array(starts)[k]))
        return np.array(rows).reshape((len(rows), *np.shape(times)))


def first_mesh(experiment: Experiment, inputs: Inputs) -> list[float]:
    """Ends of pieces to begin with: jumps of inputs and sample times, long gaps divided."""
    end = experiment.times[-1]
    fixed = {0.0, end, *inputs.breaks(end)}
    times = [t for t in experiment.times if t > 0]
    if len(times) <= FEW:
        fixed |= set(times)
    ends = sorted(fixed)
    longest = end / FIRST
    mesh = [0.0]
    for a, b in itertools.pairwise(ends):
        if b - a < 1e-12 * end:
            continue
        parts = max(1, math.ceil((b - a) / longest - 1e-9))
        mesh += [a + (b - a) * i / parts for i in range(1, parts)] + [b]
    return mesh


def divided(mesh: Sequence[float], parts: Sequence[int]) -> list[float]:
    """The mesh with each piece cut into equal parts."""
    found = [mesh[0]]
    for a, b, n in zip(mesh, mesh[1:], parts, strict=False):
        found += [a + (b - a) * i / n for i in range(1, n)] + [b]
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """Where the sample times of a run lie: piece, and weights (4,) of its nodes (start and three points)."""

    piece: Any  # (times,)
    weights: Any  # (times, 4)
    points: Any  # (times, 3): weights of the three points alone, for algebraics

    @classmethod
    def of(cls, mesh: Sequence[float], times: Sequence[float]) -> Places:
        """Places of times within the mesh."""
        import numpy as np

        nodes, _ = radau()
        ends, t = np.asarray(mesh), np.asarray(times)
        k = np.clip(np.searchsorted(ends, t, side="left") - 1, 0, len(ends) - 2)
        s = (t - ends[k]) / (ends[k + 1] - ends[k])
        weights = np.stack([lagrange(nodes, j, s) for j in range(4)], axis=1)
        points = np.stack([lagrange(nodes[1:], j, s) for j in range(3)], axis=1)
        for at, w, z in ((s <= 0, (1.0, 0.0, 0.0, 0.0), None), (s >= 1 - 1e-12, (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0))):
            weights[at] = w  # ends of pieces exactly
            if z is not None:
                points[at] = z
        return cls(k, weights, points)
