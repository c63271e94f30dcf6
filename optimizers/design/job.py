"""Job files with [design]: solve, set the answer beside the reference in money and CO2, and write the report."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optimizers.design import page
from optimizers.design.problem import Design
from optimizers.design.reading import DesignJob, hourly, read_design
from optimizers.solving import solve
from twin import errors, units
from twin.files import make_folder, replace_file, write_json
from twin.jobs.kinds import Done, Kind
from twin.jobs.toml import Table

if TYPE_CHECKING:
    from optimizers.solution import Solution


@dataclasses.dataclass(frozen=True, eq=False)
class Designed:
    """What came out.

    Attributes
    ----------
    job, best
        The job and its answer.
    metrics, reference
        All numbers by which runs are judged, of the answer and of the reference (empty where there is none).
    limits
        {metric or decision: (lower, upper)}.
    prices
        Shadow price by name, 0 where a limit does not hold the answer back.
    units
        By name.
    money
        {metric: (an hour of the answer, of the reference)} in the currency.
    ledger, saved
        `twin.Ledger` of an hour of the answer, and of it minus the reference; None where no activities are stated.
    sentences
        Findings, the most important one first.
    """

    job: DesignJob
    best: Solution
    metrics: Mapping[str, float]
    reference: Mapping[str, float]
    limits: Mapping[str, tuple[float | None, float | None]]
    prices: Mapping[str, float]
    units: Mapping[str, str]
    money: Mapping[str, tuple[float, float]]
    ledger: Any
    saved: Any
    sentences: tuple[str, ...]

    def margin(self, name: str) -> float | None:
        """Room to the nearer limit."""
        low, high = self.limits.get(name, (None, None))
        room = [d for d in (None if low is None else self.metrics[name] - low,
                            None if high is None else high - self.metrics[name])
                if d is not None]
        return min(room) if room else None


class DesignKind(Kind):
    """Reads [design], solves it, and writes what it saves and what holds it back."""

    def run(self, top: Table, output: str | Path | None, progress: Callable[[int, int, str], None] | None) -> Done:
        """Nothing is written before the job is checked."""
        job = read_design(top, output)
        make_folder(job.folder)
        say = progress if progress is not None else (lambda done, total, text: None)
        say(0, 2, "searching")
        start = None if isinstance(job.problem, Design) else dict(job.reference) or None
        best = solve(job.problem, throw=False, start=start, **job.options)
        say(1, 2, "reference, money and CO2")
        designed = judge(job, best)
        files = _write(designed)
        say(2, 2, "report written")
        return Done(best.status, best.objective is not None, designed.sentences, files, designed)


KIND = DesignKind()


def judge(job: DesignJob, best: Solution) -> Designed:
    """The answer beside the reference."""
    problem = job.problem
    if isinstance(problem, Design):
        found, reference, known = dict(best.details.get("metrics", {})), dict(best.details.get("reference",
                                                                                               {})), dict(problem.units)
    else:
        found, reference, known = _steady(problem, dict(best.value), job.reference) if best.objective is not None else ({}, {},
                                                                                                                        {})
    limits = dict(problem.limits) | dict(problem.decisions if isinstance(problem, Design) else problem.moves)
    money = {n: tuple(hourly(p, known[n], job.currency, n) * v.get(n, 0.0) for v in (found, reference))
             for n, p in job.prices.items()} if found else {}
    ledger = saved = None
    if job.activities and found:
        ledger = _ledger(job, found, known)
        saved = ledger.against(_ledger(job, reference, known)) if reference else None
    prices = {a.name: a.shadow_price for a in best.active}
    designed = Designed(job, best, found, reference, limits, prices, known, money, ledger, saved, ())
    return dataclasses.replace(designed, sentences=tuple(_sentences(designed)))


def _steady(problem: Any, value: Mapping[str, float], reference: Mapping[str, float]) -> tuple[dict[str, float],
                                                                                               dict[str, float], dict[str, str]]:
    """Scalar signals at the answer and at the reference, and their units."""
    import numpy as np

    import twin

    known = {s.name: str(s.unit) for s in problem.model.signals if not s.shape}
    rows = []
    for moves in (value, reference):
        point = twin.steady(problem.model, {**problem.inputs, **moves}, parameters=problem.parameters)[0] if moves else None
        rows.append({} if point is None else {n: float(np.asarray(point[n])) for n in known})
    return rows[0], rows[1], known


def _ledger(job: DesignJob, found: Mapping[str, float], known: Mapping[str, str]) -> Any:
    """An hour of operation."""
    import twin

    made = []
    for name, row in job.activities.items():
        rest = {k: v for k, v in row.items() if k not in ("metric", "factor")}
        made.append(twin.Activity(name=name, factor=row["factor"], amount=found[row["metric"]], unit=known[row["metric"]],
                                  **rest))
    production = {p: units.convert(found[m], known[m], "t/h") for p, m in job.production.items()}
    return twin.account(made, production=production, start=job.ledger_start)


def _sentences(d: Designed) -> list[str]:
    job, best = d.job, d.best
    if best.objective is None:
        return [best.message, *best.violated]
    goal = job.problem.maximize or job.problem.minimize
    said = [best.message]
    if d.reference and isinstance(goal, str):
        before, now, unit = d.reference[goal], d.metrics[goal], d.units.get(goal, "")
        share = f" ({100 * (now / before - 1):+.1f} %)" if before else ""
        said.append(f"Beside {job.reference_name}: {goal} {now:.5g} {unit} in place of {before:.5g} {unit}{share}.")
        missed = [_missed(d, n) for n in d.limits if _missed(d, n)]
        if missed:
            said.append(f"The reference does not meet all limits: {' '.join(missed)} Part of the difference is what this costs "
                        f"or brings.")
    if d.money:
        now, before = (sum(v[k] for v in d.money.values()) for k in (0, 1))
        text = f"Money: {now:,.0f} {job.currency}/h"
        if d.reference:
            text += (f" in place of {before:,.0f} {job.currency}/h, {before - now:,.0f} {job.currency}/h saved: "
                     f"{(before - now) * job.hours_per_year:,.0f} {job.currency} in {job.hours_per_year:,.0f} h a year")
        said.append(f"{text}.")
    if d.ledger is not None:
        text = f"CO2: {d.ledger.co2:,.0f} kg/h, standard uncertainty {d.ledger.uncertainty:,.0f} kg/h"
        if d.saved is not None:
            text += (f"; {-d.saved.co2:,.0f} +- {d.saved.uncertainty:,.0f} kg/h saved: "
                     f"{-1e-3 * d.saved.co2 * job.hours_per_year:,.0f} t a year")
        said.append(f"{text}.")
    finer = getattr(job.problem, "finer", None)
    if finer is not None:
        said.append("Mesh: all numbers, those of the reference too, are of the finer model; the search ran on the coarser one.")
    return [*said, *(str(a) for a in best.active)]


def _missed(d: Designed, name: str) -> str:
    low, high = d.limits[name]
    value, unit = d.reference[name], d.units.get(name, "")
    for limit, side, over in ((low, "lower", low is not None and value < low),
                              (high, "upper", high is not None and value > high)):
        if over and limit is not None and abs(value - limit) > 1e-6 * max(1.0, abs(limit)):
            return f"{name} is {value:.5g} {unit}, its {side} limit {limit:.5g}."
    return ""


def _write(d: Designed) -> dict[str, Path]:
    """All files, each moved into place whole."""
    import twin

    job, best = d.job, d.best
    made = {"Report": job.folder / "report.html"}
    pictures: list[tuple[bytes, str]] = []
    lacks = []
    if best.objective is not None:
        try:
            pictures = [(_png(figure), caption) for figure, caption in page.figures(d)]
            made["Picture"] = replace_file(job.folder / "design.png", lambda temporary: temporary.write_bytes(pictures[0][0]))
        except errors.MissingExtraError as e:
            lacks.append(str(e))
    made["Numbers"] = write_json(job.folder / "summary.json", {
        "title": job.title, "status": best.status.name, "message": best.message, "objective": best.objective,
        "unit": best.objective_unit, "metrics": dict(d.metrics), "reference": dict(d.reference), "units": dict(d.units),
        "limits": {n: list(v) for n, v in d.limits.items()}, "margins": {n: d.margin(n) for n in d.limits} if d.metrics else {},
        "shadow_prices": dict(d.prices), "money_per_hour": {n: list(v) for n, v in d.money.items()}, "currency": job.currency,
        "co2_kg_per_hour": None if d.ledger is None else d.ledger.co2,
        "co2_saved_kg_per_hour": None if d.saved is None else -d.saved.co2,
        "co2_saved_uncertainty": None if d.saved is None else d.saved.uncertainty,
        "solver": best.solver, "stats": dict(best.stats), "sentences": list(d.sentences), "library": twin.__version__})
    page.write_report(d, pictures, lacks, made["Report"])
    return made


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
