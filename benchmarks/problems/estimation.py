"""The three estimation problems of the COPS 3 collection, typed in from its published tables.

Gas oil: Tjoa and Biegler, Ind. Eng. Chem. Res. 30 (1991) 376-385; alpha-pinene: Box, Hunter, MacGregor and Erjavec,
Technometrics 15 (1973) 33-51, data of Fuguitt and Hawkins (1947); marine population: Rothschild, Sharov, Kearsley and
Boggs, Ecol. Model. 96 (1997) 21-28 (made-up data of a cohort). Statement and optima: Dolan, More and Munson, COPS 3.0 (2004)
and its implementation COPSBenchmark.jl (5.2366e-3, 19.8721; marine 1.97465e7 with three collocation points).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import twin


@dataclasses.dataclass(frozen=True)
class Problem:
    """One problem: equations free of any library (for the peers), data, and how Twinworks is asked."""

    name: str
    rhs: Callable[[Any, Any], list[Any]]
    parameters: int
    start: tuple[float, ...]
    start_free: bool
    times: tuple[float, ...]
    samples: Any  # (times, states)
    optimum: float
    unit: str
    size: float  # typical rate constant
    sizes: tuple[float, ...]  # typical states

    def fresh(self, k: int = 0) -> type[twin.DynamicModel]:
        """A model class made anew; its first nominal value differs with k, so that nothing that was traced before fits."""
        sizes = (self.sizes[0] * (1 + 1e-9 * k), *self.sizes[1:])
        return model_of(self.rhs, self.parameters, self.start, self.unit, self.size, sizes)

    @property
    def data(self) -> dict[str, tuple[Any, Any]]:
        """Samples by state, as `twin.calibrate` takes them."""
        return {f"y{i + 1}": (self.times, self.samples[:, i]) for i in range(self.samples.shape[1])}

    def unknowns(self, start: float | None = 0.0) -> list[twin.Unknown]:
        """Parameters (all from one first guess) and, where they are free, initial states (from the first samples)."""
        found = [twin.Unknown(f"p{k + 1}", start=start) for k in range(self.parameters)]
        states = self.samples.shape[1] if self.start_free else 0
        return found + [twin.Unknown(f"initial.y{i + 1}", bounds=(None, None)) for i in range(states)]


def model_of(rhs: Callable[[Any, Any], list[Any]], parameters: int, start: tuple[float, ...], unit: str, size: float,
             sizes: tuple[float, ...]) -> type[twin.DynamicModel]:
    """A fresh model class with the states y1, y2, ... and the parameters p1, p2, ..."""
    body: dict[str, Any] = {"time_unit": unit, "__doc__": "An estimation problem of COPS 3."}
    body |= {f"y{i + 1}": twin.state("-", lower=0, nominal=s, doc="state") for i, s in enumerate(sizes)}
    body |= {f"p{k + 1}": twin.parameter(size, f"1/{unit}", bounds=(0, None), doc="rate constant") for k in range(parameters)}

    def equations(self: Any, s: Any) -> Mapping[str, Any]:
        y = [getattr(s, f"y{i + 1}") for i in range(len(sizes))]
        found = rhs(y, [getattr(self, f"p{k + 1}") for k in range(parameters)])
        return {f"y{i + 1}": v for i, v in enumerate(found)}

    body |= {"rhs": equations, "initial": lambda self: {f"y{i + 1}": v for i, v in enumerate(start)}}
    return type(twin.DynamicModel)("Estimation", (twin.DynamicModel,), body)


def gas_oil_rates(y: Any, p: Any) -> list[Any]:
    """Oil and gasoline."""
    square = y[0] * y[0]
    return [-(p[0] + p[2]) * square, p[0] * square - p[1] * y[1]]


def pinene_rates(y: Any, p: Any) -> list[Any]:
    """Alpha-pinene, dipentene, allo-ocimene, pyronene, dimer."""
    back = p[4] * y[4]
    return [-(p[0] + p[1]) * y[0], p[0] * y[0], p[1] * y[0] - (p[2] + p[3]) * y[2] + back, p[2] * y[2], p[3] * y[2] - back]


def marine_rates(y: Any, p: Any) -> list[Any]:
    """Eight stages of life: 7 rates of growth into the next, then 8 of mortality."""
    grown = [p[k] * y[k] for k in range(7)]
    return [(grown[k - 1] if k else 0.0) - (grown[k] if k < 7 else 0.0) - p[7 + k] * y[k] for k in range(8)]


OIL_TIMES = (0, 0.025, 0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.65,
             0.75, 0.85, 0.95)
OIL = np.array([[1, 0], [0.8105, 0.2], [0.6208, 0.2886], [0.5258, 0.301], [0.4345, 0.3215], [0.3903, 0.3123], [0.3342, 0.2716],
                [0.3034, 0.2551], [0.2735, 0.2258], [0.2405, 0.1959], [0.2283, 0.1789], [0.2071, 0.1457], [0.1669, 0.1198],
                [0.153, 0.0909], [0.1339, 0.0719], [0.1265, 0.0561], [0.12, 0.046], [0.099, 0.028], [0.087, 0.019],
                [0.077, 0.014], [0.069, 0.01]])
PINENE_TIMES = (1230, 3060, 4920, 7800, 10680, 15030, 22620, 36420)
PINENE = np.array([[88.35, 7.3, 2.3, 0.4, 1.75], [76.4, 15.6, 4.5, 0.7, 2.8], [65.1, 23.1, 5.3, 1.1, 5.8],
                   [50.4, 32.9, 6, 1.5, 9.3], [37.5, 42.7, 6, 1.9, 12], [25.9, 49.1, 5.9, 2.2, 17],
                   [14, 57.4, 5.1, 2.6, 21], [4.5, 63.1, 3.8, 2.9, 25.7]])
MARINE_TIMES = tuple(0.5 * k for k in range(21))
COHORT = """
    20000 17000 10000 15000 12000 9000 7000 3000  12445 15411 13040 13338 13484 8426 6615 4022
    7705 13074 14623 11976 12453 9272 6891 5020  4664 8579 12434 12603 11738 9710 6821 5722
    2977 7053 11219 11340 13665 8534 6242 5695  1769 5054 10065 11232 12112 9600 6647 7034
    943 3907 9473 10334 11115 8826 6842 7348  581 2624 7421 10297 12427 8747 7199 7684
    355 1744 5369 7748 10057 8698 6542 7410  223 1272 4713 6869 9564 8766 6810 6961
    137 821 3451 6050 8671 8291 6827 7525  87 577 2649 5454 8430 7411 6423 8388
    49 337 2058 4115 7435 7627 6268 7189  32 228 1440 3790 6474 6658 5859 7467
    17 168 1178 3087 6524 5880 5562 7144  11 99 919 2596 5360 5762 4480 7256
    7 65 647 1873 4556 5058 4944 7538  4 44 509 1571 4009 4527 4233 6649
    2 27 345 1227 3677 4229 3805 6378  1 20 231 934 3197 3695 3159 6454
    1 12 198 707 2562 3163 3232 5566"""
MARINE = np.array(COHORT.split(), dtype=float).reshape(21, 8)

GAS_OIL = Problem("gas_oil", gas_oil_rates, 3, (1.0, 0.0), False, OIL_TIMES, OIL, 5.2366e-3, "h", 1.0, (1.0, 0.3))
ALPHA_PINENE = Problem("alpha_pinene", pinene_rates, 5, (100.0, 0.0, 0.0, 0.0, 0.0), False, PINENE_TIMES, PINENE, 19.8721, "min",
                       1e-5, (100.0, 50.0, 5.0, 3.0, 20.0))
MARINE_POPULATION = Problem("marine", marine_rates, 15, tuple(MARINE[0]), True, MARINE_TIMES, MARINE, 1.97465e7, "d",
                            0.5, tuple(MARINE.max(axis=0)))
PROBLEMS = (GAS_OIL, ALPHA_PINENE, MARINE_POPULATION)
