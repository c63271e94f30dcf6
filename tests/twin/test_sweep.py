"""Sweeps over parameters, inputs and initial values."""

import pytest

import twin
from processes.chemical import ExothermicCstr, VanDeVusse


def test_branches_over_the_coolant_temperature():
    branches = twin.sweep(ExothermicCstr(), over={"t_coolant": [295.0, 300.0, 305.0]}, steady=True)
    table = branches.table()
    assert list(table["t_coolant"]) == [295.0, 300.0, 300.0, 300.0, 305.0]
    assert list(table["kind"])[1:] == ["unstable focus", "saddle", "stable focus", "unstable focus"]
    assert table.attrs["units"]["temperature"] == "K"
    assert branches.status
    fig = branches.plot(["temperature"])
    assert fig.axes[0].get_xlabel() == "t_coolant [K]"


def test_combinations_vary_the_last_name_fastest():
    grid = twin.sweep(VanDeVusse.klatt_engell(), over={"flow": [14.0, 15.0], "t_feed": [100.0, 105.0, "383.15 K"]},
                      steady=True, starts=2)
    assert len(grid) == 6
    assert [c["flow"] for c in grid.cases] == [14.0] * 3 + [15.0] * 3
    assert grid[0][0]["t_reactor"] < grid[1][0]["t_reactor"] < grid[2][0]["t_reactor"]


def test_bad_requests_are_named():
    with pytest.raises(twin.SpecError, match=r"'t_cooling'.*Did you mean 't_coolant'"):
        twin.sweep(ExothermicCstr(), over={"t_cooling": [300.0]}, steady=True)
    with pytest.raises(twin.SpecError, match="steady states do not depend"):
        twin.sweep(ExothermicCstr(), over={"c_a": [0.5]}, steady=True)
    with pytest.raises(twin.SpecError, match="is empty"):
        twin.sweep(ExothermicCstr(), over={"ua": []}, steady=True)
