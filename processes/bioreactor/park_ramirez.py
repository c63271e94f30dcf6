"""Secreted protein in a fed batch: the problem of Park and Ramirez (1988)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.vessel import well_mixed
from twin import jnp

PARK = "Park, Ramirez, AIChE J. 34 (1988) 1550-1558, doi:10.1002/aic.690340917"


class ParkRamirez(twin.DynamicModel):
    """Yeast that expresses and secretes a foreign protein; expression falls sharply with glucose.

    The protein is in arbitrary units. The published problem feeds 0 to 2 l/h for 15 h and maximizes the secreted protein
    (about 32.7 units). Expression peaks near 0.1 g/l of glucose: use fine control intervals.
    """

    time_unit = "h"

    secreted = twin.state("1/l", lower=0, upper=50, nominal=1, per="volume", doc="secreted protein, arbitrary units")
    protein = twin.state("1/l", lower=0, upper=50, nominal=1, per="volume", doc="all foreign protein, arbitrary units")
    biomass = twin.state("g/l", lower=0, upper=20, nominal=2, per="volume", doc="cell dry mass")
    glucose = twin.state("g/l", lower=0, upper=20, nominal=1, per="volume", doc="carbon source")
    volume = twin.state("l", lower=0.5, upper=40, nominal=5, doc="broth")
    feed = twin.input("l/h", lower=0, upper=2, nominal=0.5, doc="glucose feed")
    secreted_amount = twin.output("-", lower=0, upper=200, nominal=30, doc="secreted protein in the vessel, arbitrary units")

    mu_max = twin.parameter(21.87, "g/(l h)", bounds=(0, 100), source=PARK, doc="growth factor; the greatest rate is 0.3 1/h")
    k_s = twin.parameter(0.4, "g/l", bounds=(1e-3, 10), source=PARK, doc="half saturation of growth")
    k_i = twin.parameter(62.5, "g/l", bounds=(1, None), source=PARK, doc="inhibition of growth by glucose")
    expression_max = twin.parameter(1.0, "1/(g h)", bounds=(0, 10), source=PARK, doc="protein per biomass and time")
    k_expression = twin.parameter(0.1, "g/l", bounds=(1e-3, 10), source=PARK, doc="half saturation of expression")
    repression = twin.parameter(5.0, "l/g", bounds=(0, 50), source=PARK, doc="repression of expression by glucose")
    secretion_max = twin.parameter(4.75, "1/h", bounds=(0, 50), source=PARK, doc="greatest secretion rate")
    k_secretion = twin.parameter(0.12, "1/h", bounds=(1e-3, 10), source=PARK, doc="growth rate at half the secretion rate")
    glucose_need = twin.parameter(7.3, "g/g", bounds=(1, 50), source=PARK, doc="glucose for biomass")
    feed_glucose = twin.parameter(20.0, "g/l", bounds=(0, 800), source=PARK, doc="glucose in the feed")

    @twin.term("1/h", lower=0, upper=1, vanishes_with=("glucose",))
    def growth_rate(self, glucose: Any) -> Any:
        """Specific growth rate."""
        return self.mu_max * glucose / ((glucose + self.k_s) * (glucose + self.k_i))

    @twin.term("1/(g h)", lower=0, upper=5, vanishes_with=("glucose",))
    def expression_rate(self, glucose: Any) -> Any:
        """Protein made per biomass."""
        return self.expression_max * glucose * jnp.exp(-self.repression * glucose) / (self.k_expression + glucose)

    @twin.term("1/h", lower=0, upper=20, vanishes_with=("glucose",))
    def secretion_rate(self, glucose: Any) -> Any:
        """Rate of secretion of the protein inside."""
        growth = self.growth_rate(glucose)
        return self.secretion_max * growth / (self.k_secretion + growth)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.glucose) * s.biomass
        made = {
            "secreted": self.secretion_rate(s.glucose) * (s.protein - s.secreted),
            "protein": self.expression_rate(s.glucose) * s.biomass,
            "biomass": growth,
            "glucose": -self.glucose_need * growth,
        }
        return well_mixed(s, made, [(s.feed, {"glucose": self.feed_glucose})])

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"secreted_amount": s.secreted * s.volume}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Glucose held, free and in biomass."""
        return {"glucose": ((s.glucose + self.glucose_need * s.biomass) * s.volume, s.feed * self.feed_glucose)}

    def initial(self) -> Mapping[str, Any]:
        return {"secreted": 0.0, "protein": 0.0, "biomass": 1.0, "glucose": 5.0, "volume": 1.0}

    def recipe(self) -> twin.Recipe:
        """A constant feed for the 15 h of the published problem."""
        return twin.Recipe([twin.Phase(name="fed-batch", inputs={"feed": 0.5}, until=15.0)])
