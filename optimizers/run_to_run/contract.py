"""What run-to-run controllers share: the setting within its limits, and what a step tells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.status import Status


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """What a controller tells after a run.

    Attributes
    ----------
    status, message
        How the step went, and the same in a sentence where there is something to say.
    setting
        What to set in the next run.
    predicted
        What the next run is expected to measure with it.
    estimate
        What the controller holds of the process, by name.
    """

    status: Status
    message: str
    setting: float
    predicted: float
    estimate: Mapping[str, float]


def within(setting: float, lower: float, upper: float, name: str = "setting") -> tuple[float, str]:
    """The setting within its limits, and a sentence where it was held there."""
    if setting < lower or setting > upper:
        held = min(max(setting, lower), upper)
        return held, f"The {name} {setting:.6g} is held at its limit {held:.6g}: the target is out of reach in the next run."
    return setting, ""


def usable(measured: float | None) -> bool:
    """True where there is a finite measurement."""
    return measured is not None and math.isfinite(measured)


def check_numbers(kind: str, **values: float) -> None:
    """Refuse what is not a finite number."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise errors.SpecError(f"{name} of {kind} is {value}. Expected a finite number.", name=name)


def check_weight(kind: str, name: str, weight: float) -> None:
    """Refuse a weight outside 0 to 1."""
    if not 0 < weight <= 1:
        raise errors.SpecError(f"{name} of {kind} is {weight:g}. Expected above 0, at most 1.", name=name)


def check_limits(kind: str, lower: Any, upper: Any) -> None:
    """Refuse limits in the wrong order."""
    if not lower < upper:
        raise errors.SpecError(f"The limits of {kind} are {lower:g} to {upper:g}. Expected lower < upper.")
