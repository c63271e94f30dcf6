"""Pictures of trajectories: small multiples with units, limits, phases and data; matplotlib is imported late."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.figures import new_figure

if TYPE_CHECKING:
    from twin.simulation.comparison import Comparison
    from twin.simulation.trajectory import Trajectory

# Okabe and Ito's palette: told apart by color-blind readers.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DATA, LIMIT, PHASE, TEXT = "#333333", "#D55E00", "#888888", "#222222"


def figure(panels: int, columns: int | None = None, width: float = 3.6, height: float = 2.3) -> tuple[Any, list[Any]]:
    """Figure with `panels` axes in a grid, not tied to any window or global state."""
    columns = columns or min(panels, 3 if panels > 4 else 2)
    rows = math.ceil(panels / columns)
    fig = new_figure(width * columns, height * rows + 0.3)
    grid = fig.subplots(rows, columns, squeeze=False)
    axes = [a for row in grid for a in row]
    for spare in axes[panels:]:
        spare.remove()
    for a in axes[:panels]:
        style(a)
    return fig, axes[:panels]


def style(axis: Any) -> None:
    """The common look: no box, light grid, small type."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(PHASE)
    axis.grid(alpha=0.25, linewidth=0.6)
    axis.margins(x=0.01)
    axis.tick_params(labelsize=8, colors=TEXT)
    axis.xaxis.label.set_size(8)
    axis.yaxis.label.set_size(8)


def title(axis: Any, name: str, unit: str) -> None:
    """Signal name above the panel, its unit on the axis."""
    axis.set_title(name.replace("_", " "), loc="left", fontsize=9, color=TEXT)
    axis.set_ylabel(f"[{unit}]")


def limits(axis: Any, lower: float, upper: float) -> None:
    """Shade what is shown beyond the limits; the view ends at a limit that nothing crosses."""
    low, high = axis.get_ylim()
    shown = axis.dataLim
    slack = 1e-6 * (high - low)
    if math.isfinite(lower) and low < lower:
        if shown.y0 >= lower - slack:
            low = lower
        else:
            axis.axhspan(low, lower, color=LIMIT, alpha=0.12, linewidth=0)
            axis.axhline(lower, color=LIMIT, linewidth=0.8)
    if math.isfinite(upper) and high > upper:
        if shown.y1 <= upper + slack:
            high = upper
        else:
            axis.axhspan(upper, high, color=LIMIT, alpha=0.12, linewidth=0)
            axis.axhline(upper, color=LIMIT, linewidth=0.8)
    axis.set_ylim(low, high if high > low else low + 1)


def phases(axis: Any, trajectory: Trajectory, named: bool) -> None:
    """Mark where phases start; name them on the first panel."""
    spans = trajectory.spans()
    for k, (start, end, name) in enumerate(spans):
        if k:
            axis.axvline(start, color=PHASE, linewidth=0.8, linestyle=(0, (4, 3)))
        if named and name and len(spans) > 1:
            narrow = (end - start) < 0.025 * len(name) * (spans[-1][1] - spans[0][0])
            axis.annotate(name, (start, 1), xycoords=("data", "axes fraction"), xytext=(3, -2), va="top",
                          textcoords="offset points", fontsize=7, color=PHASE, rotation=90 if narrow else 0)


def line(axis: Any, trajectory: Trajectory, name: str, color: str, label: str | None) -> None:
    """One signal: a line, a staircase for inputs, or a map of time and position for a signal on cells."""
    values, times = trajectory[name], trajectory.times
    if values.ndim > 1:
        n = values.shape[1]
        mesh = axis.pcolormesh(times, [(i + 0.5) / n for i in range(n)], values.T, shading="nearest", cmap="viridis",
                               rasterized=True)
        axis.grid(False)
        axis.set_title(name.replace("_", " "), loc="left", fontsize=9, color=TEXT)
        axis.set_ylabel("position [-]")
        bar = axis.figure.colorbar(mesh, ax=axis, pad=0.02)
        bar.set_label(f"[{trajectory.unit(name)}]", size=8)
        bar.ax.tick_params(labelsize=7)
        return
    held = trajectory.row(name).signal.role in ("input", "disturbance")
    axis.plot(times, values, color=color, linewidth=1.5, label=label, drawstyle="steps-post" if held else "default")


def legend(axes: Sequence[Any]) -> None:
    """One legend, in the panel that has the most to tell."""
    best = max(axes, key=lambda a: len(a.get_legend_handles_labels()[0]))
    if best.get_legend_handles_labels()[0]:
        best.legend(fontsize=7, frameon=False, loc="best")


def _flat(axis: Any) -> None:
    """A constant gets a readable axis instead of one full of digits."""
    low, high = axis.get_ylim()
    middle = max(abs(low), abs(high))
    if high - low < 1e-3 * middle:
        axis.set_ylim(low - 0.05 * middle, high + 0.05 * middle)


def plot_trajectories(trajectories: Mapping[str, Trajectory], signals: Sequence[str] | None = None, *, data: Any = None,
                      title: str | None = None) -> Any:
    """Figure with one panel a signal and one line a trajectory."""
    from twin.simulation.comparison import measurements, runs_of

    first = next(iter(trajectories.values()))
    names = list(signals) if signals is not None else _worth_showing(first)
    for name in names:
        first.row(name)
    if not names:
        raise errors.SpecError("No signals to plot. Name at least one.")
    points = [measurements(run, first, None, ("state", "algebraic", "output", "input", "disturbance"))
              for run in runs_of(data).values()] if data is not None else []
    fig, axes = figure(len(names))
    for k, (axis, name) in enumerate(zip(axes, names, strict=True)):
        _panel(axis, trajectories, name, [p[name] for p in points if name in p], named=k == 0)
    if title:
        fig.suptitle(title, x=0.01, ha="left", fontsize=11)
    if len(trajectories) > 1 or points:
        legend(axes)
    return fig


def _panel(axis: Any, trajectories: Mapping[str, Trajectory], name: str, points: Sequence[Any], named: bool) -> None:
    some = next(iter(trajectories.values()))
    signal = some.row(name).signal
    title(axis, name, signal.unit)
    for k, (label, trajectory) in enumerate(trajectories.items()):
        line(axis, trajectory, name, COLORS[k % len(COLORS)], label)
    for k, (times, values) in enumerate(points):
        axis.plot(times, values, ".", color=DATA, markersize=4, alpha=0.7, label="data" if not k else None, zorder=3)
    axis.set_xlabel(f"time [{some.time_unit}]")
    if not some.row(name).shape:
        _flat(axis)
        limits(axis, signal.lower, signal.upper)
    phases(axis, some, named)


def _worth_showing(trajectory: Trajectory) -> list[str]:
    """All states, algebraics and outputs, then the inputs and disturbances that move."""
    names = list(trajectory.names("state", "algebraic", "output"))
    for name in trajectory.names("input", "disturbance"):
        values = trajectory[name]
        if len(values) and float(values.max() - values.min()) > 0:
            names.append(name)
    return names


def plot_comparison(comparison: Comparison, signals: Sequence[str] | None = None) -> Any:
    """Figure with a row of panels a signal and a column a run."""
    runs = list(dict.fromkeys(d.run for d in comparison.deviations))
    measured = list(dict.fromkeys(d.signal for d in comparison.deviations))
    for name in signals or ():
        if name not in measured:
            raise errors.unknown("compared signal", name, "this comparison", measured)
    names = list(signals) if signals is not None else measured
    # One run alone is shown in a grid, several as columns beside each other.
    fig, axes = figure(len(names) * len(runs), columns=len(runs) if len(runs) > 1 else None, width=4.2 if len(runs) < 3 else 3.2)
    for i, name in enumerate(names):
        for j, run in enumerate(runs):
            axis = axes[i * len(runs) + j]
            trajectory = comparison.trajectories[run]
            found = comparison.points.get((run, name))
            _panel(axis, {"model": trajectory}, name, [found[:2]] if found else [], named=i == 0)
            if found:
                d = comparison[run, name]
                text = f"{name.replace('_', ' ')}   RMSE {d.rmse:.3g} {d.unit}, R2 {d.r2:.2f}"
                axis.set_title(text, loc="left", fontsize=8)
            if i == 0 and len(runs) > 1:
                axis.annotate(run, (0, 1), xycoords="axes fraction", xytext=(0, 18), textcoords="offset points",
                              fontsize=9, fontweight="bold")
    legend(axes)
    return fig
