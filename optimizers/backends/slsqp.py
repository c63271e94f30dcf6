"""Sequential quadratic programming (SLSQP of scipy) and multipliers of its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def minimize(function: Callable[[Any], tuple[float, Any]], rows: Callable[[Any], tuple[Any, Any]] | None, start: Any, lower: Any,
             upper: Any, *, zero: Callable[[Any], tuple[Any, Any]] | None = None, iterations: int = 60,
             tolerance: float = 1e-7) -> tuple[Any, bool, str]:
    """A local minimum of a smooth function with inequality rows >= 0; the point, whether it converged, and its message.

    Parameters
    ----------
    function, rows
        Value and gradient; values and Jacobian of the rows.
    start, lower, upper
        Vectors of the same length.
    zero
        Values and Jacobian of rows that are zero.
    iterations, tolerance
        Most iterations; change of the function at which it ends.
    """
    import numpy as np
    from scipy import optimize

    cost = _remembered(function)
    constraints = []
    for kind, own in (("eq", zero), ("ineq", rows)):
        if own is not None:
            held = _remembered(own)
            constraints.append({"type": kind, "fun": lambda v, f=held: f(v)[0], "jac": lambda v, f=held: f(v)[1]})
    with np.errstate(all="ignore"):
        found = optimize.minimize(lambda v: cost(v)[0], np.clip(start, lower, upper), jac=lambda v: cost(v)[1],
                                  method="SLSQP", bounds=list(zip(lower, upper, strict=True)), constraints=constraints,
                                  options={"maxiter": iterations, "ftol": tolerance})
    return np.clip(found.x, lower, upper), bool(found.success), str(found.message)


def _remembered(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same function, evaluated once where value and derivative are asked for at the same point."""
    import numpy as np

    kept: list[Any] = [None, None]

    def call(v: Any) -> Any:
        if kept[0] is None or not np.array_equal(kept[0], v):
            kept[:] = [np.array(v), function(np.array(v))]
        return kept[1]

    return call


def multipliers(gradient: Any, active: Any) -> Any:
    """Nonnegative multipliers of the active rows (their gradients, one a row) that best explain the gradient."""
    import numpy as np
    from scipy import optimize

    if len(active) == 0:
        return np.zeros(0)
    size = np.maximum(np.linalg.norm(active, axis=1), 1e-300)
    found, _ = optimize.nnls((active / size[:, None]).T, gradient)
    return found / size
