"""Signals and parameters: declared as class attributes, named by the attribute they are bound to."""

from __future__ import annotations

import dataclasses
import keyword
import math
from typing import Any

ROLES = ("state", "algebraic", "input", "disturbance", "output")
RESERVED = ("time", "position")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signal:
    """One named quantity of a model that varies in time."""

    role: str
    unit: str
    lower: float = -math.inf
    upper: float = math.inf
    nominal: float = 1.0
    shape: tuple[str, ...] = ()
    per: str = ""
    doc: str = ""
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        if keyword.iskeyword(name) or name.startswith("_") or name in RESERVED:
            raise TypeError(f"{owner.__name__}.{name} cannot be a signal name. Choose a plain name other than {RESERVED}.")
        object.__setattr__(self, "name", name)


def state(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float = 1.0,
          shape: tuple[str, ...] = (), per: str = "", doc: str = "") -> Any:
    """Declare a differential state; `per="volume"` marks a concentration in the state `volume`."""
    return Signal(role="state", unit=unit, lower=lower, upper=upper, nominal=nominal, shape=shape, per=per, doc=doc)


def algebraic(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float = 1.0,
              shape: tuple[str, ...] = (), doc: str = "") -> Any:
    """Declare an algebraic variable, fixed by `residual(s)`; `nominal` is also the first guess."""
    return Signal(role="algebraic", unit=unit, lower=lower, upper=upper, nominal=nominal, shape=shape, doc=doc)


def input(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float = 1.0, doc: str = "") -> Any:
    """Declare a manipulated input."""
    return Signal(role="input", unit=unit, lower=lower, upper=upper, nominal=nominal, doc=doc)


def disturbance(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float = 1.0, doc: str = "") -> Any:
    """Declare a measured or unmeasured disturbance; it takes its nominal value where nothing else is given."""
    return Signal(role="disturbance", unit=unit, lower=lower, upper=upper, nominal=nominal, doc=doc)


def output(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float = 1.0,
           shape: tuple[str, ...] = (), doc: str = "") -> Any:
    """Declare an output, computed by `outputs(s)`."""
    return Signal(role="output", unit=unit, lower=lower, upper=upper, nominal=nominal, shape=shape, doc=doc)


def parameter(default: Any, unit: str, *, bounds: tuple[float | None, float | None] = (None, None), scale: str = "linear",
              shape: tuple[str, ...] = (), source: str = "", doc: str = "") -> Any:
    """Declare a constant of the model; `scale="log"` where it is fitted in its logarithm."""
    meta = {"kind": "parameter", "unit": unit, "bounds": bounds, "scale": scale, "shape": shape, "source": source, "doc": doc}
    if hasattr(default, "__array__"):  # arrays are mutable: dataclasses want a factory
        return dataclasses.field(default_factory=lambda: default, metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


def static(default: Any, *, doc: str = "") -> Any:
    """Declare structure (a number of cells, a choice): part of the program, never traced."""
    return dataclasses.field(default=default, metadata={"kind": "static", "static": True, "doc": doc})
