"""Optimizers of set-points, trajectories, schedules and energy against physical constraints."""

from __future__ import annotations

from twin.lazy import exports

# Public name -> module; loaded at first use, so that `import optimizers` costs nothing.
_PUBLIC = {
    "solve": "optimizers.solving",
    "Design": "optimizers.design.problem",
    **dict.fromkeys(("Solution", "Active"), "optimizers.solution"),
    **dict.fromkeys(("Blend", "Material", "Product", "Pool"), "optimizers.steady.blend"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
