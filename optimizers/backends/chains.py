"""Large plans: orders as chains on units. A first plan at once, search by exact reinsertion of a few orders, and a Lagrangian
bound.

Bound: units may carry out several tasks at once and the power limit may be passed, both at a price (multipliers); changeovers
are free.
Each order then has its best place alone, a shortest path; the sum of these costs less the priced capacity is below every plan.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from optimizers.backends import chain_kernels as kernels
from optimizers.schedule.answer import Answer
from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Order, Placed
from twin import errors
from twin.status import Status

ROUNDS = 2000  # reinsertions between two looks at the clock
# Orders taken out at once at most, and how much worse a plan may be at the start, as a share of the first plan. Chosen by a few
# trials of one seed each on the large case of the benchmark (3 to 10 orders, 0.0004 to 0.02 of the cost): the plans came out
# within 1 to 2 % of each other, so these are sensible values, not tuned ones.
MOST, WARM = 5, 0.006


def unfit(plan: Schedule, goal_too: bool = True) -> str:
    """Why a plan is not made of chains; empty where it is. Dispatching rules (`goal_too` False) do not look at the goal."""
    goal = plan.aims
    inner = {(f"{o.name}/{k.before}", f"{o.name}/{k.after}") for o in plan.orders for k in o.links or ()}
    chained = {(f"{o.name}/{a.name}", f"{o.name}/{b.name}") for o in plan.orders for a,
               b in zip(o.tasks[:-1], o.tasks[1:], strict=True)}
    reasons = {
        "links that make no chain": inner != chained, "links between orders": bool(plan.links), "campaigns": bool(plan.campaigns),
        "crews": bool(plan.crews), "buffers": bool(plan.buffers), "transfer times": any(k.transfer for k in plan.all_links),
        "a goal besides tardiness, energy, changeovers and modes":
            goal_too and bool(goal.makespan or goal.earliness or goal.waiting or goal.flow),
        "fixed tasks": bool(plan.fixed), "a price for changes": bool(plan.change_cost),
        "power states": any(u.states for u in plan.units),
        "first changeovers": any(u.changeover and u.changeover.initial for u in plan.units),
        "an order that comes back to a unit": any(_returns(o) for o in plan.orders),
    }
    return ", ".join(name for name, there in reasons.items() if there)


def _returns(order: Any) -> bool:
    seen: set[str] = set()
    for task in order.tasks:
        own = {m.unit for m in task.ways}
        if own & seen:
            return True
        seen |= own
    return False


class Chains:
    """The arrays of one plan for the kernels; `view` makes a copy with its own state."""

    def __init__(self, plan: Schedule, asap: bool = False) -> None:
        import numpy as np

        self.plan, self.rounds = plan, 0
        names = [u.name for u in plan.units]
        families = sorted({plan.family(n) for n in plan.tasks})
        steps = int(plan.end_of_time / plan.step + 1e-9)
        orders, stages, units = len(plan.orders), max(len(o.tasks) for o in plan.orders), len(names)
        most = max(len(t.ways) for t in plan.tasks.values())
        rows = orders * stages

        def ticks(t: float) -> int:
            return round(t / plan.step)

        whole, real = np.int64, np.float64
        goal = plan.aims
        a: dict[str, Any] = {
            "size": np.array([orders, stages, units, steps, len(families)], whole),
            "stages": np.array([len(o.tasks) for o in plan.orders], whole),
            "release": np.array([ticks(max(o.release, plan.now)) for o in plan.orders], whole),
            "due": np.array([-1 if o.due is None else ticks(o.due) for o in plan.orders], whole),
            "latest": np.array([min(steps, ticks(o.deadline)) if o.deadline is not None else steps for o in plan.orders], whole),
            "weight": np.array([goal.tardiness * o.weight * plan.step for o in plan.orders], real),
            "modes": np.zeros(rows, whole), "unit": np.zeros((rows, most), whole), "length": np.zeros((rows, most), whole),
            "power": np.zeros((rows, most)), "extra": np.zeros((rows, most)), "family": np.zeros(rows, whole),
            "wait_low": np.zeros(rows, whole), "wait_high": np.full(rows, steps, whole),
            "price": np.zeros(steps + 1), "limit": np.full(steps, 1e15), "penalty": np.zeros((units, steps + 1)),
            "shut": np.zeros((units, steps + 1), whole), "setup": np.zeros((units * len(families), len(families)), whole),
            "setup_cost": np.zeros((units * len(families), len(families))),
            "line": np.zeros((units, rows + 1), whole), "held": np.zeros(units, whole), "start": np.full(rows, -1, whole),
            "mode": np.full(rows, -1, whole), "load": np.zeros(steps), "cost": np.zeros((stages, steps + 1)),
            "by": np.zeros((stages, steps + 1), whole), "ready": np.zeros(steps + 1), "spare": np.zeros(steps + 1),
            "blocked": np.zeros(steps + 1, whole), "old_start": np.zeros(rows, whole), "old_mode": np.zeros(rows, whole),
            "best_start": np.full(rows, -1, whole), "best_mode": np.full(rows, -1, whole),
            "chosen": np.arange(orders, dtype=whole),
            "use": np.zeros((units, steps)), "tune": np.array([1, ROUNDS, 4, 0, 0], whole), "heat": np.full(4, 1e18),
        }
        if plan.prices and goal.energy and not asap:
            a["price"][1:] = np.cumsum(np.asarray(plan.prices[:steps], real)) * (plan.step * plan.hours * goal.energy)
        if plan.power_limit is not None:
            a["limit"][:] = plan.power_limit[:steps] if isinstance(plan.power_limit, Sequence) else plan.power_limit
        for u, unit in enumerate(plan.units):
            shut = np.zeros(steps + 1, whole)
            for w in unit.closed:
                shut[1 + ticks(w.start):1 + min(steps, ticks(w.end))] = 1
            a["shut"][u] = np.cumsum(shut)
            if unit.changeover:
                for f, before in enumerate(families):
                    for g, after in enumerate(families):
                        a["setup"][u * len(families) + f, g] = ticks(unit.changeover.time(before, after))
                        a["setup_cost"][u * len(families) + f,
                                        g] = 0.0 if asap else goal.changeover * unit.changeover.cost(before, after)
        if asap:
            a["due"][:], a["weight"][:] = 0, 1.0
        for i, o in enumerate(plan.orders):
            waits = {k.after: k for k in o.links or ()}
            for s, task in enumerate(o.tasks):
                row, full = i * stages + s, f"{o.name}/{task.name}"
                a["modes"][row], a["family"][row] = len(task.ways), families.index(plan.family(full))
                for k, mode in enumerate(task.ways):
                    a["unit"][row, k], a["length"][row, k] = names.index(mode.unit), ticks(mode.duration)
                    a["power"][row, k], a["extra"][row, k] = mode.power, 0.0 if asap else goal.modes * mode.cost
                if task.name in waits:
                    link = waits[task.name]
                    a["wait_low"][row] = ticks(link.min_wait)
                    if link.max_wait is not None:
                        a["wait_high"][row] = ticks(link.max_wait)
        self.a = a
        self.record = [a[name] for name in kernels.Chains._fields]

    def reset(self) -> None:
        """Empty units."""
        self.a["held"][:], self.a["load"][:] = 0, 0.0
        self.a["start"][:], self.a["mode"][:] = -1, -1

    def run(self, entry: str) -> int:
        """Call a kernel."""
        from twin.engine import load_text, records

        function = load_text.compiled(load_text.text_of([records, kernels]), entry)
        return int(function(self.slots().ctypes.data))

    def slots(self) -> Any:
        """Addresses of the arrays."""
        from twin.engine import load_text

        if not hasattr(self, "_slots"):
            self._slots = load_text.slots_of(self.record)
        return self._slots

    def build(self, order: Sequence[int]) -> float | None:
        """A plan with the orders put in one after another; its cost, or None where one has no place."""
        self.reset()
        self.a["chosen"][:] = order
        return float(self.a["heat"][kernels.NOW]) if self.run("first") == len(order) else None

    def adopt(self, start: Any, mode: Any) -> float:
        """Put every task where these arrays say; the cost."""
        self.reset()
        self.a["start"][:], self.a["mode"][:] = start, mode
        self.run("enter")
        return float(self.a["heat"][kernels.NOW])

    def rows_of(self, placed: Sequence[Placed]) -> tuple[Any, Any]:
        """Start and mode of every row of a plan."""
        at, stages = {p.task: p for p in placed}, int(self.a["size"][kernels.STAGES])
        start, mode = self.a["start"] * 0 - 1, self.a["mode"] * 0 - 1
        for i, o in enumerate(self.plan.orders):
            for s, task in enumerate(o.tasks):
                p = at[f"{o.name}/{task.name}"]
                start[i * stages + s], mode[i * stages + s] = round(p.start / self.plan.step), p.mode
        return start, mode

    def placed(self, start: Any, mode: Any) -> tuple[Placed, ...]:
        """The plan as placed tasks."""
        plan, found = self.plan, []
        stages = int(self.a["size"][kernels.STAGES])
        for i, o in enumerate(plan.orders):
            for s, task in enumerate(o.tasks):
                row = i * stages + s
                k = int(mode[row])
                begin = int(start[row]) * plan.step
                found.append(Placed(f"{o.name}/{task.name}", task.ways[k].unit, begin, begin + task.ways[k].duration, k))
        return tuple(found)


def rules(plan: Schedule) -> dict[str, list[int]]:
    """Sequences of the orders by dispatching rule."""
    work = {o.name: sum(min(m.duration for m in t.ways) for t in o.tasks) for o in plan.orders}
    due = {o.name: o.due if o.due is not None else o.deadline if o.deadline is not None else plan.end_of_time
           for o in plan.orders}
    keys: dict[str, Callable[[Order], object]] = {
        "first come, first served": lambda o: (o.release, due[o.name]),
        "earliest due date": lambda o: (due[o.name], o.release),
        "least slack": lambda o: due[o.name] - o.release - work[o.name],
        "latest start": lambda o: due[o.name] - work[o.name],
        "shortest work": lambda o: work[o.name],
        "weighted shortest work": lambda o: work[o.name] / max(o.weight, 1e-9),
        "weighted due date": lambda o: (due[o.name] - work[o.name]) / max(o.weight, 1e-9),
    }
    ranks: dict[str, Any] = {name: [key(o) for o in plan.orders] for name, key in keys.items()}
    return {name: sorted(range(len(plan.orders)), key=rank.__getitem__) for name, rank in ranks.items()}


def dispatch(plan: Schedule) -> dict[str, tuple[Placed, ...]]:
    """Plans of the dispatching rules: orders one after another, each finished as early as the units allow."""
    chains = Chains(plan, asap=True)
    found = {}
    for name, order in rules(plan).items():
        if chains.build(order) is not None:
            found[name] = chains.placed(chains.a["start"], chains.a["mode"])
    return found


def improve(chains: Chains, until: float, most: int, warm: float, stop: threading.Event) -> None:
    """Search from the plan that is placed until a time; the best stays in best_start and best_mode."""
    a = chains.a
    a["tune"][kernels.ROUNDS], a["tune"][kernels.MOST] = ROUNDS, most
    began = time.perf_counter()
    while time.perf_counter() < until and not stop.is_set():
        left = (until - time.perf_counter()) / max(until - began, 1e-9)
        a["heat"][kernels.WARM] = a["heat"][kernels.COLD] = warm * left * left
        chains.run("search")
        chains.rounds += ROUNDS


def bound(plan: Schedule, upper: float, until: float, stop: threading.Event) -> tuple[float, int]:
    """The best Lagrangian bound by a time, and how many multipliers were tried: subgradient steps that shrink when nothing is
    gained.
    """
    import numpy as np

    chains = Chains(plan)
    a = chains.a
    units, steps = a["use"].shape
    open_steps = np.diff(a["shut"], axis=1) == 0
    price = a["price"].copy()
    limited = plan.power_limit is not None
    best, factor, stale, tried = -np.inf, 1.0, 0, 0
    lam, mu = np.zeros((units, steps)), np.zeros(steps)
    best_at = (lam, mu)
    direction: Any = 0.0
    while time.perf_counter() < until and not stop.is_set():
        a["penalty"][:, 1:] = np.cumsum(lam, axis=1)
        a["price"][1:] = price[1:] + np.cumsum(mu)
        chains.run("relax")
        value = float(a["heat"][kernels.NOW]) - float(lam.sum()) - (float((mu * a["limit"]).sum()) if limited else 0.0)
        tried += 1
        if value > best:
            best, best_at, stale = value, (lam.copy(), mu.copy()), 0
        else:
            stale += 1
            if stale >= 25:
                factor, stale = factor * 0.6, 0
                lam, mu = best_at[0].copy(), best_at[1].copy()
                direction = 0.0
                if factor < 1e-4:
                    break
                continue
        over = np.where(open_steps, a["use"] - 1.0, 0.0)
        drawn = _drawn(chains) - a["limit"] if limited else np.zeros(steps)
        gradient = np.concatenate([over.ravel(), drawn * (1.0 if limited else 0.0)])
        direction = gradient + 0.7 * direction
        size = float((direction * gradient).sum())  # no BLAS: its threads would wait for the searching ones
        if size <= 1e-12:
            break
        move = factor * max(upper - value, 1e-6 * abs(upper)) / float((direction * direction).sum()) * direction
        lam = np.maximum(0.0, lam + move[:units * steps].reshape(units, steps))
        mu = np.maximum(0.0, mu + move[units * steps:])
    return float(best), tried


def _drawn(chains: Chains) -> Any:
    """Power of the relaxed orders in each step."""
    import numpy as np

    a = chains.a
    steps = int(a["size"][kernels.STEPS])
    rows = np.flatnonzero(a["start"] >= 0)
    k = a["mode"][rows]
    change = np.zeros(steps + 1)
    np.add.at(change, a["start"][rows], a["power"][rows, k])
    np.add.at(change, a["start"][rows] + a["length"][rows, k], -a["power"][rows, k])
    return np.cumsum(change)[:steps]


def run(plan: Schedule, *, start: Sequence[Placed] = (), max_seconds: float | None = None, seed: int = 0,
        workers: int = 2) -> Answer:
    """Search for `max_seconds` (60 without it) on `workers` threads, the bound on one of them for a third of the time."""
    began = time.perf_counter()
    until = began + (60.0 if max_seconds is None else max_seconds)
    chains = Chains(plan)
    upper, rows = None, None
    early = Chains(plan, asap=True)
    known = [chains.rows_of(start)] if start and {p.task for p in start} == set(plan.tasks) else []
    for sequence in rules(plan).values():
        for maker in (early, chains):
            if maker.build(sequence) is not None:
                known.append((maker.a["start"].copy(), maker.a["mode"].copy()))
    for candidate in known:
        value = chains.adopt(*candidate)
        if upper is None or value < upper:
            upper, rows = value, candidate
    if rows is None or upper is None:
        raise errors.ConvergenceError("No rule found a plan in which every order has a place. Use search='exact'.",
                                      status=Status.NOT_CONVERGED)
    first_seconds = time.perf_counter() - began
    stop = threading.Event()
    searchers = [chains, *(Chains(plan) for _ in range(max(0, workers - 1)))]
    result: list[tuple[float, int]] = []
    third = time.perf_counter() + (until - time.perf_counter()) / 3

    def job(k: int, c: Chains) -> None:
        c.a["tune"][kernels.SEED] = 12345 + 7919 * (seed + 1) * (k + 1) % 2147483646
        c.adopt(*rows)
        c.a["heat"][kernels.BEST] = c.a["heat"][kernels.NOW]
        c.a["best_start"][:], c.a["best_mode"][:] = c.a["start"], c.a["mode"]
        if k == len(searchers) - 1:
            result.append(bound(plan, upper, third, stop))
        improve(c, until, MOST, WARM * upper, stop)

    from twin.engine import workers as threads

    def halt() -> None:
        stop.set()
        for c in searchers:
            c.a["tune"][kernels.STOP] = 1

    threads.wait_for([lambda k=k, c=c: job(k, c) for k, c in enumerate(searchers)], halt)  # type: ignore[misc]
    best = min(searchers, key=lambda c: float(c.a["heat"][kernels.BEST]))
    value, (lower, tried) = float(best.a["heat"][kernels.BEST]), result[0] if result else (None, 0)
    stats = {"first_plan_s": first_seconds, "first_plan": upper, "multipliers": tried, "workers": workers,
             "reinsertions": sum(c.rounds for c in searchers)}
    return Answer(Status.FEASIBLE, best.placed(best.a["best_start"], best.a["best_mode"]), value, lower, "exact reinsertion",
                  stats)
