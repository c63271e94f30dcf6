"""Each defect that is put into clean data is found at its place; clean data give no finding."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import numpy as np
import pytest

import twin
from twin.data import Data, Run
from twin.quality import QualityReport, check_data
from twin.series import Series

START = datetime.datetime(2024, 5, 1, 6, tzinfo=datetime.UTC)
N = 400


class Heater(twin.DynamicModel):
    """A heated vessel, for names, units and limits."""

    time_unit = "min"
    t = twin.state("K", lower=280, upper=370, nominal=300)
    power = twin.input("W", lower=0, upper=100, nominal=50)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"t": 0.0 * s.t}


def noisy(seed: int = 0) -> Any:
    """A wandering temperature with measurement noise [degC]."""
    rng = np.random.default_rng(seed)
    return 40 + np.cumsum(rng.normal(0, 0.05, N)) + rng.normal(0, 0.1, N)


def run_of(values: Any, times: Any = None, unit: str = "degC", quality: Any = None, **more: Any) -> Run:
    times = np.arange(float(N)) if times is None else times
    return Run("r", START, [Series("t", times, values, unit, quality), *more.get("others", ())], "min")


def only(report: QualityReport, kind: str) -> Any:
    """The one finding, which is of this kind."""
    assert [f.kind for f in report.findings] == [kind], str(report)
    return report.findings[0]


@pytest.mark.parametrize("seed", range(20))
def test_clean_data_give_no_finding(seed: int) -> None:
    report = check_data(run_of(noisy(seed)), Heater())
    assert report.ok, str(report)
    assert report.score == 100
    assert report.rows[0].todo == "Use it."


def test_a_frozen_sensor_is_named_with_from_and_to() -> None:
    values = noisy()
    values[100:140] = values[100]
    report = check_data(run_of(values))
    found = only(report, "frozen")
    assert (found.tag, found.first, found.last, found.count) == ("t", 100, 139, 40)
    assert "40 samples in a row, from 2024-05-01 07:40:00 UTC to 2024-05-01 08:19:00 UTC" in found.message
    assert report.rows[0].frozen == pytest.approx(40 / N)
    assert report.score == pytest.approx(90)
    assert "sensor looked at" in report.rows[0].todo


@pytest.mark.parametrize("seed", range(10))
def test_coarse_readings_are_not_frozen(seed: int) -> None:
    for digits in (2, 5, 10):
        assert not check_data(run_of(np.round(noisy(seed) * digits) / digits)).of("frozen")


def test_set_points_are_not_frozen() -> None:
    assert check_data(run_of(np.repeat([20.0, 30, 25, 40], N // 4))).ok


def test_the_end_of_a_range_is_told_from_a_frozen_sensor() -> None:
    values = np.maximum(noisy(), 39.0)
    values[200:260] = 39.0
    found = check_data(run_of(values)).of("saturated")[0]
    assert "its lowest value" in found.message
    assert not check_data(run_of(values)).of("frozen")


def test_a_spike_is_found_once() -> None:
    values = noisy()
    values[77] += 15
    report = check_data(run_of(values))
    found = only(report, "spike")
    assert (found.first, found.count) == (77, 1)
    assert "1 spike, the largest" in found.message
    assert report.rows[0].spikes == pytest.approx(1 / N)


def test_gaps_and_their_share() -> None:
    kept = np.r_[0:100, 160:N]
    report = check_data(run_of(noisy()[kept], np.arange(float(N))[kept]))
    found = report.of("gap")[0]
    assert (found.first, found.last, found.count) == (99, 160, 60)
    assert "One hour is missing" in found.message
    assert report.rows[0].missing == pytest.approx(60 / N)
    assert report.rows[0].gaps == 1


def test_a_tag_that_ends_early() -> None:
    other = Series("other", np.arange(float(N)), noisy(3), "bar")
    report = check_data(run_of(noisy()[:200], np.arange(200.0), others=[other]))
    assert "199 min before the run does" not in str(report)
    assert "ends at 2024-05-01 09:19:00 UTC, 200 min before the run does" in only(report, "gap").message


def test_a_clock_that_was_set_and_samples_sent_twice() -> None:
    times = np.arange(float(N))
    times[200:] += 0.4
    found = only(check_data(run_of(noisy(), times)), "clock")
    assert found.first == 199
    assert "steps by 1.4 min" in found.message
    times = np.arange(float(N))
    times[201] = 200.02
    assert "1 sample less than a tenth" in check_data(run_of(noisy(), times)).of("duplicate")[0].message


def test_bad_samples_and_limits_of_the_model() -> None:
    quality = np.zeros(N, np.uint8)
    quality[10:30] = 2
    values = noisy()
    values[quality == 2] = np.nan
    values[50:54] = 120.0
    report = check_data(run_of(values, quality=quality), Heater())
    assert report.of("bad")[0].count == 20
    limits = report.of("limits")[0]
    assert (limits.first, limits.count) == (50, 4)
    assert "is 393.15 to 393.15 K in 4 of 400 samples" in limits.message
    assert "280 to 370 K" in limits.message


def test_celsius_called_kelvin_is_suspected() -> None:
    found = only(check_data(run_of(noisy(), unit="K"), Heater()), "mixed-up unit")
    assert "was the unit mixed up" in found.message
    with pytest.raises(twin.UnitError, match=r"t: cannot convert bar"):
        check_data(run_of(noisy(), unit="bar"), Heater())


def test_copies_and_redundant_tags_that_drift_apart() -> None:
    times, values = np.arange(float(N)), noisy()
    rng = np.random.default_rng(5)
    copy = Series("t_copy", times, values, "degC")
    assert "equal in all 400 common samples" in only(check_data(run_of(values, others=[copy])), "twin tag").message
    second = values + 273.15 + rng.normal(0, 0.1, N)
    assert check_data(run_of(values, others=[Series("t_2", times, second, "K")])).ok
    drifting = second + np.maximum(0, times - 200) * 0.02
    found = only(check_data(run_of(values, others=[Series("t_2", times, drifting, "K")])), "drift")
    assert "t_2 and t" in found.message
    assert "third measurement" in found.message


def test_inputs_that_never_move() -> None:
    power = Series("power", [0, 200], [50, 50], "W")
    runs = [dataclasses.replace(run_of(noisy(k), others=[power]), name=f"r{k}") for k in range(2)]
    found = only(check_data(Data(runs), Heater()), "no excitation")
    assert "power is 50 W in all runs" in found.message
    moved = dataclasses.replace(runs[1], series=[runs[1]["t"], Series("power", [0], [70], "W")])
    assert check_data(Data([runs[0], moved]), Heater()).ok


def test_a_measurement_that_never_moves() -> None:
    found = check_data(run_of(np.full(N, 40.0)), Heater()).of("constant")[0]
    assert "is 40 degC all the time" in found.message


def test_the_report_as_table_text_and_picture() -> None:
    report = check_data(Data.example())
    frame = report.table()
    assert list(frame["tag"]) == ["feed", "t_tank", "tracer"] * 2
    assert (frame["score"] == 100).all()
    assert "6 tags in 2 runs, score 100 of 100, no findings" in str(report)
    assert len(report.plot().axes) == 2
    with pytest.raises(twin.SpecError, match=r"Unknown kind 'frost'.*Did you mean 'frozen'"):
        report.of("frost")
    with pytest.raises(twin.SpecError, match=r"got a list"):
        check_data([])  # type: ignore[arg-type]
    assert check_data(Data()).table().empty
