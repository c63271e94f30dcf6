"""Primitives of JAX that move data: nothing is computed, an array of nodes is rearranged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twin.lowering.builder import Builder
from twin.lowering.primitives import Rule, each, unsupported

MOST_CHOICES = 64  # longest array read at a place that depends on the data


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
    "tile": lambda p, a: _numpy("tile", a, p["reps"]),
    **dict.fromkeys(("copy", "copy_p", "stop_gradient", "optimization_barrier", "real"), lambda p, a: a),
}


def _chosen(indices: slice) -> Callable[[Rule], Rule]:
    """Let a rule for constant indices serve one that depends on the data: every place is tried, one is selected."""

    def widen(rule: Rule) -> Rule:
        def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
            import numpy as np

            places = [int(n) for a in args[indices] for n in a.reshape(-1)]
            unknown = {n for n in places if b.constant(n) is None}
            if not unknown:
                return rule(eqn, args, b)
            longest = max(args[0].shape)
            if len(unknown) > 1 or longest > MOST_CHOICES:
                raise unsupported(eqn, f" with {len(unknown)} indices that depend on the data, into {longest} places,")
            node = unknown.pop()

            def at(k: int) -> list[Any]:
                fixed = [np.where(a == node, b.const(k), a) for a in args[indices]]
                return rule(eqn, [*args[:indices.start], *fixed, *args[indices.start + len(fixed):]], b)

            found = at(longest - 1)
            for k in reversed(range(longest - 1)):
                low = b.op("le", node, b.const(k))
                found = [each(lambda x, y, low=low: b.op("select", low, x, y), *pair)
                         for pair in zip(at(k), found, strict=True)]
            return found

        return run

    return widen


def _numbers(nodes: Any, b: Builder) -> Any:
    """Constant nodes as whole numbers."""
    import numpy as np

    return np.array([int(b.constant(int(n)) or 0) for n in nodes.reshape(-1)], dtype=np.int64).reshape(nodes.shape)


def _window(args: list[Any], whole: Any, sizes: tuple[int, ...], b: Builder) -> tuple[slice, ...]:
    starts = [int(_numbers(a, b)) for a in args]
    return tuple(slice(i := max(0, min(s, n - k)), i + k) for s, n, k in zip(starts, whole.shape, sizes, strict=True))


@_chosen(slice(1, None))
def _dynamic_slice(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    return [args[0][_window(args[1:], args[0], eqn.params["slice_sizes"], b)]]


@_chosen(slice(2, None))
def _dynamic_update_slice(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    new = args[0].copy()
    new[_window(args[2:], new, args[1].shape, b)] = args[1]
    return [new]


def _moved(eqn: Any, operands: list[Any], **changed: Any) -> Any:
    """What the primitive itself makes of arrays of numbers."""
    import jax
    import numpy as np

    with jax.ensure_compile_time_eval():
        return np.asarray(eqn.primitive.bind(*map(jax.numpy.asarray, operands), **{**eqn.params, **changed}))


def _positions(arrays: list[Any]) -> tuple[list[Any], Any]:
    """Arrays of the positions 0, 1, ... in the shapes of these arrays, and the nodes at these positions."""
    import numpy as np

    ends = np.cumsum([a.size for a in arrays])
    places = [np.arange(end - a.size, end).reshape(a.shape) for a, end in zip(arrays, ends, strict=True)]
    return places, np.concatenate([a.reshape(-1) for a in arrays])


def _pad(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    places, nodes = _positions(args)
    return [nodes[_moved(eqn, places)]]


@_chosen(slice(1, 2))
def _gather(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    fill = eqn.params["fill_value"]
    places, nodes = _positions(args[:1])
    where = _moved(eqn, [*places, _numbers(args[1], b)], fill_value=None if fill is None else -1)
    outside = (where < 0) | (where >= nodes.size)
    filling = b.const(float("nan") if fill is None else float(fill))
    return [np.where(outside, filling, nodes[np.where(outside, 0, where)])]


@_chosen(slice(1, 2))
def _scatter(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    (old, new), nodes = _positions([args[0], args[2]])
    return [nodes[_moved(eqn, [old, _numbers(args[1], b), new])]]


def _combined(opcode: str) -> Rule:
    """Scatter that adds or multiplies: where each update lands is read off the unit vectors."""

    @_chosen(slice(1, 2))
    def run(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
        import jax
        import numpy as np

        old, where, new = args[0], _numbers(args[1], b), args[2]
        how = {k: eqn.params[k] for k in ("dimension_numbers", "mode")}
        with jax.ensure_compile_time_eval():
            zeros = jax.numpy.zeros(old.shape)
            put = jax.vmap(lambda v: jax.lax.scatter_add(zeros, where, v.reshape(new.shape), **how))
            hits = np.asarray(put(jax.numpy.eye(new.size))).reshape(new.size, -1)
        found = old.reshape(-1).copy()
        for k, place in zip(*np.nonzero(hits), strict=True):
            found[place] = b.op(opcode, int(found[place]), int(new.reshape(-1)[k]))
        return [found.reshape(old.shape)]

    return run


def _split(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    return list(np.split(args[0], np.cumsum(eqn.params["sizes"])[:-1], eqn.params["axis"]))


def _unstack(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    return list(np.moveaxis(args[0], eqn.params["axis"], 0))


PLACED: dict[str, Rule] = {
    "dynamic_slice": _dynamic_slice, "dynamic_update_slice": _dynamic_update_slice, "gather": _gather, "pad": _pad,
    "scatter": _scatter, "scatter-add": _combined("add"), "scatter-mul": _combined("mul"), "split": _split,
    "unstack": _unstack,
}
