"""Signals and parameters: declared as class attributes, named by the attribute they are bound to."""

from __future__ import annotations

import dataclasses
import keyword
import math
from typing import Any

from twin import errors

ROLES = ("state", "algebraic", "input", "disturbance", "output")
RESERVED = ("time", "position")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signal:
    """One named quantity of a model that varies in time.

    Attributes
    ----------
    role
        "state", "algebraic", "input", "disturbance" or "output".
    unit, lower, upper, nominal
        Unit, and limits and typical size in it.
    shape
        () for a number; ("cells",) for one value a cell.
    per
        Volume or mass state that a concentration refers to, or "".
    doc, name
        What it is, and the attribute it is bound to.
    """

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
        object.__setattr__(self, "name", name)


def check(signal: Signal, of: str) -> None:
    """Refuse a signal that contradicts itself.

    Raises
    ------
    TypeError
        For a name that cannot be used.
    SpecError
        For limits or a nominal value that cannot be met.
    """
    name, unit = signal.name, signal.unit
    if keyword.iskeyword(name) or name.startswith("_") or name in RESERVED:
        raise TypeError(f"{of}.{name} cannot be a signal name. Choose a plain name other than {', '.join(RESERVED)}.")
    if not isinstance(unit, str):
        raise errors.UnitError(f"The unit of {of}.{name} is {unit!r}. Expected text such as 'g/l', or '-' for "
                               "none.", name=name)
    if not signal.lower < signal.upper:
        raise errors.SpecError(f"{of}.{name} has the limits {signal.lower:g} and {signal.upper:g} {unit}. Expected "
                               "lower < upper.")
    if not (math.isfinite(signal.nominal) and signal.lower <= signal.nominal <= signal.upper):
        raise errors.out_of_range(f"nominal of {of}.{name}", signal.nominal, unit, signal.lower, signal.upper,
                                  "Give nominal= a typical value.")


def _signal(role: str, unit: str, lower: float, upper: float, nominal: float | None, shape: tuple[str, ...] = (),
            per: str = "", doc: str = "") -> Signal:
    if nominal is None:
        ends = [v for v in (lower, upper) if math.isfinite(v)]
        nominal = 1.0 if lower <= 1.0 <= upper or not ends else sum(ends) / len(ends)
    return Signal(role=role, unit=unit, lower=float(lower), upper=float(upper), nominal=float(nominal),
                  shape=(shape,) if isinstance(shape, str) else tuple(shape), per=per, doc=doc)


def state(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float | None = None,
          shape: tuple[str, ...] = (), per: str = "", doc: str = "") -> Any:
    """Declare a differential state.

    Parameters
    ----------
    unit
        Such as "g/l", "K" or "-".
    lower, upper
        Physical limits, in `unit`.
    nominal
        Typical size, in `unit`: scale of errors and default start. 1 or the middle of the limits without.
    shape
        ("cells",) for one value a cell; "cells" is then a `twin.static` of the model.
    per
        Name of the volume (or mass) state this is a concentration in, so that a bolus dilutes it.
    doc
        What it is.

    Examples
    --------
    >>> state("g/l", lower=0, upper=60, nominal=10, doc="cell dry mass").nominal
    10.0
    """
    return _signal("state", unit, lower, upper, nominal, shape, per, doc)


def algebraic(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float | None = None,
              shape: tuple[str, ...] = (), doc: str = "") -> Any:
    """Declare an algebraic variable, fixed by `residual(s)`; `nominal` is also the first guess, the rest as `state`."""
    return _signal("algebraic", unit, lower, upper, nominal, shape, "", doc)


def input(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float | None = None,
          doc: str = "") -> Any:
    """Declare a manipulated input; arguments as `state`."""
    return _signal("input", unit, lower, upper, nominal, doc=doc)


def disturbance(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float | None = None,
                doc: str = "") -> Any:
    """Declare a measured or unmeasured disturbance; arguments as `state`.

    It takes its nominal value where nothing else is given.
    """
    return _signal("disturbance", unit, lower, upper, nominal, doc=doc)


def output(unit: str, *, lower: float = -math.inf, upper: float = math.inf, nominal: float | None = None,
           shape: tuple[str, ...] = (), doc: str = "") -> Any:
    """Declare an output, computed by `outputs(s)`; arguments as `state`."""
    return _signal("output", unit, lower, upper, nominal, shape, "", doc)


def parameter(default: Any, unit: str, *, bounds: tuple[float | None, float | None] = (None, None),
              validity: tuple[float | None, float | None] = (None, None), scale: str = "linear",
              shape: tuple[str, ...] = (), source: str = "", doc: str = "") -> Any:
    """Declare a constant of the model; `scale="log"` where it is fitted in its logarithm.

    Parameters
    ----------
    default
        The published value in `unit`; a sequence or array for a parameter with `shape`; None where a user must give it.
    unit
        Such as "1/h", "kJ/(kg K)" or "-".
    bounds
        Lower and upper limit in `unit`, beyond which a value is refused; None where there is none.
    validity
        Range that the source states, inside `bounds`; a value beyond it is taken with a `ValidityWarning`.
    scale
        "linear" or "log".
    shape
        Names of the static sizes it varies along, as in ("cells",).
    source, doc
        Where the value comes from, and what it is.
    """
    if scale not in ("linear", "log"):
        raise errors.SpecError(f"scale is {scale!r}. Expected 'linear' or 'log'.")
    shape = (shape,) if isinstance(shape, str) else tuple(shape)
    meta = {"kind": "parameter", "unit": unit, "bounds": tuple(bounds), "validity": tuple(validity), "scale": scale,
            "shape": shape, "source": source, "doc": doc}
    if hasattr(default, "__len__") and not isinstance(default, str):
        return dataclasses.field(default_factory=lambda: default, metadata=meta)
    return dataclasses.field(default=default, metadata=meta)


def static(default: Any, *, doc: str = "") -> Any:
    """Declare structure (a number of cells, a choice): part of the program, never traced.

    `default` is its value where none is given; `doc` says what it is.
    """
    return dataclasses.field(default=default, metadata={"kind": "static", "static": True, "doc": doc})
