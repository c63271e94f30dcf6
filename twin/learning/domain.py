"""What the arguments of a term were along simulations: the domain that a correction is valid in, and what leaves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from twin.module import Module

ROLES = ("state", "algebraic", "input", "disturbance")
SLACK = 0.05  # of the width of the domain: how far beyond it is still inside


class _Listener(Module):
    """Keeps what a term was called with, before the correction that it has."""

    heard: Any
    fix: Any

    def apply(self, of: Any, value: Any, named: Mapping[str, Any]) -> Any:
        """The corrected value."""
        self.heard[of.name] = (dict(named), value)
        return value if self.fix is None else self.fix.apply(of, value, named)


@dataclasses.dataclass(frozen=True)
class Outside:
    """Where an argument of a learned term left the domain that the term was trained in.

    Attributes
    ----------
    term, signal, unit
        Which argument of which term.
    time
        When it is farthest outside, in the time unit of the model.
    value
        Its value then.
    low, high
        The domain.
    first
        When it first leaves the domain.
    share
        Share of the time that it spends outside.
    """

    term: str
    signal: str
    unit: str
    time: float
    value: float
    low: float
    high: float
    first: float
    share: float

    def sentence(self, time_unit: str) -> str:
        """The finding in a sentence."""
        unit = f" {self.unit}" if self.unit not in ("", "-", "1") else ""
        return (f"Extrapolation: {self.signal} is {self.value:.4g}{unit} at {self.time:.4g} {time_unit}, the term {self.term} "
                f"was trained for {self.low:.4g} to {self.high:.4g}{unit} (outside for {self.share:.0%} of the time, from "
                f"{self.first:.4g} {time_unit} on).")


def arguments(model: Any, names: Sequence[str], rows: Mapping[str, Any], times: Any, p: Any = None) -> dict[str, dict[str, Any]]:
    """Arguments of terms along a trajectory: {term: {argument: values over time}}; "" is the value without correction.

    Parameters
    ----------
    model
        A dynamic model with its class.
    names
        Terms.
    rows
        Flat values by role ("state", "algebraic", "input", "disturbance"), shape (times, n).
    times
        Shape (times,).
    p
        Parameter vector of the model; its own without.
    """
    import jax
    import numpy as np

    from twin import module

    module.register()
    base = np.asarray(model.parameter_vector() if p is None else p, float)
    n_t = len(times)

    def heard_at(t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
        heard: dict[str, Any] = {}
        told = model.with_parameter_vector(base)
        object.__setattr__(told, "learned", {**told.learned, **{n: _Listener(heard, told.learned.get(n)) for n in names}})
        told.derivative(t, x, z, u, d)
        return {n: {**named, "": value} for n, (named, value) in heard.items()}

    with jax.enable_x64(True):
        parts = [np.asarray(rows[role], float).reshape(n_t, -1) for role in ROLES]
        found = jax.jit(jax.vmap(heard_at))(np.asarray(times, float), *parts)
        return {n: {k: np.broadcast_to(np.asarray(v), (n_t,)) for k, v in named.items()} for n, named in found.items()}


def widest(found: Sequence[Mapping[str, Mapping[str, Any]]], term: str, inputs: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each input of a term over several trajectories."""
    domain = {}
    for name in inputs:
        low, high = min(float(f[term][name].min()) for f in found), max(float(f[term][name].max()) for f in found)
        margin = SLACK * (high - low) or 1e-6 * max(abs(low), 1.0)
        domain[name] = (low - margin, high + margin)
    return domain


def outside(model: Any, rows: Mapping[str, Any], times: Any, p: Any = None) -> tuple[Outside, ...]:
    """Arguments of the corrected terms of a model that leave their domain along a trajectory."""
    import numpy as np

    fixes = {n: fix for n, fix in model.learned.items() if fix.domain}
    if not fixes:
        return ()
    units = {s.name: s.unit for s in model.signals} | {"time": model.time_unit}
    found, t = [], np.asarray(times, float)
    for name, named in arguments(model, list(fixes), rows, times, p).items():
        for argument, low, high in fixes[name].domain:
            beyond = np.maximum(low - named[argument], named[argument] - high)
            if (beyond > 0).any():
                k = int(beyond.argmax())
                found.append(Outside(name, argument, units.get(argument, ""), float(t[k]), float(named[argument][k]), low, high,
                                     float(t[beyond > 0][0]), float((beyond > 0).mean())))
    return tuple(found)
