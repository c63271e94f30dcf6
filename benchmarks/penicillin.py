"""Penicillin: what learned terms add to a calibrated mechanism on batches that were left out.

Five sets of records (seeds 0 to 4) of one plant whose culture slowly loses viability, which no model here knows. Batches
6 and 7 are left out; the other six are all that anything is fitted to. Compared on the measurements of biomass and
product in batches 6 and 7: the calibrated model of Bajpai and Reuss, the same with learned growth and production terms,
and a network of the recorded features alone. A gain is 1 - RMSE / RMSE of the calibrated model; for each seed the mean over
the two batches and two signals.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

import twin
from benchmarks.harness import Log
from benchmarks.problems import penicillin as problem

JUDGED = ("biomass", "product")
LEVEL = 0.9
UNKNOWNS = ("mu_max", "k_x", "mu_product", "k_p", "k_i", "k_hydrolysis", "y_xs", "m_x", "k_m")
TERMS = {"growth_rate": ("substrate", "temperature", "time"), "production_rate": ("substrate", "time")}


def run(quick: bool, log: Log, data: str) -> dict[str, Any]:
    """Train and judge on each seed."""
    rows = [one_seed(seed, log) for seed in (range(1) if quick else range(5))]
    gains = [r["gain"] for r in rows]
    if not all(g > 0 for g in gains):
        raise AssertionError(f"learned terms make a seed worse: {gains}")
    inside, total = (sum(r[k] for r in rows) for k in ("inside", "total"))
    return {"quick": quick, "seeds": len(rows),
            "median_gain": round(statistics.median(gains), 3), "worst_gain": round(min(gains), 3),
            "worst_gain_of_a_batch_and_signal": round(min(min(r["gains"].values()) for r in rows), 3),
            "median_gain_against_truth": round(statistics.median(r["gain_truth"] for r in rows), 3),
            "coverage_90": round(inside / total, 3),
            "pure_network_gain": round(statistics.median(r["network"] for r in rows), 3),
            "median_rmse": {k: {n: round(statistics.median(r["rmse"][k][n] for r in rows), 4) for n in rows[0]["rmse"][k]}
                            for k in rows[0]["rmse"]},
            "train_seconds": round(statistics.median(r["seconds"] for r in rows), 1), "by_seed": rows}


def one_seed(seed: int, log: Log) -> dict[str, Any]:
    """One set of records."""
    every = problem.records(seed)
    known = twin.Data(r for r in every if r.name not in problem.LEFT_OUT)
    new = [every[n] for n in problem.LEFT_OUT]
    fit = twin.calibrate(problem.FedBatch(), known, list(UNKNOWNS), signals=problem.SIGNALS, noise=problem.NOISE, starts=2,
                         seed=seed, loss="soft_l1", max_iterations=400, throw=False, progress=lambda *_: None)
    begin = time.perf_counter()
    training = twin.train(fit.model, known, terms=TERMS, parameters=UNKNOWNS, signals=problem.SIGNALS, noise=problem.NOISE,
                          seed=seed)
    seconds = time.perf_counter() - begin
    network = problem.train_network(known)
    errors: dict[str, dict[str, float]] = {}
    inside = total = 0
    gains = {}
    truth = {}
    for run in new:
        before = twin.simulate(fit.model, run, times=run["biomass"].times, check_limits=False)
        ahead = twin.forecast(training, run, times=run["biomass"].times, level=LEVEL, signals=JUDGED)
        blind = network(run, run["biomass"].times)
        exact = problem.exact(run.name, run["biomass"].times)
        for name in JUDGED:
            measured, band = run[name].values, ahead[name]
            found = {"calibrated": before[name], "hybrid": band.value, "network": blind[name]}
            for k, v in found.items():
                errors.setdefault(k, {})[f"{name} {run.name}"] = float(np.sqrt(np.mean((v - measured) ** 2)))
            off = {k: float(np.sqrt(np.mean((v - exact[name]) ** 2))) for k, v in found.items()}
            truth[f"{name} {run.name}"] = 1 - off["hybrid"] / off["calibrated"]
            gains[f"{name} {run.name}"] = 1 - errors["hybrid"][f"{name} {run.name}"] / errors["calibrated"][f"{name} {run.name}"]
            inside += int(((measured >= band.lower) & (measured <= band.upper)).sum())
            total += len(measured)
    network_gain = statistics.fmean(1 - errors["network"][k] / errors["calibrated"][k] for k in errors["network"])
    row = {"seed": seed, "gain": round(statistics.fmean(gains.values()), 3), "gains": {k: round(v, 3) for k, v in gains.items()},
           "gain_truth": round(statistics.fmean(truth.values()), 3), "network": round(network_gain, 3), "inside": inside,
           "total": total, "size": training.size, "rmse": errors, "seconds": seconds}
    log(f"seed {seed}: gain {row['gain']:.3f} (network {row['network']:.3f}), {inside} of {total} inside; {row['gains']}")
    return row

