"""A model's steady state as what measurements have to agree with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.quality.reconciliation import Fit
from twin.simulation.kernels import Kernels
from twin.simulation.steady import steady
from twin.status import Status

ITERATIONS = 50


class ModelSystem:
    """Measured signals as functions of the inputs that are not known exactly, at the steady state."""

    def __init__(self, model: Any, measured: Mapping[str, float], inputs: Mapping[str, Any] | None,
                 parameters: Mapping[str, Any] | None, free: Sequence[str]) -> None:
        self.kernels = kernels = Kernels(model)
        self.parameters = parameters
        entries = kernels.check.rows("input", "disturbance")
        signals = kernels.check.rows("state", "algebraic", "output", "input", "disturbance")
        for name in measured:
            row = kernels.check.known("signal", name, "state", "algebraic", "output", "input", "disturbance")
            if row.shape:
                raise errors.SpecError(f"{kernels.name}.{name} lies on {row.count} cells. Expected scalar signals; add "
                                       "an output.")
        for name in free:
            if name not in entries:
                raise errors.unknown("input or disturbance", name, kernels.name, entries)
        self.units = {name: row.signal.unit for name, row in signals.items() if not row.shape}
        self.moved = [n for n in entries if n in measured or n in free]
        for name in inputs or {}:
            if name in measured:
                raise errors.SpecError(f"{kernels.name}.{name} is measured and given as known. Keep one of the two.")
        guess = {n: float(measured[n]) if n in measured else entries[n].signal.nominal for n in self.moved}
        self.given = {**(inputs or {}), **guess}
        known = {n for n in measured if n not in entries}
        start = {n: float(v) for n, v in measured.items() if n in kernels.check.rows("state", "algebraic")}
        points = steady(model, self.given, parameters=parameters, within_limits=False)
        scale = {n: abs(signals[n].signal.nominal) or 1.0 for n in known}
        # of several steady states the one nearest to the measurements
        self.point = min(points, key=lambda p: sum(((p[n] - float(measured[n])) / scale[n]) ** 2 for n in known))
        self.start = start

    def fit(self, kept: Sequence[str], y: Any, s: Any) -> Fit:
        """Gauss-Newton on the inputs, the model solved at each step."""
        import numpy as np

        kernels, w = self.kernels, np.asarray(self.point.x + self.point.z)
        at = dict(self.given)
        moved = [float(at[n]) for n in self.moved]
        cost = np.inf
        step = np.zeros(len(moved))
        for _ in range(ITERATIONS):
            point, w = self._solved(w, moved)
            predicted, slopes = self._predicted(point, kept)
            rest = (y - predicted) / s
            after = float(rest @ rest)
            if after > cost * (1 + 1e-12) and np.max(np.abs(step)) > 1e-12:
                step = 0.5 * step
                moved = [a - b for a, b in zip(moved, step, strict=True)]
                continue
            cost = after
            weighted = slopes / s[:, None]
            full, *_, singular = np.linalg.lstsq(weighted, rest, rcond=None)
            if len(kept) < len(moved) or (len(singular) and singular.min() < 1e-10 * singular.max()):
                raise errors.SpecError(f"The measurements do not determine {', '.join(self.moved)}. Measure more, or give some "
                                       "of them as inputs=.")
            step = full
            if not len(step) or np.max(np.abs(step) / (1e-12 + np.abs(moved))) < 1e-10:
                break
            moved = [a + b for a, b in zip(moved, step, strict=True)]
        else:
            raise errors.ConvergenceError(f"The steady state of {kernels.name} could not be fitted to the measurements.",
                                          status=Status.NOT_CONVERGED)
        u, _, _ = np.linalg.svd(slopes, full_matrices=True)
        rows = u[:, slopes.shape[1]:].T
        named = {n: float(v) for n, v in point.values.items() if not isinstance(v, list)}
        return Fit(predicted, named, rows)

    def _solved(self, w: Any, moved: Sequence[float]) -> tuple[Any, Any]:
        """Steady state near w at other inputs."""
        import numpy as np

        kernels = self.kernels
        base = kernels.point(self.point, dict(zip(self.moved, moved, strict=True)), self.parameters, consistent=False)
        scale = kernels.scale()
        for _ in range(ITERATIONS):
            step = -np.linalg.solve(kernels.jacobian(base, w), kernels.rates(base, w))
            change = float(np.max(np.abs(step) / scale, initial=0.0))
            w = w + step * min(1.0, 1.0 / max(change, 1e-300))
            if change < 1e-12:
                return kernels.with_unknowns(base, w), w
        raise errors.ConvergenceError(f"{kernels.name} has no steady state near the measurements.", status=Status.NOT_CONVERGED)

    def _predicted(self, point: Any, kept: Sequence[str]) -> tuple[Any, Any]:
        """Values of the measured signals and their derivatives by the moved inputs."""
        import numpy as np

        kernels = self.kernels
        n = kernels.n_x + kernels.n_z
        jacobian = kernels.jacobian(point, np.asarray(point.x + point.z))
        entry = kernels.matrix("input_jacobian", point, n)
        unknowns = -np.linalg.solve(jacobian, entry)
        out = kernels.matrix("output_jacobian", point, kernels.n_y)
        outputs = out[:, :n] @ unknowns + out[:, n:]
        blocks = {"state": unknowns[:kernels.n_x], "algebraic": unknowns[kernels.n_x:], "output": outputs}
        places = {r.signal.name: (role, r.start) for role in ("state", "algebraic", "output", "input", "disturbance")
                  for r in kernels.model.layout(role)}
        n_u = kernels.size("input")
        column = {n: k + (n_u if role == "disturbance" else 0) for n, (role, k) in places.items()
                  if role in ("input", "disturbance")}
        own = [column[n] for n in self.moved]
        rows = []
        for name in kept:
            role, k = places[name]
            row = np.eye(kernels.n_e)[column[name]] if role in ("input", "disturbance") else blocks[role][k]
            rows.append(row[own])
        return np.array([float(point[n]) for n in kept]), np.array(rows).reshape(len(kept), len(own))
