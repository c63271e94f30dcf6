"""Chemical reactors against published operating points and independent computations."""

from __future__ import annotations

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr, TubularReactor, VanDeVusse


def test_van_de_vusse_operating_point_of_klatt_and_engell() -> None:
    """Klatt and Engell (1998): F = 14.19 1/h, Q = -1113.5 kJ/h, feed 104.9 degC -> 2.1400, 1.0903, 114.19, 112.91."""
    (point,) = twin.steady(VanDeVusse.klatt_engell(), {"flow": 14.19, "duty": -1113.5})
    assert point["c_a"] == pytest.approx(2.139998, abs=1e-6)
    assert point["c_b"] == pytest.approx(1.090304, abs=1e-6)
    assert point["t_reactor"] == pytest.approx(114.1942, abs=1e-4)
    assert point["t_jacket"] == pytest.approx(112.9097, abs=1e-4)


def test_van_de_vusse_variant_of_do_mpc() -> None:
    """The do-mpc variant, feed 130 degC: F = 18.83, Q = -4495.7 -> 1.2344, 0.8998, 134.149, 128.963."""
    (point,) = twin.steady(VanDeVusse.do_mpc(), {"flow": 18.83, "duty": -4495.7})
    assert point["c_a"] == pytest.approx(1.234406, abs=1e-6)
    assert point["c_b"] == pytest.approx(0.899824, abs=1e-6)
    assert point["t_reactor"] == pytest.approx(134.1490, abs=1e-4)
    assert point["t_jacket"] == pytest.approx(128.9629, abs=1e-4)


def test_van_de_vusse_needs_its_variant_named() -> None:
    """Without a feed temperature the two variants could be mixed up."""
    with pytest.raises(twin.SpecError, match="t_feed"):
        VanDeVusse()


def test_exothermic_cstr_has_three_steady_states_at_300_k() -> None:
    """Independent computation: (0.87725, 324.475) stable, (0.49992, 350.006) saddle, (0.20876, 369.705) unstable focus."""
    points = sorted(twin.steady(ExothermicCstr(), {"t_coolant": 300.0}), key=lambda p: p["temperature"])
    found = [(p["c_a"], p["temperature"]) for p in points]
    assert np.allclose(found, [(0.87725, 324.475), (0.49992, 350.006), (0.20876, 369.705)], atol=(6e-6, 6e-4))
    assert [p.stable for p in points] == [True, False, False]


def test_exothermic_cstr_limit_cycle_at_305_k() -> None:
    """Independent computation: T 362.4505..405.4536 K, c_a 0.0349..0.2800 mol/l, period 2.1929 min."""
    run = twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, duration=60, times=np.arange(40, 60, 1e-3), rtol=1e-9)
    t, temperature = run.times, run["temperature"]
    assert temperature.min() == pytest.approx(362.4505, abs=2e-3)
    assert temperature.max() == pytest.approx(405.4536, abs=2e-3)
    assert run["c_a"].min() == pytest.approx(0.0349, abs=5e-5)
    assert run["c_a"].max() == pytest.approx(0.2800, abs=5e-5)
    up = np.flatnonzero((temperature[:-1] < 380) & (temperature[1:] >= 380))
    crossing = t[up] + 1e-3 * (380 - temperature[up]) / (temperature[up + 1] - temperature[up])
    assert np.diff(crossing).mean() == pytest.approx(2.1929, abs=1e-4)


def test_tubular_reactor_agrees_with_scipy() -> None:
    """100 cells x 9 against scipy's Radau with an independent numpy statement of the same equations."""
    from scipy.integrate import solve_ivp
    from scipy.sparse import diags

    n, v, disp, dz = 100, 0.1, 1e-4, 2.0 / 100
    k = np.array([0.8, 0.5, 0.3, 800.0, 2.0, 0.2])
    e = np.array([7000.0, 6000.0, 9000.0, 3000.0, 5000.0, 8000.0])
    heat = np.array([-60.0, -40.0, 20.0, -10.0, -30.0, -20.0])
    stoichiometry = np.zeros((6, 8))
    for row, (used, made) in enumerate([("AB", "C"), ("BC", "D"), ("A", "E"), ("BE", "F"), ("F", "GH"), ("D", "HH")]):
        for species in used:
            stoichiometry[row, "ABCDEFGH".index(species)] -= 1
        for species in made:
            stoichiometry[row, "ABCDEFGH".index(species)] += 1
    inlet = np.array([1.0, 2.0, 0, 0, 0, 0, 0, 0, 600.0])

    def rhs(t: float, flat: np.ndarray) -> np.ndarray:
        field = flat.reshape(n, 9)
        a, b, c, d, ee, f = field.T[:6]
        rate = k * np.exp(-e * (1 / field[:, 8:] - 1 / 600)) * np.stack([a * b, b * c, a, b * ee, f, d], 1)
        left, right = np.vstack([inlet, field[:-1]]), np.vstack([field[1:], field[-1:]])
        moved = -v * (field - left) / dz + disp * (left - 2 * field + right) / dz**2
        moved[:, :8] += rate @ stoichiometry
        moved[:, 8] += -rate @ heat - 0.4 * (field[:, 8] - 560.0)
        return moved.ravel()

    start = np.zeros((n, 9))
    start[:, 1], start[:, 8] = 0.5, 580.0
    pattern = diags([1.0] * 35, range(-17, 18), shape=(9 * n, 9 * n))
    reference = solve_ivp(rhs, (0, 10), start.ravel(), method="Radau", rtol=1e-7, atol=1e-9, jac_sparsity=pattern)
    expected = reference.y[:, -1].reshape(n, 9)
    run = twin.simulate(TubularReactor(), duration=10, rtol=1e-8)
    found = np.stack([run[s][-1] for s in (*(f"c_{c}" for c in "abcdefgh"), "temperature")], 1)
    assert np.abs(found - expected).max(axis=0) == pytest.approx(np.zeros(9), abs=3e-5)
