"""Solution: what every problem comes back as, with the solver's claim beside the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin.status import Status


@dataclasses.dataclass(frozen=True)
class Active:
    """A limit that holds the optimum back.

    Attributes
    ----------
    name
        The signal or constraint.
    side
        "lower", "upper" or "equal"; "toward lower" or "toward upper" where the distance from the limit is what counts.
    value, limit, unit
        Where it stands and what it may be, in its unit.
    shadow_price, price_unit
        How much the objective gets better for one unit of room more; its unit.
    where
        Where along time or in the plan, as text ("from 3 h to 7.5 h"); empty where there is only one place.
    valid
        Between which values of the limit the same limits hold the optimum back, so that the shadow price is of use; None where
        that is not known.
    """

    name: str
    side: str
    value: float
    limit: float
    unit: str
    shadow_price: float
    price_unit: str = ""
    where: str = ""
    valid: tuple[float, float] | None = None

    def __str__(self) -> str:
        unit = "" if self.unit == "-" else f" {self.unit}".rstrip()
        stands = f"held at {self.limit:.6g}" if self.side == "equal" else f"at its {self.side} limit {self.limit:.6g}"
        room = "unit more" if self.side == "equal" else "unit of room"
        if self.side.startswith("toward"):
            stands = f"{self.value:.6g}, held {self.side} limit {self.limit:.6g}".replace("toward ", "toward its ")
        text = f"{self.name} is {stands}{unit}" + (f" {self.where}" if self.where else "")
        text += f"; one {room} is worth {self.shadow_price:.4g} {self.price_unit}".rstrip()
        if self.valid is not None:
            text += f", between {self.valid[0]:.5g} and {self.valid[1]:.5g}{unit}"
        return text + "."


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Solution:
    """The answer to a problem.

    Attributes
    ----------
    problem
        What was solved.
    status, message
        How the solver ended, and the same in a sentence with names, values and units.
    value
        Decisions by name: numbers, or arrays over the intervals.
    objective, objective_unit
        The objective as it was found by checking the answer on the model itself; None where there is no answer.
    claimed
        What the solver says the objective is.
    violation
        The worst violation of a limit when the answer is replayed, as a share of the limit's nominal size; 0 is best.
    violated
        The limits that the replay violates beyond tolerance, as sentences.
    bound
        A proved bound of the objective, or None.
    active
        Limits that hold the optimum back, the most expensive first.
    replay
        The answer played on the model: a `twin.Trajectory`, a steady state, or the record of the plan's checker.
    solver
        Which solver gave it, and why where another one was tried first.
    stats
        Iterations, seconds and other counts by name.
    details
        What only this kind of problem has, by name.
    views
        What `plot`, `table` and `to_frame` do for this kind of problem, by name.
    """

    problem: Any
    status: Status
    message: str
    value: Mapping[str, Any]
    objective: float | None
    objective_unit: str = ""
    claimed: float | None = None
    violation: float = 0.0
    violated: Sequence[str] = ()
    bound: float | None = None
    active: Sequence[Active] = ()
    replay: Any = None
    solver: str = ""
    stats: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    details: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    views: Mapping[str, Callable[..., Any]] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.value[name]

    def __repr__(self) -> str:
        return f"Solution({self.explain().splitlines()[0]})"

    @property
    def recipe(self) -> Any:
        """The answer as a `twin.Recipe` that can be simulated, stored and replayed."""
        if "recipe" not in self.details:
            from twin import errors

            raise errors.SpecError(f"A solution of {type(self.problem).__name__} is no recipe. Use .value.")
        return self.details["recipe"]

    def explain(self) -> str:
        """What was found and what holds it back, in sentences."""
        lines = [self.message or str(self.status)]
        if self.objective is not None:
            unit = f" {self.objective_unit}".rstrip()
            claim = "" if self.claimed is None else f" (the solver claimed {self.claimed:.8g}{unit})"
            lines.append(f"Objective {self.objective:.8g}{unit}, checked on the model{claim}.")
        if self.bound is not None:
            lines.append(f"Proved bound {self.bound:.8g} {self.objective_unit}".rstrip() + ".")
        lines += self.violated or ["All limits hold when the answer is replayed."] * (self.objective is not None)
        lines += [str(a) for a in self.active]
        return "\n".join([*lines, f"Solver: {self.solver}."] if self.solver else lines)

    def _view(self, name: str, *args: Any, **options: Any) -> Any:
        if name not in self.views:
            from twin import errors

            raise errors.SpecError(f"A solution of {type(self.problem).__name__} has no {name}(). Use explain() or to_frame().")
        return self.views[name](self, *args, **options)

    def table(self, *args: Any, **options: Any) -> str:
        """The decisions as text."""
        return str(self._view("table", *args, **options))

    def plot(self, *args: Any, **options: Any) -> Any:
        """A matplotlib figure of the answer, limits shaded."""
        return self._view("plot", *args, **options)

    def to_frame(self, *args: Any, **options: Any) -> Any:
        """The decisions as a pandas DataFrame."""
        return self._view("to_frame", *args, **options)
