"""Steps of a job that make a model trustworthy on its records: calibrate, train, forecast."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.jobs.records import plan
from twin.jobs.steps import Context, Outcome, Step
from twin.jobs.store import run_key
from twin.report.page import number, pretty
from twin.status import Status


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a table asks for."""

    left_out: tuple[str, ...]
    signals: tuple[str, ...]
    noise: Mapping[str, Any] | None
    options: Mapping[str, Any]


class Calibrate(Step):
    """[calibrate]: parameters from the records."""

    def read(self, table: Any, job: Any) -> Asked:
        """Unknowns, signals, noise and the runs that are left out."""
        table.only(("unknowns", "signals", "noise", "left_out", "loss", "starts", "seed"))
        known = [*job.model.parameter_names(), *(f"initial.{s.name}" for s in job.model.of_role("state"))]
        unknowns = table.texts("unknowns")
        for name in unknowns:
            table.choose("unknown", name, known, "unknowns")
        if not unknowns:
            raise table.error(f'{table.name} has no unknowns. Name parameters: unknowns = ["{known[0]}"]')
        loss = table.choose("loss", table.get("loss", str, "soft_l1"), ("squares", "huber", "soft_l1"), "loss")
        return Asked(table.texts("left_out"), _signals(table, job), _noise(table, job),
                     {"unknowns": unknowns, "loss": loss, "starts": _whole(table, "starts", 1), "seed": _whole(table, "seed", 0)})

    def run(self, asked: Asked, context: Context) -> Outcome:
        """Fit, and tell what is known and what is not."""
        from twin.calibration.fit import calibrate

        options = {k: v for k, v in asked.options.items() if k != "unknowns"}
        fit = calibrate(context.model, _data(context, asked), list(asked.options["unknowns"]), signals=asked.signals,
                        noise=asked.noise, throw=False, progress=lambda *_: None, **_given(context, asked), **options)
        docs = {f.name: f.metadata["doc"] for f in dataclasses.fields(context.model) if f.metadata.get("kind") == "parameter"}
        was = dict(zip(context.model.parameter_names(), context.model.parameter_vector(), strict=True))
        rows = [[n, was.get(n), v, *fit.intervals[n], fit.units[n], docs.get(n, "")]
                for n, v in fit.parameters.items()]
        held = f", {_listed(asked.left_out)} left out" if asked.left_out else ""
        first = f"{len(fit.parameters)} unknowns of {context.model.title} were fitted to the records{held}."
        return Outcome("Calibration", fit.status, [first, *fit.findings],
                       [("Published and calibrated values, with 95 % intervals",
                         ["parameter", "before", "now", "from", "to", "unit", "what"], rows)],
                       _picture("Calibrated model beside the records", fit.plot, "fit"),
                       {"parameters": dict(fit.parameters), "intervals": {k: list(v) for k, v in fit.intervals.items()}},
                       fit.model, fit)


class Train(Step):
    """[train]: learned terms."""

    def read(self, table: Any, job: Any) -> Asked:
        """Terms with the arguments that they see, and how long to train."""
        table.only(("terms", "parameters", "signals", "noise", "left_out", "sizes", "max_iterations", "seed"))
        known = job.model.terms()
        terms = table.table("terms", required=True)
        terms.only(known)
        for name in terms.values:
            for argument in terms.texts(name):
                terms.choose("argument", argument, known[name].arguments, name)
        for name in table.texts("parameters"):
            table.choose("parameter", name, job.model.parameter_names(), "parameters")
        options: dict[str, Any] = {"terms": {n: terms.texts(n) for n in terms.values}, "parameters": table.texts("parameters"),
                                   "max_iterations": _whole(table, "max_iterations", 6), "seed": _whole(table, "seed", 0)}
        sizes = table.get("sizes", list, [0.1, 0.3, 1.0])
        if not sizes or not all(isinstance(v, int | float) and v > 0 for v in sizes) or sizes != sorted(sizes):
            raise table.error(f"sizes are {sizes}. Expected positive numbers, increasing.", "sizes")
        return Asked(table.texts("left_out"), _signals(table, job), _noise(table, job), options | {"sizes": tuple(sizes)})

    def run(self, asked: Asked, context: Context) -> Outcome:
        """Train, and tell what runs that were left out say."""
        result = self._trained(asked, context)
        rows = [[r.run, pretty(r.signal), r.before, r.after, r.unit, f"{100 * r.gain:.0f} %"] for r in result.left_out]
        domain = [[n, a, low, high] for n, named in result.domain.items() for a, (low, high) in named.items()]
        gains = {s: result.gain(s) for s in dict.fromkeys(r.signal for r in result.left_out)}
        return Outcome("Learned terms", result.status, list(result.sentences),
                       [("RMSE of each run when it was left out of training",
                         ["run", "signal", "without correction", "corrected", "unit", "gain"], rows),
                        ("Where the corrections were trained", ["term", "argument", "from", "to"], domain)],
                       _picture("Learning curves, runs left out, and the terms before and after", result.plot),
                       {"gains": gains, "size": result.size, "seconds": result.seconds}, result.model, result)


    def _trained(self, asked: Asked, context: Context) -> Any:
        """The training of an earlier call where nothing has changed since, or a new one, which is kept."""
        import twin
        from twin.artifact import as_stored
        from twin.files import make_folder, replace_file
        from twin.learning.kept import from_text, to_text
        from twin.learning.training import train

        data, given = _data(context, asked), _given(context, asked)
        stored = hashlib.sha256(as_stored(context.model).system.to_json().encode()).hexdigest()
        seen = {r.name: {s.name: [s.times.tolist(), s.values.tolist()] for s in r.series} for r in data}
        key = run_key(twin.__version__, stored, seen, given, asked.signals, asked.noise, asked.options)
        path = make_folder(context.folder / "steps") / f"train-{key[:16]}.json"
        kept = from_text(path.read_text(), context.model) if path.exists() else None
        if kept is not None:
            context.progress("training taken over from an earlier call")
            return kept
        result = train(context.model, data, signals=asked.signals, noise=asked.noise, throw=False, progress=context.progress,
                       **given, **asked.options)
        text = to_text(result) if result.status else None
        if text is not None:
            replace_file(path, lambda temporary: temporary.write_text(text))
        return result


class Forecasts(Step):
    """[forecast]: runs foreseen from what was planned, with intervals."""

    def read(self, table: Any, job: Any) -> Asked:
        """Which runs, which signals, at what level."""
        table.only(("runs", "signals", "level", "source"))
        level = float(table.get("level", float, 0.9))
        if not 0 < level < 1:
            raise table.error(f"level is {level:g}. Expected a share between 0 and 1, such as 0.9.", "level")
        source = table.choose("step", table.get("source", str, "train"), ("train", "calibrate"), "source")
        return Asked(table.texts("runs"), _signals(table, job), None, {"level": level, "source": source})

    def run(self, asked: Asked, context: Context) -> Outcome:
        """Forecast each run and compare with what was measured."""
        from twin.forecasting.forecasting import forecast

        earlier = context.outcomes.get(asked.options["source"])
        if earlier is None or earlier.value is None:
            raise errors.SpecError(f"[forecast] needs the result of [{asked.options['source']}], which has none. Put that table "
                                   "before it.")
        level, names = asked.options["level"], [r.name for r in context.records.data]
        for run in asked.left_out:
            if run not in names:
                raise errors.unknown("run", run, "the records", names)
        rows: list[list[Any]] = []
        sentences: list[str] = []
        pictures: dict[str, bytes] = {}
        summary: dict[str, Any] = {}
        inside = total = 0
        for name in asked.left_out or names:
            run = context.records.data[name]
            inputs, initial = plan(context.job, name, context.records.runs[name])
            ahead = forecast(earlier.value, inputs, initial=initial, duration=run.duration, level=level, signals=asked.signals)
            for signal in asked.signals:
                band = ahead[signal]
                if signal in run:
                    series = run[signal]
                    lower, upper = (_at(ahead.times, v, series.times[series.usable]) for v in (band.lower, band.upper))
                    values = series.values[series.usable]
                    inside += int(((values >= lower) & (values <= upper)).sum())
                    total += len(values)
                rows.append([name, pretty(signal), *ahead.final[signal], band.unit])
            sentences += [f"{name}: {o.sentence(ahead.time_unit)}" for o in ahead.outside]
            pictures |= _picture(f"Forecast of {name}: line and {level:.0%} band, records as points", ahead.plot, asked.signals,
                                 data=run.select(*[s for s in asked.signals if s in run]))
            summary[name] = {s: list(v) for s, v in ahead.final.items()}
        share = inside / total if total else float("nan")
        coverage = ahead.coverage.get("", float("nan"))
        first = (f"{len(asked.left_out or names)} runs were forecast from what was done to them. The {level:.0%} bands hold "
                 f"{number(100 * share, 3)} % of their {total} measurements; {number(100 * coverage, 3)} % was measured "
                 "before, on runs left out of training.")
        return Outcome("Forecasts", Status.SUCCESS, [first, *sentences],
                       [("At the end of each run", ["run", "signal", "forecast", "from", "to", "unit"], rows)], pictures,
                       {"coverage": share, "measured before": coverage, "at end": summary}, None, None)


def _at(times: Any, values: Any, wanted: Any) -> Any:
    import numpy as np

    return np.interp(wanted, times, values)


def _data(context: Context, asked: Asked) -> Any:
    """The runs of the job without those left out."""
    from twin.data import Data

    runs = context.records.data
    for name in asked.left_out:
        if name not in runs.names:
            raise errors.unknown("run", name, "the records", runs.names)
    return Data(r for r in runs if r.name not in asked.left_out)


def _given(context: Context, asked: Asked) -> dict[str, Any]:
    """Inputs and initial states of the runs that are fitted, as the job states them."""
    plans = {run: plan(context.job, run, measured) for run, measured in context.records.runs.items() if run not in asked.left_out}
    return {"inputs": dict(context.job.inputs), "initial": {run: initial for run, (_, initial) in plans.items()}}


def _signals(table: Any, job: Any) -> tuple[str, ...]:
    wanted = table.texts("signals")
    for name in wanted:
        table.choose("compared signal", name, job.signals, "signals")
    return tuple(wanted or job.signals)


def _noise(table: Any, job: Any) -> dict[str, Any] | None:
    if "noise" not in table.values:
        return None
    noise = table.table("noise")
    noise.only(job.signals)
    found = {}
    for name, value in noise.values.items():
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(v, int | float | str) and not isinstance(v, bool) for v in parts):
            raise noise.error(f"'{name}' of {noise.name} is {value!r}. Expected a standard deviation, a share such as "
                              "'3 %', or a list of both.", name)
        found[name] = tuple(parts) if len(parts) > 1 else parts[0]
    return found


def _whole(table: Any, key: str, default: int) -> int:
    value = table.get(key, int, default)
    if isinstance(value, bool) or value < 0:
        raise table.error(f"'{key}' is {value!r}. Expected a whole number, not negative.", key)
    return int(value)


def _picture(caption: str, draw: Any, *args: Any, **options: Any) -> dict[str, bytes]:
    """A picture by its caption; none where there is no matplotlib."""
    from twin.report.figures import png

    try:
        return {caption: png(draw(*args, **options))}
    except errors.MissingExtraError:
        return {}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


CALIBRATE, TRAIN, FORECAST = Calibrate(), Train(), Forecasts()
