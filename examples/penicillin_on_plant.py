"""The optimized feed of the penicillin job, replayed on the plant behind its records.

    python examples/penicillin_on_plant.py out/penicillin/summary.json

The job optimizes on its model. Here the published recipe and the optimized one are carried out by the plant of
`data/penicillin_plant.py`, which knows what the model leaves out: cells lose viability, nothing evaporates.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

PLANT = Path(__file__).parent / "data" / "penicillin_plant.py"


def plant() -> Any:
    """The plant as a module."""
    spec = importlib.util.spec_from_file_location("penicillin_plant", PLANT)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    sys.modules["penicillin_plant"] = module
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def product(times: Sequence[float], feeds: Sequence[float], *, below: float = 0.30, hours: float = 300.0) -> float:
    """Grams of penicillin at the end: batch until the substrate falls below `below` g/l, then the staircase of feeds in l/h.

    `times` are hours since the feed started.
    """
    p = plant()
    setting = p.Setting(below, (0.0, 0.0, 0.0), 30.0, 8.6, 298.0)

    def crossing(t: float, y: Any) -> float:
        return float(y[1] - below)

    crossing.terminal, crossing.direction = True, -1  # type: ignore[attr-defined]
    options: dict[str, Any] = {"method": "LSODA", "rtol": 1e-8, "atol": 1e-10}
    leg = solve_ivp(lambda t, y: p.rates(t, y, setting, 0.0), (0.0, hours), p.START, events=crossing, **options)
    start, y = float(leg.t[-1]), leg.y[:, -1]
    edges = [*(start + t for t in times), hours]
    for feed, a, b in zip(feeds, edges[:-1], edges[1:], strict=True):
        if b > a:
            y = solve_ivp(lambda t, y, feed=feed: p.rates(t, y, setting, feed), (a, min(b, hours)), y, **options).y[:, -1]
    return float(y[2] * y[4])


def main(path: Path) -> str:
    """What both recipes give on the plant."""
    step = json.loads(path.read_text())["steps"]["optimize"]
    feed = step["inputs"]["feed"]
    times = np.array(feed["times"]) - feed["times"][0]
    before, after = product([0.0], [step["reference_inputs"]["feed"]]), product(times, feed["values"])
    return (f"On the plant: {before:.1f} g of penicillin by the published recipe, {after:.1f} g by the optimized feed "
            f"({after / before - 1:+.0%}); the model promised {step['reference']:.1f} and {step['objective']:.1f} g.")


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
