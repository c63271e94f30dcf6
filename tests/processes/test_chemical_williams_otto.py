"""The Williams-Otto plant and the model that mismatches it, against independent computations."""

from __future__ import annotations

import pytest

import twin
from processes.chemical import WilliamsOtto, WilliamsOttoTwoReactions


@pytest.mark.parametrize(("model", "at", "profit"), [
    (WilliamsOtto(), (4.787420, 89.70388), 190.980330),
    (WilliamsOtto(), (4.76935, 78.22342), 150.4641),
    (WilliamsOttoTwoReactions(), (4.76935, 78.22342), 186.9455),
    (WilliamsOtto(), (4.61574, 77.18325), 148.5430),
    (WilliamsOtto(), (4.41491, 82.07016), 180.5390),
])
def test_profit_of_plant_and_model(model: twin.DynamicModel, at: tuple[float, float], profit: float) -> None:
    """The published optimum (190.98 USD/s), and what the plant earns at optima of two-reaction models.

    The points are rounded to 1e-5, where the profit of the plant changes by 10 to 40 USD/s for one kg/s and by 6 for one degC.
    """
    (point,) = twin.steady(model, {"feed_b": at[0], "t_reactor": at[1]})
    assert point["profit"] == pytest.approx(profit, abs=3e-4)


def test_composition_at_the_optimum() -> None:
    """A .087465, B .389622, C .015306, P .109456, E .290607, G .107543; the state is stable; shares sum to one."""
    (point,) = twin.steady(WilliamsOtto(), {"feed_b": 4.787420, "t_reactor": 89.70388})
    shares = [point[n] for n in ("x_a", "x_b", "x_c", "x_p", "x_e", "x_g")]
    assert shares == pytest.approx([0.087465, 0.389622, 0.015306, 0.109456, 0.290607, 0.107543], abs=1e-6)
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert point.stable


def test_model_believes_in_its_own_optimum() -> None:
    """Neighbors of the model's optimum are worse in the model; its optimum is far from the plant's."""
    model = WilliamsOttoTwoReactions()
    best = twin.steady(model, {"feed_b": 4.76935, "t_reactor": 78.22342})[0]["profit"]
    for feed, t in ((4.80, 78.2234), (4.74, 78.2234), (4.76935, 78.6), (4.76935, 77.8)):
        assert twin.steady(model, {"feed_b": feed, "t_reactor": t})[0]["profit"] < best
