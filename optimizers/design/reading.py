"""Job files with [design]: what is decided, within which limits, beside which reference, at which prices and factors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optimizers.design.problem import Design
from optimizers.steady.setpoints import Setpoints
from twin import errors, measure, units
from twin.cli import models
from twin.jobs.toml import Table

TOP = ("title", "note", "design", "output")
GOALS = ("maximize", "minimize", "center")
KEYS = ("model", "measure", *GOALS, "parameters", "finer", "options", "inputs", "decisions", "limits", "reference", "prices",
        "ledger",
        "duration", "every", "recipe", "currency", "hours_per_year", "starts", "seed", "max_seconds")
FACTOR_KEYS = ("metric", "factor", "uncertainty", "product", "market")


@dataclasses.dataclass(frozen=True, eq=False)
class DesignJob:
    """A checked job.

    Attributes
    ----------
    problem
        A `Design`, or `Setpoints` where the steady state of the model is judged.
    reference, reference_name
        Decisions of today, and what they are called.
    prices
        {metric: text such as "9 EUR/GJ"}.
    activities
        {name: {"metric": ..., "factor": ...}} of the ledger, for an hour of operation.
    production
        {product: metric}.
    """

    path: Path
    title: str
    note: str
    problem: Any
    reference: Mapping[str, float]
    reference_name: str
    prices: Mapping[str, str]
    currency: str
    hours_per_year: float
    activities: Mapping[str, Mapping[str, Any]]
    production: Mapping[str, str]
    ledger_start: str | None
    options: Mapping[str, Any]
    folder: Path


def read_design(top: Table, output: str | Path | None = None) -> DesignJob:
    """The job that a file with [design] states, checked; the output folder is relative to the current one.

    Raises
    ------
    SpecError
        With file and line, where something is unknown, missing, of the wrong type, or states no design.
    """
    top.only(TOP)
    table = top.table("design", required=True)
    table.only(KEYS)
    model = _model(table)
    judged = _measure(table, model)
    names, ties, reference = _decisions(table)
    limits = _limits(table)
    goals = [g for g in GOALS if g in table.values]
    if len(goals) != 1:
        raise table.error(f"{table.name} has {len(goals)} goals. Expected one: minimize = 'METRIC', maximize = 'METRIC' or "
                          f"center = true.")
    goal = {goals[0]: table.get(goals[0], bool if goals[0] == "center" else str)}
    try:
        if judged is None:
            problem: Any = _steady(table, model, names, limits, goal)
            known = {s.name: s.unit for s in model.signals}
        else:
            finer = _changed(table, "finer", model) if "finer" in table.values else None
            spans = {k: table.values[k] for k in ("duration", "every") if k in table.values}
            problem = Design(model=model, measure=judged, decisions=names, ties=ties, limits=limits, reference=reference or None,
                             finer=finer, recipe=_recipe(table), **spans, **goal)
            known = dict(problem.units)
    except errors.TwinError as e:
        raise table.error(str(e)) from e
    for key in limits:
        if key not in known:
            raise table.table("limits").error(str(errors.unknown("metric", key, "the measure", known)), key)
    if goals[0] != "center":
        table.choose("metric", str(goal[goals[0]]), known, goals[0])
    ledger = table.table("ledger")
    ledger.only(("start", "production", "activities"))
    return DesignJob(
        top.path, top.get("title", str, top.path.stem), top.get("note", str, ""), problem, reference,
        table.table("reference").get("name", str, "today"), _prices(table, known), table.get("currency", str, "EUR"),
        table.get("hours_per_year", float, 8000.0), _activities(ledger, known), _production(ledger, known), ledger.get("start",
                                                                                                                       str),
        {k: table.get(k, float if k == "max_seconds" else int) for k in ("starts", "seed", "max_seconds") if k in table.values},
        Path(output) if output is not None else Path(_output(top)))


def _output(top: Table) -> str:
    out = top.table("output")
    out.only(("folder",))
    return str(out.get("folder", str, top.path.stem))


def _model(table: Table) -> Any:
    name = table.get("model", str, required='"reheating_furnace"')
    try:
        model = models.example(name)
    except errors.SpecError as e:
        raise table.error(f"{e} Install the package that holds it, or correct the name.", "model") from e
    return _changed(table, "parameters", model)


def _changed(table: Table, key: str, model: Any) -> Any:
    """The model with statics and parameters of a table."""
    part = table.table(key)
    part.only([f.name for f in dataclasses.fields(model) if f.metadata.get("kind") in ("parameter", "static")])
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in part.values.items()}
    try:
        return dataclasses.replace(model, **given) if given else model
    except (errors.SpecError, TypeError, ValueError) as e:
        raise part.error(str(e)) from e


def _measure(table: Table, model: Any) -> Any:
    """The measure of the runs; None: the steady state is judged by its outputs."""
    name = table.get("measure", str)
    options = table.table("options")
    if name is None:
        options.only(())
        return None
    try:
        kind = measure.find(name)
    except errors.SpecError as e:
        raise table.error(f"{e} Install the package that holds it, or correct the name.", "measure") from e
    options.only([f.name for f in dataclasses.fields(kind)][1:])
    try:
        return kind(model, **options.values)
    except errors.SpecError as e:
        raise options.error(str(e)) from e


def _decisions(table: Table) -> tuple[dict[str, tuple[float, float]], dict[str, tuple[str, ...]], dict[str, float]]:
    decisions = table.table("decisions", required=True)
    bounds, ties, reference = {}, {}, {}
    for name in decisions.values:
        row = decisions.table(name)
        row.only(("lower", "upper", "reference", "sets"))
        bounds[name] = (_number(row, "lower"), _number(row, "upper"))
        if "sets" in row.values:
            ties[name] = row.texts("sets")
        if "reference" in row.values:
            reference[name] = _number(row, "reference")
    table.table("reference").only(("name",))
    return bounds, ties, reference


def _limits(table: Table) -> dict[str, tuple[float | None, float | None]]:
    limits, part = {}, table.table("limits")
    for name in part.values:
        row = part.table(name)
        row.only(("lower", "upper"))
        limits[name] = tuple(_number(row, k) if k in row.values else None for k in ("lower", "upper"))
    return limits  # type: ignore[return-value]


def _number(table: Table, key: str) -> float:
    value = float(table.get(key, float, required="1.0"))
    if not math.isfinite(value):
        raise table.error(f"'{key}' of {table.name} is {value:g}. Expected a finite number.", key)
    return value


def _recipe(table: Table) -> Any:
    import twin

    if table.get("recipe", str) is None:
        return None
    table.choose("recipe", table.get("recipe", str), ("constant",), "recipe")
    return twin.Recipe.constant()


def _steady(table: Table, model: Any, moves: Mapping[str, Any], limits: Mapping[str, Any], goal: Mapping[str, Any]) -> Setpoints:
    for key in ("duration", "every", "recipe", "finer", "center"):
        if key in table.values:
            raise table.error(f"'{key}' is for runs. Expected it beside measure = ...; without a measure the steady state is "
                              f"judged.", key)
    return Setpoints(model, moves=moves, limits=limits, inputs=dict(table.table("inputs").values), **goal)


def _prices(table: Table, known: Mapping[str, str]) -> dict[str, str]:
    part, currency = table.table("prices"), table.get("currency", str, "EUR")
    part.only(known)
    for name in part.values:
        text = part.get(name, str)
        try:
            hourly(text, known[name], currency, name)
        except errors.SpecError as e:
            raise part.error(str(e), name) from e
    return dict(part.values)


def hourly(price: str, unit: str, currency: str, name: str) -> float:
    """Money an hour of one unit of a metric, by a price such as "9 EUR/GJ".

    Raises
    ------
    UnitError
        Where the metric times the price is no money an hour.
    """
    number, _, per = price.strip().partition(" ")
    try:
        return float(number) * units.factor(f"({unit}) * ({per})", f"{currency}/h", f"price of {name}")
    except ValueError as e:
        raise errors.UnitError(f"The price of {name} ({unit}) is {price!r}: no {currency} an hour. Expected a price of what "
                               f"flows, as in "
                               f"'9 {currency}/GJ' for MW.") from e


def _activities(ledger: Table, known: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    made, part = {}, ledger.table("activities")
    for name in part.values:
        row = part.table(name)
        row.only(FACTOR_KEYS)
        row.choose("metric", row.get("metric", str, required='"power"'), known, "metric")
        row.get("factor", str, required='"natural gas"')
        made[name] = dict(row.values)
    return made


def _production(ledger: Table, known: Mapping[str, str]) -> dict[str, str]:
    part = ledger.table("production")
    for product in part.values:
        part.choose("metric", part.get(product, str), known, product)
    return dict(part.values)
