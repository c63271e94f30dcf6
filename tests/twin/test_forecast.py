"""Forecasts: bands that hold what they promise, and sentences where nothing is known."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import twin
from twin.forecasting import Intervals, measure_intervals
from twin.forecasting.intervals import intervals_from
from twin.learning.result import Prediction


class Decay(twin.DynamicModel):
    """A salt that decays in a fed vessel."""

    time_unit = "h"
    salt = twin.state("g/l", lower=0, upper=50, nominal=5)
    feed = twin.input("g/(l h)", lower=0, upper=5, nominal=1)
    double = twin.output("g/l", lower=0, upper=100, nominal=10)
    rate = twin.parameter(0.2, "1/h", bounds=(0, 2), doc="decay", source="example")

    def rhs(self, s: Any) -> Any:
        return {"salt": s.feed - self.rate * s.salt}

    def outputs(self, s: Any) -> Any:
        return {"double": 2 * s.salt}

    def initial(self) -> Any:
        return {"salt": 10.0}


def runs(count: int, seed: int = 0, noise: float = 0.2) -> twin.Data:
    """Runs of the model with a rate of its own each and noisy samples."""
    random, found, t = np.random.default_rng(seed), [], np.arange(0.0, 21.0)
    for k in range(count):
        run = twin.simulate(Decay(rate=0.2 * (1 + 0.1 * random.normal())), {"feed": 0.5 + 0.2 * (k % 4)}, times=t)
        series = [twin.Series("feed", [0.0], [0.5 + 0.2 * (k % 4)], "g/(l h)"),
                  twin.Series("salt", t, run["salt"] + noise * random.normal(size=len(t)), "g/l")]
        found.append(twin.Run(f"run {k}", None, series, "h"))
    return twin.Data(found)


def scenarios() -> twin.Scenarios:
    """What the rate may be."""
    return twin.Scenarios(Decay(), {"rate": [0.17, 0.185, 0.2, 0.215, 0.23]})


@functools.cache
def intervals() -> Intervals:
    """Measured on eight runs."""
    return measure_intervals(scenarios(), runs(8))


def test_bands_hold_what_they_promise_on_new_runs() -> None:
    """90 % bands measured on 8 runs hold 80 to 97 % of the samples of 40 new runs, and the coverage said so before."""
    inside = total = 0
    for run in runs(40, seed=1):
        f = twin.forecast(scenarios(), run, intervals=intervals(), times=run["salt"].times)
        inside += int(((run["salt"].values >= f["salt"].lower) & (run["salt"].values <= f["salt"].upper)).sum())
        total += len(run["salt"])
    assert 0.80 < inside / total < 0.97
    assert f.coverage["salt"] == pytest.approx(inside / total, abs=0.1)


def test_a_higher_level_gives_a_wider_band() -> None:
    """50, 90 and 99 %."""
    found = [twin.forecast(scenarios(), {"feed": 1.0}, intervals=intervals(), duration=20, level=v) for v in (0.5, 0.9, 0.99)]
    widths = [np.mean(f["salt"].upper - f["salt"].lower) for f in found]
    assert widths[0] < widths[1] < widths[2]


def test_without_runs_left_out_nothing_is_promised() -> None:
    """The range of the members, and a sentence."""
    f = twin.forecast(scenarios(), {"feed": 1.0}, duration=20)
    assert not f["salt"].measured
    assert "No runs were left out" in f.sentences[0]
    with pytest.raises(twin.SpecError, match="was not measured on runs left out"):
        f.probability("salt", upper=5.0)
    assert f.table().loc["salt", "interval"] == "members only"


def test_signals_without_measurements_have_the_range_of_the_members() -> None:
    """An output that no run measures."""
    f = twin.forecast(scenarios(), {"feed": 1.0}, intervals=intervals(), duration=20)
    assert f["salt"].measured
    assert not f["double"].measured
    assert (f["double"].upper >= f["double"].value).all()


def test_probability_at_the_end() -> None:
    """One within everything, about a half below the forecast itself."""
    f = twin.forecast(scenarios(), {"feed": 1.0}, intervals=intervals(), duration=20)
    value = f.final["salt"][0]
    assert f.probability("salt") == 1.0
    assert 0.2 < f.probability("salt", upper=value) < 0.8
    assert f.probability("salt", lower=value + 10) == 0.0


def test_a_run_that_is_going_on_is_taken_up_where_it_is() -> None:
    """Fitting the rate to the first half brings the forecast nearer to the second half."""
    slow = twin.simulate(Decay(rate=0.14), {"feed": 0.8}, duration=20, points=21)
    series = [twin.Series("feed", [0.0], [0.8], "g/(l h)"), twin.Series("salt", slow.times, slow["salt"], "g/l")]
    run = twin.Run("now", None, series, "h")
    half = run.between(0.0, 10.0)
    options = {"so_far": half, "intervals": intervals(), "duration": 20, "points": 21}
    plain = twin.forecast(scenarios(), **options)
    fitted = twin.forecast(scenarios(), update=[twin.Unknown("rate", prior=(0.2, "20 %"))], **options)
    assert plain.now == fitted.now == 10.0
    off = [abs(f["salt"].value[-1] - slow["salt"][-1]) for f in (plain, fitted)]
    assert off[1] < 0.25 * off[0]
    changed = twin.forecast(scenarios(), {"feed": 0.0}, **options)
    assert changed.final["salt"][0] < plain.final["salt"][0] - 1.0


def test_tables_frames_and_pictures() -> None:
    """One row a signal, one column a part, one panel a signal."""
    data = runs(1, seed=3)
    f = twin.forecast(scenarios(), data[0], intervals=runs(4), duration=20)
    assert list(f.table().index) == ["salt", "double"]
    assert list(f.to_frame()["salt"].columns) == ["value", "lower", "upper"]
    assert len(f.plot(data=data).axes) == 2
    assert "bands held" in str(f)


def test_expected_errors_follow_the_value() -> None:
    """Relative noise is found as relative, absolute as absolute."""
    random = np.random.default_rng(0)
    value = np.linspace(0.5, 50.0, 600)
    for a, b in ((1.0, 0.0), (0.01, 0.1)):
        off = np.hypot(a, b * value) * random.normal(size=600)
        scale = intervals_from([Prediction("r", "s", value, value + off, value, 0 * value)]).scales["s"]
        found = np.hypot(scale.absolute, scale.relative * value)
        assert found[300:] == pytest.approx(np.hypot(a, b * value)[300:], rel=0.35)


@pytest.mark.parametrize(("options", "message"), [
    ({"level": 1.5}, r"level is 1\.5"),
    ({"signals": ["sugar"]}, r"Unknown signal 'sugar'"),
    ({"update": ["rate"]}, r"update was given without so_far")])
def test_what_cannot_be_forecast_is_told(options: dict[str, Any], message: str) -> None:
    """Name, value and what was expected."""
    with pytest.raises(twin.SpecError, match=message):
        twin.forecast(scenarios(), {"feed": 1.0}, duration=10, **options)


def test_a_training_is_no_model_of_another_kind() -> None:
    """A number is not a source."""
    with pytest.raises(twin.SpecError, match=r"forecast got a float\. Expected a model, a training"):
        twin.forecast(3.0, {"feed": 1.0})
