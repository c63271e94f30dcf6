"""DaISy pH and CSTR records: free-run fit on the second half, against ARX models of order 4 on the same halves.

Everything is fitted to the first half only; the second half is then predicted from the inputs alone. The mechanism as
published, the same calibrated, and with a learned term. The ARX fits are those of the data notes: 82.8 and 92.0 (CSTR), -105 (pH,
worse than the mean).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import twin
from benchmarks.harness import Log, PeerMissing
from benchmarks.problems import daisy as problem

ARX = {"c_a": 82.8, "temperature": 92.0, "reading": -105.0}
STEP = 10.0  # s between the samples of the pH record
PIECES = 4  # of the first half, to leave out in turn


def run(quick: bool, log: Log, data: str) -> dict[str, Any]:
    """Fit to the first halves, judge on the second."""
    if not data:
        raise PeerMissing("The DaISy records are not part of the project. Name their folder: --data DIR (it holds daisy/).")
    found = {**cstr(data, log), **neutralization(data, log, quick)}
    for name, row in found.items():
        if not row["best"] > ARX[name]:
            raise AssertionError(f"{name}: {row['best']:.1f} % is no better than ARX with {ARX[name]} %")
    return found


def cstr(data: str, log: Log) -> dict[str, Any]:
    """Concentration and temperature of the reactor."""
    rows = problem.table(data, "cstr.dat")
    n = len(rows) // 2
    first, second = (problem.half(name, part[:, 0], {"coolant": (part[:, 1], "l/min")},
                                  {"c_a": (part[:, 2], "mol/l"), "temperature": (part[:, 3], "K")}, "min")
                     for name, part in (("first", rows[:n]), ("second", rows[n:])))
    models = {"published": problem.Cstr()}
    fit = twin.calibrate(problem.Cstr(), first, ["k_0", "heat", "transfer", "flow", "t_feed"], initial="first", rtol=1e-6,
                         max_iterations=40, throw=False, progress=lambda *_: None)
    models["calibrated"] = fit.model
    found: dict[str, dict[str, Any]] = {"c_a": {"arx": ARX["c_a"]}, "temperature": {"arx": ARX["temperature"]}}
    for label, model in models.items():
        start = {s: float(second[s].values[0]) for s in found}
        ran = twin.simulate(model, second, initial=start, times=second["c_a"].times, check_limits=False)
        for s, row in found.items():
            row[label] = round(problem.fit_percent(second[s].values, ran[s]), 1)
    for s, row in found.items():
        row["best"] = row["calibrated"]
        log(f"{s}: {row}")
    return found


def neutralization(data: str, log: Log, quick: bool) -> dict[str, Any]:
    """pH of the tank: two balances, a titration curve, and a learned share of dissociated acid."""
    rows = problem.table(data, "pHdata.dat")[1:]  # the first reading is 4 units away from the second
    n = len(rows) // 2
    make = lambda name, part: problem.half(name, STEP * part[:, 0], {"acid_flow": (part[:, 1], "l/s"),  # noqa: E731
                                           "base_flow": (part[:, 2], "l/s")}, {"reading": (part[:, 3], "-")}, "s")
    first, whole = make("first", rows[:n]), make("whole", rows)
    fit = twin.calibrate(problem.Neutralization(), first, ["c_acid", "volume", "pk_a", "pk_w"], initial="first", loss="soft_l1",
                         rtol=1e-5, max_iterations=15 if quick else 40, throw=False, progress=lambda *_: None)
    models = {"published": problem.Neutralization(), "calibrated": fit.model}
    edges = np.linspace(0, n, PIECES + 1).astype(int)
    pieces = [make(f"piece {k}", rows[a:b]) for k, (a, b) in enumerate(itertools.pairwise(edges))]
    ran = twin.simulate(fit.model, first, times=first["reading"].times, check_limits=False)
    starts = {p.name: {s: float(ran[s][a]) for s in ("acid", "base", "reading")} for p, a in zip(pieces, edges[:-1], strict=True)}
    trained = twin.train(fit.model, twin.Data(pieces), initial=starts, sizes=(0.1, 0.3), max_iterations=3 if quick else 5,
                         terms={"dissociated": twin.Multiply(twin.Spline.over({"ph": (3.0, 12.0)}, pieces=6), 2.0)})
    models["hybrid"] = trained.model
    row: dict[str, Any] = {"arx": ARX["reading"]}
    for label, model in models.items():
        ran = twin.simulate(model, whole, times=whole["reading"].times, check_limits=False)
        row[label] = round(problem.fit_percent(whole["reading"].values[n:], ran["reading"][n:]), 1)
        row[f"{label} on the first half"] = round(problem.fit_percent(whole["reading"].values[:n], ran["reading"][:n]), 1)
    row["size"], row["best"] = trained.size, row["hybrid"]
    log(f"reading: {row}")
    return {"reading": row}
