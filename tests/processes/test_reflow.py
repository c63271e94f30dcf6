"""Reflow oven: geometry, metrics, the heat balance against a closed form, recipes, limits, guard."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

import optimizers
import twin
from processes.electronics import (
    ProfileLimits,
    ReflowAssembly,
    ReflowOven,
    ReflowSection,
    judge_recipe,
    profile_metrics,
)
from twin.testing import check_model

CASE = ProfileLimits.contest()


@pytest.mark.parametrize("model", [ReflowOven(), ReflowAssembly(), ReflowSection()], ids=lambda m: m.title)
def test_conformance(model: twin.DynamicModel) -> None:
    """The kit has no complaint."""
    assert check_model(model)


def test_geometry_and_air_of_the_contest_oven() -> None:
    """Length 435.5 cm; in the middle of each heated zone the air is at its set point, at the entry center half way to it."""
    oven = ReflowOven()
    assert float(oven.length()) == 435.5
    for k, point in enumerate((175, 175, 175, 175, 175, 195, 235, 255, 255)):
        middle = 25 + k * 35.5 + 15.25
        assert float(oven.air(middle)) == pytest.approx(point, abs=40 if k == 0 else 0.1)
    assert float(oven.air(27.7)) == pytest.approx(100.0, abs=0.1)


def test_joint_follows_the_exact_march() -> None:
    """T(x + dx) = T_air + (T - T_air) exp(-q dx / v) on a fine grid, an independent numpy statement, to 0.01 degC."""
    oven = ReflowOven()
    run = twin.simulate(oven, every=1.0, rtol=1e-8)
    v, n = 70.0 / 60.0, 200_000
    x = np.linspace(0.0, 435.5, n + 1)
    borders = [25 + k * 35.5 - 2.5 for k in range(1, 11)]
    z = [175] * 5 + [195, 235, 255, 255]

    def rise(a: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-a))

    middle = 0.5 * (x[1:] + x[:-1])
    air = 25 + 150 * rise((middle - 27.7) / 6.3)
    for k in range(1, 9):
        air = air + (z[k] - z[k - 1]) * rise((middle - borders[k - 1]) / 1.6)
    past = middle - (borders[8] - 2.5)
    beyond = 0.5 * (past + np.sqrt(past**2 + 0.25))
    air = air + (65 - 255) * (1 - np.exp(-beyond / 64.0))
    q = np.full(n, 0.0198)
    for border, step in ((borders[4], 0.0010), (borders[6], 0.0015), (borders[8], 0.0135)):
        q = q + step * rise((middle - border) / 1.6)
    keep = np.exp(-q * (x[1] - x[0]) / v)
    found, value = [25.0], 25.0
    for a, b in zip(air.tolist(), keep.tolist(), strict=True):
        value = a + (value - a) * b
        found.append(value)
    expected = np.interp(np.asarray(run.times) * v, x, found)
    assert np.abs(np.asarray(run["joint"]) - expected).max() < 0.005


def test_section_is_the_joint_where_it_is_thin() -> None:
    """Without radiation and at Biot 0.01 the section is one node: rate = (h_top + h_bottom) / (capacity x thickness)."""
    thin = ReflowSection(emissivity=0.0, conductivity=10.0, thickness=1.0, h_top=25.0, h_bottom=25.0, capacity=2.5e6)
    lumped = ReflowOven(rates=(0.02,) * 4)
    a, b = (twin.simulate(m, every=5.0, rtol=1e-8) for m in (thin, lumped))
    assert np.abs(a["middle"] - b["joint"]).max() < 0.3


def test_heavy_parts_lag_behind_light_ones() -> None:
    """Without contact each part is a joint with its own rate; the contact pulls them together."""
    free = ReflowAssembly(contact=(0.0, 0.0, 0.0))
    run = twin.simulate(free, every=2.0, rtol=1e-8)
    slow = twin.simulate(ReflowOven(rates=tuple(0.6 * v for v in ReflowOven().rates)), every=2.0, rtol=1e-8)
    assert np.abs(run["part"][:, 0] - slow["joint"]).max() < 1e-3
    joined = twin.simulate(ReflowAssembly(), every=2.0)
    spread = [(r["hottest"] - r["coldest"]).max() for r in (run, joined)]
    assert spread[1] < 0.8 * spread[0]


def test_metrics_of_a_triangle() -> None:
    """25 to 245 degC in 100 s and back: all metrics by hand."""
    t = np.arange(0.0, 201.0)
    y = 245.0 - 2.2 * np.abs(t - 100.0)
    found = profile_metrics(t, y, CASE)
    assert found["steepest_rise"] == pytest.approx(2.2)
    assert found["steepest_fall"] == pytest.approx(2.2)
    assert found["soak_time"] == pytest.approx(40 / 2.2)
    assert found["time_above_liquidus"] == pytest.approx(2 * 28 / 2.2)
    assert found["time_to_peak"] == pytest.approx(100.0)
    assert found["peak"] == pytest.approx(245.0)
    assert found["area_to_peak"] == pytest.approx(0.5 * 28 * 28 / 2.2)
    many = profile_metrics(t, np.vstack([y, y - 50]), CASE)
    assert many["time_above_liquidus"] == pytest.approx([2 * 28 / 2.2, 0.0])
    assert math.isinf(many["soak_time"][1] - 0) is False
    assert math.isnan(many["ramp_to_peak"][1])


def test_profiles_that_cannot_be_judged() -> None:
    """A lost thermocouple, doubled times, a wrong shape."""
    with pytest.raises(twin.DataError, match="A temperature is missing at 2 s: the thermocouple was lost"):
        profile_metrics([0, 1, 2, 3], [25, 30, math.nan, 40], CASE)
    with pytest.raises(twin.DataError, match="must rise"):
        profile_metrics([0, 1, 1, 3], [25, 30, 35, 40], CASE)
    with pytest.raises(twin.DataError, match="3 times and temperatures of shape"):
        profile_metrics([0, 1, 2], [25, 30], CASE)


def test_limits_that_exclude_each_other() -> None:
    """A paste that must reach 235 degC on a part that must stay below 220; an unknown metric; reversed limits."""
    part = ProfileLimits({"peak": (None, 220.0)}, 217.0, (150.0, 200.0), "part X")
    with pytest.raises(twin.SpecError, match=r"peak at least 235 and at most 220 degC \(\[textbook\]; part X\)"):
        ProfileLimits.paste_sac305().both(part)
    joined = ProfileLimits.paste_sac305().both(ProfileLimits.j_std_020(245.0))
    assert joined.rows["peak"] == (235.0, 245.0)
    assert joined.rows["time_above_liquidus"] == (60.0, 90.0)
    with pytest.raises(twin.SpecError, match="Unknown metric 'peek'"):
        ProfileLimits({"peek": (None, 1.0)})
    with pytest.raises(twin.SpecError, match="Expected lower < upper"):
        ProfileLimits({"peak": (250.0, 240.0)})
    with pytest.raises(twin.SpecError, match="Restate one of them"):
        ProfileLimits.paste_snpb().both(part)
    middle = {"steepest_rise": 1.5, "steepest_fall": 0.3, "soak_time": 90, "time_above_liquidus": 65, "peak": 245}
    assert CASE.window_index(middle) == 50


def test_recipes_by_groups_of_zones() -> None:
    """z1_5 sets five zones; what is no zone is told."""
    oven = ReflowOven().with_recipe(z1_5=182.0, z6=203.0, speed=78.0)
    assert tuple(oven.set_points[:6]) == (182.0,) * 5 + (203.0,)
    assert oven.set_point_names("z8_9") == ("set_points[7]", "set_points[8]")
    for name in ("z0", "z12", "z5_3", "zz"):
        with pytest.raises(twin.SpecError, match=f"'{name}' stands for no zones"):
            ReflowOven().set_point_names(name)
    with pytest.raises(twin.SpecError, match="has 11 heated of 11 zones"):
        ReflowOven(hot=11)
    with pytest.raises(twin.SpecError, match=r"set_points\[6\] is 508.15 degC|set_points.* Expected 0 to 400 degC"):
        ReflowOven().with_recipe(z7=508.15)  # kelvin given


def test_fastest_recipe_is_held_by_the_peak() -> None:
    """One decision, so that the answer can be found by bisection: the speed at which the peak is 240 degC."""
    oven = ReflowOven().with_recipe(z1_5=182.0, z6=203.0, z7=237.0, z8_9=254.0)
    problem = optimizers.Design(model=oven, decisions={"speed": (65.0, 100.0)}, signals=("joint",), duration=450.0, every=0.5,
                                measure=lambda t, s: profile_metrics(t, s["joint"], CASE), limits=CASE.rows,
                                recipe=twin.Recipe.constant(), maximize="speed", units={"speed": "cm/min", "peak": "degC"})
    found = optimizers.solve(problem)
    assert found.status
    assert found.active[0].name == "peak"
    assert "peak is at its lower limit 240 degC" in found.explain()

    def peak(speed: float) -> float:
        run = twin.simulate(oven, twin.Recipe.constant(), parameters={"speed": speed}, duration=450, every=0.5, rtol=1e-9)
        return profile_metrics(run.times, run["joint"], CASE)["peak"]

    assert peak(found.value["speed"]) == pytest.approx(240.0, abs=1e-3)
    slope = (peak(found.value["speed"] + 0.5) - peak(found.value["speed"] - 0.5)) / 1.0
    assert found.active[0].shadow_price == pytest.approx(-1.0 / slope, rel=0.02)


def test_no_recipe_within_the_limits_is_told() -> None:
    """A peak of at least 280 degC is out of reach."""
    problem = optimizers.Design(model=ReflowOven(), decisions={"speed": (65.0, 100.0)}, signals=("joint",), duration=450.0,
                                measure=lambda t, s: profile_metrics(t, s["joint"], CASE), limits={"peak": (280.0, None)},
                                every=0.5, recipe=twin.Recipe.constant(), minimize="area_to_peak", units={"peak": "degC"})
    found = optimizers.solve(problem, throw=False)
    assert found.status is twin.Status.INFEASIBLE
    assert found.objective is None
    assert "peak is 24" in found.message
    assert "Its lower limit is 280." in found.message
    with pytest.raises(twin.ConvergenceError, match="No recipe within the bounds"):
        optimizers.solve(problem)


def test_designs_stated_wrongly() -> None:
    """A sentence each, before anything is simulated."""
    good = {"model": ReflowOven(), "decisions": {"speed": (65.0, 100.0)}, "signals": ("joint",), "times": (1.0, 2.0),
            "measure": lambda t, s: {}, "maximize": "speed"}
    for change, match in (({"decisions": {}}, "no decisions"), ({"decisions": {"sped": (1, 2)}}, "Did you mean 'speed'"),
                          ({"decisions": {"speed": (2, 1)}}, "lower < upper"), ({"maximize": None}, "exactly one of"),
                          ({"times": None}, "needs times="), ({"limits": {"peak": (3.0, 2.0)}}, "limits of peak are 3 to 2"),
                          ({"maximize": None, "center": True}, "lower and an upper limit")):
        with pytest.raises(twin.SpecError, match=match):
            optimizers.Design(**good | change)


def test_guard_refuses_far_recipes_unless_the_uncertainty_fits() -> None:
    """Near: accepted. Far without samples: refused. Far with tight samples: accepted; with wide ones: refused with numbers."""
    oven = ReflowOven()
    near = oven.with_recipe(z7=238.0)
    assert judge_recipe(near, CASE, fitted=oven)
    far = oven.with_recipe(z6=210.0, speed=72.0)
    assert "Zone 6 is 5 degC beyond what was measured (185 to 205 degC)" in judge_recipe(far, CASE, fitted=oven).sentences[0]
    tight = {"rates[2]": np.linspace(0.02229, 0.02231, 5)}
    assert judge_recipe(far, CASE, fitted=oven, samples=tight)
    wide = {"rates[2]": np.linspace(0.018, 0.027, 9)}
    verdict = judge_recipe(far, CASE, fitted=oven, samples=wide)
    assert not verdict
    assert "more than its margin" in verdict.sentences[0]
    slow = judge_recipe(dataclasses.replace(oven, speed=50.0), CASE, fitted=oven)
    assert slow.beyond["speed"] == pytest.approx(9.5)
    with pytest.raises(twin.SpecError, match="no fitted recipe"):
        judge_recipe(oven, CASE, fitted=[])


def test_guard_judges_every_place_of_a_board() -> None:
    """The board is within the limits, its heaviest part is not: the verdict names it; `signals` narrows the view."""
    board = ReflowAssembly()
    verdict = judge_recipe(board, CASE, fitted=board)
    assert [s.partition(" is")[0] for s in verdict.sentences] == ["peak of part 1"]
    assert judge_recipe(board, CASE, fitted=board, signals=("board",))
    spread = dataclasses.replace(CASE, rows={"spread": (None, 5.0)})
    assert "spread is 8.7" in judge_recipe(board, spread, fitted=board).sentences[0]
    far = judge_recipe(board.with_recipe(z6=215.0), dataclasses.replace(CASE, rows={"peak": (236.0, 260.0)}), fitted=board,
                       samples={"rates[2]": np.linspace(0.018, 0.027, 5)})
    assert any("There peak of part 1 is" in s for s in far.sentences)
    cold = {f"rates[{k}]": np.array([0.002, 0.0223, 0.0224]) for k in (2, 3)}  # in one sample the solder never melts
    soft = dataclasses.replace(CASE, rows={"ramp_to_peak": (None, 3.0)})
    assert not judge_recipe(ReflowOven().with_recipe(z6=215.0), soft, fitted=ReflowOven(), samples=cold)
