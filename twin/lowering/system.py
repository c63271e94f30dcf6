"""System: one model as data, all that simulation, steady states and artifacts need of it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twin.errors import LoweringError, SpecError
from twin.lowering import cache, source_key
from twin.lowering.program import Program
from twin.model import Row
from twin.signals import ROLES, Signal

SYSTEM_VERSION = 1
SMALL = 60  # most unknowns of a model that is lowered element by element
PROGRAMS = ("rhs", "jacobian", "input_jacobian", "parameter_jacobian", "outputs", "output_jacobian",
            "output_sensitivity", "hessian", "sensitivity", "sensitivity_tangent")


MOST_KNOWN = 64
_KNOWN: dict[str, System] = {}


@dataclasses.dataclass(frozen=True)
class CellStructure:
    """Unknowns of a model on cells: m_x states and m_z algebraics a cell, then border_x and border_z scalars."""

    count: int
    m_x: int
    m_z: int
    border_x: int
    border_z: int
    pattern: tuple[tuple[int, int, int], ...]  # (which, i, j): 0 left, 1 own, 2 right cell, 3 border column


@dataclasses.dataclass(frozen=True, eq=False)
class System:
    """One model as data; programs are lowered when first asked for."""

    name: str
    time_unit: str
    rows: Mapping[str, tuple[Row, ...]]
    parameters: tuple[str, ...]
    values: tuple[float, ...]
    initial: Mapping[str, Any]
    cells: CellStructure | None = None
    _programs: dict[str, Program] = dataclasses.field(default_factory=dict, repr=False)
    _patterns: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    _lower: Callable[[System, str], None] | None = dataclasses.field(default=None, repr=False)
    _stored: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)  # programs not read from text yet

    def layout(self, role: str) -> tuple[Row, ...]:
        """Where the signals of a role lie in its flat vector."""
        return self.rows[role]

    def size(self, role: str) -> int:
        """Length of the flat vector of a role."""
        return sum(r.count for r in self.rows[role])

    @property
    def signals(self) -> tuple[Signal, ...]:
        """All signals in role order."""
        return tuple(r.signal for role in ROLES for r in self.rows[role])

    def of_role(self, role: str) -> tuple[Signal, ...]:
        """Signals of one role."""
        return tuple(r.signal for r in self.rows[role])

    n_x = property(lambda self: self.size("state"))
    n_z = property(lambda self: self.size("algebraic"))
    n_u = property(lambda self: self.size("input"))
    n_d = property(lambda self: self.size("disturbance"))
    n_y = property(lambda self: self.size("output"))
    n_p = property(lambda self: len(self.parameters))

    @property
    def structure(self) -> str:
        """Layout of the linear systems: "dense" or "cells"."""
        return "dense" if self.cells is None else "cells"

    def parameter_names(self) -> tuple[str, ...]:
        """Names of the entries of the parameter vector."""
        return self.parameters

    def parameter_vector(self) -> list[float]:
        """Parameters and weights the system was made with."""
        return list(self.values)

    def program(self, name: str) -> Program:
        """Program by name, lowered if it is not there yet."""
        if name not in PROGRAMS:
            raise SpecError(f"There is no program '{name}'. Known: {', '.join(PROGRAMS)}.")
        if name in self._stored:
            self._programs[name] = Program.from_data(self._stored.pop(name))
        if name not in self._programs:
            if self._lower is None:
                raise LoweringError(f"The stored system of {self.name} does not hold the program '{name}'. "
                                    f"It holds {', '.join(self.held)}. Save it again with this program.")
            self._lower(self, name)
        return self._programs[name]

    @property
    def held(self) -> tuple[str, ...]:
        """Names of the programs that are there without lowering anything."""
        return (*self._programs, *self._stored)

    @property
    def pattern(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Rows and columns of the Jacobian's nonzeros (structure "dense")."""
        self.program("jacobian")
        rows, columns = self._patterns["jacobian"]
        return tuple(rows), tuple(columns)

    @property
    def autonomous(self) -> bool:
        """True where time does not occur in the equations."""
        return not _mentions_time(self.program("rhs").body)

    def to_json(self, programs: tuple[str, ...] = ("rhs", "jacobian", "outputs")) -> str:
        """Exact text of the system with these programs."""
        held = {n: self.program(n).to_data() for n in programs}
        rows = {role: [[dataclasses.asdict(r.signal) | {"lower": r.signal.lower.hex() if math.isinf(r.signal.lower)
                                                        else r.signal.lower,
                                                        "upper": r.signal.upper.hex() if math.isinf(r.signal.upper)
                                                        else r.signal.upper},
                        r.start, r.step, r.count, r.shape] for r in self.rows[role]] for role in ROLES}
        return json.dumps({"version": SYSTEM_VERSION, "name": self.name, "time_unit": self.time_unit, "rows": rows,
                           "parameters": self.parameters, "values": [v.hex() for v in self.values],
                           "initial": self.initial,
                           "cells": None if self.cells is None else dataclasses.asdict(self.cells),
                           "patterns": self._patterns, "programs": held}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str, lower: Callable[[System, str], None] | None = None) -> System:
        """The system written by `to_json`."""
        raw = json.loads(text)
        if raw.get("version") != SYSTEM_VERSION:
            raise SpecError(f"The stored system has version {raw.get('version')}. Expected {SYSTEM_VERSION}. "
                            "Save it again.")
        rows = {role: tuple(Row(_signal(s), start, step, count, tuple(shape)) for s, start, step, count, shape in found)
                for role, found in raw["rows"].items()}
        cells = raw["cells"] and CellStructure(**raw["cells"] | {"pattern": tuple(map(tuple, raw["cells"]["pattern"]))})
        return cls(raw["name"], raw["time_unit"], rows, tuple(raw["parameters"]),
                   tuple(float.fromhex(v) for v in raw["values"]), raw["initial"], cells, {}, raw["patterns"], lower,
                   raw["programs"])


def _signal(raw: dict[str, Any]) -> Signal:
    limits = {k: float.fromhex(raw[k]) if isinstance(raw[k], str) else raw[k] for k in ("lower", "upper")}
    return Signal(**{**raw, **limits, "shape": tuple(raw["shape"])})


def _mentions_time(body: Any) -> bool:
    return any(s[0] == "time" or (s[0] == "loop" and _mentions_time(s[3])) for s in body)


def system_of(model: Any) -> System:
    """The model as a System; one that is a System already is returned as it is."""
    if isinstance(model, System):
        return model
    held = getattr(model, "system", None)
    if isinstance(held, System):
        return held
    initial = {k: _plain(v) for k, v in model.initial().items()} if hasattr(model, "initial") else {}
    values = tuple(model.parameter_vector())
    key = source_key.source_key(model)
    stored = cache.load(f"system-{key}.json") if key else None
    lower = _Lowering(model, key)
    if stored is not None:
        return dataclasses.replace(System.from_json(stored.decode(), lower), values=values, initial=initial)
    rows = {role: model.layout(role) for role in ROLES}
    system = System(model.title, model.time_unit, rows, model.parameter_names(), values, initial, None, {}, {}, lower)
    return _known(system, lower)


def _known(system: System, lower: _Lowering) -> System:
    """The system with the derivatives of an equal one traced before in this process.

    Equations and outputs are traced anew each time, so that a changed constant is seen; only what follows from them is
    kept. A rule for derivatives (`custom_jvp`, `stop_gradient`) leaves no trace in the equations: hence the code, too.
    """
    if not (lower.on_cells() or lower.is_small()):
        return dataclasses.replace(system, cells=lower.structure())
    programs = [system.program(name).key() for name in ("rhs", "outputs")]
    key = cache.digest(system.name, system.rows, _code(type(lower.model)), *programs, *system.parameters)
    if key not in _KNOWN:
        while len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = dataclasses.replace(system, cells=lower.structure())
    old = _KNOWN[key]
    return dataclasses.replace(system, cells=old.cells, _programs=old._programs, _patterns=old._patterns)


def _code(cls: type) -> str:
    """What the methods of a class do, and the names they use."""
    found = [getattr(v, "function", v) for c in cls.__mro__ for v in vars(c).values()]
    codes = [f.__code__ for f in found if hasattr(f, "__code__")]
    return cache.digest(*(f"{c.co_code!r}{c.co_consts}{c.co_names}" for c in codes))


def _plain(value: Any) -> Any:
    return [float(v) for v in value] if hasattr(value, "__len__") else float(value)


@dataclasses.dataclass(frozen=True, eq=False)
class _Lowering:
    """Lowers programs of a model into its system, and files the system where the model is an installed one."""

    model: Any
    key: str | None

    def structure(self) -> CellStructure | None:
        """Layout of a model on cells, and of a large one in whole arrays where it has one."""
        if self.on_cells():
            from twin.lowering import cell_mode

            return cell_mode.structure(self.model)
        if self.is_small():
            return None
        from twin.lowering import sparsity

        return sparsity.structure(self.model)

    def is_small(self) -> bool:
        return bool(self.model.size("state") + self.model.size("algebraic") <= SMALL)

    def on_cells(self) -> bool:
        return bool(getattr(self.model, "on_cells", lambda: False)())

    def __call__(self, system: System, name: str) -> None:
        if self.on_cells() and not (name == "hessian" and self.is_small()):  # a dense Hessian only makes sense for few cells
            from twin.lowering import cell_mode

            system._programs[name] = cell_mode.lower_cells(self.model, name)
        elif self.is_small():
            lower_dense(self.model, system, name)
        else:
            from twin.lowering import sparsity

            system._programs[name] = sparsity.lower_large(self.model, name, system.cells)
            n = 0 if system.cells else system.n_x + system.n_z
            system._patterns["jacobian"] = [[k // n for k in range(n * n)], [k % n for k in range(n * n)]]
        if self.key and {"rhs", "jacobian", "outputs"} <= set(system.held):
            cache.store(f"system-{self.key}.json", system.to_json(system.held).encode())


def lower_dense(model: Any, system: System, name: str) -> None:
    """Lower one program of a model without cells into the system."""
    from twin.lowering import derivatives
    from twin.lowering.builder import Builder
    from twin.lowering.scalar import finish, lower_scalar, scalar_nodes

    known = derivatives.functions(model)
    if name != "jacobian":
        function, sizes = known[name]()
        system._programs[name] = lower_scalar(function, name, sizes)
        return
    b = Builder()
    function, sizes = known["jacobian_dense"]()
    n = sizes["x"] + sizes["z"]
    nodes = scalar_nodes(function, sizes, b) if n else []
    places = [k for k, node in enumerate(nodes) if b.constant(node) != 0.0]
    nodes_t = scalar_nodes(derivatives.time_derivative(model), sizes, b)
    system._patterns["jacobian"] = [[k // n for k in places], [k % n for k in places]]
    check_index(model.title, model.layout("algebraic"), sizes["x"], [divmod(k, n) for k in places])
    system._programs[name] = finish(name, sizes, b, [nodes[k] for k in places] + nodes_t)


def check_index(model: str, rows: Iterable[Row], n_x: int, places: Iterable[tuple[int, int]]) -> None:
    """Refuse residuals that cannot fix the algebraics: no pairing of residuals with variables they depend on.

    `rows` are the algebraics, `places` the rows and columns of the nonzeros of d(rhs)/d(x, z).
    """
    names = {r.start + k * r.step: r.signal.name for r in rows for k in range(r.count)}
    reads: dict[int, list[int]] = {i: [] for i in names}
    for i, j in places:
        if i >= n_x and j >= n_x:
            reads[i - n_x].append(j - n_x)
    fixed_by: dict[int, int] = {}

    def pair(i: int, tried: set[int]) -> bool:
        for j in reads[i]:
            if j not in tried:
                tried.add(j)
                if j not in fixed_by or pair(fixed_by[j], tried):
                    fixed_by[j] = i
                    return True
        return False

    for i, name in names.items():
        if not pair(i, set()):
            held = ", ".join(sorted({names[j] for j in reads[i]})) or "no algebraic variable"
            raise SpecError(f"{model}: the algebraic residual '{name}' depends on {held} and leaves no variable that it can "
                            "fix (index above 1). Differentiate the constraint, or make the variable a state.", name=name)
