"""Clinker burning in a bed of meal: five reactions with element balances, second-order kinetics, sensible heat with melting."""

from __future__ import annotations

from typing import Any

import twin
from twin import jnp, smooth

GAS_CONSTANT = 8.314462618  # J/(mol K)
# kg/mol from atomic masses: Ca 40.078, Si 28.085, Al 26.982, Fe 55.845, C 12.011, O 15.999
MOLAR = {"caco3": 0.100086, "cao": 0.056077, "sio2": 0.060083, "al2o3": 0.101961, "fe2o3": 0.159687, "co2": 0.044009}
MOLAR |= {"c2s": 2 * MOLAR["cao"] + MOLAR["sio2"], "c3s": 3 * MOLAR["cao"] + MOLAR["sio2"],
          "c3a": 3 * MOLAR["cao"] + MOLAR["al2o3"], "c4af": 4 * MOLAR["cao"] + MOLAR["al2o3"] + MOLAR["fe2o3"]}
SOLIDS = ("caco3", "cao", "sio2", "al2o3", "fe2o3", "c2s", "c3s", "c3a", "c4af")
REACTIONS = ("calcination", "belite", "alite", "aluminate", "ferrite")
SPANG = "[textbook] set of the type of Spang (1972) and Mujumdar and Ranade (2006), as 1/s on mass fractions; not portable"
HEAT = "[textbook] heats of reaction"
CALIBRATED = "calibrated in this work: 1.0 % free lime after 36 min with 8 min at 1450 degC"
T_0 = 298.15  # K: where sensible heat counts from


class Clinker(twin.DynamicModel, abstract=True):  # type: ignore[call-arg]
    """What models of burning clinker share.

    Rates are k Y_1 Y_2 on mass fractions without inerts, as mass of SiO2, C2S, Al2O3 or Fe2O3 used per mass of bed: a convention,
    which the constants belong to. Published sets give 0 to 23 % free lime for one and the same meal and temperature; the term
    `alite_rate`, with the factor `burnability`, is therefore the one to calibrate and to learn. Alkali, sulfur and coating are
    left out.
    """

    network = twin.Reactions(
        {"calcination": {"caco3": -1, "cao": 1, "co2": 1}, "belite": {"cao": -2, "sio2": -1, "c2s": 1},
         "alite": {"c2s": -1, "cao": -1, "c3s": 1}, "aluminate": {"cao": -3, "al2o3": -1, "c3a": 1},
         "ferrite": {"cao": -4, "al2o3": -1, "fe2o3": -1, "c4af": 1}},
        composition={"caco3": {"Ca": 1, "C": 1, "O": 3}, "cao": {"Ca": 1, "O": 1}, "co2": {"C": 1, "O": 2},
                     "sio2": {"Si": 1, "O": 2}, "al2o3": {"Al": 2, "O": 3}, "fe2o3": {"Fe": 2, "O": 3},
                     "c2s": {"Ca": 2, "Si": 1, "O": 4}, "c3s": {"Ca": 3, "Si": 1, "O": 5},
                     "c3a": {"Ca": 3, "Al": 2, "O": 6}, "c4af": {"Ca": 4, "Al": 2, "Fe": 2, "O": 10}})

    k_calcination = twin.parameter(1.0e8, "1/s", bounds=(0, None), scale="log", source=SPANG, doc="first order in CaCO3")
    e_calcination = twin.parameter(175.7, "kJ/mol", bounds=(0, 1000), source=SPANG, doc="activation energy of calcination")
    k_belite = twin.parameter(4.11e5, "1/s", bounds=(0, None), scale="log", source=SPANG, doc="2 CaO + SiO2 -> C2S")
    e_belite = twin.parameter(193.0, "kJ/mol", bounds=(0, 1000), source=SPANG, doc="activation energy of C2S")
    k_alite = twin.parameter(1.33e5, "1/s", bounds=(0, None), scale="log", source=SPANG, doc="C2S + CaO -> C3S")
    e_alite = twin.parameter(256.0, "kJ/mol", bounds=(0, 1000), source=SPANG, doc="activation energy of C3S")
    k_aluminate = twin.parameter(8.33e6, "1/s", bounds=(0, None), scale="log", source=SPANG, doc="3 CaO + Al2O3 -> C3A")
    e_aluminate = twin.parameter(194.0, "kJ/mol", bounds=(0, 1000), source=SPANG, doc="activation energy of C3A")
    k_ferrite = twin.parameter(8.33e8, "1/s", bounds=(0, None), scale="log", source=SPANG, doc="4 CaO + Al2O3 + Fe2O3 -> C4AF")
    e_ferrite = twin.parameter(185.0, "kJ/mol", bounds=(0, 1000), source=SPANG, doc="activation energy of C4AF")
    burnability = twin.parameter(19.37, "-", bounds=(0.1, 1000), scale="log", source=CALIBRATED, doc="factor on the alite rate")
    h_calcination = twin.parameter(179.4, "kJ/mol", bounds=(0, 300), source=HEAT, doc="heat taken by calcination")
    h_belite = twin.parameter(-127.6, "kJ/mol", bounds=(-300, 300), source=HEAT, doc="heat taken by C2S")
    h_alite = twin.parameter(16.0, "kJ/mol", bounds=(-300, 300), source=HEAT, doc="heat taken by C3S")
    h_aluminate = twin.parameter(21.8, "kJ/mol", bounds=(-300, 300), source=HEAT, doc="heat taken by C3A")
    h_ferrite = twin.parameter(-41.3, "kJ/mol", bounds=(-300, 300), source=HEAT, doc="heat taken by C4AF")

    p_co2 = twin.parameter(0.0, "atm", bounds=(0, 2), source=HEAT, doc="CO2 in the bed; 0: calcination is not held back")

    def arrhenius(self, k: Any, e: Any, t: Any) -> Any:
        """Rate constant at a temperature in K."""
        return k * jnp.exp(-1e3 * e / (GAS_CONSTANT * t))

    @twin.term("1/s", lower=0, upper=1e3, vanishes_with=("y_caco3",))
    def calcination_rate(self, t_bed: Any, y_caco3: Any) -> Any:
        """Mass of CaCO3 that decays, per mass of bed."""
        driving = smooth.positive(1.0 - self.p_co2 / dissociation_pressure(t_bed), 0.02)
        return self.arrhenius(self.k_calcination, self.e_calcination, t_bed) * driving * y_caco3

    @twin.term("1/s", lower=0, upper=1e3, vanishes_with=("y_cao", "y_sio2"))
    def belite_rate(self, t_bed: Any, y_cao: Any, y_sio2: Any) -> Any:
        """Mass of SiO2 used, per mass of bed."""
        return self.arrhenius(self.k_belite, self.e_belite, t_bed) * y_cao * y_sio2

    @twin.term("1/s", lower=0, upper=1e3, vanishes_with=("y_cao", "y_c2s"))
    def alite_rate(self, t_bed: Any, y_cao: Any, y_c2s: Any) -> Any:
        """Mass of C2S used, per mass of bed: burnability, what a learned correction changes."""
        return self.burnability * self.arrhenius(self.k_alite, self.e_alite, t_bed) * y_cao * y_c2s

    @twin.term("1/s", lower=0, upper=1e3, vanishes_with=("y_cao", "y_al2o3"))
    def aluminate_rate(self, t_bed: Any, y_cao: Any, y_al2o3: Any) -> Any:
        """Mass of Al2O3 used for C3A, per mass of bed."""
        return self.arrhenius(self.k_aluminate, self.e_aluminate, t_bed) * y_cao * y_al2o3

    @twin.term("1/s", lower=0, upper=1e3, vanishes_with=("y_cao", "y_fe2o3"))
    def ferrite_rate(self, t_bed: Any, y_cao: Any, y_fe2o3: Any) -> Any:
        """Mass of Fe2O3 used, per mass of bed."""
        return self.arrhenius(self.k_ferrite, self.e_ferrite, t_bed) * y_cao * y_fe2o3

    def reacting(self, t_bed: Any, held: dict[str, Any], ease: Any = 1.0) -> tuple[dict[str, Any], Any]:
        """Change of every solid and of CO2 in (unit of held)/s, and heat taken in W, of an amount of bed held in kg or kg/m.

        `ease` is a factor on the alite rate.
        """
        total = sum(held[n] for n in SOLIDS)
        y = {n: held[n] / total for n in SOLIDS}
        moles = {
            "calcination": self.calcination_rate(t_bed, y["caco3"]) * total / MOLAR["caco3"],
            "belite": self.belite_rate(t_bed, y["cao"], y["sio2"]) * total / MOLAR["sio2"],
            "alite": ease * self.alite_rate(t_bed, y["cao"], y["c2s"]) * total / MOLAR["c2s"],
            "aluminate": self.aluminate_rate(t_bed, y["cao"], y["al2o3"]) * total / MOLAR["al2o3"],
            "ferrite": self.ferrite_rate(t_bed, y["cao"], y["fe2o3"]) * total / MOLAR["fe2o3"]}
        made = self.network.rates_of_change(moles)
        heat = 1e3 * sum(getattr(self, f"h_{r}") * moles[r] for r in REACTIONS)
        return {n: MOLAR[n] * made[n] for n in (*SOLIDS, "co2")}, heat


def dissociation_pressure(t: Any) -> Any:
    """Pressure of CO2 in atm above CaCO3 and CaO at a temperature in K [textbook]; 1 atm at 894.3 degC."""
    return 4.137e7 * jnp.exp(-20474.0 / t)


def meal(oxides: Any, calcined: Any) -> dict[str, Any]:
    """Mass of each solid for one kilogram of oxides in percent (CaO, SiO2, Al2O3, Fe2O3, rest) of which a share is calcined."""
    cao, sio2, al2o3, fe2o3 = (0.01 * oxides[k] for k in range(4))
    return {"caco3": cao * (1.0 - calcined) * MOLAR["caco3"] / MOLAR["cao"], "cao": cao * calcined, "sio2": sio2, "al2o3": al2o3,
            "fe2o3": fe2o3, "c2s": 0.0, "c3s": 0.0, "c3a": 0.0, "c4af": 0.0}


def solid_enthalpy(t: Any, melt: Any, melting: Any) -> Any:
    """Sensible heat of bed in J/kg at a temperature in K from 298 K, with `melt` J/kg taken up around `melting` K.

    Heat capacity 880 + 0.23 (t - 298) J/(kg K) [textbook].
    """
    d = t - T_0
    return 880.0 * d + 0.115 * d * d + melt * smooth.step(t - melting, 45.0)


def solid_capacity(t: Any, melt: Any, melting: Any) -> Any:
    """Slope of `solid_enthalpy` in J/(kg K)."""
    s = jnp.tanh((t - melting) / 45.0)
    return 880.0 + 0.23 * (t - T_0) + melt * 0.5 / 45.0 * (1.0 - s * s)
