"""A model between two samples: inputs, disturbances, start and length of the interval are parameters."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from twin import errors, module
from twin.lazy import jnp
from twin.model import DynamicModel
from twin.signals import Signal, static
from twin.values import Row

WALKERS = ("disturbance", "input")


class Held(DynamicModel):
    """`inner` over one interval, in units of its length; quantities named in `walks` are further states that stay as they are.

    The parameters are those of `inner`, then `held` (inputs, disturbances) and `clock` (start, length).
    """

    inner: Any = dataclasses.field(metadata={"flat": True})
    held: tuple[float, ...] = ()
    clock: tuple[float, ...] = (0.0, 1.0)
    walks: tuple[str, ...] = static((), doc="disturbances, inputs and parameters that are states")
    measured: tuple[str, ...] = static((), doc="signals that are outputs")

    @property
    def title(self) -> str:
        """Name of the model inside."""
        return str(self.inner.title)

    def layout(self, role: str) -> tuple[Row, ...]:
        """States with the walks behind them, algebraics, and as outputs what is measured."""
        if role == "algebraic":
            return tuple(self.inner.layout(role))
        if role == "output":
            return tuple(Row(dataclasses.replace(self.place(n)[1], role="output", shape=(), name=n), i, 1, 1, ())
                         for i, n in enumerate(self.measured))
        if role != "state":
            return ()
        n = self.inner.size("state")
        return (*self.inner.layout(role), *(Row(self.walk(name), n + i, 1, 1, ()) for i, name in enumerate(self.walks)))

    def walk(self, name: str) -> Signal:
        """The signal of a walk."""
        for role in WALKERS:
            for r in self.inner.layout(role):
                if r.signal.name == name and not r.shape:
                    return dataclasses.replace(r.signal, role="state")
        names = self.inner.parameter_names()
        if name not in names:
            raise errors.unknown("disturbance, input or parameter", name, self.title,
                                 [*(r.signal.name for role in WALKERS for r in self.inner.layout(role)), *names])
        fields = dataclasses.fields(self.inner)
        facts: dict[str, Any] = {f.name: f.metadata for f in fields if f.metadata.get("kind") == "parameter"}
        known = facts.get(name.partition("[")[0], {"unit": "", "bounds": (None, None)})
        low, high = known["bounds"]
        value = float(self.inner.parameter_vector()[names.index(name)])
        return Signal(role="state", unit=known["unit"], lower=-math.inf if low is None else low,
                      upper=math.inf if high is None else high, nominal=value or 1.0, name=name)

    def place(self, name: str) -> tuple[str, Signal, int]:
        """Role, signal and position of what is measured; `name[3]` is one cell."""
        base, _, index = name.partition("[")
        known = []
        for role in ("state", "algebraic", "output"):
            for r in self.inner.layout(role):
                known.append(r.signal.name)
                if r.signal.name == base:
                    cell = int(index[:-1]) if index else 0
                    if (r.count > 1 and not index) or cell >= r.count:
                        raise errors.SpecError(f"{self.title}.{base} lies on {r.count} cells. Name one that is measured, such as "
                                               f"'{base}[0]'.")
                    return role, r.signal, r.start + cell * r.step
        raise errors.unknown("measured signal", name, self.title, known)

    def derivative(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> tuple[Any, Any]:
        """Rates over the interval; walks stand still."""
        inner, *at = self._inside(t, x, z)
        dx, residual = inner.derivative(*at)
        return jnp.concatenate([dx * self.clock[1], jnp.zeros(len(self.walks))]), residual

    def output_vector(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
        """What is measured."""
        inner, *at = self._inside(t, x, z)
        parts = {"state": at[1], "algebraic": z}
        places = [self.place(n) for n in self.measured]
        if any(role == "output" for role, _, _ in places):
            parts["output"] = inner.output_vector(*at)
        return jnp.stack([parts[role][k] for role, _, k in places]) if places else jnp.zeros(0)

    def _inside(self, t: Any, x: Any, z: Any) -> tuple[Any, ...]:
        """The model inside and its arguments."""
        n_x, n_u = self.inner.size("state"), self.inner.size("input")
        held, inner = list(self.held), self.inner
        names = inner.parameter_names()
        changed = {}
        for i, name in enumerate(self.walks):
            found = [(role, r.start) for role in WALKERS for r in inner.layout(role) if r.signal.name == name]
            if found:
                role, at = found[0]
                held[at + (n_u if role == "disturbance" else 0)] = x[n_x + i]
            else:
                changed[names.index(name)] = x[n_x + i]
        if changed:
            flat = [part for _, v in module.leaves(inner) for part in jnp.reshape(jnp.asarray(v), (-1,))]
            inner = inner.with_parameter_vector(jnp.stack([changed.get(k, v) for k, v in enumerate(flat)]))
        v = jnp.stack(held) if held else jnp.zeros(0)
        return inner, self.clock[0] + t * self.clock[1], x[:n_x], z, v[:n_u], v[n_u:]


def hold(model: Any, walks: tuple[str, ...], measured: tuple[str, ...]) -> Held:
    """The model over one interval, with inputs and disturbances at their nominal values."""
    if not hasattr(model, "derivative"):
        raise errors.SpecError(f"An estimator needs a model class, but got a {type(model).__name__}. "
                               "Load it with twin.load(path, model=ItsClass).")
    held = [0.0] * (model.size("input") + model.size("disturbance"))
    for role, start in (("input", 0), ("disturbance", model.size("input"))):
        for r in model.layout(role):
            for i in range(r.count):
                held[start + r.start + i * r.step] = float(r.signal.nominal)
    made = Held(model, tuple(held), walks=walks, measured=measured)
    for name in walks:
        made.walk(name)
    for name in measured:
        made.place(name)
    return made
