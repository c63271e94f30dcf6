"""Optimizers of set-points, trajectories, schedules and energy against physical constraints."""

from __future__ import annotations

from twin.lazy import exports

# Public name -> module; loaded at first use, so that `import optimizers` costs nothing.
_PUBLIC = {
    "solve": "optimizers.solving",
    **dict.fromkeys(("Nmpc", "NmpcState"), "optimizers.nmpc.controller"),
    "NmpcBatch": "optimizers.nmpc.batch",
    "Track": "optimizers.nmpc.statement",
    "Prediction": "optimizers.nmpc.prediction",
    **dict.fromkeys(("closed_loop", "ClosedLoop"), "optimizers.nmpc.loop"),
    "Mhe": "optimizers.estimation.mhe",
    "Design": "optimizers.design.problem",
    **dict.fromkeys(("Solution", "Active"), "optimizers.solution"),
    **dict.fromkeys(("Trajectory", "Move", "Integral", "Sum"), "optimizers.dynamic.problem"),
    "Ipopt": "optimizers.backends.ipopt",
    "Schedule": "optimizers.schedule.problem",
    "Dispatch": "optimizers.energy.dispatch",
    **dict.fromkeys(("Blend", "Material", "Product", "Pool"), "optimizers.steady.blend"),
    "Setpoints": "optimizers.steady.setpoints",
    "ModifierAdaptation": "optimizers.steady.rto",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
