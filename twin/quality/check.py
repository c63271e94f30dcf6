"""`check_data`: are measured data sound enough to compare a model with, tag by tag and run by run?"""

from __future__ import annotations

from typing import Any

from twin import errors
from twin.data import Data, Run
from twin.quality import across, samples
from twin.quality.report import Finding, QualityReport, TagQuality


def check_data(data: Data | Run, model: Any = None) -> QualityReport:
    """Look for gaps, clock jumps, frozen sensors, spikes, copies, drift, values out of limits, inputs that never move.

    Parameters
    ----------
    data
        The runs, or one of them.
    model
        Model whose signals give units and limits, by name; series that are no signal of it are checked without limits.

    Returns
    -------
    QualityReport
        `str(report)` lists the findings, `.table()` has one row a run and tag.

    Raises
    ------
    UnitError
        Where a series has another dimension than the signal of its name.

    Examples
    --------
    >>> report = check_data(Data.example())
    >>> report.ok, round(report.score)
    (True, 100)
    """
    if isinstance(data, Run):
        data = Data([data])
    if not isinstance(data, Data):
        raise errors.SpecError(f"check_data got a {type(data).__name__}. Expected twin.Data or one of its runs. Read "
                               "it with twin.read, or pass twin.Data.from_frame(frame).")
    signals = {s.name: s for s in model.signals} if model is not None else {}
    rows: list[TagQuality] = []
    findings: list[Finding] = []
    for run in data:
        for series in run.series:
            row, found = samples.examine(run, series, signals.get(series.name))
            rows.append(row)
            findings += found
        findings += across.pairs(run)
    acted = [n for n, s in signals.items() if s.role in ("input", "disturbance")]
    findings += across.excitation(data, acted if model is not None else dict.fromkeys(n for r in data for n in r.names))
    return QualityReport(tuple(rows), tuple(findings))
