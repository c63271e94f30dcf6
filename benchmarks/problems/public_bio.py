"""Public test problems of dynamic optimization: fed-batch fermentations (P10 to P14)."""

from __future__ import annotations

from typing import Any

import twin
from benchmarks.problems.symbols import exp


class LeeRamirez(twin.DynamicModel):
    """P10, P11: induced foreign protein, two feeds; `modified` takes the rate functions of Tholudur and Ramirez."""

    time_unit = "h"
    volume = twin.state("l", lower=0.1, upper=30, nominal=1)
    cells = twin.state("g/l", lower=0, upper=50, nominal=5)
    nutrient = twin.state("g/l", lower=0, upper=200, nominal=40)
    protein = twin.state("g/l", lower=0, upper=20, nominal=1)
    inducer = twin.state("g/l", lower=0, upper=20, nominal=1)
    shock = twin.state("-", lower=0, upper=2, nominal=1)
    recovery = twin.state("-", lower=0, upper=2, nominal=1)
    glucose_feed = twin.input("l/h", lower=0, upper=1, nominal=0.1)
    inducer_feed = twin.input("l/h", lower=0, upper=1, nominal=0.1)
    product = twin.output("g", lower=0, upper=100, nominal=1)
    modified = twin.static(False)

    def rhs(self, s: Any) -> dict[str, Any]:
        q = (s.glucose_feed + s.inducer_feed) / s.volume
        n, i = s.nutrient, s.inducer
        d, growth, making = ((0.108 + n + n**2 / 14814.8, 0.407, 0.095) if self.modified
                             else (14.35 + n * (1 + n / 111.5), 1.0, 0.233))
        g = growth * n / d * (s.shock + 0.22 * s.recovery / (0.22 + i))
        made = making * n / d * (0.0005 + i) / (0.022 + i)
        k = 0.09 * i / (0.034 + i)
        return {"volume": s.glucose_feed + s.inducer_feed, "cells": (g - q) * s.cells,
                "nutrient": 100 * s.glucose_feed / s.volume - q * n - g * s.cells / 0.51,
                "protein": made * s.cells - q * s.protein,
                "inducer": 4 * s.inducer_feed / s.volume - q * i, "shock": -k * s.shock, "recovery": k * (1 - s.recovery)}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"product": s.volume * s.protein}

    def initial(self) -> dict[str, float]:
        return {"volume": 1.0, "cells": 0.1, "nutrient": 40.0, "protein": 0.0, "inducer": 0.0, "shock": 1.0, "recovery": 0.0}


class ParkRamirez(twin.DynamicModel):
    """P12: secreted protein in a fed-batch yeast."""

    time_unit = "h"
    secreted = twin.state("-", lower=0, upper=20, nominal=1)
    total = twin.state("-", lower=0, upper=20, nominal=1)
    cells = twin.state("g/l", lower=0, upper=50, nominal=1)
    glucose = twin.state("g/l", lower=0, upper=50, nominal=1)
    volume = twin.state("l", lower=0.1, upper=60, nominal=1)
    feed = twin.input("l/h", lower=0, upper=2, nominal=0.6)
    product = twin.output("-", lower=0, upper=500, nominal=10)

    def rhs(self, s: Any) -> dict[str, Any]:
        g3 = 21.87 * s.glucose / ((s.glucose + 0.4) * (s.glucose + 62.5))
        g2 = s.glucose * exp(-5 * s.glucose) / (0.1 + s.glucose)
        g1 = 4.75 * g3 / (0.12 + g3)
        d = s.feed / s.volume
        return {"secreted": g1 * (s.total - s.secreted) - d * s.secreted, "total": g2 * s.cells - d * s.total,
                "cells": g3 * s.cells - d * s.cells, "glucose": -7.3 * g3 * s.cells + d * (20 - s.glucose), "volume": s.feed}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"product": s.secreted * s.volume}

    def initial(self) -> dict[str, float]:
        return {"secreted": 0.0, "total": 0.0, "cells": 1.0, "glucose": 5.0, "volume": 1.0}


class Ethanol(twin.DynamicModel):
    """P13: fed-batch ethanol (Chen and Hwang)."""

    time_unit = "h"
    cells = twin.state("g/l", lower=0, upper=100, nominal=5)
    glucose = twin.state("g/l", lower=0, upper=300, nominal=50)
    ethanol = twin.state("g/l", lower=0, upper=300, nominal=50)
    volume = twin.state("l", lower=1, upper=400, nominal=100)
    feed = twin.input("l/h", lower=0, upper=12, nominal=3)
    product = twin.output("g", lower=0, upper=1e5, nominal=10000)

    def rhs(self, s: Any) -> dict[str, Any]:
        g1 = 0.408 / (1 + s.ethanol / 16) * s.glucose / (0.22 + s.glucose)
        g2 = 1 / (1 + s.ethanol / 71.5) * s.glucose / (0.44 + s.glucose)
        d = s.feed / s.volume
        return {"cells": g1 * s.cells - d * s.cells, "glucose": -10 * g1 * s.cells + d * (150 - s.glucose),
                "ethanol": g2 * s.cells - d * s.ethanol, "volume": s.feed}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"product": s.ethanol * s.volume}

    def initial(self) -> dict[str, float]:
        return {"cells": 1.0, "glucose": 150.0, "ethanol": 0.0, "volume": 10.0}
