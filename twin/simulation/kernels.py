"""A model at one point: functions and derivatives as numpy, from lowered kernels, or from JAX where there are none."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twin import errors
from twin.simulation.checks import Checker, name_of

Function = Callable[..., Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """Values of all signals at one instant; `point["c_a"]` or `point.values` by name, `point.units` beside them."""

    model: str
    values: Mapping[str, Any]
    units: Mapping[str, str] = dataclasses.field(repr=False)
    x: tuple[float, ...] = dataclasses.field(repr=False)
    z: tuple[float, ...] = dataclasses.field(repr=False)
    u: tuple[float, ...] = dataclasses.field(repr=False)
    d: tuple[float, ...] = dataclasses.field(repr=False)
    p: tuple[float, ...] = dataclasses.field(repr=False)

    def __getitem__(self, name: str) -> Any:
        if name not in self.values:
            raise errors.unknown("signal", name, self.model, self.values)
        return self.values[name]


class Kernels:
    """The functions of one model with numpy in and out; unknowns w are the states, then the algebraics."""

    def __init__(self, model: Any, check_limits: bool = True) -> None:
        self.model, self.name = model, name_of(model)
        self.check = Checker(model, check_limits)
        self.time_unit = str(getattr(model, "time_unit", ""))
        self.n_x, self.n_z, self.n_y = (self.size(role) for role in ("state", "algebraic", "output"))
        self.n_e = self.size("input") + self.size("disturbance")

    def size(self, role: str) -> int:
        """Length of the flat vector of a role."""
        return sum(r.count for r in self.model.layout(role))

    @functools.cached_property
    def functions(self) -> Mapping[str, Function]:
        """Kernel name -> function(t, x, z, u, d, p) -> flat numpy array; `jacobian` is dense."""
        if not hasattr(self.model, "derivative") and not hasattr(self.model, "program"):
            return traced(self.model)
        try:
            return lowered(self.model)
        except errors.LoweringError:
            return traced(self.model)

    def rates(self, point: Point, w: Any = None) -> Any:
        """dx/dt and the residuals at the point, or at other unknowns w."""
        return self.functions["rhs"](*self._at(point, w))

    def jacobian(self, point: Point, w: Any = None) -> Any:
        """Derivatives of `rates` with respect to w, shape (n, n)."""
        n = self.n_x + self.n_z
        return self.functions["jacobian"](*self._at(point, w)).reshape(n, n)

    def matrix(self, name: str, point: Point, rows: int) -> Any:
        """One of the dense derivative kernels, shape (rows, ...)."""
        import numpy as np

        width = self.n_e if name == "input_jacobian" else self.n_x + self.n_z + self.n_e
        if not rows or not width:
            return np.zeros((rows, width))
        return self.functions[name](*self._at(point, None)).reshape(rows, width)

    def _at(self, point: Point, w: Any) -> tuple[Any, ...]:
        x, z = (point.x, point.z) if w is None else (w[:self.n_x], w[self.n_x:])
        return 0.0, x, z, point.u, point.d, point.p

    def labels(self, role: str) -> dict[str, str]:
        """Names of the entries of a role's flat vector with their units."""
        found: dict[int, tuple[str, str]] = {}
        for r in self.model.layout(role):
            for i in range(r.count):
                label = f"{r.signal.name}[{i}]" if r.shape else r.signal.name
                found[r.start + i * r.step] = (label, r.signal.unit)
        return dict(found[k] for k in sorted(found))

    def scale(self) -> Any:
        """Nominal sizes of the unknowns, never zero."""
        import numpy as np

        flat = np.abs(self.check.nominal("state") + self.check.nominal("algebraic"))
        return np.where(flat > 0, flat, 1.0)

    def limits(self) -> tuple[Any, Any]:
        """Lower and upper limits of the unknowns."""
        return self._limit("lower"), self._limit("upper")

    def _limit(self, side: str) -> Any:
        import numpy as np

        parts = []
        for role in ("state", "algebraic"):
            flat = np.zeros(self.size(role))
            for r in self.model.layout(role):
                flat[r.where] = getattr(r.signal, side)
            parts.append(flat)
        return np.concatenate(parts)

    def box(self) -> tuple[Any, Any]:
        """Finite bounds of the region to search: the limits, or ten nominal sizes where there is none."""
        import numpy as np

        (lower, upper), scale = self.limits(), self.scale()
        low = np.where(np.isfinite(lower), lower, np.where(np.isfinite(upper), upper, 0.0) - 10 * scale)
        return low, np.where(np.isfinite(upper), upper, np.where(np.isfinite(lower), lower, 0.0) + 10 * scale)

    def overwritten(self, w: Any, given: Mapping[str, Any]) -> Any:
        """Unknowns with values by name written over them."""
        import numpy as np

        states, algebraics = self.check.rows("state"), self.check.rows("algebraic")
        for name in given:
            if name not in states and name not in algebraics:
                raise errors.unknown("state or algebraic", name, self.name, [*states, *algebraics])
        x = self.check.vector("state", {k: v for k, v in given.items() if k in states}, w[:self.n_x], "state")
        rest = {k: v for k, v in given.items() if k in algebraics}
        z = self.check.vector("algebraic", rest, w[self.n_x:], "algebraic")
        return np.asarray(x + z, dtype=float)

    def point(self, at: Any, inputs: Mapping[str, Any] | None, parameters: Mapping[str, Any] | None, *,
              consistent: bool = True) -> Point:
        """The point a user names: another point, a trajectory's end, states by name, or None for the initial states."""
        p = self.check.parameters(parameters)
        fixed: dict[str, Any] = {}
        if isinstance(at, Point):
            p = self.check.parameters(parameters) if parameters is not None else list(at.p)
            fixed, guess = dict(at.values), list(at.x + at.z)
        elif hasattr(at, "final"):
            fixed = dict(at.final)
            p = self.check.parameters(parameters) if parameters is not None else list(at.parameters.values()) or p
            guess = self._packed(fixed)
        else:
            given = {k: v for k, v in (at or {}).items() if k in self.check.rows("state")}
            start = self.check.initial(given) if self.n_x else []
            guess = start + self.check.nominal("algebraic")
            if at:
                guess = [float(v) for v in self.overwritten(guess, at)]
        u, d = self._entries({k: v for k, v in fixed.items() if k in self.check.rows("input", "disturbance")}, inputs)
        base = Point(self.name, {}, {}, tuple(guess[:self.n_x]), tuple(guess[self.n_x:]), u, d, tuple(p))
        if not consistent:
            return base
        return self.with_unknowns(base, self.consistent(base) if self.n_z else guess)

    def _packed(self, named: Mapping[str, Any]) -> list[float]:
        flat: list[float] = []
        for role in ("state", "algebraic"):
            part = self.check.nominal(role)
            for r in self.model.layout(role):
                values = named[r.signal.name]
                for i in range(r.count):
                    part[r.start + i * r.step] = float(values[i] if r.shape else values)
            flat += part
        return flat

    def _entries(self, fixed: Mapping[str, Any], inputs: Mapping[str, Any] | None) -> tuple[tuple[float, ...], ...]:
        if not fixed and hasattr(self.model, "recipe"):
            recipe = self.check.recipe(None, inputs)
            fixed = {k: self._constant(k, v) for k, v in recipe.phases[0].inputs.items()}
        elif not fixed:
            self._need(inputs or {})
        given = {**fixed, **(inputs or {})}
        rows = self.check.rows("input", "disturbance")
        for name in given:
            if name not in rows:
                raise errors.unknown("input", name, self.name, rows)
        return tuple(tuple(self.check.vector(role, {k: v for k, v in given.items() if rows[k].signal.role == role},
                                             self.check.nominal(role), role)) for role in ("input", "disturbance"))

    def _need(self, inputs: Mapping[str, Any]) -> None:
        missing = [r.signal for r in self.model.layout("input") if r.signal.name not in inputs]
        if missing:
            rows = "; ".join(f"{s.name} in {s.unit}, {s.lower:g} to {s.upper:g}, for example {s.nominal:g}"
                             for s in missing)
            raise errors.SpecError(f"{self.name} needs a value for {len(missing)} input(s): {rows}. Give them as "
                                   f"inputs={{...}}.")

    def _constant(self, name: str, value: Any) -> float:
        if isinstance(value, int | float):
            return float(value)
        raise errors.SpecError(f"The recipe moves {self.name}.{name} with a {type(value).__name__}. Expected "
                               "constant inputs. "
                               f"Give inputs={{'{name}': ...}}.")

    def consistent(self, base: Point) -> list[float]:
        """Unknowns whose algebraics satisfy their equations at the given states."""
        import numpy as np

        n, w, scale = self.n_x, np.asarray(base.x + base.z, dtype=float), self.scale()
        for _ in range(50):
            residual = self.rates(base, w)[n:]
            step = np.linalg.solve(self.jacobian(base, w)[n:, n:], residual)
            if not np.isfinite(step).all():
                break
            change = float(np.max(np.abs(step) / scale[n:]))
            w[n:] -= step * min(1.0, 2.0 / max(change, 1e-300))
            if change < 1e-12:
                return [float(v) for v in w]
        raise errors.ConvergenceError(f"The algebraic equations of {self.name} could not be solved at this point. "
                                      "Give values "
                                      "of the algebraics near the solution in `at`.")

    def with_unknowns(self, base: Point, w: Any) -> Point:
        """The point at other unknowns, with all signals by name."""
        x, z = tuple(float(v) for v in w[:self.n_x]), tuple(float(v) for v in w[self.n_x:])
        y = self.functions["outputs"](0.0, x, z, base.u, base.d, base.p) if self.n_y else ()
        values: dict[str, Any] = {}
        units: dict[str, str] = {}
        for role, flat in (("state", x), ("algebraic", z), ("output", y), ("input", base.u), ("disturbance", base.d)):
            for r in self.model.layout(role):
                part = flat[r.where]
                values[r.signal.name] = [float(v) for v in part] if r.shape else float(part)
                units[r.signal.name] = r.signal.unit
        return dataclasses.replace(base, values=values, units=units, x=x, z=z)


def lowered(model: Any) -> Mapping[str, Function]:
    """Functions from the lowered programs, run as plain Python."""
    from twin.lowering.system import system_of

    return LoweredFunctions(system_of(model))


class LoweredFunctions(Mapping[str, Function]):
    """Functions of a System by name, made when first asked for."""

    def __init__(self, system: Any) -> None:
        self.system = system
        self.made: dict[str, Function] = {}
        self["rhs"], self["jacobian"]

    def __iter__(self) -> Iterator[str]:
        return iter(("rhs", "jacobian", "outputs", "input_jacobian", "output_jacobian"))

    def __len__(self) -> int:
        return 5

    def __getitem__(self, name: str) -> Function:
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> Function:
        import numpy as np

        from twin.simulation.numpy_path import kernel

        call = kernel(self.system, name, compiled=self.system.structure == "cells")
        if name != "jacobian":
            return call
        rows, columns = self.places
        n = self.system.n_x + self.system.n_z

        def dense(t: float, *vectors: Any) -> Any:
            matrix = np.zeros((n, n))
            np.add.at(matrix, (rows, columns), call(t, *vectors)[:len(rows)])
            return matrix

        return dense

    @functools.cached_property
    def places(self) -> tuple[list[int], list[int]]:
        """Row and column in [x, z] of each entry of the `jacobian` kernel."""
        system = self.system
        if system.structure == "dense":
            rows, columns = system.pattern
            return list(rows), list(columns)
        cells = system.cells
        own = [[*(c * cells.m_x + i for i in range(cells.m_x)),
                *(system.n_x + c * cells.m_z + i for i in range(cells.m_z))] for c in range(cells.count)]
        border = [*range(cells.count * cells.m_x, system.n_x),
                  *range(system.n_x + cells.count * cells.m_z, system.n_x + system.n_z)]
        rows, columns = [], []
        for c in range(cells.count):
            for which, i, j in cells.pattern:
                # entries that would lie beyond the ends are zero: added anywhere they do no harm
                target = border if which == 3 else own[min(max(c + which - 1, 0), cells.count - 1)]
                rows.append(own[c][i])
                columns.append(target[j])
        for b in border:
            rows += [b] * (cells.count * (cells.m_x + cells.m_z))
            columns += [k for cell in own for k in cell]
        for b in border:
            rows += [b] * len(border)
            columns += border
        return rows, columns


def traced(model: Any) -> Mapping[str, Function]:
    """Functions from JAX."""
    import jax
    import numpy as np

    from twin.simulation.jax_path import as_jax

    plant = as_jax(model)
    jnp = jax.numpy

    def rhs(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        parts = [plant._residual(t, x, z, u, d, p)]
        return jnp.concatenate([plant._rhs(t, x, z, u, d, p), *parts] if x.shape[0] else parts)

    def outputs(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        return plant._outputs(t, x, z, u, d, p)

    def dense(function: Function, *arguments: int) -> Function:
        return lambda *args: jnp.concatenate(jax.jacfwd(function, arguments)(*args), 1)

    plain = {"rhs": rhs, "outputs": outputs, "jacobian": dense(rhs, 1, 2), "input_jacobian": dense(rhs, 3, 4),
             "output_jacobian": dense(outputs, 1, 2, 3, 4)}

    def numpied(function: Function) -> Function:
        compiled = jax.jit(function)

        def call(*args: Any) -> Any:
            with jax.enable_x64(True):
                return np.asarray(compiled(*(np.asarray(a, dtype=float) for a in args))).reshape(-1)

        return call

    return {name: numpied(function) for name, function in plain.items()}
