"""Isothermal van de Vusse reactor: the two-state textbook plant whose gain changes its sign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin

TEXTBOOK = "Bequette, Process Dynamics, Prentice Hall (1998), module 5 [textbook]"


class IsothermalVanDeVusse(twin.DynamicModel):
    """A -> B -> C, 2 A -> D at constant temperature.

    The product c_b peaks at 1.266 mol/l near a dilution of 1.292 1/min: the steady-state gain is positive below and
    negative above, and below the peak the reactor answers first in the wrong direction. Another plant than `VanDeVusse`.
    """

    time_unit = "min"

    c_a = twin.state("mol/l", lower=0, upper=12, nominal=3, doc="educt A")
    c_b = twin.state("mol/l", lower=0, upper=12, nominal=1, doc="product B")
    dilution = twin.input("1/min", lower=0, upper=10, nominal=0.57, doc="feed over reactor volume")
    c_feed = twin.disturbance("mol/l", lower=5, upper=12, nominal=10, doc="educt in the feed")

    k_1 = twin.parameter(5 / 6, "1/min", bounds=(0, None), source=TEXTBOOK, doc="A -> B")
    k_2 = twin.parameter(5 / 3, "1/min", bounds=(0, None), source=TEXTBOOK, doc="B -> C")
    k_3 = twin.parameter(1 / 6, "l/(mol min)", bounds=(0, None), source=TEXTBOOK, doc="2 A -> D, consumption of A")

    @twin.term("mol/(l min)", vanishes_with=("c_a",), rises_with=("c_a",))
    def product_rate(self, c_a: Any) -> Any:
        """Rate of A -> B."""
        return self.k_1 * c_a

    @twin.term("mol/(l min)", vanishes_with=("c_a",), rises_with=("c_a",))
    def side_rate(self, c_a: Any) -> Any:
        """Consumption of A by 2 A -> D."""
        return self.k_3 * c_a * c_a

    def rhs(self, s: Any) -> Mapping[str, Any]:
        made = self.product_rate(s.c_a)
        return {"c_a": s.dilution * (s.c_feed - s.c_a) - made - self.side_rate(s.c_a),
                "c_b": -s.dilution * s.c_b + made - self.k_2 * s.c_b}

    def initial(self) -> Mapping[str, Any]:
        return {"c_a": 2.0, "c_b": 1.117}

    def recipe(self) -> twin.Recipe:
        """The usual operating point, left of the peak, for 20 min."""
        return twin.Recipe([twin.Phase(name="operation", inputs={"dilution": 4 / 7}, until=20.0)])
