"""The measured reflow profile of CUMCM 2020 A: fit, the four questions of the case, and a learned correction. Needs --data."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np

import optimizers
import twin
from benchmarks import harness
from processes.electronics import ProfileLimits, ReflowOven, profile_metrics

CASE = ProfileLimits.contest()
FITTED = ("rates[0]", "rates[1]", "rates[2]", "rates[3]", "entry_center", "entry_width", "gap_width", "cool_length", "cool_air")
UNITS = {"speed": "cm/min", "peak": "degC", "area_to_peak": "degC s", "soak_time": "s", "time_above_liquidus": "s"}


def answers(data: str, log: harness.Log) -> dict[str, Any]:
    """Fit error, answers and their time; a sentence where the data are missing."""
    path = Path(data) / "reflow" / "reflow_profile.csv" if data else None
    if path is None or not path.is_file():
        return {"note": "The measured profile is not here: give its folder with --data."}
    t, y = np.loadtxt(path, delimiter=",", skiprows=1).T
    log("reflow: fit")
    oven, rmse = fit(t, y)
    log("reflow: four questions")
    begin = time.perf_counter()
    found = questions(oven)
    seconds = time.perf_counter() - begin
    log("reflow: learned correction, 18 segments of 20 s, each judged by a model that never saw it")
    return {"fit_rmse": rmse, **found, "four_answers_s": seconds, **learned(oven, t, y)}


def fit(t: Any, y: Any) -> tuple[ReflowOven, float]:
    """The oven with nine fitted parameters, and its RMSE in degC."""
    model = ReflowOven()
    from scipy.optimize import least_squares

    first = dict(zip(model.parameter_names(), model.parameter_vector(), strict=True))
    v0 = np.array([first[n] for n in FITTED])
    prepared = twin.simulator(model, twin.Recipe.constant(), duration=float(t[-1]), times=t, rtol=1e-7)

    def miss(q: Any) -> Any:
        return np.asarray(prepared(None, dict(zip(FITTED, q * v0, strict=True)))["joint"]) - y

    found = least_squares(miss, np.ones(len(FITTED)), bounds=(0.3, 3.0), x_scale="jac")
    values = dict(zip(FITTED, found.x * v0, strict=True))
    oven = dataclasses.replace(model, rates=tuple(values[f"rates[{k}]"] for k in range(4)),
                               **{n: v for n, v in values.items() if "[" not in n})
    return oven, float(np.sqrt(np.mean(found.fun**2)))


def measure(t: Any, s: Any) -> Any:
    """Metrics of the case."""
    return profile_metrics(t, s["joint"], CASE)


def questions(oven: ReflowOven) -> dict[str, Any]:
    """Temperatures at four places, largest speed, smallest area, most centered recipe."""
    first = oven.with_recipe(z1_5=173.0, z6=198.0, z7=230.0, z8_9=257.0, speed=78.0)
    run = twin.simulate(first, twin.Recipe.constant(), duration=400)
    where = [25 + 2 * 35.5 + 15.25, 25 + 5 * 35.5 + 15.25, 25 + 6 * 35.5 + 15.25, 25 + 7 * 35.5 + 30.5]
    at = run.at([w / 78.0 * 60.0 for w in where])["joint"]
    common = {"measure": measure, "signals": ("joint",), "limits": CASE.rows, "duration": 450.0, "every": 0.25,
              "recipe": twin.Recipe.constant(), "units": UNITS}
    fast = optimizers.solve(optimizers.Design(model=oven.with_recipe(z1_5=182.0, z6=203.0, z7=237.0, z8_9=254.0),
                                              decisions={"speed": (65.0, 100.0)}, maximize="speed", **common))
    groups = {"z1_5": (165.0, 185.0), "z6": (185.0, 205.0), "z7": (225.0, 245.0), "z8_9": (245.0, 265.0)}
    ties = {g: oven.set_point_names(g) for g in groups}
    decisions = {"speed": (65.0, 100.0), **groups}
    lean = optimizers.solve(optimizers.Design(model=oven, decisions=decisions, ties=ties, minimize="area_to_peak", **common))
    even = optimizers.solve(optimizers.Design(model=oven, decisions=decisions, ties=ties, center=True, **common))
    return {"q1_degC": [round(float(v), 2) for v in at], "q2_speed": fast.objective, "q3_area": lean.objective,
            "q3_violation": lean.violation, "q4_window_share": even.objective,
            "q4_area": even.details["metrics"]["area_to_peak"]}


def learned(oven: ReflowOven, t: Any, y: Any, segments: int = 18, pieces: int = 40) -> dict[str, Any]:
    """A spline along the way corrects the air: RMSE on the segments left out, in groups of two, and what it was there before."""
    edges = np.linspace(t[0] - 1e-9, t[-1] + 1e-9, segments + 1)
    runs = []
    for k in range(segments):
        part = (t >= edges[k]) & (t < edges[k + 1])
        series = twin.Series("joint", [0.0, *t[part][::2]], [float(oven.ambient), *y[part][::2]], "degC")
        runs.append(twin.Run(f"segment {k + 1}", None, [series], "s"))
    spline = twin.Spline.over({"way": (0.0, 436.0)}, pieces=pieces)
    made = twin.train(oven, twin.Data(runs), terms={"local_air": twin.Add(spline, scale=15.0)}, noise={"joint": 0.3},
                      initial={"joint": float(oven.ambient)}, left_out=9, max_iterations=3, sizes=(0.3, 1.0))
    count = np.array([r.count for r in made.left_out])
    after, before = (np.array([getattr(r, n) for r in made.left_out]) for n in ("after", "before"))
    return {"left_out_rmse": float(np.sqrt((count * after**2).sum() / count.sum())),
            "left_out_rmse_without": float(np.sqrt((count * before**2).sum() / count.sum()))}
