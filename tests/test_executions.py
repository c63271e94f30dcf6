"""Uncompiled Python, C and numba give the same steps and the same numbers, on every shipped model and every kind of recipe."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import TubularReactor
from twin.engine import executions, store

POINTS = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["entry-points"]
SHIPPED = POINTS["twinworks.models"]
# Where a recipe of its own, another size or a length is needed; a model that is not listed is run for ten time units.
DURATION = {"penicillin": 400.0, "bajpai_reuss": 132.0, "van_de_vusse": 0.5, "exothermic_cstr": 4.0, "tubular_reactor": 5.0,
            "williams_otto": 3000.0, "reflow_oven": 300.0, "oxidation": 400.0}
NEEDS = {"oxidation": {"temperature": 1000.0}, "clinker_parcel": {"t_bed": 1600.0}}  # inputs without a usual value
STEADY = ("williams_otto_two_reactions",)  # no states: nothing to integrate

# Seconds of compiling for each model: every execution of every shipped model is compared, these few with every change.
SLOW = set(SHIPPED) - {"penicillin", "bajpai_reuss", "van_de_vusse", "exothermic_cstr", "tubular_reactor"}


class Tank(twin.DynamicModel):
    """Salt in a tank that is filled, heated and drawn off through an algebraic flow."""

    time_unit = "h"
    salt = twin.state("g/l", lower=0, upper=100, nominal=10, per="volume")
    volume = twin.state("l", lower=0.1, upper=50, nominal=10)
    warmth = twin.state("K", lower=250, upper=400, nominal=300)
    outflow = twin.algebraic("l/h", lower=0, upper=20, nominal=3)
    feed = twin.input("l/h", lower=0, upper=20, nominal=1)
    heating = twin.input("K/h", lower=0, upper=60, nominal=10)
    t_room = twin.disturbance("K", lower=250, upper=330, nominal=293)
    content = twin.output("g")
    k = twin.parameter(1.0, "l**0.5/h", bounds=(0, 10))

    @twin.term("l/h", lower=0, upper=20, vanishes_with=("volume",))
    def leak(self, volume: Any, warmth: Any) -> Any:
        """Loss that grows with level and warmth."""
        return 0.05 * volume ** 1.5 / (10 + volume) * twin.jnp.exp(0.01 * (warmth - 293))

    def rhs(self, s: Any) -> Any:
        wave = 0.1 * twin.jnp.sin(s.time)
        return {"salt": -s.feed / s.volume * s.salt, "volume": s.feed + wave - s.outflow - self.leak(s.volume, s.warmth),
                "warmth": s.heating - 0.8 * (s.warmth - s.t_room)}

    def residual(self, s: Any) -> Any:
        return {"outflow": s.outflow**2 + 0.01 * s.outflow - self.k**2 * s.volume}

    def outputs(self, s: Any) -> Any:
        return {"content": s.salt * s.volume}

    def initial(self) -> Any:
        return {"salt": 20.0, "volume": 16.0, "warmth": 290.0}


class Bed(twin.DynamicModel):
    """Cells with an algebraic variable each, and a border: a recycle vessel and a pressure drop over the whole bed."""

    cells = twin.static(6)
    c = twin.state("mol/l", shape=("cells",), lower=0, upper=5)
    surface = twin.algebraic("mol/l", shape=("cells",), lower=0, upper=5)
    recycle = twin.state("mol/l", lower=0, upper=5)
    drop = twin.algebraic("bar", lower=0, upper=5)
    feed = twin.input("mol/l", lower=0, upper=5)
    last = twin.output("mol/l")
    k = twin.parameter(2.0, "1/s")

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Any:
        flow = 1 / (1 + s.drop)
        return {"c": 6 * flow * (left.c - own.c) + 0.1 * (left.c - 2 * own.c + right.c) - (own.c - own.surface),
                "surface": own.c - own.surface - self.k * own.surface**2}

    def ends(self, first: Any, last: Any, s: Any) -> Any:
        return {"c": 0.6 * s.feed + 0.4 * s.recycle}, {"c": last.c}

    def rhs(self, s: Any) -> Any:
        return {"recycle": s.c[-1] - s.recycle}

    def residual(self, s: Any) -> Any:
        return {"drop": s.drop - 0.2 * twin.jnp.exp(0.1 * s.drop) - 0.05 * twin.jnp.sum(s.c)}

    def outputs(self, s: Any) -> Any:
        return {"last": s.c[-1] * s.drop}

    def initial(self) -> Any:
        return {"c": 0.2, "recycle": 0.1}


@dataclasses.dataclass
class Case:
    """One simulation, to be done in every execution."""

    model: Callable[[], Any]  # made once a session, since each object is traced anew
    recipe: twin.Recipe | None = None
    duration: float = 10.0
    sensitivities: tuple[str, ...] = ()


def shipped(name: str) -> Callable[[], Any]:
    """A registered model, small where it has cells."""
    module, _, attribute = SHIPPED[name].partition(":")

    @functools.cache
    def make() -> Any:
        cls = getattr(importlib.import_module(module), attribute)
        return cls(cells=6) if cls is TubularReactor else cls.example()

    return make


def phases(*given: twin.Phase) -> twin.Recipe:
    return twin.Recipe(given)


def corrected(model: Any) -> Callable[[], Any]:
    """A random network in every term, in another mode each."""
    @functools.cache
    def make() -> Any:
        fixes = {}
        for k, (name, term) in enumerate(model.terms().items()):
            net = twin.Mlp.random(inputs=term.arguments, hidden=(3,), scales=[100.0] * len(term.arguments), seed=k, size=0.5)
            fixes[name] = (twin.Multiply(net), twin.Add(net, 0.01), twin.Replace(net, 0.01))[k % 3]
        return model.with_learned(fixes)

    return make


tank, bed = functools.cache(Tank), functools.cache(Bed)
BASE = {"feed": 2.0, "heating": 5.0}
STAIRS = {"feed": twin.Profile([0, 1.25, 2.5], [1.0, 6.0, 0.5]), "t_room": twin.Profile([0, 3], [280.0, 300.0])}
SLOPES = {"feed": twin.Profile([0, 1, 4], [0.0, 8.0, 2.0], hold="linear"), "t_room": twin.Profile([1, 3], [280, 300], "linear")}
LOOP = {"heating": twin.PID(measured="warmth", setpoint=twin.Profile([0, 3], [310.0, 320.0]), gain=3.0, sample_time=0.1,
                            integral_time=0.8, derivative_time=0.05, bias=10.0, lower=0.0, upper=60.0),
        "feed": twin.PID(measured="outflow", setpoint=3.5, gain=2.0, sample_time=0.25, integral_time=1.5, bias=2.0, lower=0.0,
                         upper=20.0)}
RESETS = [twin.Bolus("volume", 2.0, {"salt": 50.0}), twin.Harvest("volume", fraction=0.4), twin.Harvest("volume", amount=1.0),
          twin.Assign("warmth", 320.0)]
CASES = {
    **{name: Case(shipped(name), twin.Recipe.constant(**NEEDS[name]) if name in NEEDS else None,
                 DURATION.get(name, 10.0)) for name in SHIPPED if name not in STEADY},
    "crossing of a state": Case(tank, phases(twin.Phase(inputs=BASE, until=("volume", "below", 12.0), at_most=50),
                                           twin.Phase(inputs={"feed": 9.0}, until=("volume", "above", 20.0), at_most=50),
                                           twin.Phase(inputs={"feed": 1.0}))),
    "crossing of an algebraic": Case(tank, phases(twin.Phase(inputs=BASE, until=("outflow", "below", 3.5)), twin.Phase())),
    "crossing of an output": Case(tank, phases(twin.Phase(inputs=BASE, until=("content", "below", 200.0)), twin.Phase())),
    "staircase": Case(tank, phases(twin.Phase(inputs=BASE | STAIRS))),
    "linear profiles": Case(tank, phases(twin.Phase(inputs=BASE | SLOPES))),
    "two PID loops": Case(tank, phases(twin.Phase(inputs=LOOP))),
    "bolus, harvest, assign": Case(tank, phases(twin.Phase(inputs=BASE, until=2.0),
                                              twin.Phase(reset=RESETS, until=("warmth", "below", 305.0), at_most=8.0),
                                              twin.Phase(inputs=BASE | SLOPES, reset=RESETS))),
    "learned terms": Case(corrected(Tank()), phases(twin.Phase(inputs=BASE))),
    "learned penicillin": Case(corrected(Penicillin()), None, 60.0),
    "sensitivities": Case(tank, phases(twin.Phase(inputs=BASE, until=2.0),
                                       twin.Phase(inputs=SLOPES, reset=RESETS)), 6.0, ("k", "initial.volume")),
    "cells with a border": Case(bed, phases(twin.Phase(inputs={"feed": twin.Profile([0, 1], [1.0, 3.0])},
                                                     until=("last", "above", 0.1)),
                                          twin.Phase(inputs={"feed": twin.Profile([0, 2], [3.0, 1.0], "linear")})), 5.0),
    "a run that fails": Case(tank, phases(twin.Phase(inputs=BASE, until=("volume", "above", 49.0), at_most=6.0), twin.Phase())),
}


@functools.cache
def run(name: str, execution: str) -> Any:
    case = CASES[name]
    simulator = twin.simulator(case.model(), case.recipe, duration=case.duration, points=21, check_limits=False,
                               execution=execution, sensitivities=case.sensitivities)
    raw = simulator.runner.run(*simulator.start())
    assert executions.obtain(simulator.runner).name == execution
    return raw


@pytest.mark.parametrize("execution", ["c", "numba"])
@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in CASES])
def test_compiled_and_plain_python_take_the_same_steps(name: str, execution: str) -> None:
    """Counts, rows, events, ends and sensitivities are equal to the last bit."""
    if execution == "c" and store.compiler() is None:
        pytest.skip("no C compiler here")
    plain, other = run(name, "python"), run(name, execution)
    assert plain.stats == other.stats
    assert plain.stats["steps"] > 5
    assert plain.status is other.status
    assert (plain.status is twin.Status.SUCCESS) == (name != "a run that fails")
    assert plain.trouble == other.trouble
    parts = {"rows": (plain.rows, other.rows), "events": (plain.events, other.events),
             "end": ([plain.end, *plain.x_end, *plain.z_end], [other.end, *other.x_end, *other.z_end])}
    if plain.tangents is not None:
        parts["tangents"] = (plain.tangents, other.tangents)
    for part, pair in parts.items():
        a, b = map(np.asarray, pair)
        assert a.shape == b.shape
        assert a.size
        assert np.isfinite(a).all()
        assert np.array_equal(a, b), f"{part} differ by {np.max(np.abs(a - b) / (np.abs(a) + 1e-300)):.1e}"


@pytest.mark.parametrize("execution", ["python", "c", "numba"])
def test_members_that_end_before_their_first_output_time(execution: str) -> None:
    """They keep their status and have no rows."""
    if execution == "c" and store.compiler() is None:
        pytest.skip("no C compiler here")
    many = twin.simulate_many(tank(), phases(twin.Phase(inputs=BASE)), parameters={"k": [1.0, 1.1]}, times=[5.0, 6.0],
                              max_steps=3, execution=execution)
    assert many.statuses == (twin.Status.STEP_LIMIT,) * 2
    assert np.isnan(many["volume"]).all()
