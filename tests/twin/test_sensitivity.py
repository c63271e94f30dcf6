"""Forward sensitivities against finite differences and against JAX, through events and resets."""


import jax
import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import ExothermicCstr

OPTIONS = {"recipe": {"t_coolant": 305.0}, "duration": 2.0, "points": 5, "rtol": 1e-9}


def difference(run, name, size):
    kind, name = ("initial", name[8:]) if name.startswith("initial.") else ("parameters", name)
    return lambda base: (run(**{kind: {name: base + size}})["product"]
                         - run(**{kind: {name: base - size}})["product"]) / (2 * size)


def test_against_jax():
    s = twin.sensitivity(ExothermicCstr(), to=["ua", "heat", "initial.c_a"], **OPTIONS)
    plant = twin.as_jax(ExothermicCstr())
    times = np.linspace(0, 2, 5)

    def states(p, x):
        return plant.simulate(x, p, times=times, inputs=np.array([305.0]), rtol=1e-9, max_steps=400).x

    with jax.enable_x64(True):
        by_p, by_x = jax.jit(jax.jacfwd(states, (0, 1)))(plant.parameters, plant.initial)
    for name in ("ua", "heat"):
        exact = np.asarray(by_p)[:, :, plant.parameter_names.index(name)]
        got = np.stack([s["c_a", name], s["temperature", name]], 1)
        assert got == pytest.approx(exact, rel=1e-5, abs=1e-9)
    assert s["temperature", "initial.c_a"] == pytest.approx(np.asarray(by_x)[:, 1, 0], rel=1e-5)
    assert s["c_a", "initial.c_a"][0] == 1.0


def test_through_the_switch_of_the_fed_batch():
    times = [20.0, 44.5, 100.0, 400.0]
    s = twin.sensitivity(Penicillin(), to=["mu_max", "initial.substrate"], times=times, rtol=1e-9)
    run = twin.simulator(Penicillin(), times=times, rtol=1e-11)
    for name, base, size in (("mu_max", 0.092, 2e-6), ("initial.substrate", 15.0, 1e-3)):
        exact = difference(run, name, size)(base)
        assert s["product", name] == pytest.approx(exact, rel=1e-3, abs=1e-6 * np.abs(exact).max())


def test_table_units_and_picture():
    s = twin.sensitivity(ExothermicCstr(), to=["ua", "heat"], **OPTIONS)
    assert s.unit("temperature", "heat") == "(K)/(J/mol)"
    relative = s.table()["relative"].abs()
    assert relative.is_monotonic_decreasing
    assert s.relative("c_a", "ua") == pytest.approx(s["c_a", "ua"] * 5e4 / 0.5)
    assert len(s.plot().axes) == 2


def test_unknown_names():
    with pytest.raises(twin.SpecError, match=r"Did you mean 'heat'"):
        twin.sensitivity(ExothermicCstr(), to=["heta"], **OPTIONS)
    with pytest.raises(twin.SpecError, match=r"to is empty"):
        twin.sensitivity(ExothermicCstr(), to=[], **OPTIONS)
