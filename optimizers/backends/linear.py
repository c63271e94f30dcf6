"""Linear and mixed-integer programs on HiGHS: rows by name in, answers with duals, basis and cost ranges out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from twin.status import Status


class LinearProgram:
    """Columns and rows as lists, built up one by one; minimized."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.cost: list[float] = []
        self.lower: list[float] = []
        self.upper: list[float] = []
        self.integer: list[bool] = []
        self.row_names: list[str] = []
        self.row_lower: list[float] = []
        self.row_upper: list[float] = []
        self.rows: list[dict[int, float]] = []

    def column(self, name: str, lower: float = 0.0, upper: float = math.inf, cost: float = 0.0,
               integer: bool = False) -> int:
        """Add a variable and return its position."""
        self.names.append(name)
        self.lower.append(lower)
        self.upper.append(upper)
        self.cost.append(cost)
        self.integer.append(integer)
        return len(self.names) - 1

    def row(self, name: str, coefficients: Mapping[int, float], lower: float = -math.inf, upper: float = math.inf) -> int:
        """Add lower <= sum of coefficients times columns <= upper and return its position."""
        self.row_names.append(name)
        self.rows.append({k: float(v) for k, v in coefficients.items() if v != 0.0})
        self.row_lower.append(lower)
        self.row_upper.append(upper)
        return len(self.rows) - 1

    def copy(self) -> LinearProgram:
        """An independent copy."""
        other = LinearProgram()
        for name, value in vars(self).items():
            setattr(other, name, [dict(r) for r in value] if name == "rows" else list(value))
        return other


@dataclasses.dataclass(frozen=True, eq=False)
class LinearAnswer:
    """What HiGHS found.

    `row_dual` and `column_dual` are derivatives of the minimum with respect to the bound that holds; `basic_columns` and
    `basic_rows` tell which are basic; both only for programs without integers. `bound` is the proved lower bound.
    """

    status: Status
    value: float = math.nan
    x: Any = ()
    activity: Any = ()
    row_dual: Any = ()
    column_dual: Any = ()
    basic_columns: Any = ()
    basic_rows: Any = ()
    bound: float = -math.inf
    seconds: float = 0.0
    iterations: int = 0


class Highs:
    """One program in HiGHS: bounds may be changed and it is solved again from where it was."""

    def __init__(self, program: LinearProgram, *, max_seconds: float | None = None, gap: float = 1e-9) -> None:
        import highspy
        import numpy as np

        self.program, self.mixed = program, any(program.integer)
        self.highs = quiet_highs()
        self.highs.setOptionValue("mip_rel_gap", gap)
        self.highs.setOptionValue("primal_feasibility_tolerance", 1e-9)
        self.highs.setOptionValue("dual_feasibility_tolerance", 1e-9)
        if max_seconds is not None:
            self.highs.setOptionValue("time_limit", float(max_seconds))
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(program.names), len(program.rows)
        lp.col_cost_ = np.asarray(program.cost, dtype=float)
        lp.col_lower_ = _bounds(program.lower)
        lp.col_upper_ = _bounds(program.upper)
        lp.row_lower_ = _bounds(program.row_lower)
        lp.row_upper_ = _bounds(program.row_upper)
        starts, index, value = [0], [], []
        for row in program.rows:
            index += list(row)
            value += list(row.values())
            starts.append(len(index))
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.asarray(starts, dtype=np.int32)
        lp.a_matrix_.index_ = np.asarray(index, dtype=np.int32)
        lp.a_matrix_.value_ = np.asarray(value, dtype=float)
        if self.mixed:
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            lp.integrality_ = [kinds[flag] for flag in program.integer]
        self.highs.passModel(lp)

    def row_bounds(self, row: int, lower: float, upper: float) -> None:
        """Other bounds of a row."""
        self.highs.changeRowBounds(row, lower, upper)

    def column_bounds(self, column: int, lower: float, upper: float) -> None:
        """Other bounds of a column."""
        self.highs.changeColBounds(column, lower, upper)

    def solve(self) -> LinearAnswer:
        """Minimize; INFEASIBLE and UNBOUNDED are told apart."""
        import highspy
        import numpy as np

        self.highs.run()
        kind, states = self.highs.getModelStatus(), highspy.HighsModelStatus
        if kind == states.kUnboundedOrInfeasible:
            self.highs.setOptionValue("presolve", "off")
            self.highs.run()
            self.highs.setOptionValue("presolve", "choose")
            kind = self.highs.getModelStatus()
        info = self.highs.getInfo()
        facts = {"seconds": self.highs.getRunTime(), "iterations": max(int(info.simplex_iteration_count), 0)}
        ends = {states.kInfeasible: Status.INFEASIBLE, states.kUnbounded: Status.UNBOUNDED}
        if kind in ends:
            return LinearAnswer(ends[kind], **facts)
        found = self.highs.getSolution()
        usable = kind == states.kOptimal or (self.mixed and math.isfinite(info.objective_function_value)
                                             and info.primal_solution_status == 2)
        if not usable:
            late = kind == states.kTimeLimit
            return LinearAnswer(Status.TIME_LIMIT if late else Status.NOT_CONVERGED,
                                bound=info.mip_dual_bound if self.mixed else -math.inf, **facts)
        status = Status.SUCCESS if kind == states.kOptimal else Status.FEASIBLE
        answer = LinearAnswer(status, info.objective_function_value, np.array(found.col_value), np.array(found.row_value),
                              bound=info.mip_dual_bound if self.mixed else info.objective_function_value, **facts)
        if self.mixed:
            return answer
        basis = self.highs.getBasis()
        basic = highspy.HighsBasisStatus.kBasic
        return dataclasses.replace(
            answer, row_dual=np.array(found.row_dual), column_dual=np.array(found.col_dual),
            basic_columns=np.array([s == basic for s in basis.col_status], dtype=bool),
            basic_rows=np.array([s == basic for s in basis.row_status], dtype=bool))

    def cost_ranges(self) -> list[tuple[float, float]]:
        """For each column the costs between which the answer stays the same."""
        ranging = self.highs.getRanging()
        found = ranging[1] if isinstance(ranging, tuple) else ranging
        return [(_finite(low), _finite(high)) for low, high in zip(found.col_cost_dn.value_, found.col_cost_up.value_,
                                                                   strict=True)]


def quiet_highs() -> Any:
    """A HiGHS instance that prints nothing: enabling its callbacks would print a banner before it can be told to be silent."""
    import highspy

    quiet: Any = type("QuietHighs", (highspy.Highs,), {"enableCallbacks": lambda self: None})
    highs = quiet()
    highs.setOptionValue("output_flag", False)
    return highs


def solve(program: LinearProgram, *, max_seconds: float | None = None, gap: float = 1e-9) -> LinearAnswer:
    """Minimize a program once."""
    return Highs(program, max_seconds=max_seconds, gap=gap).solve()


def _bounds(values: list[float]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=float)


def _finite(value: float) -> float:
    return math.copysign(math.inf, value) if abs(value) > 1e20 else float(value)
