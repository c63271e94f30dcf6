"""NMPC: published optima, closed loops, and what happens when a step cannot be solved."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import optimizers
import twin
from processes.chemical import VanDeVusse

MOVES = {"flow": (5, 100), "duty": (-8500, 0)}
DO_MPC = dict(moves=MOVES, interval=0.005, track={"c_b": (0.6, 1.0)}, change={"flow": 0.1 / 100**2, "duty": 1e-3 / 2000**2},
              limits={"c_a": (0.1, 2), "c_b": (0.1, 2), "t_reactor": [(50, None), twin.soft(None, 140, price=100)],
                      "t_jacket": (50, 140)}, degree=2, last_interval=False, tolerance=1e-10)
START = {"c_a": 0.8, "c_b": 0.5, "t_reactor": 134.14, "t_jacket": 130.0}
LAST = {"flow": 0.0, "duty": 0.0}


@pytest.fixture(scope="module")
def do_mpc():
    return optimizers.Nmpc(VanDeVusse.do_mpc(), **DO_MPC)


@pytest.fixture(scope="module")
def control():
    """A controller of everyday use."""
    return optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval="18 s", track={"c_b": 0.6}, horizon=12,
                           change={"flow": 1e-5, "duty": 2.5e-10}, limits={"t_reactor": (100, 138)})


def test_exact_optimum(do_mpc):
    """The CSTR example of do-mpc: 0.015063913 by CasADi and IPOPT at 1e-10 without bound relaxation, u = (9.828504, 0)."""
    info = do_mpc.step(do_mpc.init(LAST), START)[1]
    assert info.status
    assert info.objective == pytest.approx(0.015063913, rel=1e-6)
    assert info.inputs["flow"] == pytest.approx(9.828504, abs=1e-5)
    assert info.fallback == ""
    assert info.prediction["c_b"].shape == (1, 21)
    assert info.prediction["flow"].shape == (1, 20)


def test_exact_robust_optimum():
    """Nine samples, told apart after the first interval: 0.016510009 by do-mpc and IPOPT in the same way."""
    model = VanDeVusse.do_mpc()
    nine = twin.Scenarios.grid(model, {"e_3": [8560, 8560 * 1.05, 8560 * 0.95], "k_10": [k * 1.287e12 for k in (1, 1.1, 0.9)]})
    robust = optimizers.Nmpc(model, **DO_MPC, scenarios=nine)
    info = robust.step(robust.init(LAST), START)[1]
    assert info.objective == pytest.approx(0.016510009, rel=1e-6)
    assert info.prediction["c_b"].shape == (9, 21)
    assert np.ptp(info.prediction["flow"][:, 0]) == 0.0
    assert np.ptp(info.prediction["flow"][:, 1]) > 1.0


def test_closed_loop_reaches_its_target_within_limits(control):
    loop = optimizers.closed_loop(control, steps=25)
    assert loop.failures == ()
    assert loop["c_b"][-1] == pytest.approx(0.6, abs=1e-4)
    assert loop["t_reactor"].max() <= 138 + 1e-5
    frame = loop.to_frame()
    assert list(frame["status"].unique()) == ["SUCCESS"]
    assert set(loop.infos[3].prediction.to_frame()) >= {"scenario", "time", "c_b", "flow"}


def test_warm_and_cold_agree(control):
    state, first = control.step(control.init({"flow": 20, "duty": -2000}), START)
    moved = {**START, "c_b": 0.52}
    warm = control.step(state, moved)[1]
    cold = control.step(control.forget(state), moved)[1]
    assert first.status
    assert warm.status
    assert cold.status
    assert warm.objective == pytest.approx(cold.objective, rel=1e-5)
    assert warm.inputs["flow"] == pytest.approx(cold.inputs["flow"], abs=1e-3)


def test_steps_are_pure(control):
    state = control.step(control.init(LAST), START)[0]
    one, two = (control.step(state, START)[1] for _ in range(2))
    assert one.inputs == two.inputs
    assert one.objective == two.objective


def test_targets_limits_and_forecasts_may_change_from_step_to_step(control):
    state = control.init({"flow": 20, "duty": -2000})
    base = control.step(state, START)[1]
    higher = control.step(state, START, targets={"c_b": [0.6] * 3 + [0.7] * 10})[1]
    assert higher.prediction["c_b"][0, -1] > base.prediction["c_b"][0, -1] + 0.05
    cooler = control.step(state, START, limits={"t_reactor": (100, twin.Profile([0, 0.04], [138, 130]))})[1]
    assert cooler.status
    assert cooler.prediction["t_reactor"][0, 8:].max() <= 130 + 1e-5
    richer = control.step(state, START, inputs={"c_feed": 5.5})[1]
    assert richer.inputs["flow"] != pytest.approx(base.inputs["flow"], abs=1e-3)
    with_estimate = control.step(state, {**START, "c_feed": 5.5})[1]
    assert with_estimate.inputs == richer.inputs


def test_rates_and_blocks():
    slow = optimizers.Nmpc(VanDeVusse.do_mpc(), moves={"flow": optimizers.Move(5, 100, rate=(-200, 200)), "duty": (-8500, 0)},
                           interval=0.005, track={"c_b": 0.6}, blocks=(1, 1, 2, 4, 4))
    info = slow.step(slow.init({"flow": 20, "duty": -2000}), START)[1]
    assert info.status
    plan = info.prediction["flow"][0]
    assert len(plan) == 12
    assert plan[2] == pytest.approx(plan[3], abs=1e-6)
    assert np.ptp(plan[8:]) < 1e-6
    assert abs(plan[0] - 20) <= 1.0 + 1e-6
    assert np.abs(np.diff(plan)).max() <= 1.0 + 1e-6


@pytest.mark.slow
def test_economic_goal_and_integral():
    """The most of product B: the steady optimum of the model, found by simulation, is reached."""
    most = optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval=0.01, maximize="c_b", horizon=25,
                           change={"flow": 1e-7, "duty": 1e-11}, limits={"t_reactor": (100, 140)})
    loop = optimizers.closed_loop(most, steps=40)
    grid = [twin.steady(VanDeVusse.do_mpc(), {"flow": f, "duty": q})[0] for f in (15, 20, 25, 30, 40, 60)
            for q in (0, -2000, -4000, -6000, -8000)]
    best = max(p["c_b"] for p in grid if 100 <= p["t_reactor"] <= 140)
    assert loop["c_b"][20:].mean() > best - 1e-3
    same = optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval=0.01, maximize=optimizers.Integral("c_b"), horizon=10)
    assert same.step(same.init(), START)[1].status


def test_infeasible_limits_yield_least(control):
    """A reactor far above its limit cannot be cooled at once: told with the limit, inputs still given."""
    info = control.step(control.init({"flow": 20, "duty": -2000}), {**START, "t_reactor": 150.0, "t_jacket": 150.0})[1]
    assert info.status is twin.Status.INFEASIBLE
    assert "No values satisfy all limits at once." in info.message
    assert "Limits yield: t_reactor at least 100 degC and at most 138 degC is exceeded by up to" in info.message
    assert info.inputs["duty"] == pytest.approx(-8500, abs=1)
    assert info.fallback == ""


@pytest.mark.parametrize(("estimate", "said"), [
    ({**START, "c_b": math.nan}, "The estimate of c_b is not a number."),
    ({"c_a": 0.8, "c_b": 0.5, "t_reactor": 134.0}, "holds no value of t_jacket"),
    ({**START, "c_feed": math.inf}, "The estimate of c_feed is not a number."),
])
def test_bad_estimates_go_on_with_the_last_plan(control, estimate, said):
    state, good = control.step(control.init(LAST), START)
    plan = good.prediction["flow"][0]
    for k in (1, 2):
        state, info = control.step(state, estimate)
        assert not info.status
        assert said in info.message
        assert info.fallback == f"the plan made {k} interval{'s' if k > 1 else ''} ago goes on"
        assert info.inputs["flow"] == pytest.approx(plan[k])
    first = control.step(control.init({"flow": 20, "duty": -2000}), estimate)[1]
    assert first.inputs == {"flow": 20.0, "duty": -2000.0}
    assert first.fallback == "the last inputs are held"


def test_wrong_arguments_of_a_step_are_told_not_raised(control):
    state = control.init(LAST)
    for changes, said in (({"targets": {"c_d": 1.0}}, "Unknown tracked signal 'c_d'"),
                          ({"limits": {"c_a": (0, 1)}}, "no limit on c_a"), ({"inputs": {"c_fed": 5.0}}, "Did you mean 'c_feed'"),
                          ({"targets": {"c_b": [math.nan]}}, "finite numbers")):
        info = control.step(state, START, **changes)[1]
        assert not info.status
        assert said in info.message
    assert "'target' is not an argument of a step" in control.step(state, START, target=1.0)[1].message


class Brittle(twin.DynamicModel):
    """A level whose outflow has no value below zero."""

    time_unit = "h"
    level = twin.state("m", lower=0, upper=10, nominal=1, doc="level")
    inflow = twin.input("m/h", lower=0, upper=2, nominal=1, doc="inflow")

    def rhs(self, s):
        return {"level": s.inflow - twin.jnp.sqrt(s.level)}


def test_nan_in_the_model_is_told():
    control = optimizers.Nmpc(Brittle(), moves="inflow", interval=0.1, track={"level": 1.0}, horizon=5)
    info = control.step(control.init({"inflow": 1.0}), {"level": -1.0})[1]
    assert not info.status
    assert info.inputs == {"inflow": 1.0}
    assert info.fallback == "the last inputs are held"
    assert "NaN" in info.message or "not" in info.message


def test_caps_on_iterations_and_time():
    few = optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval=0.005, track={"c_b": 0.6}, max_iterations=2, horizon=12)
    info = few.step(few.init({"flow": 20, "duty": -2000}), START)[1]
    assert not info.status
    assert set(info.inputs) == {"flow", "duty"}
    assert info.message
    none = optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval=0.005, track={"c_b": 0.6}, max_seconds=1e-9, horizon=12)
    info = none.step(none.init({"flow": 20, "duty": -2000}), START)[1]
    assert info.inputs.keys() == {"flow", "duty"}


def test_final_target_out_of_reach():
    """A concentration that no input reaches within the horizon: infeasible, with the limit named, and the nearest plan."""
    far = optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval=0.005, track={"c_b": 0.6}, final={"c_b": 1.5}, horizon=4)
    info = far.step(far.init({"flow": 20, "duty": -2000}), START)[1]
    assert not info.status
    assert "final c_b at least 1.5 mol/l and at most 1.5 mol/l" in info.message
    assert set(info.inputs) == {"flow", "duty"}


def test_no_offset_with_an_estimated_disturbance():
    """A feed 8 % richer than the controller thinks: with the disturbance estimated the target is met, without it is not."""
    model = VanDeVusse.do_mpc()
    control = optimizers.Nmpc(model, moves=MOVES, interval=0.01, track={"c_b": 0.6}, horizon=10,
                              change={"flow": 1e-5, "duty": 2.5e-10})
    options = dict(interval=0.01, noise={"c_a": 0.01, "c_b": 0.01, "t_reactor": 0.1, "t_jacket": 0.1}, sd={"c_feed": 0.3})
    measured = {"c_b": 0.002, "t_reactor": 0.05, "t_jacket": 0.05}
    offsets = {}
    for name, walks in (("plain", {}), ("integrating", {"c_feed": 0.05})):
        sd = {"sd": {"c_feed": 0.3}} if walks else {"sd": {}}
        watch = twin.Ekf(model, measured, walks=walks, **{**options, **sd})
        loop = optimizers.closed_loop(control, steps=60, estimator=watch, disturbances={"c_feed": 5.5})
        offsets[name] = abs(loop["c_b"][-1] - 0.6)
    assert offsets["integrating"] < 2e-4
    assert offsets["plain"] > 10 * offsets["integrating"]


def test_real_time_iteration_follows_the_converged_one(control):
    quick = optimizers.Nmpc(VanDeVusse.do_mpc(), moves=MOVES, interval="18 s", track={"c_b": 0.6}, horizon=12,
                            change={"flow": 1e-5, "duty": 2.5e-10}, limits={"t_reactor": (100, 138)}, real_time=True)
    loop, full = (optimizers.closed_loop(c, steps=25) for c in (quick, control))
    assert max(i.iterations for i in loop.infos[1:]) == 1
    assert loop["c_b"][-1] == pytest.approx(full["c_b"][-1], abs=2e-3)
    assert loop["t_reactor"].max() <= 138.5


def test_many_on_threads_and_on_an_executor(control):
    import concurrent.futures

    rng = np.random.default_rng(1)
    states = {n: v * (1 + 0.01 * rng.uniform(-1, 1, 70)) for n, v in START.items()}
    found = control.many(states, before={"flow": 20.0, "duty": -2000.0})
    assert all(found.statuses)
    one = control.step(control.init({"flow": 20.0, "duty": -2000.0}), {n: float(v[7]) for n, v in states.items()})[1]
    assert found.inputs["flow"][7] == pytest.approx(one.inputs["flow"], rel=1e-9)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        same = control.many(states, before={"flow": 20.0, "duty": -2000.0}, executor=pool)
    assert np.array_equal(same.inputs["duty"], found.inputs["duty"])
    assert pickle.loads(pickle.dumps(control)).interval == control.interval
    with pytest.raises(twin.SpecError, match="device is 'tpu'"):
        control.many(states, device="tpu")


@pytest.mark.slow
def test_jax_batch_agrees_with_the_engine(do_mpc):
    """All problems in one array; on a GPU where there is one."""
    rng = np.random.default_rng(1)
    states = {n: v * (1 + 0.02 * rng.uniform(-1, 1, 24)) for n, v in START.items()}
    exact, found = (do_mpc.many(states, before=LAST, device=d) for d in ("cpu", "jax"))
    assert all(found.statuses)
    assert found.repeated <= 2
    assert found.objective == pytest.approx(exact.objective, abs=1e-7)


def test_inputs_without_a_value_are_told():
    class Two(twin.DynamicModel):
        level = twin.state("m", nominal=1)
        inflow, outflow = twin.input("m/s"), twin.input("m/s")

        def rhs(self, s):
            return {"level": s.inflow - s.outflow}

    with pytest.raises(twin.SpecError, match="neither moved nor given: outflow"):
        optimizers.Nmpc(Two(), moves={"inflow": (0, 1)}, interval=1, track={"level": 1})


@pytest.mark.parametrize(("changes", "match"), [
    ({"moves": {}}, "moves nothing"),
    ({"moves": {"flw": (5, 100)}}, "Did you mean 'flow'"),
    ({"track": {}}, "has no goal"),
    ({"track": {"c_c": 1.0}}, "Unknown signal 'c_c'"),
    ({"track": {"c_b": (0.6, -1.0)}}, "weight of VanDeVusse.c_b is -1"),
    ({"change": {"c_feed": 1.0}}, "Unknown moved input 'c_feed'"),
    ({"interval": 0}, "interval is 0 h"),
    ({"blocks": (1, 0)}, "a block is 0"),
    ({"final": {"c_b": twin.soft(None, 1, price=1)}}, "final limit of c_b is soft"),
    ({"inputs": {"flow": 20.0}}, "flow is moved and given"),
])
def test_wrong_statements_are_told(changes, match):
    model = VanDeVusse.do_mpc()
    with pytest.raises(twin.SpecError, match=match):
        optimizers.Nmpc(model, **{"moves": MOVES, "interval": 0.005, "track": {"c_b": 0.6}, **changes})
