"""When to change what wears: settings that coming runs need, how long they stay within limits, the cheapest life."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from optimizers.run_to_run.model_based import ModelBased
from twin import errors
from twin.figures import new_figure


@dataclasses.dataclass(frozen=True, eq=False)
class WearForecast:
    """The coming runs of a life, as a model-based controller expects them.

    Attributes
    ----------
    ages
        Runs since the last change.
    parameter, parameter_low, parameter_high
        Parameter of the model: expected, and between which values it lies with the certainty asked for.
    settings, settings_worst
        What will have to be set: expected, and with the parameter at the end of its range that needs more.
    runs_left, runs_sure
        Runs until the setting is out of its limits: expected, and in the worst case; None where that is beyond the forecast.
    """

    ages: tuple[int, ...]
    parameter: tuple[float, ...]
    parameter_low: tuple[float, ...]
    parameter_high: tuple[float, ...]
    settings: tuple[float, ...]
    settings_worst: tuple[float, ...]
    runs_left: int | None
    runs_sure: int | None

    def __str__(self) -> str:
        last = len(self.ages)
        if self.runs_left is None and self.runs_sure is None:
            return f"The setting stays within its limits for all {last} runs that were looked at."
        expected = f"in {self.runs_left} runs" if self.runs_left is not None else f"after more than {last} runs"
        sure = f"in {self.runs_sure} runs" if self.runs_sure is not None else f"after more than {last} runs"
        return f"The setting is expected to reach its limit {expected}; in the worst case {sure}. Change it before."

    def plot(self) -> Any:
        """Figure of the settings that are needed, expected and in the worst case."""
        figure = new_figure(8, 3.4)
        axes = figure.add_subplot()
        axes.fill_between(self.ages, self.settings, self.settings_worst, color="tab:blue", alpha=0.2, label="to the worst case")
        axes.plot(self.ages, self.settings, color="tab:blue", marker=".", label="setting needed")
        for runs, color, label in ((self.runs_left, "tab:red", "expected end"), (self.runs_sure, "tab:orange", "worst case")):
            if runs is not None:
                axes.axvline(self.ages[0] + runs, color=color, ls="--", lw=1, label=label)
        axes.set_xlabel("runs since the last change")
        axes.set_ylabel("setting")
        axes.legend(fontsize=8)
        return figure


def forecast_wear(control: ModelBased, state: Any, runs: int, *, sure: float = 2.0) -> WearForecast:
    """The settings of the coming runs, from the learned curve and what the last runs showed.

    Parameters
    ----------
    control
        The controller.
    state
        Its state after the last run, which `step` gave.
    runs
        How many runs to look ahead.
    sure
        Standard deviations that the worst case is away.

    Examples
    --------
    >>> import math
    >>> from optimizers.run_to_run import DriftCurve, ModelBased, forecast_wear
    >>> control = ModelBased(lambda u, k: k * u, 500.0, DriftCurve(math.log(200.0), math.log(0.5), 10.0), lower=0.5, upper=4.0)
    >>> found = forecast_wear(control, control.init(), 40)
    >>> found.runs_left, round(found.settings[0], 3)
    (12, 2.5)
    """
    if runs < 1:
        raise errors.SpecError(f"runs is {runs}. Expected at least 1.", name="runs")
    middle, low, high, settings, worst = [], [], [], [], []
    ages, out, out_worst = [], None, None
    for k in range(runs):
        value, spread = control.expected(state), sure * math.sqrt(state.p_level)
        ends = value * math.exp(-spread), value * math.exp(spread)
        wanted, held = control.setting_for(value)
        others = [control.setting_for(end) for end in ends]
        out = k if held and out is None else out
        out_worst = k if any(pair[1] for pair in others) and out_worst is None else out_worst
        ages.append(state.age)
        middle.append(value)
        low.append(ends[0])
        high.append(ends[1])
        settings.append(wanted)
        worst.append(max((pair[0] for pair in others), key=lambda u: abs(u - settings[0])))
        state = control.moved(state)
    return WearForecast(tuple(ages), tuple(middle), tuple(low), tuple(high), tuple(settings), tuple(worst), out, out_worst)


def best_change(settings: Sequence[float], *, change_cost: float, setting_cost: float) -> tuple[int, float]:
    """After how many runs a change is cheapest, and the cost a run: the change is shared by more runs, which cost more and more.

    Parameters
    ----------
    settings
        What is set in each run of a life, from its first run on, such as polishing minutes.
    change_cost
        Cost of a change: the new pad and the time that it takes.
    setting_cost
        Cost of one unit of the setting in a run, such as a minute of the polisher.

    Examples
    --------
    >>> runs, cost = best_change([2.0, 2.1, 2.3, 2.6, 3.1, 3.5, 4.1], change_cost=3.0, setting_cost=1.0)
    >>> runs, round(cost, 6)
    (4, 3.0)
    """
    if not len(settings):
        raise errors.SpecError("best_change got no settings. Give those of a whole life, such as `WearForecast.settings`.")
    total, best = change_cost, (0, math.inf)
    for n, setting in enumerate(settings, start=1):
        total += setting_cost * setting
        best = min(best, (n, total / n), key=lambda pair: pair[1])
    return best
