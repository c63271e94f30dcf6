"""Solving a Trajectory: many starts, the truth about the best answer, and what is said about it."""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from optimizers.dynamic import conflict, report, solvers
from optimizers.dynamic.grid import Decisions
from optimizers.dynamic.plan import Plan
from optimizers.dynamic.problem import Trajectory, count
from optimizers.dynamic.search import Found, Options, Search, Stop
from optimizers.dynamic.starts import between, nominal, on_plan, random_start
from optimizers.solution import Solution
from twin import errors
from twin.status import Status

ENDING = 10.0  # seconds that the end of the process waits for a search that was given up
LOOK = 0.01  # seconds between looks at the clock and at Ctrl-C
PATIENCE = 0.03  # seconds that a stopped search has to hand in what it holds
COARSE_FROM = 40  # intervals from which random starts are first solved on a coarser grid
POLISHED = 3
PATIENT = 100  # iterations below which a search that did not converge was not meant to


def solve(problem: Trajectory, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          starts: int = 1, degree: int = 3, elements: int = 1, gap: float = 1e-7, tolerance: float = 1e-8,
          max_iterations: int = 1000, build: bool = False,
          execution: str | None = None, threads: int | None = None, iterations: Sequence[Sequence[int]] | None = None,
          progress: Callable[[str], None] | None = None) -> Solution:
    """Solve a `Trajectory`; the options are described there."""
    count("starts", starts)
    count("elements", elements)
    count("max_iterations", max_iterations)
    if degree not in (2, 3, 4, 5):
        raise errors.SpecError(f"degree is {degree}. Expected 2 to 5.")
    for name, value in (("gap", gap), ("tolerance", tolerance)):
        if not 0 < value < 1:
            raise errors.SpecError(f"{name} is {value!r}. Expected a number between 0 and 1.")
    if max_seconds is not None and not max_seconds > 0:
        raise errors.SpecError(f"max_seconds is {max_seconds!r}. Expected a positive number of seconds.")
    options = Options(degree, elements, gap, tolerance, max_iterations, execution, solver, build, iterations)
    begin = time.perf_counter()
    task = _Task(problem, problem.plan, options, Stop(max_seconds), start, starts, seed, threads, progress)
    task.begun = begin
    task.run()
    return task.solution(time.perf_counter() - begin)


def say(text: str) -> None:
    """Progress of a long search, on a terminal only."""
    if sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[Ktwin: {text}")
        sys.stderr.flush()


class _Task:
    """One call of `solve`: runs in a thread of its own, so that Ctrl-C and the time limit are obeyed at once."""

    def __init__(self, problem: Trajectory, plan: Plan, options: Options, stop: Stop, start: Any, number: int, seed: int,
                 threads: int | None, progress: Callable[[str], None] | None) -> None:
        self.problem, self.plan, self.options, self.stop = problem, plan, options, stop
        self.start, self.number, self.seed, self.threads = start, number, seed, threads
        self.say = progress or (say if number > 1 else lambda text: None)
        self.search = Search(options, stop, self.say)
        self.found: Found | None = None
        self.tried: list[Found | None] = [None] * number
        self.conflict: Any = None
        self.failure: BaseException | None = None
        self.complete, self.skipped = False, False
        self.done = threading.Event()
        self.begun = time.perf_counter()
        self.start_objective = float("nan")

    def run(self) -> None:
        """Search; Ctrl-C and the time limit leave what is best so far."""
        worker = threading.Thread(target=self._work, daemon=True, name="twinworks-trajectory")
        worker.start()
        try:
            while not self.done.wait(min(LOOK, max(self.stop.left, 0.001))):
                if self.stop.left <= 0:
                    self.stop.end_solves()
                    self.done.wait(PATIENCE)
                    break
        except KeyboardInterrupt:
            self.stop.raise_flag()
            self.done.wait(PATIENCE)
        if not self.done.is_set():  # what still runs looks at the flag; the interpreter must not end under it
            atexit.register(worker.join, ENDING)
        if self.failure is not None:
            raise self.failure

    def _work(self) -> None:
        try:
            self._search()
        except BaseException as e:  # handed over to the calling thread
            self.failure = e
        finally:
            self.done.set()

    def _search(self) -> None:
        first = starts_nominal(self.problem, self.plan, self.start)
        if self.options.iterations is None:
            begun = self.search.begun(self.plan, first)
            self.start_objective = begun.objective
            self.search.keep(begun)
        if self.number == 1:
            self.tried[0] = self.search.once(self.search.grid(self.plan, first), first, 0)
        else:
            self._many(first)
        if not self.stop():
            self._fall_back(first)
        ranked = [f for f in self.tried if f is not None]
        ranked.sort(key=lambda f: (not f.usable and not f.violation <= 1e-3, f.cost))
        for k, found in enumerate(ranked[:1 if self.number == 1 else POLISHED]):
            self.say(f"{self.plan.name}: refining the answer of start {self.tried.index(found)}")
            polished = self.search.polish(found, self.number + k if self.number > 1 else 0)
            self.search.keep(polished)
            if polished.better_than(self.found):
                self.found = polished
            if self.stop():
                break
        if self.number > 1:
            self.say("")
        best = self.search.best
        if best is not None and best.better_than(self.found):
            self.found = best
        lost = None if self.found is None or self.found.usable or self.found.status is Status.NOT_FINITE else self.found
        if lost is not None and not self.stop() and self.options.iterations is None:
            self.conflict = conflict.look(self.search, self.plan, lost.decisions, self.number + POLISHED)
        self.complete = not self.stop() and not self.skipped

    def _fall_back(self, first: Decisions) -> None:
        """IPOPT from the same start where no search of the engine ended normally and IPOPT is installed."""
        ended = [f for f in self.tried if f is not None and (f.status or f.status is Status.INFEASIBLE)]
        if self.options.solver is not None or ended or self.options.max_iterations < PATIENT:
            return
        if self.options.iterations is not None or not solvers.ipopt_installed():
            return
        if all(f.status is Status.NOT_FINITE for f in self.tried if f is not None):
            return  # IPOPT would begin at the same point, where the model has no value
        self.say(f"{self.plan.name}: the engine did not converge; trying IPOPT")
        other = self.search.with_ipopt()
        found = other.once(other.grid(self.plan, first), first, 0)
        if found is not None and found.status:
            other.best, other.note = self.search.best, "IPOPT, because the engine did not converge from this start"
            other.built = self.search.built
            self.search, self.tried[0] = other, found

    def _many(self, first: Decisions) -> None:
        """All starts, on threads where the solver allows it."""
        coarse = self.plan
        most = max((m.values for p in self.plan.phases for m in p.moved), default=0)
        if most >= COARSE_FROM:
            coarse = self.plan.coarse(4)
        threads = self.threads or 2
        finished = 0

        def one(k: int) -> None:
            nonlocal finished
            if self.stop.late:
                self.skipped = True
                return
            begin = first if k == 0 else random_start(self.plan, first, self.seed, k)
            found = self._from(begin, coarse if k else self.plan, first, k)
            if found is not None and found.plan is not self.plan and found.decisions is not None:
                fine = on_plan(self.plan, found.plan, found.decisions)
                found = self.search.once(self.search.grid(self.plan, fine), fine, k)
            self.tried[k] = found
            if found is not None:
                self.search.keep(found)
            finished += 1
            best = self.search.best
            best_text = f", best {best.objective:.6g} {self.plan.unit}" if best is not None else ""
            self.say(f"{self.plan.name}: {finished} of {self.number} starts{best_text}, {time.strftime('%H:%M:%S')}")

        one(0)  # makes the solver, so that threads find it ready
        if not self._in_threads() or threads == 1:
            for k in range(1, self.number):
                one(k)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(1, self.number)))

    def _in_threads(self) -> bool:
        return all(made[1].in_threads for made in self.search.made.values())

    def _from(self, begin: Decisions, plan: Plan, first: Decisions, k: int) -> Found | None:
        """One start; nearer to the nominal one where it cannot be simulated."""
        for share in (1.0, 0.5, 0.25):
            if self.stop():
                return None
            here = begin if share == 1.0 else between(first, begin, share)
            here = on_plan(plan, self.plan, here)
            found = self.search.once(self.search.grid(plan, here), here, k)
            if found is not None and found.status is not Status.NOT_FINITE:
                return found
            if k == 0:
                return found
        return None

    def solution(self, seconds: float) -> Solution:
        """What is said about it."""
        stopped = (self.stop() or self.skipped) and not self.complete
        best = self.found if self.found is not None and not stopped else self.search.best or self.found
        record = [self.search.record.get(k, []) for k in range(max(self.search.record, default=-1) + 1)]
        stats: Mapping[str, Any] = {
            "seconds": seconds, "iterations": record, "starts": self.number,
            "build_seconds": (self.search.built or self.begun) - self.begun, "solves": self.search.solves,
            "starts_solved": sum(f is not None and f.usable for f in self.tried),
            "objectives": [f.objective if f is not None and f.usable else None for f in self.tried]}
        status = self.stop.status if stopped else None
        return report.solution(self.problem, self.plan, best, status, self.conflict, self.search.note, stats,
                               self.start_objective)


def starts_nominal(problem: Trajectory, plan: Plan, start: Any) -> Decisions:
    """The start: given by name, an earlier solution, or the recipe."""
    if isinstance(start, Solution):
        kept = start.details.get("decisions")
        if not isinstance(kept, Decisions):
            raise errors.SpecError("start is a solution of another kind of problem. Expected one of a Trajectory, or "
                                   "{name: value}.")
        return on_plan(plan, start.details["plan"], kept)
    if isinstance(start, Decisions):
        return start
    if start is not None and not isinstance(start, Mapping):
        raise errors.SpecError(f"start is a {type(start).__name__}. Expected {{name: value}} or an earlier solution.")
    return nominal(problem, plan, start)
