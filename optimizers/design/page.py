"""The report of a design: decisions, limits with margin and shadow price, money and CO2 beside the reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.report.page import Cell, Page, number, pretty

if TYPE_CHECKING:
    from optimizers.design.job import Designed


def write_report(d: Designed, pictures: Sequence[tuple[bytes, str]], lacks: Sequence[str], path: Path) -> None:
    """Write the page; `lacks` says what could not be made for want of a package."""
    import twin

    job, best = d.job, d.best
    report = Page(job.title, job.note)
    report.section("In short")
    if best.objective is not None:
        report.tiles(_tiles(d))
    report.points(d.sentences)
    for lack in lacks:
        report.say(lack, "note")
    for k, (png, caption) in enumerate(pictures[:1]):
        report.picture(png, f"Picture {k + 1} of the answer", caption)
    if best.objective is not None:
        decisions = job.problem.decisions if hasattr(job.problem, "decisions") else job.problem.moves
        report.section("Decisions")
        _rows(report, d, list(decisions))
        report.section("Limits", "Margin: room to the nearer limit. Shadow price: how much the objective gets better for one "
                                 "unit of room "
                       "more; 0 where a limit does not hold the answer back.")
        _rows(report, d, [n for n in d.limits if n not in decisions])
        rest = [n for n in d.metrics if n not in d.limits]
        if rest:
            report.section("Further numbers")
            _rows(report, d, rest)
        _money(report, d)
        _ledger(report, d, pictures[1:])
    report.section("What was done")
    stats = best.stats
    report.points([f"Solver: {best.solver}, {number(float(stats.get('seconds', 0.0)), 3)} s, {stats.get('starts', 1)} starts"
                   + (f", {stats['simulations']} simulations." if "simulations" in stats else "."),
                   "Check: the answer was simulated again, more exactly than in the search; all numbers are of that run."])
    report.write(path, f"Made by Twinworks {twin.__version__} from {job.path.name}. This page is complete in itself: it loads "
                       f"nothing and "
                       "runs nothing.")


def figures(d: Designed) -> list[tuple[Any, str]]:
    """The run of the answer beside the reference, and the ledger."""
    made = [(d.best.plot(), "The answer, and the reference where there is one, simulated.")]
    if d.ledger is not None:
        made.append((d.ledger.plot(), "CO2 of an hour of operation with the answer."))
    return made


def _tiles(d: Designed) -> dict[str, str]:
    job = d.job
    goal = job.problem.maximize or job.problem.minimize
    tiles = {}
    if isinstance(goal, str):
        tiles[pretty(goal)] = f"{number(d.metrics[goal])} {d.units.get(goal, '')}"
        if d.reference:
            tiles[job.reference_name] = f"{number(d.reference[goal])} {d.units.get(goal, '')}"
    if d.money and d.reference:
        saved = sum(b - a for a, b in d.money.values())
        tiles["saved a year"] = f"{number(saved * job.hours_per_year)} {job.currency}"
    if d.saved is not None:
        tiles["CO2 saved a year"] = f"{number(-1e-3 * d.saved.co2 * job.hours_per_year)} t"
    held = sum(1 for a in d.best.active)
    return tiles | {"limits that hold it back": str(held)}


def _rows(report: Page, d: Designed, names: Sequence[str]) -> None:
    bounded = any(n in d.limits for n in names)
    price_of = f"shadow price [{d.best.objective_unit or 'objective'} a unit]"
    columns = ["name", "value", "reference", "unit", *(["lower", "upper", "margin", price_of] if bounded else [])]
    rows = []
    for n in names:
        low, high = d.limits.get(n, (None, None))
        row = [Cell(pretty(n), ""), d.metrics[n], d.reference.get(n), Cell(d.units.get(n, ""), "")]
        if bounded:
            margin, price = d.margin(n), d.prices.get(n, 0.0)
            small = margin is not None and abs(margin) <= 1e-6 * max(1.0, abs(d.metrics[n]))
            row += ["" if low is None else low, "" if high is None else high, 0.0 if small else margin,
                    Cell(price, "warn") if price else 0.0]
        rows.append(row)
    if not d.reference:
        columns, rows = columns[:2] + columns[3:], [r[:2] + r[3:] for r in rows]
    report.table(columns, rows)


def _money(report: Page, d: Designed) -> None:
    if not d.money:
        return
    job = d.job
    report.section("Money", f"Prices: {', '.join(f'{pretty(n)} {p}' for n, p in job.prices.items())}. Negative: "
                            "earned. A year counts "
                            f"{job.hours_per_year:,.0f} h.")
    rows = [[Cell(pretty(n), ""), a, b, b - a, (b - a) * job.hours_per_year] for n, (a, b) in d.money.items()]
    columns = ["of", f"answer [{job.currency}/h]", f"{job.reference_name} [{job.currency}/h]", f"saved [{job.currency}/h]",
               f"saved [{job.currency}/year]"]
    if not d.reference:
        columns, rows = columns[:2], [r[:2] for r in rows]
    report.table(columns, rows)


def _ledger(report: Page, d: Designed, pictures: Sequence[tuple[bytes, str]]) -> None:
    if d.ledger is None:
        return
    report.section("Energy and CO2", "An hour of operation. Uncertainties are standard ones; factors and meters err alike in "
                                     "answer and "
                                     "reference.")
    for title, ledger in (("The answer", d.ledger), ("The answer minus the reference: what is negative is saved", d.saved)):
        if ledger is None:
            continue
        frame = ledger.by_activity()
        report.table(["activity", "scope", "CO2 [kg]", "uncertainty [kg]", "energy [GJ]"],
                     [[Cell(a, ""), Cell(s, ""), *map(float, row)] for (a, s),
                      row in zip(frame.index, frame.to_numpy(), strict=True)], title)
        frame = ledger.by_product()
        if ledger.production:
            report.table(["product", "CO2 [kg]", f"CO2 [kg/{ledger.production_unit}]",
                          f"uncertainty [kg/{ledger.production_unit}]"],
                         [[Cell(str(n), ""), float(r["co2_kg"]), float(r["co2_kg_per_unit"]), float(r["uncertainty_kg_per_unit"])]
                          for n, r in frame.iterrows()])
    report.points(d.ledger.explain().splitlines())
    for png, caption in pictures:
        report.picture(png, "CO2 by activity and product", caption)
