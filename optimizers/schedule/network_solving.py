"""Solve a Network: engine by its time, independent replay of the batches."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.schedule.network import Batch, Network
from optimizers.schedule.replaying import steps_of
from optimizers.schedule.resource_network import resources_of
from optimizers.solution import Solution
from twin import errors
from twin.status import Status

SLACK = 1e-5  # of an amount unit or a time unit: what HiGHS may leave in a row
MOST_POINTS = 12


def solve(problem: Network, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          gap: float = 0.0,
          threads: int = 1) -> Solution:
    """Solve a network; the options are those of `optimizers.schedule.Network`."""
    from optimizers.backends import stn_events

    if solver is not None or start is not None:
        raise errors.SpecError("A Network takes no solver and no start: HiGHS solves it. Leave them out.")
    problem.check()
    began = time.perf_counter()
    limit = {"seed": seed, "gap": gap, "threads": threads}
    points = None
    if problem.events is None:
        answer, batches = _in_slots(problem, max_seconds, limit)
    elif isinstance(problem.events, int):
        points = problem.events
        answer, batches = stn_events.run(problem, points, max_seconds=max_seconds, **limit)  # type: ignore[arg-type]
    else:
        answer, batches = stn_events.run(problem, 2, max_seconds=max_seconds, **limit)  # type: ignore[arg-type]
        points = 2
        for n in range(3, MOST_POINTS + 1):
            left = None if max_seconds is None else max_seconds - (time.perf_counter() - began)
            if left is not None and left <= 0:
                break
            more, found = stn_events.run(problem, n, max_seconds=left, **limit)  # type: ignore[arg-type]
            if more.objective is None or (answer.objective is not None
                                          and more.objective <= answer.objective * (1 + 1e-7) + 1e-9):
                break
            answer, batches, points = more, found, n
    seconds = time.perf_counter() - began
    stats = {"nodes": answer.nodes, "solve_s": answer.seconds, "seconds": seconds, "points": points}
    if answer.x is None:
        none = f"No batches satisfy all limits within {problem.horizon:g} {problem.time_unit}."
        message = none if answer.status is Status.INFEASIBLE else str(answer.status)
        return Solution(problem, answer.status, message, {}, None, problem.currency, bound=answer.bound, solver="HiGHS",
                        stats=stats)
    violated, value = replay(problem, batches)
    usable = not violated
    relative = None if answer.bound is None else abs(answer.bound - value) / max(abs(value), 1e-12)
    stats["gap"] = relative
    # More event points may allow more: what is proved holds for this number of them.
    within = "" if points is None else f" for {points} event points on each unit"
    message = f"The best plan was found and proved{within} in {seconds:.3g} s." if answer.status is Status.SUCCESS else (
        f"A plan was found in {seconds:.3g} s, at most {100 * (relative or 0):.3g} % below the best there can be{within}.")
    return Solution(problem, answer.status if usable else Status.NOT_CONVERGED, message, {"batches": batches}, value
                    if usable else None,
                    problem.currency, answer.objective, float(len(violated)), violated, answer.bound, replay=tuple(batches),
                    solver="HiGHS",
                    stats=stats, views={"table": _table, "to_frame": _frame})


def _in_slots(problem: Network, max_seconds: float | None, limit: Mapping[str, Any]) -> tuple[Any, list[Batch]]:
    """Discrete time: a state-task network is a special resource-task network."""
    from optimizers.backends import rtn_slots

    network, names = resources_of(problem)
    answer, carried, _ = rtn_slots.run(network, max_seconds=max_seconds, **limit)
    batches = [Batch(*names[c.activity], c.start, c.end, c.size) for c in carried
               if c.size > 1e-7 or network.activity_of[c.activity].cost]
    return answer, sorted(batches, key=lambda b: (b.start, b.unit))


def _table(solution: Solution) -> str:
    unit = solution.problem.amount_unit
    return "\n".join(f"{b.unit}: {b.process} {b.start:g} to {b.end:g}, {b.size:g} {unit}" for b in solution.value["batches"])


def _frame(solution: Solution) -> Any:
    import dataclasses

    import pandas as pd

    return pd.DataFrame([dataclasses.asdict(b) for b in solution.value["batches"]])


def replay(plant: Network, batches: Sequence[Batch]) -> tuple[list[str], float]:
    """Play the batches in time: sentences about what they break, and their value. Knows the statement only, no engine."""
    found: list[str] = []
    time_unit, amount = plant.time_unit, plant.amount_unit
    for b in batches:
        fit = plant.process_of[b.process].units[b.unit]
        if not fit.least - SLACK <= b.size <= fit.most + SLACK:
            found.append(f"'{b.process}' on '{b.unit}' at {b.start:g} {time_unit} has {b.size:g} {amount}. Expected "
                         f"{fit.least:g} to {fit.most:g}.")
        if abs(b.end - b.start - fit.duration - fit.per_amount * b.size) > SLACK:
            found.append(f"'{b.process}' on '{b.unit}' at {b.start:g} takes {b.end - b.start:g} {time_unit}. "
                         f"Expected {fit.duration + fit.per_amount * b.size:g}.")
        if b.start < -SLACK or b.end > plant.horizon + SLACK:
            found.append(f"'{b.process}' on '{b.unit}' runs from {b.start:g} to {b.end:g}. Expected 0 to {plant.horizon:g} "
                         f"{time_unit}.")
    for unit in plant.units:
        own = sorted((b for b in batches if b.unit == unit.name), key=lambda b: b.start)
        for a, b in itertools.pairwise(own):
            if b.start < a.end - SLACK:
                found.append(f"'{b.process}' starts on '{unit.name}' at {b.start:g}, before '{a.process}' ends at {a.end:g} "
                             f"{time_unit}.")
        for b in own:
            for w in unit.closed:
                if b.start < w.end - SLACK and b.end > w.start + SLACK:
                    found.append(f"'{b.process}' runs on '{unit.name}' from {b.start:g} to {b.end:g} {time_unit}, while it "
                                 f"is closed ({w}).")
    value = -sum(plant.process_of[b.process].units[b.unit].cost for b in batches)
    for material in plant.materials:
        moves = [(t, a) for t, a in material.receipts]
        for b in batches:
            p = plant.process_of[b.process]
            moves += [(b.start, -p.consumes[material.name] * b.size)] if material.name in p.consumes else []
            for name, share, delay in p.outputs(b.unit):
                if name == material.name:
                    early = isinstance(p.produces[name], tuple)
                    moves.append((b.start + delay if early else b.end, share * b.size))
        level, at = material.initial, 0
        moves.sort()
        while at < len(moves):  # what happens at the same time, within rounding, happens together
            now = moves[at][0]
            while at < len(moves) and moves[at][0] <= now + SLACK:
                level += moves[at][1]
                at += 1
            if level < -SLACK * 10:
                found.append(f"{material.name} is {level:g} {amount} at {now:g} {time_unit}. Expected 0 or more.")
            if material.capacity is not None and level > material.capacity + SLACK * 10 and now < plant.horizon - SLACK:
                found.append(f"{material.name} is {level:g} {amount} at {now:g} {time_unit}. Expected {material.capacity:g} "
                             "at most.")
        if level < material.least - SLACK * 10:
            found.append(f"{material.name} is {level:g} {amount} at the end. Expected {material.least:g} at least.")
        value += material.price * level
    for utility in plant.utilities:
        spans = []
        for b in batches:
            fixed, each = plant.process_of[b.process].uses.get(utility.name, (0.0, 0.0))
            spans.append((b.start, b.end, fixed + each * b.size))
            for k, price in enumerate(utility.prices):
                inside = min(b.end, (k + 1) * plant.step) - max(b.start, k * plant.step)
                value -= price * max(0.0, inside) * (fixed + each * b.size)
        for at_time, total in steps_of(spans):
            if utility.limit is not None and total > utility.limit + SLACK:
                found.append(f"{utility.name} is {total:g} at {at_time:g} {time_unit}. Expected {utility.limit:g} at most.")
                break
    return found, value
