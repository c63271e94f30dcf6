"""Job: what a job file says, checked against the model it names."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twin import errors
from twin.jobs import kinds, toml
from twin.jobs import steps as jobsteps

ENTRY_POINTS = "twinworks.models"
TOP = ("title", "note", "model", "data", "simulation", "compare", "balances", "output")
FIRST = "first"


@dataclasses.dataclass(frozen=True)
class Tag:
    """One column of the records: its signal, its unit, and a factor with unit ("1 l/kg") where one is needed."""

    column: str
    signal: str
    unit: str
    factor: str = ""
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Balance:
    """A conserved quantity: what the vessel holds, what enters, and what leaves, in `unit`.

    `holds` gives content per amount of each state (a state declared per volume counts with its volume), `enters` and
    `leaves` content per unit of each flow. A content is a product of numbers and names of parameters and signals.
    """

    name: str
    unit: str
    holds: Mapping[str, tuple[float | str, ...]]
    enters: Mapping[str, tuple[float | str, ...]]
    leaves: Mapping[str, tuple[float | str, ...]]
    tolerance: float
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Job:
    """A checked job."""

    path: Path
    title: str
    note: str
    model_name: str
    model: Any
    data_file: Path
    tags: tuple[Tag, ...]
    time_column: str
    time_unit: str
    run_column: str | None
    read_options: Mapping[str, Any]
    initial: Mapping[str, Any]
    inputs: Mapping[str, Any]
    duration: str | float | None
    rtol: float
    refuse_limits: bool
    signals: tuple[str, ...]
    headline: str
    balances: tuple[Balance, ...]
    folder: Path
    steps: tuple[tuple[str, jobsteps.Step, Any], ...] = ()


def read_job(path: str | Path, *, data: str | Path | None = None, output: str | Path | None = None,
             model: Any = None) -> Job:
    """Read and check a job file; nothing in it is executed.

    Parameters
    ----------
    path
        The TOML file. `data.file` is relative to its folder, `output.folder` to the current one.
    data, output
        Records and output folder in place of those of the file.
    model
        A model object in place of the one that the file names.

    Raises
    ------
    SpecError
        With file and line, where something is unknown, missing or of the wrong type.
    StorageError
        Where the file cannot be read.
    """
    path = Path(path)
    top = toml.load(path)
    others = kinds.installed()
    top.only((*TOP, *jobsteps.installed(), *others))
    for key in top.values:
        if key in others:
            raise top.error(f"[{key}] makes this a job of another kind, without a model. Run it with twin.run_job.", key)
    name, built = _model(top, model)
    records = top.table("data", required=True)
    records.only(("file", "time", "runs", "tags", "options"))
    time = records.table("time", required=True)
    time.only(("column", "unit"))
    named = records.get("file", str, required='"records.csv"') if data is None else None
    sim = top.table("simulation")
    sim.only(("initial", "inputs", "duration", "rtol", "limits"))
    limits = sim.get("limits", str, "report")
    sim.choose("value", limits, ("report", "refuse"), "limits")
    signals = {s.name: s for s in built.signals}
    tags = _tags(records.table("tags", required=True), signals)
    compare = top.table("compare")
    compare.only(("signals", "headline"))
    measured = [s.name for s in built.signals if s.role in ("state", "algebraic", "output")]
    for signal in compare.texts("signals"):
        compare.choose("signal", signal, measured, "signals")
    signals_compared = compare.texts("signals") or tuple(t.signal for t in tags if t.signal in measured)
    if not signals_compared:
        raise compare.error("no column gives a state or output of the model: there is nothing to compare.")
    headline = compare.get("headline", str, signals_compared[0])
    compare.choose("compared signal", headline, signals_compared, "headline")
    out = top.table("output")
    out.only(("folder",))
    job = Job(
        path=path, title=top.get("title", str, path.stem), note=top.get("note", str, ""), model_name=name, model=built,
        data_file=Path(data) if data is not None else path.parent / str(named), tags=tags,
        time_column=time.get("column", str, required='"time"'), time_unit=time.get("unit", str, ""),
        run_column=records.get("runs", str), read_options=_options(records.table("options")),
        initial=_values(sim.table("initial"), [s.name for s in built.of_role("state")]),
        inputs=_values(sim.table("inputs"), [s.name for r in ("input", "disturbance") for s in built.of_role(r)]),
        duration=sim.values.get("duration"), rtol=_rtol(sim), refuse_limits=limits == "refuse",
        signals=signals_compared, headline=headline,
        balances=tuple(_balance(top.table("balances").table(key), key, built) for key in top.table("balances").values),
        folder=Path(output) if output is not None else Path(out.get("folder", str, path.stem)))
    return dataclasses.replace(job, steps=jobsteps.read_steps(top, job))


def _model(top: toml.Table, given: Any) -> tuple[str, Any]:
    table = top.table("model", required=True)
    table.only(("name", "parameters"))
    name = table.get("name", str, required='"penicillin"')
    changed = table.table("parameters")
    for key in changed.values:
        changed.get(key, float)
    model = given if given is not None else _from_entry_point(table, name)
    known = [f.name for f in dataclasses.fields(model) if f.metadata.get("kind") == "parameter"]
    changed.only(known)
    try:
        return name, dataclasses.replace(model, **changed.values) if changed.values else model
    except errors.SpecError as e:
        raise changed.error(str(e)) from e


def _from_entry_point(table: toml.Table, name: str) -> Any:
    from importlib.metadata import entry_points

    found = {e.name: e for e in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        message = str(errors.unknown("model", name, "the installed packages", sorted(found)))
        raise table.error(f"{message} Install the package that holds it, or correct the name.", "name")
    return found[name].load().example()


def _tags(table: toml.Table, signals: Mapping[str, Any]) -> tuple[Tag, ...]:
    tags: list[Tag] = []
    for column in table.values:
        row = table.table(column)
        row.only(("signal", "unit", "factor", "note"))
        signal = row.get("signal", str, required=f'"{next(iter(signals))}"')
        row.choose("signal", signal, signals, "signal")
        if signal in [t.signal for t in tags]:
            other = next(t.column for t in tags if t.signal == signal)
            raise row.error(f"'{column}' and '{other}' both give {signal}. Keep one of the two.", "signal")
        unit = row.get("unit", str, required=f'"{signals[signal].unit}"')
        tags.append(Tag(column, signal, unit, row.get("factor", str, ""), row.get("note", str, "")))
    if not tags:
        raise table.error(f'{table.name} is empty. Map a column: COLUMN = {{ signal = "...", unit = "..." }}')
    return tuple(tags)


def _values(table: toml.Table, known: list[str]) -> dict[str, Any]:
    table.only(known)
    for key, value in table.values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise table.error(f"'{key}' of {table.name} is {value!r}. Expected a number or text with unit, as in "
                              "'30 W'.", key)
    return dict(table.values)


def _options(table: toml.Table) -> dict[str, Any]:
    table.only(("delimiter", "decimal", "encoding", "sheet", "time_zone", "time_format", "fold", "repair", "quality_column",
                "quality_codes"))
    return {key: table.get(key, str) for key in table.values}


def _rtol(table: toml.Table) -> float:
    rtol = float(table.get("rtol", float, 1e-8))
    if not 1e-12 <= rtol <= 1e-2:
        raise table.error(f"rtol is {rtol:g}. Expected 1e-12 to 1e-2.", "rtol")
    return rtol


def _balance(table: toml.Table, name: str, model: Any) -> Balance:
    table.only(("unit", "holds", "enters", "leaves", "tolerance", "note"))
    parameters, signals = model.parameter_names(), [s.name for s in model.signals if not s.shape]

    def terms(key: str, known: list[str]) -> dict[str, tuple[float | str, ...]]:
        part = table.table(key)
        part.only(known)
        return {k: _product(part, k, [*parameters, *signals]) for k in part.values}

    states = [s.name for s in model.of_role("state") if not s.shape]
    tolerance = table.get("tolerance", float, 1e-6)
    if not (tolerance > 0 and math.isfinite(tolerance)):
        raise table.error(f"tolerance is {tolerance:g}. Expected a positive share of what was turned "
                          "over.", "tolerance")
    balance = Balance(name, table.get("unit", str, required='"g"'), terms("holds", states), terms("enters", signals),
                      terms("leaves", signals), tolerance, table.get("note", str, ""))
    if not balance.holds:
        raise table.error(f"{table.name} holds nothing. Name the states that hold the quantity under 'holds'.")
    return balance


def _product(table: toml.Table, key: str, known: list[str]) -> tuple[float | str, ...]:
    value = table.values[key]
    factors = tuple(value) if isinstance(value, list) else (value,)
    for factor in factors:
        if isinstance(factor, str):
            table.choose("parameter or signal", factor, known, key)
        elif isinstance(factor, bool) or not isinstance(factor, int | float):
            raise table.error(f"'{key}' of {table.name} is {value!r}. Expected a number, a name, or a list of "
                              "them.", key)
    return factors
