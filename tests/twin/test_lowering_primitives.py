"""What can be written in a model: jnp functions, their derivatives and data movement, lowered and compared with JAX."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

import twin
from twin.lowering.emit_python import emit_python
from twin.lowering.scalar import lower_scalar

X = [0.7, -1.3, 0.45, 2.6, -0.2, 0.9]
TABLE = np.array([1.0, 4.0, 9.0, 16.0, 25.0])
MATRIX = np.arange(12.0).reshape(2, 6) / 7 - 0.5

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "log": lambda x: jnp.log(x * x), "abs": jnp.abs,
    "log1p": lambda x: jnp.log1p(x * x), "log10": lambda x: jnp.log10(x * x), "sqrt": lambda x: jnp.sqrt(x * x + 1),
    "rsqrt": lambda x: lax.rsqrt(x * x + 1), "cbrt": jnp.cbrt, "sin": jnp.sin, "cos": jnp.cos, "tan": jnp.tan,
    "asin": lambda x: jnp.arcsin(x / 3), "acos": lambda x: jnp.arccos(x / 3), "atan": jnp.arctan,
    "atan2": lambda x: jnp.arctan2(x, x[::-1]), "sinh": jnp.sinh, "cosh": jnp.cosh, "tanh": jnp.tanh,
    "asinh": jnp.arcsinh, "acosh": lambda x: jnp.arccosh(x * x + 1.5), "atanh": lambda x: jnp.arctanh(x / 3),
    "erf": jax.scipy.special.erf, "erfc": jax.scipy.special.erfc, "sign": jnp.sign, "floor": jnp.floor,
    "ceil": jnp.ceil, "round": jnp.round, "trunc": jnp.trunc, "square": jnp.square, "cube": lambda x: x**3,
    "inverse_square": lambda x: x**-2, "power": lambda x: (x * x) ** 1.3, "root": lambda x: (x * x) ** 0.5,
    "power_of": lambda x: (x * x) ** x[::-1], "base": lambda x: 2.0**x, "logistic": jax.nn.sigmoid,
    "softplus": jax.nn.softplus, "relu": jax.nn.relu, "gelu": jax.nn.gelu, "swish": jax.nn.swish, "elu": jax.nn.elu,
    "logaddexp": lambda x: jnp.logaddexp(x, x[::-1]), "maximum": lambda x: jnp.maximum(x, 0.3),
    "minimum": lambda x: jnp.minimum(x, x[::-1] + 0.1), "clip": lambda x: jnp.clip(x, -0.5, 0.8),
    "where": lambda x: jnp.where(x > 0, x * x, jnp.exp(x)), "mod": lambda x: jnp.mod(x, 0.4),
    "fmod": lambda x: jnp.fmod(x, 0.4), "floor_divide": lambda x: x // 0.4, "hypot": lambda x: jnp.hypot(x, 2.0),
    "logic": lambda x: jnp.where(((x > 0) & (x < 1)) | ~(x > -1) ^ (x == 0.45), x, -x), "sinc": jnp.sinc,
    "isfinite": lambda x: jnp.where(jnp.isfinite(1 / x), x, 0.0), "nan_to_num": lambda x: jnp.nan_to_num(1 / x),
    "select": lambda x: jnp.select([x > 1, x > 0], [x, x * x], -x), "astype": lambda x: (x > 0).astype(float) * x,
    "integer": lambda x: (3 * x).astype(int) % 2 + x, "reciprocal": jnp.reciprocal,
    "heaviside": lambda x: jnp.heaviside(x, 0.5), "deg2rad": jnp.deg2rad,
    "copysign": lambda x: jnp.where(x < 0, -1.0, 1.0),
}

ARRAYS: dict[str, Callable[..., Any]] = {
    "sum": jnp.sum, "prod": jnp.prod, "mean": jnp.mean, "max": jnp.max, "min": jnp.min, "var": jnp.var,
    "std": jnp.std, "norm": jnp.linalg.norm, "cumsum": jnp.cumsum, "cumprod": jnp.cumprod, "cummax": lax.cummax,
    "diff": jnp.diff, "reverse_cumsum": lambda x: lax.cumsum(x, reverse=True), "matmul": lambda x: MATRIX @ x,
    "outer": lambda x: jnp.outer(x, x), "einsum": lambda x: jnp.einsum("ij,j,kj->ik", MATRIX, x, MATRIX),
    "dot": lambda x: jnp.dot(x, x), "vdot": lambda x: x @ x, "reshape": lambda x: x.reshape(2, 3).T,
    "concatenate": lambda x: jnp.concatenate([x[3:], x[:3]]), "flip": jnp.flip,
    "stack": lambda x: jnp.stack([x, x * x], 1), "roll": lambda x: jnp.roll(x, 2), "tile": lambda x: jnp.tile(x, 2),
    "repeat": lambda x: jnp.repeat(x, 2), "pad": lambda x: jnp.pad(x, (1, 2), constant_values=3.0),
    "stride": lambda x: x[::2], "pad_edge": lambda x: jnp.pad(x, 1, mode="edge"),
    "split": lambda x: jnp.split(x, 3)[1], "item": lambda x: x[2] * x[-1], "take": lambda x: x[jnp.array([0, 5, 2])],
    "take_along": lambda x: jnp.take(x, jnp.array([[1], [3]])), "set": lambda x: x.at[1].set(x[0] ** 2),
    "add": lambda x: x.at[jnp.array([0, 2, 2])].add(x[1]), "diag": jnp.diag,
    "multiply": lambda x: x.at[2:4].multiply(3.0), "update": lambda x: lax.dynamic_update_slice(x, x[:2] * 2, (3,)),
    "dynamic_slice": lambda x: lax.dynamic_slice(x, (2,), (3,)),
    "broadcast": lambda x: jnp.broadcast_to(x, (2, 6)) * 2,
    "scan": lambda x: lax.scan(lambda c, v: (c * v + 1, c), x[0], x)[1],
    "vmap": lambda x: jax.vmap(lambda a: a * jnp.sum(x))(x),
    "fori": lambda x: lax.fori_loop(0, 4, lambda i, c: c * x[i] + i, x[5]),
    "polyval": lambda x: jnp.polyval(TABLE, x),
    "reverse_scan": lambda x: lax.scan(lambda c, v: (c * v, c), x[0], x, reverse=True)[1],
    "trace": lambda x: jnp.trace(jnp.outer(x, x)),
    "cond": lambda x: lax.cond(x[0] > x[1], lambda v: v * 2, lambda v: v - 1, x), "softmax": jax.nn.softmax,
    "switch": lambda x: lax.switch((x[0] * 3).astype(int), [lambda v: v, lambda v: v * 2, lambda v: v * 3], x),
    "logsumexp": jax.scipy.special.logsumexp, "argmax": lambda x: x[jnp.argmax(x)],
    "argmin": lambda x: jnp.argmin(x) * x, "interp": lambda x: jnp.interp(x[0], jnp.arange(5.0), TABLE),
    "choose": lambda x: jnp.asarray(TABLE)[(x[3]).astype(int)] * x[0],
    "trapezoid": lambda x: jnp.trapezoid(x, dx=0.5), "linspace": lambda x: jnp.linspace(x[0], x[1], 4),
    "cross": lambda x: jnp.cross(x[:3], x[3:]), "meshgrid": lambda x: jnp.meshgrid(x[:2], x[2:5])[1],
    "tri": lambda x: jnp.tril(jnp.outer(x, x)), "any": lambda x: jnp.where(jnp.any(x > 2), x, -x),
    "all": lambda x: jnp.where(jnp.all(x > -2), x, -x), "checkpoint": jax.checkpoint(lambda x: jnp.sin(x) ** 2),
    "grad": jax.grad(lambda x: jnp.sum(x**3)), "jit": jax.jit(lambda x: jnp.tanh(x) * 2),
    "stop_gradient": lambda x: lax.stop_gradient(x) * x,
}


@jax.custom_jvp
def _smooth(x: Any) -> Any:
    return jnp.sqrt(x * x + 0.01)


_smooth.defjvp(lambda primals, tangents: (_smooth(primals[0]), primals[0] / _smooth(primals[0]) * tangents[0]))
ARRAYS["custom_jvp"] = _smooth


@jax.custom_vjp
def _clipped(x: Any) -> Any:
    return x * 3


_clipped.defvjp(lambda x: (x * 3, x), lambda kept, g: (g * kept,))


def lowered(function: Callable[..., Any], x: Any) -> list[float]:
    """Values of the flat result of function(x), lowered to a Python kernel."""
    sizes = {"x": len(x), "z": 0, "u": 0, "d": 0, "p": 0}
    program = lower_scalar(lambda t, x, *rest: jnp.ravel(function(x)), "f", sizes)
    scope: dict[str, Any] = {}
    exec(emit_python([program]), scope)
    out = [0.0] * program.size("out")
    scope["f"](0.0, list(x), [], [], [], [], out, [])
    return [float(v) for v in out]


def agree(functions: dict[str, Callable[..., Any]]) -> None:
    """All functions in one trace: one compilation by JAX, one kernel."""
    with jax.enable_x64(True):
        shapes = [jax.eval_shape(f, np.array(X)) for f in functions.values()]
        together = lambda x: jnp.concatenate([jnp.ravel(f(x)) for f in functions.values()])  # noqa: E731
        expected = np.asarray(jax.jit(together)(np.array(X)))
    found, at = np.array(lowered(together, X)), 0
    assert len(found) == len(expected)
    for name, shape in zip(functions, shapes, strict=True):
        part = slice(at, at + int(np.prod(shape.shape)))
        np.testing.assert_allclose(found[part], expected[part], rtol=2e-12, atol=1e-13, err_msg=name)
        at = part.stop


def test_elementwise_functions() -> None:
    """Values and derivatives."""
    agree(ELEMENTWISE)
    agree({n: lambda x, f=f: jax.jvp(f, (x,), (jnp.ones_like(x),))[1] for n, f in ELEMENTWISE.items()})


def test_array_functions() -> None:
    """Values, forward Jacobians and reverse gradients."""
    agree(ARRAYS)
    agree({n: jax.jacfwd(f) for n, f in ARRAYS.items()})
    agree({n: jax.grad(lambda x, f=f: jnp.sum(f(x) * 1.5)) for n, f in ARRAYS.items()})


def test_custom_vjp_is_followed() -> None:
    """The reverse rule that a user gives is the one that is lowered."""
    assert lowered(_clipped, [2.0, 5.0]) == [6.0, 15.0]
    assert lowered(jax.grad(lambda x: jnp.sum(_clipped(x))), [2.0, 5.0]) == [2.0, 5.0]


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "sort": (jnp.sort, "sort"), "complex": (lambda x: jnp.fft.fft(x).real, "fft"),
    "solve": (lambda x: jnp.linalg.solve(jnp.outer(x, x) + jnp.eye(6), x), "lu"),
    "while": (lambda x: lax.while_loop(lambda c: c[0] < 3, lambda c: c * 2, x * x), "while"),
    "long scan": (lambda x: lax.scan(lambda c, _: (c * 0.9, None), x, None, length=500)[0], "scan"),
    "convolve": (lambda x: jnp.convolve(x, x[:2]), "conv_general_dilated"),
    "single": (lambda x: x.astype(jnp.float32), "convert_element_type"),
    "two indices": (lambda x: jnp.asarray(TABLE)[x[:2].astype(int)], "gather"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_primitive_names_itself_and_the_line(name: str) -> None:
    """The error says which primitive, where, and what to write instead."""
    function, primitive = REFUSED[name]
    with pytest.raises(twin.LoweringError, match=r"test_lowering_primitives\.py:\d+.* cannot.*Write it") as e:
        lowered(function, X)
    assert e.value.primitive == primitive  # type: ignore[attr-defined]


MISUSED: dict[str, Callable[..., Any]] = {
    "if": lambda x: x if x[0] > 0 else -x, "math": lambda x: math.exp(x[0]),
    "numpy": lambda x: np.interp(x, TABLE, TABLE), "float": lambda x: float(x[0]),
    "index": lambda x: [1.0, 2.0][x[0].astype(int)],
}


@pytest.mark.parametrize("name", MISUSED)
def test_python_on_unknown_values_names_the_line(name: str) -> None:
    """Python's `if`, `math` and numpy need numbers; an equation has none yet."""
    with pytest.raises(twin.LoweringError, match=r"test_lowering_primitives\.py:\d+.*jnp\.where") as e:
        lowered(MISUSED[name], X)
    assert str(MISUSED[name].__code__.co_firstlineno) in str(e.value)
