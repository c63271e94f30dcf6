"""Exothermic stirred reactor with several steady states and a limit cycle (Henson and Seborg's data)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

HENSON = "Henson, Seborg (eds.), Nonlinear Process Control, Prentice Hall (1997), ch. 1 [textbook]"


class ExothermicCstr(twin.DynamicModel):
    """First-order exothermic reaction A -> B in a cooled stirred reactor.

    At a coolant temperature of 300 K there are three steady states, at 305 K a single unstable one inside a limit cycle.
    """

    time_unit = "min"

    c_a = twin.state("mol/l", lower=0, upper=1, nominal=0.5, doc="educt A")
    temperature = twin.state("K", lower=280, upper=500, nominal=350, doc="reactor")
    t_coolant = twin.input("K", lower=280, upper=350, nominal=300, doc="coolant")
    c_feed = twin.disturbance("mol/l", lower=0, upper=2, nominal=1, doc="educt in the feed")
    t_feed = twin.disturbance("K", lower=300, upper=400, nominal=350, doc="feed temperature")
    conversion = twin.output("-", lower=0, upper=1, nominal=0.5, doc="share of A converted")

    flow = twin.parameter(100.0, "l/min", bounds=(0, None), source=HENSON, doc="feed")
    volume = twin.parameter(100.0, "l", bounds=(0, None), source=HENSON, doc="reactor volume")
    k_0 = twin.parameter(7.2e10, "1/min", bounds=(0, None), scale="log", source=HENSON, doc="frequency factor")
    e_over_r = twin.parameter(8750.0, "K", bounds=(0, None), source=HENSON, doc="activation temperature")
    heat = twin.parameter(5e4, "J/mol", bounds=(0, None), source=HENSON, doc="heat released by the reaction")
    rho_cp = twin.parameter(239.0, "J/(l K)", bounds=(0, None), source=HENSON, doc="volumetric heat capacity")
    ua = twin.parameter(5e4, "J/(min K)", bounds=(0, None), source=HENSON, doc="heat transfer coefficient times area")

    @twin.term("1/min")
    def rate_constant(self, temperature: Any) -> Any:
        """Arrhenius rate constant."""
        return self.k_0 * jnp.exp(-self.e_over_r / temperature)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        rate = self.rate_constant(s.temperature) * s.c_a
        d = self.flow / self.volume
        return {
            "c_a": d * (s.c_feed - s.c_a) - rate,
            "temperature": (d * (s.t_feed - s.temperature) + self.heat / self.rho_cp * rate
                            + self.ua / (self.volume * self.rho_cp) * (s.t_coolant - s.temperature)),
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"conversion": 1 - s.c_a / s.c_feed}

    def initial(self) -> Mapping[str, Any]:
        return {"c_a": 0.5, "temperature": 350.0}

    def recipe(self) -> twin.Recipe:
        """Coolant at 300 K."""
        return twin.Recipe.constant(t_coolant=300.0)
