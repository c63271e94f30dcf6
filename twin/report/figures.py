"""Pictures for pages: runs beside each other, a run with its residuals, balances as bars; PNG bytes out."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin.report.page import pretty
from twin.simulation import plots

Points = tuple[Sequence[float], Sequence[float], Sequence[float]]  # times, measured, model
MODEL = plots.COLORS[0]
DENSE = 200  # points beyond which measurements are drawn as dust


def png(figure: Any, dpi: int = 130) -> bytes:
    """A figure as PNG bytes, without the time of making, so that equal runs give equal pages."""
    buffer = io.BytesIO()
    for axis in figure.axes:
        if axis.get_ylabel() != "residual" and not axis.containers:
            axis.locator_params(nbins=5)
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def overview(trajectories: Mapping[str, Any], points: Mapping[str, Points], signal: str) -> Any:
    """One panel a run: the measured signal as points, the model as a line, the phases where it has them."""
    names = list(trajectories)
    fig, axes = plots.figure(len(names), columns=min(4, len(names)), width=3.3 if len(names) > 1 else 8, height=2.1)
    top = max(max(float(t[signal].max()) for t in trajectories.values()),
              max((max(m, default=0.0) for _, m, _ in points.values()), default=0.0))
    for k, (axis, name) in enumerate(zip(axes, names, strict=True)):
        trajectory = trajectories[name]
        measured(axis, points.get(name))
        axis.plot(trajectory.times, trajectory[signal], color=MODEL, linewidth=1.8, label="published model")
        axis.set_title(name, loc="left", fontsize=9, fontweight="bold", color=plots.TEXT)
        axis.set_ylim(0 if top > 0 else None, 1.08 * top if top > 0 else None)
        if k % min(4, len(names)) == 0:
            axis.set_ylabel(f"{pretty(signal)} [{trajectory.unit(signal)}]")
        axis.set_xlabel(f"time [{trajectory.time_unit}]")
    axes[0].legend(fontsize=7.5, frameon=False, loc="upper left")
    return fig


def run_with_residuals(trajectory: Any, points: Mapping[str, Points], signals: Sequence[str],
                       inputs: Sequence[str]) -> Any:
    """One run: a panel a signal with its residual (model less measurement) below, then the inputs that moved."""
    columns = 3
    rows = math.ceil((len(signals) + len(inputs)) / columns)
    height = 2.9 * rows
    fig, spare = plots.figure(1, width=12, height=height)
    spare[0].remove()
    fig.set_layout_engine("none")
    grid = fig.add_gridspec(rows, columns, left=0.065, right=0.99, top=1 - 0.3 / height, bottom=0.5 / height,
                            hspace=0.34, wspace=0.24)
    span = (float(trajectory.times[0]), float(trajectory.times[-1]))
    for k, name in enumerate(signals):
        found = points.get(name)
        if found is None:
            alone = fig.add_subplot(grid[k // columns, k % columns])
            _signal(alone, trajectory, name, None)
            alone.set_xlabel(f"time [{trajectory.time_unit}]")
            alone.set_xlim(span)
            continue
        inner = grid[k // columns, k % columns].subgridspec(2, 1, height_ratios=[3, 1], hspace=0.1)
        main, below = fig.add_subplot(inner[0]), fig.add_subplot(inner[1])
        _signal(main, trajectory, name, found)
        main.tick_params(labelbottom=False)
        _residual(below, trajectory, found)
        main.set_xlim(span)
        below.set_xlim(span)
        if not any(axis.get_legend() for axis in fig.axes):
            main.legend(fontsize=7.5, frameon=False, loc="best")
    for k, name in enumerate(inputs, len(signals)):
        axis = fig.add_subplot(grid[k // columns, k % columns])
        plots.style(axis)
        plots.title(axis, name, trajectory.unit(name))
        plots.line(axis, trajectory, name, plots.COLORS[2], None)
        signal = trajectory.row(name).signal
        plots.limits(axis, signal.lower, signal.upper)
        axis.set_xlim(span)
        axis.set_xlabel(f"time [{trajectory.time_unit}]")
    return fig


def _signal(axis: Any, trajectory: Any, name: str, found: Points | None) -> None:
    plots.style(axis)
    plots.title(axis, name, trajectory.unit(name))
    measured(axis, found)
    axis.plot(trajectory.times, trajectory[name], color=MODEL, linewidth=1.8, label="model")
    if found is None:
        axis.annotate("not measured", (0.5, 0.5), xycoords="axes fraction", ha="center", color=plots.PHASE)
    low, high = axis.get_ylim()
    middle = max(abs(low), abs(high))
    if high - low < 1e-3 * middle:
        axis.set_ylim(low - 0.05 * middle, high + 0.05 * middle)
    signal = trajectory.row(name).signal
    plots.limits(axis, signal.lower, signal.upper)


def _residual(axis: Any, trajectory: Any, found: Points) -> None:
    plots.style(axis)
    axis.axhline(0, color=plots.PHASE, linewidth=0.8)
    times, values, model = found
    error = [m - v for m, v in zip(model, values, strict=True)]
    if len(times) > DENSE:
        axis.plot(times, error, ".", color=plots.COLORS[1], markersize=1, alpha=0.5)
    else:
        axis.vlines(times, 0, error, color=plots.COLORS[1], linewidth=1)
        axis.plot(times, error, ".", color=plots.COLORS[1], markersize=3.5)
    axis.set_ylabel("residual")
    axis.locator_params(axis="y", nbins=3)
    axis.set_xlabel(f"time [{trajectory.time_unit}]")


def measured(axis: Any, found: Points | None) -> None:
    """Measurements as points, or as dust where there are many."""
    if found is not None:
        dense = len(found[0]) > DENSE
        look = {"markersize": 4.5, "alpha": 0.8, "zorder": 3}
        if dense:
            look = {"markersize": 1.5, "alpha": 0.35, "zorder": 1}
        axis.plot(found[0], found[1], ".", color=plots.DATA, label="records", **look)


def balance_bars(closures: Sequence[Any]) -> Any:
    """One bar a run: what the end amount and what left consist of, in percent of what was there and came in."""
    fig, (axis,) = plots.figure(1, width=9.5, height=0.34 * len(closures) + 1.1)
    colors = itertools.cycle((*plots.COLORS[:6], "#999999"))
    names = [*dict.fromkeys(p for c in closures for p in c.parts), *["left"] * any(c.left for c in closures)]
    base = [0.0] * len(closures)
    labels = [c.run for c in closures]
    for name, color in zip(names, colors, strict=False):
        share = [100 * (c.left if name == "left" else c.parts.get(name, 0.0)) / (c.start + c.entered) for c in closures]
        if max(map(abs, share)) < 0.05:
            continue
        axis.barh(labels, share, left=base, color=color, height=0.62, label=pretty(name), linewidth=0)
        base = [a + b for a, b in zip(base, share, strict=True)]
    axis.axvline(100, color=plots.TEXT, linewidth=1.4)
    axis.set_ylim(len(closures) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set_xlim(0, max(104.0, 1.04 * max(base)))
    axis.set_xlabel("% of what was there and came in")
    axis.legend(fontsize=8, frameon=False, ncols=6, loc="lower left", bbox_to_anchor=(0, 1.0), handlelength=1.2)
    return fig
