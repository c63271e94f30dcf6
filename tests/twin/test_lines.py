"""Event simulation of lines: queueing theory, simpy event by event, the uncompiled text, mistakes in sentences."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

import twin
from benchmarks.problems import simpy_line
from twin.engine import load_numba, load_text, records
from twin.engine.translate_llvm import LlvmTranslator
from twin.lines import Law, Line, Station, events, in_turn, random_numbers, simulate_line, simulation


def test_queue_has_the_length_of_theory() -> None:
    """M/M/1 with a load of 0.8: 4 parts in the line on average."""
    line = Line([Station("server", Law.exponential(0.8), buffer=10_000)], arrivals=Law.exponential(1.0))
    result = simulate_line(line, duration=4e4, warm_up=2e3, replications=40, seed=4)
    low, high = result.interval("in_line", 0.999)
    assert low < 4.0 < high
    assert result.throughput.mean() == pytest.approx(1.0, rel=0.01)
    assert result.shares["server"]["busy"] == pytest.approx(0.8, rel=0.02)


def test_lost_arrivals_follow_erlang() -> None:
    """M/M/1/3: with a load of 1 each of the four states has a share of 1/4, so a quarter of the arrivals is lost."""
    line = Line([Station("server", Law.exponential(1.0), buffer=2)], arrivals=Law.exponential(1.0))
    result = simulate_line(line, duration=5e4, replications=8, seed=1)
    assert result.lost.mean() / 5e4 == pytest.approx(0.25, rel=0.03)


def test_two_machines_without_buffer() -> None:
    """Two exponential machines of rate 1 and one place between them: throughput 3/4 (Markov chain of four states)."""
    line = Line([Station("a", Law.exponential(1.0), buffer=1), Station("b", Law.exponential(1.0), buffer=1)])
    assert simulate_line(line, duration=2e5, seed=3).throughput[0] == pytest.approx(3 / 4, rel=0.01)


@pytest.mark.parametrize(("buffer", "work", "life", "repair"), [(2, 1.25, 7.0, 2.5), (1, 1.0, 1e9, 0.0), (3, 0.75, 2.0, 1.0)])
def test_same_departures_as_simpy(buffer: int, work: float, life: float, repair: float) -> None:
    """Deterministic times: part for part the same."""
    simpy = pytest.importorskip("simpy")
    theirs = simpy_line.run(simpy, 6, buffer, 300, lambda d: work, lambda d: life, lambda d: repair, 0)
    line = Line([Station(f"S{k}", work, buffer=buffer, life=life, repair=repair) for k in range(6)])
    ours = simulate_line(line, duration=300).departures
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert len(ours) > 50


def test_same_statistics_as_simpy() -> None:
    """Random times, breakdowns: the mean of simpy's replications lies in our interval, widened by its own error."""
    simpy = pytest.importorskip("simpy")

    def exponential(mean: float) -> Callable[[random.Random], float]:
        return lambda d: d.expovariate(1 / mean)

    # type: ignore[arg-type]
    theirs = np.array([len(simpy_line.run(simpy, 4, 2, 800, exponential(1.0), exponential(30), exponential(4), k)) / 800
                       for k in range(12)])
    line = Line([Station(f"S{k}", Law.exponential(1.0), buffer=2, life=Law.exponential(30), repair=Law.exponential(4))
                 for k in range(4)])
    result = simulate_line(line, duration=800, replications=400, seed=8)
    error = float(theirs.std(ddof=1)) / 12**0.5
    assert abs(result.throughput.mean() - theirs.mean()) < 4 * error


def rich() -> Line:
    """Two products, setups, parallel machines, batches, scrap, every law."""
    return Line([Station("print", {"A": Law.triangular(0.5, 1.0, 1.5), "B": 1.2}, buffer=2,
                         setup={("A", "B"): 3.0, ("B", "A"): 2.0}),
                 Station("place", Law.uniform(1.0, 2.0), machines=2, buffer=2, life=Law.weibull(40, 1.5),
                         repair=Law.lognormal(3, 1), good=0.9),
                 Station("oven", Law.normal(3.0, 0.2), buffer=6, batch=4)], products=["A"] * 4 + ["B"] * 4)


def in_row() -> Line:
    """Single machines: two products with setups, breakdowns that need not end in time."""
    change = {("A", "B"): 3.0, ("B", "A"): 2.0}
    return Line([Station("cut", {"A": 1.1, "B": 0.7}, buffer=2, setup=change, life=9.3, repair=4.1),
                 Station("drill", {"A": 0.9, "B": 1.6}, buffer=1, life=5.2, repair=1.3), Station("wash", 1.0, buffer=3),
                 Station("pack", {"A": 1.3, "B": 0.2}, buffer=2, setup=change)], products=["A"] * 3 + ["B"] * 2)


@pytest.mark.parametrize(("line", "run"), [(rich(), events.run_line), (in_row(), in_turn.run_in_turn)])
def test_uncompiled_text_does_the_same(line: Line, run: Callable[[events.LineRecord], int]) -> None:
    """The engine's subset is Python: the same parts leave at the same times, to the last bit or the last bits of log."""
    compiled = simulate_line(line, duration=200, seed=5)
    shared = simulation._results(line, 1, 1000)
    record, _ = simulation._record(line, 200, 0.0, 0, np.array([simulation._stream(5, 0)], np.int64), shared)
    record.span[0], record.span[1] = 0, 1
    assert run(record) == 1
    left = shared["log"][:, 0][shared["log"][:, 0] > 0]
    np.testing.assert_allclose(compiled.departures, left, rtol=1e-12)
    assert compiled.events == shared["totals"][0, 3] > 250


@pytest.mark.parametrize(("line", "entry"), [(rich(), "run_line"), (in_row(), "run_in_turn")])
def test_llvm_does_the_same(monkeypatch: pytest.MonkeyPatch, line: Line, entry: str) -> None:
    """Without a C compiler."""
    compiled = simulate_line(line, duration=200, seed=5)
    sources = load_text.text_of([records, random_numbers, events, *([in_turn] if entry == "run_in_turn" else [])])
    kept, function = load_numba._load(load_numba._compile(LlvmTranslator().translate(sources, (entry,))), entry)
    monkeypatch.setattr(simulation.load_text, "compiled", lambda *a, **k: function)
    again = simulate_line(line, duration=200, seed=5)
    assert kept is not None
    np.testing.assert_allclose(compiled.departures, again.departures, rtol=1e-12)


@pytest.mark.parametrize(("duration", "warm_up"), [(400, 0), (401.7, 50), (3, 1)])
def test_without_event_list_the_same(monkeypatch: pytest.MonkeyPatch, duration: float, warm_up: float) -> None:
    """Plain lines are followed part by part: with fixed times all results are those of the list of events."""
    follow = simulate_line(in_row(), duration=duration, warm_up=warm_up)
    monkeypatch.setattr(simulation, "plain", lambda line: False)
    listed = simulate_line(in_row(), duration=duration, warm_up=warm_up)
    np.testing.assert_allclose(follow.departures, listed.departures, rtol=1e-12)
    for name in ("throughput", "good", "finished", "in_line", "lost", "duration"):
        np.testing.assert_allclose(getattr(follow, name), getattr(listed, name), rtol=1e-12, err_msg=name)
    assert follow.made == listed.made
    assert follow.events == listed.events
    for station, row in follow.shares.items():
        assert row == pytest.approx(listed.shares[station], abs=1e-12)


def test_without_event_list_the_same_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """With random times: throughput, parts in the line and shares of both agree within their errors."""
    line = Line([Station(f"S{k}", Law.lognormal(1.0, 0.4), buffer=2, life=Law.weibull(30, 1.5), repair=Law.exponential(4))
                 for k in range(4)])
    follow = simulate_line(line, duration=800, warm_up=100, replications=400, seed=8)
    monkeypatch.setattr(simulation, "plain", lambda line: False)
    listed = simulate_line(line, duration=800, warm_up=100, replications=400, seed=9)
    for name in ("throughput", "in_line"):
        a, b = getattr(follow, name), getattr(listed, name)
        assert abs(a.mean() - b.mean()) < 4 * ((a.var() + b.var()) / 400) ** 0.5
    for station, row in follow.shares.items():
        assert row == pytest.approx(listed.shares[station], abs=0.01)
    assert follow.events == pytest.approx(listed.events, rel=0.01)


def test_parts_are_conserved_and_time_adds_up() -> None:
    """Shares of time add up to 1; scrap is the share that was asked for; products leave in the proportion of the sequence."""
    result = simulate_line(rich(), duration=5000, replications=8, seed=2)
    for row in result.shares.values():
        assert sum(row.values()) == pytest.approx(1.0, abs=1e-9)
    assert (result.good / result.finished).mean() == pytest.approx(0.9, abs=0.02)
    assert result.made["A"] == pytest.approx(result.made["B"], rel=0.05)
    assert result.bottleneck() in ("print", "place", "oven")
    assert "print" in result.table()
    assert list(result.to_frame().index) == ["print", "place", "oven"]


def test_replications_do_not_depend_on_threads() -> None:
    """Replication k of a seed is the same whatever the number of threads and replications."""
    a = simulate_line(rich(), duration=300, replications=20, seed=9, threads=1)
    b = simulate_line(rich(), duration=300, replications=50, seed=9, threads=2)
    np.testing.assert_array_equal(a.good, b.good[:20])
    assert len(set(b.good)) > 3


def test_laws_have_their_means() -> None:
    """Mean of 20,000 draws."""
    state, pool = [*simulation._stream(1, 1), random_numbers.AHEAD], [0.0] * (2 * random_numbers.AHEAD)
    for law in (Law.exponential(3), Law.uniform(1, 4), Law.triangular(1, 2, 6), Law.weibull(2, 1.5), Law.normal(10, 2),
                Law.lognormal(5, 2),
                Law.constant(2)):
        draws = [random_numbers.sample(list(law.row), state, pool) for _ in range(20_000)]
        assert np.mean(draws) == pytest.approx(law.mean, rel=0.03)


def test_generator_is_the_published_one() -> None:
    """MRG32k3a with all seeds 12345: the first number is 0.1270111501 (L'Ecuyer's test program prints 0.127011)."""
    pool = [0.0] * (2 * random_numbers.AHEAD)
    assert random_numbers.uniform([12345] * 6 + [random_numbers.AHEAD], pool) == pytest.approx(0.127011, abs=1e-6)


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: Line([]), "Expected at least one"),
    (lambda: Station("a", 1.0, machines=0), "has 0 machines"),
    (lambda: Station("a", 1.0, good=0.0), "share of good parts of 'a' is 0"),
    (lambda: Line([Station("a", 0.0), Station("b", 0.0)]), "time would stand still"),
    (lambda: Station("a", 1.0, life=0.0), "break down without end"),
    (lambda: Law.exponential(-1), "mean of an exponential time is -1"),
    (lambda: Law.uniform(3, 2), "Expected rising values"),
    (lambda: Line([Station("a", {"A": 1.0})], products=["B"]), "Unknown product 'B'"),
    (lambda: simulate_line(Line([Station("a", 1.0)]), duration=10, warm_up=20), "Expected 0 <= warm_up < duration"),
    (lambda: simulate_line(Line([Station("a", 1.0)]), duration=10, replications=0), "Expected 1 or more"),
])
def test_mistakes_are_sentences(make: object, sentence: str) -> None:
    """Nothing is simulated that is stated wrongly."""
    with pytest.raises(twin.SpecError, match=sentence):
        make()  # type: ignore[operator]


def test_plot(tmp_path: object) -> None:
    """Shares of time as bars."""
    pytest.importorskip("matplotlib")
    random.seed(0)
    assert len(simulate_line(rich(), duration=100).plot().axes) == 1
