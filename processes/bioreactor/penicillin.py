"""Fed-batch penicillin: the PenSim unit of Birol et al. (2002)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

BIROL = "Birol, Undey, Cinar, Comput. Chem. Eng. 26 (2002) 1553-1565, doi:10.1016/S0098-1354(02)00127-8"
GAS_CONSTANT = 1.987  # cal/(mol K): the activation energies of the source are in calories


class Penicillin(twin.DynamicModel):
    """Fed-batch penicillin with oxygen limitation, temperature, pH and evaporation (PenSim).

    Growth follows Contois kinetics limited by oxygen, production is inhibited by substrate. Temperature and pH are
    disturbances here: the source's loops that hold them are left out. The maintenance uptake is switched off smoothly at
    zero substrate (the source lets the substrate become negative). `co2` is the source's off-gas correlation; it does not
    close the carbon balance, `co2_carbon` is the carbon that must leave as CO2 when the balance is closed.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=60, nominal=10, per="volume", doc="cell dry mass")
    substrate = twin.state("g/l", lower=0, upper=60, nominal=1, per="volume", doc="glucose")
    product = twin.state("g/l", lower=0, upper=10, nominal=1, per="volume", doc="penicillin")
    dissolved_oxygen = twin.state("g/l", lower=0, upper=1.3, nominal=1, per="volume", doc="scaled as in the source")
    volume = twin.state("l", lower=1, upper=150, nominal=100, doc="broth")
    co2 = twin.state("mmol/l", lower=0, upper=100, nominal=1, doc="published off-gas correlation")
    hydrolysate = twin.state("g/l", lower=0, upper=60, nominal=1, per="volume", doc="product lost by hydrolysis")
    co2_carbon = twin.state("g", lower=0, upper=10000, nominal=1000, doc="carbon released as CO2 by the closed balance")

    feed = twin.input("l/h", lower=0, upper=0.2, nominal=0.042, doc="glucose feed")
    aeration = twin.input("l/h", lower=3, upper=10, nominal=8.6, doc="air flow")
    agitation = twin.input("W", lower=20, upper=50, nominal=30, doc="stirrer power")
    temperature = twin.disturbance("K", lower=290, upper=305, nominal=298, doc="broth temperature")
    ph = twin.disturbance("-", lower=4, upper=7, nominal=5, doc="broth pH")

    carbon = twin.output("g", lower=0, upper=50000, nominal=5000, doc="carbon in the broth and released as CO2")
    evaporation_rate = twin.output("l/h", lower=0, upper=1, nominal=0.1, doc="water lost with the air")
    product_mass = twin.output("g", lower=0, upper=1000, nominal=100, doc="penicillin in the vessel")

    mu_max = twin.parameter(0.092, "1/h", bounds=(0, 1), source=BIROL, doc="maximum specific growth rate")
    k_x = twin.parameter(0.15, "g/g", bounds=(0, 10), source=BIROL, doc="Contois saturation")
    k_ox = twin.parameter(0.02, "g/g", bounds=(0, 1), source=BIROL, doc="oxygen limitation of growth")
    k_1 = twin.parameter(1e-10, "mol/l", bounds=(0, None), source=BIROL, doc="acid inhibition")
    k_2 = twin.parameter(7e-5, "mol/l", bounds=(0, None), source=BIROL, doc="alkaline inhibition")
    k_growth = twin.parameter(7e3, "-", bounds=(0, None), source=BIROL, doc="growth Arrhenius factor")
    e_growth = twin.parameter(5100.0, "cal/mol", bounds=(0, None), source=BIROL, doc="growth activation energy")
    k_death = twin.parameter(1e33, "-", bounds=(0, None), source=BIROL, doc="death Arrhenius factor")
    e_death = twin.parameter(50000.0, "cal/mol", bounds=(0, None), source=BIROL, doc="death activation energy")
    mu_product = twin.parameter(0.005, "1/h", bounds=(0, 1), source=BIROL, doc="maximum specific production rate")
    k_p = twin.parameter(2e-4, "g/l", bounds=(0, None), source=BIROL, doc="production saturation")
    k_i = twin.parameter(0.1, "g/l", bounds=(0, None), source=BIROL, doc="substrate inhibition of production")
    k_op = twin.parameter(5e-4, "(g/l)**2", bounds=(0, None), source=BIROL, doc="oxygen limitation of production")
    k_hydrolysis = twin.parameter(0.04, "1/h", bounds=(0, 1), source=BIROL, doc="product hydrolysis")
    y_xs = twin.parameter(0.45, "g/g", bounds=(0.01, 1), source=BIROL, doc="biomass from substrate")
    y_ps = twin.parameter(0.90, "g/g", bounds=(0.01, 2), source=BIROL, doc="product from substrate")
    y_xo = twin.parameter(0.04, "g/g", bounds=(0.001, 10), source=BIROL, doc="biomass from oxygen")
    y_po = twin.parameter(0.20, "g/g", bounds=(0.001, 10), source=BIROL, doc="product from oxygen")
    m_x = twin.parameter(0.014, "1/h", bounds=(0, 1), source=BIROL, doc="substrate maintenance")
    m_o = twin.parameter(0.467, "1/h", bounds=(0, 10), source=BIROL, doc="oxygen maintenance")
    k_maintenance = twin.parameter(1e-6, "g/l", bounds=(0, None), source="this work: keeps the substrate from going negative",
                                   doc="substrate at half maintenance")
    oxygen_saturation = twin.parameter(1.16, "g/l", bounds=(0, 10), source=BIROL, doc="dissolved oxygen at equilibrium")
    kla_factor = twin.parameter(70.0, "1/h", bounds=(0, None), source=BIROL, doc="oxygen transfer at 1 l/h and 1 W/l")
    kla_power = twin.parameter(0.4, "-", bounds=(0, 1), source=BIROL, doc="exponent of the power input")
    evaporation = twin.parameter(2.5e-4, "1/h", bounds=(0, 1), source=BIROL, doc="evaporation factor")
    feed_substrate = twin.parameter(600.0, "g/l", bounds=(0, 900), source=BIROL, doc="glucose in the feed")
    co2_growth = twin.parameter(0.143, "mmol/g", bounds=(0, None), source=BIROL, doc="off-gas with growth")
    co2_maintenance = twin.parameter(4e-7, "mmol/(g h)", bounds=(0, None), source=BIROL, doc="off-gas with maintenance")
    co2_constant = twin.parameter(1e-4, "mmol/(l h)", bounds=(0, None), source=BIROL, doc="off-gas, constant part")
    carbon_biomass = twin.parameter(0.488, "g/g", bounds=(0, 1), doc="carbon in biomass",
                                    source="CH1.8 O0.5 N0.2, Roels, Energetics and Kinetics in Biotechnology (1983) [textbook]")
    carbon_substrate = twin.parameter(0.4, "g/g", bounds=(0, 1), source="C6H12O6", doc="carbon in glucose")
    carbon_product = twin.parameter(0.5747, "g/g", bounds=(0, 1), source="C16H18N2O4S", doc="carbon in penicillin")

    network = twin.Reactions(
        {"growth": {"biomass": 1, "substrate": lambda m: -1 / m.y_xs, "dissolved_oxygen": lambda m: -1 / m.y_xo},
         "production": {"product": 1, "substrate": lambda m: -1 / m.y_ps, "dissolved_oxygen": lambda m: -1 / m.y_po},
         "maintenance": {"substrate": -1},
         "hydrolysis": {"product": -1, "hydrolysate": 1}},
        composition={"biomass": {"C": lambda m: m.carbon_biomass}, "substrate": {"C": lambda m: m.carbon_substrate},
                     "product": {"C": lambda m: m.carbon_product}, "hydrolysate": {"C": lambda m: m.carbon_product},
                     "co2_carbon": {"C": 1}},
        closing={"growth": "co2_carbon", "production": "co2_carbon", "maintenance": "co2_carbon"},
    )

    @twin.term("1/h", lower=0, upper=0.5, vanishes_with=("substrate", "dissolved_oxygen"))
    def growth_rate(self, biomass: Any, substrate: Any, dissolved_oxygen: Any, temperature: Any, ph: Any, time: Any) -> Any:
        """Specific growth rate; the mechanism knows no age of the culture, a correction may."""
        acid = jnp.exp(-jnp.log(10.0) * ph)
        warmth = (self.k_growth * jnp.exp(-self.e_growth / (GAS_CONSTANT * temperature))
                  - self.k_death * jnp.exp(-self.e_death / (GAS_CONSTANT * temperature)))
        return (self.mu_max / (1 + self.k_1 / acid + acid / self.k_2) * warmth * substrate / (self.k_x * biomass + substrate)
                * dissolved_oxygen / (self.k_ox * biomass + dissolved_oxygen))

    @twin.term("1/h", lower=0, upper=0.05, vanishes_with=("substrate", "dissolved_oxygen"))
    def production_rate(self, biomass: Any, substrate: Any, dissolved_oxygen: Any, time: Any) -> Any:
        """Specific production rate; the mechanism knows no age of the culture, a correction may."""
        cube = dissolved_oxygen**3
        return (self.mu_product * substrate / (self.k_p + substrate + substrate**2 / self.k_i)
                * cube / (self.k_op * biomass + cube))

    @twin.term("1/h", lower=0, upper=0.2, vanishes_with=("substrate",))
    def maintenance_rate(self, substrate: Any) -> Any:
        """Specific substrate uptake for maintenance."""
        return self.m_x * substrate / (substrate + self.k_maintenance)

    @twin.term("1/h", lower=0, upper=1000)
    def oxygen_transfer(self, aeration: Any, agitation: Any, volume: Any) -> Any:
        """Volumetric oxygen transfer coefficient kLa."""
        return self.kla_factor * jnp.sqrt(aeration) * (agitation / volume) ** self.kla_power

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.biomass, s.substrate, s.dissolved_oxygen, s.temperature, s.ph, s.time) * s.biomass
        made = self.network.rates_of_change({
            "growth": growth,
            "production": self.production_rate(s.biomass, s.substrate, s.dissolved_oxygen, s.time) * s.biomass,
            "maintenance": self.maintenance_rate(s.substrate) * s.biomass,
            "hydrolysis": self.k_hydrolysis * s.product,
        })
        d_volume = s.feed - self._evaporation(s)
        d = d_volume / s.volume
        return {
            "biomass": made["biomass"] - d * s.biomass,
            "substrate": made["substrate"] + s.feed * self.feed_substrate / s.volume - d * s.substrate,
            "product": made["product"] - d * s.product,
            "dissolved_oxygen": (made["dissolved_oxygen"] - self.m_o * s.biomass
                                 + self.oxygen_transfer(s.aeration, s.agitation, s.volume)
                                 * (self.oxygen_saturation - s.dissolved_oxygen) - d * s.dissolved_oxygen),
            "volume": d_volume,
            "co2": self.co2_growth * growth + self.co2_maintenance * s.biomass + self.co2_constant,
            "hydrolysate": made["hydrolysate"] - d * s.hydrolysate,
            "co2_carbon": made["co2_carbon"] * s.volume,
        }

    def _evaporation(self, s: Any) -> Any:
        return s.volume * self.evaporation * (jnp.exp(5 * (s.temperature - 273) / 100) - 1)

    def outputs(self, s: Any) -> Mapping[str, Any]:
        held = (self.carbon_biomass * s.biomass + self.carbon_substrate * s.substrate
                + self.carbon_product * (s.product + s.hydrolysate))
        return {"carbon": held * s.volume + s.co2_carbon, "evaporation_rate": self._evaporation(s),
                "product_mass": s.product * s.volume}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Carbon in the vessel and released, fed by the glucose."""
        return {"carbon": (self.outputs(s)["carbon"], s.feed * self.feed_substrate * self.carbon_substrate)}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 0.1, "substrate": 15.0, "product": 0.0, "dissolved_oxygen": 1.16, "volume": 100.0, "co2": 0.5,
                "hydrolysate": 0.0, "co2_carbon": 0.0}

    def recipe(self) -> twin.Recipe:
        """Batch until the substrate falls below 0.3 g/l, then a constant feed, 400 h in all."""
        air = {"aeration": 8.6, "agitation": 30.0}
        return twin.Recipe([
            twin.Phase(name="batch", inputs={"feed": 0.0, **air}, until=("substrate", "below", 0.3), at_most=100),
            twin.Phase(name="fed-batch", inputs={"feed": 0.042, **air}),
        ])
