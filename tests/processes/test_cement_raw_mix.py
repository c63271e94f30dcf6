"""Raw mix against the reference quarry, published phase formulas, and analyses that must not pass."""

from __future__ import annotations

import pytest

import optimizers
import twin
from processes.cement import (
    Analysis,
    Fuel,
    bogue,
    free_lime_at,
    heat_of_formation,
    liquid_phase,
    mix_formulas,
    moduli,
    process_carbon_dioxide,
    raw_material,
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


FLAME = {"coal": (27.0, 13.5, {"SiO2": 50, "Al2O3": 27, "Fe2O3": 8, "CaO": 8, "MgO": 2, "K2O": 1.5, "Na2O": .6, "SO3": 2.5},
                  .02, .8, 94.6, 0.0, 2.0),
         "RDF": (19.0, 15.0, {"SiO2": 43, "Al2O3": 17, "Fe2O3": 5, "CaO": 27, "MgO": 3, "K2O": 2, "Na2O": 2},
                 .5, .3, 85.0, .45, 15.0)}


def fired(chlorine: float, co2: float = 80.0) -> optimizers.Solution:
    """Raw mix and fuels of one tonne of clinker as one linear program."""
    prices = {"limestone": 4.0, "clay": 5.0, "sand": 12.0, "iron ore": 40.0, "coal": 110.0, "RDF": -5.0}
    materials = {n: optimizers.Material(**raw_material(a), price=prices[n] / 1000) for n, a in quarry().items() if n != "ash"}
    materials |= {n: optimizers.Material(**Fuel(n, *row).material(), price=prices[n] / 1000) for n, row in FLAME.items()}
    limits = {"LSF": 96, "SM": 2.4, "AM": 1.6, "heat": 3.5, "Cl": (None, chlorine), "Na2Oeq": (None, 0.9), "MgO": (None, 5.0)}
    blend = optimizers.Blend(materials, optimizers.Product(limits, amount=1000), formulas=mix_formulas(), amount_unit="kg",
                             units=dict.fromkeys(("LSF", "Cl", "Na2Oeq", "MgO"), "%") | {"heat": "MJ/kg", "fossil_co2": "kg/kg"},
                             charges={"fossil_co2": f"{co2:g} EUR/t"})
    return optimizers.solve(blend)


def test_alternative_fuels_in_the_raw_mix() -> None:
    """Heat, chlorine, lime saturation and CO2 by hand from the amounts; the price of the chlorine limit is the derivative."""
    found, looser = fired(0.020), fired(0.0201)
    given, fuels = quarry(), {n: Fuel(n, *row) for n, row in FLAME.items()}
    kept = {n: float(found[n]) for n in found.value}
    dry = {n: kept[n] * (1 - fuels[n].moisture / 100) for n in fuels}
    water = kept["RDF"] * 0.15 + kept["coal"] * 0.02
    heat = sum(dry[n] * fuels[n].heating_value for n in fuels) - 2.442 * water
    assert heat / 1000 == pytest.approx(3.5, abs=1e-6)
    assert sum(dry[n] * fuels[n].chlorine for n in fuels) / 1000 == pytest.approx(0.020, abs=1e-6)  # the quarry brings none here
    clinker = {o: (sum(kept[n] * given[n].oxides[o] for n in given if n != "ash")
                   + sum(dry[n] * fuels[n].ash / 100 * fuels[n].oxides.get(o, 0.0) for n in fuels)) / 1000 for o in NAMES}
    assert moduli(clinker)["LSF"] == pytest.approx(96.0, abs=1e-4)
    stone = {o: sum(kept[n] * given[n].oxides[o] for n in given if n != "ash") / 1000 for o in ("CaO", "MgO")}
    quality = found.details["quality"]["product"]
    assert 1000 * quality["process_co2"] == pytest.approx(process_carbon_dioxide(stone["CaO"], stone["MgO"]), rel=1e-4)
    assert quality["biogenic_co2"] == pytest.approx(dry["RDF"] * 19.0 * 85e-3 * 0.45 / 1000, rel=1e-6)
    price = next(a.shadow_price for a in found.active if a.name == "Cl")
    assert price == pytest.approx((found.objective - looser.objective) / 1e-4, rel=1e-4)
    low, high = found.details["price_range"]["RDF"]
    assert low < -0.005 < high


def test_fuels_and_bases_that_must_not_pass() -> None:
    """A heating value in kJ, ash that sums to 109 %, lime that is no carbonate, a clinker basis taken for a raw one."""
    with pytest.raises(twin.SpecError, match=r"heating_value of coal is 27000 MJ/kg\. Expected 3 to 50 MJ/kg"):
        Fuel("coal", 27000.0, *FLAME["coal"][1:])
    with pytest.raises(twin.DataError, match=r"The analysis of the ash of coal sums to 109 %"):
        Fuel("coal", 27.0, 13.5, {"SiO2": 59, "Al2O3": 30, "Fe2O3": 10, "CaO": 10})
    slag = Analysis("slag", {"SiO2": 36, "Al2O3": 11, "Fe2O3": 1, "CaO": 42, "MgO": 9}, basis="clinker")
    with pytest.raises(twin.DataError, match=r"slag would give off 42\.8 % CO2 with a loss on ignition of 0 %"):
        raw_material(slag)
    assert raw_material(slag, carbonate=0.0)["qualities"]["process_co2"] == 0.0
