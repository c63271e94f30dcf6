"""A forecast: lines with bands, what they are worth, and where they leave what is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.learning.domain import Outside
from twin.status import Status


@dataclasses.dataclass(frozen=True, eq=False)
class Band:
    """Forecast of one signal, shape (times,) each, in `unit`.

    Attributes
    ----------
    signal, unit
        Which signal.
    value, lower, upper
        Forecast and the ends of its interval.
    spread
        Standard deviation over the members.
    measured
        True where the interval was measured on runs left out; False where it is only the quantile range of the members.
    """

    signal: str
    unit: str
    value: Any
    lower: Any
    upper: Any
    spread: Any
    measured: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Forecast:
    """What `twin.forecast` foresees; `forecast["product"]` is a `Band`.

    Attributes
    ----------
    status, message
        SUCCESS, or how the simulation of the forecast itself ended.
    model, time_unit
        Which model, and the unit of its times.
    times
        Shape (times,).
    level
        Share of the measurements that the bands are to hold.
    bands
        One `Band` a signal.
    coverage
        Share that they held on runs left out, by signal ("" is all): measured, NaN where it could not be.
    outside
        Arguments of learned terms that leave the domain these were trained in.
    now
        Time up to which the run is past; 0 for a forecast from the start.
    trajectory
        The simulation behind the forecast.
    sentences
        What to know before it is used.
    scales
        Expected errors of each signal, and those found on runs left out.
    """

    status: Status
    message: str
    model: str
    time_unit: str
    times: Any = dataclasses.field(repr=False)
    level: float
    bands: Mapping[str, Band] = dataclasses.field(repr=False)
    coverage: Mapping[str, float]
    outside: tuple[Outside, ...]
    now: float
    trajectory: Any = dataclasses.field(repr=False)
    sentences: tuple[str, ...]
    scales: Mapping[str, Any] = dataclasses.field(repr=False)

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def __getitem__(self, signal: str) -> Band:
        if signal not in self.bands:
            raise errors.unknown("forecast signal", signal, self.model, self.bands)
        return self.bands[signal]

    @property
    def extrapolates(self) -> bool:
        """True where a learned term is used outside what it was trained for."""
        return bool(self.outside)

    @property
    def final(self) -> dict[str, tuple[float, float, float]]:
        """{signal: (forecast, lower, upper)} at the end."""
        return {n: (float(b.value[-1]), float(b.lower[-1]), float(b.upper[-1])) for n, b in self.bands.items()}

    def probability(self, signal: str, *, lower: float = -math.inf, upper: float = math.inf) -> float:
        """Probability that a measurement of the signal at the end lies within limits, by the errors found on runs left out.

        Parameters
        ----------
        signal
            A signal with a measured interval.
        lower, upper
            Limits in its unit.

        Raises
        ------
        SpecError
            For a signal whose intervals were not measured.
        """
        import numpy as np

        band = self[signal]
        if not band.measured:
            raise errors.SpecError(f"The interval of {signal} was not measured on runs left out, so that no probability is "
                                   "known. Give data that measure it.", name=signal)
        scale = self.scales[signal]
        ends = band.value[-1] + scale.scores * scale.size(band.value[-1], band.spread[-1])
        return float(np.mean((ends >= lower) & (ends <= upper)))

    def table(self) -> Any:
        """DataFrame: one row a signal with its value at the end, the interval, and the coverage that was measured."""
        import pandas as pd

        rows = [{"signal": n, "unit": b.unit, "at end": float(b.value[-1]), "lower": float(b.lower[-1]),
                 "upper": float(b.upper[-1]), "level": self.level, "coverage": self.coverage.get(n, math.nan),
                 "interval": "measured" if b.measured else "members only"} for n, b in self.bands.items()]
        return pd.DataFrame(rows).set_index("signal")

    def to_frame(self) -> Any:
        """DataFrame over time with the columns (signal, value | lower | upper)."""
        import pandas as pd

        columns = {(n, part): getattr(b, part) for n, b in self.bands.items() for part in ("value", "lower", "upper")}
        frame = pd.DataFrame(columns, index=pd.Index(self.times, name=f"time [{self.time_unit}]"))
        frame.attrs["units"] = {n: b.unit for n, b in self.bands.items()}
        return frame

    def plot(self, signals: Sequence[str] | None = None, *, data: Any = None) -> Any:
        """matplotlib Figure: a panel a signal with its band; measured values as points; hatched where it extrapolates.

        Parameters
        ----------
        signals
            Which; all without.
        data
            Measurements to show, as in `compare`.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        """
        from twin.simulation import plots
        from twin.simulation.comparison import measurements, runs_of

        names = list(signals) if signals is not None else list(self.bands)
        fig, axes = plots.figure(len(names))
        points = [measurements(run, self.trajectory, None) for run in runs_of(data).values()] if data is not None else []
        for k, (axis, name) in enumerate(zip(axes, names, strict=True)):
            band = self[name]
            color = plots.COLORS[0]
            label = f"{self.level:.0%} interval" if band.measured else "range of the members"
            axis.fill_between(self.times, band.lower, band.upper, color=color, alpha=0.22, linewidth=0, label=label)
            axis.plot(self.times, band.value, color=color, linewidth=1.6, label="forecast")
            for found in points:
                if name in found:
                    axis.plot(*found[name], ".", color=plots.DATA, markersize=4, alpha=0.8, label="measured")
            if self.now > 0:
                axis.axvline(self.now, color=plots.PHASE, linewidth=0.9, linestyle="--", label="now")
            if self.outside:
                first = min(o.first for o in self.outside)
                axis.axvspan(first, float(self.times[-1]), facecolor="none", edgecolor=plots.LIMIT, hatch="//", alpha=0.18,
                             linewidth=0, label="extrapolates" if not k else None)
            plots.title(axis, name, band.unit)
            axis.set_xlabel(f"time [{self.time_unit}]")
            signal = self.trajectory.row(name).signal
            plots.limits(axis, signal.lower, signal.upper)
        plots.legend(axes)
        return fig
