"""Williams-Otto reactor, the classic plant of real-time optimization, and the two-reaction model that mismatches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

OTTO = ("Williams, Otto, AIEE Trans. 79 (1960) 458-473; constants and prices as in Forbes, Marlin, Comput. Chem. Eng. 20 (1996) "
        "717-734, read from code published with the thesis of J. Speakman")
REDUCED = "two reactions as in Forbes, Marlin (1996); constants read from code published with the thesis of J. Speakman"


class WilliamsOtto(twin.DynamicModel):
    """Stirred reactor with three reactions on mass basis: A + B -> C, B + C -> P + E, P + C -> G.

    P is the product, E a by-product of value, G waste. Its steady optimum at the nominal feed of A is 190.980 USD/s at
    4.78742 kg/s of B and 89.7039 degC. Valid from 70 to 100 degC and for 3 to 6 kg/s of B.
    """

    time_unit = "s"

    x_a = twin.state("kg/kg", lower=0, upper=1, nominal=0.1, doc="A in the reactor")
    x_b = twin.state("kg/kg", lower=0, upper=1, nominal=0.4, doc="B in the reactor")
    x_c = twin.state("kg/kg", lower=0, upper=1, nominal=0.02, doc="intermediate C in the reactor")
    x_p = twin.state("kg/kg", lower=0, upper=1, nominal=0.1, doc="product P in the reactor")
    x_e = twin.state("kg/kg", lower=0, upper=1, nominal=0.3, doc="by-product E in the reactor")
    x_g = twin.state("kg/kg", lower=0, upper=1, nominal=0.1, doc="waste G in the reactor")
    feed_b = twin.input("kg/s", lower=3, upper=6, nominal=4.8, doc="feed of B")
    t_reactor = twin.input("degC", lower=70, upper=100, nominal=90, doc="reactor temperature")
    feed_a = twin.disturbance("kg/s", lower=1, upper=3, nominal=1.8275, doc="feed of A")
    profit = twin.output("USD/s", nominal=190, doc="value of P and E less the cost of A and B")

    mass = twin.parameter(2105.0, "kg", bounds=(0, None), source=OTTO, doc="reactor contents")
    k_10 = twin.parameter(1.6599e6, "1/s", bounds=(0, None), scale="log", source=OTTO, doc="A + B -> C, frequency factor")
    k_20 = twin.parameter(7.2117e8, "1/s", bounds=(0, None), scale="log", source=OTTO, doc="B + C -> P + E, frequency factor")
    k_30 = twin.parameter(2.6745e12, "1/s", bounds=(0, None), scale="log", source=OTTO, doc="P + C -> G, frequency factor")
    e_1 = twin.parameter(6666.7, "K", bounds=(0, None), source=OTTO, doc="A + B -> C, activation temperature")
    e_2 = twin.parameter(8333.3, "K", bounds=(0, None), source=OTTO, doc="B + C -> P + E, activation temperature")
    e_3 = twin.parameter(11111.0, "K", bounds=(0, None), source=OTTO, doc="P + C -> G, activation temperature")
    price_p = twin.parameter(1143.38, "USD/kg", bounds=(0, None), source=OTTO, doc="price of P")
    price_e = twin.parameter(25.92, "USD/kg", bounds=(0, None), source=OTTO, doc="price of E")
    price_a = twin.parameter(76.23, "USD/kg", bounds=(0, None), source=OTTO, doc="cost of A")
    price_b = twin.parameter(114.34, "USD/kg", bounds=(0, None), source=OTTO, doc="cost of B")

    network = twin.Reactions({"first": {"x_a": -1, "x_b": -1, "x_c": 2}, "second": {"x_b": -1, "x_c": -2, "x_p": 1, "x_e": 2},
                              "third": {"x_c": -1, "x_p": -0.5, "x_g": 1.5}},
                             composition={name: {"mass": 1} for name in ("x_a", "x_b", "x_c", "x_p", "x_e", "x_g")})

    @twin.term("1/s", lower=0, vanishes_with=("x_a", "x_b"))
    def rate_1(self, x_a: Any, x_b: Any, t_reactor: Any) -> Any:
        """Rate of A + B -> C, per A consumed."""
        return self.k_10 * jnp.exp(-self.e_1 / (t_reactor + 273.15)) * x_a * x_b

    @twin.term("1/s", lower=0, vanishes_with=("x_b", "x_c"))
    def rate_2(self, x_b: Any, x_c: Any, t_reactor: Any) -> Any:
        """Rate of B + C -> P + E, per B consumed."""
        return self.k_20 * jnp.exp(-self.e_2 / (t_reactor + 273.15)) * x_b * x_c

    @twin.term("1/s", lower=0, vanishes_with=("x_c", "x_p"))
    def rate_3(self, x_c: Any, x_p: Any, t_reactor: Any) -> Any:
        """Rate of P + C -> G, per C consumed."""
        return self.k_30 * jnp.exp(-self.e_3 / (t_reactor + 273.15)) * x_c * x_p

    def rhs(self, s: Any) -> Mapping[str, Any]:
        made = self.network.rates_of_change({"first": self.rate_1(s.x_a, s.x_b, s.t_reactor),
                                             "second": self.rate_2(s.x_b, s.x_c, s.t_reactor),
                                             "third": self.rate_3(s.x_c, s.x_p, s.t_reactor)})
        through = (s.feed_a + s.feed_b) / self.mass
        entering = {"x_a": s.feed_a / self.mass, "x_b": s.feed_b / self.mass}
        return {name: made[name] + entering.get(name, 0.0) - through * s[name] for name in made}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"profit": _profit(self, s)}

    def initial(self) -> Mapping[str, Any]:
        return {"x_a": 0.09, "x_b": 0.39, "x_c": 0.02, "x_p": 0.11, "x_e": 0.29, "x_g": 0.10}

    def recipe(self) -> twin.Recipe:
        """The steady optimum."""
        return twin.Recipe.constant(feed_b=4.78742, t_reactor=89.7039)

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        held = self.mass * (s.x_a + s.x_b + s.x_c + s.x_p + s.x_e + s.x_g)
        return {"mass": (held, (s.feed_a + s.feed_b) * (1 - held / self.mass))}


class WilliamsOttoTwoReactions(twin.SteadyModel):
    """What an engineer who does not know of C believes of the Williams-Otto plant: A + 2 B -> P + 2 E, A + B + P -> G.

    Its structure is wrong on purpose: its optimum, 186.9455 USD/s at 4.76935 kg/s and 78.2234 degC by its own account, costs the
    plant 40.5 USD/s. Real-time optimization has to close that gap from plant measurements.
    """

    time_unit = "s"

    x_a = twin.algebraic("kg/kg", lower=0, upper=1, nominal=0.1, doc="A in the reactor")
    x_b = twin.algebraic("kg/kg", lower=0, upper=1, nominal=0.4, doc="B in the reactor")
    x_p = twin.algebraic("kg/kg", lower=0, upper=1, nominal=0.1, doc="product P in the reactor")
    x_e = twin.algebraic("kg/kg", lower=0, upper=1, nominal=0.3, doc="by-product E in the reactor")
    x_g = twin.algebraic("kg/kg", lower=0, upper=1, nominal=0.1, doc="waste G in the reactor")
    feed_b = twin.input("kg/s", lower=3, upper=6, nominal=4.8, doc="feed of B")
    t_reactor = twin.input("degC", lower=70, upper=100, nominal=85, doc="reactor temperature")
    feed_a = twin.disturbance("kg/s", lower=1, upper=3, nominal=1.8275, doc="feed of A")
    profit = twin.output("USD/s", nominal=190, doc="value of P and E less the cost of A and B")

    mass = twin.parameter(2105.0, "kg", bounds=(0, None), source=OTTO, doc="reactor contents")
    k_10 = twin.parameter(2.189e8, "1/s", bounds=(0, None), scale="log", source=REDUCED, doc="first reaction, frequency factor")
    k_20 = twin.parameter(4.310e13, "1/s", bounds=(0, None), scale="log", source=REDUCED, doc="second reaction, frequency factor")
    e_1 = twin.parameter(8077.6, "K", bounds=(0, None), source=REDUCED, doc="first reaction, activation temperature")
    e_2 = twin.parameter(12438.5, "K", bounds=(0, None), source=REDUCED, doc="second reaction, activation temperature")
    price_p = twin.parameter(1143.38, "USD/kg", bounds=(0, None), source=OTTO, doc="price of P")
    price_e = twin.parameter(25.92, "USD/kg", bounds=(0, None), source=OTTO, doc="price of E")
    price_a = twin.parameter(76.23, "USD/kg", bounds=(0, None), source=OTTO, doc="cost of A")
    price_b = twin.parameter(114.34, "USD/kg", bounds=(0, None), source=OTTO, doc="cost of B")

    network = twin.Reactions({"first": {"x_a": -1, "x_b": -2, "x_p": 1, "x_e": 2},
                              "second": {"x_a": -1, "x_b": -1, "x_p": -1, "x_g": 3}},
                             composition={name: {"mass": 1} for name in ("x_a", "x_b", "x_p", "x_e", "x_g")})

    @twin.term("1/s", lower=0, vanishes_with=("x_a", "x_b"))
    def rate_1(self, x_a: Any, x_b: Any, t_reactor: Any) -> Any:
        """Rate of A + 2 B -> P + 2 E, per A consumed."""
        return self.k_10 * jnp.exp(-self.e_1 / (t_reactor + 273.15)) * x_a * x_b**2

    @twin.term("1/s", lower=0, vanishes_with=("x_a", "x_b", "x_p"))
    def rate_2(self, x_a: Any, x_b: Any, x_p: Any, t_reactor: Any) -> Any:
        """Rate of A + B + P -> G, per A consumed."""
        return self.k_20 * jnp.exp(-self.e_2 / (t_reactor + 273.15)) * x_a * x_b * x_p

    def residual(self, s: Any) -> Mapping[str, Any]:
        made = self.network.rates_of_change({"first": self.rate_1(s.x_a, s.x_b, s.t_reactor),
                                             "second": self.rate_2(s.x_a, s.x_b, s.x_p, s.t_reactor)})
        entering = {"x_a": s.feed_a, "x_b": s.feed_b}
        through = s.feed_a + s.feed_b
        return {name: self.mass * made[name] + entering.get(name, 0.0) - through * s[name] for name in made}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"profit": _profit(self, s)}


def _profit(prices: Any, s: Any) -> Any:
    sold = (prices.price_p * s.x_p + prices.price_e * s.x_e) * (s.feed_a + s.feed_b)
    return sold - prices.price_a * s.feed_a - prices.price_b * s.feed_b
