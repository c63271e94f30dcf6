"""A mixed-integer linear program handed to HiGHS as arrays.

Columns and rows are added in blocks, so that a year of hours costs milliseconds to state; a modeling layer that walks every
term in Python takes as long as HiGHS itself there (benchmark `scheduling`, keys `year_build_s` and `year_pyomo_build_s`).
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from twin.status import Status


@dataclasses.dataclass(frozen=True, eq=False)
class MilpAnswer:
    """What HiGHS found: values and duals by column and row (duals only where nothing is integer)."""

    status: Status
    x: Any
    objective: float | None
    bound: float | None
    duals: Any
    reduced: Any
    nodes: int
    seconds: float


class Milp:
    """Columns and rows, added in blocks."""

    def __init__(self) -> None:
        self.count = 0
        self.rows = 0
        self.columns: list[tuple[Any, Any, Any, Any]] = []
        self.sides: list[tuple[Any, Any]] = []
        self.entries: list[tuple[Any, Any, Any]] = []

    def add(self, number: int, lower: Any = 0.0, upper: Any = None, cost: Any = 0.0, integer: bool = False) -> Any:
        """Add columns; limits and costs are numbers or arrays. Their positions."""
        import numpy as np

        high = np.inf if upper is None else upper
        low, high, price = (np.broadcast_to(np.asarray(v, float), number) for v in (lower, high, cost))
        self.columns.append((low, high, price, np.full(number, integer)))
        self.count += number
        return np.arange(self.count - number, self.count)

    def require(self, lower: Any, upper: Any, number: int, *terms: tuple[Any, Any]) -> Any:
        """Add rows lower <= sum of coefficient x column <= upper; each term is (columns, coefficients), one for each row.
        Their positions.

        A column -1 leaves the term out of its row.
        """
        import numpy as np

        first = self.rows
        rows = np.arange(first, first + number)
        self.sides.append((np.broadcast_to(np.asarray(lower, float), number), np.broadcast_to(np.asarray(upper, float), number)))
        for columns, coefficients in terms:
            c = np.broadcast_to(np.asarray(columns), number)
            v = np.broadcast_to(np.asarray(coefficients, float), number)
            there = c >= 0
            self.entries.append((rows[there], c[there], v[there]))
        self.rows += number
        return rows

    def row(self, lower: float, upper: float, columns: Any, coefficients: Any) -> int:
        """Add one row with many terms; its position."""
        import numpy as np

        c = np.asarray(columns)
        self.sides.append((np.array([lower], float), np.array([upper], float)))
        self.entries.append((np.full(len(c), self.rows), c, np.broadcast_to(np.asarray(coefficients, float), len(c))))
        self.rows += 1
        return self.rows - 1

    def forget_costs(self, besides: set[int]) -> None:
        """Set the cost of all columns to 0, besides these."""
        import numpy as np

        first = 0
        for k, (low, high, cost, integer) in enumerate(self.columns):
            inside = np.array([first + i in besides for i in range(len(low))])
            self.columns[k] = (low, high, np.where(inside, cost, 0.0), integer)
            first += len(low)

    def solve(self, *, maximize: bool = False, max_seconds: float | None = None, gap: float = 0.0, seed: int = 0,
              threads: int = 1,
              hold: tuple[Any, Any] | None = None) -> MilpAnswer:
        """Hand it to HiGHS; `hold` are columns and the values that they are held at, after which nothing is integer."""
        import highspy
        import numpy as np

        began = time.perf_counter()
        lower, upper, cost, integer = (np.concatenate(part) for part in zip(*self.columns, strict=True))
        if hold is not None:
            lower, upper, integer = lower.copy(), upper.copy(), np.zeros(self.count, bool)
            lower[hold[0]] = upper[hold[0]] = hold[1]
        low, high = (np.concatenate(part) for part in zip(*self.sides, strict=True))
        row, column, value = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        order = np.argsort(row, kind="stable")
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.count, self.rows
        lp.col_lower_, lp.col_upper_, lp.col_cost_ = lower, upper, cost
        lp.row_lower_, lp.row_upper_ = low, high
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=self.rows))]).astype(np.int32)
        lp.a_matrix_.index_, lp.a_matrix_.value_ = column[order].astype(np.int32), value[order]
        mixed = bool(integer.any())
        if mixed:
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            lp.integrality_ = [kinds[k] for k in integer.astype(int).tolist()]
        lp.sense_ = highspy.ObjSense.kMaximize if maximize else highspy.ObjSense.kMinimize
        # The base class of highspy.Highs: the same solver without callbacks, whose set-up writes a banner to stdout.
        solver: Any = highspy.Highs.__bases__[0]()
        settings: dict[str, Any] = {"output_flag": False, "log_to_console": False, "threads": threads, "random_seed": seed,
                                    "mip_rel_gap": gap}
        if max_seconds is not None:
            settings["time_limit"] = max(0.01, max_seconds)
        for name, setting in settings.items():
            solver.setOptionValue(name, setting)
        solver.passModel(lp)
        if solver.run() == highspy.HighsStatus.kError:
            # All solves of a process share one scheduler; it refuses another number of threads until it is made anew.
            solver.resetGlobalScheduler(True)
            solver.run()
        info, solution = solver.getInfo(), solver.getSolution()
        kind = highspy.HighsModelStatus
        code = solver.getModelStatus()
        found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        status = {kind.kOptimal: Status.SUCCESS, kind.kInfeasible: Status.INFEASIBLE, kind.kUnbounded: Status.UNBOUNDED,
                  kind.kUnboundedOrInfeasible: Status.INFEASIBLE}.get(
                      code, Status.FEASIBLE if found else Status.TIME_LIMIT if code == kind.kTimeLimit else Status.NOT_CONVERGED)
        bound = info.mip_dual_bound if mixed else (info.objective_function_value if code == kind.kOptimal else None)
        return MilpAnswer(status, np.array(solution.col_value) if found else None, info.objective_function_value if found
                          else None,
                          None if bound is None or not np.isfinite(bound) else float(bound),
                          None if mixed else np.array(solution.row_dual), None if mixed else np.array(solution.col_dual),
                          int(info.mip_node_count) if mixed else 0, time.perf_counter() - began)
