"""Anaerobic digestion in two steps: the model AM2 of Bernard et al. (2001)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.kinetics import haldane, monod
from twin import jnp, smooth

BERNARD = "Bernard et al., Biotechnol. Bioeng. 75 (2001) 424-438, doi:10.1002/bit.10036 [textbook constants]"
EDGE = 1e-3  # mmol/l: keeps logarithms finite where an alkalinity would be negative


class AnaerobicDigester(twin.DynamicModel):
    """Digester AM2: acidogenic bacteria make volatile fatty acids, methanogenic ones make methane of them.

    A share `alpha` of the bacteria leaves with the liquid (fixed bed). Methanogens are inhibited by the acids: above a load
    the digester turns sour and stays so. Usual limits: acids 25 to 30 mmol/l, acids over alkalinity 0.3, pH 6.8 to 7.4
    [textbook]. The inhibition constant is used as in S**2 / K_I (mmol/l); some papers write (S / K_I)**2.
    """

    time_unit = "day"

    acidogens = twin.state("g/l", lower=0, upper=10, nominal=0.5, doc="acidogenic bacteria")
    methanogens = twin.state("g/l", lower=0, upper=10, nominal=0.8, doc="methanogenic bacteria")
    alkalinity = twin.state("mmol/l", lower=10, upper=250, nominal=65, doc="total alkalinity")
    organics = twin.state("g/l", lower=0, upper=50, nominal=1, doc="organic substrate (COD)")
    acids = twin.state("mmol/l", lower=0, upper=200, nominal=5, doc="volatile fatty acids")
    carbon = twin.state("mmol/l", lower=0, upper=400, nominal=70, doc="inorganic carbon")
    dilution = twin.input("1/day", lower=0, upper=1.5, nominal=0.34, doc="feed over volume")
    organics_in = twin.disturbance("g/l", lower=0, upper=50, nominal=9.5, doc="organic substrate in the feed")
    acids_in = twin.disturbance("mmol/l", lower=0, upper=250, nominal=93.6, doc="volatile fatty acids in the feed")
    alkalinity_in = twin.disturbance("mmol/l", lower=10, upper=250, nominal=64.7, doc="alkalinity of the feed")
    carbon_in = twin.disturbance("mmol/l", lower=0, upper=250, nominal=63.5, doc="inorganic carbon in the feed")
    methane = twin.output("mmol/(l day)", lower=0, upper=2000, nominal=60, doc="methane made")
    co2 = twin.output("mmol/(l day)", lower=-500, upper=5000, nominal=50, doc="carbon dioxide to the gas")
    ph = twin.output("-", lower=3, upper=11, nominal=7, doc="pH")
    acid_ratio = twin.output("-", lower=0, upper=20, nominal=0.1, doc="acids over alkalinity")

    mu_1_max = twin.parameter(1.2, "1/day", bounds=(0, 10), validity=(0.5, 2.5), source=BERNARD, doc="growth of acidogens")
    k_1_s = twin.parameter(7.1, "g/l", bounds=(0.01, 100), source=BERNARD, doc="half saturation of acidogens")
    mu_2_max = twin.parameter(0.74, "1/day", bounds=(0, 10), validity=(0.3, 1.5), source=BERNARD, doc="growth of methanogens")
    k_2_s = twin.parameter(9.28, "mmol/l", bounds=(0.01, 500), source=BERNARD, doc="half saturation of methanogens")
    k_2_i = twin.parameter(256.0, "mmol/l", bounds=(1, 1e5), source=BERNARD, doc="inhibition of methanogens by acids")
    alpha = twin.parameter(0.5, "-", bounds=(0, 1), source=BERNARD, doc="share of the bacteria that leaves with the liquid")
    k_1 = twin.parameter(42.14, "g/g", bounds=(0, None), source=BERNARD, doc="organics for acidogens")
    k_2 = twin.parameter(116.5, "mmol/g", bounds=(0, None), source=BERNARD, doc="acids made with acidogens")
    k_3 = twin.parameter(268.0, "mmol/g", bounds=(0, None), source=BERNARD, doc="acids for methanogens")
    k_4 = twin.parameter(50.6, "mmol/g", bounds=(0, None), source=BERNARD, doc="carbon dioxide made with acidogens")
    k_5 = twin.parameter(343.6, "mmol/g", bounds=(0, None), source=BERNARD, doc="carbon dioxide made with methanogens")
    k_6 = twin.parameter(453.0, "mmol/g", bounds=(0, None), source=BERNARD, doc="methane made with methanogens")
    kla = twin.parameter(19.8, "1/day", bounds=(0.1, None), source=BERNARD, doc="transfer of carbon dioxide to the gas")
    henry = twin.parameter(16.0, "mmol/(l atm)", bounds=(1, 100), source=BERNARD, doc="solubility of carbon dioxide")
    pressure = twin.parameter(1.0, "atm", bounds=(0.5, 5), source=BERNARD, doc="pressure of the gas")
    k_b = twin.parameter(6.5e-7, "mol/l", bounds=(1e-8, 1e-5), source=BERNARD, doc="dissociation of carbonic acid")

    @twin.term("1/day", lower=0, upper=10, vanishes_with=("organics",), rises_with=("organics",))
    def acidogenic_growth(self, organics: Any) -> Any:
        """Specific growth rate of acidogens."""
        return monod(organics, self.mu_1_max, self.k_1_s)

    @twin.term("1/day", lower=0, upper=10, vanishes_with=("acids",))
    def methanogenic_growth(self, acids: Any) -> Any:
        """Specific growth rate of methanogens."""
        return haldane(acids, self.mu_2_max, self.k_2_s, self.k_2_i)

    def _gas(self, s: Any) -> tuple[Any, Any]:
        """Methane and carbon dioxide to the gas: the partial pressure solves a quadratic equation."""
        methane = self.k_6 * self.methanogenic_growth(s.acids) * s.methanogens
        dissolved, full = s.carbon + s.acids - s.alkalinity, self.henry * self.pressure
        phi = dissolved + full + methane / self.kla
        partial = 0.5 * (phi - jnp.sqrt(phi * phi - 4 * full * dissolved + EDGE**2)) / self.henry
        return methane, self.kla * (dissolved - self.henry * partial)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        one = self.acidogenic_growth(s.organics) * s.acidogens
        two = self.methanogenic_growth(s.acids) * s.methanogens
        _, co2 = self._gas(s)
        return {
            "acidogens": one - self.alpha * s.dilution * s.acidogens,
            "methanogens": two - self.alpha * s.dilution * s.methanogens,
            "alkalinity": s.dilution * (s.alkalinity_in - s.alkalinity),
            "organics": s.dilution * (s.organics_in - s.organics) - self.k_1 * one,
            "acids": s.dilution * (s.acids_in - s.acids) + self.k_2 * one - self.k_3 * two,
            "carbon": s.dilution * (s.carbon_in - s.carbon) - co2 + self.k_4 * one + self.k_5 * two,
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        methane, co2 = self._gas(s)
        bicarbonate = smooth.positive(s.alkalinity - s.acids, EDGE)
        dissolved = smooth.positive(s.carbon - s.alkalinity + s.acids, EDGE)
        return {"methane": methane, "co2": co2, "acid_ratio": s.acids / s.alkalinity,
                "ph": -jnp.log10(self.k_b * dissolved / bicarbonate)}

    def initial(self) -> Mapping[str, Any]:
        return {"acidogens": 0.4, "methanogens": 0.8, "alkalinity": 64.7, "organics": 1.2, "acids": 3.0, "carbon": 70.0}

    def recipe(self) -> twin.Recipe:
        """The published operating point for 30 days."""
        return twin.Recipe([twin.Phase(name="continuous", inputs={"dilution": 0.34}, until=30.0)])
