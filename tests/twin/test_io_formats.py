"""Round trips through files, and what the readers do with garbage: always one of our errors."""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import twin
from twin.data import Data, Run
from twin.io.tags import TagMap
from twin.series import Series

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
OURS = (twin.DataError, twin.SpecError, twin.StorageError)


NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run with sparse series, missing values and all qualities."""
    series = []
    for name in draw(st.lists(st.sampled_from(["a", "b b", "c,d", 'e"', "[x]"]), min_size=1, max_size=3, unique=True)):
        times = sorted(draw(st.lists(st.floats(0, 1e6), min_size=1, max_size=6, unique=True)))
        values = [draw(numbers) for _ in times]
        quality = [draw(st.sampled_from([0, 0, 1, 2])) for _ in times]
        if all(q == 2 for q in quality):
            quality[0] = 0
        values = [float("nan") if q == 2 else v for v, q in zip(values, quality, strict=True)]
        series.append(Series(name, times, values, draw(st.sampled_from(["g/l", "degC", "-", "kJ/(kg K)"])), quality,
                             draw(st.sampled_from(["previous", "linear"]))))
    start = draw(st.sampled_from([None, NOON, NOON.replace(microsecond=123456)]))
    return Run(draw(st.sampled_from(["r", "7", "a b", "é"])), start, tuple(series), draw(st.sampled_from(["s", "h"])))


@QUICK
@given(runs())
def test_frame_round_trip_is_exact(run: Run) -> None:
    """With times since the start and quality columns, nothing is lost but the start, which is passed."""
    frame = run.to_frame(absolute=False, quality=True)
    hold = {s.name: s.hold for s in run.series}
    assert Data.from_frame(frame, start=run.start, hold=hold, name=run.name) == Data([run])


@QUICK
@given(runs())
def test_csv_round_trip_is_exact(tmp_path: Path, run: Run) -> None:
    data = Data([run])
    assert twin.read(twin.write(tmp_path / "r.csv", data)) == data


@QUICK
@given(runs())
def test_hdf5_round_trip_is_exact(tmp_path: Path, run: Run) -> None:
    data = Data([run])
    assert twin.read(twin.write(tmp_path / "r.h5", data)) == data


def test_several_runs_round_trip(tmp_path: Path) -> None:
    data = Data.example()
    for ending in (".csv", ".h5"):
        assert twin.read(twin.write(tmp_path / f"r{ending}", data)) == data


def test_excel_round_trip_to_sixteen_digits(tmp_path: Path) -> None:
    """openpyxl writes 16 significant digits."""
    data = Data.example()
    back = twin.read(twin.write(tmp_path / "r.xlsx", data))
    assert [r.start for r in back] == [r.start for r in data]
    for one, other in zip(data, back, strict=True):
        for a, b in zip(one.series, other.series, strict=True):
            assert (a.name, a.unit, a.hold) == (b.name, b.unit, b.hold)
            np.testing.assert_array_equal(a.times, b.times)
            np.testing.assert_allclose(a.values, b.values, rtol=1e-15)


def test_csv_refuses_units_that_differ_between_runs(tmp_path: Path) -> None:
    data = Data([Run(u, None, [Series("a", [0], [1], u)]) for u in ("K", "degC")])
    with pytest.raises(twin.DataError, match=r"'a' has the unit K .* and degC .* HDF5"):
        twin.write(tmp_path / "r.csv", data)
    assert twin.read(twin.write(tmp_path / "r.h5", data)) == data


def test_unknown_endings_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(twin.StorageError, match=r"ends with '.parquet'.*Expected .csv"):
        twin.read(tmp_path / "x.parquet")
    with pytest.raises(twin.StorageError, match=r"ends with '.json'.*Choose one"):
        twin.write(tmp_path / "x.json", Data.example())
    for ending in (".csv", ".csv.gz", ".xlsx", ".h5"):
        with pytest.raises(twin.StorageError, match=r"cannot be read: No such file.*Check the path"):
            twin.read(tmp_path / f"x{ending}")
    with pytest.raises(twin.SpecError, match=r"Unknown option 'time_colum'.*Did you mean 'time_column'"):
        twin.read(Data.example()[0].to_frame(), time_colum="x")


@pytest.mark.parametrize("ending", [".csv", ".xlsx", ".h5"])
def test_an_output_that_cannot_be_written_leaves_the_old_one_whole(tmp_path: Path, ending: str) -> None:
    """A file in place of the folder stands for any folder that refuses; root may write into read-only ones."""
    (tmp_path / "out").write_text("the previous output")
    with pytest.raises(twin.StorageError, match=r"cannot be written.*unchanged"):
        twin.write(tmp_path / "out" / f"r{ending}", Data.example())
    assert (tmp_path / "out").read_text() == "the previous output"


def test_a_write_that_fails_midway_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    path = twin.write(tmp_path / "r.h5", Data.example())
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5py.Group, "create_dataset", full)
    with pytest.raises(twin.StorageError, match=r"No space left on device.*unchanged"):
        twin.write(path, Data.example()[:1])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r.h5"]


def _survives(read: Callable[[], object]) -> None:
    """Reading ends well or with one of our errors; any other exception fails the test."""
    with contextlib.suppress(*OURS):
        read()


cells = st.one_of(st.text(max_size=8), st.sampled_from(["1", "2.5", "1e999", "nan", "", "2024-03-31T02:30", "-", '"',
                                                        "1,5", "0x1"]))
tables = st.lists(st.lists(cells, min_size=1, max_size=4), min_size=1, max_size=6)
options = st.sampled_from([{}, {"time_column": "time", "time_unit": "s", "units": "-"}, {"decimal": ",", "units": "-"},
                           {"units": "-", "time_zone": "Europe/Berlin", "fold": "infer", "repair": ["sort",
                                                                                                    "keep last"]},
                           {"header": None, "names": ["time", "a"], "time_unit": "h", "units": "K"}])


@QUICK
@given(tables, st.sampled_from([",", ";", "\t", " "]), options)
def test_garbage_tables_give_our_errors(tmp_path: Path, table: list[list[str]], delimiter: str,
                                        o: dict[str, object]) -> None:
    text = "\n".join(delimiter.join(row) for row in [["time", "a"], *table])
    path = tmp_path / "g.csv"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    _survives(lambda: twin.read(path, **o))


@QUICK
@given(st.binary(max_size=200), options)
def test_garbage_bytes_give_our_errors(tmp_path: Path, raw: bytes, o: dict[str, object]) -> None:
    for name in ("g.csv", "g.csv.gz", "g.csv.xz", "g.csv.bz2"):
        (tmp_path / name).write_bytes(raw)
        _survives(functools.partial(twin.read, tmp_path / name, **o))
    for name in ("g.xlsx", "g.h5"):
        (tmp_path / name).write_bytes(raw)
        _survives(functools.partial(twin.read, tmp_path / name))


plain = st.sampled_from(["1", '"x"', '["x", "K"]', "true", "{ signal = 1 }", '{ unit = "K" }', "nan", "1979-05-27"])
entries = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(lambda v: f"[{','.join(v)}]"), max_leaves=5)


@QUICK
@given(st.one_of(st.text(max_size=80), entries.map('[tags]\n"a" = {}\n'.format)))
def test_garbage_tag_maps_give_our_errors(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    _survives(lambda: TagMap.read(path))


@QUICK
@given(st.data())
def test_hdf5_with_changed_bytes_gives_our_errors(tmp_path: Path, draw: st.DataObject) -> None:
    """A flipped or cut file is read as it was, or refused; never anything else."""
    data = Data.example()[:1]
    path = tmp_path / "r.h5"
    if not path.exists():
        twin.write(path, data)
    raw = bytearray(path.read_bytes())
    if draw.draw(st.booleans()):
        raw = raw[:draw.draw(st.integers(0, len(raw) - 1))]
    for _ in range(draw.draw(st.integers(0, 4))):
        if raw:
            raw[draw.draw(st.integers(0, len(raw) - 1))] ^= draw.draw(st.integers(1, 255))
    broken = tmp_path / "b.h5"
    broken.write_bytes(bytes(raw))
    _survives(lambda: twin.read(broken))


@QUICK
@given(st.data())
def test_excel_with_changed_bytes_gives_our_errors(tmp_path: Path, draw: st.DataObject) -> None:
    path = tmp_path / "r.xlsx"
    if not path.exists():
        twin.write(path, Data.example()[:1])
    raw = bytearray(path.read_bytes())
    for _ in range(draw.draw(st.integers(1, 4))):
        raw[draw.draw(st.integers(0, len(raw) - 1))] ^= draw.draw(st.integers(1, 255))
    broken = tmp_path / "b.xlsx"
    broken.write_bytes(bytes(raw))
    _survives(lambda: twin.read(broken))
