"""Sequential quadratic programming (SLSQP of scipy) and multipliers of its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def minimize(function: Callable[[Any], tuple[float, Any]], rows: Callable[[Any], tuple[Any, Any]], start: Any, lower: Any,
             upper: Any, *, iterations: int = 60, tolerance: float = 1e-7) -> tuple[Any, bool, str]:
    """A local minimum of a smooth function with inequality rows >= 0; the point, whether it converged, and its message.

    Parameters
    ----------
    function, rows
        Value and gradient; values and Jacobian of the rows.
    start, lower, upper
        Vectors of the same length.
    """
    import numpy as np
    from scipy import optimize

    found = optimize.minimize(lambda v: function(v)[0], np.clip(start, lower, upper), jac=lambda v: function(v)[1],
                              method="SLSQP", bounds=list(zip(lower, upper, strict=True)),
                              constraints=[{"type": "ineq", "fun": lambda v: rows(v)[0], "jac": lambda v: rows(v)[1]}],
                              options={"maxiter": iterations, "ftol": tolerance})
    return found.x, bool(found.success), str(found.message)


def multipliers(gradient: Any, active: Any) -> Any:
    """Nonnegative multipliers of the active rows (their gradients, one a row) that best explain the gradient."""
    import numpy as np
    from scipy import optimize

    if len(active) == 0:
        return np.zeros(0)
    size = np.maximum(np.linalg.norm(active, axis=1), 1e-300)
    found, _ = optimize.nnls((active / size[:, None]).T, gradient)
    return found / size
