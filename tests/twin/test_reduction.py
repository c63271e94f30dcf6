"""Reduced models: exact gains, exact where nothing is left out, honest errors, and words for wrong use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr


@pytest.fixture(scope="module")
def cool() -> Any:
    """A stable steady state of two states."""
    return twin.steady(ExothermicCstr(), {"t_coolant": 290.0})[0]


@pytest.fixture(scope="module")
def linear(cool: Any) -> Any:
    """The full linear model."""
    return twin.linearize(ExothermicCstr(), cool)


def test_gains_are_those_of_the_full_model(cool: Any, linear: Any) -> None:
    """One state in place of two: the steady gain of every pair is exact."""
    small = twin.reduce(ExothermicCstr(), cool, outputs=("conversion",), order=1)
    found = twin.linearize(small.model)
    for name in ("t_coolant", "c_feed", "t_feed"):
        assert found.gain(name, "conversion") == pytest.approx(linear.gain(name, "conversion"), rel=1e-9)
    assert len(small.hankel) == 2
    assert small.hankel[0] > small.hankel[1] > 0


def test_all_states_kept_is_the_linear_model(cool: Any, linear: Any) -> None:
    """Order 2 of 2: the same poles and the same step response."""
    small = twin.reduce(ExothermicCstr(), cool, outputs=("conversion",), order=2)
    found = twin.linearize(small.model)
    assert np.sort_complex(found.poles) == pytest.approx(np.sort_complex(linear.poles), rel=1e-9)
    times = [0.5, 1.0, 5.0]
    a, b = (m.step_response("t_coolant", times)["conversion"].to_numpy() for m in (found, linear))
    assert a == pytest.approx(b, abs=1e-9)


def test_errors_grow_with_the_step(cool: Any) -> None:
    """A small step is missed by less than a share of 0.01, a larger one by more; an output that hardly moves has no share."""
    small = twin.reduce(ExothermicCstr(), cool, outputs=("conversion",), order=2, sizes={"conversion": 1e-5})
    steps = {"small": {"t_coolant": 290.1}, "large": {"t_coolant": 296.0}, "none": {"t_coolant": 290.0}}
    found = small.errors(steps, 5.0, every=0.25)["missed"]
    assert found["small", "conversion"] < 0.01
    assert found["large", "conversion"] > 10 * found["small", "conversion"]
    assert np.isnan(found["none", "conversion"])


def test_logarithm_and_bias(cool: Any) -> None:
    """A logarithmic output never gets negative; a bias adds in proportion, and to other outputs as it is."""
    small = twin.reduce(ExothermicCstr(), cool, outputs=("conversion",), order=2, logarithms=("conversion",),
                        biases=("conversion",))
    run = twin.simulate(small.model, inputs={"t_coolant": 290.0, "conversion_bias": 0.1}, duration=1.0)
    assert run["conversion"][-1] == pytest.approx(cool["conversion"] * np.exp(0.1), rel=1e-9)


def test_wrong_use_is_told(cool: Any) -> None:
    """An unstable point, unknown names, too many states."""
    model = ExothermicCstr()
    saddle = next(p for p in twin.steady(model, {"t_coolant": 300.0}) if p.kind == "saddle")
    with pytest.raises(twin.SpecError, match="is not stable at this point"):
        twin.reduce(model, saddle, outputs=("conversion",), order=1)
    with pytest.raises(twin.SpecError, match="output 'yield'"):
        twin.reduce(model, cool, outputs=("yield",), order=1)
    with pytest.raises(twin.SpecError, match=r"order is 3\. Expected 1 to 2"):
        twin.reduce(model, cool, outputs=("conversion",), order=3)
