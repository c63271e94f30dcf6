"""E. coli in a fed batch: acetate overflow, oxygen transfer, heat, temperature and pH."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.kinetics import (
    cardinal_ph,
    cardinal_temperature,
    metabolic_heat,
    monod,
    monod_signed,
    oxygen_transfer_rate,
    respiration,
    van_t_riet,
)
from processes.bioreactor.vessel import well_mixed

XU = "Xu, Jahic, Enfors, Biotechnol. Prog. 15 (1999) 81-90, doi:10.1021/bp9801087 [textbook constants]"
ROSSO = "Rosso, Lobry, Flandrois, J. Theor. Biol. 162 (1993) 447-463, doi:10.1006/jtbi.1993.1099"
ROSSO_PH = "Rosso et al., Appl. Environ. Microbiol. 61 (1995) 610-616, doi:10.1128/aem.61.2.610-616.1995"
WATER = "water under air at 37 degC [textbook]"


class EColi(twin.DynamicModel):
    """E. coli on glucose; the respiration is the bottleneck, and oxygen transfer the bottleneck of the vessel.

    Glucose beyond the respiratory capacity becomes acetate, which is oxidized again with what capacity is left. Stirrer
    power and gas velocity give the oxygen transfer (van't Riet), temperature and pH act on all rates through the cardinal
    models, the heat follows from the oxygen uptake. Maintenance is part of the glucose that is oxidized, so that nothing is
    taken up where nothing is left. Acetate does not inhibit growth here: keep it below about 2 g/l.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=150, nominal=20, per="volume", doc="cell dry mass")
    glucose = twin.state("g/l", lower=0, upper=50, nominal=0.1, per="volume", doc="glucose")
    acetate = twin.state("g/l", lower=0, upper=30, nominal=0.5, per="volume", doc="acetate")
    oxygen = twin.state("mmol/l", lower=0, upper=1.1, nominal=0.1, per="volume", doc="dissolved oxygen")
    volume = twin.state("l", lower=0.5, upper=15, nominal=8, doc="broth")
    feed = twin.input("l/h", lower=0, upper=2, nominal=0.1, doc="glucose feed")
    power = twin.input("W/m3", lower=100, upper=12000, nominal=5000, doc="stirrer power over broth volume")
    gas_velocity = twin.input("m/s", lower=0.001, upper=0.05, nominal=0.02, doc="superficial gas velocity")
    temperature = twin.input("degC", lower=10, upper=47, nominal=37, doc="broth temperature, held by a loop")
    ph = twin.input("-", lower=4.5, upper=8.9, nominal=7, doc="pH, held by a loop")
    oxygen_share = twin.disturbance("-", lower=0.1, upper=1, nominal=0.21, doc="oxygen in the gas")
    growth = twin.output("1/h", lower=0, upper=1.5, nominal=0.3, doc="specific growth rate")
    kla = twin.output("1/h", lower=0, upper=3000, nominal=500, doc="oxygen transfer coefficient")
    oxygen_uptake = twin.output("mmol/(l h)", lower=0, upper=600, nominal=100, doc="oxygen uptake rate")
    oxygen_percent = twin.output("%", lower=0, upper=500, nominal=50, doc="dissolved oxygen over that at equilibrium with air")
    heat = twin.output("kW/m3", lower=0, upper=80, nominal=10, doc="heat of metabolism and stirrer")
    biomass_mass = twin.output("g", lower=0, upper=2500, nominal=200, doc="cell dry mass in the vessel")

    q_glucose_max = twin.parameter(1.35, "1/h", bounds=(0, 5), validity=(0.5, 2), source=XU, doc="greatest glucose uptake")
    k_glucose = twin.parameter(0.05, "g/l", bounds=(1e-3, 1), source=XU, doc="half saturation of glucose uptake")
    q_oxygen_max = twin.parameter(15.0, "mmol/(g h)", bounds=(0, 50), validity=(8, 25), source=XU, doc="respiratory capacity")
    k_oxygen = twin.parameter(0.004, "mmol/l", bounds=(1e-5, 0.1), source=XU, doc="half saturation of respiration")
    q_acetate_max = twin.parameter(0.2, "1/h", bounds=(0, 2), source=XU, doc="greatest acetate uptake")
    k_acetate = twin.parameter(0.05, "g/l", bounds=(1e-3, 1), source=XU, doc="half saturation of acetate uptake")
    maintenance = twin.parameter(0.04, "1/h", bounds=(0, 0.3), source=XU, doc="glucose for maintenance, greatest")
    y_x_burnt = twin.parameter(0.51, "g/g", bounds=(0, 1), source=XU, doc="biomass from oxidized glucose")
    y_x_spilled = twin.parameter(0.15, "g/g", bounds=(0, 1), source=XU, doc="biomass from glucose that overflows")
    y_x_acetate = twin.parameter(0.40, "g/g", bounds=(0, 1), source=XU, doc="biomass from acetate")
    y_acetate = twin.parameter(0.50, "g/g", bounds=(0, 0.667), source=XU, doc="acetate from glucose that overflows")
    o_glucose = twin.parameter(16.0, "mmol/g", bounds=(1, 33.4), source=XU, doc="oxygen for oxidized glucose")
    o_acetate = twin.parameter(16.5, "mmol/g", bounds=(1, 33.4), source=XU, doc="oxygen for acetate")
    t_coldest = twin.parameter(4.9, "degC", bounds=(0, 20), source=ROSSO, doc="lowest temperature of growth")
    t_best = twin.parameter(41.3, "degC", bounds=(30, 45), source=ROSSO, doc="best temperature of growth")
    t_hottest = twin.parameter(47.5, "degC", bounds=(42, 50), source=ROSSO, doc="highest temperature of growth")
    ph_lowest = twin.parameter(4.4, "-", bounds=(3, 6), source=f"{ROSSO_PH} [textbook]", doc="lowest pH of growth")
    ph_best = twin.parameter(7.0, "-", bounds=(6, 8), source=f"{ROSSO_PH} [textbook]", doc="best pH of growth")
    ph_highest = twin.parameter(9.0, "-", bounds=(8, 11), source=f"{ROSSO_PH} [textbook]", doc="highest pH of growth")
    air_saturation = twin.parameter(0.21, "mmol/l", bounds=(0.1, 0.5), source=WATER, doc="dissolved oxygen under air")
    feed_glucose = twin.parameter(500.0, "g/l", bounds=(0, 900), source="usual feed [textbook]", doc="glucose in the feed")

    @twin.term("-", lower=0, upper=1)
    def vigor(self, temperature: Any, ph: Any) -> Any:
        """Share of all rates that temperature and pH leave."""
        warm = cardinal_temperature(temperature, self.t_coldest, self.t_best, self.t_hottest)
        return warm * cardinal_ph(ph, self.ph_lowest, self.ph_best, self.ph_highest)

    @twin.term("1/h", lower=0, upper=5, vanishes_with=("glucose",), rises_with=("glucose",))
    def glucose_uptake(self, glucose: Any) -> Any:
        """Specific glucose uptake at the best temperature and pH."""
        return monod(glucose, self.q_glucose_max, self.k_glucose)

    @twin.term("mmol/(g h)", lower=0, upper=50, vanishes_with=("oxygen",), rises_with=("oxygen",))
    def respiratory_capacity(self, oxygen: Any) -> Any:
        """Greatest specific oxygen uptake at the best temperature and pH."""
        return monod_signed(oxygen, self.q_oxygen_max, self.k_oxygen)

    @twin.term("1/h", lower=0, upper=2, vanishes_with=("acetate",), rises_with=("acetate",))
    def acetate_uptake(self, acetate: Any) -> Any:
        """Specific acetate uptake that the concentration allows."""
        return monod(acetate, self.q_acetate_max, self.k_acetate)

    @twin.term("1/h", lower=0, upper=5000)
    def oxygen_transfer(self, power: Any, gas_velocity: Any) -> Any:
        """Oxygen transfer coefficient kLa; antifoam, viscosity and salts change it."""
        return van_t_riet(power, gas_velocity, "coalescing")

    def rates(self, s: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Specific rates: growth, glucose oxidized, glucose that overflows, acetate oxidized, oxygen used."""
        vigor = self.vigor(s.temperature, s.ph)
        uptake = self.glucose_uptake(s.glucose)
        burnt, spilled, reused, oxygen = respiration(
            vigor * uptake, vigor * self.acetate_uptake(s.acetate), vigor * self.respiratory_capacity(s.oxygen),
            self.o_glucose, self.o_acetate)
        # the share of the uptake that burns without growth: constant where uptake is fast, all of it where it is slow
        idle = self.maintenance / (self.maintenance + uptake)
        growth = self.y_x_burnt * burnt * (1 - idle) + self.y_x_spilled * spilled + self.y_x_acetate * reused
        return growth, burnt, spilled, reused, oxygen

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth, burnt, spilled, reused, oxygen = self.rates(s)
        air = self.air_saturation * s.oxygen_share / 0.21
        transfer = oxygen_transfer_rate(self.oxygen_transfer(s.power, s.gas_velocity), air, s.oxygen)
        made = {
            "biomass": growth * s.biomass,
            "glucose": -(burnt + spilled) * s.biomass,
            "acetate": (self.y_acetate * spilled - reused) * s.biomass,
            "oxygen": transfer - oxygen * s.biomass,
        }
        return well_mixed(s, made, [(s.feed, {"glucose": self.feed_glucose, "oxygen": self.air_saturation})])

    def outputs(self, s: Any) -> Mapping[str, Any]:
        growth, *_, oxygen = self.rates(s)
        taken = oxygen * s.biomass
        return {"growth": growth, "kla": self.oxygen_transfer(s.power, s.gas_velocity), "oxygen_uptake": taken,
                "oxygen_percent": 100 * s.oxygen / self.air_saturation, "heat": metabolic_heat(taken) + 1e-3 * s.power,
                "biomass_mass": s.biomass * s.volume}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 0.5, "glucose": 10.0, "acetate": 0.0, "oxygen": 0.21, "volume": 8.0}

    def recipe(self) -> twin.Recipe:
        """Batch until the glucose is gone, then an exponential feed for 0.2 1/h, held at 0.06 l/h; 15 h of feed."""
        held = {"power": 5000.0, "gas_velocity": 0.02, "temperature": 37.0, "ph": 7.0}
        times = [0.25 * k for k in range(41)]
        feed = [min(0.034 * math.exp(0.2 * t), 0.06) for t in times]
        return twin.Recipe([
            twin.Phase(name="batch", inputs={"feed": 0.0, **held}, until=("glucose", "below", 0.1), at_most=14),
            twin.Phase(name="fed-batch", inputs={"feed": twin.Profile(times, feed, "linear")}, until=15.0),
        ])
