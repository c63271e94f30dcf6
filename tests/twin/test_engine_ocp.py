"""The optimal-control solver: three executions with the same bits, published optima, independent checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from twin import Status, jnp
from twin.engine import store
from twin.engine.optimal import Carried, OcpData, OcpSolver, OcpSpec, chain

NEEDS_CC = pytest.mark.skipif(store.compiler() is None, reason="needs a C compiler")
EXECUTIONS: list[Any] = ["python", pytest.param("c", marks=NEEDS_CC), "numba"]
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
