"""run_job: records against a model, from the job file to the report."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twin import errors
from twin.artifact import as_stored, save
from twin.files import make_folder, write_json
from twin.jobs import findings, kinds, toml
from twin.jobs.balances import Closure, close
from twin.jobs.job import Job, read_job
from twin.jobs.records import Excursion, Records, excursions, plan, read_records
from twin.jobs.steps import Context, Outcome, run_steps
from twin.jobs.store import load_run, run_file, run_key, save_run
from twin.recipe import Profile
from twin.status import Status

Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True, eq=False)
class JobResult:
    """What a job did.

    Attributes
    ----------
    status
        SUCCESS, STOPPED where the user stopped it, or the status of the first run that failed.
    job
        The checked job.
    records
        What was read.
    quality
        The report of `twin.check_data`.
    trajectories
        Finished runs by name.
    resumed
        Names of the runs that an earlier call had finished.
    missing
        {run: reason} of the others.
    comparison
        `twin.compare` of the finished runs, or None where nothing could be compared.
    closures
        Balances, one a balance and run.
    excursions
        Recorded signals outside the limits of the model, by run.
    sentences
        The findings by chapter.
    report, artifact
        The files that were written.
    outcomes
        What the steps of the job gave, by name.
    """

    status: Status
    job: Job
    records: Records
    quality: Any
    trajectories: Mapping[str, Any]
    resumed: tuple[str, ...]
    missing: Mapping[str, str]
    comparison: Any
    closures: tuple[Closure, ...]
    excursions: Mapping[str, tuple[Excursion, ...]]
    sentences: Mapping[str, list[str]]
    seconds: float
    report: Path
    artifact: Path
    outcomes: Mapping[str, Outcome] = dataclasses.field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """True where every run was finished."""
        return bool(self.status)

    @property
    def said(self) -> list[str]:
        """The findings on progress and steps."""
        return [*self.sentences["progress"], *self.sentences["steps"]]

    @property
    def files(self) -> Mapping[str, Path]:
        """The files that were written, by what they are."""
        return {"Report": self.report, "Stored model": self.artifact}

    @property
    def model(self) -> Any:
        """The model as the last step left it."""
        return next((o.model for o in reversed(list(self.outcomes.values())) if o.model is not None), self.job.model)


def run_job(path: str | Path | Job, *, data: str | Path | None = None, output: str | Path | None = None,
            model: Any = None, progress: Progress | None = None) -> Any:
    """Run a job file: read and check records, simulate, compare, close balances, write `twin.h5` and `report.html`.

    Every finished run is stored at once; a second call takes up where the first one stopped, and computes again only
    what the job, the records, the model or the library changed.

    A job file with the table of another kind, such as [plan], goes to the package that registered it under the entry point
    "twinworks.jobkinds".

    Parameters
    ----------
    path
        The job file, or a job from `read_job`.
    data, output, model
        In place of what the file names; see `read_job`.
    progress
        Called with (runs done, runs in all, name of the run that starts).

    Returns
    -------
    JobResult or Done
        What was found and written; `Done` for a job of another kind, whose answer is its `value`. Both have `status`, `usable`,
        `said` and `files`.

    Raises
    ------
    SpecError, DataError
        Where the job or the records are wrong.
    StorageError
        Where the output folder cannot be written; an earlier result there stays whole.
    """
    if not isinstance(path, Job):
        top = toml.load(Path(path))
        kind = kinds.find(top)
        if kind is not None:
            if data is not None or model is not None:
                raise errors.SpecError(f"{path} takes no records and no model. Leave --data out: the job file names its tables.")
            return kind.run(top, output, progress)
    return _run_records(path, data, output, model, progress)


def _run_records(path: str | Path | Job, data: str | Path | None, output: str | Path | None, model: Any,
                 progress: Progress | None) -> JobResult:
    started = time.perf_counter()
    job = path if isinstance(path, Job) else read_job(path, data=data, output=output, model=model)
    folder = make_folder(job.folder)
    make_folder(folder / "runs")
    records = read_records(job)
    quality = _quality(job, records)
    stored = as_stored(job.model)
    done, resumed, missing, status = _simulate(job, records, stored, folder, progress)
    comparison = _compare(job, records, done)
    closures = tuple(close(b, run, job.model, t, plan(job, run, records.runs[run])[0], records.runs[run])
                     for b in job.balances for run, t in done.items())
    outside = {run: excursions(job, measured) for run, measured in records.runs.items()}
    outcomes: dict[str, Outcome] = {}
    if job.steps and status is not Status.STOPPED:
        said = (lambda text: progress(len(done), len(done), text)) if progress is not None else (lambda text: None)
        outcomes = run_steps(job.steps, Context(job, records, job.model, done, comparison, folder, {}, said))
        status = next((o.status for o in outcomes.values() if o.status is Status.STOPPED), status)
    sentences = {"progress": findings.about_progress(list(done), missing),
                 "quality": findings.about_quality(quality),
                 "comparison": findings.about_comparison(comparison, job.signals) if done else [],
                 "use": findings.about_use(comparison),
                 "extrapolation": findings.about_excursions(outside),
                 "unknown": findings.about_unknown(job, records),
                 "balances": findings.about_balances(closures),
                 "steps": [f"{o.title}: {s}" for o in outcomes.values() for s in o.sentences[:1]]}
    result = JobResult(status, job, records, quality, done, resumed, missing, comparison, closures, outside, sentences,
                       time.perf_counter() - started, folder / "report.html", folder / "twin.h5", outcomes)
    _write(result)
    return result


def _quality(job: Job, records: Records) -> Any:
    from twin.quality import check_data

    return check_data(records.data, job.model)


def _simulate(job: Job, records: Records, stored: Any, folder: Path, progress: Progress | None
              ) -> tuple[dict[str, Any], tuple[str, ...], dict[str, str], Status]:
    done: dict[str, Any] = {}
    resumed, missing, status = [], {}, Status.SUCCESS
    identity = _identity(stored)
    names = list(records.runs)
    plans = {run: plan(job, run, records.runs[run]) for run in names}  # all are checked before the first is simulated
    try:
        for k, run in enumerate(names):
            if progress is not None:
                progress(k, len(names), run)
            inputs, initial = plans[run]
            times = _times(job, records.runs[run])
            fed = {n: [v.times, v.values, v.hold] if isinstance(v, Profile) else v for n, v in inputs.items()}
            key = run_key(identity, fed, initial, times, job.rtol, job.refuse_limits)
            trajectory = load_run(run_file(folder, run), key, stored)
            if trajectory is not None:
                resumed.append(run)
            else:
                trajectory = _one(job, stored, inputs, initial, times)
                if trajectory.status is Status.STOPPED:
                    raise KeyboardInterrupt
                if trajectory.status:
                    save_run(run_file(folder, run), key, trajectory)
            if trajectory.status:
                done[run] = trajectory
            else:
                missing[run] = trajectory.message or str(trajectory.status)
                status = status if not status else trajectory.status
    except KeyboardInterrupt:
        status = Status.STOPPED
        missing |= {run: "The job was stopped before; run it again to go on." for run in names
                    if run not in done and run not in missing}
    if progress is not None:
        progress(len(done) + len(missing), len(names), "writing the report")
    return done, tuple(resumed), missing, status


def _one(job: Job, stored: Any, inputs: Mapping[str, Any], initial: Mapping[str, Any], times: list[float]) -> Any:
    import twin

    try:
        trajectory = twin.simulate(stored, dict(inputs), initial=initial, times=times, rtol=job.rtol,
                                   check_limits=job.refuse_limits, throw=False)
        return dataclasses.replace(trajectory, again=None)  # its times hold all that will be asked for
    except errors.ConvergenceError as e:  # the start itself may have no consistent algebraics
        raise errors.SpecError(f"{job.path}: {e}") from e


def _times(job: Job, measured: Mapping[str, tuple[list[float], list[float]]]) -> list[float]:
    """All times of the records from 0 on, so that the model has a value at every measurement and every jump."""
    grid = sorted({0.0, *(t for times, _ in measured.values() for t in times if t > 0)})
    if job.duration is None:
        return grid
    from twin.simulation.checks import number

    end = number("duration", job.duration, job.model.time_unit)
    return [t for t in grid if t < end] + [end]


def _identity(stored: Any) -> list[str]:
    import twin

    return [twin.__version__, hashlib.sha256(stored.system.to_json().encode()).hexdigest()]


def _compare(job: Job, records: Records, done: Mapping[str, Any]) -> Any:
    from twin.simulation.comparison import compare

    measured = {run: {s: records.runs[run][s] for s in job.signals if s in records.runs[run]} for run in done}
    runs = [_Measured(run, series) for run, series in measured.items() if series]
    if not runs:
        return None
    return compare({r.name: done[r.name] for r in runs}, runs)


@dataclasses.dataclass(frozen=True)
class _Measured:
    """A run of plain lists in the units of the model, as `compare` takes it."""

    name: str
    table: Mapping[str, tuple[list[float], list[float]]]

    @property
    def series(self) -> tuple[_Series, ...]:
        return tuple(_Series(n, *columns) for n, columns in self.table.items())


@dataclasses.dataclass(frozen=True)
class _Series:
    name: str
    times: list[float]
    values: list[float]
    unit: str = ""


def _write(result: JobResult) -> None:
    import twin
    from twin.jobs.page import write_pictures, write_report

    job = result.job
    save(result.artifact, result.model, data=result.records.data, note=f"Job '{job.title}'. {job.note}".strip())
    rows = [] if result.comparison is None else [dataclasses.asdict(d) for d in result.comparison.deviations]
    summary = {"title": job.title, "status": result.status.name, "library": twin.__version__,
               "finished": list(result.trajectories), "missing": dict(result.missing), "deviations": rows,
               "balances": [dataclasses.asdict(c) for c in result.closures], "sentences": result.sentences,
               "steps": {name: {"status": o.status.name, "sentences": list(o.sentences), **o.summary}
                         for name, o in result.outcomes.items()}}
    write_json(job.folder / "summary.json", summary)
    try:
        pictures, lack = write_pictures(result), ""
    except errors.MissingExtraError as e:
        pictures, lack = {}, str(e)
    write_report(result, pictures, lack)
