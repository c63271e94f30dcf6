"""Public test problems of dynamic optimization: chemical reactors (P01 to P09 of the table in the benchmark's docstring)."""

from __future__ import annotations

from typing import Any

import twin
from benchmarks.problems.symbols import exp


class BatchReactor(twin.DynamicModel):
    """P01: 2 A -> B -> C in a batch whose temperature is moved."""

    time_unit = "h"
    c_a = twin.state("mol/l", lower=0, upper=2, nominal=1)
    c_b = twin.state("mol/l", lower=0, upper=2, nominal=1)
    temperature = twin.input("K", lower=298, upper=398, nominal=340)

    def rhs(self, s: Any) -> dict[str, Any]:
        first = 4000 * exp(-2500 / s.temperature) * s.c_a**2
        return {"c_a": -first, "c_b": first - 6.2e5 * exp(-5000 / s.temperature) * s.c_b}

    def initial(self) -> dict[str, float]:
        return {"c_a": 1.0, "c_b": 0.0}


class ParallelReactions(twin.DynamicModel):
    """P02: tubular reactor with two parallel reactions; the time is the place along the tube."""

    c_a = twin.state("-", lower=0, upper=2, nominal=1)
    c_b = twin.state("-", lower=0, upper=2, nominal=1)
    rate = twin.input("-", lower=0, upper=5, nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"c_a": -(s.rate + 0.5 * s.rate**2) * s.c_a, "c_b": s.rate * s.c_a}

    def initial(self) -> dict[str, float]:
        return {"c_a": 1.0, "c_b": 0.0}


class CatalystMixing(twin.DynamicModel):
    """P03 to P05: A <-> B -> C along a tube whose catalyst is mixed of two."""

    a = twin.state("-", lower=0, upper=2, nominal=1)
    b = twin.state("-", lower=0, upper=2, nominal=0.1)
    share = twin.input("-", lower=0, upper=1, nominal=0.5)
    c = twin.output("-", lower=-1, upper=2, nominal=0.1)

    def rhs(self, s: Any) -> dict[str, Any]:
        over = s.share * (10 * s.b - s.a)
        return {"a": over, "b": -over - (1 - s.share) * s.b}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"c": 1 - s.a - s.b}

    def initial(self) -> dict[str, float]:
        return {"a": 1.0, "b": 0.0}


class LuusCstr(twin.DynamicModel):
    """P06: stirred reactor with a cooled first-order reaction, deviations from a steady state."""

    x1 = twin.state("-", lower=-1.9, upper=10, nominal=0.1)
    x2 = twin.state("-", lower=-2, upper=2, nominal=0.1)
    cooling = twin.input("-", lower=0, upper=5, nominal=1)
    cost = twin.output("-", nominal=0.1)

    def rhs(self, s: Any) -> dict[str, Any]:
        reacted = (s.x2 + 0.5) * exp(25 * s.x1 / (s.x1 + 2))
        return {"x1": -(2 + s.cooling) * (s.x1 + 0.25) + reacted, "x2": 0.5 - s.x2 - reacted}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"cost": s.x1**2 + s.x2**2 + 0.1 * s.cooling**2}

    def initial(self) -> dict[str, float]:
        return {"x1": 0.09, "x2": 0.09}


class FourReactions(twin.DynamicModel):
    """P07: isothermal stirred reactor with four reactions, three feeds and electric energy (Jensen, Luus)."""

    x1 = twin.state("-", lower=0, upper=5, nominal=0.2)
    x2 = twin.state("-", lower=0, upper=5, nominal=0.2)
    x3 = twin.state("-", lower=0, upper=5, nominal=0.1)
    x4 = twin.state("-", lower=0, upper=5, nominal=0.1)
    x5 = twin.state("-", lower=0, upper=5, nominal=0.2)
    x6 = twin.state("-", lower=0, upper=5, nominal=0.1)
    x7 = twin.state("-", lower=0, upper=5, nominal=0.1)
    profit = twin.state("-", nominal=10)
    u1 = twin.input("-", lower=0, upper=20, nominal=10)
    u2 = twin.input("-", lower=0, upper=6, nominal=3)
    u3 = twin.input("-", lower=0, upper=4, nominal=2)
    u4 = twin.input("-", lower=0, upper=20, nominal=6)

    def rhs(self, s: Any) -> dict[str, Any]:
        q = s.u1 + s.u2 + s.u4
        r12, r163, r23, r45 = s.x1 * s.x2, s.x1 * s.x6 * s.u3, s.x2 * s.x3, s.x4 * s.x5
        return {
            "x1": s.u4 - q * s.x1 - 17.6 * r12 - 23 * r163, "x2": s.u1 - q * s.x2 - 17.6 * r12 - 146 * r23,
            "x3": s.u2 - q * s.x3 - 73 * r23, "x4": -q * s.x4 + 35.2 * r12 - 51.3 * r45,
            "x5": -q * s.x5 + 219 * r23 - 51.3 * r45, "x6": -q * s.x6 + 102.6 * r45 - 23 * r163, "x7": -q * s.x7 + 46 * r163,
            "profit": (5.8 * (q * s.x1 - s.u4) - 3.7 * s.u1 - 4.1 * s.u2 + q * (23 * s.x4 + 11 * s.x5 + 28 * s.x6 + 35 * s.x7)
                       - 5 * s.u3**2 - 0.099),
        }

    def initial(self) -> dict[str, float]:
        return dict(zip(("x1", "x2", "x3", "x4", "x5", "x6", "x7", "profit"),
                        (0.1883, 0.2507, 0.0467, 0.0899, 0.1804, 0.1394, 0.1046, 0.0), strict=True))


class SafeSemiBatch(twin.DynamicModel):
    """P08: A + B -> C, semi-batch, safe if the cooling fails (Srinivasan and others 2003)."""

    time_unit = "h"
    c_a = twin.state("mol/l", lower=0, upper=3, nominal=1)
    c_b = twin.state("mol/l", lower=0, upper=3, nominal=1)
    volume = twin.state("l", lower=0.5, upper=2, nominal=1)
    feed = twin.input("l/h", lower=0, upper=0.1, nominal=0.02)
    product = twin.output("mol", lower=0, upper=5, nominal=1)
    k = twin.parameter(0.0482, "l/(mol h)", bounds=(0, 1), source="[textbook]")

    def rhs(self, s: Any) -> dict[str, Any]:
        rate = self.k * s.c_a * s.c_b
        return {"c_a": -rate - s.feed * s.c_a / s.volume, "c_b": -rate + s.feed * (2 - s.c_b) / s.volume, "volume": s.feed}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"product": 2 * 0.7 - s.c_a * s.volume}

    def initial(self) -> dict[str, float]:
        return {"c_a": 2.0, "c_b": 0.63, "volume": 0.7}


class Denbigh(twin.DynamicModel):
    """P09: A -> B -> C with two losses, temperature moved (constants from memory: the value is our own)."""

    a = twin.state("-", lower=0, upper=2, nominal=1)
    b = twin.state("-", lower=0, upper=2, nominal=0.5)
    c = twin.state("-", lower=0, upper=2, nominal=0.5)
    temperature = twin.input("K", lower=273, upper=415, nominal=340)

    def rhs(self, s: Any) -> dict[str, Any]:
        k1, k2 = 1e3 * exp(-3000 / s.temperature), 1e7 * exp(-6000 / s.temperature)
        k3 = 10 * exp(-3000 / s.temperature)
        return {"a": -(k1 + k2) * s.a, "b": k1 * s.a - (k3 + 1e-3) * s.b, "c": k3 * s.b}

    def initial(self) -> dict[str, float]:
        return {"a": 1.0, "b": 0.0, "c": 0.0}
