"""A traced function (jaxpr) as scalar expressions: arrays become arrays of nodes, data movement leaves no trace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin.errors import LoweringError
from twin.lowering.builder import Builder
from twin.lowering.program import Program

ELEMENTWISE = {
    "add": "add", "add_any": "add", "sub": "sub", "mul": "mul", "neg": "neg", "exp": "exp", "exp2": "exp2",
    "log": "log", "log1p": "log1p", "expm1": "expm1", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin",
    "acos": "acos", "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "sqrt": "sqrt", "cbrt": "cbrt", "abs": "abs", "sign": "sign", "floor": "floor",
    "ceil": "ceil", "max": "max", "min": "min", "pow": "pow", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge",
    "eq": "eq", "ne": "ne", "and": "and", "or": "or", "not": "not", "erf": "erf", "erfc": "erfc",
    "is_finite": "is_finite",
}
CALLS = ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
         "custom_lin", "remat", "checkpoint", "remat2")
LONGEST_SCAN = 64


def inner(params: Mapping[str, Any]) -> Any:
    """The closed jaxpr that a calling equation carries."""
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if key in params:
            return params[key]
    raise LoweringError(f"A call carries no jaxpr: {sorted(params)}.")


def unsupported(eqn: Any, why: str = "") -> LoweringError:
    """Error that names the primitive and the user's line."""
    return refusal(eqn.primitive.name, why, line(eqn))


def line(eqn: Any) -> str:
    """The user's line an equation comes from, or "" inside a library function."""
    from jax._src import source_info_util

    frame = source_info_util.user_frame(eqn.source_info.traceback)
    return f"{frame.file_name}:{frame.start_line} ({frame.function_name})" if frame else ""


def refusal(primitive: str, why: str, where: str) -> LoweringError:
    """Error for a primitive at a line of the user."""
    text = f"The primitive '{primitive}'{why} at {where or 'an unknown line'} cannot be lowered. "
    return LoweringError(text + "Write it with arithmetic, jnp functions of numbers, jnp.where or static slices.",
                         primitive=primitive, why=why, where=where)


def interpret(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Any], b: Builder) -> list[Any]:
    """Outputs of a jaxpr as arrays of nodes, given its arguments as arrays of nodes."""
    import numpy as np

    values: dict[Any, Any] = {}

    def read(atom: Any) -> Any:
        return nodes_of(atom.val, b) if hasattr(atom, "val") else values[atom]

    for var, constant in zip(jaxpr.constvars, constants, strict=True):
        values[var] = nodes_of(constant, b)
    for var, argument in zip(jaxpr.invars, arguments, strict=True):
        values[var] = argument
    for eqn in jaxpr.eqns:
        found = equation(eqn, [read(a) for a in eqn.invars], b)
        for var, value in zip(eqn.outvars, found, strict=True):
            value = np.asarray(value)
            values[var] = value if value.shape == var.aval.shape else value.reshape(var.aval.shape)
    return [read(a) for a in jaxpr.outvars]


def nodes_of(value: Any, b: Builder) -> Any:
    """Constant array as an array of nodes."""
    import numpy as np

    flat = np.asarray(value)
    if np.iscomplexobj(flat):
        raise LoweringError("Complex numbers cannot be lowered. Write the equation with real numbers.")
    return np.array([b.const(float(v)) for v in flat.reshape(-1)], dtype=np.int64).reshape(flat.shape)


def _each(f: Callable[..., int], *arrays: Any) -> Any:
    import numpy as np

    arrays = np.broadcast_arrays(*arrays)
    flat = [f(*(int(v) for v in row)) for row in zip(*(a.reshape(-1) for a in arrays), strict=True)]
    return np.array(flat, dtype=np.int64).reshape(arrays[0].shape)


def equation(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    """Outputs of one equation."""
    import numpy as np

    name, params = eqn.primitive.name, eqn.params
    if name in ELEMENTWISE:
        if name in ("and", "or", "not") and eqn.invars[0].aval.dtype != bool:
            raise unsupported(eqn, " on integers")
        return [_each(lambda *a: b.op(ELEMENTWISE[name], *a), *args)]
    if name in CALLS:
        closed = inner(params)
        count = len(closed.jaxpr.invars) if hasattr(closed, "jaxpr") else len(closed.invars)
        jaxpr, constants = (closed.jaxpr, closed.consts) if hasattr(closed, "jaxpr") else (closed, ())
        try:
            return interpret(jaxpr, constants, args[-count:] if count else [], b)
        except LoweringError as e:
            if getattr(e, "where", None) == "":  # inside a library function: name the line that called it
                raise refusal(e.primitive, e.why, line(eqn)) from None  # type: ignore[attr-defined]
            raise
    if name in MOVES:
        return [MOVES[name](params, *args)]
    if name in SPECIAL:
        return SPECIAL[name](eqn, args, b)
    if name in ("split", "unstack"):
        if name == "split":
            return list(np.split(args[0], np.cumsum(params["sizes"])[:-1], params["axis"]))
        return list(np.moveaxis(args[0], params["axis"], 0))
    raise unsupported(eqn)


def _broadcast(p: Mapping[str, Any], a: Any, *rest: Any) -> Any:
    import numpy as np

    shape = [1] * len(p["shape"])
    for axis, n in zip(p["broadcast_dimensions"], a.shape, strict=True):
        shape[axis] = n
    return np.broadcast_to(a.reshape(shape), p["shape"])


def _slice(p: Mapping[str, Any], a: Any) -> Any:
    strides = p["strides"] or (1,) * a.ndim
    return a[tuple(slice(i, j, k) for i, j, k in zip(p["start_indices"], p["limit_indices"], strides, strict=True))]


def _numpy(name: str, a: Any, *args: Any) -> Any:
    import numpy as np

    return getattr(np, name)(a, *args)


MOVES: dict[str, Callable[..., Any]] = {
    "reshape": lambda p, a, *rest: a.reshape(p["new_sizes"]),
    "squeeze": lambda p, a: a.reshape([n for i, n in enumerate(a.shape) if i not in p["dimensions"]]),
    "expand_dims": lambda p, a: _numpy("expand_dims", a, p["dimensions"]),
    "broadcast_in_dim": _broadcast,
    "transpose": lambda p, a: a.transpose(p["permutation"]),
    "slice": _slice,
    "rev": lambda p, a: _numpy("flip", a, p["dimensions"]),
    "concatenate": lambda p, *a: _numpy("concatenate", a, p["dimension"]),
    "stack": lambda p, *a: _numpy("stack", a, p["axis"]),
    **dict.fromkeys(("copy", "copy_p", "stop_gradient", "optimization_barrier", "real"), lambda p, a: a),
}


def _constant_index(eqn: Any, nodes: Any, b: Builder) -> list[int]:
    values = [b.constant(int(n)) for n in nodes]
    if any(v is None for v in values):
        raise unsupported(eqn, " with an index that depends on the data")
    return [int(v) for v in values]  # type: ignore[arg-type]


def _dynamic_slice(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    start = _constant_index(eqn, [a.item() for a in args[1:]], b)
    where = tuple(slice(i := max(0, min(s, n - k)), i + k)
                  for s, n, k in zip(start, args[0].shape, eqn.params["slice_sizes"], strict=True))
    return [args[0][where]]


def _dynamic_update_slice(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    start = _constant_index(eqn, [a.item() for a in args[2:]], b)
    new = args[0].copy()
    new[tuple(slice(i := max(0, min(s, n - k)), i + k)
              for s, n, k in zip(start, new.shape, args[1].shape, strict=True))] = args[1]
    return [new]


def _by_index(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    """Gather, pad and other movement with constant indices: JAX moves an array of positions instead."""
    import jax
    import numpy as np

    operands, first = [], 0
    moved = 1 if eqn.primitive.name == "gather" else len(args)
    table: list[int] = []
    for k, a in enumerate(args):
        if k < moved:
            operands.append(np.arange(first, first + a.size, dtype=np.int64).reshape(a.shape))
            table += [int(v) for v in a.reshape(-1)]
            first += a.size
        else:
            operands.append(np.array(_constant_index(eqn, a.reshape(-1), b), dtype=np.int64).reshape(a.shape))
    with jax.ensure_compile_time_eval():
        where = np.asarray(eqn.primitive.bind(*(jax.numpy.asarray(o) for o in operands), **_plain(eqn)))
    outside = (where < 0) | (where >= len(table))
    nodes = np.array(table, dtype=np.int64)[np.where(outside, 0, where)]
    return [np.where(outside, b.const(float("nan")), nodes)]


def _plain(eqn: Any) -> dict[str, Any]:
    params = dict(eqn.params)
    if "fill_value" in params and params["fill_value"] is not None:
        params["fill_value"] = -1
    return params


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


def _reduce(opcode: str, start: float) -> Callable[..., Any]:
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


def _cumulative(opcode: str) -> Callable[..., Any]:
    def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
        import numpy as np

        a = np.moveaxis(args[0], eqn.params["axis"], 0).copy()
        a = a[::-1] if eqn.params["reverse"] else a
        for i in range(1, len(a)):
            a[i] = _each(lambda x, y: b.op(opcode, x, y), a[i - 1], a[i])
        a = a[::-1] if eqn.params["reverse"] else a
        return [np.moveaxis(a, 0, eqn.params["axis"])]

    return run


def _convert(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    old, new = eqn.invars[0].aval.dtype, eqn.params["new_dtype"]
    to_bool, from_bool = np.dtype(new).kind == "b", np.dtype(old).kind == "b"
    if to_bool and not from_bool:
        return [_each(lambda a: b.op("ne", a, b.const(0.0)), args[0])]
    if from_bool and not to_bool:
        return [_each(lambda a: b.op("select", a, b.const(1.0), b.const(0.0)), args[0])]
    if np.issubdtype(new, np.integer) and np.issubdtype(old, np.floating):
        truncate = lambda a: b.op("select", b.op("lt", a, b.const(0.0)), b.op("ceil", a), b.op("floor", a))  # noqa: E731
        return [_each(truncate, args[0])]
    return [args[0]]


def _divide(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    out = _each(lambda x, y: b.op("div", x, y), *args)
    if np.issubdtype(eqn.invars[0].aval.dtype, np.integer):
        out = _each(lambda a: b.op("select", b.op("lt", a, b.const(0.0)), b.op("ceil", a), b.op("floor", a)), out)
    return [out]


def _remainder(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    def one(x: int, y: int) -> int:
        q = b.op("div", x, y)
        whole = b.op("select", b.op("lt", q, b.const(0.0)), b.op("ceil", q), b.op("floor", q))
        return b.op("sub", x, b.op("mul", whole, y))

    return [_each(one, *args)]


def _select(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    if len(args) != 3:
        raise unsupported(eqn, " with more than two cases")
    return [_each(lambda c, x, y: b.op("select", c, y, x), *args)]


def _clamp(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    return [_each(lambda low, x, high: b.op("min", b.op("max", x, low), high), *args)]


def _logistic(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    one = b.const(1.0)
    return [_each(lambda a: b.op("div", one, b.op("add", one, b.op("exp", b.op("neg", a)))), args[0])]


def _iota(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    line = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return [nodes_of(np.broadcast_to(line, shape), b)]


def _round(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    if int(eqn.params["rounding_method"]) != 1:
        raise unsupported(eqn, " away from zero")
    return [_each(lambda a: b.op("round", a), args[0])]


def _cond(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    branches = eqn.params["branches"]
    found = [interpret(c.jaxpr, c.consts, args[1:], b) for c in branches]
    which = b.constant(args[0].item())
    if which is not None:
        return found[max(0, min(int(which), len(branches) - 1))]
    if len(branches) != 2:
        raise unsupported(eqn, " with more than two branches")
    return [_each(lambda c, x, y: b.op("select", c, y, x), args[0], x, y) for x, y in zip(*found, strict=True)]


def _scan(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    p = eqn.params
    if p["length"] > LONGEST_SCAN:
        raise unsupported(eqn, f" of length {p['length']}, more than {LONGEST_SCAN},")
    fixed, carry, rows = args[:p["num_consts"]], args[p["num_consts"]:p["num_consts"] + p["num_carry"]], args[
        p["num_consts"] + p["num_carry"]:]
    stacked: list[list[Any]] = []
    order = range(p["length"])
    for i in reversed(order) if p["reverse"] else order:
        out = interpret(p["jaxpr"].jaxpr, p["jaxpr"].consts, [*fixed, *carry, *(r[i] for r in rows)], b)
        carry = out[:p["num_carry"]]
        stacked.append(out[p["num_carry"]:])
    if p["reverse"]:
        stacked.reverse()
    return [*carry, *(np.stack(column) for column in zip(*stacked, strict=True))]


def _rsqrt(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    return [_each(lambda a: b.op("div", b.const(1.0), b.op("sqrt", a)), args[0])]


SPECIAL: dict[str, Callable[[Any, list[Any], Builder], list[Any]]] = {
    "dynamic_slice": _dynamic_slice, "dynamic_update_slice": _dynamic_update_slice, "gather": _by_index,
    "pad": _by_index,
    "dot_general": _dot, "reduce_sum": _reduce("add", 0.0), "reduce_prod": _reduce("mul", 1.0),
    "reduce_max": _reduce("max", float("-inf")), "reduce_min": _reduce("min", float("inf")),
    "reduce_and": _reduce("and", 1.0), "reduce_or": _reduce("or", 0.0), "cumsum": _cumulative("add"),
    "cumprod": _cumulative("mul"), "cummax": _cumulative("max"), "cummin": _cumulative("min"),
    "convert_element_type": _convert, "div": _divide, "rem": _remainder, "select_n": _select, "clamp": _clamp,
    "logistic": _logistic, "iota": _iota, "round": _round, "cond": _cond, "scan": _scan, "rsqrt": _rsqrt,
    "square": lambda eqn, args, b: [_each(lambda a: b.op("mul", a, a), args[0])],
    "integer_pow": lambda eqn, args, b: [_each(lambda a: b.power(a, eqn.params["y"]), args[0])],
}


def trace(function: Callable[..., Any], sizes: Mapping[str, int]) -> Any:
    """Closed jaxpr of function(t, x, z, u, d, p) -> flat array, in float64."""
    import jax
    import numpy as np

    from twin import module

    module.register()
    with jax.enable_x64(True):
        shapes = [jax.ShapeDtypeStruct((sizes[a],), np.float64) for a in "xzudp"]
        return jax.make_jaxpr(function)(jax.ShapeDtypeStruct((), np.float64), *shapes)


def scalar_nodes(function: Callable[..., Any], sizes: Mapping[str, int], b: Builder) -> list[int]:
    """Nodes of the flat outputs of function(t, x, z, u, d, p)."""
    import jax
    import numpy as np

    closed = trace(function, sizes)
    vectors = [np.array([b.load(a, i) for i in range(sizes[a])], dtype=np.int64) for a in "xzudp"]
    arguments = [np.array(b.time()), *vectors]
    with jax.enable_x64(True):
        outputs = interpret(closed.jaxpr, closed.consts, arguments, b)
    return [int(n) for out in outputs for n in np.asarray(out).reshape(-1)]


def finish(name: str, sizes: Mapping[str, int], b: Builder, outputs: Sequence[int]) -> Program:
    """Program that stores the output nodes one after the other."""
    body = b.statements(outputs)
    renumber = {s[1]: k for k, s in enumerate(body)}
    body = [_renumbered(s, renumber) for s in body]
    body += [("store", "out", (i, ()), renumber[n]) for i, n in enumerate(outputs)]
    lengths = (*((a, sizes[a]) for a in "xzudp"), ("out", len(outputs)), ("work", 0))
    return Program(name, lengths, (), tuple(body))


def _renumbered(s: Any, names: Mapping[int, int]) -> Any:
    if s[0] == "let":
        return ("let", names[s[1]], s[2], *(names[a] for a in s[3:]))
    return (s[0], names[s[1]], *s[2:])


def lower_scalar(function: Callable[..., Any], name: str, sizes: Mapping[str, int]) -> Program:
    """Program of function(t, x, z, u, d, p) -> flat array, every element one expression."""
    b = Builder()
    return finish(name, sizes, b, scalar_nodes(function, sizes, b))
