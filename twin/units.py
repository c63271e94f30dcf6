"""Units at the edge: pint reads them once, a pair of units becomes a factor and an offset; no kernel sees a unit."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

from twin import errors

# A gas volume at standard conditions is an amount; currencies and counts have dimensions of their own.
_DEFINITIONS = (
    "normal_cubic_meter = 44.61503341 * mol = Nm3",  # ideal gas at 273.15 K and 101325 Pa
    "standard_cubic_meter = 42.29254338 * mol = Sm3",  # ideal gas at 288.15 K and 101325 Pa
    "cell = [cells] = _ = cells",
    "piece = [pieces] = _ = pieces = pcs",
    "euro = [currency] = EUR",
    "US_dollar = [dollar] = USD",  # a dimension of its own: there is no fixed rate between currencies
    "vvm = 1 / minute",
    "turns_per_minute = 1 / minute",  # pint's own rpm is an angle: 2 pi a turn
)
_OFFSETS = {"barg": ("bar", 1.01325), "kPag": ("kPa", 101.325), "mbarg": ("mbar", 1013.25),
            "psig": ("psi", 14.695948775513)}
_SPELLINGS = {"-": "dimensionless", "": "dimensionless", "1": "dimensionless", "°C": "degC", "°F": "degF",
              "wt%": "percent", "vol%": "percent", "mol%": "percent", "pH": "dimensionless"}
_TEMPERATURES = {"K": ("degC", 273.15), "degC": ("K", -273.15)}


def convert(value: Any, source: str, target: str, *, difference: bool = False, name: str = "value") -> Any:
    """Convert a number or array from one unit to another.

    Parameters
    ----------
    value
        Number, numpy array or pandas object, in `source`.
    source, target
        Units such as "g/l", "degC", "Nm3/h", "kJ/(kg K)", "-", "%".
    difference
        True for temperature differences: 10 degC are then 10 K, not 283.15 K.
    name
        What the value is, for the error.

    Raises
    ------
    UnitError
        For an unknown unit and for units of different dimension.

    Examples
    --------
    >>> convert(25.0, "degC", "K")
    298.15
    >>> convert(2.0, "g/l", "kg/m3")
    2.0
    """
    factor, offset = line(source, target, name, difference=difference)
    if factor == 1.0:
        return value + offset if offset else value
    return value * factor + offset if offset else value * factor


def line(source: str, target: str, name: str = "value", *, difference: bool = False) -> tuple[float, float]:
    """Factor and offset of a conversion: target = source x factor + offset.

    Raises
    ------
    UnitError
        For an unknown unit and for units of different dimension.
    """
    if source == target:
        return 1.0, 0.0
    try:
        return _line(source, target, difference)
    except errors.UnitError as fault:
        raise errors.UnitError(f"{name}: {fault}", name=name, source=source, target=target) from None


def check(unit: str, name: str = "unit") -> str:
    """Return `unit` if it is a known one.

    Raises
    ------
    UnitError
        Otherwise, with the name of the quantity.
    """
    try:
        _parse(_OFFSETS[unit][0] if unit in _OFFSETS else unit)
    except errors.UnitError as fault:
        raise errors.UnitError(f"{name}: {fault}", name=name, unit=unit) from None
    return unit


def same_dimension(one: str, other: str) -> bool:
    """True where values can be converted between the two units."""
    try:
        _line(one, other, False)
    except errors.UnitError:
        return False
    return True


def factor(source: str, target: str, name: str = "value") -> float:
    """Number of `target` units in one `source` unit, for rates and differences: offsets do not count."""
    return float(convert(1.0, source, target, difference=True, name=name))


def to_model_unit(name: str, value: Any, unit: str) -> float:
    """What a user gives for a quantity, as a float in the unit of the model.

    Parameters
    ----------
    name
        Of the quantity, for the error.
    value
        A number (then already in `unit`), a string such as "25 degC", or a pint quantity of any registry.
    unit
        Unit of the model.

    Raises
    ------
    UnitError
        For a string without number or unit, an unknown unit, or one of another dimension.

    Examples
    --------
    >>> to_model_unit("temperature", "25 degC", "K")
    298.15
    """
    if isinstance(value, str):
        number, source = _split(name, value, unit)
    elif hasattr(value, "magnitude") and hasattr(value, "units"):
        number, source = float(value.magnitude), str(value.units)
    elif isinstance(value, bool) or not hasattr(value, "__float__"):
        raise errors.UnitError(f"{name} is {value!r}. Expected a number in {unit} or a string such as '1 "
                               f"{unit}'.", name=name)
    else:
        return float(value)
    return float(convert(number, source, unit, name=f"{name} = {value}"))


def mixed_up(value: float, unit: str, lower: float, upper: float) -> str:
    """Sentence for a temperature outside its limits whose K or degC twin lies inside; empty where that is not so."""
    unit = _SPELLINGS.get(unit, unit)
    if unit not in _TEMPERATURES or lower <= value <= upper:
        return ""
    other, shift = _TEMPERATURES[unit]
    twin = value + shift
    if lower <= twin <= upper:
        return f"{value:g} {other} would be {twin:g} {unit}: was the unit mixed up?"
    before = value - shift
    return f"It is {before:g} {other}, and {before:g} {unit} would do: was the unit mixed up?" if lower <= before <= upper else ""


def check_limits(name: str, value: float, unit: str, lower: float, upper: float, todo: str = "Check value and "
                                                                                             "unit.") -> None:
    """Raise where a value lies outside its limits; says so where degC and K were probably mixed up.

    Raises
    ------
    SpecError
        With name, value, unit and limits.

    Examples
    --------
    >>> check_limits("t_reactor", 25.0, "K", 280.0, 500.0)
    Traceback (most recent call last):
    twin.errors.SpecError: t_reactor is 25 K. Expected 280 to 500 K. 25 degC would be 298.15 K: was the unit mixed up?
    """
    if math.isnan(value):
        raise errors.SpecError(f"{name} is NaN {unit}. Expected {lower:g} to {upper:g} {unit}. "
                               f"{todo}", name=name, value=value)
    if not lower <= value <= upper:
        raise errors.out_of_range(name, value, unit, lower, upper, mixed_up(value, unit, lower, upper) or todo)


def _split(name: str, text: str, unit: str) -> tuple[float, str]:
    found = re.fullmatch(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", text)
    if not found:
        raise errors.UnitError(f"{name} is {text!r}. Expected a number and a unit, as in '1 "
                               f"{unit}'.", name=name, value=text)
    if not found[2] and _SPELLINGS.get(unit, unit) != "dimensionless":
        raise errors.UnitError(f"{name} is {text!r}, without a unit. Expected one, as in '{found[1]} "
                               f"{unit}'.", name=name, value=text)
    return float(found[1]), found[2]


@functools.lru_cache(maxsize=1)
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry()
    for line in _DEFINITIONS:
        registry.define(line)
    return registry


@functools.lru_cache(maxsize=1024)
def _parse(unit: str) -> Any:
    if not isinstance(unit, str):
        raise errors.UnitError(f"the unit is {unit!r}. Expected text such as 'g/l', or '-' for none.")
    text = _SPELLINGS.get(unit.strip(), unit.strip())
    text = re.sub(r"\b([cdkm]?m)([23])\b", r"\1**\2", text.replace("·", "*").replace("€", "EUR"))
    text = re.sub(r"\brpm\b", "turns_per_minute", re.sub(r"\b(?:wt|vol|mol)%", "percent", text))
    try:
        return _registry().parse_units(text)
    except Exception:  # pint raises many kinds for text that is no unit
        raise errors.UnitError(f"unknown unit '{unit}'. Write one that pint knows, such as 'g/l', 'kJ/(kg K)', 'degC' "
                               "or '-'.") from None


@functools.lru_cache(maxsize=4096)
def _line(source: str, target: str, difference: bool) -> tuple[float, float]:
    """Factor and offset from `source` to `target`."""
    if source in _OFFSETS or target in _OFFSETS:
        gauge = lambda unit: _OFFSETS.get(unit, (unit, 0.0))  # noqa: E731
        (low, zero), (high, shift) = gauge(source), gauge(target)
        factor, offset = _line(low, high, difference)
        return factor, offset if difference else offset + zero * factor - shift
    one, other = _parse(source), _parse(target)
    if one.dimensionality != other.dimensionality:
        size = [f"{u} ({str(p.dimensionality) or 'none'})" for u, p in ((source, one), (target, other))]
        raise errors.UnitError(f"cannot convert {size[0]} to {size[1]}. Give a unit of the same dimension.")
    quantity = _registry().Quantity
    steps = [_as_difference(u) for u in (one, other)]
    factor = _tidy(float(quantity(1.0, steps[0]).to(steps[1]).magnitude))
    if difference:
        return factor, 0.0
    try:
        zero, two = (float(quantity(v, one).to(other).magnitude) for v in (0.0, 2.0))
    except Exception:  # logarithmic units and products with offset units have no value at 0
        raise errors.UnitError(f"cannot convert {source} to {target} by a factor and an offset. Convert the values "
                               "first.") from None
    if not math.isclose(two, 2 * factor + zero, rel_tol=1e-9, abs_tol=1e-9 * abs(factor)):
        raise errors.UnitError(f"cannot convert {source} to {target} by a factor and an offset. Convert the values "
                               "first.")
    return factor, _tidy(zero)


def _tidy(value: float) -> float:
    """The decimal number that a product of unit factors missed by rounding only."""
    short = float(f"{value:.12g}")
    return short if math.isclose(value, short, rel_tol=1e-15) else value


def _as_difference(unit: Any) -> Any:
    names = {"degree_Celsius": "delta_degree_Celsius", "degree_Fahrenheit": "delta_degree_Fahrenheit"}
    text = str(unit)
    return _registry().parse_units(names[text]) if text in names else unit
