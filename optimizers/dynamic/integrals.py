"""A model with integrals of its signals as further states, so that solver and simulator count them alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import twin
from twin import errors
from twin.model import DynamicModel
from twin.signals import Signal, static
from twin.values import Values

PREFIX = "integral_of_"
ELAPSED = "elapsed_time"


def with_integrals(model: Any, wanted: Sequence[str], elapsed: bool = False) -> Any:
    """The model with one more state for the integral of each named signal, and for the time where `elapsed` is set."""
    if not wanted and not elapsed:
        return model
    if not isinstance(model, DynamicModel):
        what = ", ".join(wanted) or "the time over several phases"
        raise errors.SpecError(f"Integrals of a stored model are not possible; {what} of {model.name} is one. "
                               "Give the model itself, or add a state for it before storing.")
    plan = []
    for name in wanted:
        signal = next(s for s in model.signals if s.name == name)
        plan.append((name, f"{signal.unit} {model.time_unit}" if signal.unit not in ("-", "") else model.time_unit,
                     abs(signal.nominal) or 1.0))
    if elapsed:
        plan.append((ELAPSED, model.time_unit, 1.0))
    return Integrated(model, tuple(plan), time_unit=model.time_unit)


def state_name(name: str) -> str:
    """Name of the state that counts a signal."""
    return name if name == ELAPSED else PREFIX + name


class Integrated(DynamicModel):
    """A model with integrals as states; parameters keep their names."""

    base: Any = dataclasses.field(metadata={"flat": True})
    plan: tuple[Any, ...] = static((), doc="name, unit and size of each integral")
    time_unit: str = dataclasses.field(default="s", kw_only=True, metadata={"static": True})  # type: ignore[misc]

    @property
    def title(self) -> str:
        """Name of the model."""
        return str(self.base.title)

    def _all_signals(self) -> tuple[Signal, ...]:
        counted = tuple(Signal(role="state", unit=unit, nominal=size, name=state_name(name)) for name, unit, size in self.plan)
        return (*self.base.signals, *counted)

    def _axis(self, name: str) -> int:
        return int(self.base._axis(name))

    def equations(self, s: Values) -> tuple[dict[str, Any], dict[str, Any]]:
        """Those of the model, and the signals as rates of their integrals."""
        rates, residuals = self.base.equations(s)
        values = {**s._values, **self.base.all_outputs(s), ELAPSED: 1.0}
        return {**rates, **{state_name(name): values[name] for name, _, _ in self.plan}}, residuals

    def rhs(self, s: Values) -> Mapping[str, Any]:
        """Time derivatives of all states."""
        return self.equations(s)[0]

    def residual(self, s: Values) -> Mapping[str, Any]:
        """Residuals of the model."""
        return self.equations(s)[1]

    def outputs(self, s: Values) -> Mapping[str, Any]:
        """Outputs of the model."""
        found: Mapping[str, Any] = self.base.all_outputs(s)
        return found

    def initial(self) -> Mapping[str, Any]:
        """Those of the model; integrals begin at zero."""
        return {**self.base.initial(), **{state_name(name): 0.0 for name, _, _ in self.plan}}

    def recipe(self) -> twin.Recipe | None:
        """That of the model."""
        found: twin.Recipe | None = self.base.recipe()
        return found

    def terms(self) -> dict[str, Any]:
        """Terms of the model."""
        return dict(self.base.terms())
