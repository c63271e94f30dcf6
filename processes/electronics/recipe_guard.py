"""Guard of a recipe: one far from the profiles that a model was fitted to must not be run on its word alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from processes.electronics.boards import node_metrics, node_rows, node_units
from processes.electronics.profile import ProfileLimits, missed
from twin import errors

SET_POINT_ROOM, SPEED_ROOM = 10.0, 0.15  # degC, and share of the speed: what a fitted model is trusted with
END = 1.05  # times the longest passage


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a recipe may run, and why.

    Attributes
    ----------
    accepted
        False: do not run it without measuring a profile first.
    sentences
        What speaks against it, or how far it is inside.
    metrics
        Metrics of the expected profile.
    sd
        Standard deviation of each metric over the samples of the calibration; empty without samples.
    beyond
        {name: how far outside the range of the data, in its unit}.
    """

    accepted: bool
    sentences: tuple[str, ...]
    metrics: Mapping[str, float]
    sd: Mapping[str, float]
    beyond: Mapping[str, float]

    def __bool__(self) -> bool:
        return self.accepted


def judge_recipe(oven: Any, limits: ProfileLimits, *, fitted: Any, samples: Mapping[str, Any] | None = None, sure: float = 2.0,
                 signals: Sequence[str] | None = None) -> Verdict:
    """Accept a recipe that meets the limits and is near the data, or far from it but with an uncertainty inside the margins.

    Parameters
    ----------
    oven
        The oven with the new recipe.
    limits
        Limits that the profile must meet.
    fitted
        The oven with the recipe that the profile was measured at; or several in a list.
    samples
        {parameter: values}: samples of the calibrated parameters, such as `Scenarios.parameters`. Needed beyond 10 degC of a set
        point or 15 % of the speed of every fitted recipe.
    sure
        How many standard deviations must fit between a metric and its limit.
    signals
        States or outputs that are judged; None: all places of the board.

    Examples
    --------
    >>> from processes.electronics import ReflowOven
    >>> oven = ReflowOven()
    >>> verdict = judge_recipe(oven.with_recipe(z7=260.0), ProfileLimits.contest(), fitted=oven)
    >>> verdict.accepted, verdict.beyond
    (False, {'z7': 15.0})
    """
    import numpy as np

    import twin

    judged = tuple(oven.judged if signals is None else signals)
    rows, units = node_rows(oven, limits, judged), node_units(oven, judged)
    known = fitted if isinstance(fitted, list | tuple) else [fitted]
    if not known:
        raise errors.SpecError("judge_recipe got no fitted recipe. Give the oven whose profile was measured.")
    options = {"duration": float(oven.length() / oven.speed * 60.0), "every": 0.25}
    run = twin.simulate(oven, **options)
    metrics = {n: float(v[0]) for n, v in node_metrics(run.times, {s: run[s][None, ...] for s in judged}, limits).items()}
    beyond, told = _beyond(oven, known)
    sd: dict[str, float] = {}
    if samples is not None:
        many = twin.simulate_many(oven, parameters=dict(samples), **options)
        found = node_metrics(many.times, {s: many[s] for s in judged}, limits)
        with np.errstate(invalid="ignore"):
            sd = {n: float(np.std(v, ddof=1)) for n, v in found.items()}
    sentences = missed(rows, metrics, units)
    if told and samples is None:
        sentences += [f"{text}, and there are no samples of the calibration to tell the uncertainty." for text in told]
    for name, (low, high) in rows.items() if told and samples is not None else ():
        room = [metrics[name] - low] if low is not None else []
        margin = min(room + ([high - metrics[name]] if high is not None else []))
        if not margin >= sure * sd[name]:  # nor where a sample never gets to what the metric counts
            sentences.append(f"{'; '.join(told)}. There {name} is {metrics[name]:.4g} +- {sure * sd[name]:.2g} {units[name]}, "
                             f"more than its margin of {max(margin, 0):.2g} {units[name]}: measure a profile first.")
    return Verdict(not sentences, tuple(sentences), metrics, sd, beyond)


def _beyond(oven: Any, known: Any) -> tuple[dict[str, float], list[str]]:
    """How far set points and speed are outside what the fitted recipes allow, and the same in words."""
    far, told = {}, []
    for k in range(oven.hot):
        points = [float(f.set_points[k]) for f in known]
        low, high = min(points) - SET_POINT_ROOM, max(points) + SET_POINT_ROOM
        value = float(oven.set_points[k])
        if not low <= value <= high:
            far[f"z{k + 1}"] = max(low - value, value - high)
            told.append(f"Zone {k + 1} is {far[f'z{k + 1}']:.3g} degC beyond what was measured ({low:g} to {high:g} degC)")
    speeds = [float(f.speed) for f in known]
    low, high = (1 - SPEED_ROOM) * min(speeds), (1 + SPEED_ROOM) * max(speeds)
    if not low <= oven.speed <= high:
        far["speed"] = max(low - oven.speed, oven.speed - high)
        told.append(f"The speed is {far['speed']:.3g} cm/min beyond what was measured ({low:.4g} to {high:.4g} cm/min)")
    return far, told
