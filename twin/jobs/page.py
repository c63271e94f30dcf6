"""The report of a job: one page that a plant manager reads from top to bottom."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twin.files import replace_file
from twin.jobs import findings
from twin.jobs.findings import GRADES, grade
from twin.report import figures
from twin.report.page import MINUS, Cell, Page, number, pretty

if TYPE_CHECKING:
    from twin.jobs.run import JobResult


MANY = 8  # findings shown before the others are folded away
SOUND = 95.0  # score from which a tag is called sound


def write_pictures(result: JobResult) -> dict[str, bytes]:
    """All pictures as PNG by name; the overview is also written beside the report, as `overview.png`."""
    found: dict[str, bytes] = {}
    shown, headline = result.job.signals, result.job.headline
    if not result.trajectories:
        return found
    points = result.comparison.points if result.comparison is not None else {}
    first = {run: points[run, headline] for run in result.trajectories if (run, headline) in points}
    found["overview"] = figures.png(figures.overview(result.trajectories, first, headline))
    for run, trajectory in result.trajectories.items():
        mine = {s: points[run, s] for s in shown if (run, s) in points}
        acted = trajectory.names("input", "disturbance")
        moved = [n for n in acted if float(trajectory[n].max() - trajectory[n].min()) > 0]
        found[f"run {run}"] = figures.png(figures.run_with_residuals(trajectory, mine, shown, moved))
    for balance in dict.fromkeys(c.balance for c in result.closures):
        bars = [c for c in result.closures if c.balance == balance and c.start + c.entered > 0]
        if bars:
            found[f"balance {balance}"] = figures.png(figures.balance_bars(bars))
    replace_file(result.job.folder / "overview.png", lambda temporary: temporary.write_bytes(found["overview"]))
    return found


def write_report(result: JobResult, pictures: Mapping[str, bytes], lack: str = "") -> None:
    """Write `report.html`; `lack` says why there are no pictures, where there are none."""
    page = Page(result.job.title, result.job.note)
    _summary(page, result, pictures)
    page.say(lack, "note")
    _quality(page, result)
    _comparison(page, result)
    _runs(page, result, pictures)
    _balances(page, result, pictures)
    _steps(page, result)
    _model(page, result)
    _method(page, result)
    page.write(result.report, f"Made by Twinworks {_versions()['twinworks']} from {result.job.path.name}. "
                              "This page is complete in itself: it loads nothing and runs nothing.")


def _summary(page: Page, result: JobResult, pictures: Mapping[str, bytes]) -> None:
    page.section("In short")
    runs, done = len(result.records.runs), len(result.trajectories)
    measured = sum(len(v) for run in result.records.runs.values() for _, v in run.values())
    closed = [c.closed for c in result.closures]
    page.tiles({"runs simulated": f"{done} of {runs}", "measurements read": f"{measured:,}",
                "records sound and within limits": f"{result.quality.score:.0f} %",
                "balances closed": f"{sum(closed)} of {len(closed)}"})
    if not result.status:
        page.say(str(result.status), "note")
    said = result.sentences
    chapters = ("progress", "quality", "comparison", "use", "extrapolation", "unknown", "balances", "steps")
    page.points([sentence for chapter in chapters for sentence in said[chapter]])
    if "overview" in pictures:
        shown = pretty(result.job.headline)
        given = [pretty(t.signal) for t in result.job.tags if t.signal in _acted(result.job.model)]
        page.picture(pictures["overview"], f"{shown} of every run, records and model",
                     f"{shown[:1].upper()}{shown[1:]}: records as points, the published model as a line. The model "
                     f"was given only what was done to the plant ({', '.join(given)}); nothing was fitted.")


def _quality(page: Page, result: JobResult) -> None:
    page.section("Are the records sound?", "Before anything is compared, every tag is checked for gaps, frozen "
                                           "sensors, spikes, "
                 "duplicates and values outside the limits of the model.")
    quality = result.quality
    page.say(f"Score {quality.score:.1f} of 100: the share of expected samples that nothing was found against.")
    page.points(f.message for f in quality.findings[:MANY])
    if len(quality.findings) > MANY:
        page.fold(f"{len(quality.findings) - MANY} more findings")
        page.points(f.message for f in quality.findings[MANY:])
        page.unfold()
    runs, tags = (list(dict.fromkeys(getattr(r, k) for r in quality.rows)) for k in ("run", "tag"))
    scores = {(r.run, r.tag): r.score for r in quality.rows}
    page.table(["score of", *runs], [[pretty(tag), *[_score(scores.get((run, tag))) for run in runs]] for tag in tags])
    page.fold("All measures", "shares in percent of the expected samples; those that are zero everywhere are left out")
    frame = quality.table().drop(columns=["unit", "time_unit", "changes"])
    frame = frame[[c for c in frame.columns if c in ("run", "tag", "samples", "score", "todo") or (frame[c] != 0).any()]]
    rows = [[_native(v) for v in row] for row in frame.to_numpy().tolist()]
    page.table([pretty(str(c)).replace("todo", "what to do") for c in frame.columns], rows)
    page.unfold()
    if result.records.unused:
        page.say(f"Columns of {result.job.data_file.name} that were left out: {', '.join(result.records.unused)}.")
    notes = [f"{t.column} is read as {t.signal}: {t.note}." for t in result.job.tags if t.note]
    page.points(notes)


def _comparison(page: Page, result: JobResult) -> None:
    words = "; ".join(f"up to {limit:.0%}: {text}" for limit, text in GRADES[:-1])
    page.section("How well does the model follow?", "Root mean square error (RMSE) of model less measurement for each "
                                                    "signal "
                 f"and run. In brackets: over the measured range. Words used here: {words}; above: {GRADES[-1][1]}.")
    comparison = result.comparison
    if comparison is None:
        page.say("Nothing could be compared: no run was finished, or none of the compared signals is in the records.")
        return
    signals = list(dict.fromkeys(d.signal for d in comparison.deviations))
    rows = []
    for run in dict.fromkeys(d.run for d in comparison.deviations):
        row: list[Any] = [Cell(run, "")]
        for signal in signals:
            found = [d for d in comparison.deviations if (d.run, d.signal) == (run, signal)]
            row.append(_error(found[0]) if found else "not measured")
        rows.append(row)
    units = {d.signal: d.unit for d in comparison.deviations}
    page.table(["run", *[f"{pretty(s)} [{units[s]}]" for s in signals]], rows)
    page.points(comparison.skipped)
    page.fold("All measures", "number of points, RMSE, bias (mean of model less measurement), coefficient of "
                              "determination")
    page.table(["run", "signal", "unit", "points", "RMSE", "RMSE / range", "bias", "R²"],
               [[Cell(d.run, ""), pretty(d.signal), d.unit, d.count, d.rmse, d.nrmse, d.bias, d.r2]
                for d in comparison.deviations])
    page.unfold()


def _score(score: float | None) -> Cell:
    return Cell(math.nan if score is None else score, "" if score is None else "good" if score >= SOUND else "warn")


def _error(deviation: Any) -> Cell:
    if deviation.nrmse != deviation.nrmse:
        return Cell(number(deviation.rmse, 3), "")
    look = "good" if deviation.nrmse <= GRADES[1][0] else "warn" if deviation.nrmse > GRADES[2][0] else ""
    return Cell(f"{number(deviation.rmse, 3)} ({deviation.nrmse:.0%})", look)


def _runs(page: Page, result: JobResult, pictures: Mapping[str, bytes]) -> None:
    page.section("Run by run", "Records as points, the model as a line; below each signal the residual, model less "
                 "measurement. Limits that the model is stated for are shaded where they are in view.")
    for k, (run, trajectory) in enumerate(result.trajectories.items()):
        mine = [d for d in result.comparison.deviations if d.run == run] if result.comparison is not None else []
        worst = max(mine, key=lambda d: d.nrmse if d.nrmse == d.nrmse else -1.0, default=None)
        aside = f"worst: {pretty(worst.signal)} {grade(worst.nrmse)}" if worst and worst.nrmse == worst.nrmse else ""
        page.fold(run, aside, unfolded=k == 0)
        if f"run {run}" in pictures:
            page.picture(pictures[f"run {run}"], f"signals of {run} with residuals")
        page.points([e.sentence()[:1].upper() + e.sentence()[1:] for e in result.excursions[run]])
        origin = "Taken over from an earlier call" if run in result.resumed else "Simulated now"
        steps = f" in {int(trajectory.stats['steps']):,} steps" if "steps" in trajectory.stats else ""
        page.say(f"{trajectory.status} {origin}{steps}.", "soft")
        page.unfold()
    page.points(findings.about_missing(result.missing))


def _balances(page: Page, result: JobResult, pictures: Mapping[str, bytes]) -> None:
    if not result.job.balances:
        return
    page.section("Do the balances close?", "What a vessel holds at the end must be what it held at the start, plus "
                                           "what entered, "
                 "less what left. A model whose balance does not close makes or loses matter.")
    said = dict(zip(dict.fromkeys(c.balance for c in result.closures), result.sentences["balances"], strict=False))
    for balance in result.job.balances:
        mine = [c for c in result.closures if c.balance == balance.name]
        page.heading(f"{balance.name[:1].upper()}{balance.name[1:]}")
        page.say(balance.note, "soft")
        if not mine:
            page.say("No run was finished.")
            continue
        page.say(said[balance.name])
        if f"balance {balance.name}" in pictures:
            page.picture(pictures[f"balance {balance.name}"], f"{balance.name}: where it is at the end of every run",
                         "Where it is at the end, in percent of what was there and came in: a bar that ends at the "
                         "line closes.")
        told = any(c.measured == c.measured for c in mine)
        columns = ["run", "at start", "entered", "left", "at end", "mismatch", "share"]
        page.table(columns + ["left, by the records"] * told,
                   [[Cell(c.run, ""), c.start, c.entered, c.left, c.end, Cell(number(c.mismatch, 2), ""),
                     Cell(_share(c.share), "good" if c.closed else "warn"),
                     *[c.measured if abs(c.measured) > 1e-3 * c.entered else 0.0] * told] for c in mine],
                   caption=f"in {balance.unit}")


def _steps(page: Page, result: JobResult) -> None:
    """A section for each step of the job."""
    for outcome in result.outcomes.values():
        page.section(outcome.title)
        if not outcome.status:
            page.say(str(outcome.status), "note")
        page.points(outcome.sentences)
        for caption, picture in outcome.pictures.items():
            page.picture(picture, caption, caption)
        for caption, columns, rows in outcome.tables:
            page.table(columns, rows, caption)


def _model(page: Page, result: JobResult) -> None:
    model = result.job.model
    doc = (type(model).__doc__ or "").strip().split("\n\n")
    page.section("The model", *[" ".join(part.split()) for part in doc])
    page.fold("Signals", "with the limits that the model is stated for")
    page.table(["signal", "role", "unit", "lower", "upper", "what"],
               [[s.name, s.role, s.unit, s.lower, s.upper, s.doc] for s in model.signals])
    page.unfold()
    page.fold("Parameters", "published values, as used here")
    values = dict(zip(model.parameter_names(), model.parameter_vector(), strict=True))
    page.table(["parameter", "value", "unit", "what", "source"],
               [[f.name, Cell(f"{values[f.name]:g}", "") if f.name in values else "table", f.metadata["unit"],
                 f.metadata["doc"], f.metadata["source"]]
                for f in dataclasses.fields(model) if f.metadata.get("kind") == "parameter"])
    page.unfold()


def _method(page: Page, result: JobResult) -> None:
    job = result.job
    page.section("What was done")
    held = [f"{pretty(n)} held at {v}" for n, v in job.inputs.items()]
    first = [pretty(n) for n, v in job.initial.items() if v == "first"]
    given = [f"{pretty(n)} = {v}" for n, v in job.initial.items() if v != "first"]
    page.points([
        f"Read {job.data_file.name} (SHA-256 {_sha(job.data_file)}), {len(result.records.runs)} runs, by the tag map "
        f"of {job.path.name}.",
        "Simulated each run with the inputs of its records, held from one record to the next"
        + (f"; not recorded: {', '.join(held)}" if held else "") + ".",
        "Initial states are the published ones"
        + (f", except the first measurement of {', '.join(first)}" if first else "")
        + (f", and {', '.join(given)}" if given else "") + ".",
        f"Relative tolerance of the integrator {job.rtol:g}. No parameter was fitted.",
        f"Stored the model with its programs in {result.artifact.name}: it runs without its class and without JAX.",
        f"Took {result.seconds:.1f} s; {len(result.resumed)} runs were taken over from an earlier call.",
    ])
    page.table(["part", "version"], list(_versions().items()))


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    import twin

    found = {"twinworks": twin.__version__, "Python": platform.python_version(), "machine": platform.machine()}
    for name in ("numpy", "pandas", "h5py", "jax", "matplotlib"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _sha(path: Any) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:  # noqa: PTH123
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def _share(share: float) -> str:
    return f"{share:.1{'e' if abs(share) < 1e-3 else '%'}}".replace("-", MINUS)


def _acted(model: Any) -> set[str]:
    return {s.name for role in ("input", "disturbance") for s in model.of_role(role)}


def _native(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(str, value))
    return value if isinstance(value, int | float | str) or value is None else str(value)
