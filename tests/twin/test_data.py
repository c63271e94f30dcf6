"""Series, runs and data: validation, grids, units, frames, profiles."""

from __future__ import annotations

import copy
import datetime
import pickle

import numpy as np
import pytest

import twin
from twin.data import Data, Run
from twin.series import Series, convert_time

UTC = datetime.UTC
NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=UTC)


class Tank(twin.DynamicModel):
    """A stirred tank, for names, units and limits."""

    time_unit = "h"
    t_tank = twin.state("K", lower=280, upper=370, nominal=300)
    feed = twin.input("l/h", lower=0, upper=200, nominal=60)
    ambient = twin.disturbance("degC", lower=-30, upper=50, nominal=20)

    def rhs(self, s: object) -> dict[str, object]:
        return {"t_tank": 0.0 * s.t_tank}  # type: ignore[attr-defined]


def test_series_is_frozen_and_owns_its_arrays() -> None:
    times = np.array([0.0, 1.0])
    s = Series("a", times, [1, 2], "K")
    times[0] = 5
    assert s.times[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        s.values[0] = 3


@pytest.mark.parametrize(("times", "values", "message"), [
    ([0, 2, 1], [1, 2, 3], r"'a': the time 1 in row 2 \(value 3 K\) follows 2.*Sort the rows"),
    ([0, 1, 1], [1, 2, 3], r"the time 1 in row 2 .* repeats the one before"),
    ([0, np.nan], [1, 2], r"the time nan in row 1"),
    ([0, 1], [1, np.inf], r"'a' is inf K at time 1 \(row 1\).*Make it NaN"),
    ([0, 1], [1], r"2 times and 1 values"),
    ([[0, 1]], [1, 2], r"Series 'a'.times has the shape"),
    (["x"], [1], r"Series 'a'.times cannot be read as numbers"),
])
def test_series_rejects_bad_arrays_with_row(times: list[float], values: list[float], message: str) -> None:
    with pytest.raises(twin.DataError, match=message):
        Series("a", times, values, "K")


def test_series_needs_a_unit_and_a_known_hold_and_quality() -> None:
    with pytest.raises(twin.UnitError, match=r"'a' has no unit.*Give unit="):
        Series("a", [0], [1], "")
    with pytest.raises(twin.DataError, match=r"hold='next'.*'previous' or 'linear'"):
        Series("a", [0], [1], "K", hold="next")
    with pytest.raises(twin.DataError, match=r"quality is not one of 0 \(good\)"):
        Series("a", [0], [1], "K", [3])


def test_a_missing_value_is_of_bad_quality() -> None:
    s = Series("a", [0, 1, 2], [1, np.nan, 3], "K", [0, 0, 1])
    assert s.quality.tolist() == [0, 2, 1]
    assert s.usable.tolist() == [True, False, True]


def test_at_holds_the_previous_value_or_interpolates() -> None:
    s = Series("a", [1, 2, 4], [10, np.nan, 40], "K")
    np.testing.assert_equal(s.at([0, 1, 3, 4, 9]), [np.nan, 10, 10, 40, 40])
    np.testing.assert_equal(s.at([0, 1, 3, 4, 9], "linear"), [np.nan, 10, 30, 40, np.nan])
    np.testing.assert_equal(s.at([1.5, 3.5, 4.5], longest=1), [10, np.nan, 40])
    np.testing.assert_equal(s.at([1, 2, 4], "linear", longest=1), [10, np.nan, 40])


def test_convert_time_is_exact_for_multiples() -> None:
    assert convert_time(0.1, "h", "min") == 0.1 * 60
    assert convert_time(7.0, "min", "h") == 7 / 60
    with pytest.raises(twin.UnitError, match=r"unit 'hours'.*Give time_unit='h'"):
        convert_time(1.0, "hours", "s")


def test_run_needs_a_time_zone_and_unique_names() -> None:
    with pytest.raises(twin.DataError, match="without a time zone"):
        Run("r", datetime.datetime(2024, 1, 1), ())
    with pytest.raises(twin.DataError, match="'a' is there twice"):
        Run("r", None, [Series("a", [0], [1], "K"), Series("a", [0], [1], "K")])
    berlin = datetime.timezone(datetime.timedelta(hours=2))
    assert Run("r", datetime.datetime(2024, 5, 1, 14, tzinfo=berlin), ()).start == NOON


def test_unknown_names_get_the_nearest() -> None:
    data = Data.example()
    with pytest.raises(twin.SpecError, match=r"Unknown series 'fed'.*Did you mean 'feed'"):
        data[0]["fed"]
    with pytest.raises(twin.SpecError, match=r"Unknown run 'batch 3'.*Did you mean 'batch"):
        data["batch 3"]


def test_data_is_a_tuple_of_runs() -> None:
    data = Data.example()
    assert isinstance(data, tuple)
    assert data["batch 2"] is data[1]
    assert data[:1].names == ("batch 1",)
    assert isinstance(data[:1], Data)
    with pytest.raises(twin.DataError, match="Expected runs"):
        Data([3])  # type: ignore[list-item]
    with pytest.raises(twin.DataError, match="'batch 1' is there twice"):
        Data([data[0], data[0]])


def test_data_survive_copies_and_processes() -> None:
    data = Data.example()
    assert pickle.loads(pickle.dumps(data)) == data == copy.deepcopy(data)
    assert data != data[:1]


def test_between_shifts_the_start_and_carries_what_is_asked() -> None:
    run = Run("r", NOON, [Series("u", [0, 50], [1, 2], "-"), Series("lab", [10, 40], [5, 6], "g/l")], "min")
    part = run.between(30, 60, carry=["u"])
    assert part.start == NOON + datetime.timedelta(minutes=30)
    assert (part["u"].times.tolist(), part["u"].values.tolist()) == ([0, 20], [1, 2])
    assert (part["lab"].times.tolist(), part["lab"].values.tolist()) == ([10], [6])
    assert run.between(NOON + datetime.timedelta(minutes=30), 60, carry=["u"]) == part
    with pytest.raises(twin.DataError, match="first <= last"):
        run.between(60, 30)
    with pytest.raises(twin.DataError, match="has no time zone"):
        run.between(datetime.datetime(2024, 5, 1), 30)


def test_resample_puts_all_series_on_one_grid() -> None:
    run = Run("r", None, [Series("u", [0, 3], [1, 2], "-"), Series("y", [1, 3], [0, 4], "K", hold="linear")])
    grid = run.resample(1.0)
    np.testing.assert_equal(grid["u"].values, [1, 1, 1, 2])
    np.testing.assert_equal(grid["y"].values, [np.nan, 0, 2, 4])
    assert grid["y"].quality.tolist() == [2, 0, 0, 0]
    assert run.resample(times=[0.5])["u"].values.tolist() == [1]
    with pytest.raises(twin.DataError, match="every=0"):
        run.resample(0.0)


def test_units_of_a_model() -> None:
    run = Run("r", NOON, [Series("t_tank", [0, 60], [20, 30], "degC"), Series("other", [0], [1], "-"),
                          Series("feed", [0, 30], [1, 2], "l/min")], "min")
    same = run.in_units_of(Tank())
    assert same.names == ("t_tank", "feed")
    assert same.time_unit == "h"
    assert same["t_tank"].values.tolist() == [293.15, 303.15]
    profile = run.inputs(Tank())["feed"]
    assert profile == twin.Profile((0.0, 0.5), (60.0, 120.0), "previous")
    assert set(run.inputs(Tank())) == {"feed"}


def test_a_profile_skips_bad_samples_and_needs_one_good() -> None:
    run = Run("r", None, [Series("u", [0, 1, 2], [1, np.nan, 3], "-"), Series("v", [0], [np.nan], "-")])
    assert run.profile("u") == twin.Profile((0, 2), (1, 3))
    with pytest.raises(twin.DataError, match="'v' of run 'r' has no usable sample"):
        run.profile("v")


def test_check_finds_kelvin_read_as_celsius() -> None:
    mixed = Data([Run("r", None, [Series("t_tank", [0, 1, 2], [25, 26, 27], "K")])])
    with pytest.raises(twin.UnitError, match=r"t_tank of run 'r' is 25 K in row 0.*280 to 370 K.*mixed up"):
        mixed.check(Tank())
    back = Data([Run("r", None, [Series("t_tank", [0, 1, 2], [298, 299, 300], "degC")])])
    with pytest.raises(twin.UnitError, match=r"t_tank of run 'r' is 298 degC in row 0.*6.85 to 96.85 degC.*mixed up"):
        back.check(Tank())
    fine = Data([Run("r", None, [Series("t_tank", [0, 1, 2], [25, 26, 27], "degC")])])
    assert fine.check(Tank()) is fine


def test_check_finds_wrong_names_and_dimensions() -> None:
    with pytest.raises(twin.SpecError, match=r"Unknown series 't_tnk' of Tank in run 'r'.*Did you mean 't_tank'"):
        Data([Run("r", None, [Series("t_tnk", [0], [300], "K")])]).check(Tank())
    with pytest.raises(twin.UnitError, match=r"t_tank.*cannot convert kg"):
        Data([Run("r", None, [Series("t_tank", [0], [300], "kg")])]).check(Tank())


def test_frames_have_absolute_or_relative_times() -> None:
    data = Data.example()
    frame = data[0].to_frame()
    assert str(frame.index.tz) == "UTC"
    assert frame.index.name == "time"
    assert frame["tracer"].notna().sum() == 5
    assert frame.attrs["units"]["feed"] == "l/min"
    assert data[0].to_frame(absolute=False).index.name == "time [min]"
    assert data.to_frame().index.names == ["run", "time"]
    with pytest.raises(twin.DataError, match="no absolute start"):
        Run("r", None, ()).to_frame(absolute=True)
