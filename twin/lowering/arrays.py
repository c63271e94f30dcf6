"""A traced function as loops over arrays: code size does not grow with the arrays.

Elementwise chains over the same extent become one loop, short axes (a handful of species) are written out, so that zeros
of small constant matrices vanish; slices, reshapes, transposes and joins are arithmetic on indices.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twin.errors import LoweringError
from twin.lowering.fusion import Plan, Reader
from twin.lowering.lazy_arrays import (
    Buffer,
    Concat,
    Constant,
    Cumulative,
    Indices,
    Lazy,
    Move,
    Op,
    Reduce,
    Reshape,
    Scan,
    Time,
    loop_free,
)
from twin.lowering.loops import Writer, plus, times
from twin.lowering.primitives import ELEMENTWISE, line, opened, refusal, scan_counts, unsupported
from twin.lowering.program import Program
from twin.lowering.scalar import CALLS, equation, inner, trace

POINTWISE = {*ELEMENTWISE, "div", "rem", "select_n", "clamp", "logistic", "round", "rsqrt", "square", "integer_pow",
             "convert_element_type", "lt_to", "le_to", "xor", "one_minus_square", "polynomial", "log2"}
PASSED = {"copy", "copy_p", "stop_gradient", "optimization_barrier", "real"}
REDUCTIONS = {"reduce_sum": ("add", 0.0), "reduce_prod": ("mul", 1.0), "reduce_max": ("max", -math.inf),
              "reduce_min": ("min", math.inf), "reduce_and": ("and", 1.0), "reduce_or": ("or", 0.0)}
CUMULATIVE = {"cumsum": ("add", 0.0), "cumprod": ("mul", 1.0), "cummax": ("max", -math.inf), "cummin": ("min", math.inf)}
SCATTERS = {"scatter": None, "scatter-add": ("add", 0.0), "scatter-mul": ("mul", 1.0)}
PIECES = 16  # most pieces of equal stride that a constant gather along one axis may have


def lower_arrays(function: Callable[..., Any], name: str, sizes: Mapping[str, int]) -> Program:
    """Program of function(t, x, z, u, d, p) -> flat array, its array code as loops.

    Parameters
    ----------
    function
        JAX function of the six kernel arguments.
    name
        Name of the program.
    sizes
        Lengths of x, z, u, d, p.

    Raises
    ------
    LoweringError
        A primitive cannot be lowered; the message names it and the line.
    """
    w = Writer()
    (total,) = lower_into(w, function, sizes, [("out", 0)])
    return w.program(name, sizes, total)


def lower_into(w: Writer, function: Callable[..., Any], sizes: Mapping[str, int],
               places: Sequence[tuple[str, int]]) -> list[int]:
    """Write the outputs of a function, each row by row to (array, start); gives their numbers of entries."""
    import jax

    closed = trace(function, sizes)
    arguments: list[Lazy] = [Time(()), *(Buffer(a, (sizes[a],)) for a in "xzudp")]
    with deep(), jax.enable_x64(True):
        outputs = graph(closed.jaxpr, closed.consts, arguments)
        wanted = [(a, Buffer(name, a.shape, (at, ()))) for a, (name, at) in zip(outputs, places, strict=True)]
        Plan(wanted, {}).write(w)
    return [a.size for a in outputs]


@contextlib.contextmanager
def deep() -> Iterator[None]:
    """Long chains of arrays are followed by recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 50_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def graph(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Lazy]) -> list[Lazy]:
    """Outputs of a jaxpr as lazy arrays."""
    values: dict[Any, Lazy] = {}

    def read(atom: Any) -> Lazy:
        return Constant(atom.val) if hasattr(atom, "val") else values[atom]

    for var, constant in zip(jaxpr.constvars, constants, strict=True):
        values[var] = Constant(constant)
    for var, argument in zip(jaxpr.invars, arguments, strict=True):
        values[var] = argument
    for eqn in jaxpr.eqns:
        for var, value in zip(eqn.outvars, lazily(eqn, [read(a) for a in eqn.invars]), strict=True):
            values[var] = value
    return [read(a) for a in jaxpr.outvars]


def lazily(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    """Outputs of one equation."""
    name, p = eqn.primitive.name, eqn.params
    if name in POINTWISE:
        return [Op(name, _pointwise(eqn), args, eqn.outvars[0].aval.shape)]
    if name in PASSED:
        return args
    if name in CALLS:
        closed = inner(p)
        jaxpr, constants = opened(closed)
        try:
            return graph(jaxpr, constants, args[len(args) - len(jaxpr.invars):])
        except LoweringError as e:
            if getattr(e, "where", None) == "":  # inside a library function: name the line that called it
                raise refusal(e.primitive, e.why, line(eqn)) from None  # type: ignore[attr-defined]
            raise
    if name in REDUCTIONS:
        return [Reduce(args[0], p["axes"], *REDUCTIONS[name])]
    if name in CUMULATIVE:
        return [Cumulative(args[0], p["axis"], *CUMULATIVE[name], p["reverse"])]
    if name in MOVES:
        return [MOVES[name](p, *args)]
    if name in SPECIAL:
        return SPECIAL[name](eqn, args)
    raise unsupported(eqn)


def _pointwise(eqn: Any) -> Callable[..., int]:
    import numpy as np

    opcode = ELEMENTWISE.get(eqn.primitive.name)
    if opcode not in (None, "and", "or", "not"):
        return lambda b, *nodes: b.op(opcode, *nodes)
    return lambda b, *nodes: int(equation(eqn, [np.array(n, dtype=np.int64) for n in nodes], b)[0].item())


def numbers(eqn: Any, array: Lazy) -> list[int]:
    """Values of an array of indices that is known now."""
    read = Reader(Plan([], {}), Writer())
    nodes = [read.builder.constant(read(array, i)) for i in loop_free(array.shape)]
    if any(v is None or v != v for v in nodes):
        raise unsupported(eqn, " with an index that depends on the data")
    return [int(v) for v in nodes]  # type: ignore[arg-type]


# --- data movement


def part(a: Lazy, starts: Sequence[int], shape: Sequence[int], steps: Sequence[int] | None = None) -> Lazy:
    """A box of an array."""
    steps = steps or (1,) * len(shape)
    if tuple(shape) == a.shape and not any(starts):
        return a
    return Move(a, shape, lambda index: tuple(plus(times(i, k), (s, ())) for i, s, k in zip(index, starts, steps, strict=True)))


def _slice(p: Mapping[str, Any], a: Lazy) -> Lazy:
    steps = p["strides"] or (1,) * len(a.shape)
    shape = [max(0, -(-(j - i) // k)) for i, j, k in zip(p["start_indices"], p["limit_indices"], steps, strict=True)]
    return part(a, p["start_indices"], shape, steps)


def _broadcast(p: Mapping[str, Any], a: Lazy, *rest: Lazy) -> Lazy:
    axes, shape = p["broadcast_dimensions"], p["shape"]

    def pull(index: Indices) -> Indices:
        return tuple((0, ()) if n == 1 else index[k] for n, k in zip(a.shape, axes, strict=True))

    return Move(a, shape, pull, (lambda target: target.reshaped(a.shape)) if math.prod(shape) == a.size else None)


def _reshape(p: Mapping[str, Any], a: Lazy, *rest: Lazy) -> Lazy:
    return a if tuple(p["new_sizes"]) == a.shape else Reshape(a, p["new_sizes"])


def _squeeze(p: Mapping[str, Any], a: Lazy) -> Lazy:
    kept = [k for k in range(len(a.shape)) if k not in p["dimensions"]]

    def pull(index: Indices) -> Indices:
        found = dict(zip(kept, index, strict=True))
        return tuple(found.get(k, (0, ())) for k in range(len(a.shape)))

    return Move(a, [a.shape[k] for k in kept], pull, lambda target: target.reshaped(a.shape))


def _expand(p: Mapping[str, Any], a: Lazy) -> Lazy:
    rank = len(a.shape) + len(p["dimensions"])
    kept = [k for k in range(rank) if k not in {d % rank for d in p["dimensions"]}]
    shape = [1] * rank
    for k, n in zip(kept, a.shape, strict=True):
        shape[k] = n
    return Move(a, shape, lambda index: tuple(index[k] for k in kept), lambda target: target.reshaped(a.shape))


def transpose(a: Lazy, order: Sequence[int]) -> Lazy:
    """Axes in another order."""
    back = sorted(range(len(order)), key=lambda k: order[k])

    def push(target: Buffer) -> Buffer:
        return Buffer(target.name, a.shape, target.offset, [target.strides[k] for k in back])

    return Move(a, [a.shape[k] for k in order], lambda index: tuple(index[k] for k in back), push)


def _reverse(p: Mapping[str, Any], a: Lazy) -> Lazy:
    def pull(index: Indices) -> Indices:
        return tuple(plus(times(i, -1), (n - 1, ())) if k in p["dimensions"] else i
                     for k, (i, n) in enumerate(zip(index, a.shape, strict=True)))

    return Move(a, a.shape, pull)


def _tile(p: Mapping[str, Any], a: Lazy) -> Lazy:
    for axis, times_over in enumerate(p["reps"]):
        if times_over != 1:
            shape = list(a.shape)
            shape.insert(axis, times_over)
            wide = _broadcast({"shape": shape, "broadcast_dimensions": [k for k in range(len(shape)) if k != axis]}, a)
            a = Reshape(wide, [n * times_over if k == axis else n for k, n in enumerate(a.shape)])
    return a


def _stack(p: Mapping[str, Any], *args: Lazy) -> Lazy:
    return Concat([_expand({"dimensions": (p["axis"],)}, a) for a in args], p["axis"])


def _pad(p: Mapping[str, Any], a: Lazy, value: Lazy) -> Lazy:
    for axis, (low, high, between) in enumerate(p["padding_config"]):
        if between and a.shape[axis] > 1:  # rows of the array, each followed by padding, the last one cut
            wide = _expand({"dimensions": (axis + 1,)}, a)
            shape = list(wide.shape)
            shape[axis + 1] = between
            joined = Concat([wide, filled(value, shape)], axis + 1)
            flat = list(a.shape)
            flat[axis] *= between + 1
            a = part(Reshape(joined, flat), [0] * len(flat), [n - between if k == axis else n for k, n in enumerate(flat)])
        shape = list(a.shape)
        cut = [max(0, -low) if k == axis else 0 for k in range(len(shape))]
        shape[axis] += min(0, low) + min(0, high)
        a = part(a, cut, shape)
        sides = [filled(value, [max(0, n) if k == axis else m for k, m in enumerate(shape)]) for n in (low, high)]
        if low > 0 or high > 0:
            a = Concat([sides[0], a, sides[1]], axis)
    return a


def filled(value: Lazy, shape: Sequence[int]) -> Lazy:
    """One value everywhere."""
    return Move(value, shape, lambda index: ())


def overlay(a: Lazy, patch: Lazy, starts: Sequence[int], axis: int = 0) -> Lazy:
    """Array with a box replaced."""
    if axis == len(a.shape):
        return patch
    start, length, n = starts[axis], patch.shape[axis], a.shape[axis]

    def band(first: int, count: int) -> Lazy:
        return part(a, [first if k == axis else 0 for k in range(len(a.shape))],
                    [count if k == axis else m for k, m in enumerate(a.shape)])

    middle = overlay(band(start, length), patch, [0 if k == axis else s for k, s in enumerate(starts)], axis + 1)
    pieces = [band(0, start), middle, band(start + length, n - start - length)]
    return Concat([q for q in pieces if q.shape[axis]], axis)


MOVES: dict[str, Callable[..., Lazy]] = {
    "slice": _slice, "broadcast_in_dim": _broadcast, "reshape": _reshape, "squeeze": _squeeze, "expand_dims": _expand,
    "transpose": lambda p, a: transpose(a, p["permutation"]), "rev": _reverse, "pad": _pad, "stack": _stack,
    "tile": _tile,
    "concatenate": lambda p, *a: Concat(a, p["dimension"]),
}


# --- the rest


def _split(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    axis, found, start = eqn.params["axis"], [], 0
    for length in eqn.params["sizes"]:
        shape = [length if k == axis else n for k, n in enumerate(args[0].shape)]
        found.append(part(args[0], [start if k == axis else 0 for k in range(len(shape))], shape))
        start += length
    return found


def _iota(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    import numpy as np

    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    return [_broadcast({"shape": shape, "broadcast_dimensions": (axis,)}, Constant(np.arange(shape[axis])))]


def _dot(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    ((left_sum, right_sum), (left_batch, right_batch)) = eqn.params["dimension_numbers"]
    left, right = args
    left_free = [k for k in range(len(left.shape)) if k not in (*left_sum, *left_batch)]
    right_free = [k for k in range(len(right.shape)) if k not in (*right_sum, *right_batch)]
    batch, a, b, c = len(left_batch), len(left_free), len(right_free), len(left_sum)
    shape = ([left.shape[k] for k in (*left_batch, *left_free)] + [right.shape[k] for k in right_free]
             + [left.shape[k] for k in left_sum])
    total = range(batch + a + b, batch + a + b + c)
    lhs = _broadcast({"shape": shape, "broadcast_dimensions": [*range(batch + a), *total]},
                     transpose(left, [*left_batch, *left_free, *left_sum]))
    rhs = _broadcast({"shape": shape, "broadcast_dimensions": [*range(batch), *range(batch + a, batch + a + b), *total]},
                     transpose(right, [*right_batch, *right_free, *right_sum]))
    product = Op("mul", lambda g, x, y: g.op("mul", x, y), [lhs, rhs], shape)
    return [Reduce(product, list(total), "add", 0.0)]


def _starts(eqn: Any, args: Sequence[Lazy], shape: Sequence[int], box: Sequence[int]) -> list[int]:
    wanted = [numbers(eqn, a)[0] for a in args]
    return [max(0, min(s, n - k)) for s, n, k in zip(wanted, shape, box, strict=True)]


def _dynamic_slice(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    box = eqn.params["slice_sizes"]
    return [part(args[0], _starts(eqn, args[1:], args[0].shape, box), box)]


def _dynamic_update_slice(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    return [overlay(args[0], args[1], _starts(eqn, args[2:], args[0].shape, args[1].shape))]


def _gather(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    """Elements at constant positions: JAX moves an array of positions instead."""
    import jax
    import numpy as np

    a = args[0]
    indices = np.array(numbers(eqn, args[1]), dtype=np.int64).reshape(args[1].shape)
    params = dict(eqn.params) | ({"fill_value": -1} if eqn.params.get("fill_value") is not None else {})
    with jax.ensure_compile_time_eval():
        order = jax.numpy.arange(a.size, dtype=np.int64).reshape(a.shape)
        where = np.asarray(eqn.primitive.bind(order, jax.numpy.asarray(indices), **params))
    where = np.where((where < 0) | (where >= a.size), -1, where)
    return [picked(eqn, Reshape(a, (a.size,)), where)]


def picked(eqn: Any, flat: Lazy, where: Any) -> Lazy:
    """Elements of a flat array at constant positions (-1: NaN), as few pieces of constant stride."""
    import numpy as np

    if where.size == 0:
        return Constant(np.zeros(where.shape))
    steps = [int(where[tuple(1 if j == k else 0 for j in range(where.ndim))] - where.flat[0]) if n > 1 else 0
             for k, n in enumerate(where.shape)]
    grid = where.flat[0] + sum((s * g for s, g in zip(steps, np.indices(where.shape), strict=True)), 0)
    if (where >= 0).all() and (grid == where).all():
        first = int(where.flat[0])

        def pull(index: Indices) -> Indices:
            at: Any = (first, ())
            for i, s in zip(index, steps, strict=True):
                at = plus(at, times(i, s))
            return (at,)

        return Move(flat, where.shape, pull)
    if (where == -1).all():
        return Constant(np.full(where.shape, np.nan))
    cuts, axis = min(((found, k) for k in range(where.ndim) if len(found := _cuts(where, k)) > 1),
                     key=lambda q: len(q[0]), default=([], 0))
    if not cuts or len(cuts) > PIECES:
        raise unsupported(eqn, " with irregular constant indices")
    pieces = [picked(eqn, flat, piece) for piece in np.split(where, cuts[1:], axis)]
    return Concat(pieces, axis)


def _cuts(where: Any, axis: int) -> list[int]:
    """Where stretches of constant stride along an axis begin."""
    import numpy as np

    rows = np.moveaxis(where, axis, 0).reshape(where.shape[axis], -1)
    cuts = [0]
    for i in range(1, len(rows)):
        first = cuts[-1]
        broken = ((rows[first] < 0) != (rows[i] < 0)).any()
        if broken or (i > first + 1 and (rows[i] - rows[i - 1] != rows[first + 1] - rows[first]).any()):
            cuts.append(i)
    return cuts


def _scatter(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    """Elements replaced at constant positions."""
    import jax
    import numpy as np

    a, patch = args[0], args[2]
    indices = np.array(numbers(eqn, args[1]), dtype=np.int64).reshape(args[1].shape)
    joined = SCATTERS[eqn.primitive.name]
    kept = {k: v for k, v in eqn.params.items() if k not in ("update_jaxpr", "update_consts", "unique_indices")}
    with jax.ensure_compile_time_eval():
        scatter = lambda base, new: np.asarray(jax.lax.scatter(  # noqa: E731
            jax.numpy.asarray(base), jax.numpy.asarray(indices), jax.numpy.asarray(new), kept["dimension_numbers"],
            mode=kept["mode"]))
        order = np.arange(patch.size).reshape(patch.shape)
        where = scatter(np.arange(a.size).reshape(a.shape) if joined is None else np.full(a.shape, -1), order + a.size)
    if joined is not None and np.unique(where[where >= 0]).size != patch.size:
        raise unsupported(eqn, " that meets an element twice")
    opcode, neutral = joined or ("", 0.0)
    flat = Concat([Reshape(a, (a.size,)), Reshape(patch, (patch.size,)), Constant(np.array([neutral]))], 0)
    found = picked(eqn, flat, np.where(where < 0, a.size + patch.size, where))
    return [Op(opcode, lambda b, x, y: b.op(opcode, x, y), [a, found], a.shape)] if joined else [found]


def _cond(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    branches = eqn.params["branches"]
    if len(branches) != 2:
        raise unsupported(eqn, " with more than two branches")
    no, yes = (graph(*opened(c), args[1:]) for c in branches)
    return [Op("select", lambda b, c, x, y: b.op("select", c, y, x), [args[0], x, y], x.shape)
            for x, y in zip(no, yes, strict=True)]


def _scan(eqn: Any, args: list[Lazy]) -> list[Lazy]:
    shapes = [v.aval.shape for v in eqn.outvars]
    sizes = [math.prod(s) for s in shapes]
    rows = Scan(eqn, args, sizes)
    found, at = [], 0
    for shape, n in zip(shapes, sizes, strict=True):
        found.append(_reshape({"new_sizes": shape}, part(rows, [at], [n])))
        at += n
    return found


def write_scan(scan: Scan, target: Buffer, buffers: dict[int, Buffer], w: Writer) -> None:
    """Write the loop of a scan: carried values in `work`, the body once."""
    p = scan.eqn.params
    (fixed, carried), length = scan_counts(scan.eqn), p["length"]
    start = scan.operands[fixed:fixed + carried]
    carry = [Buffer("work", a.shape, (w.buffer(a.size), ())) for a in start]
    Plan(list(zip(start, carry, strict=True)), buffers).write(w)
    results, at = [], 0
    for v in scan.eqn.outvars:
        stretch = target.part(0, at, math.prod(v.aval.shape))
        results.append(Buffer(stretch.name, v.aval.shape, stretch.offset))
        at += stretch.size
    with w.loop(length) as i:
        for c in carry:
            w.own(c.offset[0], c.size)
        now = (length - 1, ((i, -1),)) if p["reverse"] else (0, ((i, 1),))
        rows = [Move(a, a.shape[1:], lambda index: (now, *index)) for a in scan.operands[fixed + carried:]]
        outputs = graph(*opened(p["jaxpr"]), [*scan.operands[:fixed], *carry, *rows])
        new = [Buffer("work", c.shape, (w.buffer(c.size), ())) for c in carry]
        wanted = list(zip(outputs, new, strict=False))
        for y, result in zip(outputs[carried:], results[carried:], strict=True):
            place = plus(result.offset, times(now, result.strides[0])) if result.shape[0] else result.offset
            wanted.append((y, Buffer(result.name, y.shape, place, result.strides[1:])))
        Plan(wanted, buffers).write(w)
        Plan(list(zip(new, carry, strict=True)), {}).write(w)
    Plan(list(zip(carry, results, strict=False)), {}).write(w)


SPECIAL: dict[str, Callable[[Any, list[Lazy]], list[Lazy]]] = {
    "split": _split, "iota": _iota, "dot_general": _dot, "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice, "gather": _gather, **dict.fromkeys(SCATTERS, _scatter),
    "cond": _cond, "scan": _scan,
    "unstack": lambda eqn, args: [_squeeze({"dimensions": (eqn.params["axis"],)}, a) for a in _rows(eqn, args[0])],
}


def _rows(eqn: Any, a: Lazy) -> list[Lazy]:
    axis = eqn.params["axis"]
    return [part(a, [i if k == axis else 0 for k in range(len(a.shape))],
                 [1 if k == axis else n for k, n in enumerate(a.shape)]) for i in range(a.shape[axis])]
