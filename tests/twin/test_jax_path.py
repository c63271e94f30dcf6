"""The pure JAX functions: accuracy, gradients in both modes, batches, algebraic variables, clear errors."""

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import twin
from processes.chemical import ExothermicCstr

TIMES = np.linspace(0.0, 3.0, 13)


class Tank(twin.DynamicModel):
    """dx/dt = u - y with k y^3 + y = x: index 1."""

    x = twin.state("kg", lower=0, nominal=1)
    y = twin.algebraic("kg/s", lower=0, nominal=1)
    u = twin.input("kg/s", nominal=1)
    leak = twin.disturbance("kg/s", nominal=0.1)
    level = twin.output("kg")
    k = twin.parameter(0.5, "s**2/kg**2")

    def rhs(self, s):
        return {"x": s.u - s.y - s.leak}

    def residual(self, s):
        return {"y": self.k * s.y**3 + s.y - s.x}

    def outputs(self, s):
        return {"level": 2.0 * s.x + s.u}

    def initial(self):
        return {"x": 3.0}


@pytest.fixture(scope="module")
def cstr():
    return twin.as_jax(ExothermicCstr())


@pytest.fixture(scope="module")
def tank():
    return twin.as_jax(Tank())


def test_accuracy_on_the_limit_cycle(cstr):
    got = cstr.simulate(times=TIMES, inputs={"t_coolant": 305.0}, rtol=1e-8)
    u, d = np.array([305.0]), np.array([1.0, 350.0])
    exact = solve_ivp(lambda t, x: cstr.rhs(t, x, (), u, d), (0, 3), cstr.initial, method="Radau", rtol=1e-10,
                      atol=1e-12, t_eval=TIMES).y.T
    assert np.max(np.abs(got.x - exact) / [1.0, 400.0]) < 1e-7
    assert got.y[:, 0] == pytest.approx(1 - got.x[:, 0], abs=1e-15)


def test_error_follows_the_tolerance(cstr):
    runs = [cstr.simulate(times=TIMES, inputs={"t_coolant": 305.0}, rtol=r).x for r in (1e-4, 1e-6, 1e-10)]
    coarse, fine = (np.max(np.abs(r - runs[2]) / [1.0, 400.0]) for r in runs[:2])
    assert fine < coarse / 20
    assert coarse < 1e-2


def test_gradients_in_both_modes_and_batches(cstr):
    def final(p):
        return cstr.simulate(p=p, times=TIMES, inputs={"t_coolant": 305.0}, rtol=1e-8, max_steps=400).x[-1, 1]

    p = cstr.parameters
    with jax.enable_x64(True):
        backward, forward = np.asarray(jax.jit(jax.grad(final))(p)), np.asarray(jax.jit(jax.jacfwd(final))(p))
        batch = np.stack([p, p * 1.001])
        together = np.asarray(jax.jit(jax.vmap(final))(batch))
    assert backward == pytest.approx(forward, rel=1e-9)
    assert together == pytest.approx([final(q) for q in batch], rel=1e-10)
    k = cstr.parameter_names.index("ua")
    step = np.zeros_like(p)
    step[k] = 1e-5 * p[k]
    difference = (final(p + step) - final(p - step)) / (2 * step[k])
    assert backward[k] == pytest.approx(difference, rel=1e-4)


def test_index_one_model_with_a_staircase_of_inputs(tank):
    times = np.array([0.0, 1.0, 2.5])
    got = tank.simulate(times=times, inputs=np.array([[1.0], [4.0]]), rtol=1e-9)

    def rate(t, x, u):
        y = np.real(next(r for r in np.roots([0.5, 0, 1, -x[0]]) if abs(r.imag) < 1e-9))
        return [u - y - 0.1]

    first = solve_ivp(rate, (0, 1), [3.0], args=(1.0,), rtol=1e-11, atol=1e-12).y[0, -1]
    second = solve_ivp(rate, (1, 2.5), [first], args=(4.0,), rtol=1e-11, atol=1e-12).y[0, -1]
    assert got.x[:, 0] == pytest.approx([3.0, first, second], rel=1e-8)
    assert 0.5 * got.z[:, 0] ** 3 + got.z[:, 0] == pytest.approx(got.x[:, 0], rel=1e-9)
    assert got.y[:, 0] == pytest.approx(2 * got.x[:, 0] + [1.0, 4.0, 4.0], rel=1e-12)


def test_gradient_through_the_algebraic_equation(tank):
    def end(q):
        return tank.simulate({"x": 3.0}, q, times=np.array([0.0, 1.0]), rtol=1e-9, max_steps=100).z[-1, 0]

    with jax.enable_x64(True):
        slope = float(jax.jit(jax.grad(end))(tank.parameters)[0])
    assert slope == pytest.approx((end(np.array([0.5001])) - end(np.array([0.4999]))) / 2e-4, rel=1e-6)


def test_zeros_in_both_directions_of_elimination():
    from twin.simulation.jax_rosenbrock import inverse

    with jax.enable_x64(True):
        for n in (3, 12):
            a = np.asarray(np.fliplr(np.eye(n)) + np.diag(np.arange(n) / 10.0))  # needs pivoting: the corner is zero
            assert np.asarray(inverse(jax.numpy.asarray(a))) @ a == pytest.approx(np.eye(n), abs=1e-12)


def test_residual_and_nominal_values(tank):
    assert tank.residual(0.0, [3.0], [1.0]) == pytest.approx([0.5 + 1 - 3])
    assert tank.rhs(0.0, [3.0], [1.0]) == pytest.approx([1.0 - 1.0 - 0.1])
    assert tank.outputs(0.0, [3.0], [1.0]).dtype == np.float64


def test_traced_with_32_bit_is_an_error(tank):
    with pytest.raises(twin.SpecError, match="enable_x64"):
        jax.jit(lambda x: tank.rhs(0.0, x))(np.array([1.0], dtype=np.float32))


def test_steps_that_do_not_suffice_are_an_error(cstr):
    with pytest.raises(twin.ConvergenceError, match=r"not simulated to its end in 5 steps\. Raise max_steps") as caught:
        cstr.simulate(times=TIMES, inputs={"t_coolant": 305.0}, max_steps=5)
    assert caught.value.status is twin.Status.STEP_LIMIT


def test_wrong_shapes_and_names_are_errors(cstr):
    with pytest.raises(twin.SpecError, match="Did you mean 't_coolant'"):
        cstr.simulate(times=TIMES, inputs={"t_colant": 305.0})
    with pytest.raises(twin.SpecError, match=r"inputs have the shape \(3,\). Expected \(1,\) or \(12, 1\)"):
        cstr.simulate(times=TIMES, inputs=np.ones(3))
    with pytest.raises(twin.SpecError, match=r"Map batches with jax\.vmap"):
        cstr.simulate(np.ones((4, 2)), times=TIMES)
    with pytest.raises(twin.SpecError, match="at least two output times"):
        cstr.simulate(times=[0.0])


def test_diffrax_takes_the_rates(cstr):
    diffrax = pytest.importorskip("diffrax")
    with jax.enable_x64(True):
        term = cstr.ode_term(u=np.array([305.0]))
        value = np.asarray(term.vf(0.0, jax.numpy.asarray(cstr.initial), jax.numpy.asarray(cstr.parameters)))
    assert isinstance(term, diffrax.ODETerm)
    assert value == pytest.approx(cstr.rhs(0.0, cstr.initial, u=[305.0]), rel=1e-14)


def test_models_with_algebraics_are_not_for_diffrax(tank):
    pytest.importorskip("diffrax")
    with pytest.raises(twin.SpecError, match="Tank has algebraic variables"):
        tank.ode_term()
