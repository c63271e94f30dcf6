"""Changeover of the oven: zones against closed forms, emptying, what an oven cannot hold, and products that share set points."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

import optimizers
import twin
from optimizers.schedule import Changeover, Goal, Order, Task, Unit
from processes.electronics import (
    OvenZones,
    Product,
    ProductMix,
    ProfileLimits,
    ReflowOven,
    ReflowSection,
    changeover_matrix,
    changeover_minutes,
    profile_metrics,
)
from twin.testing import check_model

CASE = ProfileLimits.contest()
HEATED = 25 + 9 * 30.5 + 8 * 5  # cm from the entry to the end of the last heated zone


def alone(**changes: float) -> OvenZones:
    """Zones that do not leak into each other."""
    return OvenZones(leak=0.0, gain=50.0, **changes)


def test_conformance() -> None:
    """The kit has no complaint."""
    assert check_model(OvenZones())


def test_zones_heat_and_cool_as_the_closed_form_says() -> None:
    """A stiff controller: heating C/k ln((P/k - a) / (P/k - b)) at full power P, cooling C/k ln(a / b), a and b over ambient."""
    oven, k, c, p = ReflowOven(), 0.018, 60.0 / 60.0, 9.0  # kW/K, kW min/K, kW
    up = changeover_minutes(oven, oven.with_recipe(z8_9=275.0), zones=alone(), tolerance=2.0)
    expected = HEATED / 70 + c / k * math.log((p / k - 230) / (p / k - 248))
    assert up == pytest.approx(expected, rel=0.01)
    down = changeover_minutes(oven.with_recipe(z8_9=275.0), oven, zones=alone(), tolerance=2.0)
    assert down == pytest.approx(HEATED / 70 + c / k * math.log(250 / 232), rel=0.01)
    held = twin.simulate(OvenZones(), duration=30, every=10.0).final
    assert held["power_drawn"] == pytest.approx(sum(k * (z - 25) for z in ReflowOven().set_points[:9]), rel=1e-3)


def test_the_belt_is_emptied_before_anything_changes() -> None:
    """A new speed: the whole oven at the old speed; the same recipe: nothing; times are rounded up to the step of the plan."""
    oven = ReflowOven()
    assert changeover_minutes(oven, oven.with_recipe(speed=80.0)) == pytest.approx(435.5 / 70)
    assert changeover_minutes(oven, oven) == 0.0
    exact = changeover_matrix({"a": oven, "b": oven.with_recipe(z7=245.0)})
    whole = changeover_matrix({"a": oven, "b": oven.with_recipe(z7=245.0)}, step=5.0)
    assert {pair: 5.0 * math.ceil(v / 5) for pair, v in exact.items()} == whole
    assert changeover_minutes(oven, oven.with_recipe(z7=245.0)) == pytest.approx(exact["a", "b"])


def test_a_leak_between_zones_costs_time() -> None:
    """A zone between hotter ones cools more slowly; zones of another number than nine are taken from the oven."""
    oven = ReflowOven().with_recipe(z6=255.0)
    low = oven.with_recipe(z7=215.0)
    leaks = [changeover_minutes(oven, low, zones=OvenZones(leak=v)) for v in (0.0, 0.008)]
    assert leaks[1] > leaks[0] + 0.1
    small = dataclasses.replace(oven, hot=7)
    assert changeover_minutes(small, small.with_recipe(z7=245.0)) > 0


def test_set_points_that_the_oven_cannot_hold_are_refused() -> None:
    """Too hot for the heater, too cold between its neighbors, a tolerance of nothing."""
    oven = ReflowOven()
    with pytest.raises(twin.SpecError, match=r"Zone 9 cannot hold 300 degC: it needs 5\.13 kW of heating, and"):
        changeover_minutes(oven, oven.with_recipe(z9=300.0), zones=OvenZones(heater=5.0))
    with pytest.raises(twin.SpecError, match="Zone 5 cannot hold 60 degC: it gets more heat from its neighbors than it loses"):
        changeover_minutes(oven, oven.with_recipe(z4=300.0, z5=60.0, z6=300.0))
    with pytest.raises(twin.SpecError, match="b has 11 zones, 8 of them heated"):
        changeover_matrix({"a": oven, "b": ReflowOven(hot=8)})
    with pytest.raises(twin.SpecError, match="tolerance is 0 degC"):
        changeover_minutes(oven, oven.with_recipe(z7=240.0), tolerance=0.0)


@pytest.fixture(scope="module")
def mix() -> Any:
    """Three boards of other masses: two of them can share set points, a heavy one on a hot paste cannot share with all."""
    oven = ReflowOven()

    def board(factor: float, **recipe: float) -> Any:
        return dataclasses.replace(oven, rates=tuple(factor * float(v) for v in oven.rates)).with_recipe(**recipe)

    hot = dataclasses.replace(CASE, rows=dict(CASE.rows) | {"peak": (246.0, 250.0)})
    return ProductMix([Product("phone", board(1.1, z8_9=248.0), CASE, 120), Product("drive", board(0.92, z8_9=262.0), hot, 60),
                       Product("meter", board(1.0), CASE, 120)],
                      {"speed": (65.0, 85.0), "z1_5": (170.0, 185.0), "z8_9": (245.0, 268.0)})


@pytest.mark.slow
def test_products_that_share_set_points_save_minutes(mix: Any) -> None:
    """The plan is the best of all orders of its own matrix, its limits hold, and the scheduler finds the same minutes."""
    found = optimizers.solve(mix)
    plan = found.details["plan"]
    for name, oven in plan.recipes.items():
        run = twin.simulate(oven, every=0.5, rtol=1e-8)
        metrics = profile_metrics(run.times, run["joint"], CASE)
        low, high = mix.product(name).limits.rows["peak"]
        assert low - 1e-3 < metrics["peak"] < high + 1e-3
        assert CASE.window_index(metrics) < 100.1 or metrics["peak"] > 245
    shared = max(plan.groups, key=len)
    assert len(shared) >= 2
    assert len({tuple(np.round(plan.recipes[n].set_points, 9)) for n in shared}) == 1
    minutes = list(plan.compared.values())
    assert minutes[3] <= minutes[2] <= minutes[1]
    assert minutes[3] < minutes[2] - 1.0
    frame = found.to_frame()
    assert frame[["changeover", "production"]].to_numpy().sum() == pytest.approx(found.objective)
    # the same by the scheduler, in hundredths of a minute
    unit = Unit("oven", changeover=Changeover({pair: math.ceil(100 * v) for pair, v in plan.matrix.items()}))
    orders = [Order(n, [Task("reflow", {"oven": math.ceil(100 * frame.loc[n, "production"])})], family=n) for n in plan.order]
    best = optimizers.solve(optimizers.Schedule([unit], orders, goal=Goal(makespan=1)), max_seconds=20)
    assert best.objective / 100 == pytest.approx(found.objective, abs=0.1)
    assert len(found.plot().axes) == 3


def test_mixes_stated_wrongly(mix: Any) -> None:
    """Two products of one name, no speed, boards of another model, nothing to make; a product with no recipe is told."""
    one = mix.products[0]
    with pytest.raises(twin.SpecError, match="Expected a name of its own for each"):
        ProductMix([one, one], mix.decisions)
    with pytest.raises(twin.SpecError, match="no decision 'speed'"):
        ProductMix([one], {"z7": (220.0, 240.0)})
    with pytest.raises(twin.SpecError, match="boards of phone is 0"):
        ProductMix([dataclasses.replace(one, boards=0)], mix.decisions)
    with pytest.raises(twin.SpecError, match="section is a ReflowSection, phone a ReflowOven"):
        ProductMix([one, Product("section", ReflowSection(), CASE, 1)], mix.decisions)
    warm = dataclasses.replace(one, name="warm", oven=dataclasses.replace(one.oven, ambient=35.0))
    with pytest.raises(twin.SpecError, match="warm runs at 35 degC around the oven, phone at 25 degC"):
        ProductMix([one, warm], mix.decisions)
    cold = dataclasses.replace(one, name="cold", limits=dataclasses.replace(CASE, rows={"peak": (290.0, 300.0)}))
    none = optimizers.solve(ProductMix([cold], mix.decisions), throw=False)
    assert none.status is twin.Status.INFEASIBLE
    assert "cold: No recipe within the bounds meets all limits." in none.message
    many = [dataclasses.replace(one, name=str(k)) for k in range(7)]
    with pytest.raises(twin.SpecError, match=r"has 7 members\. Expected 1 to 6"):
        optimizers.solve(ProductMix(many, mix.decisions))
