"""Reactions close the balance of every declared element, or say where they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twin
from twin.testing import check_model

COMPOSITION = {"glucose": {"C": 6, "H": 12, "O": 6}, "oxygen": {"O": 2}, "co2": {"C": 1, "O": 2},
               "water": {"H": 2, "O": 1}, "ethanol": {"C": 2, "H": 6, "O": 1}}


def test_rates_of_change_add_up() -> None:
    """Each species gets the sum over reactions; arrays pass through."""
    network = twin.Reactions({"one": {"a": -1, "b": 2}, "two": {"b": -1, "c": 1}})
    assert network.rates_of_change({"one": 3.0, "two": 1.0}) == {"a": -3.0, "b": 5.0, "c": 1.0}
    found = network.rates_of_change({"one": np.array([1.0, 2.0]), "two": 0.0})
    assert found["b"].tolist() == [2.0, 4.0]
    assert twin.reactions({"r": 2.0}, {"r": {"a": -1, "b": 2}}) == {"a": -2.0, "b": 4.0}


def test_balanced_reactions_are_accepted_and_unbalanced_ones_named() -> None:
    """Combustion closes; with one coefficient altered by 1 % the reaction, element and imbalance are named."""
    burn = {"glucose": -1, "oxygen": -6, "co2": 6, "water": 6}
    twin.Reactions({"burn": burn}, {k: COMPOSITION[k] for k in burn})
    with pytest.raises(twin.SpecError, match=r"Reaction 'burn' of reactions makes 0\.06 of element C") as caught:
        twin.Reactions({"burn": burn | {"co2": 6.06}}, {k: COMPOSITION[k] for k in burn})
    assert (caught.value.reaction, caught.value.element) == ("burn", "C")
    assert caught.value.imbalance == pytest.approx(0.06)


def test_closing_species_follow_from_the_elements() -> None:
    """C6H12O6 -> 2 C2H5OH + 2 CO2, and combustion closed by oxygen, CO2 and water."""
    network = twin.Reactions({"ferment": {"glucose": -1, "ethanol": 2}, "burn": {"glucose": -1}}, COMPOSITION,
                             closing={"ferment": "co2", "burn": ("oxygen", "co2", "water")})
    assert network.coefficients("ferment")["co2"] == pytest.approx(2.0, abs=1e-14)
    assert {k: round(v, 12) for k, v in network.coefficients("burn").items()} == {
        "glucose": -1.0, "oxygen": -6.0, "co2": 6.0, "water": 6.0}
    known = {k: COMPOSITION[k] for k in ("glucose", "ethanol", "co2")}
    with pytest.raises(twin.SpecError, match=r"Reaction 'ferment' of reactions .* of element H"):
        twin.Reactions({"ferment": {"glucose": -1, "ethanol": 2.02}}, known, closing={"ferment": "co2"})


class Yeast(twin.DynamicModel):
    """Growth with a yield that is a parameter; carbon leaves as CO2 in whatever amount closes the balance."""

    time_unit = "h"
    biomass = twin.state("mol/l", lower=0, upper=5, nominal=1, doc="carbon moles of biomass")
    glucose = twin.state("mol/l", lower=0, upper=5, nominal=1)
    co2 = twin.state("mol/l", lower=0, upper=5, nominal=1)
    feed = twin.input("mol/(l h)", lower=0, upper=1, nominal=0.1)
    y = twin.parameter(3.3, "mol/mol", bounds=(0, 6), source="this test", doc="carbon moles of biomass from glucose")
    network = twin.Reactions({"growth": {"glucose": -1, "biomass": lambda m: m.y}},
                             {"glucose": {"C": 6}, "biomass": {"C": 1}, "co2": {"C": 1}}, closing={"growth": "co2"})

    @twin.term("mol/(l h)", lower=0, upper=2, vanishes_with=("glucose", "biomass"), rises_with=("glucose",))
    def rate(self, glucose: Any, biomass: Any) -> Any:
        """Uptake of glucose."""
        return 0.3 * glucose / (0.1 + glucose) * biomass

    def rhs(self, s: Any) -> dict[str, Any]:
        made = self.network.rates_of_change({"growth": self.rate(s.glucose, s.biomass)})
        return made | {"glucose": made["glucose"] + s.feed}

    def balances(self, s: Any) -> dict[str, Any]:
        return {"carbon": (6 * s.glucose + s.biomass + s.co2, 6 * s.feed)}


class LeakyYeast(twin.DynamicModel):
    """The same with its CO2 yield written down by hand, 1 % too high."""

    time_unit = "h"
    biomass = twin.state("mol/l", lower=0, upper=5, nominal=1)
    glucose = twin.state("mol/l", lower=0, upper=5, nominal=1)
    co2 = twin.state("mol/l", lower=0, upper=5, nominal=1)

    @twin.term("mol/(l h)", lower=0, upper=2, vanishes_with=("glucose",))
    def rate(self, glucose: Any, biomass: Any) -> Any:
        """Uptake of glucose."""
        return 0.3 * glucose / (0.1 + glucose) * biomass

    def rhs(self, s: Any) -> dict[str, Any]:
        rate = self.rate(s.glucose, s.biomass)
        return {"biomass": 3.3 * rate, "glucose": -rate, "co2": 2.7 * 1.01 * rate}

    def balances(self, s: Any) -> dict[str, Any]:
        return {"carbon": (6 * s.glucose + s.biomass + s.co2, 0.0)}


def test_yields_may_be_parameters_and_are_differentiable() -> None:
    """The CO2 yield is 6 - y, also under grad."""
    import jax

    assert Yeast().network.coefficients("growth") == {"glucose": -1.0, "biomass": 3.3, "co2": pytest.approx(2.7)}
    with jax.enable_x64(True):
        slope = jax.grad(lambda m: m.network.coefficients("growth")["co2"])(Yeast())
    assert float(slope.y) == -1.0


def test_carbon_is_kept_with_random_weights_in_every_mode() -> None:
    """check_model proves the balance; with one yield altered by 1 % it fails and says so."""
    assert next(c for c in check_model(Yeast()).checks if c.name == "balances").status == "passed"
    with pytest.raises(twin.SpecError, match=r"balances: The balance of carbon is off by .* with no correction"):
        check_model(LeakyYeast())


def test_a_yield_that_breaks_a_declared_balance_is_refused_at_construction() -> None:
    """Coefficients that depend on parameters are checked when the model is made, with its numbers."""
    class Fixed(twin.DynamicModel):
        x = twin.state("mol", lower=0)
        y = twin.parameter(2.0, "-")
        network = twin.Reactions({"r": {"a": -1, "b": lambda m: m.y}}, {"a": {"C": 2}, "b": {"C": 1}})

        def rhs(self, s: Any) -> dict[str, Any]:
            return {"x": self.network.rates_of_change({"r": s.x})["b"]}

    Fixed()
    with pytest.raises(twin.SpecError, match=r"Reaction 'r' of Fixed\.network makes 0\.02 of element C"):
        Fixed(y=2.02)


@pytest.mark.parametrize(("build", "message"), [
    (lambda: twin.Reactions({"r": {"a": -1}}, {"b": {"C": 1}}), r"Unknown species 'b' of the composition"),
    (lambda: twin.Reactions({"r": {"a": -1}}, {"a": {"C": 1}}, closing={"q": "a"}), r"Unknown reaction 'q' of closing"),
    (lambda: twin.Reactions({"r": {"a": -1}}, {"a": {"C": 1}}, closing={"r": "a"}), r"'a' has a coefficient in "
                                                                                    r"reaction 'r'"),
    (lambda: twin.Reactions({"r": {"a": -1}}, {"a": {"C": 1}}, closing={"r": "b"}), r"elements C do not fix b in "
                                                                                    r"reaction 'r'"),
    (lambda: twin.Reactions({"r": {"a": -1}}).rates_of_change({"s": 1.0}), r"Unknown reaction 's' of reactions"),
    (lambda: twin.Reactions({"r": {"a": -1}}).rates_of_change({}), r"gets no rate for r")])
def test_mistakes_are_named(build: Any, message: str) -> None:
    """Species, reactions and closings that do not fit."""
    with pytest.raises(twin.SpecError, match=message):
        build()
