"""Weighted sums of fixed bumps, for learned terms: a Gaussian process on points, an additive spline on knots."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from twin import errors, smooth
from twin.functions import settle_inputs
from twin.lazy import jnp
from twin.module import Module
from twin.signals import static

KNOT_WIDTH = 1e-3  # of the distance of two knots: where a cubic begins smoothly


class GaussianProcess(Module):
    """Sum of Gaussian bumps on fixed points: a Gaussian process known at those points; far from them it is zero.

    Parameters
    ----------
    weights
        Height of each bump, shape (points,).
    points
        Where the bumps stand, one tuple of values a point, in the units of the inputs.
    inputs
        Names of the term's arguments that it sees.
    scales
        Widths (standard deviations) of the bumps along each input.

    Examples
    --------
    >>> f = GaussianProcess.over({"substrate": (0.0, 1.0), "temperature": (296.0, 300.0)}, points=9)
    >>> f.inputs, len(f.points), float(f({"substrate": 0.5, "temperature": 298.0}))
    (('substrate', 'temperature'), 9, 0.0)
    """

    weights: Any
    points: tuple[tuple[float, ...], ...] = static((), doc="where the bumps stand")
    inputs: tuple[str, ...] = static((), doc="names of term arguments")
    scales: tuple[float, ...] = static((), doc="widths of the bumps")

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", tuple(tuple(float(v) for v in p) for p in self.points))
        settle_inputs(self)
        if not self.points or any(len(p) != len(self.inputs) for p in self.points):
            raise errors.SpecError(f"GaussianProcess has points of {sorted({len(p) for p in self.points})} values. Expected "
                                   f"{len(self.inputs)} values a point ({', '.join(self.inputs)}), and at least one point.")
        if tuple(self.weights.shape) != (len(self.points),):
            raise errors.SpecError(f"GaussianProcess has weights of the shape {tuple(self.weights.shape)}. Expected "
                                   f"({len(self.points)},), one a point.")

    @classmethod
    def over(cls, ranges: Mapping[str, tuple[float, float]], *, points: int = 12, width: float = 0.5) -> GaussianProcess:
        """Zero, with `points` spread evenly over the ranges {input: (low, high)} and bumps of `width` of each range."""
        import numpy as np
        from scipy.stats import qmc

        low, high = np.array([r[0] for r in ranges.values()], float), np.array([r[1] for r in ranges.values()], float)
        _ranges(cls.__name__, ranges)
        unit = (np.linspace(0, 1, points)[:, None] if len(low) == 1 else
                qmc.scale(qmc.Halton(len(low), scramble=False).random(points), -0.05, 1.05))
        placed = low + (high - low) * unit
        return cls(np.zeros(points), tuple(map(tuple, placed.tolist())), tuple(ranges), tuple((width * (high - low)).tolist()))

    def __call__(self, named: Mapping[str, Any]) -> Any:
        """Value for named quantities that broadcast, in their common shape."""
        seen = jnp.broadcast_arrays(*(named[n] / s for n, s in zip(self.inputs, self.scales, strict=True)))
        total: Any = 0.0
        for i, point in enumerate(self.points):
            distance: Any = 0.0
            for value, place, s in zip(seen, point, self.scales, strict=True):
                distance = distance + (value - place / s) ** 2
            total = total + self.weights[i] * jnp.exp(-0.5 * distance)
        return total

    def restarted(self, seed: int) -> GaussianProcess:
        """The same process, zero everywhere; it has no random start."""
        return dataclasses.replace(self, weights=0.0 * self.weights)

    def prior(self, size: float) -> tuple[Any, Any]:
        """Rows and targets as in `Mlp.prior`: a process with the standard deviation `size`."""
        import numpy as np

        scaled = np.array(self.points) / np.array(self.scales)
        gram = np.exp(-0.5 * ((scaled[:, None] - scaled[None]) ** 2).sum(-1)) + 1e-6 * np.eye(len(scaled))
        return np.linalg.cholesky(gram).T / size, np.zeros(len(scaled))


class Spline(Module):
    """Sum of one cubic spline for each input, on even knots; beyond the ends of its range each keeps its end value.

    Parameters
    ----------
    weights
        Shape (inputs, n): heights of n cubic bumps along each input.
    inputs
        Names of the term's arguments that it sees.
    ranges
        (low, high) of each input, in its unit.

    Examples
    --------
    >>> f = Spline.over({"substrate": (0.0, 1.0)}, pieces=4)
    >>> f.weights.shape, round(float(dataclasses.replace(f, weights=f.weights + 1.0)({"substrate": 0.3})), 6)
    ((1, 7), 1.0)
    """

    weights: Any
    inputs: tuple[str, ...] = static((), doc="names of term arguments")
    ranges: tuple[tuple[float, float], ...] = static((), doc="low and high end of each input")

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "ranges", tuple((float(a), float(b)) for a, b in self.ranges))
        _ranges(type(self).__name__, dict(zip(self.inputs, self.ranges, strict=False)))
        if len(self.weights.shape) != 2 or len(self.ranges) != len(self.inputs) or self.weights.shape[0] != len(self.inputs):
            raise errors.SpecError(f"Spline has {len(self.inputs)} inputs, {len(self.ranges)} ranges and weights of the shape "
                                   f"{tuple(self.weights.shape)}. Expected as many ranges, and a row of weights an input.")
        if self.weights.shape[1] < 4:
            raise errors.SpecError(f"Spline has {self.weights.shape[1]} weights an input. Expected at least 4: one piece.")

    @classmethod
    def over(cls, ranges: Mapping[str, tuple[float, float]], *, pieces: int = 5) -> Spline:
        """Zero, with `pieces` cubic pieces over each range {input: (low, high)}."""
        import numpy as np

        return cls(np.zeros((len(ranges), pieces + 3)), tuple(ranges), tuple(ranges.values()))

    def __call__(self, named: Mapping[str, Any]) -> Any:
        """Value for named quantities that broadcast, in their common shape."""
        n, total = self.weights.shape[1], 0.0
        for k, (name, (low, high)) in enumerate(zip(self.inputs, self.ranges, strict=True)):
            z = smooth.limit((named[name] - low) * ((n - 3) / (high - low)), 0.0, n - 3.0, KNOT_WIDTH)
            cubes = [smooth.positive(z - (j - 3.0), KNOT_WIDTH) ** 3 for j in range(n + 4)]
            for i in range(n):
                bump = cubes[i] - 4.0 * cubes[i + 1] + 6.0 * cubes[i + 2] - 4.0 * cubes[i + 3] + cubes[i + 4]
                total = total + self.weights[k, i] * (bump / 6.0)
        return total

    def restarted(self, seed: int) -> Spline:
        """The same spline, zero everywhere; it has no random start."""
        return dataclasses.replace(self, weights=0.0 * self.weights)

    def prior(self, size: float) -> tuple[Any, Any]:
        """Rows and targets as in `Mlp.prior`: straight lines cost little, bends cost more."""
        import numpy as np

        count, n = self.weights.shape
        bends = np.diff(np.eye(n), 2, axis=0) / (0.5 * size)
        rows = np.kron(np.eye(count), np.concatenate([bends, np.eye(n) / (3.0 * size)]))
        return rows, np.zeros(len(rows))


def _ranges(kind: str, ranges: Mapping[str, tuple[float, float]]) -> None:
    if not ranges:
        raise errors.SpecError(f"{kind} has no inputs. Expected {{input: (low, high)}}.")
    for name, (low, high) in ranges.items():
        if not low < high:
            raise errors.SpecError(f"The range of {name} is {low:g} to {high:g}. Expected low < high.")
