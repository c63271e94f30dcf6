"""Walks of ensemble members from small corrections to larger ones, and the choice between their steps."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.calibration.squares import fit_squares
from twin.learning.matching import matched
from twin.learning.problem import LOSS, Problem
from twin.status import Status

REACH = 2.0  # most change of one coordinate in one step
TRIES = 4  # shorter steps before one is given up, on average
TOLERANCE = 1e-4  # of the cost: what is left to gain where a descent ends


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
        self.seen = [k for k in range(len(problem.rows.runs)) if k not in self.fold]
        self.theta, self.fixes = problem.restarted(seed)
        self.path: list[list[Any]] = []
        self.errors: list[list[float]] = []
        self.costs: list[list[float]] = []

    def begin(self, start: str) -> None:
        """Take the start that matches the changes between measurements, where it predicts the training runs better."""
        self.clock.look()
        if start == "rates":
            found = matched(self.problem, self.theta, self.fixes, self.seen)
            if loss_of(self.problem, found, self.seen) < loss_of(self.problem, self.theta, self.seen):
                self.theta = found

    def advance(self, size: float, iterations: int) -> None:
        """Up to `iterations` steps with corrections of the usual size `size`."""
        import numpy as np

        thetas: list[Any] = []
        costs: list[float] = []

        def seen(theta: Any, cost: float) -> bool:
            thetas.append(theta)
            costs.append(cost)
            self.clock.look()
            return len(thetas) == iterations

        problem = self.problem
        scale = scales(problem, self.seen, problem.predicted(self.theta, self.seen))
        function = problem.residuals(self.seen, scale, problem.prior(self.fixes, size))
        try:
            outcome = fit_squares(function, self.theta, problem.lower, problem.upper, loss=LOSS, tolerance=TOLERANCE,
                                  max_iterations=TRIES * iterations, reach=np.full(len(self.theta), REACH), seen=seen)
            if outcome.status is Status.STOPPED:
                raise KeyboardInterrupt
            self.theta = outcome.q
        except errors.ConvergenceError:  # not even the start can be simulated: nothing is learned without these runs
            pass
        thetas, costs = thetas or [self.theta], costs or [float("nan")]
        off = [loss_of(problem, theta, self.fold) if self.fold else float("nan") for theta in thetas]
        short = iterations - len(thetas)
        self.path.append(thetas + short * thetas[-1:])
        self.errors.append(off + short * off[-1:])
        self.costs.append(costs + short * costs[-1:])

    def at(self, choice: Choice | None) -> Any:
        """Unknowns at a choice; those of the last step where there is none."""
        return self.theta if choice is None or choice.stage < 0 else self.path[choice.stage][choice.iteration]


def loss_of(problem: Problem, theta: Any, runs: Sequence[int]) -> float:
    """Error over that without corrections, mean over the signals of the runs; wild samples count little."""
    import numpy as np

    runs = [k for k in runs if k in problem.usable]
    values, usual = problem.predicted(theta, runs), scales(problem, runs, problem.start)
    ratios = []
    for s, signal in enumerate(problem.rows.signals):
        mask = problem.of(runs) & (problem.rows.signal == s)
        if mask.any():
            spread = problem.spread[mask] * usual[signal]
            after, before = (LOSS.cost((v - problem.rows.value)[mask] / spread) for v in (values, problem.start))
            ratios += [np.sqrt(after / before)] if before > 0 else []
    return float(np.mean(ratios)) if ratios and np.isfinite(ratios).all() else 1.0 if not ratios else float("inf")


def scales(problem: Problem, runs: Sequence[int], values: Any) -> dict[str, float]:
    """Robust standard deviation of the residuals of each signal in some runs, in usual errors."""
    import numpy as np

    found = {}
    for s, signal in enumerate(problem.rows.signals):
        mask = problem.of(runs) & (problem.rows.signal == s) & np.isfinite(values)
        off = np.abs((values - problem.rows.value)[mask] / problem.spread[mask])
        found[signal] = max(1.4826 * float(np.median(off)), 1e-3) if len(off) else 1.0
    return found


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
