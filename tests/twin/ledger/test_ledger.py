"""Energy and CO2 ledger: numbers by hand, uncertainty against sampling, feeds against exact integrals, and its sentences."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

import twin
from twin import errors

A = twin.Activity


def test_fuel_power_and_process_by_hand():
    """258 GJ of gas at 56.1 kg/GJ, 10 MW h at 0.5366 kg/kWh, 12 t of limestone at 0.44; energy without the process."""
    ledger = twin.account([A(name="fuel", factor="natural gas", amount="258 GJ"),
                           A(name="drives", factor="grid China", amount=10.0, unit="MW"),
                           A(name="lime", factor="limestone", amount=12.0, unit="t")], production={"steel": "200 t"})
    scopes = ledger.by_scope()["co2_kg"]
    assert scopes["scope 1"] == pytest.approx(258 * 56.1 + 5280)
    assert scopes["scope 2"] == pytest.approx(5366)
    assert ledger.energy == pytest.approx(258 + 36)
    assert ledger.by_product()["co2_kg_per_unit"]["steel"] == pytest.approx((258 * 56.1 + 5280 + 5366) / 200)
    assert "258 GJ at 56.1 kg/GJ of 'natural gas' = 14473.8 kg CO2 (scope 1)" in ledger.explain()
    assert "IPCC 2006" in ledger.explain()


def test_clinker_by_oxides():
    """Clinker with 65 % CaO and 1.5 % MgO from carbonates gives 526 kg/t (IPCC 510 and 525 kg/t are defaults with less); coal of
    3.35 GJ/t at 94.6 kg/GJ 317 kg/t."""
    ledger = twin.account([A(name="CaO", factor="calcium oxide from carbonate", amount="650 kg"),
                           A(name="MgO", factor="magnesium oxide from carbonate", amount="15 kg"),
                           A(name="coal", factor="hard coal", amount=3350 / 25800, unit="t")], production={"clinker": 1.0})
    by = ledger.by_activity()["co2_kg"]
    assert by["CaO"].item() + by["MgO"].item() == pytest.approx(526.5, abs=0.1)
    assert by["coal"].item() == pytest.approx(3.35 * 94.6)


def test_retained_carbon_and_biogenic():
    """Carbon in the product is taken off; biomass stands beside the scopes."""
    ledger = twin.account([A(name="electrodes", factor="electrode", amount="2 t"),
                           A(name="in steel", factor="carbon in crude steel", amount="100 t"),
                           A(name="chips", factor="biomass", amount="5 GJ")])
    assert ledger.co2 == pytest.approx(2 * 3663 - 1540)
    assert ledger.by_scope()["co2_kg"]["memo"] == pytest.approx(550)


def test_uncertainty_against_sampling():
    """One factor errs alike in all its activities, one meter in all its hours: the formula meets 200,000 samples to 1.5 %."""
    hours = np.array([10.0, 30.0, 20.0])
    activities = [A(name="a", factor="natural gas", amount=hours, unit="GJ", uncertainty=0.03),
                  A(name="b", factor="natural gas", amount=25.0,
                  unit="GJ", uncertainty=0.01), A(name="c", factor="hard coal", amount=np.array([5.0, 0.0, 9.0]), unit="GJ",
                                                  uncertainty=0.02)]
    ledger = twin.account(activities)
    draw = np.random.default_rng(3).standard_normal((5, 200_000))
    gas, coal = 56.1 * (1 + 0.018 * draw[0]), 94.6 * (1 + 0.028 * draw[1])
    total = gas * (60 * (1 + 0.03 * draw[2]) + 25 * (1 + 0.01 * draw[3])) + coal * 14 * (1 + 0.02 * draw[4])
    assert ledger.uncertainty == pytest.approx(np.std(total), rel=0.015)
    second = gas * (30 * (1 + 0.03 * draw[2]) + 25 / 3 * (1 + 0.01 * draw[3]))
    assert ledger.by_period()["uncertainty_kg"][1.0] == pytest.approx(np.std(second), rel=0.015)


def test_saving_is_known_better_than_either():
    """Factors err alike in both ledgers: a saving is known as well, relatively, as the whole; unchanged parts leave zero."""
    def of(fuel):
        return twin.account([A(name="fuel", factor="natural gas", amount=fuel, unit="GJ"),
                             A(name="drives", factor="grid China", amount="3 MWh")],
                            production={"a": 60.0, "b": 40.0})

    saved = of(90.0).against(of(100.0))
    assert saved.co2 == pytest.approx(-561)
    assert saved.uncertainty == pytest.approx(0.018 * 561)
    assert saved.by_scope()["co2_kg"]["scope 2"] == 0.0
    with pytest.raises(errors.SpecError, match="Production of a is 60 t here and 50 t"):
        of(90.0).against(twin.account([A(name="fuel", factor="natural gas", amount="9 GJ")], production={"a": 50.0, "b": 40.0}))


def test_periods_and_versions():
    """Each day takes the version that holds on it."""
    steam = {"name": "steam", "unit": "kg/GJ", "kind": "heat", "source": "supplier", "uncertainty": 0.0}
    factors = twin.emission_factors().with_rows([twin.Factor(value=v, year=y, valid_from=f"{y}-01-01", **steam)
                                                 for v, y in ((80.0, 2024), (60.0, 2025))])
    ledger = twin.account([A(name="steam", factor="steam", amount=1.0, unit="GJ/h")], start="2024-12-31 12:00", every=24.0,
                          factors=factors)
    assert ledger.co2 == pytest.approx(24 * 80)
    two = twin.account([A(name="steam", factor="steam", amount=np.ones(24), unit="GJ/h")], start=dt.datetime(2024, 12, 31, 12),
                       factors=factors)
    assert two.co2 == pytest.approx(12 * 80 + 12 * 60)
    assert list(two.by_period()["co2_kg"].round(6).unique()) == [80, 60]
    assert len(two.to_frame()) == 24


def test_electricity_by_place_and_by_contract():
    """The market figure is reported and not added."""
    ledger = twin.account([A(name="drives", factor="grid China", market="grid China market", amount="1 MWh")])
    assert ledger.co2 == pytest.approx(536.6)
    assert ledger.by_scope()["co2_kg"]["scope 2 market"] == pytest.approx(585.6)


class Burner(twin.DynamicModel):
    """Fuel that falls off exponentially."""

    time_unit = "min"
    power = twin.state("MW", lower=0, upper=20, nominal=5, doc="burner")
    each = twin.output("m**3/s", shape=("parts",), lower=0, upper=1, nominal=0.1, doc="gas of two parts")
    parts = twin.static(2, doc="parts")

    def rhs(self, s):
        return {"power": -s.power / 60.0}

    def outputs(self, s):
        from twin import jnp

        return {"each": jnp.stack([0.01 * s.power, 0.02 * s.power])}

    def initial(self):
        return {"power": 10.0}


def test_feed_from_a_run():
    """10 MW exp(-t/h) over 2.5 h: (1 - exp(-2.5)) 10 MW h in all, (1 - exp(-1)) 10 in the first hour; sums over cells."""
    run = twin.simulate(Burner(), duration=150.0, every=0.5)
    made = twin.activities(run, {"power": "natural gas"}, uncertainty=0.01)
    assert made[0].amount[:2] == pytest.approx([10 * (1 - math.exp(-1)), 10 * (math.exp(-1) - math.exp(-2))], rel=1e-5)
    assert twin.account(made).energy == pytest.approx(36 * (1 - math.exp(-2.5)), rel=1e-5)
    assert twin.activities(run, {"each": "natural gas"})[0].amount[0] == pytest.approx(0.3 * (1 - math.exp(-1)), rel=1e-5)


def test_feed_from_plans_and_tables():
    """A task of 1.5 h at 10 MW: 15 MW h; a table brings one row a period; a plan in quarters of an hour counts in hours."""
    tasks = pd.DataFrame({"start": [0, 2], "end": [6, 8], "power": [10.0, 4.0], "order": ["A", "B"]})
    made = twin.activities(tasks, {"power": "grid China"}, unit={"power": "MW"}, product_column="order", hours_per_time=0.25)
    ledger = twin.account(made, production={"A": 3.0, "B": 1.0})
    assert ledger.energy == pytest.approx(3.6 * (15 + 6))
    assert ledger.by_product()["energy_gj"]["B"] == pytest.approx(3.6 * 6)
    table = pd.DataFrame({"gas": [100.0, 0.0, 50.0]})
    assert twin.account(twin.activities(table, {"gas": "natural gas"},
                                        unit={"gas": "Nm3/h"})).energy == pytest.approx(150 * 35.9e-3)
    with pytest.raises(errors.UnitError, match="Column 'gas' has no unit"):
        twin.activities(table, {"gas": "natural gas"})
    with pytest.raises(errors.SpecError, match="Task 0 starts at 3 h and ends at 2 h"):
        twin.activities(tasks.assign(start=[3, 0], end=[2, 1]), {"power": "grid China"}, unit={"power": "MW"})
    with pytest.raises(errors.SpecError, match=r"Unknown column 'powr' .* Did you mean 'power'"):
        twin.activities(tasks, {"powr": "grid China"}, unit={"powr": "MW"})


FUEL = {"name": "fuel", "factor": "natural gas", "unit": "GJ"}
WRONG = [
    (FUEL | {"amount": 3.0, "unit": "kg"}, {}, r"'fuel' is in kg, and factor 'natural gas' in kg/GJ. Expected GJ"),
    (FUEL | {"amount": 3.0, "factor": "natural gass"}, {}, r"Unknown factor 'natural gass' .* Did you mean 'natural gas'"),
    (FUEL | {"amount": [1.0, -3.0]}, {}, r"'fuel' is -3 GJ in period 1: negative"),
    (FUEL | {"amount": [1.0, math.nan]}, {}, r"'fuel' is nan GJ in period 1: not a finite number"),
    (FUEL | {"amount": 1.0, "factor": "grid China", "unit": "MWh"}, {"start": "2026-02-01"},
     r"'grid China' \(0.5366 kg/kWh, 2022\) is out of date"),
    (FUEL | {"amount": 1.0}, {"start": "1999-02-01"}, r"'natural gas' has no version for 1999-02-01"),
    (FUEL | {"amount": 1.0, "product": "slap"}, {"production": {"slab": 1.0}},
     r"Unknown product 'slap' of 'fuel'. Did you mean 'slab'"),
    (FUEL | {"amount": 1.0, "market": "natural gas"}, {}, r"Expected one for electricity"),
    (FUEL | {"amount": 1.0}, {"production": {"slab": 0.0}}, r"production of slab is 0 t"),
    (FUEL | {"amount": 1.0}, {"every": 0.0}, r"every is 0 h"),
    (FUEL | {"amount": 1.0}, {"start": "spring"}, r"start is 'spring'"),
    (FUEL | {"amount": "many GJ"}, {}, r"'fuel' is 'many GJ'"),
    (FUEL | {"amount": 1.0, "unit": ""}, {}, r"'fuel' has no unit"),
    (FUEL | {"amount": 1.0, "uncertainty": 2.0}, {}, r"uncertainty of 'fuel' is 2"),
    (FUEL | {"amount": 1.0, "product": {"a": 0.6, "b": 0.6}}, {}, r"in sum 1.2"),
]


@pytest.mark.parametrize(("activity", "options", "sentence"), WRONG)
def test_wrong_activities(activity, options, sentence):
    with pytest.raises(errors.SpecError, match=sentence):
        twin.account([A(**activity)], **options)


def test_shipped_factors():
    """All rows are read, have a source, and stoichiometric ones follow from molar masses."""
    factors = twin.emission_factors()
    assert len(factors) == len(factors.to_frame()) >= 20
    assert all(len(f.source) > 10 for f in factors)
    for name, mass in (("calcium carbonate", 40.078 + 12.011 + 47.997), ("calcium oxide from carbonate", 56.077),
                       ("magnesium oxide from carbonate", 40.304), ("carbon burnt", 12.011)):
        assert factors.at(name, None).value == pytest.approx(44.009 / mass, abs=1e-4)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"value": -1.0}, "value of factor 'x' is -1"), ({"kind": "fuels"}, "Did you mean 'fuel'"), ({"unit": "kg/GJoule"},
                                                                                                 "factor 'x': unknown unit"),
    ({"source": " "}, "'x' has no source"), ({"uncertainty": math.nan}, "uncertainty of factor 'x' is nan"),
    ({"valid_from": "soon"}, "valid_from of factor 'x' is 'soon'"), ({"valid_until": "2000-01-01"},
                                                                     "Expected the last day after")])
def test_wrong_factors(change, sentence):
    row = {"name": "x", "value": 1.0, "unit": "kg/GJ", "kind": "fuel", "source": "s", "year": 2020, "uncertainty": 0.1,
           "valid_from": "2020-01-01"}
    with pytest.raises(errors.SpecError, match=sentence):
        twin.Factor(**row | change)


def test_factors_of_a_file(tmp_path):
    """Columns of one's own file are checked, a wrong row is named with its line, doubles are refused."""
    twin.emission_factors().to_frame().to_csv(tmp_path / "own.csv", index=False)
    assert twin.emission_factors(tmp_path / "own.csv").names() == twin.emission_factors().names()
    text = (tmp_path / "own.csv").read_text()
    (tmp_path / "bad.csv").write_text(text.replace("56.1", "many"))
    with pytest.raises(errors.SpecError, match=r"bad.csv, line 2: .* 'many'"):
        twin.emission_factors(tmp_path / "bad.csv")
    (tmp_path / "short.csv").write_text("name,value\n")
    with pytest.raises(errors.SpecError, match="has no column 'content'"):
        twin.emission_factors(tmp_path / "short.csv")
    with pytest.raises(errors.StorageError, match="cannot be read"):
        twin.emission_factors(tmp_path / "none.csv")
    with pytest.raises(errors.SpecError, match="has two rows from 2006-01-01"):
        twin.Factors((*twin.emission_factors(), twin.emission_factors().at("natural gas", None)))


def test_pictures():
    """Both shapes of the picture draw all activities."""
    one = twin.account([A(name="fuel", factor="natural gas", amount="258 GJ")])
    assert [t.get_text() for t in one.plot().axes[0].get_yticklabels()] == ["fuel (scope 1)"]
    many = twin.account([A(name="fuel", factor="natural gas", amount=[1.0, 2.0], unit="GJ")], production={"slab": 3.0})
    assert [t.get_text() for t in many.plot().axes[0].get_legend().get_texts()] == ["fuel"]
    assert many.plot().axes[1].get_ylabel() == "kg CO2/t"
