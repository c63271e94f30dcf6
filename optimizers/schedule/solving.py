"""Solve a Schedule: state check, engine by size and kind, independent replay, reasons."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from optimizers.schedule import checking, views
from optimizers.schedule.answer import Answer
from optimizers.schedule.problem import Schedule
from optimizers.schedule.replaying import Replay, replay
from optimizers.schedule.work import Placed
from optimizers.solution import Solution
from twin import errors
from twin.status import Status

LARGE = 120  # tasks from which plans that `large` can state go there


def solve(problem: Schedule, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          workers: int = 8,
          search: str | None = None, gap: float = 0.0, log: Callable[[str], None] | None = None) -> Solution:
    """Solve a plan; the options are those of `optimizers.Schedule`."""
    if search not in (None, "exact", "large"):
        raise errors.SpecError(f"search is '{search}'. Expected 'exact' or 'large'.")
    if solver is not None:
        raise errors.SpecError(f"A Schedule got the solver {solver!r}. Expected none: its kind decides; search='exact' or "
                               "'large' chooses.")
    checking.check(problem)
    began = time.perf_counter()
    placed = tuple(start.replay.placed if isinstance(start, Solution) else start or ())
    answer = run_engine(problem, placed, max_seconds, seed, workers, search, gap, log)
    return checked(problem, answer, time.perf_counter() - began)


def run_engine(problem: Schedule, start: Sequence[Placed], max_seconds: float | None, seed: int, workers: int, search: str | None,
               gap: float, log: Callable[[str], None] | None) -> Answer:
    """The answer of the engine that suits the plan."""
    if any(u.states for u in problem.units):
        from optimizers.backends import slots

        return slots.run(problem, max_seconds=max_seconds, seed=seed, gap=gap)
    from optimizers.backends import chains, cpsat

    reason = chains.unfit(problem)
    if search == "large" and reason:
        raise errors.SpecError(f"search='large' plans orders that are chains. This plan has {reason}. Use search='exact'.")
    if search == "large" or (search is None and not reason and len(problem.tasks) >= LARGE):
        return chains.run(problem, start=start, max_seconds=max_seconds, seed=seed)
    return cpsat.run(problem, start=start, max_seconds=max_seconds, seed=seed, workers=workers, gap=gap, log=log)


def checked(problem: Schedule, answer: Answer, seconds: float) -> Solution:
    """The Solution of an answer: replayed, its claim compared, its status in a sentence."""
    record: Replay | None = replay(problem, answer.placed) if answer.placed else None
    status = answer.status
    stats = {**answer.stats, "seconds": seconds}
    if record is None:
        message = str(status)
        if status is Status.INFEASIBLE:
            from optimizers.schedule.conflicts import conflict

            message = conflict(problem)
        return Solution(problem, status, message, {}, None, problem.currency, bound=answer.bound, solver=answer.engine,
                        stats=stats,
                        views=views.VIEWS)
    gap = None if answer.bound is None else max(0.0, record.objective - answer.bound) / max(abs(record.objective), 1e-12)
    stats["gap"] = gap
    message = _sentence(problem, record, answer, gap, seconds)
    usable = not record.violated
    return Solution(problem, status if usable else Status.NOT_CONVERGED, message, {p.task: p for p in record.placed},
                    record.objective if usable else None, unit(problem), answer.claimed, float(len(record.violated)),
                    record.violated,
                    answer.bound, replay=record, solver=answer.engine, stats=stats,
                    details={"costs": record.costs, "late": record.late}, views=views.VIEWS)


def unit(problem: Schedule) -> str:
    """Unit of the objective."""
    if problem.currency:
        return problem.currency
    goal = problem.aims
    return problem.time_unit if goal.makespan == 1.0 and not (goal.tardiness or goal.earliness or goal.waiting
                                                              or goal.flow) else ""


def _sentence(problem: Schedule, record: Replay, answer: Answer, gap: float | None, seconds: float) -> str:
    late = [n for n, t in record.late.items() if t > 0]
    tail = f" {len(late)} of {len(problem.orders)} orders are late." if any(o.due is not None for o in problem.orders) else ""
    if answer.status is Status.SUCCESS:
        return f"The best plan was found and proved in {seconds:.3g} s.{tail}"
    if gap is None:
        return f"A plan was found in {seconds:.3g} s; nothing is proved about how good it is.{tail}"
    return (f"A plan was found in {seconds:.3g} s, at most {100 * gap:.3g} % above the best there can be.{tail} Raise "
            "max_seconds, or accept it.")
