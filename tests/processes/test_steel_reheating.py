"""Reheating furnace: conduction against the parabola, enthalpy, heat and fuel balances."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import twin
from processes.steel import ReheatingFurnace, zone_fuel
from twin.testing import check_model


class ConstantFlux(twin.Module):
    """60 kW/m2 into a face, whatever its temperature."""

    def __call__(self, zone: Any, face: Any, emissivity: Any) -> Any:
        return 60e3 + 0.0 * (zone + face + emissivity)


@pytest.fixture(scope="module")
def furnace() -> tuple[ReheatingFurnace, Any]:
    """The reference furnace and its run."""
    model = ReheatingFurnace()
    return model, twin.simulate(model, every=1.0)


def test_constant_flux_gives_the_parabola() -> None:
    """Both faces at 60 kW/m2, 220 mm, 30 W/(m K): surface minus center q L / (2 k) = 110 K, to 0.5 % (Carslaw and Jaeger)."""
    model = ReheatingFurnace(slabs=1, cells=40, thickness=(0.22,), charged=(20.0,), share=(1.0,), lower_face=1.0, k_cold=30.0,
                             k_hot=30.0, c_slope=0.0, c_peak=0.0).with_term("face_flux", ConstantFlux())
    run = twin.simulate(model, duration=60)
    assert run.final["top_temperature"][0] - run.final["core_temperature"][0] == pytest.approx(110.0, rel=0.005)


def test_enthalpy_of_steel() -> None:
    """About 802 kJ/kg from 20 to 1200 degC (223 kWh/t), and the derivative is the heat capacity."""
    model = ReheatingFurnace()
    assert float(model.enthalpy(1200.0)) == pytest.approx(802e3, rel=1e-3)
    with jax.enable_x64(True):
        for t in (100.0, 740.0, 1100.0):
            slope = (float(model.enthalpy(t + 0.01)) - float(model.enthalpy(t - 0.01))) / 0.02
            assert slope == pytest.approx(float(model.capacity(t)), rel=1e-6)


def test_reference_furnace(furnace: Any) -> None:
    """Discharged near 1200 degC with a spread below 60 K; 1.1 to 1.5 GJ/t at 55 to 70 % efficiency [textbook]."""
    model, run = furnace
    assert np.all(np.abs(run.final["mean_temperature"] - np.array([1206.0, 1177.0])) < 3)
    found = zone_fuel(model, run.times, run["uptake"])
    assert 1.1 < found["specific"] < 1.5
    assert 0.55 < found["efficiency"] < 0.70
    assert found["tonnes"] == pytest.approx(200.0)
    assert np.all(found["fuel"] > 0)


def test_fuel_balance_closes(furnace: Any) -> None:
    """Heat of fuel and air = slabs + walls + flue gas, over the whole furnace, to 1e-12; the zones share no gas by mistake."""
    model, run = furnace
    found = zone_fuel(model, run.times, run["uptake"])
    burnt = found["fuel"].sum()
    into = burnt * (model.heating_value + model.air_ratio * model.c_air * (model.air_temperature - 20.0))
    flue = burnt * (1 + model.air_ratio) * model.c_flue * (found["flue"] - 20.0)
    slabs = run.final["uptake"] * found["tonnes"]
    assert into == pytest.approx(flue + slabs + 3600.0 * np.sum(model.wall_loss), rel=1e-12)


def test_members_of_an_ensemble_have_their_own_fuel() -> None:
    """Zone 3 hotter by 40 K: more fuel, less at the end; the same as one by one."""
    model = ReheatingFurnace()
    hot = np.array([1230.0, 1270.0])
    many = twin.simulate_many(model, parameters={"zone_temperature[2]": hot}, every=2.0)
    points = np.array([[950.0, 1150.0, h, 1240.0] for h in hot])
    found = zone_fuel(model, many.times, many["uptake"], zone_temperature=points)
    alone = ReheatingFurnace(zone_temperature=tuple(points[0]))
    run = twin.simulate(alone, every=2.0)
    assert found["specific"][0] == pytest.approx(zone_fuel(alone, run.times, run["uptake"])["specific"], rel=1e-6)
    assert found["specific"][1] > found["specific"][0]


def test_conformance() -> None:
    """The kit has no complaint, heat balance included."""
    assert check_model(ReheatingFurnace(cells=6, zones=2, zone_temperature=(1000.0, 1250.0), zone_end=(0.5, 1.0),
                                        emission=(0.6, 0.6), wall_loss=(1.0, 1.0), wall_at=(1000.0, 1250.0)))


def test_kelvin_for_a_set_point_is_refused() -> None:
    """1523 K given as degC is above any furnace."""
    with pytest.raises(twin.SpecError, match=r"zone_temperature\[3\] is 1523 degC\. Expected 200 to 1450 degC"):
        ReheatingFurnace(zone_temperature=(950.0, 1150.0, 1270.0, 1523.0))


def test_wall_losses_hold_at_their_temperatures() -> None:
    """Members of an ensemble with other set points lose as they do alone, whatever the number of zones."""
    model = ReheatingFurnace(cells=4, slabs=1, zones=2, zone_temperature=(1000.0, 1250.0), zone_end=(0.5, 1.0), thickness=(0.2,),
                             charged=(20.0,), share=(1.0,), emission=(0.6, 0.6), wall_loss=(1.0, 2.0), wall_at=(900.0, 1200.0))
    t, uptake = np.array([0.0, 90.0, 180.0]), np.zeros((2, 3))
    points = np.array([[900.0, 1200.0], [1340.0, 1200.0]])
    found = zone_fuel(model, t, uptake, zone_temperature=points)
    useful = found["fuel"] @ np.ones(2) * (model.heating_value + model.air_ratio * model.c_air * (model.air_temperature - 20.0))
    walls = useful - found["fuel"].sum(axis=1) * (1 + model.air_ratio) * model.c_flue * (points[:, 0] - 20.0)
    assert walls == pytest.approx([3600 * 3.0, 3600 * (1.5 + 2.0)])
