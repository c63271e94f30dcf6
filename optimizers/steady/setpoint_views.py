"""Tables and pictures of optimal set-points."""

from __future__ import annotations

import math
from typing import Any

BEST, LINE = "#D55E00", "#0072B2"


def to_frame(solution: Any) -> Any:
    """DataFrame: one row a signal with value, unit, role and limits."""
    import pandas as pd

    from optimizers.steady.statement import Statement

    statement = Statement(solution.problem)
    limited = {limit.name: limit for limit in statement.limits}
    rows = {}
    for role in ("input", "disturbance", "output", "state", "algebraic"):
        for name, row in statement.check.rows(role).items():
            if row.shape:
                continue
            low, high = row.signal.lower, row.signal.upper
            if name in statement.moves:
                low, high = statement.moves[name]
            if name in limited:
                low, high = max(low, limited[name].lower), min(high, limited[name].upper)
            rows[name] = {"value": float(solution.replay[name]), "unit": row.signal.unit,
                          "role": "moved" if name in statement.moves else role, "lower": low, "upper": high}
    return pd.DataFrame.from_dict(rows, orient="index")


def table(solution: Any) -> str:
    """Signals, active limits with prices, sensitivities as text."""
    text = [to_frame(solution).to_string(float_format=lambda v: f"{v:.6g}"), "", *(str(a) for a in solution.active)]
    if "sensitivity" in solution.details:
        import pandas as pd

        frame = pd.DataFrame.from_dict(solution.details["sensitivity"], orient="index")
        text += ["", "derivatives of the optimum:", frame.to_string(float_format=lambda v: f"{v:.5g}")]
    return "\n".join(text)


def plot(solution: Any, points: int = 25) -> Any:
    """Matplotlib Figure: the objective along each move through the optimum, dashed where a limit is violated."""
    import numpy as np

    from optimizers.steady.statement import Statement
    from twin.simulation import plots
    from twin.simulation.steady import steady

    statement = Statement(solution.problem)
    best = {n: float(solution.replay[n]) for n in statement.check.rows("input", "disturbance")}
    fig, axes = plots.figure(len(statement.moves))
    for axis, (name, (low, high)) in zip(axes, statement.moves.items(), strict=True):
        grid = np.unique(np.append(np.linspace(low, high, points), best[name]))
        kept, allowed = np.full(len(grid), math.nan), np.zeros(len(grid), dtype=bool)
        middle = int(np.argmin(np.abs(grid - best[name])))
        for order in (range(middle, len(grid)), range(middle, -1, -1)):
            near = {n: solution.replay[n] for n in statement.check.rows("state", "algebraic")}
            for k in order:
                found = steady(solution.problem.model, {**best, name: float(grid[k])}, starts=[near], within_limits=False,
                               parameters=solution.problem.parameters or None, throw=False)
                if not len(found):
                    break
                near = {n: found[0][n] for n in near}
                kept[k] = sum(w * float(found[0][n]) for n, w in statement.weights.items() if "[" not in n)
                allowed[k] = all(limit.lower - 1e-9 <= found[0][limit.name] <= limit.upper + 1e-9 for limit in statement.limits
                                 if "[" not in limit.name)
        axis.plot(grid, kept, "--", color=LINE, linewidth=1.0, alpha=0.6)
        axis.plot(grid, np.where(allowed, kept, math.nan), color=LINE)
        axis.plot([best[name]], [kept[middle]], "o", color=BEST)
        goal = solution.problem.maximize or solution.problem.minimize
        plots.title(axis, goal if isinstance(goal, str) else "objective", solution.objective_unit)
        axis.set_xlabel(f"{name} [{statement.places[name][1]}]")
    return fig
