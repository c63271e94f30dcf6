"""Column A against the published steady state and an independent computation of its gains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twin
from processes.chemical import DistillationColumn
from processes.chemical.distillation import SENSOR_TRAY

NAMES = ("x", "m", "x_b", "m_b", "x_d", "m_d")


@pytest.fixture(scope="module")
def column() -> Any:
    return DistillationColumn().with_output("y_d", "-", lambda s: s.x_d).with_output("y_b", "-", lambda s: s.x_b)


@pytest.fixture(scope="module")
def start(column: Any) -> dict[str, Any]:
    """States after 600 min at the nominal flows."""
    final = twin.simulate(column).final
    return {n: final[n] for n in NAMES}


def steady(column: Any, start: dict[str, Any], **inputs: float) -> Any:
    (point,) = twin.steady(column, {"reflux": 2.706293, "boilup": 3.206293} | inputs, starts=[start])
    return point


def test_nominal_point_and_profile(column: Any, start: dict[str, Any]) -> None:
    """L 2.706293, V 3.206293: x_D 0.99, x_B 0.01, D = B = 0.5 (published 2.70629, 3.20629); every fifth stage from below.

    Flows are given to six decimals: 1e-6 in composition.
    """
    point = steady(column, start)
    assert (point["x_d"], point["x_b"]) == pytest.approx((0.99, 0.01), abs=1e-6)
    assert (point["distillate"], point["bottoms"]) == pytest.approx((0.5, 0.5), abs=1e-9)
    profile = [point["x_b"], *point["x"][4::5], point["x_d"]]
    expected = [0.01, 0.046651, 0.151543, 0.338496, 0.498725, 0.667507, 0.846866, 0.950071, 0.99]
    assert profile == pytest.approx(expected, abs=1e-6)
    assert point.stable


def test_gains(column: Any, start: dict[str, Any]) -> None:
    """Gains to L, V, F, zF, singular values, condition number and relative gain; computed independently, last digit given.

    Published (0.878, -0.864, 1.082, -1.096) from another linearization.
    """
    point = steady(column, start)
    gains = twin.linearize(column, {n: point[n] for n in NAMES}).gains.loc[["y_d", "y_b"]]
    assert gains[["reflux", "boilup"]].to_numpy() == pytest.approx(
        np.array([[0.875404, -0.861756], [1.084596, -1.098244]]), abs=2e-5)
    assert gains[["feed", "z_feed"]].to_numpy() == pytest.approx(
        np.array([[0.393945, 0.881249], [0.586055, 1.118751]]), abs=2e-5)
    g = gains[["reflux", "boilup"]].to_numpy()
    assert np.linalg.svd(g / 0.01)[1] == pytest.approx([197.263, 1.35600], rel=2e-5)
    assert np.linalg.cond(g) == pytest.approx(145.47, abs=0.006)
    assert (g * np.linalg.inv(g).T)[0, 0] == pytest.approx(35.942, abs=1e-3)


def test_nonlinearity(column: Any, start: dict[str, Any]) -> None:
    """1 % more reflux: 0.99582, 0.05509; 1 % more boilup: 0.93731, 0.00276. Half of the last digit given."""
    more_l, more_v = steady(column, start, reflux=2.706293 * 1.01), steady(column, start, boilup=3.206293 * 1.01)
    assert (more_l["x_d"], more_l["x_b"]) == pytest.approx((0.99582, 0.05509), abs=6e-6)
    assert (more_v["x_d"], more_v["x_b"]) == pytest.approx((0.93731, 0.00276), abs=6e-6)


def test_soft_sensor_is_the_fit_that_its_source_says(column: Any, start: dict[str, Any]) -> None:
    """Least squares of logit(x_D) over reflux and logit of the tray at 25 steady states; 2e-4 in purity over 0.975..0.995."""
    def logit(x: float) -> float:
        return float(np.log(x / (1 - x)))

    rows, purity = [], []
    for reflux in np.linspace(2.6, 2.8, 5):
        for more in np.linspace(-0.01, 0.01, 5):
            point = steady(column, start, reflux=reflux, boilup=reflux + 0.5 + more)
            rows.append((1.0, logit(point["x"][SENSOR_TRAY]), reflux))
            purity.append(point["x_d"])
            assert point["x_d_sensor"] == pytest.approx(point["x_d"], abs=2e-4)
    found = np.linalg.lstsq(np.array(rows), [logit(x) for x in purity], rcond=None)[0]
    model = DistillationColumn()
    assert (model.sensor_offset, model.sensor_slope, model.sensor_reflux) == pytest.approx(tuple(found), abs=6e-5)
    assert 0.97 < min(purity) < 0.98
    assert max(purity) > 0.994


def test_feed_on_another_stage(column: Any, start: dict[str, Any]) -> None:
    """Stage 21 is the best one of a symmetric column: on stage 10 the same flows separate worse."""
    moved = DistillationColumn.with_feed_on_stage(10)
    assert steady(moved, start)["x_d"] < 0.985
    assert steady(DistillationColumn.with_feed_on_stage(21), start)["x_d"] == pytest.approx(0.99, abs=1e-6)
    with pytest.raises(twin.SpecError, match=r"stage is 42 -\. Expected 2 to 40"):
        DistillationColumn.with_feed_on_stage(42)
