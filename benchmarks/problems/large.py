"""The frozen large plan: 300 tasks, 20 units, 7 days, quarter-hour prices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import optimizers
from optimizers.schedule import Changeover, Goal, Mode, Order, Task, Unit, Window, chain


def read(data: str) -> dict[str, object]:
    """What the frozen script prints; it stands beside the data folder."""
    script = Path(data).parent / "problems" / "plan300.py"
    found: dict[str, object] = json.loads(subprocess.run([sys.executable, str(script)], capture_output=True, text=True,
                                                         check=True).stdout)
    return found


def plan(d: dict) -> optimizers.Schedule:  # type: ignore[type-arg]
    """The case as a schedule; times in quarter hours."""
    names = [str(k) for k in range(len(d["setup_periods"]))]
    times = {(a, b): d["setup_periods"][i][j] for i, a in enumerate(names) for j, b in enumerate(names)}
    change = Changeover(times, costs=d["setup_cost_EUR"])
    units = [Unit(u["name"], closed=(Window(*u["maintenance"], "maintenance"),), changeover=change, group=f"stage {u['stage']}")
             for u in d["units"]]
    stages = [[u for u in d["units"] if u["stage"] == s] for s in range(5)]
    orders = []
    for o in d["orders"]:
        tasks = [Task(f"{s}", [Mode(u["name"], t, power=u["power_MW"]) for u, t in zip(stages[s], row, strict=True)])
                 for s, row in enumerate(o["durations"])]
        links = chain([t.name for t in tasks], max_wait=d["max_wait_periods"])
        orders.append(Order(o["name"], tasks, links, release=o["release"], due=o["due"], weight=o["weight"],
                            family=str(o["family"])))
    return optimizers.Schedule(units, orders, goal=Goal(tardiness=1.0), horizon=d["periods"], time_unit="15 min",
                               hours=d["period_h"],
                               prices=d["price_EUR_per_MWh"], power_limit=d["site_limit_MW"], currency="EUR")
