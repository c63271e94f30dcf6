"""Buffers of an ensemble, and a task whose entry takes all of them as one array of addresses and row lengths."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from twin.engine import kernels, records, shapes, workers

DIRECT = 0.02  # seconds: a lone call that took less last time is made in the calling thread


class SlotRun:
    """One task on one model: everything is handed to the entry as one array of addresses and lengths."""

    name = ""
    entry: Any
    kernels: list[int]

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        self.facts, self.kernel_length = facts, kernels.work_length(system, names)
        self.model = shapes.as_arrays(records.Model, facts, ("size", "pattern", "order"))
        self.task = shapes.as_arrays(records.Task, task, records.Task._fields)
        self.count = task.counts
        self.lone: Batch | None = None
        self.took = DIRECT

    def batch(self, members: int, like: Batch | None = None) -> Batch:
        """Buffers of an ensemble; `like` shares the results and has a work space of its own."""
        return Batch(self.facts.size, self.count, self.kernel_length, members, like)

    def call(self, batch: Batch, first: int, stop: int) -> int:
        """Run members `first` to `stop` - 1 of a batch."""
        if batch.address is None:
            batch.pack(self)
        batch.slots[batch.span], batch.slots[batch.span + 1] = first, stop
        return int(self.entry(batch.address))

    def _timed(self, batch: Batch) -> None:
        begin = time.perf_counter()
        self.call(batch, 0, 1)
        self.took = time.perf_counter() - begin

    def stop(self) -> None:
        """Ask the lone run, going on in another thread, to end."""
        if self.lone is not None:
            self.lone.work.stop[0] = 1

    def one(self, x0: Sequence[float], z0: Sequence[float], p: Sequence[float]) -> dict[str, Any]:
        """One trajectory; the fields of a RawRun."""
        if self.lone is None:
            self.lone = self.batch(1)
        b = self.lone
        b.x0[0], b.z0[0], b.p[0] = x0, z0, p
        b.work.stop[0] = 0
        if self.took < DIRECT:
            self._timed(b)
        else:
            # Only in a worker thread can Ctrl-C be heard while it runs.
            workers.wait_for([lambda: self._timed(b)], self.stop)
        return {"code": int(b.codes[0]), "rows": b.rows[0].copy(), "events": b.events[0].copy(),
                "tangents": b.tangents[0].copy(), "stat": b.stats[0].tolist(), "end": b.ends[0].copy()}


class Batch:
    """Results of the members of an ensemble, and the work space of one thread."""

    RESULTS = ("x0", "z0", "p", "rows", "events", "tangents", "codes", "stats", "ends")

    def __init__(self, size: list[int], count: list[int], kernel: int, members: int, like: Batch | None = None) -> None:
        import numpy as np

        self.work = shapes.arrays(records.Work, shapes.work_shapes(size, count, kernel))
        self.address: int | None = None
        if like is not None:
            for name in self.RESULTS:
                setattr(self, name, getattr(like, name))
            return
        n_x, n = size[records.N_X], size[records.N_X] + size[records.N_Z]
        self.x0, self.z0 = np.zeros((members, n_x)), np.zeros((members, n - n_x))
        self.p = np.zeros((members, size[records.N_P]))
        self.rows = np.full((members, count[records.TIMES], sum(size[:6]) - size[records.N_P]), np.nan)
        self.events = np.zeros((members, count[records.PHASES], 2 + 2 * n_x))
        self.tangents = np.zeros((members, count[records.TIMES] * count[records.COLUMNS], n))
        self.codes = np.full(members, -1, np.int64)
        self.stats = np.zeros((members, records.STAT_LENGTH), np.int64)
        self.ends = np.zeros((members, 1 + n))

    def pack(self, run: SlotRun) -> None:
        """Write addresses and row lengths as the entry takes them."""
        import numpy as np

        slots = list(run.kernels)
        for array in (*run.model.values(), *run.task.values(), *self.work):
            slots += [array.ctypes.data, *array.shape[1:]]
        self.span = len(slots)
        slots += [0, 0]
        for name in self.RESULTS:
            array = getattr(self, name)
            slots += [array.ctypes.data, *array.shape[1:]]
        self.slots = np.array(slots, np.int64)
        self.address = self.slots.ctypes.data
