"""The conformance kit passes good models and names what is wrong with bad ones."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import ExothermicCstr
from twin import jnp
from twin.testing import NonSmoothWarning, check_model


def answer(model: Any, name: str) -> Any:
    """One check of a model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonSmoothWarning)
        return next(c for c in check_model(model, points=8, throw=False).checks if c.name == name)


def tank(**body: Any) -> Any:
    """A small good model, with parts replaced."""
    parts: dict[str, Any] = {
        "__module__": __name__, "level": twin.state("m", lower=0, upper=4, nominal=1),
        "flow": twin.input("m/h", lower=0, upper=2), "time_unit": "h",
        "k": twin.parameter(0.5, "1/h", source="this test", doc="outflow"),
        "rhs": lambda self, s: {"level": s.flow - self.k * s.level}}
    return type("Tank", (twin.DynamicModel,), parts | body)()


def test_good_models_pass() -> None:
    """Shipped models pass every check, and the report says which."""
    for model in (ExothermicCstr(), tank()):
        report = check_model(model)
        assert report
        assert {c.status for c in report.checks} <= {"passed", "skipped"}
        assert report.table().loc["lowered", "status"] == "passed"


def test_carbon_of_penicillin_is_kept_with_random_weights() -> None:
    """In every term and every mode, to 1e-9 of what is turned over."""
    assert answer(Penicillin(), "balances").status == "passed"


def test_all_failures_are_listed_at_once() -> None:
    """One error, every failed check in it."""
    bad = tank(k=twin.parameter(0.5, "1/hour_glass"), rhs=lambda self, s: {"level": s.flow / (s.level - s.level)})
    with pytest.raises(twin.SpecError) as caught:
        check_model(bad)
    text = str(caught.value)
    assert text.startswith("Tank fails ")
    assert "- units: k: unknown unit '1/hour_glass'" in text
    assert "- described: Parameter k has no doc and no source" in text
    assert "- finite: The derivative or residual level is " in text
    assert len(caught.value.report.failures) >= 3


@pytest.mark.parametrize(("kink", "word"), [
    (lambda a: jnp.where(a > 1, a, 1.0), "where"), (lambda a: jnp.abs(a - 1), "abs"), (lambda a: jnp.maximum(a, 1.0), "maximum"),
    (lambda a: jnp.clip(a, 0.5, 1.0), "m[ai]"), (lambda a: jnp.sign(a - 1), "sign"), (lambda a: jnp.floor(a), "floor")])
def test_kinks_are_warned_of_with_their_line(kink: Any, word: str) -> None:
    """The name of the function and the line it stands in; not a failure."""
    bad = tank(rhs=lambda self, s: {"level": s.flow - kink(s.level)})
    with pytest.warns(NonSmoothWarning, match=rf"Tank uses {word}.*test_testing\.py:\d+.*twin\.smooth"):
        check_model(bad, points=3, throw=False)


def test_wrong_derivatives_are_found() -> None:
    """stop_gradient hides a slope from Newton's method."""
    import jax

    bad = tank(rhs=lambda self, s: {"level": s.flow - self.k * jax.lax.stop_gradient(s.level)})
    found = answer(bad, "gradient")
    assert found.status == "failed"
    assert "equation level" in found.message


@pytest.mark.parametrize("residual", [
    lambda self, s: {"a": s.level - 1.0, "b": s.a - s.b},
    lambda self, s: {"a": s.a + s.b - s.level, "b": 2 * s.a + 2 * s.b - s.level}])
def test_index_above_one_names_the_equation(residual: Any) -> None:
    """A constraint on states alone, and two that say the same of the algebraics."""
    bad = tank(a=twin.algebraic("m", lower=0, upper=4), b=twin.algebraic("m", lower=0, upper=4), residual=residual)
    found = answer(bad, "index")
    assert found.status == "failed"
    assert "'a'" in found.message or "'b'" in found.message
    assert "index above 1" in found.message


def test_index_one_passes() -> None:
    """Algebraics that the residuals fix."""
    good = tank(a=twin.algebraic("m", lower=0, upper=4), residual=lambda self, s: {"a": s.level - 2 * s.a})
    assert answer(good, "index").status == "passed"


def rate(function: Any, **kw: Any) -> Any:
    """A model whose outflow is a term."""
    def outflow(self: Any, level: Any) -> Any:
        """Outflow."""
        return function(level)

    made = twin.term("m/h", **{"lower": 0, "upper": 3} | kw)(outflow)
    return tank(outflow=made, rhs=lambda self, s: {"level": s.flow - self.outflow(s.level)})


def test_terms_that_break_their_promises_are_named() -> None:
    """Not zero where it should vanish, outside its limits, falling where it should rise."""
    assert answer(rate(lambda a: 0.5 * a, vanishes_with=("level",), rises_with=("level",)), "terms").status == "passed"
    assert "is 0.1 m/h where level is 0. Expected 0" in answer(rate(lambda a: 0.1 + a, vanishes_with=("level",)), "terms").message
    assert "Expected 0 to 3" in answer(rate(lambda a: 0.9 * a), "terms").message
    assert "does not rise with level" in answer(rate(lambda a: jnp.sin(a), lower=-1, rises_with=("level",)), "monotone").message
    assert "does not fall with level" in answer(rate(lambda a: 0.5 * a, falls_with=("level",)), "monotone").message


def test_balances_that_do_not_close_are_named() -> None:
    """The amount off, the point, the correction in force."""
    bad = tank(balances=lambda self, s: {"water": (s.level, s.flow - 1.01 * self.k * s.level)})
    found = answer(bad, "balances")
    assert found.status == "failed"
    assert "The balance of water is off by" in found.message


def test_units_of_time_must_be_times() -> None:
    """time_unit = "kg" is refused."""
    assert "Expected a time such as 's' or 'h'" in answer(tank(time_unit="kg"), "units").message
