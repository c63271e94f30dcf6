"""Pictures of an optimal run: inputs and signals with their limits shaded, and where a limit is active."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from optimizers.dynamic import integrals
from optimizers.dynamic.plan import Limit, Plan
from optimizers.solution import Solution
from twin.simulation import plots


def picture(answer: Solution, signals: Sequence[str] | None, title: str | None) -> Any:
    """Figure with one panel a signal."""
    plan, run = answer.details["plan"], answer.replay
    names = list(signals) if signals is not None else _worth(plan, run)
    for name in names:
        run.row(name.partition("[")[0])
    fig, axes = plots.figure(len(names))
    for k, (axis, name) in enumerate(zip(axes, names, strict=True)):
        _panel(axis, answer, name, named=k == 0)
    fig.suptitle(title if title is not None else answer.message.partition(". ")[0], x=0.01, ha="left", fontsize=9)
    return fig


def _worth(plan: Plan, run: Any) -> list[str]:
    """Moved inputs, then what the goal and the limits name, then the other states, nine panels at most."""
    names = [*plan.moved, *(t.place.name for t in plan.terms), *(k.place.name for k in plan.limits), *run.names("state")]
    known = {n for n in names if run.row(n.partition("[")[0]).signal.name}
    counted = {integrals.ELAPSED}
    return [n for n in dict.fromkeys(names) if n in known and n not in counted and not n.startswith(integrals.PREFIX)][:9] \
        or list(run.names("state"))[:9]


def _panel(axis: Any, answer: Solution, name: str, named: bool) -> None:
    plan, run = answer.details["plan"], answer.replay
    signal = run.row(name.partition("[")[0]).signal
    plots.title(axis, name, signal.unit)
    if name in plan.moved:
        _moved(axis, answer, name)
    else:
        plots.line(axis, run, name, plots.COLORS[0], None)
    axis.set_xlabel(f"time [{plan.time_unit}]")
    own = [k for k in plan.limits if k.place.name == name]
    bounds = [(m.lower, m.upper) for p in plan.phases for m in p.moved if m.place.name == name]
    _limits(axis, run, own, bounds)
    _active(axis, answer, name, own)
    plots.phases(axis, run, named)


def _moved(axis: Any, answer: Solution, name: str) -> None:
    """An input as it was decided, held to its end."""
    import numpy as np

    plan, values, times = answer.details["plan"], np.asarray(answer.value[name]), answer.details["times"][name]
    linear = any(m.linear for p in plan.phases for m in p.moved if m.place.name == name)
    end = float(sum(answer.details["durations"]))
    if linear:
        axis.plot(times, values, color=plots.COLORS[1], linewidth=1.5)
    else:
        axis.step([*times, end], [*values, values[-1]], where="post", color=plots.COLORS[1], linewidth=1.5)


def _limits(axis: Any, run: Any, limits: Sequence[Limit], bounds: Sequence[tuple[float, float]]) -> None:
    """Shade what is forbidden."""
    import numpy as np

    times = run.times
    low, high = axis.get_ylim()
    for lower, upper in bounds:
        low, high = min(low, lower), max(high, upper)
    room = 0.06 * (high - low or 1.0)
    along = [k for k in limits if k.phase is None]
    for limit in along:
        sides = np.array([limit.sides(t) for t in times])
        for side in (0, 1):
            values = sides[:, side]
            if np.isfinite(values).any() and _near(values[np.isfinite(values)], low, high):
                low, high = min(low, values.min() - room), max(high, values.max() + room)
    for lower, upper in bounds:
        low, high = min(low, lower - room), max(high, upper + room)
    axis.set_ylim(low, high)
    for limit in along:
        sides = np.array([limit.sides(t) for t in times])
        alpha = 0.14 if limit.price is None else 0.07
        axis.fill_between(times, low, np.clip(sides[:, 0], low, high), color=plots.LIMIT, alpha=alpha, linewidth=0)
        axis.fill_between(times, np.clip(sides[:, 1], low, high), high, color=plots.LIMIT, alpha=alpha, linewidth=0)
    for lower, upper in bounds[:1]:
        axis.axhspan(low, lower, color=plots.LIMIT, alpha=0.14, linewidth=0)
        axis.axhspan(upper, high, color=plots.LIMIT, alpha=0.14, linewidth=0)
    for limit in limits:
        if limit.phase is not None:
            for value in limit.sides(0.0):
                if math.isfinite(value) and low - (high - low) <= value <= high + (high - low):
                    axis.plot([times[-1]], [value], marker="_", markersize=14, color=plots.LIMIT, clip_on=False)


def _near(values: Any, low: float, high: float) -> bool:
    """True where a limit lies close enough to be worth showing."""
    reach = 1.0 * (high - low)
    return bool(values.max() >= low - reach and values.min() <= high + reach)


def _active(axis: Any, answer: Solution, name: str, limits: Sequence[Limit]) -> None:
    """A bold line along the limit where it holds the optimum back."""
    for a, b, bound in answer.details.get("active_spans", {}).get(name, ()):
        axis.plot([a, b], [bound, bound], color=plots.LIMIT, linewidth=3.0, alpha=0.7, solid_capstyle="butt", zorder=3)
    del limits
