"""Linear behavior of a model about one point: matrices, gains, poles, zeros, step responses, by name with units."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.simulation.kernels import Kernels, Point


def linearize(model: Any, at: Any = None, *, inputs: Mapping[str, Any] | None = None,
              parameters: Mapping[str, Any] | None = None) -> Linearization:
    """Linearize a dynamic model: dx/dt = A x + B u, y = C x + D u about one point.

    Algebraic variables (index 1) are eliminated. Columns of B and D are the inputs, then the disturbances; rows of C
    and D are the outputs, or the states of a model without outputs.

    Parameters
    ----------
    model
        A dynamic model.
    at
        A steady state of `twin.steady`, a trajectory (its last point), states by name, or None for the initial states.
    inputs
        Inputs and disturbances by name; those of `at` or of the model's recipe without.
    parameters
        Parameters that differ from those of the model.

    Raises
    ------
    SpecError
        Where names, units or values are wrong, or the model has no states.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import VanDeVusse
    >>> point = twin.steady(VanDeVusse.klatt_engell())[0]
    >>> linear = twin.linearize(VanDeVusse.klatt_engell(), point)
    >>> round(linear.gain("flow", "c_a"), 4) > 0
    True
    """
    import numpy as np

    kernels = Kernels(model)
    if not kernels.n_x:
        raise errors.SpecError(f"{kernels.name} has no states: nothing to linearize in time. "
                               "Use twin.sweep for its sensitivities.")
    point = kernels.point(at, inputs, parameters)
    n, m = kernels.n_x, kernels.n_z
    jacobian = kernels.jacobian(point)
    entry = kernels.matrix("input_jacobian", point, n + m)
    out = kernels.matrix("output_jacobian", point, kernels.n_y)
    f_x, f_z, g_x, g_z = jacobian[:n, :n], jacobian[:n, n:], jacobian[n:, :n], jacobian[n:, n:]
    f_u, g_u = entry[:n], entry[n:]
    z_x, z_u = -np.linalg.solve(g_z, g_x), -np.linalg.solve(g_z, g_u)
    a, b = f_x + f_z @ z_x, f_u + f_z @ z_u
    y_x, y_z, y_u = out[:, :n], out[:, n:n + m], out[:, n + m:]
    c, d = (y_x + y_z @ z_x, y_u + y_z @ z_u) if kernels.n_y else (np.eye(n), np.zeros_like(b))
    columns = kernels.labels("input") | kernels.labels("disturbance")
    states = kernels.labels("state")
    rows = kernels.labels("output") or states
    return Linearization(kernels.name, kernels.time_unit, point, states, columns, rows, a, b, c, d)


@dataclasses.dataclass(frozen=True, eq=False)
class Linearization:
    """A linear model about one point.

    Attributes
    ----------
    states, inputs, outputs
        Units by name, in the order of the rows and columns of the matrices.
    A, B, C, D
        numpy arrays; A in 1/`time_unit` times the units of states over states, and so on.
    """

    model: str
    time_unit: str
    point: Point = dataclasses.field(repr=False)
    states: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    A: Any = dataclasses.field(repr=False)
    B: Any = dataclasses.field(repr=False)
    C: Any = dataclasses.field(repr=False)
    D: Any = dataclasses.field(repr=False)

    @property
    def poles(self) -> Any:
        """Eigenvalues of A, slowest first, in 1/`time_unit`."""
        import numpy as np

        poles = np.linalg.eigvals(self.A).astype(complex)
        return poles[np.lexsort((poles.imag, -poles.real))]

    @property
    def stable(self) -> bool:
        """True where all poles lie in the left half plane."""
        return bool((self.poles.real < 0).all())

    @property
    def time_constants(self) -> Any:
        """-1/Re(pole) in `time_unit`; negative for unstable poles, infinite for integrators."""
        import numpy as np

        with np.errstate(divide="ignore"):
            return -1.0 / self.poles.real

    @property
    def damping(self) -> Any:
        """Damping ratio of each pole: 1 for real stable poles, -1 for real unstable ones."""
        import numpy as np

        size = np.abs(self.poles)
        return np.divide(-self.poles.real, size, out=np.zeros_like(size), where=size > 0)

    @property
    def gains(self) -> Any:
        """DataFrame of steady-state gains, outputs by inputs; NaN where the model has an integrator."""
        import numpy as np
        import pandas as pd

        try:
            gains = self.D - self.C @ np.linalg.solve(self.A, self.B)
        except np.linalg.LinAlgError:
            gains = np.full_like(self.D, np.nan)
        frame = pd.DataFrame(gains, index=list(self.outputs), columns=list(self.inputs))
        frame.attrs["units"] = {(y, u): f"({self.outputs[y]})/({self.inputs[u]})"
                                for y in self.outputs for u in self.inputs}
        return frame

    def gain(self, source: str, target: str) -> float:
        """Steady-state gain from an input or disturbance to an output."""
        i, j = self._pair(source, target)
        return float(self.gains.iat[i, j])

    def zeros(self, source: str, target: str) -> Any:
        """Transmission zeros from one input to one output, in 1/`time_unit`."""
        import numpy as np
        from scipy.linalg import eig

        i, j = self._pair(source, target)
        n = len(self.A)
        pencil = np.block([[self.A, self.B[:, [j]]], [self.C[[i]], self.D[[i], [j]].reshape(1, 1)]])
        mask = np.diag([1.0] * n + [0.0])
        top, bottom = eig(pencil, mask, right=False, homogeneous_eigvals=True)
        finite = np.abs(bottom) > 1e-10 * np.maximum(np.abs(top), np.abs(bottom))
        return np.sort_complex(top[finite] / bottom[finite])

    def step_response(self, source: str, times: Any = None) -> Any:
        """DataFrame of the outputs after a unit step of one input, rows by time in `time_unit`."""
        import numpy as np
        import pandas as pd
        from scipy.linalg import expm

        j = self._index(source, "input or disturbance", self.inputs)
        if times is None:
            slow = np.abs(self.poles.real)
            slow = slow[slow > 1e-12 * slow.max(initial=1.0)]
            times = np.linspace(0, 5 / slow.min() if slow.size else 1.0, 200)
        n = len(self.A)
        block = np.zeros((n + 1, n + 1))
        block[:n, :n], block[:n, n] = self.A, self.B[:, j]
        rows, state, last, jump = [], np.append(np.zeros(n), 1.0), 0.0, (0.0, np.eye(n + 1))
        for t in np.asarray(times, dtype=float):
            if abs(t - last - jump[0]) > 1e-12 * max(abs(t), 1e-300):
                jump = (t - last, expm(block * (t - last)))
            state, last = (jump[1] @ state if t != last else state), t
            rows.append(self.C @ state[:n] + self.D[:, j])
        return pd.DataFrame(rows, index=pd.Index(times, name=f"time [{self.time_unit}]"), columns=list(self.outputs))

    def table(self) -> Any:
        """DataFrame: one row a pole with time constant, damping and period of oscillation."""
        import numpy as np
        import pandas as pd

        poles = self.poles
        with np.errstate(divide="ignore"):
            period = np.where(np.abs(poles.imag) > 0, 2 * np.pi / np.abs(poles.imag), np.inf)
        unit = self.time_unit
        return pd.DataFrame({f"pole [1/{unit}]": poles, f"time constant [{unit}]": self.time_constants,
                             "damping [-]": self.damping, f"period [{unit}]": period})

    def plot(self, source: str | None = None) -> Any:
        """Matplotlib Figure of step responses: one panel an output, one line an input (or only `source`)."""
        from twin.simulation import plots

        fig, axes = plots.figure(len(self.outputs))
        for k, name in enumerate([source] if source else list(self.inputs)):
            response = self.step_response(name)
            for axis, target in zip(axes, self.outputs, strict=True):
                axis.plot(response.index, response[target], color=plots.COLORS[k % len(plots.COLORS)],
                          label=f"{name} + 1 {self.inputs[name]}")
                plots.title(axis, target, self.outputs[target])
                axis.set_xlabel(f"time [{self.time_unit}]")
        plots.legend(axes)
        return fig

    def _pair(self, source: str, target: str) -> tuple[int, int]:
        return (self._index(target, "output", self.outputs), self._index(source, "input or disturbance", self.inputs))

    def _index(self, name: str, kind: str, known: Mapping[str, str]) -> int:
        if name not in known:
            raise errors.unknown(kind, name, f"the linearized {self.model}", known)
        return list(known).index(name)
