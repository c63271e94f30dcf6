"""Linearization against finite differences, algebra and the published column of numbers."""

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr, VanDeVusse


class Chain(twin.DynamicModel):
    """Second order with known answers: gain 3, poles -1 +- 2i, zero at -4; an algebraic variable in between."""

    time_unit = "min"
    a = twin.state("m", nominal=1)
    b = twin.state("m", nominal=1)
    mid = twin.algebraic("m", nominal=1)
    u = twin.input("N", nominal=1)
    w = twin.disturbance("N", nominal=0)
    y = twin.output("m")

    def rhs(self, s):
        return {"a": s.b, "b": -5.0 * s.mid - 2.0 * s.b + s.u + s.w}

    def residual(self, s):
        return {"mid": 2.0 * s.mid - s.a - s.mid}

    def outputs(self, s):
        return {"y": 15.0 / 4.0 * (4.0 * s.mid + s.b)}

    def recipe(self):
        return twin.Recipe.constant(u=0.0)


def test_known_second_order_system():
    linear = twin.linearize(Chain())
    assert sorted(linear.poles.imag) == pytest.approx([-2.0, 2.0], abs=1e-12)
    assert linear.poles.real == pytest.approx([-1.0, -1.0], abs=1e-12)
    assert linear.gain("u", "y") == pytest.approx(3.0, abs=1e-12)
    assert linear.gain("w", "y") == pytest.approx(3.0, abs=1e-12)
    assert linear.zeros("u", "y") == pytest.approx([-4.0], abs=1e-9)
    assert linear.damping == pytest.approx([1 / np.sqrt(5)] * 2, abs=1e-12)
    assert linear.time_constants == pytest.approx([1.0, 1.0], abs=1e-12)
    assert linear.stable


def test_step_response_follows_the_exact_solution():
    t = np.array([0.0, 0.1, 0.35, 1.0, 4.0])
    response = twin.linearize(Chain()).step_response("u", t)["y"]
    decay = np.exp(-t)
    a = (1 - decay * (np.cos(2 * t) + 0.5 * np.sin(2 * t))) / 5
    b = decay * np.sin(2 * t) / 2
    assert response.to_numpy() == pytest.approx(15 / 4 * (4 * a + b), abs=1e-12)


def test_matrices_against_finite_differences():
    model = VanDeVusse.klatt_engell()
    point = twin.steady(model)[0]
    linear = twin.linearize(model, point)
    plant = twin.as_jax(model)
    x, u, d = (np.array(v) for v in (point.x, point.u, point.d))
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-5 * max(abs(x[j]), 1)
        slope = (plant.rhs(0.0, x + step, (), u, d) - plant.rhs(0.0, x - step, (), u, d)) / (2 * step[j])
        assert linear.A[:, j] == pytest.approx(slope, rel=1e-7, abs=1e-6)
    for j in range(2):
        step = np.zeros(2)
        step[j] = 1e-4 * abs(u[j])
        slope = (plant.rhs(0.0, x, (), u + step, d) - plant.rhs(0.0, x, (), u - step, d)) / (2 * step[j])
        assert linear.B[:, j] == pytest.approx(slope, rel=1e-7, abs=1e-7)


def test_gain_is_the_slope_of_the_steady_state():
    model = VanDeVusse.klatt_engell()
    linear = twin.linearize(model, twin.steady(model)[0])
    low, high = (twin.steady(model, {"flow": f, "duty": -1113.5})[0]["c_b"] for f in (14.18, 14.20))
    assert linear.gain("flow", "c_b") == pytest.approx((high - low) / 0.02, rel=1e-4)


def test_no_outputs_means_the_states():
    linear = twin.linearize(VanDeVusse.klatt_engell())
    assert list(linear.outputs) == ["c_a", "c_b", "t_reactor", "t_jacket"]
    assert np.array_equal(linear.C, np.eye(4))
    assert list(linear.inputs) == ["flow", "duty", "c_feed"]
    assert linear.gains.attrs["units"]["c_a", "duty"] == "(mol/l)/(kJ/h)"


def test_unstable_point():
    model = ExothermicCstr()
    point = twin.steady(model, {"t_coolant": 305.0})[0]
    linear = twin.linearize(model, point)
    assert not linear.stable
    assert linear.poles[0].real == pytest.approx(0.2934, abs=1e-4)
    assert linear.damping[0] < 0
    assert linear.time_constants[0] < 0


def test_states_by_name_and_unknown_names():
    linear = twin.linearize(ExothermicCstr(), {"c_a": 0.4}, inputs={"t_coolant": 301.0})
    assert linear.point["c_a"] == 0.4
    assert linear.point["t_coolant"] == 301.0
    with pytest.raises(twin.SpecError, match="Did you mean 'temperature'"):
        twin.linearize(ExothermicCstr(), {"temperatur": 300.0})
    with pytest.raises(twin.SpecError, match="Unknown output 'c_c'"):
        linear.gain("t_coolant", "c_c")


def test_table_and_plot():
    linear = twin.linearize(VanDeVusse.klatt_engell())
    assert "time constant [h]" in linear.table()
    fig = linear.plot("flow")
    assert len(fig.axes) == 4
    assert fig.axes[0].get_ylabel() == "[mol/l]"


def test_a_steady_model_cannot_be_linearized_in_time():
    class Still(twin.SteadyModel):
        z = twin.algebraic("-")

        def residual(self, s):
            return {"z": s.z - 1.0}

    with pytest.raises(twin.SpecError, match="Still has no states"):
        twin.linearize(Still())
