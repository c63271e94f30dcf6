"""Solving a Design: many starts in one ensemble, SQP from the best of them, and a check at a tighter tolerance."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

from optimizers.backends import slsqp
from optimizers.design.problem import Design
from optimizers.solution import Active, Solution
from twin import errors
from twin.figures import new_figure
from twin.status import Status

STEP = 1e-3  # of the range of a decision: differences are central, simulations accurate to about 1e-7
NEAR = 1e-5  # of a limit's size: within it a limit counts as active, beyond it as violated
FLAT = 1e-6  # change of the scaled objective at which a search ends: what differences over STEP can resolve
ITERATIONS = 30  # of a search; the best one is begun anew, with a fresh curvature
SAMPLES, BEST = 64, 3
ROUNDS, CLOSE = 8, 2e-4  # of matching a finer mesh, and what its limits may differ from the moved ones, as a share of their size


def solve(problem: Design, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          starts: int = BEST) -> Solution:
    """The best recipe found from `starts` starts."""
    import numpy as np

    if not isinstance(problem, Design):
        return _in_own_terms(problem, max_seconds=max_seconds, start=start, seed=seed, starts=starts)
    begin = time.perf_counter()
    runs = _Runs(problem)
    rows = _Rows(problem, runs)
    draw = np.random.default_rng(seed)
    points = draw.random((SAMPLES, runs.n)) if start is None else runs.unit(start)[None, :]
    if start is None and problem.reference is not None:
        points[0] = runs.unit(problem.reference)
    merits = rows.merit(points)
    found: list[tuple[float, Any, bool]] = []
    for k in np.argsort(merits)[:starts]:
        point, converged, _ = rows.improve(points[k])
        found.append((float(rows.merit(point[None, :])[0]), point, converged))
        if max_seconds is not None and time.perf_counter() - begin > max_seconds:
            break
    merit, point, converged = min(found, key=lambda f: f[0])
    again, settled, _ = rows.improve(point)  # with a fresh curvature: a search may end early on flat ground
    if float(rows.merit(again[None, :])[0]) <= merit:
        point, converged = again, converged or settled
    if problem.finer is not None:
        point, converged = _on_finer(problem, runs, rows, point, converged)
    status = Status.SUCCESS if converged else Status.NOT_CONVERGED
    return _solution(problem, runs, rows, point, status, len(found), time.perf_counter() - begin)


def _in_own_terms(stated: Any, **options: Any) -> Solution:
    """The solution of a design that another object states, with what that object makes of the answer."""
    found = solve(Design(**stated.design()), **options)
    if found.objective is None:
        return found
    more = stated.checked(found.value, found.details["metrics"], found.active)
    return dataclasses.replace(found, message="\n".join([found.message, *more.sentences]),
                               details={**found.details, "check": more}, views={**found.views, **more.views})


def span(problem: Design) -> dict[str, Any]:
    """Output times as the simulator takes them."""
    return {"duration": problem.duration, "times": problem.times, "every": problem.every}


def parameters_of(problem: Design, values: Mapping[str, Any], case: str | None = None) -> dict[str, Any]:
    """Parameters of one case with these decisions."""
    found: dict[str, Any] = dict(problem.cases[case]) if case is not None else {}
    for name, value in values.items():
        only, parameters = problem.sets(name)
        found |= dict.fromkeys(parameters, value) if only in (None, case) else {}
    return found


class _Runs:
    """Metrics of points of the unit cube, by one ensemble of simulations."""

    def __init__(self, problem: Design) -> None:
        import numpy as np

        import twin

        self.problem = problem
        self.low = np.array([b[0] for b in problem.decisions.values()], dtype=float)
        self.high = np.array([b[1] for b in problem.decisions.values()], dtype=float)
        self.n, self.count = len(self.low), 0
        self.simulator = twin.simulator(problem.model, problem.recipe, rtol=problem.rtol, **span(problem))
        judge = problem.model if problem.finer is None else problem.finer
        self.tight = twin.simulator(judge, problem.recipe, rtol=max(1e-2 * problem.rtol, 1e-12), **span(problem))

    def unit(self, start: Any) -> Any:
        """A start {decision: value} in the unit cube; decisions not given start in the middle."""
        import numpy as np

        for name in start:
            if name not in self.problem.decisions:
                raise errors.unknown("decision", name, "start", self.problem.decisions)
        given = [start.get(n, 0.5 * (a + b)) for n, a, b in zip(self.problem.decisions, self.low, self.high, strict=True)]
        return np.clip((np.array(given, dtype=float) - self.low) / (self.high - self.low), 0.0, 1.0)

    def named(self, points: Any) -> dict[str, Any]:
        """Decisions by name, one value a point."""
        return dict(zip(self.problem.decisions, (self.low + points * (self.high - self.low)).T, strict=True))

    def metrics(self, points: Any, tight: bool = False) -> dict[str, Any]:
        """Metrics and decisions by name, one value a point; infinite where a simulation fails."""
        import numpy as np

        values, cases, n = self.named(points), tuple(self.problem.cases) or (None,), len(points)
        rows = [parameters_of(self.problem, values, case) for case in cases]
        names = {name: None for row in rows for name in row}
        held = dict(zip(self.problem.model.parameter_names(), self.problem.model.parameter_vector(), strict=True))
        many = (self.tight if tight else self.simulator).many(None, {
            name: np.concatenate([np.broadcast_to(np.asarray(row.get(name, held[name])), n) for row in rows]) for name in names})
        self.count += len(many)
        all_good = np.array([bool(s) for s in many.statuses])
        found = {name: np.full(n, np.nan) for name in self.problem.limits}
        for k, case in enumerate(cases):
            good = all_good[k * n:(k + 1) * n]
            if not good.any():
                continue
            own = {name: np.broadcast_to(np.asarray(v), n)[good] for name, v in (rows[k] | values).items()}
            seen = own | ({} if case is None else {"case": case})
            seen |= {s: many[s][k * n:(k + 1) * n][good] for s in self.problem.signals}
            for name, value in self.problem.measure(np.asarray(many.times), seen).items():
                found.setdefault(name if case is None else f"{name} of {case}", np.full(n, np.nan))[good] = value
        if self.problem.across is not None:
            found |= {name: np.asarray(v, dtype=float) for name, v in self.problem.across(found | values).items()}
        return found | values


class _Rows:
    """Objective and limit rows (>= 0 where met), both of the order of one."""

    def __init__(self, problem: Design, runs: _Runs) -> None:
        self.problem, self.runs = problem, runs
        self.goal = problem.maximize or problem.minimize
        self.sign = -1.0 if problem.maximize else 1.0
        self.extra = 1 if problem.center else 0
        self.scale = 1.0
        self.shift: dict[str, float] = {}  # what a finer mesh adds to a metric

    def sizes(self, name: str) -> float:
        """What counts as a large change of a metric."""
        low, high = self.problem.limits[name]
        if low is not None and high is not None:
            return high - low
        return max(abs(low if high is None else high), 1e-6)  # type: ignore[arg-type]

    def limits(self) -> list[tuple[str, str, float]]:
        """All limits as (metric, side, limit)."""
        return [(n, side, float(v)) for n, pair in self.problem.limits.items()
                for side, v in zip(("lower", "upper"), pair, strict=True) if v is not None]

    def values(self, found: dict[str, Any], exact: bool = False) -> Any:
        """Rows of all points, shape (points, rows); exact: `found` is of the model that judges."""
        import numpy as np

        made = []
        for name, side, limit in self.limits():
            value = found[name] + (0.0 if exact else self.shift.get(name, 0.0))
            gap = (value - limit) if side == "lower" else (limit - value)
            gap = gap / self.sizes(name)
            made.append(np.where(np.isfinite(gap), gap, -10.0))
        return np.array(made).T if made else np.zeros((len(next(iter(found.values()))), 0))

    def objective(self, found: dict[str, Any]) -> Any:
        """What is minimized, of all points."""
        import numpy as np

        if self.problem.center:
            names = self.problem._two_sided()
            middle = {n: 0.5 * sum(self.problem.limits[n]) for n in names}  # type: ignore[arg-type]
            value = np.max([abs(found[n] - middle[n]) / (0.5 * self.sizes(n)) for n in names], axis=0)
        else:
            if self.goal not in found:
                raise errors.unknown("objective", str(self.goal), "Design", found)
            value = self.sign * found[self.goal]
        return np.where(np.isfinite(value), value, 1e6 * self.scale)

    def merit(self, points: Any) -> Any:
        """Objective with the violated rows added, of all points; also sets the scale of the objective."""
        import numpy as np

        found = self.runs.metrics(points)
        value, rows = self.objective(found), self.values(found)
        if self.scale == 1.0 and len(points) > 1:
            self.scale = float(np.ptp(value)) or 1.0
        return value / self.scale + 1e3 * np.maximum(-rows, 0.0).sum(axis=1)

    def derivatives(self, point: Any, exact: bool = False) -> tuple[float, Any, Any, Any]:
        """Objective, gradient, rows and Jacobian by central differences in one ensemble; exact: of the model that judges."""
        import numpy as np

        n = self.runs.n
        eye = np.eye(n) * (5.0 * STEP if exact and self.problem.finer is not None else STEP)  # fine meshes jitter more
        ahead, behind = np.minimum(point + eye, 1.0), np.maximum(point - eye, 0.0)
        found = self.runs.metrics(np.vstack([point, ahead, behind]), tight=exact)
        width = np.array([ahead[k, k] - behind[k, k] for k in range(n)])
        f, g = self.objective(found) / self.scale, self.values(found, exact)
        return float(f[0]), (f[1:n + 1] - f[n + 1:]) / width, g[0], ((g[1:n + 1] - g[n + 1:]) / width[:, None]).T

    def improve(self, point: Any) -> tuple[Any, bool, str]:
        """SQP from a point; with center=True the largest share is one more variable that bounds the others."""
        import numpy as np

        held: dict[bytes, Any] = {}

        def at(v: Any) -> Any:
            key = v[:self.runs.n].tobytes()
            if key not in held:
                held.clear()
                held[key] = self.derivatives(v[:self.runs.n])
            return held[key]

        if not self.extra:
            return slsqp.minimize(lambda v: at(v)[:2], lambda v: at(v)[2:], point, np.zeros(self.runs.n), np.ones(self.runs.n),
                                  tolerance=FLAT, iterations=ITERATIONS)

        both = {n for n in self.problem._two_sided()}
        inner = np.array([name in both for name, _, _ in self.limits()])

        def rows(v: Any) -> tuple[Any, Any]:
            # a row of a two-sided limit is the distance from it over the width: at share s it is (1 - s) / 2
            _, _, g, jacobian = at(v)
            value = g - np.where(inner, 0.5 * (1.0 - v[-1]), 0.0)
            return value, np.column_stack([jacobian, np.where(inner, 0.5, 0.0)])

        def largest(v: Any) -> tuple[float, Any]:
            return float(v[-1]), np.eye(len(v))[-1]

        share = float(self.objective(self.runs.metrics(point[None, :]))[0])
        found, converged, message = slsqp.minimize(largest, rows, np.append(point, min(share, 50.0)),
                                                   np.zeros(self.runs.n + 1), np.append(np.ones(self.runs.n), 50.0),
                                                   tolerance=FLAT, iterations=ITERATIONS)
        return found[:-1], converged, message


def _on_finer(problem: Design, runs: _Runs, rows: _Rows, point: Any, converged: bool) -> tuple[Any, bool]:
    """The point at which the limits are met on the finer mesh: they are moved by what the meshes differ, and it is found anew."""
    for k in range(ROUNDS):
        coarse, fine = runs.metrics(point[None, :]), runs.metrics(point[None, :], tight=True)
        moved = {n: float(fine[n][0] - coarse[n][0]) for n in problem.limits}
        gaps = rows.values(fine, exact=True)[0]
        off = max((abs(moved[n] - rows.shift.get(n, 0.0)) / rows.sizes(n) for n in moved), default=0.0)
        if gaps.min(initial=0.0) >= -NEAR and off < CLOSE:
            break
        rows.shift = moved
        for (name, side, _), gap in zip(rows.limits(), gaps, strict=True):
            if k > 1 and gap < -NEAR:  # what jumps between meshes is met with some room
                rows.shift[name] += 2.0 * gap * rows.sizes(name) * (1.0 if side == "lower" else -1.0)
        point, converged, _ = rows.improve(point)
    return point, converged


def _solution(problem: Design, runs: _Runs, rows: _Rows, point: Any, status: Status, starts: int, seconds: float) -> Solution:

    loose, tight = runs.metrics(point[None, :]), runs.metrics(point[None, :], tight=True)
    metrics = {n: float(v[0]) for n, v in tight.items()}
    decisions = {n: metrics[n] for n in problem.decisions}
    gaps = rows.values(tight, exact=True)[0]
    unit = problem.units.get(rows.goal or "", "")
    violated = [f"{name} is {metrics[name]:.6g} {problem.units.get(name, '')}".rstrip() + f". Its {side} limit is {limit:g}."
                for (name, side, limit), gap in zip(rows.limits(), gaps, strict=True) if not gap >= -NEAR]
    claimed, true = (rows.sign * float(rows.objective(f)[0]) for f in (loose, tight))
    if violated:
        message = "No recipe within the bounds meets all limits. The nearest one found: " + " ".join(violated)
        status = Status.INFEASIBLE
    else:
        goal = "Largest share of a window" if problem.center else f"{'Largest' if problem.maximize else 'Smallest'} {rows.goal}"
        message = f"{goal} {true:.6g} {unit}".rstrip() + f" from {starts} starts. {status}"
    details = {"metrics": metrics, "margins": {}}
    for name, pair in (dict(problem.limits) | dict(problem.decisions)).items():
        room = [d for d in (None if pair[0] is None else metrics[name] - pair[0],
                            None if pair[1] is None else pair[1] - metrics[name])
                if d is not None]
        details["margins"][name] = min(room, default=math.inf)
    if problem.reference is not None:
        found = runs.metrics(runs.unit(problem.reference)[None, :], tight=True)
        details |= {"reference": {n: float(v[0]) for n, v in found.items()}, "reference_run": _replay(problem, problem.reference)}
    return Solution(
        problem, status, message, decisions, None if violated else true, unit, claimed, float(max(0.0, -gaps.min(initial=0.0))),
        violated, None, _active(problem, runs, rows, point, metrics, unit), _replay(problem, decisions), "SLSQP of scipy",
        {"seconds": seconds, "simulations": runs.count, "starts": starts}, details,
        {"table": _table, "to_frame": _frame, "plot": _plot})


def _replay(problem: Design, decisions: Mapping[str, float]) -> Any:
    """The run of the answer; one a case where there are cases."""
    import twin

    model = problem.model if problem.finer is None else problem.finer
    runs = {case: twin.simulate(model, problem.recipe, parameters=parameters_of(problem, decisions, case),
                                rtol=problem.rtol, throw=False, **span(problem)) for case in tuple(problem.cases) or (None,)}
    return runs if problem.cases else runs[None]


def _active(problem: Design, runs: _Runs, rows: _Rows, point: Any, metrics: dict[str, float], unit: str) -> list[Active]:
    """Active limits and bounds with multipliers from the gradients at the answer."""
    import numpy as np

    _, slope, gaps, jacobian = rows.derivatives(point, exact=True)
    entries: list[tuple[str, str, float, Any, float]] = []
    share, inner = 0.0, problem._two_sided() if problem.center else []
    if inner:  # the rows that hold the share, with what a unit of room does to it; their multipliers sum to one
        share, unit = float(rows.objective({n: np.array([v]) for n, v in metrics.items()})[0]), ""
        slope, jacobian = np.append(np.zeros(runs.n), 1.0), np.column_stack([jacobian, np.zeros(len(gaps))])
    for k, (name, side, limit) in enumerate(rows.limits()):
        size = rows.sizes(name)
        if name in inner and abs(gaps[k] - 0.5 * (1.0 - share)) < 1e2 * NEAR:
            both = problem.limits[name][0] == -limit  # limits that mirror each other move together: a window from zero
            room = (share if both else 0.5 * (1.0 + share)) / size
            entries.append((name, f"toward {side}", limit, np.append(jacobian[k][:-1], 0.5), room))
        elif name not in inner and abs(gaps[k]) < 1e2 * NEAR:
            entries.append((name, side, limit, jacobian[k], rows.scale / size))
    for k, (name, (low, high)) in enumerate(problem.decisions.items()):
        for side, limit, direction in (("lower", low, 1.0), ("upper", high, -1.0)):
            if abs(point[k] - (0.0 if side == "lower" else 1.0)) < 1e-6:
                room = (1.0 if inner else rows.scale) / (high - low)
                entries.append((name, side, limit, direction * np.eye(len(slope))[k], room))
    prices = slsqp.multipliers(slope, np.array([e[3] for e in entries])) if entries else []
    made = [Active(name, side, metrics[name], limit, problem.units.get(name, ""), float(price * scale), unit)
            for (name, side, limit, _, scale), price in zip(entries, prices, strict=True)]
    return sorted(made, key=lambda a: -a.shadow_price)


def _frame(solution: Solution) -> Any:
    """Every metric and decision with its limits, the margin to the nearer one, and its shadow price."""
    import pandas as pd

    rows, prices = [], {a.name: a.shadow_price for a in reversed(solution.active)}
    problem, details = solution.problem, solution.details
    for name, value in details["metrics"].items():
        low, high = (dict(problem.limits) | dict(problem.decisions)).get(name, (None, None))
        margin = details["margins"].get(name)
        rows.append({"name": name, "value": value} | ({"reference": details["reference"][name]} if "reference" in details else {})
                    | {"unit": problem.units.get(name, ""), "lower": low, "upper": high, "margin": margin,
                       "shadow price": prices.get(name, None if margin is None else 0.0), "decision": name in problem.decisions})
    return pd.DataFrame(rows).set_index("name")


def _table(solution: Solution) -> str:
    return str(_frame(solution).to_string(float_format=lambda v: "" if math.isnan(v) else f"{v:.6g}"))


def _plot(solution: Solution) -> Any:
    """The run of the answer and, where there is one, of the reference, as the measure shows them; all cases of several."""
    problem: Design = solution.problem
    if not isinstance(solution.replay, dict):
        if not hasattr(problem.measure, "plot"):
            return solution.replay.plot()
        runs = {"best": solution.replay}
        if "reference_run" in solution.details:
            runs["reference"] = solution.details["reference_run"]
        return problem.measure.plot(runs, problem.limits)
    signals = problem.signals
    figure = new_figure(9, 2.6 * len(signals))
    for axes, name in zip(figure.subplots(len(signals), squeeze=False)[:, 0], signals, strict=True):
        for case, run in solution.replay.items():
            axes.plot(run.times, run[name], label=case)
        axes.set_ylabel(name)
        axes.legend(fontsize=8)
    return figure
