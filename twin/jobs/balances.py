"""Balances over a run: what a vessel holds, against what entered and left."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin.jobs.job import Balance
from twin.recipe import Profile
from twin.report.page import number


@dataclasses.dataclass(frozen=True)
class Closure:
    """One balance over one run; all amounts in `unit`.

    Attributes
    ----------
    start, end
        What the vessel held.
    entered, left
        What the flows brought and took.
    mismatch
        end - start - entered + left: what appeared from nowhere.
    share
        `mismatch` over everything that was there or came in.
    closed
        Whether `share` lies within the tolerance of the balance.
    parts
        What the end amount consists of, by state.
    measured
        entered + start - end of the *measured* amounts: what left according to the records; NaN where they do not tell.
    """

    balance: str
    run: str
    unit: str
    start: float
    entered: float
    left: float
    end: float
    mismatch: float
    share: float
    closed: bool
    parts: Mapping[str, float]
    measured: float

    def sentence(self) -> str:
        """The outcome in a sentence."""
        total = f"{number(self.start + self.entered)} {self.unit}"
        if self.closed:
            return f"Closes: {abs(self.mismatch):.1e} {self.unit} of {total} is not accounted for."
        verb = "is missing" if self.mismatch < 0 else "appears from nowhere"
        return f"Does not close: {number(abs(self.mismatch))} {self.unit} of {total} ({abs(self.share):.1%}) {verb}."


def close(balance: Balance, run: str, model: Any, trajectory: Any, inputs: Mapping[str, float | Profile],
          measured: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Closure:
    """Close one balance over one trajectory.

    Parameters
    ----------
    balance
        What counts.
    run
        Name of the run.
    model
        Gives the parameters.
    trajectory
        Its times must hold every jump of the inputs.
    inputs
        What was fed, as it was given to the simulation: numbers and profiles, integrated exactly.
    measured
        Measured series by signal, (times, values) in the units of the model.
    """
    times = [float(t) for t in trajectory.raw_times]
    parameters = dict(zip(model.parameter_names(), model.parameter_vector(), strict=True))

    def content(factors: tuple[float | str, ...]) -> list[float]:
        product = [1.0] * len(times)
        for factor in factors:
            if isinstance(factor, str) and factor not in parameters:
                product = [a * float(b) for a, b in zip(product, trajectory[factor], strict=True)]
            else:
                value = float(parameters[factor]) if isinstance(factor, str) else float(factor)
                product = [a * value for a in product]
        return product

    def held(state: str, at: int) -> float:
        signal = trajectory.row(state).signal
        amount = float(trajectory[state][at]) * (float(trajectory[signal.per][at]) if signal.per else 1.0)
        return content(balance.holds[state])[at] * amount

    def flow(of: Mapping[str, tuple[float | str, ...]]) -> float:
        return math.fsum(_integral(times, name, trajectory, inputs, content(factors)) for name, factors in of.items())

    parts = {state: held(state, -1) for state in balance.holds}
    start, end = math.fsum(held(s, 0) for s in balance.holds), math.fsum(parts.values())
    entered, left = flow(balance.enters), flow(balance.leaves)
    mismatch, turned = end - start - entered + left, abs(start) + abs(entered)
    share = mismatch / turned if turned > 0 else math.nan
    recorded = _measured(balance, parameters, measured, trajectory, entered)
    return Closure(balance.name, run, balance.unit, start, entered, left, end, mismatch, share,
                   abs(share) <= balance.tolerance, parts, recorded)


def _integral(times: Sequence[float], name: str, trajectory: Any, inputs: Mapping[str, float | Profile],
              content: Sequence[float]) -> float:
    given = inputs.get(name)
    if isinstance(given, Profile) and given.hold == "previous":
        held = [_before(given, t) for t in times]
        pairs = [(u, u) for u in held[:-1]]
    else:
        values = [float(v) for v in trajectory[name]]
        pairs = list(itertools.pairwise(values))
    steps = zip(itertools.pairwise(times), pairs, itertools.pairwise(content), strict=True)
    return math.fsum((b - a) * (p * c + q * d) / 2 for (a, b), (p, q), (c, d) in steps)


def _before(profile: Profile, t: float) -> float:
    import bisect

    return float(profile.values[max(bisect.bisect_right(profile.times, t) - 1, 0)])


def _measured(balance: Balance, parameters: Mapping[str, float], measured: Mapping[str, Any], trajectory: Any,
              entered: float) -> float:
    """What left according to the records, where all that the balance holds was measured at the start and at the end."""

    def known(factors: tuple[float | str, ...]) -> bool:
        return all(not isinstance(f, str) or f in parameters for f in factors)

    change = 0.0
    for state, factors in balance.holds.items():
        per = trajectory.row(state).signal.per
        series = [measured.get(n, ((), ())) for n in ((state, per) if per else (state,))]
        if not known(factors) or any(len(values) < 2 for _, values in series):
            return math.nan
        ends = [math.prod(values[at] for _, values in series) for at in (0, -1)]
        size = math.prod(parameters[f] if isinstance(f, str) else f for f in factors)
        change += float(size * (ends[1] - ends[0]))
    return entered - change
