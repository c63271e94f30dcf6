"""A Dispatch as a (mixed-integer) linear program for HiGHS, stated in blocks over all steps."""

from __future__ import annotations

import itertools
import time
from typing import Any

from optimizers.backends.milp import Milp, MilpAnswer
from optimizers.energy.assets import Converter, Profile, Shift, Source, Storage
from optimizers.energy.dispatch import Dispatch
from optimizers.energy.tariff import Tariff

INF = float("inf")


class Statement:
    """Columns by flow name and rows by carrier."""

    def __init__(self, problem: Dispatch, elastic: bool = False) -> None:
        import numpy as np

        self.problem, self.m, self.n = problem, Milp(), problem.steps
        self.flows: dict[str, Any] = {}
        self.terms: dict[str, list[tuple[Any, Any]]] = {c: [] for c in problem.demand}
        self.binary: list[Any] = []
        self.peaks: dict[str, int] = {}
        self.co2: list[tuple[Any, Any]] = []
        for p in problem.parts:
            getattr(self, f"add_{type(p).__name__.lower()}")(p)
        self.missing: dict[str, Any] = {}
        self.balance = {}
        for carrier, terms in self.terms.items():
            need = problem.amounts(problem.demand[carrier], carrier) if carrier in problem.demand else np.zeros(self.n)
            if elastic:
                lack, spare = self.m.add(self.n, 0, None, 1.0), self.m.add(self.n, 0, None, 1.0)
                self.missing[carrier] = (lack, spare)
                terms += [(lack, 1.0), (spare, -1.0)]
            self.balance[carrier] = self.m.require(need, need, self.n, *terms)
        self.cap = None
        if problem.co2_cap is not None and self.co2:
            self.cap = self.m.row(-INF, problem.co2_cap, np.concatenate([c for c, _ in self.co2]),
                                  np.concatenate([v for _, v in self.co2]))

    def flow(self, name: str, upper: Any = None, cost: Any = 0.0, lower: Any = 0.0) -> Any:
        """A flow in every step."""
        self.flows[name] = self.m.add(self.n, lower, upper, cost)
        return self.flows[name]

    def meet(self, carrier: str, columns: Any, share: Any = 1.0) -> None:
        """A flow that adds to the balance of a carrier."""
        self.terms.setdefault(carrier, []).append((columns, share))

    def add_source(self, p: Source) -> None:
        """Buying, selling, demand charges."""
        problem, h = self.problem, self.problem.hours
        emission = problem.amounts(p.co2, p.name)
        buy = self.flow(p.name, p.limit, (problem.amounts(p.price, p.name) + problem.co2_price * emission) * h)
        self.co2.append((buy, emission * h))
        self.meet(p.carrier, buy)
        if p.sell is not None:
            self.meet(p.carrier, self.flow(f"{p.name} sold", p.sell_limit, -problem.amounts(p.sell, p.name) * h), -1.0)
        if isinstance(p.price, Tariff) and problem.start is not None:
            for k, (price, month, steps) in enumerate(p.price.billed(problem.start, self.n, h)):
                (peak,) = self.m.add(1, 0, None, price)
                self.peaks[f"{p.name} {month} {k}"] = int(peak)
                self.m.require(0, INF, len(steps), ([peak] * len(steps), 1.0), (buy[steps], -1.0))

    def add_storage(self, p: Storage) -> None:
        """Charge, discharge, content at both ends of every step."""
        n, h = self.n, self.problem.hours
        charge, discharge = self.flow(f"{p.name} charge", p.power), self.flow(f"{p.name} discharge", p.power)
        content = self.flows[f"{p.name} content"] = self.m.add(n + 1, 0, p.energy)
        self.m.require(0, 0, n, (content[1:], 1.0), (content[:-1], -((1 - p.loss) ** h)), (charge, -p.efficiency * h),
                       (discharge, h / p.efficiency))
        self.m.require(0, 0, 1, (content[-1:], 1.0), (content[:1], -1.0))
        if p.initial is not None:
            self.m.require(p.initial, p.initial, 1, (content[:1], 1.0))
        self.meet(p.carrier, discharge)
        self.meet(p.carrier, charge, -1.0)

    def add_profile(self, p: Profile) -> None:
        """What is offered, or less."""
        offered = self.problem.amounts(p.power, p.name)
        self.meet(p.carrier, self.flow(p.name, offered, lower=0.0 if p.curtail else offered))

    def add_shift(self, p: Shift) -> None:
        """Load down and up within windows, load cut."""
        h = self.problem.hours
        down, up = self.flow(f"{p.name} down", p.down, p.cost * h), self.flow(f"{p.name} up", p.up)
        cut = self.flow(f"{p.name} cut", p.cut, p.cut_price * h)
        for first in range(0, self.n, p.window):
            own = slice(first, first + p.window)
            self.m.row(0, 0, [*down[own], *up[own]], [p.rebound] * len(down[own]) + [-1.0] * len(up[own]))
        for columns, sign in ((down, 1.0), (up, -1.0), (cut, 1.0)):
            self.meet(p.carrier, columns, sign)

    def add_converter(self, p: Converter) -> None:
        """Activity, on, starts; part load by a line or by a curve."""
        n, m, h = self.n, self.m, self.problem.hours
        x = self.flow(p.name, p.most, p.cost * h)
        on = None
        if p.switched:
            on = self.flows[f"{p.name} on"] = m.add(n, 0, 1, p.on_cost * h, integer=True)
            self.binary.append(on)
            m.require(-INF, 0, n, (x, 1.0), (on, -p.most))
            if p.least:
                m.require(0, INF, n, (x, 1.0), (on, -p.least))
            if p.start_cost or p.least_on > 1 or p.least_off > 1:
                self._switching(p, on)
        for carriers, sign in ((p.inputs, -1.0), (p.outputs, 1.0)):
            for carrier, (each, fixed) in carriers.items():
                if sign < 0 and carrier in p.curve:
                    self.meet(carrier, self._curve(p, carrier, x, on), -1.0)
                    continue
                if each:
                    self.meet(carrier, x, sign * each)
                if fixed and on is not None:
                    self.meet(carrier, on, sign * fixed)
        if p.ramp is not None and n > 1:
            for sign in (1.0, -1.0):
                change = [(x[1:], sign), (x[:-1], -sign)]
                if on is None:
                    m.require(-INF, p.ramp, n - 1, *change)
                else:  # only while it is on before and after; each end that is off frees the row
                    m.require(-INF, p.ramp + 2 * p.most, n - 1, *change, (on[1:], p.most), (on[:-1], p.most))

    def _switching(self, p: Converter, on: Any) -> None:
        import numpy as np

        n, m = self.n, self.m
        start, stop = m.add(n, 0, 1, p.start_cost), m.add(n, 0, 1)
        before = np.concatenate([[-1], on[:-1]])
        given = np.zeros(n)
        given[0] = float(p.initially_on)
        m.require(given, given, n, (on, 1.0), (before, -1.0), (start, -1.0), (stop, 1.0))
        m.require(-INF, 1, n, (start, 1.0), (stop, 1.0))
        at = np.arange(n)
        for event, least, sign, side in ((start, p.least_on, -1.0, 0.0), (stop, p.least_off, 1.0, 1.0)):
            back = [(np.where(at >= d, event[np.maximum(at - d, 0)], -1), 1.0) for d in range(min(least, n))]
            m.require(-INF, side, n, *back, (on, sign))

    def _curve(self, p: Converter, carrier: str, x: Any, on: Any) -> Any:
        """Amount on a curve of straight pieces, exact for any shape: the pieces fill one after another."""
        n, m = self.n, self.m
        points = [(float(a), float(b)) for a, b in p.curve[carrier]]
        amount = m.add(n, 0, None)
        slopes = [(b2 - b1) / (a2 - a1) for (a1, b1), (a2, b2) in itertools.pairwise(points)]
        convex = all(s <= t + 1e-12 for s, t in itertools.pairwise(slopes))
        pieces: list[Any] = []
        for k, ((a1, _), (a2, _)) in enumerate(itertools.pairwise(points)):
            piece = m.add(n, 0, a2 - a1)
            m.require(-INF, 0, n, (piece, 1.0), (on, -(a2 - a1)))
            pieces.append(piece)
            if k and not convex:
                full = m.add(n, 0, 1, 0.0, integer=True)
                self.binary.append(full)
                first, width = pieces[k - 1], points[k][0] - points[k - 1][0]
                m.require(0, INF, n, (first, 1.0), (full, -width))
                m.require(-INF, 0, n, (piece, 1.0), (full, -(a2 - a1)))
        m.require(0, 0, n, (x, 1.0), (on, -points[0][0]), *[(q, -1.0) for q in pieces])
        m.require(0, 0, n, (amount, 1.0), (on, -points[0][1]), *[(q, -s) for q, s in zip(pieces, slopes, strict=True)])
        return amount


Found = tuple[MilpAnswer, dict[str, Any], dict[str, Any]]


def run(problem: Dispatch, *, max_seconds: float | None, seed: int, gap: float, threads: int) -> Found:
    """Solve it; flows by name; marginal prices by carrier, from the linear program with all switches as found."""
    import numpy as np

    began = time.perf_counter()
    s = Statement(problem)
    built = time.perf_counter() - began
    answer = s.m.solve(max_seconds=max_seconds, seed=seed, gap=gap, threads=threads)
    facts: dict[str, Any] = {"stats": {"build_s": built, "columns": s.m.count, "rows": s.m.rows}, "prices": {}, "peaks": {},
                             "cap_dual": 0.0, "switched": bool(s.binary)}
    if answer.x is None:
        return answer, {}, facts
    linear = answer
    if s.binary:
        fixed = np.concatenate(s.binary)
        at = np.round(answer.x[fixed])
        linear = s.m.solve(seed=seed, threads=threads, hold=(fixed, at))
    if linear.duals is not None and linear.x is not None:
        answer = type(answer)(answer.status, linear.x, linear.objective, answer.bound, linear.duals, linear.reduced,
                              answer.nodes, answer.seconds)
        facts["prices"] = {c: linear.duals[rows] / problem.hours for c, rows in s.balance.items()}
        facts["cap_dual"] = -float(linear.duals[s.cap]) if s.cap is not None else 0.0
    flows = {name: answer.x[columns] for name, columns in s.flows.items()}
    facts["peaks"] = {name: float(answer.x[k]) for name, k in s.peaks.items()}
    return answer, flows, facts


def shortage(problem: Dispatch) -> str:
    """Where demands cannot be met, by the least that would have to be given up."""
    import numpy as np

    relaxed = Statement(problem.replace(co2_cap=None), elastic=True)
    relaxed.m.forget_costs({int(c) for pair in relaxed.missing.values() for columns in pair for c in columns})
    answer = relaxed.m.solve(max_seconds=20, gap=1e-3)
    if answer.x is None:
        return "No dispatch keeps all limits: the stores and switches contradict each other whatever the demand."
    parts = []
    for carrier, (lack, spare) in relaxed.missing.items():
        for columns, word in ((lack, "short of"), (spare, "left with")):
            amounts = answer.x[columns]
            k = int(np.argmax(amounts))
            if amounts[k] > 1e-6:
                parts.append(f"'{carrier}' is {word} {amounts[k]:.4g} {problem.power_unit} in step {k} "
                             f"({int(np.sum(amounts > 1e-6))} steps in all)")
    if parts:
        return "No dispatch meets the demand: " + "; ".join(parts) + ". Raise a limit or lower the demand."
    if problem.co2_cap is not None:
        return (f"No dispatch keeps the CO2 cap of {problem.co2_cap:g} {problem.co2_unit}. Raise the cap, or add a source "
                "that emits less.")
    return "No dispatch keeps all limits at once."
