"""The interior-point method of `jax_ocp` on one problem, in pure JAX; `vmap` over it makes batches."""

from __future__ import annotations

from typing import Any, NamedTuple

from optimizers.backends.jax_ocp import ARMIJO, BACKTRACKS, GAMMA, REGULARIZATIONS, SWITCH, Point
from twin.lazy import LazyModule, jnp

jax: Any = LazyModule("jax")


class Loop(NamedTuple):
    """What the loop carries."""

    point: Point
    mu: Any
    shift: Any  # regularization of the last factorization
    filter: Any  # (entries, 2): violation, barrier objective
    entries: Any
    iterations: Any
    error: Any
    code: Any  # 0 converged, 1 going on, 2 stuck, 3 not finite


class Method:
    """One problem and the steps of the method."""

    def __init__(self, ocp: Any, data: Any) -> None:
        self.ocp, self.data = ocp, data
        self.stage, self.last = data["stage"], data["end"]
        self.low = jnp.concatenate([self.stage["low"].reshape(-1), self.last["low"]])
        self.high = jnp.concatenate([self.stage["high"].reshape(-1), self.last["high"]])
        self.has_low, self.has_high = jnp.isfinite(self.low), jnp.isfinite(self.high)
        self.width = self.stage["low"].shape[1]
        self.tol = ocp.tol

    # -- functions of an iterate ---------------------------------------------------------------------------------------------

    def quantities(self, p: Point) -> Any:
        """All bounded quantities, flat."""
        inner = jax.vmap(self.ocp.bounded)(p.x[:-1], p.u, p.w, self.stage)
        return jnp.concatenate([inner.reshape(-1), self.ocp.end(p.x[-1], self.last)[1]])

    def objective(self, p: Point) -> Any:
        """The objective."""
        nodes = jax.vmap(lambda x, u, d: self.ocp.node(self.ocp.spec.stage, x, u, d)[0])(p.x[:-1], p.u, self.stage)
        edges = jax.vmap(lambda x, u, w, d: self.ocp.edge(x, u, w, d)[2])(p.x[:-1], p.u, p.w, self.stage)
        return jnp.sum(nodes) + jnp.sum(edges) + self.ocp.end(p.x[-1], self.last)[0]

    def gaps(self, p: Point) -> tuple[Any, Any, Any]:
        """Collocation residuals, jumps at the nodes, differences of quantities and their slacks."""
        g = jax.vmap(lambda x, u, w, d: self.ocp.edge(x, u, w, d)[0])(p.x[:-1], p.u, p.w, self.stage)
        jump = jax.vmap(self.ocp.following)(p.x[:-1], p.u, p.w) - p.x[1:]
        bounded = self.has_low | self.has_high
        return g, jump, jnp.where(bounded, self.quantities(p) - p.s, 0.0)

    def violation(self, p: Point) -> Any:
        """Sum of all violations of equations."""
        return sum((jnp.sum(jnp.abs(v)) for v in self.gaps(p)), jnp.zeros(()))

    def barrier(self, p: Point, mu: Any) -> Any:
        """Objective with the barrier."""
        rooms = jnp.where(self.has_low, p.s - self.low, 1.0), jnp.where(self.has_high, self.high - p.s, 1.0)
        logs = sum((jnp.sum(jnp.log(jnp.maximum(r, 1e-300))) for r in rooms), jnp.zeros(()))
        return self.scale * self.objective(p) - mu * logs

    # -- start ---------------------------------------------------------------------------------------------------------------

    def start(self) -> Point:
        """Rollout: the collocation equations are solved edge by edge for the guessed inputs."""
        ocp = self.ocp

        def step(x: Any, given: Any) -> Any:
            u, d = given
            w = jnp.concatenate([jnp.tile(x[:ocp.n_c], ocp.m), jnp.ones(ocp.m * ocp.n_z)])

            def newton(_: int, w: Any) -> Any:
                def residual(v: Any) -> Any:
                    return ocp.edge(x, u, v, d)[0]

                return w - eliminate(jax.jacfwd(residual)(w), residual(w)[:, None])[:, 0]

            w = jax.lax.fori_loop(0, 8, newton, w)
            following = ocp.following(x, u, w)
            return following, (following, w)

        n_u = ocp.n_u
        u = jnp.clip(self.data["u"], self.stage["low"][:, :n_u], self.stage["high"][:, :n_u])
        _, (xs, w) = jax.lax.scan(step, self.data["x0"], (u, self.stage))
        x = jnp.concatenate([self.data["x0"][None], xs])
        bad = ~(jnp.all(jnp.isfinite(x)) & jnp.all(jnp.isfinite(w)))
        still = jnp.tile(self.data["x0"], (ocp.n_s + 1, 1))
        flat = jnp.concatenate([jnp.tile(self.data["x0"][:ocp.n_c], (ocp.n_s, ocp.m)), jnp.ones((ocp.n_s, ocp.m * ocp.n_z))], 1)
        x, w = jnp.where(bad, still, x), jnp.where(bad, flat, w)
        zero = jnp.zeros_like(self.low)
        p = Point(x, u, w, zero, zero, zero, jnp.zeros_like(x), jnp.zeros((ocp.n_s, ocp.n_w)))
        gradient = jax.grad(lambda x, u, w: self.objective(p._replace(x=x, u=u, w=w)), (0, 1, 2))(x, u, w)
        largest = jnp.max(jnp.array([jnp.max(jnp.abs(g), initial=0.0) for g in gradient]))
        self.scale = jnp.minimum(1.0, 100.0 / jnp.maximum(largest, 1e-300))
        room = jnp.where(self.has_low & self.has_high, self.high - self.low, jnp.inf)
        push_low = jnp.minimum(1e-2 * jnp.maximum(1.0, jnp.abs(self.low)), 1e-2 * room)
        push_high = jnp.minimum(1e-2 * jnp.maximum(1.0, jnp.abs(self.high)), 1e-2 * room)
        s = self.quantities(p)
        s = jnp.where(self.has_low, jnp.maximum(s, self.low + push_low), s)
        s = jnp.where(self.has_high, jnp.minimum(s, self.high - push_high), s)
        return p._replace(s=s, low=jnp.where(self.has_low, 0.1 / (s - self.low), 0.0),
                          high=jnp.where(self.has_high, 0.1 / (self.high - s), 0.0))

    # -- Newton step ---------------------------------------------------------------------------------------------------------

    def blocks(self, p: Point, mu: Any) -> dict[str, Any]:
        """Linear and quadratic terms of all stages with the barrier folded in, collocation variables eliminated."""
        ocp, n_x, n_u = self.ocp, self.ocp.n_x, self.ocp.n_u
        y = p.high - p.low
        gap = self.gaps(p)[2]
        room_low = jnp.where(self.has_low, p.s - self.low, 1.0)
        room_high = jnp.where(self.has_high, self.high - p.s, 1.0)
        weight = jnp.where(self.has_low, p.low / room_low, 0.0) + jnp.where(self.has_high, p.high / room_high, 0.0)
        pull = jnp.where(self.has_high, mu / room_high, 0.0) - jnp.where(self.has_low, mu / room_low, 0.0) + weight * gap
        n_in = ocp.n_s * self.width

        def stage(x: Any, u: Any, w: Any, lam: Any, y: Any, weight: Any, pull: Any, d: Any) -> dict[str, Any]:
            def parts(v: Any) -> tuple[Any, Any, Any]:
                a, b, c = v[:n_x], v[n_x:n_x + n_u], v[n_x + n_u:]
                g, _, cost = ocp.edge(a, b, c, d)
                bounded = ocp.bounded(a, b, c, d)
                return self.scale * (cost + ocp.node(ocp.spec.stage, a, b, d)[0]), g, bounded

            v = jnp.concatenate([x, u, w])

            def lagrangian(v: Any) -> Any:
                f, g, h = parts(v)
                return f + lam @ g + y @ h

            hessian = jax.jacfwd(jax.jacrev(lagrangian))(v)
            f_v, g_v, h_v = jax.jacfwd(parts)(v)
            hessian = hessian + (h_v.T * weight) @ h_v
            slope = f_v + h_v.T @ pull
            g = parts(v)[1]
            solved = eliminate(g_v[:, n_x + n_u:], jnp.concatenate([g[:, None], g_v[:, :n_x + n_u]], 1))
            w0, w_v = -solved[:, 0], -solved[:, 1:]
            lift = jnp.concatenate([jnp.eye(n_x + n_u), w_v])
            base = jnp.concatenate([jnp.zeros(n_x + n_u), w0])
            moved = jnp.concatenate([jnp.asarray(ocp.keep), jnp.asarray(ocp.gain)], 1) + ocp.pick @ w_v
            return {"q": lift.T @ hessian @ lift, "r": lift.T @ (slope + hessian @ base), "move": moved, "step": ocp.pick @ w0,
                    "w0": w0, "w_v": w_v, "g_w": g_v[:, n_x + n_u:], "slope_w": slope[n_x + n_u:],
                    "h_w": hessian[n_x + n_u:], "f_v": f_v, "g_v": g_v, "h_v": h_v}

        shape = (ocp.n_s, self.width)
        made = jax.vmap(stage)(p.x[:-1], p.u, p.w, p.collocation, y[:n_in].reshape(shape), weight[:n_in].reshape(shape),
                               pull[:n_in].reshape(shape), self.stage)
        y_end, weight_end, pull_end = y[n_in:], weight[n_in:], pull[n_in:]
        end_h = jax.jacfwd(lambda x: ocp.end(x, self.last)[1])(p.x[-1])
        end_f = jax.grad(lambda x: self.scale * ocp.end(x, self.last)[0])(p.x[-1])

        def end_lagrangian(x: Any) -> Any:
            cost, rows = ocp.end(x, self.last)
            return self.scale * cost + y_end @ rows

        end_q = jax.jacfwd(jax.jacrev(end_lagrangian))(p.x[-1])
        made |= {"end_q": end_q + (end_h.T * weight_end) @ end_h, "end_r": end_f + end_h.T @ pull_end, "end_h": end_h,
                 "end_f": end_f, "gap": gap, "jump": jax.vmap(ocp.following)(p.x[:-1], p.u, p.w) - p.x[1:]}
        return made

    def backward(self, b: dict[str, Any], shift: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Riccati recursion: feedback, feedforward, cost to go, and whether the Hessian is positive definite on the equations."""
        n_x, n_u = self.ocp.n_x, self.ocp.n_u
        eye = jnp.eye(n_x + n_u)

        def step(after: Any, stage: Any) -> Any:
            big, small, good = after
            q, r, move, jump = stage
            q = q + shift * eye + move.T @ big @ move
            r = r + move.T @ (small + big @ jump)
            root, definite = cholesky(q[n_x:, n_x:])
            gains = cholesky_solve(root, jnp.concatenate([q[n_x:, :n_x], r[n_x:, None]], 1))
            feedback, feedforward = -gains[:, :-1], -gains[:, -1]
            ahead = q[:n_x, :n_x] + q[:n_x, n_x:] @ feedback
            new = 0.5 * (ahead + ahead.T), r[:n_x] + q[:n_x, n_x:] @ feedforward, good & definite
            return new, (feedback, feedforward, new[0], new[1])

        jump = b["jump"] + b["step"]
        first = b["end_q"] + shift * jnp.eye(n_x), b["end_r"], jnp.array(True)
        (_, _, good), found = jax.lax.scan(step, first, (b["q"], b["r"], b["move"], jump), reverse=True)
        big = jnp.concatenate([found[2], first[0][None]])
        small = jnp.concatenate([found[3], first[1][None]])
        return found[0], found[1], big, small, good

    def direction(self, p: Point, b: dict[str, Any], shift: Any) -> tuple[Point, Any, Any]:
        """Newton step; the shift that made the Hessian definite; whether it was found."""

        def more(carry: Any) -> Any:
            return ~carry[1] & (carry[2] < REGULARIZATIONS)

        def again(carry: Any) -> Any:
            delta, _, tries = carry
            delta = jnp.where(tries == 0, 0.0, jnp.where(tries == 1, jnp.maximum(1e-4, shift / 3), delta * 8))
            return delta, self.backward(b, delta)[4], tries + 1

        delta, good, _ = jax.lax.while_loop(more, again, (jnp.zeros(()), jnp.array(False), 0))
        feedback, feedforward, big, small, _ = self.backward(b, delta)
        jump = b["jump"] + b["step"]

        def forward(dx: Any, stage: Any) -> Any:
            k, d, move, gap = stage
            du = k @ dx + d
            following = move @ jnp.concatenate([dx, du]) + gap
            return following, (following, du)

        zero = jnp.zeros(self.ocp.n_x)
        _, (dxs, du) = jax.lax.scan(forward, zero, (feedback, feedforward, b["move"], jump))
        dx = jnp.concatenate([zero[None], dxs])
        dv = jnp.concatenate([dx[:-1], du], 1)
        dw = b["w0"] + jnp.einsum("kij,kj->ki", b["w_v"], dv)
        costate = jnp.einsum("kij,kj->ki", big, dx) + small

        def multiplier(g_w: Any, slope: Any, h_w: Any, dv: Any, dw: Any, after: Any) -> Any:
            rest = slope + h_w @ jnp.concatenate([dv, dw]) + self.ocp.pick.T @ after
            return -eliminate(g_w.T, rest[:, None])[:, 0]

        lam = jax.vmap(multiplier)(b["g_w"], b["slope_w"], b["h_w"], dv, dw, costate[1:])
        inner = jnp.einsum("kij,kj->ki", b["h_v"], jnp.concatenate([dv, dw], 1)).reshape(-1)
        ds = jnp.concatenate([inner, b["end_h"] @ dx[-1]]) + b["gap"]
        return Point(dx, du, dw, ds, ds, ds, costate - p.costate, lam - p.collocation), delta, good

    # -- errors --------------------------------------------------------------------------------------------------------------

    def errors(self, p: Point, b: dict[str, Any], mu: Any) -> Any:
        """The scaled error of the optimality conditions."""
        ocp, n_x = self.ocp, self.ocp.n_x
        n_in = ocp.n_s * self.width
        y = p.high - p.low
        slope = b["f_v"] + jnp.einsum("kij,ki->kj", b["g_v"], p.collocation) \
            + jnp.einsum("kij,ki->kj", b["h_v"], y[:n_in].reshape(ocp.n_s, self.width))
        after = p.costate[1:]
        slope = slope + after @ jnp.concatenate([jnp.asarray(m) for m in (ocp.keep, ocp.gain, ocp.pick)], 1)
        slope = slope.at[1:, :n_x].add(-p.costate[1:-1])
        end = b["end_f"] + b["end_h"].T @ y[n_in:] - p.costate[-1]
        dual = jnp.maximum(jnp.max(jnp.abs(slope.at[0, :n_x].set(0.0))), jnp.max(jnp.abs(end)))
        primal = jnp.max(jnp.array([jnp.max(jnp.abs(v), initial=0.0) for v in self.gaps(p)]))
        off_low = jnp.where(self.has_low, (p.s - self.low) * p.low - mu, 0.0)
        off_high = jnp.where(self.has_high, (self.high - p.s) * p.high - mu, 0.0)
        sizes = jnp.sum(p.low) + jnp.sum(p.high)
        count = jnp.maximum(jnp.sum(self.has_low) + jnp.sum(self.has_high), 1)
        lam = jnp.sum(jnp.abs(p.collocation)) + jnp.sum(jnp.abs(p.costate[1:]))
        n_lam = p.collocation.size + p.costate[1:].size
        s_d = jnp.maximum(100.0, (sizes + lam) / (count + n_lam)) / 100.0
        s_c = jnp.maximum(100.0, sizes / count) / 100.0
        gap = jnp.maximum(jnp.max(jnp.abs(off_low), initial=0.0), jnp.max(jnp.abs(off_high), initial=0.0))
        return jnp.maximum(jnp.maximum(dual / s_d, gap / s_c), primal), primal

    # -- the loop ------------------------------------------------------------------------------------------------------------

    def reach(self, value: Any, step: Any, ok: Any, tau: Any) -> Any:
        """Longest step that keeps positive numbers positive."""
        return jnp.min(jnp.where(ok & (step < 0), -tau * value / jnp.where(step < 0, step, -1.0), 1.0), initial=1.0)

    def iterate(self, loop: Loop) -> Loop:
        """One Newton step with its line search."""
        p, mu = loop.point, loop.mu
        b = self.blocks(p, mu)
        d, shift, good = self.direction(p, b, loop.shift)
        room_low = jnp.where(self.has_low, p.s - self.low, 1.0)
        room_high = jnp.where(self.has_high, self.high - p.s, 1.0)
        d_low = jnp.where(self.has_low, mu / room_low - p.low - p.low / room_low * d.s, 0.0)
        d_high = jnp.where(self.has_high, mu / room_high - p.high + p.high / room_high * d.s, 0.0)
        tau = jnp.maximum(0.99, 1 - mu)
        primal = jnp.minimum(self.reach(room_low, d.s, self.has_low, tau), self.reach(room_high, -d.s, self.has_high, tau))
        dual = jnp.minimum(self.reach(p.low, d_low, self.has_low, tau), self.reach(p.high, d_high, self.has_high, tau))
        theta, phi = self.violation(p), self.barrier(p, mu)
        slope = jnp.sum(b["f_v"] * jnp.concatenate([d.x[:-1], d.u, d.w], 1)) + b["end_f"] @ d.x[-1] + jnp.sum(
            (jnp.where(self.has_high, mu / room_high, 0.0) - jnp.where(self.has_low, mu / room_low, 0.0)) * d.s)

        def moved(a: Any) -> Point:
            return Point(p.x + a * d.x, p.u + a * d.u, p.w + a * d.w, p.s + a * d.s, p.low, p.high, p.costate, p.collocation)

        def test(a: Any) -> tuple[Any, Any]:
            trial = moved(a)
            t, f = self.violation(trial), self.barrier(trial, mu)
            fine = jnp.isfinite(t) & jnp.isfinite(f)
            eps = 10 * 2.2e-16 * jnp.abs(phi)
            progress = (t <= (1 - GAMMA) * theta) | (f - eps <= phi - GAMMA * theta)
            switch = (slope < 0) & (a * (-jnp.minimum(slope, 0.0)) ** 2.3 > jnp.maximum(theta, 0.0) ** 1.1) & (theta < SWITCH)
            armijo = f - eps <= phi + ARMIJO * a * slope
            used = jnp.arange(loop.filter.shape[0]) < loop.entries
            blocked = jnp.any(used & (t >= (1 - GAMMA) * loop.filter[:, 0]) & (f - eps >= loop.filter[:, 1]))
            tiny = (t < 1e-9) & (theta < 1e-9) & (jnp.abs(f - phi) <= 1e3 * eps + 1e-14)
            return fine & ((~blocked & jnp.where(switch, armijo, progress)) | tiny), switch & armijo

        def searching(carry: Any) -> Any:
            return ~carry[1] & (carry[3] < BACKTRACKS)

        def shorter(carry: Any) -> Any:
            a = jnp.where(carry[3] == 0, carry[0], 0.5 * carry[0])
            ok, descent = test(a)
            return a, ok, descent, carry[3] + 1

        a, ok, descent, _ = jax.lax.while_loop(searching, shorter, (primal, jnp.array(False), jnp.array(False), 0))
        a = jnp.where(ok, a, primal)  # nothing better is known: the whole step, and the filter begins anew
        new = moved(a)
        low = jnp.where(self.has_low, p.low + dual * d_low, 0.0)
        high = jnp.where(self.has_high, p.high + dual * d_high, 0.0)
        rooms = jnp.maximum(new.s - self.low, 1e-300), jnp.maximum(self.high - new.s, 1e-300)
        low = jnp.where(self.has_low, jnp.clip(low, mu / (1e10 * rooms[0]), 1e10 * mu / rooms[0]), 0.0)
        high = jnp.where(self.has_high, jnp.clip(high, mu / (1e10 * rooms[1]), 1e10 * mu / rooms[1]), 0.0)
        new = new._replace(low=low, high=high, costate=p.costate + a * d.costate, collocation=p.collocation + a * d.collocation)
        row = jnp.array([(1 - GAMMA) * theta, phi - GAMMA * theta])
        added = jnp.where(descent, loop.filter, loop.filter.at[loop.entries % loop.filter.shape[0]].set(row))
        entries = jnp.where(ok, loop.entries + jnp.where(descent, 0, 1), 0)
        return self.judged(Loop(new, mu, shift, added, entries, loop.iterations + 1, loop.error, loop.code), good)

    def judged(self, loop: Loop, good: Any) -> Loop:
        """Error, new barrier, and whether to go on."""
        b = self.linear(loop.point)
        error, _ = self.errors(loop.point, b, 0.0)

        def lower(carry: Any) -> Any:
            mu, _ = carry
            mu = jnp.maximum(self.tol / 10, jnp.minimum(0.2 * mu, mu**1.5))
            return mu, self.errors(loop.point, b, mu)[0]

        def ready(carry: Any) -> Any:
            return (carry[1] <= 10 * carry[0]) & (carry[0] > self.tol / 10 * 1.0001)

        mu, _ = jax.lax.while_loop(ready, lower, (loop.mu, self.errors(loop.point, b, loop.mu)[0]))
        finite = jnp.isfinite(error)
        code = jnp.where(error <= self.tol, 0, jnp.where(~finite, 3, jnp.where(good, 1, 2)))
        return loop._replace(mu=mu, entries=jnp.where(mu < loop.mu, 0, loop.entries), error=error, code=code)

    def linear(self, p: Point) -> dict[str, Any]:
        """First derivatives only."""
        ocp, n_x, n_u = self.ocp, self.ocp.n_x, self.ocp.n_u

        def stage(x: Any, u: Any, w: Any, d: Any) -> Any:
            def parts(v: Any) -> tuple[Any, Any, Any]:
                a, b, c = v[:n_x], v[n_x:n_x + n_u], v[n_x + n_u:]
                g, _, cost = ocp.edge(a, b, c, d)
                return (self.scale * (cost + ocp.node(ocp.spec.stage, a, b, d)[0]), g,
                        ocp.bounded(a, b, c, d))

            return jax.jacfwd(parts)(jnp.concatenate([x, u, w]))

        f_v, g_v, h_v = jax.vmap(stage)(p.x[:-1], p.u, p.w, self.stage)
        return {"f_v": f_v, "g_v": g_v, "h_v": h_v, "end_h": jax.jacfwd(lambda x: ocp.end(x, self.last)[1])(p.x[-1]),
                "end_f": jax.grad(lambda x: self.scale * ocp.end(x, self.last)[0])(p.x[-1])}

    def run(self) -> tuple[Any, ...]:
        """From the start to the end."""
        p = self.start()
        limit = self.ocp.max_iterations
        none = jnp.array(0)
        loop = Loop(p, jnp.array(0.1), jnp.zeros(()), jnp.zeros((limit, 2)), none, none, jnp.array(jnp.inf), jnp.array(1))
        loop = jax.lax.while_loop(lambda c: (c.code == 1) & (c.iterations < limit), self.iterate, loop)
        end = loop.point
        worst = jnp.max(jnp.array([jnp.max(jnp.abs(v), initial=0.0) for v in self.gaps(end)]))
        return end.x, end.u, end.w, self.objective(end), loop.iterations, loop.error, worst, loop.code


def cholesky(a: Any) -> tuple[Any, Any]:
    """Lower factor of a small matrix and whether it is positive definite, unrolled."""
    n = a.shape[0]
    rows: list[list[Any]] = [[jnp.zeros(())] * n for _ in range(n)]
    good = jnp.array(True)
    for j in range(n):
        pivot = a[j, j] - sum((rows[j][k] ** 2 for k in range(j)), jnp.zeros(()))
        good = good & (pivot > 1e-14)
        rows[j][j] = jnp.sqrt(jnp.maximum(pivot, 1e-14))
        for i in range(j + 1, n):
            rows[i][j] = (a[i, j] - sum((rows[i][k] * rows[j][k] for k in range(j)), jnp.zeros(()))) / rows[j][j]
    return jnp.stack([jnp.stack(row) for row in rows]), good


def cholesky_solve(root: Any, right: Any) -> Any:
    """Solution of L L' x = right, unrolled."""
    n = root.shape[0]
    y: list[Any] = []
    for i in range(n):
        y.append((right[i] - sum((root[i, k] * y[k] for k in range(i)), jnp.zeros(()))) / root[i, i])
    x: list[Any] = [None] * n
    for i in reversed(range(n)):
        x[i] = (y[i] - sum((root[k, i] * x[k] for k in range(i + 1, n)), jnp.zeros(()))) / root[i, i]
    return jnp.stack(x)


def eliminate(a: Any, right: Any) -> Any:
    """Solution of a x = right by Gauss-Jordan elimination with row pivoting."""
    n = a.shape[0]
    both = jnp.concatenate([a, right], 1)
    index = jnp.arange(n)

    def column(k: Any, m: Any) -> Any:
        sizes = jnp.where(index >= k, jnp.abs(m[:, k]), -1.0)
        best = jnp.argmax(sizes)
        swapped = jnp.where(index == k, best, jnp.where(index == best, k, index))
        m = m[swapped]
        row = m[k] / m[k, k]
        m = m - jnp.where(index == k, 0.0, m[:, k])[:, None] * row
        return m.at[k].set(row)

    return jax.lax.fori_loop(0, n, column, both)[:, n:]
