"""Resource-task networks: the special case of states, other formulations of the same plants, what only resources can state."""

from __future__ import annotations

import dataclasses
import math

import pytest

import optimizers
import twin
from benchmarks.problems import kondili, steel
from optimizers.schedule import Activity, Draw, Give, Hold, Resource, ResourceNetwork, Take, resources_of
from optimizers.schedule.resource_solving import replay
from twin.status import Status


def test_kondili_as_resources() -> None:
    """Kondili, Pantelides and Sargent 1993: 2744.375 at 10 h; the replay of the resources agrees with that of the batches."""
    network, names = resources_of(kondili.fixed_times(10))
    found = optimizers.solve(network)
    assert found.status is Status.SUCCESS
    assert found.objective == pytest.approx(2744.375, abs=1e-6)
    assert found.bound == pytest.approx(2744.375, abs=1e-6)
    assert names["reaction 2 on reactor 1"] == ("reaction 2", "reactor 1")
    assert max(found.value["levels"]["unit still"]) == pytest.approx(1)
    assert set(found.to_frame()["activity"]) <= set(names)


@pytest.mark.slow
def test_melt_shop_as_resources() -> None:
    """The melt shop's 42,210 EUR, which CP-SAT proves with intervals, here on counted heats (a resource-task network gave
    the number in the project's domain notes, too).
    """
    found = optimizers.solve(steel.melt_shop_as_resources(), max_seconds=100)
    assert found.objective == pytest.approx(-42210, abs=1e-6)
    assert found.bound == pytest.approx(-42210, abs=1e-3)


def test_equipment_that_is_alike_is_counted() -> None:
    """Two reactors as one resource of 2 do what two units do; one of them is away for a while."""
    def plant(names: list[str], number: int) -> ResourceNetwork:
        runs = [Activity(f"react {n}", 2, [Hold(n), Take("A", 1.0), Give("B", 1.0)], most=10, least=4) for n in names]
        away = {"receipts": ((2, -1), (4, 1))}
        return ResourceNetwork([*(Resource(n, number, **(away if n == names[-1] else {})) for n in names),  # type: ignore[arg-type]
                                Resource("A", 70), Resource("B", price=1)], runs, horizon=6)

    pooled, apart = optimizers.solve(plant(["reactor"], 2)), optimizers.solve(plant(["R1", "R2"], 1))
    assert pooled.objective == pytest.approx(apart.objective) == pytest.approx(50)
    assert len(pooled.value["carried"]) == 5
    assert all(4 - 1e-6 <= c.size <= 10 + 1e-6 for c in pooled.value["carried"])


def storage(**changes: object) -> ResourceNetwork:
    """Melting draws 4 MWh a step all the while; a battery of 6 is filled when power is cheap."""
    melt = Activity("melt", 2, [Hold("furnace"), Draw("power", 4.0), Give("melts", fixed=1)])
    given = ResourceNetwork([Resource("furnace", 1), Resource("melts", least=2),
                             Resource("power", capacity=6.0, supply=5.0, prices=[10, 1, 30, 30, 2, 40])], [melt], horizon=6)
    return given.replace(**changes)


def test_continuous_draws_and_purchases() -> None:
    """When to melt and when to buy, against linear programs for all pairs of starts."""
    import itertools

    import numpy as np
    from scipy.optimize import linprog

    found = optimizers.solve(storage())
    prices = np.array([10, 1, 30, 30, 2, 40.0])
    best = np.inf
    for a, b in itertools.combinations(range(5), 2):
        if b - a < 2:
            continue
        use = np.array([4.0 * (a <= t < a + 2 or b <= t < b + 2) for t in range(6)])
        lower = np.tril(np.ones((6, 6)))
        out = linprog(prices, np.vstack([-lower, lower]), np.concatenate([-np.cumsum(use), np.cumsum(use) + 6]), bounds=(0, 5))
        best = min(best, out.fun if out.status == 0 else np.inf)
    assert -found.objective == pytest.approx(best)
    assert found.claimed == pytest.approx(found.objective)
    assert sum(found.value["bought"]["power"]) == pytest.approx(16)


def test_cleaning_between_products() -> None:
    """States of a vessel are resources: white after black needs cleaning, which a state-task network cannot say."""
    def make(color: str, needs: str, leaves: str) -> Activity:
        return Activity(f"{color} from {needs}", 1, [Take(needs, fixed=1), Give(leaves, fixed=1), Give(color, 1.0)], most=10,
                        at_once=1)

    acts = [make("white", "clean", "clean"), make("black", "clean", "dirty"), make("black", "dirty", "dirty"),
            Activity("wash", 2, [Take("dirty", fixed=1), Give("clean", fixed=1)], cost=1, at_once=1)]
    plant = ResourceNetwork([Resource("clean", 0), Resource("dirty", 1), Resource("white", price=1, least=20),
                             Resource("black", price=1, least=20)], acts, horizon=6)
    found = optimizers.solve(plant)
    assert found.objective == pytest.approx(39)
    assert [c.activity for c in found.value["carried"]].count("wash") == 1
    assert optimizers.solve(plant.replace(plain=True)).objective == pytest.approx(39)
    with pytest.raises(twin.ConvergenceError, match="No activities satisfy all limits within 5 h"):
        optimizers.solve(plant.replace(horizon=5))


def test_replay_finds_what_is_broken() -> None:
    """Sizes, times, levels and purchases, each in a sentence."""
    plant = storage()
    found = optimizers.solve(plant)
    carried, bought = found.value["carried"], found.value["bought"]
    assert replay(plant, carried, bought)[0] == []
    assert any("'power' is -" in s for s in replay(plant, carried, {})[0])
    assert any("is bought at 0 h" in s for s in replay(plant, carried, {"power": [9.0, *bought["power"][1:]]})[0])
    assert any("'melts' is 1 at the end" in s for s in replay(plant, carried[:1], bought)[0])
    assert any("has the size 3" in s for s in replay(plant, [dataclasses.replace(carried[0], size=3.0), *carried[1:]], bought)[0])
    assert any("runs from 5 to 7" in s for s in replay(plant, [dataclasses.replace(carried[0], start=5.0, end=7.0)], bought)[0])


def test_mistakes_are_sentences() -> None:
    """Unknown resources, free activities, prices that are missing, times off the grid."""
    melt = Activity("melt", 2, [Hold("furnace"), Give("steel", 1.0)], most=1)
    good = ResourceNetwork([Resource("furnace", 1), Resource("steel", price=1)], [melt], 4)
    cases = [(good.replace(activities=[Activity("melt", 2, [Hold("furnce")])]), "Did you mean 'furnace'"),
             (good.replace(activities=[Activity("melt", 2, [Give("steel", 1.0)], most=1)]), "'melt' holds nothing"),
             (good.replace(activities=[Activity("melt", 1.5, [Hold("furnace")])]), "Expected a multiple of the step, 1 h"),
             (good.replace(activities=[Activity("melt", 2, [Hold("furnace"), Take("steel", 1.0, at=3)])]), "3 h after its start"),
             (good.replace(activities=[melt, melt]), "2 entries of the activity 'melt'"),
             (good.replace(resources=[Resource("furnace", 1), Resource("steel", supply=1, prices=[1, 2])]), "Expected 4"),
             (good.replace(resources=[Resource("furnace", 1), Resource("steel", prices=[1] * 4)]), "prices and no supply"),
             (good.replace(activities=[Activity("melt", 2, [Hold("furnace", 2)])]), "can never start: it holds 2 of 'furnace'"),
             (good.replace(activities=[]), "0 activities"),
             (good.replace(activities=[dataclasses.replace(melt, most=math.inf)]), "most of 'melt' is inf"),
             (good.replace(resources=[Resource("furnace", math.nan), Resource("steel")]), "initial of 'furnace' is nan"),
             (good.replace(horizon=0), "Expected both above 0")]
    for network, sentence in cases:
        with pytest.raises(twin.SpecError, match=sentence):
            optimizers.solve(network)
    with pytest.raises(twin.SpecError, match="takes no solver"):
        optimizers.solve(good, solver="x")
