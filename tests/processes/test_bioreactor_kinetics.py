"""Kinetics and the shared vessel against published and independently computed numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import twin
from processes.bioreactor import kinetics, well_mixed


@pytest.mark.parametrize(("temperature", "rate"), [(10, 0.063089), (20, 0.537671), (30, 1.402040), (37, 2.078683),
                                                   (45, 1.855732), (47, 0.630023)])
def test_cardinal_temperatures_of_e_coli(temperature: float, rate: float) -> None:
    """Rosso et al. (1993), (4.9, 41.3, 47.5) degC, 2.3 1/h: six decimals computed independently, so half of the last one."""
    assert 2.3 * kinetics.cardinal_temperature(temperature, 4.9, 41.3, 47.5) == pytest.approx(rate, abs=6e-7)


def test_cardinal_models_are_one_at_the_best_and_zero_outside() -> None:
    """1 at the optimum (the rounded corners lie 1e-6 away from the ends), less than 1e-6 at and beyond the ends."""
    assert kinetics.cardinal_temperature(41.3, 4.9, 41.3, 47.5) == pytest.approx(1.0, abs=1e-12)
    assert kinetics.cardinal_ph(7.0, 4.0, 7.0, 9.0) == pytest.approx(1.0, abs=1e-12)
    for t in (-10.0, 4.9, 47.5, 60.0):
        assert abs(kinetics.cardinal_temperature(t, 4.9, 41.3, 47.5)) < 1e-6
    for ph in (2.0, 4.0, 9.0, 12.0):
        assert abs(kinetics.cardinal_ph(ph, 4.0, 7.0, 9.0)) < 1e-6


def test_haldane_peak() -> None:
    """The peak of AM2's methanogens: 0.535926 1/day at sqrt(9.28 x 256) = 48.741 mmol/l, washout at twice that (alpha 0.5)."""
    best = math.sqrt(9.28 * 256)
    assert best == pytest.approx(48.741, abs=5e-4)
    peak = kinetics.haldane(best, 0.74, 9.28, 256.0)
    assert peak == pytest.approx(0.74 / (1 + 2 * math.sqrt(9.28 / 256)), rel=1e-14)
    assert peak == pytest.approx(0.535926, abs=5e-7)
    assert peak / 0.5 == pytest.approx(1.0719, abs=5e-5)


def test_moser_and_contois_reduce_to_monod() -> None:
    assert kinetics.moser(0.3, 0.5, 0.1, 1.0) == pytest.approx(kinetics.monod(0.3, 0.5, 0.1), rel=1e-14)
    assert kinetics.contois(0.3, 2.0, 0.5, 0.05) == pytest.approx(kinetics.monod(0.3, 0.5, 0.1), rel=1e-14)


def test_oxygen_transfer_of_van_t_riet() -> None:
    """1000 W/m3, 0.02 m/s: 0.058276 and 0.115143 1/s; 100 mmol/(l h) at 20 % of 0.21 mmol/l needs 595 1/h."""
    assert kinetics.van_t_riet(1000.0, 0.02) / 3600 == pytest.approx(0.058276, abs=5e-7)
    assert kinetics.van_t_riet(1000.0, 0.02, "non-coalescing") / 3600 == pytest.approx(0.115143, abs=5e-7)
    assert kinetics.needed_kla(100.0, 0.21, 0.2 * 0.21) == pytest.approx(595, abs=0.5)
    with pytest.raises(twin.SpecError, match=r"Unknown liquid 'salty' of van_t_riet.*coalescing"):
        kinetics.van_t_riet(1000.0, 0.02, "salty")


def test_metabolic_heat() -> None:
    """Cooney et al. (1969): 150 mmol/(l h) release 19.2 kW/m3 (three digits are given)."""
    assert kinetics.metabolic_heat(150.0) == pytest.approx(19.2, abs=0.05)


def test_overflow_keeps_its_bounds() -> None:
    """Never below zero, never above the capacity, and the sharp form within the share."""
    demand, capacity = np.meshgrid(np.linspace(0, 3, 61), np.linspace(0, 2, 41))
    burnt, spilled = kinetics.overflow(demand, capacity, 1e-4)
    assert (burnt >= 0).all()
    assert (spilled >= -1e-15).all()
    assert (burnt <= capacity + 1e-15).all()
    assert np.abs(burnt - np.minimum(demand, capacity)).max() <= 1e-4 * capacity.max() * 1.01
    assert kinetics.overflow(0.0, 1.0)[0] == 0.0


class Growth(twin.DynamicModel):
    """Monod growth in the shared vessel, fed exponentially by its own law."""

    time_unit = "h"
    biomass = twin.state("g/l", lower=0, upper=200, nominal=10, per="volume", doc="cells")
    substrate = twin.state("g/l", lower=0, upper=500, nominal=0.1, per="volume", doc="sugar")
    volume = twin.state("l", lower=0.1, upper=100, nominal=5, doc="broth")

    def rhs(self, s: Any) -> Any:
        from processes.bioreactor import exponential_feed

        growth = kinetics.monod(s.substrate, 0.5, 0.1) * s.biomass
        flow = exponential_feed(s.time, 0.2, 10.0, 5.0, 0.5, 400.0 - 0.2 / 3)
        return well_mixed(s, {"biomass": growth, "substrate": -growth / 0.5}, [(flow, {"substrate": 400.0})])


def test_exponential_feed_keeps_the_growth_rate() -> None:
    """X V = X0 V0 exp(mu t) exactly where the substrate starts at its steady value 0.2/3 g/l; rtol 1e-9 gives 1e-7."""
    start = {"biomass": 10.0, "substrate": 0.2 / 3, "volume": 5.0}
    run = twin.simulate(Growth(), {}, initial=start, duration=10, rtol=1e-9)
    held = run["biomass"] * run["volume"]
    assert held == pytest.approx(50.0 * np.exp(0.2 * run.times), rel=1e-7)
    assert run["substrate"] == pytest.approx(np.full(len(run), 0.2 / 3), rel=1e-5)


def test_vessel_keeps_what_is_in_it() -> None:
    """Amounts: dilution by two feeds, concentration by evaporation, none by harvest."""
    s = {"a": 2.0, "volume": 10.0}
    rates = well_mixed(s, {"a": 0.0}, [(1.0, {"a": 5.0}), (0.5, {})], evaporation=0.2, harvest=0.7)
    assert rates["volume"] == pytest.approx(1.5 - 0.2 - 0.7)
    held = rates["a"] * s["volume"] + rates["volume"] * s["a"]
    assert held == pytest.approx(1.0 * 5.0 - 0.7 * 2.0)


def test_plain_numbers_stay_double() -> None:
    """Outside a model the functions work on Python numbers and numpy arrays, in double precision, also with JAX loaded."""
    import jax  # noqa: F401

    value = kinetics.cardinal_temperature(np.array([37.0]), 4.9, 41.3, 47.5)
    assert value.dtype == np.float64
    assert float(kinetics.arrhenius(310.0, 5e4, 300.0)) == pytest.approx(
        math.exp(-5e4 / 8.314462618 * (1 / 310 - 1 / 300)), rel=1e-15)
