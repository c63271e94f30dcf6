"""The adapter with a stand-in for a simulator: names, checks, data, cost, and a twin driven by it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import twin
from processes.chemical import TennesseeEastman

BASE = [.25052, 3664.0, 4509.3, 9.3477, 26.902, 42.339, 2705.0, 75.0, 120.40, .33712, 80.109, 50.0, 2633.7, 25.160, 50.0, 3102.2,
        22.949, 65.731, 230.31, 341.43, 94.599, 77.297, 32.188, 8.8933, 26.383, 6.8820, 18.776, 1.6567, 32.958, 13.823, 23.978,
        1.2565, 18.579, 2.2633, 4.8436, 2.2986, 0.01787, 0.83570, 0.09858, 53.724, 43.828]


class ToyPlant:
    """The base case, whose reactor temperature follows the reactor cooling water with a lag of half an hour."""

    def __init__(self, warmer: float = 0.0) -> None:
        self.temperature, self.warmer = 120.4, warmer

    def __call__(self, xmv: Sequence[float]) -> list[float]:
        target = 120.4 - 0.5 * (xmv[9] - 41.106) + self.warmer
        self.temperature = target + (self.temperature - target) * math.exp(-0.05 / 0.5)
        return [*BASE[:8], self.temperature, *BASE[9:]]


def test_base_case_cost() -> None:
    """Downs and Vogel's base case: 114.706 + 30.272 + 18.301 + 7.324 = 170.603 $/h (published 170.6).

    The measurements are given to five digits: 0.02 $/h.
    """
    cost = TennesseeEastman.cost(dict(zip(TennesseeEastman.measurements(), BASE, strict=True)))
    for name, value in {"purge": 114.706, "product": 30.272, "compressor": 18.301, "steam": 7.324, "total": 170.603}.items():
        assert cost[name] == pytest.approx(value, abs=0.02), name


def test_signals_have_units_and_names_in_order() -> None:
    from processes.chemical.tennessee_eastman import XMEAS, XMV
    from twin import units

    assert (len(XMEAS), len(XMV)) == (41, 12)
    assert len({n for n, _, _ in (*XMEAS, *XMV)}) == 53
    for name, unit, _ in (*XMEAS, *XMV):
        units.check(unit, name)
    assert TennesseeEastman.measurements()[8] == "reactor_temperature"
    assert TennesseeEastman.measurements()[29] == "purge_b"
    assert TennesseeEastman.measurements()[40] == "product_h"
    assert TennesseeEastman.valves()[9] == "v_reactor_water"


def test_steps_and_recorded_data() -> None:
    """A control law sees the last measurements; the run holds what was measured and how the valves stood."""
    plant = TennesseeEastman(ToyPlant(), sample_time="3 min")
    plant.run("30 min")

    def law(t: float, last: Mapping[str, float]) -> dict[str, float]:
        return {"v_reactor_water": 45.0 if last["reactor_temperature"] > 119 else 41.0}

    run = plant.run("1 h", law, name="closed")
    assert run.name == "closed"
    assert len(run["reactor_temperature"]) == 20
    assert run["reactor_temperature"].times[0] == pytest.approx(0.05)
    assert run["v_reactor_water"].values[0] == 45.0
    assert run["v_reactor_water"].times[0] == pytest.approx(0.0)
    assert len(plant.recorded()["purge_flow"]) == 30
    assert run["reactor_temperature"].unit == "degC"


def test_a_twin_is_driven_by_the_plant() -> None:
    """A one-state twin of the reactor, driven by the recorded valve, follows the recorded temperature within 0.02 K."""
    class Reactor(twin.DynamicModel):
        """Reactor temperature by cooling water."""

        time_unit = "h"
        reactor_temperature = twin.state("degC", lower=0, upper=175, nominal=120, doc="reactor")
        v_reactor_water = twin.input("%", lower=0, upper=100, nominal=41, doc="cooling water")

        def rhs(self, s: Any) -> Any:
            return {"reactor_temperature": (120.4 - 0.5 * (s.v_reactor_water - 41.106) - s.reactor_temperature) / 0.5}

        def initial(self) -> Any:
            return {"reactor_temperature": 120.4}

    plant = TennesseeEastman(ToyPlant(), sample_time=0.05)
    run = plant.run("2 h", lambda t, last: {"v_reactor_water": 41.106 + 5 * math.sin(3 * t)})
    simulated = twin.simulate(Reactor(), run, duration="2 h", rtol=1e-8)
    assert simulated.compare(run)["reactor_temperature"].rmse < 0.02


def test_wrong_use_is_told() -> None:
    plant = TennesseeEastman(ToyPlant(), sample_time="3 min")
    with pytest.raises(twin.SpecError, match=r"Unknown valve 'v_purg'.*Did you mean 'v_purge'"):
        plant.step({"v_purg": 40.0})
    with pytest.raises(twin.SpecError, match=r"v_purge is 120 %\. Expected 0 to 100 %"):
        plant.step({"v_purge": 120.0})
    with pytest.raises(twin.SpecError, match=r"XMEAS has 3 values\. Expected 41"):
        TennesseeEastman(lambda xmv: [1.0, 2.0, 3.0], sample_time=0.05).step()
    with pytest.raises(twin.SpecError, match=r"XMEAS\(2\) is nan"):
        TennesseeEastman(lambda xmv: [1.0, math.nan, *BASE[2:]], sample_time=0.05).step()
    with pytest.raises(twin.SpecError, match="positive time"):
        TennesseeEastman(ToyPlant(), sample_time=0.0)
    with pytest.raises(twin.SpecError, match="at least one sample"):
        plant.run("1 min")


def test_shutdown_and_the_end_of_a_recording_are_told() -> None:
    hot = TennesseeEastman(ToyPlant(warmer=80.0), sample_time=0.05)
    with pytest.raises(twin.ConvergenceError, match=r"shut down at .* h: reactor_temperature is .* degC.*Act earlier"):
        hot.run("5 h")
    assert len(hot.recorded()["reactor_temperature"]) > 5
    replay = TennesseeEastman(iter([BASE, BASE]), sample_time=0.05)
    assert replay.step()["reactor_level"] == 75.0
    replay.step()
    with pytest.raises(twin.ConvergenceError, match=r"recording .* ended at 0\.1 h"):
        replay.step()
