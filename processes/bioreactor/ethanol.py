"""Ethanol by yeast in a fed batch: the problem of Chen and Hwang (1990)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.kinetics import inhibition, monod
from processes.bioreactor.vessel import well_mixed

CHEN = "Chen, Hwang, Ind. Eng. Chem. Res. 29 (1990) 1869-1875"


class EthanolFedBatch(twin.DynamicModel):
    """Anaerobic yeast inhibited by the ethanol that it makes.

    The published problem feeds 0 to 12 l/h into 10 l until the 200 l vessel is full and maximizes the ethanol in it
    (20 841 g after 61.1 h). It has more than ten local optima. As in the source, glucose for ethanol is counted with growth.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=50, nominal=10, per="volume", doc="cell dry mass")
    glucose = twin.state("g/l", lower=0, upper=150, nominal=20, per="volume", doc="carbon source")
    ethanol = twin.state("g/l", lower=0, upper=150, nominal=50, per="volume", doc="product")
    volume = twin.state("l", lower=1, upper=200, nominal=100, doc="broth")
    feed = twin.input("l/h", lower=0, upper=12, nominal=3, doc="glucose feed")
    ethanol_mass = twin.output("g", lower=0, upper=3e4, nominal=1e4, doc="ethanol in the vessel")

    mu_max = twin.parameter(0.408, "1/h", bounds=(0, 2), source=CHEN, doc="greatest specific growth rate")
    k_s = twin.parameter(0.22, "g/l", bounds=(1e-3, 10), source=CHEN, doc="half saturation of growth")
    k_p = twin.parameter(16.0, "g/l", bounds=(1, 500), source=CHEN, doc="ethanol at half the growth rate")
    production_max = twin.parameter(1.0, "1/h", bounds=(0, 10), source=CHEN, doc="greatest specific production rate")
    k_s_production = twin.parameter(0.44, "g/l", bounds=(1e-3, 10), source=CHEN, doc="half saturation of production")
    k_p_production = twin.parameter(71.5, "g/l", bounds=(1, 500), source=CHEN, doc="ethanol at half the production rate")
    glucose_need = twin.parameter(10.0, "g/g", bounds=(1, 50), source=CHEN, doc="glucose for biomass (and the ethanol with it)")
    feed_glucose = twin.parameter(150.0, "g/l", bounds=(0, 800), source=CHEN, doc="glucose in the feed")

    @twin.term("1/h", lower=0, upper=1, vanishes_with=("glucose",), rises_with=("glucose",), falls_with=("ethanol",))
    def growth_rate(self, glucose: Any, ethanol: Any) -> Any:
        """Specific growth rate."""
        return monod(glucose, self.mu_max, self.k_s) * inhibition(ethanol, self.k_p)

    @twin.term("1/h", lower=0, upper=2, vanishes_with=("glucose",), rises_with=("glucose",), falls_with=("ethanol",))
    def production_rate(self, glucose: Any, ethanol: Any) -> Any:
        """Ethanol made per biomass."""
        return monod(glucose, self.production_max, self.k_s_production) * inhibition(ethanol, self.k_p_production)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.glucose, s.ethanol) * s.biomass
        made = {"biomass": growth, "glucose": -self.glucose_need * growth,
                "ethanol": self.production_rate(s.glucose, s.ethanol) * s.biomass}
        return well_mixed(s, made, [(s.feed, {"glucose": self.feed_glucose})])

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"ethanol_mass": s.ethanol * s.volume}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Glucose held, free and used for biomass."""
        return {"glucose": ((s.glucose + self.glucose_need * s.biomass) * s.volume, s.feed * self.feed_glucose)}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 1.0, "glucose": 150.0, "ethanol": 0.0, "volume": 10.0}

    def recipe(self) -> twin.Recipe:
        """A constant feed that fills the vessel in the 54 h of the published problem."""
        return twin.Recipe([twin.Phase(name="fed-batch", inputs={"feed": 3.5}, until=54.0)])
