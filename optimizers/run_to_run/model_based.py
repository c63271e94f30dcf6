"""Model-based run-to-run control: one parameter of a process model is followed, with a drift learned from history."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optimizers.run_to_run.contract import RunInfo, check_limits, usable
from twin import errors
from twin.status import Status

Predict = Callable[[float, float], float]


@dataclasses.dataclass(frozen=True)
class DriftCurve:
    """How the logarithm of the parameter moves with age: start + fall x (1 - exp(-age / runs)).

    Attributes
    ----------
    start, fall, runs
        Logarithm at age 0, change in the long run, and the runs in which 63 % of it happen.
    start_sd
        Standard deviation of the start from one life to the next (a new pad, a cleaned tube).
    run_sd
        Standard deviation of one run about the curve.
    """

    start: float
    fall: float = 0.0
    runs: float = 1.0
    start_sd: float = 0.2
    run_sd: float = 0.02

    def __call__(self, age: float) -> float:
        """Expected logarithm of the parameter at an age in runs."""
        return self.start + self.fall * (1.0 - math.exp(-age / self.runs))

    @classmethod
    def fit(cls, lives: Sequence[Sequence[float]]) -> DriftCurve:
        """The curve of earlier lives.

        Parameters
        ----------
        lives
            One series of parameter values (above 0, one a run, NaN where a run is missing) for each life.
        """
        import numpy as np

        logs = [np.log(np.asarray(life, dtype=float)) for life in lives]
        rows = [(age, k, v) for k, life in enumerate(logs) for age, v in enumerate(life) if math.isfinite(v)]
        if len(rows) < len(lives) + 3:
            raise errors.DataError(f"A drift curve needs more runs than {len(rows)} in {len(lives)} lives. Expected at least "
                                   f"{len(lives) + 3}.")
        age, which, value = (np.array(c) for c in zip(*rows, strict=True))
        offsets = np.eye(len(lives))[which.astype(int)]

        def solved(runs: float) -> tuple[float, Any]:
            design = np.column_stack([offsets, 1.0 - np.exp(-age / runs)])
            found, *_ = np.linalg.lstsq(design, value, rcond=None)
            return float(((design @ found - value) ** 2).sum()), found

        grid = np.geomspace(1.0, 10.0 * max(len(life) for life in logs), 120)
        runs = float(min(grid, key=lambda r: solved(float(r))[0]))
        left, found = solved(runs)
        starts, fall = found[:-1], float(found[-1])
        run_sd = math.sqrt(left / max(len(rows) - len(lives) - 2, 1))
        start_sd = float(np.std(starts, ddof=1)) if len(starts) > 1 else 0.2
        return cls(float(starts.mean()), fall, runs, max(start_sd, 1e-6), max(run_sd, 1e-6))


@dataclasses.dataclass(frozen=True)
class _Belief:
    """Deviation from the curve and its variances."""

    age: int
    level: float
    slope: float
    p_level: float
    p_cross: float
    p_slope: float


@dataclasses.dataclass(frozen=True)
class ModelBased:
    """Run-to-run control with a process model.

    Each run tells the value that one parameter must have had (the model is inverted); a Kalman filter follows its logarithm as
    learned curve + level + slope; the next setting is where the model with the predicted parameter meets the target. With
    noise that the filter knows it is the optimal linear controller; the EWMA is its steady gain without slope.

    Attributes
    ----------
    predict
        Measurement for (setting, parameter); monotone in both. `of_model` makes it of a process model.
    target
        What the measurement should be.
    curve
        What is known of the parameter before: `DriftCurve.fit` of earlier lives, or `DriftCurve(start=log(value))`.
    lower, upper
        Limits of the setting; finite, they bracket the inversion.
    level_sd, slope_sd
        Standard deviations by which level and slope walk a run, as shares of the parameter.

    Examples
    --------
    >>> import math
    >>> control = ModelBased(lambda u, k: k * u, 500.0, DriftCurve(math.log(5.0)), lower=10.0, upper=300.0)
    >>> state = control.init()
    >>> state, info = control.step(state, measured=450.0, applied=100.0)
    >>> 100 < info.setting < 112
    True
    """

    predict: Predict
    target: float
    curve: DriftCurve
    lower: float
    upper: float
    level_sd: float = 0.005
    slope_sd: float = 0.001

    def __post_init__(self) -> None:
        check_limits("ModelBased", self.lower, self.upper)
        if not (math.isfinite(self.lower) and math.isfinite(self.upper)):
            raise errors.SpecError(f"The limits of ModelBased are {self.lower:g} to {self.upper:g}. Expected finite numbers.")

    @classmethod
    def of_model(cls, model: Any, *, measured: str, parameter: str, target: float, curve: DriftCurve,
                 inputs: Mapping[str, Any] | None = None, setting: str = "duration", lower: float, upper: float,
                 duration: Any = None, **options: Any) -> ModelBased:
        """A controller on a process model.

        Parameters
        ----------
        model
            A dynamic model.
        measured
            The state or output whose value at the end of a run is measured.
        parameter
            The parameter that drifts.
        target, curve, lower, upper
            As in the class; in the units of the model.
        inputs
            Inputs of a run.
        setting
            What is set before a run: "duration", or the name of an input (then `duration` is needed).
        duration
            Length of a run where it is not what is set.
        options
            Further fields of the class.
        """
        import twin

        given = dict(inputs or {})
        if setting == "duration":
            prepared = twin.simulator(model, inputs=given, duration=upper, times=[upper])

            def predict(u: float, value: float) -> float:
                return float(prepared.with_times([u])(None, {parameter: value}).final[measured])
        else:
            def predict(u: float, value: float) -> float:
                run = twin.simulate(model, inputs=given | {setting: u}, duration=duration, points=2,
                                    parameters={parameter: value})
                return float(run.final[measured])

        return cls(predict, target, curve, lower, upper, **options)

    def init(self, age: int = 0) -> _Belief:
        """State before the first run of a life that is `age` runs old."""
        return _Belief(age, 0.0, 0.0, self.curve.start_sd**2, 0.0, (10.0 * self.slope_sd) ** 2)

    def first(self, state: _Belief | None = None) -> RunInfo:
        """What to set in the next run, before anything is measured."""
        return self._info(state or self.init(), "")

    def step(self, state: _Belief, measured: float | None, applied: float) -> tuple[_Belief, RunInfo]:
        """Next state and setting from one run.

        Parameters
        ----------
        state
            As `init` or the step before gave it.
        measured
            Measurement of the run; None or NaN where there is none.
        applied
            Setting that this run really had.
        """
        message = "" if usable(measured) else "No measurement: the learned drift is carried on."
        level, slope, p, c, q = state.level, state.slope, state.p_level, state.p_cross, state.p_slope
        if not message:
            try:
                shown = math.log(self.implied(measured, applied))  # type: ignore[arg-type]
            except errors.DataError as why:
                message = str(why)
            else:
                spread = p + self.curve.run_sd**2
                miss = shown - self.curve(state.age) - level
                level, slope = level + p / spread * miss, slope + c / spread * miss
                p, c, q = p - p * p / spread, c - p * c / spread, q - c * c / spread
        moved = self.moved(_Belief(state.age, level, slope, p, c, q))
        return moved, self._info(moved, message)

    def moved(self, state: _Belief) -> _Belief:
        """State one run later, with nothing measured.

        Parameters
        ----------
        state
            As `init` or `step` gave it.
        """
        p, c, q = state.p_level, state.p_cross, state.p_slope
        return _Belief(state.age + 1, state.level + state.slope, state.slope, p + 2.0 * c + q + self.level_sd**2, c + q,
                       q + self.slope_sd**2)

    def expected(self, state: _Belief) -> float:
        """The parameter that the next run is expected to have.

        Parameters
        ----------
        state
            As `init` or `step` gave it.
        """
        return math.exp(self.curve(state.age) + state.level)

    def setting_for(self, value: float) -> tuple[float, str]:
        """The setting with which the model meets the target at a value of the parameter, and a sentence where a limit holds it.

        Parameters
        ----------
        value
            Of the parameter.
        """
        found = _crossing(lambda u: self.predict(u, value), self.target, self.lower, self.upper)
        if found is not None:
            return found, ""
        found = min((self.lower, self.upper), key=lambda u: abs(self.predict(u, value) - self.target))
        return found, f"The setting is held at its limit {found:.6g}: the target is out of reach in the next run."

    def implied(self, measured: float, applied: float) -> float:
        """The parameter with which the model gives what was measured.

        Raises
        ------
        twin.errors.DataError
            No parameter within a factor 20 of the expected one does: a wrong unit, or a failed run.
        """
        middle = math.exp(self.curve.start)
        value = _crossing(lambda logarithm: self.predict(applied, math.exp(logarithm)), measured,
                          math.log(middle / 20.0), math.log(middle * 20.0))
        if value is None:
            raise errors.DataError(f"The measurement {measured:.6g} at the setting {applied:.6g} fits no parameter within a "
                                   f"factor 20 of {middle:.4g}. Check the unit, or leave the run out.")
        return math.exp(value)

    def _info(self, state: _Belief, message: str) -> RunInfo:
        value = self.expected(state)
        found, held = self.setting_for(value)
        estimate = {"parameter": value, "level": state.level, "slope": state.slope, "sd": math.sqrt(state.p_level)}
        return RunInfo(Status.SUCCESS, held or message, found, self.predict(found, value), estimate)


def _crossing(function: Callable[[float], float], wanted: float, low: float, high: float) -> float | None:
    """Where a monotone function has the value `wanted` (regula falsi with halving, Illinois), or None."""
    a, b = low, high
    f_a, f_b = function(a) - wanted, function(b) - wanted
    if not (f_a <= 0 <= f_b or f_b <= 0 <= f_a):
        return None
    side = 0
    for _ in range(100):
        middle = (f_a * b - f_b * a) / (f_a - f_b) if f_a != f_b else 0.5 * (a + b)
        f = function(middle) - wanted
        if f == 0 or abs(b - a) <= 1e-12 * max(abs(a), abs(b)):
            return middle
        if (f > 0) == (f_b > 0):
            b, f_b = middle, f
            f_a = 0.5 * f_a if side == -1 else f_a
            side = -1
        else:
            a, f_a = middle, f
            f_b = 0.5 * f_b if side == 1 else f_b
            side = 1
        if abs(f) <= 1e-11 * max(abs(wanted), 1e-300):
            return middle
    return 0.5 * (a + b)
