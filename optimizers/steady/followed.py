"""A steady problem in its moved inputs only: the steady state follows them, derivatives through the implicit function.

For large models: a kiln of 40 cells has 560 unknowns and five moves. Every state stays on the equations of the model, so there is
nothing to converge but the moves.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from optimizers.steady.statement import Statement
from twin import errors
from twin.simulation import settle
from twin.simulation.kernels import Kernels
from twin.status import Status

HALVINGS = 6  # how often the way to the next inputs is halved before the model is left to settle


class Followed(Statement):
    """The same problem with v = (moved inputs, excesses of soft limits); physical limits of states are checked, not imposed."""

    def __init__(self, problem: Any, kernels: Kernels | None = None) -> None:
        super().__init__(problem, kernels)
        self.width, whole = self.n_w, self.n_w
        self.n, self.n_w = self.n_u, 0
        self.scale, self.lower, self.upper = self.scale[whole:], self.lower[whole:], self.upper[whole:]
        self._kept: list[tuple[Any, Any]] = []  # (u, d, p) and unknowns of the last few steady states

    def start(self, point: Any) -> Any:
        """Unknowns at a steady state, whose states are kept as the next start."""
        import numpy as np

        self._remember(point)
        v = np.concatenate([[point.u[c] for c in self.columns], np.zeros(len(self.sides))])
        every = super()._signals(point)[0]
        for j, (k, side) in enumerate(self.sides):
            limit, value = self.limits[k], every[self.limits[k].place]
            v[self.n + j] = max(limit.lower - value if side == "lower" else value - limit.upper, 0.0)
        return v / self.scale

    def _remember(self, point: Any) -> None:
        import numpy as np

        self._kept = [((point.u, point.d, point.p), np.asarray(point.x + point.z)), *self._kept[:3]]

    def point(self, v: Any) -> Any:
        """The steady state at given moves."""
        u = list(self.base.u)
        for c, value in zip(self.columns, (v * self.scale)[:self.n], strict=True):
            u[c] = float(value)
        wanted = dataclasses.replace(self.base, u=tuple(u))
        key = (wanted.u, wanted.d, wanted.p)
        w = next((kept for known, kept in self._kept if known == key), None)
        if w is None:
            w = self._follow(wanted)
        n = self.kernels.n_x
        found = dataclasses.replace(wanted, x=tuple(map(float, w[:n])), z=tuple(map(float, w[n:])))
        if not self._kept or self._kept[0][0] != key:
            self._remember(found)
        return found

    def _follow(self, wanted: Any) -> Any:
        """Unknowns at other inputs: Newton from the last steady state, in smaller steps where it fails, else a simulation."""
        import numpy as np

        if self._kept:
            (u, d, p), w = self._kept[0]
            parts = 1
            for _ in range(HALVINGS):
                at: Any = w
                for k in range(1, parts + 1):
                    share = k / parts
                    between = dataclasses.replace(wanted, **{
                        role: tuple((1.0 - share) * np.asarray(a) + share * np.asarray(b))
                        for role, a, b in (("u", u, wanted.u), ("d", d, wanted.d), ("p", p, wanted.p))})
                    at = settle.polish(self.kernels, wanted if k == parts else between, at)[0]
                    if at is None:
                        break
                if at is not None:
                    return at
                parts *= 2
        names = {r.signal.name: flat[r.start] for role, flat in (("input", wanted.u), ("disturbance", wanted.d))
                 for r in self.kernels.model.layout(role)}
        rest = settle.settled(self.problem.model, self.kernels, wanted, names, self.problem.parameters or None)
        found = settle.polish(self.kernels, wanted, rest)[0]
        if found is None:
            told = ", ".join(f"{n} {v:.4g}" for n, v in names.items())
            raise errors.ConvergenceError(f"No steady state of {self.kernels.name} was found at {told}.",
                                          status=Status.NOT_CONVERGED)
        return found

    def _signals(self, point: Any, slopes: bool = False) -> tuple[Any, Any]:
        """Values of all signals, and their whole derivatives by the moves: with the steady state that follows them."""
        import numpy as np
        from scipy.sparse import csc_matrix
        from scipy.sparse.linalg import splu

        if not slopes:
            return super()._signals(point)
        kernels, n = self.kernels, self.width
        values = super()._signals(point)[0]
        entry = kernels.matrix("input_jacobian", point, n)[:, self.columns]
        w = np.asarray(point.x + point.z)
        follow = -splu(csc_matrix(kernels.jacobian(point, w))).solve(entry)
        n_e = len(point.u) + len(point.d)
        moved = np.zeros((n_e, self.n_u))
        moved[self.columns, np.arange(self.n_u)] = 1.0
        rows = [follow, moved]
        if kernels.n_y:
            out = kernels.matrix("output_jacobian", point, kernels.n_y)
            rows.append(out[:, :n] @ follow + out[:, n:] @ moved)
        return values, np.vstack(rows)

    def equations(self, v: Any) -> tuple[Any, Any]:
        """None are left."""
        import numpy as np

        return np.zeros(0), np.zeros((0, len(v)))

    def labels(self) -> list[tuple[str, str]]:
        """Name and unit of each unknown that is no excess."""
        return [(n, self.places[n][1]) for n in self.moves]
