"""Solving a blend: linear program, or global search over pools; answer checked with the formulas as they were given."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from typing import Any

from optimizers.backends import linear
from optimizers.solution import Active, Solution
from optimizers.steady import blend_conflicts, blend_pools, blend_views, forms
from optimizers.steady.blend_program import BlendProgram, LimitRow, assemble, charge, effective_prices
from optimizers.steady.blend_ranges import Ranges
from twin import errors
from twin.status import Status

TOLERANCE = 1e-6
PASSES = 25


def solve(blend: Any, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          gap: float = 1e-6, ranges: bool = True) -> Solution:
    """Solve a blend; `solver`, `start` and `seed` change nothing, because the optimum is proved from any start."""
    begun = time.perf_counter()
    found = assemble(blend)
    _needs_goal(blend, found)
    stats: dict[str, Any] = {"columns": len(found.program.names), "rows": len(found.program.rows)}
    answer, program, bound, shares = _optimum(blend, found, gap, max_seconds, stats)
    stats["seconds"] = time.perf_counter() - begun
    if answer is None or answer.status in (Status.INFEASIBLE, Status.UNBOUNDED, Status.NOT_CONVERGED, Status.TIME_LIMIT):
        return _without_answer(blend, found, program, answer, stats)
    record = checked(blend, found, answer.x)
    sign = -1.0 if maximizes(blend) else 1.0
    status = answer.status
    if blend.pools and not abs(answer.value - bound) <= gap * max(1.0, abs(answer.value)):
        status = Status.FEASIBLE
    active, price_ranges = _active(blend, found, program, answer, ranges)
    details = {"quality": record.quality, "used": record.used, "amount": record.made, "price_range": price_ranges,
               "excess": record.excess} | ({"share": shares} if shares else {})
    proved = math.isfinite(bound)
    return Solution(
        blend, status, _message(blend, record, status), record.decisions, record.objective, objective_unit(blend),
        claimed=sign * answer.value if proved else None, violation=record.violation, violated=record.violated,
        bound=sign * bound if proved else None, active=active, replay=record.quality, solver="HiGHS", stats=stats,
        details=details, views={"table": blend_views.table, "plot": blend_views.plot, "to_frame": blend_views.to_frame})


def maximizes(blend: Any) -> bool:
    """True where the objective is to be great: a profit, or what `maximize` names."""
    return bool(blend.maximize or (not blend.minimize and blend.earns))


def objective_unit(blend: Any) -> str:
    """Unit of the objective."""
    goal = blend.minimize or blend.maximize
    if goal in ("", "cost"):
        return str(blend.money)
    if goal in blend.materials or blend.unit(goal) == "-":
        return str(blend.amount_unit)
    return f"{blend.unit(goal)} {blend.amount_unit}"


def _needs_goal(blend: Any, found: BlendProgram) -> None:
    lp = found.program
    fixed = any(lp.lower[k] > 0 for k in [*found.material.values(), *found.product.values()])
    if not fixed and not maximizes(blend):
        raise errors.SpecError("Nothing has to be made: no product has a lower amount or a price. Give "
                               f"Product(amount=...), such as 100 {blend.amount_unit}.")


def _optimum(blend: Any, found: BlendProgram, gap: float, max_seconds: float | None,
             stats: dict[str, Any]) -> tuple[linear.LinearAnswer | None, linear.LinearProgram, float, Any]:
    """Answer, the program it is the optimum of (at fixed shares where there are pools), proved bound, shares."""
    if not blend.pools:
        return _soft_passes(blend, found, lambda: (linear.solve(found.program, max_seconds=max_seconds), found.program, {}))
    base = linear.solve(found.program)
    if base.status is Status.INFEASIBLE:
        return base, found.program, -math.inf, {}
    highs = blend_pools.flow_bounds(blend, found)
    proved = [-math.inf]

    def once() -> tuple[linear.LinearAnswer, linear.LinearProgram, Any]:
        answer, shares, proved[0], counts = blend_pools.best(found, highs, gap, max_seconds)
        stats.update(counts)
        if answer is None:
            late = stats["rounds"] and max_seconds is not None and math.isfinite(proved[0])
            status = Status.TIME_LIMIT if late else Status.INFEASIBLE
            return linear.LinearAnswer(status), blend_pools.relaxation(found, {}, highs), {}
        return answer, blend_pools.fixed(found, shares), shares

    answer, program, plain, shares = _soft_passes(blend, found, once)
    return answer, program, proved[0] if math.isfinite(plain) else plain, shares


def _soft_passes(blend: Any, found: BlendProgram, once: Any) -> tuple[Any, Any, float, Any]:
    """Answer with soft limits; an excess costs price x excess / denominator.

    Where a denominator is fixed this is linear. Else programs follow each other: first with the denominators of the
    answer before, then with the costs linearized there and a search on the way to the new answer; the best is kept.
    """
    lp, plain = found.program, list(found.program.cost)
    soft = [limit for limit in found.limits if limit.excess >= 0]
    loose = [limit for limit in soft if any(lp.lower[k] != lp.upper[k] for k in limit.under) or len(limit.under) > 1]

    def program_at(under: Mapping[int, float], over: Mapping[int, float]) -> Any:
        lp.cost[:] = plain
        for limit in soft:
            k = limit.excess
            lp.cost[k] += limit.price / under[k]
            for column, c in limit.under.items() if limit in loose and over else ():
                lp.cost[column] -= limit.price * over[k] * c / under[k] ** 2
        return once()

    def worth(x: Any) -> float:
        return checked(blend, found, x).objective * (-1.0 if maximizes(blend) else 1.0)

    under = {limit.excess: _typical(found, limit) for limit in soft}
    answer, program, shares = program_at(under, {})
    if answer.status not in (Status.SUCCESS, Status.FEASIBLE) or not loose:
        return answer, program, answer.value, shares
    best = (worth(answer.x), answer.x, answer, program, shares)
    for k in range(PASSES):
        damped = k < PASSES // 2
        x = answer.x if damped else best[1]
        now = {limit.excess: max(limit.under_at(x), 1e-9 * under[limit.excess]) for limit in soft}
        under = {key: 0.5 * (under[key] + now[key]) for key in now} if damped else now
        over = {} if damped else {limit.excess: limit.excess_at(x) for limit in soft}
        answer, program, shares = program_at(under, over)
        if answer.status is not Status.SUCCESS:
            break
        part, value = _line_search(lambda t, a=x, b=answer.x: worth(a + t * (b - a)))
        if value < best[0] - 1e-10 * abs(best[0]):
            best = (value, x + part * (answer.x - x), answer, program, shares)
        elif not damped:
            break
    return dataclasses.replace(best[2], x=best[1]), best[3], -math.inf, best[4]


def _line_search(function: Any) -> tuple[float, float]:
    """The best of a coarse grid on 0 to 1, refined."""
    grid = {k / 10: function(k / 10) for k in range(11)}
    middle, width = min(grid, key=lambda t: grid[t]), 0.1
    for _ in range(20):
        width *= 0.5
        for t in (middle - width, middle + width):
            if 0.0 <= t <= 1.0:
                grid[t] = function(t)
        middle = min(grid, key=lambda t: grid[t])
    return middle, grid[middle]


def _typical(found: BlendProgram, limit: LimitRow) -> float:
    """Size of a denominator before there is an answer."""
    k = found.product[limit.product]
    low, high = found.program.lower[k], found.program.upper[k]
    amount = low if low > 0 else high if math.isfinite(high) else 1.0
    return amount if set(limit.under) == {k} else amount * sum(abs(c) for c in limit.under.values()) / len(limit.under)


@dataclasses.dataclass(frozen=True, eq=False)
class Checked:
    """An answer computed again from its amounts, with the formulas as the user gave them."""

    decisions: Mapping[str, float]
    used: Mapping[str, Mapping[str, float]]
    made: Mapping[str, float]
    quality: Mapping[str, Mapping[str, float]]
    objective: float
    excess: Mapping[tuple[str, str], float]
    violation: float
    violated: list[str]


def checked(blend: Any, found: BlendProgram, x: Any) -> Checked:
    """Amounts, qualities, objective and violations of an answer."""
    scale = max((abs(float(x[k])) for k in found.product.values()), default=0.0)
    x = [float(v) if abs(v) > 1e-11 * scale else 0.0 for v in x]  # what HiGHS leaves of zero is no amount
    used = {p: {s: sum(c * x[k] for k, c in columns.items()) for s, columns in use.items()} for p, use in found.use.items()}
    total = {s: sum(use.get(s, 0.0) for use in used.values()) for s in blend.materials}
    made, quality = {}, {}
    for p, use in used.items():
        dry = {s: amount * blend.materials[s].dry for s, amount in use.items()}
        made[p] = sum(amount * blend.materials[s].yields for s, amount in dry.items())
        carried = {q: sum(amount * blend.materials[s].qualities[q] for s, amount in dry.items()) for q in blend.qualities}
        quality[p] = forms.evaluated({q: v / made[p] if made[p] > 0 else math.nan for q, v in carried.items()}, blend.formulas)
    objective = _objective(blend, total, made, quality)
    excess: dict[tuple[str, str], float] = {}
    violation, violated = 0.0, []
    for p, product in blend.products.items():
        if made[p] <= 1e-9 * max(1.0, *made.values()):
            continue
        for name, given in product.limits.items():
            low, high, price = blend.limit(p, name, given)
            value = quality[p][name]
            over = max(low - value, value - high, 0.0)
            size = max(abs(v) for v in (low, high, value) if math.isfinite(v)) or 1.0
            if price < math.inf:
                if over > TOLERANCE * size:
                    excess[p, name] = over
                    objective += (-1.0 if maximizes(blend) else 1.0) * price * over
            elif over > 0:
                violation = max(violation, over / size)
                if over > TOLERANCE * size:
                    violated.append(f"{name} in {p} is {blend.told(name, value)}, beyond {low:g} to {high:g}.")
    decisions = {**total, **made}
    if len(blend.products) > 1 or blend.pools:
        decisions |= {f"{s} -> {p}": x[k] for p, row in found.direct.items() for s, k in row.items()}
        decisions |= {f"{pool} -> {p}": x[k] for pool, row in found.flow.items() for p, k in row.items()}
    return Checked(decisions, used, made, quality, objective, excess, violation, violated)


def _objective(blend: Any, total: Mapping[str, float], made: Mapping[str, float],
               quality: Mapping[str, Mapping[str, float]]) -> float:
    goal = blend.minimize or blend.maximize
    if goal in blend.materials:
        return total[goal]
    if goal not in ("", "cost"):
        return sum(quality[p][goal] * made[p] for p in made if made[p] > 0)
    spent = sum(amount * blend.materials[s].price for s, amount in total.items())
    for q, value in blend.charges.items():
        spent += charge(blend, q, value) * sum(total[s] * m.dry * m.qualities[q] for s, m in blend.materials.items())
    earned = sum(amount * blend.products[p].price for p, amount in made.items())
    return earned - spent if maximizes(blend) else spent - earned


def _active(blend: Any, found: BlendProgram, program: linear.LinearProgram, answer: linear.LinearAnswer,
            ranges: bool) -> tuple[list[Active], dict[str, tuple[float, float]]]:
    """Limits that hold the optimum back with what one unit of room is worth, and price ranges of the materials."""
    again = linear.Highs(program)
    answer = again.solve()  # for duals, also after a search; the same optimum
    if not len(answer.basic_columns):
        return [], {}
    reach = Ranges(program, answer) if ranges else None
    unit, active = objective_unit(blend), []
    for limit in found.limits:
        found_active = _active_limit(blend, limit, answer, reach, unit)
        if found_active is not None:
            active.append(found_active)
    for columns in (found.material, found.product):
        for name, k in columns.items():
            dual, at = float(answer.column_dual[k]), float(answer.x[k])
            upper = abs(at - program.upper[k]) <= 1e-9 * max(1.0, abs(at))
            held = program.lower[k] == program.upper[k]
            if answer.basic_columns[k] or abs(dual) < 1e-12 or (at <= 0 and not upper):
                continue
            room = reach.of_bound(k) if reach is not None else (math.nan, math.nan)
            side = "equal" if held else "upper" if upper else "lower"
            active.append(Active(f"amount of {name}", side, at, at, blend.amount_unit,
                                 -dual if held or upper else dual, f"{unit} per {blend.amount_unit}",
                                 valid=_span(at, room)))
    for name, row in found.capacity.items():
        dual = float(answer.row_dual[row])
        if abs(dual) > 1e-12:
            high = program.row_upper[row]
            active.append(Active(f"capacity of {name}", "upper", high, high, blend.amount_unit, -dual,
                                 f"{unit} per {blend.amount_unit}"))
    active.sort(key=lambda a: -abs(a.shadow_price * max(abs(a.limit), 1e-9)))
    return active, _price_ranges(blend, found, again, ranges)


def _active_limit(blend: Any, limit: LimitRow, answer: linear.LinearAnswer, reach: Ranges | None, unit: str) -> Active | None:
    dual, under = float(answer.row_dual[limit.row]), limit.under_at(answer.x)
    if answer.basic_rows[limit.row] or abs(dual * under) < 1e-9 * max(1.0, abs(answer.value)) * 1e-3:
        return None
    value = sum(c * float(answer.x[k]) for k, c in limit.over.items()) / under if under else math.nan
    worth = dual * under if limit.side == "lower" else -dual * under
    low, high = reach.of_limit(limit.row, limit.under) if reach is not None else (math.nan, math.nan)
    quantity = blend.unit(limit.name)
    where = f"in {limit.product}" if len(blend.products) > 1 else ""
    return Active(limit.name, limit.side, value, limit.limit, quantity, worth,
                  f"{unit} per {quantity}" if quantity != "-" else unit, where, valid=_span(limit.limit, (low, high)))


def _span(at: float, room: tuple[float, float]) -> tuple[float, float] | None:
    return None if any(math.isnan(v) for v in room) else (at + room[0], at + room[1])


def _price_ranges(blend: Any, found: BlendProgram, session: linear.Highs, ranges: bool) -> dict[str, tuple[float, float]]:
    """Prices as delivered between which the same blend stays the best."""
    if not ranges or blend.minimize not in ("", "cost") or blend.maximize:
        return {}
    spans, other = session.cost_ranges(), effective_prices(blend)
    return {name: tuple(end - other[name] + blend.materials[name].price for end in spans[k])  # type: ignore[misc]
            for name, k in found.material.items()}


def _without_answer(blend: Any, found: BlendProgram, program: linear.LinearProgram, answer: Any,
                    stats: Mapping[str, Any]) -> Solution:
    status = answer.status if answer is not None else Status.NOT_CONVERGED
    message, details = str(status), {}
    if status is Status.UNBOUNDED:
        message = ("The profit has no bound: some product can be made without end. Give an upper amount of a product or of its "
                   "materials.")
    if status is Status.INFEASIBLE:
        conflict = blend_conflicts.smallest(program, blend_conflicts.claims(blend, found))
        near = blend_conflicts.nearest(blend, found, program, conflict, lambda x: _nearest(blend, found, program, conflict, x))
        names = "; ".join(c.text for c in conflict)
        message = f"No blend keeps these limits at once, though it could without any one of them: {names}."
        if not conflict:
            message = "No blend is possible: the sources of a product cannot make it at all."
        if near:
            message += f" Nearest blend: {', '.join(near)}."
        details = {"conflict": [c.text for c in conflict], "nearest": near}
    return Solution(blend, status, message, {}, None, objective_unit(blend), solver="HiGHS", stats=stats, details=details)


def _nearest(blend: Any, found: BlendProgram, program: linear.LinearProgram, conflict: list[blend_conflicts.Claim],
             x: Any) -> list[str]:
    """What the limits in conflict are in the nearest blend."""
    record, told = checked(blend, found, x), []
    rows = {row for claim in conflict for row in claim.rows}
    for p, name in dict.fromkeys((limit.product, limit.name) for limit in found.limits if limit.row in rows):
        told.append(f"{name} {blend.told(name, record.quality[p][name])}")
    columns = {claim.column for claim in conflict}
    for names, amounts in ((found.material, record.decisions), (found.product, record.made)):
        told += [f"amount of {name} {amounts[name]:.4g} {blend.amount_unit}" for name, k in names.items() if k in columns]
    return told


def _message(blend: Any, record: Checked, status: Status) -> str:
    unit = blend.amount_unit
    made = ", ".join(f"{amount:.6g} {unit} of {p}" for p, amount in record.made.items() if amount > 1e-9)
    parts = ", ".join(f"{record.decisions[s]:.6g} {unit} {s}" for s in blend.materials if record.decisions[s] > 1e-9)
    text = f"{made or 'Nothing'} from {parts or 'nothing'}."
    for (p, name), over in record.excess.items():
        text += f" {name} in {p} exceeds its soft limit by {blend.told(name, over)}."
    return text if status is Status.SUCCESS else f"{text} {status}"
