"""Grid: the elements on which a plan is discretized, and Decisions: what a solver may choose, by name."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.dynamic.plan import PhasePlan, Plan, at
from twin import errors
from twin.recipe import Profile

CLOSE = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Decisions:
    """Values of everything that is free.

    Attributes
    ----------
    controls
        By phase: {input: values, one an interval (and one more where it runs in straight lines)}.
    durations
        Length of each phase, free or not.
    parameters, initial
        Values of the free parameters and initial states, in the order of the plan.
    """

    controls: Sequence[Mapping[str, Any]]
    durations: Sequence[float]
    parameters: Sequence[float] = ()
    initial: Sequence[float] = ()


@dataclasses.dataclass(frozen=True)
class Edge:
    """A stretch of the run between two nodes: its phase and the shares of the phase at both ends; a reset takes no time.

    `index` counts the stretches of a phase; a reset is number -1, and `step` says which of the resets of its phase it is.
    """

    phase: int
    index: int
    a: float
    b: float
    step: int = -1

    @property
    def is_reset(self) -> bool:
        """True where states change at once."""
        return self.step >= 0


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """The edges of all phases, each of `elements` equal elements with `degree` Radau points.

    Attributes
    ----------
    extra
        By phase: shares at which stretches are split further, where the model moves fast.
    """

    plan: Plan
    degree: int
    elements: int
    extra: tuple[tuple[float, ...], ...] = ()

    @functools.cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Resets and stretches in the order of time."""
        found = []
        for k, phase in enumerate(self.plan.phases):
            found += [Edge(k, -1, 0.0, 0.0, step) for step in range(len(phase.reset))]
            shares = sorted({*breaks(self.plan, k), *(self.extra[k] if self.extra else ())})
            found += [Edge(k, i, shares[i], shares[i + 1]) for i in range(len(shares) - 1)]
        return tuple(found)

    def split(self, pieces: Sequence[int]) -> Grid:
        """Each edge in so many equal pieces."""
        extra = [set(own) for own in self.extra] if self.extra else [set() for _ in self.plan.phases]
        for edge, n in zip(self.edges, pieces, strict=True):
            extra[edge.phase] |= {edge.a + (edge.b - edge.a) * i / n for i in range(1, n)}
        return dataclasses.replace(self, extra=tuple(tuple(sorted(own)) for own in extra))

    @property
    def points(self) -> int:
        """Collocation points of an edge."""
        return self.elements * self.degree

    @functools.cached_property
    def taus(self) -> tuple[float, ...]:
        """Positions of the points in their edge, in (0, 1]."""
        inner = radau(self.degree)
        return tuple((e + c) / self.elements for e in range(self.elements) for c in inner)

    def times(self, durations: Sequence[float]) -> Any:
        """Time of the start of each edge and of its points, shape (edges, points + 1)."""
        import numpy as np

        starts = np.concatenate([[0.0], np.cumsum(durations)])
        shares = np.array([0.0, *self.taus])
        return np.array([starts[e.phase] + durations[e.phase] * (e.a + (e.b - e.a) * shares) for e in self.edges])

    def last_of(self, phase: int) -> int:
        """Number of the last edge of a phase; -1 stands for the last phase."""
        wanted = len(self.plan.phases) - 1 if phase < 0 else phase
        return max(n for n, e in enumerate(self.edges) if e.phase == wanted)

    def node_at(self, time: float) -> int:
        """Number of the node at a time of the run, all lengths being fixed."""
        durations = [p.duration for p in self.plan.phases]
        starts = self.times(durations)[:, 0]
        end = sum(durations)
        if abs(time - end) <= CLOSE * end:
            return len(starts)
        near = [n for n, t in enumerate(starts) if abs(t - time) <= 2 * CLOSE * end]
        if not near:
            raise errors.SpecError(f"Time {time:g} {self.plan.time_unit} lies outside the run of {end:g} {self.plan.time_unit}.")
        return near[-1]  # after the resets


def interval(shares: Sequence[float], share: float) -> tuple[int, float]:
    """The interval of increasing shares in which a share lies, and how far into it (0 to 1)."""
    k = min(max(bisect.bisect_right(shares, share + CLOSE) - 1, 0), len(shares) - 2)
    return k, min(max((share - shares[k]) / (shares[k + 1] - shares[k]), 0.0), 1.0)


def breaks(plan: Plan, k: int) -> tuple[float, ...]:
    """Shares of a phase at which something may jump: intervals of all moves, points of profiles, times of sums."""
    phase = plan.phases[k]
    found = {i / phase.intervals for i in range(phase.intervals + 1)}
    for m in phase.moved:
        found |= set(m.shares)
    before = sum(p.duration for p in plan.phases[:k])
    times = [t for v in phase.given.values() if isinstance(v, Profile) for t in v.times]
    times += [t - before for term in plan.terms for t in term.times or ()]
    for limit in plan.limits:
        times += [t - before for side in (limit.lower, limit.upper) if isinstance(side, Profile) for t in side.times]
    found |= {t / phase.duration for t in times if 0 < t < phase.duration}
    ordered = [0.0]
    for share in sorted(found):
        if share - ordered[-1] > CLOSE and 1.0 - share > CLOSE:
            ordered.append(share)
    return (*ordered, 1.0)


def given_at(phase: PhasePlan, name: str, time: float) -> float:
    """Value of a given input or disturbance at a time since the start of its phase."""
    value = phase.given[name]
    return at(value, time) if isinstance(value, Profile) else float(value)


@functools.cache
def radau(degree: int) -> tuple[float, ...]:
    """Nodes of Radau IIA on (0, 1], the last one 1."""
    import numpy as np

    legendre = np.polynomial.legendre
    coefficients = np.zeros(degree + 1)
    coefficients[-1], coefficients[-2] = 1.0, -1.0
    roots = np.sort(legendre.legroots(coefficients).real)
    for _ in range(3):  # polish what the eigenvalues of the companion matrix leave
        roots = roots - legendre.legval(roots, coefficients) / legendre.legval(roots, legendre.legder(coefficients))
    nodes = [float(0.5 * (r + 1)) for r in roots]
    return (*nodes[:-1], 1.0)


def start_of(plan: Plan, given: Mapping[str, Any] | None = None) -> Decisions:
    """Decisions to begin with: the nominal recipe, over it what `given` names; all within their bounds."""
    import numpy as np

    given = dict(given or {})
    known = {*plan.moved, "duration", *(p.name for p in plan.phases if p.name),
             *(d.place.name for d in (*plan.parameters, *plan.initial))}
    for name in given:
        if name not in known:
            raise errors.unknown("decision", name, "this problem (start=)", sorted(known))
    controls, durations = [], []
    for phase in plan.phases:
        wanted = given.get(phase.name, given.get("duration", phase.duration)) if phase.free else phase.duration
        durations.append(float(np.clip(float(wanted), phase.shortest, phase.longest)))
        own = {}
        for m in phase.moved:
            value = given.get(m.place.name, m.start)
            own[m.place.name] = np.clip(sampled(value, m, durations[-1], phase.free), m.lower, m.upper)
        controls.append(own)
    values = [[float(np.clip(float(given.get(d.place.name, d.start)), d.lower, d.upper)) for d in group]
              for group in (plan.parameters, plan.initial)]
    return Decisions(controls, durations, *values)


def sampled(value: Any, moved: Any, duration: float, stretched: bool) -> Any:
    """A number, a profile over the phase or an array as one number a control value: means of a staircase, or knots."""
    import numpy as np

    n = moved.values
    if isinstance(value, Profile):
        end = value.times[-1] if stretched and value.times[-1] > 0 else duration
        if moved.linear:
            return np.array([at(value, s * end) for s in moved.shares])
        fine = [(a + (b - a) * (j + 0.5) / 16) * end for a, b in itertools.pairwise(moved.shares)
                for j in range(16)]
        return np.array([at(value, t) for t in fine]).reshape(n, 16).mean(1)
    array = np.asarray(value, dtype=float).reshape(-1)
    if array.size == 1:
        return np.full(n, float(array[0]))
    if array.size != n:  # another grid: read as equal intervals
        place = (np.arange(array.size) + 0.5) / array.size
        middle = np.array(moved.shares) if moved.linear else 0.5 * (np.array(moved.shares[1:]) + np.array(moved.shares[:-1]))
        return np.interp(middle, place, array)
    return array
