"""Carbon of the penicillin unit: closed by simulation, whatever corrections are learned and whatever is added or drawn off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from twin.conformance import random_corrections
from twin.testing import check_model

FEED = 0.06
RECIPE = twin.Recipe([
    twin.Phase(inputs={"feed": 0.0, "aeration": 8.6, "agitation": 30.0}, until=20.0),
    twin.Phase(inputs={"feed": FEED}, until=20.0, reset=[twin.Bolus("volume", 2.0, {"substrate": 300.0, "biomass": 5.0})]),
    twin.Phase(until=20.0, reset=[twin.Harvest("volume", fraction=0.3), twin.Harvest("volume", amount=4.0)]),
])


def drift(model: Penicillin) -> tuple[float, twin.Trajectory]:
    """Carbon that appears or is lost in 60 h, over all that was charged, fed and added."""
    run = twin.simulate(model, RECIPE, rtol=1e-10, check_limits=False, max_steps=300_000)
    assert run.final["time"] == 60.0

    def held(state: Mapping[str, Any]) -> float:
        per_litre = (model.carbon_biomass * state["biomass"] + model.carbon_substrate * state["substrate"]
                     + model.carbon_product * (state["product"] + state["hydrolysate"]))
        return per_litre * state["volume"]

    _, bolus, harvest = run.events
    added = 2.0 * (300.0 * model.carbon_substrate + 5.0 * model.carbon_biomass)
    drawn = held(harvest.before) * (1.0 - 0.7 * (1.0 - 4.0 / (0.7 * harvest.before["volume"])))
    start, fed = run["carbon"][0], 40.0 * FEED * model.feed_substrate * model.carbon_substrate
    assert held(bolus.after) - held(bolus.before) == pytest.approx(added, rel=1e-12)
    assert held(harvest.before) - held(harvest.after) == pytest.approx(drawn, rel=1e-12)
    error = run["carbon"][-1] - start - fed - added + drawn
    return abs(error) / (start + fed + added), run


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("mode", ["none", "multiply", "add", "replace"])
def test_total_carbon_does_not_drift(mode: str, seed: int) -> None:
    """Random weights in all four terms at once: the run is another one, its carbon closes to 1e-9."""
    model = Penicillin()
    if mode != "none":
        fixes = {name: random_corrections(term, seed)[mode] for name, term in model.terms().items()}
        assert set(fixes) == {"growth_rate", "production_rate", "maintenance_rate", "oxygen_transfer"}
        model = model.with_learned(fixes)
    found, run = drift(model)
    assert found <= 1e-9
    assert run["co2_carbon"][-1] > 1.0
    if mode != "none":
        assert run.final["biomass"] != pytest.approx(drift(Penicillin())[1].final["biomass"], rel=1e-3)


def test_composition_times_stoichiometry_is_zero() -> None:
    """Every reaction, with published and with random yields and carbon contents."""
    random = np.random.default_rng(0)
    names = ("y_xs", "y_ps", "y_xo", "y_po", "carbon_biomass", "carbon_substrate", "carbon_product")
    for _ in range(20):
        model = Penicillin(**{n: getattr(Penicillin(), n) * f for n, f in zip(names, random.uniform(0.7, 1.2, 7), strict=True)})
        content = {"biomass": model.carbon_biomass, "substrate": model.carbon_substrate, "product": model.carbon_product,
                   "hydrolysate": model.carbon_product, "co2_carbon": 1.0}
        for reaction in Penicillin.network.stoichiometry:
            parts = [content.get(s, 0.0) * c for s, c in model.network.coefficients(reaction).items()]
            assert abs(sum(parts)) <= 1e-12
            assert sum(map(abs, parts)) > 0.1


def test_one_yield_altered_by_a_hundredth_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Biomass from substrate 1 % off: the element check, the conformance kit and the drift each find it."""
    network = Penicillin.network
    coefficients = {r: Penicillin().network.coefficients(r) for r in network.stoichiometry}
    coefficients["growth"]["substrate"] /= 1.01
    with pytest.raises(twin.SpecError, match=r"Reaction 'growth' of reactions makes 0\.008\d* of element C"):
        twin.Reactions(coefficients, network.composition).check(Penicillin())
    monkeypatch.setattr(Penicillin, "network", twin.Reactions(coefficients))
    with pytest.raises(twin.SpecError, match=r"balances: The balance of carbon is off by"):
        check_model(Penicillin())
    assert drift(Penicillin())[0] > 1e-4
