"""Transport between cells against exact derivatives and conservation."""

from __future__ import annotations

import numpy as np
import pytest

from twin import cells

N = 200
DZ = 1.0 / N
X = (np.arange(N) + 0.5) * DZ


def test_upwind_and_diffusion_converge_to_derivatives() -> None:
    """First order for convection, second for diffusion, on sin(x)."""
    import jax

    with jax.enable_x64(True):
        left, own, right = cells.neighbors(np.sin(X), np.sin(X[0] - DZ), np.sin(X[-1] + DZ))
        assert np.asarray(cells.upwind(left, own, right, 2.0, DZ)) == pytest.approx(-2 * np.cos(X), abs=2 * DZ)
        assert np.asarray(cells.counterflow(own, right, 2.0, DZ)) == pytest.approx(2 * np.cos(X), abs=2 * DZ)
        assert np.asarray(cells.diffusion(left, own, right, 3.0, DZ)) == pytest.approx(-3 * np.sin(X), abs=DZ**2)


def test_flows_that_turn_take_the_upwind_side() -> None:
    """With a width both directions work, and agree with the one-sided forms far from zero velocity."""
    import jax

    with jax.enable_x64(True):
        assert float(cells.upwind(3.0, 2.0, 7.0, 0.5, 0.1, 1e-6)) == pytest.approx(5.0, rel=1e-9)
        assert float(cells.upwind(3.0, 2.0, 7.0, -0.5, 0.1, 1e-6)) == pytest.approx(25.0, rel=1e-9)


def test_conduction_conserves_and_equals_diffusion_where_constant() -> None:
    """No heat leaves through closed ends, whatever the conductivities."""
    rng = np.random.default_rng(0)
    t, k = rng.uniform(300, 900, N), rng.uniform(0.1, 5, N)
    pad = lambda v: (np.concatenate([v[:1], v[:-1]]), v, np.concatenate([v[1:], v[-1:]]))  # noqa: E731
    rate = cells.conduction(*pad(t), *pad(k), 0.1)
    assert abs(rate.sum()) <= 1e-12 * np.abs(rate).sum()
    plain = cells.diffusion(1.0, 0.0, 1.0, 0.5, 1.0)
    assert cells.conduction(1.0, 0.0, 1.0, 0.5, 0.5, 0.5, 1.0) == pytest.approx(plain)
