"""Members that may share a recipe: a design for every group that can meet its limits, and the best division into groups."""

from __future__ import annotations

import itertools
import time
from typing import Any

from optimizers.design.problem import Design
from optimizers.design.solving import solve as solve_design
from optimizers.solution import Solution
from twin import errors
from twin.status import Status

MOST = 6  # members: 63 groups


def solve(problem: Any, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          starts: int = 2) -> Solution:
    """The best division of `problem.members()`.

    The problem has `designs(group)`, the fields of the designs that a group may follow, and `chosen(answers)`, which makes the
    best division of {group: answers of its designs} and tells title, value, objective, unit, sentences and views.
    """
    begin = time.perf_counter()
    members = problem.members()
    if not 1 <= len(members) <= MOST:
        raise errors.SpecError(f"{type(problem).__name__} has {len(members)} members. Expected 1 to {MOST}: every group is "
                               "tried.")
    answers: dict[tuple[str, ...], list[Solution | None]] = {}
    misses: dict[tuple[str, ...], str] = {}
    status, count = Status.SUCCESS, 0
    for size in range(1, len(members) + 1):
        for group in itertools.combinations(members, size):
            inner = [g for g in itertools.combinations(group, size - 1) if g]
            if any(not any(answers[g]) for g in inner):
                answers[group] = []  # who cannot go with some of them cannot go with all of them
                continue
            if max_seconds is not None and size > 1 and time.perf_counter() - begin > max_seconds:
                answers[group], status = [], Status.TIME_LIMIT
                continue
            found = [solve_design(Design(**fields), seed=seed, starts=starts) for fields in problem.designs(group)]
            count += len(found)
            answers[group] = [f if f.objective is not None else None for f in found]
            if not any(answers[group]):
                misses[group] = found[0].message
    alone = [g for g in misses if len(g) == 1]
    stats = {"seconds": time.perf_counter() - begin, "designs": count}
    if alone:
        said = " ".join(f"{g[0]}: {misses[g]}" for g in alone)
        return Solution(problem, Status.INFEASIBLE, said, {}, None, solver="SLSQP of scipy", stats=stats)
    made = problem.chosen({g: [f for f in a if f is not None] for g, a in answers.items() if any(a)})
    stats["seconds"] = time.perf_counter() - begin
    message = "\n".join([f"{made.title}. {status}", *made.sentences])
    return Solution(problem, status, message, made.value, made.objective, made.unit, solver="SLSQP of scipy, every group tried",
                    stats=stats, details={"plan": made, "misses": misses}, views=made.views, replay=made)
