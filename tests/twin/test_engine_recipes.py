"""Phases, profiles, controllers and resets: inputs over time, conservation, rows at boundaries, sensitivities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import twin
from twin import PID, Assign, Bolus, Harvest, Phase, Profile, Recipe, errors
from twin.engine.runner import RawRun, Runner
from twin.lowering.system import system_of


class Tank(twin.DynamicModel):
    volume = twin.state("l", nominal=10)
    salt = twin.state("g/l", per="volume", nominal=1)
    sugar = twin.state("g/l", per="volume", nominal=1)
    warmth = twin.state("K", nominal=300)
    feed = twin.input("l/h")
    duty = twin.input("K/h")
    weather = twin.disturbance("K", nominal=290)
    mass = twin.output("g")
    strength = twin.parameter(2.0, "g/l")

    def rhs(self, s: Any) -> dict[str, Any]:
        d = s.feed / s.volume
        return {"volume": s.feed, "salt": d * (self.strength - s.salt), "sugar": -d * s.sugar,
                "warmth": s.duty + 0.1 * (s.weather - s.warmth)}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"mass": s.salt * s.volume}


class Reactor(twin.DynamicModel):
    volume = twin.state("l")
    c = twin.state("g/l", per="volume")
    e = twin.state("g/l", per="volume")
    w = twin.algebraic("-")
    feed = twin.input("l/h")
    speed = twin.output("-")
    k = twin.parameter(0.5, "-")
    a = twin.parameter(1.3, "-")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"volume": s.feed, "c": -self.k * s.c * s.w - s.feed / s.volume * s.c,
                "e": self.k * s.c * s.w - s.feed / s.volume * s.e}

    def residual(self, s: Any) -> dict[str, Any]:
        return {"w": s.w + self.a * s.w**3 - s.c - 0.1 * s.feed}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"speed": s.c * s.w + self.k}


REACTOR_RECIPE = Recipe([
    Phase(inputs={"feed": Profile((0.0, 1.0, 2.0), (0.0, 0.3, 0.1), "linear")}, until=("speed", "below", 1.2), at_most=50),
    Phase(inputs={"feed": Profile((0.0, 0.5), (0.2, 0.4))}, reset=[Bolus("volume", 0.5, {"c": 3.0})],
          until=("w", "below", 0.7), at_most=40),
    Phase(inputs={"feed": Profile((0.0, 1.0), (0.1, 0.2), "linear")}, reset=[Harvest("volume", fraction=0.3)], until=1.0),
    Phase(inputs={"feed": 0.05}, reset=[Assign("e", 0.2), Harvest("volume", 0.1)])])
START = [10.0, 1.0, 4.0, 300.0]


def run(phases: list[Phase], times: Any, x0: list[float] = START, **options: Any) -> RawRun:
    options.setdefault("execution", "python")
    return Runner(system_of(Tank()), Recipe(phases), times=list(times), rtol=1e-9, **options).run(x0, [2.0])


def column(raw: RawRun, part: str, k: int) -> np.ndarray:
    return np.array(raw.part(part))[:, k]


def test_linear_and_stepped_profiles_are_integrated_exactly() -> None:
    inputs = {"feed": Profile((1.0, 2.0, 4.0), (1.0, 3.0, 2.0), "linear"), "duty": Profile((0.0, 2.5, 3.0), (5.0, -5.0, 0.0))}
    times = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0])
    raw = run([Phase(inputs=inputs)], times, duration=5.0)
    feed = np.interp(times, [1.0, 2.0, 4.0], [1.0, 3.0, 2.0])
    added = [np.trapezoid(np.interp(g, [1.0, 2.0, 4.0], [1.0, 3.0, 2.0]), g)
             for g in (np.unique([0.0, *np.arange(0, 4.01, 0.5)[np.arange(0, 4.01, 0.5) <= t], t]) for t in times)]
    assert np.allclose(column(raw, "u", 0), feed, atol=1e-12)
    assert np.allclose(column(raw, "x", 0), 10 + np.array(added), atol=1e-9)
    # At a step the row holds the value that follows.
    assert column(raw, "u", 1).tolist() == [5.0, 5.0, 5.0, 5.0, 5.0, -5.0, 0.0, 0.0, 0.0]
    # Salt follows from the volumes alone: what was there and what came in.
    assert np.allclose(column(raw, "x", 1) * column(raw, "x", 0), 10 + 2.0 * np.array(added), rtol=1e-9)


def test_inputs_not_named_keep_what_they_had() -> None:
    phases = [Phase(inputs={"feed": Profile((0.0, 4.0), (0.0, 4.0), "linear"), "duty": 1.0, "weather": 280.0}, until=2.0),
              Phase(inputs={"duty": 2.0}, until=1.0), Phase()]
    raw = run(phases, [1.9999, 2.0, 2.9, 3.5], duration=4.0)
    assert column(raw, "u", 0) == pytest.approx([1.9999, 2.0, 2.0, 2.0])
    assert column(raw, "u", 1).tolist() == [1.0, 2.0, 2.0, 2.0]
    assert column(raw, "d", 0).tolist() == [280.0] * 4


def test_disturbance_without_a_value_is_nominal() -> None:
    raw = run([Phase(inputs={"feed": 0.0, "duty": 0.0})], [1.0], duration=1.0)
    assert raw.part("d") == [[290.0]]
    assert raw.part("x")[0][3] == pytest.approx(290 + 10 * math.exp(-0.1), rel=1e-9)


def test_rows_at_a_boundary_belong_to_the_later_phase() -> None:
    still = {"feed": 0.0, "duty": 0.0}
    raw = run([Phase(inputs=still, until=1.0), Phase(reset=[Assign("salt", 7.0)])], [0.0, 1.0, 2.0], duration=2.0)
    assert column(raw, "x", 1).tolist() == [1.0, 7.0, 7.0]
    first = run([Phase(inputs=still, reset=[Assign("salt", 7.0)])], [0.0], duration=2.0)
    assert first.part("x")[0][1] == 7.0
    assert first.events[0][2:6] == START
    assert first.events[0][7] == 7.0


def test_resets_conserve_what_they_do_not_add() -> None:
    resets = [Bolus("volume", 2.5, {"salt": 8.0}), Harvest("volume", 1.5), Harvest("volume", fraction=0.25)]
    raw = run([Phase(inputs={"feed": 0.0, "duty": 0.0}, until=1.0), Phase(reset=resets)], [0.5, 1.0], duration=2.0)
    event = raw.events[1]
    before, after = event[2:6], event[6:]
    filled = 10.0 + 2.5
    salt, sugar = (1.0 * 10 + 8.0 * 2.5) / filled, 4.0 * 10 / filled
    assert after[:3] == [pytest.approx((filled - 1.5) * 0.75, rel=1e-15), pytest.approx(salt, rel=1e-15),
                         pytest.approx(sugar, rel=1e-15)]
    assert after[3] == before[3]
    assert raw.rows[1][:3] == after[:3]


def test_phase_ends_by_duration_after_a_crossing() -> None:
    phases = [Phase(inputs={"feed": 1.0, "duty": 0.0}, until=("volume", "above", 10.7), at_most=5), Phase(until=0.5),
              Phase(inputs={"feed": -1.0}, until=0.25)]
    raw = run(phases, [0.1, 0.7, 1.3], duration=None)
    assert [e[0] for e in raw.events] == [0.0, pytest.approx(0.7, abs=1e-12), pytest.approx(1.2, abs=1e-12)]
    assert raw.end == pytest.approx(1.45, abs=1e-12)
    assert raw.part("x")[2][0] == pytest.approx(11.1, abs=1e-9)


def by_hand(pid: PID, hours: float, warmth: float) -> tuple[list[float], list[float]]:
    """The sampled loop on the warmth alone, with its exact solution between samples."""
    moves, states, integral, last = [], [], 0.0, warmth
    for n in range(round(hours / pid.sample_time)):
        error = float(pid.setpoint) - warmth  # type: ignore[arg-type]
        slope = (warmth - last) / pid.sample_time if n else 0.0
        free = pid.bias + pid.gain * (error + integral / pid.integral_time - pid.derivative_time * slope)
        value = min(max(free, pid.lower), pid.upper)
        if value == free or (free - value) * pid.gain * error < 0:
            integral += error * pid.sample_time
        last = warmth
        moves.append(value)
        states.append(warmth)
        rest = 290.0 + 10 * value
        warmth = rest + (warmth - rest) * math.exp(-0.1 * pid.sample_time)
    return moves, states


@pytest.mark.parametrize("pid", [
    PID(measured="warmth", setpoint=330.0, gain=0.4, integral_time=3.0, sample_time=0.25, lower=0.0, upper=8.0),
    PID(measured="warmth", setpoint=320.0, gain=0.2, derivative_time=0.3, bias=1.0, sample_time=0.5)])
def test_sampled_controller_equals_the_same_by_hand(pid: PID) -> None:
    n = round(20 / pid.sample_time)
    times = [k * pid.sample_time for k in range(n)]
    raw = run([Phase(inputs={"feed": 0.0, "duty": pid})], times, duration=20.0)
    moves, states = by_hand(pid, 20.0, 300.0)
    assert column(raw, "u", 1) == pytest.approx(moves, rel=1e-7, abs=1e-7)
    assert column(raw, "x", 3) == pytest.approx(states, rel=1e-9)
    if math.isfinite(pid.upper):
        assert moves[0] == pid.upper
        assert states[-1] == pytest.approx(330, abs=0.5)


def test_controller_goes_on_over_phases_that_do_not_name_its_input() -> None:
    pid = PID(measured="warmth", setpoint=330.0, gain=0.4, integral_time=3.0, sample_time=0.3)
    whole = run([Phase(inputs={"feed": 0.0, "duty": pid})], [4.0, 9.0], duration=10.0)
    parts = run([Phase(inputs={"feed": 0.0, "duty": pid}, until=2.0), Phase(inputs={"feed": 0.0})], [4.0, 9.0], duration=10.0)
    assert parts.part("u") == [[0.0, pytest.approx(row[1], rel=1e-8)] for row in whole.part("u")]
    fixed = run([Phase(inputs={"feed": 0.0, "duty": pid}, until=2.0), Phase(inputs={"duty": 1.0})], [4.0], duration=10.0)
    assert fixed.part("u") == [[0.0, 1.0]]


def test_controller_follows_a_set_point_profile() -> None:
    pid = PID(measured="warmth", setpoint=Profile((0.0, 2.0), (300.0, 310.0), "linear"), gain=1.0, sample_time=1.0)
    raw = run([Phase(inputs={"feed": 0.0, "duty": pid})], [0.0, 1.0, 2.0, 3.0], duration=4.0)
    expected = [point - x for point, x in zip((300.0, 305.0, 310.0, 310.0), column(raw, "x", 3), strict=True)]
    assert column(raw, "u", 1) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("phase", "match"), [
    (Phase(inputs={"feed": 0.0, "duty": 0.0}, reset=[Bolus("volume", 1.0, {"warmth": 3.0})]),
     "declare per='volume': salt, sugar"),
    (Phase(inputs={"feed": 0.0, "duty": 0.0}, reset=[Assign("pepper", 1.0)]), "Unknown state 'pepper'"),
    (Phase(inputs={"feed": 0.0, "duty": 0.0, "weather": PID(measured="salt", setpoint=1.0, gain=1.0, sample_time=1.0)}),
     "disturbance 'weather' a PID"),
    (Phase(inputs={"feed": 0.0, "duty": PID(measured="pepper", setpoint=1.0, gain=1.0, sample_time=1.0)}), "'pepper'"),
])
def test_wrong_recipes_are_told(phase: Phase, match: str) -> None:
    with pytest.raises(errors.SpecError, match=match):
        run([phase], [1.0], duration=1.0)


@pytest.mark.parametrize("name", ["k", "a", "initial.c", "initial.volume"])
def test_sensitivities_against_differences(name: str) -> None:
    """Through algebraics, moving inputs, two crossings and all resets; central differences of tight runs."""
    system = system_of(Reactor())
    times = list(np.linspace(0.1, 9.9, 25))
    x0, p = [1.0, 2.0, 0.1], system.parameter_vector()
    raw = Runner(system, REACTOR_RECIPE, times=times, duration=10.0, rtol=1e-8, sensitivities=[name],
                 execution="python").run(x0, p)
    plain = Runner(system, REACTOR_RECIPE, times=times, duration=10.0, rtol=1e-11, execution="python")
    assert len(raw.events) == 4
    found, part = [], 2e-4
    for side in (1, -1):
        x, q = list(x0), list(p)
        where, at = (x, ["volume", "c", "e"].index(name[8:])) if name.startswith("initial.") else (q, ["k", "a"].index(name))
        where[at] *= 1 + side * part
        found.append(np.hstack([plain.run(x, q).part("x"), plain.run(x, q).part("z")]))
        width = where[at] / (1 + side * part) * part
    difference = (found[0] - found[1]) / (2 * width)
    scale = np.abs(difference).max(0) + 1e-9
    assert (np.abs(np.array(raw.tangents) - difference) / scale).max() < 2e-5


def test_sensitivities_of_a_linear_model_are_exact() -> None:
    """Salt with constant feed: c = s + (c0 - s) v0 / v, so that dc/ds = 1 - v0 / v and dc/dc0 = v0 / v."""
    times = np.linspace(0.0, 8.0, 17)
    raw = run([Phase(inputs={"feed": 1.0, "duty": 0.0})], times, duration=8.0, sensitivities=["strength", "initial.salt"])
    share = 10 / (10 + times)
    tangents = np.array(raw.tangents).reshape(len(times), 2, 4)
    assert np.abs(tangents[:, 0, 1] - (1 - share)).max() < 1e-8
    assert np.abs(tangents[:, 1, 1] - share).max() < 1e-8
    assert np.abs(tangents[:, :, (0, 2, 3)]).max() == 0.0


def test_sensitivities_under_a_controller_are_refused() -> None:
    pid = PID(measured="warmth", setpoint=330.0, gain=0.4, sample_time=0.3)
    with pytest.raises(errors.SpecError, match="under a PID"):
        run([Phase(inputs={"feed": 0.0, "duty": pid})], [1.0], duration=2.0, sensitivities=["strength"])
