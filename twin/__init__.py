"""Hybrid process models: write once, simulate, calibrate, optimize, deploy."""

from __future__ import annotations

from twin.lazy import exports
from twin.lazy import jnp as jnp

__version__ = "0.1.0"

# Public name -> module; loaded at first use, so that `import twin` costs nothing.
_PUBLIC = {
    **dict.fromkeys(("TwinError", "SpecError", "UnitError", "DataError", "LoweringError", "ConvergenceError",
                     "StorageError", "MissingExtraError", "ValidityWarning"), "twin.errors"),
    "Status": "twin.status",
    **dict.fromkeys(("state", "algebraic", "input", "disturbance", "output", "parameter", "static", "Signal"),
                    "twin.signals"),
    "Shares": "twin.shares",
    "Module": "twin.module",
    "term": "twin.terms",
    "soft": "twin.limits",
    **dict.fromkeys(("Law", "Station", "Line"), "twin.lines.line"),
    "simulate_line": "twin.lines.simulation",
    **dict.fromkeys(("Mlp", "MonotoneMlp"), "twin.functions"),
    **dict.fromkeys(("GaussianProcess", "Spline"), "twin.bumps"),
    **dict.fromkeys(("Multiply", "Add", "Replace"), "twin.learned"),
    **dict.fromkeys(("Reactions", "reactions"), "twin.stoichiometry"),
    "Values": "twin.values",
    "Description": "twin.describe",
    "connect": "twin.connection",
    **dict.fromkeys(("DynamicModel", "SteadyModel"), "twin.model"),
    **dict.fromkeys(("Recipe", "Phase", "Profile", "PID", "Bolus", "Harvest", "Assign"), "twin.recipe"),
    **dict.fromkeys(("simulate", "simulator"), "twin.simulation.simulate"),
    **dict.fromkeys(("Trajectory",), "twin.simulation.trajectory"),
    "compare": "twin.simulation.comparison",
    "steady": "twin.simulation.steady",
    "linearize": "twin.simulation.linearize",
    "reduce": "twin.simulation.reduction",
    "sweep": "twin.simulation.sweep",
    **dict.fromkeys(("simulate_many", "spawn_executor"), "twin.simulation.ensembles"),
    **dict.fromkeys(("as_numpy", "Equations"), "twin.simulation.numpy_path"),
    "sensitivity": "twin.simulation.sensitivity",
    "as_jax": "twin.simulation.jax_path",
    **dict.fromkeys(("save", "load"), "twin.artifact"),
    "use": "twin.engine.executions",
    "run_job": "twin.jobs.run",
    **dict.fromkeys(("Data", "Run"), "twin.data"),
    "Series": "twin.series",
    **dict.fromkeys(("read", "write"), "twin.io.formats"),
    **dict.fromkeys(("Tag", "TagMap"), "twin.io.tags"),
    "RunWriter": "twin.io.recorder",
    "check_data": "twin.quality.check",
    "train": "twin.learning.training",
    "forecast": "twin.forecasting.forecasting",
    **dict.fromkeys(("AbstractController", "AbstractEstimator", "ControllerInfo", "EstimatorInfo", "Reading"),
                    "twin.controller"),
    **dict.fromkeys(("Ekf", "Ukf"), "twin.estimation.filters"),
    "Scenarios": "twin.scenarios",
    **dict.fromkeys(("Factor", "Factors", "emission_factors"), "twin.ledger.factors"),
    **dict.fromkeys(("Activity", "Ledger", "account"), "twin.ledger.accounting"),
    "Measure": "twin.measure",
    "activities": "twin.ledger.feeds",
    "calibrate": "twin.calibration.fit",
    "Calibration": "twin.calibration.result",
    "Unknown": "twin.calibration.unknowns",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
