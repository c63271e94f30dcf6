"""The job file of the kiln: what it saves, what holds it back, and its report."""

from pathlib import Path

import pytest

import twin

JOB = Path(__file__).parents[2] / "examples" / "jobs" / "cement_kiln.toml"


@pytest.mark.slow
def test_the_kiln_job_saves_heat_and_carbon_dioxide(tmp_path):
    """4.5 % of the heat of the stated practice, about 2.0 t/h of CO2, four limits with prices, a report without links."""
    done = twin.run_job(JOB, output=tmp_path / "out")
    found = done.value
    assert done.status
    assert found.reference["heat_demand"] == pytest.approx(3.716, abs=2e-3)
    assert found.metrics["heat_demand"] == pytest.approx(3.549, abs=2e-3)
    assert found.metrics["free_lime"] == pytest.approx(1.4, abs=1e-6)
    assert -found.saved.co2 == pytest.approx(2022, abs=15)
    heat = found.reference["fuel_power"] - found.metrics["fuel_power"]
    assert -found.saved.co2 == pytest.approx(3.6 * heat * 94.6, rel=1e-6)  # hard coal, kg/GJ
    assert {"exit_oxygen", "filling", "free_lime"} <= set(found.prices)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "://" not in page
    assert "free lime" in page
