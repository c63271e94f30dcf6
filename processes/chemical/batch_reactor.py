"""Batch reactors: 2 A -> B -> C with a temperature profile, and a semi-batch that must survive a cooling failure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp, smooth

RAY = ("Ray, Advanced Process Control, McGraw-Hill (1981); Renfro, Morshedi, Asbjornsen, Comput. Chem. Eng. 11 (1987) 503-517 "
       "[textbook constants]")
UBRICH = ("Srinivasan, Palanki, Bonvin, Comput. Chem. Eng. 27 (2003) 1-26, doi:10.1016/S0098-1354(02)00116-3, example of a "
          "semi-batch reactor with safety and selectivity constraints [textbook constants]")
EDGE = 1e-9  # mol/l: corner where A and B are equal


class BatchReactor(twin.DynamicModel):
    """A -> B (second order), B -> C in a batch; the temperature is the input.

    The published problem runs 1 h between 298 and 398 K and maximizes B: a falling temperature gives 0.6108.
    """

    time_unit = "h"

    c_a = twin.state("mol/l", lower=0, upper=2, nominal=1, doc="educt A")
    c_b = twin.state("mol/l", lower=0, upper=2, nominal=1, doc="product B")
    temperature = twin.input("K", lower=298, upper=398, nominal=350, doc="reactor, held by a fast loop")
    selectivity = twin.output("-", lower=0, upper=1, nominal=0.8, doc="B made over A used")

    k_10 = twin.parameter(4000.0, "l/(mol h)", bounds=(0, None), source=RAY, doc="A -> B, frequency factor")
    k_20 = twin.parameter(6.2e5, "1/h", bounds=(0, None), source=RAY, doc="B -> C, frequency factor")
    e_1 = twin.parameter(2500.0, "K", bounds=(0, None), source=RAY, doc="A -> B, activation temperature")
    e_2 = twin.parameter(5000.0, "K", bounds=(0, None), source=RAY, doc="B -> C, activation temperature")
    c_a_0 = twin.parameter(1.0, "mol/l", bounds=(0.01, 2), source=RAY, doc="charge of A")

    @twin.term("l/(mol h)")
    def k_1(self, temperature: Any) -> Any:
        """Rate constant of A -> B."""
        return self.k_10 * jnp.exp(-self.e_1 / temperature)

    @twin.term("1/h")
    def k_2(self, temperature: Any) -> Any:
        """Rate constant of B -> C."""
        return self.k_20 * jnp.exp(-self.e_2 / temperature)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        r_1 = self.k_1(s.temperature) * s.c_a * s.c_a
        return {"c_a": -r_1, "c_b": r_1 - self.k_2(s.temperature) * s.c_b}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"selectivity": s.c_b / (self.c_a_0 - s.c_a + 1e-9 * self.c_a_0)}

    def initial(self) -> Mapping[str, Any]:
        return {"c_a": self.c_a_0, "c_b": 0.0}

    def recipe(self) -> twin.Recipe:
        """One hour, falling linearly from 365 to 330 K."""
        ramp = twin.Profile([0.0, 1.0], [365.0, 330.0], "linear")
        return twin.Recipe([twin.Phase(name="reaction", inputs={"temperature": ramp}, until=1.0)])


class SemiBatchReactor(twin.DynamicModel):
    """A + B -> C, exothermic, isothermal; B is fed so that a cooling failure stays harmless.

    If cooling fails, feeding stops and what is there reacts: the reactor reaches `t_failure`, the temperature now plus
    min(c_a, c_b) times the adiabatic rise of one mol/l, which must stay below 80 degC. B held at the safe concentration
    makes the shortest batch: `recipe()` is that policy, in closed form. The kinetics have no activation energy (the source
    is isothermal), so the time to maximum rate of a failed batch cannot be told.
    """

    time_unit = "h"

    c_a = twin.state("mol/l", lower=0, upper=5, nominal=1, per="volume", doc="educt A, charged")
    c_b = twin.state("mol/l", lower=0, upper=5, nominal=0.5, per="volume", doc="educt B, fed")
    c_c = twin.state("mol/l", lower=0, upper=5, nominal=0.5, per="volume", doc="product C")
    volume = twin.state("l", lower=0.1, upper=1, nominal=0.8, doc="reaction mass")
    feed = twin.input("l/h", lower=0, upper=0.1, nominal=0.03, doc="feed of B")
    t_failure = twin.output("degC", lower=0, upper=150, nominal=80, doc="reached if cooling fails now")
    product = twin.output("mol", lower=0, upper=5, nominal=0.6, doc="product in the vessel")
    heat = twin.output("W", lower=0, upper=1000, nominal=0.5, doc="heat of reaction to be cooled")
    safe_feed = twin.output("l/h", lower=0, upper=1, nominal=0.03, doc="feed that keeps c_b where it is")

    k_0 = twin.parameter(0.0482, "l/(mol h)", bounds=(0, 10), source=UBRICH, doc="rate constant at the temperature held")
    temperature = twin.parameter(70.0, "degC", bounds=(0, 150), source=UBRICH, doc="reactor, held by cooling")
    enthalpy = twin.parameter(-60.0, "kJ/mol", bounds=(-500, 0), source=UBRICH, doc="reaction enthalpy")
    density = twin.parameter(900.0, "g/l", bounds=(100, 3000), source=UBRICH, doc="reaction mass")
    cp = twin.parameter(4.2, "J/(g K)", bounds=(0.5, 6), source=UBRICH, doc="heat capacity of the reaction mass")
    c_feed = twin.parameter(2.0, "mol/l", bounds=(0.1, 20), source=UBRICH, doc="B in the feed")
    t_limit = twin.parameter(80.0, "degC", bounds=(0, 250), source=UBRICH, doc="highest temperature after a failure")
    target = twin.parameter(0.6, "mol", bounds=(0, 100), source=UBRICH, doc="product that ends the batch")

    @twin.term("mol/(l h)", vanishes_with=("c_a", "c_b"), rises_with=("c_a", "c_b"))
    def reaction_rate(self, c_a: Any, c_b: Any) -> Any:
        """Rate of A + B -> C."""
        return self.k_0 * c_a * c_b

    def rhs(self, s: Any) -> Mapping[str, Any]:
        rate, d = self.reaction_rate(s.c_a, s.c_b), s.feed / s.volume
        return {"c_a": -rate - d * s.c_a, "c_b": -rate + d * (self.c_feed - s.c_b), "c_c": rate - d * s.c_c, "volume": s.feed}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        rate = self.reaction_rate(s.c_a, s.c_b)
        rise = -1000 * self.enthalpy / (self.density * self.cp)
        return {"t_failure": self.temperature + rise * smooth.minimum(s.c_a, s.c_b, EDGE), "product": s.c_c * s.volume,
                "heat": -self.enthalpy * rate * s.volume / 3.6, "safe_feed": rate * s.volume / (self.c_feed - s.c_b + EDGE)}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """A and B, free and in C."""
        return {"A": ((s.c_a + s.c_c) * s.volume, 0.0), "B": ((s.c_b + s.c_c) * s.volume, s.feed * self.c_feed)}

    def safe_concentration(self) -> float:
        """B in mol/l at which a cooling failure reaches `t_limit`, 0.63 mol/l with the published data."""
        return float((self.t_limit - self.temperature) * self.density * self.cp / (-1000 * self.enthalpy))

    def initial(self) -> Mapping[str, Any]:
        return {"c_a": 2.0, "c_b": self.safe_concentration(), "c_c": 0.0, "volume": 0.7}

    def recipe(self) -> twin.Recipe:
        """The shortest safe batch: B held at the safe concentration until the vessel is full, then no feed.

        With B constant A decays exponentially, so the feed does: k c_b n_a exp(-k c_b t) / (c_feed - c_b).
        """
        start = self.initial()
        decay = self.k_0 * start["c_b"]
        first = decay * start["c_a"] * start["volume"] / (self.c_feed - start["c_b"])
        room = 1.0 - start["volume"]
        full = -math.log(1 - room * decay / first) / decay if first > room * decay else 20.0 / decay
        times = [full * k / 200 for k in range(201)]
        # the chords lie a little above the curve: the feed is lowered by that, so that the vessel is full and not more
        chords = 0.5 * full / 200 * first * sum(math.exp(-decay * a) + math.exp(-decay * b) for a, b in itertools.pairwise(times))
        scale = first / decay * (1 - math.exp(-decay * full)) / chords
        feed = twin.Profile(times, [scale * first * math.exp(-decay * t) for t in times], "linear")
        return twin.Recipe([
            twin.Phase(name="safe feed", inputs={"feed": feed}, until=full),
            twin.Phase(name="finish", inputs={"feed": 0.0}, until=("product", "above", self.target), at_most=100.0),
        ])
