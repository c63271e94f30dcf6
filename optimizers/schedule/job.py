"""Job files with [plan]: tables in, the checked plan with pictures and a report out."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizers.schedule import page
from optimizers.schedule.checking import check
from optimizers.schedule.problem import Goal, Schedule
from optimizers.schedule.replaying import replay
from optimizers.schedule.tables import COLUMNS, schedule_from_tables
from optimizers.schedule.views import export, lateness
from optimizers.solving import solve
from twin import errors, units
from twin.files import make_folder, replace_file, write_json
from twin.jobs.kinds import Done, Kind
from twin.jobs.toml import Table
from twin.status import Status

if TYPE_CHECKING:
    from optimizers.solution import Solution

TOP = ("title", "note", "plan", "output")
NUMBERS = ("step", "horizon", "now", "power_limit")
TEXTS = ("time_unit", "power_unit", "currency")
OPTIONS: dict[str, type] = {"max_seconds": float, "seed": int, "workers": int, "gap": float, "search": str}
KEYS = ("tables", "goal", "reference", "hours", "color", *NUMBERS, *TEXTS, *OPTIONS)
GOALS = tuple(f.name for f in dataclasses.fields(Goal))
PLANS = ("plan.csv", "plan.xlsx", "plan.png")  # not there where there is no plan


@dataclasses.dataclass(frozen=True, eq=False)
class PlanJob:
    """A checked job: the plan, the goal it is compared with, options of `optimizers.solve`, and where the answer goes."""

    path: Path
    title: str
    note: str
    plan: Schedule
    files: Mapping[str, Path]
    reference: Goal | None
    reference_name: str
    options: Mapping[str, Any]
    color: str
    folder: Path


@dataclasses.dataclass(frozen=True, eq=False)
class Planned:
    """What came out: the best plan, the plan of the reference, and the same numbers as the goal of the job counts them."""

    job: PlanJob
    best: Solution
    reference: Solution | None
    compared: float | None
    sentences: tuple[str, ...]
    late: tuple[str, ...]


def read_plan(top: Table, output: str | Path | None = None) -> PlanJob:
    """The job that a file with [plan] states, checked; tables are relative to the file, the output folder to the current one.

    Raises
    ------
    SpecError, DataError
        With file and line, where something is unknown, missing, of the wrong type or against the rules of a plan.
    """
    top.only(TOP)
    table = top.table("plan", required=True)
    table.only(KEYS)
    named = table.table("tables", required=True)
    named.only(tuple(COLUMNS))
    files = {key: top.path.parent / named.get(key, str) for key in named.values}
    for key, file in files.items():
        if not file.is_file():
            raise named.error(f"The table '{key}' is the file {file}, which does not exist. Correct its name; it is relative to "
                              "the job file.", key)
    fields: dict[str, Any] = {key: _number(table, key) for key in NUMBERS if key in table.values}
    fields |= {key: table.get(key, str) for key in TEXTS if key in table.values}
    fields["hours"] = _hours(table, fields.get("time_unit", "min"))
    if "goal" in table.values:
        fields["goal"] = _goal(table.table("goal"), ())
    against = table.table("reference")
    reference = _goal(against, ("name",)) if "reference" in table.values else None
    options = {key: table.get(key, kind) for key, kind in OPTIONS.items() if key in table.values}
    for key in ("max_seconds", "workers"):
        if not options.get(key, 1) > 0:
            raise table.error(f"'{key}' of {table.name} is {options[key]:g}. Expected more than 0.", key)
    table.choose("value", options.get("search", "exact"), ("exact", "large"), "search")
    color = table.get("color", str, "family")
    table.choose("value", color, ("family", "order"), "color")
    out = top.table("output")
    out.only(("folder",))
    try:
        plan = schedule_from_tables(files, **fields)
        check(plan)
    except (errors.SpecError, errors.DataError) as e:
        raise named.error(str(e)) from e
    return PlanJob(top.path, top.get("title", str, top.path.stem), top.get("note", str, ""), plan, files, reference,
                   against.get("name", str, "the reference"), options, color,
                   Path(output) if output is not None else Path(out.get("folder", str, top.path.stem)))


def _hours(table: Table, time_unit: str) -> float:
    if "hours" in table.values:
        hours = _number(table, "hours")
        if not hours > 0:
            raise table.error(f"hours is {hours:g}. Expected how many hours one time unit is, more than 0.", "hours")
        return hours
    try:
        return units.convert(1.0, time_unit, "h")
    except errors.UnitError as e:
        raise table.error(f"The time unit '{time_unit}' is no known unit of time. Say how many hours it is: hours = 0.25",
                          "time_unit") from e


def _number(table: Table, key: str) -> float:
    value: float = table.get(key, float)
    if not math.isfinite(value):
        raise table.error(f"'{key}' of {table.name} is {value:g}. Expected a finite number.", key)
    return value


def _goal(table: Table, more: tuple[str, ...]) -> Goal:
    table.only((*GOALS, *more))
    return Goal(**{key: _number(table, key) for key in GOALS if key in table.values})


class PlanKind(Kind):
    """Reads [plan], solves it, and writes the plan in the forms that people and programs read."""

    def run(self, top: Table, output: str | Path | None, progress: Callable[[int, int, str], None] | None) -> Done:
        """Nothing is written before the job is checked."""
        job = read_plan(top, output)
        make_folder(job.folder)
        say = progress if progress is not None else (lambda done, total, text: None)
        reference, compared = None, None
        if job.reference is not None:
            say(0, 2, f"plan for {job.reference_name}")
            reference = solve(job.plan.replace(goal=job.reference), throw=False, **job.options)
            if reference.objective is not None:
                compared = replay(job.plan, reference.replay.placed).objective
        say(1, 2, "best plan")
        best = solve(job.plan, throw=False, **job.options)
        late = tuple(lateness(best)) if best.objective is not None else ()
        planned = Planned(job, best, reference, compared, tuple(_sentences(job, best, reference, compared)), late)
        say(2, 2, "writing the report")
        return Done(best.status, best.objective is not None, planned.sentences, _write(planned), planned)


KIND = PlanKind()


def _sentences(job: PlanJob, best: Solution, reference: Solution | None, compared: float | None) -> list[str]:
    unit = f" {best.objective_unit}".rstrip()
    if best.objective is None:
        return [f"{_none(best)}. {best.message}", *best.violated]
    found = [best.message]
    text = f"Objective: {best.objective:,.8g}{unit}, recomputed from the plan by the independent checker"
    if best.bound is not None:
        text += f"; no plan is below {best.bound:,.8g}{unit} (proved)"
    found.append(f"{text}.")
    if compared is not None and reference is not None:
        share = f", {100 * (1 - best.objective / compared):.1f} % less" if compared > 0 else ""
        proved = "" if reference.status else " (the best plan that was found for it, not proved)"
        found.append(f"Compared with {job.reference_name}: {best.objective:,.8g}{unit} in place of "
                     f"{compared:,.8g}{unit}{share}{proved}.")
    elif reference is not None:
        found.append(f"{_none(reference)} for the goal '{job.reference_name}'. {reference.message}")
    return found


def _none(solution: Solution) -> str:
    """That there is no plan, or only that none was found."""
    return "There is no plan" if solution.status is Status.INFEASIBLE else "No plan was found"


def _write(planned: Planned) -> dict[str, Path]:
    """All files, each moved into place whole; what an earlier call left and this one does not make is taken away."""
    import twin

    job, best = planned.job, planned.best
    made: dict[str, Path] = {"Report": job.folder / "report.html"}
    picture, lacks = b"", []
    if best.objective is not None:
        for name in ("plan.csv", "plan.xlsx"):
            try:
                export(best, job.folder / name)
                made["Plan" if name == "plan.csv" else "Workbook"] = job.folder / name
            except errors.MissingExtraError as e:
                lacks.append(str(e))
        try:
            picture = _png(best, job.color)
            made["Picture"] = replace_file(job.folder / "plan.png", lambda temporary: temporary.write_bytes(picture))
        except errors.MissingExtraError as e:
            lacks.append(str(e))
    for name in PLANS:
        if job.folder / name not in made.values():
            with contextlib.suppress(OSError):
                (job.folder / name).unlink(missing_ok=True)
    unit, compared = best.objective_unit, None
    if planned.reference is not None:
        compared = {"name": job.reference_name, "status": planned.reference.status.name, "objective": planned.compared}
    made["Numbers"] = write_json(job.folder / "summary.json", {
        "title": job.title, "status": best.status.name, "message": best.message, "objective": best.objective, "unit": unit,
        "claimed": best.claimed, "bound": best.bound, "gap": best.stats.get("gap"), "seconds": best.stats.get("seconds"),
        "solver": best.solver, "seed": job.options.get("seed", 0), "costs": best.details.get("costs", {}),
        "late": best.details.get("late", {}), "lateness": list(planned.late), "reference": compared,
        "sentences": list(planned.sentences), "library": twin.__version__})
    page.write_report(planned, picture, lacks, made["Report"])
    return made


def _png(best: Solution, color: str) -> bytes:
    buffer = io.BytesIO()
    best.plot(color=color).savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
