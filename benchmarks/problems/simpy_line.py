"""A line of stations in simpy, with the same rules as `twin.lines`: one machine a station, finite buffers, breakdowns by busy
time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any


def run(simpy: Any, stations: int, buffer: int, duration: float, work: Callable[[random.Random], float],
        life: Callable[[random.Random], float], repair: Callable[[random.Random], float], seed: int) -> list[float]:
    """Times at which parts leave."""
    env, draw = simpy.Environment(), random.Random(seed)
    stores = [simpy.Store(env, capacity=buffer) for _ in range(stations)]
    left: list[float] = []

    def feed() -> Iterator[Any]:
        while True:
            yield stores[0].put(None)

    def machine(k: int) -> Iterator[Any]:
        alive = life(draw)
        while True:
            part = yield stores[k].get()
            rest = work(draw)
            while alive < rest:
                yield env.timeout(alive)
                rest -= alive
                yield env.timeout(repair(draw))
                alive = life(draw)
            yield env.timeout(rest)
            alive -= rest
            if k + 1 < stations:
                yield stores[k + 1].put(part)
            else:
                left.append(env.now)

    env.process(feed())
    for k in range(stations):
        env.process(machine(k))
    env.run(until=duration)
    return left
