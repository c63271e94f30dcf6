"""Artifacts: a model as data in one HDF5 file, that runs without its class and without JAX.

`save` stores the lowered programs, the layout, the table of signals and parameters with their units, the values,
versions and a hash of the data. `load` reads them back: nothing in the file is executed, imported or looked up by
name, and every program is verified before a kernel is made of it. The checksum finds damage; it is not a signature.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin import errors
from twin.files import replace_file
from twin.model import Row
from twin.recipe import PID, Assign, Bolus, Harvest, Phase, Profile, Recipe
from twin.signals import Signal

FORMAT, VERSION = "twinworks-artifact", 1
MAX_BYTES = 256_000_000
_PARTS = ("manifest", "system")
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
    system
        The lowered programs, the layout, the parameters and their values.
    facts
        Units, bounds and sources of the parameter fields.
    info
        Library version, time of storing in UTC, class path (information only), hash of the data, note.
    """

    system: Any = dataclasses.field(repr=False)
    facts: tuple[ParameterFact, ...] = dataclasses.field(repr=False)
    plan: Recipe | None = dataclasses.field(repr=False)
    info: Mapping[str, Any] = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        return f"StoredModel({self.title}, stored {self.info.get('stored')}, twinworks {self.info.get('library')})"

    @property
    def title(self) -> str:
        """Name of the class that was stored."""
        return str(self.system.name)

    @property
    def time_unit(self) -> str:
        """Unit of all times."""
        return str(self.system.time_unit)

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals, role by role."""
        return tuple(self.system.signals)

    def of_role(self, role: str) -> tuple[Signal, ...]:
        """Signals of one role."""
        return tuple(self.system.of_role(role))

    def layout(self, role: str) -> tuple[Row, ...]:
        """Where each signal lies in the flat vector of its role."""
        return tuple(self.system.layout(role))

    def size(self, role: str) -> int:
        """Length of the flat vector of a role."""
        return int(self.system.size(role))

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the entries of the parameter vector."""
        return tuple(self.system.parameter_names())

    def parameter_vector(self) -> list[float]:
        """Parameters and weights, in the order of `parameter_names`."""
        return list(self.system.parameter_vector())

    def parameter_facts(self) -> dict[str, tuple[str, float | None, float | None]]:
        """Unit, lower and upper bound of each parameter by name."""
        return {f.name: (f.unit, f.lower, f.upper) for f in self.facts}

    def initial(self) -> Mapping[str, Any]:
        """Initial states by name."""
        return dict(self.system.initial)

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
    parts = {"manifest": manifest, "system": _system_text(model).encode()}

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
        stored = _stored(json.loads(parts["manifest"]), parts["system"].decode())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, errors.SpecError) as e:
        raise errors.StorageError(f"{path} holds a model that is not consistent ({e}). It was changed after it was "
                                  "stored. Store the model again.") from e
    return stored if model is None else _into(stored, model, path)


def as_stored(model: Any) -> StoredModel:
    """The model as `load` would give it, without a file: lowered once, then simulated any number of times."""
    from twin.lowering.system import system_of

    if isinstance(model, StoredModel):
        return model
    plan = model.recipe() if hasattr(model, "recipe") else None
    return StoredModel(system_of(model), _facts(model), plan, {})


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


def _system_text(model: Any) -> str:
    """The system with every program that its equations can be lowered to."""
    from twin.lowering.system import PROGRAMS, system_of

    system = system_of(model)
    held = []
    for name in PROGRAMS:
        try:
            system.program(name)
            held.append(name)
        except errors.LoweringError:
            if name in ("rhs", "jacobian", "outputs"):
                raise
    return str(system.to_json(tuple(held)))


def _checksum(parts: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in _PARTS:
        digest.update(hashlib.sha256(parts[name]).digest())
    return digest.hexdigest()


def _manifest(model: Any, data: Any, note: str) -> dict[str, Any]:
    import datetime

    import twin

    kind = type(model)
    stored = isinstance(model, StoredModel)
    facts = model.facts if stored else _facts(model)
    source = model.info.get("class", "") if stored else f"{kind.__module__}.{kind.__qualname__}"
    info = {"library": twin.__version__, "stored": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "class": source, "data_sha256": data_hash(data) if data is not None else "", "note": note}
    plan = model.recipe() if hasattr(model, "recipe") else None
    return {"facts": [dataclasses.asdict(f) for f in facts], "plan": _recipe_out(plan), "info": info}


def _facts(model: Any) -> tuple[ParameterFact, ...]:
    found = []
    for f in dataclasses.fields(model):
        m = f.metadata
        if m.get("kind") == "parameter":
            lower, upper = m["bounds"]
            found.append(ParameterFact(f.name, m["unit"], lower, upper, m["scale"], m["source"], m["doc"]))
    return tuple(found)


def _read(path: Path) -> dict[str, bytes]:
    import h5py

    foreign = (f"{path} is not a stored model, or it is truncated. Expected a file written by twin.save. "
               "Store the model again.")
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
        raise errors.StorageError(f"{path} does not exist. Expected a file written by twin.save. Check the "
                                  "path.") from e
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as e:
        raise errors.StorageError(foreign) from e
    if _checksum(parts) != expected:
        raise errors.StorageError(f"{path} is damaged: its checksum does not match its content. Store the model "
                                  "again, or restore the file from a backup.")
    return parts


def _dataset(file: Any, name: str, path: Path) -> bytes:
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise errors.StorageError(f"{path} has no '{name}' of its own. Expected a file written by twin.save. Store "
                                  "the model again.")
    found = file[name]
    whole = isinstance(found, h5py.Dataset) and found.dtype == "uint8" and found.ndim == 1
    if not whole or found.is_virtual or found.external or found.size > MAX_BYTES:
        raise errors.StorageError(f"'{name}' in {path} is not a list of at most {MAX_BYTES} bytes inside the file. "
                                  "Store the model again.")
    return bytes(found[()].tobytes())


def _stored(raw: Mapping[str, Any], system_text: str) -> StoredModel:
    from twin.lowering.system import System
    from twin.lowering.verify import verify_system

    system = System.from_json(system_text)
    verify_system(system)
    facts = tuple(ParameterFact(**f) for f in raw["facts"])
    return StoredModel(system, facts, _recipe_in(raw["plan"]), dict(raw["info"]))


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
    from twin.signals import ROLES

    target: Any = getattr(model, "example", model)() if isinstance(model, type) else model
    kind = type(target).__name__
    for role in ROLES:
        ours, theirs = [(r.signal.name, r.count) for r in target.layout(role)], [(r.signal.name, r.count)
                                                                                 for r in stored.layout(role)]
        if ours != theirs:
            odd = sorted({n for n, _ in set(ours) ^ set(theirs)})
            raise errors.SpecError(f"{kind} does not fit {path}, which holds a {stored.title}: {role} {', '.join(odd)} "
                                   "differs. Name the class that was stored.")
    if tuple(target.parameter_names()) != stored.parameter_names():
        odd = sorted(set(target.parameter_names()) ^ set(stored.parameter_names()))
        raise errors.SpecError(f"The parameters of {kind} are not those of {path}: "
                               f"{', '.join(odd[:5]) or 'another order'}. Give an instance with the same learned "
                               "terms.")
    values, at = stored.parameter_vector(), 0

    def take(leaf: Any) -> Any:
        nonlocal at
        n, shape = module.size(leaf), getattr(leaf, "shape", ())
        part = values[at:at + n]
        at += n
        return np.asarray(part).reshape(shape) if shape else part[0]

    return module.rebuild(target, take)
