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
        self.work = shapes.lists(records.Work, shapes.work_shapes(facts.size, task.count, work_length(system, names)))

    def stop(self) -> None:
        """Ask a run that goes on in another thread to end."""
        self.work.stop[0] = 1

    def one(self, x0: Sequence[float], z0: Sequence[float], p: Sequence[float]) -> dict[str, Any]:
        """One trajectory; the fields of a RawRun."""
        task, n_x, n = self.task, self.model.size[records.N_X], self.model.size[records.N_X] + self.model.size[records.N_Z]
        count = task.count
        rows = [[0.0] * self.width for _ in range(count[records.TIMES])]
        events = [[0.0] * (2 + 2 * n_x) for _ in range(count[records.PHASES])]
        tangents = [[0.0] * n for _ in range(count[records.TIMES] * count[records.COLUMNS])]
        self.work.stop[0] = 0
        try:
            code = phases.run_member(self.model, task, self.work, list(x0), list(z0), list(p), rows, events, tangents)
        except KeyboardInterrupt:
            code = phases.STOPPED
        return {"code": code, "rows": rows, "events": events, "tangents": tangents, "stat": list(self.work.stat),
                "end": [self.work.clock[records.NOW], *self.work.x[0], *self.work.z[0]]}
