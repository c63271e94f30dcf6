"""Melt shop under time-of-use prices, and steelmaking-continuous casting instances (Hong et al. 2021, DOI
10.5281/zenodo.5136370).
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import tarfile
from pathlib import Path

import optimizers
from optimizers.schedule import (
    Activity,
    Campaign,
    Changeover,
    Draw,
    Give,
    Goal,
    Hold,
    Link,
    Mode,
    Order,
    Resource,
    ResourceNetwork,
    Take,
    Task,
    Unit,
)

STAGES = {"EAF": (5, 85.0), "AOD": (5, 2.0), "LF": (3, 2.0), "CC": (4, 7.0)}  # quarter hours, MW


def tariff(quarters: int = 96, first_hour: int = 6) -> list[float]:
    """40, 80 and 120 EUR/MWh: night 22 to 6 h, day, evening 17 to 21 h; from 6 h on."""
    hours = [(first_hour + q / 4) % 24 for q in range(quarters)]
    return [40.0 if h >= 22 or h < 6 else 120.0 if 17 <= h < 21 else 80.0 for h in hours]


def melt_shop(goal: Goal | None = None, horizon: int = 96) -> optimizers.Schedule:
    """Six heats in two casts of three; one unit a stage; transfer 1 quarter hour, wait at most 4, 4 between casts."""
    names = list(STAGES)
    orders = []
    for heat in range(6):
        tasks = [Task(s, [Mode(s, d, power=p)], family=f"cast {heat // 3}" if s == "CC" else "") for s, (d, p) in STAGES.items()]
        links = [Link(a, b, min_wait=1, max_wait=4) for a, b in itertools.pairwise(names)]
        orders.append(Order(f"H{heat + 1}", tasks, links))
    casts = [Campaign(f"cast {c}", [f"H{h}/CC" for h in range(3 * c + 1, 3 * c + 4)], setup=4) for c in range(2)]
    return optimizers.Schedule([Unit(s) for s in names], orders, goal=goal or Goal(), campaigns=casts, horizon=horizon,
                               time_unit="15 min",
                               hours=0.25, prices=tariff(), currency="EUR")


def melt_shop_as_resources(horizon: int = 96) -> ResourceNetwork:
    """The same melt shop as a resource-task network: heats are alike, so that they are counted; transport takes 1 to 4 quarter
    hours and nothing waits besides; a cast takes three heats one after another and leaves a caster that is set up anew.
    """
    names, power = list(STAGES), "power"
    resources = [Resource(n, 1) for n in names] + [Resource("caster used"), Resource("casts", least=2)]
    resources += [Resource(power, capacity=0, supply=math.inf, prices=[p / 4 for p in tariff(horizon)])]
    activities = []
    for k, stage in enumerate(names[:-1]):
        length, draw = STAGES[stage]
        resources += [Resource(f"after {stage}", capacity=0), Resource(f"before {names[k + 1]}", capacity=0)]
        take = [Take(f"before {stage}", fixed=1)] if k else []
        activities.append(Activity(stage, length, [Hold(stage), Draw(power, draw), Give(f"after {stage}", fixed=1), *take]))
        for wait in range(1, 5):
            activities.append(Activity(f"{stage} to {names[k + 1]}, {wait}", wait, [
                Take(f"after {stage}", fixed=1), Give(f"before {names[k + 1]}", fixed=1)], at_once=1))
    length, draw = STAGES["CC"]
    heats = [Take("before CC", fixed=1, at=k * length) for k in range(3)]
    activities.append(Activity("cast", 3 * length, [Take("CC", fixed=1), Give("caster used", fixed=1), *heats, Draw(power, draw),
                                                    Give("casts", fixed=1)], at_once=1))
    activities.append(Activity("set-up", 4, [Take("caster used", fixed=1), Give("CC", fixed=1)], at_once=1))
    return ResourceNetwork(resources, activities, horizon, time_unit="15 min", amount_unit="", currency="EUR")


def casting(files: dict[str, str]) -> optimizers.Schedule:
    """An instance: charges through the stages that they have times for, casts on one caster without a break; earliness and
    tardiness against the due dates and waiting between stages, one each a minute; casts on one caster at least 60 minutes apart.
    """
    machines, casts, due = (json.loads(files[k]) for k in ("mc_env", "cast", "duedate"))
    times: dict[str, dict[str, int]] = {}
    for row in csv.DictReader(io.StringIO(files["pt"])):
        times.setdefault(row["ch_id"], {})[row["mc_id"]] = int(row["pt"])
    orders = []
    for charge, own in times.items():
        tasks = [Task(stage, {m: own[m] for m in machines[stage] if m in own}) for stage in machines["stage_seq"]
                 if any(m in own for m in machines[stage])]
        orders.append(Order(charge, tasks, due=due[charge]))
    last = machines["stage_seq"][-1]
    campaigns = [Campaign(c, [f"{charge}/{last}" for charge in casts[c]], setup=60) for c in casts["cast_seq"]]
    units = [Unit(m, group=stage) for stage in machines["stage_seq"] for m in machines[stage]]
    return optimizers.Schedule(units, orders, goal=Goal(tardiness=1, earliness=1, waiting=1), campaigns=campaigns)


def instances(data: str) -> dict[str, optimizers.Schedule]:
    """All small and medium instances of the data folder."""
    texts: dict[str, dict[str, str]] = {}
    with tarfile.open(Path(data) / "scc" / "scc_small_medium.tar.xz") as archive:
        for member in archive.getmembers():
            stem = Path(member.name).stem
            file = archive.extractfile(member) if member.isfile() and "_input_data" in member.name else None
            if file is not None and stem[:2] in ("sm", "me") and "_" in stem:
                name, _, part = stem.partition("_")
                texts.setdefault(name, {})[part] = file.read().decode()
    return {name: casting(files) for name, files in sorted(texts.items()) if len(files) == 4}


def cement_mills(days: int = 2) -> optimizers.Schedule:
    """Two mills, three cements, setups between them, three-level tariff: hours of grinding that can wait for the night."""
    change = Changeover({(a, b): 1 for a in ("CEM I", "CEM II", "CEM III") for b in ("CEM I", "CEM II", "CEM III") if a != b},
                        costs=200.0)
    mills = [Unit("mill 1", changeover=change), Unit("mill 2", changeover=change)]
    jobs = [("CEM I", 4, 5), ("CEM II", 5, 6), ("CEM III", 6, 7), ("CEM I", 3, 4), ("CEM II", 4, 5)]
    orders = [Order(f"{cement} {k + 1}", [Task("grind", [Mode("mill 1", a, power=5.2), Mode("mill 2", b, power=3.6)])],
                    family=cement,
                    deadline=24 * days) for k, (cement, a, b) in enumerate(jobs)]
    prices = [40.0 if h % 24 >= 22 or h % 24 < 6 else 120.0 if 17 <= h % 24 < 21 else 80.0 for h in range(24 * days)]
    return optimizers.Schedule(mills, orders, goal=Goal(), horizon=24 * days, time_unit="h", hours=1.0, prices=prices,
                               currency="EUR")
