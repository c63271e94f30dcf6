"""calibrate: residuals and their derivatives, the two laboratory data sets, intervals, what is told about bad data."""

from __future__ import annotations

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
