"""Runs simulated again under what was found: for pictures, for signals that nobody measured, for swapped labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin.calibration.residuals import Residuals
from twin.engine.runner import Runner
from twin.recipe import Profile, Recipe


def conditions(engine: Residuals, run: str, values: Sequence[float]) -> tuple[list[float], list[float], Recipe]:
    """Initial states, parameters and recipe of a run, biases added, for a simulation of the plain model."""
    shot = next(s for s in engine.shots if s.experiment.name == run)
    x0, p, _ = shot.point(values)
    n = len(p) - len(engine.biases)
    return x0, p[:n], shifted(shot.experiment.recipe, dict(zip(engine.biases, p[n:], strict=True)))


def shifted(recipe: Recipe, biases: Mapping[str, float]) -> Recipe:
    """A recipe with constants added to its inputs."""
    phases = []
    for phase in recipe.phases:
        moved: dict[str, Any] = {}
        for name, value in phase.inputs.items():
            shift = biases.get(name, 0.0)
            if isinstance(value, Profile):
                moved[name] = dataclasses.replace(value, values=tuple(v + shift for v in value.values))
            else:
                moved[name] = value + shift if shift and isinstance(value, int | float) else value
        phases.append(dataclasses.replace(phase, inputs=moved))
    return Recipe(phases)


def unmeasured(engine: Residuals, values: Any) -> dict[str, tuple[Any, Any]]:
    """Values and slopes (with respect to the unknowns) of scalar signals that no run measured, at the sample times."""
    import numpy as np

    names = [r.signal.name for role in ("state", "algebraic", "output") for r in engine.system.rows[role]
             if not r.shape and r.signal.name not in engine.rows.signals]
    if not names:
        return {}
    parts: dict[str, list[tuple[Any, Any]]] = {n: [] for n in names}
    for shot in engine.shots:
        if not shot.columns or not shot.experiment.count:
            continue
        x0, p, start = shot.point(values)
        raw = shot.runner(True).run(x0, p)
        if not raw.status:
            continue
        rows = np.asarray(raw.rows, dtype=float)
        tangents = np.asarray(raw.tangents, dtype=float).reshape(len(rows), len(shot.columns), -1)
        spread, every = shot.spread(p, start), np.arange(len(rows))
        for name in names:
            parts[name].append((rows[:, shot.place(name)], shot.slope(name, every, rows, tangents, p) @ spread))
    return {n: (np.concatenate([v for v, _ in found]), np.concatenate([s for _, s in found]))
            for n, found in parts.items() if found}


def cross(engine: Residuals, samples: str, conditions_of: str, values: Any, noise: Mapping[str, float]) -> float:
    """Weighted sum of squares of the samples of one run under the conditions of another; infinite where that fails."""
    import numpy as np

    shots = {s.experiment.name: s for s in engine.shots}
    other, own = shots[conditions_of], shots[samples].experiment
    x0, p, _ = other.point(values)
    raw = Runner(engine.system, other.experiment.recipe, times=own.times, duration=own.times[-1], rtol=other.options["rtol"],
                 execution=other.options["execution"]).run(x0, p)
    if not raw.status:
        return math.inf
    rows = np.asarray(raw.rows, dtype=float)
    return float(sum(np.sum(((rows[at, other.place(n)] - v) / noise[n]) ** 2) for n, (at, v) in own.samples.items()))
