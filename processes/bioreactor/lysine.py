"""Continuous lysine fermentation with the kinetics of Ohno et al. (1976)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import smooth

OHNO = "Ohno, Nakanishi, Takamatsu, Biotechnol. Bioeng. 18 (1976) 847-864 [textbook constants]"
EDGE = 0.05  # g/g: rounds the end of the parabola, below which the source would consume lysine


class Lysine(twin.DynamicModel):
    """Lysine by Brevibacterium in a continuous stirred vessel; production falls again at high growth rates.

    Concentrations as in the source (substrate in % of weight). The production rate is a parabola of the growth rate that
    ends at 0.349 1/h; beyond, nothing is made, and at 0.35 1/h the cells are washed out. Best productivity near a dilution
    rate of 0.1165 1/h.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=2, nominal=0.25, doc="biomass")
    substrate = twin.state("g/l", lower=0, upper=2.8, nominal=1, doc="substrate")
    lysine = twin.state("g/l", lower=0, upper=200, nominal=20, doc="lysine")
    dilution = twin.input("1/h", lower=0, upper=0.35, nominal=0.1, doc="feed over volume")
    substrate_in = twin.disturbance("g/l", lower=0.5, upper=5, nominal=2.8, doc="substrate in the feed")
    productivity = twin.output("g/(l h)", lower=0, upper=20, nominal=2, doc="lysine made")

    mu_slope = twin.parameter(0.125, "l/(g h)", bounds=(0, 1), source=OHNO, doc="growth rate over substrate")
    y_xs = twin.parameter(0.135, "g/g", bounds=(0.01, 1), source=OHNO, doc="biomass from substrate")
    production_slope = twin.parameter(134.0, "g/g", bounds=(0, 1000), source=OHNO, doc="production over growth, at slow growth")
    production_curve = twin.parameter(384.0, "h g/g", bounds=(0, 5000), source=OHNO, doc="curvature of the production rate")

    @twin.term("1/h", lower=0, upper=1, vanishes_with=("substrate",), rises_with=("substrate",))
    def growth_rate(self, substrate: Any) -> Any:
        """Specific growth rate."""
        return self.mu_slope * substrate

    @twin.term("1/h", lower=0, upper=50, vanishes_with=("substrate",))
    def production_rate(self, substrate: Any) -> Any:
        """Specific production rate."""
        growth = self.growth_rate(substrate)
        return smooth.positive(self.production_slope - self.production_curve * growth, EDGE) * growth

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.substrate) * s.biomass
        return {
            "biomass": growth - s.dilution * s.biomass,
            "substrate": s.dilution * (s.substrate_in - s.substrate) - growth / self.y_xs,
            "lysine": self.production_rate(s.substrate) * s.biomass - s.dilution * s.lysine,
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"productivity": self.production_rate(s.substrate) * s.biomass}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 0.1, "substrate": 2.8, "lysine": 0.0}

    def recipe(self) -> twin.Recipe:
        """Near the best productivity, for 100 h."""
        return twin.Recipe([twin.Phase(name="continuous", inputs={"dilution": 0.1165}, until=100.0)])
