"""Steady states: published operating points, all branches, stability, clear failures."""

import math

import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import ExothermicCstr, VanDeVusse
from twin import jnp


class Flash(twin.SteadyModel):
    """Two equations with two roots, one of them outside the limits."""

    feed = twin.input("mol/s", lower=0, upper=10, nominal=1)
    v = twin.algebraic("mol/s", lower=0, upper=10, nominal=1)
    w = twin.algebraic("mol/s", lower=0, upper=10, nominal=1)
    total = twin.output("mol/s")
    k = twin.parameter(0.5, "mol/s", bounds=(0, None))

    def residual(self, s):
        return {"v": s.v * s.v - self.k * s.feed * s.w, "w": s.v + s.w - s.feed}

    def outputs(self, s):
        return {"total": s.v + s.w}


class Settler(twin.DynamicModel):
    """One state and one algebraic: dx/dt = u - y, y^3 + y = x."""

    time_unit = "h"
    x = twin.state("kg", lower=0, upper=100, nominal=1)
    y = twin.algebraic("kg/h", lower=0, upper=10, nominal=1)
    u = twin.input("kg/h", lower=0, upper=5, nominal=1)

    def rhs(self, s):
        return {"x": s.u - s.y}

    def residual(self, s):
        return {"y": s.y**3 + s.y - s.x}


def test_exothermic_cstr_has_three_steady_states_at_300_k():
    found = twin.steady(ExothermicCstr(), {"t_coolant": 300.0})
    assert [round(p["c_a"], 5) for p in found] == [0.20876, 0.49992, 0.87725]
    assert [round(p["temperature"], 3) for p in found] == [369.705, 350.006, 324.475]
    assert [p.kind for p in found] == ["unstable focus", "saddle", "stable focus"]
    assert found[0].eigenvalues[0] == pytest.approx(1.357 - 1.540j, abs=1e-3)
    assert len(found.stable) == 1
    assert found.stable[0] is found[2]


def test_exothermic_cstr_at_305_k_has_one_unstable_point():
    (only,) = twin.steady(ExothermicCstr(), {"t_coolant": 305.0})
    assert only["temperature"] == pytest.approx(378.065, abs=1e-3)
    assert only.eigenvalues[0] == pytest.approx(0.294 - 3.422j, abs=1e-3)
    assert not only.stable


def test_van_de_vusse_published_points():
    (a,) = twin.steady(VanDeVusse.klatt_engell())
    assert a.x == pytest.approx([2.139998, 1.090304, 114.1942, 112.9097], rel=1e-6)
    (b,) = twin.steady(VanDeVusse.do_mpc(), {"flow": 18.83, "duty": -4495.7})
    assert b.x == pytest.approx([1.234406, 0.899824, 134.1490, 128.9629], rel=1e-6)


def test_residual_is_polished_to_rounding_error():
    for point in twin.steady(ExothermicCstr(), {"t_coolant": 302.0}):
        model = ExothermicCstr()
        rates = twin.as_jax(model).rhs(0.0, point.x, (), point.u, point.d)
        assert abs(rates[0]) < 1e-12
        assert abs(rates[1]) < 1e-11
        assert point.residual < 1e-12


def test_steady_model_with_a_root_outside_its_limits():
    (root,) = twin.steady(Flash(), {"feed": 2.0})
    exact = (-1 + math.sqrt(1 + 8)) / 2
    assert root["v"] == pytest.approx(exact, abs=1e-12)
    assert root["total"] == pytest.approx(2.0, abs=1e-12)
    assert root.kind == ""
    assert len(twin.steady(Flash(), {"feed": 2.0}, within_limits=False)) == 2


def test_algebraics_of_a_dynamic_model_are_solved_with_the_states():
    (point,) = twin.steady(Settler(), {"u": 2.0})
    assert point["y"] == pytest.approx(2.0, abs=1e-12)
    assert point["x"] == pytest.approx(10.0, abs=1e-11)
    assert point.kind == "stable node"
    assert point.eigenvalues[0].real == pytest.approx(-1 / 13, rel=1e-10)


def test_given_starts_and_parameters():
    found = twin.steady(ExothermicCstr(), {"t_coolant": 300.0}, starts=[{"c_a": 0.9, "temperature": 325.0}])
    assert [p.kind for p in found] == ["stable focus"]
    cold = twin.steady(ExothermicCstr(), {"t_coolant": 300.0}, parameters={"heat": 0.0})
    assert cold[0]["temperature"] == pytest.approx((350 * 239 + 300 * 500) / (239 + 500), rel=1e-12)


def test_no_steady_state_is_a_named_failure():
    with pytest.raises(twin.ConvergenceError, match=r"No steady state of Penicillin was found"):
        twin.steady(Penicillin(), {"feed": 0.05, "aeration": 8.6, "agitation": 30.0}, starts=2)
    none = twin.steady(Penicillin(), {"feed": 0.05, "aeration": 8.6, "agitation": 30.0}, starts=2, throw=False)
    assert len(none) == 0
    assert none.status is twin.Status.NOT_CONVERGED


def test_bad_requests_are_named():
    with pytest.raises(twin.SpecError, match=r"t_cool.*Did you mean 't_coolant'"):
        twin.steady(ExothermicCstr(), {"t_cool": 300.0})
    with pytest.raises(twin.SpecError, match=r"t_coolant is 30 K. Expected 280 to 350 K. 30 degC would be 303.15 K"):
        twin.steady(ExothermicCstr(), {"t_coolant": 30.0})
    with pytest.raises(twin.SpecError, match=r"Flash needs a value for 1 input\(s\): feed in mol/s, 0 to 10"):
        twin.steady(Flash())


def test_table_has_units():
    table = twin.steady(ExothermicCstr(), {"t_coolant": 300.0}).table()
    assert list(table["kind"]) == ["unstable focus", "saddle", "stable focus"]
    assert table.attrs["units"]["temperature"] == "K"


def test_where_the_rates_are_not_finite_no_root_is_claimed():
    class Broken(twin.DynamicModel):
        x = twin.state("-", lower=-5, upper=-1)

        def rhs(self, s):
            return {"x": jnp.log(s.x)}

    assert len(twin.steady(Broken(), throw=False)) == 0
