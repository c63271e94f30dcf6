"""State-task networks: published optima in discrete and continuous time, replayed batch by batch."""

from __future__ import annotations

import dataclasses

import pytest

import optimizers
import twin
from benchmarks.problems import kondili
from optimizers.schedule import Fit, Material, Network, Process, Unit, Utility, Window
from optimizers.schedule.network_solving import replay
from twin.status import Status


@pytest.mark.parametrize("feed", [200.0, 500.0])
def test_kondili_ten_hours(feed: float) -> None:
    """Kondili, Pantelides and Sargent 1993 as published with the STN-Scheduler: 2744.375."""
    found = optimizers.solve(kondili.fixed_times(10, feed=feed))
    assert found.status is Status.SUCCESS
    assert found.objective == pytest.approx(2744.375, abs=1e-6)
    assert found.bound == pytest.approx(2744.375, abs=1e-6)
    assert not found.violated


@pytest.mark.slow
@pytest.mark.parametrize(("horizon", "value"), [(20, 6611.375), (40, 9159.2593)])
def test_kondili_long_horizons(horizon: int, value: float) -> None:
    """The plain formulation needs 10,050 nodes at 20 h."""
    assert optimizers.solve(kondili.fixed_times(horizon)).objective == pytest.approx(value, abs=1e-3)


@pytest.mark.slow
def test_plain_formulation_agrees() -> None:
    """The redundant totals cut off nothing."""
    assert optimizers.solve(kondili.fixed_times(20, plain=True)).objective == pytest.approx(6611.375, abs=1e-6)


@pytest.mark.parametrize("points", [4, 5])
def test_unit_specific_events(points: int) -> None:
    """Ierapetritou and Floudas 1998, example 2, 8 h: 1498.57."""
    found = optimizers.solve(kondili.variable_times(8, points))
    assert found.objective == pytest.approx(1498.569, abs=1e-3)
    assert not found.violated


def test_event_points_are_found() -> None:
    """Example 1: 71.518; more points than four bring nothing."""
    found = optimizers.solve(kondili.three_in_a_row("auto"))
    assert found.objective == pytest.approx(71.518, abs=1e-3)
    assert found.stats["points"] == 4


def small(**changes: object) -> Network:
    """Grinding under a power limit and prices."""
    mill = Process("grind", {"clinker": 1.0}, {"cement": 1.0},
                   {"mill 1": Fit(10, 4, duration=2, cost=1), "mill 2": Fit(6, duration=1)},
                   {"power": (1.0, 0.2)})
    given = Network([Material("clinker", 30, receipts=((3, 8),)), Material("cement", price=5, capacity=60)], [mill],
                    [Unit("mill 1", closed=(Window(2, 3, "repair"),)), Unit("mill 2")], horizon=8,
                    utilities=[Utility("power", 4.0, [1, 1, 1, 4, 4, 4, 1, 1])])
    return given.replace(**changes)


def test_utilities_windows_and_receipts() -> None:
    """Claim and replay agree; the replay counts prices and limits itself."""
    found = optimizers.solve(small())
    assert found.claimed == pytest.approx(found.objective)
    batches = found.value["batches"]
    assert sum(b.size for b in batches) == pytest.approx(38)
    assert replay(small(), [dataclasses.replace(batches[0], size=99), *batches[1:]])[0]
    assert any("while it is closed" in s
               for s in replay(small(), [dataclasses.replace(batches[0], unit="mill 1", start=2, end=4)])[0])
    assert any("power is" in s for s in replay(small(utilities=[Utility("power", 0.5)]), batches)[0])
    assert any("clinker is" in s for s in replay(small(materials=[Material("clinker", 1), Material("cement")]), batches)[0])


def test_mistakes_are_sentences() -> None:
    """Variable times in discrete time, unknown names, impossible sizes."""
    with pytest.raises(twin.SpecError, match="takes longer for a larger batch"):
        optimizers.solve(kondili.three_in_a_row(3).replace(events=None))
    with pytest.raises(twin.SpecError, match="Did you mean 'clinker'"):
        optimizers.solve(small(processes=[Process("grind", {"cliker": 1}, {"cement": 1}, {"mill 2": Fit(6)})]))
    with pytest.raises(twin.SpecError, match="Expected 0 <= least <= most"):
        optimizers.solve(small(processes=[Process("grind", {"clinker": 1}, {"cement": 1}, {"mill 2": Fit(6, 9)})]))
    with pytest.raises(twin.ConvergenceError, match="No batches satisfy all limits within 8 h"):
        optimizers.solve(small(materials=[Material("clinker", 30), Material("cement", least=99)]))
