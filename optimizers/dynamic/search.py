"""One search: solve on a grid, play the answer on the model, refine until claim and truth agree and limits hold."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from optimizers.dynamic import filling, replay
from optimizers.dynamic.filling import Path
from optimizers.dynamic.grid import Decisions, Grid
from optimizers.dynamic.plan import Plan
from optimizers.dynamic.transcription import Transcription
from twin.status import Status

HOLDS = 1e-7  # of its typical size: a limit violated by less between the points holds
ENDS = 5e-7  # the same for limits at an end, which only finer elements mend
STALLED = 3  # rounds of refinement that neither halve the gap nor better the run: more of them would not either
STILL = 1e-6  # of the cost: a run that gets better by more is still on its way
SAME = 1e-6  # of the cost: two answers that differ by less are as good
MOST_POINTS = 30_000
HELP = 0.2  # of the time that is left, for a solve that IPOPT tries in place of the engine
REFINING = 0.4  # of the time limit: kept free of further starts, so that the best answer can be refined
ROUNDS = 20
NEAR, NEARER = 1e-3, 1e-6  # barrier parameters with which a finer grid begins near the answer of the coarser one
BENT, SPLITS = 3e-3, 3  # of its typical size: a start may miss the polynomials of the first grid by so much; rounds of splitting


@dataclasses.dataclass(frozen=True)
class Options:
    """How to search."""

    degree: int = 3
    elements: int = 1
    gap: float = 1e-7
    tolerance: float = 1e-8
    max_iterations: int = 1000
    execution: str | None = None
    solver: Any = None
    build: bool = False
    iterations: Sequence[Sequence[int]] | None = None  # counts of an earlier solve, to repeat it


class Stop:
    """A flag that ends every search, and the time at which it goes up by itself."""

    def __init__(self, max_seconds: float | None) -> None:
        self.deadline = time.monotonic() + (math.inf if max_seconds is None else max_seconds)
        self.last_start = self.deadline - (0.0 if max_seconds is None else REFINING * max_seconds)
        self.user = threading.Event()
        self.solvers: list[Any] = []

    def __call__(self) -> bool:
        return self.user.is_set() or time.monotonic() > self.deadline

    @property
    def late(self) -> bool:
        """True where no further start should begin."""
        return time.monotonic() > self.last_start

    @property
    def left(self) -> float:
        """Seconds left."""
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def status(self) -> Status:
        """Why it went up."""
        return Status.STOPPED if self.user.is_set() else Status.TIME_LIMIT

    def raise_flag(self) -> None:
        """End everything because the user wants it."""
        self.user.set()
        self.end_solves()

    def end_solves(self) -> None:
        """End the solves that go on."""
        for solver in self.solvers:
            solver.stop()


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """What one solve on one grid gave, and what the model says to it."""

    plan: Plan
    grid: Grid
    decisions: Decisions
    status: Status
    claimed: float  # objective as the solver sees it
    objective: float
    cost: float  # to be minimized, soft limits included
    gap: float
    violation: float
    excesses: Sequence[replay.Excess]
    played: replay.Played
    prices: Sequence[tuple[Any, Any]]
    result: Any  # None where it is a simulated start
    tr: Any
    iterations: int
    solver: str
    within: filling.Within = frozenset()  # states that were kept within their ranges in the model

    @property
    def usable(self) -> bool:
        """True where it runs to its end and holds all hard limits."""
        return math.isfinite(self.cost) and self.violation <= 1e-6

    def better_than(self, other: Found | None) -> bool:
        """Limits first, then cost."""
        if other is None or self.usable != other.usable:
            return other is None or self.usable
        if self.usable and abs(self.cost - other.cost) <= SAME * abs(other.cost):
            return self.gap < other.gap  # as good: the one that is better known
        return self.cost < other.cost if self.usable else self.violation < other.violation


def same_grid(a: Grid, b: Grid) -> bool:
    """True where both have the same points."""
    return a.plan is b.plan and (a.degree, a.elements, a.extra) == (b.degree, b.elements, b.extra)


class Search:
    """Searches on one plan; solvers are kept by grid."""

    def __init__(self, options: Options, stop: Stop, say: Callable[[str], None]) -> None:
        self.options, self.stop, self.say = options, stop, say
        self.made: dict[Any, Any] = {}
        self.lock = threading.Lock()
        self.best: Found | None = None
        self.record: dict[int, list[int]] = {}
        self.note = ""
        self.solves: list[dict[str, Any]] = []
        self.other: Search | None = None
        self.share = 1.0  # of the time that is left, for one solve
        self.built: float | None = None  # when the first solve began
        self.known: dict[int, tuple[Grid, Decisions, replay.Played]] = {}  # starts, simulated, until they are solved from

    def grid(self, plan: Plan, decisions: Decisions | None = None) -> Grid:
        """The grid to begin with: the intervals, split where the run of `decisions` bends too much for one element."""
        import numpy as np

        grid = Grid(plan, self.options.degree, self.options.elements)
        if decisions is None:
            return grid
        for _ in range(SPLITS):
            played = self._played(plan, grid, decisions)
            if not replay.reached(played.trajectory, float(sum(decisions.durations))):
                break
            bent = replay.curvature(plan, grid, played)
            pieces = np.clip(np.ceil((bent / BENT) ** (1.0 / (self.options.degree + 1))), 1, 4).astype(int)
            if pieces.max() == 1 or pieces.sum() * grid.points > MOST_POINTS:
                break
            grid = grid.split([int(n) for n in pieces])
        return grid

    def _played(self, plan: Plan, grid: Grid, decisions: Decisions) -> replay.Played:
        """Decisions simulated on a grid, with points between; kept until they are solved from."""
        played = self._known(grid, decisions)
        if played is None:
            played = replay.play(plan, grid, decisions, dense=replay.DENSE, execution=self.options.execution)
            self.known[id(decisions)] = grid, decisions, played
        return played

    def _known(self, grid: Grid, decisions: Decisions) -> replay.Played | None:
        """What is known of decisions on a grid."""
        known = self.known.get(id(decisions))
        return known[2] if known is not None and known[1] is decisions and same_grid(known[0], grid) else None

    def prepared(self, grid: Grid) -> tuple[Transcription, Any]:
        """Transcription and solver of a grid."""
        key = (id(grid.plan), grid.elements, grid.extra)
        with self.lock:
            if key not in self.made:
                like = next((made[0] for made in reversed(self.made.values()) if made[2] is grid.plan), None)
                tr = Transcription(grid.plan, grid, like)
                self.made[key] = (tr, self._solver(tr), grid.plan)
                self.stop.solvers.append(self.made[key][1])
            return self.made[key][:2]

    def _solver(self, tr: Transcription) -> Any:
        from optimizers.dynamic import solvers

        found = solvers.choose(tr, self.options.solver, self.options.execution)
        if self.options.build:
            found.build()
        self.note = found.note or self.note
        return found

    def once(self, grid: Grid, decisions: Decisions, start: int, margins: Any = None, warm: Any = None,
             path: Path | None = None, within: filling.Within = frozenset(), near: float | None = None) -> Found | None:
        """One solve from decisions; None where the search was stopped before it began or its start cannot be simulated.

        Polynomials may go where no run goes, beyond a pole of a rate for instance, and find there what is not. Where a state
        leaves its range in the model in the answer but not in its simulation, it is kept within it and solved for again.
        """
        found = self._one(grid, decisions, start, margins, warm, path, within, near)
        if found is None or not (left := self._left(found) - within):
            return found
        self.say(f"{grid.plan.name}: once more, within the ranges of the model")
        again = self._one(grid, decisions, start, margins, None, path, within | left)
        return again if again is not None and (again.status or not found.status) else found

    def _left(self, found: Found) -> filling.Within:
        """States that leave their range in the answer and stay within it when the answer is simulated."""
        import numpy as np

        kept, range_ = list(found.tr.layout.kept), filling.reach(found.tr)
        if not len(found.played.trajectory):
            return frozenset()
        claimed = np.concatenate([found.result.x[1:, :len(kept)], found.result.xp.reshape(-1, len(kept))])
        run = np.asarray(found.played.trajectory.raw["state"], float).reshape(len(found.played.trajectory), -1)[:, kept]
        beyond = [(claimed < range_[0, kept]).any(0) & ~(run < range_[0, kept]).any(0),
                  (claimed > range_[1, kept]).any(0) & ~(run > range_[1, kept]).any(0)]
        return frozenset((kept[i], side) for side, own in zip((-1, 1), beyond, strict=True) for i in np.flatnonzero(own))

    def _one(self, grid: Grid, decisions: Decisions, start: int, margins: Any, warm: Any, path: Path | None,
             within: filling.Within, near: float | None = None) -> Found | None:
        if self.stop():
            return None
        plan = grid.plan
        tr, solver = self.prepared(grid)
        if path is None:
            begin = self._known(tr.grid, decisions) or replay.play(plan, tr.grid, decisions, rtol=replay.START_RTOL,
                                                                   execution=self.options.execution)
            self.known.pop(id(decisions), None)
            path = begin.path if replay.reached(begin.trajectory, float(sum(decisions.durations))) else None
        data = solver.data()
        filling.fill(tr, data, decisions, path, margins, within)
        cap = self._cap(start)
        if cap == 0:
            return None
        begun = time.perf_counter()
        self.built = begun if self.built is None else self.built
        result = solver.solve(data, start="rollout" if path is None else "points", warm=warm, tol=self.options.tolerance,
                              max_iterations=cap, max_seconds=self.share * self.stop.left, stopped=self.stop,
                              mu=near)
        self.record.setdefault(start, []).append(int(result.iterations))
        self.solves.append({"start": start, "stretches": len(grid.edges), "iterations": int(result.iterations),
                            "further_starts": int(getattr(result, "further_starts", 0)), "status": result.status.name,
                            "seconds": time.perf_counter() - begun})
        return dataclasses.replace(self.judged(plan, tr, solver, result), within=within)

    def _cap(self, start: int) -> int:
        """Most iterations of the next solve; an earlier solve that is repeated says how many."""
        kept = self.options.iterations
        if kept is None:
            return self.options.max_iterations
        own = list(kept[start]) if start < len(kept) else []
        done = len(self.record.get(start, ()))
        return int(own[done]) if done < len(own) else 0

    def judged(self, plan: Plan, tr: Transcription, solver: Any, result: Any) -> Found:
        """An answer beside what the model says to it."""
        decisions = filling.decisions_of(tr, result.x, result.u)
        played = replay.play(plan, tr.grid, decisions, dense=replay.DENSE, execution=self.options.execution)
        cost, objective, violation, excesses = self._truth(plan, tr.grid, decisions, played)
        fixed_time = plan.sign * plan.time_weight * sum(p.duration for p in plan.phases if not p.free)
        claimed = float(result.objective) + fixed_time
        gap = abs(claimed - cost) / max(abs(cost), 1e-12) if math.isfinite(cost) else math.inf
        duals = {k: getattr(result, f"{k}_dual") for k in ("x", "xp", "zp", "path")}
        penalty = cost - plan.sign * objective if math.isfinite(cost) else 0.0
        return Found(plan, tr.grid, decisions, result.status, plan.sign * (claimed - penalty), objective, cost, gap, violation,
                     excesses, played, filling.prices(tr, duals), result, tr, int(result.iterations), solver.name)

    def begun(self, plan: Plan, decisions: Decisions) -> Found:
        """The start itself, played on the model: no answer may be worse."""
        import numpy as np

        grid = self.grid(plan)
        none = np.zeros(len(grid.edges))
        played = self._played(plan, grid, decisions)
        truth = self._truth(plan, grid, decisions, played)
        return Found(plan, grid, decisions, Status.FEASIBLE, truth[1], truth[1], truth[0], 0.0, truth[2], truth[3], played,
                     [(none, none)] * len(plan.limits), None, None, 0, "the start, simulated")

    def _truth(self, plan: Plan, grid: Grid, decisions: Decisions, played: replay.Played) -> tuple[float, float, float, Any]:
        """Cost, objective, violation and the violated limits of a simulated run; infinite where it did not reach its end."""
        if not replay.reached(played.trajectory, float(sum(decisions.durations))):
            return math.inf, math.inf, math.inf, []
        objective = replay.objective_of(plan, played.trajectory, decisions.durations)
        excesses = replay.excesses(plan, played, decisions.durations)
        cost = plan.sign * objective + replay.penalty_of(plan, grid, played)
        return cost, objective, max((e.share for e in excesses), default=0.0), excesses

    def keep(self, found: Found) -> None:
        """Remember the best so far."""
        with self.lock:
            if found.better_than(self.best):
                self.best = found

    def polish(self, first: Found, start: int) -> Found:
        """Refine until claim and truth agree and no limit is violated between the points."""
        found, nearest, cheapest, stalled = first, math.inf, math.inf, 0
        margins: dict[int, tuple[Any, Any]] = {}
        for _ in range(ROUNDS):
            if found.usable:
                self.keep(found)
            coarse = found.gap > self.options.gap or _ends_missed(found)
            if self.stop() or not math.isfinite(found.cost) or (not coarse and not _between(found)):
                break
            if not found.status and found.status not in (Status.ITERATION_LIMIT, Status.NOT_CONVERGED):
                break
            better = found.gap < 0.5 * nearest or found.cost < cheapest - STILL * abs(found.cost)
            stalled = 0 if better or not coarse else stalled + 1
            nearest, cheapest = min(nearest, found.gap), min(cheapest, found.cost)
            if stalled >= STALLED:
                break
            grid, path, warm = found.grid, None, None
            if coarse:
                finer, margins = self._finer(found), {}
                if finer is None:
                    break
                grid = finer
                self.say(f"{found.plan.name}: {len(grid.edges)} stretches (claim and simulation differ by {found.gap:.1e})")
            else:
                margins = self._tightened(found, margins)
                path, warm = found.played.path, found.result
            again = self.once(grid, found.decisions, start, margins, warm, path, found.within, NEAR if coarse else None)
            if coarse and again is not None and not again.cost < found.cost + max(found.gap, STILL) * abs(found.cost):
                nearer = self.once(grid, found.decisions, start, margins, None, None, found.within, NEARER)
                again = nearer if nearer is not None and nearer.better_than(again) else again  # it had gone elsewhere
            if again is not None and not again.status:
                again = self._rescued(again, found.decisions, start, margins)
            if again is None or (not again.status and not again.better_than(found)):
                break
            found = again
        return found

    def _rescued(self, failed: Found, decisions: Decisions, start: int, margins: Any) -> Found:
        """The same solve by IPOPT, where it is installed and nobody chose the solver."""
        from optimizers.dynamic import solvers

        if failed.status is Status.NOT_FINITE or not self._may_rescue() or not solvers.ipopt_installed():
            return failed
        self.say(f"{failed.plan.name}: the engine ended with {failed.status.name}; trying IPOPT")
        again = self.with_ipopt().once(failed.grid, decisions, start, margins, within=failed.within)
        if again is None or not again.status:
            return failed
        self.note = "interior point of twin.engine, then IPOPT where it did not converge"
        return again

    def _may_rescue(self) -> bool:
        return self.options.solver is None and self.options.iterations is None and not self.stop()

    def with_ipopt(self) -> Search:
        """A search with IPOPT that shares what is kept."""
        from optimizers.backends.ipopt import Ipopt

        if self.other is None:
            self.other = Search(dataclasses.replace(self.options, solver=Ipopt()), self.stop, self.say)
            self.other.solves, self.other.record = self.solves, self.record
            self.other.share = HELP
        return self.other

    def _finer(self, found: Found) -> Grid | None:
        """The grid split where a simulation leaves the collocated states most; None where it would get too long."""
        import numpy as np

        grid, order = found.grid, 2 * self.options.degree - 1
        miss = max(found.gap, max((e.share for e in found.excesses if e.limit.phase is not None), default=0.0))
        local = replay.local_errors(found.plan, grid, found.decisions, self._states(found), self.options.execution)
        if local is None or not local.max() > 0:
            pieces = np.full(len(grid.edges), 2)
        else:
            target = np.full(len(grid.edges), max(local.max() * 0.3 * self.options.gap / miss, 1e-11))
            for e in found.excesses:
                if e.limit.phase is not None and e.share > ENDS:  # all that leads to an end has a say in it
                    before = np.arange(len(grid.edges)) <= grid.last_of(e.limit.phase)
                    target[before] = np.minimum(target[before], max(0.1 * ENDS, local[before].max() * 0.3 * ENDS / e.share))
            pieces = np.clip(np.ceil((local / target) ** (1.0 / order)), 1, 4).astype(int)
            if pieces.max() == 1:
                pieces[local > 0.1 * local.max()] = 2
        wanted = [1 if e.is_reset else int(n) for e, n in zip(grid.edges, pieces, strict=True)]
        return grid.split(wanted) if sum(wanted) * grid.points <= MOST_POINTS else None

    def _states(self, found: Found) -> Any:
        """States at the nodes as they were collocated; integrals of the goal, which are not, from the simulation."""
        import numpy as np

        x = np.concatenate([found.played.path.x[:1, 0], found.played.path.x[:, -1]])
        x[:, list(found.tr.layout.kept)] = found.result.x[:, :found.tr.layout.n_c]
        return x

    def _tightened(self, found: Found, margins: dict[int, tuple[Any, Any]]) -> dict[int, tuple[Any, Any]]:
        """Room kept at limits that hold at the points but not between them."""
        import numpy as np

        wider = dict(margins)
        for e in found.excesses:
            if e.share <= HOLDS or e.limit.phase is not None:
                continue
            low, high = replay.excess_by_edge(found.plan, found.grid, found.played, e.number)
            old = margins.get(e.number, (np.zeros_like(low), np.zeros_like(high)))
            room = 0.1 * HOLDS * e.limit.place.size
            wider[e.number] = (old[0] + np.where(low > 0, 1.05 * low + room, 0.0),
                               old[1] + np.where(high > 0, 1.05 * high + room, 0.0))
        return wider


def _between(found: Found) -> bool:
    """True where a limit that holds at the points is violated between them."""
    return any(e.limit.phase is None and e.share > HOLDS for e in found.excesses)


def _ends_missed(found: Found) -> bool:
    """True where a limit at an end fails in simulation: the elements are too coarse."""
    return any(e.limit.phase is not None and e.share > ENDS for e in found.excesses)
