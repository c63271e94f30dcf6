"""Measured runs beside the model: residuals and their derivatives with respect to weights and parameters."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from twin import errors

FIRST = "first"
FLOOR, RELATIVE = 0.02, 0.05  # usual measurement error: of the signal's rms, and of the value


@dataclasses.dataclass(frozen=True, eq=False)
class Samples:
    """The measurements of one run, row by row.

    Attributes
    ----------
    signals, times
        Name and time of each row.
    values, spread
        Measured value and its usual error, numpy, in the unit of the signal.
    """

    run: str
    signals: tuple[str, ...]
    times: Any
    values: Any
    spread: Any

    def of(self, signal: str) -> Any:
        """Mask of the rows of one signal."""
        import numpy as np

        return np.array([s == signal for s in self.signals], dtype=bool)


class MeasuredRun:
    """One run: its simulation, prepared with and without sensitivities, and its samples."""

    def __init__(self, model: Any, run: Any, unknowns: Sequence[str], *, signals: Sequence[str],
                 noise: Mapping[str, tuple[float, float]], initial: Mapping[str, Any], inputs: Mapping[str, Any],
                 rtol: float, execution: str | None) -> None:
        import numpy as np

        from twin.simulation.simulate import simulator

        self.name = run.name
        rows = []
        for name in signals:
            if name in run:
                series = run[name]
                kept = series.usable
                floor, relative = noise[name]
                rows += [(name, float(t), float(v), math.hypot(floor, relative * v))
                         for t, v in zip(series.times[kept], series.values[kept], strict=True) if t > 0]
        if not rows:
            raise errors.DataError(f"Run '{run.name}' measures none of {', '.join(signals)} after its start. Leave the run out.",
                                   name=run.name)
        names, times, values, spread = zip(*rows, strict=True)
        self.samples = Samples(run.name, names, np.array(times), np.array(values), np.array(spread))
        grid = sorted({0.0, *times})
        given = {**run.inputs(model), **inputs}
        options: dict[str, Any] = {"times": grid, "rtol": rtol, "check_limits": False, "execution": execution}
        self.plain = simulator(model, given, **options)
        self.carrying = simulator(model, given, sensitivities=tuple(unknowns), **options)
        self.columns = len(unknowns)
        self.start = self.plain.start(first_values(run, initial), None)[0]
        at = {t: k for k, t in enumerate(grid)}
        self.at = np.array([at[t] for t in times])
        layout = {r.signal.name: (role, r.start) for role in ("state", "algebraic") for r in self.plain.layout[role]}
        n_x = self.plain.n_x
        self.place = np.array([layout[n][1] + (0 if layout[n][0] == "state" else n_x) for n in names])

    def values(self, p: Any, derivatives: bool = False) -> tuple[Any, Any] | None:
        """Model values of the samples and, where asked for, their derivatives; None where the simulation fails."""
        import numpy as np

        raw = (self.carrying if derivatives else self.plain).runner.run(self.start, p)
        if not raw.status:
            return None
        rows = np.concatenate([np.asarray(raw.part("x"), float), np.asarray(raw.part("z"), float)], axis=1)
        values = rows[self.at, self.place]
        if not np.isfinite(values).all():
            return None
        if not derivatives:
            return values, None
        tangents = np.asarray(raw.tangents, float).reshape(len(raw.times), self.columns, -1)
        return values, tangents[self.at, :, self.place]


def evaluate(runs: Sequence[MeasuredRun], p: Any, derivatives: bool = False) -> list[tuple[Any, Any] | None]:
    """`MeasuredRun.values` of several runs, on threads."""
    import os

    if len(runs) < 2:
        return [run.values(p, derivatives) for run in runs]
    with ThreadPoolExecutor(min(len(runs), os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda run: run.values(p, derivatives), runs))


def first_values(run: Any, initial: Mapping[str, Any]) -> dict[str, Any]:
    """Initial states of a run: numbers, text with a unit, or "first" for the first measurement."""
    found = {}
    for name, value in initial.items():
        if value == FIRST:
            usable = run[name].usable if name in run else None
            if usable is None or not usable.any():
                raise errors.DataError(f"The initial {name} is to be its first measurement, but run '{run.name}' has none. "
                                       "Give a number.", name=name)
            value = float(run[name].values[usable][0])
        found[name] = value
    return found


def noise_of(data: Any, signals: Sequence[str], given: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Measurement error of each signal: (absolute, share of the value)."""
    import numpy as np

    found = {}
    for name in signals:
        pair = given.get(name)
        if pair is None:
            values = np.concatenate([run[name].values[run[name].usable] for run in data if name in run] or [np.ones(1)])
            pair = (FLOOR * float(np.sqrt(np.mean(values**2))) or 1.0, RELATIVE)
        elif isinstance(pair, int | float):
            pair = (float(pair), 0.0)
        floor, relative = (float(v) for v in pair)
        if not (floor > 0 and relative >= 0):
            raise errors.SpecError(f"The noise of {name} is {pair}. Expected a positive standard deviation in its unit, or "
                                   "(standard deviation, share of the value).", name=name)
        found[name] = (floor, relative)
    for name in given:
        if name not in found:
            raise errors.unknown("signal", name, "the fitted signals", signals)
    return found
