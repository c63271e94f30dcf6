"""Learned corrections of terms, as data: they keep zeros, signs and bounds whatever their weights are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.lazy import jnp
from twin.module import Module
from twin.signals import static
from twin.terms import term

GATE_WIDTH = 1e-3  # of the nominal size of an argument: where a term that must vanish starts to


class Multiply(Module):
    """value x exp(ln(max_factor) tanh(net)): positive stays positive, zeros stay zero, at most `max_factor` away."""

    net: Any
    max_factor: float = static(3.0, doc="largest factor up or down")
    domain: Any = static((), doc="where it was trained")

    def __post_init__(self) -> None:
        _set_domain(self)
        if not self.max_factor > 1:
            raise errors.SpecError(f"max_factor is {self.max_factor:g}. Expected more than 1.")

    def apply(self, of: term, value: Any, named: Mapping[str, Any]) -> Any:
        """Corrected value of the term."""
        return value * jnp.exp(math.log(self.max_factor) * jnp.tanh(self.net(named)))


class Add(Module):
    """value + scale x net, squashed smoothly between the bounds of the term, gated where it must vanish.

    A net of zero leaves the term as it is.
    """

    net: Any
    scale: float | None = static(None, doc="size of the addition, in the unit of the term")
    gates: Any = static((), doc="nominal sizes of the arguments it vanishes with")
    domain: Any = static((), doc="where it was trained")

    def __post_init__(self) -> None:
        _set_domain(self)

    def apply(self, of: term, value: Any, named: Mapping[str, Any]) -> Any:
        """Corrected value of the term."""
        size = _scale(of, self.scale)
        bounds = math.isfinite(of.lower) + math.isfinite(of.upper)
        moved, shift = value, 2.0**bounds * size * self.net(named)  # each squash halves the slope at zero
        if math.isfinite(of.lower):
            moved = of.lower + _soft(shift, value - of.lower, size)
            shift = moved - value
        if math.isfinite(of.upper):
            moved = of.upper - _soft(-shift, of.upper - value, size)
        elif not bounds:
            moved = value + shift
        return value + gate(of, named, dict(self.gates)) * (moved - value)


class Replace(Module):
    """The net in place of the mechanism: squashed smoothly into the bounds of the term, gated where it must vanish."""

    net: Any
    scale: float | None = static(None, doc="size of the term where a bound is infinite, in its unit")
    gates: Any = static((), doc="nominal sizes of the arguments it vanishes with")
    domain: Any = static((), doc="where it was trained")

    def __post_init__(self) -> None:
        _set_domain(self)

    def apply(self, of: term, value: Any, named: Mapping[str, Any]) -> Any:
        """Value of the net as the term."""
        n, low, high = self.net(named), math.isfinite(of.lower), math.isfinite(of.upper)
        size = _scale(of, self.scale)
        if low and high:
            new = of.lower + (of.upper - of.lower) * 0.5 * (1.0 + jnp.tanh(0.5 * n))
        elif low:
            new = of.lower + _soft(size * n, 0.5 * size, size)
        elif high:
            new = of.upper - _soft(-size * n, 0.5 * size, size)
        else:
            new = size * n
        return gate(of, named, dict(self.gates)) * new


Correction = Multiply | Add | Replace


def gate(of: term, named: Mapping[str, Any], sizes: Mapping[str, float]) -> Any:
    """Product of a / sqrt(a**2 + eps**2) over the arguments a term vanishes with: 0 at zero, 1 beyond a few eps.

    Smooth through zero and odd, so that a rate turns around where a concentration overshoots below zero; a/(a + eps)
    would have a pole there.
    """
    value: Any = 1.0
    for name in of.vanishes_with:
        eps = GATE_WIDTH * sizes.get(name, 1.0)
        value = value * named[name] / jnp.sqrt(named[name] ** 2 + eps * eps)
    return value


def fitted(fix: Any, of: term, label: str, sizes: Mapping[str, float]) -> Correction:
    """The correction for one term; a bare net multiplies, gates without sizes take the nominal ones in `sizes`.

    Raises
    ------
    SpecError
        Where it sees something that is not an argument of the term, or needs a scale.
    """
    if not isinstance(fix, Multiply | Add | Replace):
        if not callable(fix):
            raise errors.SpecError(f"The correction of {label} is a {type(fix).__name__}. Expected Multiply, Add, "
                                   "Replace or a net.")
        fix = Multiply(fix)
    named = [row[0] for row in (*fix.domain, *getattr(fix, "gates", ()))]
    for name in (*getattr(fix.net, "inputs", ()), *named):
        if name not in of.arguments:
            raise errors.unknown("argument", name, f"the term {label}", of.arguments)
    if isinstance(fix, Multiply):
        return fix
    _scale(of, fix.scale, label)
    nominal = {n: abs(sizes[n]) for n in of.vanishes_with if sizes.get(n)}
    return dataclasses.replace(fix, gates=nominal | dict(fix.gates))


def outside(fix: Correction, named: Mapping[str, Any]) -> dict[str, float]:
    """Arguments outside the domain of validity: name -> distance beyond it over the width of the domain."""
    found = {}
    for name, low, high in fix.domain:
        beyond = max(low - float(named[name]), float(named[name]) - high) / (high - low)
        if beyond > 0:
            found[name] = beyond
    return found


def _soft(shift: Any, room: Any, size: float) -> Any:
    """Smooth and positive: `room` at no shift, near shift where that is large, near 0 where it is very negative."""
    eps = 1e-6 * size
    return 0.5 * (shift + jnp.sqrt(shift * shift + 4.0 * room * room + eps * eps))


def _scale(of: term, given: float | None, label: str = "") -> float:
    if given is not None:
        if not given > 0:
            raise errors.SpecError(f"scale is {given:g} {of.unit}. Expected a positive size of the term "
                                   f"{label or of.name}.")
        return float(given)
    if math.isfinite(of.lower) and math.isfinite(of.upper):
        return 0.25 * (of.upper - of.lower)
    raise errors.SpecError(f"The term {label or of.name} has the limits {of.lower:g} and {of.upper:g} {of.unit}. "
                           "Expected finite ones, "
                           "or scale= with a typical size.")


def _set_domain(fix: Any) -> None:
    rows = fix.domain.items() if isinstance(fix.domain, Mapping) else [(r[0], r[1:]) for r in fix.domain]
    domain = tuple((str(n), float(low), float(high)) for n, (low, high) in rows)
    for name, low, high in domain:
        if not low < high:
            raise errors.SpecError(f"The domain of {name} is {low:g} to {high:g}. Expected low < high.")
    object.__setattr__(fix, "domain", domain)
    if hasattr(fix, "gates"):
        rows = fix.gates.items() if isinstance(fix.gates, Mapping) else fix.gates
        gates = tuple((str(n), float(v)) for n, v in rows)
        for name, value in gates:
            if not value > 0:
                raise errors.SpecError(f"The gate of {name} has the size {value:g}. Expected its nominal value, "
                                       "positive.")
        object.__setattr__(fix, "gates", gates)
