"""Declarations: defaults, and every way to contradict oneself."""

from __future__ import annotations

from typing import Any

import pytest

import twin


def declare(**signals: Any) -> type:
    """A model class with these attributes."""
    return type("Tank", (twin.DynamicModel,), signals)


def test_nominal_is_typical_when_left_out() -> None:
    """1 where that lies inside the limits, else their middle, else the one limit."""
    assert twin.state("g/l").nominal == 1.0
    assert twin.state("K", lower=300, upper=500).nominal == 400.0
    assert twin.input("K", lower=300).nominal == 300.0
    assert twin.output("g", upper=-5.0).nominal == -5.0


def test_shape_may_be_one_name() -> None:
    """shape="cells" means ("cells",)."""
    assert twin.state("K", shape="cells").shape == ("cells",)  # type: ignore[arg-type]


@pytest.mark.parametrize(("signal", "message"), [
    (twin.state("K", lower=5, upper=1, nominal=2), r"Tank\.x has the limits 5 and 1 K\. Expected lower < upper"),
    (twin.state("K", lower=300, upper=500, nominal=25), r"nominal of Tank\.x is 25 K\. Expected 300 to 500 K\. Give "
                                                        r"nominal="),
    (twin.state("K", nominal=float("nan")), r"nominal of Tank\.x is nan"),
    (twin.state(3), r"The unit of Tank\.x is 3"),
    (twin.state("g/l", per="volme"), r"Unknown signal 'volme' of Tank\.x \(per=\)"),
    (twin.state("K", shape=("cells",)), r"Unknown static 'cells' of Tank\.x \(shape=\)")])
def test_contradictions_are_named(signal: Any, message: str) -> None:
    """Model, signal, value and what was expected."""
    with pytest.raises(twin.SpecError, match=message):
        declare(x=signal)


@pytest.mark.parametrize("name", ["time", "position", "_x", "class", "recipe", "layout", "signals", "title", "cell"])
def test_reserved_names_are_refused(name: str) -> None:
    """Names with another meaning in s or in the model."""
    with pytest.raises(TypeError, match=rf"{name}"):
        declare(**{name: twin.state("g")})


def test_parameters_may_not_hide_methods() -> None:
    """A parameter named like a method of the model would break it."""
    with pytest.raises(TypeError, match=r"'outputs' of Tank hides Model\.outputs"):
        declare(outputs=twin.parameter(1.0, "g"))


def test_scale_is_linear_or_log() -> None:
    """Anything else is refused at once."""
    with pytest.raises(twin.SpecError, match="scale is 'logarithmic'"):
        twin.parameter(1.0, "g", scale="logarithmic")
