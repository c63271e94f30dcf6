"""The contract of controllers and estimators: pure functions on a frozen state, and what each step tells."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from twin.status import Status


@dataclasses.dataclass(frozen=True)
class Reading:
    """A measured value with the time it was taken and its quality.

    Parameters
    ----------
    value
        In the unit of the signal; None or NaN where it is missing.
    time
        When the sample was taken, in the time unit of the model; None: now.
    good
        False: the value is not used.

    Examples
    --------
    >>> import twin
    >>> twin.Reading(0.61, time=2.5).usable
    True
    >>> twin.Reading(float("nan")).usable
    False
    """

    value: float | None
    time: float | None = None
    good: bool = True

    @property
    def usable(self) -> bool:
        """True where there is a good, finite value."""
        return self.good and self.value is not None and math.isfinite(self.value)


@dataclasses.dataclass(frozen=True)
class EstimatorInfo:
    """What an estimator tells at each step.

    Attributes
    ----------
    status, message
        How the step went; the same in sentences with names, values and units, "" where there is nothing to say.
    time
        Time of the estimate, in the time unit of the model.
    estimate
        States and estimated disturbances and parameters by name, in their units.
    sd
        Standard deviation of each.
    innovations
        Measured minus predicted, by measurement, for the readings used in this step.
    nis
        Normalized innovation squared of the readings used (chi-squared with as many degrees of freedom as there are), or None.
    used
        Names of the measurements used.
    rejected
        Measurements not used, with the reason as a sentence.
    clipped
        Names of what was held at a limit of its signal.
    seconds
        Time the step took.
    """

    status: Status
    message: str
    time: float
    estimate: Mapping[str, float]
    sd: Mapping[str, float]
    innovations: Mapping[str, float] = dataclasses.field(default_factory=dict)
    nis: float | None = None
    used: tuple[str, ...] = ()
    rejected: Mapping[str, str] = dataclasses.field(default_factory=dict)
    clipped: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class ControllerInfo:
    """What a controller tells at each step.

    Attributes
    ----------
    status, message
        How the step went; the same in a sentence with names, values and units, "" where there is nothing to say.
    inputs
        What to apply now, by name, in the units of the inputs.
    fallback
        "" where the inputs are those just computed; else where they come from, as a sentence.
    prediction
        What the controller expects: an object with `times`, values by name and `plot()`, or None.
    objective
        Value of its objective, or None.
    iterations
        Iterations of the solver.
    seconds
        Time the step took.
    """

    status: Status
    message: str
    inputs: Mapping[str, float]
    fallback: str = ""
    prediction: Any = None
    objective: float | None = None
    iterations: int = 0
    seconds: float = 0.0


class AbstractEstimator(abc.ABC):
    """What every estimator does.

    `init` makes the first state, `step` takes a state and gives the next one with an `EstimatorInfo`. Both are pure: the
    same arguments give the same results, and nothing is kept in the estimator. After `warm_up`, `step` never raises.
    """

    names: tuple[str, ...]
    """What is measured."""

    @abc.abstractmethod
    def init(self, initial: Mapping[str, float] | None = None, *, sd: Mapping[str, float] | None = None,
             time: float = 0.0) -> Any:
        """First state: estimates and their standard deviations by name where they differ from those of the estimator."""

    @abc.abstractmethod
    def step(self, state: Any, measurements: Mapping[str, Any], *, inputs: Mapping[str, float],
             time: float | None = None) -> tuple[Any, EstimatorInfo]:
        """State and estimate at `time`, from the readings that came since and the inputs applied since the last step."""

    def warm_up(self) -> None:  # noqa: B027  # an estimator with nothing to compile leaves it
        """Compile what a step needs, so that the first one is as fast as the next."""


class AbstractController(abc.ABC):
    """What every controller does.

    `init` makes the first state, `step` takes a state and gives the next one with a `ControllerInfo`. Both are pure: the
    same arguments give the same results, and nothing is kept in the controller. After `warm_up`, `step` never raises: where
    nothing better can be computed, the last good input comes back and the info says so.
    """

    interval: float
    """Time between two steps, in the time unit of the model."""

    @abc.abstractmethod
    def init(self, inputs: Mapping[str, float] | None = None) -> Any:
        """First state; `inputs` are those applied last, as read back from the plant."""

    @abc.abstractmethod
    def step(self, state: Any, estimate: Mapping[str, float], **changes: Any) -> tuple[Any, ControllerInfo]:
        """State and inputs for the next interval, from the estimate of the states (and disturbances) by name."""

    def warm_up(self) -> None:  # noqa: B027
        """Compile what a step needs, so that the first one is as fast as the next."""
