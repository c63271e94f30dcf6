"""A model whose inputs carry constant biases as additional parameters: exact derivatives come with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.calibration.unknowns import BIAS
from twin.lowering.system import System, system_of


class Biased:
    """The equations of a model with `bias.<input>` behind its parameters; only what a `System` is made from."""

    def __init__(self, model: Any, inputs: Sequence[str], values: Sequence[Any] = ()) -> None:
        self.model, self.inputs = model, tuple(inputs)
        self.biases: Sequence[Any] = values or [0.0] * len(inputs)
        self.title, self.time_unit = model.title, model.time_unit

    def layout(self, role: str) -> Any:
        """As the model."""
        return self.model.layout(role)

    def size(self, role: str) -> int:
        """As the model."""
        return int(self.model.size(role))

    def initial(self) -> Any:
        """As the model."""
        return self.model.initial()

    def parameter_names(self) -> tuple[str, ...]:
        """Those of the model, then the biases."""
        return (*self.model.parameter_names(), *(f"{BIAS}{n}" for n in self.inputs))

    def parameter_vector(self) -> list[float]:
        """Those of the model, then the biases."""
        return [*self.model.parameter_vector(), *self.biases]

    def with_parameter_vector(self, p: Any) -> Biased:
        """Copy that reads parameters and biases from `p`."""
        n = p.shape[0] - len(self.inputs)
        return Biased(self.model.with_parameter_vector(p[:n]), self.inputs, [p[n + k] for k in range(len(self.inputs))])

    def derivative(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
        """The equations with the biases added to the inputs."""
        return self.model.derivative(t, x, z, self._moved("input", u), self._moved("disturbance", d))

    def output_vector(self, t: Any, x: Any, z: Any, u: Any, d: Any) -> Any:
        """The outputs with the biases added to the inputs."""
        return self.model.output_vector(t, x, z, self._moved("input", u), self._moved("disturbance", d))

    def _moved(self, role: str, v: Any) -> Any:
        import jax.numpy as jnp

        shift: list[Any] = [0.0] * self.size(role)
        for r in self.layout(role):
            if r.signal.name in self.inputs:
                shift[r.start] = self.biases[self.inputs.index(r.signal.name)]
        return v + jnp.stack([jnp.asarray(s, dtype=v.dtype) for s in shift]) if shift else v


def system_with(model: Any, biases: Sequence[str]) -> System:
    """The model as a System, with a parameter for the bias of each of these inputs."""
    if not biases:
        return system_of(model)
    if model.on_cells():
        raise errors.SpecError(f"{model.title} lies on cells: biases of its inputs cannot be fitted. "
                               "Add a parameter to the model.")
    return system_of(Biased(model, biases))
