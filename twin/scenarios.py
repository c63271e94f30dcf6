"""Scenarios: what the parameters may be, as weighted samples; from a calibration, or stated by hand."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twin import errors
from twin.simulation.checks import Checker, number, parameter_facts

INITIAL = "initial."


@dataclasses.dataclass(frozen=True, eq=False)
class Scenarios:
    """Weighted samples of the uncertain parameters (and initial states) of one model.

    Parameters
    ----------
    model
        The model; what is not sampled keeps its value there.
    parameters
        {name: values}, one value a sample, in the units of the model or as strings with a unit. A single value holds for
        all samples. "initial.biomass" is the initial value of the state `biomass`. A DataFrame works as well.
    weights
        Probability of each sample, shape (samples,); scaled to the sum 1. Equal without.

    Raises
    ------
    SpecError
        For unknown names, values outside their bounds, lengths that differ, or weights that are negative or all zero.

    Examples
    --------
    >>> from processes.chemical import ExothermicCstr
    >>> s = Scenarios(ExothermicCstr(), {"ua": [4.8e4, 5.0e4, 5.2e4]}, weights=[1, 2, 1])
    >>> len(s), s.weights.tolist()
    (3, [0.25, 0.5, 0.25])
    """

    model: Any
    parameters: Mapping[str, Any]
    weights: Any = None

    def __post_init__(self) -> None:
        import numpy as np

        given = self.parameters
        if hasattr(given, "columns"):
            given = {str(c): given[c].to_numpy() for c in given.columns}
        if not given:
            raise errors.SpecError("Scenarios have no parameters. Expected {name: values}. Name at least one.")
        units = _units(self.model, given)
        rows = {n: [number(n, v, units[n]) for v in _listed(values)] for n, values in given.items()}
        count = max(len(v) for v in rows.values())
        for name, values in rows.items():
            if len(values) not in (1, count) or not values:
                raise errors.SpecError(f"Scenarios have {len(values)} values of {name}. Expected {count}, as the others, or one.",
                                       name=name)
        table = {n: np.array(v * count if len(v) < count else v, dtype=float) for n, v in rows.items()}
        _check(self.model, table)
        weights = np.full(count, 1.0) if self.weights is None else np.array(self.weights, dtype=float)
        if weights.shape != (count,) or not np.all(np.isfinite(weights)) or weights.min() < 0 or not weights.sum() > 0:
            raise errors.SpecError(f"Scenarios have the weights {np.asarray(self.weights).tolist()}. Expected {count} numbers, "
                                   "none negative, not all zero.")
        weights = weights / weights.sum()
        for array in (weights, *table.values()):
            array.setflags(write=False)
        object.__setattr__(self, "parameters", table)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def grid(cls, model: Any, levels: Mapping[str, Sequence[Any]]) -> Scenarios:
        """All combinations of some levels of some parameters, equally weighted.

        Examples
        --------
        >>> from processes.chemical import ExothermicCstr
        >>> len(Scenarios.grid(ExothermicCstr(), {"ua": [4.8e4, 5e4, 5.2e4], "initial.temperature": [349, 351]}))
        6
        """
        rows = list(itertools.product(*levels.values()))
        return cls(model, {name: [row[k] for row in rows] for k, name in enumerate(levels)})

    def __len__(self) -> int:
        return len(self.weights)

    def __iter__(self) -> Iterator[tuple[dict[str, float], float]]:
        """Values by name and weight of each sample."""
        for k, weight in enumerate(self.weights):
            yield {n: float(v[k]) for n, v in self.parameters.items()}, float(weight)

    def __repr__(self) -> str:
        return f"Scenarios({Checker(self.model).name}, {len(self)} samples of {', '.join(self.parameters)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is sampled."""
        return tuple(self.parameters)

    @property
    def vectors(self) -> Any:
        """Full parameter vectors of the model, numpy, shape (samples, n_p)."""
        import numpy as np

        check = Checker(self.model)
        names = check.parameter_names()
        flat = np.tile(np.asarray(check.parameters(None), dtype=float), (len(self), 1))
        for name, values in self.parameters.items():
            if not name.startswith(INITIAL):
                flat[:, names.index(name)] = values
        return flat

    @property
    def starts(self) -> Any:
        """Full initial states, numpy, shape (samples, n_x): those of the model, over them what is sampled."""
        import numpy as np

        check = Checker(self.model)
        flat = np.tile(np.asarray(check.initial(None), dtype=float), (len(self), 1))
        rows = check.rows("state")
        for name, values in self.parameters.items():
            if name.startswith(INITIAL):
                flat[:, rows[name.removeprefix(INITIAL)].where] = values
        return flat

    @property
    def mean(self) -> dict[str, float]:
        """Weighted mean by name."""
        return {n: float(self.weights @ v) for n, v in self.parameters.items()}

    def quantile(self, level: float) -> dict[str, float]:
        """Weighted quantile of each name at a level between 0 and 1."""
        import numpy as np

        if not 0 <= level <= 1:
            raise errors.out_of_range("level", level, "-", 0, 1, "Give 0.05, for example.")
        found = {}
        for name, values in self.parameters.items():
            order = np.argsort(values, kind="stable")
            reached = np.cumsum(self.weights[order])
            found[name] = float(values[order][min(int(np.searchsorted(reached, level - 1e-12)), len(order) - 1)])
        return found

    def select(self, count: int, *, seed: int = 0) -> Scenarios:
        """Fewer samples for expensive uses: `count` of them, drawn by weight (systematic resampling), equally weighted."""
        import numpy as np

        if count < 1:
            raise errors.SpecError(f"count is {count}. Expected at least 1.")
        at = (np.arange(count) + np.random.default_rng(seed).random()) / count
        rows = np.minimum(np.searchsorted(np.cumsum(self.weights), at), len(self) - 1)
        return Scenarios(self.model, {n: v[rows] for n, v in self.parameters.items()})

    def simulate(self, recipe: Any = None, **options: Any) -> Any:
        """All samples through a recipe: a `twin.simulate_many` ensemble; `options` as there.

        Note that its quantiles count every member alike: call `select` first where the weights differ.
        """
        from twin.simulation.ensembles import simulate_many

        moved = any(n.startswith(INITIAL) for n in self.parameters)
        return simulate_many(self.model, recipe, parameters=self.vectors, initial=self.starts if moved else None, **options)

    def to_frame(self) -> Any:
        """DataFrame: one row a sample, one column a name, and the weight; units in `attrs`."""
        import pandas as pd

        frame = pd.DataFrame({**self.parameters, "weight": self.weights}).rename_axis("sample")
        frame.attrs["units"] = _units(self.model, self.parameters)
        return frame

    def table(self) -> Any:
        """DataFrame: one row a name with unit, mean, standard deviation and the 5 %, 50 % and 95 % quantiles."""
        import numpy as np
        import pandas as pd

        units, mean = _units(self.model, self.parameters), self.mean
        spread = {n: float(np.sqrt(self.weights @ (v - mean[n]) ** 2)) for n, v in self.parameters.items()}
        levels = {q: self.quantile(q) for q in (0.05, 0.5, 0.95)}
        rows = [{"name": n, "unit": units[n], "mean": mean[n], "std": spread[n],
                 **{f"{q:.0%}": levels[q][n] for q in levels}} for n in self.parameters]
        return pd.DataFrame(rows).set_index("name")


def _listed(values: Any) -> list[Any]:
    if isinstance(values, str | int | float) or not hasattr(values, "__len__"):
        return [values]
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _units(model: Any, names: Any) -> dict[str, str]:
    """Unit of each name; unknown names are errors."""
    check, facts = Checker(model), parameter_facts(model)
    known, states, found = set(check.parameter_names()), check.rows("state"), {}
    for name in names:
        state = name.removeprefix(INITIAL)
        if name in known:
            found[name] = facts.get(name.partition("[")[0], ("-",))[0]
        elif name.startswith(INITIAL) and state in states and not states[state].shape:
            found[name] = states[state].signal.unit
        else:
            raise errors.unknown("parameter", name, check.name,
                                 [*known, *(f"{INITIAL}{s}" for s, r in states.items() if not r.shape)])
    return found


def _check(model: Any, table: Mapping[str, Any]) -> None:
    """Bounds of the smallest and the largest value of each name."""
    check = Checker(model)
    for name, values in table.items():
        for v in (float(values.min()), float(values.max())):
            if name.startswith(INITIAL):
                check.initial({name.removeprefix(INITIAL): v})
            else:
                check.parameters({name: v})
