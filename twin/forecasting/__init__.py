"""Forecasts with intervals that were measured on runs left out."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {"forecast": "twin.forecasting.forecasting", **dict.fromkeys(("Forecast", "Band"), "twin.forecasting.result"),
           **dict.fromkeys(("Intervals", "measure_intervals"), "twin.forecasting.intervals")}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
