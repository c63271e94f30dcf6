"""Run-to-run control: a setting is chosen before each run from what the runs before it measured."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "RunInfo": "optimizers.run_to_run.contract",
    **dict.fromkeys(("Ewma", "DoubleEwma"), "optimizers.run_to_run.ewma"),
    **dict.fromkeys(("ModelBased", "DriftCurve"), "optimizers.run_to_run.model_based"),
    **dict.fromkeys(("WearForecast", "forecast_wear", "best_change"), "optimizers.run_to_run.maintenance"),
    **dict.fromkeys(("ewma_mse", "ewma_drift_offset", "best_weight"), "optimizers.run_to_run.theory"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
