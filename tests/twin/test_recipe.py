"""Recipes as data, and what the checks make of them."""

import math

import pytest

import twin
from twin.simulation.checks import Checker, number


class Reactor(twin.DynamicModel):
    time_unit = "h"
    sugar = twin.state("g/l", lower=0, upper=50, nominal=1, per="volume")
    volume = twin.state("l", lower=1, upper=100, nominal=10)
    heat = twin.state("kJ", nominal=1)
    feed = twin.input("l/h", lower=0, upper=2, nominal=0.1)
    t_jacket = twin.input("K", lower=280, upper=350, nominal=300)
    t_room = twin.disturbance("degC", lower=-20, upper=50, nominal=20)
    level = twin.output("m")
    k = twin.parameter(0.1, "1/h", bounds=(0, 1))

    def rhs(self, s):
        return {"sugar": -self.k * s.sugar, "volume": s.feed, "heat": s.t_jacket - 300.0}

    def outputs(self, s):
        return {"level": s.volume / 10.0}


FULL = {"feed": 0.1, "t_jacket": 300.0}
check = Checker(Reactor())


def recipe(*phases, **inputs):
    return check.recipe(twin.Recipe(phases) if phases else None, inputs or None)


def test_profile_checks_its_rows():
    with pytest.raises(twin.SpecError, match=r"row 2 follows 1. Expected increasing"):
        twin.Profile([0, 1, 1], [1, 2, 3])
    with pytest.raises(twin.SpecError, match=r"3 times and 2 values"):
        twin.Profile([0, 1, 2], [1, 2])
    with pytest.raises(twin.SpecError, match=r"row 1 is"):
        twin.Profile([0, 1], [1, math.nan])
    with pytest.raises(twin.SpecError, match=r"hold is 'cubic'"):
        twin.Profile([0], [1], hold="cubic")


def test_pid_checks_its_settings():
    with pytest.raises(twin.SpecError, match=r"sample_time is 0"):
        twin.PID(measured="sugar", setpoint=1.0, gain=1.0, sample_time=0.0)
    with pytest.raises(twin.SpecError, match=r"limits are 2 and 1"):
        twin.PID(measured="sugar", setpoint=1.0, gain=1.0, sample_time=1.0, lower=2, upper=1)


def test_phases_check_their_ends():
    with pytest.raises(twin.SpecError, match=r"has no end"):
        twin.Recipe([twin.Phase(inputs=FULL), twin.Phase()])
    with pytest.raises(twin.SpecError, match=r"'above' or 'below'"):
        twin.Phase(until=("sugar", "under", 1.0))
    with pytest.raises(twin.SpecError, match=r"until is -1"):
        twin.Phase(until=-1)
    with pytest.raises(twin.SpecError, match=r"at_most is 0"):
        twin.Phase(until=("sugar", "below", 1.0), at_most=0)
    with pytest.raises(twin.SpecError, match=r"no phases"):
        twin.Recipe([])


def test_missing_inputs_are_listed_with_units_and_limits():
    with pytest.raises(twin.SpecError, match=r"2 input\(s\): feed in l/h, 0 to 2, for example 0.1; t_jacket in K"):
        recipe()
    with pytest.raises(twin.SpecError, match=r"1 input\(s\): t_jacket"):
        recipe(twin.Phase(inputs={"feed": 0.2}))


def test_inputs_are_written_over_every_phase():
    phases = (twin.Phase(inputs=FULL, until=1.0), twin.Phase(inputs={"feed": 0.5}))
    done = recipe(*phases, feed=1.5)
    assert [p.inputs["feed"] for p in done.phases] == [1.5, 1.5]
    assert done.phases[0].inputs["t_jacket"] == 300.0
    assert "t_jacket" not in done.phases[1].inputs


def test_unknown_names_are_errors():
    with pytest.raises(twin.SpecError, match=r"Unknown input 'fed' of Reactor. Did you mean 'feed'"):
        recipe(twin.Phase(inputs={**FULL, "fed": 1.0}))
    with pytest.raises(twin.SpecError, match=r"Unknown signal 'suger'"):
        recipe(twin.Phase(inputs=FULL, until=("suger", "below", 0.3)))
    pid = twin.PID(measured="oxygen", setpoint=1.0, gain=1.0, sample_time=0.1)
    with pytest.raises(twin.SpecError, match=r"Unknown signal 'oxygen'"):
        recipe(twin.Phase(inputs={**FULL, "feed": pid}))
    with pytest.raises(twin.SpecError, match=r"Unknown state 'level'"):
        recipe(twin.Phase(inputs=FULL, reset=[twin.Assign("level", 1.0)]))


def test_values_outside_the_limits_are_errors_with_value_and_unit():
    with pytest.raises(twin.SpecError, match=r"Reactor.feed is 3 l/h. Expected 0 to 2 l/h"):
        recipe(**{**FULL, "feed": 3.0})
    with pytest.raises(twin.SpecError, match=r"t_jacket is 25 K. Expected 280 to 350 K. 25 degC would be 298.15 K"):
        recipe(**{**FULL, "t_jacket": 25.0})
    with pytest.raises(twin.SpecError, match=r"feed\[row 1\] is 9 l/h"):
        recipe(**{**FULL, "feed": twin.Profile([0, 1], [0.0, 9.0])})
    with pytest.raises(twin.SpecError, match=r"feed in phase 1 'fill' is -1 l/h"):
        recipe(twin.Phase(inputs=FULL, until=1), twin.Phase(inputs={"feed": -1}, name="fill"))
    allowed = Checker(Reactor(), limits=False).recipe(None, {**FULL, "feed": 3.0})
    assert allowed.phases[0].inputs["feed"] == 3.0


def test_nan_and_things_that_are_no_numbers():
    with pytest.raises(twin.SpecError, match=r"feed is NaN l/h"):
        recipe(**{**FULL, "feed": math.nan})
    with pytest.raises(twin.SpecError, match=r"feed is \[1\]. Expected a number in l/h"):
        recipe(**{**FULL, "feed": [1]})
    with pytest.raises(twin.SpecError, match=r"is True"):
        number("x", True, "m")


def test_a_pid_moves_inputs_only():
    pid = twin.PID(measured="level", setpoint=1.0, gain=1.0, sample_time=0.1)
    assert recipe(twin.Phase(inputs={**FULL, "feed": pid})).phases[0].inputs["feed"] is pid
    with pytest.raises(twin.SpecError, match=r"t_room is a disturbance"):
        recipe(twin.Phase(inputs={**FULL, "t_room": pid}))


def test_resets_are_checked():
    resets = [twin.Bolus("volume", 1.0, {"sugar": 30.0}), twin.Harvest("volume", 2.0)]
    done = recipe(twin.Phase(inputs=FULL, reset=resets))
    assert done.phases[0].reset[0].contents == {"sugar": 30.0}
    with pytest.raises(twin.SpecError, match=r"Bolus moves -1 l"):
        recipe(twin.Phase(inputs=FULL, reset=[twin.Bolus("volume", -1.0)]))
    with pytest.raises(twin.SpecError, match=r"fraction 1 of"):
        recipe(twin.Phase(inputs=FULL, reset=[twin.Harvest("volume", fraction=1.0)]))
    with pytest.raises(twin.SpecError, match=r"carries heat in kJ, which is not declared per volume"):
        recipe(twin.Phase(inputs=FULL, reset=[twin.Bolus("volume", 1.0, {"heat": 1.0})]))
    with pytest.raises(twin.SpecError, match=r"in a reset is 60 g/l. Expected 0 to 50"):
        recipe(twin.Phase(inputs=FULL, reset=[twin.Assign("sugar", 60.0)]))


def test_initial_states():
    assert check.initial(None) == [1.0, 10.0, 1.0]
    assert check.initial({"sugar": 5}) == [5.0, 10.0, 1.0]
    assert check.initial([1, 2, 3]) == [1.0, 2.0, 3.0]
    with pytest.raises(twin.SpecError, match=r"volume is -2 l. Expected 1 to 100"):
        check.initial({"volume": -2.0})
    with pytest.raises(twin.SpecError, match=r"volume is -2 l. Expected a positive volume"):
        Checker(Reactor(), limits=False).initial({"volume": -2.0})
    with pytest.raises(twin.SpecError, match=r"sugar is nan"):
        check.initial([math.nan, 1.0, 1.0])
    with pytest.raises(twin.SpecError, match=r"initial has 2 values. Expected 3"):
        check.initial([1.0, 1.0])


def test_parameters():
    assert check.parameters({"k": 0.5}) == [0.5]
    assert check.parameters([0.25]) == [0.25]
    with pytest.raises(twin.SpecError, match=r"Reactor.k is 2 1/h. Expected 0 to 1 1/h"):
        check.parameters({"k": 2.0})
    with pytest.raises(twin.SpecError, match=r"Unknown parameter 'kk'"):
        check.parameters({"kk": 2.0})
    with pytest.raises(twin.SpecError, match=r"Reactor.k is NaN 1/h"):
        check.parameters([math.nan])


def test_output_times():
    open_end = recipe(**FULL)
    assert check.span(open_end, 2.0, None, 5, None) == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert check.span(open_end, 1.0, None, 5, 0.4) == pytest.approx([0, 0.4, 0.8, 1.0])
    assert check.span(open_end, None, [0, 3], 5, None) == [0.0, 3.0]
    closed = recipe(twin.Phase(inputs=FULL, until=1.0), twin.Phase(until=("sugar", "below", 0.3), at_most=3.0))
    assert check.span(closed, None, None, 3, None) == [0.0, 2.0, 4.0]
    with pytest.raises(twin.SpecError, match=r"has no end. Give the duration"):
        check.span(open_end, None, None, 5, None)
    with pytest.raises(twin.SpecError, match=r"times\[2\] is 1 h after 2"):
        check.span(open_end, None, [0, 2, 1], 5, None)
    with pytest.raises(twin.SpecError, match=r"duration is -3 h"):
        check.span(open_end, -3.0, None, 5, None)
    with pytest.raises(twin.SpecError, match=r"times is empty"):
        check.span(open_end, None, [], 5, None)
    with pytest.raises(twin.SpecError, match=r"points is 1"):
        check.span(open_end, 1.0, None, 1, None)


def test_what_is_no_recipe():
    with pytest.raises(twin.SpecError, match=r"recipe is a int. Expected a Recipe"):
        check.recipe(3, None)
