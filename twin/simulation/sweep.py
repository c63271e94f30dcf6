"""Sweeps: one computation for every combination of parameters, inputs and initial values."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.simulation.checks import Checker, number, parameter_facts
from twin.status import Status


def sweep(model: Any, recipe: Any = None, *, over: Mapping[str, Iterable[Any]], steady: bool | None = None,
          **options: Any) -> Sweep:
    """Simulate, or find the steady states, for every combination of values.

    Parameters
    ----------
    model, recipe
        As in `twin.simulate`.
    over
        Values by name of a parameter, input, disturbance or state (its initial value), with units or without.
    steady
        True finds steady states (all branches) instead of simulating; steady models always do.
    options
        As in `twin.simulate`, or `twin.steady` where `steady` is true.

    Raises
    ------
    SpecError
        Where a name is unknown or a value wrong. Combinations that fail are kept with their status instead.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> branches = twin.sweep(ExothermicCstr(), over={"t_coolant": [295.0, 300.0, 305.0]}, steady=True)
    >>> list(branches.table()["t_coolant"])
    [295.0, 300.0, 300.0, 300.0, 305.0]
    """
    check = Checker(model, options.get("check_limits", True))
    states, entries = check.rows("state"), check.rows("input", "disturbance")
    names = check.parameter_names()
    kinds = {}
    for name in over:
        kinds[name] = "inputs" if name in entries else "initial" if name in states else "parameters"
        if kinds[name] == "parameters" and name not in names:
            raise errors.unknown("parameter, input or state", name, check.name, [*names, *entries, *states])
    facts = parameter_facts(model)
    values = {}
    for name, given in over.items():
        row = entries.get(name) or states.get(name)
        unit = row.signal.unit if row else facts.get(name, ("",))[0]
        values[name] = [number(name, v, unit) for v in ([given] if isinstance(given, int | float | str) else given)]
    for name, row in values.items():
        if not row:
            raise errors.SpecError(f"over['{name}'] is empty. Give at least one value.")
    still = steady if steady is not None else not states
    if still and "initial" in kinds.values():
        wrong = next(n for n, k in kinds.items() if k == "initial")
        raise errors.SpecError(f"'{wrong}' is a state of {check.name}; steady states do not depend on its initial "
                               "value. "
                               "Sweep parameters and inputs.")
    cases = []
    for combination in itertools.product(*values.values()):
        row = dict(zip(values, combination, strict=True))
        chosen: dict[str, dict[str, Any]] = {"inputs": dict(options.get("inputs") or {}),
                                             "parameters": dict(options.get("parameters") or {}),
                                             "initial": dict(options.get("initial") or {})}
        for name, value in row.items():
            chosen[kinds[name]][name] = value
        cases.append((row, chosen))
    rest = {k: v for k, v in options.items() if k not in ("inputs", "parameters", "initial")}
    results = _steady(model, cases, rest) if still else _simulated(model, recipe, cases, rest)
    units = {n: r.signal.unit for n, r in check.rows("state", "algebraic", "output", "input", "disturbance").items()}
    return Sweep(check.name, tuple(values), tuple(row for row, _ in cases), tuple(results), units)


def _simulated(model: Any, recipe: Any, cases: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    """Trajectories; combinations with the same inputs share a prepared simulator."""
    from twin.simulation.simulate import Simulator

    prepared: dict[str, Simulator] = {}
    found = []
    for _, chosen in cases:
        key = repr(sorted(chosen["inputs"].items(), key=lambda item: item[0]))
        if key not in prepared:
            prepared[key] = Simulator(model, recipe, inputs=chosen["inputs"], **options)
        found.append(prepared[key](chosen["initial"] or None, chosen["parameters"] or None, throw=False))
    return found


def _steady(model: Any, cases: Sequence[Any], options: Mapping[str, Any]) -> list[Any]:
    from twin.simulation.steady import steady

    return [steady(model, chosen["inputs"] or None, parameters=chosen["parameters"] or None, throw=False, **options)
            for _, chosen in cases]


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """Results in the order of the combinations, the last name varying fastest.

    Attributes
    ----------
    over
        Names that were varied.
    cases
        Their values, one mapping a combination.
    results
        Trajectories, or the steady states of each combination.
    """

    model: str
    over: tuple[str, ...]
    cases: tuple[Mapping[str, Any], ...]
    results: tuple[Any, ...] = dataclasses.field(repr=False)
    units: Mapping[str, str] = dataclasses.field(repr=False)

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, k: int) -> Any:
        return self.results[k]

    @property
    def status(self) -> Status:
        """SUCCESS where every combination ended normally, else the first failure."""
        return next((r.status for r in self.results if not r.status), Status.SUCCESS)

    def table(self) -> Any:
        """DataFrame: one row a combination (and steady state) with the last value of every scalar signal."""
        import pandas as pd

        rows = []
        for case, result in zip(self.cases, self.results, strict=True):
            points = list(result) if hasattr(result, "points") else [result]
            for point in points or [None]:
                values = {} if point is None else point.values if hasattr(point, "kind") else point.final
                row = {**{k: v for k, v in values.items() if not isinstance(v, list) and k not in case}}
                extra = {"kind": point.kind} if hasattr(point, "kind") else {}
                rows.append({**case, "status": result.status.name, **extra, **row})
        frame = pd.DataFrame(rows)
        frame.attrs["units"] = dict(self.units)
        return frame

    to_frame = table

    def plot(self, signals: Sequence[str] | None = None) -> Any:
        """Matplotlib Figure over the first name: last values or steady states; failed or unstable ones are hollow."""
        from twin.simulation import plots

        table = self.table()
        first = self.over[0]
        inside = [c for c in table.columns if c in self.units and c not in self.over and table[c].notna().any()]
        names = list(signals) if signals is not None else [
            n for n in inside if float(table[n].max() - table[n].min()) > 1e-9 * abs(float(table[n].max()))]
        for n in names:
            if n not in inside:
                raise errors.unknown("signal", n, f"this sweep of {self.model}", inside)
        if not names:
            raise errors.SpecError("No signal changes over this sweep. Name the signals to plot.")
        fig, axes = plots.figure(len(names))
        for axis, name in zip(axes, names, strict=True):
            stable = (table["kind"].str.startswith("stable", na=False) if "kind" in table
                      else table["status"] == Status.SUCCESS.name)
            axis.plot(table[first][stable], table[name][stable], "o", color=plots.COLORS[0], markersize=4)
            axis.plot(table[first][~stable], table[name][~stable], "o", color=plots.COLORS[1], markersize=4,
                      markerfacecolor="none")
            plots.title(axis, name, self.units[name])
            axis.set_xlabel(f"{first} [{self.units.get(first, '')}]")
        return fig
