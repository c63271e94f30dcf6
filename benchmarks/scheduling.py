"""Schedules, networks, energy and lines: answers asserted first, then times and gaps against plain models of the same solvers.

ft10: proof time of the whole of `optimizers.solve` (model, CP-SAT, replay) over that of a plain CP-SAT model, same seeds, 8
workers.
Networks: strengthened discrete formulation against the plain one in Pyomo with HiGHS. Lines: against simpy, processor time a
part.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optimizers
from benchmarks import harness
from benchmarks.problems import energy, kondili, large, plain, shops, simpy_line, steel
from optimizers.schedule import Goal, dispatch_rules, replay
from twin import Law, Line, Station, simulate_line

SEEDS = 5
FFS_SECONDS, SCC_SECONDS, LARGE_SECONDS, PROOF_SECONDS = 60.0, 10.0, 120.0, 120.0


def expect(name: str, found: Any, wanted: float, tolerance: float = 1e-6) -> None:
    """The answer first."""
    if found is None or abs(found - wanted) > tolerance * max(1.0, abs(wanted)):
        raise RuntimeError(f"{name} is {found}. Expected {wanted}.")


def published(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """Optima of the literature."""
    harness.peer("ortools")
    for name in ("ft06", "la02", "la05"):
        expect(name, optimizers.solve(shops.job_shop(shops.operations(name)), max_seconds=60).objective, shops.OPTIMA[name])
    best = optimizers.solve(steel.melt_shop(), max_seconds=120)
    early = optimizers.solve(steel.melt_shop(Goal(makespan=1000, flow=1, energy=0)), max_seconds=60)
    expect("melt shop", best.objective, 42210)
    expect("melt shop, bound", best.bound, 42210)
    expect("melt shop as soon as possible", early.details["costs"]["energy"], 56420)
    return {"melt_shop_eur": best.objective, "melt_shop_asap_eur": early.details["costs"]["energy"],
            "melt_shop_s": best.stats["seconds"]}


def proofs(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """Time to the proof of ft10, ours and plain in turn with each seed."""
    plan = shops.job_shop(shops.operations("ft10"))
    mine, theirs = [], []
    for seed in range(SEEDS):
        began = time.perf_counter()
        found = optimizers.solve(plan, seed=seed, max_seconds=PROOF_SECONDS, throw=False)
        mine.append(time.perf_counter() - began)
        expect("ft10", found.objective, 930)
        expect("ft10, bound", found.bound, 930)
        seconds, objective, bound = plain.job_shop(shops.operations("ft10"), seed, PROOF_SECONDS)
        theirs.append(seconds)
        expect("ft10, plain", objective, 930)
        expect("ft10, plain, bound", bound, 930)
        log(f"  seed {seed}: {mine[-1]:.1f} s, plain {theirs[-1]:.1f} s")
    return {"ft10_ratio_vs_cpsat": statistics.median(mine) / statistics.median(theirs), "ft10_s": statistics.median(mine),
            "ft10_cpsat_s": statistics.median(theirs)}


def flow_shop(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """The generated flexible flow shop."""
    found = optimizers.solve(shops.flexible_flow_shop(), max_seconds=FFS_SECONDS, throw=False)
    return {"ffs_objective": found.objective, "ffs_bound": found.bound, "ffs_s": found.stats["seconds"]}


def networks(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """Kondili's plant and unit-specific events."""
    expect("Kondili 10 h", optimizers.solve(kondili.fixed_times(10)).objective, 2744.375)
    expect("events 8 h", optimizers.solve(kondili.variable_times(8, 5)).objective, 1498.569, 1e-6)
    expect("events, example 1", optimizers.solve(kondili.three_in_a_row("auto")).objective, 71.518, 1e-4)
    if quick:
        return {}
    expect("Kondili 40 h", optimizers.solve(kondili.fixed_times(40)).objective, 9159.259259, 1e-6)
    mine, theirs = [], []
    for seed in range(SEEDS):
        began = time.process_time()
        found = optimizers.solve(kondili.fixed_times(20), seed=seed)
        mine.append(time.process_time() - began)
        expect("Kondili 20 h", found.objective, 6611.375)
        seconds, objective = plain.network(20, seed)
        theirs.append(seconds)
        expect("Kondili 20 h, plain", objective, 6611.375)
        log(f"  20 h, seed {seed}: {mine[-1]:.2f} s, plain {theirs[-1]:.2f} s")
    return {"stn_h20_ratio": statistics.median(theirs) / statistics.median(mine), "stn_h20_s": statistics.median(mine),
            "stn_h20_plain_s": statistics.median(theirs)}


def dispatch(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """A year of storage, a week of steam and power, and what stating the year costs here and in Pyomo."""
    year = energy.year()
    began = time.process_time()
    found = optimizers.solve(year)
    year_s = time.process_time() - began
    expect("year", found.objective, energy.GOLDEN["year"])
    began = time.process_time()
    week = optimizers.solve(energy.steam_week())
    week_s = time.process_time() - began
    expect("steam", week.objective, energy.GOLDEN["steam"], 1e-4)
    out = {"year_s": year_s, "steam_week_s": week_s, "year_eur": found.objective, "steam_week_eur": week.objective,
           "year_build_s": found.stats["build_s"]}
    return out if quick else out | {"year_pyomo_build_s": plain.year_in_pyomo(year)}


def lines(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """Ten stations with breakdowns: processor time a part, ours on one thread over simpy's."""
    simpy = harness.peer("simpy")
    fixed = Line([Station(f"S{k}", 1.25, buffer=2, life=7.0, repair=2.5) for k in range(6)])
    theirs = simpy_line.run(simpy, 6, 2, 400, lambda d: 1.25, lambda d: 7.0, lambda d: 2.5, 0)
    ours = simulate_line(fixed, duration=400).departures
    if len(ours) != len(theirs) or max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) > 1e-9:
        raise RuntimeError("The deterministic line leaves other parts than simpy's.")
    if quick:
        return {"line_parts": len(ours)}
    line = Line([Station(f"S{k}", Law.exponential(1.0), buffer=3, life=Law.exponential(50), repair=Law.exponential(5))
                 for k in range(10)])
    simulate_line(line, duration=100)
    simulate_line(line, duration=100, parts=10)
    rounds, listed = [], []
    for seed in range(SEEDS):
        began = time.process_time()
        left = simpy_line.run(simpy, 10, 3, 5000, lambda d: d.expovariate(1.0), lambda d: d.expovariate(1 / 50),
                              lambda d: d.expovariate(1 / 5), seed)
        slow = (time.process_time() - began) / len(left)
        began = time.process_time()
        made = simulate_line(line, duration=50_000, seed=seed, threads=1)
        rounds.append((slow / ((time.process_time() - began) / float(made.finished[0])), len(left) / 5000,
                       float(made.throughput[0])))
        began = time.process_time()
        # stopping at a part takes a list of events
        some = simulate_line(line, duration=50_000, seed=seed, threads=1, parts=25_000)
        listed.append(slow / ((time.process_time() - began) / float(some.finished[0])))
    throughput, theirs_throughput = (statistics.mean(r[k] for r in rounds) for k in (2, 1))
    if abs(throughput / theirs_throughput - 1) > 0.03:
        raise RuntimeError(f"The throughputs differ: {throughput} and {theirs_throughput} by simpy.")
    return {"line_ratio_vs_simpy": statistics.median(r[0] for r in rounds),
            "line_ratio_with_event_list": statistics.median(listed), "line_throughput": throughput,
            "line_simpy_throughput": theirs_throughput}


def lacks(data: str, log: harness.Log) -> bool:
    """True where the data folder is missing, which is then said."""
    missing = not (data and (Path(data) / "scc").is_dir())
    if missing:
        log("This part needs --data DIR, a folder with scc/ and fjsp/, beside it problems/plan300.py.")
    return missing


def casting(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """All small and medium instances; a few of them where it must be quick."""
    if lacks(data, log):
        return {}
    plans = steel.instances(data)
    names = list(plans)[::20] if quick else list(plans)
    gaps, feasible, proved = [], 0, 0
    for name in names:
        found = optimizers.solve(plans[name], max_seconds=2.0 if quick else SCC_SECONDS, throw=False)
        good = found.objective is not None and not replay(plans[name], found.replay.placed).violated
        feasible += good
        if good and found.bound is not None:
            gaps.append(max(0.0, found.objective - found.bound) / max(found.objective, 1e-9))
            proved += gaps[-1] < 1e-9
        log(f"  {name}: {found.objective} bound {found.bound}")
    return {"scc_feasible_share": feasible / len(names), "scc_mean_gap": statistics.mean(gaps), "scc_instances": len(names),
            "scc_proved": proved}


def flexible(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """Brandimarte's instances that are proved here."""
    if lacks(data, log):
        return {}
    optima = {"mk01": 40, "mk08": 523} if quick else {"mk01": 40, "mk02": 26, "mk03": 204, "mk04": 60, "mk08": 523, "mk09": 307}
    for name, optimum in optima.items():
        found = optimizers.solve(shops.brandimarte(data, name), max_seconds=PROOF_SECONDS, throw=False)
        expect(name, found.objective, optimum)
        expect(f"{name}, bound", found.bound, optimum)
    return {"mk_proved": len(optima)}


def big(quick: bool, log: harness.Log, data: str) -> dict[str, Any]:
    """The frozen large plan against the best dispatching rule."""
    if lacks(data, log):
        return {}
    plan = large.plan(large.read(data))
    began = time.perf_counter()
    rules = {name: replay(plan, placed) for name, placed in dispatch_rules(plan).items()}
    first = time.perf_counter() - began
    rule, best = min(((n, r.objective) for n, r in rules.items() if not r.violated), key=lambda e: e[1])
    found = optimizers.solve(plan, max_seconds=5.0 if quick else LARGE_SECONDS)
    if found.violated or found.bound is None:
        raise RuntimeError(f"The large plan is broken: {list(found.violated)[:3]}")
    log(f"  best rule '{rule}' {best:.0f} EUR, found {found.objective:.0f} EUR, bound {found.bound:.0f} EUR")
    return {"large_first_plan_s": found.stats["first_plan_s"], "large_rules_s": first, "large_rule": rule, "large_rule_eur": best,
            "large_eur": found.objective, "large_bound_eur": found.bound, "large_gain_120s": 1 - found.objective / best,
            "large_gap_120s": found.stats["gap"]}


PARTS: dict[str, harness.Part] = {"shops": published, "networks": networks, "energy": dispatch, "lines": lines, "ft10": proofs,
                                  "flow_shop": flow_shop, "casting": casting, "flexible": flexible, "large": big}
TIMED_ONLY = ("ft10", "flow_shop")


def run(quick: bool, log: harness.Log, data: str, only: Sequence[str] = ()) -> dict[str, Any]:
    """All keys of the benchmark, or those of some parts."""
    result: dict[str, Any] = {}
    for name, part in PARTS.items():
        if (only and name not in only) or (quick and name in TIMED_ONLY):
            continue
        log(name)
        result |= part(quick, log, data)
    return {"benchmark": "scheduling", "quick": quick, **result}
