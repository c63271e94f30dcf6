"""A plan from tables: DataFrames, lists of rows, or CSV files with a row a mode, an order, a unit."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizers.schedule.plant import Changeover, Unit, Window
from optimizers.schedule.work import Campaign, Link, Mode, Order, Task
from twin import errors

if TYPE_CHECKING:
    from optimizers.schedule.problem import Schedule

# Columns of each table: name -> needed
COLUMNS: dict[str, dict[str, bool]] = {
    "tasks": {"order": True, "task": True, "unit": True, "duration": True, "power": False, "cost": False, "family": False},
    "orders": {"order": True, "release": False, "due": False, "deadline": False, "weight": False, "family": False},
    "links": {"before": True, "after": True, "min_wait": False, "max_wait": False},
    "closed": {"unit": True, "start": True, "end": True, "reason": False},
    "changeovers": {"unit": True, "before": True, "after": True, "time": True, "cost": False},
    "campaigns": {"campaign": True, "task": True, "setup": False},
    "prices": {"price": True},
}


def schedule_from_tables(tables: Mapping[str, Any], **attributes: Any) -> Schedule:
    """A plan from tables.

    Parameters
    ----------
    tables
        Each is a pandas DataFrame, a list of mappings, or the path of a CSV file, by name:
        "tasks" (order, task, unit, duration, power, cost, family; a row for each mode, tasks of an order in the order of their
        rows), "orders" (order, release, due, deadline, weight, family), "links" (before, after, min_wait, max_wait between
        full names "order/task"; an order with a link of its own is not chained by itself), "closed" (unit, start, end,
        reason), "changeovers" (unit, before, after, time, cost), "campaigns" (campaign, task, setup), "prices" (price). Only
        "tasks" is needed.
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
    modes: dict[str, dict[str, list[Mode]]] = {}
    families: dict[tuple[str, str], str] = {}
    for row in read["tasks"]:
        mode = Mode(row["unit"], row["duration"], power=row.get("power", 0.0), cost=row.get("cost", 0.0))
        modes.setdefault(row["order"], {}).setdefault(row["task"], []).append(mode)
        families[row["order"], row["task"]] = row.get("family", "")
    known = {row["order"]: row for row in read["orders"]}
    for name in known:
        if name not in modes:
            raise errors.SpecError(f"The order '{name}' has no rows in the table 'tasks'. Expected one for each mode of its "
                                   "tasks.")
    links = [Link(r["before"], r["after"], r.get("min_wait", 0.0), r.get("max_wait")) for r in read["links"]]
    own: dict[str, list[Link]] = {}
    between = []
    for k in links:
        a, b = k.before.rpartition("/"), k.after.rpartition("/")
        if a[0] == b[0]:
            own.setdefault(a[0], []).append(Link(a[2], b[2], k.min_wait, k.max_wait))
        else:
            between.append(k)
    orders = []
    for name, tasks in modes.items():
        row = known.get(name, {})
        orders.append(Order(name, [Task(t, m, families[name, t]) for t, m in tasks.items()], own.get(name),
                            row.get("release", 0.0),
                            row.get("due"), row.get("deadline"), row.get("weight", 1.0), row.get("family", "")))
    closed: dict[str, list[Window]] = {}
    for row in read["closed"]:
        closed.setdefault(row["unit"], []).append(Window(row["start"], row["end"], row.get("reason", "")))
    changes: dict[str, tuple[dict[tuple[str, str], float], dict[tuple[str, str], float]]] = {}
    for row in read["changeovers"]:
        times, costs = changes.setdefault(row["unit"], ({}, {}))
        times[row["before"], row["after"]] = row["time"]
        costs[row["before"], row["after"]] = row.get("cost", 0.0)
    names = list(dict.fromkeys([m.unit for tasks in modes.values() for ms in tasks.values() for m in ms] + [*closed, *changes]))
    units = [Unit(u, closed=tuple(closed.get(u, ())), changeover=Changeover(*changes[u]) if u in changes else None)
             for u in names]
    groups: dict[str, list[str]] = {}
    setups: dict[str, float] = {}
    for row in read["campaigns"]:
        groups.setdefault(row["campaign"], []).append(row["task"])
        setups[row["campaign"]] = row.get("setup", 0.0)
    campaigns = [Campaign(c, tasks, setups[c]) for c, tasks in groups.items()]
    prices = [row["price"] for row in read["prices"]]
    return Schedule(units, orders, **{"links": between, "campaigns": campaigns, "prices": prices, **attributes})


WORDS = {"order", "task", "unit", "family", "before", "after", "reason", "campaign"}


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
        for column, needed in COLUMNS[name].items():
            if needed and column not in found:
                raise errors.DataError(f"Row {k} of the table '{name}' has no {column}. Expected one in every row.")
        yield found
