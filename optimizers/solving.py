"""solve: one verb for every problem."""

from __future__ import annotations

import importlib
from typing import Any

from optimizers.solution import Solution
from twin import errors


def solve(problem: Any, solver: Any = None, *, start: Any = None, max_seconds: float | None = None, throw: bool = True,
          seed: int = 0, **options: Any) -> Solution:
    """Solve an optimization problem and check the answer on the model itself.

    Parameters
    ----------
    problem
        What is sought, as data: `Trajectory`, `Setpoints`, `Blend`, `Schedule` and so on.
    solver
        A solver object in place of the one that suits the problem.
    start
        Where to begin, in the terms of the problem; without it the problem makes its own starts.
    max_seconds
        Time limit; what is best then comes back with its status.
    throw
        True: an answer that cannot be used is raised as `twin.ConvergenceError`, with the solution as `.solution`. False: it is
        returned with its status.
    seed
        Seed of random starts.
    options
        Options of this kind of problem; they stand in the docstring of its class.

    Returns
    -------
    Solution
        Status, decisions, the objective as claimed and as checked, active limits with shadow prices.

    Raises
    ------
    twin.errors.SpecError
        The problem is stated wrongly.
    twin.errors.ConvergenceError
        There is no usable answer and `throw` is set.
    """
    home = getattr(type(problem), "solved_by", None)
    if home is None:
        raise errors.SpecError(f"solve got a {type(problem).__name__}. Expected a problem of `optimizers`, such as Setpoints.")
    found: Solution = importlib.import_module(home).solve(problem, solver=solver, start=start, max_seconds=max_seconds,
                                                          seed=seed, **options)
    if throw and found.objective is None:
        raise errors.ConvergenceError(found.message or str(found.status), status=found.status, solution=found)
    return found
