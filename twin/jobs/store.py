"""Finished runs of a job: one small HDF5 file each, written at once and whole, found by a key of all that went in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin import errors
from twin.files import replace_file
from twin.simulation.trajectory import Event, Trajectory
from twin.status import Status

ROLES = ("state", "algebraic", "output", "input", "disturbance")
FORMAT = "twinworks-run"
MAX_VALUES = 50_000_000


def run_key(*facts: Any) -> str:
    """Key of a run: hash of everything its trajectory depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=repr).encode()).hexdigest()


def run_file(folder: Path, run: str) -> Path:
    """Where a run is kept; two runs never share a file."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", run)[:60] or "run"
    return folder / "runs" / f"{plain}-{hashlib.sha256(run.encode()).hexdigest()[:8]}.h5"


def save_run(path: Path, key: str, trajectory: Trajectory) -> None:
    """Store a finished trajectory under its key.

    Raises
    ------
    StorageError
        Where the file cannot be written.
    """
    import h5py
    import numpy as np

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs.update(format=FORMAT, key=key, status=trajectory.status.name, message=trajectory.message,
                              stats=json.dumps({k: float(v) for k, v in trajectory.stats.items()}),
                              events=json.dumps([_event_out(e) for e in trajectory.events]))
            file.create_dataset("times", data=np.asarray(trajectory.raw_times, dtype="<f8"))
            for role in ROLES:
                values = np.asarray(trajectory.raw[role], dtype="<f8").reshape(len(trajectory.raw_times), -1)
                if values.size:
                    file.create_dataset(role, data=values, compression="gzip", shuffle=True)

    replace_file(path, write)


def load_run(path: Path, key: str, model: Any) -> Trajectory | None:
    """The trajectory stored under this key; None where there is none, or only another or a damaged one."""
    import h5py
    import numpy as np

    layout = {role: tuple(model.layout(role)) for role in ROLES}
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("key") != key:
                return None
            times = _values(file, "times")
            raw = {}
            for role, rows in layout.items():
                n = sum(r.count for r in rows)
                raw[role] = _values(file, role) if n else np.zeros((len(times), 0))
                if raw[role].shape != (len(times), n):
                    return None
            events = tuple(Event(**e) for e in json.loads(file.attrs["events"]))
            parameters = dict(zip(model.parameter_names(), model.parameter_vector(), strict=True))
            return Trajectory(model.title, Status[file.attrs["status"]], str(file.attrs["message"]), model.time_unit,
                              [float(t) for t in times], {k: v.tolist() for k, v in raw.items()}, layout, events,
                              json.loads(file.attrs["stats"]), parameters)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, errors.TwinError):
        return None


def _values(file: Any, name: str) -> Any:
    found = file[name]
    if found.dtype != "float64" or found.size > MAX_VALUES or found.is_virtual or found.external:
        raise ValueError(name)
    return found[()]


def _event_out(event: Event) -> Mapping[str, Any]:
    return {"time": event.time, "phase": event.phase, "name": event.name, "before": _floats(event.before),
            "after": _floats(event.after)}


def _floats(named: Mapping[str, Any]) -> dict[str, Any]:
    return {k: [float(x) for x in v] if hasattr(v, "__len__") else float(v) for k, v in named.items()}
