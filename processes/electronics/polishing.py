"""Chemical mechanical polishing after Preston (1927)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

WEAR = "[textbook] size of pad wear"
PRESTON = "Preston, J. Soc. Glass Technol. 11 (1927) 214-256; [textbook] size of the coefficient for oxide"


class Polishing(twin.DynamicModel):
    """Removal in proportion to pressure and speed; the coefficient falls as the pad wears.

    The pad is a state in hours of use, so that a pad life is a series of runs. Uniformity over the wafer is left out.
    """

    time_unit = "min"

    removed = twin.state("nm", lower=0, upper=5000, nominal=500, doc="film removed in this run")
    pad_use = twin.state("h", lower=0, upper=100, nominal=10, doc="polishing time of the pad")
    pressure = twin.input("kPa", lower=0, upper=70, nominal=30, doc="down force over area")
    speed = twin.input("m/s", lower=0, upper=3, nominal=1, doc="pad against wafer")
    remaining = twin.output("nm", lower=-5000, upper=5000, nominal=500, doc="film left")
    rate = twin.output("nm/min", lower=0, upper=2000, nominal=200, doc="removal rate")

    preston = twin.parameter(1.2e-13, "1/Pa", bounds=(1e-15, 1e-11), scale="log", source=PRESTON, doc="coefficient of a new pad")
    worn = twin.parameter(0.7, "-", bounds=(0, 1), source=WEAR, doc="share of the coefficient on a worn pad")
    wear_time = twin.parameter(8.0, "h", bounds=(0.1, 1000), source=WEAR, doc="time in which a pad wears")
    film = twin.parameter(1000.0, "nm", bounds=(0, 5000), source="example", doc="film before polishing")

    @twin.term("nm/min", lower=0, upper=2000, vanishes_with=("pressure", "speed"), rises_with=("pressure", "speed"))
    def removal_rate(self, pressure: Any, speed: Any, pad_use: Any) -> Any:
        """Removal rate at a pressure, speed and age of the pad."""
        held = self.worn + (1.0 - self.worn) * jnp.exp(-pad_use / self.wear_time)
        return 6e13 * self.preston * held * pressure * speed  # nm/min of 1/Pa kPa m/s

    def rhs(self, s: Any) -> Mapping[str, Any]:
        return {"removed": self.removal_rate(s.pressure, s.speed, s.pad_use), "pad_use": 1.0 / 60.0}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"remaining": self.film - s.removed, "rate": self.removal_rate(s.pressure, s.speed, s.pad_use)}

    def initial(self) -> Mapping[str, Any]:
        return {"removed": 0.0, "pad_use": 0.0}

    def recipe(self) -> twin.Recipe:
        """30 kPa at 1 m/s."""
        return twin.Recipe.constant(pressure=30.0, speed=1.0)
