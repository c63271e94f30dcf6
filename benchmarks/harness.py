"""What benchmarks share: timing, messages, the record of a run."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Part = Callable[[bool, "Log", str], dict[str, Any]]
RESULTS = Path(__file__).parent / "results"


class PeerMissing(RuntimeError):
    """A peer is not installed."""


class Log:
    """Progress on stderr."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    def __call__(self, text: str) -> None:
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def peer(name: str) -> Any:
    """Module of a peer, or a sentence how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise PeerMissing(f"The peer '{name}' is not installed. Install it with: pip install 'twinworks[bench]'") from e


def cpu(call: Callable[[], object], repeats: int, number: int = 1, clock: Callable[[], float] = time.process_time) -> float:
    """Smallest time of one call in seconds over `repeats` rounds of `number` calls."""
    best = float("inf")
    for _ in range(repeats):
        start = clock()
        for _ in range(number):
            call()
        best = min(best, (clock() - start) / number)
    return best


def number_for(call: Callable[[], object], seconds: float = 0.05) -> int:
    """How many calls make a round long enough for the clock."""
    call()
    start = time.process_time()
    call()
    return max(1, int(seconds / max(time.process_time() - start, 1e-6)))


def machine() -> dict[str, Any]:
    """Where and with what a result was measured."""
    import importlib.metadata as metadata

    root = Path(__file__).parents[1]
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
    versions = {}
    for name in ("numpy", "scipy", "jax", "numba", "casadi"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {"commit": git.stdout.strip() or "unknown", "python": platform.python_version(), "machine": platform.machine(),
            "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None, **versions}


def by_parts(name: str, parts: Mapping[str, Part], chosen: Sequence[str], log: Log, data: str) -> dict[str, Any]:
    """Run parts of a benchmark one after another; each is kept as soon as it is there, with its own date, commit and load."""
    kept = RESULTS / f"{name}.json"
    result: dict[str, Any] = {}
    records: dict[str, Any] = {}
    for part in chosen:
        log(part)
        load, began = machine()["load"], time.perf_counter()
        found = parts[part](False, log, data)
        seconds = round(time.perf_counter() - began, 1)
        if not found:
            continue  # its data are not there
        old = json.loads(kept.read_text()) if kept.exists() else {}  # now: another process may have run other parts meanwhile
        records = {k: v for k, v in old.get("parts", {}).items() if k in parts}
        records[part] = {"when": time.strftime("%Y-%m-%d %H:%M"), "commit": machine()["commit"], "load_before": load,
                         "seconds": seconds, "keys": list(found)}
        known = {key for record in records.values() for key in record["keys"]}
        result = {"benchmark": name, "quick": False, **{k: v for k, v in (old.get("result", {}) | found).items() if k in known}}
        save(name, result, records)
    return {**result, "parts": {part: {k: v for k, v in records[part].items() if k != "keys"} for part in records},
            "parts_missing": [part for part in parts if part not in records]}


def save(name: str, result: dict[str, Any], parts: Mapping[str, Any] | None = None) -> None:
    """Keep the result with commit and machine; `parts` says when and where each part of it was measured."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"when": time.strftime("%Y-%m-%d"), **machine(), **({"parts": parts} if parts else {}), "result": result},
                      indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")
