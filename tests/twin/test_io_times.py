"""Clocks: ISO text, other formats, time zones, the two hours of daylight saving, dates that lag at midnight."""

from __future__ import annotations

import datetime

import pandas as pd
import pytest

import twin
from twin.data import Data, Run

UTC = datetime.UTC


def read(stamps: list[str], **options: object) -> Run:
    """A run with these times, one sample each."""
    frame = pd.DataFrame({"time": stamps, "a": range(len(stamps))})
    return Data.from_frame(frame, units="-", time_unit="min", first_row=2, **options)[0]


def test_iso_with_offset_needs_no_zone() -> None:
    run = read(["2024-05-01T06:00:00+02:00", "2024-05-01T06:30:00+02:00", "2024-05-01T05:00:00Z"])
    assert run.start == datetime.datetime(2024, 5, 1, 4, tzinfo=UTC)
    assert run["a"].times.tolist() == [0, 30, 60]


def test_local_times_need_a_zone() -> None:
    with pytest.raises(twin.SpecError, match=r"'2024-05-01 06:00' in row 2 .*no time zone.*time_zone='Europe/Berlin'"):
        read(["2024-05-01 06:00"])
    assert read(["2024-05-01 06:00"], time_zone="Europe/Berlin").start == datetime.datetime(2024, 5, 1, 4, tzinfo=UTC)
    with pytest.raises(twin.SpecError, match=r"Unknown time_zone 'Europe/Berlim'.*Did you mean 'Europe/Berlin'"):
        read(["2024-05-01 06:00"], time_zone="Europe/Berlim")


def test_some_rows_with_and_some_without_zone() -> None:
    with pytest.raises(twin.DataError, match=r"'2024-05-01 07:00' in row 3 .*has no time zone, unlike the rows before"):
        read(["2024-05-01 06:00Z", "2024-05-01 07:00"])


def test_a_format_that_is_not_iso_is_named_not_guessed() -> None:
    with pytest.raises(twin.DataError, match=r"'01.05.2024 06:00' in row 2 .*time_format='%d.%m.%Y %H:%M'"):
        read(["01.05.2024 06:00"], time_zone="UTC")
    with pytest.raises(twin.DataError, match=r"time_format='%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M'"):
        read(["01/05/2024 06:00"], time_zone="UTC")
    run = read(["01/05/2024 06:00"], time_zone="UTC", time_format="%d/%m/%Y %H:%M")
    assert run.start == datetime.datetime(2024, 5, 1, 6, tzinfo=UTC)
    with pytest.raises(twin.DataError, match=r"'soon' in row 3 .*cannot be read. Expected %d/%m/%Y"):
        read(["01/05/2024 06:00", "soon"], time_zone="UTC", time_format="%d/%m/%Y %H:%M")


AUTUMN = ["2024-10-27 01:30", "2024-10-27 02:00", "2024-10-27 02:30", "2024-10-27 02:00", "2024-10-27 02:30",
          "2024-10-27 03:00"]


def test_the_hour_that_comes_twice() -> None:
    """Berlin, 27 October 2024: 03:00 summer time became 02:00 winter time."""
    with pytest.raises(twin.DataError, match=r"'2024-10-27 02:00' in row 3 .*ambiguous: Europe/Berlin.*fold='infer'"):
        read(AUTUMN, time_zone="Europe/Berlin")
    run = read(AUTUMN, time_zone="Europe/Berlin", fold="infer")
    assert run["a"].times.tolist() == [0, 30, 60, 90, 120, 150]
    once = [AUTUMN[0], AUTUMN[1], AUTUMN[-1]]
    assert read(once, time_zone="Europe/Berlin", fold="first")["a"].times.tolist() == [0, 30, 150]
    assert read(once, time_zone="Europe/Berlin", fold="second")["a"].times.tolist() == [0, 90, 150]
    with pytest.raises(twin.DataError, match=r"do not pass this hour twice.*fold='first' or 'second'"):
        read(once, time_zone="Europe/Berlin", fold="infer")
    with pytest.raises(twin.SpecError, match=r"fold is 1"):
        read(once, time_zone="Europe/Berlin", fold=1)


def test_the_hour_that_does_not_exist() -> None:
    with pytest.raises(twin.DataError, match=r"'2024-03-31 02:30' in row 3 .*does not exist in Europe/Berlin"):
        read(["2024-03-31 01:30", "2024-03-31 02:30"], time_zone="Europe/Berlin", fold="infer")
    run = read(["2024-03-31 01:30", "2024-03-31 03:30"], time_zone="Europe/Berlin")
    assert run["a"].times.tolist() == [0, 60]


def test_a_local_clock_called_utc_is_explained() -> None:
    with pytest.raises(twin.DataError, match=r"row 5 .*goes back by 0:30:00.*daylight saving.*fold='infer'"):
        read(AUTUMN, time_zone="UTC")


def test_midnights_with_the_date_of_the_day_that_ends() -> None:
    """The rows of 00:00 close the day, but carry its date: the clock jumps back a day and forward again."""
    days = [f"2024-05-{d:02d} {h:02d}:00" for d in (1, 2, 3) for h in (6, 12, 18, 0)]
    with pytest.raises(twin.DataError, match=r"'2024-05-01 00:00' in row 5 .*goes back by 18:00:00.*in 2 further rows.*"
                                             r"3 rows at 00:00 carry the date of the day that "
                                             r"ends.*repair=\['midnight'\]"):
        read(days, time_zone="Europe/Berlin")
    run = read(days, time_zone="Europe/Berlin", repair="midnight")
    assert run["a"].times.tolist() == [360 * k for k in range(12)]


def test_duplicates_are_counted() -> None:
    with pytest.raises(twin.DataError, match=r"row 3 .*repeats the time of row 2, one of 2 duplicates"):
        read(["2024-05-01T06:00Z"] * 2 + ["2024-05-01T07:00Z"] * 2)


def test_runs_start_at_their_own_first_row() -> None:
    frame = pd.DataFrame({"run": ["a", "a", "b", "b"], "a": [1, 2, 3, 4],
                          "time": pd.to_datetime(["2024-05-01 06:00", "2024-05-01 07:00", "2024-05-02 06:00",
                                                  "2024-05-02 07:00"], utc=True)})
    data = Data.from_frame(frame, run_column="run", units="-", time_unit="h")
    assert [r.start.day for r in data if r.start] == [1, 2]
    assert data["b"]["a"].times.tolist() == [0, 1]


def test_a_stated_start_makes_numbers_absolute() -> None:
    frame = pd.DataFrame({"time": [0.0, 1.5], "a": [1, 2]})
    run = Data.from_frame(frame, units="-", time_unit="h", start="2024-05-01T06:00:00+02:00")[0]
    assert run.start == datetime.datetime(2024, 5, 1, 4, tzinfo=UTC)
    assert run.to_frame().index[-1] == pd.Timestamp("2024-05-01T05:30Z")
