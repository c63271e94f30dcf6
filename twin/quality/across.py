"""Checks between series and runs: tags that are copies, redundant tags that drift apart, inputs that never move."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from twin.data import Data, Run
from twin.quality.report import Finding
from twin.series import Series

_MOST = 40  # tags of a run that are compared pair by pair


def pairs(run: Run) -> list[Finding]:
    """Copies, and redundant tags (same dimension, slope near 1 in the first half) that drift apart in the second."""
    from twin import units

    found = []
    for one, other in itertools.combinations(run.series[:_MOST], 2):
        common = _common(one, other) if units.same_dimension(one.unit, other.unit) else None
        if common is None:
            continue
        times, a, b = common
        if one.unit == other.unit and (a == b).all():
            found.append(Finding(run.name, other.name, "twin tag", float(times[0]), float(times[-1]), len(a),
                                 f"{other.name} and {one.name} of run '{run.name}' are equal in all {len(a)} common "
                                 "samples: one tag twice? Keep one."))
        else:
            found += _drift(run, one, other, times, a, units.convert(b, other.unit, one.unit, name=other.name))
    return found


def _common(one: Series, other: Series) -> Any:
    """Times and values of both where both have usable samples that vary; None for too few."""
    import numpy as np

    if np.array_equal(one.times, other.times):
        both = one.usable & other.usable
        t, a, b = one.times[both], one.values[both], other.values[both]
    else:
        t, i, j = np.intersect1d(one.times[one.usable], other.times[other.usable], assume_unique=True,
                                 return_indices=True)
        a, b = one.values[one.usable][i], other.values[other.usable][j]
    if len(t) < 20:
        return None
    return None if np.ptp(a) == 0 or np.ptp(b) == 0 else (t, a, b)


def _drift(run: Run, one: Series, other: Series, times: Any, a: Any, b: Any) -> list[Finding]:
    import numpy as np

    half = len(times) // 2
    x, y = a[:half] - a[:half].mean(), b[:half] - b[:half].mean()
    if not x.any() or not y.any():
        return []
    slope = float((x * y).sum() / (x * x).sum())
    correlation = float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))
    if correlation < 0.9 or not 0.8 < slope < 1.25:
        return []
    apart = b - a
    scatter = float(np.std(np.diff(apart[:half]))) / np.sqrt(2)
    tail = max(5, len(times) // 10)
    shift = float(np.median(apart[-tail:]) - np.median(apart[:half]))
    if abs(shift) < max(6 * scatter, 0.05 * float(np.ptp(a))):
        return []
    return [Finding(run.name, other.name, "drift", float(times[half]), float(times[-1]), len(times) - half,
                    f"{other.name} and {one.name} of run '{run.name}' agree in the first half and differ by "
                    f"{shift:+.3g} {one.unit} more at the end: one of the two drifts. Compare both with a third "
                    "measurement.")]


def excitation(data: Data, names: Iterable[str]) -> list[Finding]:
    """Series that have one and the same value in all runs."""
    found = []
    for name in names:
        held = [run[name] for run in data if name in run]
        values = {v for s in held for v in s.values[s.usable].tolist()}
        if len(values) == 1 and sum(len(s) for s in held) > 1:
            found.append(Finding("", name, "no excitation", 0.0, max(r.duration for r in data),
                                 sum(len(s) for s in held),
                                 f"{name} is {values.pop():g} {held[0].unit} in all runs: what it does cannot be "
                                 "learned from these data. Add a run in which it moves."))
    return found
