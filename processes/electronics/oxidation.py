"""Thermal oxidation of silicon after Deal and Grove (1965)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import twin
from twin import errors, jnp

DEAL_GROVE = "Deal, Grove, J. Appl. Phys. 36 (1965) 3770-3778, doi:10.1063/1.1713945"
TEXTBOOK = "[textbook] Arrhenius sets for (111) silicon, checked against the table of Deal and Grove 1965"
BOLTZMANN = 8.617333262e-5  # eV/K
# temperature degC: (A um, B um2/h) of (111) silicon; wet: oxygen through water of 95 degC
TABLE = {
    "dry": {1200: (0.040, 0.045), 1100: (0.090, 0.027), 1000: (0.165, 0.0117), 920: (0.235, 0.0049), 800: (0.370, 0.0011)},
    "wet": {1200: (0.05, 0.720), 1100: (0.11, 0.510), 1000: (0.226, 0.287), 920: (0.50, 0.203)},
}
FACE_100 = 1.68  # the linear rate constant of (100) is smaller by this factor [textbook]


class Oxidation(twin.DynamicModel):
    """Growth of oxide, dx/dt = B / (A + 2 x), with Arrhenius constants.

    Valid above about 25 nm in dry oxygen (the fast first growth is left out) and at the ambient and pressure of its
    constants. A tube that grows more or less than the constants say is a correction of the term `growth_rate`.
    """

    time_unit = "h"

    thickness = twin.state("um", lower=0, upper=5, nominal=0.1, doc="oxide")
    temperature = twin.input("degC", lower=700, upper=1300, nominal=1000, doc="wafer")

    parabolic = twin.parameter(772.0, "um**2/h", bounds=(0, None), scale="log", source=TEXTBOOK, doc="B = parabolic exp(-e/kT)")
    e_parabolic = twin.parameter(1.23, "eV", bounds=(0, 5), source=TEXTBOOK, doc="activation energy of B")
    linear = twin.parameter(6.23e6, "um/h", bounds=(0, None), scale="log", source=TEXTBOOK, doc="B/A = linear exp(-e/kT)")
    e_linear = twin.parameter(2.00, "eV", bounds=(0, 5), source=TEXTBOOK, doc="activation energy of B/A")
    native = twin.parameter(0.025, "um", bounds=(0, 1), source=DEAL_GROVE, doc="oxide at the start")

    def constants(self, temperature: Any) -> tuple[Any, Any]:
        """B in um2/h and B/A in um/h at a temperature in degC."""
        kt = BOLTZMANN * (temperature + 273.15)
        return self.parabolic * jnp.exp(-self.e_parabolic / kt), self.linear * jnp.exp(-self.e_linear / kt)

    @twin.term("um/h", lower=0, upper=100)
    def growth_rate(self, thickness: Any, temperature: Any) -> Any:
        """Growth at a thickness and temperature."""
        b, linear = self.constants(temperature)
        return b / (b / linear + 2.0 * thickness)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        return {"thickness": self.growth_rate(s.thickness, s.temperature)}

    def initial(self) -> Mapping[str, Any]:
        return {"thickness": self.native}

    @classmethod
    def dry(cls, *, face: str = "111", **changes: Any) -> Oxidation:
        """Dry oxygen, on a (111) or (100) face."""
        return cls(**{"linear": 6.23e6 / _face(face)} | changes)

    @classmethod
    def steam(cls, *, face: str = "111", **changes: Any) -> Oxidation:
        """Steam, on a (111) or (100) face; starts without oxide."""
        known = {"parabolic": 386.0, "e_parabolic": 0.78, "linear": 1.63e8 / _face(face), "e_linear": 2.05, "native": 0.0}
        return cls(**known | changes)

    @classmethod
    def table(cls, ambient: str, temperature: float, **changes: Any) -> Oxidation:
        """Constants of one furnace temperature, from the table of 1965, between whose rows ln A and ln B are linear in 1/T.

        Parameters
        ----------
        ambient
            "dry" or "wet", on a (111) face.
        temperature
            In degC, within the table: 800 to 1200 dry, 920 to 1200 wet.
        """
        if ambient not in TABLE:
            raise errors.unknown("ambient", ambient, "Oxidation.table", TABLE)
        rows = sorted(TABLE[ambient].items())
        if not rows[0][0] <= temperature <= rows[-1][0]:
            raise errors.out_of_range("temperature", temperature, "degC", rows[0][0], rows[-1][0],
                                      f"The {ambient} table of 1965 has no other rows.")
        k = max(i for i, row in enumerate(rows[:-1]) if row[0] <= temperature)
        (t_0, low), (t_1, high) = rows[k], rows[k + 1]
        share = (1 / (temperature + 273.15) - 1 / (t_0 + 273.15)) / (1 / (t_1 + 273.15) - 1 / (t_0 + 273.15))
        a, b = (math.exp((1 - share) * math.log(p) + share * math.log(q)) for p, q in zip(low, high, strict=True))
        return cls(**{"parabolic": b, "e_parabolic": 0.0, "linear": b / a, "e_linear": 0.0} | changes)

    @classmethod
    def example(cls) -> Oxidation:
        """Dry oxygen on (111)."""
        return cls.dry()


def _face(face: str) -> float:
    if face not in ("111", "100"):
        raise errors.unknown("face", face, "Oxidation", ("111", "100"))
    return FACE_100 if face == "100" else 1.0
