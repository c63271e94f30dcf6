"""A traced function (jaxpr) as scalar expressions: arrays become arrays of nodes, data movement leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.errors import LoweringError
from twin.lowering.builder import Builder
from twin.lowering.movement import MOVES, PLACED
from twin.lowering.primitives import (
    ELEMENTWISE,
    RULES,
    Rule,
    each,
    line,
    nodes_of,
    opened,
    refusal,
    scan_counts,
    unsupported,
)
from twin.lowering.program import Program

CALLS = ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr",
         "remat", "checkpoint", "remat2")
LONGEST_SCAN = 64


def inner(params: Mapping[str, Any]) -> Any:
    """The closed jaxpr that a calling equation carries."""
    for key in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if key in params:
            return params[key]
    raise LoweringError(f"A call carries no jaxpr: {sorted(params)}.")


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


def equation(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    """Outputs of one equation."""
    name, params = eqn.primitive.name, eqn.params
    if name in ELEMENTWISE:
        if name in ("and", "or", "not") and eqn.invars[0].aval.dtype != bool:
            raise unsupported(eqn, " on integers")
        return [each(lambda *a: b.op(ELEMENTWISE[name], *a), *args)]
    if name in CALLS:
        jaxpr, constants = opened(inner(params))
        count = len(jaxpr.invars)
        try:
            return interpret(jaxpr, constants, args[-count:] if count else [], b)
        except LoweringError as e:
            if getattr(e, "where", None) == "":  # inside a library function: name the line that called it
                raise refusal(e.primitive, e.why, line(eqn)) from None  # type: ignore[attr-defined]
            raise
    if name in MOVES:
        return [MOVES[name](params, *args)]
    for rules in (RULES, PLACED, CONTROL):
        if name in rules:
            return rules[name](eqn, args, b)
    raise unsupported(eqn)


def _cond(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    branches = eqn.params["branches"]
    found = [interpret(*opened(c), args[1:], b) for c in branches]
    which = b.constant(args[0].item())
    if which is not None:
        return found[max(0, min(int(which), len(branches) - 1))]
    *others, last = found
    for k in reversed(range(len(others))):
        low = b.op("le", args[0].item(), b.const(k))
        last = [each(lambda x, y, low=low: b.op("select", low, x, y), *pair)
                for pair in zip(others[k], last, strict=True)]
    return last


def _scan(eqn: Any, args: list[Any], b: Builder) -> list[Any]:
    import numpy as np

    p = eqn.params
    if p["length"] > LONGEST_SCAN:
        raise unsupported(eqn, f" of length {p['length']}, more than {LONGEST_SCAN},")
    first, carried = scan_counts(eqn)
    fixed, carry, rows = args[:first], args[first:first + carried], args[first + carried:]
    stacked: list[list[Any]] = []
    order = range(p["length"])
    for i in reversed(order) if p["reverse"] else order:
        out = interpret(*opened(p["jaxpr"]), [*fixed, *carry, *(r[i] for r in rows)], b)
        carry = out[:carried]
        stacked.append(out[carried:])
    if p["reverse"]:
        stacked.reverse()
    return [*carry, *(np.stack(column) for column in zip(*stacked, strict=True))]


CONTROL: dict[str, Rule] = {"cond": _cond, "scan": _scan}


def trace(function: Callable[..., Any], sizes: Mapping[str, int]) -> Any:
    """Closed jaxpr of function(t, x, z, u, d, p) -> flat array, in float64."""
    import jax
    import numpy as np

    from twin import module

    module.register()
    with jax.enable_x64(True):
        shapes = [jax.ShapeDtypeStruct((sizes[a],), np.float64) for a in "xzudp"]
        try:
            return jax.make_jaxpr(function)(jax.ShapeDtypeStruct((), np.float64), *shapes)
        except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError,
                jax.errors.TracerIntegerConversionError) as e:
            raise LoweringError(f"{_author(e)} needs the number behind a signal or parameter, but equations are written "
                                "before there are numbers: no Python if, while, float(), math or numpy functions. "
                                "Use jnp.where and jnp functions.") from e


def _author(error: BaseException) -> str:
    """The line of the user's code in which an error arose."""
    import traceback

    import jax
    import numpy as np

    own = Path(__file__).parents[1], Path(jax.__file__).parent, Path(np.__file__).parent
    frames = [f for f in traceback.extract_tb(error.__traceback__)
              if not any(Path(f.filename).is_relative_to(folder) for folder in own)]
    return f"{frames[-1].filename}:{frames[-1].lineno} ({frames[-1].name})" if frames else "An equation"


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
