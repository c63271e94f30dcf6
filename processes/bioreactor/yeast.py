"""Baker's yeast with overflow to ethanol: Sonnleitner and Kaeppeli (1986)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.kinetics import monod, monod_signed, oxygen_transfer_rate, respiration
from processes.bioreactor.vessel import well_mixed

SONNLEITNER = "Sonnleitner, Kaeppeli, Biotechnol. Bioeng. 28 (1986) 927-937, doi:10.1002/bit.260280620 [textbook constants]"
WATER = "water under air at 30 degC [textbook]"


class YeastOverflow(twin.DynamicModel):
    """Yeast whose respiration is the bottleneck: glucose beyond it becomes ethanol, which is taken up again later.

    All flows may be set, so that batch, fed batch and continuous culture are one model. `kla` is the oxygen transfer
    coefficient that aeration and stirring give (see `kinetics.van_t_riet`). Temperature and pH are not in the source.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=100, nominal=10, per="volume", doc="cell dry mass")
    glucose = twin.state("g/l", lower=0, upper=50, nominal=0.2, per="volume", doc="glucose")
    ethanol = twin.state("g/l", lower=0, upper=50, nominal=1, per="volume", doc="ethanol")
    oxygen = twin.state("g/l", lower=0, upper=0.04, nominal=0.005, per="volume", doc="dissolved oxygen")
    volume = twin.state("l", lower=0.1, upper=1000, nominal=10, doc="broth")
    feed = twin.input("l/h", lower=0, upper=500, nominal=1, doc="glucose feed")
    harvest = twin.input("l/h", lower=0, upper=500, nominal=1, doc="broth drawn off")
    kla = twin.input("1/h", lower=0, upper=2000, nominal=500, doc="oxygen transfer coefficient")
    growth = twin.output("1/h", lower=0, upper=1, nominal=0.2, doc="specific growth rate")
    oxygen_uptake = twin.output("g/(l h)", lower=0, upper=20, nominal=2, doc="oxygen uptake rate")

    q_glucose_max = twin.parameter(3.5, "1/h", bounds=(0, 20), source=SONNLEITNER, doc="greatest glucose uptake")
    k_glucose = twin.parameter(0.612, "g/l", bounds=(1e-3, 10), source=SONNLEITNER, doc="half saturation of glucose uptake")
    q_oxygen_max = twin.parameter(0.256, "1/h", bounds=(0, 2), source=SONNLEITNER, doc="greatest oxygen uptake")
    k_oxygen = twin.parameter(9.6e-5, "g/l", bounds=(1e-7, 0.01), source=SONNLEITNER, doc="half saturation of oxygen uptake")
    q_ethanol_max = twin.parameter(0.17, "1/h", bounds=(0, 5), source=SONNLEITNER, doc="greatest ethanol uptake")
    k_ethanol = twin.parameter(0.56, "g/l", bounds=(1e-3, 10), source=SONNLEITNER, doc="half saturation of ethanol uptake")
    k_repression = twin.parameter(0.31, "g/l", bounds=(1e-3, 10), source=SONNLEITNER, doc="glucose at half the ethanol uptake")
    y_x_burnt = twin.parameter(0.585, "g/g", bounds=(0, 1), source=SONNLEITNER, doc="biomass from oxidized glucose")
    y_x_spilled = twin.parameter(0.05, "g/g", bounds=(0, 1), source=SONNLEITNER, doc="biomass from fermented glucose")
    y_x_ethanol = twin.parameter(0.7187, "g/g", bounds=(0, 1), source=SONNLEITNER, doc="biomass from ethanol")
    y_ethanol = twin.parameter(0.4859, "g/g", bounds=(0, 0.511), source=SONNLEITNER, doc="ethanol from fermented glucose")
    o_glucose = twin.parameter(0.3857, "g/g", bounds=(0, 1.07), source=SONNLEITNER, doc="oxygen for oxidized glucose")
    o_ethanol = twin.parameter(0.8904, "g/g", bounds=(0, 2.09), source=SONNLEITNER, doc="oxygen for ethanol")
    oxygen_saturation = twin.parameter(0.0076, "g/l", bounds=(0.001, 0.04), source=WATER, doc="dissolved oxygen at equilibrium")
    feed_glucose = twin.parameter(30.0, "g/l", bounds=(0, 800), source=SONNLEITNER, doc="glucose in the feed")

    @twin.term("1/h", lower=0, upper=20, vanishes_with=("glucose",), rises_with=("glucose",))
    def glucose_uptake(self, glucose: Any) -> Any:
        """Specific glucose uptake."""
        return monod(glucose, self.q_glucose_max, self.k_glucose)

    @twin.term("1/h", lower=0, upper=2, vanishes_with=("oxygen",), rises_with=("oxygen",))
    def respiratory_capacity(self, oxygen: Any) -> Any:
        """Greatest specific oxygen uptake."""
        return monod_signed(oxygen, self.q_oxygen_max, self.k_oxygen)

    @twin.term("1/h", lower=0, upper=5, vanishes_with=("ethanol",), rises_with=("ethanol",), falls_with=("glucose",))
    def ethanol_uptake(self, ethanol: Any, glucose: Any) -> Any:
        """Specific ethanol uptake that the concentrations allow."""
        return monod(ethanol, self.q_ethanol_max, self.k_ethanol) * self.k_repression / (self.k_repression + glucose)

    def rates(self, s: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Specific rates: growth, glucose oxidized, glucose fermented, ethanol oxidized, oxygen used."""
        burnt, spilled, reused, oxygen = respiration(
            self.glucose_uptake(s.glucose), self.ethanol_uptake(s.ethanol, s.glucose), self.respiratory_capacity(s.oxygen),
            self.o_glucose, self.o_ethanol)
        growth = self.y_x_burnt * burnt + self.y_x_spilled * spilled + self.y_x_ethanol * reused
        return growth, burnt, spilled, reused, oxygen

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth, burnt, spilled, reused, oxygen = self.rates(s)
        made = {
            "biomass": growth * s.biomass,
            "glucose": -(burnt + spilled) * s.biomass,
            "ethanol": (self.y_ethanol * spilled - reused) * s.biomass,
            "oxygen": oxygen_transfer_rate(s.kla, self.oxygen_saturation, s.oxygen) - oxygen * s.biomass,
        }
        feeds = [(s.feed, {"glucose": self.feed_glucose, "oxygen": self.oxygen_saturation})]
        return well_mixed(s, made, feeds, harvest=s.harvest)

    def outputs(self, s: Any) -> Mapping[str, Any]:
        growth, *_, oxygen = self.rates(s)
        return {"growth": growth, "oxygen_uptake": oxygen * s.biomass}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 1.0, "glucose": 10.0, "ethanol": 0.0, "oxygen": 0.0076, "volume": 10.0}

    def recipe(self) -> twin.Recipe:
        """Continuous culture at a dilution rate of 0.25 1/h."""
        return twin.Recipe([twin.Phase(name="continuous", inputs={"feed": 2.5, "harvest": 2.5, "kla": 500.0}, until=48.0)])
