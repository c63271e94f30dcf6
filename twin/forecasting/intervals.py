"""Intervals that were measured: how far runs left out lie from their predictions, in units of what was expected.

The expected size of an error is sqrt(a**2 + (b value)**2 + spread**2): a and b from the residuals, the spread from the
ensemble. Its factor is a quantile of the errors found (split conformal prediction: Lei et al., J. Am. Stat. Assoc. 113
(2018) 1094-1111, doi:10.1080/01621459.2017.1307116). Samples of one run are not independent, which is why the coverage is
measured run by run: each with the factors of the others.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.learning.result import Prediction

FEWEST = 10  # samples of a signal below which no interval is given


@dataclasses.dataclass(frozen=True, eq=False)
class Scale:
    """Expected errors of one signal, and the errors found over them."""

    absolute: float
    relative: float
    scores: Any  # signed, sorted

    def size(self, value: Any, spread: Any) -> Any:
        """Expected error of a prediction."""
        import numpy as np

        return np.sqrt(self.absolute**2 + (self.relative * value) ** 2 + spread**2)

    def factor(self, level: float) -> float:
        """Quantile of the scores: this many expected errors hold a share `level` of the samples."""
        import numpy as np

        found = np.sort(np.abs(self.scores))
        return float(found[min(math.ceil((len(found) + 1) * level), len(found)) - 1])


@dataclasses.dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals of predictions, measured on runs that were left out.

    Attributes
    ----------
    predictions
        What they were measured on.
    scales
        Expected errors and scores by signal.
    """

    predictions: tuple[Prediction, ...] = dataclasses.field(repr=False)
    scales: Mapping[str, Scale]

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs they were measured on."""
        return tuple(dict.fromkeys(p.run for p in self.predictions))

    def half(self, signal: str, value: Any, spread: Any, level: float) -> Any:
        """Half the width of the interval around predicted values, in the unit of the signal."""
        scale = self.scales[signal]
        return scale.factor(level) * scale.size(value, spread)

    def covered(self, predictions: Sequence[Prediction], level: float) -> dict[str, tuple[int, int]]:
        """{signal: (samples inside, samples)} of predictions."""
        import numpy as np

        found: dict[str, tuple[int, int]] = {}
        for p in predictions:
            if p.signal in self.scales:
                inside = np.abs(p.measured - p.predicted) <= self.half(p.signal, p.predicted, p.spread, level)
                a, b = found.get(p.signal, (0, 0))
                found[p.signal] = (a + int(inside.sum()), b + len(inside))
        return found

    def coverage(self, level: float = 0.9) -> dict[str, float]:
        """Measured coverage of each signal, and of all as "": every run with the intervals of the other runs.

        NaN with fewer than three runs, where there is nothing to measure it on.
        """
        if len(self.runs) < 3:
            return dict.fromkeys((*self.scales, ""), math.nan)
        counts: dict[str, list[int]] = {}
        for run in self.runs:
            others = intervals_from([p for p in self.predictions if p.run != run])
            for signal, (inside, total) in others.covered([p for p in self.predictions if p.run == run], level).items():
                for name in (signal, ""):
                    row = counts.setdefault(name, [0, 0])
                    row[0] += inside
                    row[1] += total
        return {n: inside / total for n, (inside, total) in counts.items() if total}


def intervals_from(predictions: Sequence[Prediction]) -> Intervals:
    """Intervals from predictions of runs that were not used to make them; signals with too few samples are left out."""
    import numpy as np

    scales = {}
    for signal in dict.fromkeys(p.signal for p in predictions):
        mine = [p for p in predictions if p.signal == signal]
        value, off, spread = (np.concatenate([np.asarray(v, float) for v in vs]) for vs in (
            [p.predicted for p in mine], [p.measured - p.predicted for p in mine], [p.spread for p in mine]))
        kept = np.isfinite(value) & np.isfinite(off)
        if kept.sum() < FEWEST:
            continue
        value, off, spread = value[kept], off[kept], spread[kept]
        absolute, relative = _expected(value, off)
        scale = Scale(absolute, relative, np.zeros(0))
        scales[signal] = dataclasses.replace(scale, scores=np.sort(off / scale.size(value, spread)))
    return Intervals(tuple(predictions), scales)


def measure_intervals(model: Any, data: Any, *, signals: Sequence[str] | None = None, initial: Any = None,
                      inputs: Mapping[str, Any] | None = None, rtol: float = 1e-6, execution: str | None = None) -> Intervals:
    """Measure the intervals of a model, or of scenarios, on runs that it was not fitted to.

    Parameters
    ----------
    model
        A dynamic model, a calibration, or `twin.Scenarios`.
    data
        The runs that were left out.
    signals, initial, inputs
        As in `calibrate`.
    rtol, execution
        As in `simulate`.

    Raises
    ------
    DataError
        Where nothing is measured, or no run can be simulated.
    """
    import numpy as np

    from twin.calibration.experiments import experiments_of
    from twin.calibration.residuals import Residuals
    from twin.forecasting.members import members_of

    members = members_of(model)
    experiments = experiments_of(members.model, data, signals=signals, initial=initial, inputs=inputs)
    names = tuple(members.model.parameter_names())
    engine = Residuals(members.model, experiments, [(n, None) for n in names], rtol=rtol, execution=execution)
    told = np.array([engine.evaluate(p, False).values for p in members.vectors])
    if not np.isfinite(told).any():
        raise errors.DataError(f"None of the {len(experiments)} runs can be simulated. Check inputs and initial states.")
    value, spread, rows = members.center(told), members.spread(told), engine.rows
    predictions = []
    for k, run in enumerate(rows.runs):
        for s, signal in enumerate(rows.signals):
            mask = (rows.run == k) & (rows.signal == s) & np.isfinite(value)
            if mask.any():
                predictions.append(Prediction(run, signal, rows.time[mask], rows.value[mask], value[mask], spread[mask]))
    return intervals_from(predictions)


def _expected(value: Any, off: Any) -> tuple[float, float]:
    """Absolute and relative size of errors: robust deviations of small and of large values, joined by a line of squares."""
    import numpy as np

    order = np.argsort(np.abs(value))
    halves = [order[:len(order) // 2], order[len(order) // 2:]]
    squares = [max((1.4826 * float(np.median(np.abs(off[h])))) ** 2, 1e-24) for h in halves]
    means = [float(np.mean(value[h] ** 2)) for h in halves]
    slope = max((squares[1] - squares[0]) / (means[1] - means[0]), 0.0) if means[1] > means[0] else 0.0
    base = squares[0] - slope * means[0]
    if base <= 0:  # all relative: a little of the small errors stays absolute
        base, slope = 0.05 * squares[0], squares[1] / means[1]
    if slope == 0.0:
        base = float(np.mean(squares))
    return math.sqrt(base), math.sqrt(slope)
