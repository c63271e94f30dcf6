"""Prediction: what a controller expects, by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from twin import errors


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """Expected states and planned inputs over the horizon.

    `prediction["c_b"]` has the shape (scenarios, times) for states, (scenarios, intervals) for inputs.

    Attributes
    ----------
    controller
        The controller that made it.
    problem, result
        What was solved, and the solver's result.
    start
        Time of the first node.
    """

    controller: Any
    problem: Any
    result: Any
    start: float

    @property
    def times(self) -> Any:
        """Times of the nodes, in the time unit of the model (numpy)."""
        import numpy as np

        st = self.problem.statement
        return self.start + st.interval * np.arange(st.steps + 1)

    def names(self) -> tuple[str, ...]:
        """States and moved inputs."""
        check = self.problem.statement.check
        states = [n for n, r in check.rows("state").items() if not r.shape]
        return (*states, *(c.place.name for c in self.problem.statement.controls))

    def __getitem__(self, name: str) -> Any:
        import numpy as np

        tree, st = self.problem.tree, self.problem.statement
        paths = np.array([tree.path(leaf) for leaf in tree.leaves])
        moved = [c.place.name for c in st.controls]
        if name in moved:
            return self.result.u[paths[:, :-1], moved.index(name)]
        rows = st.check.rows("state")
        base, _, cell = name.partition("[")
        if base not in rows or (rows[base].shape and not cell):
            raise errors.unknown("predicted signal", name, st.check.name, self.names())
        row = rows[base]
        return self.result.x[paths, row.start + (int(cell[:-1]) * row.step if cell else 0)]

    def __repr__(self) -> str:
        name, leaves = self.problem.statement.check.name, len(self.problem.tree.leaves)
        return f"Prediction({name}, {len(self.times)} times, {leaves} scenarios)"

    def to_frame(self) -> Any:
        """DataFrame: one row a scenario and time; inputs are those held from that time on."""
        import numpy as np
        import pandas as pd

        times = self.times
        moved = {c.place.name for c in self.problem.statement.controls}
        parts = []
        for s in range(len(self.problem.tree.leaves)):
            columns: dict[str, Any] = {"scenario": s, "time": times}
            for name in self.names():
                values = self[name][s]
                columns[name] = np.append(values, np.nan) if name in moved else values
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    def plot(self, past: Any = None) -> Any:
        """Matplotlib figure: one panel a quantity, all scenarios, limits as dashed lines.

        Parameters
        ----------
        past
            A DataFrame with the column "time" and what was measured or applied before, by name; None: only the prediction.
        """
        from optimizers.nmpc.plots import plot_prediction

        return plot_prediction(self, past)
