"""Bioreactor models against published operating points and independent computations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import twin
from processes.bioreactor import (
    AnaerobicDigester,
    Chemostat,
    ChoFedBatch,
    EColi,
    EthanolFedBatch,
    LeeRamirez,
    Lysine,
    ParkRamirez,
    YeastOverflow,
)


def independent(rhs: Any, start: list[float], end: float) -> np.ndarray:
    """End point by scipy's Radau at 1e-10."""
    return solve_ivp(rhs, (0, end), start, method="Radau", rtol=1e-10, atol=1e-12).y[:, -1]


def test_chemostat_best_dilution_and_washout() -> None:
    """Monod, 10 g/l fed: D* = 0.450248 1/h, S 0.904988, X 4.547506, D X 2.047506; washout at 0.495050 1/h."""
    model, feed = Chemostat.monod(), {"substrate_in": 10.0}
    best = 0.5 * (1 - np.sqrt(0.1 / 10.1))
    assert best == pytest.approx(0.450248, abs=5e-7)
    point = twin.steady(model, {"dilution": best, **feed}).stable[0]
    for name, value in {"substrate": 0.904988, "biomass": 4.547506, "productivity": 2.047506}.items():
        assert point[name] == pytest.approx(value, abs=1e-6), name
    grows = {d: max(p["biomass"] for p in twin.steady(model, {"dilution": d, **feed}).stable) for d in (0.495, 0.4951)}
    assert grows[0.495] > 4e-3
    assert grows[0.4951] == pytest.approx(0.0, abs=1e-9)


def test_inhibited_chemostat_has_three_steady_states() -> None:
    """Bequette, D = 0.3: S 0.174593 (X 1.530163, stable), 1.512243 (X 0.995103, unstable), and washout."""
    points = sorted(twin.steady(Chemostat.bequette(), {"dilution": 0.3}), key=lambda p: p["substrate"])
    assert [p.stable for p in points] == [True, False, True]
    found = [(p["substrate"], p["biomass"]) for p in points]
    assert np.allclose(found, [(0.174593, 1.530163), (1.512243, 0.995103), (4.0, 0.0)], atol=1e-6)


def test_park_ramirez_against_scipy() -> None:
    """Statement P12 of the literature, constant feed 0.5 l/h; rtol 1e-9 on both sides gives seven digits."""
    def rhs(t: float, x: np.ndarray) -> list[float]:
        g3 = 21.87 * x[3] / ((x[3] + 0.4) * (x[3] + 62.5))
        g2, g1, u = x[3] * np.exp(-5 * x[3]) / (0.1 + x[3]), 4.75 * g3 / (0.12 + g3), 0.5
        return [g1 * (x[1] - x[0]) - u * x[0] / x[4], g2 * x[2] - u * x[1] / x[4], g3 * x[2] - u * x[2] / x[4],
                -7.3 * g3 * x[2] + u * (20 - x[3]) / x[4], u]

    expected = independent(rhs, [0, 0, 1, 5, 1], 15)
    final = twin.simulate(ParkRamirez(), rtol=1e-9).final
    found = [final[n] for n in ("secreted", "protein", "biomass", "glucose", "volume")]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("model", "d_0", "curve", "g", "r"), [
    (LeeRamirez.original(), 14.35, 111.5, 1.0, 0.233), (LeeRamirez.tholudur_ramirez(), 0.108, 14814.8, 0.407, 0.095)])
def test_lee_ramirez_against_scipy(model: LeeRamirez, d_0: float, curve: float, g: float, r: float) -> None:
    """Statements P10 and P11 of the literature, both feeds at 0.1 l/h from the start."""
    def rhs(t: float, x: np.ndarray) -> list[float]:
        u1 = u2 = 0.1
        q, d = (u1 + u2) / x[0], d_0 + x[2] * (1 + x[2] / curve)
        g1 = g * x[2] / d * (x[5] + 0.22 * x[6] / (0.22 + x[4]))
        rf, k = r * x[2] / d * (0.0005 + x[4]) / (0.022 + x[4]), 0.09 * x[4] / (0.034 + x[4])
        return [u1 + u2, (g1 - q) * x[1], 100 * u1 / x[0] - q * x[2] - g1 * x[1] / 0.51, rf * x[1] - q * x[3],
                4 * u2 / x[0] - q * x[4], -k * x[5], k * (1 - x[6])]

    expected = independent(rhs, [1, 0.1, 40, 0, 0, 1, 0], 10)
    final = twin.simulate(model, {"feed_nutrient": 0.1, "feed_inducer": 0.1}, duration=10, rtol=1e-9).final
    names = ("volume", "biomass", "nutrient", "protein", "inducer", "shock", "recovery")
    assert [final[n] for n in names] == pytest.approx(expected, rel=1e-6)


def test_lee_ramirez_needs_its_parameter_set_named() -> None:
    with pytest.raises(twin.SpecError, match=r"mu_max has no value.*two constructors"):
        LeeRamirez()


def test_ethanol_against_scipy() -> None:
    """Statement P13 of the literature, constant feed 3.5 l/h for 54 h."""
    def rhs(t: float, x: np.ndarray) -> list[float]:
        g1, g2 = 0.408 / (1 + x[2] / 16) * x[1] / (0.22 + x[1]), 1 / (1 + x[2] / 71.5) * x[1] / (0.44 + x[1])
        return [g1 * x[0] - 3.5 * x[0] / x[3], -10 * g1 * x[0] + 3.5 * (150 - x[1]) / x[3], g2 * x[0] - 3.5 * x[2] / x[3], 3.5]

    expected = independent(rhs, [1, 150, 0, 10], 54)
    final = twin.simulate(EthanolFedBatch(), rtol=1e-9).final
    assert [final[n] for n in ("biomass", "glucose", "ethanol", "volume")] == pytest.approx(expected, rel=1e-6)


CHO = {96: (23.816, 1.590, 19.906, 3.093, 1.866e9), 144: (9.123, 0.0572, 37.978, 3.436, 2.785e9),
       192: (0, 0, 49.2, 2.666, 2.519e9)}


def test_cho_batch() -> None:
    """Batch of 40 mM glucose and 6 mM glutamine, computed independently: half of the last digit given."""
    run = twin.simulate(ChoFedBatch(), times=[0, *CHO], rtol=1e-8)
    half = {"glucose": 5e-4, "glutamine": 5e-4, "lactate": 5e-4, "ammonia": 5e-4, "cells": 5e5}
    for k, row in enumerate(CHO.values(), start=1):
        for name, value in zip(half, row, strict=True):
            digits = {0.0572: 5e-5, 49.2: 0.05}.get(value, half[name])
            assert run[name][k] == pytest.approx(value, abs=1.01 * digits), (name, k)


def test_yeast_critical_growth_rate() -> None:
    """Saturated with oxygen (7 mg/l): q_crit 0.654749 1/h at 0.140833 g/l glucose, mu_crit 0.383028 1/h.

    The kink is rounded by a relative 1e-5: twice that is the tolerance.
    """
    model = YeastOverflow()
    capacity = model.respiratory_capacity(0.007) / model.o_glucose
    assert capacity == pytest.approx(0.654749, abs=6e-7)
    glucose = model.k_glucose * capacity / (model.q_glucose_max - capacity)
    assert glucose == pytest.approx(0.140833, abs=6e-7)
    s = {"glucose": glucose, "ethanol": 0.0, "oxygen": 0.007}
    growth, *_ = model.rates(model.values(0.0, state=np.zeros(5))._with(s))
    assert float(growth) == pytest.approx(0.383028, rel=2e-5)


@pytest.mark.parametrize(("dilution", "biomass", "glucose", "ethanol"), [
    (0.25, 17.5002, 0.0851, 0.0), (0.40, 11.9725, 0.2428, 4.9366), (0.43, 7.9538, 0.5119, 8.4435)])
def test_yeast_chemostat(dilution: float, biomass: float, glucose: float, ethanol: float) -> None:
    """30 g/l fed, oxygen held at 7 mg/l by a very great kLa; 400 h. Half of the last digit given."""
    model = YeastOverflow(oxygen_saturation=0.007)
    flow = {"feed": 10 * dilution, "harvest": 10 * dilution, "kla": 1e7}
    final = twin.simulate(model, flow, duration=400, rtol=1e-8, check_limits=False,
                          initial={"biomass": 10.0, "oxygen": 0.007}).final
    assert final["biomass"] == pytest.approx(biomass, abs=1e-4)
    assert final["glucose"] == pytest.approx(glucose, abs=6e-5)
    assert final["ethanol"] == pytest.approx(ethanol, abs=1e-4)


def test_steady_names_the_volume_that_keeps_it_from_a_steady_state() -> None:
    """A vessel with feed and harvest has a volume without a steady value of its own."""
    with pytest.raises(twin.ConvergenceError, match=r"The rate of volume depends on no state.*simulate until the others rest"):
        twin.steady(YeastOverflow(), starts=2)


def test_digester_operating_point() -> None:
    """AM2 at D = 0.34 1/day, computed independently: half of the last digit given."""
    points = [p for p in twin.steady(AnaerobicDigester()).stable if p["methanogens"] > 0.1 and p["acidogens"] > 0.1]
    expected = {"acidogens": (0.395261, 6e-7), "methanogens": (0.849606, 6e-7), "organics": (1.171845, 6e-7),
                "acids": (2.776702, 6e-7), "carbon": (71.42226, 6e-6), "methane": (65.4282, 6e-5), "co2": (50.3337, 6e-5),
                "ph": (7.0013, 6e-5)}
    assert len(points) == 1
    for name, (value, half) in expected.items():
        assert points[0][name] == pytest.approx(value, abs=half), name


def test_lysine_best_productivity() -> None:
    """D* = 0.116493 1/h: S 0.931946, X 0.252187, P 22.5119, productivity 2.62248 g/(l h); neighbors are worse."""
    def at(dilution: float) -> Any:
        return max(twin.steady(Lysine(), {"dilution": dilution}).stable, key=lambda p: p["biomass"])

    best = at(0.116493)
    for name, value in {"substrate": 0.931946, "biomass": 0.252187, "lysine": 22.5119, "productivity": 2.62248}.items():
        assert best[name] == pytest.approx(value, rel=3e-6), name
    assert best["productivity"] > max(at(0.115)["productivity"], at(0.118)["productivity"])


def test_e_coli_documented_run_is_a_sound_one() -> None:
    """The recipe keeps oxygen above 20 % of saturation while it feeds, and reoxidizes its acetate."""
    run = twin.simulate(EColi(), rtol=1e-7)
    fed = run.times > run.events[-1].time + 0.5
    assert run["oxygen_percent"][fed].min() > 20
    assert run["acetate"][-1] < 0.05
    assert not run.excursions


def test_e_coli_meets_the_oxygen_bottleneck() -> None:
    """Fed beyond what the stirrer can supply: oxygen falls below 2 %, acetate gathers; more power cures it."""
    def fed(power: float, rtol: float = 1e-6) -> Any:
        held = {"feed": 0.15, "power": power, "gas_velocity": 0.02, "temperature": 37.0, "ph": 7.0}
        start = {"biomass": 20.0, "glucose": 0.05, "acetate": 0.0, "oxygen": 0.1}
        return twin.simulate(EColi(), held, duration=10, initial=start, rtol=rtol)

    weak, strong = fed(2000.0), fed(12000.0)
    assert weak["oxygen_percent"].min() < 2
    assert weak["acetate"][-1] > 5
    assert strong["acetate"][-1] < weak["acetate"][-1]
    assert weak["oxygen_uptake"][1:].max() <= weak["kla"][0] * 0.21
    # with the pole of Monod kinetics below zero oxygen, the default tolerance ended without any acetate here
    assert weak["acetate"][-1] == pytest.approx(fed(2000.0, 1e-8)["acetate"][-1], rel=1e-5)


def test_e_coli_growth_follows_temperature_and_ph() -> None:
    """Specific growth in excess of glucose and oxygen, without oxygen limits, scales with both cardinal models."""
    def growth(temperature: float, ph: float) -> float:
        held = {"feed": 0.0, "power": 5000.0, "gas_velocity": 0.02, "temperature": temperature, "ph": ph}
        return float(twin.simulate(EColi(), held, duration=0.01)["growth"][0])

    from processes.bioreactor.kinetics import cardinal_ph, cardinal_temperature

    base = growth(37.0, 7.0)
    assert growth(30.0, 7.0) / base == pytest.approx(
        cardinal_temperature(30.0, 4.9, 41.3, 47.5) / cardinal_temperature(37.0, 4.9, 41.3, 47.5), rel=1e-6)
    assert growth(37.0, 6.0) / base == pytest.approx(cardinal_ph(6.0, 4.4, 7.0, 9.0), rel=1e-6)
