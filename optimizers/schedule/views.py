"""What people read of a plan: Gantt chart, tables, reasons, files."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.figures import new_figure
from twin.files import replace_file, write_json

if TYPE_CHECKING:
    from optimizers.schedule.problem import Schedule
    from optimizers.solution import Solution

PALETTE = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#997755", "#88AA55")
MOST_COLORS = 8


def to_frame(solution: Solution) -> Any:
    """One row a task: order, task, unit, start, end, family, power, energy cost."""
    import pandas as pd

    plan: Schedule = solution.problem
    rows = []
    for p in _placed(solution):
        mode = plan.tasks[p.task].ways[p.mode]
        order, _, task = p.task.rpartition("/")
        rows.append({"order": order, "task": task, "unit": p.unit, "start": p.start, "end": p.end, "family": plan.family(p.task),
                     f"power [{plan.power_unit}]": mode.power, "energy cost": plan.energy_cost(mode.power, p.start, p.end)})
    return pd.DataFrame(rows)


def resources(solution: Solution) -> Any:
    """What each unit did.

    Parameters
    ----------
    solution
        A solution of a `Schedule`.

    Returns
    -------
    pandas.DataFrame
        One row a unit: tasks; busy, changeover, closed and idle time up to the end of the plan; share of time in use; energy.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Order, Task, Unit
    >>> made = optimizers.solve(optimizers.Schedule([Unit("saw")], [Order("A", [Task("cut", {"saw": 3})], due=2)]))
    >>> float(resources(made).loc[0, "busy"])
    3.0
    """
    import pandas as pd

    plan: Schedule = solution.problem
    placed, rows = _placed(solution), []
    end = max((p.end for p in placed), default=0.0)
    for unit in plan.units:
        own = [p for p in placed if p.unit == unit.name]
        busy = sum(p.end - p.start for p in own)
        closed = sum(max(0.0, min(w.end, end) - max(w.start, plan.now)) for w in unit.closed)
        change = 0.0
        if unit.changeover and own:
            first = unit.changeover.initial
            change = unit.changeover.time(first, plan.family(own[0].task)) if first else 0.0
            change += sum(unit.changeover.time(plan.family(a.task), plan.family(b.task)) for a,
                         b in itertools.pairwise(own))
        energy = sum(plan.tasks[p.task].ways[p.mode].power * (p.end - p.start) * plan.hours for p in own)
        span = end - plan.now
        rows.append({"unit": unit.name, "group": unit.group, "tasks": len(own), "busy": busy, "changeover": change,
                     "closed": closed,
                     "idle": span - busy - change - closed, "use": busy / span if span else 0.0,
                     f"energy [{plan.power_unit} h]": energy})
    return pd.DataFrame(rows)


def _placed(solution: Solution) -> list[Any]:
    if solution.replay is None:
        raise errors.SpecError(f"There is no plan to show. {solution.message}")
    return list(solution.replay.placed)


def table(solution: Solution) -> str:
    """What each unit does, one line a task."""
    plan: Schedule = solution.problem
    placed = _placed(solution)
    lines = [f"Times in {plan.time_unit}"]
    for unit in plan.units:
        own = [p for p in placed if p.unit == unit.name]
        lines.append(f"{unit.name}: " + (", ".join(f"{p.task} {p.start:g}-{p.end:g}" for p in own) or "nothing"))
    return "\n".join(lines)


def plot(solution: Solution, *, path: str | Path | None = None, color: str = "family") -> Any:
    """A Gantt chart, changeovers and closed windows shaded, with the energy price and the load below it; `color` by "family"
    or "order".
    """
    plan: Schedule = solution.problem
    placed = _placed(solution)
    units = [u for u in plan.units if any(p.unit == u.name for p in placed) or u.closed]
    end = max(p.end for p in placed)
    powered = any(m.power for t in plan.tasks.values() for m in t.ways)
    rows = 2 if powered else 1
    figure = new_figure(10, 1.2 + 0.32 * len(units) + (1.9 if powered else 0))
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False,
                           height_ratios=[max(1.0, 0.32 * len(units))] + [1.7] * (rows - 1))[:, 0]
    keys = {p.task: (plan.family(p.task) if color == "family" else plan.order_of[p.task].name) or plan.order_of[p.task].name
            for p in placed}
    names = sorted(set(keys.values()))
    shades = {n: PALETTE[k % len(PALETTE)] for k, n in enumerate(names)}
    chart = axes[0]
    for y, unit in enumerate(units):
        chart.broken_barh([(w.start, min(w.end, max(end, w.start)) - w.start) for w in unit.closed if w.start < end],
                          (y - 0.45, 0.9),
                          facecolor="0.85", hatch="//", edgecolor="0.6", linewidth=0)
        for p in placed:
            if p.unit == unit.name and p.end > p.start:
                chart.broken_barh([(p.start, p.end - p.start)], (y - 0.36, 0.72), facecolor=shades[keys[p.task]],
                                  edgecolor="white",
                                  linewidth=0.6)
                label = plan.order_of[p.task].name
                if (p.end - p.start) / (end - plan.now) > 0.011 * len(label) and len(units) <= 24:
                    chart.text((p.start + p.end) / 2, y, label, ha="center", va="center", fontsize=7, color="white", clip_on=True)
    chart.set_yticks(range(len(units)), [u.name for u in units], fontsize=8)
    chart.invert_yaxis()
    chart.set_xlim(plan.now, end)
    if 1 < len(names) <= MOST_COLORS:
        from matplotlib.patches import Patch

        chart.legend(handles=[Patch(color=shades[n], label=n) for n in names], fontsize=7, ncols=len(names),
                     loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False)
    if powered:
        _load(plan, placed, axes[1], end)
    axes[-1].set_xlabel(f"time [{plan.time_unit}]")
    if path is not None:
        figure.savefig(path, dpi=130)
    return figure


def _load(plan: Schedule, placed: list[Any], axis: Any, end: float) -> None:
    from optimizers.schedule.replaying import steps_of

    levels = steps_of([(p.start, p.end, plan.tasks[p.task].ways[p.mode].power) for p in placed])
    axis.step([t for t, _ in levels], [v for _, v in levels], where="post", color="0.2", linewidth=1)
    axis.fill_between([t for t, _ in levels], [v for _, v in levels], step="post", color="0.8")
    axis.set_ylabel(f"load [{plan.power_unit}]")
    axis.set_ylim(bottom=0)
    if plan.prices:
        price = axis.twinx()
        steps = int(end / plan.step) + 1
        price.step([k * plan.step for k in range(steps)], [plan.prices[min(k, len(plan.prices) - 1)] for k in range(steps)],
                   where="post",
                   color="#AA3377", linewidth=1.2)
        price.set_ylabel(f"price [{plan.currency or 'cost'}/({plan.power_unit} h)]", color="#AA3377", fontsize=8)
        price.set_ylim(bottom=min(0.0, *plan.prices[:steps]))


def lateness(solution: Solution) -> list[str]:
    """Why each late order is late: the chain of waits that ends at its last task.

    Parameters
    ----------
    solution
        A solution of a `Schedule`.

    Returns
    -------
    list of str
        A sentence for each late order.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Order, Task, Unit
    >>> made = optimizers.solve(optimizers.Schedule([Unit("saw")], [Order("A", [Task("cut", {"saw": 3})], due=2)]))
    >>> lateness(made)[0]
    "'A' ends 1 min after its due date 2: it never waits; from its release at 0 its tasks take 3 at least."
    """
    plan: Schedule = solution.problem
    at = {p.task: p for p in _placed(solution)}
    found = []
    for order in plan.orders:
        late = solution.replay.late.get(order.name, 0.0)
        if late <= 0:
            continue
        last = max((f"{order.name}/{t.name}" for t in order.tasks), key=lambda n: at[n].end)
        why = _reason(plan, at, last, order)
        found.append(f"'{order.name}' ends {late:g} {plan.time_unit} after its due date {order.due:g}: {why}.")
    return found


def _reason(plan: Schedule, at: Mapping[str, Any], name: str, order: Any) -> str:
    parts: list[str] = []
    for _ in range(len(at)):
        p = at[name]
        before = [(k, at[k.before]) for k in plan.all_links if k.after == name]
        ready = max([max(order.release, plan.now), *(q.end + k.min_wait for k, q in before)])
        if p.start > ready + 1e-9:
            blocker = max((q for q in at.values() if q.unit == p.unit and q.end <= p.start + 1e-9 and q.task != name),
                          key=lambda q: q.end, default=None)
            closed = [w for w in plan.unit_of[p.unit].closed if w.start < p.start and w.end > ready]
            whys = []
            if blocker is not None and blocker.end > ready:
                whys.append(f"which carries out '{blocker.task}' until {blocker.end:g}")
            if closed:
                whys.append(f"which is closed ({', '.join(str(w) for w in closed)})")
            if whys:
                parts.append(f"'{name}' waits {p.start - ready:g} for '{p.unit}', {' and '.join(whys)}")
            else:
                parts.append(f"'{name}' is held back {p.start - ready:g} on '{p.unit}' by prices, crews, buffers, power or "
                             "later tasks")
        if not before:
            break
        name = max(before, key=lambda e: e[1].end + e[0].min_wait)[0].before
    if not parts:
        least = sum(min(m.duration for m in t.ways) for t in order.tasks)
        return f"it never waits; from its release at {order.release:g} its tasks take {least:g} at least"
    return "; ".join(reversed(parts))


def export(solution: Solution, path: str | Path) -> None:
    """Write a plan to a file, in one step.

    Parameters
    ----------
    solution
        A solution of a `Schedule`, or another one that has a table (`to_frame`), such as of a `Network` or a `Dispatch`.
    path
        `.csv` for its tasks; `.xlsx` for tasks, units, orders and reasons on sheets of their own; `.json` for programs. Of other
        solutions the table alone.

    Raises
    ------
    twin.errors.SpecError
        The name ends otherwise, or there is no plan.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Order, Task, Unit
    >>> made = optimizers.solve(optimizers.Schedule([Unit("saw")], [Order("A", [Task("cut", {"saw": 3})], due=2)]))
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(made, pathlib.Path(folder) / "plan.json")
    """
    target, frame = Path(path), solution.to_frame()
    if frame.index.name is not None:  # times of steps: a column like the others, as text that every program reads
        frame = frame.reset_index()
        first = frame.columns[0]
        frame[first] = frame[first].map(lambda t: t.isoformat(" ") if hasattr(t, "isoformat") else t)
    if target.suffix == ".csv":
        replace_file(target, lambda temporary: frame.to_csv(temporary, index=False))
    elif target.suffix == ".xlsx":
        replace_file(target, lambda temporary: _write_excel(solution, frame, temporary))
    elif target.suffix == ".json":
        write_json(target, {"status": solution.status.name, "objective": solution.objective, "bound": solution.bound,
                            "time_unit": getattr(solution.problem, "time_unit", "h"), "tasks": frame.to_dict("records")})
    else:
        raise errors.SpecError(f"The plan cannot be written to '{target.name}'. Expected a name that ends in .csv, .xlsx or "
                               ".json.")


def _write_excel(solution: Solution, frame: Any, path: Path) -> None:
    import pandas as pd

    try:
        importlib.import_module("openpyxl")
    except ImportError as e:
        raise errors.MissingExtraError("Excel files need openpyxl. Install it with: pip install 'twinworks[excel]'") from e
    with path.open("wb") as file, pd.ExcelWriter(file, engine="openpyxl") as writer:
        frame.to_excel(writer, sheet_name="tasks", index=False)
        if not hasattr(solution.problem, "orders"):
            return
        resources(solution).to_excel(writer, sheet_name="units", index=False)
        orders = [{"order": o.name, "release": o.release, "due": o.due, "late": solution.replay.late.get(o.name, 0.0)}
                  for o in solution.problem.orders]
        pd.DataFrame(orders).to_excel(writer, sheet_name="orders", index=False)
        pd.DataFrame({"reason": lateness(solution)}).to_excel(writer, sheet_name="lateness", index=False)


VIEWS: dict[str, Callable[..., Any]] = {"to_frame": to_frame, "table": table, "plot": plot}
