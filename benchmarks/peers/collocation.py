"""Direct collocation in CasADi with IPOPT: what an engineer writes by hand for the same problem, grid and start.

Radau points of degree 3, one element an interval, states at all points as variables, SX expressions, exact derivatives. The
equations are those of the model itself, evaluated on CasADi's symbols.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

import twin

DEGREE = 3
INTEGRAL = "integral_of_"


class Collocation:
    """One problem, built; `solve` solves it from the simulated start."""

    def __init__(self, casadi: Any, problem: Any, start: Mapping[str, Any] | None) -> None:
        plan = problem.plan
        if len(plan.phases) > 1:
            raise NotImplementedError("one phase only")
        self.ca, self.problem, self.plan, self.model = casadi, problem, plan, problem.model
        self.phase = plan.phases[0]
        self.states = [s.name for s in self.model.of_role("state")]
        self.tau = [0.0, *casadi.collocation_points(DEGREE, "radau")]
        self.shares = sorted({0.0, 1.0, *(s for m in self.phase.moved for s in m.shares), *self._sample_shares()})
        self.edges = len(self.shares) - 1
        self.duration = float((start or {}).get("duration", self.phase.duration))
        guess = self._guess(start or {})
        begin = time.perf_counter()
        self._build(guess)
        self.build_seconds = time.perf_counter() - begin

    def _sample_shares(self) -> list[float]:
        return [t / self.phase.duration for term in self.plan.terms for t in term.times or () if 0 < t < self.phase.duration]

    def _start_of(self, moved: Any, start: Mapping[str, Any]) -> Any:
        return start.get(moved.place.name, moved.start)

    def _guess(self, start: Mapping[str, Any]) -> Any:
        """States at all points from a simulation of the start, shape (edges, DEGREE + 1, states); inputs by interval."""
        inputs = dict(self.phase.given) | {m.place.name: self._start_of(m, start) for m in self.phase.moved}
        times = np.array([[(a + (b - a) * c) * self.duration for c in self.tau]
                          for a, b in zip(self.shares[:-1], self.shares[1:], strict=True)])
        values = dict(zip(self.model.parameter_names(), self.plan.p, strict=False))
        initial = {n: self.plan.x0[k] for k, n in enumerate(self.states)}
        run = twin.simulate(self.model, inputs, initial=initial, parameters=values, times=np.unique(times), rtol=1e-8,
                            check_limits=False)
        rows = np.searchsorted(run.times, times)
        self.inputs0 = inputs
        return np.stack([run[n][rows] for n in self.states], axis=2)

    def _input_guess(self, moved: Any, share: float) -> float:
        value = self.inputs0[moved.place.name]
        if isinstance(value, twin.Profile):
            return float(np.interp(share * self.duration, value.times, value.values))
        return float(value)

    def _values(self, time_: Any, x: Any, u: Mapping[str, Any], given: Mapping[str, float]) -> Any:
        return SimpleNamespace(time=time_, **{n: x[k] for k, n in enumerate(self.states)}, **u, **given)

    def _given(self, time_: float) -> dict[str, float]:
        """Given inputs and disturbances from a time on."""
        found = {}
        for name, value in self.phase.given.items():
            if isinstance(value, twin.Profile):
                found[name] = value.values[max(sum(t <= time_ + 1e-9 for t in value.times) - 1, 0)]
            else:
                found[name] = float(value)
        return found

    def _build(self, guess: Any) -> None:
        ca, plan, phase = self.ca, self.plan, self.phase
        n = len(self.states)
        w, low, high, w0, g, g_low, g_high = [], [], [], [], [], [], []

        def variable(name: str, bounds: Any, first: Any) -> Any:
            first = np.atleast_1d(first)
            v = ca.SX.sym(name, len(first))
            w.append(v)
            low.extend(np.broadcast_to(bounds[0], first.shape))
            high.extend(np.broadcast_to(bounds[1], first.shape))
            w0.extend(first)
            return v

        model = self._with_free_parameters(variable)
        length = variable("T", (phase.shortest, phase.longest), self.duration) if phase.free else self.duration
        slope = np.array([[np.polyder(np.poly1d([t for j, t in enumerate(self.tau) if j != i], r=True)
                                      / math.prod(self.tau[i] - t for j, t in enumerate(self.tau) if j != i))(c)
                           for c in self.tau[1:]] for i in range(DEGREE + 1)])
        weights = np.linalg.solve(np.vander(self.tau[1:], increasing=True).T, 1 / np.arange(1, DEGREE + 1))
        moved = {m.place.name: m for m in phase.moved}
        box = self._state_box(None)
        controls = {m: [variable(m, (v.lower, v.upper), self._input_guess(v, v.shares[i] if v.linear else
                                                                          0.5 * (v.shares[i] + v.shares[i + 1])))
                        for i in range(v.values)] for m, v in moved.items()}
        x0 = np.array(plan.x0[:n])
        x = variable("x0", (x0, x0), x0)
        integrals: dict[str, Any] = {t.place.name: 0 for t in plan.terms if t.place.name.startswith(INTEGRAL)}
        nodes = [x]
        last_values = None
        for e in range(self.edges):
            a, b = self.shares[e], self.shares[e + 1]
            h = (b - a) * length
            given = self._given(a * self.duration)
            points = [x]
            final = self._state_box(-1) if e == self.edges - 1 else box
            points += [variable("x", final if c == DEGREE else box, guess[e, c]) for c in range(1, DEGREE + 1)]
            for c in range(1, DEGREE + 1):
                u = {m: self._control(v, controls[m], a + (b - a) * self.tau[c], a) for m, v in moved.items()}
                s = self._values((a + (b - a) * self.tau[c]) * length, ca.vertsplit(points[c]), u, given)
                rates = model.rhs(s)
                f = ca.vertcat(*[rates[k] for k in self.states])
                g.append(sum(slope[i, c - 1] * points[i] for i in range(DEGREE + 1)) - h * f)
                g_low += [0.0] * n
                g_high += [0.0] * n
                last_values = {**vars(s), **model.outputs(s)}
                for name in integrals:
                    integrals[name] += weights[c - 1] * h * last_values[name[len(INTEGRAL):]]
                for limit in plan.limits:
                    ends = limit.phase is None or (e == self.edges - 1 and c == DEGREE)
                    if limit.place.role == "output" and ends:
                        g.append(last_values[limit.place.name])
                        g_low.append(limit.lower)
                        g_high.append(limit.upper)
            x = points[-1]
            nodes.append(x)
        objective = plan.time_weight * length if phase.free else 0
        for term in plan.terms:
            if term.times is not None:
                for t in term.times:
                    k = min(range(len(self.shares)), key=lambda i, t=t: abs(self.shares[i] * self.duration - t))
                    s = self._values(t, ca.vertsplit(nodes[k]), {}, self._given(t))
                    objective += term.weight * model.outputs(s)[term.place.name]
            elif term.place.name in integrals:
                objective += term.weight * integrals[term.place.name]
            else:
                objective += term.weight * last_values[term.place.name]
        self.bounds = {"lbx": np.array(low, float), "ubx": np.array(high, float), "lbg": np.array(g_low, float),
                       "ubg": np.array(g_high, float), "x0": np.array(w0, float)}
        self.solver = ca.nlpsol("solver", "ipopt", {"x": ca.vertcat(*w), "f": plan.sign * objective, "g": ca.vertcat(*g)}, {
            "ipopt.print_level": 0, "ipopt.sb": "yes", "print_time": False, "ipopt.tol": 1e-8, "ipopt.max_iter": 3000,
            "ipopt.max_cpu_time": 60.0})

    def _with_free_parameters(self, variable: Any) -> Any:
        """The model, or one that reads its free parameters from symbols."""
        free = self.plan.parameters
        if not free:
            return self.model
        found = {d.place.name: variable(d.place.name, (d.lower, d.upper), d.start) for d in free}
        kind = type(self.model)
        holder = SimpleNamespace(**{n: v for n, v in zip(self.model.parameter_names(), self.plan.p, strict=False)} | found)
        return SimpleNamespace(rhs=lambda s: kind.rhs(holder, s), outputs=lambda s: kind.outputs(holder, s))

    def _state_box(self, phase: int | None) -> tuple[Any, Any]:
        """Limits of the states all along, or with those at the end."""
        low, high = np.full(len(self.states), -math.inf), np.full(len(self.states), math.inf)
        for limit in self.plan.limits:
            if limit.place.role == "state" and limit.phase in (None, phase):
                k = limit.place.index
                low[k], high[k] = max(low[k], limit.lower), min(high[k], limit.upper)
        return low, high

    @staticmethod
    def _control(moved: Any, values: Any, share: float, start: float) -> Any:
        k = max(i for i in range(len(moved.shares) - 1) if moved.shares[i] <= start + 1e-9)
        if not moved.linear:
            return values[k]
        into = (share - moved.shares[k]) / (moved.shares[k + 1] - moved.shares[k])
        return values[k] + into * (values[k + 1] - values[k])

    def solve(self) -> tuple[float, float, int, str]:
        """Seconds, objective as claimed, iterations, status."""
        begin = time.perf_counter()
        found = self.solver(**self.bounds)
        seconds = time.perf_counter() - begin
        stats = self.solver.stats()
        return seconds, self.plan.sign * float(found["f"]), int(stats["iter_count"]), str(stats["return_status"])
