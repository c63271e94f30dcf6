"""What a calibration is worth: coverage of intervals, profiles, posterior samples; answers free of units and order."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from twin.calibration.squares import Loss, fit_squares
from twin.lowering.emit_numpy import on_arrays
from twin.lowering.emit_python import emit_python
from twin.lowering.system import system_of


class Decay(twin.DynamicModel):
    """A first-order reaction in a batch; the initial amount is a parameter, read by the initial state."""

    time_unit = "h"
    a = twin.state("g/l", lower=0, upper=100, nominal=1, doc="educt")
    b = twin.state("g/l", lower=0, upper=100, nominal=1, doc="product")
    k = twin.parameter(0.5, "1/h", bounds=(0, None), scale="log", doc="rate constant")
    y = twin.parameter(0.8, "g/g", bounds=(0, 1), doc="yield")
    charge = twin.parameter(2.0, "g/l", bounds=(0, None), doc="educt at the start")

    def rhs(self, s: Any) -> Any:
        rate = self.k * s.a
        return {"a": -rate, "b": self.y * rate}

    def initial(self) -> Any:
        return {"a": self.charge, "b": 0.0}


TIMES = np.linspace(0.5, 6.0, 12)
TRUTH = {"k": 0.7, "y": 0.6, "charge": 3.0}


def samples(seed: int, noise: tuple[float, float] = (0.05, 0.02), times: Any = TIMES) -> dict[str, Any]:
    """Noisy samples of the true decay, from its closed form."""
    random = np.random.default_rng(seed)
    a = TRUTH["charge"] * np.exp(-TRUTH["k"] * times)
    b = TRUTH["y"] * (TRUTH["charge"] - a)
    return {"a": (times, a + noise[0] * random.standard_normal(len(times))),
            "b": (times, b + noise[1] * random.standard_normal(len(times)))}


@pytest.fixture(scope="module")
def decay() -> twin.Calibration:
    return twin.calibrate(Decay(), samples(0), list(TRUTH), noise={"a": 0.05, "b": 0.02})


@pytest.mark.slow
@pytest.mark.parametrize("noise", [{"a": 0.05, "b": 0.02}, None], ids=["stated", "estimated"])
def test_intervals_cover_what_was_planted(noise: Any) -> None:
    """95 % intervals hold the truth in 90 to 99 % of 200 noisy repeats, for each parameter."""
    inside = dict.fromkeys(TRUTH, 0)
    for seed in range(200):
        fit = twin.calibrate(Decay(), samples(seed), list(TRUTH), noise=noise)
        for name, value in TRUTH.items():
            low, high = fit.intervals[name]
            inside[name] += low <= value <= high
    shares = {name: count / 200 for name, count in inside.items()}
    assert all(0.90 <= share <= 0.99 for share in shares.values()), shares


@pytest.mark.slow
def test_false_alarms_are_rare() -> None:
    """On good data in 100 repeats of three runs, few fits call a sample or a run suspect."""
    alarms = 0
    for seed in range(100):
        runs = [twin.Run(f"r{k}", None, [twin.Series(n, t, v, "g/l") for n, (t, v) in samples(3 * seed + k).items()], "h")
                for k in range(3)]
        fit = twin.calibrate(Decay(), twin.Data(runs), list(TRUTH))
        alarms += any("contradicts" in s or "The sample of" in s or "labels" in s for s in fit.findings)
    assert alarms <= 5


def test_covariance_is_that_of_the_closed_form(decay: twin.Calibration) -> None:
    """Against the Jacobian of the closed form at the optimum."""
    k, y, c = (decay[n] for n in ("k", "y", "charge"))
    e = np.exp(-k * TIMES)
    da = np.stack([-c * TIMES * e, 0 * e, e], axis=1) / 0.05
    db = np.stack([y * c * TIMES * e, c * (1 - e), y * (1 - e)], axis=1) / 0.02
    jacobian = np.concatenate([da, db])
    assert np.allclose(decay.covariance, np.linalg.inv(jacobian.T @ jacobian), rtol=1e-4)


class Line(twin.DynamicModel):
    """Linear in both parameters."""

    x = twin.state("m", lower=-1e6, upper=1e6, nominal=1)
    v = twin.parameter(1.0, "m/s")
    start = twin.parameter(0.0, "m")

    def rhs(self, s: Any) -> Any:
        return {"x": self.v}

    def initial(self) -> Any:
        return {"x": self.start}


@pytest.mark.parametrize("noise", [{"x": 0.3}, "equal"], ids=["stated", "equal"])
def test_profile_is_the_quadratic_interval_where_the_model_is_linear(noise: Any) -> None:
    times = np.arange(1.0, 9.0)
    values = 2.0 + 0.5 * times + 0.3 * np.random.default_rng(4).standard_normal(8)
    fit = twin.calibrate(Line(), {"x": (times, values)}, ["v", "start"], noise=noise)
    slope, intercept = np.polyfit(times, values, 1)
    assert fit["v"] == pytest.approx(slope, rel=1e-6)
    assert fit["start"] == pytest.approx(intercept, rel=1e-6)
    for name in ("v", "start"):
        profile = fit.profile(name, points=21)
        assert profile.interval == pytest.approx(profile.quadratic, rel=1e-3)
        assert min(profile.objective) == pytest.approx(fit.objective)
        assert profile.table()["inside"].sum() == sum(profile.interval[0] <= v <= profile.interval[1] for v in profile.values)


def test_profile_shows_a_lopsided_interval() -> None:
    """With few early samples the rate constant is bounded from below only: the profile says so, the quadratic one cannot."""
    times = np.array([4.0, 6.0, 8.0])
    data = {n: (times, v) for n, (_, v) in samples(1, times=times).items()}
    fit = twin.calibrate(Decay(charge=3.0), data, [twin.Unknown("k", scale="linear"), "y"], noise={"a": 0.05, "b": 0.02})
    profile = fit.profile("k", points=31, reach=5)
    low, high = profile.interval
    assert fit["k"] - low < 0.9 * (high - fit["k"])


def test_scenarios_have_the_moments_of_the_posterior(decay: twin.Calibration) -> None:
    many = decay.scenarios(4000, seed=1)
    assert isinstance(many, twin.Scenarios)
    assert many.names == tuple(TRUTH)
    for name in ("y", "charge"):
        assert many.mean[name] == pytest.approx(decay[name], abs=0.1 * decay.standard_errors[name])
        assert np.std(many.parameters[name]) == pytest.approx(decay.standard_errors[name], rel=0.06)
    found = np.corrcoef(many.parameters["y"], many.parameters["charge"])[0, 1]
    assert found == pytest.approx(decay.correlation[1, 2], abs=0.05)
    assert np.all(many.parameters["k"] > 0)
    assert np.array_equal(many.parameters["k"], decay.scenarios(4000, seed=1).parameters["k"])


@settings(max_examples=6, deadline=None)
@given(factor=st.sampled_from([1e-3, 60.0, 1e3]), shift=st.integers(0, 5))
def test_units_of_the_data_do_not_change_the_answer(factor: float, shift: int) -> None:
    """The same samples in mg/l and minutes give the same parameters."""
    one = samples(shift)
    series = [twin.Series(n, t * 60, v * 1000, "mg/l") for n, (t, v) in one.items()]
    other = twin.calibrate(Decay(), twin.Data([twin.Run("r", None, series, "min")]), list(TRUTH))
    base = twin.calibrate(Decay(), one, list(TRUTH))
    for name in TRUTH:
        assert other[name] == pytest.approx(base[name], rel=1e-6)
        assert other.standard_errors[name] == pytest.approx(base.standard_errors[name], rel=1e-5)


class Scaled(twin.DynamicModel):
    """The decay with a rate constant in 1/s."""

    time_unit = "h"
    a = twin.state("g/l", lower=0, upper=100, nominal=1)
    b = twin.state("g/l", lower=0, upper=100, nominal=1)
    k = twin.parameter(1.5e-4, "1/s", bounds=(0, None), scale="log")
    y = twin.parameter(0.8, "g/g", bounds=(0, 1))
    charge = twin.parameter(2.0, "g/l", bounds=(0, None))

    def rhs(self, s: Any) -> Any:
        rate = 3600 * self.k * s.a
        return {"a": -rate, "b": self.y * rate}

    def initial(self) -> Any:
        return {"a": self.charge, "b": 0.0}


def test_the_unit_of_a_parameter_does_not_change_the_answer(decay: twin.Calibration) -> None:
    other = twin.calibrate(Scaled(), samples(0), list(TRUTH), noise={"a": 0.05, "b": 0.02})
    assert other.objective == pytest.approx(decay.objective, rel=1e-9)
    assert 3600 * other["k"] == pytest.approx(decay["k"], rel=1e-6)
    assert [3600 * v for v in other.intervals["k"]] == pytest.approx(decay.intervals["k"], rel=1e-5)


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(3)))
def test_the_order_of_runs_does_not_change_the_answer(order: list[int]) -> None:
    runs = [twin.Run(f"r{k}", None, [twin.Series(n, t, v, "g/l") for n, (t, v) in samples(k).items()], "h") for k in range(3)]
    unknowns = ["k", "y", twin.Unknown("charge", per_run=True)]
    one = twin.calibrate(Decay(), twin.Data(runs), unknowns)
    other = twin.calibrate(Decay(), twin.Data([runs[k] for k in order]), unknowns)
    assert other.objective == pytest.approx(one.objective, rel=1e-9)
    for name, value in one.parameters.items():
        assert other[name] == pytest.approx(value, rel=1e-6)


def test_several_starts_tell_how_many_agree() -> None:
    fit = twin.calibrate(Decay(), samples(2), {"k": 0.1, "y": 0.5, "charge": 1.0}, starts=6, seed=3)
    assert len(fit.starts) == 6
    assert fit.starts[0][0] <= fit.starts[-1][0]
    assert "6 of 6 starts ended at the best optimum." in fit.findings
    assert fit["k"] == pytest.approx(0.7, rel=0.1)


def test_limits_end_with_the_best_so_far() -> None:
    options: dict[str, Any] = {"noise": {"a": 0.05, "b": 0.02}, "method": "shooting"}
    start = {"k": 0.01, "y": 0.1, "charge": 30.0}
    short = twin.calibrate(Decay(), samples(0), start, max_iterations=2, throw=False, **options)
    assert short.status is twin.Status.ITERATION_LIMIT
    assert short.outcome.cost < short.outcome.history[0]
    with pytest.raises(twin.ConvergenceError, match=r"The iteration limit was reached.*Best so far: k = ") as error:
        twin.calibrate(Decay(), samples(0), start, max_iterations=2, **options)
    assert error.value.calibration.status is twin.Status.ITERATION_LIMIT  # type: ignore[attr-defined]
    late = twin.calibrate(Decay(), samples(0), start, max_seconds=0.0, throw=False, **options)
    assert late.status is twin.Status.TIME_LIMIT


@pytest.mark.parametrize("method", ["shooting", "multiple"])
def test_ctrl_c_returns_the_best_so_far(method: str) -> None:
    steps = 0

    def interrupt(step: int, cost: float) -> None:
        nonlocal steps
        steps += 1
        if steps == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # the signal comes while the fit computes

    assert threading.current_thread() is threading.main_thread()
    fit = twin.calibrate(Decay(), samples(0), {"k": 0.05, "y": 0.2, "charge": 9.0}, method=method, progress=interrupt)
    assert fit.status is twin.Status.STOPPED
    assert "stopped by the user" in fit.message
    assert np.isfinite(list(fit.parameters.values())).all()


def test_least_squares_agrees_with_scipy() -> None:
    """Rosenbrock's valley with and without active bounds, and a robust loss, against scipy.optimize.least_squares."""
    from scipy.optimize import least_squares

    def residuals(q: Any) -> Any:
        return np.array([10 * (q[1] - q[0] ** 2), 1 - q[0], 0.1 * q[0] * q[1]])

    def jacobian(q: Any) -> Any:
        return np.array([[-20 * q[0], 10.0], [-1.0, 0.0], [0.1 * q[1], 0.1 * q[0]]])

    for lower, upper in (([-5, -5], [5, 5]), ([-5, -5], [0.5, 5]), ([-5, 0.9], [5, 5]), ([-2, -2], [0.5, 0.1])):
        ours = fit_squares(lambda q: (residuals(q), jacobian(q)), [-1.2, 1.0], lower, upper, tolerance=1e-12)
        start = np.clip([-1.2, 1.0], np.array(lower) + 1e-3, np.array(upper) - 1e-3)
        theirs = least_squares(residuals, start, jacobian, (lower, upper), xtol=1e-14, ftol=1e-14, gtol=1e-12)
        assert ours.status
        assert ours.cost == pytest.approx(2 * theirs.cost, rel=1e-6)
        assert ours.q == pytest.approx(theirs.x, abs=1e-4)
    for kind in ("huber", "soft_l1"):
        ours = fit_squares(lambda q: (residuals(q), jacobian(q)), [-1.2, 1.0], [-5, -5], [5, 5], loss=Loss(kind, 0.7),
                           tolerance=1e-12)
        theirs = least_squares(residuals, [-1.2, 1.0], jacobian, loss=kind, f_scale=0.7, xtol=1e-14, ftol=1e-14, gtol=1e-12)
        assert ours.cost == pytest.approx(2 * theirs.cost, rel=1e-6)


def test_failed_trials_are_passed_over() -> None:
    """Steps into a region without numbers are shortened; the message tells how many."""

    def evaluate(q: Any) -> Any:
        return None if q[0] > 1.5 else (np.array([np.sqrt(1.5 - q[0]) - 0.2]), np.array([[-0.5 / np.sqrt(1.5 - q[0] + 1e-300)]]))

    found = fit_squares(evaluate, [-3.0], [-10.0], [10.0])
    assert found.status
    assert found.q[0] == pytest.approx(1.46, abs=1e-6)
    assert found.failures >= 1
    assert "could not be simulated and were passed over" in found.message


def test_programs_on_arrays_agree_with_plain_python() -> None:
    """Every program of a model, at many points at once."""
    from processes.bioreactor import Penicillin

    system = system_of(Penicillin())
    random = np.random.default_rng(0)
    for name in ("rhs", "outputs", "sensitivity", "output_sensitivity"):
        program = system.program(name)
        space: dict[str, Any] = {}
        exec(emit_python([program]), space)
        points = {a: random.uniform(0.5, 2.0, (program.size(a), 7)) for a in "xzudp"}
        found = on_arrays(program)(np.zeros(7), *(points[a] for a in "xzudp"), (7,))
        for k in range(7):
            out, work = [0.0] * program.size("out"), [0.0] * program.size("work")
            space[name](0.0, *([float(v) for v in points[a][:, k]] for a in "xzudp"), out, work)
            assert np.allclose(found[:, k], out, rtol=1e-12, atol=1e-300)


class Unstable(twin.DynamicModel):
    """Bock's test: the solution sin(p t) beside a mode that grows by e^20 along the run (Bock 1983, there with 60)."""

    y1 = twin.state("-", nominal=1)
    y2 = twin.state("-", nominal=3)
    p = twin.parameter(2.0, "-")

    def rhs(self, s: Any) -> Any:
        return {"y1": s.y2, "y2": 400 * s.y1 - (400 + self.p**2) * twin.jnp.sin(self.p * s.time)}

    def initial(self) -> Any:
        return {"y1": 0.0, "y2": np.pi}


def test_open_pieces_reach_what_one_unstable_run_does_not() -> None:
    times, random = np.linspace(0.1, 1, 10), np.random.default_rng(0)
    data = {"y1": (times, np.sin(np.pi * times) + 0.05 * random.standard_normal(10)),
            "y2": (times, np.pi * np.cos(np.pi * times) + 0.05 * random.standard_normal(10))}
    unknowns = ["p", "initial.y1", "initial.y2"]
    fit = twin.calibrate(Unstable(), data, unknowns, noise={"y1": 0.05, "y2": 0.05}, method="multiple")
    assert fit["p"] == pytest.approx(np.pi, abs=0.05)
    assert fit.stats["steps"] <= 20
    with pytest.raises(twin.ConvergenceError, match="The iteration limit was reached"):
        twin.calibrate(Unstable(), data, unknowns, noise={"y1": 0.05, "y2": 0.05}, method="shooting", max_iterations=30)


def test_a_misspelt_series_and_a_stored_model_are_told(tmp_path: Any) -> None:
    runs = [twin.Run("r", None, [twin.Series(n, *v, "g/l") for n, v in samples(0).items()]
                     + [twin.Series("yields", [1.0], [0.6], "-")], "h")]
    fit = twin.calibrate(Decay(), twin.Data(runs), ["k", "charge"])
    assert fit.findings[0] == "Series 'yields' (in all runs) is no signal of Decay and was not used."
    twin.save(tmp_path / "decay.twin", Decay())
    stored = twin.load(tmp_path / "decay.twin")
    with pytest.raises(twin.SpecError, match=r"is a stored model. Its parameters are fitted through its class"):
        twin.calibrate(stored, samples(0), ["k"])


@pytest.mark.parametrize(("change", "message"), [
    ({"unknowns": ["kk"]}, "Unknown unknown 'kk' of Decay"),
    ({"unknowns": ["k", "k"]}, "'k' is named twice"),
    ({"unknowns": [twin.Unknown("k", start=-1.0)]}, "The start of Decay.k is -1 1/h"),
    ({"unknowns": [twin.Unknown("y", bounds=(0.5, 0.5))]}, "Expected lower < upper"),
    ({"unknowns": [twin.Unknown("y", prior=(0.5, 0.0))]}, "Expected a positive deviation"),
    ({"unknowns": []}, "There is nothing to calibrate"),
    ({"noise": {"c": 1.0}}, "Unknown measured signal 'c'"),
    ({"noise": {"a": 0.0}}, "The noise of a is 0.0. Expected a positive standard deviation in g/l"),
    ({"noise": 3.0}, "noise is 3.0. Expected"),
    ({"loss": "hubr"}, "loss is 'hubr'. Expected one of squares, huber, soft_l1"),
    ({"method": "best"}, "method is 'best'"),
    ({"initial": "frist"}, "initial is 'frist'"),
    ({"signals": ["c"]}, "Unknown measured signal 'c' of Decay"),
    ({"confidence": 95}, "confidence is 95 -"),
])
def test_mistakes_are_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises(twin.SpecError, match=re.escape(message)):
        twin.calibrate(Decay(), samples(0), **{"unknowns": ["k"], **change})
