"""Kalman filters against the exact filter of a linear problem, and what they do with late, rare and bad readings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg

import twin
from twin.estimation.interval import gathered


class Tank(twin.DynamicModel):
    """Two linear tanks in a row; the second is measured."""

    time_unit = "h"

    upper_level = twin.state("m", lower=-50, upper=50, nominal=1, doc="first level")
    lower_level = twin.state("m", lower=-50, upper=50, nominal=1, doc="second level")
    inflow = twin.input("m/h", lower=-10, upper=10, nominal=1, doc="inflow")
    leak = twin.disturbance("m/h", lower=-5, upper=5, nominal=0, doc="inflow into the second")
    total = twin.output("m", doc="sum")

    k_1 = twin.parameter(0.8, "1/h", bounds=(0, 10), source="example", doc="outflow of the first")
    k_2 = twin.parameter(0.5, "1/h", bounds=(0, 10), source="example", doc="outflow of the second")

    def rhs(self, s):
        return {"upper_level": s.inflow - self.k_1 * s.upper_level,
                "lower_level": self.k_1 * s.upper_level - self.k_2 * s.lower_level + s.leak}

    def outputs(self, s):
        return {"total": s.upper_level + s.lower_level}

    def initial(self):
        return {"upper_level": 1.0, "lower_level": 1.0}


F = np.array([[-0.8, 0.0, 0.0], [0.8, -0.5, 1.0], [0.0, 0.0, 0.0]])
DT = 0.25
NOISE = np.array([0.05, 0.02, 0.04])
SD = {"upper_level": 0.5, "lower_level": 0.3, "leak": 0.2}
SIZES = {"lower_level": 0.1, "total": 0.2}
H = np.array([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
R = np.diag([0.01, 0.04])
ARGUMENTS = dict(measured=SIZES, interval=DT, noise={"upper_level": 0.05, "lower_level": 0.02}, walks={"leak": 0.04},
                 sd=SD, gate=None)


def van_loan(f, q, dt):
    n = len(f)
    e = scipy.linalg.expm(np.block([[-f, q], [np.zeros((n, n)), f.T]]) * dt)
    return e[n:, n:].T @ e[:n, n:]


class Exact:
    """The textbook Kalman filter of the tanks."""

    def __init__(self):
        self.x, self.p = np.array([1.0, 1.0, 0.0]), np.diag([0.5, 0.3, 0.2]) ** 2

    def predict(self, inflow, dt=DT):
        big = scipy.linalg.expm(np.block([[F, np.array([[inflow], [0], [0]])], [np.zeros((1, 4))]]) * dt)
        a = big[:3, :3]
        self.x = a @ self.x + big[:3, 3]
        self.p = a @ self.p @ a.T + van_loan(F, np.diag(NOISE**2) / DT, dt)

    def update(self, rows, values):
        h = H[rows]
        s = h @ self.p @ h.T + R[np.ix_(rows, rows)]
        k = self.p @ h.T @ np.linalg.inv(s)
        self.x = self.x + k @ (values - h @ self.x)
        self.p = (np.eye(3) - k @ h) @ self.p


@pytest.fixture(scope="module", params=[twin.Ekf, twin.Ukf])
def watch(request):
    return request.param(Tank(), **ARGUMENTS)


def vector(info, what="estimate"):
    return np.array([getattr(info, what)[n] for n in ("upper_level", "lower_level", "leak")])


def test_noise_gathers_as_van_loan_says():
    f, q = F * DT, np.diag(NOISE**2)
    assert gathered(f, q) == pytest.approx(van_loan(f, q, 1.0), rel=1e-12, abs=1e-18)


def test_noise_of_a_stiff_model_stays_finite():
    f, q = np.diag([-1e6, -1.0]), np.eye(2)
    assert np.diag(gathered(f, q)) == pytest.approx([0.5e-6, 0.5 * (1 - math.exp(-2))], rel=1e-9)


def test_linear_problem_equals_the_exact_filter(watch):
    """Missing, rare and late readings included: the exact filter gets them in their true order."""
    rng = np.random.default_rng(3)
    exact, state = Exact(), watch.init()
    for k in range(12):
        inflow = float(rng.uniform(0, 2))
        exact.predict(inflow)
        y = rng.normal(1.0, 0.3, 2)
        rows = [0, 1] if k % 3 == 0 else [0] if k % 3 == 1 else []
        if rows:
            exact.update(rows, y[rows])
        readings = {n: (float(y[i]) if i in rows else math.nan) for i, n in enumerate(SIZES)}
        state, info = watch.step(state, readings, inputs={"inflow": inflow})
        assert info.status
        assert set(info.used) == {list(SIZES)[i] for i in rows}
        assert vector(info) == pytest.approx(exact.x, abs=2e-7)
        assert vector(info, "sd") ** 2 == pytest.approx(np.diag(exact.p), rel=1e-6)


def test_late_reading_equals_one_that_came_in_time():
    watch = twin.Ekf(Tank(), **ARGUMENTS, longest_delay=1.0)
    exact, state = Exact(), watch.init()
    flows, times = [0.5, 1.5, 1.0, 0.2], [0.25, 0.5, 0.75, 1.0]
    for flow, t in zip(flows, times, strict=True):
        readings = {"lower_level": 1.0 + t}
        if t == 1.0:
            readings["total"] = [twin.Reading(2.2, time=0.4), twin.Reading(2.0, time=0.75)]
        state, info = watch.step(state, readings, inputs={"inflow": flow}, time=t)
    for flow, t in zip(flows, times, strict=True):
        if t == 0.5:
            exact.predict(flow, 0.15)
            exact.update([1], np.array([2.2]))
            exact.predict(flow, 0.1)
        else:
            exact.predict(flow)
        exact.update([0], np.array([1.0 + t]))
        if t == 0.75:
            exact.update([1], np.array([2.0]))
    assert set(info.used) == {"lower_level", "total"}
    assert vector(info) == pytest.approx(exact.x, abs=2e-7)
    assert vector(info, "sd") ** 2 == pytest.approx(np.diag(exact.p), rel=1e-6)
    _, info = watch.step(state, {"total": twin.Reading(2.0, time=0.1)}, inputs={"inflow": 0.2})
    assert "total was taken at 0.1 h, before 0.25 h. Raise longest_delay." in info.message


def test_consistency_nees_and_nis():
    """On simulated data the normalized errors average to their degrees of freedom (Bar-Shalom, Li, Kirubarajan 2001, ch. 5.4)."""
    rng = np.random.default_rng(0)
    watch = twin.Ekf(Tank(), **ARGUMENTS)
    a, q = scipy.linalg.expm(F * DT), van_loan(F, np.diag(NOISE**2) / DT, DT)
    root = np.linalg.cholesky(q)
    nees, nis = [], []
    for _ in range(12):
        x = np.array([1.0, 1.0, 0.0]) + np.array([0.5, 0.3, 0.2]) * rng.normal(size=3)
        state = watch.init()
        for _ in range(12):
            x = a @ x + root @ rng.normal(size=3)
            y = H @ x + np.array([0.1, 0.2]) * rng.normal(size=2)
            state, info = watch.step(state, dict(zip(SIZES, map(float, y), strict=True)), inputs={"inflow": 0.0})
            off = vector(info) - x
            nees.append(off @ np.linalg.solve(state.cov, off))
            nis.append(info.nis)
    assert np.mean(nees) == pytest.approx(3.0, abs=4 * math.sqrt(6 / 144 * 3))   # neighbors in time are correlated: a wide band
    assert np.mean(nis) == pytest.approx(2.0, abs=4 * math.sqrt(4 / 144))


def test_outlier_is_refused_and_a_shift_is_believed_after_five():
    watch = twin.Ekf(Tank(), **{**ARGUMENTS, "gate": 4.0})
    state = watch.init()
    for _ in range(8):
        state, info = watch.step(state, {"lower_level": 1.0}, inputs={"inflow": 0.6})
    before = vector(info)
    state, info = watch.step(state, {"lower_level": 9.0}, inputs={"inflow": 0.6})
    assert info.used == ()
    assert "lower_level is 9 m," in info.message
    assert "standard deviations from the" in info.message
    assert vector(info) == pytest.approx(before, abs=0.2)
    for _ in range(6):
        state, info = watch.step(state, {"lower_level": 9.0}, inputs={"inflow": 0.6})
    assert info.used == ("lower_level",)


def test_steps_never_raise_and_say_what_was_wrong():
    watch = twin.Ekf(Tank(), **ARGUMENTS)
    state = watch.init()
    state, info = watch.step(state, {"lower_level": None, "total": twin.Reading(2.0, good=False), "level": 3.0},
                             inputs={"inflow": math.nan, "valve": 2.0})
    assert info.status
    assert info.used == ()
    for sentence in ("lower_level is missing or bad.", "total is missing or bad.", "level is not measured by this estimator",
                     "has no input 'valve'", "The input inflow is nan; its last value 1 was kept."):
        assert sentence in info.message
    same, info = watch.step(state, {}, inputs={}, time=0.0)
    assert same is state
    assert "lies before the last step" in info.message


def test_pure_and_clipped():
    watch = twin.Ekf(Tank(), **{**ARGUMENTS, "walks": {"leak": 50.0}})
    state = watch.init()
    one = watch.step(state, {"lower_level": 40.0}, inputs={"inflow": 1.0})[1]
    two = watch.step(state, {"lower_level": 40.0}, inputs={"inflow": 1.0})[1]
    assert one.estimate == two.estimate
    assert one.estimate["leak"] == 5.0
    assert "Held at a limit: leak." in one.message


class Burning(twin.DynamicModel):
    """A level whose equation has no value below zero."""

    time_unit = "h"
    level = twin.state("m", lower=-5, upper=50, nominal=1, doc="level")

    def rhs(self, s):
        return {"level": -twin.jnp.sqrt(s.level)}


def test_nan_in_the_model_is_told():
    watch = twin.Ekf(Burning(), {"level": 0.1}, interval=1.0)
    _, info = watch.step(watch.init({"level": -1.0}), {"level": None}, inputs={})
    assert info.status is twin.Status.NOT_FINITE
    assert "The model could not be followed from 0 to 1 h" in info.message
    assert info.estimate["level"] == -1.0
    assert info.sd["level"] > 0.1


def test_parameters_can_be_estimated():
    """A wrong outflow coefficient is found from clean readings."""
    watch = twin.Ekf(Tank(), {"upper_level": 0.01, "lower_level": 0.01}, interval=DT, walks={"k_1": 0.01}, sd={"k_1": 0.3},
                     noise={"upper_level": 1e-3, "lower_level": 1e-3})
    plant = twin.simulate(Tank(k_1=1.2), {"inflow": 1.0}, duration=5, every=DT)
    state = watch.init()
    for a, b in zip(plant["upper_level"][1:], plant["lower_level"][1:], strict=True):
        state, info = watch.step(state, {"upper_level": a, "lower_level": b}, inputs={"inflow": 1.0})
    assert info.estimate["k_1"] == pytest.approx(1.2, abs=0.02)


@pytest.mark.parametrize(("changes", "match"), [
    ({"measured": {}}, "was given no measurements"),
    ({"measured": {"level": 1.0}}, "Unknown measured signal 'level'"),
    ({"measured": {"total": 0.0}}, r"standard deviation of Tank.total is 0 m"),
    ({"walks": {"leek": 1.0}}, "Did you mean 'leak'"),
    ({"noise": {"lower_lewel": 1.0}}, "Unknown state 'lower_lewel'"),
    ({"interval": -1.0}, "interval is -1 h"),
])
def test_wrong_statements_are_told(changes, match):
    with pytest.raises(twin.SpecError, match=match):
        twin.Ekf(Tank(), **{**ARGUMENTS, **changes})
