"""Industrial semi-batch polymerization with external cooling: the ten-state example of do-mpc."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

DO_MPC = ("example 'industrial_poly' of do-mpc 5.1 (Fiedler et al., Control Eng. Pract. 140 (2023) 105676), after Lucia, "
          "Finkler, Engell, J. Process Control 23 (2013) 1306-1319, doi:10.1016/j.jprocont.2013.08.008")


class Polymerization(twin.DynamicModel):
    """Semi-batch polymerization in a jacketed vessel with an external heat exchanger.

    Monomer and water are fed while the polymer forms in the vessel and in the loop of the external heat exchanger.
    `t_adiabatic` is the temperature that the reactor would reach if cooling failed and all monomer reacted; like in the
    source it is a state, whose derivative is that of `t_reactor + monomer heat / (mass cp)`. The source bounds it by
    382.15 K, the reactor by 363.15 +- 2 K and the monomer fed by 30 t; a batch ends at 20 680 kg of polymer. Its heat of
    reaction and its rate factor `k_0` are uncertain by 30 %.
    """

    time_unit = "h"

    water = twin.state("kg", lower=0, upper=3e4, nominal=1e4, doc="water in the reactor")
    monomer = twin.state("kg", lower=0, upper=1e4, nominal=853, doc="monomer in the reactor")
    polymer = twin.state("kg", lower=1, upper=3e4, nominal=5e3, doc="polymer in the reactor")
    t_reactor = twin.state("K", lower=298, upper=400, nominal=363.15, doc="reactor contents")
    t_wall = twin.state("K", lower=298, upper=400, nominal=363.15, doc="reactor wall")
    t_jacket = twin.state("K", lower=298, upper=400, nominal=363.15, doc="water leaving the jacket")
    t_loop = twin.state("K", lower=288, upper=400, nominal=350, doc="contents of the external heat exchanger")
    t_loop_water = twin.state("K", lower=288, upper=400, nominal=350, doc="cooling water leaving the external heat exchanger")
    monomer_fed = twin.state("kg", lower=0, upper=3.1e4, nominal=1e4, doc="all that was fed")
    t_adiabatic = twin.state("K", lower=298, upper=500, nominal=378, doc="reactor after a cooling failure")
    feed = twin.input("kg/h", lower=0, upper=3e4, nominal=8e3, doc="monomer and water")
    t_jacket_in = twin.input("K", lower=333.15, upper=373.15, nominal=350, doc="water to the jacket")
    t_loop_in = twin.input("K", lower=333.15, upper=373.15, nominal=350, doc="cooling water to the external heat exchanger")
    conversion = twin.output("-", lower=0, upper=1, nominal=0.9, doc="polymer over monomer and polymer")
    mass = twin.output("kg", lower=0, upper=7e4, nominal=2e4, doc="reactor contents")

    heat = twin.parameter(950.0, "kJ/kg", bounds=(0, 2000), source=DO_MPC, doc="heat released by the reaction")
    k_0 = twin.parameter(7.0, "1/h", bounds=(0, 100), source=DO_MPC, doc="rate factor")
    e_a = twin.parameter(8500.0, "kJ/kmol", bounds=(0, 1e5), source=DO_MPC, doc="activation energy")
    gas_constant = twin.parameter(8.314, "kJ/(kmol K)", bounds=(8.31, 8.32), source=DO_MPC, doc="gas constant as in the source")
    k_u1 = twin.parameter(4.0, "-", bounds=(0, None), source=DO_MPC, doc="rate factor at no conversion")
    k_u2 = twin.parameter(32.0, "-", bounds=(0, None), source=DO_MPC, doc="rate factor at full conversion")
    water_share = twin.parameter(0.333, "kg/kg", bounds=(0, 1), source=DO_MPC, doc="water in the feed")
    monomer_share = twin.parameter(0.667, "kg/kg", bounds=(0, 1), source=DO_MPC, doc="monomer in the feed")
    t_feed = twin.parameter(298.15, "K", bounds=(273.15, 373.15), source=DO_MPC, doc="feed")
    area = twin.parameter(65.0, "m2", bounds=(0, None), source=DO_MPC, doc="wall of the reactor")
    k_water = twin.parameter(17280.0, "kJ/(h m2 K)", bounds=(0, None), source=DO_MPC, doc="heat transfer of water at the wall")
    k_monomer = twin.parameter(3600.0, "kJ/(h m2 K)", bounds=(0, None), source=DO_MPC, doc="heat transfer of monomer at the wall")
    k_polymer = twin.parameter(360.0, "kJ/(h m2 K)", bounds=(0, None), source=DO_MPC, doc="heat transfer of polymer at the wall")
    alpha = twin.parameter(3.6e6, "kJ/(h K)", bounds=(0, None), source=DO_MPC, doc="heat transfer of the external heat exchanger")
    jacket_mass = twin.parameter(5000.0, "kg", bounds=(0, None), source=DO_MPC, doc="water in the jacket")
    jacket_flow = twin.parameter(3e5, "kg/h", bounds=(0, None), source=DO_MPC, doc="water through the jacket")
    wall_mass = twin.parameter(39000.0, "kg", bounds=(0, None), source=DO_MPC, doc="steel of the reactor")
    loop_mass = twin.parameter(200.0, "kg", bounds=(0, None), source=DO_MPC, doc="contents of the external heat exchanger")
    loop_flow = twin.parameter(2e4, "kg/h", bounds=(0, None), source=DO_MPC, doc="reactor contents through the external loop")
    loop_water_mass = twin.parameter(1000.0, "kg", bounds=(0, None), source=DO_MPC, doc="cooling water in the external loop")
    loop_water_flow = twin.parameter(1e5, "kg/h", bounds=(0, None), source=DO_MPC, doc="cooling water of the external loop")
    cp_water = twin.parameter(4.2, "kJ/(kg K)", bounds=(0, None), source=DO_MPC, doc="heat capacity of water")
    cp_wall = twin.parameter(0.47, "kJ/(kg K)", bounds=(0, None), source=DO_MPC, doc="heat capacity of steel")
    cp_feed = twin.parameter(3.0, "kJ/(kg K)", bounds=(0, None), source=DO_MPC, doc="heat capacity of the feed")
    cp_reactor = twin.parameter(5.0, "kJ/(kg K)", bounds=(0, None), source=DO_MPC, doc="heat capacity of the reactor contents")

    fed = twin.Shares("water_share", "monomer_share")

    @twin.term("1/h")
    def rate_constant(self, monomer: Any, polymer: Any, t_reactor: Any) -> Any:
        """Rate constant at a conversion and a temperature (of the reactor, or of the external heat exchanger)."""
        conversion = polymer / (monomer + polymer)
        factor = self.k_u1 * (1 - conversion) + self.k_u2 * conversion
        return self.k_0 * jnp.exp(-self.e_a / (self.gas_constant * t_reactor)) * factor

    @twin.term("kJ/(h m2 K)")
    def wall_transfer(self, water: Any, monomer: Any, polymer: Any) -> Any:
        """Heat transfer coefficient at the wall, by composition; fouling lowers it."""
        return (water * self.k_water + monomer * self.k_monomer + polymer * self.k_polymer) / (water + monomer + polymer)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        mass = s.water + s.monomer + s.polymer
        inside = self.rate_constant(s.monomer, s.polymer, s.t_reactor) * s.monomer * (1 - self.loop_mass / mass)
        outside = self.rate_constant(s.monomer, s.polymer, s.t_loop) * s.monomer * self.loop_mass / mass
        wall = self.wall_transfer(s.water, s.monomer, s.polymer) * self.area
        to_wall, to_jacket = wall * (s.t_reactor - s.t_wall), wall * (s.t_wall - s.t_jacket)
        circulated = self.loop_flow * self.cp_reactor * (s.t_reactor - s.t_loop)
        cooled = self.alpha * (s.t_loop - s.t_loop_water)
        d_water, d_polymer = s.feed * self.water_share, inside + outside
        d_monomer = s.feed * self.monomer_share - d_polymer
        d_reactor = (s.feed * self.cp_feed * (self.t_feed - s.t_reactor) - to_wall - circulated
                     + self.heat * inside) / (self.cp_reactor * mass)
        d_mass = d_water + d_monomer + d_polymer
        return {
            "water": d_water, "monomer": d_monomer, "polymer": d_polymer, "t_reactor": d_reactor,
            "t_wall": (to_wall - to_jacket) / (self.cp_wall * self.wall_mass),
            "t_jacket": (self.jacket_flow * self.cp_water * (s.t_jacket_in - s.t_jacket) + to_jacket)
            / (self.cp_water * self.jacket_mass),
            "t_loop": (circulated - cooled + self.heat * outside) / (self.cp_reactor * self.loop_mass),
            "t_loop_water": (self.loop_water_flow * self.cp_water * (s.t_loop_in - s.t_loop_water) + cooled)
            / (self.cp_water * self.loop_water_mass),
            "monomer_fed": s.feed,
            "t_adiabatic": self.heat / self.cp_reactor * (d_monomer / mass - s.monomer * d_mass / mass**2) + d_reactor,
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"conversion": s.polymer / (s.monomer + s.polymer), "mass": s.water + s.monomer + s.polymer}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Mass, and the definition of the adiabatic temperature."""
        mass = s.water + s.monomer + s.polymer
        gap = s.t_adiabatic - s.t_reactor - s.monomer * self.heat / (mass * self.cp_reactor)
        return {"mass": (mass, s.feed * (self.water_share + self.monomer_share)), "adiabatic temperature": (gap, 0.0)}

    def initial(self) -> Mapping[str, Any]:
        water, monomer, polymer, t = 10000.0, 853.0, 26.5, 363.15
        return {"water": water, "monomer": monomer, "polymer": polymer, "t_reactor": t, "t_wall": t, "t_jacket": t,
                "t_loop": 308.15, "t_loop_water": 308.15, "monomer_fed": 300.0,
                "t_adiabatic": t + monomer * self.heat / ((water + monomer + polymer) * self.cp_reactor)}

    def recipe(self) -> twin.Recipe:
        """The published check: 8 t/h for an hour, jacket at 350 K, external cooler at 340 K."""
        return twin.Recipe([twin.Phase(name="feeding", inputs={"feed": 8000.0, "t_jacket_in": 350.0, "t_loop_in": 340.0},
                                       until=1.0)])
