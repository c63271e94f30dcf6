"""Benchmarks give the right answers: each runs with --quick, which asserts and times nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import names

ROOT = Path(__file__).parents[1]
MUST = {"scheduling": ("melt_shop_eur", "year_eur", "steam_week_eur", "line_parts"),
        "dynopt": ("tier_a",), "stiff_simulation": ("pen6.error", "rober.error", "chain100.error"),
        "cold_start": ("product", "edited_product"),
        "flagships": ("kiln.our_rtol", "slab.our_rtol", "furnace.our_rtol", "oven.our_rtol"),
        "calibration": ("gas_oil.objective", "alpha_pinene.objective", "marine.objective", "gas_oil.reached_of_20",
                        "alpha_pinene.reached_of_20"),
        "nmpc": ("cstr_nominal.objective", "batch.steps", "poly_nominal.steps"), "throughput": ("objective_rel_err",),
        "rto": ("profit_noise_free", "seeds_reached", "worst_profit_noisy", "iterations_max"),
        "penicillin": ("seeds", "median_gain", "coverage_90")}
SLOW = ("penicillin",)  # calibrates and trains for a minute
NEEDS_DATA = ("daisy",)  # says in a sentence what is missing


def test_every_benchmark_is_tested() -> None:
    """A new benchmark gets a line here."""
    assert set(names()) == {*MUST, *NEEDS_DATA}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in sorted(MUST)])
def test_quick_run(name: str) -> None:
    """The last line is one JSON object with the answers; no result file is written."""
    pytest.importorskip("casadi", reason="extra bench")
    kept = ROOT / "benchmarks" / "results" / f"{name}.json"
    before = kept.stat().st_mtime_ns if kept.exists() else None
    done = subprocess.run([sys.executable, "-m", "benchmarks", name, "--quick", "--json"], cwd=ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["quick"] is True
    assert all(found[key] > 0 for key in MUST[name])
    assert all(value <= 1e-6 for key, value in found.items() if key.endswith("error"))
    assert (kept.stat().st_mtime_ns if kept.exists() else None) == before


def test_missing_peer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is not installed is told with the extra that brings it."""
    from benchmarks import harness

    monkeypatch.setitem(sys.modules, "casadi", None)
    with pytest.raises(harness.PeerMissing, match=r"'casadi' is not installed.*twinworks\[bench\]"):
        harness.peer("casadi")


def test_parts_are_kept_with_their_own_date(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A part run again replaces its keys only; parts without data are left as they are; what was never run is named."""
    from benchmarks import harness

    monkeypatch.setattr(harness, "RESULTS", tmp_path)
    found = {"a": {"x": 1, "y": 2}, "b": {"z": 3}, "c": {}}
    parts = {name: lambda quick, log, data, name=name: found[name] for name in found}
    log = harness.Log(quiet=True)
    first = harness.by_parts("t", parts, ["a", "c"], log, "")
    assert (first["x"], first["parts_missing"]) == (1, ["b", "c"])
    found["a"] = {"x": 5}
    harness.by_parts("t", parts, ["b"], log, "")
    again = harness.by_parts("t", parts, ["a"], log, "")
    assert (again["x"], again["z"], "y" in again, again["parts_missing"]) == (5, 3, False, ["c"])
    kept = json.loads((tmp_path / "t.json").read_text())
    assert set(kept["parts"]) == {"a", "b"}
    assert {"when", "commit", "load_before", "seconds"} <= set(kept["parts"]["b"])
