"""Rotary kiln: bed and gas in counter-current on cells, with preheater, calciner and cooler as heat balances around it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import twin
from processes.cement import kiln_heat as heat
from processes.cement.clinker import MOLAR, SOLIDS, Clinker, meal, solid_capacity, solid_enthalpy
from twin import jnp

LAYOUT = "reference kiln of this work: 60 m x 4 m, 3,000 t/d class with calciner"
BARR = "[textbook] pilot kiln of Barr, Brimacombe and Watkinson (1989)"
SIZE = "[textbook] order of size"
TUNED = "calibrated in this work: 1 % free lime at a burning zone of 1450 degC"
FUEL = "[textbook] bituminous coal"
MEAL = "reference meal of this work, on clinker basis with coal ash"
MOVED = (*SOLIDS, "rest")


class RotaryKiln(Clinker):
    """Rotary kiln with a bed that moves at constant speed and gas in quasi-steady counter-flow.

    Bed, gas and wall temperature and ten solids in each cell; gas flow grows by what calcines. The flame releases its heat along
    its length; ash falls into the bed with it. A cooler gives back a share of the clinker's heat with the combustion air;
    calciner and preheater close the heat balance of the line (outputs). Dust, alkali, sulfur, chlorine, coating and the dynamics
    of the bed depth are left out; the kinetics of `Clinker` are not portable, calibrate `burnability`.
    """

    time_unit = "min"

    cells = twin.static(100, doc="number of cells, feed end first")
    parts = twin.static(5, doc="oxides and rest")

    t_bed = twin.state("K", shape=("cells",), lower=250, upper=2200, nominal=1400, doc="bed")
    t_gas = twin.state("K", shape=("cells",), lower=250, upper=3000, nominal=1700, doc="gas")
    t_wall = twin.state("K", shape=("cells",), lower=250, upper=2500, nominal=1400, doc="inner face of the lining")
    caco3 = twin.state("kg/m", shape=("cells",), lower=0, upper=2000, nominal=50, doc="calcium carbonate in the bed")
    cao = twin.state("kg/m", shape=("cells",), lower=0, upper=2000, nominal=300, doc="free lime")
    sio2 = twin.state("kg/m", shape=("cells",), lower=0, upper=1000, nominal=100, doc="silica")
    al2o3 = twin.state("kg/m", shape=("cells",), lower=0, upper=500, nominal=30, doc="alumina")
    fe2o3 = twin.state("kg/m", shape=("cells",), lower=0, upper=500, nominal=20, doc="iron oxide")
    c2s = twin.state("kg/m", shape=("cells",), lower=0, upper=1000, nominal=150, doc="belite")
    c3s = twin.state("kg/m", shape=("cells",), lower=0, upper=2000, nominal=400, doc="alite")
    c3a = twin.state("kg/m", shape=("cells",), lower=0, upper=500, nominal=60, doc="aluminate")
    c4af = twin.state("kg/m", shape=("cells",), lower=0, upper=500, nominal=70, doc="ferrite")
    rest = twin.state("kg/m", shape=("cells",), lower=0, upper=500, nominal=20, doc="MgO and the rest")
    gas = twin.algebraic("kg/s", shape=("cells",), lower=0, upper=200, nominal=25, doc="gas leaving a cell")

    feed = twin.input("kg/s", lower=5, upper=120, nominal=35, doc="oxides of the hot meal, without CO2")
    fuel = twin.input("kg/s", lower=0.1, upper=10, nominal=1.0, doc="coal to the main burner")
    air = twin.input("kg/s", lower=2, upper=100, nominal=8.6, doc="hot secondary air")
    tertiary = twin.input("kg/s", lower=5, upper=100, nominal=34, doc="hot tertiary air to the calciner")
    rpm = twin.input("1/min", lower=0.5, upper=6, nominal=3.5, doc="revolutions of the kiln")
    calcined = twin.disturbance("-", lower=0.2, upper=1, nominal=0.90, doc="share of the CaO that the calciner calcined")
    t_meal = twin.disturbance("K", lower=300, upper=1300, nominal=1130, doc="hot meal")
    lime = twin.disturbance("-", lower=0.8, upper=1.2, nominal=1.0, doc="lime saturation of the meal over that of `oxides`")
    ease = twin.disturbance("-", lower=0.2, upper=5, nominal=1.0, doc="burnability of the meal over `burnability`")
    coal = twin.disturbance("-", lower=0.5, upper=1.5, nominal=1.0, doc="heating value of the coal over `heating_value`")

    free_lime = twin.output("%", lower=0, upper=100, nominal=1, doc="free CaO of the clinker")
    alite = twin.output("%", lower=0, upper=100, nominal=60, doc="C3S of the clinker")
    belite = twin.output("%", lower=0, upper=100, nominal=17, doc="C2S of the clinker")
    clinker = twin.output("kg/s", lower=0, upper=200, nominal=35, doc="clinker made")
    burning_zone = twin.output("degC", lower=0, upper=2000, nominal=1450, doc="hottest bed, mean over its hottest 50 K")
    flame = twin.output("degC", lower=0, upper=2800, nominal=2000, doc="hottest gas, mean over its hottest 50 K")
    inlet_gas = twin.output("degC", lower=0, upper=2000, nominal=1050, doc="gas at the feed end")
    oxygen = twin.output("%", lower=-21, upper=21, nominal=2.5, doc="O2 at the feed end, dry, by volume")
    nox = twin.output("-", lower=-20, upper=20, nominal=1, doc="logarithm of thermal NO, relative")
    secondary_air = twin.output("degC", lower=0, upper=1500, nominal=900, doc="secondary air")
    shell_loss = twin.output("MW", lower=0, upper=50, nominal=6, doc="loss through the lining")
    hottest_shell = twin.output("degC", lower=0, upper=1000, nominal=320, doc="hottest shell, mean over its hottest 20 K")
    filling = twin.output("%", lower=0, upper=50, nominal=10, doc="largest share of the cross section that the bed takes")
    calciner_fuel = twin.output("kg/s", lower=-5, upper=20, nominal=2.6, doc="coal that the calciner needs")
    preheater_gas = twin.output("degC", lower=0, upper=1000, nominal=320, doc="gas that leaves the preheater")
    exit_oxygen = twin.output("%", lower=-21, upper=21, nominal=2, doc="O2 behind the preheater, dry, without false air")
    exit_gas = twin.output("m**3/s", lower=0, upper=500, nominal=60, doc="gas to the fan, at 0 degC and 1 atm")
    heat_demand = twin.output("GJ/t", lower=0, upper=20, nominal=3.4, doc="heat of both fuels for clinker")
    fuel_power = twin.output("MW", lower=0, upper=1000, nominal=120, doc="heat of both fuels")
    calcined_lime = twin.output("kg/s", lower=0, upper=100, nominal=23, doc="CaO that came as carbonate")
    carbon_dioxide = twin.output("kg/t", lower=0, upper=3000, nominal=850, doc="CO2 of carbonate and fuels")
    process_co2 = twin.output("kg/t", lower=0, upper=1000, nominal=525, doc="of which from carbonate")

    burnability = twin.parameter(27.0, "-", bounds=(0.1, 1000), scale="log", source=TUNED, doc="factor on the alite rate")
    p_co2 = twin.parameter(0.5, "atm", bounds=(0, 2), source=SIZE, doc="CO2 in the bed")
    length = twin.parameter(60.0, "m", bounds=(5, 250), source=LAYOUT, doc="kiln length")
    radius = twin.parameter(2.0, "m", bounds=(0.1, 4), source=LAYOUT, doc="inside the lining")
    lining = twin.parameter(0.22, "m", bounds=(0.05, 0.6), source=LAYOUT, doc="brick, coating and shell")
    slope = twin.parameter(2.0, "deg", bounds=(0.5, 6), source=LAYOUT, doc="inclination")
    repose = twin.parameter(40.0, "deg", bounds=(20, 70), source=SIZE, doc="angle of repose of the bed")
    bed_density = twin.parameter(1200.0, "kg/m**3", bounds=(300, 3000), source=SIZE, doc="bulk density")
    bed_conductivity = twin.parameter(0.5, "W/(m K)", bounds=(0.05, 10), source=SIZE, doc="of the bed")
    melt = twin.parameter(150e3, "J/kg", bounds=(0, 1e6), source=SIZE, doc="600 kJ/kg of melt, a quarter of the bed")
    melting = twin.parameter(1610.0, "K", bounds=(1400, 1800), source=SIZE, doc="middle of the melting range")
    bed_emissivity = twin.parameter(0.9, "-", bounds=(0.1, 1), source=BARR, doc="of the bed")
    wall_emissivity = twin.parameter(0.85, "-", bounds=(0.1, 1), source=BARR, doc="of the lining")
    gas_emissivity = twin.parameter(0.27, "-", bounds=(0.01, 0.9), source=SIZE, doc="of the gas away from the flame")
    flame_emissivity = twin.parameter(0.40, "-", bounds=(0.01, 0.95), source=SIZE, doc="of the flame")
    flame_length = twin.parameter(18.0, "m", bounds=(2, 60), source=SIZE, doc="length in which 63 % of the fuel burns")
    brick = twin.parameter(1.9, "W/(m K)", bounds=(0.1, 20), source=SIZE, doc="conductivity of lining and coating")
    brick_heat = twin.parameter(2.2e6, "J/(m**3 K)", bounds=(1e5, 1e7), source=SIZE, doc="heat capacity of the lining")
    shell_emissivity = twin.parameter(0.85, "-", bounds=(0, 1), source=SIZE, doc="of the shell")
    shell_convection = twin.parameter(12.0, "W/(m**2 K)", bounds=(0, 100), source=SIZE, doc="at the shell")
    ambient = twin.parameter(298.15, "K", bounds=(240, 330), source=SIZE, doc="surroundings")
    oxides = twin.parameter((66.563, 21.622, 5.544, 3.465, 2.806), "%", shape=("parts",), bounds=(0, 100), source=MEAL,
                            doc="CaO, SiO2, Al2O3, Fe2O3, rest of the meal without CO2")
    heating_value = twin.parameter(27e6, "J/kg", bounds=(1e6, 6e7), source=FUEL, doc="of the coal")
    ash = twin.parameter(0.135, "-", bounds=(0, 0.6), source=FUEL, doc="ash of the coal")
    ash_oxides = twin.parameter((8.0, 50.0, 27.0, 8.0, 7.0), "%", shape=("parts",), bounds=(0, 100), source=FUEL,
                                doc="CaO, SiO2, Al2O3, Fe2O3, rest of the ash")
    oxygen_demand = twin.parameter(2.05, "-", bounds=(0.5, 4), source=FUEL, doc="kg O2 that burns one kg of coal")
    fuel_carbon = twin.parameter(0.70, "-", bounds=(0, 1), source=FUEL, doc="carbon of the coal")
    primary_air = twin.parameter(2.0, "kg/s", bounds=(0, 30), source=LAYOUT, doc="cold air of the burner")
    recuperation = twin.parameter(0.72, "-", bounds=(0, 1), source=SIZE, doc="clinker heat given back to the air")
    secondary_heat = twin.parameter(1.306, "-", bounds=(1, 2), source=SIZE, doc="heat of secondary air over that of all hot air")
    t_calciner = twin.parameter(1145.0, "K", bounds=(900, 1300), source=SIZE, doc="gas and meal that leave the calciner")
    stages = twin.parameter(5.0, "-", bounds=(1, 8), source=LAYOUT, doc="cyclone stages above the calciner")
    preheater_loss = twin.parameter(0.03, "-", bounds=(0, 0.3), source=SIZE, doc="heat lost by calciner and preheater")

    def bed_speed(self, rpm: Any) -> Any:
        """Speed of the bed in m/s by the residence time of Sullivan, 1.77 L sqrt(repose) / (slope D N) min."""
        minutes = 1.77 * self.length * jnp.sqrt(self.repose) / (self.slope * 2.0 * self.radius * rpm)
        return self.length / (60.0 * minutes)

    def burnt(self, from_burner: Any) -> Any:
        """Share of the fuel burnt up to a distance in m from the burner."""
        far = 1.0 - jnp.exp(-((self.length / self.flame_length) ** 2))
        return (1.0 - jnp.exp(-((from_burner / self.flame_length) ** 2))) / far

    @twin.term("-", lower=0, upper=1)
    def emissivity(self, from_burner: Any) -> Any:
        """Emissivity of gas and flame at a distance in m from the burner."""
        near = jnp.exp(-((from_burner / (1.5 * self.flame_length)) ** 2))
        return self.gas_emissivity + (self.flame_emissivity - self.gas_emissivity) * near

    def _shell(self, t_wall: Any) -> tuple[Any, Any]:
        """Loss through the lining in W/m, and shell temperature in K."""
        return heat.shell(t_wall, self.radius, self.lining, self.brick, self.shell_emissivity, self.shell_convection,
                          self.ambient)

    def _exchange(self, own: Any, s: Any) -> dict[str, Any]:
        """Heat between gas, bed and wall of one cell, W/m."""
        mass = sum(getattr(own, n) for n in MOVED)
        spin = 2.0 * math.pi * s.rpm / 60.0
        angle = heat.filling_angle(mass / self.bed_density, self.radius)
        chord, free = 2.0 * self.radius * jnp.sin(0.5 * angle), self.radius * (2.0 * math.pi - angle)
        e = self.emissivity((1.0 - own.position) * self.length)
        to_bed, to_wall = heat.coefficients(own.gas, own.t_gas, angle, self.radius, spin)
        shine_bed = heat.gas_radiation(own.t_gas, own.t_bed, e, self.bed_emissivity)
        shine_wall = heat.gas_radiation(own.t_gas, own.t_wall, e, self.wall_emissivity)
        gas_bed = chord * (to_bed * (own.t_gas - own.t_bed) + shine_bed)
        gas_wall = free * (to_wall * (own.t_gas - own.t_wall) + shine_wall)
        capacity = self.bed_density * solid_capacity(own.t_bed, self.melt, self.melting)
        wall_bed = heat.wall_to_bed(own.t_wall, own.t_bed, angle, self.radius, spin, e, self.wall_emissivity,
                                    self.bed_emissivity, self.bed_conductivity, capacity)
        loss, _ = self._shell(own.t_wall)
        return {"mass": mass, "gas_bed": gas_bed, "gas_wall": gas_wall, "wall_bed": wall_bed, "loss": loss, "angle": angle}

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Mapping[str, Any]:
        """Balances of one cell."""
        dz = self.length / self.cells
        u = self.bed_speed(s.rpm)
        near = (1.0 - own.position) * self.length - 0.5 * dz
        burning = s.fuel * (self.burnt(near + dz) - self.burnt(near)) / dz  # kg/(m s)
        q = self._exchange(own, s)
        made, taken = self.reacting(own.t_bed, {n: getattr(own, n) for n in SOLIDS}, s.ease)
        ash = self._ash()
        change = {n: u / dz * (getattr(left, n) - getattr(own, n)) + made.get(n, 0.0) + burning * self.ash * ash[n]
                  for n in MOVED}

        def solid(t: Any) -> Any:
            return solid_enthalpy(t, self.melt, self.melting)

        carried = u / dz * sum(getattr(left, n) for n in MOVED) * (solid(left.t_bed) - solid(own.t_bed))
        bed = carried + q["gas_bed"] + q["wall_bed"] - taken - burning * self.ash * solid(own.t_bed) \
            - made["co2"] * (heat.gas_enthalpy(own.t_bed) - solid(own.t_bed))
        area = math.pi * self.radius**2 * 0.9
        held = heat.PRESSURE * heat.M_GAS / (8.314462618 * own.t_gas) * area * heat.gas_capacity(own.t_gas)
        gas = (right.gas / dz * (heat.gas_enthalpy(right.t_gas) - heat.gas_enthalpy(own.t_gas))
               + burning * s.coal * self.heating_value
               + made["co2"] * (heat.gas_enthalpy(own.t_bed) - heat.gas_enthalpy(own.t_gas)) - q["gas_bed"] - q["gas_wall"])
        brick = self.brick_heat * math.pi * self.lining * (2.0 * self.radius + self.lining) * 0.5
        change |= {"t_bed": bed / (q["mass"] * solid_capacity(own.t_bed, self.melt, self.melting)), "t_gas": gas / held,
                   "t_wall": (q["gas_wall"] - q["wall_bed"] - q["loss"]) / brick}
        return {n: 60.0 * v for n, v in change.items()} | {"gas": right.gas + made["co2"] * dz - own.gas}

    def _ash(self) -> dict[str, Any]:
        """Mass of each solid in one kilogram of ash."""
        return meal(self.ash_oxides, 1.0) | {"rest": 0.01 * self.ash_oxides[4]}

    def _fed(self, s: Any) -> list[Any]:
        """Oxides of the meal in percent at its lime saturation."""
        total = 1.0 + 0.01 * self.oxides[0] * (s.lime - 1.0)
        return [self.oxides[k] * (s.lime if k == 0 else 1.0) / total for k in range(5)]

    def _meal(self, s: Any) -> dict[str, Any]:
        """Mass of each solid for one kilogram of fed oxides."""
        fed = self._fed(s)
        return meal(fed, s.calcined) | {"rest": 0.01 * fed[4]}

    def _hot_air(self, made: Any, t_clinker: Any, s: Any) -> tuple[Any, Any]:
        """Heat of the secondary and of the tertiary air in J/kg: together what the cooler gives back of the clinker's heat."""
        back = self.recuperation * made * solid_enthalpy(t_clinker, self.melt, self.melting)
        secondary = self.secondary_heat * back / (s.air + s.tertiary)
        return secondary, (back - s.air * secondary) / s.tertiary

    def ends(self, first: Any, last: Any, s: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Hot meal at the feed end; air from the cooler and fuel at the burner."""
        u = self.bed_speed(s.rpm)
        inlet = {n: s.feed * v / u for n, v in self._meal(s).items()}
        gas = s.air + self.primary_air + s.fuel * (1.0 - self.ash)
        made = u * sum(getattr(last, n) for n in MOVED)
        h = s.air * self._hot_air(made, last.t_bed, s)[0] / gas
        beyond = {n: getattr(last, n) for n in (*MOVED, "t_bed", "t_wall")}
        return inlet | {"t_bed": s.t_meal, "t_gas": first.t_gas, "t_wall": first.t_wall, "gas": first.gas}, \
            beyond | {"t_gas": heat.gas_temperature(h), "gas": gas}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        u = self.bed_speed(s.rpm)
        out = {n: getattr(s, n)[-1] for n in MOVED}
        mass = sum(out.values())
        made = u * mass
        t = self.t_calciner
        secondary, tertiary = self._hot_air(made, s.t_bed[-1], s)
        loss, shell = self._shell(s.t_wall)
        # calciner: kiln gas, tertiary air, meal from the preheater and fuel leave at one temperature
        carbonate = 0.01 * self._fed(s)[0] * s.feed / MOLAR["cao"]  # mol/s of CaO
        released = carbonate * s.calcined * MOLAR["co2"]
        raw = s.feed + carbonate * MOLAR["co2"]
        demand = carbonate * s.calcined * 1e3 * self.h_calcination
        arriving = s.gas[0] * heat.gas_enthalpy(s.t_gas[0]) + s.tertiary * tertiary
        leaving = (1.0 + self.preheater_loss) * heat.gas_enthalpy(t)
        # meal reaches the calciner at a temperature that the stages give it: Kremser with the ratio of heat flows
        gas_top = s.gas[0] + s.tertiary + released
        ratio = gas_top * heat.gas_capacity(0.5 * (t + 600.0)) / (raw * 1050.0)
        share = (ratio ** (self.stages + 1.0) - ratio) / (ratio ** (self.stages + 1.0) - 1.0)
        preheated = heat.T_0 + share * (t - heat.T_0)
        need = (demand + raw * (solid_enthalpy(t, 0.0, self.melting) - solid_enthalpy(preheated, 0.0, self.melting))
                + (s.gas[0] + s.tertiary + released) * leaving - arriving)
        second = need / (s.coal * self.heating_value - (1.0 - self.ash) * leaving)
        gas_top = gas_top + (1.0 - self.ash) * second
        h_exit = heat.gas_enthalpy(t) * (1.0 - self.preheater_loss) - raw * solid_enthalpy(preheated, 0.0, self.melting) / gas_top
        burnt = s.fuel + second
        dry = (0.233 * (s.air + self.primary_air) - s.coal * self.oxygen_demand * s.fuel) / 0.032
        calcined = s.gas[0] - s.air - self.primary_air - s.fuel * (1.0 - self.ash)
        c = s.coal * self.fuel_carbon / 0.012011  # mol/kg; carbon and oxygen demand follow the heating value
        carbon = s.fuel * c + calcined / MOLAR["co2"]
        nitrogen = 0.767 * (s.air + self.primary_air) / 0.0281
        co2 = burnt * c * MOLAR["co2"] + carbonate * MOLAR["co2"]
        top = dry + (0.233 * s.tertiary - s.coal * self.oxygen_demand * second) / 0.032  # mol/s of O2 behind the preheater
        top_dry = top + burnt * c + carbonate + nitrogen + 0.767 * s.tertiary / 0.0281
        hot = _hottest(s.t_gas, 50.0)
        return {"free_lime": 100.0 * out["cao"] / mass, "alite": 100.0 * out["c3s"] / mass, "belite": 100.0 * out["c2s"] / mass,
                "clinker": made, "burning_zone": _hottest(s.t_bed, 50.0) - 273.15, "flame": hot - 273.15,
                "inlet_gas": s.t_gas[0] - 273.15, "oxygen": 100.0 * dry / (dry + carbon + nitrogen),
                "nox": -69090.0 / hot + 69090.0 / 1990.0, "secondary_air": heat.gas_temperature(secondary) - 273.15,
                "shell_loss": 1e-6 * loss.sum() * self.length / self.cells, "hottest_shell": _hottest(shell, 20.0) - 273.15,
                "calciner_fuel": second, "preheater_gas": heat.gas_temperature(h_exit) - 273.15,
                "heat_demand": 1e-6 * burnt * s.coal * self.heating_value / made, "carbon_dioxide": 1e3 * co2 / made,
                "fuel_power": 1e-6 * burnt * s.coal * self.heating_value,
                "calcined_lime": carbonate * MOLAR["cao"],
                "process_co2": 1e3 * carbonate * MOLAR["co2"] / made,
                "exit_oxygen": 100.0 * top / top_dry,
                "exit_gas": 0.022414 / heat.M_GAS * gas_top,
                "filling": 100.0 * _largest(sum(getattr(s, n) for n in MOVED)) / (self.bed_density * math.pi * self.radius**2)}

    def initial(self) -> Mapping[str, Any]:
        """Straight lines between plausible ends; simulate a day to reach the profile."""
        import numpy as np

        z = (np.arange(self.cells) + 0.5) / self.cells
        share = meal(self.oxides, 0.90) | {"rest": 0.01 * self.oxides[4]}
        u = float(self.length / (60.0 * 1.77 * self.length * math.sqrt(self.repose) / (self.slope * 2.0 * self.radius * 3.5)))
        rows = {n: np.full(self.cells, 35.0 * float(v) / u + 1e-3) for n, v in share.items()}
        return {n: v.tolist() for n, v in rows.items()} | {
            "t_bed": (1130.0 + 550.0 * z).tolist(), "t_gas": (1350.0 + 800.0 * z).tolist(),
            "t_wall": (1200.0 + 500.0 * z).tolist()}

    def recipe(self) -> twin.Recipe:
        """The reference operation."""
        return twin.Recipe.constant(feed=35.0, fuel=1.0, air=8.6, tertiary=34.0, rpm=3.5)


def _hottest(t: Any, width: float) -> Any:
    """Mean of temperatures in K weighted towards the hottest, over about `width` kelvin."""
    weight = jnp.exp((t - 2000.0) / width)
    return (weight * t).sum() / weight.sum()


def _largest(mass: Any) -> Any:
    """Smooth largest value of masses in kg/m, over about 5 kg/m."""
    weight = jnp.exp((mass - mass.max()) / 5.0)
    return (weight * mass).sum() / weight.sum()
