"""SciPy: sequential quadratic programming as the reference for small smooth problems, nonnegative least squares."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Function = Callable[[Any], tuple[Any, Any]]


def minimize(cost: Function, start: Any, lower: Any, upper: Any, *, zero: Function | None = None,
             positive: Function | None = None, max_iterations: int = 200, tolerance: float = 1e-11) -> tuple[Any, bool, int]:
    """Minimize cost within bounds, zero(v) = 0 and positive(v) >= 0; each function gives value and derivative.

    Returns
    -------
    tuple
        The point, whether SciPy calls it an optimum, the iterations.
    """
    import numpy as np
    from scipy.optimize import minimize as scipy_minimize

    def memory(function: Function) -> Function:
        kept: list[Any] = [None, None]

        def call(v: Any) -> Any:
            if kept[0] is None or not np.array_equal(kept[0], v):
                kept[:] = [np.array(v), function(np.array(v))]
            return kept[1]

        return call

    constraints = []
    for kind, function in (("eq", zero), ("ineq", positive)):
        if function is not None:
            held = memory(function)
            constraints.append({"type": kind, "fun": lambda v, f=held: f(v)[0], "jac": lambda v, f=held: f(v)[1]})
    bounds = [(None if math.isinf(a) else a, None if math.isinf(b) else b) for a, b in zip(lower, upper, strict=True)]
    held_cost = memory(cost)
    with np.errstate(all="ignore"):
        run = scipy_minimize(lambda v: held_cost(v)[0], np.clip(start, lower, upper), jac=lambda v: held_cost(v)[1], bounds=bounds,
                             constraints=constraints, method="SLSQP", options={"maxiter": max_iterations, "ftol": tolerance})
    return run.x, bool(run.success), int(run.nit)


def nonnegative(matrix: Any, right: Any) -> Any:
    """Nonnegative least squares: x >= 0 with the least size of matrix x - right."""
    from scipy.optimize import nnls

    return nnls(matrix, right, maxiter=50 * matrix.shape[1])[0]
