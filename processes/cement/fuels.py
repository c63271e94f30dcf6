"""Fuels of a cement line for the raw mix: heat, ash, chlorine, sulfur and the fossil and biogenic CO2 of one kilogram."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from processes.cement.raw_mix import OXIDES, Analysis
from twin import errors

EVAPORATION = 2.442  # MJ/kg of water at 25 degC
LIME_CO2, MAGNESIA_CO2 = 0.78481, 1.09195  # kg CO2 for one kg CaO or MgO from carbonate: 44.010 / 56.077, 44.010 / 40.304
QUALITIES = (*OXIDES, "heat", "process_co2", "fossil_co2", "biogenic_co2")


@dataclasses.dataclass(frozen=True)
class Fuel:
    """A fuel whose ash goes into the clinker, with what it brings of heat, chlorine, sulfur and CO2.

    Attributes
    ----------
    name
        The fuel.
    heating_value
        Lower heating value of the dry fuel, MJ/kg.
    ash
        Ash in percent of the dry fuel.
    oxides
        Percent of the ash, by oxide; checked as an `Analysis` on clinker basis.
    chlorine, sulfur
        Percent of the dry fuel. All of both is taken to stay in the line: sulfur as SO3 of the clinker.
    emission_factor
        CO2 of all its carbon in kg/GJ of the dry fuel.
    biogenic
        Share of that carbon that is biogenic, 0 to 1.
    moisture
        Water in percent of the delivered fuel.

    Examples
    --------
    >>> waste = Fuel("RDF", heating_value=18.0, ash=15.0, oxides={"SiO2": 45, "Al2O3": 17, "Fe2O3": 5, "CaO": 27, "MgO": 3,
    ...              "K2O": 2}, chlorine=0.6, emission_factor=85.0, biogenic=0.45, moisture=15.0)
    >>> row = waste.material()
    >>> round(row["qualities"]["heat"], 3), round(row["qualities"]["fossil_co2"], 4), round(row["yields"], 2)
    (17.569, 0.8415, 0.15)
    """

    name: str
    heating_value: float
    ash: float
    oxides: Mapping[str, float]
    chlorine: float = 0.0
    sulfur: float = 0.0
    emission_factor: float = 95.0
    biogenic: float = 0.0
    moisture: float = 0.0

    def __post_init__(self) -> None:
        Analysis(f"the ash of {self.name}", self.oxides, basis="clinker")
        for what, value, unit, low, high in (
                ("heating_value", self.heating_value, "MJ/kg", 3.0, 50.0), ("ash", self.ash, "%", 0.0, 70.0),
                ("chlorine", self.chlorine, "%", 0.0, 10.0), ("sulfur", self.sulfur, "%", 0.0, 10.0),
                ("emission_factor", self.emission_factor, "kg/GJ", 0.0, 150.0), ("biogenic", self.biogenic, "-", 0.0, 1.0),
                ("moisture", self.moisture, "%", 0.0, 60.0)):
            if not low <= value <= high:
                raise errors.out_of_range(f"{what} of {self.name}", value, unit, low, high, "Give the dry fuel, in these units.")

    def material(self) -> dict[str, Any]:
        """Arguments of `optimizers.Material`: qualities of 1 kg dry fuel, moisture, and ash as its yield of clinker."""
        share = 0.01 * self.ash
        found = {o: share * self.oxides.get(o, 0.0) for o in OXIDES}
        found["SO3"] += 2.497 * self.sulfur
        found["Cl"] += self.chlorine
        water = self.moisture / (100.0 - self.moisture)
        co2 = 1e-3 * self.emission_factor * self.heating_value
        found |= {"heat": self.heating_value - EVAPORATION * water, "process_co2": 0.0, "fossil_co2": co2 * (1.0 - self.biogenic),
                  "biogenic_co2": co2 * self.biogenic}
        return {"qualities": found, "moisture": 0.01 * self.moisture, "yields": share}


def raw_material(analysis: Analysis, *, carbonate: float = 1.0) -> dict[str, Any]:
    """Arguments of `optimizers.Material` for a raw material, with the CO2 that its carbonate gives off.

    Parameters
    ----------
    analysis
        Raw basis, or clinker basis for what is already ignited.
    carbonate
        Share of CaO and MgO that comes as carbonate; 0 for slag and ash.

    Examples
    --------
    >>> stone = Analysis("limestone", {"SiO2": 3.2, "Al2O3": 0.9, "Fe2O3": 0.4, "CaO": 52.4, "MgO": 0.8}, loi=41.9)
    >>> round(raw_material(stone)["qualities"]["process_co2"], 4)
    0.42
    """
    found = {o: float(analysis.oxides.get(o, 0.0)) for o in OXIDES}
    co2 = carbonate * 0.01 * (LIME_CO2 * found["CaO"] + MAGNESIA_CO2 * found["MgO"])
    if 100.0 * co2 > analysis.loi + 2.0:
        raise errors.DataError(
            f"{analysis.name} would give off {100 * co2:.3g} % CO2 with a loss on ignition of {analysis.loi:g} %. Expected no "
            "more than is lost: is it given on clinker basis, or its lime not carbonate (carbonate=0)?", name=analysis.name)
    found |= {"heat": 0.0, "process_co2": co2, "fossil_co2": 0.0, "biogenic_co2": 0.0}
    return {"qualities": found, "moisture": 0.01 * analysis.moisture, "yields": analysis.yields}


def mix_formulas() -> dict[str, Any]:
    """Formulas of `optimizers.Blend`: LSF, SM, AM, sodium equivalent, liquid at 1450 degC (MgO up to 2 %).

    Examples
    --------
    >>> sorted(mix_formulas())
    ['AM', 'LSF', 'Na2Oeq', 'SM', 'liquid']
    """
    return {"LSF": lambda q: 100 * q.CaO / (2.8 * q.SiO2 + 1.18 * q.Al2O3 + 0.65 * q.Fe2O3),
            "SM": lambda q: q.SiO2 / (q.Al2O3 + q.Fe2O3), "AM": lambda q: q.Al2O3 / q.Fe2O3,
            "Na2Oeq": lambda q: q.Na2O + 0.658 * q.K2O,
            "liquid": lambda q: 3.0 * q.Al2O3 + 2.25 * q.Fe2O3 + q.MgO + q.K2O + q.Na2O}
