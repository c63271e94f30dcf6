"""Thousands of equal optimal-control problems at once through JAX, on a GPU where there is one.

The method is the engine's: primal-dual interior point with slacks on everything that is bounded, monotone barrier, filter line
search, collocation variables eliminated edge by edge, a Riccati recursion over the stages. Left out are trees, restoration and
second-order corrections: a problem that does not converge says so, and is to be solved by the engine.
No LAPACK call: inside a compiled loop it can hang on a CPU, and small systems are faster by hand.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from optimizers.dynamic.grid import radau
from twin import errors
from twin.status import Status

CHUNK = 32  # problems in one array on a CPU, where larger ones leave the cache
GAMMA, ARMIJO, SWITCH = 1e-5, 1e-4, 1e-4
BACKTRACKS, REGULARIZATIONS = 16, 12
CODES = (Status.SUCCESS, Status.ITERATION_LIMIT, Status.NOT_CONVERGED, Status.NOT_FINITE)


@dataclasses.dataclass(frozen=True, eq=False)
class JaxBatch:
    """Answers of a batch, the problem on the first axis.

    Attributes
    ----------
    statuses
        How each problem ended.
    objective, iterations, error, violation
        Numbers of each problem.
    x, u, xp, zp
        Primal answers in the shapes of the engine's `OcpResult`.
    device
        Where it ran.
    """

    statuses: tuple[Status, ...]
    objective: Any
    iterations: Any
    error: Any
    violation: Any
    x: Any
    u: Any
    xp: Any
    zp: Any
    device: str


class Point(NamedTuple):
    """An iterate: nodes, inputs, collocation variables, slacks of bounded quantities, multipliers."""

    x: Any
    u: Any
    w: Any
    s: Any
    low: Any
    high: Any
    costate: Any
    collocation: Any


class JaxOcp:
    """An `OcpSpec` without branches, compiled for batches.

    Raises
    ------
    twin.errors.SpecError
        The tree of the specification branches.
    """

    def __init__(self, spec: Any, *, max_iterations: int = 100, tol: float = 1e-8) -> None:
        import jax
        import numpy as np

        if list(spec.parents) != list(range(-1, len(spec.parents) - 1)) or len(spec.parents) < 2:
            raise errors.SpecError(f"{spec.name} branches or has no interval. JAX batches take one chain; use the engine.")
        self.spec, self.max_iterations, self.tol = spec, max_iterations, tol
        self.n_s = len(spec.parents) - 1
        self.n_x, self.n_u, self.n_c, self.n_z = spec.n_x, spec.n_u, spec.n_c, spec.n_z
        self.m = spec.degree * spec.elements
        self.n_w = self.m * (self.n_c + self.n_z)
        self.taus = np.array(radau(spec.degree))
        self.slopes, self.weights = lagrange(self.taus)
        self.scale_x, self.scale_u, self.scale_z, self.scale_path, self.scale_row, self.scale_end = (
            np.array(spec.scale(f"{n}_scale")) for n in ("x", "u", "z", "path", "row", "terminal_row"))
        keep = np.zeros((self.n_x, self.n_x))
        gain = np.zeros((self.n_x, self.n_u))
        for i, c in enumerate(spec.carried):
            keep[self.n_c + i, self.n_c + i] = c.keep
            gain[self.n_c + i, c.input] = c.gain * self.scale_u[c.input] / self.scale_x[self.n_c + i]
        self.keep, self.gain = keep, gain
        self.pick = np.zeros((self.n_x, self.n_w))
        last = (self.m - 1) * self.n_c
        self.pick[:self.n_c, last:last + self.n_c] = np.eye(self.n_c)
        with jax.enable_x64(True):
            self.compiled = jax.jit(jax.vmap(self._solve))

    # -- the functions, scaled ----------------------------------------------------------------------------------------------

    def edge(self, x: Any, u: Any, w: Any, data: Any) -> tuple[Any, Any, Any]:
        """Collocation residuals, path values and cost of an edge."""
        import jax.numpy as jnp

        spec, n_c = self.spec, self.n_c
        p, t, h = data["p_edge"], data["t_start"], data["length"]
        xp, zp = w[:self.m * n_c].reshape(self.m, n_c), w[self.m * n_c:].reshape(self.m, self.n_z)
        own, fixed, inputs = x[:n_c], x[n_c:] * self.scale_x[n_c:], u * self.scale_u
        residuals, paths, cost = [], [], 0.0
        for e in range(spec.elements):
            first = own if e == 0 else xp[e * spec.degree - 1]
            points = jnp.concatenate([first[None], xp[e * spec.degree:(e + 1) * spec.degree]])
            for j, tau in enumerate(self.taus):
                k, share = e * spec.degree + j, (e + float(tau)) / spec.elements
                f, g, c, cost_here = spec.point(t + share * h, jnp.concatenate([xp[k] * self.scale_x[:n_c], fixed]),
                                                zp[k] * self.scale_z, inputs, share, p)
                residuals.append(self.slopes[:, j] @ points - h / spec.elements * f / self.scale_x[:n_c])
                residuals.append(jnp.reshape(g, (-1,)))
                paths.append(jnp.reshape(c, (-1,)) / self.scale_path)
                cost = cost + self.weights[j] * h / spec.elements * cost_here
        return jnp.concatenate(residuals), jnp.concatenate(paths), cost * data["weight_edge"]

    def node(self, function: Any, x: Any, u: Any, data: Any) -> tuple[Any, Any]:
        """Cost and rows of a node with inputs."""
        cost, rows = function(x * self.scale_x, u * self.scale_u, data["p_node"])
        return cost * data["weight_node"], rows / self.scale_row

    def bounded(self, x: Any, u: Any, w: Any, data: Any) -> Any:
        """All bounded quantities of a stage: inputs, rows, the next node, inner points, paths."""
        import jax.numpy as jnp

        rows = self.node(self.spec.stage, x, u, data)[1]
        return jnp.concatenate([u, rows, self.following(x, u, w), w, self.edge(x, u, w, data)[1]])

    def following(self, x: Any, u: Any, w: Any) -> Any:
        """The next node."""
        return self.pick @ w + self.keep @ x + self.gain @ u

    def end(self, x: Any, data: Any) -> tuple[Any, Any]:
        """Cost and rows of the leaf."""
        import jax.numpy as jnp

        if self.spec.terminal is None:
            return 0.0, jnp.zeros(0)
        cost, rows = self.spec.terminal(x * self.scale_x, data["p_end"])
        return cost * data["weight_end"], jnp.reshape(rows, (-1,)) / self.scale_end

    # -- data ---------------------------------------------------------------------------------------------------------------

    def arrays(self, data: Any) -> dict[str, Any]:
        """The engine's data of one problem as the arrays of a chain, scaled; a list of data gives one more axis in front."""
        import numpy as np

        def bounds(d: Any, side: str) -> Any:
            inner = np.array(getattr(d, f"xp_{side}"), float)
            inner[:, -1] = -np.inf if side == "lower" else np.inf  # the last point is the node
            parts = [getattr(d, f"u_{side}")[:-1] / self.scale_u,
                     getattr(d, f"row_{side}")[:-1, :self.spec.n_rows] / self.scale_row,
                     getattr(d, f"x_{side}")[1:] / self.scale_x, (inner / self.scale_x[:self.n_c]).reshape(self.n_s, -1),
                     (getattr(d, f"zp_{side}") / self.scale_z).reshape(self.n_s, -1),
                     (getattr(d, f"path_{side}") / self.scale_path).reshape(self.n_s, -1)]
            return np.concatenate(parts, 1)

        def one(d: Any) -> dict[str, Any]:
            rows = self.spec.n_rows_terminal
            return {"stage": {"p_edge": d.p_edge, "t_start": d.t_start, "length": d.length, "weight_edge": d.weight_edge,
                              "p_node": d.p_node[:-1], "weight_node": d.weight_node[:-1],
                              "low": bounds(d, "lower"), "high": bounds(d, "upper")},
                    "end": {"p_end": d.p_node[-1], "weight_end": d.weight_node[-1],
                            "low": d.row_lower[-1, :rows] / self.scale_end, "high": d.row_upper[-1, :rows] / self.scale_end},
                    "x0": d.x_lower[0] / self.scale_x, "u": d.u[:-1] / self.scale_u}

        if not isinstance(data, Sequence):
            return one(data)
        import jax

        return jax.tree.map(lambda *a: np.stack(a), *[one(d) for d in data])

    def solve_many(self, data: Any, chunk: int | None = None) -> JaxBatch:
        """Solve many problems whose root is fixed.

        Parameters
        ----------
        data
            A list of the engine's data, or what `arrays` made of it.
        chunk
            Problems at once; all on a GPU, 32 on a CPU.
        """
        import jax
        import numpy as np

        arrays = self.arrays(data) if isinstance(data, Sequence) else data
        count = len(arrays["x0"])
        device = jax.devices()[0]
        size = chunk or (count if device.platform != "cpu" else CHUNK)
        parts = []
        with jax.enable_x64(True):
            for first in range(0, count, size):
                at = np.minimum(np.arange(first, first + size), count - 1)  # the last chunk is filled up: no further shape
                parts.append(self.compiled(jax.tree.map(lambda a, at=at: a[at], arrays)))
            parts = jax.block_until_ready(parts)
        x, u, w, objective, iterations, error, violation, code = (np.concatenate([np.asarray(p[k]) for p in parts])[:count]
                                                                  for k in range(8))
        split = self.m * self.n_c
        xp = w[:, :, :split].reshape(count, self.n_s, self.m, self.n_c) * self.scale_x[:self.n_c]
        zp = w[:, :, split:].reshape(count, self.n_s, self.m, self.n_z) * self.scale_z
        return JaxBatch(tuple(CODES[int(c)] for c in code), objective, iterations, error, violation, x * self.scale_x,
                        u * self.scale_u, xp, zp, f"{device.platform}: {device.device_kind}")

    # -- one problem --------------------------------------------------------------------------------------------------------

    def _solve(self, data: Any) -> tuple[Any, ...]:
        """The interior-point method on one problem; `vmap` makes it many."""
        from optimizers.backends.jax_ipm import Method

        return Method(self, data).run()


def lagrange(taus: Any) -> tuple[Any, Any]:
    """Derivatives of the Lagrange polynomials on 0 and `taus` (polynomial, point), and the weights of the quadrature."""
    import numpy as np

    nodes = np.array([0.0, *taus])
    slopes = np.zeros((len(nodes), len(taus)))
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        slopes[j] = np.polyder(np.poly1d(others, r=True) / np.prod(node - others))(taus)
    degrees = np.arange(len(taus))
    return slopes, np.linalg.solve(np.array(taus)[None, :] ** degrees[:, None], 1.0 / (degrees + 1))
