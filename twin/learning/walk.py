"""Walks of ensemble members from small corrections to larger ones, and the choice between their steps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from twin.learning.levenberg import descend
from twin.learning.matching import matched
from twin.learning.problem import Problem, tamed


class LateError(Exception):
    """The time is over."""


@dataclasses.dataclass(frozen=True)
class Clock:
    """When training must end."""

    deadline: float | None

    def look(self) -> None:
        if self.deadline is not None and time.perf_counter() > self.deadline:
            raise LateError


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which size (by position, -1 for no correction) and how many steps with it predict the runs left out best."""

    stage: int
    iteration: int
    error: float


class Walk:
    """One member on its way from small corrections to larger ones; `path[stage][iteration]` holds its unknowns."""

    def __init__(self, problem: Problem, fold: Sequence[int], seed: int, clock: Clock) -> None:
        self.problem, self.fold, self.clock = problem, tuple(fold), clock
        self.seen = [k for k in range(len(problem.runs)) if k not in self.fold]
        self.theta, self.fixes = problem.restarted(seed)
        self.path: list[list[Any]] = []
        self.errors: list[list[float]] = []
        self.costs: list[list[float]] = []

    def begin(self, start: str) -> None:
        """Take the start that matches the changes between measurements, where it predicts the training runs better."""
        self.clock.look()
        if start == "rates":
            found = matched(self.problem, self.theta, self.fixes, self.seen)
            if self._loss(found, self.seen) < self._loss(self.theta, self.seen):
                self.theta = found

    def advance(self, size: float, iterations: int) -> None:
        """Up to `iterations` steps with corrections of the usual size `size`."""
        thetas: list[Any] = []
        costs: list[float] = []

        def seen(theta: Any, cost: float) -> bool:
            thetas.append(theta)
            costs.append(cost)
            self.clock.look()
            return False

        function = self.problem.residuals(self.seen, self._scale())
        self.theta = descend(function, self.theta, self.problem.prior(self.fixes, size), iterations=iterations, seen=seen)
        thetas = thetas or [self.theta]
        costs = costs or [float("nan")]
        errors_ = [self._loss(theta, self.fold) if self.fold else float("nan") for theta in thetas]
        short = iterations - len(thetas)
        self.path.append(thetas + short * thetas[-1:])
        self.errors.append(errors_ + short * errors_[-1:])
        self.costs.append(costs + short * costs[-1:])

    def at(self, choice: Choice | None) -> Any:
        """Unknowns at a choice; those of the last step where there is none."""
        return self.theta if choice is None or choice.stage < 0 else self.path[choice.stage][choice.iteration]

    def _scale(self) -> dict[str, float]:
        """How much larger than the stated noise the residuals of each signal are now: their weight in the next steps."""
        return scales(self.problem, self.seen, self.problem.predicted(self.theta, self.seen))

    def _loss(self, theta: Any, chosen: Sequence[int]) -> float:
        """Error over that without corrections, mean over the signals of the chosen runs; wild samples count little."""
        import numpy as np

        kept = [k for k in chosen if self.problem.start[k] is not None]
        before, after = [self.problem.start[k] for k in kept], self.problem.predicted(theta, kept)
        if any(v is None for v in after):
            return float("inf")
        usual = scales(self.problem, kept, before)
        sums = [{s: float(np.sum(tamed(r / usual[s])[0] ** 2)) for s, r in residuals(self.problem, kept, v).items()}
                for v in (after, before)]
        ratios = [np.sqrt(sums[0][s] / sums[1][s]) for s in sums[0] if sums[1][s] > 0]
        return float(np.mean(ratios)) if ratios else 1.0


def residuals(problem: Problem, chosen: Sequence[int], values: Sequence[Any]) -> dict[str, Any]:
    """Residuals over the usual errors of the chosen runs, by signal."""
    import numpy as np

    told: dict[str, list[Any]] = {}
    for k, v in zip(chosen, values, strict=True):
        samples = problem.runs[k].samples
        for signal in problem.signals if v is not None else ():
            told.setdefault(signal, []).append(((v - samples.values) / samples.spread)[samples.of(signal)])
    return {s: found for s, r in told.items() if len(found := np.concatenate(r))}


def scales(problem: Problem, chosen: Sequence[int], values: Sequence[Any]) -> dict[str, float]:
    """Robust standard deviation of the residuals of each signal, in usual errors."""
    import numpy as np

    found = residuals(problem, chosen, values)
    return {s: max(1.4826 * float(np.median(np.abs(found[s]))), 1e-3) if s in found else 1.0 for s in problem.signals}


def errors_of(walks: Sequence[Walk]) -> Any:
    """Mean error on the runs left out, shape (stages, iterations): 1 is that without corrections.

    The mean is that of the logarithms within a factor of ten, so that a run which contradicts all others does not decide.
    """
    import numpy as np

    stages = min(len(w.path) for w in walks)
    return np.exp(np.mean(np.log(np.clip([w.errors[:stages] for w in walks], 0.1, 10.0)), axis=0))


def best(walks: Sequence[Walk]) -> Choice:
    """The choice with the smallest error on the runs left out; none, where no correction predicts better."""
    import numpy as np

    found = errors_of(walks)
    stage, iteration = np.unravel_index(int(np.nanargmin(found)), found.shape)
    error = float(found[stage, iteration])
    return Choice(int(stage), int(iteration), error) if error < 1.0 else Choice(-1, 0, 1.0)
