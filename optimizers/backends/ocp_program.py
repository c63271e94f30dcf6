"""An optimal-control problem of the engine as one sparse nonlinear program with exact derivatives from JAX.

Every nonlinear function is evaluated in batches (points, stages, leaves, the root): F = P(S w + s). Objective and constraints
are linear in w and in all F, so that gradient, Jacobian and Hessian follow from the derivatives of P by sparse products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from optimizers.dynamic.grid import radau


class Batch:
    """One function at many places: values, derivatives and second derivatives."""

    def __init__(self, function: Callable[..., Any], n_v: int, n_out: int) -> None:
        import jax

        self.n_v, self.n_out = n_v, n_out
        self.value = jax.jit(jax.vmap(function))
        self.first = jax.jit(jax.vmap(jax.jacfwd(function)))
        self.second = jax.jit(jax.vmap(lambda v, w, *a: jax.jacfwd(jax.grad(lambda q: w @ function(q, *a)))(v)))


class Program:
    """The structure of a specification; `bind` gives it numbers."""

    def __init__(self, spec: Any) -> None:
        import jax
        import jax.numpy as jnp
        import numpy as np

        self.spec = spec
        parents = list(spec.parents)
        self.nodes, self.edges = len(parents), len(parents) - 1
        self.points = spec.degree * spec.elements
        self.has_u = [n in parents or self.nodes == 1 for n in range(self.nodes)]
        self.leaves = [n for n in range(self.nodes) if not self.has_u[n]]
        taus = np.array(radau(spec.degree))
        self.tau = np.concatenate([(e + taus) / spec.elements for e in range(spec.elements)])
        self._number()
        n_c, n_x = spec.n_c, spec.n_c + len(spec.carried)

        def flat(*parts: Any) -> Any:
            return jnp.concatenate([jnp.reshape(jnp.asarray(p, float), (-1,)) for p in parts])

        def point(v: Any, t: Any, s: Any, p: Any) -> Any:
            x, z, u = jnp.split(v, [n_x, n_x + spec.n_z])
            return flat(*spec.point(t, x, z, u, s, p))

        def stage(f: Callable[..., Any]) -> Callable[..., Any]:
            return lambda v, p: flat(*f(v[:n_x], v[n_x:], p))

        with jax.enable_x64(True):
            self.batches: dict[str, Batch] = {}
            if self.edges:
                self.batches["point"] = Batch(point, n_x + spec.n_z + spec.n_u, n_c + spec.n_z + spec.n_path + 1)
            self.batches["stage"] = Batch(stage(spec.stage), n_x + spec.n_u, 1 + spec.n_rows)
            if spec.terminal is not None and self.leaves:
                terminal = spec.terminal
                self.batches["terminal"] = Batch(lambda v, p: flat(*terminal(v, p)), n_x, 1 + spec.n_rows_terminal)
            if spec.initial is not None:
                rows = spec.n_rows if spec.n_rows_initial is None else spec.n_rows_initial
                self.batches["initial"] = Batch(stage(spec.initial), n_x + spec.n_u, 1 + rows)
        self.stages = [n for n in range(self.nodes) if self.has_u[n] and not (n == 0 and spec.initial is not None)]

    def _number(self) -> None:
        """Number the variables: x (M, n_x), u (M, n_u; -1 where there is none), points (E, m, n_c), zp (E, m, n_z)."""
        import numpy as np

        spec, at = self.spec, 0
        n_x = spec.n_c + len(spec.carried)
        self.ix = np.arange(self.nodes * n_x).reshape(self.nodes, n_x)
        at = self.ix.size
        self.iu = np.full((self.nodes, spec.n_u), -1)
        for n in range(self.nodes):
            if self.has_u[n]:
                self.iu[n] = np.arange(at, at + spec.n_u)
                at += spec.n_u
        self.ip = np.zeros((self.edges, self.points, spec.n_c), int)
        self.iz = np.zeros((self.edges, self.points, spec.n_z), int)
        for e in range(self.edges):
            inner = (self.points - 1) * spec.n_c
            self.ip[e, :-1] = np.arange(at, at + inner).reshape(self.points - 1, spec.n_c)
            self.ip[e, -1] = self.ix[e + 1, :spec.n_c]
            at += inner
            self.iz[e] = np.arange(at, at + self.iz[e].size).reshape(self.iz[e].shape)
            at += self.iz[e].size
        self.n = at

    def bind(self, data: Any) -> Bound:
        """The program with the numbers of one solve."""
        return Bound(self, data)


class Bound:
    """A program with numbers: what IPOPT calls, and what its answer means."""

    def __init__(self, program: Program, data: Any) -> None:
        self.program, self.data, self.n = program, data, program.n
        self._scale()
        self._places()
        self._rows()
        self._derivative_structure()
        self._known: tuple[Any, dict[str, Any]] = (None, {})

    def _scale(self) -> None:
        import numpy as np

        q, spec, d = self.program, self.program.spec, self.data
        ones = lambda given, n: np.ones(n) if given is None else np.asarray(given, float)  # noqa: E731
        xs, us, zs = ones(spec.x_scale, q.ix.shape[1]), ones(spec.u_scale, spec.n_u), ones(spec.z_scale, spec.n_z)
        self.scale, self.w0 = np.ones(self.n), np.zeros(self.n)
        self.w_low, self.w_high = np.full(self.n, -math.inf), np.full(self.n, math.inf)
        some = [n for n in range(q.nodes) if q.has_u[n]]
        for index, size, guess, low, high in (
                (q.ip, xs[:spec.n_c], d.xp, d.xp_lower, d.xp_upper), (q.iz, zs, d.zp, d.zp_lower, d.zp_upper),
                (q.ix, xs, d.x, d.x_lower, d.x_upper), (q.iu[some], us, d.u[some], d.u_lower[some], d.u_upper[some])):
            if not index.size:
                continue
            self.scale[index] = size
            self.w0[index], self.w_low[index], self.w_high[index] = guess / size, low / size, high / size
        self.w0 = np.clip(self.w0, self.w_low, self.w_high)

    def _places(self) -> None:
        """For each batch: the variables of each place (-1: none), its fixed arguments, and the number of its first value."""
        import numpy as np

        q, d = self.program, self.data
        n_x = q.ix.shape[1]
        self.batches: list[tuple[Batch, Any, tuple[Any, ...], int]] = []
        at = 0
        if q.edges:
            parents = np.array(q.spec.parents[1:])
            place = np.empty((q.edges, q.points, n_x + q.spec.n_z + q.spec.n_u), int)
            place[:, :, :q.spec.n_c] = q.ip
            place[:, :, q.spec.n_c:n_x] = q.ix[parents][:, None, q.spec.n_c:]
            place[:, :, n_x:n_x + q.spec.n_z] = q.iz
            place[:, :, n_x + q.spec.n_z:] = q.iu[parents][:, None, :]
            t = (d.t_start[:, None] + d.length[:, None] * q.tau).reshape(-1)
            args = (t, np.tile(q.tau, q.edges), np.repeat(np.asarray(d.p_edge), q.points, 0))
            self.batches.append((q.batches["point"], place.reshape(-1, place.shape[2]), args, at))
            at += place.shape[0] * place.shape[1] * q.batches["point"].n_out
        for name, nodes in (("stage", q.stages), ("terminal", q.leaves), ("initial", [0])):
            if name in q.batches and nodes:
                place = q.ix[nodes] if name == "terminal" else np.concatenate([q.ix[nodes], q.iu[nodes]], 1)
                self.batches.append((q.batches[name], place, (np.asarray(d.p_node)[nodes],), at))
                at += len(nodes) * q.batches[name].n_out
        self.n_f = at

    def _rows(self) -> None:
        """Objective and constraints as linear functions of w and F: c w + b F, lower <= A w + B F <= upper."""
        import numpy as np
        import scipy.sparse as sparse

        q, d, spec = self.program, self.data, self.program.spec
        self.b = np.zeros(self.n_f)
        a_rows: list[tuple[int, int, float]] = []
        b_rows: list[tuple[int, int, float]] = []
        low: list[float] = []
        high: list[float] = []
        self.labels: list[tuple[Any, ...]] = []
        degree, n_c = spec.degree, spec.n_c

        def row(label: tuple[Any, ...], lower: float, upper: float) -> int:
            low.append(lower)
            high.append(upper)
            self.labels.append(label)
            return len(low) - 1

        if q.edges:
            slope = differentiation(radau(degree))
            xs = self.scale[q.ix[0]]
            weights = quadrature(radau(degree))
            path = np.ones(spec.n_path) if spec.path_scale is None else np.asarray(spec.path_scale, float)
            n_out = q.batches["point"].n_out
            for e in range(q.edges):
                h = float(d.length[e]) / spec.elements
                for j in range(q.points):
                    first = (e * q.points + j) * n_out
                    elem, r = divmod(j, degree)
                    start = q.ip[e, elem * degree - 1] if elem else q.ix[spec.parents[e + 1], :n_c]
                    nodes = [start, *q.ip[e, elem * degree:(elem + 1) * degree]]
                    for i in range(n_c):
                        k = row(("ode", e, j, i), 0.0, 0.0)
                        a_rows += [(k, int(v[i]), slope[m, r]) for m, v in enumerate(nodes)]
                        b_rows.append((k, first + i, -h / xs[i]))
                    for i in range(spec.n_z):
                        b_rows.append((row(("residual", e, j, i), 0.0, 0.0), first + n_c + i, 1.0))
                    for i in range(spec.n_path):
                        lo, hi = d.path_lower[e, j, i], d.path_upper[e, j, i]
                        if math.isfinite(lo) or math.isfinite(hi):
                            k = row(("path", e, j, i), lo / path[i], hi / path[i])
                            b_rows.append((k, first + n_c + spec.n_z + i, 1 / path[i]))
                    self.b[first + n_out - 1] = float(d.weight_edge[e]) * h * weights[r]
                for i, c in enumerate(spec.carried):
                    k, parent = row(("carried", e, i), 0.0, 0.0), spec.parents[e + 1]
                    size = xs[n_c + i]
                    a_rows += [(k, int(q.ix[e + 1, n_c + i]), 1.0), (k, int(q.ix[parent, n_c + i]), -c.keep)]
                    if c.gain:
                        iu = int(q.iu[parent, c.input])
                        a_rows.append((k, iu, -c.gain * self.scale[iu] / size))
        for batch, _, _, at in self.batches[1 if q.edges else 0:]:
            name = next(n for n, v in q.batches.items() if v is batch)
            scales = {"stage": spec.row_scale, "terminal": spec.terminal_row_scale,
                      "initial": getattr(spec, "initial_row_scale", None)}[name]
            sizes = np.ones(batch.n_out - 1) if scales is None else np.asarray(scales, float)
            for g, n in enumerate({"stage": q.stages, "terminal": q.leaves, "initial": [0]}[name]):
                first = at + g * batch.n_out
                self.b[first] = float(d.weight_node[n])
                for i in range(batch.n_out - 1):
                    lo, hi = d.row_lower[n, i], d.row_upper[n, i]
                    if math.isfinite(lo) or math.isfinite(hi):
                        b_rows.append((row(("row", n, i), lo / sizes[i], hi / sizes[i]), first + 1 + i, 1 / sizes[i]))
        self.m = len(low)
        self.c_low, self.c_high = np.array(low, float), np.array(high, float)
        self.A, self.B = (sparse.csr_matrix(([v for _, _, v in rows], ([r for r, _, _ in rows], [c for _, c, _ in rows])),
                                            shape=(self.m, width))
                          for rows, width in ((a_rows, self.n), (b_rows, self.n_f)))

    def _derivative_structure(self) -> None:
        import numpy as np
        import scipy.sparse as sparse

        rows, columns, sizes = [], [], []
        h_rows, h_columns, h_sizes = [], [], []
        for batch, place, _, at in self.batches:
            count = len(place)
            r = at + np.arange(count * batch.n_out).reshape(count, batch.n_out, 1) + 0 * place[:, None, :]
            c = np.broadcast_to(place[:, None, :], r.shape)
            rows.append(r.reshape(-1))
            columns.append(c.reshape(-1))
            sizes.append(self.scale[c.reshape(-1)])
            a = np.broadcast_to(place[:, :, None], (*place.shape, place.shape[1])).reshape(-1)
            b = np.broadcast_to(place[:, None, :], (*place.shape, place.shape[1])).reshape(-1)
            h_rows.append(a)
            h_columns.append(b)
            h_sizes.append(self.scale[a] * self.scale[b])
        self.f_rows, self.f_columns, self.f_sizes = (np.concatenate(v) for v in (rows, columns, sizes))
        hr, hc, self.h_sizes = (np.concatenate(v) for v in (h_rows, h_columns, h_sizes))
        self.h_keep = hr >= hc
        pattern = sparse.csr_matrix((np.ones(self.h_keep.sum()), (hr[self.h_keep], hc[self.h_keep])), shape=(self.n, self.n))
        pattern.sort_indices()
        self.h_pattern = pattern
        lookup = sparse.csr_matrix((np.arange(1, pattern.nnz + 1), pattern.indices, pattern.indptr), shape=pattern.shape)
        self.h_slot = np.asarray(lookup[hr[self.h_keep], hc[self.h_keep]]).reshape(-1).astype(int) - 1
        full = self.A.copy()
        full.data[:] = 1.0
        ones = sparse.csr_matrix((np.ones(len(self.f_rows)), (self.f_rows, self.f_columns)), shape=(self.n_f, self.n))
        b_ones = self.B.copy()
        b_ones.data[:] = 1.0
        self.j_pattern = (full + b_ones @ ones).tocsr()
        self.j_pattern.sort_indices()

    # -- evaluation -------------------------------------------------------------------------------------------------------

    def _at(self, w: Any) -> dict[str, Any]:
        """What is known at w."""
        import numpy as np

        if self._known[0] is None or not np.array_equal(self._known[0], w):
            self._known = (np.array(w), {})
        return self._known[1]

    def _arguments(self, w: Any) -> list[tuple[Batch, Any, tuple[Any, ...]]]:
        raw = w * self.scale
        return [(batch, raw[place], args) for batch, place, args, _ in self.batches]

    def values(self, w: Any) -> Any:
        """All F."""
        import jax
        import numpy as np

        known = self._at(w)
        if "F" not in known:
            with jax.enable_x64(True):
                known["F"] = np.concatenate([np.asarray(b.value(v, *a)).reshape(-1) for b, v, a in self._arguments(w)])
        return known["F"]

    def _first(self, w: Any) -> Any:
        """dF/dw."""
        import jax
        import numpy as np
        import scipy.sparse as sparse

        known = self._at(w)
        if "J" not in known:
            with jax.enable_x64(True):
                flat = np.concatenate([np.asarray(b.first(v, *a)).reshape(-1) for b, v, a in self._arguments(w)])
            known["J"] = sparse.csr_matrix((flat * self.f_sizes, (self.f_rows, self.f_columns)), shape=(self.n_f, self.n))
        return known["J"]

    def objective(self, w: Any) -> float:
        """The cost."""
        return float(self.b @ self.values(w))

    def gradient(self, w: Any) -> Any:
        """Its derivatives."""
        return self._first(w).T @ self.b

    def constraints(self, w: Any) -> Any:
        """All rows."""
        return self.A @ w + self.B @ self.values(w)

    def jacobianstructure(self) -> Any:
        """Rows and columns."""
        coo = self.j_pattern.tocoo()
        return coo.row, coo.col

    def jacobian(self, w: Any) -> Any:
        """Derivatives of the rows."""
        import numpy as np
        import scipy.sparse as sparse

        found = (self.A + self.B @ self._first(w)).tocsr()
        pattern = self.j_pattern
        zero = sparse.csr_matrix((np.zeros(pattern.nnz), pattern.indices, pattern.indptr), pattern.shape)
        full = (found + zero).tocsr()
        full.sort_indices()
        if full.nnz != self.j_pattern.nnz:  # scipy drops what cancels exactly
            coo = self.j_pattern.tocoo()
            return np.asarray(full[coo.row, coo.col]).reshape(-1)
        return full.data

    def hessianstructure(self) -> Any:
        """Rows and columns of the lower triangle."""
        coo = self.h_pattern.tocoo()
        return coo.row, coo.col

    def hessian(self, w: Any, multipliers: Any, factor: float) -> Any:
        """Second derivatives of the Lagrangian."""
        import jax
        import numpy as np

        weights = factor * self.b + self.B.T @ multipliers
        parts = []
        with jax.enable_x64(True):
            for (batch, v, a), (_, place, _, at) in zip(self._arguments(w), self.batches, strict=True):
                own = weights[at:at + len(place) * batch.n_out].reshape(len(place), batch.n_out)
                parts.append(np.asarray(batch.second(v, own, *a)).reshape(-1))
        flat = (np.concatenate(parts) * self.h_sizes)[self.h_keep]
        return np.bincount(self.h_slot, flat, self.h_pattern.nnz)

    # -- answers ----------------------------------------------------------------------------------------------------------

    def is_finite(self, w: Any) -> bool:
        """True where all functions have values."""
        import numpy as np

        return bool(np.isfinite(self.values(w)).all())

    def violation(self, w: Any) -> float:
        """Largest scaled violation of a row or bound."""
        import numpy as np

        g = self.constraints(w)
        worst = np.concatenate([self.c_low - g, g - self.c_high, self.w_low - w, w - self.w_high])
        return float(np.nan_to_num(worst, nan=math.inf, posinf=math.inf, neginf=0.0).max(initial=0.0))

    def split(self, w: Any) -> dict[str, Any]:
        """x, u, xp, zp in the shapes of the engine."""
        import numpy as np

        q, raw = self.program, w * self.scale
        u = np.where(q.iu >= 0, raw[np.maximum(q.iu, 0)], 0.0) if q.iu.size else np.zeros(q.iu.shape)
        return {"x": raw[q.ix], "u": u, "xp": raw[q.ip], "zp": raw[q.iz]}

    def duals(self, rows: Any, bounds: Any) -> Mapping[str, Any]:
        """Multipliers (upper minus lower) by kind, in the units of the problem."""
        import numpy as np

        q, spec, d = self.program, self.program.spec, self.data
        raw = bounds / self.scale
        u = np.where(q.iu >= 0, raw[np.maximum(q.iu, 0)], 0.0) if q.iu.size else np.zeros(q.iu.shape)
        path, row = np.zeros(d.path_lower.shape), np.zeros(d.row_lower.shape)
        path_size = np.ones(spec.n_path) if spec.path_scale is None else np.asarray(spec.path_scale, float)
        row_size = np.ones(max(spec.n_rows, 1)) if spec.row_scale is None else np.asarray(spec.row_scale, float)
        for label, value in zip(self.labels, rows, strict=True):
            if label[0] == "path":
                path[label[1:]] = value / path_size[label[3]]
            elif label[0] == "row":
                row[label[1:]] = value / (row_size[label[2]] if label[1] in q.stages else 1.0)
        return {"x_dual": raw[q.ix], "u_dual": u, "row_dual": row, "xp_dual": raw[q.ip], "zp_dual": raw[q.iz], "path_dual": path}


def differentiation(taus: Any) -> Any:
    """Derivatives at the points `taus` of the Lagrange polynomials on 0 and `taus`: entry (polynomial, point)."""
    import numpy as np

    nodes = np.array([0.0, *taus])
    out = np.zeros((len(nodes), len(nodes) - 1))
    for j in range(len(nodes)):
        others = np.delete(nodes, j)
        p = np.poly1d(others, r=True) / np.prod(nodes[j] - others)
        out[j] = np.polyder(p)(nodes[1:])
    return out


def quadrature(taus: Any) -> Any:
    """Weights of the points for an integral over the element."""
    import numpy as np

    n = len(taus)
    moments = np.array([1.0 / (k + 1) for k in range(n)])
    return np.linalg.solve(np.vander(np.array(taus), n, increasing=True).T, moments)
