"""Checks of measured data: what is wrong with which tag, from when to when, and what to do about it."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {"check_data": "twin.quality.check", **dict.fromkeys(("Finding", "QualityReport", "TagQuality"),
                                                               "twin.quality.report"),
           **dict.fromkeys(("reconcile", "Reconciled"), "twin.quality.reconciliation"),
           "GrossError": "twin.quality.gross_errors",
           **dict.fromkeys(("SteadyDetector", "SteadyInfo", "SteadyPeriod", "steady_periods"), "twin.quality.steady_detection")}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
