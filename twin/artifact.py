"""Artifacts: a model as data in one HDF5 file, that runs without its class and without JAX.

`save` stores the lowered programs, the layout, the table of signals and parameters with their units, the values, versions and a
hash of the data. `load` reads them back: nothing in the file is executed, imported or looked up by name, and every program is
verified before a kernel is made of it. The checksum finds damage; it is not a signature.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin import errors
from twin.io.atomic import replace_file
from twin.model import Row
from twin.recipe import PID, Assign, Bolus, Harvest, Phase, Profile, Recipe
from twin.signals import ROLES, Signal

FORMAT, VERSION = "twinworks-artifact", 1
MAX_BYTES = 256_000_000
_PARTS = ("manifest", "system", "parameters")
_RECIPE_KINDS: dict[str, Any] = {c.__name__: c for c in (Profile, PID, Bolus, Harvest, Assign, Phase, Recipe)}


@dataclasses.dataclass(frozen=True)
class ParameterFact:
    """What is known of one parameter field."""

    name: str
    unit: str
    lower: float | None
    upper: float | None
    scale: str
    source: str
    doc: str


@dataclasses.dataclass(frozen=True, eq=False)
class StoredModel:
    """A model read from an artifact; the verbs take it like any other model.

    Attributes
    ----------
    title
        Name of the class that was stored.
    system
        The lowered programs.
    info
        Library version, time of storing in UTC, class path (information only), hash of the data, note.
    """

    title: str
    time_unit: str
    system: Any = dataclasses.field(repr=False)
    rows: Mapping[str, tuple[Row, ...]] = dataclasses.field(repr=False)
    names: tuple[str, ...] = dataclasses.field(repr=False)
    values: tuple[float, ...] = dataclasses.field(repr=False)
    facts: tuple[ParameterFact, ...] = dataclasses.field(repr=False)
    start: Mapping[str, Any] = dataclasses.field(repr=False)
    plan: Recipe | None = dataclasses.field(repr=False)
    info: Mapping[str, Any] = dataclasses.field(repr=False)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals, role by role."""
        return tuple(r.signal for role in ROLES for r in self.layout(role))

    def of_role(self, role: str) -> tuple[Signal, ...]:
        """Signals of one role."""
        return tuple(r.signal for r in self.layout(role))

    def layout(self, role: str) -> tuple[Row, ...]:
        """Where each signal lies in the flat vector of its role."""
        return self.rows.get(role, ())

    def size(self, role: str) -> int:
        """Length of the flat vector of a role."""
        return sum(r.count for r in self.layout(role))

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the entries of the parameter vector."""
        return self.names

    def parameter_vector(self) -> list[float]:
        """Parameters and weights, in the order of `parameter_names`."""
        return list(self.values)

    def parameter_facts(self) -> dict[str, tuple[str, float | None, float | None]]:
        """Unit, lower and upper bound of each parameter by name."""
        return {f.name: (f.unit, f.lower, f.upper) for f in self.facts}

    def initial(self) -> Mapping[str, Any]:
        """Initial states by name."""
        return self.start

    def recipe(self) -> Recipe | None:
        """The documented operation of the model, or None."""
        return self.plan


def save(path: str | Path, model: Any, *, data: Any = None, note: str = "") -> Path:
    """Store a model in one HDF5 file that runs without its class and without JAX.

    Parameters
    ----------
    path
        Where to; an older file there is replaced in one step.
    model
        A model, with its parameters and learned weights, or a stored one.
    data
        `twin.Data` that the parameters come from or were held against: its hash is stored, not its values.
    note
        Anything a reader should know.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    StorageError
        Where the file cannot be written.
    """
    import h5py
    import numpy as np

    manifest = json.dumps(_manifest(model, data, note), sort_keys=True).encode()
    parts = {"manifest": manifest, "system": _system(model).to_json().encode(),
             "parameters": np.asarray(model.parameter_vector(), dtype="<f8").tobytes()}

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs.update(format=FORMAT, version=VERSION, sha256=_checksum(parts))
            for name, content in parts.items():
                pressed = {"compression": "gzip", "shuffle": True} if len(content) > 4096 else {}
                file.create_dataset(name, data=np.frombuffer(content, dtype=np.uint8), **pressed)

    return replace_file(path, write)


def load(path: str | Path, model: Any = None) -> Any:
    """Read a stored model.

    Parameters
    ----------
    path
        A file written by `twin.save`.
    model
        The class (or an instance with the same learned terms) to put the stored parameters and weights into, for
        calibration and editing; without it, the result simulates from the stored programs alone.

    Returns
    -------
    StoredModel
        Or an instance of the class given.

    Raises
    ------
    StorageError
        Where the file is missing, damaged, foreign or from a newer version.
    SpecError
        Where the class given has other signals or parameters than the stored model.
    """
    parts = _read(Path(path))
    try:
        stored = _stored(json.loads(parts["manifest"]), parts["system"].decode(), parts["parameters"])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, errors.SpecError) as e:
        raise errors.StorageError(f"{path} holds a model that is not consistent ({e}). It was changed after it was stored. "
                                  "Store the model again.") from e
    return stored if model is None else _into(stored, model, path)


def data_hash(data: Any) -> str:
    """SHA-256 of all runs: names, series, units, times and values."""
    import numpy as np

    digest = hashlib.sha256()
    for run in data:
        digest.update(f"{run.name}\0".encode())
        for series in run.series.values() if isinstance(run.series, Mapping) else run.series:
            digest.update(f"{series.name}\0{series.unit}\0".encode())
            for column in (series.times, series.values):
                digest.update(np.ascontiguousarray(np.asarray(column, dtype="<f8")).tobytes())
    return digest.hexdigest()


def _system(model: Any) -> Any:
    system = getattr(model, "system", None)
    if system is not None:
        return system
    from twin.lowering.system import system_of

    return system_of(model)


def _checksum(parts: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in _PARTS:
        digest.update(hashlib.sha256(parts[name]).digest())
    return digest.hexdigest()


def _manifest(model: Any, data: Any, note: str) -> dict[str, Any]:
    import datetime

    import twin

    kind = type(model)
    if isinstance(model, StoredModel):
        facts, title, source = model.facts, model.title, model.info.get("class", "")
    else:
        facts, title, source = _facts(model), kind.__name__, f"{kind.__module__}.{kind.__qualname__}"
    start = {k: _plain(v) for k, v in model.initial().items()} if hasattr(model, "initial") else {}
    plan = model.recipe() if hasattr(model, "recipe") else None
    rows = {role: [{"signal": dataclasses.asdict(r.signal), "start": r.start, "step": r.step, "count": r.count,
                    "shape": list(r.shape)} for r in model.layout(role)] for role in ROLES}
    info = {"library": twin.__version__, "stored": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "class": source, "data_sha256": data_hash(data) if data is not None else "", "note": note}
    return {"title": title, "time_unit": model.time_unit, "rows": rows, "names": list(model.parameter_names()),
            "facts": [dataclasses.asdict(f) for f in facts], "start": start, "plan": _recipe_out(plan), "info": info}


def _facts(model: Any) -> tuple[ParameterFact, ...]:
    return tuple(ParameterFact(f.name, f.metadata["unit"], *f.metadata["bounds"], f.metadata["scale"], f.metadata["source"],
                               f.metadata["doc"])
                 for f in dataclasses.fields(model) if f.metadata.get("kind") == "parameter")


def _plain(value: Any) -> Any:
    return [float(v) for v in value] if getattr(value, "shape", ()) or isinstance(value, list | tuple) else float(value)


def _read(path: Path) -> dict[str, bytes]:
    import h5py

    foreign = f"{path} is not a stored model, or it is truncated. Expected a file written by twin.save. Store the model again."
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise errors.StorageError(foreign)
            version = int(file.attrs["version"])
            if version > VERSION:
                raise errors.StorageError(f"{path} has artifact version {version}; this library reads up to {VERSION}. "
                                          "Update twinworks.")
            parts = {name: _dataset(file, name, path) for name in _PARTS}
            expected = str(file.attrs["sha256"])
    except errors.StorageError:
        raise
    except FileNotFoundError as e:
        raise errors.StorageError(f"{path} does not exist. Expected a file written by twin.save. Check the path.") from e
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as e:
        raise errors.StorageError(foreign) from e
    if _checksum(parts) != expected:
        raise errors.StorageError(f"{path} is damaged: its checksum does not match its content. Store the model again, or "
                                  "restore the file from a backup.")
    return parts


def _dataset(file: Any, name: str, path: Path) -> bytes:
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise errors.StorageError(f"{path} has no '{name}' of its own. Expected a file written by twin.save. Store the model "
                                  "again.")
    found = file[name]
    whole = isinstance(found, h5py.Dataset) and found.dtype == "uint8" and found.ndim == 1
    if not whole or found.is_virtual or found.external or found.size > MAX_BYTES:
        raise errors.StorageError(f"'{name}' in {path} is not a list of at most {MAX_BYTES} bytes inside the file. Store the "
                                  "model again.")
    return bytes(found[()].tobytes())


def _stored(raw: Mapping[str, Any], system_text: str, values: bytes) -> StoredModel:
    import numpy as np

    from twin.lowering.system import System
    from twin.lowering.verify import verify_system

    rows = {role: tuple(_row(r, role) for r in raw["rows"][role]) for role in ROLES}
    system = System.from_json(system_text)
    verify_system(system, {role: sum(r.count for r in rows[role]) for role in ROLES}, len(raw["names"]))
    p = np.frombuffer(values, dtype="<f8")
    if len(p) != len(raw["names"]):
        raise ValueError(f"{len(p)} parameter values for {len(raw['names'])} names")
    facts = tuple(ParameterFact(**f) for f in raw["facts"])
    return StoredModel(str(raw["title"]), str(raw["time_unit"]), system, rows, tuple(map(str, raw["names"])),
                       tuple(float(v) for v in p), facts, dict(raw["start"]), _recipe_in(raw["plan"]), dict(raw["info"]))


def _row(raw: Mapping[str, Any], role: str) -> Row:
    fields = {**raw["signal"], "shape": tuple(raw["signal"]["shape"])}
    signal = Signal(**fields)
    if signal.role != role:
        raise ValueError(f"{signal.name} is stored as {role} and says {signal.role}")
    row = Row(signal, int(raw["start"]), int(raw["step"]), int(raw["count"]), tuple(int(n) for n in raw["shape"]))
    if row.start < 0 or row.step < 1 or row.count != math.prod(row.shape):
        raise ValueError(f"{signal.name} lies at {row.start} step {row.step} count {row.count}")
    return row


def _recipe_out(value: Any) -> Any:
    if type(value).__name__ in _RECIPE_KINDS and dataclasses.is_dataclass(value):
        fields = {f.name: _recipe_out(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {"kind": "map", "of": {k: _recipe_out(v) for k, v in value.items()}}
    if isinstance(value, list | tuple):
        return [_recipe_out(v) for v in value]
    return value


def _recipe_in(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_recipe_in(v) for v in value)
    if not isinstance(value, dict):
        return value
    kind = value["kind"]
    if kind == "map":
        return {k: _recipe_in(v) for k, v in value["of"].items()}
    return _RECIPE_KINDS[kind](**{k: _recipe_in(v) for k, v in value.items() if k != "kind"})


def _into(stored: StoredModel, model: Any, path: str | Path) -> Any:
    import numpy as np

    from twin import module

    target = model.example() if isinstance(model, type) else model
    kind = type(target).__name__
    for role in ROLES:
        ours, theirs = [(r.signal.name, r.count) for r in target.layout(role)], [(r.signal.name, r.count)
                                                                                 for r in stored.layout(role)]
        if ours != theirs:
            odd = sorted({n for n, _ in set(ours) ^ set(theirs)})
            raise errors.SpecError(f"{kind} does not fit {path}, which holds a {stored.title}: {role} {', '.join(odd)} "
                                   "differs. Name the class that was stored.")
    if tuple(target.parameter_names()) != stored.names:
        odd = sorted(set(target.parameter_names()) ^ set(stored.names))
        raise errors.SpecError(f"The parameters of {kind} are not those of {path}: {', '.join(odd[:5]) or 'another order'}. "
                               "Give an instance with the same learned terms.")
    at = 0

    def take(leaf: Any) -> Any:
        nonlocal at
        n, shape = module.size(leaf), getattr(leaf, "shape", ())
        part = stored.values[at:at + n]
        at += n
        return np.asarray(part).reshape(shape) if shape else part[0]

    return module.rebuild(target, take)
