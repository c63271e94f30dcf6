"""Smooth forms of max, min, abs, step and limit: the cure where `where`, `clip` or `abs` would make a model kink.

Each takes an explicit `width` in the unit of its argument: the size of the region where it differs from the sharp form.
All work elementwise on numbers and arrays, and have derivatives of every order.
"""

from __future__ import annotations

from typing import Any

from twin import errors
from twin.lazy import array_module


def positive(a: Any, width: float) -> Any:
    """Smooth max(a, 0): exceeds it by width/2 at 0 and by width**2/(4 abs(a)) far away; always positive.

    Examples
    --------
    >>> round(float(positive(0.0, 0.2)), 6)
    0.1
    """
    w = _checked(width)
    root = array_module(a).sqrt(a * a + w * w)
    return 0.5 * (a + root)


def maximum(a: Any, b: Any, width: float) -> Any:
    """Smooth max(a, b), never below it, at most width/2 above."""
    return b + positive(a - b, width)


def minimum(a: Any, b: Any, width: float) -> Any:
    """Smooth min(a, b), never above it, at most width/2 below."""
    return b - positive(b - a, width)


def limit(a: Any, lower: Any, upper: Any, width: float) -> Any:
    """Smooth clip of `a` to lower..upper, within width of the sharp form; lower < upper."""
    w = _checked(width)
    sqrt = array_module(a, lower, upper).sqrt
    return 0.5 * (lower + upper + sqrt((a - lower) ** 2 + w * w) - sqrt((a - upper) ** 2 + w * w))


def absolute(a: Any, width: float) -> Any:
    """Smooth abs(a), 0 at 0, at most width below the sharp form."""
    w = _checked(width)
    return a * a / (array_module(a).sqrt(a * a + w * w) + w)


def step(a: Any, width: float) -> Any:
    """Smooth step from 0 (a << 0) to 1 (a >> 0); 0.5 at 0, within 2 % of the ends at abs(a) = 2 width."""
    return 0.5 * (1.0 + array_module(a).tanh(a / _checked(width)))


def signed_sqrt(a: Any, width: float) -> Any:
    """Smooth sign(a) sqrt(abs(a)), for flow through a valve: finite slope at 0."""
    w = _checked(width)
    return a / (a * a + w * w) ** 0.25


def _checked(width: float) -> float:
    if isinstance(width, int | float) and not width > 0:
        raise errors.SpecError(f"width is {width:g}. Expected a positive number. Give about 1 % of the argument's "
                               "range.")
    return width
