"""The optimal-control solver on problems with known answers, and where there is no answer."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from twin import Status, errors, jnp
from twin.engine.optimal import Carried, OcpData, OcpSolver, OcpSpec, chain

COMPILED = None  # "auto": the general solver, ready at once


def no_rows(*args: Any) -> Any:
    return 0.0, ()


def integrator(t: Any, x: Any, z: Any, u: Any, s: Any, p: Any) -> Any:
    return jnp.stack([x[1], u[0]]), (), (), 0.5 * u[0] ** 2


def double_integrator(n: int, **options: Any) -> tuple[OcpSolver, OcpData]:
    """Position and speed, minimal integral of u^2 / 2."""
    s = OcpSolver(OcpSpec("double integrator", integrator, no_rows, parents=chain(n), n_c=2, n_u=1, **options), COMPILED)
    d = s.data()
    d.length[:] = 1.0 / n
    return s, d


@pytest.fixture(scope="module")
def moved() -> tuple[OcpSolver, OcpData]:
    return double_integrator(100)


def test_bryson_denham(moved: tuple[OcpSolver, OcpData]) -> None:
    """A. E. Bryson, Y. C. Ho, Applied Optimal Control (1975), section 3.11: J = 4 / (9 l), here with l = 1/9; with 100
    constant inputs 4.00089 (reference table of the project, CVP-100)."""
    s, d = moved
    d.fix_initial([0.0, 1.0])
    d.x_lower[-1] = d.x_upper[-1] = [0.0, -1.0]
    d.x_upper[1:-1, 0] = 1 / 9
    d.xp_upper[:, :, 0] = 1 / 9
    r = s.solve(d, "nodes")
    assert r.status is Status.SUCCESS
    assert 4.0 < r.objective == pytest.approx(4.0, rel=5e-4)
    assert r.x[:, 0].max() <= 1 / 9 + 1e-8
    assert r.x[-1] == pytest.approx([0.0, -1.0], abs=1e-8)
    # Shadow price of the limit: dJ/dl = -4 / (9 l^2) = -36; the duals sum to its negative.
    assert (r.x_dual[1:-1, 0].sum() + r.xp_dual[:, :, 0].sum()) == pytest.approx(36.0, rel=2e-3)


def test_costates_are_the_slopes_of_the_optimum(moved: tuple[OcpSolver, OcpData]) -> None:
    s, d = moved
    values = []
    for start in (1.0, 1.0 + 1e-4):
        d.fix_initial([0.0, start])
        values.append(s.solve(d, "nodes", tol=1e-10))
    slope = (values[1].objective - values[0].objective) / 1e-4
    assert 0.5 * (values[0].costate[0, 1] + values[1].costate[0, 1]) == pytest.approx(slope, rel=1e-6)


def test_linear_quadratic_regulator() -> None:
    """Against the Riccati recursion: the collocation is exact for a double integrator."""
    n, h = 30, 0.1

    def stage(x: Any, u: Any, p: Any) -> Any:
        return x[0] ** 2 + 0.3 * x[1] ** 2 + 0.1 * u[0] ** 2, ()

    point = lambda t, x, z, u, s, p: (jnp.stack([x[1], u[0]]), (), (), 0.0)  # noqa: E731
    s = OcpSolver(OcpSpec("lqr", point, stage, lambda x, p: (5.0 * jnp.dot(x, x), ()), parents=chain(n), n_c=2, n_u=1), COMPILED)
    d = s.data()
    d.length[:] = h
    d.fix_initial([1.0, -0.4])
    r = s.solve(d)
    a, b, q = np.array([[1, h], [0, 1]]), np.array([[h * h / 2], [h]]), np.diag([1.0, 0.3])
    p = 5.0 * np.eye(2)
    for _ in range(n):
        k = np.linalg.solve(0.1 + b.T @ p @ b, b.T @ p @ a)
        p = q + a.T @ p @ (a - b @ k)
    x0 = np.array([1.0, -0.4])
    assert r.iterations <= 2
    assert r.objective == pytest.approx(x0 @ p @ x0, rel=1e-10)
    assert r.u[0] == pytest.approx(-k @ x0, rel=1e-9)
    assert r.costate[0] == pytest.approx(2 * p @ x0, rel=1e-9)


def test_free_duration_is_a_carried_state() -> None:
    """Double integrator from (1, 0) to rest with |u| <= 1: 2 time units (bang-bang)."""
    point = lambda t, x, z, u, s, p: (x[2] * jnp.stack([x[1], u[0]]), (), (), 0.0)  # noqa: E731
    s = OcpSolver(OcpSpec("minimum time", point, no_rows, lambda x, p: (x[2], ()), parents=chain(40), n_c=2, n_u=1,
                          carried=(Carried(1.0),)), COMPILED)
    d = s.data()
    d.length[:] = 1 / 40
    d.x_lower[:, 2], d.x_upper[:, 2] = 0.1, 10
    d.x_lower[0, :2] = d.x_upper[0, :2] = [1.0, 0.0]
    d.x_lower[-1, :2] = d.x_upper[-1, :2] = 0.0
    d.u_lower[:], d.u_upper[:] = -1, 1
    d.x[:] = [1, 0, 1]
    for start in ("nodes", "rollout"):
        r = s.solve(d, start)
        assert r.status is Status.SUCCESS
        assert r.objective == pytest.approx(2.0, abs=1e-6)


def test_one_node_is_a_steady_problem() -> None:
    """Projection of (1, 2) on u0 + u1 = b: cost (3 - b)^2 / 2, so its slope in b is b - 3; then with u0 >= 0.25."""
    s = OcpSolver(OcpSpec("steady", None, lambda x, u, p: (jnp.sum((u - jnp.array([1.0, 2.0])) ** 2), jnp.stack([u[0] + u[1]])),
                          n_u=2, n_rows=1), COMPILED)
    d = s.data()
    d.row_lower[:] = d.row_upper[:] = 1.0
    r = s.solve(d)
    assert r.status is Status.SUCCESS
    assert r.u[0] == pytest.approx([0.0, 1.0], abs=1e-9)
    assert -r.row_dual[0, 0] == pytest.approx(-2.0)
    d.u_lower[:, 0] = 0.25
    r = s.solve(d, tol=1e-10)
    assert r.u[0] == pytest.approx([0.25, 0.75], abs=1e-8)
    assert r.u_dual[0, 0] == pytest.approx(-1.0, abs=1e-6)  # cost 2 * (0.25-1) + 2 * (2-0.75) per unit of u0


def test_unreachable_end_is_infeasible_and_names_the_limits() -> None:
    s, d = double_integrator(10)
    d.fix_initial([0.0, 0.0])
    d.x_lower[-1] = d.x_upper[-1] = [1.0, 0.0]
    d.u_lower[:], d.u_upper[:] = -0.1, 0.1
    d.u[:] = 0.05
    r = s.solve(d)
    assert r.status is Status.INFEASIBLE
    assert not r.feasible
    assert abs(r.x_dual[-1]).max() > 1  # the end is in conflict with
    assert abs(r.u_dual).max() > 1      # the limits of the input
    d.u_lower[:], d.u_upper[:] = -10, 10
    assert s.solve(d).status is Status.SUCCESS


def test_impossible_bounds_are_infeasible() -> None:
    s, d = double_integrator(10)
    d.fix_initial([0.0, 0.0])
    d.x_lower[3, 1], d.x_upper[3, 1] = 2.0, 1.0
    assert s.solve(d).status is Status.INFEASIBLE


def test_a_model_without_values_is_told() -> None:
    point = lambda t, x, z, u, s, p: (jnp.sqrt(x - 10.0) + u[0], (), (), 0.0)  # noqa: E731
    s = OcpSolver(OcpSpec("no values", point, no_rows, parents=chain(3), n_c=1, n_u=1), COMPILED)
    d = s.data()
    d.fix_initial([1.0])
    for start in ("nodes", "rollout"):
        assert s.solve(d, start).status is Status.NOT_FINITE


def bioreactor(execution: str | None, n: int = 20) -> tuple[OcpSolver, OcpData]:
    """Fed batch with substrate inhibition and a limit on biomass: non-convex."""
    def point(t: Any, x: Any, z: Any, u: Any, s: Any, p: Any) -> Any:
        mu = 0.02 * x[1] / (0.05 + x[1] + x[1] ** 2 / 5.0)
        feed = u[0] / x[3]
        return jnp.stack([mu * x[0] - feed * x[0], -mu * x[0] / 0.5 - 0.004 * x[0] / 1.2 + feed * (200.0 - x[1]),
                          0.004 * x[0] - feed * x[2], u[0]]), (), (), 0.0

    s = OcpSolver(OcpSpec("bioreactor", point, no_rows, lambda x, p: (-10 * x[2], ()), parents=chain(n), n_c=4, n_u=1,
                          x_scale=[1, 1, 1, 100], u_scale=[0.1]), execution)
    d = s.data()
    d.length[:] = 150 / n
    d.x_lower[1:], d.x_upper[1:, 0] = [0, -0.01, 0, 0], 3.7
    d.u_lower[:], d.u_upper[:] = 0, 0.2
    d.fix_initial([1.0, 0.5, 0.0, 120.0])
    d.x[:], d.u[:] = d.x[0], 0.05
    return s, d


def test_a_limit_gives_the_same_iterate_again_and_the_best_feasible_one() -> None:
    s, d = bioreactor(COMPILED)
    whole = s.solve(d)
    assert whole.status is Status.SUCCESS
    capped = [s.solve(d, max_iterations=whole.iterations - 5) for _ in range(2)]
    assert capped[0].status is Status.ITERATION_LIMIT
    assert capped[0].flat.tobytes() == capped[1].flat.tobytes()
    assert capped[0].feasible  # the best such iterate so far, not the last one
    assert whole.objective < capped[0].objective < -14
    last = s.solve(d, max_iterations=whole.iterations - 5, keep="last")
    assert last.objective == pytest.approx(whole.objective, rel=1e-3)
    replay = s.solve(d, max_iterations=whole.iterations)
    assert replay.flat.tobytes() == whole.flat.tobytes()


def test_stop_and_time_limit_keep_an_iterate() -> None:
    s, d = bioreactor("python")
    assert s.solve(d, max_seconds=0.02).status is Status.TIME_LIMIT
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(s.solve(d, max_seconds=60.0)))
    thread.start()
    while not s._running or s._running[0].work.state is None:
        pass
    threading.Event().wait(0.1)
    s.stop()
    thread.join(5.0)
    assert results[0].status is Status.STOPPED
    assert np.isfinite(results[0].x).all()


def test_warm_start_pays_and_survives_a_bad_answer() -> None:
    s, d = bioreactor(COMPILED)
    cold = s.solve(d)
    same = s.solve(d, "warm", cold)
    assert same.iterations <= 2
    d.fix_initial([1.01, 0.49, 0.0, 120.2])
    near = s.solve(d, "warm", cold)
    assert near.status is Status.SUCCESS
    assert near.iterations < cold.iterations / 2
    d.fix_initial([0.3, 2.0, 0.0, 60.0])
    assert s.solve(d, "warm", cold, 1).status is Status.SUCCESS
    with pytest.raises(errors.SpecError, match="with 'warm' only"):
        s.solve(d, "warm")


def test_many_on_threads_are_the_same_as_one_by_one() -> None:
    s, first = bioreactor(COMPILED)
    cases = []
    for k in range(6):
        d = s.data()
        for a, b in zip(d.record, first.record, strict=True):
            a[...] = b
        d.fix_initial([1.0 + 0.02 * k, 0.5, 0.0, 120.0])
        cases.append(d)
    many = s.solve_many(cases, threads=2)
    for d, r in zip(cases, many, strict=True):
        assert r.flat.tobytes() == s.solve(d).flat.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("start", ["nodes", "rollout"])
def test_forty_fed_batches_from_a_constant_guess_and_a_rollout(start: str) -> None:
    """The problem class on which the prototype failed 13 times of 40: parameters of the start +- 5 %, 50 intervals."""
    s, nominal = bioreactor(COMPILED, 50)
    nominal.xp_lower[:], nominal.xp_upper[:, :, 0] = [0, -0.01, 0, 0], 3.7
    rng = np.random.default_rng(0)
    for _ in range(40):
        nominal.fix_initial(np.array([1.0, 0.5, 0.0, 120.0]) * rng.uniform(0.95, 1.05, 4))
        nominal.x[:] = nominal.x[0]
        assert s.solve(nominal, start).status is Status.SUCCESS
