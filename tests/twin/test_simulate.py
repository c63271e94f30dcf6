"""simulate: published numbers, recipes, edges, failures that say when, where and what to do."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import ExothermicCstr, VanDeVusse


class Tank(twin.DynamicModel):
    """Filled and emptied, with a concentration and an algebraic outflow: outflow^2 = k^2 volume."""

    time_unit = "h"
    salt = twin.state("g/l", lower=0, upper=100, nominal=10, per="volume")
    volume = twin.state("l", lower=0.1, upper=50, nominal=10)
    outflow = twin.algebraic("l/h", lower=0, upper=20, nominal=3)
    feed = twin.input("l/h", lower=0, upper=20, nominal=1)
    t_room = twin.disturbance("degC", lower=-20, upper=50, nominal=20)
    content = twin.output("g")
    k = twin.parameter(1.0, "l**0.5/h", bounds=(0, 10))

    def rhs(self, s):
        return {"salt": -s.feed / s.volume * s.salt, "volume": s.feed - s.outflow}

    def residual(self, s):
        return {"outflow": s.outflow**2 - self.k**2 * s.volume}

    def outputs(self, s):
        return {"content": s.salt * s.volume}

    def initial(self):
        return {"salt": 20.0, "volume": 16.0}


class Explodes(twin.DynamicModel):
    """dx/dt = x^2 from 1: infinite at t = 1."""

    x = twin.state("kg", nominal=1)

    def rhs(self, s):
        return {"x": s.x**2}

    def initial(self):
        return {"x": 1.0}


@pytest.fixture(scope="module")
def penicillin():
    return twin.simulate(Penicillin(), duration="400 h")


def test_penicillin_meets_the_published_numbers(penicillin):
    assert penicillin.status
    assert penicillin.final["product"] == pytest.approx(1.61937, abs=2e-5)
    assert penicillin.events[1].time == pytest.approx(44.009, abs=1e-3)
    assert penicillin.events[1].name == "fed-batch"
    assert penicillin.events[1].before["substrate"] == pytest.approx(0.3, rel=1e-6)
    assert penicillin.spans()[0][2] == "batch"
    assert len(penicillin) == 201
    assert penicillin.stats["steps"] > 50
    assert penicillin["feed"][0] == 0.0
    assert penicillin["feed"][-1] == 0.042


def test_carbon_closes(penicillin):
    fed = 0.4 * 600.0 * 0.042 * np.maximum(penicillin.times - penicillin.events[1].time, 0.0)
    carbon = penicillin["carbon"] - fed
    assert np.ptp(carbon) < 2e-4 * carbon[0]
    model = Penicillin()
    held = penicillin.total({"biomass": model.carbon_biomass, "substrate": model.carbon_substrate,
                             "product": model.carbon_product, "hydrolysate": model.carbon_product, "co2_carbon": 1.0})
    assert held == pytest.approx(penicillin["carbon"], rel=1e-12)


def test_limit_cycle_of_the_exothermic_reactor():
    run = twin.simulate(ExothermicCstr(), inputs={"t_coolant": 305.0}, duration=30.0, every=0.002, rtol=1e-9)
    late = run.times > 20
    hot = run["temperature"][late]
    assert hot.max() == pytest.approx(405.4536, abs=2e-3)
    assert hot.min() == pytest.approx(362.4505, abs=2e-3)
    rising = np.flatnonzero((hot[:-1] < 380) & (hot[1:] >= 380))
    at = run.times[late][rising] + 0.002 * (380 - hot[rising]) / (hot[rising + 1] - hot[rising])
    assert np.diff(at) == pytest.approx(2.1929, abs=1e-4)


def test_exact_solution_with_an_algebraic_variable():
    run = twin.simulate(Tank(), {"feed": 0.0}, duration=4.0, rtol=1e-9)
    assert run["volume"] == pytest.approx((4.0 - run.times / 2) ** 2, rel=1e-7)
    assert run["outflow"] == pytest.approx(4.0 - run.times / 2, rel=1e-7)
    assert run["salt"] == pytest.approx(20.0)
    assert run["content"] == pytest.approx(run.amount("salt"), rel=1e-14)
    assert run["t_room"] == pytest.approx(20.0)


def test_units_at_the_edge():
    plain = twin.simulate(Tank(), {"feed": 0.6, "t_room": 25.0}, initial={"volume": 20.0}, parameters={"k": 2.0},
                          duration=2.0)
    units = twin.simulate(Tank(), {"feed": "10 ml/min", "t_room": "298.15 K"}, initial={"volume": "0.02 m3"},
                          parameters={"k": 2.0}, duration="120 min")
    assert units["volume"] == pytest.approx(plain["volume"], rel=1e-12)
    assert units.final["t_room"] == pytest.approx(25.0)
    with pytest.raises(twin.UnitError, match="feed"):
        twin.simulate(Tank(), {"feed": "10 kg"}, duration=1.0)
    phase = twin.Phase(inputs={"feed": "1 l/h"}, until=("volume", "below", "0.012 m3"), at_most="1 d")
    emptied = twin.simulate(Tank(), twin.Recipe([phase]))
    assert emptied.final["time"] <= 24.0
    assert emptied.at([0.5])["feed"] == pytest.approx(1.0)


def test_profiles_and_resets():
    recipe = twin.Recipe([
        twin.Phase(inputs={"feed": twin.Profile([0, 1, 2], [0.0, 4.0, 4.0], hold="linear")}, until=2.0),
        twin.Phase(reset=[twin.Bolus("volume", 2.0, {"salt": 50.0}), twin.Harvest("volume", fraction=0.5)]),
    ])
    run = twin.simulate(Tank(), recipe, duration=3.0, times=[0.5, 1.5, 2.0, 3.0])
    before, after = run.events[1].before, run.events[1].after
    mixed = (before["salt"] * before["volume"] + 100.0) / (before["volume"] + 2.0)
    assert after["salt"] == pytest.approx(mixed, rel=1e-14)
    assert after["volume"] == pytest.approx((before["volume"] + 2.0) / 2, rel=1e-14)
    assert run["feed"] == pytest.approx([2.0, 4.0, 4.0, 4.0])
    assert run["volume"][2] == pytest.approx(after["volume"])


def test_sampling_repeats_the_same_steps(penicillin):
    again = penicillin.at(penicillin.times[::10])
    assert np.array_equal(again["product"], penicillin["product"][::10])
    assert penicillin.at(44.0)["substrate"][0] > 0.3
    close = penicillin.at([100.0, 101.0, 102.0])["biomass"]
    assert close[0] < close[1] < close[2]


def test_tolerance_is_kept(penicillin):
    exact = twin.simulate(Penicillin(), duration=400, rtol=1e-10)
    error = max(abs(penicillin.final[n] / exact.final[n] - 1) for n in ("biomass", "product", "volume"))
    assert error < 5e-6
    loose = twin.simulate(Penicillin(), duration=400, rtol=1e-3)
    assert error < max(abs(loose.final[n] / exact.final[n] - 1) for n in ("biomass", "product", "volume"))
    assert loose.stats["steps"] < exact.stats["steps"]
    other = twin.simulate(Penicillin(), duration=400, atol={"biomass": "1 mg/l"})
    assert other.final["biomass"] == pytest.approx(exact.final["biomass"], rel=1e-4)


def test_simulator_gives_what_simulate_gives():
    run = twin.simulator(ExothermicCstr(), {"t_coolant": 305.0}, duration=3.0)
    for start in ({"temperature": 330.0}, {"temperature": 380.0}):
        assert np.array_equal(run(start)["c_a"],
                              twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, initial=start, duration=3.0)["c_a"])
    by_vector = run([0.5, 330.0], ExothermicCstr().parameter_vector())
    assert np.array_equal(by_vector["temperature"], run({"temperature": 330.0})["temperature"])
    with pytest.raises(twin.SpecError, match=r"initial has 3 values. Expected 2 of ExothermicCstr"):
        run([1.0, 2.0, 3.0])


def test_an_infinite_state_says_when_and_where():
    with pytest.raises(twin.ConvergenceError, match=r"Explodes was simulated to 1\S* s of 2 s.*x = .* kg") as caught:
        twin.simulate(Explodes(), duration=2.0)
    assert not caught.value.status
    assert caught.value.trajectory["x"][10] == pytest.approx(1 / (1 - 0.1), rel=1e-5)
    kept = twin.simulate(Explodes(), duration=2.0, throw=False)
    assert 90 < len(kept) <= 101
    assert kept.message


def test_step_limit_and_missed_event():
    with pytest.raises(twin.ConvergenceError, match=r"The step limit was reached. Raise max_steps"):
        twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, duration=30.0, max_steps=10)
    end = ("volume", "above", 49.0)
    never = twin.Recipe([twin.Phase(inputs={"feed": 3.0}, until=end, at_most=2.0, name="fill")])
    with pytest.raises(twin.ConvergenceError, match=r"Phase 'fill' waited for volume above 49") as caught:
        twin.simulate(Tank(), never)
    assert caught.value.status is twin.Status.EVENT_MISSED


def test_bad_requests():
    with pytest.raises(twin.SpecError, match=r"needs a value for 1 input\(s\): feed in l/h, 0 to 20"):
        twin.simulate(Tank(), duration=1.0)
    with pytest.raises(twin.SpecError, match=r"has no end. Give the duration, as in duration='10 h'"):
        twin.simulate(Penicillin())
    with pytest.raises(twin.SpecError, match=r"Tank.volume is -1 l. Expected 0.1 to 50 l"):
        twin.simulate(Tank(), {"feed": 1.0}, initial={"volume": -1.0}, duration=1.0)
    with pytest.raises(twin.SpecError, match=r"Did you mean 'salt'"):
        twin.simulate(Tank(), {"feed": 1.0}, initial={"sal": 1.0}, duration=1.0)
    with pytest.raises(twin.SpecError, match=r"k is NaN"):
        twin.simulate(Tank(), {"feed": 1.0}, parameters={"k": math.nan}, duration=1.0)
    with pytest.raises(twin.SpecError, match=r"rtol is 0"):
        twin.simulate(Tank(), {"feed": 1.0}, rtol=0.0, duration=1.0)
    with pytest.raises(twin.SpecError, match=r"atol is -1"):
        twin.simulate(Tank(), {"feed": 1.0}, atol=-1.0, duration=1.0)
    beyond = twin.simulate(Tank(), {"feed": 25.0}, duration=0.1, check_limits=False)
    assert beyond.table().loc["feed", "beyond"] == pytest.approx(5.0)


def test_a_steady_model_does_not_move():
    class Still(twin.SteadyModel):
        z = twin.algebraic("-")

        def residual(self, s):
            return {"z": s.z - 1.0}

    with pytest.raises(twin.SpecError, match=r"Still has no states: nothing moves in time. Use twin.steady"):
        twin.simulate(Still(), duration=1.0)


def test_parameters_of_the_model_and_of_the_call_agree():
    model = VanDeVusse.klatt_engell()
    changed = dataclasses.replace(model, u_wall=4200.0)
    a = twin.simulate(changed, duration=0.5)
    b = twin.simulate(model, parameters={"u_wall": 4200.0}, duration=0.5)
    assert np.array_equal(a["t_reactor"], b["t_reactor"])
    assert a.parameters["u_wall"] == 4200.0
    assert a.final["t_reactor"] != twin.simulate(model, duration=0.5).final["t_reactor"]


def test_the_jax_path_agrees_with_the_engine():
    times = np.linspace(0, 3, 7)
    engine = twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, times=times, rtol=1e-9)
    jax = twin.as_jax(ExothermicCstr()).simulate(times=times, inputs={"t_coolant": 305.0}, rtol=1e-9)
    assert jax.x[:, 1] == pytest.approx(engine["temperature"], rel=1e-7)
    tank = twin.simulate(Tank(), {"feed": 2.0}, times=times, rtol=1e-9)
    other = twin.as_jax(Tank()).simulate(times=times, inputs={"feed": 2.0}, rtol=1e-9)
    assert other.z[:, 0] == pytest.approx(tank["outflow"], rel=1e-7)
    assert other.y[:, 0] == pytest.approx(tank["content"], rel=1e-7)


def test_measured_inputs_and_comparison_with_data():
    data = pytest.importorskip("twin.data")
    series = pytest.importorskip("twin.series")
    feed = series.Series("feed", [0.0, 60.0, 120.0], [1.0, 3.0, 3.0], "l/h", hold="previous")
    level = series.Series("volume", [30.0, 90.0], [15000.0, 14000.0], "ml")
    run = data.Run("B1", None, [feed, level], "min")
    made = twin.simulate(Tank(), run, duration=2.0)
    same = twin.simulate(Tank(), {"feed": twin.Profile([0, 1], [1.0, 3.0])}, duration=2.0)
    assert np.array_equal(made["volume"], same["volume"])
    deviation = made.compare(run)["volume"]
    assert deviation.run == "B1"
    assert deviation.bias == pytest.approx(np.mean(made.at([0.5, 1.5])["volume"] - [15.0, 14.0]))


def test_jumps_and_edges_of_models_on_cells():
    from processes.chemical import TubularReactor

    run = twin.simulate(TubularReactor(cells=5), duration=5.0, points=6)
    assert run["temperature"].shape == (6, 5)
    assert run.final["conversion"] > 0
    start = [600.0, 590.0, 580.0, 570.0, 560.0]
    warm = twin.simulate(TubularReactor(cells=5), duration=1.0, points=2, initial={"temperature": start})
    assert warm["temperature"][0] == pytest.approx(start)
    with pytest.raises(twin.SpecError, match=r"temperature has 2 values. Expected 5, one a cell"):
        twin.simulate(TubularReactor(cells=5), duration=1.0, initial={"temperature": [1.0, 2.0]})


def test_result_modules_stay_light():
    code = ("import sys, twin; from twin.simulation import simulate, trajectory, checks;"
            "assert not {'numpy', 'jax', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules), 'heavy'")
    subprocess.run([sys.executable, "-c", code], check=True)
