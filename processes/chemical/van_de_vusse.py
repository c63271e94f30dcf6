"""Van de Vusse reactor A -> B -> C, 2 A -> D: two published variants as two named constructors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

KLATT = "Klatt, Engell, Comput. Chem. Eng. 22 (1998) 491-502, doi:10.1016/S0098-1354(97)00261-5"
DO_MPC = "example 'CSTR' of do-mpc 5.1 (Fiedler et al., Control Eng. Pract. 140 (2023) 105676)"


class VanDeVusse(twin.DynamicModel):
    """Cooled stirred reactor with the van de Vusse reactions (Klatt and Engell).

    The feed temperature tells the two published variants apart: 104.9 degC in the benchmark of Klatt and Engell
    (`VanDeVusse.klatt_engell()`), 130 degC in the example of do-mpc (`VanDeVusse.do_mpc()`). It has no default.
    """

    time_unit = "h"

    c_a = twin.state("mol/l", lower=0, upper=6, nominal=2, doc="educt A")
    c_b = twin.state("mol/l", lower=0, upper=6, nominal=1, doc="product B")
    t_reactor = twin.state("degC", lower=50, upper=200, nominal=110, doc="reactor")
    t_jacket = twin.state("degC", lower=50, upper=200, nominal=110, doc="jacket")
    flow = twin.input("1/h", lower=3, upper=100, nominal=14.19, doc="feed over reactor volume")
    duty = twin.input("kJ/h", lower=-9000, upper=0, nominal=-1113.5, doc="heat to the jacket")
    c_feed = twin.disturbance("mol/l", lower=4.5, upper=5.7, nominal=5.1, doc="educt in the feed")

    t_feed = twin.parameter(None, "degC", bounds=(80, 150), source=f"{KLATT}: 104.9; {DO_MPC}: 130", doc="feed temperature")
    k_10 = twin.parameter(1.287e12, "1/h", bounds=(0, None), source=KLATT, doc="A -> B, frequency factor")
    k_20 = twin.parameter(1.287e12, "1/h", bounds=(0, None), source=KLATT, doc="B -> C, frequency factor")
    k_30 = twin.parameter(9.043e9, "l/(mol h)", bounds=(0, None), source=KLATT, doc="2 A -> D, frequency factor")
    e_1 = twin.parameter(9758.3, "K", bounds=(0, None), source=KLATT, doc="A -> B, activation temperature")
    e_2 = twin.parameter(9758.3, "K", bounds=(0, None), source=KLATT, doc="B -> C, activation temperature")
    e_3 = twin.parameter(8560.0, "K", bounds=(0, None), source=KLATT, doc="2 A -> D, activation temperature")
    h_1 = twin.parameter(4.2, "kJ/mol", source=KLATT, doc="A -> B, reaction enthalpy")
    h_2 = twin.parameter(-11.0, "kJ/mol", source=KLATT, doc="B -> C, reaction enthalpy")
    h_3 = twin.parameter(-41.85, "kJ/mol", source=KLATT, doc="2 A -> D, reaction enthalpy")
    density = twin.parameter(0.9342, "kg/l", bounds=(0, None), source=KLATT, doc="reaction mass")
    cp = twin.parameter(3.01, "kJ/(kg K)", bounds=(0, None), source=KLATT, doc="heat capacity of the reaction mass")
    cp_jacket = twin.parameter(2.0, "kJ/(kg K)", bounds=(0, None), source=KLATT, doc="heat capacity of the coolant")
    area = twin.parameter(0.215, "m**2", bounds=(0, None), source=KLATT, doc="jacket surface")
    volume = twin.parameter(10.01, "l", bounds=(0, None), source=KLATT, doc="reactor volume")
    jacket_mass = twin.parameter(5.0, "kg", bounds=(0, None), source=KLATT, doc="coolant in the jacket")
    u_wall = twin.parameter(4032.0, "kJ/(h m**2 K)", bounds=(0, None), source=KLATT, doc="heat transfer coefficient")

    @classmethod
    def klatt_engell(cls) -> VanDeVusse:
        """The benchmark reactor, feed at 104.9 degC."""
        return cls(t_feed=104.9)

    @classmethod
    def do_mpc(cls) -> VanDeVusse:
        """The variant of the do-mpc example, feed at 130 degC."""
        return cls(t_feed=130.0)

    @classmethod
    def example(cls) -> VanDeVusse:
        return cls.klatt_engell()

    @twin.term("1/h")
    def k_1(self, t_reactor: Any) -> Any:
        """Rate constant of A -> B."""
        return self.k_10 * jnp.exp(-self.e_1 / (t_reactor + 273.15))

    @twin.term("1/h")
    def k_2(self, t_reactor: Any) -> Any:
        """Rate constant of B -> C."""
        return self.k_20 * jnp.exp(-self.e_2 / (t_reactor + 273.15))

    @twin.term("l/(mol h)")
    def k_3(self, t_reactor: Any) -> Any:
        """Rate constant of 2 A -> D (consumption of A)."""
        return self.k_30 * jnp.exp(-self.e_3 / (t_reactor + 273.15))

    def rhs(self, s: Any) -> Mapping[str, Any]:
        r_1, r_2, r_3 = self.k_1(s.t_reactor) * s.c_a, self.k_2(s.t_reactor) * s.c_b, self.k_3(s.t_reactor) * s.c_a**2
        heat = self.h_1 * r_1 + self.h_2 * r_2 + self.h_3 * r_3
        wall = self.u_wall * self.area * (s.t_jacket - s.t_reactor)
        return {
            "c_a": s.flow * (s.c_feed - s.c_a) - r_1 - r_3,
            "c_b": -s.flow * s.c_b + r_1 - r_2,
            "t_reactor": (s.flow * (self.t_feed - s.t_reactor) - heat / (self.density * self.cp)
                          + wall / (self.density * self.cp * self.volume)),
            "t_jacket": (s.duty - wall) / (self.jacket_mass * self.cp_jacket),
        }

    def initial(self) -> Mapping[str, Any]:
        return {"c_a": 0.8, "c_b": 0.5, "t_reactor": 134.14, "t_jacket": 130.0}

    def recipe(self) -> twin.Recipe:
        """The published operating point."""
        return twin.Recipe.constant(flow=14.19, duty=-1113.5)
