"""From what a user writes to records: names, pairs, limits, moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic.plan import Limit, Place
from optimizers.dynamic.problem import Move
from twin import errors
from twin.limits import Soft
from twin.recipe import Profile
from twin.simulation.checks import Checker, number

MEASURED = ("state", "algebraic", "output")


def places(check: Checker, name: str, *roles: str, kind: str = "signal") -> list[Place]:
    """The quantities of a name: one, or one a cell."""
    base, bracket, index = name.partition("[")
    row = check.known(kind, base, *(roles or (*MEASURED, "input")))
    at = [row.start + i * row.step for i in range(row.count)]
    names = [f"{base}[{i}]" for i in range(row.count)] if row.shape else [base]
    if bracket:
        if not index[:-1].isdigit() or int(index[:-1]) >= row.count:
            raise errors.SpecError(f"'{name}' is not a place of {base}. Expected {base}[0] to {base}[{row.count - 1}].")
        at, names = [at[int(index[:-1])]], [name]
    s = row.signal
    return [Place(n, s.role, k, s.unit, s.nominal) for n, k in zip(names, at, strict=True)]


def pair(what: str, value: Any, unit: str) -> tuple[float, float]:
    """A value or pair as (lower, upper)."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise errors.SpecError(f"{what} is {value!r}. Expected a number or (lower, upper) in {unit}.")
        low = -math.inf if value[0] is None else number(what, value[0], unit)
        high = math.inf if value[1] is None else number(what, value[1], unit)
        if not low <= high:
            raise errors.SpecError(f"{what} is limited to {low:g} to {high:g} {unit}, the lower above the upper. Swap them, or "
                                   "correct the unit.")
        return low, high
    found = number(what, value, unit)
    return found, found


def limit_of(check: Checker, place: Place, given: Any, phase: int | None, said: str) -> Limit:
    """One limit."""
    label = f"the limit of {check.name}.{said}"
    if isinstance(given, Soft):
        low, high = pair(label, (given.lower, given.upper), place.unit)
        return Limit(place, low, high, given.price, phase, said)
    if isinstance(given, tuple) and any(isinstance(v, Profile) for v in given):
        sides: list[Any] = []
        for value, none in zip(given, (-math.inf, math.inf), strict=True):
            sides.append(value if isinstance(value, Profile) else none if value is None else number(label, value, place.unit))
        if phase is not None:
            raise errors.SpecError(f"{label} is a Profile. Expected a number: it holds at one time only.")
        return Limit(place, sides[0], sides[1], None, phase, said)
    low, high = pair(label, given, place.unit)
    if not (math.isfinite(low) or math.isfinite(high)):
        raise errors.SpecError(f"{label} limits nothing. Give a lower or an upper side, or leave it out.")
    if low == high and phase is None and not isinstance(given, tuple):
        raise errors.SpecError(f"{label} is one number, {low:g} {place.unit}. Expected (lower, upper): what holds all along "
                               "needs room. Use final= for the end of the run.")
    return Limit(place, low, high, None, phase, said)


def moves_of(check: Checker, given: Any) -> dict[str, Move]:
    """The inputs that are moved."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, Mapping):
        given = {name: Move() for name in given}
    found = {}
    for name, move in given.items():
        rows = check.rows("input", "disturbance")
        if name in rows and rows[name].signal.role == "disturbance":
            raise errors.SpecError(f"{check.name}.{name} is a disturbance: nobody moves it. Give it a value in inputs=.")
        signal = check.known("input", name, "input").signal
        if isinstance(move, tuple) and len(move) == 2:
            move = Move(*move)
        if not isinstance(move, Move):
            raise errors.SpecError(f"moves gives {name} {move!r}. Expected (lower, upper) in {signal.unit} or a Move.")
        found[name] = move
    return found


def bounds_of(check: Checker, name: str, move: Move) -> tuple[float, float]:
    """Bounds of a moved input, finite and within those of its signal."""
    signal = check.known("input", name, "input").signal
    low, high = pair(f"moves of {check.name}.{name}", (move.lower, move.upper), signal.unit)
    for value in (low, high):
        if math.isfinite(value):
            check.value(signal, value)
    low, high = max(low, signal.lower), min(high, signal.upper)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise errors.SpecError(f"{check.name}.{name} may move from {low:g} to {high:g} {signal.unit}. Expected finite "
                               f"bounds. Give moves={{'{name}': (lower, upper)}}.")
    if low == high:
        raise errors.SpecError(f"{check.name}.{name} may move from {low:g} to {high:g} {signal.unit}: it cannot move. "
                               "Give it as a value in inputs=.")
    return low, high


def rate_of(check: Checker, name: str, move: Move, signal: Any) -> tuple[float, float]:
    """Bounds of the change of a moved input per time."""
    unit = f"{signal.unit}/{check.model.time_unit}"
    if not isinstance(move.rate, tuple) or len(move.rate) != 2:
        raise errors.SpecError(f"The rate of {name} is {move.rate!r}. Expected (lower, upper) in {unit}.")
    low, high = pair(f"the rate of {name}", move.rate, unit)
    if low > 0 or high < 0:
        raise errors.SpecError(f"The rate of {name} is limited to {low:g} to {high:g} {unit}, which leaves out standing still. "
                               "Expected a lower bound of 0 at most and an upper one of 0 at least.")
    return low, high
