"""A writer that is killed, often inside a write: finished results stay whole, and no file is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from twin.data import Data
from twin.io.hdf5 import read_runs
from twin.io.recorder import CHUNK, RunWriter, interrupted, recover_run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")

# One process imports what is slow, then forks a child for each kill. A child kills itself inside the n-th call of an
# operation that changes files, or is killed after a time; the last letter on its pipe says what it was doing.
ZYGOTE = r"""
import json, os, pathlib, signal, sys, time
import h5py, numpy
from twin.data import Data, Run, Series
from twin.io.hdf5 import write_runs
from twin.io.recorder import RunWriter

OWNERS = {"resize": h5py.Dataset, "__setitem__": h5py.Dataset, "flush": h5py.File, "create_dataset": h5py.Group,
          "fsync": os, "replace": pathlib.Path}

def hook(name, target):
    real, count = getattr(OWNERS[name], name), [0]
    def wrapped(*a, **k):
        count[0] += 1
        if count[0] == target:
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*a, **k)
        if count[0] + 0.5 == target:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(OWNERS[name], name, wrapped)

def result(k):
    times = numpy.arange(20000.0)
    return Data([Run("r", None, [Series("a", times, times + k, "K"), Series("b", times, -times, "-")])])

def child(folder, plan, tell):
    if plan["kind"] == "hook":
        hook(plan["name"], plan["at"])
    if plan["job"] == "save":
        for k in range(10**9):
            os.write(tell, b"i")
            write_runs(folder / "result.h5", result(k))
            os.write(tell, b"o")
    record = RunWriter(folder / "run.h5", "r", {"a": "K", "b": "-"})
    for k in range(1500):
        os.write(tell, b"i")
        record.append(float(k), {"a": 0.5 * k, "b": -k})
        os.write(tell, b"o")
    os.write(tell, b"c")
    record.close()

base = pathlib.Path(sys.argv[1])
for n, plan in enumerate(json.loads(sys.argv[2])):
    folder = base / f"{n:03d}"
    folder.mkdir()
    write_runs(folder / "result.h5", result(-1))
    hear, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(hear)
        try:
            child(folder, plan, tell)
        finally:
            os._exit(4)
    os.close(tell)
    told, state, killed = 0, b"", False
    while True:
        data = os.read(hear, 1 if plan["kind"] == "time" and not killed else 4096)
        if not data:
            break
        told += data.count(b"i")
        state = data[-1:]
        if plan["kind"] == "time" and not killed and told >= plan["at"]:
            time.sleep(plan["wait"])
            os.kill(pid, signal.SIGKILL)
            killed = True
    _, status = os.waitpid(pid, 0)
    os.close(hear)
    print(json.dumps({"folder": folder.name, "inside": state in (b"i", b"c"), "started": told,
                      "signal": os.WTERMSIG(status)}))
"""


def _plans() -> list[dict[str, object]]:
    """Moments inside each operation that changes files (n: before its n-th call, n + 0.5: after it), and odd times."""
    hooked = [("record", "resize", 1), ("record", "resize", 2.5), ("record", "__setitem__", 1),
              ("record", "__setitem__", 3.5), ("record", "flush", 2), ("record", "flush", 3.5),
              ("record", "create_dataset", 2.5), ("record", "fsync", 1), ("record", "replace", 1),
              ("record", "replace", 1.5), ("save", "create_dataset", 3), ("save", "fsync", 2), ("save", "replace", 1.5)]
    timed = [("record", 256 + 256 * k, 0.0002 * k) for k in range(5)] + [("save", 2,
                                                                          0.002 + 0.004 * k) for k in range(4)]
    return [{"kind": "hook", "job": j, "name": n, "at": a} for j, n, a in hooked] + [
        {"kind": "time", "job": j, "at": a, "wait": w} for j, a, w in timed]


def _kill(folder: Path, plans: list[dict[str, object]]) -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", ZYGOTE, str(folder), json.dumps(plans)], text=True,
                          capture_output=True, timeout=120, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _check(folder: Path, plan: dict[str, object], end: dict[str, object]) -> None:
    """The finished result is whole; of a recording, every row whose append had returned is there."""
    started = int(str(end["started"]))
    a, b = read_runs(folder / "result.h5")[0].series
    assert len(a) == len(b) == 20000
    (k,) = set((a.values - a.times).tolist())
    if plan["job"] == "save":
        assert k in ((started - 2.0, started - 1.0) if end["inside"] else (started - 1.0,))
        return
    assert k == -1
    path = folder / "run.h5"
    if path.exists():
        run, rows = read_runs(path)[0], 1500
    else:
        assert interrupted(path)
        found = recover_run(path)
        run, rows = found.run, started - 1 if end["inside"] and started < 1500 else started
        assert found.lost <= 1
        with pytest.raises(OSError, match="interrupted recording"):
            RunWriter(path, "again", {"a": "K"})
    assert rows <= len(run["a"]) <= rows + 1
    assert (run["a"].values == 0.5 * run["a"].times).all()
    assert (run["b"].values == -run["b"].times).all()


def test_nothing_finished_is_lost_and_no_file_is_broken(tmp_path: Path) -> None:
    """SIGKILL at more than 20 moments, more than 10 of them inside a write."""
    plans = _plans()
    ends = _kill(tmp_path, plans)
    assert len(ends) == len(plans) >= 20
    assert all(end["signal"] == 9 for end in ends), ends
    assert sum(bool(end["inside"]) for end in ends) >= 10
    for plan, end in zip(plans, ends, strict=True):
        _check(tmp_path / str(end["folder"]), plan, end)


@pytest.mark.slow
def test_many_kills_at_odd_moments(tmp_path: Path) -> None:
    """SIGKILL 200 times while whole chunks are being written."""
    plans: list[dict[str, object]] = [
        {"kind": "time", "job": "record", "at": CHUNK * (1 + k % 5), "wait": 2e-5 * (k % 40)} for k in range(200)]
    for plan, end in zip(plans, _kill(tmp_path, plans), strict=True):
        _check(tmp_path / str(end["folder"]), plan, end)


def test_a_torn_last_line_is_counted_as_lost(tmp_path: Path) -> None:
    """The row whose journal line was cut is reported, all before it are read."""
    record = RunWriter(tmp_path / "run.h5", "r", {"a": "K"})
    for k in range(10):
        record.append(float(k), {"a": float(k)})
    record.file.close()
    record.journal.close()
    journal = next(tmp_path.glob("*.journal-*"))
    journal.write_bytes(journal.read_bytes()[:-4])
    found = recover_run(tmp_path / "run.h5")
    assert (found.rows, found.lost) == (9, 1)
    assert "9 rows read, 1 lost" in found.message
    with pytest.warns(UserWarning, match="1 lost"):
        data = read_runs(tmp_path / "run.h5", recover=True)
    assert data == Data([found.run])


def test_rows_survive_a_partial_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Where the HDF5 file itself is torn, the journals still hold the last two chunks."""
    record = RunWriter(tmp_path / "run.h5", "r", {"a": "K"})
    for k in range(CHUNK + 50):
        record.append(float(k), {"a": float(k)})
    record.file.close()
    record.journal.close()
    (tmp_path / "run.h5.partial").write_bytes(b"torn")
    found = recover_run(tmp_path / "run.h5")
    assert (found.rows, found.lost) == (CHUNK + 50, 0)
