"""Energy: tariffs, dispatch, golden values, carbon, machines, mistakes in sentences."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import time

import numpy as np
import pytest

import optimizers
import twin
from benchmarks.problems import energy
from optimizers.energy import (
    Converter,
    DemandCharge,
    Dispatch,
    Profile,
    Rate,
    Shift,
    Source,
    Storage,
    Tariff,
    abatement_curve,
    compression_energy,
    demand_baseline,
    photovoltaic_power,
    price_series,
)
from optimizers.energy.dispatch import replay
from optimizers.schedule import export
from twin.status import Status


def test_a_year_of_storage_and_demand_charges() -> None:
    """8760 hours in under 2 s of processor time; the peaks fall by the power of the battery, 1 MW."""
    year = energy.year()
    began = time.process_time()
    found = optimizers.solve(year)
    assert time.process_time() - began < 2.0
    assert found.status is Status.SUCCESS
    assert found.objective == pytest.approx(energy.GOLDEN["year"], rel=1e-6)
    without = optimizers.solve(year.replace(parts=year.parts[:1]))
    assert found.objective / without.objective == pytest.approx(0.9507, abs=1e-4)
    falls = [without.details["peaks"][month] - peak for month, peak in found.details["peaks"].items()]
    assert max(falls) <= 1.0 + 1e-6
    assert min(falls) > 0.95
    assert sum(f > 1.0 - 1e-6 for f in falls) >= 9  # elsewhere the peak is too wide for 4 MWh


def test_a_week_of_steam_and_power() -> None:
    """168 hours of two boilers, a turbine, a valve in under 2 s, to a gap of 1e-4."""
    began = time.process_time()
    found = optimizers.solve(energy.steam_week())
    assert time.process_time() - began < 2.0
    assert found.objective == pytest.approx(energy.GOLDEN["steam"], rel=1e-4)
    assert found.bound is not None
    assert found.objective is not None
    assert found.bound >= found.objective * (1 - 1e-4) - 1e-6


def test_storage_by_hand() -> None:
    """1 MWh bought at 10 through two losses of 10 %, used at 50."""
    plan = Dispatch({"electricity": [0, 0.81]},
                    [Source("grid", "electricity", [10, 50]), Storage("battery", "electricity", 2, 2, 0.9, initial=0)])
    found = optimizers.solve(plan)
    assert found.objective == pytest.approx(10.0)
    np.testing.assert_allclose(found["battery content"], [0, 0.9, 0], atol=1e-9)
    assert found.details["prices"]["electricity"][1] == pytest.approx(10 / 0.81)


def test_marginal_prices_are_finite_differences() -> None:
    """One unit more of demand in an hour costs the marginal price."""
    day = energy.day()
    base = optimizers.solve(day)
    load = np.array(day.demand["electricity"], float)
    for hour in (3, 18):
        more = load.copy()
        more[hour] += 1e-3
        again = optimizers.solve(day.replace(demand={"electricity": more}))
        assert (again.objective - base.objective) / 1e-3 == pytest.approx(base.details["prices"]["electricity"][hour], rel=1e-3)


def switched() -> Dispatch:
    """One boiler with a bend in its fuel curve that is not convex, starts, minimum times, a ramp."""
    boiler = Converter("boiler", {"gas": (1, 0)}, {"steam": (1, 0)}, most=10, least=2,
                       curve={"gas": [(2, 4), (5, 9), (10, 11)]}, start_cost=5,
                       least_on=3, least_off=2, ramp=4)
    spare = Source("spare", "steam", 6.0)
    return Dispatch({"steam": [3, 8, 9, 0.5, 0.5, 4, 9, 9, 9, 2]}, [Source("gas", "gas", 1.0), boiler, spare])


def test_switching_agrees_with_enumeration() -> None:
    """Every pattern of on and off, each by dynamic programming on a fine grid of flows: the best is what is found."""
    plan = switched()
    found = optimizers.solve(plan, gap=0.0)
    need, n = plan.demand["steam"], 10
    best = float("inf")
    for on in itertools.product((0, 1), repeat=n):
        runs = [(k, len(list(g))) for k, g in itertools.groupby(on)]
        inner = [(k, g) for i, (k, g) in enumerate(runs) if i < len(runs) - 1 and not (i == 0 and k == 0)]
        if any((k == 1 and g < 3) or (k == 0 and g < 2) for k, g in inner):
            continue
        starts = sum(b > a for a, b in zip((0, *on[:-1]), on, strict=True))
        cells = [np.linspace(2, 10, 161) if o else np.zeros(1) for o in on]
        value = np.where(cells[0] <= need[0] + 1e-9, 0.0, np.inf) + _cost(cells[0], need[0], on[0])
        for t in range(1, n):
            step = np.abs(cells[t][None, :] - cells[t - 1][:, None])
            allowed = (step <= 4 + 1e-9) | (on[t] == 0) | (on[t - 1] == 0)
            reach = np.where(allowed, value[:, None], np.inf).min(axis=0)
            value = reach + np.where(cells[t] <= need[t] + 1e-9, 0.0, np.inf) + _cost(cells[t], need[t], on[t])
        best = min(best, float(value.min()) + 5 * starts)
    assert found.objective == pytest.approx(best, abs=1e-6)


def _cost(x: np.ndarray, need: float, on: int) -> np.ndarray:
    return np.where(on, np.interp(x, [2, 5, 10], [4, 9, 11]), 0.0) + 6.0 * (need - x)


def test_replay_finds_what_is_broken() -> None:
    """Changed flows break balances, contents, switches, ramps."""
    plan = switched()
    good = {k: v.copy() for k, v in optimizers.solve(plan).value.items()}
    assert replay(plan, good)[0] == []
    for name, k, value, word in (("gas", 1, 0.0, "balance of 'gas'"), ("spare", 0, 9.0, "balance of 'steam'"),
                                 ("boiler", 2, 99.0, "outside its limits"),
                                 ("boiler on", 6, 0.0, "outside its limits|is off for less")):
        bad = {n: v.copy() for n, v in good.items()}
        bad[name][k] = value
        text = " ".join(replay(plan, bad)[0])
        assert any(w in text for w in word.split("|")), (name, text)


def test_demand_response() -> None:
    """Load moves out of the dear hour and comes back within the window with a rebound of 10 %; what is cut costs."""
    plan = Dispatch({"electricity": [5, 5, 5, 5]}, [Source("grid", "electricity", [10, 100, 20, 20]),
                    Shift("mills", "electricity", down=2, up=3, window=2, rebound=1.1, cost=1, cut=1, cut_price=60)])
    found = optimizers.solve(plan)
    np.testing.assert_allclose(found["mills down"], [0, 2, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found["mills up"], [2.2, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found["mills cut"], [0, 1, 0, 0], atol=1e-9)
    assert found.objective == pytest.approx(72 + 200 + 100 + 100 + 2 + 60)


def test_photovoltaics_are_curtailed_or_sold() -> None:
    """What is offered beyond the load is sold up to the limit, and the rest left."""
    plan = Dispatch({"electricity": [1, 1]},
                    [Source("grid", "electricity", 50, sell=20, sell_limit=2), Profile("roof", "electricity", [5, 0])])
    found = optimizers.solve(plan)
    assert found.objective == pytest.approx(50 - 40)
    assert found["roof"][0] == pytest.approx(3)


def test_carbon_cap_has_the_marginal_cost_of_abatement() -> None:
    """Coal 10 at 0.4, gas 30 at 0.2: every tonne avoided costs 100, as a finite difference says too."""
    plant = Dispatch({"heat": [10.0]}, [Source("coal", "heat", 10, co2=0.4), Source("gas", "heat", 30, co2=0.2)], co2_cap=3.0)
    found = optimizers.solve(plant)
    assert found.active[0].shadow_price == pytest.approx(100)
    assert optimizers.solve(plant.replace(co2_cap=2.99)).objective - found.objective == pytest.approx(1.0)
    curve = abatement_curve(plant.replace(co2_cap=None), points=5)
    assert [p.co2 for p in curve] == pytest.approx([4, 3.5, 3, 2.5, 2])
    assert [p.cost for p in curve] == pytest.approx([100, 150, 200, 250, 300])
    with pytest.raises(twin.SpecError, match="without a cap"):
        abatement_curve(plant)


def test_tariffs() -> None:
    """Over midnight, weekends, months; a gap is told with its hour; demand is billed by calendar month, February 29 included."""
    tariff = Tariff([Rate(40, ((22, 6),)), Rate(60, weekdays=(5, 6)), Rate(120, ((17, 21),)), Rate(80)], [DemandCharge(10)])
    friday = tariff.prices(dt.datetime(2026, 1, 2, 16), 8)
    assert friday == [80, 120, 120, 120, 120, 80, 40, 40]
    assert tariff.prices(dt.datetime(2026, 1, 3, 12), 1) == [60]
    billed = tariff.billed(dt.datetime(2024, 2, 28), 72)
    assert [(month, len(steps)) for _, month, steps in billed] == [("2024-02", 48), ("2024-03", 24)]
    with pytest.raises(twin.SpecError, match="no rate for Monday, 2026-01-05 08:00"):
        Tariff([Rate(40, ((0, 8),))]).prices(dt.datetime(2026, 1, 5, 7), 2)
    with pytest.raises(twin.SpecError, match=r"Expected Dispatch\.start"):
        optimizers.solve(Dispatch({"electricity": [1]}, [Source("grid", "electricity", tariff)]))


def test_price_series_with_a_missing_or_doubled_hour() -> None:
    """Local times on the days that clocks change; with zones the same series is whole."""
    spring = [f"2024-03-31 {h:02d}:00" for h in (0, 1, 3, 4)]
    with pytest.raises(twin.DataError, match=r"no value for 2024-03-31 02:00: 01:00 is followed by 2024-03-31 03:00\. Where "
                                              "clocks go forward"):
        price_series(spring, [1, 2, 3, 4])
    autumn = [f"2024-10-27 {h:02d}:00" for h in (1, 2, 2, 3)]
    with pytest.raises(twin.DataError, match=r"two values for 2024-10-27 02:00 \(rows 2 and 3\)\. Expected one\. Where "
                                              "clocks go back"):
        price_series(autumn, [1, 2, 3, 4])
    zoned = ["2024-10-27 01:00+02:00", "2024-10-27 02:00+02:00", "2024-10-27 02:00+01:00", "2024-10-27 03:00+01:00"]
    assert price_series(zoned, [1, 2, 3, 4]) == [1, 2, 3, 4]
    assert price_series(["2024-03-31 01:00+01:00", "2024-03-31 03:00+02:00"], [1, 2]) == [1, 2]
    with pytest.raises(twin.DataError, match="is not a number"):
        price_series(["2024-01-01 00:00", "2024-01-01 01:00"], [1, float("nan")])
    with pytest.raises(twin.DataError, match=r"0\.5 h after the time before"):
        price_series(["2024-01-01 00:00", "2024-01-01 00:30"], [1, 2])
    with pytest.raises(twin.DataError, match="2 times and 1 prices"):
        price_series(["2024-01-01 00:00", "2024-01-01 01:00"], [1])


def test_shortage_is_told_with_its_hour() -> None:
    """The least that is missing, where, and how often."""
    plan = Dispatch({"steam": [5, 9, 9]}, [Source("boiler", "steam", 10, limit=6)])
    with pytest.raises(twin.ConvergenceError, match=r"'steam' is short of 3 MW in step 1 \(2 steps in all\)"):
        optimizers.solve(plan)
    with pytest.raises(twin.ConvergenceError, match="CO2 cap of 1 t"):
        optimizers.solve(Dispatch({"heat": [10.0]}, [Source("coal", "heat", 10, co2=0.4)], co2_cap=1.0))


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: Storage("b", "e", 1, 1, efficiency=1.2), "efficiency of 'b' is 1.2"),
    (lambda: Storage("b", "e", 1, 1, initial=3), "holds 3 at the start"),
    (lambda: Converter("c", {}, {}, most=1, least=2), "runs between 2 and 1"),
    (lambda: Converter("c", {}, {}, most=5, curve={"gas": [(0, 0), (3, 2)]}), "curve of 'c' for 'gas'"),
    (lambda: optimizers.solve(Dispatch({"e": [1, 2]}, [Source("g", "e", [1, 2, 3])])), "has 3 values. Expected 2"),
    (lambda: optimizers.solve(Dispatch({"e": [1, float("nan")]}, [Source("g", "e", 1)])), "not a number"),
    (lambda: optimizers.solve(Dispatch({"e": [1]}, [Source("g", "e", 1), Source("g", "e", 2)])), "several parts 'g'"),
    (lambda: optimizers.solve(Dispatch({"e": [1]}, [Source("g", "e", 1, sell=2)])), "money comes from nothing"),
    (lambda: compression_energy(5, 1), "Expected 0 < inlet <= outlet"),
    (lambda: demand_baseline([]), "got 0 days"),
])
def test_mistakes_are_sentences(make: object, sentence: str) -> None:
    """Nothing reaches HiGHS that is stated wrongly."""
    with pytest.raises((twin.SpecError, twin.DataError), match=sentence):
        make()  # type: ignore[operator]


def test_machines_and_baseline() -> None:
    """Air from 1 to 8 bar: 78.9 Wh/m3 adiabatic, 57.8 isothermal (dossier 6.1); two stages lie between."""
    assert compression_energy(1, 8) == pytest.approx(78.9, abs=0.05)
    assert compression_energy(1, 8, exponent=1.0) == pytest.approx(57.8, abs=0.05)
    assert 57.8 < compression_energy(1, 8, stages=2) < 78.9
    assert photovoltaic_power(0, 20, peak=5) == 0.0
    assert demand_baseline([[1.0, 2.0]] * 3 + [[3.0, 4.0]], count=2) == [2.0, 3.0]
    assert demand_baseline([[10.0, 20.0]], today=[20.0], adjust=[0]) == [12.0, 24.0]


def test_views(tmp_path: object) -> None:
    """Table, frame, picture."""
    found = optimizers.solve(energy.day())
    assert "grid demand charge" in found.table()
    frame = found.to_frame()
    assert len(frame) == 24
    pd = pytest.importorskip("pandas")
    export(found, f"{tmp_path}/day.csv")
    assert str(pd.read_csv(f"{tmp_path}/day.csv").iloc[1, 0]) == str(frame.index[1])
    pytest.importorskip("matplotlib")
    assert len(found.plot().axes) == 2
    assert dataclasses.is_dataclass(found)
