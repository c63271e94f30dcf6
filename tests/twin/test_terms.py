"""Terms: calls, swaps and refusals."""

from __future__ import annotations

from typing import Any

import pytest

import twin


class Monod(twin.DynamicModel):
    """Growth on one substrate."""

    substrate = twin.state("g/l", lower=0, upper=50, nominal=5)
    mu = twin.parameter(0.3, "1/h")

    @twin.term("1/h", lower=0, upper=1, vanishes_with=("substrate",), rises_with=("substrate",))
    def rate(self, substrate: Any) -> Any:
        """Specific rate."""
        return self.mu * substrate / (1.0 + substrate)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"substrate": -self.rate(s.substrate) * 2.0}


class Tessier(twin.Module):
    """Another relation, with a parameter of its own."""

    k: float = 2.0

    def __call__(self, substrate: Any) -> Any:
        return 0.3 * (1 - twin.jnp.exp(-substrate / self.k))


def test_terms_are_called_by_position_or_name() -> None:
    """Both spellings give the same."""
    assert Monod().rate(1.0) == Monod().rate(substrate=1.0) == 0.15
    assert (Monod.rate.name, Monod.rate.unit, Monod.rate.arguments) == ("rate", "1/h", ("substrate",))


def test_with_term_swaps_the_relation_and_its_parameters_count() -> None:
    """The swapped relation is used, its parameters join the vector, the first model is untouched."""
    import jax
    import numpy as np

    model = Monod().with_term("rate", Tessier(4.0))
    assert model.parameter_names() == ("mu", "relations.rate.k")
    with jax.enable_x64(True):
        assert float(model.rate(4.0)) == pytest.approx(0.3 * (1 - np.exp(-1.0)))
        half = model.with_parameter_vector(np.array([0.3, 2.0]))
        assert float(half.rate(4.0)) == pytest.approx(0.3 * (1 - np.exp(-2.0)))
    assert Monod().rate(4.0) == pytest.approx(0.24)


def test_with_term_refuses_what_cannot_be_called() -> None:
    """Unknown names and foreign objects."""
    with pytest.raises(twin.SpecError, match=r"Unknown term 'rat' of Monod\. Did you mean 'rate'\?"):
        Monod().with_term("rat", Tessier())
    with pytest.raises(twin.SpecError, match=r"relation for Monod\.rate is a float\. Expected a Module with "
                                             r"__call__\(self, substrate"):
        Monod().with_term("rate", 3.0)


def test_declarations_must_fit() -> None:
    """Arguments that do not exist, and limits that exclude the zero it must have."""
    with pytest.raises(TypeError, match="names 'x', which is not among its arguments"):
        @twin.term("1/h", vanishes_with=("x",))
        def one(self: Any, y: Any) -> Any:
            return y
    with pytest.raises(TypeError, match="Let them contain 0"):
        twin.term("1/h", lower=1, upper=2, vanishes_with=("x",))
    with pytest.raises(TypeError, match="Expected lower < upper"):
        twin.term("1/h", lower=2, upper=2)
