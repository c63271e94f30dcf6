"""Job files with [plan]: the melt shop through the command, a plan that cannot exist, mistakes told with their line."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

import twin
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
