"""What real-time optimization reads from the plant, asks of the model, and tells."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.steady.setpoint_solving import on_model, start_points
from optimizers.steady.setpoints import Setpoints
from optimizers.steady.statement import Statement
from twin import errors


@dataclasses.dataclass(frozen=True, eq=False)
class Adapted:
    """Modifiers and expectation of one step; quantities are "objective" and the limited signals, in their units.

    Attributes
    ----------
    at
        Inputs about which the modifiers are meant: the best point so far.
    constant, slope, slope_sd
        Plant minus model there, its derivatives by the moves, and their standard deviations.
    expected, sd
        What the plant is expected to do at the new inputs, and how uncertain that is.
    radius
        Trust region, as a share of the ranges of the moves.
    exciting
        True where uncertainty counted as a bonus.
    """

    at: Mapping[str, float]
    constant: Mapping[str, float]
    slope: Mapping[str, Mapping[str, float]]
    slope_sd: Mapping[str, Mapping[str, float]]
    expected: Mapping[str, float]
    sd: Mapping[str, float]
    radius: float
    exciting: bool


class Rates:
    """A problem at given disturbances: moves as shares of their ranges, quantities of the model, measurements read."""

    def __init__(self, problem: Setpoints, given: Mapping[str, Any], kernels: Any = None) -> None:
        statement = Statement(problem, kernels)
        entries, names = statement.check.rows("input", "disturbance"), statement.check.parameter_names()
        inputs, parameters = dict(problem.inputs), dict(problem.parameters)
        for name, value in given.items():
            if name in entries and name not in statement.moves:
                inputs[name] = value
            elif name in names:
                parameters[name] = value
            else:
                raise errors.unknown("disturbance, given input or parameter", name, statement.kernels.name, [*entries, *names])
        self.problem = dataclasses.replace(problem, inputs=inputs, parameters=parameters) if given else problem
        self.statement = Statement(self.problem, statement.kernels) if given else statement
        self.sizes = [self.statement.size, *(limit.nominal for limit in self.statement.limits)]
        goal = problem.maximize or problem.minimize
        self.goal = goal if isinstance(goal, str) else "objective"
        self._last: Any = None

    def checked(self, inputs: Mapping[str, Any]) -> dict[str, float]:
        """Moved inputs within their ranges."""
        s, found = self.statement, {}
        for name in inputs:
            if name not in s.moves:
                raise errors.unknown("moved input", name, s.kernels.name, s.moves)
        for name, (low, high) in s.moves.items():
            if name not in inputs:
                raise errors.SpecError(f"{s.kernels.name}.{name} is missing. Give what the plant runs at, {low:g} to {high:g} "
                                       f"{s.places[name][1]}.")
            value = s.check.value(s.check.known("input", name, "input").signal, inputs[name])
            found[name] = min(max(value, low), high)
        return found

    def share(self, inputs: Mapping[str, float]) -> tuple[float, ...]:
        """Inputs as shares of their ranges."""
        return tuple((inputs[n] - low) / (high - low) for n, (low, high) in self.statement.moves.items())

    def inputs(self, share: Sequence[float]) -> dict[str, float]:
        """Shares of the ranges as inputs."""
        return {n: low + float(t) * (high - low) for t, (n, (low, high)) in zip(share, self.statement.moves.items(), strict=True)}

    def unknowns(self, share: Sequence[float]) -> Any:
        """The model at its steady state: unknowns of the statement."""
        import numpy as np

        s, inputs = self.statement, self.inputs(share)
        for known in (self._last, None):
            if known is None:
                (v,) = start_points(s, inputs, 1, 0)
            else:
                v = known.copy()
                v[s.n_w:s.n] = [inputs[n] / s.scale[s.n_w + k] for k, n in enumerate(s.moves)]
                v = on_model(s, v)
            rates, slopes = s.equations(v)
            if np.abs(rates).max() < 1e-9 * np.abs(slopes).max():
                break
        self._last = v
        return v

    def model(self, share: Sequence[float]) -> tuple[float, ...]:
        """Objective and limited signals of the model at its steady state."""
        s = self.statement
        values, _ = s.quantities(self.unknowns(share))
        objective = sum(w * values[s.places[n][0]] for n, w in s.weights.items())
        return tuple(float(v) for v in (objective, *(values[limit.place] for limit in s.limits)))

    def read(self, measured: Mapping[str, float],
             noise: Mapping[str, float | str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Measured objective and limited signals, and the standard deviation of their noise.

        Raises
        ------
        DataError
            Where one is missing or not finite.
        """
        s, values, sd = self.statement, {}, {}
        for name in [*s.weights, *(limit.name for limit in s.limits)]:
            if name not in measured or not math.isfinite(float(measured[name])):
                raise errors.DataError(f"{name} was not measured ({measured.get(name)}). Expected a finite number in "
                                       f"{s.places[name][1]}.")
            values[name] = float(measured[name])
            sd[name] = self._noise(name, noise.get(name, 0.0), values[name])
        objective = sum(w * values[n] for n, w in s.weights.items())
        own = math.sqrt(sum((w * sd[n]) ** 2 for n, w in s.weights.items()))
        return ((objective, *(values[limit.name] for limit in s.limits)), (own, *(sd[limit.name] for limit in s.limits)))

    def _noise(self, name: str, given: float | str, value: float) -> float:
        if isinstance(given, str) and given.strip().endswith("%"):
            return abs(value) * float(given.strip()[:-1]) / 100
        from twin import units

        return units.to_model_unit(f"the noise of {name}", given, self.statement.places[name][1])

    def said(self, inputs: Mapping[str, float]) -> str:
        """Inputs with units, for messages."""
        return ", ".join(f"{n} {v:.5g} {self.statement.places[n][1]}" for n, v in inputs.items())
