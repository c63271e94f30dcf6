"""Is the plant at steady state? The ratio of two estimates of the noise, sample by sample, with a calibrated critical value."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors

DRAWS = 200_000
LEAVE = 50  # times less likely by chance than a single verdict: what ends a steady period


@dataclasses.dataclass(frozen=True)
class SteadyInfo:
    """What the detector says of one sample.

    Attributes
    ----------
    steady
        True where all signals have looked steady for `hold` samples.
    ratio
        Ratio of the two noise estimates by signal: about 1 at steady state, greater where something moves.
    moving
        Signals whose ratio is beyond the critical value.
    mean, sd
        Average of each signal since the steady period began, and the standard deviation of that average.
    count
        Samples in the steady period.
    """

    steady: bool
    ratio: Mapping[str, float]
    moving: tuple[str, ...]
    mean: Mapping[str, float]
    sd: Mapping[str, float]
    count: int


@dataclasses.dataclass(frozen=True)
class _Filters:
    """State of the detector: filters by signal, sums of the period that may be steady."""

    seen: int
    last: Mapping[str, float]
    level: Mapping[str, float]
    around: Mapping[str, float]
    between: Mapping[str, float]
    quiet: int
    sums: Mapping[str, tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class SteadyDetector:
    """Detects steady state on line: `init` makes the first state, `step` takes a sample and tells.

    For each signal the variance about a moving level and the variance from one sample to the next are filtered; at
    steady state both estimate the noise, and their ratio is about 1. The critical value is that which the ratio exceeds
    with probability `alpha` where nothing moves and the noise is independent from sample to sample. Sample no faster
    than the noise forgets itself: correlated noise looks like movement.

    Attributes
    ----------
    signals
        Names of the signals to watch.
    filters
        Filter factors of level, variance about it and variance between samples: smaller ones see slower drifts, later.
    alpha
        Probability that a steady sample is called moving by at least one signal; a period that was called steady ends at the
        value that is exceeded with a fiftieth of it, so that it does not end by chance.
    hold
        How many samples in a row must look steady.

    Examples
    --------
    >>> import random
    >>> from twin.quality import SteadyDetector
    >>> random.seed(0)
    >>> detector = SteadyDetector(("level",))
    >>> state = detector.init()
    >>> for k in range(200):
    ...     state, info = detector.step(state, {"level": 5.0 - 4.0 * 0.9**k + random.gauss(0, 0.01)})
    >>> info.steady, abs(info.mean["level"] - 5.0) < 0.01
    (True, True)

    References
    ----------
    Cao, Rhinehart, J. Process Control 5 (1995) 363-374: the ratio and its filters
    """

    signals: Sequence[str]
    filters: tuple[float, float, float] = (0.2, 0.1, 0.1)
    alpha: float = 0.01
    hold: int = 20

    def __post_init__(self) -> None:
        object.__setattr__(self, "signals", (self.signals,) if isinstance(self.signals, str) else tuple(self.signals))
        if not self.signals:
            raise errors.SpecError("SteadyDetector got no signal. Expected at least one name.")
        if len(self.filters) != 3 or not all(0 < f < 1 for f in self.filters):
            raise errors.SpecError(f"filters is {self.filters!r}. Expected three factors between 0 and 1.")
        if not 0 < self.alpha < 1:
            raise errors.SpecError(f"alpha is {self.alpha:g}. Expected a probability between 0 and 1.")
        if self.hold < 2:
            raise errors.SpecError(f"hold is {self.hold}. Expected at least 2 samples.")

    @property
    def critical(self) -> float:
        """What the ratio of one signal exceeds at steady state with the probability that gives `alpha` for all."""
        return self._critical_at(self.alpha)

    def _critical_at(self, alpha: float) -> float:
        return _critical(tuple(self.filters), 1 - (1 - alpha) ** (1 / len(self.signals)))

    def init(self) -> _Filters:
        """State before the first sample."""
        return _Filters(0, {}, {}, {}, {}, 0, {})

    def step(self, state: _Filters, sample: Mapping[str, float]) -> tuple[_Filters, SteadyInfo]:
        """State and verdict after one sample; a sample with a missing or bad value is left out.

        Raises
        ------
        SpecError
            Where a signal is missing in the sample by name.
        """
        for name in self.signals:
            if name not in sample:
                raise errors.unknown("signal", name, "the sample", sample)
        x = {n: float(sample[n]) for n in self.signals}
        if not all(math.isfinite(v) for v in x.values()):
            return state, self._told(state)
        if not state.seen:
            start = _Filters(1, x, x, dict.fromkeys(x, 0.0), dict.fromkeys(x, 0.0), 0, dict.fromkeys(x, (0.0, 0.0)))
            return start, self._told(start)
        a, b, c = self.filters
        around = {n: b * (v - state.level[n]) ** 2 + (1 - b) * state.around[n] for n, v in x.items()}
        between = {n: c * (v - state.last[n]) ** 2 + (1 - c) * state.between[n] for n, v in x.items()}
        level = {n: a * v + (1 - a) * state.level[n] for n, v in x.items()}
        now = _Filters(state.seen + 1, x, level, around, between, state.quiet, state.sums)
        if self._moving(now) or now.seen < 1 / min(self.filters):
            now = dataclasses.replace(now, quiet=0, sums=dict.fromkeys(x, (0.0, 0.0)))
        else:
            sums = {n: (now.sums[n][0] + v, now.sums[n][1] + v * v) for n, v in x.items()}
            now = dataclasses.replace(now, quiet=now.quiet + 1, sums=sums)
        return now, self._told(now)

    def _ratio(self, state: _Filters) -> dict[str, float]:
        a = self.filters[0]
        return {n: (2 - a) * state.around[n] / state.between[n] if state.between[n] > 0 else 1.0 for n in state.around}

    def _moving(self, state: _Filters) -> tuple[str, ...]:
        most = self.critical if state.quiet < self.hold else self._critical_at(self.alpha / LEAVE)
        return tuple(n for n, r in self._ratio(state).items() if r > most)

    def _told(self, state: _Filters) -> SteadyInfo:
        count = state.quiet
        mean = {n: s / count for n, (s, _) in state.sums.items()} if count else {}
        sd = {n: math.sqrt(max(q / count - (s / count) ** 2, 0.0) / (count - 1)) for n, (s, q) in state.sums.items()} \
            if count > 1 else {}
        return SteadyInfo(count >= self.hold, self._ratio(state), self._moving(state), mean, sd, count)


@dataclasses.dataclass(frozen=True)
class SteadyPeriod:
    """A stretch of data at steady state.

    Attributes
    ----------
    start, end
        Index of its first and last sample.
    mean, sd
        Average of each signal and the standard deviation of that average.
    count
        Samples in it.
    """

    start: Any
    end: Any
    mean: Mapping[str, float]
    sd: Mapping[str, float]
    count: int


def steady_periods(frame: Any, signals: Sequence[str] = (), *, alpha: float = 0.01, hold: int = 20,
                   filters: tuple[float, float, float] = (0.2, 0.1, 0.1)) -> tuple[SteadyPeriod, ...]:
    """Stretches of a table of samples in which nothing moves.

    Parameters
    ----------
    frame
        pandas DataFrame: one row a sample, equally spaced.
    signals
        Columns to watch; all of them without.
    alpha, hold, filters
        Those of a `twin.quality.SteadyDetector`.

    Returns
    -------
    tuple of SteadyPeriod
        In order of time, with averages over each.

    Raises
    ------
    SpecError
        Where a column is missing.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> noise = 0.01 * np.random.default_rng(0).standard_normal(300)
    >>> step = pd.DataFrame({"level": np.where(np.arange(300) < 150, 1.0, 2.0) + noise})
    >>> [round(p.mean["level"], 2) for p in steady_periods(step)]
    [1.0, 2.0]
    """
    names = tuple(signals) or tuple(str(c) for c in frame.columns)
    for name in names:
        if name not in frame.columns:
            raise errors.unknown("column", name, "the table", [str(c) for c in frame.columns])
    detector = SteadyDetector(names, filters, alpha, hold)
    rows = frame[list(names)].to_numpy(dtype=float)
    state, spans, open_ = detector.init(), list[tuple[int, int]](), False
    for k, row in enumerate(rows):
        state, info = detector.step(state, dict(zip(names, row, strict=True)))
        if info.steady:
            spans[-1 if open_ else len(spans):] = [(k - info.count + 1, k)]
        elif open_:  # what ended it began before it was seen
            spans[-1] = (spans[-1][0], max(spans[-1][1] - round(1 / filters[1]), spans[-1][0] + hold // 2))
        open_ = info.steady
    return tuple(_period(frame.index, names, rows, *span) for span in spans)


def _period(index: Any, names: Sequence[str], rows: Any, first: int, last: int) -> SteadyPeriod:
    import numpy as np

    part = rows[first:last + 1]
    part = part[np.isfinite(part).all(axis=1)]
    n = len(part)
    return SteadyPeriod(index[first], index[last], dict(zip(names, part.mean(axis=0).tolist(), strict=True)),
                        dict(zip(names, (part.std(axis=0, ddof=1) / math.sqrt(n)).tolist(), strict=True)), n)


@functools.lru_cache(maxsize=64)
def _critical(filters: tuple[float, float, float], alpha: float) -> float:
    """Quantile of the ratio under independent normal noise, from a fixed set of draws."""
    import numpy as np

    a, b, c = filters
    chains = 2000
    noise = np.random.default_rng(0).standard_normal((DRAWS // chains + 200, chains))
    level, around, between, kept = np.zeros(chains), np.ones(chains), 2 * np.ones(chains), []
    for last, x in itertools.pairwise(noise):
        around = b * (x - level) ** 2 + (1 - b) * around
        between = c * (x - last) ** 2 + (1 - c) * between
        level = a * x + (1 - a) * level
        kept.append((2 - a) * around / between)
    return float(np.quantile(np.concatenate(kept[199:]), 1 - alpha))
