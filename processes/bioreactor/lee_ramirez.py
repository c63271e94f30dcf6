"""Induced foreign protein in E. coli: the problem of Lee and Ramirez (1994), in its two published parameter sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.vessel import well_mixed

LEE = "Lee, Ramirez, AIChE J. 40 (1994) 899-907, doi:10.1002/aic.690400514"
THOLUDUR = "Tholudur, Ramirez, Biotechnol. Prog. 12 (1996) 302-309 [textbook constants]"
BOTH = f"{LEE}; {THOLUDUR}: see the two constructors"


class LeeRamirez(twin.DynamicModel):
    """Recombinant E. coli with feeds of nutrient and inducer; shock by the inducer and recovery from it.

    Two parameter sets are published: `LeeRamirez.original()` and `LeeRamirez.tholudur_ramirez()`. The four parameters that
    tell them apart have no default. The published problem feeds 0 to 1 l/h of each for 10 h and maximizes the protein in
    the vessel less a price of the inducer.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=50, nominal=5, per="volume", doc="cell dry mass")
    nutrient = twin.state("g/l", lower=0, upper=110, nominal=30, per="volume", doc="carbon source")
    protein = twin.state("g/l", lower=0, upper=20, nominal=1, per="volume", doc="foreign protein")
    inducer = twin.state("g/l", lower=0, upper=4, nominal=0.1, per="volume", doc="inducer")
    shock = twin.state("-", lower=0, upper=1, nominal=1, doc="share of growth that the inducer has not shocked")
    recovery = twin.state("-", lower=0, upper=1, nominal=1, doc="recovery from the shock")
    volume = twin.state("l", lower=0.5, upper=25, nominal=2, doc="broth")
    feed_nutrient = twin.input("l/h", lower=0, upper=1, nominal=0.1, doc="feed of nutrient")
    feed_inducer = twin.input("l/h", lower=0, upper=1, nominal=0.01, doc="feed of inducer")
    protein_mass = twin.output("g", lower=0, upper=100, nominal=1, doc="foreign protein in the vessel")

    mu_max = twin.parameter(None, "1/h", bounds=(0, 5), source=BOTH, doc="growth factor: 1 or 0.407")
    k_n = twin.parameter(None, "g/l", bounds=(1e-3, 100), source=BOTH, doc="half saturation of growth: 14.35 or 0.108")
    k_i = twin.parameter(None, "g/l", bounds=(1, None), source=BOTH, doc="inhibition by nutrient: 111.5 or 14814.8")
    production_max = twin.parameter(None, "1/h", bounds=(0, 5), source=BOTH, doc="production factor: 0.233 or 0.095")
    k_recovered = twin.parameter(0.22, "-", bounds=(0, 1), source=LEE, doc="growth after recovery")
    k_inhibition = twin.parameter(0.22, "g/l", bounds=(1e-3, 10), source=LEE, doc="inducer at half the growth after recovery")
    basal = twin.parameter(0.0005, "g/l", bounds=(0, 1), source=LEE, doc="production without inducer")
    k_induction = twin.parameter(0.022, "g/l", bounds=(1e-4, 10), source=LEE, doc="inducer at half the production")
    k_shock = twin.parameter(0.09, "1/h", bounds=(0, 5), source=LEE, doc="rate of shock and recovery")
    k_response = twin.parameter(0.034, "g/l", bounds=(1e-4, 10), source=LEE, doc="inducer at half the rate of shock")
    y_xn = twin.parameter(0.51, "g/g", bounds=(0.05, 1), source=LEE, doc="biomass from nutrient")
    feed_n = twin.parameter(100.0, "g/l", bounds=(0, 800), source=LEE, doc="nutrient in its feed")
    feed_i = twin.parameter(4.0, "g/l", bounds=(0, 100), source=LEE, doc="inducer in its feed")

    @classmethod
    def original(cls) -> LeeRamirez:
        """The constants of Lee and Ramirez (1994)."""
        return cls(mu_max=1.0, k_n=14.35, k_i=111.5, production_max=0.233)

    @classmethod
    def tholudur_ramirez(cls) -> LeeRamirez:
        """The functions of Tholudur and Ramirez (1996), for which 0.8165 and 1.0096 are published as optima."""
        return cls(mu_max=0.407, k_n=0.108, k_i=14814.8, production_max=0.095)

    @classmethod
    def example(cls) -> LeeRamirez:
        return cls.tholudur_ramirez()

    @twin.term("-", lower=0, upper=1, vanishes_with=("nutrient",))
    def saturation(self, nutrient: Any) -> Any:
        """Saturation and inhibition by nutrient."""
        return nutrient / (self.k_n + nutrient + nutrient * nutrient / self.k_i)

    @twin.term("1/h", lower=0, upper=5, vanishes_with=("nutrient",))
    def growth_rate(self, nutrient: Any, inducer: Any, shock: Any, recovery: Any) -> Any:
        """Specific growth rate."""
        left = shock + self.k_recovered * recovery / (self.k_inhibition + inducer)
        return self.mu_max * self.saturation(nutrient) * left

    @twin.term("1/h", lower=0, upper=5, vanishes_with=("nutrient",))
    def production_rate(self, nutrient: Any, inducer: Any) -> Any:
        """Protein made per biomass."""
        return self.production_max * self.saturation(nutrient) * (self.basal + inducer) / (self.k_induction + inducer)

    @twin.term("1/h", lower=0, upper=5, vanishes_with=("inducer",), rises_with=("inducer",))
    def shock_rate(self, inducer: Any) -> Any:
        """Rate of shock and of recovery."""
        return self.k_shock * inducer / (self.k_response + inducer)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.nutrient, s.inducer, s.shock, s.recovery) * s.biomass
        rate = self.shock_rate(s.inducer)
        made = {"biomass": growth, "nutrient": -growth / self.y_xn, "inducer": 0.0,
                "protein": self.production_rate(s.nutrient, s.inducer) * s.biomass}
        feeds = [(s.feed_nutrient, {"nutrient": self.feed_n}), (s.feed_inducer, {"inducer": self.feed_i})]
        return well_mixed(s, made, feeds) | {"shock": -rate * s.shock, "recovery": rate * (1 - s.recovery)}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"protein_mass": s.protein * s.volume}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Nutrient held, free and in biomass; inducer."""
        return {"nutrient": ((s.nutrient + s.biomass / self.y_xn) * s.volume, s.feed_nutrient * self.feed_n),
                "inducer": (s.inducer * s.volume, s.feed_inducer * self.feed_i)}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 0.1, "nutrient": 40.0, "protein": 0.0, "inducer": 0.0, "shock": 1.0, "recovery": 0.0, "volume": 1.0}

    def recipe(self) -> twin.Recipe:
        """Growth for 5 h, then inducer, 10 h in all."""
        return twin.Recipe([
            twin.Phase(name="growth", inputs={"feed_nutrient": 0.0, "feed_inducer": 0.0}, until=5.0),
            twin.Phase(name="induced", inputs={"feed_inducer": 0.05}, until=5.0),
        ])
