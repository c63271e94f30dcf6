"""Arithmetic primitives of JAX as scalar operations: elementwise functions, products, reductions, conversions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from twin.errors import LoweringError
from twin.lowering.builder import Builder

Rule = Callable[[Any, list[Any], Builder], list[Any]]

ELEMENTWISE = {
    "add": "add", "add_any": "add", "sub": "sub", "mul": "mul", "neg": "neg", "exp": "exp", "exp2": "exp2",
    "log": "log", "log1p": "log1p", "expm1": "expm1", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin",
    "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "sqrt": "sqrt", "cbrt": "cbrt", "abs": "abs", "sign": "sign", "floor": "floor",
    "ceil": "ceil", "max": "max", "min": "min", "pow": "pow", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge",
    "eq": "eq", "ne": "ne", "and": "and", "or": "or", "not": "not", "erf": "erf", "erfc": "erfc",
    "is_finite": "is_finite",
}


def opened(closed: Any) -> tuple[Any, Any]:
    """Jaxpr and constants of what an equation carries; newer releases of JAX have one class for both."""
    return getattr(closed, "jaxpr", closed), getattr(closed, "consts", ())


def scan_counts(eqn: Any) -> tuple[int, int]:
    """How many arguments of a scan are fixed, and how many are carried (two spellings of JAX)."""
    params = eqn.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    fixed, carried, _ = params["ft_in"].update(range(len(eqn.invars))).unpack()
    return len(list(fixed)), len(list(carried))


def unsupported(eqn: Any, why: str = "") -> LoweringError:
    """Error that names the primitive and the user's line."""
    return refusal(eqn.primitive.name, why, line(eqn))


def line(eqn: Any) -> str:
    """The user's line an equation comes from, or "" inside a library function."""
    from jax._src import source_info_util

    frame = source_info_util.user_frame(eqn.source_info.traceback)
    return f"{frame.file_name}:{frame.start_line} ({frame.function_name})" if frame else ""


def refusal(primitive: str, why: str, where: str) -> LoweringError:
    text = f"The primitive '{primitive}'{why} at {where or 'an unknown line'} cannot be lowered. "
    return LoweringError(text + "Write it with arithmetic, jnp functions of numbers, jnp.where or static slices.",
                         primitive=primitive, why=why, where=where)


def nodes_of(value: Any, b: Builder) -> Any:
    """Constant array as an array of nodes."""
    import numpy as np

    flat = np.asarray(value)
    if np.iscomplexobj(flat):
        raise LoweringError("Complex numbers cannot be lowered. Write the equation with real numbers.")
    return np.array([b.const(float(v)) for v in flat.reshape(-1)], dtype=np.int64).reshape(flat.shape)


def each(f: Callable[..., int], *arrays: Any) -> Any:
    import numpy as np

    arrays = np.broadcast_arrays(*arrays)
    flat = [f(*(int(v) for v in row)) for row in zip(*(a.reshape(-1) for a in arrays), strict=True)]
    return np.array(flat, dtype=np.int64).reshape(arrays[0].shape)


def _dot(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    ((ca, cb), (ba, bb)) = eqn.params["dimension_numbers"]
    left, right = args
    fa = [i for i in range(left.ndim) if i not in (*ca, *ba)]
    fb = [i for i in range(right.ndim) if i not in (*cb, *bb)]
    batch = [left.shape[i] for i in ba]
    lhs = left.transpose(*ba, *fa, *ca).reshape(int(np.prod(batch)), -1, int(np.prod([left.shape[i] for i in ca])))
    rhs = right.transpose(*bb, *fb, *cb).reshape(lhs.shape[0], -1, lhs.shape[2])
    out = np.empty((lhs.shape[0], lhs.shape[1], rhs.shape[1]), dtype=np.int64)
    for g, i, j in itertools.product(*map(range, out.shape)):
        total = b.const(0.0)
        for x, y in zip(lhs[g, i], rhs[g, j], strict=True):
            total = b.op("add", total, b.op("mul", int(x), int(y)))
        out[g, i, j] = total
    return [out.reshape(batch + [left.shape[i] for i in fa] + [right.shape[i] for i in fb])]


def _reduce(opcode: str, start: float) -> Rule:
    def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
        import numpy as np

        axes = eqn.params["axes"]
        kept = [i for i in range(args[0].ndim) if i not in axes]
        flat = args[0].transpose(*kept, *axes).reshape(-1, int(np.prod([args[0].shape[i] for i in axes])))
        out = []
        for row in flat:
            total = b.const(start) if not len(row) or opcode in ("add", "mul") else int(row[0])
            for v in row if opcode in ("add", "mul") else row[1:]:
                total = b.op(opcode, total, int(v))
            out.append(total)
        return [np.array(out, dtype=np.int64).reshape([args[0].shape[i] for i in kept])]

    return run


def _cumulative(opcode: str) -> Rule:
    def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
        import numpy as np

        a = np.moveaxis(args[0], eqn.params["axis"], 0).copy()
        a = a[::-1] if eqn.params["reverse"] else a
        for i in range(1, len(a)):
            a[i] = each(lambda x, y: b.op(opcode, x, y), a[i - 1], a[i])
        a = a[::-1] if eqn.params["reverse"] else a
        return [np.moveaxis(a, 0, eqn.params["axis"])]

    return run


def _convert(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    old, new = eqn.invars[0].aval.dtype, eqn.params["new_dtype"]
    to_bool, from_bool = np.dtype(new).kind == "b", np.dtype(old).kind == "b"
    if to_bool and not from_bool:
        return [each(lambda a: b.op("ne", a, b.const(0.0)), args[0])]
    if from_bool and not to_bool:
        return [each(lambda a: b.op("select", a, b.const(1.0), b.const(0.0)), args[0])]
    if np.issubdtype(new, np.integer) and np.issubdtype(old, np.floating):
        truncate = lambda a: b.op("select", b.op("lt", a, b.const(0.0)), b.op("ceil", a), b.op("floor", a))  # noqa: E731
        return [each(truncate, args[0])]
    if np.issubdtype(old, np.float64) and np.issubdtype(new, np.floating) and np.dtype(new) != np.dtype(old):
        raise unsupported(eqn, f" to {np.dtype(new).name} (equations are float64)")
    return [args[0]]


def _divide(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    out = each(lambda x, y: b.op("div", x, y), *args)
    if np.issubdtype(eqn.invars[0].aval.dtype, np.integer):
        out = each(lambda a: b.op("select", b.op("lt", a, b.const(0.0)), b.op("ceil", a), b.op("floor", a)), out)
    return [out]


def _remainder(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    def one(x: int, y: int) -> int:
        q = b.op("div", x, y)
        whole = b.op("select", b.op("lt", q, b.const(0.0)), b.op("ceil", q), b.op("floor", q))
        return b.op("sub", x, b.op("mul", whole, y))

    return [each(one, *args)]


def _select(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    which, *cases = args
    found = cases[-1]
    for k in reversed(range(len(cases) - 1)):
        if eqn.invars[0].aval.dtype == bool:
            found = each(lambda c, x, y: b.op("select", c, y, x), which, cases[k], found)
        else:
            found = each(lambda c, x, y, k=k: b.op("select", b.op("le", c, b.const(k)), x, y), which, cases[k], found)
    return [found]


def _clamp(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    return [each(lambda low, x, high: b.op("min", b.op("max", x, low), high), *args)]


def _logistic(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    one = b.const(1.0)
    return [each(lambda a: b.op("div", one, b.op("add", one, b.op("exp", b.op("neg", a)))), args[0])]


def _iota(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    line = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return [nodes_of(np.broadcast_to(line, shape), b)]


def _round(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    def away(x: int) -> int:
        size = b.op("abs", x)
        low = b.op("floor", size)
        half = b.op("ge", b.op("sub", size, low), b.const(0.5))
        size = b.op("select", half, b.op("add", low, b.const(1.0)), low)
        return b.op("select", b.op("lt", x, b.const(0.0)), b.op("neg", size), size)

    to_even = int(eqn.params["rounding_method"]) == 1
    return [each(lambda a: b.op("round", a) if to_even else away(a), args[0])]


def _less(opposite: str) -> Rule:
    """Comparison in the total order of numbers, NaN last."""

    def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
        return [each(lambda x, y: b.op("and", b.op("eq", x, x), b.op("not", b.op(opposite, x, y))), *args)]

    return run


def _rsqrt(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    return [each(lambda a: b.op("div", b.const(1.0), b.op("sqrt", a)), args[0])]


def _extreme_place(opcode: str) -> Rule:
    def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
        import numpy as np

        rows = np.moveaxis(args[0], eqn.params["axes"][0], 0)
        best, place = rows[0], np.full(rows[0].shape, b.const(0.0), dtype=np.int64)
        for k in range(1, len(rows)):
            better = each(lambda x, y: b.op("or", b.op(opcode, x, y), b.op("ne", x, x)), rows[k], best)
            better = each(lambda c, y: b.op("and", c, b.op("eq", y, y)), better, best)
            place = each(lambda c, y, k=k: b.op("select", c, b.const(k), y), better, place)
            best = each(lambda c, x, y: b.op("select", c, x, y), better, rows[k], best)
        return [place]

    return run


def _one_minus_square(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    """(1 - a)(1 + a): exact near |a| = 1, where a saturated tanh needs it."""
    one = b.const(1.0)
    return [each(lambda a: b.op("mul", b.op("sub", one, a), b.op("add", one, a)), args[0])]


def _polynomial(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    """Horner's rule; coefficients from the constant upward."""
    total = args[-1]
    for c in reversed(args[1:-1]):
        total = each(lambda s, x, c: b.op("add", b.op("mul", s, x), c), total, args[0], c)
    return [total]


def _log2(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    return [each(lambda a: b.op("div", b.op("log", a), b.const(math.log(2.0))), args[0])]


def _xor(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    if eqn.invars[0].aval.dtype != bool:
        raise unsupported(eqn, " on integers")
    return [each(lambda x, y: b.op("ne", x, y), *args)]


RULES: dict[str, Rule] = {
    "dot_general": _dot, "reduce_sum": _reduce("add", 0.0), "reduce_prod": _reduce("mul", 1.0),
    "reduce_max": _reduce("max", float("-inf")), "reduce_min": _reduce("min", float("inf")),
    "reduce_and": _reduce("and", 1.0), "reduce_or": _reduce("or", 0.0), "cumsum": _cumulative("add"),
    "cumprod": _cumulative("mul"), "cummax": _cumulative("max"), "cummin": _cumulative("min"),
    "argmax": _extreme_place("gt"), "argmin": _extreme_place("lt"), "convert_element_type": _convert, "div": _divide,
    "rem": _remainder, "select_n": _select, "clamp": _clamp, "logistic": _logistic, "iota": _iota, "round": _round,
    "one_minus_square": _one_minus_square, "polynomial": _polynomial, "log2": _log2, "lt_to": _less("ge"), "le_to": _less("gt"),
    "rsqrt": _rsqrt, "xor": _xor, "square": lambda eqn, args, b: [each(lambda a: b.op("mul", a, a), args[0])],
    "integer_pow": lambda eqn, args, b: [each(lambda a: b.power(a, eqn.params["y"]), args[0])],
}
