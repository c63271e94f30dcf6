"""The functions of a model that become programs: equations, outputs and their derivatives, of t, x, z, u, d, p."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Function = Callable[..., Any]


def sizes_of(model: Any) -> dict[str, int]:
    """Lengths of the vectors a kernel takes."""
    return {"x": model.size("state"), "z": model.size("algebraic"), "u": model.size("input"),
            "d": model.size("disturbance"), "p": len(model.parameter_vector())}


def equations(model: Any) -> Function:
    """dx/dt, then the algebraic residuals."""
    import jax.numpy as jnp

    def rhs(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        return jnp.concatenate(model.with_parameter_vector(p).derivative(t, x, z, u, d))

    return rhs


def outputs(model: Any) -> Function:
    """Outputs."""

    def y(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        return model.with_parameter_vector(p).output_vector(t, x, z, u, d)

    return y


def _jacobian(f: Function, which: tuple[int, ...]) -> Function:
    """Dense rows of df with respect to the arguments `which`, one block beside the other."""
    import jax
    import jax.numpy as jnp

    def rows(*args: Any) -> Any:
        blocks = jax.jacfwd(f, which)(*args)
        return jnp.concatenate([b.reshape(b.shape[0], math.prod(b.shape[1:])) for b in blocks], 1)

    return rows


def _tangent(f: Function, n_x: int, n_z: int, n_p: int) -> Function:
    """J s + F_q with p extended to [p, s, q]."""
    import jax
    import jax.numpy as jnp

    def along(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        own, s_x, s_z, q = jnp.split(p, [n_p, n_p + n_x, n_p + n_x + n_z])
        return jax.jvp(lambda a, b, c: f(t, a, b, u, d, c), (x, z, own), (s_x, s_z, q))[1]

    return along


def _tangent_tangent(f: Function, n_x: int, n_z: int, n_p: int) -> Function:
    """Derivative of the tangent along (t, x, z) in the direction v_t, v, with p extended to [p, s, q, v, v_t]."""
    import jax

    first = _tangent(f, n_x, n_z, n_p)

    def along(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        n = n_p + n_x + n_z + n_p
        v_x, v_z, v_t = p[n:n + n_x], p[n + n_x:n + n_x + n_z], p[n + n_x + n_z]
        return jax.jvp(lambda a, b, c: first(a, b, c, u, d, p[:n]), (t, x, z), (v_t, v_x, v_z))[1]

    return along


def _hessian(f: Function, n: int, n_p: int) -> Function:
    """Lower triangle, row by row, of the Hessian of w . f in (x, z, u, d), with p extended to [p, w]."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    def triangle(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        at = np.cumsum([x.shape[0], z.shape[0], u.shape[0]])

        def weighted(v: Any) -> Any:
            return jnp.dot(p[n_p:], f(t, *jnp.split(v, at), p[:n_p]))

        square = jax.jacfwd(jax.jacrev(weighted))(jnp.concatenate([x, z, u, d]))
        return square[np.tril_indices(square.shape[0])]

    return triangle


def time_derivative(model: Any) -> Function:
    """Explicit derivative of the equations with respect to time."""
    import jax

    f = equations(model)
    return lambda t, *rest: jax.jvp(lambda a: f(a, *rest), (t,), (1.0,))[1]


def functions(model: Any) -> Mapping[str, Callable[[], tuple[Function, dict[str, int]]]]:
    """Name of each dense program -> the function to trace and the sizes of its arguments."""
    size = sizes_of(model)
    f, y = equations(model), outputs(model)
    n_x, n_z, n_p = size["x"], size["z"], size["p"]
    n = n_x + n_z
    longer = lambda k: size | {"p": n_p + k}  # noqa: E731
    return {
        "rhs": lambda: (f, size),
        "outputs": lambda: (y, size),
        "jacobian_dense": lambda: (_jacobian(f, (1, 2)), size),
        "input_jacobian": lambda: (_jacobian(f, (3, 4)), size),
        "parameter_jacobian": lambda: (_jacobian(f, (5,)), size),
        "output_jacobian": lambda: (_jacobian(y, (1, 2, 3, 4)), size),
        "output_sensitivity": lambda: (_tangent(y, n_x, n_z, n_p), longer(n + n_p)),
        "hessian": lambda: (_hessian(f, n, n_p), longer(n)),
        "sensitivity": lambda: (_tangent(f, n_x, n_z, n_p), longer(n + n_p)),
        "sensitivity_tangent": lambda: (_tangent_tangent(f, n_x, n_z, n_p), longer(2 * n + n_p + 1)),
    }
