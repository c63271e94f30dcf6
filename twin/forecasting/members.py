"""Members of a forecast: parameter vectors with weights, whatever they come from."""

from __future__ import annotations

import dataclasses
from typing import Any

from twin import errors
from twin.learning.result import Training
from twin.scenarios import Scenarios


@dataclasses.dataclass(frozen=True, eq=False)
class Members:
    """An ensemble of one model.

    Attributes
    ----------
    model
        Gives equations, names and units.
    vectors
        Parameter vectors, shape (members, n_p); where `first`, the first one is the forecast itself.
    starts
        Initial states, shape (members, n_x), or None for those of the model.
    weights
        Shape (members,); sum 1.
    """

    model: Any
    vectors: Any
    starts: Any
    weights: Any
    first: bool

    def center(self, values: Any) -> Any:
        """Forecast from the values of the members, shape (members, ...): the first one, or the weighted mean."""
        import numpy as np

        if self.first:
            return values[0]
        kept = np.isfinite(values)
        weights = np.where(kept, self.weights.reshape(-1, *[1] * (values.ndim - 1)), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(kept, values * weights, 0.0).sum(0) / weights.sum(0)

    def spread(self, values: Any) -> Any:
        """Standard deviation over the members, of those that came."""
        import numpy as np

        rest = values[1:] if self.first else values
        if len(rest) < 2:
            return np.zeros(values.shape[1:])
        weights = (self.weights[1:] if self.first else self.weights).reshape(-1, *[1] * (values.ndim - 1))
        kept = np.isfinite(rest)
        shares = np.where(kept, weights, 0.0)
        total = np.maximum(shares.sum(0), 1e-300)
        mean = np.where(kept, rest, 0.0) * shares
        mean = mean.sum(0) / total
        return np.sqrt((np.where(kept, rest - mean, 0.0) ** 2 * shares).sum(0) / total)


def members_of(source: Any) -> Members:
    """Members of a training, scenarios, a calibration or a single model."""
    import numpy as np

    if isinstance(source, Training):
        models = (source.model, *(source.members if source.size else ()))
        vectors = np.array([m.parameter_vector() for m in models], float)
        return Members(source.model, vectors, None, np.full(len(models), 1.0 / len(models)), True)
    if isinstance(source, Scenarios):
        moved = any(n.startswith("initial.") for n in source.names)
        return Members(source.model, source.vectors, source.starts if moved else None, source.weights, False)
    if hasattr(source, "scenarios"):  # a calibration
        drawn = members_of(source.scenarios())
        best = np.array([source.model.parameter_vector()], float)
        weights = np.concatenate([[0.0], drawn.weights])
        starts = drawn.starts
        if starts is not None:
            starts = np.concatenate([[source.scenarios(1).starts.mean(0)], starts])
        return Members(source.model, np.concatenate([best, drawn.vectors]), starts, weights, True)
    if not hasattr(source, "parameter_vector"):
        raise errors.SpecError(f"forecast got a {type(source).__name__}. Expected a model, a training, a calibration or "
                               "twin.Scenarios.")
    return Members(source, np.array([source.parameter_vector()], float), None, np.ones(1), True)
