"""Jobs: strict files, runs that are kept, balances that close, pages that say what happened."""

import inspect
import json
import math
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import twin
from processes.bioreactor import Penicillin
from twin import errors
from twin.jobs import balances, findings, store, toml
from twin.jobs.job import read_job
from twin.jobs.records import staircase
from twin.jobs.run import run_job
from twin.status import Status

DECAY, FEED, HOURS = 0.5, 2.0, 6


class Vat(twin.DynamicModel):
    """A vat in which a salt decays.

    Made for tests.
    """

    time_unit = "h"
    salt = twin.state("kg", lower=0, upper=10, nominal=1, doc="dissolved salt")
    gone = twin.state("kg", lower=0, upper=100, nominal=1, doc="decayed salt")
    feed = twin.input("kg/h", lower=0, upper=3, nominal=1, doc="salt fed")
    heat = twin.disturbance("K", lower=280, upper=310, nominal=300)
    decay = twin.output("kg/h", lower=0, upper=10, nominal=1)
    rate = twin.parameter(DECAY, "1/h", bounds=(0, 10), source="this test", doc="decay")

    def rhs(self, s):
        return {"salt": s.feed - self.rate * s.salt, "gone": self.rate * s.salt}

    def outputs(self, s):
        return {"decay": self.rate * s.salt}

    def initial(self):
        return {"salt": 4.0, "gone": 0.0}


JOB = """
title = "Salt in a vat"
note = "Made by a test <b>not bold</b>."

[model]
name = "vat"

[data]
file = "records.csv"
time = { column = "hours", unit = "h" }
runs = "batch"

[data.tags]
FI1 = { signal = "feed", unit = "g/h" }
LAB = { signal = "salt", unit = "kg" }

[simulation]
inputs = { heat = 300 }

[compare]
signals = ["salt", "gone"]
headline = "salt"

[balances.salt]
unit = "kg"
holds = { salt = 1, gone = 1 }
enters = { feed = 1 }

[balances.dissolved]
unit = "kg"
tolerance = 1e-3
holds = { salt = 1 }
enters = { feed = 1 }
leaves = { decay = 1 }

[output]
folder = "out"
"""


def salt(t, start=4.0):
    """The vat's exact solution: no feed for two hours, then FEED."""
    before = start * math.exp(-DECAY * min(t, 2.0))
    level = FEED / DECAY
    return before if t <= 2 else level + (before - level) * math.exp(-DECAY * (t - 2.0))


@pytest.fixture
def pictured(tmp_path, monkeypatch):
    """A folder with a job and the exact records of three runs, in g/h where the model has kg/h."""
    rows = ["batch,hours,FI1,LAB,spare"]
    for batch in range(3):
        for k in range(HOURS * 20 + 1):
            t = k / 20
            lab = f"{salt(t):.12g}" if k % 20 == 0 else ""
            rows.append(f"{batch},{t:g},{0 if t < 2 else 1000 * FEED:g},{lab},1")
    (tmp_path / "records.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "job.toml").write_text(JOB)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folder(pictured, monkeypatch):
    """The same, for jobs whose pictures nobody looks at."""
    monkeypatch.setattr("twin.jobs.page.write_pictures", lambda result: {})
    return pictured


def do(**options):
    return run_job("job.toml", model=Vat(), **options)


def test_a_job_from_records_to_report(pictured):
    folder = pictured
    calls = []
    result = do(progress=lambda *a: calls.append(a))
    assert result.status is Status.SUCCESS
    assert list(result.trajectories) == ["batch 0", "batch 1", "batch 2"]
    assert calls == [(0, 3, "batch 0"), (1, 3, "batch 1"), (2, 3, "batch 2"), (3, 3, "writing the report")]
    for run in result.trajectories:
        deviation = result.comparison[run, "salt"]
        assert deviation.count == HOURS + 1
        assert deviation.rmse < 1e-6
    assert result.trajectories["batch 0"].final["salt"] == pytest.approx(salt(HOURS), rel=1e-6)
    written = {p.name for p in (folder / "out").iterdir()}
    assert written == {"report.html", "twin.h5", "summary.json", "overview.png", "runs"}
    assert len(list((folder / "out" / "runs").iterdir())) == 3
    assert twin.load(result.artifact).title == "Vat"
    assert twin.load(result.artifact).info["data_sha256"]


def test_the_page_is_complete_in_itself_and_says_what_happened(pictured):
    text = do().report.read_text()
    assert "http:" not in text
    assert "https:" not in text
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert "Made by a test &lt;b&gt;not bold&lt;/b&gt;" in text
    assert "3 of 3 runs were simulated to their end." in text
    assert "<b>Not in the records:</b> gone." in text
    assert "<b>Unknown to the model:</b> spare." in text
    assert "A vat in which a salt decays." in text
    assert "this test" in text
    assert text.count("data:image/png;base64,") == 1 + 3 + 2


def test_balances_close_and_an_altered_yield_does_not(folder):
    result = do()
    by_name = {(c.balance, c.run): c for c in result.closures}
    exact = by_name["salt", "batch 0"]
    assert exact.closed
    assert abs(exact.mismatch) < 1e-9
    assert exact.entered == pytest.approx(FEED * 4)
    assert exact.parts == pytest.approx({"salt": salt(6), "gone": 4 + FEED * 4 - salt(6)}, rel=1e-6)
    integrated = by_name["dissolved", "batch 0"]
    assert integrated.left == pytest.approx(4 + FEED * 4 - salt(6), rel=1e-4)
    assert integrated.measured == pytest.approx(4 + FEED * 4 - salt(6), rel=1e-6)
    (folder / "job.toml").write_text(JOB.replace("enters = { feed = 1 }\n\n", "enters = { feed = 1.01 }\n\n", 1))
    changed = {(c.balance, c.run): c for c in do().closures}["salt", "batch 0"]
    assert not changed.closed
    assert changed.mismatch == pytest.approx(-0.01 * FEED * 4, rel=1e-6)
    assert "Does not close: 0.08 kg of 12.08 kg (0.7%) is missing." in changed.sentence()


def test_without_matplotlib_the_page_says_so(pictured, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    text = do().report.read_text()
    assert "Plots need matplotlib" in text
    assert "data:image" not in text
    assert "3 of 3 runs" in text


def test_the_summary_is_strict_json(folder):
    do()
    text = (folder / "out" / "summary.json").read_text()
    summary = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert summary["status"] == "SUCCESS"
    assert summary["balances"][0]["measured"] is None
    assert [d["run"] for d in summary["deviations"]] == ["batch 0", "batch 1", "batch 2"]


def test_a_second_call_takes_over_what_is_done(folder):
    assert do().resumed == ()
    again = do()
    assert again.resumed == ("batch 0", "batch 1", "batch 2")
    assert again.trajectories["batch 1"].final["salt"] == pytest.approx(salt(HOURS), rel=1e-6)
    assert again.comparison["batch 1", "salt"].rmse < 1e-6
    other = run_job("job.toml", model=Vat(rate=0.4))
    assert other.resumed == ()
    assert other.comparison["batch 1", "salt"].rmse > 0.1


def test_a_damaged_run_is_computed_again(folder):
    do()
    torn = sorted((folder / "out" / "runs").iterdir())[1]
    torn.write_bytes(torn.read_bytes()[:500])
    assert len(do().resumed) == 2
    assert len(do().resumed) == 3


def test_ctrl_c_keeps_what_is_done_and_a_second_call_goes_on(folder):
    def press(done, total, run):
        if run == "batch 1":
            signal.raise_signal(signal.SIGINT)

    stopped = do(progress=press)
    assert stopped.status is Status.STOPPED
    assert list(stopped.trajectories) == ["batch 0"]
    assert set(stopped.missing) == {"batch 1", "batch 2"}
    page = stopped.report.read_text()
    assert "1 of 3 runs were simulated to their end." in page
    assert "Missing:</b> batch 1, batch 2. The job was stopped before; run it again to go on." in page
    finished = do()
    assert finished.status is Status.SUCCESS
    assert finished.resumed == ("batch 0",)
    assert "3 of 3 runs" in finished.report.read_text()


def test_ctrl_c_before_the_first_run_is_finished_still_gives_a_page(folder):
    def press(done, total, run):
        raise KeyboardInterrupt

    stopped = do(progress=lambda done, total, run: press(done, total, run) if "batch" in run else None)
    assert stopped.status is Status.STOPPED
    assert "Nothing could be compared" in stopped.report.read_text()


def test_an_unwritable_folder_is_a_sentence_and_the_old_output_stays(folder):
    before = do().report.read_bytes()
    (folder / "in_the_way").write_text("a file")
    with pytest.raises(errors.StorageError, match=r"in_the_way.*cannot be written.*Choose another folder"):
        do(output="in_the_way/out")
    assert (folder / "in_the_way").read_text() == "a file"
    stored = folder / "out" / "twin.h5"
    stored.unlink()
    stored.mkdir()
    with pytest.raises(errors.StorageError, match=r"twin\.h5 cannot be written.*What was there before is unchanged"):
        do()
    assert (folder / "out" / "report.html").read_bytes() == before
    assert not list((folder / "out").glob(".*partial"))


def test_a_run_that_fails_is_named_and_the_others_are_kept(folder):
    class Bursting(twin.DynamicModel):
        """Blows up at t = 1 / salt where heat is above 300."""

        time_unit = "h"
        salt = twin.state("kg", nominal=1)
        feed = twin.input("kg/h", lower=0, upper=3, nominal=1)
        heat = twin.disturbance("K", lower=280, upper=310, nominal=300)
        gone = twin.state("kg", nominal=1)

        def rhs(self, s):
            return {"salt": (s.heat > 300.0) * s.salt**2, "gone": 0.0 * s.salt}

        def initial(self):
            return {"salt": 1.0}

    rows = (folder / "records.csv").read_text().splitlines()
    hot = [f"{r},{305 if r.startswith('1') else 295}" for r in rows[1:]]
    (folder / "records.csv").write_text("\n".join([rows[0] + ",TI1", *hot]) + "\n")
    text = JOB.replace("[simulation]\ninputs = { heat = 300 }", "")
    text = text.replace("LAB =", 'TI1 = { signal = "heat", unit = "K" }\nLAB =')
    (folder / "job.toml").write_text(text[:text.index("[balances.salt]")])
    result = run_job("job.toml", model=Bursting())
    assert list(result.trajectories) == ["batch 0", "batch 2"]
    assert list(result.missing) == ["batch 1"]
    assert result.status not in (Status.SUCCESS, Status.STOPPED)
    assert "Missing: batch 1." in " ".join(result.sentences["progress"])


WRONG = {
    'title = "Salt in a vat"': ('titel = "Salt"', r"job\.toml, line 2: Unknown key 'titel' of the job\..*mean 'title'"),
    'name = "vat"': ("name = 3", r"line 6: 'name' of \[model\] is 3\. Expected text"),
    'file = "records.csv"': ("", r"\[data\] has no 'file'.*Add: file = \"records.csv\""),
    'time = { column = "hours", unit = "h" }': ('time = { colum = "h" }', r"line 10: Unknown key 'colum'.*'column'"),
    'FI1 = { signal = "feed", unit = "g/h" }': ('FI1 = { signal = "fed", unit = "g/h" }',
                                                r"line 14: Unknown signal 'fed'.*Did you mean 'feed'"),
    'LAB = { signal = "salt", unit = "kg" }': ('LAB = { signal = "salt" }', r"has no 'unit'.*Add: unit = \"kg\""),
    "inputs = { heat = 300 }": ("inputs = { heat = true }", r"line 18: 'heat' of \[simulation\.inputs\] is True"),
    'signals = ["salt", "gone"]': ('signals = ["salt", "feed"]', r"Unknown signal 'feed'"),
    'headline = "salt"': ('headline = "decay"', r"Unknown compared signal 'decay'.*Known: salt, gone"),
    "holds = { salt = 1, gone = 1 }": ("holds = { salt = ['rat'] }", r"Unknown parameter or signal 'rat'.*'rate'"),
    "tolerance = 1e-3": ("tolerance = -1.0", r"line 31: tolerance is -1\. Expected a positive share"),
    "[output]": ("[outputs]", r"Unknown key 'outputs' of the job\. Did you mean 'output'"),
    "[simulation]": ("[simulation]\nrtol = 1.0", r"rtol is 1\. Expected 1e-12 to 1e-2"),
    "[compare]": ("[compare", r"not valid TOML.*line 20"),
    "leaves = { decay = 1 }": ("leaves = { decay = {} }", r"'decay' of .*leaves\] is .*Expected a number, a name"),
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_job_is_an_error_with_line_and_hint(folder, line):
    change, message = WRONG[line]
    (folder / "job.toml").write_text(JOB.replace(line, change, 1))
    with pytest.raises(errors.SpecError, match=message):
        read_job("job.toml", model=Vat())


def test_two_columns_for_one_signal_are_refused(folder):
    (folder / "job.toml").write_text(JOB.replace("LAB =", 'LAB2 = { signal = "salt", unit = "g" }\nLAB ='))
    with pytest.raises(errors.SpecError, match="'LAB' and 'LAB2' both give salt"):
        read_job("job.toml", model=Vat())


def test_an_input_that_nobody_gives_is_an_error(folder):
    (folder / "job.toml").write_text(JOB.replace('FI1 = { signal = "feed", unit = "g/h" }\n', ""))
    with pytest.raises(errors.SpecError, match=r"feed in kg/h is an input of vat.*inputs = \{ feed = 1 \}"):
        do()


def test_the_first_measurement_can_be_the_initial_state(folder):
    (folder / "job.toml").write_text(JOB.replace("[simulation]", '[simulation]\ninitial = { salt = "first" }'))
    text = (folder / "records.csv").read_text().replace("2,0,0,4,1", "2,0,0,5,1")
    (folder / "records.csv").write_text(text)
    result = do()
    assert result.trajectories["batch 0"].final["salt"] == pytest.approx(salt(HOURS), rel=1e-6)
    assert result.trajectories["batch 2"].final["salt"] == pytest.approx(salt(HOURS, 5.0), rel=1e-6)
    (folder / "job.toml").write_text(JOB.replace("[simulation]", '[simulation]\ninitial = { gone = "first" }'))
    with pytest.raises(errors.SpecError, match="initial gone is to be its first measurement"):
        do()


def test_a_factor_leads_to_the_unit_of_the_signal(folder):
    volumes = JOB.replace('unit = "kg" }', 'unit = "l", factor = "2 kg/l" }')
    (folder / "job.toml").write_text(volumes)
    assert do().records.runs["batch 0"]["salt"][1][0] == pytest.approx(8.0)
    (folder / "job.toml").write_text(volumes.replace("2 kg/l", "2 K/l"))
    with pytest.raises(errors.SpecError, match="factor '2 K/l' of 'LAB' does not lead from l to kg"):
        do()


def test_records_beyond_the_limits_are_named(folder):
    text = (folder / "records.csv").read_text().replace("2000", "5000")
    (folder / "records.csv").write_text(text)
    result = do()
    found = result.excursions["batch 0"]
    assert [e.signal for e in found] == ["feed"]
    assert found[0].share == pytest.approx(81 / 121)
    assert result.sentences["extrapolation"] == [
        "Feed: recorded 0 to 5 kg/h, the model is stated for 0 to 3 kg/h: extrapolated 67% of the time "
        "(worst of 3 runs)."]
    (folder / "job.toml").write_text(JOB.replace("[simulation]", '[simulation]\nlimits = "refuse"'))
    with pytest.raises(errors.SpecError, match="feed"):
        do()


def test_models_are_found_by_entry_point_only(folder, monkeypatch):
    info = folder / "site" / "vatpack-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vatpack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[twinworks.models]\nvat = processes.bioreactor:Penicillin\n")
    monkeypatch.syspath_prepend(folder / "site")
    (folder / "job.toml").write_text(JOB.replace('"vat"', '"vad"'))
    with pytest.raises(errors.SpecError, match=r"line 6: Unknown model 'vad'.*Did you mean 'vat'"):
        read_job("job.toml")
    (folder / "job.toml").write_text(JOB.replace('"vat"', '"processes.bioreactor:Penicillin"'))
    with pytest.raises(errors.SpecError, match="Unknown model"):
        read_job("job.toml")


def test_parameters_of_the_job_replace_published_ones(folder):
    (folder / "job.toml").write_text(JOB.replace('name = "vat"', 'name = "vat"\nparameters = { rate = 0.25 }'))
    assert read_job("job.toml", model=Vat()).model.rate == 0.25
    (folder / "job.toml").write_text(JOB.replace('name = "vat"', 'name = "vat"\nparameters = { rate = -1.0 }'))
    with pytest.raises(errors.SpecError, match=r"line 7: Vat\.rate is -1 1/h"):
        read_job("job.toml", model=Vat())


def test_a_missing_and_a_huge_job_file_are_sentences(folder):
    with pytest.raises(errors.StorageError, match=r"none\.toml cannot be read"):
        read_job("none.toml")
    (folder / "job.toml").write_text("#" * (toml.MAX_BYTES + 1))
    with pytest.raises(errors.StorageError, match=r"Expected a job file\."):
        read_job("job.toml")


def test_lines_are_found_in_tables_inline_tables_and_quoted_keys():
    text = 'a = 1\n[b.c]\nd = { e = 1 }\n[b."x y"]\nf = 2\n'
    assert toml.line_of(text, ("a",)) == 1
    assert toml.line_of(text, ("b", "c", "d", "e")) == 3
    assert toml.line_of(text, ("b", "x y", "f")) == 5
    assert toml.line_of(text, ("b", "c", "missing")) == 2


def test_a_staircase_leaves_out_repetitions():
    assert staircase([0.0, 1.0, 2.0], [3.0, 3.0, 3.0]) == 3.0
    profile = staircase([0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 5.0, 5.0])
    assert profile == twin.Profile([0.0, 2.0], [0.0, 5.0])


def test_runs_with_like_names_have_files_of_their_own():
    assert store.run_file(Path(), "batch/1") != store.run_file(Path(), "batch 1")
    assert store.run_file(Path(), "../../etc").parent == Path("runs")


def test_grades_are_in_order():
    assert findings.grade(0.0) == "follows the records closely"
    assert findings.grade(0.15) == "follows the records"
    assert findings.grade(0.31) == "does not follow the records"


def test_a_flow_is_integrated_exactly_between_its_jumps():
    profile = twin.Profile([0.0, 2.0], [1.0, 3.0])
    assert balances._integral([0.0, 1.0, 2.0, 4.0], "feed", {}, {"feed": profile}, [1.0] * 4) == pytest.approx(8.0)


def test_kill_9_in_the_middle_of_a_write_loses_no_finished_run(folder):
    script = f"""
import os
import signal

import twin
from twin.jobs import run, store

{inspect.getsource(Vat).replace("DECAY", str(DECAY))}

whole, count = store.replace_file, 0


def torn(path, write):
    def half(temporary):
        write(temporary)
        content = temporary.read_bytes()
        temporary.write_bytes(content[:len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    global count
    count += 1
    return whole(path, half if count == 3 else write)


store.replace_file = torn
run.run_job("job.toml", model=Vat())
"""
    root = str(Path(__file__).parents[2])
    killed = subprocess.run([sys.executable, "-c", script], cwd=folder, timeout=120, check=False, capture_output=True,
                            env={**os.environ, "PYTHONPATH": root})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (folder / "out" / "report.html").exists()
    result = do()
    assert result.resumed == ("batch 0", "batch 1")
    assert result.status is Status.SUCCESS


def test_the_page_about_jobs_is_true(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
    blocks = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    # Plans and designs are job files of their own: tests/optimizers/test_plan_job.py, test_design_job.py
    parts = [b for b in blocks if "[plan]" not in b and "[design]" not in b]
    assert len(parts) >= 3
    (tmp_path / "job.toml").write_text("\n".join(parts))
    job = read_job(tmp_path / "job.toml", model=Penicillin())
    assert job.model.mu_max == 0.11
    assert [t.factor for t in job.tags] == ["", "1 l/kg"]
    assert job.balances[0].name == "carbon"
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "code.py").write_text(code)
    names = runpy.run_path(str(tmp_path / "code.py"))
    assert names["batch"].final["biomass"] > 1
    assert names["again"].mu_max == 0.1
