"""What training gives: the corrected model, its ensemble, and how well runs are met that were left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.status import Status


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Error of one signal in one run that was left out, in `unit`.

    Attributes
    ----------
    run, signal, unit, count
        Which series, and how many samples it has.
    before
        RMSE of the model without corrections.
    after
        RMSE of the member that never saw the run.
    """

    run: str
    signal: str
    unit: str
    count: int
    before: float
    after: float

    @property
    def gain(self) -> float:
        """1 - after / before: 0.3 is an error smaller by 30 %."""
        return 1.0 - self.after / self.before if self.before > 0 else float("nan")


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of one member: size of its corrections, cost on its runs, error on those left out (1 without corrections)."""

    member: int
    size: float
    iteration: int
    cost: float
    error: float


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """One signal of one run that was left out, row by row: time, measured value, prediction, spread of the members."""

    run: str
    signal: str
    times: Any
    measured: Any
    predicted: Any
    spread: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Training:
    """Learned terms and what speaks for them.

    Attributes
    ----------
    status, message
        SUCCESS, or why training ended early, with a sentence.
    model
        The corrected model, trained on all runs; the model as it was, where no correction predicts better.
    members
        The models of the ensemble, each trained without some of the runs.
    before
        The model as it was given.
    terms
        Names of the terms that were to be learned.
    size, iterations
        The choice: usual size of the corrections and steps with it; size 0 is no correction.
    left_out
        One `LeftOut` a run and signal.
    predictions
        One `Prediction` a run and signal: what `twin.forecast` calibrates its intervals on.
    steps
        The learning curves.
    arguments
        What the terms were called with along each run by the model without corrections: {term: {argument: values}}.
    sentences
        What was found, in plain words.
    seconds
        Time it took.
    """

    status: Status
    message: str
    model: Any
    members: tuple[Any, ...]
    before: Any
    terms: tuple[str, ...]
    size: float
    iterations: int
    left_out: tuple[LeftOut, ...]
    predictions: tuple[Prediction, ...] = dataclasses.field(repr=False)
    steps: tuple[Step, ...] = dataclasses.field(repr=False)
    arguments: tuple[Mapping[str, Mapping[str, Any]], ...] = dataclasses.field(repr=False)
    sentences: tuple[str, ...]
    seconds: float

    @property
    def domain(self) -> dict[str, dict[str, tuple[float, float]]]:
        """{term: {argument: (low, high)}} in which the corrections were trained."""
        return {n: {a: (low, high) for a, low, high in fix.domain} for n, fix in self.model.learned.items() if fix.domain}

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def table(self) -> Any:
        """DataFrame: one row a run and signal that was left out, errors before and after, in the unit of the signal."""
        import pandas as pd

        rows = [{**dataclasses.asdict(r), "gain [%]": round(100 * r.gain, 1)} for r in self.left_out]
        return pd.DataFrame(rows).set_index(["run", "signal"])

    def to_frame(self) -> Any:
        """DataFrame of the learning curves, one row a step."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(s) for s in self.steps])

    def plot(self) -> Any:
        """matplotlib Figure: learning curves, predicted against measured values of runs left out, corrections of the terms.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        """
        from twin.learning.pictures import draw

        return draw(self)

    def gain(self, *signals: str) -> float:
        """Mean gain on the runs left out, over the named signals or all.

        Raises
        ------
        SpecError
            For a signal that was not fitted.
        """
        known = {r.signal for r in self.left_out}
        for name in signals:
            if name not in known:
                raise errors.unknown("signal", name, "this training", sorted(known))
        gains = [r.gain for r in self.left_out if (not signals or r.signal in signals) and r.gain == r.gain]
        return sum(gains) / len(gains) if gains else float("nan")
