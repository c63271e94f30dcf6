"""Raw mix against the reference quarry, published phase formulas, and analyses that must not pass."""

from __future__ import annotations

import pytest

import optimizers
import twin
from processes.cement import (
    Analysis,
    bogue,
    free_lime_at,
    heat_of_formation,
    liquid_phase,
    moduli,
    process_carbon_dioxide,
    taylor,
)

NAMES = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "K2O", "Na2O", "SO3")
FORMULAS = {"LSF": lambda q: 100 * q.CaO / (2.8 * q.SiO2 + 1.18 * q.Al2O3 + 0.65 * q.Fe2O3),
            "SM": lambda q: q.SiO2 / (q.Al2O3 + q.Fe2O3), "AM": lambda q: q.Al2O3 / q.Fe2O3}
ASH = 16.75  # kg for one tonne of clinker


def quarry() -> dict[str, Analysis]:
    """The synthetic reference quarry."""
    rows = {"limestone": (41.90, 3.20, .90, .40, 52.40, .80, .15, .05, .10),
            "clay": (9.80, 58.50, 17.60, 6.90, 2.10, 1.70, 2.20, .60, .20),
            "sand": (.60, 95.20, 1.90, .90, .50, .20, .40, .10, 0),
            "iron ore": (5.20, 8.50, 3.10, 80.20, 1.10, .50, .20, .10, .40),
            "ash": (0, 50, 27, 8, 8, 2, 1.5, .6, 2.5)}
    return {n: Analysis(n, dict(zip(NAMES, r[1:], strict=True)), loi=r[0]) for n, r in rows.items()}


def mixed(ash: float) -> tuple[dict[str, float], dict[str, float]]:
    """Cheapest mix for LSF 96, SM 2.40, AM 1.60 (kg for one tonne of clinker), and the clinker in percent."""
    given = quarry()
    materials = {n: optimizers.Material({o: a.oxides.get(o, 0.0) for o in NAMES}, price=1.0, yields=a.yields,
                                        amount=ash if n == "ash" else (0, None)) for n, a in given.items()}
    blend = optimizers.Blend(materials, optimizers.Product({"LSF": 96, "SM": 2.4, "AM": 1.6}, amount=1000), formulas=FORMULAS,
                             amount_unit="kg", units=dict.fromkeys((*NAMES, "LSF"), "%"))
    found = optimizers.solve(blend)
    amounts = {n: float(found[n]) for n in given}
    return amounts, {o: sum(amounts[n] * given[n].oxides[o] for n in given) / 1000.0 for o in NAMES}


def test_reference_mix_with_ash() -> None:
    """82.0858/14.2042/2.6617/1.0483 %; clinker, Bogue, Taylor, CO2 and heat of formation (independent computation)."""
    amounts, clinker = mixed(ASH)
    dry = [amounts[n] for n in ("limestone", "clay", "sand", "iron ore")]
    assert [100 * v / sum(dry) for v in dry] == pytest.approx([82.0858, 14.2042, 2.6617, 1.0483], abs=1e-4)
    found = [clinker[o] for o in ("CaO", "SiO2", "Al2O3", "Fe2O3", "MgO")]
    assert found == pytest.approx([66.563, 21.622, 5.544, 3.465, 1.426], abs=1e-3)
    assert list(bogue(clinker, free_lime=1.0).values()) == pytest.approx([59.70, 16.96, 8.83, 10.55], abs=0.05)
    assert list(taylor(clinker, free_lime=1.0).values()) == pytest.approx([67.5, 12.5, 6.4, 11.9], abs=0.1)
    lime, magnesia = (clinker[o] - 1e-3 * ASH * quarry()["ash"].oxides[o] for o in ("CaO", "MgO"))
    assert process_carbon_dioxide(lime, magnesia) == pytest.approx(536.5, abs=0.2)
    assert heat_of_formation(clinker) == pytest.approx(1793, abs=1)
    assert moduli(clinker)["LSF"] == pytest.approx(96.0, abs=1e-6)


def test_forgotten_ash_lowers_the_lime_saturation() -> None:
    """The mix without ash, and 16.75 kg ash in each tonne of its clinker: LSF 92.19, SM 2.340, AM 1.667, C3S 49.6 %."""
    amounts, _ = mixed(0.0)
    given = quarry()
    amounts = {n: v * (1 - 1e-3 * ASH) for n, v in amounts.items()} | {"ash": ASH}
    clinker = {o: sum(amounts[n] * given[n].oxides[o] for n in given) / 1000.0 for o in NAMES}
    found = moduli(clinker)
    assert found["LSF"] == pytest.approx(92.19, abs=0.02)
    assert (found["SM"], found["AM"]) == pytest.approx((2.340, 1.667), abs=2e-3)
    assert bogue(clinker, free_lime=1.0)["C3S"] == pytest.approx(49.6, abs=0.1)


def test_free_lime_law() -> None:
    """3.83/2.34/1.79/1.35/0.73/0.45/0.19 % at 1400 to 1500 degC, calibrated at 65/12/1.0 and 1450 degC (independent)."""
    found = [free_lime_at(t) for t in (1400, 1420, 1430, 1440, 1460, 1475, 1500)]
    assert found == pytest.approx([3.83, 2.34, 1.79, 1.35, 0.73, 0.45, 0.19], abs=0.01)
    with pytest.raises(twin.SpecError, match=r"temperature is 1723 degC\. Expected 1350 to 1550 degC"):
        free_lime_at(1723.0)


def test_analyses_that_must_not_pass() -> None:
    """A row that sums to 109.8 %, wet taken for dry, raw and clinker basis mixed up, unknown names, kelvin-like numbers."""
    clay = {"SiO2": 65.0, "Al2O3": 20.0, "Fe2O3": 8.0, "CaO": 3.0, "MgO": 2.0}
    with pytest.raises(twin.DataError, match=r"The analysis of clay sums to 109\.8 %\. Expected 97 to 101 %\. Check the row"):
        Analysis("clay", clay, loi=11.8)
    with pytest.raises(twin.DataError, match="is the analysis that of the wet material"):
        Analysis("clay", {o: v * 0.92 for o, v in {"SiO2": 65, "Al2O3": 18, "Fe2O3": 7, "CaO": 1.0, "MgO": 1.0}.items()},
                 loi=7.36, moisture=8.0)
    with pytest.raises(twin.DataError, match=r"limestone has 90\.2 % CaO and 0 % loss on ignition on raw basis"):
        Analysis("limestone", {"CaO": 90.2, "SiO2": 5.5, "Al2O3": 1.5, "Fe2O3": 0.7, "MgO": 1.4})
    with pytest.raises(twin.DataError, match=r"on clinker basis with 41\.9 % loss on ignition"):
        Analysis("limestone", {"CaO": 52.4, "SiO2": 3.2, "Al2O3": 0.9, "Fe2O3": 0.4}, loi=41.9, basis="clinker")
    with pytest.raises(twin.SpecError, match="Unknown oxide 'CaCO3'"):
        Analysis("limestone", {"CaCO3": 97.0})
    with pytest.raises(twin.SpecError, match="knows no other"):
        liquid_phase(clay, temperature=1500.0)
