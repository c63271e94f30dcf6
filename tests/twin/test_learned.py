"""Corrections keep zeros, signs and bounds, whatever the weights."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twin
from twin.learned import outside


class Reactor(twin.DynamicModel):
    """Terms with two, one and no finite bounds."""

    substrate = twin.state("g/l", lower=0, upper=50, nominal=5)
    warm = twin.state("K", lower=280, upper=320, nominal=300)

    @twin.term("1/h", lower=0, upper=0.5, vanishes_with=("substrate",))
    def both(self, substrate: Any, warm: Any) -> Any:
        return 0.5 * substrate / (1.0 + substrate) * (warm / 320.0)

    @twin.term("1/h", lower=0)
    def low(self, substrate: Any) -> Any:
        return 0.1 * substrate

    @twin.term("kW", lower=-np.inf)
    def free(self, substrate: Any) -> Any:
        return substrate - 3.0

    def rhs(self, s: Any) -> dict[str, Any]:
        rate = self.both(s.substrate, s.warm) + self.low(s.substrate) + self.free(s.substrate)
        return {"substrate": -rate, "warm": rate}


def net(inputs: tuple[str, ...] = ("substrate", "warm"), seed: int = 0, size: float = 1.0) -> twin.Mlp:
    """A random net."""
    return twin.Mlp.random(inputs=inputs, hidden=(5,), scales=[10.0] * len(inputs), seed=seed, size=size)


S = np.linspace(0.0, 50.0, 101)
T = np.linspace(280.0, 320.0, 101)
MODES = {"multiply": twin.Multiply, "add": twin.Add, "replace": twin.Replace}


@pytest.mark.parametrize("mode", MODES)
@given(seed=st.integers(0, 1000), size=st.sampled_from([1.0, 30.0, 1000.0]))
@settings(max_examples=10, deadline=None)
def test_zero_and_bounds_hold_for_any_weights(mode: str, seed: int, size: float) -> None:
    """Zero substrate gives exactly zero; add and replace stay within 0 and 0.5, multiply within its factor."""
    import jax

    with jax.enable_x64(True):
        model = Reactor().with_learned({"both": MODES[mode](net(seed=seed, size=size))})
        values = np.asarray(model.both(S, T))
        plain = np.asarray(Reactor().both(S, T))
        assert values[0] == 0.0
        if mode == "multiply":
            assert (values <= 3.0 * plain * (1 + 1e-12)).all()
            assert (values >= plain / 3.0 * (1 - 1e-12)).all()
        else:
            assert (values >= 0.0).all()
            assert (values <= 0.5 * (1 + 1e-12)).all()


@pytest.mark.parametrize("mode", ["multiply", "add"])
@pytest.mark.parametrize("term", ["both", "low", "free"])
def test_a_net_of_zero_changes_nothing(mode: str, term: str) -> None:
    """Training starts at the mechanism."""
    import jax

    scale = {} if mode == "multiply" or term == "both" else {"scale": 2.0}
    with jax.enable_x64(True):
        arguments = (S, T) if term == "both" else (S,)
        fix = MODES[mode](net(("substrate",), size=0.0), **scale)
        found = getattr(Reactor().with_learned({term: fix}), term)(*arguments)
        assert np.asarray(found) == pytest.approx(np.asarray(getattr(Reactor(), term)(*arguments)), rel=1e-9, abs=2e-6)


def test_add_moves_by_scale_times_net_where_there_is_room() -> None:
    """To first order, whatever the number of bounds."""
    import jax

    with jax.enable_x64(True):
        for term, scale, arguments in (("both", 1e-4, (10.0, 300.0)), ("low", 1e-3, (10.0,)), ("free", 5.0, (10.0,))):
            small = net(("substrate",))
            fixed = Reactor().with_learned({term: twin.Add(small, scale)})
            moved = getattr(fixed, term)(*arguments) - getattr(Reactor(), term)(*arguments)
            gate = 1.0
            assert float(moved) == pytest.approx(gate * scale * float(small({"substrate": 10.0})), rel=1e-2)


def test_corrections_are_smooth_and_differentiable_everywhere() -> None:
    """Gradients with respect to arguments and weights are finite, at zero and at the bounds too."""
    import jax

    with jax.enable_x64(True):
        for mode, make in MODES.items():
            model = Reactor().with_learned({"both": make(net(size=100.0))})
            slopes = jax.vmap(jax.grad(lambda s, m=model: m.both(s, 300.0)))(np.array([-1e-3, 0.0, 1e-6, 1.0, 50.0]))
            weights = jax.grad(lambda m: m.both(0.0, 300.0) + m.both(5.0, 300.0))(model)
            assert np.isfinite(np.asarray(slopes)).all(), mode
            assert all(np.isfinite(np.asarray(v)).all() for v in jax.tree_util.tree_leaves(weights))


def test_add_can_act_where_the_mechanism_is_zero() -> None:
    """Unlike multiply: `low` is zero at zero substrate and not declared to vanish."""
    import jax

    with jax.enable_x64(True):
        weights = ((np.zeros((1, 1)), np.array([2.0])),)
        fixed = Reactor().with_learned({"low": twin.Add(twin.Mlp(weights, ("substrate",)), 1.0)})
        assert float(fixed.low(0.0)) == pytest.approx(4.0, rel=1e-3)


def test_nets_are_elementwise_for_numbers_cells_and_batches() -> None:
    """The same weights on one number, on a row of cells, under vmap."""
    import jax

    with jax.enable_x64(True):
        n = net()
        rows = np.asarray(n({"substrate": S, "warm": T}))
        single = [float(n({"substrate": a, "warm": b})) for a, b in zip(S, T, strict=True)]
        mapped = jax.vmap(lambda a: n({"substrate": a, "warm": 300.0}))(S)
        assert rows == pytest.approx(np.array(single), rel=1e-13)
        assert np.asarray(mapped) == pytest.approx(np.asarray(n({"substrate": S, "warm": 300.0})), rel=1e-13)


def test_random_nets_are_reproducible_and_copied_exactly() -> None:
    """One seed, one net; pickle and deepcopy keep every weight."""
    assert net(seed=3).weights[0][0].tolist() == net(seed=3).weights[0][0].tolist()
    assert net(seed=3).weights[0][0].tolist() != net(seed=4).weights[0][0].tolist()
    model = Reactor().with_learned({"both": net()})
    for back in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert back.parameter_vector() == model.parameter_vector()
        assert back.parameter_names() == model.parameter_names()


def test_weights_come_after_parameters_by_term_name() -> None:
    """`learned.TERM.net.weights[layer][W or b][i]`, in row order."""
    names = Reactor().with_learned({"low": net(("substrate",)), "both": net()}).parameter_names()
    assert names[0] == "learned.both.net.weights[0][0][0]"
    assert names[-1] == "learned.low.net.weights[1][1][0]"
    assert len(names) == (2 * 5 + 5 + 5 + 1) + (5 + 5 + 5 + 1)


def test_domain_of_validity_is_kept_and_asked() -> None:
    """Stored as data of the correction; outside it the distance is relative to its width."""
    fix = twin.Multiply(net(), domain={"substrate": (1.0, 11.0)})
    assert fix.domain == (("substrate", 1.0, 11.0),)
    assert outside(fix, {"substrate": 5.0, "warm": 0.0}) == {}
    assert outside(fix, {"substrate": 16.0, "warm": 0.0}) == {"substrate": 0.5}
    with pytest.raises(twin.SpecError, match=r"The domain of substrate is 3 to 1"):
        twin.Multiply(net(), domain={"substrate": (3.0, 1.0)})


@pytest.mark.parametrize(("fix", "message"), [
    ({"both": net(("substrat",))}, r"Unknown argument 'substrat' of the term Reactor\.both\. Did you mean 'substrate'"),
    ({"bth": net()}, r"Unknown term 'bth' of Reactor\. Did you mean 'both'"),
    ({"both": 3.0}, r"The correction of Reactor\.both is a float\. Expected Multiply, Add, Replace or a net"),
    ({"low": twin.Add(net(("substrate",)))}, r"term Reactor\.low has the limits 0 and inf 1/h\. Expected finite ones, "
                                             r"or scale="),
    ({"low": twin.Add(net(("substrate",)), -1.0)}, r"scale is -1 1/h\. Expected a positive size"),
    ({"both": twin.Add(net(), gates={"x": 1.0})}, r"Unknown argument 'x'")])
def test_corrections_that_do_not_fit_are_named(fix: dict[str, Any], message: str) -> None:
    """Term, argument and what was expected."""
    with pytest.raises(twin.SpecError, match=message):
        Reactor().with_learned(fix)


def test_nets_that_contradict_themselves_are_named() -> None:
    """Shapes, scales and factors."""
    with pytest.raises(twin.SpecError, match=r"Mlp layer 0 has W \(2, 1\)"):
        twin.Mlp(((np.zeros((2, 1)), np.zeros(1)),), ("a",))
    with pytest.raises(twin.SpecError, match=r"Mlp has 1 inputs, 2 scales"):
        twin.Mlp.random(inputs=("a",), scales=(1.0, 2.0))
    with pytest.raises(twin.SpecError, match=r"Expected positive nominal sizes of a"):
        twin.Mlp.random(inputs=("a",), scales=(0.0,))
    with pytest.raises(twin.SpecError, match=r"max_factor is 1\. Expected more than 1"):
        twin.Multiply(net(), 1.0)


def test_a_frozen_model_tells_how_to_change_it() -> None:
    """Writing into `learned` is refused with the way to do it."""
    with pytest.raises(TypeError, match="with_learned"):
        Reactor().learned["both"] = net()
