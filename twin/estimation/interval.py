"""The numbers of a filter: one interval of a model, its measurements, and the noise that gathers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.engine import executions
from twin.engine.runner import Runner
from twin.estimation.held import Held, hold
from twin.lowering.system import system_of
from twin.recipe import Recipe
from twin.simulation.checks import Checker, number
from twin.simulation.kernels import Kernels


@dataclasses.dataclass(frozen=True, eq=False)
class Interval:
    """A model over one interval as functions of flat vectors, with names and limits of its estimated quantities."""

    model: Held
    kernels: Kernels
    runner: Runner
    tangent: Runner
    p: Any
    n_held: int

    @classmethod
    def of(cls, model: Any, walks: tuple[str, ...], measured: tuple[str, ...], parameters: Any, rtol: float,
           execution: str | None) -> Interval:
        """Prepare a model."""
        import numpy as np

        inside = hold(model, walks, measured)
        system = system_of(inside)
        free = Recipe.constant()
        names = [f"initial.{n}" for n in Kernels(inside, False).labels("state")]
        p = np.asarray(inside.parameter_vector())
        p[:len(model.parameter_vector())] = Checker(model, False).parameters(parameters)
        options: dict[str, Any] = {"times": [1.0], "duration": 1.0, "rtol": rtol, "execution": execution}
        return cls(inside, Kernels(inside, False), Runner(system, free, **options),
                   Runner(system, free, sensitivities=names, **options), p, len(inside.held))

    def parameters(self, held: Any, start: float, length: float) -> Any:
        """Parameter vector with inputs and disturbances `held` from `start` on for `length`."""
        p = self.p.copy()
        n = len(p) - 2 - self.n_held
        p[n:n + self.n_held] = held
        p[-2:] = start, length
        return p

    def end(self, x: Any, p: Any) -> tuple[Any, str]:
        """State at the end of the interval, and what went wrong, or ""."""
        import numpy as np

        raw = self.runner.run(x, p)
        return np.asarray(raw.x_end, dtype=float), "" if raw.status else f"{raw.status} Trouble began with {raw.trouble}."

    def end_and_slope(self, x: Any, p: Any) -> tuple[Any, Any, str]:
        """State at the end, its derivative to the state at the start, and what went wrong, or ""."""
        import numpy as np

        raw = self.tangent.run(x, p)
        if not raw.status:
            return np.asarray(raw.x_end, dtype=float), None, f"{raw.status} Trouble began with {raw.trouble}."
        slope = np.asarray(raw.tangents, dtype=float)[:, :len(x)].T
        return np.asarray(raw.x_end, dtype=float), slope, ""

    def algebraics(self, x: Any, p: Any) -> Any:
        """Algebraics at a state, from their nominal values on; NaN where they are not found."""
        import numpy as np

        k = self.kernels
        if not k.n_z:
            return np.zeros(0)
        z = np.asarray(k.check.nominal("algebraic"), dtype=float)
        try:
            return np.asarray(k.consistent(self.point(x, z, p)))[k.n_x:]
        except (errors.ConvergenceError, np.linalg.LinAlgError):
            return np.full(k.n_z, math.nan)

    def point(self, x: Any, z: Any, p: Any) -> Any:
        """A point of the model."""
        from twin.simulation.kernels import Point

        return Point(self.kernels.name, {}, {}, tuple(x), tuple(z), (), (), tuple(p))

    def measure(self, x: Any, p: Any) -> Any:
        """Expected measurements."""
        return self.kernels.functions["outputs"](0.0, list(x), list(self.algebraics(x, p)), [], [], list(p))

    def slopes(self, x: Any, p: Any) -> tuple[Any, Any]:
        """Derivatives of the rates (over the interval) and of the measurements to the state, algebraics eliminated."""
        import numpy as np

        k, z = self.kernels, self.algebraics(x, p)
        point = self.point(x, z, p)
        rates, seen = k.jacobian(point), k.matrix("output_jacobian", point, k.n_y)
        n = k.n_x
        if not k.n_z:
            return rates, seen
        follow = -np.linalg.solve(rates[n:, n:], rates[n:, :n])
        return rates[:n, :n] + rates[:n, n:] @ follow, seen[:, :n] + seen[:, n:n + k.n_z] @ follow

    def gathered(self, x: Any, p: Any, density: Any) -> Any:
        """Covariance that white noise of this density a unit of time gathers over the interval."""
        return gathered(self.slopes(x, p)[0], density * p[-1])

    def warm_up(self) -> None:
        """Compile."""
        for runner in (self.runner, self.tangent):
            if executions.wanted(runner.execution) == "auto":
                executions.obtain(runner, many=True)


def gathered(slope: Any, noise: Any) -> Any:
    """Integral of exp(F s) Q exp(F s)' for s from 0 to 1: series over a short piece, then doubled (stable for stiff F)."""
    import numpy as np

    norm = float(np.abs(slope).sum(1).max(initial=0.0))
    if not math.isfinite(norm):
        return noise
    halvings = max(0, math.ceil(math.log2(max(norm, 1e-300) / 0.125)))
    f = slope * 0.5**halvings
    term, total = noise * 0.5**halvings, np.zeros_like(noise)
    power, step = np.eye(len(f)), np.zeros_like(f)
    for k in range(1, 13):
        total = total + term / k
        step = step + power
        term = (f @ term + term @ f.T) / k
        power = power @ f / k
    for _ in range(halvings):
        total = total + step @ total @ step.T
        step = step @ step
    return total


def deviations(labels: Mapping[str, str], model: str, given: Mapping[str, Any], default: Any, what: str) -> Any:
    """Standard deviations by name as a vector over `labels`; `default` where none is given."""
    import numpy as np

    found = np.array(default, dtype=float)
    names = list(labels)
    for name, value in given.items():
        hits = [k for k, n in enumerate(names) if n == name or n.startswith(f"{name}[")]
        if not hits:
            raise errors.unknown("state", name, f"{model} ({what})", names)
        unit = labels[names[hits[0]]]
        size = number(f"{what} of {model}.{name}", value, unit)
        if size < 0:
            raise errors.SpecError(f"{what} of {model}.{name} is {size:g} {unit}. Expected a standard deviation of 0 or more.")
        found[hits] = size
    return found
