"""HDF5 files of runs: foreign, truncated, hostile and damaged files; the recorder's own checks."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import twin
from twin.data import Data, Run
from twin.io.hdf5 import read_runs, write_runs
from twin.io.recorder import CHUNK, RunWriter, interrupted, recover_run
from twin.series import Series


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_runs(tmp_path / "r.h5", Data.example())


def test_foreign_empty_and_truncated_files(tmp_path: Path, path: Path) -> None:
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(twin.StorageError, match=r"foreign.h5 was not written by twin.write.*pass the DataFrame"):
        twin.read(foreign)
    raw = path.read_bytes()
    for size, message in ((0, "is empty"), (5, "is no HDF5 file"), (len(raw) // 2, "is truncated"), (len(raw) - 1,
                                                                                                     "is truncated")):
        path.write_bytes(raw[:size])
        with pytest.raises(twin.StorageError, match=rf"r.h5 {message}"):
            twin.read(path)
    with pytest.raises(twin.SpecError, match=r"Unknown option 'units' of twin.read of r.h5"):
        twin.read(path, units="K")


def _newer(file: Any) -> None:
    file.attrs["schema"] = 99


def _external(file: Any) -> None:
    del file["runs/000000/000000/values"]
    file["runs/000000/000000/values"] = h5py.ExternalLink("other.h5", "/x")


def _soft(file: Any) -> None:
    del file["runs/000001"]
    file["runs/000001"] = h5py.SoftLink("/runs/000000")


def _huge(file: Any) -> None:
    del file["runs/000000/000000/values"]
    file.create_dataset("runs/000000/000000/values", (10**12,), "f8", chunks=(1024,), compression="gzip")


def _objects(file: Any) -> None:
    del file["runs/000000/000000/values"]
    file.create_dataset("runs/000000/000000/values", data=np.array(["__import__"] * 181, dtype=object),
                        dtype=h5py.string_dtype())


def _lengths(file: Any) -> None:
    del file["runs/000000/000000/values"]
    file["runs/000000/000000/values"] = np.zeros(3)


def _times(file: Any) -> None:
    file["runs/000000/000000/times"][5] = -1.0


def _count(file: Any) -> None:
    file.attrs["runs"] = 10**9


def _name(file: Any) -> None:
    file["runs/000000"].attrs["name"] = np.zeros(3)


def _start(file: Any) -> None:
    file["runs/000000"].attrs["start"] = "yesterday"


@pytest.mark.parametrize(("change", "message"), [
    (_newer, r"has schema 99. Expected 1 to 1. Update"), (_external, r"'values' of /runs/000000/000000 is not a plain "
                                                                     r"column"),
    (_soft, r"lacks part 'runs/000001'"), (_huge, r"holds 1000000000000 samples"),
    (_objects, r"not a plain column of float64"), (_lengths, r"differ in length"), (_times, r"inconsistent run.*time "
                                                                                            r"-1 in row 5"),
    (_count, r"states 1000000000 parts"), (_name, r"'name' of /runs/000000 is not a text"), (_start, r"start is "
                                                                                                     r"'yesterday'"),
])
def test_changed_files_are_refused(path: Path, change: Callable[[Any], None], message: str) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(twin.StorageError, match=message):
        twin.read(path)


def test_a_damaged_chunk_is_left_out_and_counted(tmp_path: Path) -> None:
    """A flipped byte in a compressed chunk is noticed by its checksum; the rest is read chunk by chunk."""
    times = np.arange(100_000.0)
    data = Data([Run("r", None, [Series("a", times, np.random.default_rng(0).standard_normal(len(times)), "K")])])
    path = write_runs(tmp_path / "r.h5", data)
    with h5py.File(path) as file:
        column = file["runs/000000/000000/values"]
        chunk = column.id.get_chunk_info(1)
        rows = column.chunks[0]
    raw = bytearray(path.read_bytes())
    raw[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(twin.StorageError, match=r"is damaged.*recover=True"):
        twin.read(path)
    with pytest.warns(UserWarning, match=rf"{rows} rows in damaged parts were lost"):
        back = read_runs(path, recover=True)
    assert len(back[0]["a"]) == len(times) - rows


def test_recover_reads_a_whole_file_without_a_warning(path: Path) -> None:
    assert twin.read(path, recover=True) == Data.example()


def test_recorder_makes_the_file_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "shift.h5"
    start = datetime.datetime(2024, 5, 1, 6, tzinfo=datetime.UTC)
    with RunWriter(path, "shift", {"t": "degC", "lab": "g/l"}, start=start, time_unit="min",
                   hold={"t": "linear"}) as record:
        for k in range(2 * CHUNK + 3):
            values = {"t": 20.0 + k} | ({"lab": math.nan if k == 100 else 1.0} if k % 100 == 0 else {})
            record.append(float(k), values, {"t": 1} if k == 7 else None)
            assert not path.exists()
    run = twin.read(path)[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shift.h5"]
    assert (run.name, run.start, run.time_unit) == ("shift", start, "min")
    assert run["t"].values.tolist() == [20.0 + k for k in range(2 * CHUNK + 3)]
    assert (run["t"].quality[7], run["t"].hold) == (1, "linear")
    assert run["lab"].times.tolist() == [0, 100, 200, 300, 400, 500]
    assert run["lab"].quality.tolist() == [0, 2, 0, 0, 0, 0]


def test_recorder_refuses_wrong_rows_and_keeps_the_right_ones(tmp_path: Path) -> None:
    record = RunWriter(tmp_path / "r.h5", "r", {"a": "K"})
    record.append(1.0, {"a": 300.0})
    with pytest.raises(twin.DataError, match=r"row 1 has the time 1 s after 1"):
        record.append(1.0, {"a": 301.0})
    with pytest.raises(twin.DataError, match=r"a is inf K with quality 0 in row 1"):
        record.append(2.0, {"a": math.inf})
    with pytest.raises(twin.SpecError, match=r"Unknown signal 'b' of the recording r.h5"):
        record.append(2.0, {"b": 1.0})
    assert twin.read(record.close())[0]["a"].values.tolist() == [300.0]


def test_recorder_never_writes_over_a_file_or_an_interrupted_recording(tmp_path: Path, path: Path) -> None:
    with pytest.raises(twin.StorageError, match=r"r.h5 is there already"):
        RunWriter(path, "r", {"a": "K"})
    open_one = RunWriter(tmp_path / "s.h5", "s", {"a": "K"})
    assert interrupted(tmp_path / "s.h5")
    with pytest.raises(twin.StorageError, match=r"interrupted recording beside it.*recover=True"):
        RunWriter(tmp_path / "s.h5", "s", {"a": "K"})
    open_one.close()
    (tmp_path / "file").write_text("x")
    with pytest.raises(twin.StorageError, match=r"cannot be recorded.*Choose another folder"):
        RunWriter(tmp_path / "file" / "r.h5", "r", {"a": "K"})
    with pytest.raises(twin.SpecError, match=r"hold has 'b'"):
        RunWriter(tmp_path / "t.h5", "t", {"a": "K"}, hold={"b": "linear"})
    with pytest.raises(twin.StorageError, match=r"no recording to recover"):
        recover_run(tmp_path / "nothing.h5")
