"""Trainings as text: what a job keeps, so that a second call need not train again. Numbers and names only, no code."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from twin import learned
from twin.functions import Mlp
from twin.learning.result import LeftOut, Prediction, Step, Training
from twin.status import Status

FORMAT = "twinworks-training-1"


def with_numbers(model: Any, p: Any) -> Any:
    """The model with the parameter vector p, as plain numbers and numpy arrays."""
    import numpy as np

    from twin import module

    at = 0

    def take(leaf: Any) -> Any:
        nonlocal at
        n, shape = module.size(leaf), getattr(leaf, "shape", ())
        at += n
        return np.array(p[at - n:at], float).reshape(shape) if shape else float(p[at - 1])

    return module.rebuild(model, take)


def to_text(training: Training) -> str | None:
    """The training as JSON; None where a correction is not a `Multiply` of an `Mlp`, as names of arguments make it."""
    fixes = {n: training.model.learned[n] for n in training.terms if n in training.model.learned}
    if not all(isinstance(f, learned.Multiply) and isinstance(f.net, Mlp) for f in fixes.values()):
        return None
    told = {n: {"inputs": f.net.inputs, "scales": f.net.scales, "centers": f.net.centers, "max_factor": f.max_factor,
                "hidden": [w.shape[-1] for w, _ in f.net.weights[:-1]], "domain": f.domain} for n, f in fixes.items()}
    parts = {"format": FORMAT, "status": training.status.name, "fixes": told, "model": training.model.parameter_vector(),
             "members": [m.parameter_vector() for m in training.members],
             "left_out": [dataclasses.asdict(r) for r in training.left_out],
             "steps": [dataclasses.asdict(s) for s in training.steps],
             "predictions": [{k: v if isinstance(v, str) else v.tolist() for k, v in vars(p).items()}
                             for p in training.predictions],
             "arguments": [{n: {k: v.tolist() for k, v in named.items()} for n, named in run.items()}
                           for run in training.arguments],
             **{k: getattr(training, k) for k in ("message", "terms", "size", "iterations", "sentences", "seconds")}}
    return json.dumps(parts)


def from_text(text: str, before: Any) -> Training | None:
    """The training of a text on the model it began with; None where the text is not one, or of another model."""
    import numpy as np

    try:
        parts = json.loads(text)
        if parts["format"] != FORMAT:
            return None
        fixes = {n: learned.Multiply(Mlp.random(inputs=f["inputs"], hidden=f["hidden"], scales=f["scales"], centers=f["centers"]),
                                     float(f["max_factor"]), domain=[(n, low, high) for n, low, high in f["domain"]])
                 for n, f in parts["fixes"].items()}
        model = before.with_learned(fixes) if fixes else before
        if any(len(v) != len(model.parameter_vector()) for v in (parts["model"], *parts["members"])):
            return None
        arrays = ("times", "measured", "predicted", "spread")
        return Training(
            Status[parts["status"]], parts["message"], with_numbers(model, parts["model"]),
            tuple(with_numbers(model, p) for p in parts["members"]), before, tuple(parts["terms"]), float(parts["size"]),
            int(parts["iterations"]), tuple(LeftOut(**r) for r in parts["left_out"]),
            tuple(Prediction(p["run"], p["signal"], *(np.array(p[k], float) for k in arrays)) for p in parts["predictions"]),
            tuple(Step(**s) for s in parts["steps"]),
            tuple({n: {k: np.array(v, float) for k, v in named.items()} for n, named in run.items()}
                  for run in parts["arguments"]),
            tuple(parts["sentences"]), float(parts["seconds"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
