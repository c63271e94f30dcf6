"""A Schedule as a CP-SAT model: intervals on units, links, changeovers, calendars, crews, buffers, energy.

A task with one mode is one interval. Units that are alike for every task that may use them are one pool (a cumulative
constraint), and get their tasks by first fit afterwards, which always succeeds for intervals. Redundant bounds that a
cumulative constraint leaves out (capacity of a pool with heads and tails) are added as constraints on the makespan.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from optimizers.backends import cpsat_costs, cpsat_units
from optimizers.schedule import bounds
from optimizers.schedule.answer import Answer
from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Placed
from twin import errors
from twin.status import Status


class Model:
    """The CP-SAT model of one plan with its variables by task."""

    def __init__(self, plan: Schedule, skip: frozenset[str] = frozenset()) -> None:
        cp_model = load()
        self.plan, self.skip = plan, skip
        self.m = cp_model.CpModel()
        self.horizon = self.ticks(plan.end_of_time)
        self.pools = bounds.pools(plan)
        self.start: dict[str, Any] = {}
        self.end: dict[str, Any] = {}
        self.chosen: dict[str, list[Any]] = {}       # presence of each mode; [1] where there is one
        self.intervals: dict[str, list[Any]] = {}    # by unit or pool: (task, mode, interval)
        self.windows = bounds.windows(plan, skip)
        self.terms: list[tuple[float, Any]] = []
        self.largest = 0.0  # sum of the largest values of all terms, for what rounding their weights may do
        self.makespan: Any = None
        self.build()

    def term(self, weight: float, value: Any, most: float) -> None:
        """A term of the objective; `most` is its largest value, 0 where it is counted elsewhere."""
        self.terms.append((weight, value))
        self.largest += most

    def ticks(self, t: float) -> int:
        """Whole number of steps of a time."""
        return round(t / self.plan.step)

    def on(self, group: str) -> bool:
        """False where a group of constraints is left out, to find what is in conflict."""
        return group not in self.skip

    def build(self) -> None:
        """All variables and constraints."""
        plan, m = self.plan, self.m
        fixed = {p.task: p for p in plan.fixed}
        goal = plan.aims
        if goal.makespan:
            self.makespan = m.new_int_var(0, self.horizon, "")
        before: dict[str, list[Any]] = {}
        for link in plan.all_links:
            before.setdefault(link.after, []).append(link)
        done: set[str] = set()
        followed = {k.before for k in plan.all_links}
        for name in plan.tasks:
            cpsat_units.add_task(self, name, fixed.get(name))
            done.add(name)
            # right behind the task: the order of constraints is a habit that searches are tuned for
            for link in before.pop(name, ()):
                if link.before in done:
                    self.add_link(link)
                else:
                    before.setdefault(name, []).append(link)
            if self.makespan is not None and name not in followed:
                m.add(self.makespan >= self.end[name])
        for links in before.values():
            for link in links:
                self.add_link(link)
        cpsat_units.add_units(self)
        cpsat_units.add_shared(self)
        self.add_bounds()
        cpsat_costs.add_goal(self)

    def add_link(self, link: Any) -> None:
        """One task before another."""
        if not self.on(f"link {link.before} -> {link.after}"):
            return
        low = self.ticks(link.min_wait)
        end, start = self.end[link.before], self.start[link.after]
        self.m.add(start >= (end + low if low else end))
        if link.max_wait is not None:
            self.m.add(start <= end + self.ticks(link.max_wait))
        for (a, b), least in link.transfer.items():
            lits = [self.literal(link.before, a), self.literal(link.after, b)]
            if None not in lits:
                self.m.add(start >= end + self.ticks(least)).only_enforce_if(lits)

    def literal(self, task: str, unit: str) -> Any:
        """Presence of a task on a unit; None where it cannot be there."""
        modes = self.plan.tasks[task].ways
        own = [k for k, mode in enumerate(modes) if mode.unit == unit]
        if not own:
            return None
        if len(own) == 1:
            return self.chosen[task][own[0]]
        either = self.m.new_bool_var("")
        self.m.add(sum(self.chosen[task][k] for k in own) == 1).only_enforce_if(either)
        self.m.add(sum(self.chosen[task][k] for k in own) == 0).only_enforce_if(~either)
        return either

    def add_bounds(self) -> None:
        """What the capacity of units proves about the makespan."""
        if self.makespan is not None and not self.skip:
            known = bounds.makespan(self.plan, self.windows)
            if not self.plan_is_plain_shop() and known > 0:
                self.m.add(self.makespan >= self.ticks(known))

    def plan_is_plain_shop(self) -> bool:
        """True where every unit takes its own tasks only: CP-SAT's own propagation finds these bounds itself."""
        return all(len(t.ways) == 1 for t in self.plan.tasks.values())

    def hint(self, placed: Sequence[Placed]) -> None:
        """Start the search at a plan."""
        for p in placed:
            if p.task in self.start:
                self.m.add_hint(self.start[p.task], self.ticks(p.start))
                lits = self.chosen[p.task]
                if len(lits) > 1:
                    for k, lit in enumerate(lits):
                        self.m.add_hint(lit, int(k == p.mode))


def load() -> Any:
    """OR-Tools, or a sentence how to get it."""
    try:
        from ortools.sat.python import cp_model
    except ImportError as e:
        raise errors.MissingExtraError("Schedules are solved by OR-Tools, which is not installed. Install it with: "
                                       "pip install 'twinworks[schedule]'") from e
    return cp_model


def run(plan: Schedule, *, start: Sequence[Placed] = (), max_seconds: float | None = None, seed: int = 0, workers: int = 8,
        gap: float = 0.0,
        log: Callable[[str], None] | None = None, skip: frozenset[str] = frozenset()) -> Answer:
    """Solve a plan with CP-SAT."""
    cp_model = load()
    began = time.perf_counter()
    model = Model(plan, skip)
    if start:
        model.hint(start)
    built = time.perf_counter() - began
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.random_seed = workers, seed
    if max_seconds is not None:
        solver.parameters.max_time_in_seconds = max(0.01, max_seconds - built)
    if gap:
        solver.parameters.relative_gap_limit = gap
    if log is not None:
        solver.parameters.log_search_progress = True
        solver.parameters.log_to_stdout = False
        solver.log_callback = log
    code = _solve(solver, model.m)
    solved = time.perf_counter() - began - built
    status = {cp_model.OPTIMAL: Status.SUCCESS, cp_model.FEASIBLE: Status.FEASIBLE, cp_model.INFEASIBLE: Status.INFEASIBLE}.get(
        code, Status.TIME_LIMIT)
    if code == cp_model.MODEL_INVALID:
        raise errors.SpecError(f"CP-SAT refuses the model: {model.m.validate()[:300]}")
    found = code in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    placed = cpsat_units.read(model, solver) if found else ()
    scale = cpsat_costs.scale_of(model)
    bound = None
    if code != cp_model.INFEASIBLE and math.isfinite(solver.best_objective_bound) and model.terms:
        bound = (solver.best_objective_bound - cpsat_costs.rounding(model)) / scale
    stats = {"build_s": built, "solve_s": solved, "workers": workers, "branches": solver.num_branches,
             "conflicts": solver.num_conflicts}
    return Answer(status, tuple(placed), solver.objective_value / scale if found and model.terms else None, bound, "CP-SAT",
                  stats)


def _solve(solver: Any, model: Any) -> Any:
    """Solve; CP-SAT stops at Ctrl-C by a handler of its own and leaves none behind, so the one of Python is put back."""
    if threading.current_thread() is not threading.main_thread():
        solver.parameters.catch_sigint_signal = False  # only the main thread may put a handler back
        return solver.solve(model)
    handler = signal.getsignal(signal.SIGINT)
    try:
        return solver.solve(model)
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
