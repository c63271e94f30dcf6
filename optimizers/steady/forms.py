"""Linear forms of qualities and ratios of them: an ordinary formula becomes exact linear rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twin import errors


class _Signed:
    """What follows from sum and product."""

    __array_ufunc__ = None  # numpy's functions shall fail, not make arrays of forms

    def __add__(self, other: Any) -> Any:
        raise NotImplementedError

    def __mul__(self, other: Any) -> Any:
        raise NotImplementedError

    def __neg__(self) -> Any:
        return self * -1.0

    def __sub__(self, other: Any) -> Any:
        return self + (-other)

    def __rsub__(self, other: Any) -> Any:
        return -self + other


@dataclasses.dataclass(frozen=True, eq=False)
class Form(_Signed):
    """constant + sum of terms[name] x quality."""

    terms: Mapping[str, float]
    constant: float = 0.0

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Quotient):
            return other + self
        other = _form(other)
        names = {**self.terms, **other.terms}
        return Form({n: self.terms.get(n, 0.0) + other.terms.get(n, 0.0) for n in names}, self.constant + other.constant)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Form | Quotient):
            if isinstance(other, Form) and not any(other.terms.values()):
                return self * other.constant
            if isinstance(other, Form) and not any(self.terms.values()):
                return other * self.constant
            raise NotLinear("multiplies two qualities")
        factor = _number(other)
        return Form({n: factor * v for n, v in self.terms.items()}, factor * self.constant)

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Quotient):
            raise NotLinear("divides by a ratio")
        if isinstance(other, Form):
            return Quotient(self, other)
        return self * (1.0 / _number(other))

    def __rtruediv__(self, other: Any) -> Any:
        return Quotient(_form(other), self)

    __radd__, __rmul__ = __add__, __mul__


@dataclasses.dataclass(frozen=True, eq=False)
class Quotient(_Signed):
    """One form over another."""

    over: Form
    under: Form

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Form | Quotient):
            raise NotLinear("adds a ratio and a quality")
        return Quotient(self.over + self.under * _number(other), self.under)

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, Form | Quotient):
            raise NotLinear("multiplies a ratio and a quality")
        return Quotient(self.over * _number(other), self.under)

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, Form | Quotient):
            raise NotLinear("divides a ratio by a quality")
        return self * (1.0 / _number(other))

    __radd__, __rmul__ = __add__, __mul__


class NotLinear(Exception):
    """A formula is neither linear nor a ratio of linear forms."""


class Named:
    """Qualities and quantities by name, as attributes and as items."""

    def __init__(self, of: str, values: Mapping[str, Any]) -> None:
        self._of, self._values = of, values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise errors.unknown("quality", name, self._of, self._values)
        return self._values[name]


def forms(qualities: Iterable[str], formulas: Mapping[str, Callable[[Any], Any]]) -> dict[str, Form | Quotient]:
    """Every quality and every quantity as a form or a ratio of forms.

    Raises
    ------
    SpecError
        Where a formula is neither.
    """
    found: dict[str, Any] = {name: Form({name: 1.0}) for name in qualities}
    for name, formula in formulas.items():
        try:
            value = formula(Named(f"the formula of {name}", found))
            value = value if isinstance(value, Form | Quotient) else _form(value)
        except NotLinear as fault:
            raise errors.SpecError(f"The formula of {name} {fault}: it is neither linear nor a ratio of linear forms, so that a "
                                   "blend with it is no linear program. Give a blending index that mixes linearly.") from None
        except TypeError as fault:
            raise errors.SpecError(f"The formula of {name} uses something other than + - * / ({fault}). Expected a linear form "
                                   "or a ratio of linear forms of the qualities.") from None
        found[name] = value
    return found


def evaluated(qualities: Mapping[str, float], formulas: Mapping[str, Callable[[Any], Any]]) -> dict[str, float]:
    """The same qualities and quantities as numbers."""
    values = dict(qualities)
    for name, formula in formulas.items():
        try:
            values[name] = float(formula(Named(f"the formula of {name}", values)))
        except ZeroDivisionError:
            values[name] = float("nan")
    return values


def _number(value: Any) -> float:
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(f"a {type(value).__name__}")
    return float(value)


def _form(value: Any) -> Form:
    return value if isinstance(value, Form) else Form({}, _number(value))
