"""Set-points by the library's interior-point method: a problem of one node, all unknowns its inputs, exact second derivatives."""

from __future__ import annotations

import math
from typing import Any

from twin.status import Status


class EngineSolver:
    """One statement, lowered and compiled once; given values and parameters of the model stay arguments."""

    def __init__(self, statement: Any) -> None:
        import numpy as np

        from twin.engine.optimal import OcpSolver, OcpSpec

        self.statement = s = statement
        self.size = {"u": s.kernels.size("input"), "d": s.kernels.size("disturbance"), "p": len(s.base.p)}
        norms = np.linalg.norm(s.equations(s.start_vector)[1], axis=1)
        rows = [float(v) if v > 0 and math.isfinite(v) else 1.0 for v in norms]
        rows += [limit.nominal for limit, _ in s.row_limits()]
        spec = OcpSpec(f"setpoints of {s.kernels.name}", None, self._stage(), n_u=len(s.scale), n_rows=len(rows),
                       n_p_node=sum(self.size.values()), u_scale=s.scale.tolist(), row_scale=rows)
        self.solver = OcpSolver(spec)

    def _stage(self) -> Any:
        """cost and rows of all unknowns, in jnp."""
        import jax.numpy as jnp
        import numpy as np

        from twin.lowering.derivatives import equations, outputs

        s = self.statement
        f, y = equations(s.problem.model), outputs(s.problem.model)
        n_x, n_w, n = s.kernels.n_x, s.n_w, s.n
        at = np.cumsum(list(self.size.values()))
        columns = np.array(s.columns)
        weights = [(s.places[name][0], s.sign * w / s.size) for name, w in s.weights.items()]
        rows = [(limit.place, None, 0.0) for limit in s.limits if limit.price == math.inf]
        rows += [(s.limits[k].place, n + j, 1.0 if side == "lower" else -1.0) for j, (k, side) in enumerate(s.sides)]
        prices = [(n + j, s.limits[k].price / s.size) for j, (k, _) in enumerate(s.sides)]

        def stage(_: Any, v: Any, q: Any) -> Any:
            x, z, move = v[:n_x], v[n_x:n_w], v[n_w:n]
            given, d, p = q[:at[0]], q[at[0]:at[1]], q[at[1]:at[2]]
            u = given.at[columns].set(move)
            signals = [x, z, u, d] + ([y(0.0, x, z, u, d, p)] if s.kernels.n_y else [])
            values = jnp.concatenate(signals)
            cost = sum((w * values[place] for place, w in weights), 0.0) + sum((c * v[k] for k, c in prices), 0.0)
            limited = [values[place] + (0.0 if k is None else sign * v[k]) for place, k, sign in rows]
            own = f(0.0, x, z, u, d, p)
            return cost, jnp.concatenate([own, jnp.stack(limited)]) if limited else own

        return stage

    def search(self, v: Any, max_iterations: int = 300) -> tuple[Any, bool, int]:
        """From unknowns v: where it ended, whether that is an optimum, the iterations."""
        import numpy as np

        s, data = self.statement, self.solver.data()
        n_w = s.n_w
        data.u_lower[0], data.u_upper[0] = s.lower * s.scale, s.upper * s.scale
        _, _, low, high = s.limited(v)
        nominal = np.array([limit.nominal for limit, _ in s.row_limits()])
        data.row_lower[0], data.row_upper[0] = np.append(np.zeros(n_w), low * nominal), np.append(np.zeros(n_w), high * nominal)
        data.p_node[0] = [*s.base.u, *s.base.d, *s.base.p]
        data.u[0] = np.clip(v, s.lower, s.upper) * s.scale
        found = self.solver.solve(data, start="nodes", max_iterations=max_iterations)
        return found.u[0] / s.scale, found.status is Status.SUCCESS, found.iterations

