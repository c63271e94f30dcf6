"""Shares of a whole: parameters or signals that must sum to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.parameters import traced

TOLERANCE = 1e-6  # of the whole: published compositions are rounded to three or more digits and must be closed by hand


class Shares:
    """Names that are shares of a whole, a class attribute of a model: `feed = twin.Shares("x_water", "x_monomer")`.

    The names are parameters, checked when a model is constructed, or signals of one role, checked wherever a user gives
    values for all of them: initial states, inputs and disturbances of a recipe.

    Parameters
    ----------
    names
        At least two parameters, or signals of one role, in the same unit.
    whole
        What they sum to: 1, or 100 for percentages.

    Examples
    --------
    >>> feed = Shares("x_a", "x_b")
    >>> feed.check("Mixer", {"x_a": 0.4, "x_b": 0.5})
    Traceback (most recent call last):
    twin.errors.SpecError: Mixer: x_a 0.4 + x_b 0.5 = 0.9. Expected a sum of 1. Correct one share, or divide all by their sum.
    """

    def __init__(self, *names: str, whole: float = 1.0) -> None:
        self.names, self.whole = names, float(whole)
        if len(names) < 2:
            raise errors.SpecError(f"Shares got {len(names)} name. Expected at least two shares of a whole.")

    def check(self, of: str, values: Mapping[str, Any]) -> None:
        """Raise where the values of all names are numbers whose sum is not the whole.

        Parameters
        ----------
        of
            Model, for the error.
        values
            Values by name; where one is missing or no number, nothing is checked.

        Raises
        ------
        SpecError
            With every share, their sum and the whole.
        """
        given: list[Any] = [values.get(n) for n in self.names]
        if any(traced(v) or not isinstance(v, int | float) for v in given):
            return
        total = float(sum(given))
        if not abs(total - self.whole) <= TOLERANCE * abs(self.whole):
            sum_of = " + ".join(f"{n} {v:g}" for n, v in zip(self.names, given, strict=True))
            raise errors.SpecError(f"{of}: {sum_of} = {total:g}. Expected a sum of {self.whole:g}. Correct one share, or "
                                   "divide all by their sum.", names=self.names, total=total)
