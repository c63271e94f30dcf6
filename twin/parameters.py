"""Parameter values at construction of a model: units read, NaN and bounds checked, arrays as numpy float64."""

from __future__ import annotations

import math
import sys
import warnings
from typing import Any

from twin import errors, units


def traced(value: Any) -> bool:
    """True for values that JAX traces: they have no number to check."""
    return "jax" in sys.modules and isinstance(value, sys.modules["jax"].core.Tracer)


def checked(name: str, value: Any, meta: Any, shape: tuple[int, ...]) -> Any:
    """A given parameter as a float, or as a float64 array (of `shape` if declared), in its field's unit.

    Raises
    ------
    UnitError
        For a string or quantity of another dimension.
    SpecError
        For NaN, a value outside the bounds, or a wrong number of values.

    Warns
    -----
    ValidityWarning
        For a value outside the range that the source states.
    """
    unit, (low, high) = meta["unit"], meta["bounds"]
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    if traced(value):
        return value
    if value is None:
        limits = f" ({low:g} to {high:g})" if low > -math.inf or high < math.inf else ""
        published = f"; published: {meta['source']}" if meta["source"] else ""
        raise errors.SpecError(f"{name} has no value. Give it in {unit}{limits}{published}.", name=name)
    if not shape and not getattr(value, "shape", ()):
        number = units.to_model_unit(name, value, unit)
        _check(name, number, unit, low, high)
        warn_beyond(name, number, meta)
        return number
    array = _array(name, value, unit, low, high, shape)
    if array.size:
        for number in (float(array.min()), float(array.max())):
            warn_beyond(name, number, meta)
    return array


def warn_beyond(name: str, value: float, meta: Any) -> None:
    """Warn of a value beyond the range that the source of a parameter states."""
    low, high = meta["validity"]
    if (low is not None and value < low) or (high is not None and value > high):
        unit, source = meta["unit"], meta["source"]
        ends = " to ".join("any" if v is None else f"{v:g}" for v in (low, high))
        warnings.warn(f"{name} is {value:g} {unit}. It is known from {ends} {unit} ({source}). Beyond, the model is "
                      "extrapolated: check the value, or compare with measurements.", errors.ValidityWarning, stacklevel=2)


def _array(name: str, value: Any, unit: str, low: float, high: float, shape: tuple[int, ...]) -> Any:
    import numpy as np

    if isinstance(value, str) or hasattr(value, "magnitude"):
        value = units.to_model_unit(name, value, unit)
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(shape, float(array))
    if shape and array.shape != shape:
        raise errors.SpecError(f"{name} has the shape {array.shape}. Expected {shape}. Give one value a "
                               "cell.", name=name)
    for i, number in enumerate(array.reshape(-1)):
        _check(f"{name}[{i}]", float(number), unit, low, high)
    return array


def _check(name: str, value: float, unit: str, low: float, high: float) -> None:
    if math.isnan(value):
        raise errors.SpecError(f"{name} is NaN {unit}. Expected a number. Leave it out to take the published "
                               "value.", name=name)
    units.check_limits(name, value, unit, low, high)
