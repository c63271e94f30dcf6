"""The stiff simulation problems: equations free of any library, start, output times, parameters, size of each state.

pen6: six-state fed-batch penicillin in the style of Bajpai-Reuss and Birol, 400 h; p = (mu_max, feed, kLa).
rober: Robertson's reaction to 1e5 s; p = (k1, k2, k3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import twin


@dataclasses.dataclass(frozen=True)
class Problem:
    """One initial value problem with a family of parameters."""

    name: str
    rhs: Callable[[Any, Any], tuple[Any, ...]]
    start: tuple[float, ...]
    end: float
    parameters: tuple[float, ...]
    scale: tuple[float, ...]
    times: Any

    def sets(self, count: int) -> Any:
        """Parameter sets within 10 % of the base, shape (count, parameters)."""
        base = np.array(self.parameters)
        return base * (1 + 0.1 * (2 * np.random.default_rng(0).random((count, len(base))) - 1))

    def error(self, found: Any, reference: Any) -> float:
        """Largest error relative to the value, with a floor of 1e-3 of the state's size."""
        return float(np.max(np.abs(found - reference) / (np.abs(reference) + 1e-3 * np.array(self.scale))))


def penicillin(x: Any, p: Any) -> tuple[Any, ...]:
    """Derivatives of biomass, substrate, product, oxygen, volume, CO2."""
    cells, sugar, product, oxygen, volume, _ = x
    mu_max, feed, kla = p
    growth = mu_max * sugar / (0.15 * cells + sugar) * oxygen / (0.02 * cells + oxygen) * cells
    cube = oxygen * oxygen * oxygen
    make = 0.005 * sugar / (0.0002 + sugar + sugar * sugar / 0.1) * cube / (0.0005 * cells + cube) * cells
    dilution = feed / volume
    return (growth - dilution * cells,
            -growth / 0.45 - make / 0.9 - 0.014 * cells * sugar / (sugar + 1e-4) + dilution * (600.0 - sugar),
            make - 0.04 * product - dilution * product,
            -growth / 0.04 - make / 0.2 - 0.467 * cells * oxygen / (oxygen + 1e-3) + kla * (1.16 - oxygen)
            - dilution * oxygen,
            feed,
            0.143 * growth + 4e-7 * cells + 1e-4)


def robertson(x: Any, p: Any) -> tuple[Any, ...]:
    """Derivatives of the three species."""
    slow, fast, middle = p[0] * x[0], p[1] * x[1] * x[1], p[2] * x[1] * x[2]
    return (-slow + middle, slow - fast - middle, fast)


PEN6 = Problem("pen6", penicillin, (0.1, 15.0, 0.0, 1.16, 100.0, 0.5), 400.0, (0.092, 0.042, 100.0),
               (1.0, 0.01, 0.1, 0.1, 100.0, 0.1), np.linspace(8.0, 400.0, 50))
ROBER = Problem("rober", robertson, (1.0, 0.0, 0.0), 1e5, (0.04, 3e7, 1e4), (1e-2, 1e-6, 1e-2), np.geomspace(1e2, 1e5, 50))


class Pen6(twin.DynamicModel):
    """pen6 in the spelling of Twinworks."""

    time_unit = "h"
    cells = twin.state("g/l", nominal=1.0)
    sugar = twin.state("g/l", nominal=0.01)
    product = twin.state("g/l", nominal=0.1)
    oxygen = twin.state("g/l", nominal=0.1)
    volume = twin.state("l", nominal=100.0)
    co2 = twin.state("mmol/l", nominal=0.1)
    mu_max = twin.parameter(0.092, "1/h")
    feed = twin.parameter(0.042, "l/h")
    kla = twin.parameter(100.0, "1/h")

    def rhs(self, s: Any) -> Any:
        names = ("cells", "sugar", "product", "oxygen", "volume", "co2")
        found = penicillin([getattr(s, n) for n in names], (self.mu_max, self.feed, self.kla))
        return dict(zip(names, found, strict=True))

    def initial(self) -> Any:
        return dict(zip(("cells", "sugar", "product", "oxygen", "volume", "co2"), PEN6.start, strict=True))

    def recipe(self) -> twin.Recipe:
        return twin.Recipe([twin.Phase()])


class Robertson(twin.DynamicModel):
    """rober in the spelling of Twinworks."""

    time_unit = "s"
    a = twin.state("-", nominal=1e-2)
    b = twin.state("-", nominal=1e-6)
    c = twin.state("-", nominal=1e-2)
    k_1 = twin.parameter(0.04, "1/s")
    k_2 = twin.parameter(3e7, "1/s")
    k_3 = twin.parameter(1e4, "1/s")

    def rhs(self, s: Any) -> Any:
        return dict(zip("abc", robertson((s.a, s.b, s.c), (self.k_1, self.k_2, self.k_3)), strict=True))

    def initial(self) -> Any:
        return dict(zip("abc", ROBER.start, strict=True))

    def recipe(self) -> twin.Recipe:
        return twin.Recipe([twin.Phase()])


MODELS = {"pen6": Pen6, "rober": Robertson}
