"""Repair, rolling horizon, worth of an hour, reasons, tables, files, pictures."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

import optimizers
import twin
from benchmarks.problems import shops
from optimizers.schedule import (
    Changeover,
    Fit,
    Goal,
    Material,
    Mode,
    Network,
    Order,
    Process,
    Task,
    Unit,
    Window,
    export,
    lateness,
    plan_ledger,
    repair,
    replay,
    resources,
    rolling,
    unit_hours,
)
from twin.status import Status

pytest.importorskip("ortools", reason="extra schedule")


@pytest.fixture(scope="module")
def shop() -> optimizers.Solution:
    """ft06, solved."""
    return optimizers.solve(shops.job_shop(shops.operations("ft06")))


def test_breakdown_and_rush_order_change_little(shop: optimizers.Solution) -> None:
    """What has begun stays where it was, the window is kept, the rush order is there, most starts are the old ones; in
    seconds.
    """
    rush = Order("rush", [Task("0", {"M1": 4}), Task("1", {"M3": 5})], deadline=45)
    new = repair(shop, now=20, down=[("M2", Window(22, 30, "motor"))], rush=[rush], change_cost=0.1)
    assert new.status is Status.SUCCESS
    assert new.stats["seconds"] < 5
    old = {p.task: p for p in shop.replay.placed}
    for p in new.replay.placed:
        if p.task in old and old[p.task].start < 20:
            assert p.start == old[p.task].start
        assert not (p.unit == "M2" and p.start < 30 and p.end > 22)
    assert new["rush/1"].end <= 45
    assert len(new.details["moved"]) < 18
    assert not replay(new.problem, new.replay.placed).violated
    free = repair(shop, now=20, down=[("M2", Window(22, 30, "motor"))], rush=[rush], change_cost=0.0)
    assert len(new.details["moved"]) <= len(free.details["moved"])


def test_a_task_that_breaks_down_begins_again(shop: optimizers.Solution) -> None:
    """It runs on the unit when it stops."""
    p = next(p for p in shop.replay.placed if p.end - p.start >= 5 and p.start > 5)
    now = p.start + 2
    new = repair(shop, now=now, down=[(p.unit, Window(now, now + 3, "jam"))])
    assert new[p.task].start >= now + 3 or new[p.task].unit != p.unit
    assert f"begun again: {p.task}" in new.message
    with pytest.raises(twin.SpecError, match="Unknown unit 'M9'"):
        repair(shop, now=now, down=[("M9", Window(now, now + 3))])


def test_rolling_horizon() -> None:
    """Every window keeps what has begun; the last plan holds everything and passes the replay of the whole plan."""
    plan = shops.job_shop(shops.operations("ft06"))
    orders = [dataclasses.replace(o, release=6.0 * k) for k, o in enumerate(plan.orders)]
    whole = optimizers.Schedule(plan.units, orders)
    plans = list(rolling(whole, window=12, keep=6))
    assert not replay(whole, plans[-1].replay.placed).violated
    for earlier, later in itertools.pairwise(plans):
        for p in earlier.replay.placed:
            if p.start < later.problem.now:
                assert later[p.task] == p
    best = optimizers.solve(whole)
    assert best.objective is not None
    assert best.objective <= plans[-1].objective <= 1.3 * best.objective
    with pytest.raises(twin.SpecError, match="Expected 0 < keep <= window"):
        next(rolling(whole, window=5, keep=9))


def test_worth_of_an_hour_is_a_finite_difference() -> None:
    """One unit shared by all: an hour is worth an hour of makespan, and the tardiness of all that follow."""
    orders = [Order(str(k), [Task("cut", {"saw": 4})], due=4, weight=2) for k in range(3)]
    made = optimizers.solve(optimizers.Schedule([Unit("saw"), Unit("spare")], orders, goal=Goal(tardiness=1.0)))
    assert made.objective == 2 * (0 + 4 + 8)
    assert unit_hours(made, hour=1.0) == {"saw": 4.0, "spare": 0.0}  # two orders end an hour earlier, weight 2 each


def late_plan() -> optimizers.Solution:
    """Two orders are late, for different reasons."""
    units = [Unit("kiln", closed=(Window(4, 8, "relining"),), changeover=Changeover({("A", "B"): 1}, costs=2.0)), Unit("mill")]
    orders = [Order("first", [Task("burn", [Mode("kiln", 3, power=2.0)])], due=3, family="A", deadline=3),
              Order("second", [Task("burn", [Mode("kiln", 3, power=2.0)]), Task("grind", {"mill": 1})], due=6, family="B"),
              Order("third", [Task("grind", {"mill": 9})], due=5)]
    plan = optimizers.Schedule(units, orders, goal=Goal(tardiness=1.0, flow=0.01), horizon=30, prices=[10.0] * 30,
                               time_unit="h", currency="EUR")
    return optimizers.solve(plan)


def test_reasons_for_lateness() -> None:
    """The chain of waits, or that it cannot be done sooner."""
    found = lateness(late_plan())
    assert len(found) == 2
    assert found[0].startswith("'second' ends 7 h after its due date 6:") or found[0].startswith("'second' ends 6 h after "
                                                                                                 "its due date 6:")
    assert "closed (relining 4 to 8)" in found[0]
    assert found[1] == "'third' ends 4 h after its due date 5: it never waits; from its release at 0 its tasks take 9 at least."


def test_tables_and_files(tmp_path: Path) -> None:
    """A frame with a row a task, a row a unit; CSV, Excel, JSON; other names are refused."""
    pd = pytest.importorskip("pandas")
    made = late_plan()
    table = resources(made).set_index("unit")
    assert table.loc["kiln", "busy"] == 6
    assert table.loc["kiln", "changeover"] == 1
    assert table.loc["kiln", "energy [MW h]"] == 12
    export(made, tmp_path / "plan.csv")
    assert len(pd.read_csv(tmp_path / "plan.csv")) == 4
    export(made, tmp_path / "plan.json")
    assert json.loads((tmp_path / "plan.json").read_text())["status"] == "SUCCESS"
    pytest.importorskip("openpyxl")
    export(made, tmp_path / "plan.xlsx")
    assert set(pd.read_excel(tmp_path / "plan.xlsx", sheet_name=None)) == {"tasks", "units", "orders", "lateness"}
    with pytest.raises(twin.SpecError, match=r"ends in \.csv, \.xlsx or \.json"):
        export(made, tmp_path / "plan.txt")


def test_other_solutions_have_files_too(tmp_path: Path) -> None:
    """Batches of a network."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    mill = Process("grind", {"clinker": 1.0}, {"cement": 1.0}, {"mill": Fit(10, duration=2)})
    made = optimizers.solve(Network([Material("clinker", 100), Material("cement", price=3)], [mill], [Unit("mill")], horizon=6))
    for name in ("n.csv", "n.xlsx", "n.json"):
        export(made, tmp_path / name)
    assert list(pd.read_csv(tmp_path / "n.csv")["size"]) == [10, 10, 10]
    assert list(pd.read_excel(tmp_path / "n.xlsx", sheet_name=None)) == ["tasks"]


def test_ledger_of_a_plan() -> None:
    """By hand: 2 MW for 6 h at the kiln, in quarter hours; by product and by hour; the factor of the table."""
    orders = [Order("a", [Task("burn", [Mode("kiln", 8, power=2.0)]), Task("pack", {"packer": 4})], family="grey", quantity=50),
              Order("b", [Task("burn", [Mode("kiln", 16, power=2.0)])], quantity=10)]
    made = optimizers.solve(optimizers.Schedule([Unit("kiln"), Unit("packer")], orders, time_unit="15 min", hours=0.25))
    ledger = plan_ledger(made, "grid China", every="15 min")
    kilograms = twin.emission_factors().at("grid China", None).of_one("MWh", 1.0, "")[0]
    assert ledger.energy == pytest.approx(12 * 3.6)
    assert ledger.co2 == pytest.approx(12 * kilograms)
    rows = ledger.by_product()
    assert rows.loc["grey", "energy_gj"] == pytest.approx(4 * 3.6)
    assert rows.loc["b", "production"] == 10
    assert ledger.by_period()["energy_gj"].tolist() == pytest.approx([2 * 0.25 * 3.6] * 24)
    assert set(plan_ledger(made, "grid China", by="order").by_product().index) == {"a", "b"}
    with pytest.raises(twin.SpecError, match="Expected 'family' or 'order'"):
        plan_ledger(made, "grid China", by="unit")
    with pytest.raises(twin.SpecError, match="Did you mean 'grid China'"):
        plan_ledger(made, "grid Chna")
    idle = optimizers.solve(optimizers.Schedule([Unit("packer")], [Order("a", [Task("pack", {"packer": 4})])]))
    with pytest.raises(twin.SpecError, match="No task of the plan draws power"):
        plan_ledger(idle, "grid China")


def test_gantt_chart(tmp_path: Path) -> None:
    """One bar a task on the chart, load and price below it."""
    pytest.importorskip("matplotlib")
    figure = late_plan().plot(path=tmp_path / "gantt.png")
    assert (tmp_path / "gantt.png").stat().st_size > 10_000
    assert [a.get_ylabel() for a in figure.axes] == ["", "load [MW]", "price [EUR/(MW h)]"]
    assert len(figure.axes[0].texts) >= 3
