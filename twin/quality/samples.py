"""Checks of one series: gaps, clock jumps, frozen stretches, spikes, limits. Each gives findings and marks samples."""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import Any

from twin.data import Run
from twin.quality.report import Finding, TagQuality
from twin.series import BAD, Series, convert_time, mixed_up

FALSE_ALARMS = 1e-3  # expected number of chance stretches that would be called frozen, for each series
_SHORTEST = 8  # samples; fewer equal values in a row say nothing


@dataclasses.dataclass
class _Case:
    """One series under examination; `wrong` marks the samples that something was found against."""

    run: Run
    series: Series
    signal: Any
    findings: list[Finding]
    wrong: Any

    def when(self, time: float) -> str:
        """A time as people of the plant know it."""
        if self.run.start is None:
            return f"{time:.6g} {self.run.time_unit}"
        stamp = self.run.start + datetime.timedelta(microseconds=round(convert_time(time, self.run.time_unit, "us")))
        return stamp.strftime("%Y-%m-%d %H:%M:%S UTC")

    def add(self, kind: str, first: float, last: float, count: int, text: str) -> None:
        message = f"{self.series.name} of run '{self.run.name}' {text}"
        self.findings.append(Finding(self.run.name, self.series.name, kind, float(first), float(last), int(count),
                                     message))


def examine(run: Run, series: Series, signal: Any = None) -> tuple[TagQuality, list[Finding]]:
    """All checks of one series; `signal` is that of the model, for its unit and limits."""
    import numpy as np

    case = _Case(run, series, signal, [], np.zeros(len(series), dtype=bool))
    bad = _bad(case)
    spacing, missing, gaps, jumps = _spacing(case)
    frozen = _frozen(case)
    spikes = _spikes(case, frozen)
    outside = _limits(case)
    values = series.values[series.usable]
    changes = int((np.diff(values) != 0).sum())
    measured = signal is not None and signal.role in ("state", "algebraic", "output")
    if measured and changes == 0 and len(values) >= _SHORTEST:
        case.add("constant", series.times[0], series.times[-1], len(values),
                 f"is {values[0]:g} {series.unit} all the time, in {len(values)} samples: is it measured at all?")
    expected = max(1, len(series) + missing)
    score = 100 * (len(series) - int(case.wrong.sum())) / expected
    marked = {"bad": bad, "frozen": frozen, "spikes": spikes, "outside": outside}
    shares = {"missing": missing / expected} | {name: int(mask.sum()) / expected for name, mask in marked.items()}
    row = TagQuality(run=run.name, tag=series.name, unit=series.unit, time_unit=run.time_unit, samples=len(series),
                     spacing=spacing, gaps=gaps, clock_jumps=jumps, changes=changes, score=score,
                     todo=_todo(case.findings, **shares), **shares)
    return row, case.findings


def _bad(case: _Case) -> Any:
    s = case.series
    bad = s.quality == BAD
    case.wrong |= bad
    if bad.any():
        t = s.times[bad]
        case.add("bad", t[0], t[-1], bad.sum(), f"has {int(bad.sum())} of {len(s)} samples of bad quality, the first "
                                                "at "
                 f"{case.when(t[0])}, the last at {case.when(t[-1])}.")
    return bad


def _spacing(case: _Case) -> tuple[float, int, int, int]:
    """Median spacing, missing samples, gaps, clock jumps."""
    import numpy as np

    s, unit = case.series, case.run.time_unit
    steps = np.diff(s.times)
    if len(steps) < 3:
        return (float(np.median(steps)) if len(steps) else math.nan), 0, 0, 0
    usual = float(np.median(steps))
    ratio = steps / usual
    regular = bool((np.abs(ratio - 1) < 0.05).mean() >= 0.8)
    gap = ratio > (1.5 if regular else 10)
    missing = int(np.maximum(np.round(ratio[gap]) - 1, 0).sum()) if regular else 0
    for k in _longest(np.flatnonzero(gap), steps):
        hint = ""
        if abs(convert_time(steps[k] - usual, unit, "s") - 3600) < 1:
            hint = " One hour is missing: a clock set forward for daylight saving looks like this."
        case.add("gap", s.times[k], s.times[k + 1], max(1, round(ratio[k]) - 1), "has no sample from "
                                                                                 f"{case.when(s.times[k])} to "
                 f"{case.when(s.times[k + 1])} ({steps[k]:g} {unit}; usual spacing {usual:g} {unit}).{hint}")
    late = case.run.duration - float(s.times[-1])
    if regular and late > max(10 * usual, 0.05 * case.run.duration):
        missing += round(late / usual)
        gap = np.append(gap, True)
        case.add("gap", s.times[-1], case.run.duration, round(late / usual),
                 f"ends at {case.when(s.times[-1])}, {late:g} {unit} before the run does.")
    off = np.abs(ratio - np.maximum(np.round(ratio), 1)) > 0.1
    close = ratio < 0.1
    jumps = np.flatnonzero(off & ~close)
    if not regular or len(jumps) > 0.05 * len(steps):  # then the spacing is uneven by nature
        jumps = jumps[:0]
    for k in _longest(jumps, np.abs(steps - usual)):
        case.add("clock", s.times[k], s.times[k + 1], 1, f"steps by {steps[k]:g} {unit} at {case.when(s.times[k])}, no "
                                                         "multiple of "
                 f"its spacing of {usual:g} {unit}: the clock was set, or another logger took over.")
    if regular and close.any():
        k = int(close.argmax())
        case.add("duplicate", s.times[k], s.times[k + 1], close.sum(), f"has {int(close.sum())} "
                                                                       f"sample{'s' if close.sum() > 1 else ''} less "
                                                                       "than a tenth of the "
                 f"spacing after the one before, the first at {case.when(s.times[k + 1])}: sent twice?")
    return usual, missing, int(gap.sum()), len(jumps)


def _longest(at: Any, size: Any, most: int = 5) -> list[int]:
    """At most the five largest, in order of time: a report of a thousand gaps helps nobody."""
    return sorted(sorted((int(k) for k in at), key=lambda k: -size[k])[:most])


def _frozen(case: _Case) -> Any:
    """Stretches of equal values that are too long to be chance for this tag.

    With p the share of repeats outside the long stretches, n values in a row repeat by chance about N p^(n - 1) times
    in N samples; a stretch is called frozen where that number is below `FALSE_ALARMS`. Set points that rarely change
    have p near 1 and are never called frozen. A stretch at the lowest or highest value is called saturated.
    """
    import numpy as np

    s = case.series
    mask = np.zeros(len(s), dtype=bool)
    at = np.flatnonzero(s.usable)
    values = s.values[at]
    if len(values) < 2 * _SHORTEST or (values == values[0]).all():
        return mask
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    first, last = np.concatenate([[0], edges]), np.concatenate([edges, [len(values)]])
    length = last - first
    short = length < _SHORTEST
    rest = int(length[short].sum())
    if rest < 0.3 * len(values):  # a staircase: what is usual cannot be told from the rest
        return mask
    repeat = min(max(float((length[short] - 1).sum()) / rest, 1 / len(values)), 0.999)
    # Repeats of a coarsely rounded signal come in clusters: a frozen stretch must stand out from the usual one as well.
    usual = int(np.median(np.repeat(length, length)))
    enough = max(_SHORTEST * usual, 1 + math.ceil(math.log(FALSE_ALARMS / len(values)) / math.log(repeat)))
    low, high = float(values.min()), float(values.max())
    found = np.flatnonzero(length >= enough)
    kept = set(_longest(found, length))
    ends: dict[float, list[int]] = {}
    for k in found.tolist():
        a, b = int(first[k]), int(last[k]) - 1
        value = float(values[a])
        if value in (low, high):
            ends.setdefault(value, []).append(k)
            continue
        mask[at[a:b + 1]] = True
        if k in kept:
            t0, t1 = s.times[at[a]], s.times[at[b]]
            case.add("frozen", t0, t1, b - a + 1, f"is {value:g} {s.unit} in {b - a + 1} samples in a row, from "
                     f"{case.when(t0)} to {case.when(t1)}: frozen sensor? Elsewhere {1 - repeat:.0%} of its samples "
                     "differ from the one before.")
    for value, stretches in ends.items():
        k = stretches[int(np.argmax(length[stretches]))]
        t0, t1 = s.times[at[first[k]]], s.times[at[last[k] - 1]]
        more = f" (and in {len(stretches) - 1} more)" if len(stretches) > 1 else ""
        case.add("saturated", t0, t1, sum(int(length[k]) for k in stretches), f"is {value:g} {s.unit}, its "
                 f"{'lowest' if value == low else 'highest'} value, in {int(length[k])} samples in a row from "
                 f"{case.when(t0)} to {case.when(t1)}{more}: switched off, or at the end of its range?")
    case.wrong |= mask
    return mask


def _spikes(case: _Case, frozen: Any) -> Any:
    """Single samples far from the median of their six neighbors, on the same side of both next ones."""
    import numpy as np

    s = case.series
    mask = np.zeros(len(s), dtype=bool)
    at = np.flatnonzero(s.usable & ~frozen)
    x = s.values[at]
    if len(x) < 20 or (np.diff(x) == 0).mean() > 0.5:
        return mask
    windows = np.lib.stride_tricks.sliding_window_view(x, 7)
    around = np.median(np.delete(windows, 3, axis=1), axis=1)
    off = x[3:-3] - around
    scale = 1.4826 * float(np.median(np.abs(off - np.median(off))))  # standard deviation of a normal error
    if scale == 0:
        return mask
    before, after = x[3:-3] - x[2:-4], x[3:-3] - x[4:-2]
    found = (np.abs(off) > 10 * scale) & (before * after > 0) & (np.minimum(np.abs(before), np.abs(after)) > 6 * scale)
    if not found.any() or found.mean() > 0.02:  # a signal that is spiky by nature
        return mask
    mask[at[3:-3][found]] = True
    case.wrong |= mask
    k = int(np.flatnonzero(mask)[np.abs(off[found]).argmax()])
    case.add("spike", s.times[mask][0], s.times[mask][-1], mask.sum(), f"has {int(mask.sum())} "
                                                                       f"spike{'s' if mask.sum() > 1 else ''}, the "
                                                                       f"largest {s.values[k]:g} "
             f"{s.unit} at {case.when(s.times[k])}, {np.abs(off[found]).max() / scale:.0f} times its usual scatter "
             "away.")
    return mask


def _limits(case: _Case) -> Any:
    import numpy as np

    s, signal = case.series, case.signal
    mask = np.zeros(len(s), dtype=bool)
    if signal is None or not len(s):
        return mask
    values = s.to(signal.unit).values
    slack = 0.01 * abs(signal.nominal)  # a noisy zero just below its limit is no error
    mask = s.usable & ((values < signal.lower - slack) | (values > signal.upper + slack))
    if not mask.any():
        return mask
    case.wrong |= mask
    t, out = s.times[mask], values[mask]
    hint = mixed_up(s, signal)
    case.add("mixed-up unit" if hint else "limits", t[0], t[-1], mask.sum(),
             f"is {out.min():g} to {out.max():g} {signal.unit} in {int(mask.sum())} of {len(s)} samples from "
             f"{case.when(t[0])} to {case.when(t[-1])}. The model is stated for {signal.lower:g} to {signal.upper:g} "
             f"{signal.unit}.{' ' + hint if hint else ''}")
    return mask


def _todo(findings: list[Finding], missing: float, bad: float, frozen: float, spikes: float, outside: float) -> str:
    kinds = {f.kind for f in findings}
    steps = (("mixed-up unit" in kinds, "Correct the unit of the column."),
             (frozen > 0, "Leave out the frozen stretch, and have the sensor looked at."),
             (outside > 0.5, "Check the unit and the tag: most values lie outside the limits of the model."),
             (outside > 0, "Check the values outside the limits; the model extrapolates there."),
             (bad > 0.2 or missing > 0.2, "Take another time range or another tag: too much is missing."),
             ("clock" in kinds, "Check the clock of the logger before times are compared."),
             (spikes > 0, "Mark the spikes as bad."),
             (bad > 0 or missing > 0, "Use as it is; gaps are bridged by hold."),
             ("duplicate" in kinds, "Remove the samples that were sent twice."),
             ("saturated" in kinds, "Check whether it was switched off or at the end of its range."),
             ("constant" in kinds, "Have the sensor looked at: it never moves."))
    return next((text for holds, text in steps if holds), "Use it.")
