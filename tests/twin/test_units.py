"""Units at the edge, against facts of physics and definition."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import twin
from twin import units


@pytest.mark.parametrize(("value", "source", "target", "expected"), [
    (25.0, "degC", "K", 298.15), (298.15, "K", "degC", 25.0), (212.0, "degF", "degC", 100.0), (25.0, "°C", "K", 298.15),
    (2.0, "g/l", "kg/m3", 2.0), (3.6, "kWh", "MJ", 12.96), (1.0, "1/min", "1/h", 60.0), (1.0, "t/h", "kg/s", 1 / 3.6),
    (50.0, "%", "-", 0.5), (0.5, "g/g", "%", 50.0), (3.0, "wt%", "g/g", 0.03), (1e6, "cell/ml", "cell/l", 1e9),
    (1.0, "W/(m2 K)", "kJ/(h m**2 K)", 3.6), (6.0, "degC/min", "K/s", 0.1), (0.0, "barg", "bar", 1.01325),
    (1.0, "bar", "barg", -0.01325), (1.0, "barg", "kPa", 201.325), (3000.0, "rpm", "1/s", 50.0),
    (1.0, "vvm", "1/h", 60.0),
    (100.0, "€/MWh", "EUR/kWh", 0.1), (1.0, "m³/h", "l/h", 1000.0), (7.0, "pH", "-", 7.0)])
def test_convert(value: float, source: str, target: str, expected: float) -> None:
    """Offsets, engineering units that pint lacks, and their spellings."""
    assert units.convert(value, source, target) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_gas_volume_at_standard_conditions_is_an_amount() -> None:
    """1 Nm3 is p V / (R T) at 273.15 K and 101325 Pa; a plain m3 is not convertible to it."""
    assert units.convert(1.0, "Nm3", "mol") == pytest.approx(101325 / (8.314462618 * 273.15), rel=1e-9)
    assert units.convert(1.0, "Sm3", "mol") == pytest.approx(101325 / (8.314462618 * 288.15), rel=1e-9)
    with pytest.raises(twin.UnitError, match=r"air: cannot convert m3 .*length.* to Nm3 .*substance"):
        units.convert(1.0, "m3", "Nm3", name="air")


def test_differences_have_no_offset() -> None:
    """10 degC of difference are 10 K or 18 degF."""
    assert units.convert(10.0, "degC", "K", difference=True) == 10.0
    assert units.convert(10.0, "K", "degF", difference=True) == pytest.approx(18.0)
    assert units.factor("h", "min") == 60.0


def test_arrays_convert_elementwise_and_equal_units_cost_nothing() -> None:
    """Arrays keep their shape; the same unit returns the same object."""
    values = np.array([[0.0, 100.0]])
    assert units.convert(values, "degC", "K").tolist() == [[273.15, 373.15]]
    assert units.convert(values, "g/l", "g/l") is values


@pytest.mark.parametrize(("value", "expected"), [
    ("25 degC", 298.15), ("77 degF", 298.15), ("2.9815e2 K", 298.15), (298.15, 298.15)])
def test_to_model_unit(value: object, expected: float) -> None:
    """Strings carry their unit; numbers are in the unit of the model."""
    assert units.to_model_unit("temperature", value, "K") == pytest.approx(expected, rel=1e-12)


def test_quantities_of_any_registry() -> None:
    """A pint quantity of the user's own registry is understood."""
    import pint

    assert units.to_model_unit("temperature", pint.UnitRegistry().Quantity(25, "degC"), "K") == pytest.approx(298.15)


@pytest.mark.parametrize(("value", "message"), [
    ("25", r"t_in is '25', without a unit\. Expected one, as in '25 K'"), ("hot", r"t_in is 'hot'\. Expected a number "
                                                                                  r"and a unit"),
    ("3 kg", r"t_in = 3 kg: cannot convert kg .* to K"), ("3 grams/foo", r"unknown unit 'grams/foo'"),
    (None, r"t_in is None\. Expected a number in K"), (True, r"t_in is True"), ("3 dBm", r"cannot convert")])
def test_bad_units_are_named(value: object, message: str) -> None:
    """Each error has the name, the value and what was expected."""
    with pytest.raises(twin.UnitError, match=message):
        units.to_model_unit("t_in", value, "K")


def test_logarithmic_units_are_refused() -> None:
    """No factor and offset leads from dBm to W."""
    with pytest.raises(twin.UnitError, match="Convert the values first"):
        units.convert(1.0, "dBm", "W")


def test_mixed_up_temperatures_are_noticed() -> None:
    """A value outside its limits whose twin lies inside gets a hint; others do not."""
    with pytest.raises(twin.SpecError, match=r"t_reactor is 25 K\. Expected 280 to 500 K\. 25 degC would be 298.15 K: "
                                             r"was the unit"):
        units.check_limits("t_reactor", 25.0, "K", 280.0, 500.0)
    with pytest.raises(twin.SpecError, match=r"t is 310 degC\. Expected 0 to 100 degC\. 310 K would be 36.85 degC"):
        units.check_limits("t", 310.0, "degC", 0.0, 100.0)
    with pytest.raises(twin.SpecError, match=r"t is 900 K\. Expected 280 to 500 K\. Check value and unit"):
        units.check_limits("t", 900.0, "K", 280.0, 500.0)
    assert units.mixed_up(300.0, "K", 280.0, 500.0) == ""
    assert units.mixed_up(25.0, "g", 280.0, 500.0) == ""


def test_check_names_the_quantity() -> None:
    """A known unit is returned, an unknown one named."""
    assert units.check("kJ/(kg K)") == "kJ/(kg K)"
    with pytest.raises(twin.UnitError, match=r"feed: unknown unit 'kilogrom'"):
        units.check("kilogrom", "feed")
    assert units.same_dimension("1/h", "1/s")
    assert not units.same_dimension("1/h", "kg")


def test_pint_is_not_imported_for_equal_units() -> None:
    """Models and equal units never load pint."""
    text = "import sys; from twin import units; units.convert(1.0, 'K', 'K'); sys.exit('pint' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == 0
