"""The textbook chemostat: one substrate, one organism, with or without inhibition by the substrate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin

BEQUETTE = "Bequette, Process Dynamics, Prentice Hall (1998), module 8 [textbook]"
TEXTBOOK = "textbook example of Monod kinetics [textbook]"


class Chemostat(twin.DynamicModel):
    """Continuous culture with the growth rate `mu_max S / (k_s + S + k_inhibition S**2)`.

    `Chemostat.monod()` has one steady state besides washout; `Chemostat.bequette()` is inhibited by its substrate and has
    two, of which the one with more substrate is unstable.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=20, nominal=2, doc="cell dry mass")
    substrate = twin.state("g/l", lower=0, upper=20, nominal=1, doc="limiting substrate")
    dilution = twin.input("1/h", lower=0, upper=1, nominal=0.3, doc="feed over volume")
    substrate_in = twin.disturbance("g/l", lower=0, upper=20, nominal=4, doc="substrate in the feed")
    productivity = twin.output("g/(l h)", lower=0, upper=20, nominal=1, doc="biomass harvested")

    mu_max = twin.parameter(None, "1/h", bounds=(0, 3), source=f"0.5: {TEXTBOOK}; 0.53: {BEQUETTE}", doc="growth factor")
    k_s = twin.parameter(None, "g/l", bounds=(1e-4, 10), source=f"0.1: {TEXTBOOK}; 0.12: {BEQUETTE}", doc="half saturation")
    k_inhibition = twin.parameter(None, "l/g", bounds=(0, 10), source=f"0: {TEXTBOOK}; 0.4545: {BEQUETTE}",
                                  doc="inhibition by the substrate")
    y_xs = twin.parameter(None, "g/g", bounds=(0.01, 1), source=f"0.5: {TEXTBOOK}; 0.4: {BEQUETTE}", doc="biomass from substrate")

    @classmethod
    def monod(cls) -> Chemostat:
        """Without inhibition."""
        return cls(mu_max=0.5, k_s=0.1, k_inhibition=0.0, y_xs=0.5)

    @classmethod
    def bequette(cls) -> Chemostat:
        """With inhibition by the substrate: two steady states besides washout."""
        return cls(mu_max=0.53, k_s=0.12, k_inhibition=0.4545, y_xs=0.4)

    @classmethod
    def example(cls) -> Chemostat:
        return cls.bequette()

    @twin.term("1/h", lower=0, upper=3, vanishes_with=("substrate",))
    def growth_rate(self, substrate: Any) -> Any:
        """Specific growth rate."""
        return self.mu_max * substrate / (self.k_s + substrate + self.k_inhibition * substrate * substrate)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.substrate) * s.biomass
        return {"biomass": growth - s.dilution * s.biomass,
                "substrate": s.dilution * (s.substrate_in - s.substrate) - growth / self.y_xs}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"productivity": s.dilution * s.biomass}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 1.0, "substrate": 1.0}

    def recipe(self) -> twin.Recipe:
        """A dilution rate of 0.3 1/h for 100 h."""
        return twin.Recipe([twin.Phase(name="continuous", inputs={"dilution": 0.3}, until=100.0)])
