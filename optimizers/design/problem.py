"""Design: which parameters of a recipe give the best run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors

Judge = Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """Parameters of a recipe that make a measure of the run best within limits.

    For what a trajectory optimizer cannot state: peaks, times above a temperature, areas, process windows. The measure sees
    whole runs of many members at once; derivatives come from differences in one ensemble; several starts are tried.

    Another object can state a design in the terms of its own field: `solve` takes any problem with a method `design()` that gives
    the fields of this class by name, and `checked(decisions, metrics)` that gives sentences, details and views for the solution.

    Attributes
    ----------
    model
        A dynamic model.
    decisions
        {name: (lower, upper)} in the units of the model. A name is a parameter, or one of `ties`; "name of case" is a decision
        for one of the `cases` alone.
    ties
        {name: parameters that it sets together}, such as the zones of an oven that share a set point.
    measure
        A `twin.Measure`, or a function (times, {signal: values of shape (members, times, ...)} with the decisions, and the
        parameters that they set, of each member by name) -> {metric: one value a member}.
    signals
        What the measure reads; a `twin.Measure` knows it.
    times
        Output times, in the time unit of the model.
    limits
        {metric: (lower, upper)}, None where there is none.
    maximize, minimize
        The metric or decision that counts.
    center
        True, in place of both: stay as far inside all two-sided limits as possible, as shares of their width.
    duration, every
        Length of the run and distance of its output times, where `times` is not given.
    recipe
        As in `twin.simulate`; None: that of the model.
    units
        {metric: unit}, for messages; a `twin.Measure` knows it.
    reference
        {decision: value} of today: the answer is set beside it.
    finer
        The same model on a finer mesh: the answer and the reference are judged on it. Limits are moved by what the meshes differ,
        until the answer meets them there.
    rtol
        Tolerance of the simulations; the answer is checked with a hundredth of it.
    cases
        {case: {parameter: value}}: what one recipe must do in several cases, such as boards that share an oven. Each is run, the
        measure finds its name under "case", and its metrics are called "metric of case".
    across
        Function {metric or decision: values} -> {metric: values}: what counts of all cases together.

    Examples
    --------
    >>> import twin, optimizers
    >>> from processes.electronics import Polishing
    >>> thin = optimizers.Design(model=Polishing(), decisions={"preston": (5e-14, 5e-13)}, signals=("removed",),
    ...                          times=(1.0, 2.0), measure=lambda t, s: {"left": 1000 - s["removed"][:, -1]},
    ...                          limits={"left": (400.0, None)}, maximize="preston")
    >>> round(optimizers.solve(thin).value["preston"] * 1e13, 3)
    1.668
    """

    model: Any
    decisions: Mapping[str, tuple[float, float]]
    measure: Judge
    signals: Sequence[str] = ()
    limits: Mapping[str, tuple[float | None, float | None]] = dataclasses.field(default_factory=dict)
    times: Sequence[float] | None = None
    ties: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    maximize: str | None = None
    minimize: str | None = None
    center: bool = False
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    duration: float | str | None = None
    every: float | str | None = None
    recipe: Any = None
    rtol: float = 1e-7
    reference: Mapping[str, float] | None = None
    finer: Any = None
    cases: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    across: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    solved_by = "optimizers.design.solving"

    def __post_init__(self) -> None:
        for field in ("signals", "units"):
            if not getattr(self, field):
                object.__setattr__(self, field, getattr(self.measure, field, getattr(self, field)))
        if not self.signals:
            raise errors.SpecError("Design has no signals. Name those that the measure reads.")
        known = self.model.parameter_names()
        if not self.decisions:
            raise errors.SpecError("Design has no decisions. Give at least one parameter with its bounds.")
        object.__setattr__(self, "units", {n: self._unit(n) for n in self.decisions} | dict(self.units))
        for name, (low, high) in self.decisions.items():
            for parameter in self.sets(name)[1]:
                if parameter not in known:
                    raise errors.unknown("decision", parameter, f"Design of {self.model.title}", [*known, *self.ties])
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise errors.SpecError(f"The bounds of {name} are {low:g} to {high:g}. Expected finite numbers, lower < upper.")
        for name, value in (self.reference or {}).items():
            if name not in self.decisions:
                raise errors.unknown("decision", name, "reference", self.decisions)
            if not self.decisions[name][0] <= value <= self.decisions[name][1]:
                raise errors.out_of_range(f"The reference of {name}", value, self.units.get(name, ""), *self.decisions[name],
                                          "Widen its bounds, or correct it.")
        if self.reference is not None and len(self.reference) < len(self.decisions):
            lacks = next(n for n in self.decisions if n not in self.reference)
            raise errors.SpecError(f"The reference has no '{lacks}'. Expected a value of each decision.")
        for name, (lower, upper) in self.limits.items():
            if lower is not None and upper is not None and not lower < upper:
                raise errors.SpecError(f"The limits of {name} are {lower:g} to {upper:g} {self.units.get(name, '')}".rstrip()
                                       + ". Expected lower < upper.")
        if sum((self.maximize is not None, self.minimize is not None, self.center)) != 1:
            raise errors.SpecError("Design wants exactly one of maximize=, minimize= and center=True.")
        if self.center and not self._two_sided():
            raise errors.SpecError("center=True needs a metric with a lower and an upper limit.")
        if self.times is None and self.every is None:
            raise errors.SpecError("Design needs times=, or every= (and duration= where the recipe has no end).")

    def sets(self, decision: str) -> tuple[str | None, Sequence[str]]:
        """The case that a decision is for (None: all of them), and the parameters that it sets."""
        own, _, case = decision.rpartition(" of ")
        name = own if case in self.cases else decision
        return (case if case in self.cases else None), self.ties.get(name, (name,))

    def _unit(self, decision: str) -> str:
        """Unit of the parameter that a decision sets, where the model declares it."""
        parameter = next(iter(self.sets(decision)[1]), "").partition("[")[0]
        fields = dataclasses.fields(self.model) if dataclasses.is_dataclass(self.model) else ()
        return next((str(f.metadata.get("unit", "")) for f in fields if f.name == parameter), "")

    def _two_sided(self) -> list[str]:
        return [n for n, (low, high) in self.limits.items() if low is not None and high is not None]
