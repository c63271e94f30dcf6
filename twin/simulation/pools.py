"""Where the members of an ensemble run: threads over the compiled kernels, or tasks of any executor."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twin.engine.runner import Runner
from twin.engine.workers import default_threads
from twin.lowering.system import System
from twin.simulation.trajectory import PARTS
from twin.status import Status

CHUNK = 32  # members a task: fixed, so that tasks do not depend on the number of workers
RETRIES = 3
WAIT = 0.05  # seconds between looks at Ctrl-C

_local = threading.local()


class Store:
    """Results as they come in, in any order."""

    def __init__(self, count: int, progress: Callable[[int, int], None] | None) -> None:
        self.statuses = [Status.STOPPED] * count
        self.progress, self.done, self.stopped = progress, 0, False
        self.raw: dict[str, Any] = {}

    def take(self, first: int, statuses: Sequence[Status], parts: Mapping[str, Any]) -> None:
        """Results of the members from `first` on."""
        import numpy as np

        stop = first + len(statuses)
        self.statuses[first:stop] = statuses
        for role, values in parts.items():
            if len(values) == len(self.statuses):
                self.raw[role] = values
                continue
            if role not in self.raw:
                self.raw[role] = np.full((len(self.statuses), *values.shape[1:]), np.nan)
            self.raw[role][first:stop] = values
        self.done += len(statuses)
        if self.progress is not None:
            self.progress(self.done, len(self.statuses))

    def filled(self, layout: Mapping[str, Any], times: int) -> dict[str, Any]:
        """Arrays by role, also where nothing came in: shape (members, times, n)."""
        import numpy as np

        for role, rows in layout.items():
            shape = (len(self.statuses), times, sum(r.count for r in rows))
            self.raw.setdefault(role, np.empty(0))
            if self.raw[role].shape != shape:
                self.raw[role] = np.full(shape, np.nan)
        return self.raw


def _chunk(simulator: Any, x0: Any, p: Any, threads: int = 1,
           progress: Callable[[int], None] | None = None) -> tuple[list[Status], dict[str, Any], bool]:
    """Members on threads over the compiled kernels; the last value is True where Ctrl-C ended it."""
    many = simulator.runner.run_many(x0, p, threads=threads, progress=progress)
    return many.statuses, {role: many.part(part) for role, part in PARTS.items()}, many.stopped


def on_threads(simulator: Any, x0: Any, p: Any, threads: int | None, store: Store) -> None:
    """All members in this process."""
    told = store.progress
    look = None if told is None else lambda done: told(done, len(x0))
    statuses, parts, store.stopped = _chunk(simulator, x0, p, threads or default_threads(), look)
    if store.stopped:
        store.progress = None
    store.take(0, statuses, parts)


def _here(simulator: Any, x0: Any, p: Any, starts: Iterable[int], store: Store) -> None:
    """Tasks in this process."""
    for first in starts:
        stop = first + CHUNK
        statuses, parts, stopped = _chunk(simulator, x0[first:stop], p[first:stop], default_threads())
        store.take(first, statuses, parts)
        if stopped:
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
    return _chunk(_local.prepared, x0, p)[:2]


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
