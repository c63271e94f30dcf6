"""Scenarios: samples of parameters and initial states with weights."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr


@pytest.fixture(scope="module")
def three() -> twin.Scenarios:
    return twin.Scenarios(ExothermicCstr(), {"ua": [4.8e4, 5e4, 5.2e4], "initial.temperature": "350 K"}, [1, 2, 1])


def test_vectors_hold_the_samples_and_the_model_for_the_rest(three: twin.Scenarios) -> None:
    model = ExothermicCstr()
    at = model.parameter_names().index("ua")
    assert three.vectors[:, at].tolist() == [4.8e4, 5e4, 5.2e4]
    rest = np.delete(three.vectors, at, axis=1)
    assert np.array_equal(rest, np.tile(np.delete(model.parameter_vector(), at), (3, 1)))
    state = [s.name for s in model.of_role("state")].index("temperature")
    assert three.starts[:, state].tolist() == [350.0] * 3


def test_moments_and_quantiles_follow_the_weights(three: twin.Scenarios) -> None:
    assert three.mean["ua"] == pytest.approx(5e4)
    assert three.quantile(0.5)["ua"] == 5e4
    assert (three.quantile(0.0)["ua"], three.quantile(1.0)["ua"]) == (4.8e4, 5.2e4)
    assert three.table().loc["ua", "std"] == pytest.approx(2e3 / np.sqrt(2))
    assert three.to_frame().shape == (3, 3)
    assert [w for _, w in three] == [0.25, 0.5, 0.25]


def test_selecting_keeps_the_shares(three: twin.Scenarios) -> None:
    few = three.select(8, seed=3)
    assert sorted(few.parameters["ua"].tolist()) == [4.8e4] * 2 + [5e4] * 4 + [5.2e4] * 2


def test_simulates_all_samples(three: twin.Scenarios) -> None:
    many = three.simulate({"t_coolant": 300.0}, duration=0.5, points=3)
    assert many["temperature"].shape == (3, 3)
    assert many["temperature"][:, 0].tolist() == [350.0] * 3
    assert len(set(many["temperature"][:, -1])) == 3


def test_grid_combines_levels() -> None:
    found = twin.Scenarios.grid(ExothermicCstr(), {"ua": [4.9e4, 5.1e4], "initial.c_a": [0.4, 0.5, 0.6]})
    assert len(found) == 6
    assert found.weights.tolist() == pytest.approx([1 / 6] * 6)


@pytest.mark.parametrize(("parameters", "weights", "message"), [
    ({"us": [1.0]}, None, "Unknown parameter 'us' of ExothermicCstr. Did you mean 'ua'"),
    ({"ua": [5e4, 5e4], "initial.c_a": [0.5] * 3}, None, "2 values of ua. Expected 3"),
    ({"ua": [5e4, -1.0]}, None, "ExothermicCstr.ua is -1"),
    ({"ua": [5e4, 5.1e4]}, [0.0, 0.0], "not all zero"),
    ({"ua": [5e4, 5.1e4]}, [1.0], "Expected 2 numbers"),
    ({}, None, "no parameters"),
])
def test_mistakes_are_told(parameters: dict, weights: list | None, message: str) -> None:
    with pytest.raises(twin.SpecError, match=message):
        twin.Scenarios(ExothermicCstr(), parameters, weights)
