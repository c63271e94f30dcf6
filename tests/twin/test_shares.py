"""Shares of a whole, ranges of validity, and vessels that overflow: wrong use is told in a sentence."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import twin


class Mixer(twin.DynamicModel):
    """A stirred vessel fed with a mixture of three."""

    time_unit = "h"
    level = twin.state("l", lower=1, upper=20, nominal=10, doc="contents")
    x_a = twin.state("g/g", lower=0, upper=1, nominal=0.5, per="level", doc="A")
    x_b = twin.state("g/g", lower=0, upper=1, nominal=0.5, per="level", doc="B")
    flow = twin.input("l/h", lower=0, upper=100, nominal=1, doc="feed")
    z_a = twin.disturbance("g/g", lower=0, upper=1, nominal=0.5, doc="A in the feed")
    z_b = twin.disturbance("g/g", lower=0, upper=1, nominal=0.5, doc="B in the feed")
    share_1 = twin.parameter(0.3, "-", bounds=(0, 1), source="test", doc="first")
    share_2 = twin.parameter(0.7, "-", bounds=(0, 1), source="test", doc="second")
    speed = twin.parameter(5.0, "1/s", bounds=(0, 100), validity=(1, 10), source="Nobody (2001)", doc="stirrer")

    held = twin.Shares("x_a", "x_b")
    fed = twin.Shares("z_a", "z_b")
    split = twin.Shares("share_1", "share_2")

    def rhs(self, s: Any) -> Any:
        d = s.flow / s.level
        return {"level": s.flow, "x_a": d * (s.z_a - s.x_a), "x_b": d * (s.z_b - s.x_b)}

    def initial(self) -> Any:
        return {"level": 10.0, "x_a": 0.5, "x_b": 0.5}


def run(inputs: Any, **options: Any) -> Any:
    return twin.simulate(Mixer(), inputs, **{"duration": 1.0} | options)


def test_shares_of_parameters_are_checked_at_construction() -> None:
    with pytest.raises(twin.SpecError, match=r"Mixer: share_1 0\.4 \+ share_2 0\.7 = 1\.1\. Expected a sum of 1"):
        Mixer(share_1=0.4)
    assert Mixer(share_1=0.4, share_2=0.6).share_1 == 0.4


def test_shares_of_states_and_of_the_feed_are_checked_where_given() -> None:
    with pytest.raises(twin.SpecError, match=r"x_a 0\.9 \+ x_b 0\.5 = 1\.4\. Expected a sum of 1"):
        run({"flow": 1.0}, initial={"x_a": 0.9})
    with pytest.raises(twin.SpecError, match=r"z_a 0\.6 \+ z_b 0\.5 = 1\.1"):
        run({"flow": 1.0, "z_a": 0.6})
    late = twin.Recipe([twin.Phase(inputs={"flow": 1.0}, until=0.5), twin.Phase(inputs={"z_b": 0.2})])
    with pytest.raises(twin.SpecError, match=r"z_a 0\.5 \+ z_b 0\.2 = 0\.7"):
        run(late)
    assert run({"flow": 1.0, "z_a": 0.6, "z_b": 0.4}).status
    assert run({"flow": 1.0, "z_a": 0.6}, check_limits=False).status


def test_shares_name_what_is_there() -> None:
    with pytest.raises(twin.SpecError, match=r"Unknown signal or parameter 'y_a' of Wrong"):
        class Wrong(twin.DynamicModel):
            """Names a share that is not there."""

            x_a = twin.state("-")
            held = twin.Shares("x_a", "y_a")
    with pytest.raises(twin.SpecError, match="at least two shares"):
        twin.Shares("x_a")


def test_value_beyond_the_range_of_the_source_warns_and_names_it() -> None:
    with pytest.warns(twin.ValidityWarning, match=r"Mixer\.speed is 20 1/s\. It is known from 1 to 10 1/s \(Nobody \(2001\)\)"):
        assert Mixer(speed=20.0).speed == 20.0
    with pytest.warns(twin.ValidityWarning, match="known from 1 to 10"):
        run({"flow": 1.0}, parameters={"speed": 0.5})
    with pytest.raises(twin.SpecError, match="Expected 0 to 100"):
        Mixer(speed=200.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Mixer(speed=1.0)


def test_overflowing_vessel_is_refused() -> None:
    with pytest.raises(twin.SpecError, match=r"Mixer\.level is .* l at .* h\. The vessel holds 20 l\. Feed less") as told:
        run({"flow": 11.0})
    assert told.value.trajectory.final["level"] == pytest.approx(21.0)
    assert run({"flow": 10.0}).final["level"] == pytest.approx(20.0)
    assert run({"flow": 11.0}, check_limits=False).excursions[0].startswith("Mixer.level reached 21 l; its limits are 1 to 20 l")
