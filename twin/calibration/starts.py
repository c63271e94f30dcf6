"""Several starts at once, and the line that tells how far a fit is."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.calibration.problem import Problem
from twin.calibration.unknowns import Space
from twin.engine.workers import default_threads


class Line:
    """A progress line on a terminal, for fits that take longer than `patience` seconds."""

    def __init__(self, patience: float = 2.0) -> None:
        self.begin, self.last, self.patience, self.shown = time.monotonic(), 0.0, patience, False

    def __call__(self, step: int, cost: float) -> None:
        """Show where the fit is."""
        now = time.monotonic()
        if sys.stderr is not None and sys.stderr.isatty() and now - self.begin > self.patience and now - self.last > 0.2:
            self.last, self.shown = now, True
            sys.stderr.write(f"\rtwin: step {step}, cost {cost:.6g}, {now - self.begin:.0f} s ")
            sys.stderr.flush()

    def close(self) -> None:
        """End the line."""
        if self.shown:
            sys.stderr.write("\n")


def drawn(space: Space, q: Any, count: int, spread: float, seed: int) -> list[Any]:
    """Random coordinates around q: a factor `spread` each way where the value is positive, as many sizes otherwise."""
    import numpy as np

    if not spread > 1:
        raise errors.SpecError(f"spread is {spread:g}. Expected a factor above 1, 10 for example.")
    random = np.random.default_rng(seed)
    lower, upper = space.bounds
    found = []
    for _ in range(count):
        at = np.array(q, dtype=float)
        for k, c in enumerate(space.coordinates):
            move = random.uniform(-1.0, 1.0)
            if c.scale == "log":
                at[k] += move * math.log(spread)
            elif at[k] > 0 and c.lower >= 0:
                at[k] *= spread**move
            else:
                at[k] += move * (spread if at[k] == 0 else abs(at[k]))
        found.append(np.clip(at, lower, upper))
    return found


@dataclasses.dataclass(frozen=True)
class Tried:
    """Ends of several starts: (cost, coordinates) of each that came to an end, best first."""

    tried: Sequence[tuple[float, Any]]
    best: Any
    sentence: str


def from_many(problem: Problem, q: Any, count: int, spread: float, seed: int, threads: int | None, iterations: int,
              seconds: float) -> Tried:
    """Fit from the first guess and from random ones, on threads."""
    import numpy as np

    begin = time.perf_counter()
    points = [q, *drawn(problem.space, q, count - 1, spread, seed)]

    def one(point: Any) -> tuple[float, Any] | None:
        left = seconds - (time.perf_counter() - begin)
        if left <= 0:
            return None
        own = dataclasses.replace(problem, engine=problem.engine.clone())
        try:
            outcome = own.fit(point, max_iterations=iterations, max_seconds=left)
        except errors.ConvergenceError:
            return None
        return outcome.cost, outcome.q

    with concurrent.futures.ThreadPoolExecutor(threads or default_threads()) as pool:
        found = [f for f in pool.map(one, points) if f is not None]
    if not found:
        return Tried((), q, f"None of {count} starts could be simulated.")
    found.sort(key=lambda f: f[0])
    best = found[0][0]
    same = sum(cost <= best + 1e-6 * max(abs(best), 1e-12) for cost, _ in found)
    rest = f"; {count - len(found)} could not be simulated" if len(found) < count else ""
    return Tried(found, np.array(found[0][1]), f"{same} of {count} starts ended at the best optimum{rest}.")
