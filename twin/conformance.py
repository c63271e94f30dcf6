"""The checks of `twin.testing.check_model`: each yields what is wrong, in sentences."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twin import errors, units
from twin.describe import parameter_rows
from twin.functions import Mlp
from twin.learned import Add, Multiply, Replace

KINKS = {"select_n": "where", "clamp": "clip", "abs": "abs", "max": "maximum", "min": "minimum", "sign": "sign",
         "floor": "floor", "ceil": "ceil", "round": "round", "reduce_max": "max", "reduce_min": "min",
         "argmax": "argmax", "sort": "sort"}
TIME, AGES = "time", (0.0, 100.0)  # a term may also see the time since the start; where it is looked at


class Skipped(Exception):
    """A check has nothing to look at."""


class Subject:
    """A model with its sample points: dictionaries of flat vectors by role, stacked along the first axis."""

    def __init__(self, model: Any, points: int, seed: int) -> None:
        import numpy as np

        self.model, self.seed = model, seed
        self.random = np.random.default_rng(seed)
        self.nominal = {role: np.zeros(model.size(role)) for role in ("state", "algebraic", "input", "disturbance")}
        low, high = ({role: np.zeros_like(v) for role, v in self.nominal.items()} for _ in range(2))
        for role in self.nominal:
            for r in model.layout(role):
                self.nominal[role][r.where] = r.signal.nominal
                low[role][r.where], high[role][r.where] = span(r.signal)
        self.points = {role: np.concatenate([v[None], self.random.uniform(low[role], high[role], (points, len(v)))])
                       for role, v in self.nominal.items()}
        self.count = points + 1
        self.times = np.concatenate([[0.0], self.random.uniform(0, 10, points)])

    def args(self, k: int | None = None) -> tuple[Any, ...]:
        """t, x, z, u, d of one point, or of all stacked."""
        chosen = slice(None) if k is None else k
        return (self.times[chosen], *(v[chosen] for v in self.points.values()))

    def labels(self) -> list[str]:
        """Names of the unknowns x, z."""
        names = {}
        for at, role in ((0, "state"), (self.model.size("state"), "algebraic")):
            for r in self.model.layout(role):
                for i in range(r.count):
                    names[at + r.start + i * r.step] = f"{r.signal.name}[{i}]" if r.shape else r.signal.name
        return [names[k] for k in sorted(names)]

    def tell(self, k: int) -> str:
        """One point in words."""
        named = [(r.signal, v[k][r.where]) for role, v in self.points.items() for r in self.model.layout(role)]
        return ", ".join(f"{s.name}={v:.4g} {s.unit}" for s, v in named if not getattr(v, "shape", ())) or "a profile"

    @functools.cached_property
    def compiled(self) -> Callable[..., Any]:
        """`rhs` compiled, of t, (x, z) as one vector, u, d."""
        import jax

        f, n = self.rhs(), self.model.size("state")
        return jax.jit(lambda t, w, u, d: f(t, w[:n], w[n:], u, d))

    def joined(self, k: int) -> tuple[Any, ...]:
        """t, (x, z) as one vector, u, d of one point."""
        import numpy as np

        t, x, z, u, d = self.args(k)
        return t, np.concatenate([x, z]), u, d

    def rhs(self, model: Any = None) -> Callable[..., Any]:
        """Function of t, x, z, u, d that gives dx/dt, then the residuals."""
        import jax.numpy as jnp

        chosen = self.model if model is None else model
        return lambda *args: jnp.concatenate(chosen.derivative(*args))

    def corrected(self) -> Iterator[tuple[str, Any]]:
        """The model itself, and with random weights in every term at once, in each mode."""
        yield "no correction", self.model
        for mode in ("multiply", "add", "replace"):
            fixes = {n: random_corrections(t, self.seed)[mode] for n, t in self.model.terms().items() if t.arguments}
            if fixes:
                yield f"a random '{mode}' correction in every term", self.model.with_learned(fixes)


def span(signal: Any) -> tuple[float, float]:
    """Finite limits to sample a signal between; a little above a lower limit of zero."""
    size = abs(signal.nominal) or 1.0
    low = signal.lower if math.isfinite(signal.lower) else min(signal.nominal, signal.upper) - size
    high = signal.upper if math.isfinite(signal.upper) else max(signal.nominal, low) + size
    return low + 1e-3 * (high - low), high


def random_corrections(term: Any, seed: int = 0) -> dict[str, Any]:
    """A correction of each mode with random weights that sees every argument of the term."""
    net = Mlp.random(inputs=term.arguments, hidden=(6,), scales=[10.0] * len(term.arguments), seed=seed, size=3.0)
    found = {"multiply": Multiply(net)}
    scale = None if math.isfinite(term.lower) and math.isfinite(term.upper) else 1.0
    return found | {"add": Add(net, scale), "replace": Replace(net, scale)}


def _units(s: Subject) -> Iterator[str]:
    rows = [(q.name, q.unit) for q in s.model.signals] + [(r["name"], r["unit"]) for r in parameter_rows(s.model)]
    rows += [(n, t.unit) for n, t in s.model.terms().items()] + [("time_unit", s.model.time_unit)]
    for name, unit in rows:
        try:
            units.check(unit, name)
        except errors.UnitError as fault:
            yield str(fault)
    if not units.same_dimension(s.model.time_unit, "s"):
        yield f"time_unit is '{s.model.time_unit}'. Expected a time such as 's' or 'h'."


def _described(s: Subject) -> Iterator[str]:
    for row in parameter_rows(s.model):
        missing = [k for k in ("unit", "doc", "source") if not row[k]]
        if missing:
            yield f"Parameter {row['name']} has no {' and no '.join(missing)}. Add {missing[0]}=..."


def _finite(s: Subject) -> Iterator[str]:
    import jax
    import numpy as np

    output = jax.jit(s.model.output_vector)
    rates = [s.compiled(*s.joined(k)) for k in range(s.count)]
    outputs = [output(*s.args(k)) for k in range(s.count)]
    for what, rows, labels in (("derivative or residual", rates, s.labels()), ("output", outputs, None)):
        values = np.asarray(rows)
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            k, i = bad[0]
            name = labels[i] if labels else f"number {i}"
            yield (f"The {what} {name} is {values[k, i]} at {s.tell(k)}. Guard the division, root or logarithm, or "
                   "narrow the limits.")


def _gradient(s: Subject) -> Iterator[str]:
    import jax
    import numpy as np

    g, labels = s.compiled, s.labels()
    if not labels:
        raise Skipped("no unknowns")
    tangent = jax.jit(lambda t, w, u, d, v: jax.jvp(lambda a: g(t, a, u, d), (w,), (v,))[1])
    scale = np.abs(np.concatenate([s.nominal["state"], s.nominal["algebraic"]]))
    scale[scale == 0] = 1.0
    for k in range(min(s.count, 6)):
        t, w, u, d = s.joined(k)
        step = np.where(np.abs(w) > 1e-3 * scale, np.abs(w), 1e-3 * scale)
        for _ in range(3):
            v = step * s.random.uniform(-1, 1, len(w))
            exact = np.asarray(tangent(t, w, u, d, v))
            near = [np.asarray(g(t, w + h * v, u, d)) for h in (-2e-4, -1e-4, 1e-4, 2e-4)]
            if not np.isfinite([exact, *near]).all():
                raise Skipped("not finite: see the check 'finite'")
            found = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / 12e-4
            size = np.abs(exact) + np.max(np.abs(near), axis=0)
            wrong = np.abs(found - exact) > 1e-6 * size + 1e-300
            if wrong.any():
                i = int(np.argmax(wrong))
                yield (f"The derivative of equation {labels[i]} along a random direction is {exact[i]:.6g} by JAX and "
                       f"{found[i]:.6g} "
                       f"by differences at {s.tell(k)}. Look for a kink, a custom derivative or stop_gradient.")
                return


def _smooth(s: Subject) -> Iterator[str]:
    import jax

    told = set()
    for primitive, line in _primitives(jax.make_jaxpr(s.rhs())(*s.args(0)).jaxpr):
        if primitive in KINKS:
            told.add((KINKS[primitive], line or "unknown line"))
    for kind, line in sorted(told):
        yield (f"{s.model.title} uses {kind} in its equations ({line}), which is not smooth. See twin.smooth for the "
               "cure.")


def _primitives(jaxpr: Any, outer: str = "") -> Iterator[tuple[str, str]]:
    """Every primitive with the user's line, inside jitted functions of JAX that of the call."""
    from twin.lowering.scalar import line

    for eqn in jaxpr.eqns:
        here = line(eqn).replace(chr(92), "/").rpartition("/")[2] or outer
        yield eqn.primitive.name, here
        for value in eqn.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _primitives(inner, here)


def _index(s: Subject) -> Iterator[str]:
    import jax
    import numpy as np

    n = s.model.size("algebraic")
    if not n:
        raise Skipped("no algebraic variables")
    names = s.labels()[s.model.size("state"):]
    blocks = np.asarray(jax.vmap(jax.jacfwd(lambda *a: s.model.derivative(*a)[1], 2))(*s.args()))
    size = np.abs(s.nominal["algebraic"])
    blocks = blocks * np.where(size > 0, size, 1.0)
    rows = np.abs(blocks).max(axis=(0, 2))
    if (rows == 0).any():
        equation = names[int(np.argmin(rows))]
        yield (f"The residual '{equation}' contains no algebraic variable (index above 1). Differentiate the "
               "constraint, or make "
               f"'{equation}' a state.")
        return
    left, singular, _ = np.linalg.svd(blocks / rows[None, :, None])
    if (singular[:, -1] < 1e-12 * singular[:, 0]).all():
        equation = names[int(np.argmax(np.abs(left[0, :, -1])))]
        yield ("The residuals do not fix the algebraic variables: d(residual)/d(algebraic) is singular at all "
               f"{s.count} points, in "
               f"the equation '{equation}' (index above 1). Differentiate a constraint, or drop one that is implied "
               "by others.")


def _balances(s: Subject) -> Iterator[str]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    probe = s.model.balances(_values(s.model, *s.args(0)))
    if not probe:
        raise Skipped("no balances(self, s) declared")
    for label, model in s.corrected():
        def change(t: Any, x: Any, z: Any, u: Any, d: Any, model: Any = model) -> Any:
            def both(t: Any, x: Any, z: Any) -> Any:
                pairs = model.balances(_values(model, t, x, z, u, d)).values()
                return [jnp.stack([jnp.asarray(pair[i], float) for pair in pairs]) for i in range(2)]

            held = lambda t, x, z: both(t, x, z)[0]  # noqa: E731
            dx, flow = model.derivative(t, x, z, u, d)[0], both(t, x, z)[1]
            total = jax.jvp(lambda a, b: held(a, b, z), (t, x), (jnp.ones_like(t), dx))[1]
            size = jnp.abs(jax.jacfwd(held, 1)(t, x, z)) @ jnp.abs(dx) + jnp.abs(flow)
            return total - flow, size, jnp.abs(jax.jacfwd(held, 2)(t, x, z)).sum()

        off, size, hidden = (np.asarray(v) for v in jax.jit(jax.vmap(change))(*s.args()))
        if hidden.any():
            yield "What a balance holds depends on an algebraic variable. Write it with states and inputs only."
            return
        wrong = np.abs(off) > 1e-9 * np.maximum(size, 1e-300)
        if wrong.any():
            k, i = np.argwhere(wrong)[0]
            name = list(probe)[i]
            yield (f"The balance of {name} is off by {off[k, i]:.3g} a {s.model.time_unit} (of {size[k, i]:.3g} "
                   "turned over) with "
                   f"{label} at {s.tell(k)}. Make what a rate uses equal what it makes.")
            return


def _values(model: Any, t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
    return model.values(t, state=x, algebraic=z, input=u, disturbance=d)


def _term_calls(s: Subject) -> Iterator[tuple[str, Any, dict[str, Any], str, Any]]:
    """Name, term, sampled arguments, mode and function of every term whose arguments are signals, in every mode."""
    for name, term in s.model.terms().items():
        unit, dot, own = name.rpartition(".")
        part = s.model.units[unit] if dot else s.model
        signals = {q.name: q for q in part.signals}
        if not term.arguments or not all(a in signals or a == TIME for a in term.arguments):
            continue
        spans = {a: span(signals[a]) if a in signals else AGES for a in term.arguments}
        sampled = {a: s.random.uniform(*spans[a], 200) for a in term.arguments}
        yield name, term, sampled, "", getattr(part, own)
        for mode, fix in random_corrections(term, s.seed).items():
            yield name, term, sampled, mode, getattr(part.with_learned({own: fix}), own)


def _terms(s: Subject) -> Iterator[str]:
    import numpy as np

    seen = False
    base: Any = None
    for name, term, sampled, mode, function in _term_calls(s):
        seen = True
        values = np.asarray(function(**sampled))
        label = f"Term {name}" + (f" with a random {mode} correction" if mode else "")
        size = float(np.max(np.abs(values))) or 1.0
        for argument in term.vanishes_with:
            rest = float(np.max(np.abs(np.asarray(function(**sampled | {argument: np.zeros(200)})))))
            if not rest <= 1e-12 * size:
                yield (f"{label} is {rest:.3g} {term.unit} where {argument} is 0. Expected 0. Correct it or its "
                       "vanishes_with.")
        base = values if not mode else base
        inside = (base >= term.lower) & (base <= term.upper)
        slack = 1e-9 * size
        out = inside & ((values < term.lower - slack) | (values > term.upper + slack))
        if mode == "multiply":
            out = np.abs(values) > 3.0 * np.abs(base) + slack
        elif not mode:
            out = (values < term.lower - slack) | (values > term.upper + slack)
        if out.any():
            k = int(np.argmax(out))
            at = ", ".join(f"{a}={v[k]:.4g}" for a, v in sampled.items())
            yield (f"{label} is {values[k]:.4g} {term.unit} at {at}. Expected {term.lower:g} to {term.upper:g}. Check "
                   "it or its limits.")
    if not seen:
        raise Skipped("no term whose arguments are all signals")


def _monotone(s: Subject) -> Iterator[str]:
    import jax
    import numpy as np

    seen = False
    for name, term, sampled, mode, function in _term_calls(s):
        for sign, word, arguments in ((1, "rise", term.rises_with), (-1, "fall", term.falls_with)):
            for argument in arguments if not mode else ():
                seen = True

                def along(v: Any, rest: Mapping[str, Any] = sampled, a: str = argument, call: Any = function) -> Any:
                    return call(**dict(rest) | {a: v})

                slope = np.asarray(jax.jvp(along, (sampled[argument],), (np.ones(200),))[1])
                if (sign * slope < -1e-12 * np.max(np.abs(slope))).any():
                    k = int(np.argmin(sign * slope))
                    at = ", ".join(f"{a}={v[k]:.4g}" for a, v in sampled.items())
                    yield (f"Term {name} does not {word} with {argument} at {at} (slope {slope[k]:.3g}). Correct it or "
                           "its declaration.")
    if not seen:
        raise Skipped("no term declares rises_with or falls_with")


def _lowered(s: Subject) -> Iterator[str]:
    import jax
    import numpy as np

    from twin.simulation.kernels import lowered

    exact, labels = s.compiled, s.labels()
    if not labels:
        raise Skipped("no unknowns")
    kernels, slopes = lowered(s.model), jax.jit(jax.jacfwd(exact, 1))
    p = np.asarray(s.model.parameter_vector())
    for k in range(s.count):
        t, x, z, u, d = s.args(k)
        w = np.concatenate([x, z])
        value, slope = np.asarray(exact(t, w, u, d)), np.asarray(slopes(t, w, u, d))
        if not (np.isfinite(value).all() and np.isfinite(slope).all()):
            continue  # told by the check "finite"
        size = np.abs(value) + np.abs(slope) @ np.abs(w)
        wrong = ~(np.abs(kernels["rhs"](float(t), x, z, u, d, p) - value) <= 1e-10 * size)
        if not wrong.any():
            matrix = kernels["jacobian"](float(t), x, z, u, d, p)
            bound = np.abs(slope).max(axis=1, keepdims=True)
            wrong = (~(np.abs(matrix - slope) <= 1e-10 * np.maximum(bound, 1e-300))).any(axis=1)
        if wrong.any():
            yield (f"The lowered kernel and JAX differ in the equation {labels[int(np.argmax(wrong))]} at "
                   f"{s.tell(k)}. Report it: this "
                   "is a fault of Twinworks, not of the model.")
            return


def _copied(s: Subject) -> Iterator[str]:
    import numpy as np

    from twin.lowering.system import System, system_of

    twin = copy.deepcopy(s.model)
    other = Subject(twin, s.count - 1, s.seed)
    same = np.array_equal(s.compiled(*s.joined(0)), other.compiled(*other.joined(0)))
    if twin.parameter_vector() != s.model.parameter_vector() or not same:
        yield "A deep copy of the model gives other numbers. Keep no state outside its fields."
    text = system_of(s.model).to_json()
    if System.from_json(text).to_json() != text:
        yield ("The stored system differs from the one in memory. Report it: this is a fault of Twinworks, not of the "
               "model.")


CHECKS: dict[str, Callable[[Subject], Iterator[str]]] = {
    "units": _units, "described": _described, "finite": _finite, "gradient": _gradient, "smooth": _smooth,
    "index": _index, "balances": _balances, "terms": _terms, "monotone": _monotone,
    "lowered": _lowered, "copied": _copied,
}
