"""Pictures of predictions and closed loops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from twin.simulation.plots import COLORS, LIMIT, PHASE, figure, legend, style, title


def _limits(axis: Any, statement: Any, name: str, times: Any) -> None:
    """Limits and targets of one signal as lines."""
    from optimizers.nmpc.formulation import sampled

    for limit in statement.limits:
        if limit.place.name == name and limit.phase is None:
            for side in (limit.lower, limit.upper):
                if not isinstance(side, float) or math.isfinite(side):
                    dash = "-" if limit.price is None else ":"
                    axis.plot(times, sampled(side, times), color=LIMIT, linewidth=0.9, linestyle=dash)
    for tracked in statement.tracked:
        if tracked.place.name == name:
            axis.plot(times, sampled(tracked.target, times), color=COLORS[2], linewidth=0.9, linestyle="--", label="target")
    for control in statement.controls:
        if control.place.name == name:
            for side in (control.lower, control.upper):
                axis.axhline(side, color=LIMIT, linewidth=0.9)


def _zoom(axis: Any, values: Any) -> None:
    """View on the values, with limits only where they are near."""
    low, high = min(map(float, values)), max(map(float, values))
    room = 0.15 * (high - low) or 0.05 * abs(high) or 1.0
    axis.set_ylim(low - room, high + room)


def plot_prediction(prediction: Any, past: Any = None) -> Any:
    """One panel a quantity, all scenarios."""
    import numpy as np

    statement, times = prediction.problem.statement, prediction.times
    names = prediction.names()
    moved = {c.place.name for c in statement.controls}
    units = {n: r.signal.unit for n, r in statement.check.rows("state", "input").items()}
    fig, axes = figure(len(names))
    for axis, name in zip(axes, names, strict=True):
        style(axis)
        seen: list[Any] = []
        for values in prediction[name]:
            if name in moved:
                axis.step(times, np.append(values, values[-1]), where="post", color=COLORS[0], linewidth=1.1)
            else:
                axis.plot(times, values, color=COLORS[0], linewidth=1.1)
            seen += list(values)
        if past is not None and name in past:
            drawn = "steps-post" if name in moved else "default"
            axis.plot(past["time"], past[name], color=COLORS[6], linewidth=1.3, drawstyle=drawn)
            seen += list(past[name])
        _limits(axis, statement, name, times)
        _zoom(axis, seen)
        title(axis, name, units[name])
        axis.set_xlabel(f"time [{statement.check.model.time_unit}]")
    return fig


def plot_loop(loop: Any, at: int | None) -> Any:
    """States, estimates, inputs; limits of the controller; the prediction of one step."""
    import numpy as np

    statement = loop.controller.statement
    units: Mapping[str, str] = {n: r.signal.unit for n, r in statement.check.rows("state", "input", "disturbance").items()}
    scalar = [n for n, v in loop.states.items() if v.ndim == 1]
    extra = [n for n in loop.estimates if n not in loop.states]
    names = [*scalar, *loop.inputs, *extra]
    prediction = loop.infos[at].prediction if at is not None else None
    fig, axes = figure(len(names))
    for axis, name in zip(axes, names, strict=True):
        style(axis)
        seen: list[Any] = []
        if name in loop.states:
            axis.plot(loop.times, loop.states[name], color=COLORS[6], linewidth=1.3, label="plant")
            seen += list(loop.states[name])
        if name in loop.estimates and loop.estimator_infos:
            axis.plot(loop.times[:-1], loop.estimates[name], color=COLORS[3], linewidth=0.9, label="estimate")
            seen += list(loop.estimates[name])
        if name in loop.inputs:
            values = loop.inputs[name]
            axis.step(loop.times, np.append(values, values[-1]), where="post", color=COLORS[6], linewidth=1.3, label="plant")
            seen += list(values)
        if prediction is not None and name in prediction.names():
            for k, values in enumerate(prediction[name]):
                whole = np.append(values, values[-1]) if name in loop.inputs else values
                axis.plot(prediction.times, whole, color=COLORS[0], linewidth=0.9, drawstyle="steps-post" if name in loop.inputs
                          else "default", label="prediction" if k == 0 else None)
                seen += list(values)
            axis.axvline(prediction.times[0], color=PHASE, linewidth=0.8)
        _limits(axis, statement, name, loop.times)
        _zoom(axis, seen)
        title(axis, name, units.get(name, ""))
        axis.set_xlabel(f"time [{loop.time_unit}]")
    legend(axes)
    return fig
