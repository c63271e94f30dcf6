"""What a job found, in sentences for people who run plants."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from twin.jobs.balances import Closure
from twin.jobs.job import Job
from twin.jobs.records import Excursion, Records
from twin.report.page import number, pretty

# Error (RMSE over the range of the measurements) below which a model is said to follow; words for readers, not a test.
GRADES = ((0.05, "follows the records closely"), (0.15, "follows the records"), (0.30, "follows the records roughly"),
          (math.inf, "does not follow the records"))


def grade(nrmse: float) -> str:
    """The word for a relative error."""
    return next(words for limit, words in GRADES if nrmse <= limit)


def about_signal(deviations: Sequence[Any], points: Mapping[tuple[str, str], Any]) -> str:
    """How well one signal is met over all runs; `deviations` are those of this signal."""
    name, unit = pretty(deviations[0].signal), deviations[0].unit
    rmse, bias = fmean(d.rmse for d in deviations), fmean(d.bias for d in deviations)
    errors = [d.nrmse for d in deviations if not math.isnan(d.nrmse)]
    if not errors:
        return f"{_start(name)}: the records are constant; the model is off by {number(bias, 3)} {unit} on average."
    ends = [(m[-1], v[-1]) for d in deviations for _, v, m in [points[d.run, d.signal]]]
    end = fmean(m - v for m, v in ends)
    over = "above" if end > 0 else "below"
    runs = f"{len(deviations)} runs" if len(deviations) > 1 else "one run"
    return (f"{_start(name)}: the model {grade(fmean(errors))} (RMSE {number(rmse, 3)} {unit}, {fmean(errors):.0%} of "
            f"the measured range, over {runs}). Its last value lies {number(abs(end), 3)} {unit} {over} the measured "
            "one on average.")


def about_comparison(comparison: Any, signals: Iterable[str]) -> list[str]:
    """One sentence a compared signal, and one for those that no run measures."""
    found, unmeasured = [], []
    for signal in signals:
        mine = [d for d in comparison.deviations if d.signal == signal] if comparison is not None else []
        if mine:
            found.append(about_signal(mine, comparison.points))
        else:
            unmeasured.append(pretty(signal))
    if unmeasured:
        found.append(f"Not in the records: {', '.join(unmeasured)}. Nothing can be said about how the model does "
                     "there.")
    return found


def about_quality(quality: Any) -> list[str]:
    """The state of the records in a sentence."""
    found = len(quality.findings)
    if not found:
        return ["Records: nothing was found against them."]
    kinds = ", ".join(f"{sum(f.kind == k for f in quality.findings)} {k}" for k in
                      dict.fromkeys(f.kind for f in quality.findings))
    return [f"Records: score {number(quality.score, 3)} of 100, {found} finding{'s' * (found > 1)} ({kinds})."]


def about_use(comparison: Any) -> list[str]:
    """What the model should not be used for as it is."""
    signals = dict.fromkeys(d.signal for d in comparison.deviations) if comparison is not None else ()
    poor = []
    for signal in signals:
        errors = [d.nrmse for d in comparison.deviations if d.signal == signal and not math.isnan(d.nrmse)]
        if errors and fmean(errors) > GRADES[-2][0]:
            poor.append(pretty(signal))
    if not poor:
        return []
    return [f"Consequence: do not decide about {' and '.join(poor)} with this model before it is calibrated on these "
            "records or corrected."]


def about_excursions(excursions: Mapping[str, Sequence[Excursion]]) -> list[str]:
    """Recorded signals outside the limits of the model, one sentence a signal."""
    by_signal: dict[str, list[tuple[str, Excursion]]] = {}
    for run, found in excursions.items():
        for e in found:
            by_signal.setdefault(e.signal, []).append((run, e))
    sentences = []
    for rows in by_signal.values():
        worst = max((e for _, e in rows), key=lambda e: e.share)
        runs = f" (worst of {len(rows)} runs)" if len(rows) > 1 else ""
        sentences.append(f"{_start(worst.sentence()[:-1])}{runs}.")
    return sentences


def about_unknown(job: Job, records: Records) -> list[str]:
    """What the model needs and the records lack, and the other way round."""
    sentences = []
    if job.inputs:
        held = ", ".join(f"{pretty(n)} ({v})" for n, v in job.inputs.items())
        sentences.append(f"Not recorded: {held}; held at the value that the job gives.")
    if records.unused:
        sentences.append(f"Unknown to the model: {', '.join(records.unused)}. These columns were recorded, and "
                         "nothing in the model stands for them.")
    return sentences


def about_balances(closures: Sequence[Closure]) -> list[str]:
    """One sentence a balance over all runs."""
    sentences = []
    for name in dict.fromkeys(c.balance for c in closures):
        mine = [c for c in closures if c.balance == name]
        worst = max(mine, key=lambda c: abs(c.share))
        closed = sum(c.closed for c in mine)
        if closed == len(mine):
            runs = f"in all {len(mine)} runs" if len(mine) > 1 else "in the run"
            text = f"{_start(name)}: closes {runs}; at worst {abs(worst.share):.1e} of the turnover is unaccounted for."
        else:
            text = f"{_start(name)}: {_lower(worst.sentence())} Closed in {closed} of {len(mine)} runs."
        known = [c for c in mine if not math.isnan(c.measured)]
        if known:
            text += " " + _by_the_records(known)
        sentences.append(text)
    return sentences


def about_progress(done: Sequence[str], missing: Mapping[str, str]) -> list[str]:
    """What was finished and what is missing, and why."""
    total = len(done) + len(missing)
    sentences = [f"{len(done)} of {total} runs were simulated to their end." if missing or total > 1
                 else "The run was simulated to its end."]
    return sentences + about_missing(missing)


def about_missing(missing: Mapping[str, str]) -> list[str]:
    """One sentence a reason."""
    reasons: dict[str, list[str]] = {}
    for run, why in missing.items():
        reasons.setdefault(why, []).append(run)
    return [f"Missing: {', '.join(runs)}. {why}" for why, runs in reasons.items()]


def _by_the_records(closures: Sequence[Closure]) -> str:
    """What leaves in the model against what must have left by the measured contents."""
    model, seen = fmean(c.left for c in closures), fmean(c.measured for c in closures)
    unit, turned = closures[0].unit, fmean(c.start + c.entered for c in closures)
    told = (f"{number(seen, 3)} {unit} left" if seen > 1e-3 * turned else f"{number(-seen, 3)} {unit} came in that the "
            "model does not know of" if seen < -1e-3 * turned else "nothing left")
    return f"In the model {number(model, 3)} {unit} leaves on average; by the records, {told}."


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
