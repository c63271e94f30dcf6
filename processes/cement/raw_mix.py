"""Raw mix and clinker chemistry: moduli, phases after Bogue and Taylor, liquid, alkali, CO2, and analyses that are checked.

Percent by mass throughout, on clinker basis (without loss on ignition) unless a name says otherwise. Abbreviations as in the
trade: C CaO, S SiO2, A Al2O3, F Fe2O3.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from twin import errors

OXIDES = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "K2O", "Na2O", "SO3", "Cl")
SUM_LOW, SUM_HIGH = 97.0, 101.0  # percent: what a sound analysis sums to, loss on ignition included
# Oxides of the clinker phases in percent, [textbook] typical compositions (Taylor, Cement Chemistry, 2nd ed. 1997, table 1.2)
TAYLOR = {"alite": (71.6, 25.2, 1.0, 0.7), "belite": (63.5, 31.5, 2.1, 0.9), "aluminate": (56.6, 3.7, 31.3, 5.1),
          "ferrite": (47.5, 3.6, 21.9, 21.4)}


@dataclasses.dataclass(frozen=True)
class Analysis:
    """Chemical analysis of a raw material, fuel ash or clinker, checked when it is made.

    Attributes
    ----------
    name
        The material.
    oxides
        Percent of the dry material, by oxide; those not given are 0.
    loi
        Loss on ignition in percent of the dry material.
    moisture
        Water in percent of the delivered material.
    basis
        "raw" (dry, with loss on ignition) or "clinker" (ignited).

    Examples
    --------
    >>> limestone = Analysis("limestone", {"SiO2": 3.2, "Al2O3": 0.9, "Fe2O3": 0.4, "CaO": 52.4, "MgO": 0.8, "K2O": 0.15,
    ...                                    "Na2O": 0.05, "SO3": 0.1}, loi=41.9)
    >>> round(limestone.yields, 3), round(limestone.ignited()["CaO"], 2)
    (0.581, 90.19)
    """

    name: str
    oxides: Mapping[str, float]
    loi: float = 0.0
    moisture: float = 0.0
    basis: str = "raw"

    def __post_init__(self) -> None:
        if self.basis not in ("raw", "clinker"):
            raise errors.unknown("basis", self.basis, f"the analysis of {self.name}", ("raw", "clinker"))
        for oxide, value in self.oxides.items():
            if oxide not in OXIDES:
                raise errors.unknown("oxide", oxide, f"the analysis of {self.name}", OXIDES)
            if not 0 <= value <= 100:
                raise errors.out_of_range(f"{oxide} of {self.name}", value, "%", 0, 100, "Give percent of the dry material.")
        for what, value in (("loi", self.loi), ("moisture", self.moisture)):
            if not 0 <= value < 100:
                raise errors.out_of_range(f"{what} of {self.name}", value, "%", 0, 100, "Give percent.")
        total = sum(self.oxides.values()) + self.loi
        if not SUM_LOW <= total <= SUM_HIGH:
            wet = total + self.moisture
            hint = " With the moisture it would: is the analysis that of the wet material?" \
                if self.moisture and SUM_LOW <= wet <= SUM_HIGH else " Check the row, and that all oxides are there."
            raise errors.DataError(f"The analysis of {self.name} sums to {total:.4g} %. Expected {SUM_LOW:g} to {SUM_HIGH:g} %."
                                   + hint, name=self.name)
        if self.basis == "clinker" and self.loi > 3:
            raise errors.DataError(f"{self.name} is given on clinker basis with {self.loi:g} % loss on ignition. Expected at "
                                   "most 3 %: is it the raw material?", name=self.name)
        if self.basis == "raw" and self.oxides.get("CaO", 0.0) > 60 and self.loi < 5:
            raise errors.DataError(f"{self.name} has {self.oxides['CaO']:g} % CaO and {self.loi:g} % loss on ignition on raw "
                                   "basis. Carbonate loses 44 %: is it given on clinker basis?", name=self.name)

    @property
    def yields(self) -> float:
        """Clinker from one unit of dry material."""
        return 1.0 - self.loi / 100.0

    def ignited(self) -> dict[str, float]:
        """Percent of the ignited material, by oxide."""
        return {o: self.oxides.get(o, 0.0) / self.yields for o in OXIDES}


def moduli(oxides: Mapping[str, float]) -> dict[str, float]:
    """Lime saturation factor in percent, silica modulus, alumina modulus, and sodium equivalent in percent.

    Parameters
    ----------
    oxides
        Percent by oxide, of raw mix or clinker.

    Examples
    --------
    >>> found = moduli({"CaO": 65.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8})
    >>> round(found["LSF"], 2), round(found["SM"], 4), round(found["AM"], 3)
    (96.25, 2.6875, 1.857)
    """
    s, a, f, c = (oxides[o] for o in OXIDES[:4])
    return {"LSF": 100 * c / (2.8 * s + 1.18 * a + 0.65 * f), "SM": s / (a + f), "AM": a / f,
            "Na2Oeq": oxides.get("Na2O", 0.0) + 0.658 * oxides.get("K2O", 0.0)}


def bogue(oxides: Mapping[str, float], *, free_lime: float = 0.0) -> dict[str, float]:
    """Potential phases of clinker in percent after Bogue (1929).

    Parameters
    ----------
    oxides
        Percent of the clinker, by oxide.
    free_lime
        Free CaO in percent.

    Examples
    --------
    >>> found = bogue({"CaO": 65.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8}, free_lime=1.0)
    >>> [round(v, 2) for v in found.values()]
    [60.59, 15.94, 9.04, 8.52]
    """
    s, a, f, c = (oxides[o] for o in OXIDES[:4])
    c3s = 4.0710 * (c - free_lime - 0.7 * oxides.get("SO3", 0.0)) - 7.6024 * s - 6.7187 * a - 1.4297 * f
    return {"C3S": c3s, "C2S": 2.8675 * s - 0.7544 * c3s, "C3A": 2.6504 * a - 1.6920 * f, "C4AF": 3.0432 * f}


def taylor(oxides: Mapping[str, float], *, free_lime: float = 0.0) -> dict[str, float]:
    """Phases of clinker in percent from typical phase compositions (Taylor): about 7 points more alite than Bogue.

    Parameters
    ----------
    oxides
        Percent of the clinker, by oxide.
    free_lime
        Free CaO in percent.

    Examples
    --------
    >>> found = taylor({"CaO": 65.6, "SiO2": 21.5, "Al2O3": 5.2, "Fe2O3": 2.8}, free_lime=1.0)
    >>> [round(v, 1) for v in found.values()]
    [67.6, 12.3, 7.7, 8.5]
    """
    import numpy as np

    s, a, f, c = (oxides[o] for o in OXIDES[:4])
    held = np.array(list(TAYLOR.values())).T / 100.0
    found = np.linalg.solve(held, [c - free_lime, s, a, f])  # sulfur of clinker binds alkali, not lime
    return dict(zip(TAYLOR, (float(v) for v in found), strict=True))


def liquid_phase(oxides: Mapping[str, float], *, temperature: float = 1450.0) -> float:
    """Liquid in percent at 1400 or 1450 degC (Lea and Parker) [textbook].

    Parameters
    ----------
    oxides
        Percent of the clinker, by oxide; MgO counts up to 2 %.
    temperature
        1400 or 1450, degC.

    Examples
    --------
    >>> round(liquid_phase({"Al2O3": 5.5, "Fe2O3": 3.5, "MgO": 1.4, "K2O": 0.5, "Na2O": 0.2}), 1)
    26.5
    """
    if temperature not in (1400.0, 1450.0):
        raise errors.SpecError(f"temperature is {temperature:g} degC. Expected 1400 or 1450: the formula knows no other.")
    a, f = (3.00, 2.25) if temperature == 1450.0 else (2.95, 2.20)
    alkali = oxides.get("K2O", 0.0) + oxides.get("Na2O", 0.0)
    return a * oxides["Al2O3"] + f * oxides["Fe2O3"] + min(oxides.get("MgO", 0.0), 2.0) + alkali


def process_carbon_dioxide(lime: float, magnesia: float) -> float:
    """CO2 from carbonate in kg for one tonne of clinker.

    Parameters
    ----------
    lime, magnesia
        CaO and MgO that came as carbonate, in percent of the clinker: what fuel ash brings does not count.

    Examples
    --------
    >>> round(process_carbon_dioxide(65.0, 1.5), 1)
    526.5
    """
    return 10.0 * (44.010 / 56.077 * lime + 44.010 / 40.304 * magnesia)


def heat_of_formation(oxides: Mapping[str, float]) -> float:
    """Heat to make clinker from dry raw materials in kJ/kg (zur Strassen 1957).

    Parameters
    ----------
    oxides
        Percent of the clinker, by oxide.

    Examples
    --------
    >>> round(heat_of_formation({"CaO": 66.563, "SiO2": 21.622, "Al2O3": 5.544, "Fe2O3": 3.465, "MgO": 1.426}))
    1793
    """
    s, a, f, c = (oxides[o] for o in OXIDES[:4])
    return 17.19 * a + 27.10 * oxides.get("MgO", 0.0) + 32.01 * c - 21.40 * s - 2.47 * f


def free_lime_at(temperature: float, *, c3s: float = 65.0, c2s: float = 12.0, free_lime: float = 1.0,
                 known_at: float = 1450.0) -> float:
    """Free lime in percent at another burning temperature: ln k = s - 120000 / T with k = C3S / (C2S x CaO).

    What combines follows C2S + CaO -> C3S. A rule of plant practice for 1400 to 1500 degC; it moves free lime more than the
    kinetics of `RotaryKiln` do (1.8 against 1.4 % for 20 degC less): which is right, data must say.

    Parameters
    ----------
    temperature, known_at
        Burning temperature sought, and that of the known clinker, degC.
    c3s, c2s, free_lime
        Phases of the known clinker in percent.

    Examples
    --------
    >>> round(free_lime_at(1430.0), 2)
    1.79
    """
    if not 1350 <= temperature <= 1550:
        raise errors.out_of_range("temperature", temperature, "degC", 1350, 1550, "The law knows burning zones only.")
    wanted = math.log(c3s / (c2s * free_lime)) + 120000.0 / (known_at + 273.15) - 120000.0 / (temperature + 273.15)
    low, high = max(1e-9, free_lime - c2s / 3.071 + 1e-9), free_lime + c3s / 4.071 - 1e-9
    for _ in range(200):
        lime = 0.5 * (low + high)
        made = free_lime - lime
        k = (c3s + 4.071 * made) / ((c2s - 3.071 * made) * lime)
        low, high = (lime, high) if math.log(k) > wanted else (low, lime)
    return 0.5 * (low + high)
