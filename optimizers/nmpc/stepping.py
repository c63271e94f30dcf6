"""How a step is solved: warm, then cold, then with limits that yield; bounded in iterations and time."""

from __future__ import annotations

import dataclasses
import math
import time as clock
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic.plan import Limit
from optimizers.nmpc.formulation import Filler, Moment, Problem
from optimizers.nmpc.statement import Statement
from optimizers.nmpc.tree import Tree
from twin.recipe import Profile
from twin.status import Status

ELASTIC = 1e3  # price of a nominal size of excess, in units of the objective's own size, where limits cannot all hold
BARRIERS = 1e-9, 1e-4  # barrier parameters of warm starts, one after the other; the first near rest
WARM = 12, 30  # iterations that such a warm start may take before a cold one is tried
COLD = 100  # iterations that a cold start may take before limits yield, where they can
CONFLICT = "In conflict: "
REST = 10  # steps with cold starts after warm ones failed
REAL_TIME = 1e-6  # barrier of real-time iterations: one Newton step follows it well


@dataclasses.dataclass(frozen=True, eq=False)
class Memory:
    """What a step remembers for the next: which problem, its result, how to start warm.

    Attributes
    ----------
    kind
        "strict", or "elastic" where limits yield.
    result
        The solver's last success, or None.
    level
        Position in `BARRIERS`.
    rest
        Steps still to be started cold.
    price
        Factor on the prices of limits that yield.
    calm
        Steps in which no limit had to yield.
    """

    kind: str
    result: Any = None
    level: int = 0
    rest: int = 0
    price: float = 1.0
    calm: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A plan (None where nothing usable was found), how it was found, and what to remember."""

    result: Any
    filler: Any
    status: Status
    said: list[str]
    memory: Memory | None


class Stepper:
    """Solvers of one controller, compiled when first asked for.

    Parameters
    ----------
    statement, tree
        What is solved.
    options
        tol, max_iterations, max_seconds of the solver.
    real_time
        One iteration from the step before.
    execution
        As in `twin.simulate`.
    """

    def __init__(self, statement: Statement, tree: Tree, options: Mapping[str, Any], real_time: bool,
                 execution: str | None) -> None:
        self.statement, self.tree, self.real_time, self.execution = statement, tree, real_time, execution
        self.problem = Problem.of(statement, tree)
        self.cold = dict(options)
        self.options = self.cold | ({"max_iterations": 1} if real_time else {})
        self.made: dict[str, Any] = {}
        self.pace = math.inf  # seconds of an iteration, with a margin, the longest seen

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "made": {}, "pace": math.inf}  # what is compiled stays in its process

    def solver(self, kind: str = "strict") -> tuple[Any, Filler]:
        """Solver and filler of the problem as stated, or of the one whose limits may be exceeded at a price ("elastic")."""
        from twin.engine.optimal import OcpSolver

        if kind not in self.made:
            problem = self.problem if kind == "strict" else Problem.of(self.statement, self.tree, ELASTIC)
            made = OcpSolver(problem.spec(), execution=self.execution)
            made.build()  # now, not beside the first steps of a plant
            self.made[kind] = made, Filler(problem, made)
        found: tuple[Any, Filler] = self.made[kind]
        return found

    def jax_ocp(self) -> Any:
        """The problem for batches through JAX; compiled once for each size of a batch."""
        from optimizers.backends.jax_ocp import JaxOcp

        if "jax" not in self.made:
            self.made["jax"] = JaxOcp(self.problem.spec(), max_iterations=self.cold["max_iterations"], tol=self.cold["tol"])
        return self.made["jax"]

    def warm_up(self, moment: Moment) -> None:
        """Compile the problem whose limits yield, too."""
        if self.can_yield:
            self.timed(*self.solver("elastic"), moment, {"start": "rollout"}, self.cold)

    @property
    def can_yield(self) -> bool:
        """True where there are hard limits on what is measured: then a second problem exists in which they may be exceeded."""
        return any(k.price is None for k in self.statement.limits)

    @property
    def finals(self) -> list[Limit]:
        """Limits at the end of the horizon."""
        return [k for k in self.statement.limits if k.phase is not None]

    def solve(self, memory: Memory | None, moment: Moment, begin: float) -> Outcome:
        """The best plan that can be found for a moment."""
        if memory is not None and memory.kind == "elastic":
            found = self._yielding(moment, memory, [], Status.INFEASIBLE, begin)
            if found.result is not None:
                return found
            memory = None
        solver, filler = self.solver()
        result, memory = self._attempt(solver, filler, moment, memory or Memory("strict"))
        if result.status or (self.real_time and result.status is Status.ITERATION_LIMIT and math.isfinite(result.error)):
            return Outcome(result, filler, result.status, [], memory)
        said = [f"The optimization ended without success. {result.status}"]
        feasible = Outcome(result, filler, Status.FEASIBLE, [*said, "Its best feasible plan is used."], memory)
        if result.status in (Status.INFEASIBLE, Status.NOT_CONVERGED, Status.ITERATION_LIMIT) and self.can_yield:
            size = abs(result.objective) if math.isfinite(result.objective) else 1.0
            blank = Memory("elastic", price=max(1.0, size))
            found = self._yielding(moment, blank, [*said, *_conflict(result, filler)], result.status, begin)
            solved = found.result is not None and bool(found.result.status)
            return found if solved or not result.feasible else feasible
        return feasible if result.feasible else Outcome(None, None, result.status, said, None)

    def _attempt(self, solver: Any, filler: Filler, moment: Moment, memory: Memory) -> tuple[Any, Memory]:
        """A warm start where one may pay, a cold one where it did not; and what to remember.

        A tiny barrier saves nearly all iterations. Where that fails a wider one is used from then on, and where that fails, too,
        cold starts only, for some steps.
        """
        level, rest = memory.level, memory.rest
        if memory.result is not None and rest == 0:
            start = {"start": "warm", "warm": memory.result, "shift": 1}
            if self.real_time:
                result = self.timed(solver, filler, moment, start, {**self.options, "keep": "last", "mu": REAL_TIME})
                return result, dataclasses.replace(memory, result=result)
            mu = max(BARRIERS[level], self.options["tol"] / 10)
            options = {**self.options, "max_iterations": min(WARM[level], self.options["max_iterations"]), "mu": mu}
            result = self.timed(solver, filler, moment, start, options)
            if result.status:
                return result, dataclasses.replace(memory, result=result)
            level, rest = (level + 1, 0) if level + 1 < len(BARRIERS) else (level, REST)
        most = min(COLD, self.cold["max_iterations"]) if memory.kind == "strict" and self.can_yield and not self.finals else None
        limits = self.cold if most is None else self.cold | {"max_iterations": most, "attempts": 1}
        result = self.timed(solver, filler, moment, {"start": "rollout"}, limits)
        kept = result if result.status else None
        return result, dataclasses.replace(memory, result=kept, level=level, rest=max(rest - 1, 0))

    def _yielding(self, moment: Moment, memory: Memory, said: list[str], status: Status, begin: float) -> Outcome:
        """The plan that exceeds the hard limits least; a full success where it exceeds none."""
        left = self.options["max_seconds"] - (clock.perf_counter() - begin)
        if left <= 0:
            return Outcome(None, None, Status.TIME_LIMIT, said, None)
        solver, filler = self.solver("elastic")
        result, memory = self._attempt(solver, filler, dataclasses.replace(moment, price=memory.price), memory)
        if not (result.status or result.feasible):
            return Outcome(None, None, status, said, None)
        excess = _excess(result, filler.problem)
        calm = 0 if excess else memory.calm + 1
        memory = dataclasses.replace(memory, calm=calm)
        if self.finals:
            left_out = "; ".join(_limit_text(k) for k in self.finals)
            return Outcome(result, filler, status, [*said, f"Left out, to be met later: {left_out}."], None)
        if not excess:
            told = [] if result.status else ["The plan keeps all limits, but is not proved to be the best."]
            return Outcome(result, filler, Status.SUCCESS if result.status else Status.FEASIBLE, told,
                           memory if calm < self.statement.steps else None)
        # where the price is exact and the solver converged, an excess is the proof (nearby) that the limits cannot all hold
        status = Status.INFEASIBLE if result.status else status
        conflict = [v for v in said if v.startswith(CONFLICT)]
        return Outcome(result, filler, status, [str(status), *conflict, f"Limits yield: {'; '.join(excess)}."], memory)

    def timed(self, solver: Any, filler: Filler, moment: Moment, start: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        """One solve; without a watch on the clock where the cap on iterations ends it in time anyway."""
        begin = clock.perf_counter()
        data = filler.data(moment)
        capped = self.pace * options["max_iterations"] < options["max_seconds"]
        limits = {k: v for k, v in options.items() if k != "max_seconds" or not capped}
        result = solver.solve(data, direct=capped, **start, **limits)
        filler.release(moment, data)
        pace = 4 * (clock.perf_counter() - begin) / max(result.iterations, 1)
        self.pace = pace if math.isinf(self.pace) else max(self.pace, pace)
        return result


def _excess(result: Any, problem: Problem) -> list[str]:
    """Hard limits that a yielding plan exceeds, by how much at most."""
    first = len(problem.statement.controls)
    found = []
    for j, i in enumerate(problem.soft):
        hard, most = problem.statement.limits[i], float(result.u[:, first + j].max())
        if hard.price is None and most > 1e-6 * hard.place.size:
            found.append(f"{_limit_text(hard)} is exceeded by up to {most:.3g} {hard.place.unit}")
    return found


def _conflict(result: Any, filler: Filler) -> list[str]:
    """Which limits cannot hold together, by their multipliers."""
    import numpy as np

    if result.status is not Status.INFEASIBLE:
        return []
    problem, leaves = filler.problem, filler.leaves
    duals = [(i, result.x_dual[1:, problem.limits[i].place.index]) for i in problem.on_states]
    duals += [(i, result.path_dual[:, :, j]) for j, i in enumerate(problem.on_paths)]
    duals += [(i, result.row_dual[leaves, j]) for j, i in enumerate(problem.final_rows)]
    duals += [(i, result.x_dual[leaves, problem.limits[i].place.index]) for i in problem.final_states]
    texts = dict.fromkeys(_limit_text(problem.limits[i]) for i, dual in duals if np.abs(dual).max() > 1e-6)
    return [f"{CONFLICT}{'; '.join(texts)}."] if texts else []


def _limit_text(limit: Limit) -> str:
    ends = []
    for word, side in (("at least", limit.lower), ("at most", limit.upper)):
        if isinstance(side, Profile):
            ends.append(f"{word} a profile")
        elif math.isfinite(side):
            ends.append(f"{word} {side:g} {limit.place.unit}")
    return f"{limit.said or limit.place.name} {' and '.join(ends)}"
