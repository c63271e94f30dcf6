"""A plan from tables: DataFrames, lists of rows, or CSV files with a row a mode, an order, a unit."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizers.schedule.plant import Buffer, Changeover, Crew, PowerStates, Unit, Window
from optimizers.schedule.work import Campaign, Link, Mode, Order, Task
from twin import errors

if TYPE_CHECKING:
    from optimizers.schedule.problem import Schedule

# Columns of each table: name -> needed
COLUMNS: dict[str, dict[str, bool]] = {
    "tasks": {"order": True, "task": True, "unit": True, "duration": True, "power": False, "cost": False, "family": False,
              "crews": False},
    "orders": {"order": True, "release": False, "due": False, "deadline": False, "weight": False, "family": False},
    "links": {"before": True, "after": True, "min_wait": False, "max_wait": False, "buffer": False},
    "units": {"unit": True, "group": False, "set_for": False, "idle": False, "on_time": False, "on_power": False,
              "off_time": False, "off_power": False},
    "closed": {"unit": True, "start": True, "end": True, "reason": False},
    "changeovers": {"unit": True, "before": True, "after": True, "time": True, "cost": False},
    "campaigns": {"campaign": True, "task": True, "setup": False},
    "crews": {"crew": True, "size": True},
    "absences": {"crew": True, "start": True, "end": True, "number": True, "reason": False},
    "buffers": {"buffer": True, "places": True},
    "prices": {"price": True},
}
WORDS = {"order", "task", "unit", "family", "before", "after", "reason", "campaign", "crews", "buffer", "group", "set_for",
         "crew"}
WHOLE = {"size", "number", "places"}
STATES = ("idle", "on_time", "on_power", "off_time", "off_power")
Rows = Sequence[Mapping[str, Any]]


def schedule_from_tables(tables: Mapping[str, Any], **attributes: Any) -> Schedule:
    """A plan from tables.

    Parameters
    ----------
    tables
        Each is a pandas DataFrame, a list of mappings, or the path of a CSV file, by name:
        "tasks" (order, task, unit, duration, power, cost, family, crews; a row for each mode, tasks of an order in the order
        of their rows; crews as "fitter: 2; driver", 1 where no number stands), "orders" (order, release, due, deadline,
        weight, family), "links" (before, after, min_wait, max_wait, buffer between full names "order/task"; an order with a
        link of its own is not chained by itself), "units" (unit, group; set_for: the family that it is set for at the start;
        idle, on_time, on_power, off_time, off_power: its power states), "closed" (unit, start, end, reason), "changeovers"
        (unit, before, after, time, cost), "campaigns" (campaign, task, setup), "crews" (crew, size), "absences" (crew, start,
        end, number, reason), "buffers" (buffer, places), "prices" (price). Only "tasks" is needed; where there is a table
        "units", it has a row for every unit.
    attributes
        Further attributes of `Schedule`: `goal`, `step`, `horizon` and so on.

    Returns
    -------
    Schedule
        The plan.

    Raises
    ------
    twin.errors.SpecError, twin.errors.DataError
        A table or column is unknown or missing, or a value is not a number; with its table and row.

    Examples
    --------
    >>> rows = [{"order": "A", "task": "cut", "unit": "saw", "duration": 3}]
    >>> plan = schedule_from_tables({"tasks": rows, "orders": [{"order": "A", "due": 9}]})
    >>> list(plan.tasks), plan.orders[0].due
    (['A/cut'], 9.0)
    """
    from optimizers.schedule.problem import Schedule

    for name in tables:
        if name not in COLUMNS:
            raise errors.unknown("table", name, "the plan", COLUMNS)
    if "tasks" not in tables:
        raise errors.SpecError("The plan has no table 'tasks'. Expected one with the columns order, task, unit, duration.")
    read = {name: list(_rows(name, tables[name])) if name in tables else [] for name in COLUMNS}
    orders, between = _orders(read)
    units = _units(read)
    groups: dict[str, list[str]] = {}
    setups: dict[str, float] = {}
    for row in read["campaigns"]:
        groups.setdefault(row["campaign"], []).append(row["task"])
        setups[row["campaign"]] = row.get("setup", 0.0)
    shared = {"links": between, "campaigns": [Campaign(c, tasks, setups[c]) for c, tasks in groups.items()],
              "crews": _crews(read), "buffers": [Buffer(row["buffer"], row["places"]) for row in read["buffers"]],
              "prices": [row["price"] for row in read["prices"]]}
    return Schedule(units, orders, **{**shared, **attributes})


def _orders(read: Mapping[str, Rows]) -> tuple[list[Order], list[Link]]:
    """Orders with their tasks and links, and the links between orders."""
    modes: dict[str, dict[str, list[Mode]]] = {}
    families: dict[tuple[str, str], str] = {}
    for k, row in enumerate(read["tasks"], 1):
        mode = Mode(row["unit"], row["duration"], row.get("power", 0.0), row.get("cost", 0.0), _needs(k, row.get("crews", "")))
        modes.setdefault(row["order"], {}).setdefault(row["task"], []).append(mode)
        families[row["order"], row["task"]] = row.get("family", "")
    known = {row["order"]: row for row in read["orders"]}
    for name in known:
        if name not in modes:
            raise errors.SpecError(f"The order '{name}' has no rows in the table 'tasks'. Expected one for each mode of its "
                                   "tasks.")
    own: dict[str, list[Link]] = {}
    between = []
    for row in read["links"]:
        a, b = row["before"].rpartition("/"), row["after"].rpartition("/")
        within = a[0] == b[0]
        link = Link(a[2] if within else row["before"], b[2] if within else row["after"], row.get("min_wait", 0.0),
                    row.get("max_wait"), buffer=row.get("buffer", ""))
        if within:
            own.setdefault(a[0], []).append(link)
        else:
            between.append(link)
    orders = []
    for name, tasks in modes.items():
        row = known.get(name, {})
        orders.append(Order(name, [Task(t, m, families[name, t]) for t, m in tasks.items()], own.get(name),
                            row.get("release", 0.0),
                            row.get("due"), row.get("deadline"), row.get("weight", 1.0), row.get("family", "")))
    return orders, between


def _needs(row: int, text: str) -> dict[str, int]:
    """Crews of a mode, from "fitter: 2; driver"."""
    found = {}
    for part in filter(None, (p.strip() for p in text.split(";"))):
        name, _, number = part.partition(":")
        if not name.strip() or (number and not number.strip().isdigit()):
            raise errors.DataError(f"Row {row} of the table 'tasks' has '{text}' as crews. Expected names with numbers, such as "
                                   "'fitter: 2; driver'.")
        found[name.strip()] = int(number) if number else 1
    return found


def _units(read: Mapping[str, Rows]) -> list[Unit]:
    """Units in the order of the table 'units', or of their first task."""
    used = dict.fromkeys(row["unit"] for row in read["tasks"])
    described = {row["unit"]: row for row in read["units"]}
    if described:
        for name in used:
            if name not in described:
                raise errors.unknown("unit", name, "the table 'tasks', while the table 'units' is given", described)
    names = {**described, **used}
    closed: dict[str, list[Window]] = {}
    changes: dict[str, tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]] = {}
    for table in ("closed", "changeovers"):
        for row in read[table]:
            if row["unit"] not in names:
                raise errors.unknown("unit", row["unit"], f"the table '{table}'", names)
    for row in read["closed"]:
        closed.setdefault(row["unit"], []).append(Window(row["start"], row["end"], row.get("reason", "")))
    for row in read["changeovers"]:
        times, costs = changes.setdefault(row["unit"], ({}, {}))
        times[row["before"], row["after"]] = row["time"]
        costs[row["before"], row["after"]] = row.get("cost", 0.0)
    units = []
    for name in names:
        row = described.get(name, {})
        change = Changeover(*changes[name], initial=row.get("set_for", "")) if name in changes else None
        if row.get("set_for") and change is None:
            raise errors.SpecError(f"The unit '{name}' is set for '{row['set_for']}' at the start, and there are no "
                                   "changeovers for it. Expected rows for it in the table 'changeovers'.")
        states = {key: row[key] for key in STATES if key in row}
        if states and "idle" not in states:
            raise errors.SpecError(f"The unit '{name}' has {', '.join(states)} and no idle power. Expected what it draws while "
                                   "it stands ready as `idle`.")
        units.append(Unit(name, tuple(closed.get(name, ())), change, PowerStates(**states) if states else None,
                          row.get("group", "")))
    return units


def _crews(read: Mapping[str, Rows]) -> list[Crew]:
    """Crews with the times when some are away."""
    sizes = {row["crew"]: row["size"] for row in read["crews"]}
    away: dict[str, list[tuple[Window, int]]] = {}
    for row in read["absences"]:
        if row["crew"] not in sizes:
            raise errors.unknown("crew", row["crew"], "the table 'absences'", sizes)
        away.setdefault(row["crew"], []).append((Window(row["start"], row["end"], row.get("reason", "")), row["number"]))
    return [Crew(name, size, tuple(away.get(name, ()))) for name, size in sizes.items()]


def _rows(name: str, table: Any) -> Iterator[dict[str, Any]]:
    """Rows with the columns of a table, numbers as numbers; empty cells are left out."""
    if isinstance(table, str | Path):
        path = Path(table)
        if not path.is_file():
            raise errors.SpecError(f"The table '{name}' is the file '{path}', which does not exist.")
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                raw: Sequence[Mapping[str, Any]] = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as e:
            raise errors.DataError(f"The table '{name}', file '{path}', cannot be read: {e}. Expected CSV in UTF-8.") from e
    elif hasattr(table, "to_dict"):
        raw = table.to_dict("records")
    else:
        raw = table
    for k, row in enumerate(raw, 1):
        found: dict[str, Any] = {}
        for column, value in row.items():
            if column not in COLUMNS[name]:
                raise errors.unknown("column", str(column), f"the table '{name}'", COLUMNS[name])
            if value is None or value == "" or value != value:
                continue
            if column in WORDS:
                found[column] = str(value)
                continue
            try:
                found[column] = float(value)
                if not math.isfinite(found[column]):
                    raise ValueError
            except (TypeError, ValueError):
                raise errors.DataError(f"Row {k} of the table '{name}' has '{value}' as {column}. Expected a number.") from None
            if column in WHOLE:
                if found[column] < 0 or found[column] != int(found[column]):
                    raise errors.DataError(f"Row {k} of the table '{name}' has '{value}' as {column}. Expected a whole number, 0 "
                                           "or more.")
                found[column] = int(found[column])
        for column, needed in COLUMNS[name].items():
            if needed and column not in found:
                raise errors.DataError(f"Row {k} of the table '{name}' has no {column}. Expected one in every row.")
        yield found
