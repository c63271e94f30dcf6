"""Job files with [plan]: the melt shop through the command, a plan that cannot exist, mistakes told with their line."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

import optimizers
import twin
from optimizers.schedule import Goal, PowerStates, schedule_from_tables
from optimizers.schedule.checking import check
from optimizers.schedule.job import read_plan
from twin.cli.main import FAILED, REFUSED, main
from twin.jobs import toml
from twin.jobs.job import read_job
from twin.status import Status

pytest.importorskip("ortools", reason="extra schedule")
JOBS = Path(__file__).parents[2] / "examples" / "jobs"
SMALL = """
[plan]
time_unit = "h"
goal = { tardiness = 1 }
[plan.tables]
tasks = "tasks.csv"
orders = "orders.csv"
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two orders on one saw; the second one must be late."""
    (tmp_path / "tasks.csv").write_text("order,task,unit,duration\nA,cut,saw,3\nB,cut,saw,2\n")
    (tmp_path / "orders.csv").write_text("order,due\nA,3\nB,4\n")
    (tmp_path / "job.toml").write_text(SMALL)
    return tmp_path / "job.toml"


@pytest.mark.usefixtures("registered")
def test_melt_shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dossier's case: 42,210 EUR at best, 56,420 as soon as possible; every file says the same."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("openpyxl")
    out = tmp_path / "out"
    assert main(["run", str(JOBS / "melt_shop.toml"), "--output", str(out)]) == 0
    said = capsys.readouterr().out
    assert "42,210 EUR in place of 56,420 EUR, 25.2 % less." in said
    assert sorted(p.name for p in out.iterdir()) == ["plan.csv", "plan.png", "plan.xlsx", "report.html", "summary.json"]
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["status"], summary["objective"], summary["bound"], summary["gap"]) == ("SUCCESS", 42210, 42210, 0)
    assert summary["reference"] == {"name": "as soon as possible", "status": "SUCCESS", "objective": 56420}
    with (out / "plan.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(float(r["energy cost"]) for r in rows) == pytest.approx(42210)
    page = (out / "report.html").read_text()
    assert "42,210 EUR" in page
    assert "56,420 EUR" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)


def test_the_job_of_the_page(tmp_path: Path) -> None:
    """The block in docs/jobs.md is a job that is accepted, and states the shipped plan."""
    (block,) = re.findall(r"```toml\n([^`]*\[plan\].*?)```", (JOBS.parents[1] / "docs" / "jobs.md").read_text(), re.DOTALL)
    shutil.copytree(JOBS.parent / "data" / "melt_shop", tmp_path / "data" / "melt_shop")
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "page.toml").write_text(block)
    written, shipped = (read_plan(toml.load(p)).plan for p in (tmp_path / "jobs" / "page.toml", JOBS / "melt_shop.toml"))
    assert (written.tasks, written.all_links, written.campaigns) == (shipped.tasks, shipped.all_links, shipped.campaigns)
    assert (written.prices, written.goal, written.hours) == (shipped.prices, shipped.goal, shipped.hours)


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_cement_mills(tmp_path: Path) -> None:
    """Crews, silos, what the mills are set for, a power limit: proved, and each of them counts."""
    done = twin.run_job(JOBS / "cement_mills.toml", output=tmp_path / "out")
    best = done.value.best
    assert (done.status, best.objective, best.bound) == (Status.SUCCESS, 5992, 5992)
    assert done.value.compared == 8464
    packing = [p for p in best.replay.placed if p.unit == "packer"]
    assert all(p.start % 24 >= 6 and p.end % 24 <= 22 for p in packing)


def test_every_table_is_read() -> None:
    """Crews and their absences, buffers, power states, what a unit is set for."""
    plan = read_plan(toml.load(JOBS / "cement_mills.toml")).plan
    assert plan.tasks["lot 1/pack"].ways[0].crews == {"packers": 2}
    assert [c.present(t) for c in plan.crews for t in (3, 12, 23)] == [0, 2, 0]
    assert (plan.buffers[0].places, plan.all_links[0].buffer) == (3, "silos")
    assert [u.changeover.initial if u.changeover else "" for u in plan.units] == ["CEM I", "CEM II", ""]
    states = {"idle": 2, "on_time": 2, "on_power": 5, "off_time": 1, "off_power": 1}
    tables = {"tasks": [{"order": "A", "task": "t", "unit": "oven", "duration": 2, "power": 4}],
              "units": [{"unit": "oven", "group": "ovens", **states}]}
    made = schedule_from_tables(tables, horizon=8, prices=[1, 1, 9, 9, 1, 1, 1, 1], goal=Goal())
    assert made.units[0].states == PowerStates(2, 2, 5, 1, 1)
    assert optimizers.solve(made).objective == 55  # on for 10, ready through the dear hours for 36, the task 8, off 1


ROW = {"order": "A", "task": "t", "unit": "saw", "duration": 2}


@pytest.mark.parametrize(("tables", "sentence"), [
    ({"tasks": [{**ROW, "crews": "fitter 2, driver:x"}]}, "Expected names with numbers, such as 'fitter: 2; driver'"),
    ({"tasks": [{**ROW, "crews": "fiter"}], "crews": [{"crew": "fitter", "size": 1}]}, "Did you mean 'fitter'"),
    ({"tasks": [{**ROW, "crews": "fitter: 3"}], "crews": [{"crew": "fitter", "size": 2}]}, "needs 3 of 'fitter'. There are 2"),
    ({"tasks": [ROW], "crews": [{"crew": "fitter", "size": 1.5}]}, "has '1.5' as size. Expected a whole number"),
    ({"tasks": [ROW], "crews": [{"crew": "fitter", "size": 1}],
      "absences": [{"crew": "fitter", "start": 0, "end": 1, "number": 2}]},
     "2 of 'fitter' are away at 0"),
    ({"tasks": [ROW], "absences": [{"crew": "fitter", "start": 0, "end": 1, "number": 2}]}, "crew 'fitter'"),
    ({"tasks": [ROW], "closed": [{"unit": "sw", "start": 0, "end": 1}]}, "Did you mean 'saw'"),
    ({"tasks": [ROW], "units": [{"unit": "sew"}]}, "Did you mean 'sew'"),
    ({"tasks": [ROW], "units": [{"unit": "saw", "on_time": 1}]}, "on_time and no idle power"),
    ({"tasks": [ROW], "units": [{"unit": "saw", "set_for": "A"}]}, "no changeovers for it"),
    ({"tasks": [ROW, {**ROW, "task": "u"}], "links": [{"before": "A/t", "after": "A/u", "buffer": "silo"}]}, "buffer 'silo'"),
])
def test_mistakes_in_tables(tables: dict[str, list[dict[str, object]]], sentence: str) -> None:
    """A sentence each, with the nearest name."""
    with pytest.raises((twin.SpecError, twin.DataError), match=re.escape(sentence)):
        check(schedule_from_tables(tables))


@pytest.mark.usefixtures("registered")
def test_late_orders_and_a_plan_that_cannot_exist(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Why an order is late is told; without a plan the conflict is told, the code says so, and no old plan is left lying."""
    out = small.parent / "out"
    done = twin.run_job(small, output=out)
    assert (done.status, done.value.best.objective) == (Status.SUCCESS, 1)
    (reason,) = json.loads((out / "summary.json").read_text())["lateness"]
    assert reason == "'B' ends 1 h after its due date 4: 'B/cut' waits 3 for 'saw', which carries out 'A/cut' until 3."
    assert "which carries out" in (out / "report.html").read_text()
    assert (out / "plan.csv").exists()
    (small.parent / "orders.csv").write_text("order,deadline\nA,4\nB,4\n")
    assert main(["run", str(small), "--output", str(out)]) == FAILED
    sentence = "one task at a time on 'saw'; the deadline of 'A' at 4 h; the deadline of 'B' at 4 h"
    assert sentence in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["status"], summary["objective"]) == ("INFEASIBLE", None)
    assert sentence in summary["message"]
    assert sorted(p.name for p in out.iterdir()) == ["report.html", "summary.json"]


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(("before", "after", "sentence"), [
    ("time_unit", "time_unti", r"job.toml, line 3: Unknown key 'time_unti' of \[plan\]. Did you mean 'time_unit'"),
    ("tardiness", "tardines", r"line 4: Unknown key 'tardines' of \[plan.goal\]. Did you mean 'tardiness'"),
    ("orders =", "order =", r"line 7: Unknown key 'order' of \[plan.tables\]. Did you mean 'orders'"),
    ('"orders.csv"', '"none.csv"', r"line 7: The table 'orders' is the file .*none.csv, which does not exist"),
    ('"h"', '"slot"', "line 3: The time unit 'slot' is no known unit of time. Say how many hours it is"),
    ("[plan]", "[plan]\nhorizon = 1", "No unit can carry out 'A/cut': it takes 3 h at least"),
    ("[plan]", "[plan]\nsearch = 'huge'", "line 3: Unknown value 'huge'"),
    ("[plan]", "[plan]\nhorizon = 'late'", "line 3: 'horizon' of .* Expected a number"),
    ("[plan]", "[plan]\nseed = 'one'", "line 3: 'seed' of .* Expected a whole number"),
    ("[plan]", "[plan]\nworkers = true", "line 3: 'workers' of .* Expected a whole number"),
    ("[plan]", "[plan]\nhorizon = nan", "line 3: 'horizon' of .* is nan. Expected a finite number"),
    ("[plan]", "[plan]\nmax_seconds = 0", "line 3: 'max_seconds' of .* is 0. Expected more than 0"),
    ("[plan]", "[pln]", r"Unknown key 'pln' of the job. Did you mean 'plan'")])
def test_mistakes_are_told_with_their_line(small: Path, before: str, after: str, sentence: str) -> None:
    """Nothing is written where the job is wrong."""
    text = SMALL.replace(before, after, 1).replace("[plan.tables]", "[pln.tables]" if after == "[pln]" else "[plan.tables]")
    small.write_text(text)
    with pytest.raises(twin.SpecError, match=sentence):
        twin.run_job(small, output=small.parent / "out")
    assert not (small.parent / "out").exists()


@pytest.mark.usefixtures("registered")
def test_mistakes_in_tables_and_calls(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong cell is told with its row; a plan takes no records, and no model."""
    assert main(["run", str(small), "--data", "records.csv"]) == REFUSED
    assert "takes no records and no model" in capsys.readouterr().err
    with pytest.raises(twin.SpecError, match="a job of another kind"):
        read_job(small)
    (small.parent / "tasks.csv").write_text("order,task,unit,duration\nA,cut,saw,three\n")
    with pytest.raises(twin.SpecError, match="line 5: Row 1 of the table 'tasks' has 'three' as duration"):
        twin.run_job(small)
    (small.parent / "tasks.csv").write_text("order,task,unit,duration\nA,cut,saw,nan\n")
    with pytest.raises(twin.SpecError, match="has 'nan' as duration"):
        twin.run_job(small)
    (small.parent / "tasks.csv").write_bytes(b"order,task,unit,duration\nA,cut,s\xe4ge,3\n")
    with pytest.raises(twin.SpecError, match=r"cannot be read: .* Expected CSV in UTF-8"):
        twin.run_job(small)
