"""Job shops and flow shops of the literature as schedules.

ft06, ft10: Fisher and Thompson 1963 (optima 55, 930); la02, la05: Lawrence 1984 (655, 593); the flexible flow shop is generated.
"""

from __future__ import annotations

import json
import random
import tarfile
from pathlib import Path
from typing import Any

import optimizers
from optimizers.schedule import Order, Task, Unit

# One line a job: machine and duration of each operation in turn.
ROWS = {
    "ft06": """2 1 0 3 1 6 3 7 5 3 4 6
1 8 2 5 4 10 5 10 0 10 3 4
2 5 3 4 5 8 0 9 1 1 4 7
1 5 0 5 2 5 3 3 4 8 5 9
2 9 1 3 4 5 5 4 0 3 3 1
1 3 3 3 5 9 0 10 4 4 2 1""",
    "ft10": """0 29 1 78 2 9 3 36 4 49 5 11 6 62 7 56 8 44 9 21
0 43 2 90 4 75 9 11 3 69 1 28 6 46 5 46 7 72 8 30
1 91 0 85 3 39 2 74 8 90 5 10 7 12 6 89 9 45 4 33
1 81 2 95 0 71 4 99 6 9 8 52 7 85 3 98 9 22 5 43
2 14 0 6 1 22 5 61 3 26 4 69 8 21 7 49 9 72 6 53
2 84 1 2 5 52 3 95 8 48 9 72 0 47 6 65 4 6 7 25
1 46 0 37 3 61 2 13 6 32 5 21 9 32 8 89 7 30 4 55
2 31 0 86 1 46 5 74 4 32 6 88 8 19 9 48 7 36 3 79
0 76 1 69 3 76 5 51 2 85 9 11 6 40 7 89 4 26 8 74
1 85 0 13 2 61 6 7 8 64 9 76 5 47 3 52 4 90 7 45""",
    "la02": """0 20 3 87 1 31 4 76 2 17
4 25 2 32 0 24 1 18 3 81
1 72 2 23 4 28 0 58 3 99
2 86 1 76 4 97 0 45 3 90
4 27 0 42 3 48 2 17 1 46
1 67 0 98 4 48 3 27 2 62
4 28 1 12 3 19 0 80 2 50
1 63 0 94 2 98 3 50 4 80
4 14 0 75 2 50 1 41 3 55
4 72 2 18 1 37 3 79 0 61""",
    "la05": """1 72 0 87 4 95 2 66 3 60
4 5 3 35 0 48 2 39 1 54
1 46 3 20 2 21 0 97 4 55
0 59 3 19 4 46 1 34 2 37
4 23 2 73 3 25 1 24 0 28
3 28 0 45 4 5 1 78 2 83
0 53 3 71 1 37 4 29 2 12
4 12 2 87 3 33 1 55 0 38
2 49 3 83 1 40 0 48 4 7
2 65 3 17 0 90 4 27 1 23""",
}
OPTIMA = {"ft06": 55, "ft10": 930, "la02": 655, "la05": 593}


def operations(name: str) -> list[list[tuple[int, int]]]:
    """(machine, duration) of each operation of each job."""
    numbers = [[int(v) for v in line.split()] for line in ROWS[name].splitlines()]
    return [list(zip(row[::2], row[1::2], strict=True)) for row in numbers]


def job_shop(jobs: list[list[tuple[int, int]]]) -> optimizers.Schedule:
    """A job shop."""
    machines = sorted({m for job in jobs for m, _ in job})
    orders = [Order(f"J{j}", [Task(f"{k}", {f"M{m}": d}) for k, (m, d) in enumerate(job)]) for j, job in enumerate(jobs)]
    return optimizers.Schedule([Unit(f"M{m}") for m in machines], orders)


def flow_shop_times() -> tuple[list[list[int]], list[int]]:
    """20 jobs on 5 stages, seed 7, and machines of each stage."""
    draw, machines = random.Random(7), [2, 3, 2, 3, 2]
    return [[draw.randint(1, 99) for _ in machines] for _ in range(20)], machines


def flexible_flow_shop() -> optimizers.Schedule:
    """The generated flexible flow shop: like machines in each stage."""
    times, machines = flow_shop_times()
    units = [Unit(f"S{s}U{k}", group=f"stage {s}") for s, number in enumerate(machines) for k in range(number)]
    orders = [Order(f"J{j}", [Task(f"{s}", {f"S{s}U{k}": d for k in range(machines[s])}) for s, d in enumerate(row)])
              for j, row in enumerate(times)]
    return optimizers.Schedule(units, orders)


def flexible_job_shop(text: str) -> optimizers.Schedule:
    """A flexible job shop in the format of the FJSP collections: number of machines of each operation, then machine and
    duration.
    """
    lines = [line.split() for line in text.splitlines() if line.strip()]
    count = int(lines[0][0])
    orders = []
    for j, line in enumerate(lines[1:count + 1]):
        numbers, at, tasks = [int(v) for v in line], 1, []
        for k in range(numbers[0]):
            modes = {f"M{numbers[at + 1 + 2 * i]}": numbers[at + 2 + 2 * i] for i in range(numbers[at])}
            at += 1 + 2 * numbers[at]
            tasks.append(Task(f"{k}", modes))
        orders.append(Order(f"J{j}", tasks))
    used = sorted({u for o in orders for t in o.tasks for u in (m.unit for m in t.ways)}, key=lambda u: int(u[1:]))
    return optimizers.Schedule([Unit(u) for u in used], orders)


def brandimarte(data: str, name: str) -> optimizers.Schedule:
    """One of mk01 to mk15 from the data folder."""
    with tarfile.open(Path(data) / "fjsp" / "fjsp_instances.tar.xz") as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith(f"brandimarte/{name}.txt"))
        file = archive.extractfile(member)
        if file is None:
            raise FileNotFoundError(f"{name} is not in the archive.")
        return flexible_job_shop(file.read().decode())


def collection(data: str) -> dict[str, Any]:
    """Job shops of the data folder by name."""
    found: dict[str, Any] = json.loads((Path(data) / "jsp" / "job_shop_instances.json").read_text())
    return found
