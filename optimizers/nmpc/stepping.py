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
WARM = 20  # iterations that a warm start may take before a cold one is tried
REAL_TIME = 1e-6  # barrier of real-time iterations: one Newton step follows it well
WIDEST = 1e5  # widest barrier of a warm start, in units of the tolerance


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
        return any(k.price is None and k.phase is None for k in self.statement.limits) or \
            any(k.phase is not None for k in self.statement.limits)

    def _warm(self, solver: Any, filler: Filler, moment: Moment, state: Any) -> tuple[Any, float]:
        """Result of a warm start, None where it is not worth going on; and the barrier parameter of the next one.

        A tiny barrier saves nearly all iterations; where that fails, the next step begins with a wider one, which narrows again.
        """
        start = {"start": "warm", "warm": state.warm, "shift": 1}
        if self.real_time:
            return self.timed(solver, filler, moment, start, {**self.options, "keep": "last", "mu": REAL_TIME}), state.barrier
        most, mu = min(WARM, self.options["max_iterations"]), state.barrier * self.options["tol"]
        options = {**self.options, "max_iterations": most, "mu": mu}
        result = self.timed(solver, filler, moment, start, options)
        if not result.status:
            return None, min(state.barrier * 1e3, WIDEST)
        return result, max(state.barrier / 10, 0.1)

    def solve(self, state: Any, moment: Moment, begin: float) -> tuple[Any, Any, Status, list[str], float]:
        """Result (None where nothing usable was found), its filler, status, sentences and the next barrier parameter."""
        solver, filler = self.solver()
        result, barrier = None, state.barrier
        if state.warm is not None:
            result, barrier = self._warm(solver, filler, moment, state)
        if result is None:
            result = self.timed(solver, filler, moment, {"start": "rollout"}, self.cold)
        if result.status or (self.real_time and result.status is Status.ITERATION_LIMIT and math.isfinite(result.error)):
            return result, filler, result.status, [], barrier
        why = [f"The optimization ended without success. {result.status}"]
        if result.feasible:
            return result, filler, Status.FEASIBLE, [*why, "Its best feasible plan is used."], barrier
        left = self.options["max_seconds"] - (clock.perf_counter() - begin)
        if result.status in (Status.INFEASIBLE, Status.NOT_CONVERGED, Status.ITERATION_LIMIT) and self.can_yield and left > 0:
            why += _conflict(result, filler)
            solver, filler = self.solver("elastic")
            size = abs(result.objective) if math.isfinite(result.objective) else 1.0
            moment = dataclasses.replace(moment, price=max(1.0, size))
            yielding = self.timed(solver, filler, moment, {"start": "rollout"}, self.cold | {"max_seconds": left})
            if yielding.status or yielding.feasible:
                return yielding, filler, result.status, [*why, "The plan that exceeds the limits least is used."], barrier
        return None, None, result.status, why, barrier

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
    return [f"In conflict: {'; '.join(texts)}."] if texts else []


def _limit_text(limit: Limit) -> str:
    ends = []
    for word, side in (("at least", limit.lower), ("at most", limit.upper)):
        if isinstance(side, Profile):
            ends.append(f"{word} a profile")
        elif math.isfinite(side):
            ends.append(f"{word} {side:g} {limit.place.unit}")
    return f"{limit.said or limit.place.name} {' and '.join(ends)}"
