"""Large plans by reinsertion with a Lagrangian bound; plans from tables; tasks from process models."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

import optimizers
import twin
from optimizers.schedule import (
    Changeover,
    Goal,
    Mode,
    Order,
    Task,
    TwinTask,
    Unit,
    Window,
    chain,
    dispatch_rules,
    replay,
    replay_on_twins,
    schedule_from_tables,
    tabulate,
)
from processes.chemical import BatchReactor
from twin.status import Status

pytest.importorskip("ortools", reason="extra schedule")


def plan(orders: int, seed: int = 1, steps: int = 96) -> optimizers.Schedule:
    """Orders of three stages on two units each, setups, windows, prices, a power limit, no-wait before the last stage."""
    draw = random.Random(seed)
    change = Changeover({("A", "B"): 1, ("B", "A"): 2}, costs=20.0)
    units = [Unit(f"S{s}U{u}", closed=(Window(30 + 7 * u, 34 + 7 * u, "repair"),), changeover=change) for s in range(3)
             for u in range(2)]
    power = {u.name: draw.uniform(1, 4) for u in units}
    made = []
    for k in range(orders):
        tasks = [Task(str(s), [Mode(f"S{s}U{u}", draw.randint(3, 7), power=power[f"S{s}U{u}"]) for u in range(2)])
                 for s in range(3)]
        made.append(Order(f"O{k}", tasks, chain(["0", "1", "2"], max_wait=[8, 0]), release=draw.randint(0, 20),
                          due=draw.randint(40, 80),
                          weight=draw.randint(1, 5), family=draw.choice("AB")))
    prices = [50 + 40 * ((t // 8) % 3) for t in range(steps)]
    return optimizers.Schedule(units, made, goal=Goal(tardiness=2.0), horizon=steps, hours=0.25, prices=prices,
                               power_limit=11.0, currency="EUR")


def test_search_is_checked_and_bounded() -> None:
    """Every plan passes the replay, its claim is what the replay finds, the bound is below the proved optimum of a small case."""
    small = plan(5)
    exact = optimizers.solve(small, search="exact", max_seconds=20)
    found = optimizers.solve(small, search="large", max_seconds=2)
    assert not found.violated
    assert found.claimed == pytest.approx(found.objective, rel=1e-9)
    assert exact.objective is not None
    assert exact.bound is not None
    assert found.bound <= exact.objective + 1e-6
    assert found.objective >= exact.bound - 1e-6
    assert found.objective <= 1.02 * exact.objective


def test_search_beats_the_rules() -> None:
    """Twenty orders: at least a tenth cheaper than the best dispatching rule; the rules are checked plans too."""
    large = plan(20, seed=2, steps=192)
    rules = {name: replay(large, placed) for name, placed in dispatch_rules(large).items()}
    assert rules
    assert not any(r.violated for r in rules.values())
    found = optimizers.solve(large, search="large", max_seconds=3)
    assert found.status is Status.FEASIBLE
    assert found.objective < 0.9 * min(r.objective for r in rules.values())
    assert 0 < found.bound < found.objective
    assert "at most" in found.message
    again = optimizers.solve(large, search="large", max_seconds=1, start=found)
    assert again.objective <= found.objective + 1e-6


def test_plans_that_are_no_chains_say_why() -> None:
    """A re-entrant order and a makespan."""
    back = optimizers.Schedule([Unit("a")], [Order("O", [Task("1", {"a": 1}), Task("2", {"a": 1})])])
    sentence = "a goal besides tardiness, energy, changeovers and modes, an order that comes back to a unit"
    with pytest.raises(twin.SpecError, match=sentence):
        optimizers.solve(back, search="large")
    with pytest.raises(twin.SpecError, match="search is 'huge'"):
        optimizers.solve(back, search="huge")


def test_plan_from_tables(tmp_path: Path) -> None:
    """CSV, DataFrame and rows give the same plan as code; mistakes are told with table and row."""
    pd = pytest.importorskip("pandas")
    rows = [{"order": o, "task": t, "unit": u, "duration": d, "power": 2.0} for o, t, u, d in
            [("A", "cut", "saw", 3), ("A", "drill", "press", 2), ("B", "drill", "press", 4), ("B", "cut", "saw", 1)]]
    pd.DataFrame(rows).to_csv(tmp_path / "tasks.csv", index=False)
    more = {"orders": [{"order": "A", "due": 9}, {"order": "B", "release": 1}],
            "closed": [{"unit": "saw", "start": 3, "end": 5, "reason": "tea"}],
            "changeovers": [{"unit": "press", "before": "x", "after": "y", "time": 1}], "prices": [{"price": 1}] * 40,
            "campaigns": [], "links": [{"before": "A/cut", "after": "A/drill", "max_wait": 6}]}
    values = set()
    for tasks in (tmp_path / "tasks.csv", pd.DataFrame(rows), rows):
        made = schedule_from_tables({"tasks": tasks, **more}, horizon=40, goal=Goal(makespan=1.0, energy=0.0))
        values.add(optimizers.solve(made).objective)
        assert made.unit_of["saw"].closed[0].reason == "tea"
        assert made.all_links[0].max_wait == 6
    assert len(values) == 1
    for tables, sentence in (({"task": rows}, "Did you mean 'tasks'"), ({"orders": []}, "no table 'tasks'"),
                             ({"tasks": [{**rows[0], "duraton": 3}]}, "Did you mean 'duration'"),
                             ({"tasks": [{**rows[0], "duration": "x"}]}, "Row 1 of the table 'tasks' has 'x' as duration"),
                             ({"tasks": [{"order": "A"}]}, "Row 1 of the table 'tasks' has no task"),
                             ({"tasks": rows, "orders": [{"order": "C"}]}, "The order 'C' has no rows"),
                             ({"tasks": tmp_path / "none.csv"}, "does not exist")):
        with pytest.raises((twin.SpecError, twin.DataError), match=sentence):
            schedule_from_tables(tables)


def reactor(least: float) -> TwinTask:
    """A batch at constant temperature until 70 % of A is used; the selectivity is the quality."""
    return TwinTask(BatchReactor(), ["reactor 1", "reactor 2"], [320.0, 335.0, 350.0, 365.0],
                    lambda t: {"recipe": twin.Recipe([twin.Phase(inputs={"temperature": t}, until=("c_a", "below", 0.3),
                                                                 at_most=10.0)])},
                    quality={"selectivity": (least, None)})


def test_tasks_from_a_process_model() -> None:
    """Hotter is quicker and less selective; the table says its error; a plan keeps the limit and holds on the model."""
    table = tabulate(reactor(0.0), step=5, time_unit="min")
    durations = [r.duration for r in table.rows]
    assert durations == sorted(durations, reverse=True)
    assert [r.quality["selectivity"] for r in table.rows] == sorted((r.quality["selectivity"] for r in table.rows), reverse=True)
    # second order at constant temperature: t = (1/0.3 - 1) / k_1
    model = BatchReactor()
    assert durations[0] == pytest.approx(60 * (1 / 0.3 - 1) / (model.k_10 * math.exp(-model.e_1 / 320.0)), rel=1e-5)
    middle = reactor(0.0).play(327.5, "min").duration
    assert abs(table.at(327.5) - middle) <= table.error["duration"] + 1e-9
    assert table.error["duration"] < 0.05 * durations[0]
    limit = (table.rows[1].quality["selectivity"] + table.rows[2].quality["selectivity"]) / 2
    orders = [Order(f"batch {k}", [Task("react", ()), Task("fill", {"filler": 10})]) for k in range(3)]
    plan_on_models = optimizers.Schedule.from_twin([Unit("reactor 1"), Unit("reactor 2"), Unit("filler")], orders,
                                                   {"react": reactor(limit)},
                                                   step=5, time_unit="min")
    assert len(plan_on_models.tasks["batch 0/react"].ways) == 4
    assert "outside the limits: no mode" in plan_on_models.tables["react"].explain()
    played = replay_on_twins(optimizers.solve(plan_on_models))
    assert len(played) == 3
    for p in played:
        assert p.duration <= p.planned < p.duration + 5
        assert not p.broken
        assert p.setting == 335.0
    with pytest.raises(twin.SpecError, match="No setting keeps the quality limits"):
        tabulate(reactor(2.0))
    with pytest.raises(twin.SpecError, match="Expected 320 to 365"):
        table.at(400.0)
