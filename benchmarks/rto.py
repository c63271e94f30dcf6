"""Real-time optimization of the Williams-Otto plant with a model that does not know one of its reactions.

The controller sees measurements of the settled plant only; each plant evaluation is one iteration, there are no other
experiments. Every run starts at the optimum of the wrong model, which costs the plant 40.5 USD/s. Noise: each composition and
each feed is read with 0.5 % of its value (one standard deviation); P, E and G are reconciled by their stoichiometry, and the
profit is computed from these values, which leaves 1.8 % of noise in it; `worst_profit_direct` is for 0.5 % of noise on the
profit itself. Limits: the controller
aims at its declared back-off inside of them; `worst_violation` is the greatest excess of a limit over all steps of all runs, as a
share of the limit (negative: room), `worst_violation_beyond_backoff` the same less the back-off. With limits the profit has
0.5 % of noise.
"""

from __future__ import annotations

import time
from typing import Any

import twin
from benchmarks.harness import Log
from optimizers import ModifierAdaptation, Setpoints
from processes.chemical import WilliamsOtto, WilliamsOttoTwoReactions
from twin.quality import reconcile

START = {"feed_b": 4.76935, "t_reactor": 78.22342}
QUALITY = {"x_a": (None, 0.12), "x_g": (None, 0.08)}
BACK_OFF, CAUTION = {"x_a": 0.001, "x_g": 0.0005}, 1.25
ITERATIONS, SEEDS, NOISE = 15, 20, 0.005
PROFIT_SD = 3.5  # USD/s: 0.42 % of what P is worth, 830 USD/s, after reconciliation, and 0.5 % of the feeds
READ = ("x_a", "x_p", "x_e", "x_g", "feed_a", "feed_b")
OPTIMUM, LIMITED = 190.980330, 178.529081


def run(quick: bool, log: Log, data: str) -> dict[str, Any]:
    """Noise-free and noisy runs, with and without quality limits."""
    plant, model = WilliamsOtto(), WilliamsOttoTwoReactions()
    count = 1 if quick else SEEDS
    begin = time.process_time()
    free = _loop(plant, model, {}, None, direct=False)
    reached = next(k + 1 for k, row in enumerate(free) if row["profit"] > 190.9)
    if abs(free[0]["profit"] - 150.464) > 0.001:
        raise RuntimeError(f"The plant earns {free[0]['profit']:.4f} USD/s at the start. Expected 150.464.")
    log(f"no noise: {free[0]['profit']:.2f} -> {free[-1]['profit']:.3f} USD/s, above 190.9 at iteration {reached}")
    noisy = [_loop(plant, model, {}, seed, direct=False)[-1]["profit"] for seed in range(count)]
    log(f"0.5 % noise on compositions and feeds: worst {min(noisy):.2f}, mean {sum(noisy) / count:.2f} USD/s")
    direct = [_loop(plant, model, {}, seed, direct=True)[-1]["profit"] for seed in range(count)]
    log(f"0.5 % noise on the profit: worst {min(direct):.2f} USD/s")
    first = [_loop(plant, model, {}, seed, direct=True, curvature=False)[-1]["profit"] for seed in range(count)]
    log(f"the same, modifiers of first order only: worst {min(first):.2f} USD/s")
    limited = _loop(plant, model, QUALITY, None, direct=False, caution=CAUTION)
    quality = [_loop(plant, model, QUALITY, seed, direct=True, caution=CAUTION) for seed in range(count)]
    over = max(_excess(row, BACK_OFF) for rows in [limited, *quality] for row in rows)
    plain = max(_excess(row, {}) for rows in [limited, *quality] for row in rows)
    ends = [rows[-1]["profit"] for rows in quality]
    log(f"quality limits: {limited[-1]['profit']:.2f} without noise, {min(ends):.2f} to {max(ends):.2f} with; "
        f"worst excess of a limit {plain:.2%}, beyond the back-off {over:.2%}")
    return {"quick": quick, "profit_start": free[0]["profit"], "profit_noise_free": free[-1]["profit"],
            "iterations_max": ITERATIONS, "iterations_to_190.9_noise_free": reached,
            "seeds": count, "seeds_reached": sum(p > 189 for p in noisy),
            "worst_profit_noisy": min(noisy), "mean_profit_noisy": sum(noisy) / count, "worst_profit_direct": min(direct),
            "worst_profit_direct_first_order": min(first), "profit_limited_noise_free": limited[-1]["profit"],
            "share_limited_noise_free": limited[-1]["profit"] / LIMITED, "worst_profit_limited_noisy": min(ends),
            "mean_profit_limited_noisy": sum(ends) / count,
            "seeds_within_1_percent_limited": sum(p > 0.99 * LIMITED for p in ends),
            "worst_violation_beyond_backoff": over, "worst_violation": plain, "cpu_s": time.process_time() - begin}


def _loop(plant: Any, model: Any, limits: dict[str, Any], seed: int | None, direct: bool,
          **options: Any) -> list[dict[str, float]]:
    """True values at each iteration; the controller gets readings only."""
    import numpy as np

    rng = np.random.default_rng(seed)
    noise: dict[str, Any] = {}
    if seed is not None:
        noise = {"profit": "0.5 %" if direct else PROFIT_SD, **dict.fromkeys(limits, "0.5 %")}
    rto = ModifierAdaptation(Setpoints(model, maximize="profit", limits=limits), noise=noise, back_off=BACK_OFF if limits else {},
                             **options)
    state, rows = rto.init(START), []
    for _ in range(ITERATIONS):
        (point,) = twin.steady(plant, state.inputs, starts=1)
        rows.append({"profit": point["profit"], "x_a": point["x_a"], "x_g": point["x_g"]})
        reading = {n: point[n] * (1 + (NOISE * rng.standard_normal() if seed is not None else 0.0)) for n in (*READ, "profit")}
        if not direct:
            reading["profit"] = _computed(plant, reading)
        state, info = rto.step(state, reading)
        if not info.status:
            raise RuntimeError(info.message)
    return rows


def _computed(plant: Any, reading: dict[str, float]) -> float:
    """Profit from reconciled readings: the stoichiometry of the wrong model, too, says that P is E / 2 - G / 3."""
    r = {n: reading[n] for n in READ}
    known = reconcile({n: r[n] for n in ("x_p", "x_e", "x_g")}, {n: NOISE * r[n] for n in ("x_p", "x_e", "x_g")},
                      balances={"P, E and G": {"x_p": 1.0, "x_e": -0.5, "x_g": 1 / 3}}, set_aside=False)
    r |= {n: known[n] for n in ("x_p", "x_e", "x_g")}
    sold = (plant.price_p * r["x_p"] + plant.price_e * r["x_e"]) * (r["feed_a"] + r["feed_b"])
    return float(sold - plant.price_a * r["feed_a"] - plant.price_b * r["feed_b"])


def _excess(row: dict[str, float], back_off: dict[str, float]) -> float:
    return max((row[n] - high - back_off.get(n, 0.0)) / high for n, (_, high) in QUALITY.items())
