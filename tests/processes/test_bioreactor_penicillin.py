"""Penicillin models against numbers computed independently with a Radau method at 1e-9."""

from __future__ import annotations

import pytest

import twin
from processes.bioreactor import BajpaiReuss, Penicillin


def test_pensim_reaches_the_published_end_point() -> None:
    """PenSim (Birol 2002), T = 298 K, pH 5: switch at 44.009 h; 1.61937 g/l penicillin at 400 h with 0.042 l/h."""
    run = twin.simulate(Penicillin(), duration=400, rtol=1e-8)
    assert run.events[-1].time == pytest.approx(44.009, abs=5e-4)
    assert run.events[-1].before["biomass"] == pytest.approx(6.40867, abs=5e-5)
    assert run.events[-1].before["dissolved_oxygen"] == pytest.approx(1.10886, abs=5e-5)
    expected = {"product": 1.61937, "biomass": 14.2862, "substrate": 0.003146, "dissolved_oxygen": 1.1065, "volume": 91.366}
    for name, value in expected.items():
        assert run.final[name] == pytest.approx(value, rel=2e-4), name


@pytest.mark.parametrize(("feed", "product", "biomass"), [(0.05, 1.87709, 16.566), (0.06, 2.18045, 19.27)])
def test_pensim_with_more_feed(feed: float, product: float, biomass: float) -> None:
    """PenSim end points for two more feed rates (same source and conditions)."""
    phases = Penicillin().recipe().phases
    recipe = twin.Recipe([phases[0], twin.Phase(inputs={"feed": feed})])
    run = twin.simulate(Penicillin(), recipe, duration=400, rtol=1e-8)
    assert run.final["product"] == pytest.approx(product, abs=1e-5)
    assert run.final["biomass"] == pytest.approx(biomass, rel=1e-4)


def test_pensim_carbon_is_conserved() -> None:
    """Carbon held in the broth and released equals the carbon charged and fed, to 1e-9 of the whole."""
    model = Penicillin()
    run = twin.simulate(model, duration=400, rtol=1e-8)
    fed = (run.times[-1] - run.events[-1].time) * 0.042 * model.feed_substrate * model.carbon_substrate
    assert run["carbon"][-1] - run["carbon"][0] == pytest.approx(fed, rel=1e-9)


def test_bajpai_reuss_with_constant_feed() -> None:
    """Cuthrell-Biegler data, u = 10 g/h for 132 h: X 27.792032, P 7.685654, S 0.003507, V 9.64, P V 74.0897."""
    run = twin.simulate(BajpaiReuss(), duration=132, rtol=1e-9)
    expected = {"biomass": 27.792032, "product": 7.685654, "substrate": 0.003507, "volume": 9.64, "product_mass": 74.0897}
    for name, value in expected.items():
        assert run.final[name] == pytest.approx(value, rel=2e-4 if name == "substrate" else 2e-6), name
