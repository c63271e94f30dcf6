"""Models: signals as class attributes, parameters as fields, equations as methods."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twin import errors, module
from twin.lazy import jnp
from twin.module import FrozenMap, Module
from twin.signals import Signal
from twin.terms import terms_of


class Values:
    """Named read-only values of one instant: every signal by name, and `time`."""

    __slots__ = ("_of", "_values")

    def __init__(self, of: str, values: Mapping[str, Any]) -> None:
        self._of, self._values = of, dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise errors.unknown("signal", name, self._of, self._values) from None

    def __dir__(self) -> list[str]:
        return list(self._values)


@dataclasses.dataclass(frozen=True)
class Row:
    """Where a signal lies in the flat vector of its role: positions `start`, `start + step`, ... (`count` of them)."""

    signal: Signal
    start: int
    step: int
    count: int
    shape: tuple[int, ...]

    @property
    def where(self) -> Any:
        """Index into the flat vector."""
        return slice(self.start, self.start + self.step * self.count, self.step) if self.shape else self.start


class Model(Module, abstract=True):
    """What dynamic and steady models share: signals, layout, parameters, terms."""

    learned: FrozenMap = dataclasses.field(default_factory=FrozenMap, kw_only=True)
    signals: ClassVar[tuple[Signal, ...]] = ()
    time_unit: ClassVar[str] = "s"

    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        found: dict[str, Signal] = {}
        for c in reversed(cls.__mro__):
            found |= {n: s for n, s in vars(c).items() if isinstance(s, Signal)}
        cls.signals = tuple(found.values())

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if f.metadata.get("kind") != "parameter" or not isinstance(value, int | float):
                continue
            low, high = f.metadata["bounds"]
            unit = f.metadata["unit"]
            if math.isnan(value):
                raise errors.SpecError(f"{type(self).__name__}.{f.name} is NaN {unit}. Expected a number. "
                                       "Leave it out to take the published value.", name=f.name)
            if not ((low is None or value >= low) and (high is None or value <= high)):
                raise errors.out_of_range(f"{type(self).__name__}.{f.name}", value, unit, low, high, "Check value and unit.")

    @classmethod
    def of_role(cls, role: str) -> tuple[Signal, ...]:
        """Signals of one role, in the order of declaration."""
        return tuple(s for s in cls.signals if s.role == role)

    def layout(self, role: str) -> tuple[Row, ...]:
        """Rows of one role: signals on cells come first, interleaved cell by cell (banded Jacobian), then scalars."""
        groups: dict[tuple[str, ...], list[Signal]] = {}
        for s in sorted(self.of_role(role), key=lambda s: not s.shape):
            groups.setdefault(s.shape, []).append(s)
        rows, at = [], 0
        for axes, members in groups.items():
            shape = tuple(int(getattr(self, a)) for a in axes)
            n, m = math.prod(shape), len(members)
            for i, s in enumerate(members):
                rows.append(Row(s, at + i, m if axes else 1, n, shape))
            at += m * n
        return tuple(rows)

    def size(self, role: str) -> int:
        """Length of the flat vector of a role."""
        return sum(r.count for r in self.layout(role))

    def values(self, time: Any, **vectors: Any) -> Values:
        """Flat vectors by role (any leading batch axes) as named values."""
        named: dict[str, Any] = {"time": time}
        for role, v in vectors.items():
            for r in self.layout(role):
                part = v[..., r.where]
                named[r.signal.name] = part.reshape(part.shape[:-1] + r.shape) if r.shape else part
        return Values(type(self).__name__, named)

    def pack(self, role: str, named: Mapping[str, Any], what: str) -> Any:
        """Values by name as the flat vector of a role; unknown and missing names are errors."""
        rows = self.layout(role)
        known = [r.signal.name for r in rows]
        for name in named:
            if name not in known:
                raise errors.unknown(role, name, f"{type(self).__name__}.{what}", known)
        missing = [n for n in known if n not in named]
        if missing:
            raise errors.SpecError(f"{type(self).__name__}.{what} gives no value for {', '.join(missing)}. "
                                   f"Return one for every {role}.")
        if not rows:
            return jnp.zeros(0)
        parts, group = [], []
        for k, r in enumerate(rows):
            value = jnp.asarray(named[r.signal.name])
            if value.ndim > len(r.shape):
                raise errors.SpecError(f"{type(self).__name__}.{what} gives {r.signal.name} the shape {value.shape}. "
                                       f"Expected {r.shape}.")
            group.append(jnp.broadcast_to(value, r.shape))
            if k + 1 == len(rows) or rows[k + 1].signal.shape != r.signal.shape:
                parts.append(jnp.stack(group, -1).reshape(-1))
                group = []
        return jnp.concatenate(parts) if len(parts) > 1 else parts[0]

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the entries of the parameter vector."""
        names: list[str] = []
        for path, value in module.leaves(self):
            n = module.size(value)
            names += [path] if not getattr(value, "shape", ()) else [f"{path}[{i}]" for i in range(n)]
        return tuple(names)

    def parameter_vector(self) -> list[float]:
        """All parameters and weights as plain floats, in the order of `parameter_names`."""
        flat: list[float] = []
        for _, value in module.leaves(self):
            flat += [float(v) for v in value.reshape(-1)] if getattr(value, "shape", ()) else [float(value)]
        return flat

    def with_parameter_vector(self, p: Any) -> Any:
        """Copy that reads its parameters from the vector `p` (tracers allowed)."""
        at = 0

        def take(leaf: Any) -> Any:
            nonlocal at
            n, shape = module.size(leaf), getattr(leaf, "shape", ())
            part = p[at:at + n].reshape(shape) if shape else p[at]
            at += n
            return part

        return module.rebuild(self, take)

    def with_learned(self, corrections: Mapping[str, Any]) -> Any:
        """Copy whose named terms are corrected; see `twin.learned`."""
        known = terms_of(type(self))
        for name in corrections:
            if name not in known:
                raise errors.unknown("term", name, type(self).__name__, known)
        return dataclasses.replace(self, learned=FrozenMap({**self.learned, **corrections}))

    def outputs(self, s: Any) -> Mapping[str, Any]:
        """Outputs by name; models without outputs leave it."""
        return {}

    @classmethod
    def example(cls) -> Any:
        """The model with its published parameters."""
        return cls()


class DynamicModel(Model, abstract=True):
    """A model that moves in time: `rhs(s)`, and where needed `residual`, `outputs`, `initial`, `recipe`, `cell`, `ends`."""

    def rhs(self, s: Any) -> Mapping[str, Any]:
        """Time derivatives of the states by name (of the scalar states where `cell` gives the others)."""
        return {}

    def residual(self, s: Any) -> Mapping[str, Any]:
        """Residuals of the algebraic equations, by the name of the algebraic variable each one fixes (index 1)."""
        return {}

    def initial(self) -> Mapping[str, Any]:
        """Initial states by name; those not given start at their nominal value."""
        return {}

    def recipe(self) -> Any:
        """The documented operation of the model, or None: then inputs must be given."""
        return None

    # A model of equal cells in a row also gives
    #   cell(self, left, own, right, s) -> derivatives (and residuals) of the signals on cells, scalars in, scalars out
    #   ends(self, first, last, s) -> (left ghost, right ghost), the values beyond both ends by name
    cell: ClassVar[Callable[..., Any] | None] = None
    ends: ClassVar[Callable[..., Any] | None] = None

    def on_cells(self) -> bool:
        """True where `cell` is given."""
        return type(self).cell is not None

    def derivative(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> tuple[Any, Any]:
        """Flat dx/dt and flat algebraic residual: the JAX form of the whole model."""
        s = self.values(t, state=x, algebraic=z, input=u, disturbance=d)
        dx, r = dict(self.rhs(s)), dict(self.residual(s))
        if self.on_cells():
            for name, value in self._cells(s).items():
                (dx if name in {q.name for q in self.of_role("state")} else r)[name] = value
        return self.pack("state", dx, "rhs"), self.pack("algebraic", r, "residual")

    def output_vector(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
        """Flat outputs."""
        s = self.values(t, state=x, algebraic=z, input=u, disturbance=d)
        return self.pack("output", self.outputs(s), "outputs")

    def cell_names(self) -> tuple[str, ...]:
        """Signals on cells whose values `cell` reads: states, then algebraics."""
        return tuple(s.name for role in ("state", "algebraic") for s in self.of_role(role) if s.shape)

    def profile_names(self) -> tuple[str, ...]:
        """Parameters that vary along the cells."""
        return tuple(f.name for f in dataclasses.fields(self) if f.metadata.get("shape"))

    def _cells(self, s: Values) -> dict[str, Any]:
        import jax

        names, kind = self.cell_names(), type(self).__name__
        n = next(r.count for r in (*self.layout("state"), *self.layout("algebraic")) if r.shape)
        scalars = Values(kind, {k: v for k, v in s._values.items() if k not in names})
        fields = {k: s._values[k] for k in names}
        profiles = {k: getattr(self, k) for k in self.profile_names()} | {"position": (jnp.arange(n) + 0.5) / n}
        end = lambda i: Values(kind, {k: v[i] for k, v in (fields | profiles).items()})  # noqa: E731
        low, high = self.ends(end(0), end(-1), scalars)  # type: ignore[misc]
        left = {k: jnp.concatenate([jnp.asarray(low[k])[None], fields[k][:-1]]) for k in names if k in low}
        right = {k: jnp.concatenate([fields[k][1:], jnp.asarray(high[k])[None]]) for k in names if k in high}
        wrap = lambda v: Values(kind, v)  # noqa: E731

        def one(a: Any, b: Any, c: Any) -> Any:
            return self.cell(wrap(a), wrap(b), wrap(c), scalars)  # type: ignore[misc]

        return jax.vmap(one)(left, fields | profiles, right)


class SteadyModel(Model, abstract=True):
    """A model without time: algebraics fixed by `residual(s)`, outputs by `outputs(s)`."""

    def residual(self, s: Any) -> Mapping[str, Any]:
        """Residuals by the name of the algebraic variable each one fixes."""
        return {}


