"""Terms: named constitutive relations of a model, the only places that a learned correction may change."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any


class term:
    """Mark a method as a named constitutive relation of named quantities, elementwise in its arguments.

    Parameters
    ----------
    unit
        Unit of the value.
    lower, upper
        Physical limits of the value, in `unit`.
    vanishes_with
        Arguments at whose zero the value must be zero.
    rises_with, falls_with
        Arguments with which the uncorrected value never falls, or never rises; `check_model` proves it.
    """

    def __init__(self, unit: str, *, lower: float = 0.0, upper: float = math.inf,
                 vanishes_with: tuple[str, ...] = (), rises_with: tuple[str, ...] = (),
                 falls_with: tuple[str, ...] = ()) -> None:
        self.unit, self.lower, self.upper, self.vanishes_with = unit, lower, upper, tuple(vanishes_with)
        self.rises_with, self.falls_with = tuple(rises_with), tuple(falls_with)
        self.name = ""
        if not lower < upper:
            raise TypeError(f"A term has the limits {lower:g} and {upper:g} {unit}. Expected lower < upper.")
        if vanishes_with and not lower <= 0 <= upper:
            raise TypeError(f"A term vanishes with {', '.join(vanishes_with)} but has the limits {lower:g} to "
                            f"{upper:g} {unit}. "
                            "Let them contain 0.")

    def __call__(self, function: Callable[..., Any]) -> term:
        self.function, self.__doc__ = function, function.__doc__
        self.signature = inspect.signature(function)
        self.arguments = tuple(self.signature.parameters)[1:]
        for name in (*self.vanishes_with, *self.rises_with, *self.falls_with):
            if name not in self.arguments:
                raise TypeError(f"Term '{function.__name__}' names '{name}', which is not among its arguments "
                                f"({', '.join(self.arguments)}).")
        return self

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        if model is None:
            return self

        def evaluate(*args: Any, **kw: Any) -> Any:
            bound = self.signature.bind(model, *args, **kw).arguments
            named = {n: bound[n] for n in self.arguments}
            relation = model.relations.get(self.name)
            value = self.function(model, **named) if relation is None else relation(**named)
            fix = model.learned.get(self.name)
            return value if fix is None else fix.apply(self, value, named)

        return evaluate


def terms_of(cls: type) -> dict[str, term]:
    """The terms of a model class by name."""
    found: dict[str, term] = {}
    for c in reversed(cls.__mro__):
        found |= {n: v for n, v in vars(c).items() if isinstance(v, term)}
    return found
