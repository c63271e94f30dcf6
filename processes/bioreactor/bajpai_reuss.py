"""Fed-batch penicillin: the four-state model of Bajpai and Reuss as optimized by Cuthrell and Biegler (1989)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin

CUTHRELL = "Cuthrell, Biegler, Comput. Chem. Eng. 13 (1989) 49-62, doi:10.1016/0098-1354(89)87005-8"


class BajpaiReuss(twin.DynamicModel):
    """Fed-batch penicillin with Contois growth and substrate-inhibited production."""

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=40, nominal=10, per="volume", doc="cell dry mass")
    product = twin.state("g/l", lower=0, upper=50, nominal=1, per="volume", doc="penicillin")
    substrate = twin.state("g/l", lower=0, upper=25, nominal=1, per="volume", doc="glucose")
    volume = twin.state("l", lower=1, upper=10, nominal=7, doc="broth")
    feed = twin.input("g/h", lower=0, upper=50, nominal=10, doc="substrate fed")
    product_mass = twin.output("g", lower=0, upper=500, nominal=50, doc="penicillin in the vessel")

    mu_max = twin.parameter(0.11, "1/h", bounds=(0, 1), source=CUTHRELL, doc="maximum specific growth rate")
    k_x = twin.parameter(0.006, "g/g", bounds=(0, 1), source=CUTHRELL, doc="Contois saturation")
    mu_product = twin.parameter(0.0055, "1/h", bounds=(0, 1), source=CUTHRELL, doc="maximum specific production rate")
    k_p = twin.parameter(1e-4, "g/l", bounds=(0, None), source=CUTHRELL, doc="production saturation")
    k_i = twin.parameter(0.1, "g/l", bounds=(1e-6, None), source=CUTHRELL, doc="substrate inhibition of production")
    k_hydrolysis = twin.parameter(0.01, "1/h", bounds=(0, 1), source=CUTHRELL, doc="product degradation")
    y_xs = twin.parameter(0.47, "g/g", bounds=(0.01, 1), source=CUTHRELL, doc="biomass from substrate")
    y_ps = twin.parameter(1.2, "g/g", bounds=(0.01, 3), source=CUTHRELL, doc="product from substrate")
    m_x = twin.parameter(0.029, "1/h", bounds=(0, 1), source=CUTHRELL, doc="substrate maintenance")
    k_m = twin.parameter(1e-4, "g/l", bounds=(0, None), source=CUTHRELL, doc="substrate at half maintenance")
    feed_substrate = twin.parameter(500.0, "g/l", bounds=(1, 900), source=CUTHRELL, doc="substrate in the feed")

    @twin.term("1/h", lower=0, upper=0.5, vanishes_with=("substrate",))
    def growth_rate(self, biomass: Any, substrate: Any) -> Any:
        """Specific growth rate."""
        return self.mu_max * substrate / (self.k_x * biomass + substrate)

    @twin.term("1/h", lower=0, upper=0.05, vanishes_with=("substrate",))
    def production_rate(self, substrate: Any) -> Any:
        """Specific production rate."""
        return self.mu_product * substrate / (self.k_p + substrate * (1 + substrate / self.k_i))

    @twin.term("1/h", lower=0, upper=0.5, vanishes_with=("substrate",))
    def maintenance_rate(self, substrate: Any) -> Any:
        """Specific substrate uptake for maintenance."""
        return self.m_x * substrate / (self.k_m + substrate)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.biomass, s.substrate) * s.biomass
        make = self.production_rate(s.substrate) * s.biomass
        maintain = self.maintenance_rate(s.substrate) * s.biomass
        flow = s.feed / self.feed_substrate
        d = flow / s.volume
        return {
            "biomass": growth - d * s.biomass,
            "product": make - self.k_hydrolysis * s.product - d * s.product,
            "substrate": -growth / self.y_xs - make / self.y_ps - maintain + d * (self.feed_substrate - s.substrate),
            "volume": flow,
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"product_mass": s.product * s.volume}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 1.5, "product": 0.0, "substrate": 0.0, "volume": 7.0}

    def recipe(self) -> twin.Recipe:
        """A constant feed of 10 g/h."""
        return twin.Recipe.constant(feed=10.0)
