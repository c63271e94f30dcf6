"""Smooth functions: close to the sharp ones, on the right side, with exact derivatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import twin
from twin import smooth

A = np.linspace(-3, 3, 241)
W = 0.05


@pytest.mark.parametrize(("soft", "sharp", "side"), [
    (lambda a: smooth.maximum(a, 0.5, W), lambda a: np.maximum(a, 0.5), 1),
    (lambda a: smooth.minimum(a, 0.5, W), lambda a: np.minimum(a, 0.5), -1),
    (lambda a: smooth.positive(a, W), lambda a: np.maximum(a, 0), 1), (lambda a: smooth.absolute(a, W), np.abs, -1),
    (lambda a: smooth.limit(a, -1.0, 2.0, W), lambda a: np.clip(a, -1, 2), 0)])
def test_close_to_the_sharp_form(soft: Callable[..., Any], sharp: Callable[..., Any], side: int) -> None:
    """Within one width everywhere, above or below as promised, with the slope that differences show."""
    import jax

    with jax.enable_x64(True):
        gap = np.asarray(soft(A)) - sharp(A)
        assert np.abs(gap).max() <= W
        assert (side * gap >= -1e-12).all()
        slope = jax.vmap(jax.grad(soft))(A)
        h = 1e-6
        found = (np.asarray(soft(A + h)) - np.asarray(soft(A - h))) / (2 * h)
        assert np.asarray(slope) == pytest.approx(found, abs=1e-6)


def test_step_and_signed_sqrt() -> None:
    """Half way at zero, at the ends beyond; the root is odd with a finite slope at zero."""
    import jax

    with jax.enable_x64(True):
        assert float(smooth.step(0.0, W)) == 0.5
        assert float(smooth.step(2 * W, W)) > 0.98
        assert float(smooth.step(-2 * W, W)) < 0.02
        assert float(smooth.signed_sqrt(4.0, W)) == pytest.approx(2.0, rel=1e-3)
        assert float(smooth.signed_sqrt(-4.0, W)) == pytest.approx(-2.0, rel=1e-3)
        assert np.isfinite(jax.grad(lambda a: smooth.signed_sqrt(a, W))(0.0))


def test_width_must_be_positive() -> None:
    """A width of zero would bring the kink back."""
    with pytest.raises(twin.SpecError, match=r"width is 0\. Expected a positive number"):
        smooth.maximum(1.0, 2.0, 0.0)
