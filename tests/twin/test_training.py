"""Training of learned terms through the simulation."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest

import twin
from twin import smooth
from twin.learning.domain import outside


class Tank(twin.DynamicModel):
    """A draining tank with a salt; the drain is what must be learned."""

    time_unit = "min"
    level = twin.state("m", lower=0, upper=10, nominal=2)
    salt = twin.state("kg", lower=0, upper=100, nominal=10)
    lost = twin.state("kg", lower=0, upper=100, nominal=10)
    inflow = twin.input("m/min", lower=0, upper=2, nominal=0.2)
    k = twin.parameter(0.12, "1/min", bounds=(0, 1), doc="drain", source="example")

    @twin.term("m/min", lower=0, upper=5, vanishes_with=("level",))
    def drain(self, level: Any, salt: Any) -> Any:
        """Outflow, taken as linear."""
        return self.k * level

    def rhs(self, s: Any) -> Any:
        out = self.drain(s.level, s.salt)
        gone = out * s.salt / (s.level + 1e-3)
        return {"level": s.inflow - out, "salt": -gone, "lost": gone}

    def balances(self, s: Any) -> Any:
        return {"salt": (s.salt + s.lost, 0.0 * s.salt)}

    def initial(self) -> Any:
        return {"level": 2.0, "salt": 10.0, "lost": 0.0}


class Torricelli(twin.Module):
    """The drain of the plant."""

    def __call__(self, level: Any, salt: Any) -> Any:
        return 0.2 * smooth.signed_sqrt(level, 0.05)


def measured(seed: int = 0, runs: int = 5) -> twin.Data:
    """Records of the plant: level each minute, salt now and then."""
    random, plant, found = np.random.default_rng(seed), Tank().with_term("drain", Torricelli()), []
    for r in range(runs):
        levels = [0.15 + 0.08 * ((r + j) % 4) for j in range(3)]
        feed = twin.Profile([0.0, 10.0, 20.0], levels)
        t = np.arange(0.0, 31.0)
        run = twin.simulate(plant, {"inflow": feed}, initial={"level": 1.0 + 0.5 * r}, times=t)
        lab = t[::5]
        series = [twin.Series("inflow", feed.times, feed.values, "m/min"),
                  twin.Series("level", t, run["level"] + 0.01 * random.normal(size=len(t)), "m"),
                  twin.Series("salt", lab, run["salt"][::5] * (1 + 0.01 * random.normal(size=len(lab))), "kg")]
        found.append(twin.Run(f"run {r}", None, series, "min"))
    return twin.Data(found)


@functools.cache
def trained(kind: str = "mlp", seed: int = 0) -> Any:
    """A training that the tests share."""
    terms: dict[str, Any] = {
        "mlp": {"drain": ("level",)},
        "spline": {"drain": twin.Spline.over({"level": (0.0, 4.0)}, pieces=4)},
        "process": {"drain": twin.GaussianProcess.over({"level": (0.0, 4.0)}, points=6)},
        "monotone": {"drain": twin.Replace(twin.MonotoneMlp.random(inputs=("level",), rises_with=("level",), scales=(2.0,)))},
    }[kind]
    return twin.train(Tank(), measured(), terms=terms, initial="first", sizes=(0.1, 0.5), max_iterations=6, seed=seed)


@pytest.mark.parametrize("kind", ["mlp", pytest.param("spline", marks=pytest.mark.slow),
                                  pytest.param("process", marks=pytest.mark.slow), "monotone"])
def test_the_law_of_the_plant_is_found(kind: str) -> None:
    """The corrected drain is Torricelli's within a few percent where there were data; runs left out are met far better."""
    import jax

    result = trained(kind)
    assert result.status
    assert result.gain("level") > 0.5
    level = np.linspace(1.0, 3.0, 21)
    with jax.enable_x64(True):
        found = np.asarray(result.model.drain(level, 10.0))
    assert found == pytest.approx(0.2 * np.sqrt(level), rel=0.06)
    assert len(result.members) == 5


def test_balances_hold_with_trained_terms_and_the_term_vanishes() -> None:
    """1e-9 of the salt, in a run that no training saw; no drain from an empty tank."""
    import jax

    for kind in ("mlp", "monotone"):
        model = trained(kind).model
        run = twin.simulate(model, {"inflow": 0.3}, duration=60, rtol=1e-8)
        assert np.abs((run["salt"] + run["lost"]) / 10.0 - 1).max() < 1e-9
        with jax.enable_x64(True):
            assert float(model.drain(0.0, 10.0)) == 0.0


def test_a_monotone_term_is_monotone_after_training() -> None:
    """On 10,000 random pairs."""
    import jax

    random = np.random.default_rng(0)
    low = random.uniform(0, 10, 10_000)
    with jax.enable_x64(True):
        model = trained("monotone").model
        assert (np.asarray(model.drain(low + random.uniform(0, 3, 10_000), 10.0)) >= np.asarray(model.drain(low, 10.0))).all()


def test_the_domain_is_stored_and_leaving_it_is_told() -> None:
    """Range of the level along the runs; a level outside gives the signal, its value, unit and time."""
    result = trained()
    low, high = result.domain["drain"]["level"]
    assert 0.3 < low < 1.1
    assert 2.9 < high < 3.6
    run = twin.simulate(result.model, {"inflow": 1.2}, duration=30, points=31)
    rows = {role: run.raw[role] for role in ("state", "algebraic", "input", "disturbance")}
    (found,) = outside(result.model, rows, run.times)
    assert (found.term, found.signal, found.unit) == ("drain", "level", "m")
    assert found.value == pytest.approx(run["level"].max())
    assert found.time == pytest.approx(run.times[run["level"].argmax()])
    assert "level is" in found.sentence("min")
    assert "was trained for" in found.sentence("min")


def test_the_start_that_matches_rates_is_near_the_law() -> None:
    """Without a single simulation of the corrected model, most of the error is gone."""
    from twin.learning.problem import state_problem
    from twin.learning.walk import Clock, Walk, loss_of

    problem = state_problem(Tank(), measured(), {"drain": ("level",)}, parameters=(), signals=None, noise=None, initial="first",
                            inputs=None, rtol=1e-5, execution=None)
    walk = Walk(problem, (0,), 0, Clock(None))
    walk.begin("rates")
    assert loss_of(problem, walk.theta, (0,)) < 0.5


def test_tables_and_pictures() -> None:
    """One row a run and signal; one a step; a figure with a panel for each."""
    result = trained()
    assert list(result.table().index.names) == ["run", "signal"]
    assert len(result.table()) == 10
    assert set(result.to_frame().columns) == {"member", "size", "iteration", "cost", "error"}
    assert len(result.plot().axes) == 4
    assert "weights learned from 5 runs" in str(result)


def test_a_training_is_kept_as_text() -> None:
    """Numbers and names: the same models, predictions and sentences come back; a foreign text gives nothing."""
    from twin.learning.kept import from_text, to_text

    text = to_text(trained())
    back = from_text(text, Tank())
    assert back.model.parameter_vector() == trained().model.parameter_vector()
    assert [m.parameter_vector() for m in back.members] == [m.parameter_vector() for m in trained().members]
    assert back.domain == trained().domain
    assert back.sentences == trained().sentences
    assert back.predictions[0].predicted.tolist() == trained().predictions[0].predicted.tolist()
    assert from_text("{}", Tank()) is None
    assert from_text(text[:-5], Tank()) is None
    assert to_text(trained("monotone")) is None


def test_one_seed_one_result() -> None:
    """The same seed gives the same weights."""
    again = twin.train(Tank(), measured(), terms={"drain": ("level",)}, initial="first", sizes=(0.1, 0.5),
                       max_iterations=6)
    assert again.model.parameter_vector() == trained().model.parameter_vector()


def test_no_correction_where_the_mechanism_is_right() -> None:
    """Records of the mechanism itself: what is learned is nothing, or as good as nothing."""
    runs, random = [], np.random.default_rng(1)
    t = np.arange(0.0, 31.0, 3.0)
    for r in range(4):
        run = twin.simulate(Tank(), {"inflow": 0.1 + 0.1 * r}, times=t)
        level = twin.Series("level", t, run["level"] + 0.02 * random.normal(size=len(t)), "m")
        runs.append(twin.Run(f"{r}", None, [twin.Series("inflow", [0.0], [0.1 + 0.1 * r], "m/min"), level], "min"))
    result = twin.train(Tank(), twin.Data(runs), terms={"drain": ("level",)}, sizes=(0.1, 1.0), max_iterations=4)
    ratio = [r.after / r.before for r in result.left_out]
    assert np.mean(ratio) < 1.05
    if result.size == 0:
        assert "was kept" in result.sentences[0]


def test_a_run_that_contradicts_and_a_sample_in_another_unit_are_named() -> None:
    """Wrong label: the inflow of another run. Wrong unit: one salt sample in g."""
    data = list(measured(runs=6))
    feeds = [run["inflow"] for run in data]
    wrong = dataclasses.replace(feeds[3], values=np.array([1.2, 0.0, 0.9]))
    data[3] = dataclasses.replace(data[3], series=(wrong, *data[3].series[1:]))
    salt = data[1]["salt"]
    values = salt.values.copy()
    values[4] *= 1000.0
    data[1] = dataclasses.replace(data[1], series=(*data[1].series[:2], dataclasses.replace(salt, values=values)))
    result = twin.train(Tank(), twin.Data(data), terms={"drain": ("level",)}, initial="first", sizes=(0.1, 0.5),
                        max_iterations=6)
    told = str(result)
    assert "Run 'run 3' contradicts the others: level is off by" in told
    assert "salt of run 'run 1' is" in told
    assert "about 1000 times. Is the sample in another unit?" in told


@pytest.mark.parametrize(("change", "message"), [
    ({"terms": {"drian": ("level",)}}, r"Unknown term 'drian' of Tank\. Did you mean 'drain'"),
    ({"terms": {"drain": ("lvel",)}}, r"Unknown argument 'lvel' of the term drain"),
    ({"terms": ()}, r"terms is empty\. Name what shall be learned: drain"),
    ({"signals": ("salty",)}, r"Unknown measured signal 'salty'"),
    ({"parameters": ("kk",)}, r"Unknown parameter 'kk' of Tank"),
    ({"noise": {"level": 0.0}}, r"The noise of level is 0"),
    ({"left_out": ("run 9",)}, r"Unknown run 'run 9' of the data"),
    ({"left_out": 9}, r"left_out is 9\. Expected 2 to 5 groups"),
    ({"sizes": (1.0, 0.1)}, r"Expected positive sizes, increasing"),
    ({"start": "slopes"}, r"Unknown start 'slopes'"),
    ({"terms": {"drain": twin.Multiply(lambda named: 0.0)}}, r"The net of drain is a function\. Expected twin\.Mlp")])
def test_what_cannot_be_trained_is_told(change: dict[str, Any], message: str) -> None:
    """Name, value and what was expected."""
    with pytest.raises(twin.SpecError, match=message):
        twin.train(Tank(), measured(), **({"terms": {"drain": ("level",)}} | change))


def test_too_few_data_are_told() -> None:
    """One run, or runs that measure nothing."""
    with pytest.raises(twin.DataError, match=r"train got 1 run\. Expected at least two"):
        twin.train(Tank(), measured()[:1], terms=("drain",))
    with pytest.raises(twin.DataError, match=r"no sample of a state, algebraic or output of Tank"):
        twin.train(Tank(), measured().select("inflow"), terms=("drain",))


def test_training_ends_in_time_with_what_it_has() -> None:
    """A limit of no time at all: the model comes back as it was, with a status and a sentence."""
    with pytest.raises(twin.ConvergenceError, match="time limit"):
        twin.train(Tank(), measured(), terms={"drain": ("level",)}, max_seconds=1e-9)
    result = twin.train(Tank(), measured(), terms={"drain": ("level",)}, max_seconds=1e-9, throw=False)
    assert result.status is twin.Status.TIME_LIMIT
    assert result.model.learned == {}


def test_a_forecast_of_a_training_has_measured_bands_and_names_what_leaves_the_domain() -> None:
    """Bands from the runs left out; a level beyond those of the records is flagged with value, unit and time."""
    inside = twin.forecast(trained(), {"inflow": 0.3}, initial={"level": 2.0}, duration=30)
    assert inside["level"].measured
    assert 0.6 < inside.coverage[""] <= 1.0
    assert not inside.extrapolates
    far = twin.forecast(trained(), {"inflow": 1.2}, duration=30)
    assert far.extrapolates
    (found,) = far.outside
    told = next(s for s in far.sentences if s.startswith("Extrapolation"))
    assert f"level is {found.value:.4g} m at {found.time:.4g} min" in told
