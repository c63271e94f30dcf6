"""Optimal steady states: validation numbers, prices and sensitivities by differences, branches, infeasible limits, wrong use."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import optimizers
import twin
from optimizers import Setpoints
from processes.chemical import ExothermicCstr, VanDeVusse, WilliamsOtto, WilliamsOttoTwoReactions

QUALITY = {"x_a": (None, 0.12), "x_g": (None, 0.08)}


@pytest.fixture(scope="module")
def plant() -> Any:
    return WilliamsOtto()


@pytest.fixture(scope="module")
def limited(plant: Any) -> Any:
    problem = Setpoints(plant, maximize="profit", limits=QUALITY)
    return optimizers.solve(problem, sensitivity=("price_p", "feed_a", "e_3"))


def test_williams_otto_optimum(plant: Any) -> None:
    """Published 190.98 USD/s; independent computation 190.980330 at (4.787420, 89.70388)."""
    best = optimizers.solve(Setpoints(plant, maximize="profit"))
    assert best.status is twin.Status.SUCCESS
    assert best.objective == pytest.approx(190.980330, abs=1e-6)
    assert best["feed_b"] == pytest.approx(4.787420, abs=2e-5)     # the optimum is flat: 1e-5 kg/s changes nothing
    assert best["t_reactor"] == pytest.approx(89.70388, abs=2e-4)
    assert best.claimed == pytest.approx(best.objective, abs=1e-8)
    assert best.replay.kind == "stable node"
    assert best.details["kkt_error"] < 1e-6
    assert not best.active


def test_williams_otto_with_quality_limits(limited: Any) -> None:
    """Independent computation: 178.529081 at (4.97468, 84.32244), only x_g active."""
    assert limited.objective == pytest.approx(178.529081, abs=1e-5)
    assert limited["feed_b"] == pytest.approx(4.97468, abs=1e-4)
    assert limited["t_reactor"] == pytest.approx(84.32244, abs=1e-3)
    assert [a.name for a in limited.active] == ["x_g"]
    assert limited.violation < 1e-8
    assert "x_g is at its upper limit 0.08 kg/kg" in limited.explain()


def test_mismatched_model_optimum_costs_the_plant_40_dollars(plant: Any) -> None:
    """Model optimum 186.9455 at (4.76935, 78.22342); the plant earns 150.4641 there, 40.5 USD/s less than it could."""
    best = optimizers.solve(Setpoints(WilliamsOttoTwoReactions(), maximize="profit"))
    assert best.objective == pytest.approx(186.9455, abs=1e-4)
    assert (best["feed_b"], best["t_reactor"]) == pytest.approx((4.76935, 78.22342), abs=2e-4)
    earned = twin.steady(plant, best.value)[0]["profit"]
    assert 190.980330 - earned == pytest.approx(40.5, abs=0.05)


def test_shadow_price_is_a_derivative(plant: Any, limited: Any) -> None:
    """A little more room is worth its shadow price."""
    step = 1e-5
    wider = optimizers.solve(Setpoints(plant, maximize="profit", limits={**QUALITY, "x_g": (None, 0.08 + step)}), starts=1)
    assert (wider.objective - limited.objective) / step == pytest.approx(limited.active[0].shadow_price, rel=2e-3)
    assert limited.active[0].price_unit == "USD/s per kg/kg"


@pytest.mark.parametrize(("name", "step"), [("price_p", 0.5), ("feed_a", 1e-3), ("e_3", 0.5)])
def test_sensitivities_are_derivatives(plant: Any, limited: Any, name: str, step: float) -> None:
    """Prices, disturbances and kinetics: derivatives of optimum and set-points against solving again."""
    problem = limited.problem
    ends = []
    for sign in (1, -1):
        if name == "feed_a":
            moved = dataclasses.replace(problem, inputs={"feed_a": 1.8275 + sign * step})
        else:
            moved = dataclasses.replace(problem, parameters={name: getattr(plant, name) + sign * step})
        ends.append(optimizers.solve(moved, solver="slsqp", starts=1, start=limited.value))
    told = limited.details["sensitivity"][name]
    assert told["objective"] == pytest.approx((ends[0].objective - ends[1].objective) / (2 * step), rel=1e-4)
    for move in ("feed_b", "t_reactor"):
        assert told[move] == pytest.approx((ends[0][move] - ends[1][move]) / (2 * step), rel=2e-3)


def test_solvers_agree(plant: Any, limited: Any) -> None:
    """The interior-point method and SLSQP give the same answer and the same prices."""
    other = optimizers.solve(limited.problem, solver="slsqp")
    assert other.objective == pytest.approx(limited.objective, abs=1e-5)
    assert other.active[0].shadow_price == pytest.approx(limited.active[0].shadow_price, rel=1e-5)


def test_the_reduced_problem_has_the_same_answer(plant: Any, limited: Any) -> None:
    """Only the moves are searched, the steady state follows: objective, prices and sensitivities of the full problem."""
    found = optimizers.solve(limited.problem, solver="reduced", sensitivity="feed_a")
    assert found.status
    assert found.details["kkt_error"] < 1e-8
    assert found.objective == pytest.approx(178.529081, abs=1e-5)
    assert found.active[0].shadow_price == pytest.approx(limited.active[0].shadow_price, rel=1e-5)
    assert found.details["sensitivity"]["feed_a"] == pytest.approx({"objective": 36.6953, "feed_b": 2.36405,
                                                                   "t_reactor": 5.04164}, rel=1e-4)
    soft = optimizers.Setpoints(plant, maximize="profit", limits={"x_g": twin.soft(None, 0.08, price=500.0)})
    assert optimizers.solve(soft, solver="reduced").objective == pytest.approx(optimizers.solve(soft).objective, abs=1e-6)


def test_a_held_value_and_soft_limits(plant: Any) -> None:
    """A number is held; a soft limit is exceeded where its price is below the shadow price of the hard one."""
    held = optimizers.solve(Setpoints(plant, maximize="profit", limits={"x_g": 0.07}), solver="slsqp")
    assert held.replay["x_g"] == pytest.approx(0.07, abs=1e-8)
    assert held.active[0].side == "equal"
    assert held.active[0].shadow_price > 0  # more waste, more profit
    cheap = optimizers.solve(_soft(plant, 300), solver="slsqp")
    over = cheap.replay["x_g"] - 0.08
    assert over > 0.005
    assert cheap.objective == pytest.approx(cheap.replay["profit"] - 300 * over, abs=1e-6)
    assert "exceeds its soft limit" in cheap.explain()
    dear = optimizers.solve(_soft(plant, 3000), solver="slsqp")
    assert dear.replay["x_g"] == pytest.approx(0.08, abs=1e-7)


def _soft(plant: Any, price: float) -> Setpoints:
    return Setpoints(plant, maximize="profit", limits={"x_g": twin.soft(None, 0.08, price=price)})


def test_branches_and_stability_are_told() -> None:
    """The best conversion under a temperature limit is an unstable steady state among three: said so."""
    problem = Setpoints(ExothermicCstr(), maximize="conversion", limits={"temperature": (None, 370)})
    best = optimizers.solve(problem, solver="slsqp")
    assert best.replay["temperature"] == pytest.approx(370, abs=1e-5)
    assert not best.replay.stable
    assert len(best.details["steady_states"]) == 3
    assert "needs control" in best.message
    assert "start-up decides" in best.message


def test_input_at_its_bound() -> None:
    """Van de Vusse: no cooling is best; the bound of the duty has a price in its unit."""
    problem = Setpoints(VanDeVusse.klatt_engell(), maximize="c_b", limits={"t_reactor": (None, 120)})
    best = optimizers.solve(problem, solver="slsqp")
    (bound,) = best.active
    assert (bound.name, bound.side, bound.limit, bound.unit) == ("duty", "upper", 0.0, "kJ/h")
    less = optimizers.solve(Setpoints(VanDeVusse.klatt_engell(), maximize="c_b", moves={"flow": None, "duty": (None, -100)}),
                            solver="slsqp")
    assert (best.objective - less.objective) / 100 == pytest.approx(bound.shadow_price, rel=0.05)


def test_limits_in_conflict_are_named(plant: Any) -> None:
    """Names, values and units of what cannot be kept, and of what stands against it."""
    problem = Setpoints(plant, maximize="profit", limits={"x_a": (None, 0.05), "x_g": (None, 0.01), "x_p": (0.01, None)})
    told = r"x_a 0.1\d* kg/kg \(limit at most 0.05\), x_g .* \(limit at most 0.01\)"
    with pytest.raises(twin.ConvergenceError, match=told) as caught:
        optimizers.solve(problem, solver="slsqp", starts=2)
    assert caught.value.solution.status is twin.Status.INFEASIBLE
    assert caught.value.solution.details["conflict"] == ["x_a", "x_g"]


def test_weighted_objective_units_and_views(plant: Any) -> None:
    """A weighted sum, limits and inputs with units, table, frame and picture."""
    problem = Setpoints(plant, maximize={"profit": 1.0, "x_g": -100.0}, unit="USD/s", moves={"t_reactor": ("345 K", None)},
                        inputs={"feed_b": "4.8 kg/s", "feed_a": "6579 kg/h"}, limits={"x_a": (None, "12 %")})
    best = optimizers.solve(problem, solver="slsqp")
    assert best.objective == pytest.approx(best.replay["profit"] - 100 * best.replay["x_g"], abs=1e-9)
    frame = best.to_frame()
    assert frame.loc["t_reactor", "lower"] == pytest.approx(71.85)
    assert frame.loc["x_a", "upper"] == pytest.approx(0.12)
    assert "feed_b" in best.table()
    pytest.importorskip("matplotlib")
    (axis,) = best.plot().axes
    value = np.asarray(axis.lines[0].get_ydata())
    assert np.nanmax(value) == pytest.approx(best.objective, rel=1e-6)


@pytest.mark.parametrize(("make", "message"), [
    (lambda m: Setpoints(m), "needs maximize or minimize"),
    (lambda m: Setpoints(m, maximize="profits"), "Unknown signal 'profits'.*Did you mean 'profit'"),
    (lambda m: Setpoints(m, maximize="profit", moves="feed_a"), "feed_a is a disturbance: nobody moves it"),
    (lambda m: Setpoints(m, maximize="profit", moves={"feed_b": (5, 4)}), "the lower above the upper"),
    (lambda m: Setpoints(m, maximize="profit", moves={"feed_b": (3, 3)}), "it cannot move"),
    (lambda m: Setpoints(m, maximize="profit", moves={"t_reactor": (None, 363)}), "363 degC.*was the unit mixed up"),
    (lambda m: Setpoints(m, maximize="profit", limits={"x_q": (0, 1)}), "Unknown signal 'x_q'"),
    (lambda m: Setpoints(m, maximize="profit", inputs={"feed_b": 4.0}, moves="feed_b"), "moved and given"),
    (lambda m: Setpoints(m, maximize="profit", limits={"x_a": ("1 kg", None)}), "x_a"),
])
def test_wrong_use_is_told(plant: Any, make: Any, message: str) -> None:
    """Each mistake is a sentence with names and units."""
    with pytest.raises(twin.SpecError, match=message):
        optimizers.solve(make(plant), solver="slsqp")


def test_wrong_options_are_told(plant: Any) -> None:
    """Unknown solver, start and sensitivity."""
    problem = Setpoints(plant, maximize="profit")
    with pytest.raises(twin.SpecError, match="Expected 'engine', 'reduced' or 'slsqp'"):
        optimizers.solve(problem, solver="simplex")
    with pytest.raises(twin.SpecError, match="Unknown moved input 'feed_a'"):
        optimizers.solve(problem, solver="slsqp", start={"feed_a": 2.0})
    with pytest.raises(twin.SpecError, match="Unknown parameter, disturbance or input 'price_q'"):
        optimizers.solve(problem, solver="slsqp", sensitivity="price_q")
