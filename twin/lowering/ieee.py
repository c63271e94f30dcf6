"""Arithmetic that never raises: what C gives where Python raises. Generated Python kernels import it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

_INTEGRAL = 4503599627370496.0  # 2**52: from here on every double is a whole number


def tw_min(a: float, b: float) -> float:
    """Smaller of both; NaN if one is NaN."""
    return a if a != a else (b if b != b else (a if a < b else b))


def tw_max(a: float, b: float) -> float:
    """Larger of both; NaN if one is NaN."""
    return a if a != a else (b if b != b else (a if a > b else b))


def tw_sign(a: float) -> float:
    """-1, 0, 1 or NaN."""
    return a if a != a or a == 0.0 else (1.0 if a > 0.0 else -1.0)


def tw_floor(a: float) -> float:
    """Largest whole number not above."""
    return math.copysign(float(math.floor(a)), a) if abs(a) < _INTEGRAL else a


def tw_ceil(a: float) -> float:
    """Smallest whole number not below."""
    return math.copysign(float(math.ceil(a)), a) if abs(a) < _INTEGRAL else a


def tw_round(a: float) -> float:
    """Nearest whole number, halves to even."""
    return math.copysign(float(round(a)), a) if abs(a) < _INTEGRAL else a


def tw_is_finite(a: float) -> bool:
    """Neither infinite nor NaN."""
    return a - a == 0.0


def div(a: float, b: float) -> float:
    """Quotient; infinity or NaN where the divisor is zero."""
    if b != 0.0:
        return a / b
    if a == 0.0 or a != a or b != b:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def safe(f: Callable[..., float], *args: float) -> float:
    """Value of a `math` function; infinity or NaN where it raises."""
    try:
        return f(*args)
    except OverflowError:
        negative = args[0] < 0.0
        if f is math.pow:
            return -math.inf if negative and args[1] % 2.0 == 1.0 else math.inf
        return -math.inf if negative and f is math.sinh else math.inf
    except ValueError:
        a = args[0]
        if (f is math.log and a == 0.0) or (f is math.log1p and a == -1.0):
            return -math.inf
        if f is math.atanh and abs(a) == 1.0:
            return math.copysign(math.inf, a)
        if f is math.pow and a == 0.0 and args[1] < 0.0:
            return math.copysign(math.inf, a) if args[1] % 2.0 == 1.0 else math.inf
        return math.nan


def deferred(text: str, scope: dict[str, Any]) -> Callable[[str], Callable[..., None]]:
    """Functions of a module text by name, compiled when one is first asked for."""
    found: dict[str, Any] = {}

    def get(name: str) -> Callable[..., None]:
        if not found:
            exec(text, scope, found)
        return found[name]

    return get
