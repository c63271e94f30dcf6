"""Reduced linear models of large models about one point, for estimators and controllers, with their error on held-out runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.lazy import jnp
from twin.model import DynamicModel
from twin.recipe import Recipe
from twin.signals import Signal, static
from twin.simulation.kernels import Point
from twin.simulation.linearize import linearize
from twin.values import Row

KEPT = 80  # states of the balanced form of which the fast ones are then set to rest
SHARE = 0.05  # of the nominal value: what counts as a change where no size is given


class ReducedModel(DynamicModel):
    """Linear model in balanced states about one point: dx/dt = A x + B (v - v0), y = y0 + C x + D (v - v0) + bias.

    Outputs named in `logarithms` are y0 exp(...) of the same. Made by `twin.reduce`; inputs, disturbances and outputs have the
    names, units and limits of the full model.
    """

    a: tuple[float, ...] = ()
    b: tuple[float, ...] = ()
    c: tuple[float, ...] = ()
    d: tuple[float, ...] = ()
    entry: tuple[float, ...] = ()
    level: tuple[float, ...] = ()
    source: str = static("", doc="name of the full model")
    unit_of_time: str = static("", doc="time unit of the full model")
    order: int = static(0, doc="number of states")
    columns: tuple[Signal, ...] = static((), doc="inputs, then disturbances")
    kept: tuple[Signal, ...] = static((), doc="outputs")
    logarithms: tuple[str, ...] = static((), doc="outputs that change in proportion")
    biases: tuple[str, ...] = static((), doc="outputs with a disturbance of their own")

    @property
    def title(self) -> str:
        """Name with that of the full model."""
        return f"Reduced{self.source}"

    @property
    def time_unit(self) -> str:  # type: ignore[override]
        """That of the full model."""
        return self.unit_of_time

    def _all_signals(self) -> tuple[Signal, ...]:
        states = [Signal(role="state", unit="-", nominal=1.0, name=f"mode_{k + 1}", doc="balanced state")
                  for k in range(self.order)]
        offs = [Signal(role="disturbance", unit="-" if n in self.logarithms else self._row(n).unit, nominal=0.0, name=f"{n}_bias",
                       doc=f"what {n} has above the model" + (", relative" if n in self.logarithms else "")) for n in self.biases]
        return (*states, *self.columns, *offs, *self.kept, *(signal for signal, _ in self.added))

    def _row(self, name: str) -> Signal:
        return next(s for s in self.kept if s.name == name)

    def layout(self, role: str) -> tuple[Row, ...]:
        """Scalars in the order in which they are declared."""
        return tuple(Row(s, k, 1, 1, ()) for k, s in enumerate(s for s in self._all_signals() if s.role == role))

    def _off(self, s: Any) -> Any:
        return jnp.stack([getattr(s, signal.name) - self.entry[k] for k, signal in enumerate(self.columns)])

    def _modes(self, s: Any) -> Any:
        return jnp.stack([getattr(s, f"mode_{k + 1}") for k in range(self.order)])

    def rhs(self, s: Any) -> Mapping[str, Any]:
        n, m = self.order, len(self.columns)
        a, b = jnp.stack([*self.a]).reshape(n, n), jnp.stack([*self.b]).reshape(n, m)
        rate = a @ self._modes(s) + b @ self._off(s)
        return {f"mode_{k + 1}": rate[k] for k in range(n)}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        q = len(self.kept)
        c, d = jnp.stack([*self.c]).reshape(q, self.order), jnp.stack([*self.d]).reshape(q, len(self.columns))
        change = c @ self._modes(s) + d @ self._off(s)
        found = {}
        for k, signal in enumerate(self.kept):
            more = change[k] + (getattr(s, f"{signal.name}_bias") if signal.name in self.biases else 0.0)
            found[signal.name] = self.level[k] * jnp.exp(more) if signal.name in self.logarithms else self.level[k] + more
        return found

    def initial(self) -> Mapping[str, Any]:
        """The point itself."""
        return {f"mode_{k + 1}": 0.0 for k in range(self.order)}

    def recipe(self) -> Recipe:
        """The inputs of the point."""
        return Recipe.constant(**{s.name: s.nominal for s in self.columns if s.role == "input"})


@dataclasses.dataclass(frozen=True, eq=False)
class Reduction:
    """A reduced model and what it was made from.

    Attributes
    ----------
    model
        A `DynamicModel` for simulation, estimators and controllers.
    full, point
        The full model and the point.
    hankel
        Hankel singular values of the scaled full model, the greatest first: what a further state would add.
    sizes
        Change that counts of each input, disturbance and output.
    """

    model: ReducedModel
    full: Any
    point: Point
    hankel: Any = dataclasses.field(repr=False)
    sizes: Mapping[str, float] = dataclasses.field(default_factory=dict, repr=False)

    def errors(self, steps: Mapping[str, Mapping[str, float]], duration: float | str, *, every: float | str) -> Any:
        """How far the reduced model is from the full one on steps from the point.

        Parameters
        ----------
        steps
            {name of the run: {input or disturbance: its value from time 0 on}}.
        duration, every
            Length of each run and distance of the compared times, as in `twin.simulate`.

        Returns
        -------
        DataFrame
            One row a run and output: greatest change of the full model, root mean square and greatest error, in the output's
            unit, and the share of the change that is missed (root mean square error over that of the change); NaN where the
            output changes by less than its size that counts.
        """
        import numpy as np
        import pandas as pd

        from twin.simulation.simulate import simulate

        start = {r.signal.name: self.point[r.signal.name] for r in self.full.layout("state")}
        rows = []
        for name, changed in steps.items():
            for entry in changed:
                if entry not in self._entries():
                    raise errors.unknown("input", entry, self.model.title, self._entries())
            inputs = {**self._entries(), **changed}
            exact, near = (simulate(model, inputs=inputs, initial=at, duration=duration, every=every)
                           for model, at in ((self.full, start), (self.model, None)))
            for row in self.model.kept:
                change = np.asarray(exact[row.name]) - self.point[row.name]
                off = np.asarray(near[row.name]) - np.asarray(exact[row.name])
                size = math.sqrt(float(np.mean(change**2)))
                rms = math.sqrt(float(np.mean(off**2)))
                worth = float(np.abs(change).max())
                rows.append({"run": name, "output": row.name, "unit": row.unit, "change": worth, "rms": rms,
                             "worst": float(np.abs(off).max()),
                             "missed": rms / size if worth > self.sizes[row.name] else math.nan})
        return pd.DataFrame(rows).set_index(["run", "output"])

    def _entries(self) -> dict[str, float]:
        return {s.name: float(s.nominal) for s in self.model.columns}


def reduce(model: Any, at: Any = None, *, outputs: Sequence[str], order: int = 12, entries: Sequence[str] = (),
           sizes: Mapping[str, float] | None = None, logarithms: Sequence[str] = (), biases: Sequence[str] = (),
           parameters: Mapping[str, Any] | None = None) -> Reduction:
    """Reduce a large dynamic model about a steady state to a linear one of few states.

    Balanced realization (Moore 1981) of the linearized model; its fast states are set to rest (singular perturbation, Liu and
    Anderson 1989), and the steady gains are those of the full model exactly. Valid near the point: `Reduction.errors` says how
    near.

    Parameters
    ----------
    model
        A `DynamicModel` with a stable steady state.
    at
        The steady state, from `twin.steady`; found without.
    outputs
        Outputs that are kept.
    order
        Number of states.
    entries
        Inputs and disturbances that are kept, the others stay at their values; all without.
    sizes
        {input, disturbance or output: change that counts}, in their units; 5 % of the nominal value without. They weigh what
        the states must show.
    logarithms
        Positive outputs whose logarithm is linear, such as concentrations that never get negative.
    biases
        Outputs that get a disturbance `NAME_bias` added to them: what estimators need for control without offset.
    parameters
        Parameters that differ from those of the model.

    Returns
    -------
    Reduction
        `.model`, `.hankel`, `.errors(steps, duration, every=)`.

    Raises
    ------
    SpecError
        Where names are wrong, the order is too high, or the model is not stable at the point.

    Notes
    -----
    Moore, IEEE Trans. Autom. Control 26 (1981) 17-32, doi:10.1109/TAC.1981.1102568; Liu, Anderson, Int. J. Control 50 (1989)
    1379-1405, doi:10.1080/00207178908953437.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> cool = twin.steady(ExothermicCstr(), {"t_coolant": 290.0})[0]
    >>> small = twin.reduce(ExothermicCstr(), cool, outputs=("conversion",), entries=("t_coolant",), order=1)
    >>> small.model.order, round(small.model.recipe().phases[0].inputs["t_coolant"])
    (1, 290)
    """
    import numpy as np

    from twin.simulation.steady import steady

    point = at if at is not None else steady(model, parameters=parameters)[0]
    linear = linearize(model, point, parameters=parameters)
    if not linear.stable:
        raise errors.SpecError(f"{linear.model} is not stable at this point (time constants {linear.time_constants[:2]}). "
                               "Expected a stable steady state: reduce it with its controller, or elsewhere.")
    names = list(entries) or [n for n in linear.inputs if "[" not in n]
    signals = {s.name: s for s in model.signals if s.role in ("input", "disturbance", "output")}
    for what, given, known in (("input", names, linear.inputs), ("output", outputs, linear.outputs),
                               ("output", logarithms, outputs), ("output", biases, outputs), ("size", sizes or {}, signals)):
        for name in given:
            if name not in known:
                raise errors.unknown(what, name, linear.model, known)
    if not 1 <= order <= len(linear.A):
        raise errors.SpecError(f"order is {order}. Expected 1 to {len(linear.A)}, the number of states of {linear.model}.")
    level = np.array([float(point[n]) for n in outputs])
    relative = np.array([n in logarithms for n in outputs])
    if (level[relative] <= 0).any():
        raise errors.SpecError(f"A logarithm is asked for an output that is not positive at the point: {', '.join(logarithms)}.")
    per = np.where(relative, 1.0 / np.where(relative, level, 1.0), 1.0)[:, None]
    i, j = [list(linear.outputs).index(n) for n in outputs], [list(linear.inputs).index(n) for n in names]
    size = {n: (sizes or {}).get(n, SHARE * (abs(signals[n].nominal) or 1.0)) for n in (*names, *outputs)}
    s_u, s_y = np.array([size[n] for n in names]), np.array([size[n] for n in outputs])[:, None] * per
    a, b, c, d = linear.A, linear.B[:, j] * s_u, linear.C[i] * per / s_y, linear.D[np.ix_(i, j)] * per * s_u / s_y
    a, b, c, d_fast, hankel = _balanced(a, b, c, d, order)
    columns = tuple(sorted((dataclasses.replace(signals[n], nominal=float(point[n])) for n in names),
                           key=lambda s: s.role != "input"))
    places = [names.index(s.name) for s in columns]
    flat = {"a": a, "b": (b / s_u)[:, places], "c": c * s_y, "d": (d_fast * s_y / s_u)[:, places]}
    made = ReducedModel(**{k: tuple(map(float, v.reshape(-1))) for k, v in flat.items()},
                        entry=tuple(float(s.nominal) for s in columns), level=tuple(map(float, level)), source=linear.model,
                        unit_of_time=linear.time_unit, order=order, columns=columns, kept=tuple(signals[n] for n in outputs),
                        logarithms=tuple(logarithms), biases=tuple(biases))
    return Reduction(made, model, point, hankel, size)


def _balanced(a: Any, b: Any, c: Any, d: Any, order: int) -> tuple[Any, Any, Any, Any, Any]:
    """Balanced states, the fast ones set to rest; and the Hankel singular values."""
    import numpy as np
    from scipy import linalg

    def root(gramian: Any) -> Any:
        values, vectors = np.linalg.eigh(0.5 * (gramian + gramian.T))
        return vectors * np.sqrt(np.maximum(values, 0.0))

    reach = root(linalg.solve_continuous_lyapunov(a, -b @ b.T))
    seen = root(linalg.solve_continuous_lyapunov(a.T, -c.T @ c))
    left, hankel, right = np.linalg.svd(seen.T @ reach)
    n = max(order, min(KEPT, int((hankel > 1e-9 * hankel[0]).sum())))
    half = np.sqrt(hankel[:n])
    to, back = (left[:, :n] / half).T @ seen.T, reach @ right[:n].T / half
    a_n, b_n, c_n = to @ a @ back, to @ b, c @ back
    k = order
    fast = np.linalg.solve(a_n[k:, k:], np.hstack([a_n[k:, :k], b_n[k:]])) if n > k else np.zeros((0, k + b.shape[1]))
    a_k, b_k = a_n[:k, :k] - a_n[:k, k:] @ fast[:, :k], b_n[:k] - a_n[:k, k:] @ fast[:, k:]
    c_k = c_n[:, :k] - c_n[:, k:] @ fast[:, :k]
    gains = d - c @ np.linalg.solve(a, b)
    return a_k, b_k, c_k, gains + c_k @ np.linalg.solve(a_k, b_k), hankel
