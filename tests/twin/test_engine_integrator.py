"""Accuracy, events, algebraics and failures of the integrator, in plain Python on small models."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import twin
from twin import Status, errors, jnp
from twin.engine import tableau
from twin.engine.runner import RawRun, Runner
from twin.lowering.system import system_of


class Decay(twin.DynamicModel):
    a = twin.state("-")
    u = twin.input("-")
    twice = twin.output("-")
    k = twin.parameter(1.0, "1/s")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"a": s.u - self.k * s.a}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"twice": 2 * s.a + s.u}


class Timed(twin.DynamicModel):
    a = twin.state("-")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"a": -50.0 * (s.a - jnp.cos(s.time)) - jnp.sin(s.time)}


class Robertson(twin.DynamicModel):
    a = twin.state("-", nominal=1)
    b = twin.state("-", nominal=1e-5)
    c = twin.state("-", nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        slow, fast, back = 0.04 * s.a, 3e7 * s.b**2, 1e4 * s.b * s.c
        return {"a": -slow + back, "b": slow - fast - back, "c": fast}


class Algebraic(twin.DynamicModel):
    x = twin.state("-")
    w = twin.algebraic("-", nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x": -s.w}

    def residual(self, s: Any) -> dict[str, Any]:
        return {"w": s.w**3 + s.w - s.x}


class Root(twin.DynamicModel):
    a = twin.state("-")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"a": -2.0 * jnp.sqrt(s.a)}


class Explosion(twin.DynamicModel):
    a = twin.state("-")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"a": s.a**2}


def run(model: Any, recipe: twin.Recipe, x0: list[float], times: Any, **options: Any) -> RawRun:
    system = system_of(model)
    options.setdefault("execution", "python")
    return Runner(system, recipe, times=list(times), **options).run(x0, system.parameter_vector())


def one(**phase: Any) -> twin.Recipe:
    return twin.Recipe([twin.Phase(**phase)])


def test_tableau_satisfies_order_conditions() -> None:
    """Conditions of order 1 to 5 for bushy trees, in the untransformed coefficients."""
    c_matrix, a_matrix = np.array(tableau.C), np.array(tableau.A)
    inverse = np.eye(8) / tableau.GAMMA - c_matrix
    gamma = np.linalg.inv(inverse)
    alpha = a_matrix @ gamma
    weights = np.append(a_matrix[7, :7], 1.0) @ gamma
    assert np.allclose(alpha.sum(1), tableau.ALPHA, atol=1e-13)
    assert np.allclose(gamma.sum(1), tableau.GAMMA_T, atol=1e-13)
    for power in range(5):
        assert weights @ np.array(tableau.ALPHA) ** power == pytest.approx(1 / (power + 1), abs=2e-13)
    both = alpha + gamma
    assert weights @ both.sum(1) == pytest.approx(1 / 2, abs=1e-13)
    assert weights @ both @ both.sum(1) == pytest.approx(1 / 6, abs=1e-13)
    assert weights @ both @ both @ both.sum(1) == pytest.approx(1 / 24, abs=1e-12)


def test_error_follows_the_tolerance_also_between_steps() -> None:
    times = np.linspace(0.05, 8, 160)
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        raw = run(Decay(), one(inputs={"u": 0.3}), [2.0], times, duration=8.0, rtol=rtol)
        error = np.abs(np.array(raw.part("x"))[:, 0] - (0.3 + 1.7 * np.exp(-times)))
        assert raw.status
        assert error.max() < 3 * rtol


def test_explicit_time_keeps_the_order() -> None:
    times = np.linspace(0.1, 6, 60)
    raw = run(Timed(), one(), [1.0], times, duration=6.0, rtol=1e-8)
    assert np.abs(np.array(raw.part("x"))[:, 0] - np.cos(times)).max() < 1e-8
    assert raw.stats["steps"] < 200


def test_robertson_against_published_values() -> None:
    """Values at t = 40, printed as 0.7158, 9.185e-6, 0.2842 in the documentation of LSODE and CVODE."""
    raw = run(Robertson(), one(), [1.0, 0.0, 0.0], [40.0], duration=40.0, rtol=1e-9)
    a, b, c = raw.rows[-1]
    assert (a, b, c) == (pytest.approx(0.7158270688, abs=1e-8), pytest.approx(9.185534765e-6, rel=1e-7),
                         pytest.approx(0.2841637457, abs=1e-8))
    assert a + b + c == pytest.approx(1, abs=1e-13)


def test_algebraic_starts_consistent_and_stays_so() -> None:
    times = np.linspace(0, 3, 31)
    raw = run(Algebraic(), one(), [10.0], times, duration=3.0, rtol=1e-8)
    x, w = np.array(raw.part("x"))[:, 0], np.array(raw.part("z"))[:, 0]
    assert w[0] == pytest.approx(2.0, abs=1e-14)  # 2^3 + 2 = 10
    assert (np.abs(w**3 + w - x) / (3 * w**2 + 1)).max() < 3e-8 * w.max()
    # dw/dt = -w / (3 w^2 + 1), so that 1.5 w^2 + ln w + t keeps its value.
    kept = 1.5 * w**2 + np.log(w) + times
    assert (np.abs(kept - kept[0]) / (3 * w + 1 / w)).max() < 3e-8 * w.max()


def test_unsolvable_algebraic_is_reported() -> None:
    class Without(twin.DynamicModel):
        x = twin.state("-")
        w = twin.algebraic("-", nominal=1)

        def rhs(self, s: Any) -> dict[str, Any]:
            return {"x": -s.w}

        def residual(self, s: Any) -> dict[str, Any]:
            return {"w": s.w**2 + 1 + s.x**2}

    raw = run(Without(), one(), [1.0], [1.0], duration=1.0)
    assert raw.status is Status.ALGEBRAIC_FAILED
    assert (raw.trouble, raw.end, raw.done) == ("w", 0.0, 0)


@pytest.mark.parametrize(("signal", "level", "when"), [("a", 0.5, math.log(2)), ("twice", 0.2, math.log(10))])
def test_crossing_is_found_where_it_is(signal: str, level: float, when: float) -> None:
    recipe = twin.Recipe([twin.Phase(inputs={"u": 0.0}, until=(signal, "below", level), at_most=50),
                          twin.Phase(inputs={"u": 1.0})])
    raw = run(Decay(), recipe, [1.0], [0.3, 1.0, 3.0], duration=4.0, rtol=1e-10)
    assert raw.events[1][0] == pytest.approx(when, abs=1e-9)
    assert raw.events[1][2] == pytest.approx(math.exp(-when), abs=1e-10)
    late = 1 - (1 - math.exp(-when)) * math.exp(-(3.0 - when))
    assert raw.part("x")[2][0] == pytest.approx(late, abs=1e-9)


def test_short_dip_within_one_step_is_seen() -> None:
    class Wave(twin.DynamicModel):
        angle = twin.state("-")
        height = twin.output("-")

        def rhs(self, s: Any) -> dict[str, Any]:
            return {"angle": jnp.ones_like(s.angle)}

        def outputs(self, s: Any) -> dict[str, Any]:
            return {"height": (s.angle - 50.0) ** 2}

    raw = run(Wave(), one(until=("height", "below", 4.0), at_most=100), [0.0], [], rtol=1e-6, execution="python")
    assert raw.status
    assert raw.end == pytest.approx(48.0, abs=1e-9)


def test_crossing_already_past_ends_the_phase_at_once() -> None:
    recipe = twin.Recipe([twin.Phase(inputs={"u": 0.0}, until=("a", "below", 2.0), at_most=5), twin.Phase(inputs={"u": 1.0})])
    raw = run(Decay(), recipe, [1.5], [0.0, 1.0], duration=1.0)
    assert [event[:2] for event in raw.events] == [[0.0, 0], [0.0, 1]]
    assert raw.part("u") == [[1.0], [1.0]]


def test_missed_crossing_is_a_status() -> None:
    raw = run(Decay(), one(inputs={"u": 0.0}, until=("a", "above", 2.0), at_most=3.0), [1.0], [1.0, 2.0])
    assert raw.status is Status.EVENT_MISSED
    assert (raw.end, raw.done) == (3.0, 2)


def test_step_limit_keeps_what_was_done() -> None:
    raw = run(Timed(), one(), [0.0], [0.01, 100.0], duration=100.0, rtol=1e-9, max_steps=20)
    assert raw.status is Status.STEP_LIMIT
    assert raw.done == 1
    assert 0.01 <= raw.end < 100


def test_not_a_number_is_reported_with_time_and_state() -> None:
    raw = run(Root(), one(), [1.0], [0.5, 2.0], duration=3.0, rtol=1e-8)  # (1 - t)^2, then the root of a negative number
    assert raw.status in (Status.NOT_FINITE, Status.STEP_TOO_SMALL)
    assert raw.trouble == "a"
    assert raw.end == pytest.approx(1.0, abs=1e-3)
    assert raw.part("x")[0][0] == pytest.approx(0.25, abs=1e-7)
    assert run(Root(), one(), [-1.0], [0.5], duration=1.0).status is Status.NOT_FINITE


def test_escape_to_infinity_ends_in_a_status() -> None:
    raw = run(Explosion(), one(), [1.0], [0.5, 2.0], duration=2.0)
    assert not raw.status
    assert raw.end == pytest.approx(1.0, abs=1e-6)
    assert raw.part("x")[0][0] == pytest.approx(2.0, rel=1e-5)


def test_recipe_without_an_end_is_an_error() -> None:
    with pytest.raises(errors.SpecError, match="no end"):
        run(Decay(), one(inputs={"u": 0.0}), [1.0], [1.0])


@pytest.mark.parametrize(("bad", "match"), [
    (lambda: run(Decay(), one(), [1.0], [1.0], duration=1.0), "gives no value for u"),
    (lambda: run(Decay(), one(inputs={"u": 0.0, "v": 1.0}), [1.0], [1.0], duration=1.0), "Unknown input 'v'"),
    (lambda: run(Decay(), one(inputs={"u": math.nan}), [1.0], [1.0], duration=1.0), "value nan"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}, until=("b", "above", 1.0)), [1.0], []), "Unknown signal 'b'"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}), [1.0, 2.0], [1.0], duration=1.0), "x0 has 2 entries. Expected 1"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}), [1.0], [1.0, 1.0], duration=1.0), "Expected increasing times"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}), [1.0], [1.0], duration=1.0, rtol=2.0), "rtol is 2"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}), [1.0], [1.0], duration=1.0, atol=[1.0, 2.0]), "atol has 2 entries"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}), [1.0], [1.0], duration=1.0, execution="fortran"), "'fortran'"),
    (lambda: run(Decay(), one(inputs={"u": 0.0}), [1.0], [1.0], duration=1.0, sensitivities=["q"]), "Unknown parameter 'q'"),
])
def test_wrong_arguments_are_told(bad: Any, match: str) -> None:
    with pytest.raises(errors.SpecError, match=match):
        bad()


def test_output_rows_do_not_change_the_steps() -> None:
    few = run(Robertson(), one(), [1.0, 0.0, 0.0], [1e4], duration=1e4)
    many = run(Robertson(), one(), [1.0, 0.0, 0.0], np.logspace(-3, 4, 100), duration=1e4)
    assert few.stats["steps"] == many.stats["steps"]
    assert few.rows[-1] == many.rows[-1]
    assert all(b > a for a, b in itertools.pairwise(row[2] for row in many.rows))
