"""Plain models of the same problems: what a user writes first with CP-SAT and with Pyomo."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.problems import kondili
from optimizers.schedule import Network


def job_shop(jobs: list[list[tuple[int, int]]], seed: int, limit: float) -> tuple[float, float, float]:
    """A job shop in CP-SAT: one interval an operation, no overlap, precedence, makespan; seconds, objective, bound."""
    from ortools.sat.python import cp_model

    began = time.perf_counter()
    m = cp_model.CpModel()
    horizon = sum(d for job in jobs for _, d in job)
    makespan = m.new_int_var(0, horizon, "makespan")
    machines: dict[int, list[Any]] = {}
    for job in jobs:
        before = None
        for machine, duration in job:
            start = m.new_int_var(0, horizon, "")
            machines.setdefault(machine, []).append(m.new_fixed_size_interval_var(start, duration, ""))
            if before is not None:
                m.add(start >= before)
            before = start + duration
        m.add(makespan >= before)
    for intervals in machines.values():
        m.add_no_overlap(intervals)
    m.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers, solver.parameters.random_seed, solver.parameters.max_time_in_seconds = 8, seed, limit
    solver.solve(m)
    return time.perf_counter() - began, solver.objective_value, solver.best_objective_bound


def network(horizon: int, seed: int) -> tuple[float, float]:
    """Kondili's plant in discrete time in Pyomo with HiGHS on one thread; processor seconds with the build, objective.

    The textbook formulation over all starts, those that cannot end within the horizon fixed to 0.
    """
    import pyomo.environ as pe
    from pyomo.contrib.appsi.solvers import Highs

    plant: Network = kondili.fixed_times(horizon)
    began = time.process_time()
    runs = {(p.name, u): (p, fit) for p in plant.processes for u, fit in p.units.items()}
    m = pe.ConcreteModel()
    m.r, m.t = pe.Set(initialize=list(runs), dimen=2), pe.RangeSet(0, horizon)
    m.s = pe.Set(initialize=[x.name for x in plant.materials])
    m.w = pe.Var(m.r, m.t, domain=pe.Binary)
    m.b, m.q = pe.Var(m.r, m.t, domain=pe.NonNegativeReals), pe.Var(m.s, m.t, domain=pe.NonNegativeReals)
    m.value = pe.Objective(expr=sum(x.price * m.q[x.name, horizon] for x in plant.materials), sense=pe.maximize)
    m.rows = pe.ConstraintList()
    for unit in plant.units:
        own = [r for r in runs if r[1] == unit.name]
        for t in m.t:
            m.rows.add(sum(m.w[r, k] for r in own for k in m.t if k <= t < k + runs[r][1].duration) <= 1)
    for r, (_, fit) in runs.items():
        for t in m.t:
            m.rows.add(m.b[r, t] <= fit.most * m.w[r, t])
            if t + fit.duration > horizon:
                m.w[r, t].fix(0)
                m.b[r, t].fix(0)
    for x in plant.materials:
        for t in m.t:
            m.q[x.name, t].setub(x.capacity)
            level: Any = x.initial if t == 0 else m.q[x.name, t - 1]
            for r, (p, _) in runs.items():
                for made, share, delay in p.outputs(r[1]):
                    if made == x.name and t >= delay:
                        level += share * m.b[r, int(t - delay)]
                if x.name in p.consumes:
                    level -= p.consumes[x.name] * m.b[r, t]
            m.rows.add(m.q[x.name, t] == level)
    solver = Highs()
    solver.highs_options = {"threads": 1, "random_seed": seed}
    solver.config.mip_gap, solver.config.time_limit = 0, 300
    found = solver.solve(m)
    return time.process_time() - began, float(found.best_feasible_objective)


def year_in_pyomo(problem: Any) -> float:
    """Processor seconds to state the battery's year term by term and hand it to HiGHS' interface."""
    import pyomo.environ as pe
    from pyomo.contrib.appsi.solvers import Highs

    load = [float(v) for v in problem.demand["electricity"]]
    grid, battery = problem.parts
    began = time.process_time()
    prices = grid.price.prices(problem.start, len(load))
    m = pe.ConcreteModel()
    m.t, m.k = pe.RangeSet(0, len(load) - 1), pe.RangeSet(0, len(load))
    m.g, m.c = pe.Var(m.t, bounds=(0, None)), pe.Var(m.t, bounds=(0, battery.power))
    m.d, m.e = pe.Var(m.t, bounds=(0, battery.power)), pe.Var(m.k, bounds=(0, battery.energy))
    billed = grid.price.billed(problem.start, len(load))
    m.p = pe.Var(range(len(billed)), bounds=(0, None))
    m.cost = pe.Objective(expr=sum(prices[t] * m.g[t] for t in m.t) + sum(b[0] * m.p[i] for i, b in enumerate(billed)))
    m.balance = pe.Constraint(m.t, rule=lambda m, t: m.g[t] - m.c[t] + m.d[t] == load[t])
    m.content = pe.Constraint(m.t, rule=lambda m,
                              t: m.e[t + 1] == m.e[t] + battery.efficiency * m.c[t] - m.d[t] / battery.efficiency)
    m.cycle = pe.Constraint(expr=m.e[0] == m.e[len(load)])
    m.peak = pe.ConstraintList()
    for i, (_, _, steps) in enumerate(billed):
        for t in steps:
            m.peak.add(m.p[i] >= m.g[t])
    Highs().set_instance(m)
    return time.process_time() - began
