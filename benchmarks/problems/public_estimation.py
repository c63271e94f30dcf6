"""Public test problems of dynamic optimization: parameter estimation (P15, P16); samples are disturbances by name."""

from __future__ import annotations

from typing import Any

import twin

CRACKING_TIMES = (0, .025, .05, .075, .1, .125, .15, .175, .2, .225, .25, .3, .35, .4, .45, .5, .55, .65, .75, .85, .95)
CRACKING = {
    "oil_sample": (1, .8105, .6208, .5258, .4345, .3903, .3342, .3034, .2735, .2405, .2283, .2071, .1669, .153, .1339, .1265, .12,
                   .099, .087, .077, .069),
    "gasoline_sample": (0, .2, .2886, .301, .3215, .3123, .2716, .2551, .2258, .1959, .1789, .1457, .1198, .0909, .0719, .0561,
                        .046, .028, .019, .014, .01)}
PINENE_TIMES = (1230, 3060, 4920, 7800, 10680, 15030, 22620, 36420)
PINENE = ((88.35, 7.3, 2.3, .4, 1.75), (76.4, 15.6, 4.5, .7, 2.8), (65.1, 23.1, 5.3, 1.1, 5.8), (50.4, 32.9, 6.0, 1.5, 9.3),
          (37.5, 42.7, 6.0, 1.9, 12.0), (25.9, 49.1, 5.9, 2.2, 17.0), (14.0, 57.4, 5.1, 2.6, 21.0), (4.5, 63.1, 3.8, 2.9, 25.7))


class Cracking(twin.DynamicModel):
    """P15: catalytic cracking of gas oil, three rate constants from 21 samples."""

    oil = twin.state("-", lower=0, upper=2, nominal=1)
    gasoline = twin.state("-", lower=0, upper=2, nominal=0.3)
    oil_sample = twin.disturbance("-", lower=0, upper=2, nominal=0.5)
    gasoline_sample = twin.disturbance("-", lower=0, upper=2, nominal=0.2)
    squares = twin.output("-", lower=0, upper=100, nominal=0.01)
    k1 = twin.parameter(1.0, "1/s", bounds=(0, 100), source="COPS")
    k2 = twin.parameter(1.0, "1/s", bounds=(0, 100), source="COPS")
    k3 = twin.parameter(1.0, "1/s", bounds=(0, 100), source="COPS")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"oil": -(self.k1 + self.k3) * s.oil**2, "gasoline": self.k1 * s.oil**2 - self.k2 * s.gasoline}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"squares": (s.oil - s.oil_sample)**2 + (s.gasoline - s.gasoline_sample)**2}

    def initial(self) -> dict[str, float]:
        return {"oil": 1.0, "gasoline": 0.0}


class Pinene(twin.DynamicModel):
    """P16: thermal isomerization of alpha-pinene, five rate constants from eight samples."""

    y1 = twin.state("%", lower=0, upper=200, nominal=50)
    y2 = twin.state("%", lower=0, upper=200, nominal=50)
    y3 = twin.state("%", lower=0, upper=200, nominal=5)
    y4 = twin.state("%", lower=0, upper=200, nominal=2)
    y5 = twin.state("%", lower=0, upper=200, nominal=10)
    m1 = twin.disturbance("%", lower=0, upper=200, nominal=50)
    m2 = twin.disturbance("%", lower=0, upper=200, nominal=50)
    m3 = twin.disturbance("%", lower=0, upper=200, nominal=5)
    m4 = twin.disturbance("%", lower=0, upper=200, nominal=2)
    m5 = twin.disturbance("%", lower=0, upper=200, nominal=10)
    squares = twin.output("-", lower=0, upper=1e6, nominal=10)
    k1 = twin.parameter(1e-5, "1/s", bounds=(0, 1e-2), source="COPS")
    k2 = twin.parameter(1e-5, "1/s", bounds=(0, 1e-2), source="COPS")
    k3 = twin.parameter(1e-5, "1/s", bounds=(0, 1e-2), source="COPS")
    k4 = twin.parameter(1e-5, "1/s", bounds=(0, 1e-2), source="COPS")
    k5 = twin.parameter(1e-5, "1/s", bounds=(0, 1e-2), source="COPS")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"y1": -(self.k1 + self.k2) * s.y1, "y2": self.k1 * s.y1,
                "y3": self.k2 * s.y1 - (self.k3 + self.k4) * s.y3 + self.k5 * s.y5, "y4": self.k3 * s.y3,
                "y5": self.k4 * s.y3 - self.k5 * s.y5}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"squares": (s.y1 - s.m1)**2 + (s.y2 - s.m2)**2 + (s.y3 - s.m3)**2 + (s.y4 - s.m4)**2 + (s.y5 - s.m5)**2}

    def initial(self) -> dict[str, float]:
        return {"y1": 100.0, "y2": 0.0, "y3": 0.0, "y4": 0.0, "y5": 0.0}
