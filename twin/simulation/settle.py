"""Steady states of large models: let the model run until it rests, then Newton on sparse matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from twin.simulation.kernels import Kernels, Point

LARGE = 200  # unknowns above which matrices are sparse and eigenvalues are left out
SETTLED = 1e-3  # change over the last span, in nominal values, at which Newton takes over
ITERATIONS = 30


def is_large(kernels: Kernels) -> bool:
    """True where dense matrices and many starts would take long."""
    return bool(kernels.n_x) and len(kernels.scale()) > LARGE


def settled(model: Any, kernels: Kernels, base: Point, inputs: Mapping[str, Any], parameters: Any) -> Any:
    """Unknowns at the end of a loose simulation in spans that grow tenfold, until hardly anything moves."""
    import numpy as np

    from twin.recipe import Recipe
    from twin.simulation.simulate import Simulator

    scale, w = kernels.scale(), np.asarray(base.x + base.z, dtype=float)
    system = getattr(kernels.functions, "system", model)  # traced once
    fastest = float(np.max(np.abs(kernels.rates(base, w))[:kernels.n_x] / scale[:kernels.n_x], initial=0.0))
    span = 1.0 / fastest if fastest > 0 and math.isfinite(fastest) else 1.0
    for _ in range(14):
        run = Simulator(system, Recipe.constant(), inputs=inputs, duration=span, points=2, rtol=1e-3, check_limits=False)
        found = run(list(w[:kernels.n_x]), parameters, throw=False)
        if not found.status:
            break
        new = np.concatenate([np.asarray(found.raw["state"])[-1], np.asarray(found.raw["algebraic"])[-1]])
        rest = float(np.max(np.abs(kernels.rates(base, new))[:kernels.n_x] / scale[:kernels.n_x]))
        w = new
        if rest * span < SETTLED:
            break
        span *= 10.0
    return w


def polish(kernels: Kernels, base: Point, start: Any) -> tuple[Any, float]:
    """Newton's method on sparse matrices: root and scaled residual, or None and the least residual."""
    import numpy as np
    from scipy.sparse import csc_matrix
    from scipy.sparse.linalg import splu

    scale, w = kernels.scale(), start.copy()
    f = kernels.rates(base, w)
    size = float(np.max(np.abs(f) / scale))
    for _ in range(ITERATIONS):
        matrix = csc_matrix(kernels.jacobian(base, w) * scale)
        try:
            step = -splu(matrix).solve(f)
        except RuntimeError:  # exactly singular
            return None, size
        trial = w + min(1.0, 2.0 / max(float(np.max(np.abs(step))), 1e-300)) * step * scale
        after_f = kernels.rates(base, trial)
        after = float(np.max(np.abs(after_f) / scale))
        small = float(np.max(np.abs(step))) < 1e-9
        if not math.isfinite(after) or (after >= size and not small):
            return None, size
        if small and after >= size:
            return w, size
        w, f, size = trial, after_f, after
        if size == 0.0:
            return w, size
    return None, size
