"""The report of a plan: what it costs and what is proved, the chart, who waits for whom, every task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizers.schedule.views import resources
from twin.report.page import Cell, Page, number

if TYPE_CHECKING:
    from optimizers.schedule.job import Planned


def write_report(planned: Planned, picture: bytes, lacks: Sequence[str], path: Path) -> None:
    """Write the page; `lacks` says what could not be made for want of a package."""
    import twin

    job, best = planned.job, planned.best
    report = Page(job.title, job.note)
    report.section("In short")
    if best.objective is not None:
        _tiles(report, planned)
    report.points(planned.sentences)
    for lack in lacks:
        report.say(lack, "note")
    if picture:
        report.picture(picture, "Gantt chart of the plan, load and price below it",
                       "What each unit does; below it the load and the price of energy, where there are any.")
    if best.objective is not None:
        _plan(report, planned)
    _statement(report, planned)
    report.write(path, f"Made by Twinworks {twin.__version__} from {job.path.name}. This page is complete in itself: it loads "
                       "nothing and runs nothing.")


def _tiles(report: Page, planned: Planned) -> None:
    best, unit = planned.best, f" {planned.best.objective_unit}".rstrip()
    tiles = {"objective of this plan": f"{best.objective:,.8g}{unit}"}
    if best.bound is not None:
        tiles["proved bound"] = f"{best.bound:,.8g}{unit}"
    if best.stats.get("gap") is not None:
        tiles["gap"] = f"{100 * best.stats['gap']:.2g} %"
    if planned.compared is not None:
        tiles[planned.job.reference_name] = f"{planned.compared:,.8g}{unit}"
    dated = [o for o in planned.job.plan.orders if o.due is not None]
    if dated:
        tiles["orders late"] = f"{len(planned.late)} of {len(dated)}"
    report.tiles(tiles)


def _plan(report: Page, planned: Planned) -> None:
    job, best = planned.job, planned.best
    weights = vars(job.plan.aims)
    report.section("What it costs", "Each part as the independent checker counts it, with its weight in the goal; parts of "
                   "weight 0 are told and do not count.")
    report.table(["part", "amount", "weight"], [[part, float(value), float(weights.get(part, 1.0))]
                                               for part, value in best.details["costs"].items() if value])
    if any(o.due is not None for o in job.plan.orders):
        report.section("Late orders")
        report.points(planned.late or ["No order is late."])
    report.section("Units", f"Times in {job.plan.time_unit}, up to the end of the plan.")
    frame = resources(best)
    report.table([str(c) for c in frame.columns if c != "group"],
                 [[_cell(v) for v in row] for row in frame.drop(columns="group").to_numpy().tolist()])
    report.section("Tasks", f"Times in {job.plan.time_unit}.")
    frame = best.to_frame().sort_values(["start", "unit"])
    if not any(frame["family"]):
        frame = frame.drop(columns="family")
    report.fold(f"All {len(frame)} tasks", unfolded=len(frame) <= 40)
    report.table([str(c) for c in frame.columns], [[_cell(v) for v in row] for row in frame.to_numpy().tolist()])
    report.unfold()


def _statement(report: Page, planned: Planned) -> None:
    job, best = planned.job, planned.best
    goal = ", ".join(f"{name} {weight:g}" for name, weight in vars(job.plan.aims).items() if weight)
    report.section("What was done")
    report.points([
        *[f"Table '{name}': {file.name} (SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()[:16]})."
          for name, file in job.files.items()],
        f"Goal: weights {goal}.",
        f"{len(job.plan.orders)} orders with {len(job.plan.tasks)} tasks on {len(job.plan.units)} units; times "
        f"in {job.plan.time_unit}, in steps of {job.plan.step:g}, up to {job.plan.end_of_time:g}.",
        f"Solver: {best.solver}, {number(float(best.stats.get('seconds', 0.0)), 3)} s, seed {job.options.get('seed', 0)}.",
    ])
    if best.objective is not None:
        report.say("An independent checker replayed the plan on the tables, limit by limit: every limit holds.")


def _cell(value: Any) -> Any:
    return Cell(value, "") if isinstance(value, str) else value
