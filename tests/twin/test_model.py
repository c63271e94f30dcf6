"""The model contract: layout, packing, parameters, copies, transformations, extra outputs, refusals."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

import twin


class Column(twin.DynamicModel):
    """Two fields on cells, one scalar, a profile, an algebraic and an output."""

    time_unit = "h"
    cells = twin.static(3, doc="number of cells")
    level = twin.state("m", lower=0, upper=2, nominal=1)
    t = twin.state("K", shape=("cells",), lower=250, upper=500, nominal=300)
    c = twin.state("mol/l", shape=("cells",), lower=0, upper=5)
    flow = twin.algebraic("m3/h", lower=0, upper=10)
    valve = twin.input("-", lower=0, upper=1, nominal=0.5)
    inlet = twin.disturbance("mol/l", lower=0, upper=5)
    exit = twin.output("mol/l")
    k = twin.parameter(0.3, "1/h", bounds=(0, 10), scale="log", source="this test", doc="rate")
    warm = twin.parameter(310.0, "K", shape=("cells",), bounds=(250, 400), source="this test", doc="jacket")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"level": s.inlet * 0.1 - s.flow, "t": self.warm - s.t, "c": s.inlet - s.c - self.k * s.c}

    def residual(self, s: Any) -> dict[str, Any]:
        return {"flow": s.valve * s.level - s.flow}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"exit": s.c[-1]}


class Mixer(twin.SteadyModel):
    """Two feeds into one."""

    a = twin.input("kg/s", lower=0, upper=10)
    b = twin.input("kg/s", lower=0, upper=10)
    total = twin.algebraic("kg/s", lower=0, upper=20)
    share = twin.output("-")

    def residual(self, s: Any) -> dict[str, Any]:
        return {"total": s.a + s.b - s.total}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"share": s.a / s.total}


def nominal(model: Any) -> list[np.ndarray]:
    """x, z, u, d at nominal values."""
    vectors = []
    for role in ("state", "algebraic", "input", "disturbance"):
        v = np.zeros(model.size(role))
        for r in model.layout(role):
            v[r.where] = r.signal.nominal
        vectors.append(v)
    return vectors


def test_layout_interleaves_cells_and_puts_scalars_last() -> None:
    """Band width stays that of one cell."""
    rows = {r.signal.name: (r.start, r.step, r.count) for r in Column().layout("state")}
    assert rows == {"t": (0, 2, 3), "c": (1, 2, 3), "level": (6, 1, 1)}
    assert Column(cells=5).size("state") == 11


def test_values_and_pack_are_inverse() -> None:
    """Names to a vector and back, with leading batch axes."""
    import jax

    with jax.enable_x64(True):
        model, x = Column(), np.arange(7.0)
        s = model.values(0.0, state=x)
        assert (s.t.tolist(), s.c.tolist(), float(s.level)) == ([0, 2, 4], [1, 3, 5], 6.0)
        assert np.asarray(model.pack("state", {n: s[n] for n in ("t", "c", "level")}, "rhs")).tolist() == x.tolist()
        batch = model.values(0.0, state=np.stack([x, 2 * x]))
        assert (batch.t.shape, batch.level.shape) == ((2, 3), (2,))


def test_wrong_names_and_shapes_are_named() -> None:
    """Typos in s, unknown, missing and too large results."""
    import jax

    with jax.enable_x64(True):
        model = Column()
        with pytest.raises(twin.SpecError, match=r"Unknown signal 'lvel' of Column\. Did you mean 'level'\?"):
            model.values(0.0, state=np.zeros(7)).lvel  # noqa: B018
        with pytest.raises(twin.SpecError, match=r"Unknown state 'levl' of Column\.rhs\. Did you mean 'level'"):
            model.pack("state", {"levl": 1.0}, "rhs")
        with pytest.raises(twin.SpecError, match=r"Column\.rhs gives no value for t, c\."):
            model.pack("state", {"level": 1.0}, "rhs")
        with pytest.raises(twin.SpecError, match=r"Column\.rhs gives level the shape \(3,\)\. Expected \(\)"):
            model.pack("state", {"level": np.zeros(3), "t": 1.0, "c": 1.0}, "rhs")
        with pytest.raises(AttributeError, match="read-only"):
            model.values(0.0, state=np.zeros(7)).level = 1.0


@pytest.mark.parametrize(("given", "message"), [
    ({"k": 11.0}, r"Column\.k is 11 1/h\. Expected 0 to 10 1/h"), ({"k": float("nan")}, r"Column\.k is NaN 1/h\. "
                                                                                        r"Expected a number"),
    ({"k": "3 kg"}, r"Column\.k = 3 kg: cannot convert kg"), ({"k": "3"}, r"Column\.k is '3', without a unit"),
    ({"k": True}, r"Column\.k is True"), ({"warm": [300.0, 310.0]}, r"Column\.warm has the shape \(2,\)\. Expected "
                                                                    r"\(3,\)"),
    ({"warm": [300.0, 310.0, 30.0]}, r"Column\.warm\[2\] is 30 K\. Expected 250 to 400 K\. 30 degC would be 303.15 K"),
    ({"warm": [300.0, float("nan"), 300.0]}, r"Column\.warm\[1\] is NaN K"),
    ({"k": None}, r"Column\.k has no value\. Give it in 1/h \(0 to 10\); published: this test")])
def test_bad_parameters_are_named(given: dict[str, Any], message: str) -> None:
    """Model, parameter, value, unit and bounds."""
    with pytest.raises(twin.SpecError, match=message):
        Column(**given)


def test_parameters_are_converted_at_construction() -> None:
    """Strings, quantities, whole numbers, profiles and jax arrays end as floats and float64 arrays."""
    import jax
    import pint

    assert Column(k="0.005 1/min").k == pytest.approx(0.3)
    assert Column(k=pint.UnitRegistry().Quantity(0.005, "1/min")).k == pytest.approx(0.3)
    assert isinstance(Column(k=1).k, float)
    assert Column(warm="40 degC").warm.tolist() == [313.15] * 3
    with jax.enable_x64(True):
        assert type(Column(warm=jax.numpy.full(3, 300.0)).warm) is np.ndarray
    assert Column().parameter_names() == ("k", "warm[0]", "warm[1]", "warm[2]")
    assert Column(k=1).parameter_vector() == [1.0, 310.0, 310.0, 310.0]


def test_copies_are_equal_and_independent() -> None:
    """pickle, deepcopy, replace and with_parameter_vector."""
    model = Column(k=0.4, warm=[300.0, 310.0, 320.0], cells=3)
    for back in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), dataclasses.replace(model),
                 model.with_parameter_vector(np.array(model.parameter_vector()))):
        assert back.parameter_vector() == model.parameter_vector()
        assert back.signals == model.signals
    assert dataclasses.replace(model, k=0.5).parameter_vector()[0] == 0.5
    with pytest.raises(twin.SpecError, match=r"Column\.k is -1"):
        dataclasses.replace(model, k=-1.0)


def test_models_pass_through_jit_vmap_and_grad() -> None:
    """A model is an argument like any array; the gradient with respect to a model is a model."""
    import jax

    with jax.enable_x64(True):
        model = Column()
        x, z, u, d = nominal(model)
        f = lambda m, x: m.derivative(0.0, x, z, u, d)[0]  # noqa: E731
        plain = np.asarray(f(model, x))
        assert np.asarray(jax.jit(f)(model, x)) == pytest.approx(plain, rel=1e-14)
        assert np.asarray(jax.vmap(f, (None, 0))(model, np.stack([x, x]))) == pytest.approx(np.stack([plain, plain]))
        many = jax.vmap(lambda k: f(dataclasses.replace(model, k=k), x))(np.array([0.0, 1.0]))
        assert np.asarray(many)[:, 1].tolist() == [0.0, -1.0]
        slope = jax.grad(lambda m: f(m, x)[1])(model)
        assert isinstance(slope, Column)
        assert float(slope.k) == -1.0


def test_32_bit_gives_one_clear_error() -> None:
    """Under a user's own jit without x64, and outside of any jit."""
    import jax

    model = Column()
    x, z, u, d = nominal(model)
    f = lambda x: model.derivative(0.0, x, z, u, d)[0]  # noqa: E731
    for call in (f, jax.jit(f)):
        with pytest.raises(twin.SpecError, match=r"float32 numbers\. Expected float64\. Call it inside 'with "
                                                 r"jax\.enable_x64"):
            call(x)


def test_with_output_adds_outputs_that_see_the_others() -> None:
    """In order, without a subclass; names in use are refused."""
    import jax

    model = Column().with_output("double", "mol/l", lambda s: 2 * s.exit).with_output("more", "-", lambda s: s.double + s.level)
    assert [s.name for s in model.of_role("output")] == ["exit", "double", "more"]
    assert [s.name for s in Column.of_role("output")] == ["exit"]
    with jax.enable_x64(True):
        assert np.asarray(model.output_vector(0.0, *nominal(model))).tolist() == [1.0, 2.0, 3.0]
    for name in ("exit", "k", "rhs", "a b"):
        with pytest.raises(twin.SpecError, match=rf"Column cannot have an output '{name}'"):
            Column().with_output(name, "-", lambda s: s.level)


def test_steady_models() -> None:
    """No states; residuals and outputs; steady() solves them."""
    import jax

    model = Mixer()
    with jax.enable_x64(True):
        dx, r = model.derivative(0.0, np.zeros(0), np.array([4.0]), np.array([1.0, 2.0]), np.zeros(0))
        assert (dx.shape, np.asarray(r).tolist()) == ((0,), [-1.0])
    point = twin.steady(model, {"a": 1.0, "b": "3000 g/s"})[0]
    assert (point["total"], point["share"]) == (pytest.approx(4.0), pytest.approx(0.25))
    with pytest.raises(TypeError, match=r"Bad is a SteadyModel with the state 'x'\. Declare it twin\.algebraic"):
        class Bad(twin.SteadyModel):
            x = twin.state("g")


def test_what_must_i_set() -> None:
    """Inputs without a value in the recipe."""
    from processes.bioreactor import Penicillin

    assert Column().what_must_i_set() == ("valve",)
    assert Penicillin().what_must_i_set() == ()
