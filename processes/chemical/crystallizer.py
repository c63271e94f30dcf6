"""Seeded batch cooling crystallization of potassium nitrate by the method of moments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import twin
from twin import errors, jnp

MILLER = "Miller, Rawlings, AIChE J. 40 (1994) 1312-1327, doi:10.1002/aic.690400805 (KNO3 in water) [textbook constants]"
UNIT = "this work: nucleation in 1/(g min) for a third moment in cm3/g"
EDGE = 1e-7  # of relative supersaturation: where growth turns into dissolution
TINY = 1e-300
CM3 = 1e-12  # cm3 in one um3


class Crystallizer(twin.DynamicModel):
    """Moments of seeds and of nuclei apart, growth independent of size.

    All amounts a gram of solvent. The temperature is the input; what is wanted are few nuclei: `nucleated_ratio` is the
    volume of crystals from nuclei over that from seeds at the end. Keep `supersaturation` below the metastable limit.
    """

    time_unit = "min"

    concentration = twin.state("g/g", lower=0, upper=2, nominal=0.45, doc="dissolved")
    n_0 = twin.state("1/g", lower=0, upper=1e9, nominal=1e3, doc="nuclei, number")
    n_1 = twin.state("um/g", lower=0, upper=1e11, nominal=1e5, doc="nuclei, length")
    n_2 = twin.state("um**2/g", lower=0, upper=1e13, nominal=1e7, doc="nuclei, second moment")
    n_3 = twin.state("um**3/g", lower=0, upper=1e15, nominal=1e9, doc="nuclei, third moment")
    s_1 = twin.state("um/g", lower=0, upper=1e11, nominal=1e4, doc="seeds, length")
    s_2 = twin.state("um**2/g", lower=0, upper=1e13, nominal=1e7, doc="seeds, second moment")
    s_3 = twin.state("um**3/g", lower=0, upper=1e15, nominal=1e10, doc="seeds, third moment")
    temperature = twin.input("degC", lower=10, upper=60, nominal=30, doc="suspension, held by the jacket")
    supersaturation = twin.output("-", lower=-1, upper=2, nominal=0.01, doc="relative supersaturation")
    volume_total = twin.output("um**3/g", lower=0, upper=1e15, nominal=1e10, doc="third moment of all crystals")
    nucleated_ratio = twin.output("-", lower=0, upper=1e6, nominal=0.4, doc="third moment of nuclei over that of seeds")
    seed_size = twin.output("um", lower=0, upper=1e5, nominal=500, doc="mean size of the seeds")

    growth_order = twin.parameter(1.32, "-", bounds=(0.5, 4), source=MILLER, doc="order of growth")
    ln_k_g = twin.parameter(8.849, "-", source=MILLER, doc="logarithm of the growth constant in um/min")
    birth_order = twin.parameter(1.78, "-", bounds=(1, 10), source=MILLER, doc="order of nucleation")
    ln_k_b = twin.parameter(17.142, "-", source=f"{MILLER}; {UNIT}", doc="logarithm of the nucleation constant")
    density = twin.parameter(2.11e-12, "g/um**3", bounds=(1e-13, 1e-10), source=MILLER, doc="crystals")
    shape_factor = twin.parameter(1.0, "-", bounds=(0.1, 7), source=MILLER, doc="volume of a crystal over its size cubed")
    sat_0 = twin.parameter(0.1286, "g/g", source=MILLER, doc="solubility, constant part")
    sat_1 = twin.parameter(5.88e-3, "g/(g degC)", source=MILLER, doc="solubility, linear part")
    sat_2 = twin.parameter(1.721e-4, "g/(g degC**2)", source=MILLER, doc="solubility, quadratic part")
    seed_density = twin.parameter(0.0032, "1/(g um**3)", bounds=(0, 100), source=MILLER, doc="seeds: height of their parabola")
    seed_small = twin.parameter(250.0, "um", bounds=(1, 5000), source=MILLER, doc="seeds: smallest size")
    seed_large = twin.parameter(300.0, "um", bounds=(1, 5000), source=MILLER, doc="seeds: largest size")
    charge = twin.parameter(0.493, "g/g", bounds=(0, 2), source=MILLER, doc="dissolved at the start")

    @twin.term("um/min", lower=-1e5, upper=1e5, vanishes_with=("supersaturation",), rises_with=("supersaturation",))
    def growth_rate(self, supersaturation: Any) -> Any:
        """Growth of every crystal; below saturation they dissolve at the same rate."""
        size = supersaturation * supersaturation + EDGE * EDGE
        return jnp.exp(self.ln_k_g) * supersaturation * size ** (0.5 * (self.growth_order - 1))

    @twin.term("1/(g min)", lower=0, upper=1e12, vanishes_with=("volume_total",))
    def birth_rate(self, supersaturation: Any, volume_total: Any) -> Any:
        """Nuclei by secondary nucleation."""
        # zero below saturation to the last bit; the order is above one, so there is no kink, and TINY keeps the slope finite
        above = 0.5 * (supersaturation + jnp.sqrt(supersaturation * supersaturation + TINY))
        return jnp.exp(self.ln_k_b) * above**self.birth_order * volume_total * CM3

    def solubility(self, temperature: Any) -> Any:
        """Saturated concentration in g/g at a temperature in degC."""
        return self.sat_0 + (self.sat_1 + self.sat_2 * temperature) * temperature

    def _excess(self, s: Any) -> Any:
        saturated = self.solubility(s.temperature)
        return (s.concentration - saturated) / saturated

    def seeds(self) -> tuple[Any, Any, Any, Any]:
        """Moments 0 to 3 of the seeds, of a parabola between their smallest and largest size."""
        mean, half = 0.5 * (self.seed_small + self.seed_large), 0.5 * (self.seed_large - self.seed_small)
        number, spread = self.seed_density * 4 / 3 * half**3, half**2 / 5
        return number, number * mean, number * (mean**2 + spread), number * (mean**3 + 3 * mean * spread)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        excess, total = self._excess(s), s.n_3 + s.s_3
        growth = self.growth_rate(excess)
        return {
            "concentration": -3 * self.density * self.shape_factor * growth * (s.n_2 + s.s_2),
            "n_0": self.birth_rate(excess, total), "n_1": growth * s.n_0, "n_2": 2 * growth * s.n_1, "n_3": 3 * growth * s.n_2,
            "s_1": growth * self.seeds()[0], "s_2": 2 * growth * s.s_1, "s_3": 3 * growth * s.s_2,
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"supersaturation": self._excess(s), "volume_total": s.n_3 + s.s_3, "nucleated_ratio": s.n_3 / (s.s_3 + 1e-3),
                "seed_size": s.s_1 / (self.seeds()[0] + 1e-12)}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Salt, dissolved and in crystals."""
        return {"salt": (s.concentration + self.density * self.shape_factor * (s.n_3 + s.s_3), 0.0)}

    def initial(self) -> Mapping[str, Any]:
        _, s_1, s_2, s_3 = self.seeds()
        return {"concentration": self.charge, "n_0": 0.0, "n_1": 0.0, "n_2": 0.0, "n_3": 0.0, "s_1": s_1, "s_2": s_2, "s_3": s_3}

    @staticmethod
    def cooling(kind: str = "cubic", start: float = 32.0, end: float = 28.0, duration: float = 160.0) -> twin.Profile:
        """Temperature profile: "linear", "cubic" (slow first: few nuclei) or "natural" (fast first)."""
        shapes = {"linear": lambda x: x, "cubic": lambda x: x**3, "natural": lambda x: 1 - math.exp(-4 * x)}
        if kind not in shapes:
            raise errors.unknown("cooling", kind, "Crystallizer.cooling", shapes)
        n = 1 if kind == "linear" else 160
        shares = [k / n for k in range(n + 1)]
        return twin.Profile([duration * x for x in shares], [start + (end - start) * shapes[kind](x) for x in shares], "linear")

    def recipe(self) -> twin.Recipe:
        """Cubic cooling from 32 to 28 degC in 160 min."""
        return twin.Recipe([twin.Phase(name="cooling", inputs={"temperature": self.cooling()}, until=160.0)])
