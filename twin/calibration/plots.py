"""Pictures of a calibration: fit, residuals, intervals, correlation, profiles."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.simulation import plots as common

if TYPE_CHECKING:
    from twin.calibration.posterior import Profiled
    from twin.calibration.result import Calibration


def plot(fit: Calibration, kind: str, **options: Any) -> Any:
    """Figure of one kind."""
    kinds = {"fit": _fit, "residuals": _residuals, "parameters": _parameters, "correlation": _correlation}
    if kind not in kinds:
        raise errors.unknown("plot", kind, "a calibration", kinds)
    return kinds[kind](fit, **options)


def _fit(fit: Calibration, signals: Any = None) -> Any:
    return fit.compare().plot(signals)


def _residuals(fit: Calibration) -> Any:
    """Standardized residuals in time, one panel a signal, two standard deviations shaded, wild ones marked."""
    rows = fit.rows
    fig, axes = common.figure(len(rows.signals))
    wild = set(fit.outliers)
    for k, (axis, name) in enumerate(zip(axes, rows.signals, strict=True)):
        axis.axhspan(-2, 2, color=common.PHASE, alpha=0.12, linewidth=0)
        axis.axhline(0, color=common.PHASE, linewidth=0.8)
        for j, run in enumerate(rows.runs):
            mine = (rows.signal == k) & (rows.run == j)
            if mine.any():
                axis.plot(rows.time[mine], fit.residuals[mine], ".-", color=common.COLORS[j % len(common.COLORS)], linewidth=0.6,
                          markersize=4, label=run)
            for t, r in zip(rows.time[mine], fit.residuals[mine], strict=True):
                if (run, name, float(t)) in wild:
                    axis.plot([t], [r], "o", markerfacecolor="none", color=common.LIMIT, markersize=9)
        common.title(axis, name, "std. deviations")
        axis.set_xlabel(f"time [{fit.model.time_unit}]")
    if len(rows.runs) > 1:
        common.legend(axes)
    return fig


def _parameters(fit: Calibration) -> Any:
    """Intervals relative to the values: a row an unknown."""
    labels = list(fit.parameters)
    fig, (axis,) = common.figure(1, width=6.0, height=0.9 + 0.28 * len(labels))
    for k, label in enumerate(labels):
        low, high = fit.intervals[label]
        value = fit.parameters[label]
        if label in fit.at_bound or not value:
            axis.plot([1.0], [k], "s", color=common.LIMIT, markersize=5)
        else:
            ends = [v / value for v in (low, high)]
            shown = [min(max(e, -1.0), 3.0) if math.isfinite(e) else (-1.0 if i == 0 else 3.0) for i, e in enumerate(ends)]
            axis.plot(shown, [k, k], color=common.COLORS[0], linewidth=2.2, solid_capstyle="butt")
            axis.plot([1.0], [k], "o", color=common.COLORS[0], markersize=4)
    axis.axvline(1.0, color=common.PHASE, linewidth=0.8)
    axis.set_yticks(range(len(labels)), [f"{n} = {fit.parameters[n]:.4g} {fit.units[n]}" for n in labels], fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel(f"{fit.confidence:.0%} interval over value [-]" + ("; squares: held by a bound" if fit.at_bound else ""))
    return fig


def _correlation(fit: Calibration) -> Any:
    """Correlation matrix in colors, with numbers where there is room."""
    labels = list(fit.parameters)
    n = len(labels)
    fig, (axis,) = common.figure(1, width=2.6 + 0.42 * n, height=2.0 + 0.38 * n)
    image = axis.imshow(fit.correlation, vmin=-1, vmax=1, cmap="RdBu_r")
    axis.grid(False)
    axis.set_xticks(range(n), labels, rotation=60, ha="right", fontsize=8)
    axis.set_yticks(range(n), labels, fontsize=8)
    if n <= 12:
        for i in range(n):
            for j in range(n):
                v = fit.correlation[i, j]
                if math.isfinite(v):
                    color = "white" if abs(v) > 0.6 else common.TEXT
                    axis.text(j, i, f"{v:.2f}", ha="center", va="center", fontsize=7, color=color)
    fig.colorbar(image, ax=axis, pad=0.02).ax.tick_params(labelsize=7)
    return fig


def plot_profile(profile: Profiled) -> Any:
    """Objective over one unknown, with threshold and both intervals."""
    fig, (axis,) = common.figure(1, width=4.6, height=2.9)
    axis.plot(profile.values, profile.objective, "o-", color=common.COLORS[0], markersize=4, linewidth=1.3, label="profile")
    axis.axhline(profile.threshold, color=common.LIMIT, linewidth=0.9, label="threshold")
    for k, (label, ends, color) in enumerate((("profile interval", profile.interval, common.COLORS[0]),
                                              ("quadratic interval", profile.quadratic, common.COLORS[2]))):
        if all(math.isfinite(e) for e in ends):
            axis.axvspan(*ends, ymin=0.0, ymax=0.04 * (2 - k), color=color, alpha=0.5, linewidth=0, label=label)
    common.title(axis, profile.name, profile.unit)
    axis.set_xlabel(f"{profile.name} [{profile.unit}]")
    axis.set_ylabel("objective [-]")
    axis.legend(fontsize=7, frameon=False)
    return fig
