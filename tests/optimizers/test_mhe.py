"""Moving-horizon estimation: against its own least-squares problem, and against the Kalman filter on the CSTR."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

import optimizers
import twin
from processes.chemical import VanDeVusse


class Tank(twin.DynamicModel):
    """Two linear tanks in a row."""

    time_unit = "h"
    upper_level = twin.state("m", lower=-50, upper=50, nominal=1, doc="first level")
    lower_level = twin.state("m", lower=-50, upper=50, nominal=1, doc="second level")
    inflow = twin.input("m/h", lower=-10, upper=10, nominal=1, doc="inflow")
    total = twin.output("m", doc="sum")

    def rhs(self, s):
        return {"upper_level": s.inflow - 0.8 * s.upper_level, "lower_level": 0.8 * s.upper_level - 0.5 * s.lower_level}

    def outputs(self, s):
        return {"total": s.upper_level + s.lower_level}

    def initial(self):
        return {"upper_level": 1.0, "lower_level": 1.0}


A = np.array([[-0.8, 0.0], [0.8, -0.5]])
DT, NOISE, SD, SIZES = 0.25, np.array([0.05, 0.02]), np.array([0.5, 0.3]), {"lower_level": 0.1, "total": 0.2}


def least_squares(readings, flows):
    """The last state of the least-squares trajectory: model errors are constant rates over an interval."""
    whole = scipy.linalg.expm(np.block([[A, np.eye(2)], [np.zeros((2, 4))]]) * DT)
    phi, gamma = whole[:2, :2], whole[:2, 2:]
    n = len(flows)
    rows, right = [np.hstack([np.diag(1 / SD), np.zeros((2, 2 * n))])], [np.array([1.0, 1.0]) / SD]
    state, offset = np.hstack([np.eye(2), np.zeros((2, 2 * n))]), np.zeros(2)
    h = {"lower_level": np.array([0.0, 1.0]), "total": np.array([1.0, 1.0])}
    for k, flow in enumerate(flows):
        pick = np.zeros((2, 2 + 2 * n))
        pick[:, 2 + 2 * k:4 + 2 * k] = np.diag(NOISE) / DT
        state, offset = phi @ state + gamma @ pick, phi @ offset + gamma @ np.array([flow, 0.0])
        scaled = np.zeros((2, 2 + 2 * n))
        scaled[:, 2 + 2 * k:4 + 2 * k] = np.eye(2)
        rows.append(scaled)
        right.append(np.zeros(2))
        for name, value in readings[k].items():
            if math.isfinite(value):
                rows.append(h[name][None] @ state / SIZES[name])
                right.append((np.array([value]) - h[name] @ offset) / SIZES[name])
    found = np.linalg.lstsq(np.vstack(rows), np.concatenate(right), rcond=None)[0]
    return state @ found + offset


def test_linear_window_equals_least_squares():
    """Missing readings included, while the window has not begun to move."""
    rng = np.random.default_rng(2)
    names = ("upper_level", "lower_level")
    watch = optimizers.Mhe(Tank(), SIZES, interval=DT, horizon=6, noise=dict(zip(names, NOISE, strict=True)),
                           sd=dict(zip(names, SD, strict=True)), gate=None, tolerance=1e-10)
    state, readings, flows = watch.init(), [], []
    for k in range(5):
        readings.append({n: float(rng.normal(1, 0.3)) if (k + i) % 2 else math.nan for i, n in enumerate(SIZES)})
        flows.append(float(rng.uniform(0, 2)))
        state, info = watch.step(state, readings[-1], inputs={"inflow": flows[-1]})
        assert info.status
        found = np.array([info.estimate[n] for n in ("upper_level", "lower_level")])
        assert found == pytest.approx(least_squares(readings, flows), abs=1e-6)


class Excite(twin.AbstractController):
    """Moves the inputs of the reactor up and down, so that there is something to see."""

    interval = 0.005
    model = VanDeVusse.do_mpc()

    def init(self, inputs=None):
        return 0

    def step(self, state, estimate, **changes):
        inputs = {"flow": 20.0 if (state // 10) % 2 == 0 else 60.0, "duty": -3000.0 if (state // 15) % 2 == 0 else -500.0}
        return state + 1, twin.ControllerInfo(twin.Status.SUCCESS, "", inputs)


OPTIONS = dict(measured={"t_reactor": 0.3, "t_jacket": 0.3}, interval=0.005, initial={"c_a": 2.5, "c_b": 0.9},
               noise={"c_a": 0.01, "c_b": 0.01, "t_reactor": 0.05, "t_jacket": 0.05},
               sd={"c_a": 1.0, "c_b": 0.5, "t_reactor": 1.0, "t_jacket": 1.0})


def test_better_than_the_kalman_filter_on_the_reactor():
    """Only temperatures are measured, with 0.3 K of noise, 40 % of the readings are missing, the first guess is far off."""
    total = {}
    for kind in (twin.Ekf, optimizers.Mhe):
        watch = kind(Excite.model, **OPTIONS)
        watch.warm_up()
        runs = [optimizers.closed_loop(Excite(), steps=50, estimator=watch, noise=OPTIONS["measured"], missing=0.4, seed=seed)
                for seed in range(4)]
        assert all(i.status for run in runs for i in run.estimator_infos)
        assert max(i.seconds for run in runs for i in run.estimator_infos) < 0.005 * 3600
        total[kind] = {n: math.sqrt(sum(run.rmse(n) ** 2 for run in runs) / len(runs)) for n in runs[0].states}
    for name, rmse in total[optimizers.Mhe].items():
        assert rmse < total[twin.Ekf][name]
    assert total[optimizers.Mhe]["c_b"] < 0.95 * total[twin.Ekf]["c_b"]


def test_late_readings_between_the_steps_are_used():
    watch = optimizers.Mhe(Excite.model, horizon=6, **OPTIONS)
    state = watch.init()
    for k in range(1, 5):
        readings = {"t_reactor": 133.0, "t_jacket": twin.Reading(130.0, time=0.005 * k - 0.002)}
        state, info = watch.step(state, readings, inputs={"flow": 20.0, "duty": -2000.0})
    assert info.status
    assert set(info.used) == {"t_reactor", "t_jacket"}


def test_failure_falls_back_to_the_filter():
    watch = optimizers.Mhe(Excite.model, max_iterations=1, **OPTIONS)
    state, info = watch.step(watch.init(), {"t_reactor": 120.0}, inputs={"flow": 60.0, "duty": -3000.0})
    own = watch.filter.step(watch.filter.init(), {"t_reactor": 120.0}, inputs={"flow": 60.0, "duty": -3000.0})[1]
    if not info.status:
        assert "that of the Kalman filter" in info.message or info.status is twin.Status.FEASIBLE
    assert math.isfinite(info.estimate["c_a"])
    assert info.sd == own.sd
    assert state.time == 0.005


def test_limits_hold():
    """A concentration cannot be negative, however the readings pull."""
    watch = optimizers.Mhe(Excite.model, {"c_a": 0.1, "t_reactor": 0.3}, interval=0.005, noise={"c_a": 0.1}, gate=None)
    state = watch.init({"c_a": 0.05})
    for _ in range(3):
        state, info = watch.step(state, {"c_a": -2.0}, inputs={"flow": 5.0, "duty": 0.0})
    assert info.estimate["c_a"] >= -1e-9
    assert "c_a" in info.clipped


def test_measured_algebraic_quantities_are_refused():
    class Valve(twin.DynamicModel):
        level = twin.state("m", lower=0, upper=5, nominal=1)
        flow = twin.algebraic("m3/s", lower=0, upper=1, nominal=0.05)

        def rhs(self, s):
            return {"level": -s.flow}

        def residual(self, s):
            return {"flow": s.level - 400 * s.flow**2}

    with pytest.raises(twin.SpecError, match="flow may depend on algebraic variables"):
        optimizers.Mhe(Valve(), {"flow": 0.01}, interval=1)
