"""EWMA and double EWMA controllers on a linear process y = intercept + gain u.

Ingolfsson and Sachs, J. Quality Technology 25 (1993) 271-287, doi:10.1080/00224065.1993.11979473; Butler and Stefani, IEEE
Trans. Semiconductor Manufacturing 7 (1994) 193-201, doi:10.1109/66.286855.
"""

from __future__ import annotations

import dataclasses
import math

from optimizers.run_to_run.contract import RunInfo, check_limits, check_numbers, check_weight, usable, within
from twin import errors
from twin.status import Status


@dataclasses.dataclass(frozen=True)
class Ewma:
    """EWMA controller: the intercept is an exponentially weighted mean of what the runs showed.

    Stable where 0 < weight x (true gain / gain) < 2.

    Attributes
    ----------
    target
        What the measurement should be.
    gain
        Change of the measurement for one unit of the setting, as the model has it; not zero.
    weight
        Weight of the newest run, above 0, at most 1.
    intercept
        Measurement at setting zero, before the first run.
    lower, upper
        Limits of the setting.

    Examples
    --------
    >>> control = Ewma(target=100.0, gain=2.0, weight=0.5, intercept=10.0)
    >>> state = control.init()
    >>> state, info = control.step(state, measured=104.0, applied=45.0)
    >>> info.setting
    44.0
    """

    target: float
    gain: float
    weight: float = 0.3
    intercept: float = 0.0
    lower: float = -math.inf
    upper: float = math.inf

    def __post_init__(self) -> None:
        check_numbers("Ewma", target=self.target, gain=self.gain, intercept=self.intercept)
        check_weight("Ewma", "weight", self.weight)
        check_limits("Ewma", self.lower, self.upper)
        if self.gain == 0:
            raise errors.SpecError("gain of Ewma is 0. Expected the change of the measurement for one unit of the setting.")

    def init(self) -> tuple[float, ...]:
        """State before the first run."""
        return (self.intercept,)

    def first(self) -> RunInfo:
        """What to set in the first run."""
        return self._info(self.init(), Status.SUCCESS, "")

    def step(self, state: tuple[float, ...], measured: float | None, applied: float) -> tuple[tuple[float, ...], RunInfo]:
        """Next state and setting from one run, in whatever order measurements come.

        Parameters
        ----------
        state
            As the step before gave it.
        measured
            Measurement of the run; None or NaN where there is none: the state stays.
        applied
            Setting that this run really had.
        """
        if not usable(measured):
            return state, self._info(state, Status.SUCCESS, "No measurement: the setting follows the runs before.")
        shown = measured - self.gain * applied  # type: ignore[operator]
        state = (self.weight * shown + (1.0 - self.weight) * state[0],)
        return state, self._info(state, Status.SUCCESS, "")

    def _info(self, state: tuple[float, ...], status: Status, message: str) -> RunInfo:
        setting, held = within((self.target - state[0]) / self.gain, self.lower, self.upper)
        return RunInfo(status, held or message, setting, state[0] + self.gain * setting, {"intercept": state[0]})


@dataclasses.dataclass(frozen=True)
class DoubleEwma:
    """Double EWMA (predictor corrector) controller: intercept and its drift a run are tracked.

    It wins over `Ewma` on drifting processes only where `drift_weight` is small: with a drift of 0.1 sigma a run, 0.1 loses
    to the plain EWMA, 0.01 wins.

    Attributes
    ----------
    target, gain, intercept, lower, upper
        As in `Ewma`.
    weight, drift_weight
        Weights of the newest run for the intercept and for the drift.

    Examples
    --------
    >>> control = DoubleEwma(target=0.0, gain=1.0, weight=0.3, drift_weight=0.01)
    >>> state, info = control.step(control.init(), measured=1.0, applied=0.0)
    >>> round(info.estimate["drift"], 12)
    0.01
    """

    target: float
    gain: float
    weight: float = 0.3
    drift_weight: float = 0.01
    intercept: float = 0.0
    lower: float = -math.inf
    upper: float = math.inf

    def __post_init__(self) -> None:
        check_weight("DoubleEwma", "drift_weight", self.drift_weight)
        Ewma(self.target, self.gain, self.weight, self.intercept, self.lower, self.upper)

    def init(self) -> tuple[float, ...]:
        """State before the first run."""
        return (self.intercept, 0.0)

    def first(self) -> RunInfo:
        """What to set in the first run."""
        return self._info(self.init(), "")

    def step(self, state: tuple[float, ...], measured: float | None, applied: float) -> tuple[tuple[float, ...], RunInfo]:
        """Next state and setting from one run; arguments as in `Ewma.step`."""
        level, drift = state
        if not usable(measured):
            state = (level + drift, drift)
            return state, self._info(state, "No measurement: the drift is carried on.")
        shown = measured - self.gain * applied  # type: ignore[operator]
        new = self.weight * shown + (1.0 - self.weight) * (level + drift)
        state = (new, self.drift_weight * (shown - level) + (1.0 - self.drift_weight) * drift)
        return state, self._info(state, "")

    def _info(self, state: tuple[float, ...], message: str) -> RunInfo:
        expected = state[0] + state[1]
        setting, held = within((self.target - expected) / self.gain, self.lower, self.upper)
        found = {"intercept": state[0], "drift": state[1]}
        return RunInfo(Status.SUCCESS, held or message, setting, expected + self.gain * setting, found)
