"""Functions for learned terms: monotone networks, Gaussian processes, splines."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import twin


class Kinetics(twin.DynamicModel):
    """Terms for every kind of function."""

    time_unit = "h"
    substrate = twin.state("g/l", lower=0, upper=50, nominal=5)
    biomass = twin.state("g/l", lower=0, upper=50, nominal=5)
    temperature = twin.disturbance("K", lower=280, upper=320, nominal=300)
    mu = twin.parameter(0.3, "1/h", bounds=(0, 1), doc="rate", source="example")

    @twin.term("1/h", lower=0, upper=1, vanishes_with=("substrate",), rises_with=("substrate",))
    def growth(self, substrate: Any, temperature: Any) -> Any:
        """Specific growth rate."""
        return self.mu * substrate / (1.0 + substrate) * (temperature / 300.0)

    def rhs(self, s: Any) -> Any:
        made = self.growth(s.substrate, s.temperature) * s.biomass
        return {"substrate": -2.0 * made, "biomass": made}

    def balances(self, s: Any) -> Any:
        return {"carbon": (s.substrate + 2.0 * s.biomass, 0.0 * s.substrate)}

    def initial(self) -> Any:
        return {"substrate": 10.0, "biomass": 0.5}


RANGES = {"substrate": (0.0, 10.0), "temperature": (290.0, 310.0)}


def monotone(seed: int, size: float = 1.0) -> twin.MonotoneMlp:
    """Rises with the substrate, falls with the temperature."""
    net = twin.MonotoneMlp.random(inputs=("substrate", "temperature"), rises_with=("substrate",), falls_with=("temperature",),
                                  hidden=(5, 4), scales=(10.0, 10.0), centers=(0.0, 300.0), seed=seed)
    random = np.random.default_rng(seed)
    return dataclasses.replace(net, weights=tuple((w + size * random.normal(size=w.shape), b) for w, b in net.weights))


def heights(f: Any, seed: int) -> Any:
    """The same function with random weights."""
    return dataclasses.replace(f, weights=np.random.default_rng(seed).normal(size=f.weights.shape))


KINDS = {"monotone": lambda seed: monotone(seed),
         "process": lambda seed: heights(twin.GaussianProcess.over(RANGES, points=9), seed),
         "spline": lambda seed: heights(twin.Spline.over(RANGES, pieces=4), seed)}


@pytest.mark.parametrize("size", [1.0, 10.0])
def test_monotone_networks_are_monotone_on_10000_points(size: float) -> None:
    """Whatever the weights: never falling with the substrate, never rising with the temperature."""
    import jax

    random = np.random.default_rng(0)
    s, t = random.uniform(0, 50, 10_000), random.uniform(280, 320, 10_000)
    with jax.enable_x64(True):
        for seed in range(5):
            net = monotone(seed, size)
            here = np.asarray(net({"substrate": s, "temperature": t}))
            assert (np.asarray(net({"substrate": s + random.uniform(0, 5, 10_000), "temperature": t})) >= here - 1e-12).all()
            assert (np.asarray(net({"substrate": s, "temperature": t + random.uniform(0, 5, 10_000)})) <= here + 1e-12).all()
            assert np.ptp(here) > 1e-3


@pytest.mark.parametrize("correction", [twin.Multiply, twin.Replace])
def test_a_monotone_term_stays_monotone_and_zero_at_zero(correction: Any) -> None:
    """10,000 random pairs of states: the corrected rate never falls with the substrate and vanishes without it."""
    import jax

    random = np.random.default_rng(1)
    low, t = random.uniform(0, 50, 10_000), random.uniform(280, 320, 10_000)
    high = low + random.uniform(0, 5, 10_000)
    with jax.enable_x64(True):
        model = Kinetics().with_learned({"growth": correction(monotone(3, 3.0))})
        assert (np.asarray(model.growth(high, t)) >= np.asarray(model.growth(low, t)) * (1 - 1e-12)).all()
        assert (np.asarray(model.growth(np.zeros(50), t[:50])) == 0.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_executions_agree_and_the_balance_holds(kind: str) -> None:
    """Python and C give the same numbers with each function, and no weight can break the balance: 1e-9 of the amount."""
    model = Kinetics().with_learned({"growth": twin.Multiply(KINDS[kind](2), 3.0)})
    runs = [twin.simulate(model, {"temperature": 300.0}, duration=10, points=21, execution=e, rtol=1e-8) for e in ("python", "c")]
    assert runs[0]["biomass"].tolist() == runs[1]["biomass"].tolist()
    amount = runs[0]["substrate"] + 2.0 * runs[0]["biomass"]
    assert np.abs(amount / amount[0] - 1).max() < 1e-9
    plain = twin.simulate(Kinetics(), {"temperature": 300.0}, duration=10, points=21)
    assert np.abs(plain["biomass"] - runs[0]["biomass"]).max() > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_functions_are_stored_without_their_class(kind: str, tmp_path: Any) -> None:
    """The artifact holds programs and weights; it simulates to the same numbers."""
    model = Kinetics().with_learned({"growth": twin.Multiply(KINDS[kind](2), 3.0)})
    twin.save(tmp_path / "twin.h5", model)
    ends = [twin.simulate(m, {"temperature": 300.0}, duration=5, execution="python").final["biomass"]
            for m in (model, twin.load(tmp_path / "twin.h5"))]
    assert ends[0] == ends[1]


def test_a_gaussian_process_forgets_where_it_has_no_points() -> None:
    """Far from its points it is zero; its prior is that of the process: a draw has the stated size."""
    import jax

    f = twin.GaussianProcess.over({"substrate": (0.0, 1.0)}, points=9, width=0.3)
    rows, target = f.prior(0.5)
    assert target.tolist() == [0.0] * 9
    random = np.random.default_rng(0)
    with jax.enable_x64(True):
        draws = [float(dataclasses.replace(f, weights=np.linalg.solve(rows, random.normal(size=9)))({"substrate": 0.5}))
                 for _ in range(400)]
        assert np.std(draws) == pytest.approx(0.5, rel=0.15)
        assert abs(float(heights(f, 0)({"substrate": 5.0}))) < 1e-12


def test_a_spline_follows_a_cubic_and_keeps_its_end_value() -> None:
    """Cubic splines reproduce cubics; beyond the range the value stays."""
    import jax

    f = twin.Spline.over({"substrate": (0.0, 2.0)}, pieces=5)
    x = np.linspace(0.05, 1.95, 40)
    wanted = 1.0 - 2.0 * x + 0.5 * x**3
    with jax.enable_x64(True):
        basis = np.stack([np.asarray(dataclasses.replace(f, weights=row[None])({"substrate": x})) for row in np.eye(8)], 1)
        found = dataclasses.replace(f, weights=np.linalg.lstsq(basis, wanted, rcond=None)[0][None])
        assert np.asarray(found({"substrate": x})) == pytest.approx(wanted, abs=2e-3)
        ends = [float(found({"substrate": v})) for v in (2.0, 3.0, 300.0)]
        assert ends == pytest.approx([ends[0]] * 3, abs=1e-3)
        assert basis.sum(1) == pytest.approx(np.ones(40), abs=1e-3)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: twin.MonotoneMlp.random(inputs=("a",), rises_with=("b",)), r"Unknown input 'b' of this MonotoneMlp"),
    (lambda: twin.MonotoneMlp.random(inputs=("a",), rises_with=("a",), falls_with=("a",)), r"Expected each input at most once"),
    (lambda: twin.MonotoneMlp.random(inputs=("a",)), r"and at least one of them"),
    (lambda: twin.GaussianProcess(np.zeros(2), ((0.0,),), ("a",)), r"weights of the shape \(2,\)\. Expected \(1,\)"),
    (lambda: twin.GaussianProcess(np.zeros(1), ((0.0, 1.0),), ("a",)), r"Expected 1 values a point \(a\)"),
    (lambda: twin.GaussianProcess.over({"a": (1.0, 0.0)}), r"The range of a is 1 to 0\. Expected low < high"),
    (lambda: twin.Spline.over({}), r"Spline has no inputs"),
    (lambda: twin.Spline(np.zeros((1, 3)), ("a",), ((0.0, 1.0),)), r"Spline has 3 weights an input\. Expected at least 4"),
    (lambda: twin.Spline(np.zeros((2, 5)), ("a",), ((0.0, 1.0),)), r"Spline has 1 inputs, 1 ranges and weights of the shape")])
def test_functions_that_contradict_themselves_are_named(make: Any, message: str) -> None:
    """What is wrong with which argument."""
    with pytest.raises(twin.SpecError, match=message):
        make()
