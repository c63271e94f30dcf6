"""CSV, Excel and DataFrames: what is read, and the error with name, value, unit and row for what cannot be."""

from __future__ import annotations

import datetime
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import twin
from twin.data import Data

UTC = datetime.UTC


@pytest.fixture
def csv(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "plant.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


PLAIN = "time,T,feed\n0,20,1\n1,21,\n2,22.5,3\n"
UNITS = {"T": "degC", "feed": "l/h"}


def test_columns_units_and_sparse_cells(csv: Callable[..., Path]) -> None:
    run = twin.read(csv(PLAIN), time_unit="min", units=UNITS)[0]
    assert (run.name, run.start, run.time_unit) == ("plant", None, "min")
    assert run["T"].values.tolist() == [20, 21, 22.5]
    assert run["feed"].times.tolist() == [0, 2]
    assert run["feed"].unit == "l/h"


@pytest.mark.parametrize("text", ["time;T\n0;20,5\n1;21,5\n", "time\tT\n0\t20,5\n1\t21,5\n"])
def test_delimiter_is_found_beside_a_decimal_comma(csv: Callable[..., Path], text: str) -> None:
    run = twin.read(csv(text), time_unit="s", units="K", decimal=",")[0]
    assert run["T"].values.tolist() == [20.5, 21.5]


def test_headers_may_hold_the_units_and_a_byte_order_mark(csv: Callable[..., Path]) -> None:
    run = twin.read(csv("\ufefftime [h],T [degC],feed [l/h; linear]\r\n0,20,1\r\n1,21,2\r\n"))[0]
    assert [(s.name, s.unit, s.hold) for s in run.series] == [("T", "degC", "previous"), ("feed", "l/h", "linear")]
    assert run.time_unit == "h"


def test_packed_files_other_encodings_and_no_header(csv: Callable[..., Path], tmp_path: Path) -> None:
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(PLAIN.encode()))
    assert twin.read(packed, time_unit="s", units=UNITS)[0]["T"].values.tolist() == [20, 21, 22.5]
    old = tmp_path / "b.csv"
    old.write_bytes("time,Dr\xfcck\n0,1\n".encode("cp1252"))
    assert twin.read(old, encoding="cp1252", time_unit="s", units="bar")[0].names == ("Dr\xfcck",)
    with pytest.raises(twin.DataError, match=r"row 1 is no text in utf-8.*encoding='cp1252'"):
        twin.read(old, time_unit="s", units="bar")
    bare = csv("  1.0e+0  2.5\n  2.0e+0  3.5\n", "c.dat")
    assert twin.read(bare, header=None, names=["time", "a"], time_unit="s", units="-")[0]["a"].values.tolist() == [2.5,
                                                                                                                   3.5]
    with pytest.raises(twin.SpecError, match=r"row 1 holds numbers only.*header=None"):
        twin.read(bare)


def test_trailing_delimiters_blank_lines_and_a_title_row(csv: Callable[..., Path]) -> None:
    text = "Export of plant 7;;\ntime;T;\n0;20;\n;;\n2;22;\n"
    run = twin.read(csv(text), header=2, time_unit="s", units="K", delimiter=";", leave_out="column 3")[0]
    assert run["T"].times.tolist() == [0, 2]
    with pytest.raises(twin.DataError, match=r"'T' \(K\) is 'x' in row 5"):
        twin.read(csv(text.replace("2;22", "2;x")), header=2, time_unit="s", units="K", leave_out=["column 3"])


def test_a_table_without_times_takes_an_interval(csv: Callable[..., Path]) -> None:
    run = twin.read(csv("a,b\n1,2\n3,4\n"), every=30, time_unit="s", units="-")[0]
    assert run["a"].times.tolist() == [0, 30]


def test_runs_come_in_order_of_appearance(csv: Callable[..., Path]) -> None:
    data = twin.read(csv("batch,time,T\n2,0,1\n1,0,2\n2,1,3\n"), run_column="batch", time_unit="h", units="K")
    assert data.names == ("2", "1")
    assert data["2"]["T"].values.tolist() == [1, 3]


def test_one_value_a_row(csv: Callable[..., Path]) -> None:
    """As historians export it: each tag has its own times."""
    text = ("tag,time,value,status\nTI1.PV,2024-05-01T06:00Z,20,192\nLAB1,2024-05-01T06:30Z,5,192\n"
            "TI1.PV,2024-05-01T06:01Z,Bad,0\nTI1.PV,2024-05-01T06:02Z,22,64\n")
    run = twin.read(csv(text), tag_column="tag", value_column="value", quality_column="status", quality_codes="opc-da",
                    tags={"TI1.PV": ("t", "degC"), "LAB1": ("tracer", "g/l")}, time_unit="min")[0]
    assert run.start == datetime.datetime(2024, 5, 1, 6, tzinfo=UTC)
    assert run["t"].times.tolist() == [0, 1, 2]
    assert run["t"].quality.tolist() == [0, 2, 1]
    assert (run["tracer"].times.tolist(), run["tracer"].values.tolist()) == ([30], [5])
    with pytest.raises(twin.SpecError, match=r"Unknown tag 'LAB2'.*Did you mean 'LAB1'"):
        twin.read(csv(text), tag_column="tag", value_column="value", tags={"LAB2": ("a", "K")})


@pytest.mark.parametrize(("text", "error", "message"), [
    ("", twin.DataError, r"plant.csv is empty"),
    ("\n\n", twin.DataError, r"plant.csv is empty"),
    ("time,T,feed\n", twin.DataError, r"has a header \(time, T, feed\) but no rows.*time range"),
    ("time,T,feed\n0,,1\n1,,2\n", twin.DataError, r"'T' \(degC\) holds no number in rows 2 to 3.*leave_out=\['T'\]"),
    ("time,T,feed\n0,20,1\n1,2O,2\n", twin.DataError,
     r"'T' \(degC\) is '2O' in row 3. Expected a number.*bad=\['2O'\]"),
    ("time;T;feed\n0;20,5;1\n", twin.DataError, r"'T' \(degC\) is '20,5' in row 2.*pass decimal=','"),
    ("time,T,feed\n0,20,1\n1,inf,2\n", twin.DataError, r"'T' is inf degC in row 3. Expected a finite number"),
    ("time,T,feed\n0,20,1\n2,21,2\n1,22,2\n", twin.DataError, r"time '1' in row 4 .*goes back by 1 min from "
                                                              r"'2'.*repair=\['sort'\]"),
    ("time,T,feed\n0,20,1\n1,21,2\n1,22,2\n", twin.DataError, r"time '1' in row 4 .*repeats the time of row 3.*keep "
                                                              r"first"),
    ("time,T,feed\n0,20,1\n,21,2\n", twin.DataError, r"row 3 has no time \(column 'time'\)"),
    ("time,T,feed\n0,20,1\n1,21,2,9\n", twin.DataError, r"row 3 has 4 cells.*Expected 3"),
    ("time,T,T\n0,20,1\n", twin.DataError, r"2 columns 'T'. Expected each name once"),
    ("tim,T,feed\n0,20,1\n", twin.SpecError, r"none of its columns is called time.*Pass time_column="),
    ("time,T,feed\n0,20,1\n\0", twin.DataError, r"row 3 holds a zero byte"),
    ('time,"T\nx",feed\n0,20,1\n', twin.DataError, r"header in row 1 runs over several lines"),
])
def test_errors_name_value_unit_row_and_one_thing_to_do(csv: Callable[..., Path], text: str, error: type,
                                                        message: str) -> None:
    with pytest.raises(error, match=message):
        twin.read(csv(text), time_unit="min", units=UNITS)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"units": UNITS}, twin.UnitError, r"'time' holds numbers \(0 in row 2\) without a unit.*time_unit='h'"),
    ({"time_unit": "hours", "units": UNITS}, twin.UnitError, r"unit 'hours'"),
    ({"time_unit": "s"}, twin.UnitError, r"column 'T' has no unit.*Pass units=\{'T': 'degC'\}"),
    ({"time_unit": "s", "units": {"T": "degx", "feed": "l/h"}}, twin.UnitError, r"'T': unknown unit 'degx'"),
    ({"time_unit": "s", "tags": {"TT": ("t", "K")}}, twin.SpecError, r"Unknown column 'TT'.*Did you mean 'T'"),
    ({"time_unit": "s", "units": UNITS, "time_column": "Time"}, twin.SpecError, r"Unknown column 'Time'.*Did you mean "
                                                                                r"'time'"),
    ({"time_unit": "s", "units": UNITS, "run_column": "batch"}, twin.SpecError, r"Unknown column 'batch'.*run_column"),
    ({"time_unit": "s", "units": UNITS, "leave_out": ["x"]}, twin.SpecError, r"Unknown column 'x'.*leave_out"),
    ({"time_unit": "s", "units": UNITS, "decimal": ","}, twin.SpecError, r"delimiter"),
    ({"time_unit": "s", "units": UNITS, "hold": "next"}, twin.SpecError, r"hold is 'next'"),
    ({"time_unit": "s", "units": UNITS, "repair": ["srt"]}, twin.SpecError, r"Unknown repair 'srt'.*Did you mean "
                                                                            r"'sort'"),
    ({"time_unit": "s", "units": UNITS, "tag_column": "T"}, twin.SpecError, r"value_column belong together"),
    ({"every": 0, "units": UNITS}, twin.SpecError, r"every is 0"),
    ({"time_unit": "s", "units": UNITS, "header": 0}, twin.SpecError, r"header is 0"),
    ({"time_unit": "s", "units": UNITS, "start": "2024-05-01"}, twin.DataError, r"ISO 8601 with a time zone"),
])
def test_options_that_are_wrong_or_missing(csv: Callable[..., Path], options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        twin.read(csv(PLAIN), delimiter="," if options.get("decimal") else None, **options)


def test_repairs_do_what_they_say(csv: Callable[..., Path]) -> None:
    path = csv("time,T\n2,22\n0,20\n1,21\n1,99\n")
    first = twin.read(path, time_unit="s", units="K", repair=["sort", "keep first"])[0]["T"]
    last = twin.read(path, time_unit="s", units="K", repair=["sort", "keep last"])[0]["T"]
    assert (first.values.tolist(), last.values.tolist()) == ([20, 21, 22], [20, 99, 22])


def test_texts_of_a_historian_are_bad_values(csv: Callable[..., Path]) -> None:
    path = csv("time,T\n0,20\n1,I/O Timeout\n2,n/a\n3,Fault 7\n")
    s = twin.read(path, time_unit="s", units="K", bad=["i/o timeout", "fault 7"])[0]["T"]
    assert s.times.tolist() == [0, 1, 3]
    assert s.quality.tolist() == [0, 2, 2]
    assert np.isnan(s.values[1])


@pytest.mark.parametrize(("codes", "cells", "expected"), [
    ("opc-da", ["192", "216", "64", "0"], [0, 0, 1, 2]),
    ("opc-ua", ["0", "1083179008", "2147483648", "Good"], [0, 1, 2, 0]),
    ({"ok": "good", 5: "uncertain", "x": "bad"}, ["OK", "5", "x", ""], [0, 1, 2, 0]),
    (None, ["good", "Uncertain", "BAD", ""], [0, 1, 2, 0]),
])
def test_quality_codes(csv: Callable[..., Path], codes: object, cells: list[str], expected: list[int]) -> None:
    text = "time,T,q\n" + "".join(f"{k},{20 + k},{c}\n" for k, c in enumerate(cells))
    s = twin.read(csv(text), time_unit="s", units="K", quality_column="q", quality_codes=codes)[0]["T"]
    assert s.quality.tolist() == expected
    assert np.isnan(s.values[np.array(expected) == 2]).all()


def test_quality_codes_are_never_guessed(csv: Callable[..., Path]) -> None:
    path = csv("time,T,q\n0,20,0\n")
    with pytest.raises(twin.SpecError,
                       match=r"quality in row 2 is 0.*bad in OPC DA and good in OPC UA.*quality_codes="):
        twin.read(path, time_unit="s", units="K", quality_column="q")
    with pytest.raises(twin.DataError, match=r"quality in row 2 is 'odd'.*quality_codes="):
        twin.read(csv("time,T,q\n0,20,odd\n"), time_unit="s", units="K", quality_column="q", quality_codes="opc-da")
    with pytest.raises(twin.SpecError, match=r"quality_codes is 'opc'"):
        twin.read(path, time_unit="s", units="K", quality_column="q", quality_codes="opc")


def test_a_tag_map_with_factor_and_quality_column(csv: Callable[..., Path], tmp_path: Path) -> None:
    toml = tmp_path / "tags.toml"
    toml.write_text('[tags]\n"T" = { signal = "t_bed", unit = "K", factor = 10, quality = "q", hold = "linear" }\n')
    run = twin.read(csv("time,T,q,other\n0,2,good,x\n1,3,bad,y\n"), tags=toml, time_unit="s")[0]
    assert run.names == ("t_bed",)
    assert run["t_bed"].values[0] == 20
    assert run["t_bed"].quality.tolist() == [0, 2]
    assert run["t_bed"].hold == "linear"


def test_frames_by_index_or_column() -> None:
    index = pd.date_range("2024-05-01 06:00", periods=3, freq="min", tz="Europe/Berlin")
    frame = pd.DataFrame({"T": [1.0, np.nan, 3.0], "n": [1, 2, 3]}, index=index)
    run = Data.from_frame(frame, units={"T": "K", "n": "-"}, time_unit="min")[0]
    assert run.start == datetime.datetime(2024, 5, 1, 4, tzinfo=UTC)
    assert run["T"].times.tolist() == [0, 2]
    column = frame.rename_axis("stamp").reset_index()
    assert Data.from_frame(column, units={"T": "K", "n": "-"}, time_column="stamp", time_unit="min")[0] == run
    with pytest.raises(twin.DataError, match=r"in row 1 .*goes back by 0:02:00"):
        Data.from_frame(frame.iloc[[2, 0, 1]], units="-")
    with pytest.raises(twin.DataError, match=r"the frame is empty"):
        Data.from_frame(pd.DataFrame())


def test_frames_with_odd_indexes_and_names() -> None:
    frame = pd.DataFrame({"time": [0.0, 1, 2], "T": [1.0, 2, 3]})
    filtered = frame[frame["T"] != 2]
    assert Data.from_frame(filtered, units="K", time_unit="s")[0]["T"].times.tolist() == [0, 2]
    assert Data.from_frame(filtered.set_index("time"), units="K", time_unit="s")[0]["T"].times.tolist() == [0, 2]
    assert Data.from_frame(filtered[["T"]], units="K", every=5, time_unit="s")[0]["T"].times.tolist() == [0, 5]
    named = filtered.rename_axis("row")
    assert Data.from_frame(named, units="K", time_unit="s", time_column="time")[0].names == ("T",)
    twice = frame.set_axis(["time", "time"], axis=1)
    with pytest.raises(twin.DataError, match=r"2 columns are called 'time'"):
        Data.from_frame(twice, units="K", time_unit="s")
    with pytest.raises(twin.DataError, match=r"2 columns are called 'time'"):
        Data.from_frame(frame.set_index("time", drop=False), units="K", time_unit="s", time_column="time")
    with pytest.raises(twin.DataError, match=r"'T' \(K\) is '1j' in row 0"):
        Data.from_frame(frame.assign(T=[1j, 2, 3]), units="K", time_unit="s")
    with pytest.raises(twin.DataError, match=r"'T' \(K\) is '2024-05-01 00:00:00' in row 0"):
        Data.from_frame(frame.assign(T=pd.Timestamp("2024-05-01")), units="K", time_unit="s")


def test_excel_rows_dates_and_errors(tmp_path: Path) -> None:
    path = tmp_path / "lab.xlsx"
    table = [["Lab book", None, None], ["date", "T", "note"], [datetime.datetime(2024, 5, 1, 6), 20.5, "a"],
             [datetime.datetime(2024, 5, 1, 7), "Bad Input", "b"], [datetime.datetime(2024, 5, 1, 8), 22, "c"]]
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        pd.DataFrame(table).to_excel(book, sheet_name="May", index=False, header=False)
    options = {"header": 2, "units": {"T": "degC"}, "leave_out": ["note"], "time_unit": "h"}
    run = twin.read(path, sheet="May", time_zone="UTC", **options)[0]
    assert run.start == datetime.datetime(2024, 5, 1, 6, tzinfo=UTC)
    assert run["T"].quality.tolist() == [0, 2, 0]
    with pytest.raises(twin.SpecError, match=r"has no time zone.*time_zone='Europe/Berlin'"):
        twin.read(path, **options)
    with pytest.raises(twin.SpecError, match=r"Unknown sheet 'june'.*Known: May"):
        twin.read(path, sheet="june", **options)
    with pytest.raises(twin.SpecError, match=r"sheet is 3. Expected 0 to 0"):
        twin.read(path, sheet=3, **options)
    with pytest.raises(twin.DataError, match=r"sheet 'May' has 5 rows. Expected a header in row 9"):
        twin.read(path, **options | {"header": 9})
    with pytest.raises(twin.DataError, match=r"'note' \(-\) is 'a' in row 3"):
        twin.read(path, time_zone="UTC", header=2, units={"T": "degC", "note": "-"})
    (tmp_path / "no.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(twin.StorageError, match=r"no Excel workbook.*export CSV"):
        twin.read(tmp_path / "no.xlsx")
