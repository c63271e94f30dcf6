"""Exceptions: each says what, with name, value and unit, what was expected, and one thing to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class TwinError(Exception):
    """Base of every error that Twinworks raises on purpose; extra facts are attributes."""

    def __new__(cls, message: str, **facts: object) -> Any:
        return super().__new__(cls, message)

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        for name, fact in facts.items():
            setattr(self, name, fact)  # some are slots of the built-in base, which would hide an entry of __dict__

    def __reduce__(self) -> Any:  # OSError and AttributeError would lose the message or the facts in process pools
        return _rebuilt, (type(self), str(self), dict(vars(self)) | self._slots())

    def _slots(self) -> dict[str, object]:
        found = {n: getattr(self, n, None) for n in ("name", "path")}
        return {n: v for n, v in found.items() if v is not None}

    def __str__(self) -> str:
        return str(self.args[0])


def _rebuilt(kind: type[TwinError], message: str, facts: dict[str, object]) -> TwinError:
    return kind(message, **facts)


class SpecError(TwinError, ValueError):
    """A model, recipe or argument is stated wrongly."""


class NameUnknownError(SpecError, AttributeError):
    """A name is not one of the known names."""


class UnitError(SpecError):
    """A unit is missing, unknown, or of another dimension."""


class DataError(TwinError, ValueError):
    """Measured data cannot be used as they are."""


class LoweringError(TwinError, NotImplementedError):
    """An equation uses something that cannot be lowered to a kernel."""


class ConvergenceError(TwinError, ArithmeticError):
    """A numerical method ended without an answer; `.status` says why."""


class StorageError(TwinError, OSError):
    """A file cannot be read or written."""


class MissingExtraError(TwinError, ImportError):
    """An optional library is not installed."""


class ValidityWarning(UserWarning):
    """A parameter lies outside the range that its source states: the model is extrapolated."""


def unknown(kind: str, name: str, of: str, known: Iterable[str]) -> NameUnknownError:
    """Error for an unknown name, with the nearest known one."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return NameUnknownError(f"Unknown {kind} '{name}' of {of}.{hint} Known: {', '.join(known) or 'none'}.", name=name)


def out_of_range(name: str, value: float, unit: str, lower: float | None, upper: float | None, todo: str) -> SpecError:
    """Error for a value outside its limits."""
    low = "-inf" if lower is None else f"{lower:g}"
    high = "inf" if upper is None else f"{upper:g}"
    text = f"{name} is {value:g} {unit}. Expected {low} to {high} {unit}. {todo}"
    return SpecError(text, name=name, value=value, lower=lower, upper=upper)
