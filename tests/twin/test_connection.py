"""Joined units: names, units of measurement, recycles, and every wrong link."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import twin
from twin.testing import check_model


class Kiln(twin.DynamicModel):
    """Heated by fuel and by the air of the cooler."""

    time_unit = "h"
    t_bed = twin.state("K", lower=300, upper=2000, nominal=1200)
    fuel = twin.input("t/h", lower=0, upper=10, nominal=3)
    t_air = twin.input("K", lower=250, upper=1500, nominal=800)
    t_out = twin.output("K")
    k = twin.parameter(2.0, "1/h", bounds=(0, None), source="this test", doc="heat loss")

    @twin.term("K/h", lower=0, upper=1000, vanishes_with=("fuel",))
    def heat(self, fuel: Any) -> Any:
        """Heating by the fuel."""
        return 60.0 * fuel

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"t_bed": self.heat(s.fuel) + self.k * (s.t_air - s.t_bed)}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"t_out": s.t_bed + 0.01 * s.t_air}

    def initial(self) -> dict[str, Any]:
        return {"t_bed": 1000.0}

    def balances(self, s: Any) -> dict[str, Any]:
        return {"bed": (s.t_bed, self.heat(s.fuel) + self.k * (s.t_air - s.t_bed))}


class Cooler(twin.DynamicModel):
    """In seconds and degrees Celsius, to be converted."""

    time_unit = "s"
    t = twin.state("degC", lower=0, upper=1500, nominal=300)
    t_in = twin.disturbance("degC", lower=0, upper=2000, nominal=1000)
    t_sec = twin.output("degC")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"t": 0.001 * (s.t_in - s.t) - 0.0005 * s.t}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"t_sec": 0.5 * (s.t_in + s.t)}


def line() -> Any:
    """Kiln and cooler with the recycle of hot air."""
    return twin.connect({"kiln": Kiln(), "cooler": Cooler()},
                        [("kiln.t_out", "cooler.t_in"), ("cooler.t_sec", "kiln.t_air")], name="pyro")


def test_one_flat_model_with_prefixes() -> None:
    """A recycle becomes one algebraic variable; fed inputs are no longer free."""
    model = line()
    assert {s.name: s.role for s in model.signals} == {
        "kiln.t_bed": "state", "kiln.fuel": "input", "kiln.t_air": "algebraic", "kiln.t_out": "output",
        "cooler.t": "state", "cooler.t_sec": "output"}
    assert (model.title, model.time_unit, model.parameter_names()) == ("pyro", "h", ("kiln.k",))
    assert model.what_must_i_set() == ("kiln.fuel",)
    assert model.initial() == {"kiln.t_bed": 1000.0}


def test_units_of_value_and_time_are_converted() -> None:
    """Against the equations written out by hand in K and h."""
    import jax

    model = line()
    t_bed, t, t_air, fuel = 1200.0, 300.0, 800.0, 3.0
    with jax.enable_x64(True):
        dx, r = model.derivative(0.0, np.array([t_bed, t]), np.array([t_air]), np.array([fuel]), np.zeros(0))
    t_in = t_bed + 0.01 * t_air - 273.15
    assert np.asarray(dx) == pytest.approx([60 * fuel + 2 * (t_air - t_bed), 3600 * (0.001 * (t_in - t) - 0.0005 * t)])
    assert np.asarray(r) == pytest.approx([0.5 * (t_in + t) + 273.15 - t_air])


def test_steady_state_of_the_recycle() -> None:
    """Found by steady(), checked by hand: t = t_in / 1.5, bed 90 K above the air."""
    point = twin.steady(line(), {"kiln.fuel": 3.0})[0]
    assert point["kiln.t_bed"] == pytest.approx(point["kiln.t_air"] + 90.0)
    assert point["cooler.t"] == pytest.approx((point["kiln.t_out"] - 273.15) / 1.5)
    assert point["cooler.t_sec"] + 273.15 == pytest.approx(point["kiln.t_air"])


def test_states_feed_without_an_algebraic_and_inputs_can_be_shared() -> None:
    """Only outputs in a circle need one."""
    model = twin.connect({"a": Kiln(), "b": Kiln()}, [("a.t_bed", "b.t_air"), ("b.t_bed", "a.t_air"), ("a.fuel", "b.fuel")])
    assert [s.name for s in model.of_role("algebraic")] == []
    assert [s.name for s in model.of_role("input")] == ["a.fuel"]


def test_terms_outputs_and_copies_of_a_line() -> None:
    """Corrections by prefixed name, outputs over units as s.kiln.t_bed, pickle and deepcopy."""
    import jax

    net = twin.Mlp.random(inputs=("fuel",), hidden=(2,))
    model = line().with_learned({"kiln.heat": net}).with_output("gap", "K", lambda s: s.kiln.t_bed - s.cooler.t)
    assert model.parameter_names()[:2] == ("kiln.k", "kiln.learned.heat.net.weights[0][0][0]")
    assert list(model.corrections()) == ["kiln.heat"]
    with jax.enable_x64(True):
        y = model.output_vector(0.0, np.array([1200.0, 300.0]), np.array([800.0]), np.array([3.0]), np.zeros(0))
    assert np.asarray(y)[-1] == 900.0
    assert copy.deepcopy(model).signals == model.signals
    assert pickle.loads(pickle.dumps(line())).parameter_vector() == [2.0]
    with pytest.raises(twin.SpecError, match=r"Unknown term 'kiln\.heet' of pyro\. Did you mean 'kiln\.heat'"):
        line().with_learned({"kiln.heet": net})


def test_units_on_cells_can_be_joined() -> None:
    """Two tubes in series through an output at the end of the first."""
    import jax

    from processes.chemical import TubularReactor

    first = TubularReactor(cells=3).with_output("c_a_out", "mol/l", lambda s: s.c_a[-1])
    model = twin.connect({"one": first, "two": TubularReactor(cells=4)}, [("one.c_a_out", "two.c_a_in")])
    assert model.size("state") == 9 * 7
    assert {r.signal.shape: r.shape for r in model.layout("state")} == {("one.cells",): (3,), ("two.cells",): (4,)}
    vectors = [np.concatenate([np.full(r.count, r.signal.nominal) for r in model.layout(role)] or [np.zeros(0)])
               for role in ("state", "algebraic", "input", "disturbance")]
    with jax.enable_x64(True):
        assert np.isfinite(np.asarray(model.derivative(0.0, *vectors)[0])).all()


@pytest.mark.filterwarnings("error")
def test_a_line_passes_the_conformance_kit() -> None:
    """Lowered, copied, balanced, like any model."""
    report = check_model(line(), throw=False)
    assert [c for c in report.checks if c.status in ("failed", "warned")] == []
    assert next(c for c in report.checks if c.name == "lowered").status == "passed"


@pytest.mark.parametrize(("links", "message"), [
    ([("kiln.t_ot", "cooler.t_in")], r"Unknown port 'kiln\.t_ot' of line\. Did you mean 'kiln\.t_out'"),
    ([("kil.t_out", "cooler.t_in")], r"Unknown unit 'kil' of line .*Did you mean 'kiln'"),
    ([("kiln.fuel", "cooler.t_in")], r"link kiln\.fuel -> cooler\.t_in: cannot convert t/h .* to degC"),
    ([("cooler.t", "kiln.t_bed")], r"kiln\.t_bed is an? state of line\. Expected input or disturbance"),
    ([("kiln.t_out", "cooler.t_in"), ("kiln.t_bed", "cooler.t_in")], r"cooler\.t_in is fed by kiln\.t_out and "
                                                                     r"kiln\.t_bed"),
    ([("kiln.t_out", "cooler.t_in"), ("cooler.t_in", "kiln.t_air")], r"which is fed by kiln\.t_out\. Link kiln\.t_air "
                                                                     r"to kiln\.t_out")])
def test_wrong_links_are_named(links: list[tuple[str, str]], message: str) -> None:
    """Port, unit and what to do."""
    with pytest.raises(twin.SpecError, match=message):
        twin.connect({"kiln": Kiln(), "cooler": Cooler()}, links)


def test_wrong_units_are_named() -> None:
    """Classes, foreign objects, bad names and nothing at all."""
    with pytest.raises(twin.SpecError, match=r"'kiln' of line is the class Kiln\. Expected a model, as in "
                                             r"kiln=Kiln\(\)"):
        twin.connect({"kiln": Kiln})
    with pytest.raises(twin.SpecError, match="cannot name a unit"):
        twin.connect({"kiln.1": Kiln()})
    with pytest.raises(twin.SpecError, match="has no units"):
        twin.connect({})
