"""Models: signals as class attributes, parameters as fields, equations as methods."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from twin import errors, module, parameters, signals
from twin.lazy import jnp
from twin.module import FrozenMap, Module
from twin.shares import Shares
from twin.signals import Signal
from twin.terms import term, terms_of
from twin.values import Row, Values, need_double


class _Signals:
    """All signals: of a class the declared ones, of an instance also the outputs added to it."""

    def __get__(self, model: Any, owner: Any) -> tuple[Signal, ...]:
        return owner._declared if model is None else model._all_signals()


class _OfRole:
    def __get__(self, model: Any, owner: Any) -> Callable[[str], tuple[Signal, ...]]:
        def of_role(role: str) -> tuple[Signal, ...]:
            """Signals of one role, in the order of declaration."""
            return tuple(s for s in (owner if model is None else model).signals if s.role == role)

        return of_role


class Model(Module, abstract=True):
    """What dynamic and steady models share: signals, layout, parameters, terms."""

    learned: FrozenMap = dataclasses.field(default_factory=FrozenMap, kw_only=True)
    relations: FrozenMap = dataclasses.field(default_factory=FrozenMap, kw_only=True)
    added: tuple[Any, ...] = dataclasses.field(default=(), kw_only=True, metadata={"static": True})
    _declared: ClassVar[tuple[Signal, ...]] = ()
    _networks: ClassVar[tuple[Any, ...]] = ()
    _shares: ClassVar[tuple[Shares, ...]] = ()
    signals = _Signals()
    of_role = _OfRole()
    time_unit: ClassVar[str] = "s"

    def __init_subclass__(cls, abstract: bool = False, **kw: Any) -> None:
        super().__init_subclass__(abstract=abstract, **kw)
        found: dict[str, Signal] = {}
        for c in reversed(cls.__mro__):
            found |= {n: s for n, s in vars(c).items() if isinstance(s, Signal)}
        cls._declared = tuple(found.values())
        cls._networks = tuple(v for c in cls.__mro__ for v in vars(c).values() if hasattr(v, "rates_of_change"))
        cls._shares = tuple(v for c in cls.__mro__ for v in vars(c).values() if isinstance(v, Shares))
        if not cls.__module__.startswith("twin."):
            _check_names(cls, found)

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            if f.metadata.get("kind") == "parameter":
                shape = tuple(self._axis(a) for a in f.metadata["shape"])
                value = parameters.checked(f"{self.title}.{f.name}", getattr(self, f.name), f.metadata, shape)
                object.__setattr__(self, f.name, value)
        for network in self._networks:
            network.check(self)
        for shares in self._shares:
            shares.check(self.title, {n: getattr(self, n) for n in shares.names if n in self.__dataclass_fields__})

    @property
    def title(self) -> str:
        """What to call the model in messages and reports."""
        return type(self).__name__

    def _all_signals(self) -> tuple[Signal, ...]:
        return (*self._declared, *(signal for signal, _ in self.added))

    def _axis(self, name: str) -> int:
        value: Any = self
        for part in name.split("."):
            value = getattr(value, part)
        return int(value)

    def layout(self, role: str) -> tuple[Row, ...]:
        """Rows of one role: signals on cells come first, interleaved cell by cell (banded Jacobian), then scalars."""
        groups: dict[tuple[str, ...], list[Signal]] = {}
        for s in sorted(self.of_role(role), key=lambda s: not s.shape):
            groups.setdefault(s.shape, []).append(s)
        rows, at = [], 0
        for axes, members in groups.items():
            shape = tuple(self._axis(a) for a in axes)
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
            need_double(v, f"{self.title}: the {role} vector")
            for r in self.layout(role):
                part = v[..., r.where]
                named[r.signal.name] = part.reshape(part.shape[:-1] + r.shape) if r.shape else part
        return Values(self.title, named)

    def pack(self, role: str, named: Mapping[str, Any], what: str) -> Any:
        """Values by name as the flat vector of a role; unknown and missing names are errors."""
        rows = self.layout(role)
        known = [r.signal.name for r in rows]
        for name in named:
            if name not in known:
                raise errors.unknown(role, name, f"{self.title}.{what}", known)
        missing = [n for n in known if n not in named]
        if missing:
            raise errors.SpecError(f"{self.title}.{what} gives no value for {', '.join(missing)}. "
                                   f"Return one for every {role}.")
        if not rows:
            return jnp.zeros(0)
        parts, group = [], []
        for k, r in enumerate(rows):
            value = jnp.asarray(named[r.signal.name])
            need_double(value, f"{self.title}.{what}: {r.signal.name}")
            if value.ndim > len(r.shape):
                raise errors.SpecError(f"{self.title}.{what} gives {r.signal.name} the shape {value.shape}. "
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

    def terms(self) -> dict[str, term]:
        """The terms that can be corrected, by name."""
        return terms_of(type(self))

    def corrections(self) -> dict[str, Any]:
        """The learned corrections by term."""
        return dict(self.learned)

    def with_learned(self, corrections: Mapping[str, Any]) -> Any:
        """Copy whose named terms are corrected.

        Parameters
        ----------
        corrections
            Term name -> `twin.Multiply`, `twin.Add` or `twin.Replace`, or a net alone, which multiplies.

        Raises
        ------
        SpecError
            For an unknown term, or a correction that does not fit its term.
        """
        from twin import learned  # numbers of few models: not part of what every import loads

        sizes = {s.name: s.nominal for s in self.signals}
        fixed = {n: learned.fitted(fix, self._term(n), f"{self.title}.{n}", sizes) for n, fix in corrections.items()}
        return dataclasses.replace(self, learned=FrozenMap({**self.learned, **fixed}))

    def with_term(self, name: str, relation: Any) -> Any:
        """Copy whose term `name` is computed by another relation: a `twin.Module` called with the term's arguments."""
        self._term(name)
        if not callable(relation):
            raise errors.SpecError(f"The relation for {self.title}.{name} is a {type(relation).__name__}. Expected a "
                                   "Module with "
                                   f"__call__(self, {', '.join(self._term(name).arguments)}).")
        return dataclasses.replace(self, relations=FrozenMap({**self.relations, name: relation}))

    def _term(self, name: str) -> term:
        known = self.terms()
        if name not in known:
            raise errors.unknown("term", name, self.title, known)
        return known[name]

    def with_output(self, name: str, unit: str, function: Callable[[Values], Any], *, lower: float = -math.inf,
                    upper: float = math.inf, nominal: float = 1.0, doc: str = "") -> Any:
        """Copy with one more output, computed from all signals and the outputs before it.

        Examples
        --------
        >>> from processes.bioreactor import Penicillin
        >>> model = Penicillin().with_output("profit", "EUR", lambda s: 40.0 * s.product_mass)
        >>> [s.name for s in model.of_role("output")]
        ['carbon', 'evaporation_rate', 'product_mass', 'profit']
        """
        if not name.isidentifier() or name in {s.name for s in self.signals} or hasattr(self, name):
            raise errors.SpecError(f"{self.title} cannot have an output '{name}'. Expected a plain name that is not "
                                   "in use.", name=name)
        signal = Signal(role="output", unit=unit, lower=lower, upper=upper, nominal=nominal, doc=doc, name=name)
        signals.check(signal, self.title)
        return dataclasses.replace(self, added=(*self.added, (signal, function)))

    def residual(self, s: Any) -> Mapping[str, Any]:
        """Residuals of the algebraic equations, by the name of the algebraic variable each one fixes (index 1)."""
        return {}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        """Outputs by name; models without outputs leave it."""
        return {}

    def all_outputs(self, s: Values) -> dict[str, Any]:
        """Outputs by name with those of `with_output`."""
        found = dict(self.outputs(s))
        for signal, function in self.added:
            found[signal.name] = function(s._with(found))
        return found

    def equations(self, s: Values) -> tuple[dict[str, Any], dict[str, Any]]:
        """Derivatives of all states and residuals of all algebraics, by name."""
        return {}, dict(self.residual(s))

    def derivative(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> tuple[Any, Any]:
        """Flat dx/dt and flat algebraic residual: the JAX form of the whole model."""
        dx, r = self.equations(self.values(t, state=x, algebraic=z, input=u, disturbance=d))
        return self.pack("state", dx, "rhs"), self.pack("algebraic", r, "residual")

    def output_vector(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
        """Flat outputs."""
        s = self.values(t, state=x, algebraic=z, input=u, disturbance=d)
        return self.pack("output", self.all_outputs(s), "outputs")

    def initial(self) -> Mapping[str, Any]:
        """Initial states by name; those not given start at their nominal value."""
        return {}

    def recipe(self) -> Any:
        """The documented operation of the model, or None: then inputs must be given."""
        return None

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """What is conserved: name -> (amount held, net flow in); `check_model` proves that no correction breaks it."""
        return {}

    def on_cells(self) -> bool:
        """True where the equations are those of equal cells in a row."""
        return False

    def what_must_i_set(self) -> tuple[str, ...]:
        """Inputs that have no value in the recipe of the model: those a user must give."""
        recipe = self.recipe()
        given = {n for phase in recipe.phases for n in phase.inputs} if recipe is not None else set()
        return tuple(s.name for s in self.of_role("input") if s.name not in given)

    def describe(self) -> Any:
        """What must be set, and all signals, parameters and terms with units and sources: a `twin.Description`."""
        from twin import describe

        return describe.description(self)

    @classmethod
    def example(cls) -> Any:
        """The model with its published parameters."""
        return cls()


def _check_names(cls: type[Model], found: Mapping[str, Signal]) -> None:
    """Refuse names with two meanings, and signals that contradict themselves."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    for name, signal in found.items():
        signals.check(signal, cls.__name__)
        if name in fields:
            raise TypeError(f"'{name}' is a signal and a parameter of {cls.__name__}. Rename one of the two.")
        if signal.per and signal.per not in found:
            raise errors.unknown("signal", signal.per, f"{cls.__name__}.{name} (per=)", found)
        for axis in signal.shape:
            if axis not in fields or not fields[axis].metadata.get("static"):
                known = [n for n, f in fields.items() if f.metadata.get("kind") == "static"]
                raise errors.unknown("static", axis, f"{cls.__name__}.{name} (shape=)", known)
    for shares in cls._shares:
        for name in shares.names:
            if name not in found and name not in fields:
                raise errors.unknown("signal or parameter", name, f"{cls.__name__} (Shares)", [*found, *fields])
    declared = {*found, *(n for n, f in fields.items() if f.metadata.get("kind"))}
    for base in cls.__mro__[1:]:
        own = {n for n in vars(base) if not n.startswith("__")} if base.__module__.startswith("twin.") else set()
        for name in sorted(declared & own):
            raise TypeError(f"'{name}' of {cls.__name__} hides {base.__name__}.{name}. Choose another name.")
    for c in cls.__mro__:
        for name in vars(c):
            if name in found and not isinstance(vars(c)[name], Signal):
                raise TypeError(f"'{name}' is a signal of {cls.__name__} and something else in {c.__name__}. Rename "
                                "one of the two.")


class DynamicModel(Model, abstract=True):
    """A model that moves in time: `rhs(s)`, where needed `residual`, `outputs`, `initial`, `recipe`, `cell`, `ends`."""

    def rhs(self, s: Any) -> Mapping[str, Any]:
        """Time derivatives of the states by name (of the scalar states where `cell` gives the others)."""
        return {}

    # A model of equal cells in a row also gives
    #   cell(self, left, own, right, s) -> derivatives (and residuals) of the signals on cells, scalars in, scalars out
    #   ends(self, first, last, s) -> (left ghost, right ghost), the values beyond both ends by name
    cell: ClassVar[Callable[..., Any] | None] = None
    ends: ClassVar[Callable[..., Any] | None] = None

    def on_cells(self) -> bool:
        """True where `cell` is given."""
        return type(self).cell is not None

    def equations(self, s: Values) -> tuple[dict[str, Any], dict[str, Any]]:
        """Derivatives of all states and residuals of all algebraics, by name."""
        dx, r = dict(self.rhs(s)), dict(self.residual(s))
        if self.on_cells():
            states = {q.name for q in self.of_role("state")}
            for name, value in self._cells(s).items():
                (dx if name in states else r)[name] = value
        return dx, r

    def cell_names(self) -> tuple[str, ...]:
        """Signals on cells whose values `cell` reads: states, then algebraics."""
        return tuple(s.name for role in ("state", "algebraic") for s in self.of_role(role) if s.shape)

    def profile_names(self) -> tuple[str, ...]:
        """Parameters that vary along the cells."""
        axes = next((s.shape for s in self.signals if s.shape), None)
        return tuple(f.name for f in dataclasses.fields(self) if f.metadata.get("shape") and f.metadata["shape"] == axes)

    def _cells(self, s: Values) -> dict[str, Any]:
        import jax

        names, kind = self.cell_names(), self.title
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

    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        for s in cls.of_role("state"):
            raise TypeError(f"{cls.__name__} is a SteadyModel with the state '{s.name}'. Declare it twin.algebraic, "
                            "or make it a DynamicModel.")
