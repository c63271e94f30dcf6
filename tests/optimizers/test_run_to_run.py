"""Run-to-run control: theory by simulation, limits, missing measurements, and a model with a learned drift."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import twin
from optimizers import run_to_run as r2r
from processes.electronics import Oxidation, Polishing


def squared_error(control: Any, noise: Any, *, ratio: float = 1.0, drift: float = 0.0) -> tuple[float, float]:
    """Mean squared deviation and mean deviation of y = noise + drift t + ratio u after the first 2,000 runs."""
    state, setting, found = control.init(), control.first().setting, np.empty(len(noise))
    for k, e in enumerate(noise):
        y = e + drift * k + ratio * setting
        state, info = control.step(state, y, setting)
        setting, found[k] = info.setting, y
    settled = found[2000:]
    return float((settled**2).mean()), float(settled.mean())


def white(n: int = 60_000) -> Any:
    """Independent noise of variance 1."""
    return np.random.default_rng(11).standard_normal(n)


@pytest.mark.parametrize(("weight", "expected"), [(0.1, 1.053), (0.3, 1.176), (0.5, 1.333)])
def test_white_noise_is_amplified_by_two_over_two_minus_weight(weight: float, expected: float) -> None:
    """Ingolfsson and Sachs (1993): MSE over variance 2 / (2 - weight), to 2 % (58,000 runs have a standard error of 0.6 %)."""
    found, _ = squared_error(r2r.Ewma(0.0, 1.0, weight), white())
    assert r2r.ewma_mse(weight) == pytest.approx(expected, abs=5e-4)
    assert found == pytest.approx(expected, rel=0.02)


def test_drift_leaves_an_offset_of_drift_over_weight() -> None:
    """delta / lambda, to 2 standard errors; MSE 1.29 at weight 0.3 and drift 0.1."""
    found, offset = squared_error(r2r.Ewma(0.0, 1.0, 0.3), white(), drift=0.1)
    assert offset == pytest.approx(r2r.ewma_drift_offset(0.3, 0.1), abs=0.01)
    assert found == pytest.approx(1.29, rel=0.02)
    assert r2r.ewma_mse(0.3, drift=0.1) == pytest.approx(1.29, abs=0.005)


def test_best_weight_for_ima_noise_is_one_minus_theta() -> None:
    """IMA(1, 1), theta = 0.7: weight 0.3 gives the variance itself; 0.1 gives 1.204, 0.8 gives 1.253."""
    a = white()
    disturbance = a + 0.3 * np.concatenate([[0.0], np.cumsum(a)[:-1]])
    for weight, expected in ((0.3, 1.0), (0.1, 1.2105), (0.8, 1.2604)):
        found, _ = squared_error(r2r.Ewma(0.0, 1.0, weight), disturbance)
        assert found == pytest.approx(r2r.ewma_mse(weight, theta=0.7), rel=0.02)
        assert r2r.ewma_mse(weight, theta=0.7) == pytest.approx(expected, abs=1e-4)
    assert r2r.best_weight(theta=0.7) == pytest.approx(0.3)


def test_double_ewma_wins_only_with_a_small_drift_weight() -> None:
    """Drift 0.1 sigma a run: EWMA 0.3 gives 1.28, double EWMA with 0.1 gives 1.40, with 0.01 gives 1.18 or less."""
    single, _ = squared_error(r2r.Ewma(0.0, 1.0, 0.3), white(), drift=0.1)
    eager, _ = squared_error(r2r.DoubleEwma(0.0, 1.0, 0.3, 0.1), white(), drift=0.1)
    calm, _ = squared_error(r2r.DoubleEwma(0.0, 1.0, 0.1, 0.01), white(), drift=0.1)
    assert calm < single < eager
    assert eager == pytest.approx(1.40, rel=0.03)


def test_gain_error_beyond_two_over_weight_is_unstable() -> None:
    """0 < weight x ratio < 2: 1.95 still settles (MSE 40), 2.1 grows without end; theory refuses it."""
    found, _ = squared_error(r2r.Ewma(0.0, 1.0, 0.5), white(20_000), ratio=3.9)
    assert found == pytest.approx(r2r.ewma_mse(0.5, ratio=3.9), rel=0.1)
    assert squared_error(r2r.Ewma(0.0, 1.0, 0.5), white(2200), ratio=4.2)[0] > 1e6
    with pytest.raises(twin.SpecError, match="the loop is unstable"):
        r2r.ewma_mse(0.5, ratio=4.2)


def test_settings_stay_within_limits_and_missing_runs_are_told() -> None:
    """A target out of reach is said; a missing measurement keeps the state."""
    control = r2r.Ewma(target=100.0, gain=1.0, weight=0.5, upper=60.0)
    assert control.first().setting == 60.0
    assert "held at its limit 60: the target is out of reach" in control.first().message
    state, _ = control.step(control.init(), math.nan, 60.0)
    assert state == control.init()
    assert r2r.DoubleEwma(0.0, 1.0).step((0.0, 0.5), None, 0.0)[1].message == "No measurement: the drift is carried on."
    for build, match in ((lambda: r2r.Ewma(0.0, 0.0), "gain of Ewma is 0"),
                         (lambda: r2r.Ewma(0.0, 1.0, 1.5), "weight of Ewma is 1.5"),
                         (lambda: r2r.Ewma(0.0, 1.0, lower=2.0, upper=1.0), "Expected lower < upper"),
                         (lambda: r2r.Ewma(math.nan, 1.0), "target of Ewma is nan")):
        with pytest.raises(twin.SpecError, match=match):
            build()


@pytest.fixture(scope="module")
def pads() -> tuple[Any, list[list[tuple[float, float]]]]:
    """Plant: removal in one run of a pad; and three lives of 40 runs at 2.5 min, measured with 1 % noise."""
    draw = np.random.default_rng(4)
    plant = twin.simulator(Polishing(), duration=10, times=[10.0])

    def removal(minutes: float, use: float, preston: float) -> float:
        run = plant.with_times([minutes])({"pad_use": use}, {"preston": preston})
        return float(run.final["removed"]) * (1 + 0.01 * draw.standard_normal())

    lives = []
    for _ in range(3):
        preston = 1.2e-13 * math.exp(0.15 * draw.standard_normal())
        lives.append([(removal(2.5, 0.25 * k, preston), 2.5) for k in range(40)])
    return removal, lives


def life(control: Any, removal: Any, runs: int = 40) -> float:
    """RMS deviation from 500 nm over a new pad's life, from its fifth run on; each run ages the pad by a quarter of an hour."""
    state, setting, misses = control.init(), control.first().setting, []
    for k in range(runs):
        measured = removal(setting, 0.25 * k, 1.05e-13)
        state, info = control.step(state, measured, setting)
        misses.append(measured - 500.0)
        setting = info.setting
    return float(np.sqrt(np.mean(np.square(misses[5:]))))


def test_learned_drift_beats_the_ewma_on_polishing(pads: Any) -> None:
    """Pad wear learned from three lives: nearer to target than an EWMA on the linear model at its best weight."""
    removal, lives = pads
    curve_of = r2r.ModelBased.of_model(Polishing(), measured="removed", parameter="preston", target=500.0,
                                       curve=r2r.DriftCurve(math.log(1.2e-13)), lower=0.2, upper=10.0)
    curve = r2r.DriftCurve.fit([[curve_of.implied(y, u) for y, u in one] for one in lives])
    assert curve.run_sd == pytest.approx(0.01, rel=0.3)
    assert curve.fall == pytest.approx(math.log(0.7), abs=0.12)
    learned = r2r.ModelBased.of_model(Polishing(), measured="removed", parameter="preston", target=500.0, curve=curve,
                                      lower=0.2, upper=10.0, level_sd=0.002, slope_sd=2e-4)
    ewma = min(life(r2r.Ewma(500.0, 200.0, w, lower=0.2, upper=10.0), removal) for w in (0.2, 0.4, 0.6, 0.8))
    found = np.mean([life(learned, removal) for _ in range(3)])
    assert found < 0.95 * ewma
    assert found < 6.5  # 1 % noise is 5 nm


def test_wrong_unit_of_a_measurement_is_told_and_left_out(pads: Any) -> None:
    """Angstrom in place of micrometers: no parameter within a factor of 20 explains it; the setting follows the drift."""
    control = r2r.ModelBased.of_model(Polishing(), measured="removed", parameter="preston", target=500.0,
                                      curve=r2r.DriftCurve(math.log(1.2e-13)), lower=0.2, upper=10.0)
    before = control.first()
    _, info = control.step(control.init(), 500e3, before.setting)
    assert "fits no parameter within a factor 20" in info.message
    assert info.setting == pytest.approx(before.setting, rel=1e-9)


def test_oxidation_time_for_a_target() -> None:
    """The time set for 100 nm of dry oxide is that of the closed form; a tube that grows less is met after a few runs."""
    model = Oxidation.dry(face="100")
    control = r2r.ModelBased.of_model(model, measured="thickness", parameter="parabolic", target=0.1,
                                      inputs={"temperature": 1000.0}, lower=0.1, upper=8.0,
                                      curve=r2r.DriftCurve(math.log(772.0), run_sd=0.005))
    b, linear = (float(v) for v in model.constants(1000.0))
    hours = (0.1**2 - 0.025**2 + b / linear * (0.1 - 0.025)) / b
    setting = control.first().setting
    assert setting == pytest.approx(hours, rel=1e-5)
    state = control.init()
    tube = Oxidation.dry(face="100", parabolic=0.95 * 772.0)
    for _ in range(6):
        grown = twin.simulate(tube, {"temperature": 1000.0}, duration=setting).final["thickness"]
        state, info = control.step(state, grown, setting)
        setting = info.setting
    assert grown == pytest.approx(0.1, rel=0.002)


def test_wear_forecast_tells_when_the_pad_is_at_its_limit() -> None:
    """Closed form: k exp(fall (1 - exp(-age / runs))) u = target reaches u = upper at a known age; the worst case is sooner."""
    curve = r2r.DriftCurve(math.log(200.0), math.log(0.5), 12.0, start_sd=0.05, run_sd=0.01)
    control = r2r.ModelBased(lambda u, k: k * u, 500.0, curve, lower=0.5, upper=4.0, level_sd=0.003, slope_sd=1e-4)
    found = r2r.forecast_wear(control, control.init(), 40)
    age = -12.0 * math.log(1.0 - math.log(500 / 4.0 / 200.0) / math.log(0.5))
    assert found.runs_left == math.ceil(age)
    assert found.runs_sure < found.runs_left
    assert f"in {found.runs_left} runs; in the worst case in {found.runs_sure} runs" in str(found)
    assert found.settings[3] == pytest.approx(500 / 200 * 2 ** (1 - math.exp(-3 / 12)), rel=1e-9)
    # a pad that proves better than the curve lasts longer, and is known better
    state = control.init()
    for k in range(8):
        u = control.setting_for(control.expected(state))[0]
        state, _ = control.step(state, 1.06 * math.exp(curve(k)) * u, u)
    later = r2r.forecast_wear(control, state, 40)
    assert 8 + later.runs_left > found.runs_left
    assert later.parameter_high[0] / later.parameter_low[0] < found.parameter_high[0] / found.parameter_low[0]
    assert "stays within its limits for all 3 runs" in str(r2r.forecast_wear(control, control.init(), 3, sure=0.0))
    assert len(later.plot().axes) == 1
    with pytest.raises(twin.SpecError, match="runs is 0"):
        r2r.forecast_wear(control, state, 0)


def test_worst_case_of_the_forecast_covers_simulated_lives() -> None:
    """Pads drawn from the curve, two standard deviations: the limit comes before the worst case in 1 to 5 % of 600 lives."""
    curve = r2r.DriftCurve(math.log(200.0), math.log(0.5), 12.0, start_sd=0.05, run_sd=0.01)
    control = r2r.ModelBased(lambda u, k: k * u, 500.0, curve, lower=0.5, upper=4.0, level_sd=0.0, slope_sd=1e-9)
    sure = r2r.forecast_wear(control, control.init(), 60).runs_sure
    draw, early = np.random.default_rng(2), 0
    for start in 0.05 * draw.standard_normal(600):
        end = next(k for k in range(100) if math.exp(curve(k) + start) * 4.0 < 500.0)
        early += end < sure
    assert 0.003 < early / 600 < 0.05


def test_cheapest_life_by_hand() -> None:
    """Costs a run: 5, 4, 3.75, 3.8 ...: the third run is the last one; without settings it is told."""
    assert r2r.best_change([2.0, 3.0, 3.25, 3.95], change_cost=3.0, setting_cost=1.0) == (3, pytest.approx(3.75))
    assert r2r.best_change([2.0] * 9, change_cost=3.0, setting_cost=1.0)[0] == 9
    with pytest.raises(twin.SpecError, match="got no settings"):
        r2r.best_change([], change_cost=1.0, setting_cost=1.0)
