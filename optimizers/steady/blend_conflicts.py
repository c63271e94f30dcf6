"""Why a blend is impossible: the smallest set of limits in conflict, and the least change that would do."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from optimizers.backends import linear
from optimizers.steady.blend_program import BlendProgram
from twin.status import Status


@dataclasses.dataclass(frozen=True)
class Claim:
    """One limit that could be given up: rows and columns by position, and how it reads."""

    text: str
    rows: tuple[int, ...] = ()
    column: int = -1


def claims(blend: Any, found: BlendProgram) -> list[Claim]:
    """All limits of a blend as claims."""
    by_name: dict[tuple[str, str], list[int]] = {}
    for limit in found.limits:
        if limit.excess < 0:
            by_name.setdefault((limit.product, limit.name), []).append(limit.row)
    many = len(blend.products) > 1
    made = []
    for (product, name), rows in by_name.items():
        low, high, _ = blend.limit(product, name, blend.products[product].limits[name])
        made.append(Claim(_between(name, low, high, blend.unit(name)) + (f" in {product}" if many else ""), tuple(rows)))
    unit = blend.amount_unit
    for columns, what in ((found.material, "amount of "), (found.product, "amount of ")):
        for name, k in columns.items():
            low, high = found.program.lower[k], found.program.upper[k]
            if low > 0 or math.isfinite(high):
                made.append(Claim(_between(what + name, low if low > 0 else -math.inf, high, unit), column=k))
    for name, row in found.capacity.items():
        made.append(Claim(_between(f"flow through {name}", -math.inf, found.program.row_upper[row], unit), (row,)))
    return made


def smallest(program: linear.LinearProgram, candidates: list[Claim]) -> list[Claim]:
    """An irreducible set: all of it together is impossible, any one of it given up makes it possible.

    Deletion filter: each claim is given up for good where the rest is still impossible without it.
    """
    kept = []
    session = linear.Highs(program)
    for claim in candidates:
        _free(session, claim)
        if session.solve().status is Status.INFEASIBLE:
            continue
        _restore(session, program, claim)
        kept.append(claim)
    return kept


def nearest(blend: Any, found: BlendProgram, program: linear.LinearProgram, conflict: list[Claim],
            told: Callable[[Any], list[str]]) -> list[str]:
    """What the limits of the conflict would have to be, with the least sum of relative changes."""
    lp = program.copy()
    lp.cost = [0.0] * len(lp.cost)
    by_row = {limit.row: limit for limit in found.limits}
    typical = max((v for k in found.product.values() for v in (lp.lower[k], lp.upper[k]) if 0 < v < math.inf), default=1.0)
    for claim in conflict:
        for row in claim.rows:
            limit = by_row.get(row)
            size = abs(limit.limit) * typical if limit and limit.limit else typical
            if limit and limit.over:
                size = max(size, 1e-3 * max(abs(c) for c in limit.over.values()) * typical)
            for sign in (1.0, -1.0):
                lp.rows[row][lp.column("", cost=1.0 / size)] = sign
        if claim.column >= 0:
            k = claim.column
            low, high = lp.lower[k], lp.upper[k]
            lp.lower[k], lp.upper[k] = 0.0, math.inf
            less, more = (lp.column("", cost=1.0 / max(abs(low), abs(high) if math.isfinite(high) else 0.0, 1e-9))
                          for _ in range(2))
            lp.row("", {k: 1.0, less: 1.0, more: -1.0}, low, high)
    answer = linear.solve(lp)
    return told(answer.x) if answer.status is Status.SUCCESS else []


def _free(session: linear.Highs, claim: Claim) -> None:
    for row in claim.rows:
        session.row_bounds(row, -math.inf, math.inf)
    if claim.column >= 0:
        session.column_bounds(claim.column, 0.0, math.inf)


def _restore(session: linear.Highs, program: linear.LinearProgram, claim: Claim) -> None:
    for row in claim.rows:
        session.row_bounds(row, program.row_lower[row], program.row_upper[row])
    if claim.column >= 0:
        session.column_bounds(claim.column, program.lower[claim.column], program.upper[claim.column])


def _between(name: str, low: float, high: float, unit: str) -> str:
    unit = "" if unit == "-" else f" {unit}"
    if low == high:
        return f"{name} = {low:g}{unit}"
    if math.isinf(low):
        return f"{name} at most {high:g}{unit}"
    if math.isinf(high):
        return f"{name} at least {low:g}{unit}"
    return f"{name} {low:g} to {high:g}{unit}"
