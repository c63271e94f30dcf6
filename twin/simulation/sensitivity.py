"""Forward sensitivities: how states and outputs move with parameters and initial values, along a whole run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.simulation.checks import parameter_facts

INITIAL = "initial."


def sensitivity(model: Any, recipe: Any = None, *, to: Sequence[str], **options: Any) -> Sensitivities:
    """Sensitivities of all states and algebraic variables to parameters and initial values.

    They are integrated along with the states (the same steps, exact derivatives), through events and resets.

    Parameters
    ----------
    model, recipe
        As in `twin.simulate`.
    to
        Names of parameters, and of scalar states as "initial.<state>" for their initial values.
    options
        As in `twin.simulate`.

    Raises
    ------
    SpecError
        Where a name is unknown.
    ConvergenceError
        Where the simulation does not reach its end.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> s = twin.sensitivity(ExothermicCstr(), to=["ua", "initial.c_a"], duration=2)
    >>> s["temperature", "ua"].shape
    (201,)
    """
    from twin.simulation.simulate import simulate

    if not to:
        raise errors.SpecError("to is empty. Name at least one parameter, or a state as 'initial.<state>'.")
    return simulate(model, recipe, sensitivities=tuple(to), **options).sensitivities  # type: ignore[no-any-return]


@dataclasses.dataclass(frozen=True, eq=False)
class Sensitivities:
    """Derivatives of signals with respect to parameters and initial values; `s["product", "mu_max"]` over time.

    Attributes
    ----------
    to
        Names of the parameters and initial values.
    signals
        Names of the entries of the state vector, then of the algebraics ("name[3]" on cells).
    values
        numpy, shape (times, to, signals), in the unit of the signal over the unit of the parameter.
    """

    model: str
    time_unit: str
    to: tuple[str, ...]
    signals: tuple[str, ...]
    units: Mapping[str, str] = dataclasses.field(repr=False)
    nominal: Mapping[str, float] = dataclasses.field(repr=False)
    times: Any = dataclasses.field(repr=False)
    values: Any = dataclasses.field(repr=False)

    def __getitem__(self, key: tuple[str, str]) -> Any:
        signal, name = key
        if signal not in self.signals:
            raise errors.unknown("state or algebraic", signal, self.model, self.signals)
        if name not in self.to:
            raise errors.unknown("parameter", name, f"these sensitivities of {self.model}", self.to)
        return self.values[:, self.to.index(name), self.signals.index(signal)]

    def unit(self, signal: str, name: str) -> str:
        """Unit of one sensitivity."""
        return f"({self.units[signal]})/({self.units[name]})"

    def relative(self, signal: str, name: str) -> Any:
        """Change of the signal over its nominal size, for a relative change of the parameter, shape (times,)."""
        return self[signal, name] * self.nominal[name] / self.nominal[signal]

    def table(self) -> Any:
        """DataFrame: one row a signal and parameter, strongest first; last value and largest relative effect."""
        import numpy as np
        import pandas as pd

        rows = []
        for name in self.to:
            for signal in self.signals:
                effect = self.relative(signal, name)
                k = int(np.argmax(np.abs(effect))) if len(effect) else 0
                rows.append({"signal": signal, "to": name, "last": self[signal, name][-1],
                             "unit": self.unit(signal, name), "relative": effect[k], "at": self.times[k]})
        frame = pd.DataFrame(rows)
        order = frame["relative"].abs().sort_values(ascending=False, kind="stable").index
        return frame.loc[order].set_index(["signal", "to"])

    def plot(self, signals: Sequence[str] | None = None) -> Any:
        """Matplotlib Figure: relative effect of every parameter, one panel a signal."""
        from twin.simulation import plots

        names = list(signals) if signals is not None else [s for s in self.signals if "[" not in s]
        fig, axes = plots.figure(len(names))
        for axis, signal in zip(axes, names, strict=True):
            for k, name in enumerate(self.to):
                color = plots.COLORS[k % len(plots.COLORS)]
                axis.plot(self.times, self.relative(signal, name), color=color, label=name)
            plots.title(axis, signal, "of nominal")
            axis.set_xlabel(f"time [{self.time_unit}]")
        plots.legend(axes)
        return fig


def collect(simulator: Any, raw: Any, p: Sequence[float]) -> Sensitivities:
    """The sensitivities of one raw run, with names and units."""
    import numpy as np

    check = simulator.check
    units, nominal, signals = {}, {}, []
    for role in ("state", "algebraic"):
        flat: dict[int, str] = {}
        for r in simulator.layout[role]:
            for i in range(r.count):
                label = f"{r.signal.name}[{i}]" if r.shape else r.signal.name
                flat[r.start + i * r.step] = label
                units[label], nominal[label] = r.signal.unit, abs(r.signal.nominal) or 1.0
        signals += [flat[k] for k in sorted(flat)]
    facts, given = parameter_facts(simulator.model), dict(zip(simulator.parameter_names, p, strict=True))
    for name in simulator.sensitivities:
        state = name.removeprefix(INITIAL)
        if state in units:
            units[name], nominal[name] = units[state], nominal[state]
        else:
            units[name], nominal[name] = facts.get(name.partition("[")[0], ("",))[0], float(given[name])
    shape = (len(raw.times), len(simulator.sensitivities), len(signals))
    values = np.asarray(raw.tangents, dtype=float).reshape(shape)
    if values.size and not values.any():
        raise errors.SpecError(f"None of {', '.join(simulator.sensitivities)} moves a state of {check.name} in this run. "
                               "Check the names; sensitivities of outputs alone are not carried.")
    return Sensitivities(check.name, simulator.model.time_unit, simulator.sensitivities, tuple(signals), units, nominal,
                         np.asarray(raw.times, dtype=float), values)
