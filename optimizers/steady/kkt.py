"""Conditions of optimality at an answer, whoever found it: multipliers, their error, sensitivities of the optimum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.backends import slsqp
from twin import errors

NEAR = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Kkt:
    """Multipliers at an answer, in the scaled units of the statement: cost gradient = sum of multipliers times gradients.

    `rows` and `bounds` are lists of (position, side, multiplier >= 0) of active limits; `equations` are the multipliers of the
    model's equations; `error` is the greatest component of the gradient of the Lagrangian that no multiplier explains.
    """

    rows: list[tuple[int, str, float]]
    bounds: list[tuple[int, str, float]]
    equations: Any
    error: float
    violation: float


def multipliers(statement: Any, v: Any, near: float = NEAR) -> Kkt:
    """Least-squares multipliers of the limits that are active at v, none of them negative."""
    import numpy as np

    _, gradient = statement.cost(v)
    rates, jacobian = statement.equations(v)
    rows, slopes, low, high = statement.limited(v)
    columns, labels = [], []
    violation = float(np.max([*np.abs(rates / np.linalg.norm(jacobian, axis=1)), 0.0]))
    for k in range(len(rows)):
        violation = max(violation, low[k] - rows[k], rows[k] - high[k])
        if rows[k] - low[k] < near:
            columns.append(slopes[k])
            labels.append(("row", k, "equal" if low[k] == high[k] else "lower"))
        if high[k] - rows[k] < near:
            columns.append(-slopes[k])
            labels.append(("row", k, "equal" if low[k] == high[k] else "upper"))
    for k in range(len(v)):
        for side, room, sign in (("lower", v[k] - statement.lower[k], 1.0), ("upper", statement.upper[k] - v[k], -1.0)):
            if room < near:
                columns.append(sign * np.eye(len(v))[k])
                labels.append(("bound", k, side))
    norms = np.linalg.norm(jacobian, axis=1)
    scaled = (jacobian / norms[:, None]).T
    free = [scaled, -scaled]
    matrix = np.hstack([*free, np.array(columns).T]) if columns else np.hstack(free)
    found = slsqp.multipliers(gradient, matrix.T)
    error = float(np.max(np.abs(matrix @ found - gradient), initial=0.0))
    n = len(norms)
    own = found[2 * n:]
    kept: dict[str, list[tuple[int, str, float]]] = {"row": [], "bound": []}
    signs: dict[int, float] = {}
    for (kind, k, side), m in zip(labels, own, strict=True):
        if side == "equal":  # entered twice: as a lower and as an upper limit
            signs[k] = m if k not in signs else signs[k] - m
        else:
            kept[kind].append((k, side, float(m)))
    kept["row"] += [(k, "equal", float(m)) for k, m in signs.items()]
    return Kkt(kept["row"], kept["bound"], (found[:n] - found[n:2 * n]) / norms, error, violation)


def sensitivities(statement: Any, v: Any, kkt: Kkt, of: Sequence[str]) -> dict[str, Mapping[str, float]]:
    """Derivatives of the optimum by parameters, disturbances and given inputs: {of: {"objective" or move: derivative}}.

    From the conditions of optimality with the active limits held: second derivatives are central differences of exact
    gradients. Valid as long as the same limits stay active.
    """
    import numpy as np

    active_rows = [(k, m) for k, side, m in kkt.rows if m > 0 or side == "equal"]
    fixed = [k for k, _, m in kkt.bounds if m > 0]
    signs = {k: (-1.0 if side == "upper" else 1.0) for k, side, _ in kkt.rows}
    n = len(v)
    h = 1e-5

    def conditions(x: Any) -> tuple[Any, Any]:
        """Gradient of the Lagrangian, and the active equations with their derivatives."""
        _, gradient = statement.cost(x)
        rates, jacobian = statement.equations(x)
        rows, slopes, _, _ = statement.limited(x)
        pull = jacobian.T @ kkt.equations
        for k, m in active_rows:
            pull = pull + (m * signs[k]) * slopes[k]
        held = np.concatenate([rates, [rows[k] for k, _ in active_rows]])
        return gradient - pull, (held, np.vstack([jacobian, *(slopes[k][None] for k, _ in active_rows)]))

    hessian = np.column_stack([(conditions(v + e)[0] - conditions(v - e)[0]) / (2 * h) for e in h * np.eye(n)])
    _, (_, slopes) = conditions(v)
    slopes = np.vstack([slopes, *(np.eye(n)[k][None] for k in fixed)])
    m = len(slopes)
    matrix = np.block([[0.5 * (hessian + hessian.T), -slopes.T], [slopes, np.zeros((m, m))]])
    base = statement.base
    found: dict[str, Mapping[str, float]] = {}
    for name in of:
        move, size = _mover(statement, name)
        ends = []
        for sign in (1.0, -1.0):
            statement.base = move(sign * h * size)
            cost = statement.cost(v)[0]
            gradient, (held, _) = conditions(v)
            ends.append((gradient, held, cost))
        statement.base = base
        by_gradient, by_held, by_cost = ((a - b) / (2 * h * size) for a, b in zip(*ends, strict=True))
        step, *_ = np.linalg.lstsq(matrix, -np.concatenate([by_gradient, by_held, np.zeros(len(fixed))]), rcond=None)
        duals = np.concatenate([kkt.equations, [signs[k] * q for k, q in active_rows]])
        worth = -(by_cost - float(duals @ by_held)) * statement.size if statement.sign < 0 else \
            (by_cost - float(duals @ by_held)) * statement.size
        moved = (step[:n] * statement.scale)[statement.n_w:statement.n]
        found[name] = {"objective": float(worth), **dict(zip(statement.moves, (float(x) for x in moved), strict=True))}
    return found


def _mover(statement: Any, name: str) -> tuple[Any, float]:
    """Function from a step to the statement's base point, and the size of a parameter, disturbance or given input."""
    check, base = statement.check, statement.base
    names = check.parameter_names()
    entries = check.rows("input", "disturbance")
    if name in statement.moves:
        raise errors.SpecError(f"{check.name}.{name} is moved: the optimum has no derivative by it.")
    if name in names:
        role, k = "p", names.index(name)
        size = abs(base.p[k]) or 1.0
    elif name in entries:
        row = entries[name]
        role, k, size = ("u" if row.signal.role == "input" else "d"), row.start, abs(row.signal.nominal) or 1.0
    else:
        raise errors.unknown("parameter, disturbance or input", name, check.name, [*names, *entries])

    def move(step: float) -> Any:
        values = list(getattr(base, role))
        values[k] += step
        return dataclasses.replace(base, **{role: tuple(values)})

    return move, size
