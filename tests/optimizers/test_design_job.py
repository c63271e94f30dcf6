"""Designs beside a reference and on a finer mesh; job files with [design]: money, CO2, margins, prices, mistakes."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import optimizers
import twin
from optimizers.design.reading import read_design
from processes.steel import FurnaceMeasure, ReheatingFurnace
from twin.cli.main import FAILED, main
from twin.jobs import toml
from twin.status import Status

JOBS = Path(__file__).parents[2] / "examples" / "jobs"
ONE = {"slabs": 1, "zones": 2, "zone_temperature": (1100.0, 1250.0), "zone_end": (0.5, 1.0), "thickness": (0.22,),
       "charged": (20.0,),
       "share": (1.0,), "emission": (0.6, 0.65), "wall_loss": (2.0, 2.0),
       "wall_at": (1100.0, 1250.0)}
SMALL = """
[design]
model = "reheating_furnace"
measure = "furnace"
minimize = "specific"
every = "2 min"
starts = 1
hours_per_year = 1000
[design.parameters]
cells = 8
slabs = 1
zones = 2
zone_temperature = [1100.0, 1250.0]
zone_end = [0.5, 1.0]
thickness = [0.22]
charged = [20.0]
share = [1.0]
emission = [0.6, 0.65]
wall_loss = [2.0, 2.0]
wall_at = [1100.0, 1250.0]
[design.decisions]
first = { lower = 900.0, upper = 1250.0, reference = 1100.0, sets = ["zone_temperature[0]"] }
second = { lower = 1150.0, upper = 1350.0, reference = 1300.0, sets = ["zone_temperature[1]"] }
[design.limits]
discharge_1 = { lower = 1190.0 }
gradient_1 = { upper = 280.0 }
[design.prices]
power = "9 EUR/GJ"
[design.ledger]
production = { slabs = "tonnes" }
[design.ledger.activities]
burners = { metric = "power", factor = "natural gas", uncertainty = 0.01 }
"""


def small_design(**changes: Any) -> optimizers.Design:
    """The same as the small job, in Python."""
    model = ReheatingFurnace(cells=8, **ONE)
    fields = {"model": model, "measure": FurnaceMeasure(model), "minimize": "specific", "every": 2.0,
              "decisions": {"first": (900.0, 1250.0), "second": (1150.0, 1350.0)},
              "ties": {"first": ("zone_temperature[0]",), "second": ("zone_temperature[1]",)},
              "limits": {"discharge_1": (1190.0, None), "gradient_1": (None, 280.0)}, "reference": {"first": 1100.0,
                                                                                                    "second": 1300.0}}
    return optimizers.Design(**fields | changes)


@pytest.fixture(scope="module")
def finer() -> Any:
    """Solved on 8 layers, judged on 40."""
    return optimizers.solve(small_design(finer=ReheatingFurnace(cells=40, **ONE)), starts=1)


def by_hand(first: float, second: float) -> dict[str, float]:
    """Metrics of set points on 40 layers, by a simulation of its own."""
    model = dataclasses.replace(ReheatingFurnace(cells=40, **ONE), zone_temperature=(first, second))
    return FurnaceMeasure(model).of(twin.simulate(model, every=2.0, rtol=1e-9))


def test_limits_hold_on_the_finer_mesh(finer: Any) -> None:
    """What is told of the answer and of the reference is what a simulation on the finer mesh gives; its limits are met there."""
    assert finer.status
    found = by_hand(finer["first"], finer["second"])
    assert finer.objective == pytest.approx(found["specific"], rel=1e-6)
    assert found["discharge_1"] == pytest.approx(1190.0, abs=0.01)
    assert finer.details["margins"]["discharge_1"] == pytest.approx(found["discharge_1"] - 1190.0, abs=1e-3)
    assert finer.details["reference"]["power"] == pytest.approx(by_hand(1100.0, 1300.0)["power"], rel=1e-6)
    frame = finer.to_frame()
    assert {"value", "reference", "margin", "shadow price", "lower", "upper", "unit"} <= set(frame.columns)
    assert frame.loc["discharge_1", "unit"] == "degC"
    assert len(finer.plot().axes) == 2


def test_shadow_price_is_the_change_of_the_optimum(finer: Any) -> None:
    """One kelvin less at discharge saves what the price says, to 3 %."""
    price = next(a.shadow_price for a in finer.active if a.name == "discharge_1")
    limits = {"discharge_1": (1189.0, None), "gradient_1": (None, 280.0)}
    other = optimizers.solve(small_design(finer=finer.problem.finer, limits=limits), start=dict(finer.value))
    assert finer.objective - other.objective == pytest.approx(price, rel=0.03)


def test_wrong_references() -> None:
    with pytest.raises(twin.SpecError, match="Unknown decision 'thrid' of reference"):
        small_design(reference={"thrid": 1.0})
    with pytest.raises(twin.SpecError, match="The reference of first is 20 degC"):
        small_design(reference={"first": 20.0, "second": 1200.0}, units={"first": "degC"})
    with pytest.raises(twin.SpecError, match="The reference has no 'second'"):
        small_design(reference={"first": 1000.0})
    with pytest.raises(twin.SpecError, match="Design has no signals"):
        small_design(measure=lambda t, s: {})


@pytest.mark.usefixtures("registered")
def test_job_with_money_and_carbon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Fuel, money and CO2 are one number in three units; every file says the same; the page loads nothing."""
    (tmp_path / "job.toml").write_text(SMALL)
    assert main(["run", str(tmp_path / "job.toml"), "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    power, before = summary["metrics"]["power"], summary["reference"]["power"]
    assert summary["objective"] == pytest.approx(3.6 * power / summary["metrics"]["tonnes"])
    assert summary["money_per_hour"]["power"] == pytest.approx([9 * 3.6 * power, 9 * 3.6 * before])
    assert summary["co2_kg_per_hour"] == pytest.approx(3.6 * power * 56.1)
    assert summary["co2_saved_kg_per_hour"] == pytest.approx(3.6 * (before - power) * 56.1)
    assert summary["co2_saved_uncertainty"] == pytest.approx(summary["co2_saved_kg_per_hour"] * (0.018**2 + 0.01**2) ** 0.5)
    assert f"{9 * 3.6 * (before - power) * 1000:,.0f} EUR in 1,000 h a year" in said
    assert abs(summary["margins"]["discharge_1"]) < 0.05
    assert summary["shadow_prices"]["discharge_1"] > 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "saved a year" in page
    assert "IPCC 2006" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert (tmp_path / "out" / "design.png").exists()


@pytest.mark.usefixtures("registered")
def test_the_job_of_the_page() -> None:
    """The block in docs/jobs.md is a job that is accepted."""
    (block,) = re.findall(r"```toml\n([^`]*\[design\].*?)```", (JOBS.parents[1] / "docs" / "jobs.md").read_text(), re.DOTALL)
    job = read_design(toml.Table(tomllib.loads(block), Path("page.toml"), block))
    assert job.problem.finer.cells == 64
    assert job.reference == {"preheating": 950.0, "soaking": 1240.0}
    assert job.problem.units["soaking"] == "degC"


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_job_at_steady_state(tmp_path: Path) -> None:
    """Without a measure the steady state counts: the published optimum of the Williams-Otto reactor, 190.98 per second."""
    (tmp_path / "job.toml").write_text("""
[design]
model = "williams_otto"
maximize = "profit"
starts = 1
[design.decisions]
feed_b = { lower = 3.0, upper = 6.0, reference = 4.0 }
t_reactor = { lower = 70.0, upper = 100.0, reference = 80.0 }
""")
    done = twin.run_job(tmp_path / "job.toml", output=tmp_path / "out")
    assert done.status is Status.SUCCESS
    assert done.value.metrics["profit"] == pytest.approx(190.98, abs=0.01)
    assert done.value.reference["profit"] < 180
    assert "(+" in done.said[1]
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.usefixtures("registered")
def test_job_without_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Limits that cannot be met: the sentence, the exit code, and a report all the same."""
    (tmp_path / "job.toml").write_text(SMALL.replace("lower = 1190.0", "lower = 1400.0"))
    assert main(["run", str(tmp_path / "job.toml"), "--output", str(tmp_path / "out")]) == FAILED
    assert "No recipe within the bounds meets all limits" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["objective"] is None
    assert "Its lower limit is 1400" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(("before", "after", "sentence"), [
    ('"reheating_furnace"', '"reheating_furnac"', r"job.toml, line 3: Unknown model 'reheating_furnac'.*Did you mean "
                                                  r"'reheating_furnace'"),
    ('"furnace"', '"furnce"', "line 4: Unknown measure 'furnce'.*Did you mean 'furnace'"),
    ('"specific"', '"specfic"', "line 5: Unknown metric 'specfic'"),
    ("starts =", "stars =", r"line 7: Unknown key 'stars' of \[design\]. Did you mean 'starts'"),
    ("minimize =", "minimise =", "line 5: Unknown key 'minimise'"),
    ("cells = 8", "cell = 8", "line 10: Unknown key 'cell'"),
    ("thickness = [0.22]", "thickness = [0.22, 0.25]", "thickness has the shape"),
    ("discharge_1 =", "discharg_1 =", "line 25: Unknown metric 'discharg_1' of the measure. Did you mean 'discharge_1'"),
    ("upper = 1250.0", "upper = 800.0", "bounds of first are 900 to 800"),
    ("upper = 1350.0", "upper = nan", "'upper' of .* is nan"),
    ("reference = 1300.0, ", "", "The reference has no 'second'"),
    ('sets = ["zone_temperature[1]"]', 'sets = ["zone_temprature[1]"]', "Unknown decision 'zone_temprature\\[1\\]'"),
    ('"9 EUR/GJ"', '"9 EUR/t"', r"line 28: The price of power \(MW\) is '9 EUR/t': no EUR an hour"),
    ('"9 EUR/GJ"', '"cheap"', "line 28: The price of power .* is 'cheap'"),
    ('factor = "natural gas", ', "", "has no 'factor'"),
    ('metric = "power"', 'metric = "powr"', "Unknown metric 'powr'"),
    ('measure = "furnace"', "", "'every' is for runs"),
    ("[design]", "[desing]", "Unknown key 'desing' of the job. Did you mean 'design'")])
def test_mistakes_are_told_with_their_line(tmp_path: Path, before: str, after: str, sentence: str) -> None:
    """Nothing is written where the job is wrong."""
    (tmp_path / "job.toml").write_text(SMALL.replace(before, after, 1) if after != "[desing]" else SMALL.replace("[design",
                                                                                                                 "[desing"))
    with pytest.raises(twin.SpecError, match=sentence):
        twin.run_job(tmp_path / "job.toml", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_shipped_furnace_job(tmp_path: Path) -> None:
    """The mixed charge: 5 % less fuel at the same throughput, discharge no colder than today, all limits met on 64 layers."""
    done = twin.run_job(JOBS / "reheating_furnace.toml", output=tmp_path / "out")
    assert done.status is Status.SUCCESS
    designed = done.value
    assert designed.metrics["specific"] / designed.reference["specific"] == pytest.approx(0.948, abs=0.005)
    assert designed.metrics["tonnes"] == designed.reference["tonnes"] == pytest.approx(200.0)
    assert min(designed.margin(n) / max(1.0, abs(designed.metrics[n])) for n in designed.limits) > -1e-5
    assert not any("does not meet all limits" in s for s in done.said)  # the reference is fair
    value = designed.best.value
    model = dataclasses.replace(designed.job.problem.finer, zone_temperature=tuple(value[n] for n in ("preheating", "heating_1",
                                                                                                      "heating_2",
                                                                                                     "soaking")))
    found = FurnaceMeasure(model).of(twin.simulate(model, every=1.0, rtol=1e-9))
    assert found["specific"] == pytest.approx(designed.metrics["specific"], rel=1e-6)
