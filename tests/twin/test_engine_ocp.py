"""The optimal-control solver: three executions with the same bits, published optima, independent checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twin import Status, jnp
from twin.engine import store
from twin.engine.optimal import Carried, OcpData, OcpSolver, OcpSpec, chain

NEEDS_CC = pytest.mark.skipif(store.compiler() is None, reason="needs a C compiler")
COMPILED = "c" if store.compiler() else "numba"


def rhs(x: Any, u: Any) -> Any:
    """The CSTR of do-mpc's examples, in h, mol/l, degC, kJ/h."""
    f, q = u[0], u[1]
    k1 = 1.287e12 * jnp.exp(-9758.3 / (x[2] + 273.15))
    k3 = 9.043e9 * jnp.exp(-8560.0 / (x[2] + 273.15))
    heat = k1 * x[0] * 4.2 - k1 * x[1] * 11.0 - k3 * x[0] ** 2 * 41.85
    jacket = 4032.0 * 0.215 * (x[3] - x[2])
    return jnp.stack([f * (5.1 - x[0]) - k1 * x[0] - k3 * x[0] ** 2, -f * x[1] + k1 * x[0] - k1 * x[1],
                      -heat / (0.9342 * 3.01) + f * (130.0 - x[2]) + jacket / (0.9342 * 3.01 * 10.01), (q - jacket) / 10.0])


def cstr(execution: str, intervals: int = 20) -> OcpSolver:
    """do-mpc's nominal NMPC problem."""
    def stage(x: Any, u: Any, p: Any) -> Any:
        rate = 0.1 * ((u[0] - x[4]) / 100) ** 2 + 1e-3 * ((u[1] - x[5]) / 2000) ** 2
        return (x[1] - 0.6) ** 2 + 100 * u[2] + rate, jnp.stack([x[2] - 100 * u[2]])

    spec = OcpSpec("cstr", lambda t, x, z, u, s, p: (rhs(x, u), (), (), 0.0), stage, lambda x, p: ((x[1] - 0.6) ** 2, ()),
                   parents=chain(intervals), n_c=4, n_u=3, carried=(Carried(0, 1, 0), Carried(0, 1, 1)), n_rows=1,
                   x_scale=[1, 1, 100, 100, 100, 2000], u_scale=[100, 2000, 1], row_scale=[100])
    return OcpSolver(spec, execution)


def cstr_data(solver: OcpSolver, x0: Any = (0.8, 0.5, 134.14, 130.0), before: Any = (0.0, 0.0)) -> OcpData:
    """Limits, start and guess as do-mpc sets them."""
    n = solver.spec.nodes - 1
    d = solver.data()
    d.length[:] = 0.005
    d.t_start[:] = 0.005 * np.arange(n)
    low, high = [0.1, 0.1, 50, 50], [2, 2, np.inf, 140]
    d.x_lower[1:, :4], d.x_upper[1:, :4] = low, high
    d.xp_lower[:n - 1], d.xp_upper[:n - 1] = low, high
    d.u_lower[:], d.u_upper[:] = [5, -8500, 0], [100, 0, np.inf]
    d.row_upper[:n] = 140
    d.fix_initial([*x0, *before])
    d.x[:], d.u[:] = d.x[0], [5, 0, 0]
    return d


@pytest.fixture(scope="module")
def solvers() -> dict[str, OcpSolver]:
    names = ["python", "numba"] + (["c"] if store.compiler() else [])
    return {name: cstr(name) for name in names}


def test_the_executions_agree_to_the_last_bit(solvers: dict[str, OcpSolver]) -> None:
    for start in ("nodes", "rollout"):
        answers = {name: s.solve(cstr_data(s), start) for name, s in solvers.items()}
        reference = answers.pop("python")
        assert reference.status is Status.SUCCESS
        for answer in answers.values():
            assert answer.flat.tobytes() == reference.flat.tobytes()


def test_cstr_optimum_of_ipopt(solvers: dict[str, OcpSolver]) -> None:
    """Optimum of do-mpc 5.1's problem by IPOPT with bound_relax_factor=0 and tol=1e-10: 0.0150639133."""
    s = solvers[COMPILED]
    r = s.solve(cstr_data(s), tol=1e-10)
    assert r.status is Status.SUCCESS
    assert r.objective == pytest.approx(0.0150639133, abs=2e-10)
    assert r.u[0, 0] == pytest.approx(9.828504, abs=2e-5)
    assert r.iterations < 40


PARENTS = (-1, 0, 1, 2, 1, 4, 0, 6)
LENGTH = 0.3
A = np.array([[-0.4, 0.3, 0.2], [0.1, -0.5, 0.4], [0.3, -0.2, 0.1]])
B = np.array([[1.0, -0.3, 0.5], [0.2, 0.8, -0.4], [-0.6, 0.3, 0.9]])


def rich_point(t: Any, x: Any, z: Any, u: Any, s: Any, p: Any) -> Any:
    """Free rate as carried state, one input linear over the edge, two algebraics, two path values."""
    v = jnp.stack([u[0], u[1], x[5] + s * u[2]])
    f = x[3] * (A @ x[:3] + B @ v) + jnp.tanh(x[:3]) * z[0] + 0.1 * t
    g = z - 0.3 * jnp.sin(x[:2]) - 0.1 * z**3 - 0.05 * u[0]
    return f, g, x[:2] ** 2 + z + 0.1 * u[:2], jnp.sum(x[:3] ** 2) + 0.1 * u[1] ** 2 + z[1] ** 2 * x[4]


def rich_stage(x: Any, u: Any, p: Any) -> Any:
    return 0.1 * jnp.sum(u**2) + 0.2 * (x[4] - u[1]) ** 2, jnp.stack([x[0] * u[0] + x[1], x[2] + u[1]])


def rich_terminal(x: Any, p: Any) -> Any:
    return jnp.sum(x**2), jnp.stack([x[0] + x[1] ** 2, x[2] * x[1]])


def rich_initial(x: Any, u: Any, p: Any) -> Any:
    return jnp.sum((x - 1) ** 2 * p[0]) + 0.3 * jnp.sum(u**2), jnp.stack([x[0] + u[0]])


def rich(execution: str) -> OcpSolver:
    """A tree with all that a problem can hold."""
    carried = (Carried(1.0), Carried(0, 1, 1), Carried(1, 1, 2))
    return OcpSolver(OcpSpec("rich", rich_point, rich_stage, rich_terminal, rich_initial, parents=PARENTS, n_c=3, n_u=3, n_z=2,
                             n_path=2, carried=carried, n_rows=2, n_rows_terminal=2, n_rows_initial=1, n_p_node=1, degree=3,
                             elements=2, x_scale=[1, 2, 0.5, 1, 2, 1], u_scale=[1, 2, 1], z_scale=[0.5, 1], path_scale=[2, 1],
                             row_scale=[1, 2]), execution)


def rich_data(s: OcpSolver) -> OcpData:
    """Bounds of all kinds, equalities at inner nodes, ends and the root, a fixed input, a free initial state."""
    d = s.data()
    d.length[:] = LENGTH
    d.t_start[:] = LENGTH * np.arange(len(PARENTS) - 1)
    d.p_node[:] = 1
    d.weight_node[:], d.weight_edge[:] = np.linspace(1, 0.5, 8), np.linspace(0.5, 1, 7)
    d.u_lower[:], d.u_upper[:] = -2, 2
    d.x_lower[:, :3], d.x_upper[:, :3] = -3, 3
    d.x_lower[:, 3], d.x_upper[:, 3] = 0.5, 1.5
    d.xp_lower[:], d.zp_upper[:], d.path_upper[:] = -3, 2, 3
    d.path_lower[:, :, 0] = 0.2
    d.row_lower[1], d.row_upper[2] = -1, [2, np.inf]
    for n, i, value in ((0, 0, 0.7), (2, 1, 0.3), (3, 0, 0.2), (5, 0, 0.1), (5, 1, 0.2)):
        d.row_lower[n, i] = d.row_upper[n, i] = value
    d.x_lower[7, 1] = d.x_upper[7, 1] = 0.4
    d.u_lower[4, 1] = d.u_upper[4, 1] = 0.1
    d.x[:], d.u[:], d.zp[:] = [0.5, 0.4, 0.3, 1, 0.1, 0.2], 0.1, 0.1
    return d


def rich_answer(execution: str | None) -> Any:
    s = rich(execution)
    return s.solve(rich_data(s), "nodes")


def test_a_problem_with_everything() -> None:
    """In plain Python and by the general solver with the kernels called by address."""
    plain, general = rich_answer("python"), rich_answer(None)
    assert plain.status is Status.SUCCESS
    assert general.flat.tobytes() == plain.flat.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("execution", [pytest.param("c", marks=NEEDS_CC), "numba"])
def test_a_problem_with_everything_in_the_other_executions(execution: str) -> None:
    assert rich_answer(execution).flat.tobytes() == rich_answer("python").flat.tobytes()


@pytest.mark.slow
def test_optimality_conditions_hold_as_jax_sees_them() -> None:
    """Gradient of cost and rows at the answer lies in the span of the gradients of the dynamics; products vanish."""
    import jax
    from jax.flatten_util import ravel_pytree

    s = rich(COMPILED)
    d = rich_data(s)
    r = s.solve(d, "nodes", tol=1e-10)
    assert r.status is Status.SUCCESS
    tau = s.tables.fields["tau"]
    slope, quad = np.array(s.tables.fields["slope"]), s.tables.fields["quad"]
    has_u = np.array(s.tables.fields["has_u"])
    inner = {"xp": r.xp[:, :5], "zp": r.zp, "x": r.x, "u": r.u}  # the sixth point is the node

    def parts(w: Any) -> Any:
        cost, equations, rows, paths = 0.0, [], [], []
        for n in range(8):
            if n == 0:
                value, row = rich_initial(w["x"][n], w["u"][n], d.p_node[n])
                row = jnp.concatenate([row, jnp.zeros(1)])
            elif has_u[n]:
                value, row = rich_stage(w["x"][n], w["u"][n], d.p_node[n])
            else:
                value, row = rich_terminal(w["x"][n], d.p_node[n])
            cost += d.weight_node[n] * value
            rows.append(row)
        for e in range(7):
            c, p = e + 1, PARENTS[e + 1]
            x, u, points = w["x"][p], w["u"][p], jnp.concatenate([w["xp"][e], w["x"][c][None, :3]])
            equations.append(w["x"][c][3:] - jnp.stack([x[3], u[1], x[5] + u[2]]))
            for k in range(2):
                begin = x[:3] if k == 0 else points[2]
                block = jnp.concatenate([begin[None], points[3 * k:3 * k + 3]])
                for j in range(3):
                    at = (k + tau[j]) / 2
                    own = jnp.concatenate([block[j + 1], x[3:]])
                    f, g, path, cost_rate = rich_point(d.t_start[e] + LENGTH * at, own, w["zp"][e, 3 * k + j], u, at, None)
                    equations += [slope[j + 1] @ block - LENGTH / 2 * f, g]
                    paths.append(path)
                    cost += d.weight_edge[e] * LENGTH / 2 * quad[j] * cost_rate
        return cost, jnp.concatenate(equations), jnp.stack(rows), jnp.stack(paths).reshape(7, 6, 2)

    with jax.enable_x64(True):
        flat, unravel = ravel_pytree(jax.tree.map(jnp.asarray, inner))
        cost, equations, rows, paths = parts(unravel(flat))

        def lagrangian(v: Any) -> Any:
            w = unravel(v)
            value, _, row, path = parts(w)
            bounds = sum(jnp.vdot(a, b) for a, b in ((r.x_dual, w["x"]), (r.u_dual, w["u"]), (r.zp_dual, w["zp"]),
                                                     (r.xp_dual[:, :5], w["xp"])))
            return value + jnp.vdot(r.row_dual, row) + jnp.vdot(r.path_dual, path) + bounds

        gradient = np.array(jax.grad(lagrangian)(flat))
        jacobian = np.array(jax.jacrev(lambda v: parts(unravel(v))[1])(flat))
    assert float(cost) == pytest.approx(r.objective, rel=1e-12)
    assert np.abs(equations).max() < 1e-9
    multipliers = np.linalg.lstsq(jacobian.T, -gradient, rcond=None)[0]
    assert np.abs(gradient).max() > 1e-2
    assert np.abs(gradient + jacobian.T @ multipliers).max() < 1e-7
    for value, low, high, dual in ((r.x, d.x_lower, d.x_upper, r.x_dual), (r.u[has_u == 1], d.u_lower[has_u == 1],
                                   d.u_upper[has_u == 1], r.u_dual[has_u == 1]), (rows, d.row_lower, d.row_upper, r.row_dual),
                                   (paths, d.path_lower, d.path_upper, r.path_dual)):
        value = np.array(value)
        assert (value > low - 1e-8).all()
        assert (value < high + 1e-8).all()
        distance = np.where(dual > 0, high - value, value - low)
        active = np.abs(dual) > 1e-6
        assert active.any()
        assert np.abs(distance[active] * dual[active]).max() < 1e-7


N, DT = 20, 0.005
SX, SU = np.array([1.0, 1.0, 100.0, 100.0]), np.array([100.0, 2000.0])


def right_side(ca: Any, x: Any, u: Any) -> Any:
    k1 = 1.287e12 * ca.exp(-9758.3 / (x[2] + 273.15))
    k3 = 9.043e9 * ca.exp(-8560.0 / (x[2] + 273.15))
    heat = k1 * x[0] * 4.2 - k1 * x[1] * 11.0 - k3 * x[0] ** 2 * 41.85
    jacket = 4032.0 * 0.215 * (x[3] - x[2])
    return ca.vertcat(u[0] * (5.1 - x[0]) - k1 * x[0] - k3 * x[0] ** 2, -u[0] * x[1] + k1 * (x[0] - x[1]),
                      -heat / (0.9342 * 3.01) + u[0] * (130.0 - x[2]) + jacket / (0.9342 * 3.01 * 10.01), (u[1] - jacket) / 10.0)


def by_casadi() -> Any:
    """The same problem for IPOPT, without its relaxation of bounds."""
    ca = pytest.importorskip("casadi")
    tau = [0.0, *ca.collocation_points(2, "radau")]
    slope = np.zeros((3, 3))
    for j in range(3):
        basis = np.poly1d([1.0])
        for k in range(3):
            if k != j:
                basis *= np.poly1d([1, -tau[k]]) / (tau[j] - tau[k])
        slope[j] = [np.polyder(basis)(t) for t in tau]
    start, before = ca.SX.sym("x0", 4), ca.SX.sym("before", 2)
    w, low, high, g, g_high = [], [], [], [], []
    x, last, cost = start / SX, before / SU, 0.0
    for k in range(N):
        u, eps = ca.SX.sym("u", 2), ca.SX.sym("eps")
        w += [u, eps]
        low += [*(np.array([5.0, -8500.0]) / SU), 0.0]
        high += [*(np.array([100.0, 0.0]) / SU), np.inf]
        cost += (x[1] - 0.6) ** 2 + 100 * eps + 0.1 * (u[0] - last[0]) ** 2 + 1e-3 * (u[1] - last[1]) ** 2
        g.append(x[2] - 1.4 - eps)
        g_high.append((-np.inf, 0.0))
        points = [x]
        for j in range(2):
            points.append(ca.SX.sym("x", 4))
            w.append(points[-1])
            bounded = k < N - 1 or j == 1
            low += list(np.array([0.1, 0.1, 50, 50]) / SX) if bounded else [-np.inf] * 4
            high += list(np.array([2, 2, np.inf, 140]) / SX) if bounded else [np.inf] * 4
        for j in (1, 2):
            g.append(sum(slope[r, j] * points[r] for r in range(3)) - DT * right_side(ca, points[j] * SX, u * SU) / SX)
            g_high += [(0.0, 0.0)] * 4
        x, last = points[2], u
    cost += (x[1] - 0.6) ** 2
    nlp = {"x": ca.vertcat(*w), "f": cost, "g": ca.vertcat(*g), "p": ca.vertcat(start, before)}
    options = {"ipopt.print_level": 0, "ipopt.sb": "yes", "print_time": False, "ipopt.bound_relax_factor": 0.0,
               "ipopt.tol": 1e-10}
    solver = ca.nlpsol("S", "ipopt", nlp, options)

    def solve(x0: Any, up: Any) -> tuple[str, float]:
        guess = np.concatenate([np.r_[up / SU, 0.01, x0 / SX, x0 / SX] for _ in range(N)])
        found = solver(x0=guess, p=np.r_[x0, up], lbx=low, ubx=high, lbg=[a for a, _ in g_high], ubg=[b for _, b in g_high])
        return solver.stats()["return_status"], float(found["f"])

    return solve


@pytest.mark.slow
def test_200_random_starts() -> None:
    """Against CasADi with IPOPT: the same optimum, or both find it infeasible."""
    reference, s = by_casadi(), cstr(COMPILED)
    rng = np.random.default_rng(5)
    infeasible = 0
    for _ in range(200):
        x0 = np.array([0.7, 0.6, 138.0, 137.0]) * (1 + rng.normal(size=4) * [0.1, 0.1, 0.02, 0.02])
        up = rng.uniform([5, -8500], [100, 0])
        r = s.solve(cstr_data(s, x0, up), tol=1e-10)
        status, objective = reference(x0, up)
        if r.status is Status.INFEASIBLE:
            infeasible += 1
            assert status == "Infeasible_Problem_Detected"
        else:
            assert r.status is Status.SUCCESS
            assert status == "Solve_Succeeded"
            assert r.objective == pytest.approx(objective, rel=1e-6, abs=1e-8)
    assert 0 < infeasible < 20
