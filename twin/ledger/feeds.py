"""What feeds a ledger: simulated runs, plans with a start and an end of each task, tables with one row a period."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from twin import errors, units
from twin.ledger.accounting import Activity


def activities(source: Any, factors: Mapping[str, str], *, every: float | str = 1.0, unit: Mapping[str, str] | None = None,
               product: str | Mapping[str, float] | None = None, product_column: str | None = None,
               uncertainty: float | Mapping[str, float] = 0.0, hours_per_time: float = 1.0) -> list[Activity]:
    """Activities of a ledger from a run, a plan or a table.

    Parameters
    ----------
    source
        A `twin.Trajectory`, whose signals are rates: they are integrated (by trapezoids between output times) over periods of
        length `every` from its first time on, those on cells summed. Or a DataFrame with columns "start" and "end": one row a
        task, as in the frame of a schedule; the named columns are rates that hold during the task. Or any other DataFrame: one
        row a period.
    factors
        {signal or column: name of the emission factor}.
    every
        Length of a period: hours, or text such as "15 min".
    unit
        {column: unit}; signals of a run bring their own. Needed for DataFrames.
    product
        As in `Activity`, for all.
    product_column
        Column of a task table that names the product of each task.
    uncertainty
        Standard uncertainty of the meters as a share, for all or {signal or column: share}.
    hours_per_time
        Hours in one unit of "start" and "end".

    Returns
    -------
    list of Activity
        One for each signal or column, and product.

    Raises
    ------
    twin.errors.SpecError, twin.errors.UnitError
        For unknown signals and columns, missing units, a task that ends before it starts.

    Examples
    --------
    >>> import pandas as pd
    >>> tasks = pd.DataFrame({"start": [0, 1], "end": [1.5, 2], "power": [10.0, 4.0], "order": ["A", "B"]})
    >>> made = activities(tasks, {"power": "grid China"}, unit={"power": "MW"}, product_column="order")
    >>> [(a.name, a.product, a.amount.tolist()) for a in made]
    [('power', 'A', [10.0, 5.0]), ('power', 'B', [0.0, 4.0])]
    """
    hours = units.to_model_unit("every", every, "h")
    if not (math.isfinite(hours) and hours > 0):
        raise errors.out_of_range("every", hours, "h", 0, None, "Give the length of a period.")
    made: list[Activity] = []
    if hasattr(source, "raw_times"):
        rows = [(n, source.unit(n), None, _mean_rates(source, n, hours)) for n in factors]
    elif {"start", "end"} <= set(getattr(source, "columns", ())):
        rows = [r for n in factors for r in _of_tasks(source, n, hours, _unit(unit, n), product_column, hours_per_time)]
    elif hasattr(source, "columns"):
        rows = [(n, _unit(unit, n), None, _column(source, n).to_numpy(dtype=float)) for n in factors]
    else:
        raise errors.SpecError(f"The source is a {type(source).__name__}. Expected a Trajectory or a DataFrame.")
    for name, measured, whose, amount in rows:
        sure = uncertainty.get(name, 0.0) if isinstance(uncertainty, Mapping) else uncertainty
        made.append(Activity(name=name, factor=factors[name], amount=amount, unit=measured, product=whose or product,
                             uncertainty=sure))
    return made


def _unit(given: Mapping[str, str] | None, name: str) -> str:
    if not given or name not in given:
        raise errors.UnitError(f"Column '{name}' has no unit. Add it: unit={{'{name}': 'MW'}}.", name=name)
    return given[name]


def _column(frame: Any, name: str) -> Any:
    if name not in frame.columns:
        raise errors.unknown("column", name, "the table", [str(c) for c in frame.columns])
    return frame[name]


def _mean_rates(run: Any, name: str, hours: float) -> Any:
    """Mean of a signal over each period; a last period that is not full counts with zero beyond the end."""
    import numpy as np

    values = run[name]
    values = values.reshape(len(values), -1).sum(axis=1)
    t = (run.times - run.times[0]) * units.factor(run.time_unit, "h")
    if len(t) < 2:
        raise errors.SpecError(f"The run has {len(t)} output times. Expected two at least, to integrate '{name}'.")
    whole = np.concatenate([[0.0], np.cumsum(0.5 * (values[1:] + values[:-1]) * np.diff(t))])
    count = max(1, math.ceil(t[-1] / hours - 1e-9))
    edges = np.minimum(hours * np.arange(count + 1), t[-1])
    at = np.clip(np.searchsorted(t, edges, side="right") - 1, 0, len(t) - 2)
    since = edges - t[at]
    slope = np.divide(values[at + 1] - values[at], t[at + 1] - t[at], out=np.zeros(len(at)), where=t[at + 1] > t[at])
    return np.diff(whole[at] + since * (values[at] + 0.5 * slope * since)) / hours


def _of_tasks(frame: Any, name: str, hours: float, unit: str, product_column: str | None, scale: float) -> list[tuple[Any, ...]]:
    """Mean rate in each period, of each product."""
    import numpy as np

    start, end, rate = (_column(frame, c).to_numpy(dtype=float) for c in ("start", "end", name))
    start, end = start * scale, end * scale
    wrong = ~((start >= 0) & (end >= start))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise errors.SpecError(f"Task {k} starts at {start[k]:g} h and ends at {end[k]:g} h. Expected 0 <= start <= end.")
    edges = hours * np.arange(max(1, math.ceil(end.max(initial=0.0) / hours - 1e-9)) + 1)
    within = np.clip(np.minimum(end[:, None], edges[None, 1:]) - np.maximum(start[:, None], edges[None, :-1]), 0.0, None) / hours
    whose = np.full(len(frame), None, dtype=object) if product_column is None else _column(frame,
                                                                                           product_column).astype(str).to_numpy()
    return [(name, unit, p, (rate[:, None] * within)[whose == p].sum(axis=0)) for p in dict.fromkeys(whose)]
