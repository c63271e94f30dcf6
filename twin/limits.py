"""Limits on signals, and limits that may be exceeded at a price."""

from __future__ import annotations

import dataclasses
import math

from twin import errors


@dataclasses.dataclass(frozen=True)
class Soft:
    """A limit that may be exceeded at a price; made by `soft`.

    Attributes
    ----------
    lower, upper
        Limits in the unit of the signal, a number or text with a unit, or None.
    price
        Cost of one unit of excess, in units of the objective, counted once at each point in time where it is exceeded.
    """

    lower: float | str | None
    upper: float | str | None
    price: float


def soft(lower: float | str | None, upper: float | str | None, *, price: float) -> Soft:
    """A limit that an optimizer may exceed at a price.

    Parameters
    ----------
    lower, upper
        Limits in the unit of the signal they are given for: a number, text with a unit, or None where there is none.
    price
        Cost of one unit of excess, in units of the objective; above zero.

    Raises
    ------
    twin.errors.SpecError
        There is no limit at all, or the price is not a number above zero.

    Examples
    --------
    >>> import twin
    >>> twin.soft(None, 140, price=100)
    Soft(lower=None, upper=140, price=100.0)
    """
    if lower is None and upper is None:
        raise errors.SpecError("twin.soft got neither a lower nor an upper limit. Give at least one.")
    if not (math.isfinite(price) and price > 0):
        raise errors.SpecError(f"The price of a soft limit is {price:g}. Expected a number above 0.")
    return Soft(lower, upper, float(price))
