"""Industrial polymerization against an independent computation of the do-mpc equations."""

from __future__ import annotations

import pytest

import twin
from processes.chemical import Polymerization


def test_one_hour_of_feeding() -> None:
    """u = (8000 kg/h, 350 K, 340 K) for 1 h, computed with CVODES at 1e-10: seven digits as given, so half of the last one."""
    run = twin.simulate(Polymerization(), rtol=1e-9)
    expected = {"water": (12664.0, 1e-6), "monomer": (445.6955, 1e-4), "polymer": (5769.8045, 1e-4),
                "t_reactor": (357.8272, 1e-4),
                "t_wall": (354.8390, 1e-4), "t_jacket": (351.8350, 1e-4), "t_loop": (343.8473, 1e-4),
                "t_loop_water": (343.4456, 1e-4), "monomer_fed": (8300.0, 1e-6)}
    for name, (value, tolerance) in expected.items():
        assert run.final[name] == pytest.approx(value, abs=tolerance), name


def test_initial_adiabatic_temperature_is_the_published_one() -> None:
    """378.0468 K at the start of the do-mpc example."""
    assert Polymerization().initial()["t_adiabatic"] == pytest.approx(378.0468, abs=5e-5)


def test_adiabatic_temperature_follows_its_definition() -> None:
    """The state of the source stays on T + m_A dH / (m cR), also after the heat of reaction was changed with it."""
    model = Polymerization(heat=1235.0)
    final = twin.simulate(model, rtol=1e-9).final
    defined = final["t_reactor"] + final["monomer"] * model.heat / (final["mass"] * model.cp_reactor)
    assert final["t_adiabatic"] == pytest.approx(defined, abs=1e-5)
