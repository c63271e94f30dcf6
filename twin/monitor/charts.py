"""Shewhart, EWMA and CUSUM charts: the design as data, `check` for records, `step` for one sample at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.figures import new_figure
from twin.monitor import run_length

WEIGHTS = (0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7, 1.0)


@dataclasses.dataclass(frozen=True)
class Alarm:
    """A sample at which a chart leaves its limits.

    Attributes
    ----------
    index, value
        Position and value of the sample.
    statistic, limit
        What left which limit.
    message
        The same in a sentence.
    """

    index: int
    value: float
    statistic: float
    limit: float
    message: str


@dataclasses.dataclass(frozen=True, eq=False)
class ChartReport:
    """What a chart says of a series.

    Attributes
    ----------
    chart
        The chart.
    values
        Samples, NaN where one is missing: the chart passes over it.
    statistics
        By name: what is plotted, one value a sample.
    limits
        (lower, upper) by the same names.
    alarms
        The samples at which a run outside the limits begins.
    """

    chart: Any
    values: Any
    statistics: Mapping[str, Any]
    limits: Mapping[str, tuple[float, float]]
    alarms: Sequence[Alarm]

    def __bool__(self) -> bool:
        return not self.alarms

    def to_frame(self) -> Any:
        """DataFrame of samples, statistics and alarms."""
        import pandas as pd

        frame = pd.DataFrame({"value": self.values, **self.statistics})
        frame["alarm"] = False
        frame.loc[[a.index for a in self.alarms], "alarm"] = True
        return frame

    def plot(self) -> Any:
        """Figure of the statistics, the region within the limits shaded, alarms marked."""
        import numpy as np
        figure = new_figure(9, 2.6 * len(self.statistics))
        for k, (name, series) in enumerate(self.statistics.items()):
            axes = figure.add_subplot(len(self.statistics), 1, k + 1)
            low, high = self.limits[name]
            axes.axhspan(low, high, color="tab:green", alpha=0.12)
            axes.plot(np.arange(len(series)), series, marker=".", color="tab:blue", lw=1)
            hit = [a.index for a in self.alarms if not low <= series[a.index] <= high]
            axes.plot(hit, [series[i] for i in hit], "o", color="tab:red", mfc="none", ms=9)
            axes.set_ylabel(name)
        axes.set_xlabel("sample")
        return figure


class _Chart:
    """What the charts share: a center, a standard deviation, and a recursion."""

    def check(self, values: Sequence[float]) -> ChartReport:
        """The chart over a series.

        Parameters
        ----------
        values
            Samples in the unit of the center; NaN where one is missing.
        """
        import numpy as np

        state, rows, alarms, outside = self.init(), [], [], False  # type: ignore[attr-defined]
        series = np.asarray(values, dtype=float)
        for k, value in enumerate(series):
            state, alarm = self.step(state, float(value), k)  # type: ignore[attr-defined]
            rows.append(state)
            if alarm is not None and not outside:
                alarms.append(alarm)
            outside = alarm is not None or (outside and math.isnan(value))
        names = self.names  # type: ignore[attr-defined]
        return ChartReport(self, series, {n: np.array([r[i] for r in rows]) for i, n in enumerate(names)},
                           dict(zip(names, self.limits(), strict=True)), tuple(alarms))  # type: ignore[attr-defined]

    def _alarm(self, k: int, value: float, name: str, statistic: float, limit: float) -> Alarm:
        side = "above" if statistic > limit or statistic > self.center else "below"  # type: ignore[attr-defined]
        text = f"Sample {k}: the {name} is {statistic:.5g}, {side} its limit {limit:.5g} (sample {value:.5g})."
        return Alarm(k, value, statistic, limit, text)

    def _sound(self) -> None:
        for name in ("center", "sigma"):
            value = getattr(self, name)
            if not math.isfinite(value) or (name == "sigma" and value <= 0):
                raise errors.SpecError(f"{name} of the {type(self).__name__} chart is {value:g}. Expected a finite number"
                                       f"{' above 0' if name == 'sigma' else ''}.", name=name)


@dataclasses.dataclass(frozen=True)
class Shewhart(_Chart):
    """Shewhart chart of single samples.

    Attributes
    ----------
    center, sigma
        Mean and standard deviation in control.
    limit
        Distance of the limits, in standard deviations.

    Examples
    --------
    >>> chart = Shewhart(center=10.0, sigma=0.5)
    >>> [a.index for a in chart.check([10.1, 9.8, 12.0]).alarms]
    [2]
    """

    center: float
    sigma: float
    limit: float = 3.0
    names = ("sample",)

    def __post_init__(self) -> None:
        self._sound()
        run_length.arl_shewhart(self.limit)

    def arl(self, shift: float = 0.0) -> float:
        """Average run length at a `shift` of the mean in standard deviations."""
        return run_length.arl_shewhart(self.limit, shift)

    def limits(self) -> tuple[tuple[float, float], ...]:
        """Lower and upper limit."""
        return ((self.center - self.limit * self.sigma, self.center + self.limit * self.sigma),)

    def init(self) -> tuple[float, ...]:
        """State before the first sample."""
        return (self.center,)

    def step(self, state: tuple[float, ...], value: float, index: int = 0) -> tuple[tuple[float, ...], Alarm | None]:
        """Next state and the alarm, if there is one."""
        if math.isnan(value):
            return (math.nan,), None
        low, high = self.limits()[0]
        alarm = None if low <= value <= high else self._alarm(index, value, "sample", value, high if value > high else low)
        return (value,), alarm


@dataclasses.dataclass(frozen=True)
class Ewma(_Chart):
    """EWMA chart: an exponentially weighted mean against limits of constant width.

    Attributes
    ----------
    center, sigma
        Mean and standard deviation of single samples in control.
    weight
        Weight of the newest sample.
    limit
        Distance of the limits, in standard deviations of the EWMA in the long run.

    Examples
    --------
    >>> chart = Ewma.designed(center=0.0, sigma=1.0, arl0=370, shift=1.0)
    >>> round(chart.arl()), chart.arl(1.0) < 10
    (370, True)
    """

    center: float
    sigma: float
    weight: float = 0.1
    limit: float = 2.7
    names = ("EWMA",)

    def __post_init__(self) -> None:
        self._sound()
        run_length.arl_ewma(self.weight, self.limit)

    @classmethod
    def designed(cls, center: float, sigma: float, *, arl0: float = 370.0, shift: float = 1.0) -> Ewma:
        """The weight and limit with the run length `arl0` in control that find a `shift` (in sigma) soonest."""
        found = []
        for weight in WEIGHTS:
            limit = run_length.limit_for(lambda x, w=weight: run_length.arl_ewma(w, x), arl0, 0.3, 4.5)
            found.append((run_length.arl_ewma(weight, limit, shift), weight, limit))
        _, weight, limit = min(found)
        return cls(center, sigma, weight, limit)

    def arl(self, shift: float = 0.0) -> float:
        """Average run length at a `shift` of the mean in standard deviations of one sample."""
        return run_length.arl_ewma(self.weight, self.limit, shift)

    def limits(self) -> tuple[tuple[float, float], ...]:
        """Lower and upper limit."""
        half = self.limit * self.sigma * math.sqrt(self.weight / (2.0 - self.weight))
        return ((self.center - half, self.center + half),)

    def init(self) -> tuple[float, ...]:
        """State before the first sample."""
        return (self.center,)

    def step(self, state: tuple[float, ...], value: float, index: int = 0) -> tuple[tuple[float, ...], Alarm | None]:
        """Next state and the alarm, if there is one; a missing sample leaves the state."""
        if math.isnan(value):
            return state, None
        mean = (1.0 - self.weight) * state[0] + self.weight * value
        low, high = self.limits()[0]
        return (mean,), None if low <= mean <= high else self._alarm(index, value, "EWMA", mean, high if mean > high else low)


@dataclasses.dataclass(frozen=True)
class Cusum(_Chart):
    """Two-sided tabular CUSUM chart, in the unit of the samples.

    Attributes
    ----------
    center, sigma
        Mean and standard deviation in control.
    reference
        Allowance k in standard deviations: half the shift to be found.
    decision
        Decision interval h in standard deviations.

    Examples
    --------
    >>> chart = Cusum.designed(center=0.0, sigma=1.0, arl0=370, shift=1.0)
    >>> round(chart.decision, 2), round(chart.arl(1.0), 1)
    (4.77, 9.9)
    """

    center: float
    sigma: float
    reference: float = 0.5
    decision: float = 4.774
    names = ("sum above", "sum below")

    def __post_init__(self) -> None:
        self._sound()
        run_length.arl_cusum(self.reference, self.decision)

    @classmethod
    def designed(cls, center: float, sigma: float, *, arl0: float = 370.0, shift: float = 1.0) -> Cusum:
        """The chart for a `shift` (in sigma) with the run length `arl0` in control."""
        if not shift > 0:
            raise errors.SpecError(f"shift is {shift:g}. Expected a size above 0, in standard deviations.", name="shift")
        k = 0.5 * shift
        return cls(center, sigma, k, run_length.limit_for(lambda h: run_length.arl_cusum(k, h), arl0, 0.05, 12.0 / k))

    def arl(self, shift: float = 0.0) -> float:
        """Average run length at a `shift` of the mean in standard deviations."""
        return run_length.arl_cusum(self.reference, self.decision, shift)

    def limits(self) -> tuple[tuple[float, float], ...]:
        """Limits of both sums."""
        return ((0.0, self.decision * self.sigma), (-self.decision * self.sigma, 0.0))

    def init(self) -> tuple[float, ...]:
        """State before the first sample."""
        return (0.0, 0.0)

    def step(self, state: tuple[float, ...], value: float, index: int = 0) -> tuple[tuple[float, ...], Alarm | None]:
        """Next state and the alarm, if there is one; a missing sample leaves the state."""
        if math.isnan(value):
            return state, None
        slack = self.reference * self.sigma
        above = max(0.0, state[0] + value - self.center - slack)
        below = min(0.0, state[1] + value - self.center + slack)
        edge = self.decision * self.sigma
        alarm = None
        if above > edge:
            alarm = self._alarm(index, value, "sum above", above, edge)
        elif -below > edge:
            text = f"Sample {index}: the sum below is {below:.5g}, below its limit {-edge:.5g} (sample {value:.5g})."
            alarm = Alarm(index, value, below, -edge, text)
        return (above, below), alarm
