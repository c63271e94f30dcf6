"""Solve a ResourceNetwork, and replay what is carried out on the statement."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.schedule.resource_network import Carried, ResourceNetwork
from optimizers.solution import Solution
from twin import errors
from twin.status import Status

SLACK = 1e-4  # of a unit of a resource: what HiGHS may leave in the rows of one slot


def solve(problem: ResourceNetwork, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          gap: float = 0.0, threads: int = 1) -> Solution:
    """Solve it; the options are those of `optimizers.schedule.ResourceNetwork`."""
    from optimizers.backends import rtn_slots

    if solver is not None or start is not None:
        raise errors.SpecError("A ResourceNetwork takes no solver and no start: HiGHS solves it. Leave them out.")
    problem.check()
    began = time.perf_counter()
    answer, carried, bought = rtn_slots.run(problem, max_seconds=max_seconds, seed=seed, gap=gap, threads=threads)
    seconds = time.perf_counter() - began
    stats: dict[str, Any] = {"nodes": answer.nodes, "solve_s": answer.seconds, "seconds": seconds}
    if answer.x is None:
        none = f"No activities satisfy all limits within {problem.horizon:g} {problem.time_unit}."
        return Solution(problem, answer.status, none if answer.status is Status.INFEASIBLE else str(answer.status), {}, None,
                        problem.currency, bound=answer.bound, solver="HiGHS", stats=stats)
    violated, value, levels = replay(problem, carried, bought)
    relative = None if answer.bound is None else abs(answer.bound - value) / max(abs(value), 1e-12)
    stats["gap"] = relative
    message = f"The best plan was found and proved in {seconds:.3g} s." if answer.status is Status.SUCCESS else (
        f"A plan was found in {seconds:.3g} s, at most {100 * (relative or 0):.3g} % below the best there can be.")
    status = Status.NOT_CONVERGED if violated else answer.status
    return Solution(problem, status, message, {"carried": carried, "bought": bought, "levels": levels},
                    None if violated else value, problem.currency, answer.objective, float(len(violated)), tuple(violated),
                    answer.bound, replay=tuple(carried), solver="HiGHS", stats=stats,
                    views={"table": _table, "to_frame": _frame})


def _table(solution: Solution) -> str:
    unit = solution.problem.amount_unit
    return "\n".join(f"{c.start:g} to {c.end:g}: {c.activity}, {c.size:g} {unit}" for c in solution.value["carried"])


def _frame(solution: Solution) -> Any:
    import dataclasses

    import pandas as pd

    return pd.DataFrame([dataclasses.asdict(c) for c in solution.value["carried"]])


def replay(plant: ResourceNetwork, carried: Sequence[Carried],
           bought: Mapping[str, Sequence[float]]) -> tuple[list[str], float, dict[str, list[float]]]:
    """Carry the activities out step by step and buy: sentences about what is broken, the value, and the level of each resource
    from step to step. Knows the statement only, no engine.
    """
    found: list[str] = []
    unit, steps = plant.time_unit, round(plant.horizon / plant.step)
    value = 0.0
    for c in carried:
        activity = plant.activity_of[c.activity]
        value -= activity.cost
        if not activity.least - SLACK <= c.size <= activity.most + SLACK:
            found.append(f"'{c.activity}' at {c.start:g} {unit} has the size {c.size:g} {plant.amount_unit}. Expected "
                         f"{activity.least:g} to {activity.most:g}.")
        if c.start < 0 or c.end > plant.horizon + 1e-9 or abs(c.end - c.start - activity.duration) > 1e-9:
            found.append(f"'{c.activity}' runs from {c.start:g} to {c.end:g} {unit}. Expected {activity.duration:g} {unit} "
                         f"between 0 and {plant.horizon:g}.")
    levels: dict[str, list[float]] = {}
    for r in plant.resources:
        moves = [0.0] * (steps + 1)
        moves[0] += r.initial
        for t, amount in r.receipts:
            if 0 <= round(t / plant.step) <= steps:
                moves[round(t / plant.step)] += amount
        for c in carried:
            for d, (fixed, each) in plant.activity_of[c.activity].changes(r.name, plant.step).items():
                at = round(c.start / plant.step) + d
                if 0 <= at <= steps:
                    moves[at] += fixed + each * c.size
        for k, amount in enumerate(bought.get(r.name, ())):
            moves[k] += amount
            value -= amount * (r.prices[k] if r.prices else 0.0)
            if not -SLACK <= amount <= r.supply + SLACK:
                found.append(f"{amount:g} of '{r.name}' is bought at {k * plant.step:g} {unit}. Expected 0 to {r.supply:g}.")
        level, track = 0.0, []
        for move in moves:
            level += move
            track.append(level)
        levels[r.name] = track
        worst = min(range(steps + 1), key=track.__getitem__)
        if track[worst] < -SLACK:
            found.append(f"'{r.name}' is {track[worst]:g} at {worst * plant.step:g} {unit}. Expected 0 or more.")
        worst = max(range(steps + 1), key=track.__getitem__)
        if r.capacity is not None and track[worst] > r.capacity + SLACK:
            found.append(f"'{r.name}' is {track[worst]:g} at {worst * plant.step:g} {unit}. Expected {r.capacity:g} at most.")
        if level < r.least - SLACK:
            found.append(f"'{r.name}' is {level:g} at the end. Expected {r.least:g} at least.")
        value += r.price * level
    return found, value, levels
