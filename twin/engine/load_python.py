"""The engine as plain Python on lists: no compiler, no numpy, ready at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twin.engine import phases, records, shapes
from twin.engine.kernels import by_field, python_kernels, work_length


class PythonRun:
    """One task on one model, with its buffers."""

    name = "python"

    def __init__(self, system: Any, names: Sequence[str], facts: shapes.Facts, task: records.Task) -> None:
        kernels = by_field(python_kernels(system, names))
        self.model = records.Model(**kernels, size=facts.size, pattern=facts.pattern, order=facts.order)
        self.task = task
        self.width = sum(facts.size[:6]) - facts.size[records.N_P]
        self.work = shapes.lists(records.Work, shapes.work_shapes(facts.size, task.counts, work_length(system, names)))

    def stop(self) -> None:
        """Ask a run that goes on in another thread to end."""
        self.work.stop[0] = 1

    def batch(self, members: int) -> Any:
        """Buffers of an ensemble."""
        from twin.engine.batch import Batch

        return Batch(self.model.size, self.task.counts, 1, members)

    def call(self, batch: Any, first: int, stop: int) -> int:
        """Run members `first` to `stop` - 1 of a batch, one after another."""
        work = self.work._replace(stop=batch.work.stop)
        for i in range(first, stop):
            if work.stop[0]:
                return phases.STOPPED
            raw = self._member(batch.x0[i].tolist(), batch.z0[i].tolist(), batch.p[i].tolist(), work)
            done = raw["stat"][records.ROW]
            if done:
                batch.rows[i, :done] = raw["rows"][:done]
            for name, value in (("events", "events"), ("tangents", "tangents"), ("stats", "stat"), ("ends", "end")):
                if raw[value]:
                    getattr(batch, name)[i] = raw[value]
            batch.codes[i] = raw["code"]
        return phases.SUCCESS

    def one(self, x0: Sequence[float], z0: Sequence[float], p: Sequence[float]) -> dict[str, Any]:
        """One trajectory; the fields of a RawRun."""
        self.work.stop[0] = 0
        return self._member([float(v) for v in x0], [float(v) for v in z0], [float(v) for v in p], self.work)

    def _member(self, x0: list[float], z0: list[float], p: list[float], work: records.Work) -> dict[str, Any]:
        n_x, n_z = self.model.size[:2]
        count = self.task.counts
        rows = [[0.0] * self.width for _ in range(count[records.TIMES])]
        events = [[0.0] * (2 + 2 * n_x) for _ in range(count[records.PHASES])]
        tangents = [[0.0] * (n_x + n_z) for _ in range(count[records.TIMES] * count[records.COLUMNS])]
        try:
            code = phases.run_member(self.model, self.task, work, x0, z0, p, rows, events, tangents)
        except KeyboardInterrupt:
            code = phases.STOPPED
        return {"code": code, "rows": rows, "events": events, "tangents": tangents, "stat": list(work.stat),
                "end": [work.clock[records.NOW], *work.x[0], *work.z[0]]}
