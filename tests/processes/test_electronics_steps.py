"""Oxidation and polishing against published tables, closed forms and golden values."""

from __future__ import annotations

import math

import pytest

import twin
from processes.electronics import Oxidation, Polishing
from twin.testing import check_model


@pytest.mark.parametrize(("ambient", "temperature", "a", "b"), [
    ("dry", 1200, 0.040, 0.045), ("dry", 1100, 0.090, 0.027), ("dry", 1000, 0.165, 0.0117), ("dry", 920, 0.235, 0.0049),
    ("dry", 800, 0.370, 0.0011), ("wet", 1200, 0.05, 0.720), ("wet", 1100, 0.11, 0.510), ("wet", 1000, 0.226, 0.287),
    ("wet", 920, 0.50, 0.203)])
def test_oxidation_follows_the_table_of_1965(ambient: str, temperature: float, a: float, b: float) -> None:
    """Deal and Grove (1965), A in um and B in um2/h on (111): the run is the closed form x^2 + A x = B (t + tau)."""
    model = Oxidation.table(ambient, temperature, native=0.02)
    run = twin.simulate(model, {"temperature": temperature}, duration=4, rtol=1e-9)
    tau = (0.02**2 + a * 0.02) / b
    expected = 0.5 * a * (math.sqrt(1 + (4 + tau) / (a * a / (4 * b))) - 1)
    assert run.final["thickness"] == pytest.approx(expected, rel=1e-6)


def test_arrhenius_sets_beside_the_table() -> None:
    """The textbook sets are near the table, not on it: dry B within 13 % and A within 34 %, steam A within 15 %."""
    for temperature, (a, b) in {1200: (0.040, 0.045), 1100: (0.090, 0.027), 1000: (0.165, 0.0117), 920: (0.235, 0.0049)}.items():
        found, linear = (float(v) for v in Oxidation.dry().constants(temperature))
        assert found == pytest.approx(b, rel=0.13)
        assert found / linear == pytest.approx(a, rel=0.34)
    for temperature, a in {1200: 0.05, 1100: 0.11, 1000: 0.226, 920: 0.50}.items():
        found, linear = (float(v) for v in Oxidation.steam().constants(temperature))
        assert found / linear == pytest.approx(a, rel=0.15)


@pytest.mark.parametrize(("model", "temperature", "hours", "nm"), [
    (Oxidation.dry(face="100"), 1000, 1, 58.1), (Oxidation.steam(face="100"), 1000, 1, 388),
    (Oxidation.steam(face="100"), 1100, 2, 942)])
def test_oxidation_golden_values(model: Oxidation, temperature: float, hours: float, nm: float) -> None:
    """Independent computation with the same constants, to the digits printed."""
    grown = twin.simulate(model, {"temperature": temperature}, duration=hours).final["thickness"]
    assert 1000 * grown == pytest.approx(nm, abs=0.5 if nm > 100 else 0.05)


def test_oxidation_refuses_what_it_does_not_know() -> None:
    """An ambient, a face and a temperature outside the table."""
    with pytest.raises(twin.SpecError, match="Unknown ambient 'wat'"):
        Oxidation.table("wat", 1000)
    with pytest.raises(twin.SpecError, match="Unknown face '110'"):
        Oxidation.dry(face="110")
    with pytest.raises(twin.SpecError, match=r"temperature is 850 degC\. Expected 920 to 1200 degC"):
        Oxidation.table("wet", 850)


def test_polishing_is_proportional_to_pressure_and_speed() -> None:
    """Preston: 1.2e-13 1/Pa x 30 kPa x 1 m/s = 216 nm/min on a new pad; a worn one takes 70 %."""
    new = twin.simulate(Polishing(wear_time=1000.0), duration=1)
    assert new.final["removed"] == pytest.approx(216.0, rel=1e-4)
    worn = twin.simulate(Polishing(), initial={"pad_use": 100.0}, duration=1)
    assert worn.final["removed"] == pytest.approx(0.7 * 216.0, rel=1e-4)
    double = twin.simulate(Polishing(wear_time=1000.0), inputs={"pressure": 60.0}, duration=1)
    assert double.final["removed"] == pytest.approx(432.0, rel=1e-4)


@pytest.mark.parametrize("model", [Oxidation.example(), Polishing.example()], ids=lambda m: m.title)
def test_conformance(model: twin.DynamicModel) -> None:
    """The kit has no complaint."""
    assert check_model(model)
