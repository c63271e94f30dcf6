"""calibrate: residuals and their derivatives, the two laboratory data sets, intervals, what is told about bad data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import twin
from twin.calibration.experiments import experiments_of
from twin.calibration.residuals import Residuals


class GasOil(twin.DynamicModel):
    """Catalytic cracking of gas oil to gasoline and by-products, lumped (Tjoa and Biegler 1991; COPS 3, problem gasoil)."""

    time_unit = "h"
    oil = twin.state("-", lower=0, upper=1, nominal=1, doc="gas oil, fraction")
    gasoline = twin.state("-", lower=0, upper=1, nominal=0.3, doc="gasoline, fraction")
    cracking = twin.parameter(10.0, "1/h", bounds=(0, None), doc="oil to gasoline, second order")
    loss = twin.parameter(10.0, "1/h", bounds=(0, None), doc="gasoline to by-products")
    direct = twin.parameter(1.0, "1/h", bounds=(0, None), doc="oil to by-products, second order")

    def rhs(self, s: Any) -> Any:
        square = s.oil * s.oil
        return {"oil": -(self.cracking + self.direct) * square, "gasoline": self.cracking * square - self.loss * s.gasoline}

    def initial(self) -> Any:
        return {"oil": 1.0, "gasoline": 0.0}


TIMES = [0, .025, .05, .075, .1, .125, .15, .175, .2, .225, .25, .3, .35, .4, .45, .5, .55, .65, .75, .85, .95]
OIL = [1, .8105, .6208, .5258, .4345, .3903, .3342, .3034, .2735, .2405, .2283, .2071, .1669, .153, .1339, .1265, .12, .099,
       .087, .077, .069]
GASOLINE = [0, .2, .2886, .301, .3215, .3123, .2716, .2551, .2258, .1959, .1789, .1457, .1198, .0909, .0719, .0561, .046, .028,
            .019, .014, .01]
DATA = {"oil": (TIMES, OIL), "gasoline": (TIMES, GASOLINE)}


@pytest.fixture(scope="module")
def gas_oil() -> twin.Calibration:
    return twin.calibrate(GasOil(), DATA, noise="equal")


def test_gas_oil_reaches_the_published_optimum(gas_oil: twin.Calibration) -> None:
    """5.2366e-3 (COPSBenchmark.jl, test/runtests.jl); rate constants 11.847, 8.345, 1.001 as the literature has them."""
    assert gas_oil.status
    assert gas_oil.objective == pytest.approx(5.2366e-3, rel=1e-5)
    assert [gas_oil[n] for n in ("cracking", "loss", "direct")] == pytest.approx([11.8467, 8.3445, 1.0014], rel=1e-4)
    for name, value in gas_oil.parameters.items():
        low, high = gas_oil.intervals[name]
        assert low < value < high
    assert gas_oil.model.cracking == gas_oil["cracking"]


def test_derivatives_agree_with_differences() -> None:
    """Parameters, an initial state and an input bias; states and outputs; through an output that reads parameters."""
    model, data = Heater(), heater_data()
    experiments = experiments_of(model, data)
    unknowns = [("loss", None), ("gain", None), ("initial.water", "a"), ("initial.water", "b"), ("bias.power", None),
                ("offset", None), ("start", None)]
    engine = Residuals(model, experiments, unknowns, rtol=1e-10)
    at = np.array([0.2, 1.5, 21.0, 24.0, 0.1, 0.5, 20.0])
    found = engine.evaluate(at)
    assert not found.failed
    for k in range(len(at)):
        h = 1e-5 * max(abs(at[k]), 1.0)
        up, down = at.copy(), at.copy()
        up[k], down[k] = at[k] + h, at[k] - h
        slope = (engine.evaluate(up, False).values - engine.evaluate(down, False).values) / (2 * h)
        assert np.abs(found.jacobian[:, k] - slope).max() < 1e-6 * max(1.0, np.abs(slope).max())


class Heater(twin.DynamicModel):
    """Water and its wall, heated; the reading of the wall has an offset."""

    time_unit = "min"
    water = twin.state("K", lower=-100, upper=500, nominal=20)
    wall = twin.state("K", lower=-100, upper=500, nominal=20)
    power = twin.input("kW", lower=0, upper=10, nominal=1)
    reading = twin.output("K")
    loss = twin.parameter(0.1, "1/min", bounds=(0, None))
    gain = twin.parameter(1.0, "K/(kW min)", bounds=(0, None))
    offset = twin.parameter(0.0, "K")
    start = twin.parameter(20.0, "K")

    def rhs(self, s: Any) -> Any:
        flow = self.loss * (s.water - s.wall)
        return {"water": self.gain * s.power - flow, "wall": 2 * flow - 0.05 * (s.wall - 15.0)}

    def outputs(self, s: Any) -> Any:
        return {"reading": s.wall + self.offset + 0.01 * self.gain * s.power}

    def initial(self) -> Any:
        return {"water": 20.0, "wall": self.start}


def heater_data() -> twin.Data:
    runs = []
    for name, level in (("a", 2.0), ("b", 4.0)):
        power = twin.Series("power", [0.0, 5.0, 10.0], [level, 0.0, 1.0], "kW")
        water = twin.Series("water", [1.0, 4.0, 9.0, 15.0], [22.0, 27.0, 26.0, 26.0], "K")
        reading = twin.Series("reading", [0.5, 4.0, 12.0], [20.0, 21.0, 22.0], "K")
        runs.append(twin.Run(name, None, [power, water, reading], "min"))
    return twin.Data(runs)


def planted(noise: float = 0.0, seed: int = 0, **unknown: float) -> twin.Data:
    """Runs of the heater with other parameters, sampled irregularly; `noise` in K."""
    random = np.random.default_rng(seed)
    runs = []
    for name, level, times in (("a", 2.0, [1.0, 2.5, 4.0, 9.0, 15.0, 22.0]), ("b", 4.0, [0.5, 3.0, 5.0, 8.0, 14.0]),
                               ("c", 1.0, [2.0, 6.0, 7.0, 12.0, 20.0])):
        power = twin.Series("power", [0.0, 5.0, 10.0], [level, 0.0, 1.0], "kW")
        run = twin.simulate(Heater(**{"loss": 0.2, "gain": 1.4, "offset": 0.5, **unknown}), twin.Run(name, None, [power], "min"),
                            times=times, rtol=1e-10)
        values = {n: run[n] + noise * random.standard_normal(len(times)) for n in ("water", "reading")}
        runs.append(twin.Run(name, None, [power, *(twin.Series(n, times, v, "K") for n, v in values.items())], "min"))
    return twin.Data(runs)


@pytest.mark.parametrize("method", ["shooting", "multiple"])
def test_both_methods_find_what_was_planted(method: str) -> None:
    """States and outputs of three runs with own times; parameters, one initial state for all, a bias for each run."""
    unknowns = ["loss", "gain", "offset", twin.Unknown("initial.wall", start=18.0, per_run=False), "bias.power"]
    data = planted(start=21.0)
    fit = twin.calibrate(Heater(), data, unknowns, noise={"water": 0.1, "reading": 0.1}, method=method, rtol=1e-9)
    assert fit.status
    assert [fit[n] for n in ("loss", "gain", "offset", "initial.wall")] == pytest.approx([0.2, 1.4, 0.5, 21.0], abs=1e-4)
    assert [fit[f"bias.power@{run}"] for run in "abc"] == pytest.approx([0.0] * 3, abs=1e-4)


def test_both_methods_agree_on_noisy_data() -> None:
    """The same optimum, covariance and deviations, estimated by signal."""
    data = planted(noise=0.2)
    one, other = (twin.calibrate(Heater(), data, ["loss", "gain", "offset"], method=m, rtol=1e-9)
                  for m in ("shooting", "multiple"))
    for name, value in one.parameters.items():
        assert other[name] == pytest.approx(value, rel=1e-4)
    assert np.allclose(one.covariance, other.covariance, rtol=1e-2)
    assert list(one.noise.values()) == pytest.approx(list(other.noise.values()), rel=1e-3)


def changed(data: twin.Data, run: str, name: str, change: Any) -> twin.Data:
    """The data with one series of one run changed."""
    return twin.Data(dataclasses.replace(r, series=[
        dataclasses.replace(s, values=change(s.values.copy())) if (r.name, s.name) == (run, name) else s for s in r.series])
        for r in data)


UNKNOWNS = ("loss", "gain", "offset")
STATED = {"water": 0.2, "reading": 0.2}


def told(fit: twin.Calibration) -> str:
    return "\n".join(fit.findings)


@pytest.fixture(scope="module")
def noisy() -> twin.Data:
    return planted(noise=0.2, seed=1)


def test_good_data_give_no_cause_to_worry(noisy: twin.Data) -> None:
    fit = twin.calibrate(Heater(), noisy, UNKNOWNS, noise=STATED)
    assert (fit.findings, fit.outliers, fit.at_bound) == ((), (), ())
    assert 0.3 < fit.reduced < 2.0
    for name, value in (("loss", 0.2), ("gain", 1.4), ("offset", 0.5)):
        low, high = fit.intervals[name]
        assert low < value < high


@pytest.mark.parametrize("noise", [STATED, None], ids=["stated", "estimated"])
@pytest.mark.parametrize(("factor", "words"), [(1000.0, "a factor 1000, as between g and mg"),
                                               (0.1, "a factor 10, as by a shifted decimal point")])
def test_a_sample_in_the_wrong_unit_is_found_and_named(noisy: twin.Data, factor: float, words: str, noise: Any) -> None:
    """With the suspected factor, what the fit would be without it, and a fit that leaves it out on request."""
    spoiled = changed(noisy, "a", "water", lambda v: np.where(np.arange(len(v)) == 2, factor * v, v))
    fit = twin.calibrate(Heater(), spoiled, UNKNOWNS, noise=noise)
    assert fit.outliers == (("a", "water", 4.0),)
    assert "The sample of water at 4 min in run 'a'" in told(fit)
    assert words in told(fit)
    assert "Without it the fit gives" in told(fit)
    clean = twin.calibrate(Heater(), spoiled, UNKNOWNS, noise=noise, exclude=fit.outliers)
    assert clean.outliers == ()
    assert [clean[n] for n in UNKNOWNS] == pytest.approx([0.2, 1.4, 0.5], rel=0.2)


def test_robust_loss_withstands_a_wild_sample(noisy: twin.Data) -> None:
    spoiled = changed(noisy, "a", "water", lambda v: np.where(np.arange(len(v)) == 2, 1000 * v, v))
    for loss in ("huber", "soft_l1"):
        fit = twin.calibrate(Heater(), spoiled, UNKNOWNS, noise=STATED, loss=loss)
        assert fit.status
        assert [fit[n] for n in UNKNOWNS] == pytest.approx([0.2, 1.4, 0.5], rel=0.25)


@pytest.mark.parametrize("noise", [STATED, None], ids=["stated", "estimated"])
def test_swapped_labels_are_suspected(noisy: twin.Data, noise: Any) -> None:
    """The laboratory wrote the samples of one batch under the name of another."""
    a, b, c = noisy
    swap = lambda r, other: dataclasses.replace(r, series=[r["power"], other["water"], other["reading"]])  # noqa: E731
    fit = twin.calibrate(Heater(), twin.Data([swap(a, b), swap(b, a), c]), UNKNOWNS, noise=noise)
    assert "The samples of run 'a' fit to the conditions of run 'b' and those of 'b' to 'a'" in told(fit)
    assert "are the two labels swapped?" in told(fit)


@pytest.mark.parametrize("noise", [STATED, None], ids=["stated", "estimated"])
def test_a_run_that_contradicts_the_others_is_named(noisy: twin.Data, noise: Any) -> None:
    """Run c comes from a plant with a stronger heater."""
    other = planted(noise=0.2, seed=2, gain=2.5)["c"]
    fit = twin.calibrate(Heater(), twin.Data([noisy[0], noisy[1], other]), UNKNOWNS, noise=noise)
    assert "Run 'c' contradicts the others" in told(fit)
    assert "Run 'a'" not in told(fit)
    own = twin.calibrate(Heater(), twin.Data([noisy[0], noisy[1], other]),
                         ["loss", twin.Unknown("gain", per_run=True), "offset"], noise=noise)
    assert own["gain@c"] == pytest.approx(2.5, rel=0.1)
    assert "contradicts" not in told(own)


def test_too_few_data_are_told(noisy: twin.Data) -> None:
    two = twin.Series("water", [4.0, 8.0], [25.0, 26.0], "K")
    few = twin.Data([dataclasses.replace(noisy[0], series=[noisy[0]["power"], two])])
    fit = twin.calibrate(Heater(), few, ["loss", "gain", "offset", "start"], noise={"water": 0.1})
    assert "2 samples cannot fix 4 unknowns" in told(fit)
    assert "The data fix offset not at all" in told(fit)
    assert fit.intervals["offset"] == (-np.inf, np.inf)
    with pytest.raises(twin.SpecError, match=r"The data do not fix .*offset.*: there is no distribution"):
        fit.scenarios()


def test_a_bound_is_told_and_a_start_at_it_does_no_harm() -> None:
    data = planted(noise=0.1, seed=3)
    tight = twin.Unknown("gain", start=0, bounds=(0, 1.0))
    fit = twin.calibrate(Heater(), data, [twin.Unknown("loss", start=0.0), tight, "offset"], noise=STATED)
    assert fit.status
    assert fit.at_bound == ("gain",)
    assert "gain is held by its upper bound 1 K/(kW min)" in told(fit)
    assert np.isnan(fit.intervals["gain"]).all()
    free = twin.calibrate(Heater(), data, {"loss": 0.0, "gain": 0.0, "offset": 0.0}, noise=STATED)
    assert free["gain"] == pytest.approx(1.4, rel=0.05)


class Pair(twin.DynamicModel):
    """Decay in which only the product of two parameters counts; the product of decay sees them apart."""

    time_unit = "h"
    x = twin.state("g/l", lower=0, upper=10, nominal=1)
    y = twin.state("g/l", lower=0, upper=10, nominal=1)
    feed = twin.input("g/(l h)", lower=0, upper=5)
    one = twin.parameter(0.5, "1/h", bounds=(0, None), scale="log")
    two = twin.parameter(0.5, "-", bounds=(0, None), scale="log")

    def rhs(self, s: Any) -> Any:
        return {"x": s.feed - self.one * self.two * s.x, "y": self.one**2 * self.two * s.x - 0.3 * s.y}

    def initial(self) -> Any:
        return {"x": 2.0, "y": 0.0}


PAIR_TIMES = np.linspace(0.5, 10, 12)


@pytest.fixture(scope="module")
def pair_data() -> dict[str, Any]:
    run = twin.simulate(Pair(), {"feed": 0.1}, times=PAIR_TIMES)
    random = np.random.default_rng(0)
    return {n: (PAIR_TIMES, run[n] + 0.02 * random.standard_normal(12)) for n in ("x", "y")}


def test_an_unidentifiable_pair_is_named_with_what_would_help(pair_data: dict[str, Any]) -> None:
    """Only their product is fixed by x; y would tell them apart, as the sentence says and the second fit shows."""
    options: dict[str, Any] = {"inputs": {"feed": 0.1}, "noise": {"x": 0.02}}
    fit = twin.calibrate(Pair(), {"x": pair_data["x"]}, ["one", twin.Unknown("two", start=0)], **options)
    text = told(fit)
    assert "one and two cannot be told apart" in text or "two and one cannot be told apart" in text
    assert "their product is what the data fix" in text
    assert "Samples of y at the same times" in text
    assert "feed moves" in text
    assert "two started at 0 -, which has no logarithm" in text
    assert fit["one"] * fit["two"] == pytest.approx(0.25, rel=0.05)
    assert fit.intervals["one"] == (0.0, np.inf)
    both = twin.calibrate(Pair(), pair_data, ["one", "two"], inputs={"feed": 0.1}, noise={"x": 0.02, "y": 0.02})
    assert "told apart" not in told(both)
    assert both["one"] == pytest.approx(0.5, rel=0.05)


def test_a_prior_makes_up_for_what_the_data_do_not_tell(pair_data: dict[str, Any]) -> None:
    fit = twin.calibrate(Pair(), {"x": pair_data["x"]}, ["one", twin.Unknown("two", prior=(0.5, "10 %"))],
                         inputs={"feed": 0.1}, noise={"x": 0.02})
    assert fit["two"] == pytest.approx(0.5, rel=1e-3)
    assert fit.standard_errors["two"] == pytest.approx(0.05, rel=1e-2)
    assert "correlated by -0.99" in told(fit)


class Runaway(twin.DynamicModel):
    """Growth that reaches infinity in finite time."""

    x = twin.state("-", nominal=1)
    k = twin.parameter(0.5, "1/s", bounds=(0, None))
    c = twin.parameter(0.1, "1/s", bounds=(0, None))

    def rhs(self, s: Any) -> Any:
        return {"x": self.k * s.x * s.x - self.c * s.x}

    def initial(self) -> Any:
        return {"x": 1.0}


def runaway(name: str, start: float, end: float) -> twin.Run:
    times = np.linspace(end / 8, end, 8)
    run = twin.simulate(Runaway(), twin.Recipe.constant(), initial={"x": start}, times=times)
    values = run["x"] * (1 + 0.01 * np.random.default_rng(3).standard_normal(8))
    return twin.Run(name, None, [twin.Series("x", times, values, "-")], "s")


def test_a_fit_goes_on_where_simulations_diverge() -> None:
    """From the first guess both runs explode. Open pieces get there; single shooting says what it cannot do."""
    data = twin.Data([runaway("slow", 1.0, 1.8), runaway("fast", 3.0, 0.6)])
    options: dict[str, Any] = {"initial": {"slow": {"x": 1.0}, "fast": {"x": 3.0}}, "noise": {"x": "1 %"}}
    fit = twin.calibrate(Runaway(), data, {"k": 5.0, "c": 0.1}, **options)
    assert fit.method == "multiple"
    assert fit["k"] == pytest.approx(0.5, rel=0.02)
    with pytest.raises(twin.ConvergenceError, match="cannot be simulated at the start of the fit, nor at 20 others"):
        twin.calibrate(Runaway(), data, {"k": 5.0, "c": 0.1}, method="shooting", **options)


def test_a_run_that_cannot_be_simulated_is_left_out_and_named() -> None:
    data = twin.Data([runaway("slow", 1.0, 1.8), runaway("fast", 3.0, 0.6)])
    wrong = {"slow": {"x": 1.0}, "fast": {"x": 30.0}}  # the start of one run was mistyped
    fit = twin.calibrate(Runaway(), data, {"k": 0.4, "c": 0.1}, initial=wrong, noise={"x": "1 %"}, method="shooting")
    assert "Run 'fast' could not be simulated and was left out: The step size became too small." in told(fit)
    assert fit["k"] == pytest.approx(0.5, rel=0.1)
