"""Where the members of an ensemble run: threads over the compiled kernels, or tasks of any executor."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twin.engine.runner import Runner
from twin.lowering.system import System
from twin.simulation.trajectory import PARTS
from twin.status import Status

CHUNK = 32  # members a task: fixed, so that tasks do not depend on the number of workers
RETRIES = 3
WAIT = 0.05  # seconds between looks at Ctrl-C

_local = threading.local()


class Store:
    """Results as they come in, in any order."""

    def __init__(self, simulator: Any, count: int, progress: Callable[[int, int], None] | None) -> None:
        import numpy as np

        self.statuses = [Status.STOPPED] * count
        self.progress, self.done, self.stopped = progress, 0, False
        shape = (count, len(simulator.times))
        self.raw = {role: np.full((*shape, sum(r.count for r in rows)), np.nan)
                    for role, rows in simulator.layout.items()}

    def take(self, first: int, statuses: Sequence[Status], parts: Mapping[str, Any]) -> None:
        """Results of the members from `first` on."""
        stop = first + len(statuses)
        self.statuses[first:stop] = statuses
        for role, values in parts.items():
            self.raw[role][first:stop] = values
        self.done += len(statuses)
        if self.progress is not None:
            self.progress(self.done, len(self.statuses))


def _chunk(simulator: Any, x0: Any, p: Any) -> tuple[list[Status], dict[str, Any]]:
    """Members one after the other; fewer than asked for where the user stopped it."""
    import numpy as np

    statuses = []
    times = len(simulator.times)
    parts = {role: np.full((len(x0), times, sum(r.count for r in rows)), np.nan)
             for role, rows in simulator.layout.items()}
    for k in range(len(x0)):
        raw = simulator.runner.run(x0[k].tolist(), p[k].tolist())
        if raw.status is Status.STOPPED:
            break
        statuses.append(raw.status)
        for role, part in PARTS.items():
            if raw.done and parts[role].shape[2]:
                parts[role][k, :raw.done] = raw.part(part)
    return statuses, {role: rows[:len(statuses)] for role, rows in parts.items()}


def on_threads(simulator: Any, x0: Any, p: Any, threads: int | None, store: Store) -> None:
    _here(simulator, x0, p, range(0, len(x0), CHUNK), store)


def _here(simulator: Any, x0: Any, p: Any, starts: Iterable[int], store: Store) -> None:
    """Chunks in this thread."""
    for first in starts:
        statuses, parts = _chunk(simulator, x0[first:first + CHUNK], p[first:first + CHUNK])
        store.take(first, statuses, parts)
        if len(statuses) < min(CHUNK, len(x0) - first):
            raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class Task:
    """A prepared simulation as data: what a worker process needs, without the class of the model."""

    system: str
    recipe: Any
    options: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Hash of everything in it."""
        return hashlib.sha256(repr((self.system, self.recipe, self.options)).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What `_chunk` needs of a simulator."""

    runner: Runner
    times: Sequence[float]
    layout: Mapping[str, Any]


def run_task(task: Task, key: str, x0: Any, p: Any) -> tuple[list[Status], dict[str, Any]]:
    """Members of one task, in whatever process and thread this is; each thread keeps the last simulator it made."""
    if getattr(_local, "key", None) != key:
        system = System.from_json(task.system)
        runner = Runner(system, task.recipe, **task.options)
        _local.prepared = Prepared(runner, task.options["times"], {role: system.layout(role) for role in PARTS})
        _local.key = key
    return _chunk(_local.prepared, x0, p)


def on_executor(simulator: Any, x0: Any, p: Any, executor: Any, store: Store) -> None:
    programs = simulator.runner.programs
    options = {"times": simulator.times, "duration": simulator.duration, "rtol": simulator.rtol,
               "atol": simulator.atol, "max_steps": simulator.max_steps, "execution": simulator.execution}
    task = Task(simulator.system.to_json(tuple(programs)), simulator.recipe, options)
    waiting = list(range(0, len(x0), CHUNK))
    make = executor if callable(executor) else None
    for _ in range(RETRIES):
        pool = make() if make else executor
        try:
            waiting = _submit(pool, task, x0, p, waiting, store)
        finally:
            if make:
                pool.shutdown(wait=False, cancel_futures=True)
        if not waiting or not make:
            break
    _here(simulator, x0, p, waiting, store)  # the pool broke for good: what is left is done here


def _submit(pool: concurrent.futures.Executor, task: Task, x0: Any, p: Any, waiting: Sequence[int],
            store: Store) -> list[int]:
    """Run tasks on a pool; returns those that a broken pool lost."""
    futures: dict[concurrent.futures.Future[Any], int] = {}
    lost, key = [], task.key
    try:
        for first in waiting:
            try:
                stop = first + CHUNK
                futures[pool.submit(run_task, task, key, x0[first:stop], p[first:stop])] = first
            except concurrent.futures.BrokenExecutor:
                lost.append(first)
        open_futures = set(futures)
        while open_futures:
            done, open_futures = concurrent.futures.wait(open_futures, WAIT, concurrent.futures.FIRST_COMPLETED)
            for future in done:
                try:
                    store.take(futures[future], *future.result())
                except concurrent.futures.BrokenExecutor:
                    lost.append(futures[future])
    except KeyboardInterrupt:
        for future in futures:
            future.cancel()
        raise
    return sorted(lost)
