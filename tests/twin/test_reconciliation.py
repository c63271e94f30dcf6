"""Reconciliation, gross errors with calibrated alarms, steady-state detection."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import twin
from processes.chemical import WilliamsOtto
from twin.quality import SteadyDetector, reconcile, steady_periods

SPLIT = {"splitter": {"x0": 1, "x1": -1, "x2": -1}}
RECYCLE = {"mixer": {"s1": 1, "s6": 1, "s2": -1}, "reactor": {"s2": 1, "s3": -1}, "separator": {"s3": 1, "s4": -1, "s5": -1},
           "splitter": {"s5": 1, "s6": -1, "s7": -1}}
FLOWS = {"s1": 100.0, "s2": 160.0, "s3": 160.0, "s4": 70.0, "s5": 90.0, "s6": 60.0, "s7": 30.0}
SD = {n: 0.01 * v for n, v in FLOWS.items()}


def test_one_balance_by_hand() -> None:
    """y = (100, 62, 40), sd (2, 1, 1): x = y - S A' (A S A')^-1 A y = (101.3333, 61.6667, 39.6667)."""
    found = reconcile({"x0": 100, "x1": 62, "x2": 40}, {"x0": 2, "x1": 1, "x2": 1}, balances=SPLIT)
    assert [found[n] for n in ("x0", "x1", "x2")] == pytest.approx([304 / 3, 185 / 3, 119 / 3], abs=1e-12)
    assert found.statistic == pytest.approx(2**2 / 6)  # imbalance over its variance
    assert found.degrees == 1
    assert not found.gross


def test_unmeasured_quantities_and_what_checks_nothing() -> None:
    """A stream that is not measured follows from the balances; a measurement that nothing checks is told."""
    y = {n: v for n, v in FLOWS.items() if n not in ("s5", "s7")}
    found = reconcile(y, {n: SD[n] for n in y}, balances=RECYCLE)
    assert found["s5"] == pytest.approx(90)
    assert found["s7"] == pytest.approx(30)
    assert not found.redundant["s6"] or found["s6"] == pytest.approx(60)
    less = reconcile({"s1": 100.0, "s4": 70.0, "s6": 61.0}, {"s1": 1, "s4": 1, "s6": 1}, balances=RECYCLE)
    assert less.redundant == {"s1": False, "s4": False, "s6": False}
    assert less["s2"] == pytest.approx(161)
    assert "Checked by nothing else: s1, s4, s6" in less.message
    open_ = reconcile({"s1": 100.0, "s4": 70.0}, {"s1": 1, "s4": 1}, balances=RECYCLE)
    assert math.isnan(open_["s6"])
    assert open_["s7"] == pytest.approx(30)


def test_false_alarms_and_planted_errors() -> None:
    """5 % false alarms within the binomial interval of 2000 draws; an error of 10 sd is found and named in >= 95 % of 200."""
    rng = np.random.default_rng(7)
    alarms = 0
    for _ in range(2000):
        y = {n: v + SD[n] * rng.standard_normal() for n, v in FLOWS.items()}
        alarms += bool(reconcile(y, SD, balances=RECYCLE).gross)
    assert 0.05 - 2.6 * math.sqrt(0.05 * 0.95 / 2000) < alarms / 2000 < 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 2000)
    named = estimated = 0
    for k in range(200):
        y = {n: v + SD[n] * rng.standard_normal() for n, v in FLOWS.items()}
        bad = list(FLOWS)[k % 7]
        y[bad] += 10 * SD[bad] * (-1) ** k
        found = reconcile(y, SD, balances=RECYCLE)
        hit = bool(found.gross) and bad in (found.gross[0].name, *found.gross[0].alike)
        named += hit
        estimated += hit and abs(found[bad] - FLOWS[bad]) < 5 * SD[bad]
    assert named >= 190
    assert estimated >= 185


def test_errors_that_cannot_be_told_apart_are_said_so() -> None:
    """One balance finds the error, but not whose it is."""
    found = reconcile({"x0": 100, "x1": 62, "x2": 60}, {"x0": 2, "x1": 1, "x2": 1}, balances=SPLIT)
    (gross,) = found.gross
    assert {gross.name, *gross.alike} == {"x0", "x1", "x2"}
    assert "would explain the data equally well" in found.explain()


def test_component_balances_are_not_linear() -> None:
    """Flows and compositions of a column: at the answer both balances close, and nothing is closer to the measurements."""
    from scipy.optimize import minimize

    balances = {"total": lambda v: v.f - v.d - v.b, "light": lambda v: v.f * v.z_f - v.d * v.x_d - v.b * v.x_b}
    y = {"f": 102.0, "d": 49.0, "b": 50.0, "z_f": 0.5, "x_d": 0.97, "x_b": 0.02}
    sd = {"f": 1.0, "d": 1.0, "b": 1.0, "z_f": 0.01, "x_d": 0.01, "x_b": 0.005}
    found = reconcile(y, sd, balances=balances)
    v = [found[n] for n in y]
    assert v[0] - v[1] - v[2] == pytest.approx(0, abs=1e-9)
    assert v[0] * v[3] - v[1] * v[4] - v[2] * v[5] == pytest.approx(0, abs=1e-9)
    scale = np.array(list(sd.values()))
    start = np.array(list(y.values()))

    def closed(q: np.ndarray) -> list[float]:
        w = start + scale * q
        return [w[0] - w[1] - w[2], w[0] * w[3] - w[1] * w[4] - w[2] * w[5]]

    run = minimize(lambda q: float(q @ q), np.zeros(6), method="SLSQP", options={"ftol": 1e-14},
                   constraints=[{"type": "eq", "fun": closed}])
    assert found.statistic == pytest.approx(run.fun, rel=5e-3)  # linearized at the answer: not exactly the nonlinear minimum
    assert found["f"] == pytest.approx(start[0] + run.x[0], abs=0.01)


def test_a_model_as_balance() -> None:
    """Nine noisy measurements of a Williams-Otto plant become better, an error in one of them is found."""
    plant = WilliamsOtto()
    point = twin.steady(plant)[0]
    rng = np.random.default_rng(0)
    names = ("x_a", "x_b", "x_p", "x_e", "x_g", "feed_a", "feed_b", "t_reactor")
    y = {n: point[n] * (1 + 0.005 * rng.standard_normal()) for n in names}
    sd = {n: 0.005 * point[n] for n in names}
    found = reconcile(y, sd, model=plant)
    assert not found.gross
    assert found.degrees == 5
    before, after = (sum(((v[n] - point[n]) / sd[n]) ** 2 for n in names) for v in (y, found))
    assert after < 0.5 * before
    assert abs(found["x_c"] - point["x_c"]) < 0.02 * point["x_c"]  # not measured at all
    assert found.units["feed_b"] == "kg/s"
    y["x_e"] *= 1.05
    wrong = reconcile(y, sd, model=plant)
    assert [g.name for g in wrong.gross] == ["x_e"]
    assert wrong.gross[0].estimate == pytest.approx(point["x_e"], rel=0.005)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: reconcile({"a": 1}, {"a": 1}), "needs balances or a model"),
    (lambda: reconcile({"a": math.nan}, {"a": 1}, balances={"b": {"a": 1}}), "measured a is nan"),
    (lambda: reconcile({"a": 1}, {}, balances={"b": {"a": 1}}), r"Give sd=\{'a': ...\}"),
    (lambda: reconcile({"a": 1}, {"a": 0}, balances={"b": {"a": 1}}), "standard deviation of a is 0"),
    (lambda: reconcile({"a": 1}, {"a": 1}, balances={"b": {"c": 1}}), "measured a stands in no balance"),
    (lambda: reconcile({"a": 1}, {"a": 1}, balances={"b": {"a": 1}}, alpha=2), "alpha is 2"),
    (lambda: reconcile({"x_z": 1}, {"x_z": 1}, model=WilliamsOtto()), "Unknown signal 'x_z' of WilliamsOtto"),
    (lambda: reconcile({"x_a": 0.1}, {"x_a": 0.01}, model=WilliamsOtto(), free=("feed_a", "feed_b")), "do not determine"),
    (lambda: SteadyDetector(()), "got no signal"),
    (lambda: SteadyDetector("a", filters=(1, 2, 3)), "Expected three factors"),
])
def test_wrong_use_is_told(call: object, message: str) -> None:
    """Each mistake is a sentence."""
    with pytest.raises(twin.SpecError, match=message):
        call()  # type: ignore[operator]


def test_detector_has_the_declared_false_alarms() -> None:
    """The share of steady samples called moving is alpha, within what 20000 correlated verdicts allow."""
    rng = np.random.default_rng(3)
    detector = SteadyDetector(("a", "b"), alpha=0.05, hold=10**9)  # never called steady: each verdict at the same value
    state, moving = detector.init(), []
    for x in rng.standard_normal((20000, 2)):
        state, info = detector.step(state, {"a": x[0], "b": 7 + 3 * x[1]})
        moving.append(bool(info.moving))
    assert np.mean(moving[100:]) == pytest.approx(0.05, abs=0.008)


def test_detector_waits_for_the_transient() -> None:
    """No sample of a first-order response is called steady before it has settled to within the noise of the average."""
    rng = np.random.default_rng(5)
    t = np.arange(400)
    clean = np.where(t < 100, 1.0, 2.0 - np.exp(-np.maximum(t - 100, 0) / 15))
    frame = pd.DataFrame({"x": clean + 0.01 * rng.standard_normal(400)})
    first, second = steady_periods(frame, hold=30)
    assert first.end <= 102
    assert second.start > 100 + 2 * 15
    assert abs(second.mean["x"] - 2.0) < 0.01
    assert second.sd["x"] == pytest.approx(0.01 / math.sqrt(second.count), rel=0.5)


def test_missing_samples_are_left_out() -> None:
    """A NaN changes nothing; a signal that is not in the sample is an error."""
    detector = SteadyDetector(("x",))
    state, _ = detector.step(detector.init(), {"x": 1.0})
    assert detector.step(state, {"x": math.nan})[0] is state
    with pytest.raises(twin.SpecError, match="Unknown signal 'x' of the sample"):
        detector.step(state, {"y": 1.0})
