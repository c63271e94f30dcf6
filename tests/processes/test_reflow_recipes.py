"""Recipes of a reflow oven: four goals on one joint and on a board with parts, prices, replay, what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import optimizers
import twin
from processes.electronics import ProfileLimits, RecipeSaving, ReflowAssembly, ReflowOven, ReflowRecipe, ReflowSection

CASE = ProfileLimits.contest()


def with_row(name: str, low: float | None, high: float | None) -> ProfileLimits:
    """The limits of the case with another row."""
    return dataclasses.replace(CASE, rows=dict(CASE.rows) | {name: (low, high)})


DECISIONS = {"speed": (65.0, 100.0), "z1_5": (165.0, 185.0), "z6": (185.0, 205.0), "z7": (225.0, 245.0), "z8_9": (245.0, 265.0)}
PRICES = RecipeSaving(50_000, energy_price=0.1, hour_cost=60.0, factor=None)


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """The four answers on the contest oven."""
    oven = ReflowOven()
    return {goal: optimizers.solve(ReflowRecipe(oven, CASE, goal, DECISIONS, saving=PRICES,
                                                boards={"heavy": ReflowAssembly()}))
            for goal in ("fastest", "smallest area", "centered", "least energy")}


def test_each_goal_is_best_at_its_own_measure(answers: dict[str, Any]) -> None:
    """No other answer, all of which meet the limits, is better at what a goal asks for; random recipes are not either."""
    checks = {goal: found.details["check"] for goal, found in answers.items()}
    assert all(check.to_frame()["margin"].min() > -1e-3 for check in checks.values())
    for goal, metric, sign in (("smallest area", "area_to_peak", 1), ("centered", "window_index", 1),
                               ("least energy", "energy_per_board", 1), ("fastest", "boards_per_hour", -1)):
        own = sign * checks[goal].own.metrics[metric]
        assert all(own <= sign * c.own.metrics[metric] * (1 + sign * 1e-3) for c in checks.values()), goal
    design = optimizers.Design(**ReflowRecipe(ReflowOven(), CASE, "smallest area", DECISIONS).design())
    draw = np.random.default_rng(1)
    recipes = {n: draw.uniform(*b, 300) for n, b in DECISIONS.items()}
    many = twin.simulate_many(ReflowOven(), twin.Recipe.constant(), duration=450, every=0.5, parameters={
        p: v for n, v in recipes.items() for p in design.ties.get(n, (n,))})
    seen = {"joint": many["joint"], "energy_per_board": many["energy_per_board"]}
    metrics = design.measure(many.times, seen)
    fits = np.all([(metrics[n] >= (low or -np.inf)) & (metrics[n] <= (high or np.inf)) for n, (low, high) in CASE.rows.items()],
                  axis=0)
    assert fits.sum() > 5
    assert metrics["area_to_peak"][fits].min() > checks["smallest area"].own.metrics["area_to_peak"]
    assert CASE.window_index(metrics)[fits].min() > checks["centered"].own.window_index
    assert metrics["energy_per_board"][fits].min() > checks["least energy"].own.metrics["energy_per_board"]


def test_shadow_prices_predict_a_moved_limit(answers: dict[str, Any]) -> None:
    """Area for a degree less of peak, and share of the window for a wider slope limit, against new solutions."""
    area = answers["smallest area"]
    price = next(a for a in area.active if a.name == "peak").shadow_price
    moved = optimizers.solve(ReflowRecipe(ReflowOven(), with_row("peak", 239.8, 250.0), "smallest area", DECISIONS))
    assert (area.objective - moved.objective) / 0.2 == pytest.approx(price, rel=0.05)
    even = answers["centered"]
    held = next(a for a in even.active if a.name == "steepest_rise")
    assert held.side == "toward upper"
    assert "steepest_rise is 1.88893, held toward its upper limit 3 degC/s" in str(held)
    moved = optimizers.solve(ReflowRecipe(ReflowOven(), with_row("steepest_rise", None, 3.05), "centered", DECISIONS))
    assert (even.objective - moved.objective) / 0.05 == pytest.approx(held.shadow_price, rel=0.1)


def test_the_answer_tells_limits_margins_prices_and_the_reference(answers: dict[str, Any]) -> None:
    """One table and one picture; the replay on heavier parts says what they miss; money by hand."""
    found = answers["fastest"]
    frame = found.to_frame()
    assert set(CASE.rows) <= set(frame.index)
    assert frame.loc["peak", "margin"] == pytest.approx(0.0, abs=2e-3)
    assert frame.loc["steepest_rise", "margin"] == pytest.approx(3.0 - frame.loc["steepest_rise", "value"])
    assert frame.loc["speed", "reference"] == 70.0
    assert "Replayed on heavy: peak of board is 238.9" in found.message
    saved = found.details["check"].saved
    assert saved.hours == pytest.approx(50_000 * 30 / 60 * (1 / 70 - 1 / found.value["speed"]), rel=1e-9)
    before, after = frame.loc["energy_per_board", ["reference", "value"]]
    assert saved.energy == pytest.approx(50_000 * (before - after), rel=1e-6)
    assert saved.money == pytest.approx(60 * saved.hours + 0.1 * saved.energy)
    assert f"{saved.money:,.4g} EUR" in found.message
    assert len(found.plot().axes) == 2


def test_a_board_with_parts_is_judged_at_each_of_them() -> None:
    """Centered on four places at once: all hold their limits, the light and the heavy part hold the peak from both sides."""
    found = optimizers.solve(ReflowRecipe(ReflowAssembly(), CASE, "centered", DECISIONS))
    check = found.details["check"]
    assert check.own.misses == ()
    assert {"peak of part 1", "peak of part 3"} <= {a.name for a in found.active}
    assert check.own.metrics["spread"] == pytest.approx(
        check.own.metrics["peak of part 3"] - check.own.metrics["peak of part 1"])
    none = optimizers.solve(ReflowRecipe(ReflowAssembly(), with_row("spread", None, 5.0), "centered", DECISIONS), throw=False)
    assert none.status is twin.Status.INFEASIBLE
    assert "spread is " in none.message


def test_a_far_recipe_carries_the_verdict_of_the_guard() -> None:
    """Beyond 15 % of the fitted speed: not to be run on the word of the model."""
    found = optimizers.solve(ReflowRecipe(ReflowOven(), CASE, "fastest", DECISIONS, fitted=ReflowOven()))
    assert not found.details["check"].verdict
    assert "Do not run it on the word of the model: " in found.message
    assert "The speed is " in found.message


def test_what_is_stated_wrongly_is_refused() -> None:
    """A sentence each."""
    with pytest.raises(twin.SpecError, match="Unknown goal 'quickest'"):
        ReflowRecipe(ReflowOven(), CASE, "quickest", DECISIONS)
    with pytest.raises(twin.SpecError, match="'z14' stands for no zones"):
        ReflowRecipe(ReflowOven(), CASE, "fastest", {"z14": (100.0, 200.0)})
    spread = ProfileLimits({"spread": (None, 10.0)})
    with pytest.raises(twin.SpecError, match="ReflowOven has one joint"):
        ReflowRecipe(ReflowOven(), spread, "fastest", DECISIONS)
    with pytest.raises(twin.DataError, match="ask for spread, which this profile does not tell"):
        spread.misses({"peak": 240.0})
    with pytest.raises(twin.SpecError, match="leaves nothing of the limits of peak"):
        CASE.tightened(peak=5.0)
    with pytest.raises(twin.SpecError, match="Unknown metric 'top'"):
        CASE.tightened(top=5.0)
    with pytest.raises(twin.SpecError, match=r"boards of RecipeSaving is 0\. Expected a finite number, above 0"):
        RecipeSaving(0.0)


def test_other_boards_take_the_recipe(answers: dict[str, Any]) -> None:
    """The replay on a board through its thickness is the run of that model with the recipe."""
    value = answers["centered"].value
    found = ReflowRecipe(ReflowOven(), CASE, "centered", DECISIONS, boards={"section": ReflowSection()}).checked(value, {})
    run = twin.simulate(ReflowSection().with_recipe(**value), every=0.5, rtol=1e-8)
    assert found.replays["section"].metrics["peak of top"] == pytest.approx(float(np.max(run["top"])), abs=0.05)
