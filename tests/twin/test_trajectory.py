"""Trajectories without an integrator: access by name, tables, balances, comparison, pictures."""

import math
import pickle
import re
import sys

import numpy as np
import pytest

import twin
from twin.simulation.trajectory import Event, Trajectory


class Vessel(twin.DynamicModel):
    time_unit = "h"
    cells = twin.static(3)
    profile = twin.state("K", shape=("cells",), lower=250, upper=400, nominal=300)
    sugar = twin.state("g/l", lower=0, upper=20, nominal=1, per="volume")
    volume = twin.state("l", lower=0.1, upper=100, nominal=10)
    feed = twin.input("l/h", lower=0, upper=1, nominal=0.1)
    mass = twin.output("g", lower=0, upper=70)

    def rhs(self, s):
        return {"profile": 0 * s.profile, "sugar": -s.sugar, "volume": s.feed}


TIMES = [0.0, 1.0, 2.0, 3.0, 4.0]
SUGAR = [8.0, 6.0, 4.0, 3.0, 2.0]
VOLUME = [10.0, 10.0, 10.0, 15.0, 20.0]


@pytest.fixture
def run():
    model = Vessel()
    state = [[300.0 + k, 310.0, 320.0, s, v] for k, (s, v) in enumerate(zip(SUGAR, VOLUME, strict=True))]
    raw = {"state": state, "algebraic": [[]] * 5, "output": [[s * v] for s, v in zip(SUGAR, VOLUME, strict=True)],
           "input": [[0.0]] * 2 + [[0.5]] * 3, "disturbance": [[]] * 5}
    layout = {role: model.layout(role) for role in raw}
    events = (Event(0.0, 0, "batch", {}, {}), Event(2.0, 1, "fed-batch", {"volume": 10.0}, {"volume": 10.0}))
    return Trajectory("Vessel", twin.Status.SUCCESS, "", "h", TIMES, raw, layout, events, {"steps": 12})


def test_signals_by_name(run):
    assert run["sugar"] == pytest.approx(SUGAR)
    assert run.volume == pytest.approx(VOLUME)
    assert run["profile"].shape == (5, 3)
    assert run["profile"][4] == pytest.approx([304, 310, 320])
    assert set(run.states) == {"profile", "sugar", "volume"}
    assert list(run.outputs) == ["mass"]
    assert run.inputs["feed"][-1] == 0.5
    assert run.unit("sugar") == "g/l"
    assert "sugar" in dir(run)
    assert run["time"] == pytest.approx(TIMES)


def test_unknown_signal(run):
    with pytest.raises(twin.SpecError, match=r"Unknown signal 'suger' of Vessel\. Did you mean 'sugar'"):
        run["suger"]
    with pytest.raises(AttributeError, match="Did you mean 'volume'"):
        run.volum  # noqa: B018


def test_final_is_plain_floats(run):
    assert run.final["volume"] == 20.0
    assert type(run.final["sugar"]) is float
    assert run.final["profile"] == [304.0, 310.0, 320.0]
    assert run.final["time"] == 4.0


def test_what_is_read_cannot_change_the_run(run):
    values = run["sugar"]
    values[0] = 99.0
    assert run["sugar"][0] == 8.0
    with pytest.raises(AttributeError):
        run.status = twin.Status.STOPPED


def test_sampling_between_points(run):
    sampled = run.at([0.5, 3.5])
    assert sampled["sugar"] == pytest.approx([7.0, 2.5])
    assert run.at(2)["volume"] == pytest.approx([10.0])
    with pytest.raises(twin.SpecError, match=r"time is 5 h. Expected 0 to 4 h"):
        run.at(5.0)


def test_amounts_and_totals(run):
    assert run.amount("sugar") == pytest.approx([s * v for s, v in zip(SUGAR, VOLUME, strict=True)])
    assert run.total({"sugar": 0.4, "volume": 2.0})[0] == pytest.approx(0.4 * 80 + 20)
    with pytest.raises(twin.SpecError, match=r"Vessel.volume in l is not declared per volume. Expected one of: sugar"):
        run.amount("volume")
    with pytest.raises(twin.SpecError, match="given no states"):
        run.total({})


def test_frame_has_units_and_cells(run):
    frame = run.to_frame()
    assert list(frame.columns) == ["profile[0]", "profile[1]", "profile[2]", "sugar", "volume", "mass", "feed"]
    assert frame.index.name == "time [h]"
    assert frame.attrs["units"]["profile[1]"] == "K"
    assert frame.loc[3.0, "sugar"] == 3.0


def test_table_tells_what_lies_beyond_the_limits(run):
    table = run.table()
    assert table.loc["mass", "max"] == 80.0
    assert table.loc["mass", "beyond"] == pytest.approx(10.0)
    assert table.loc["mass", "share_beyond"] == pytest.approx(0.2)
    assert table.loc["sugar", "beyond"] == 0.0
    assert table.loc["sugar", ["first", "last", "min"]].tolist() == [8.0, 2.0, 2.0]
    assert table.loc["profile", "unit"] == "K"


def test_phases(run):
    assert run.spans() == [(0.0, 2.0, "batch"), (2.0, 4.0, "fed-batch")]
    assert repr(run) == "Trajectory(Vessel, 0 to 4 h, 5 points, SUCCESS)"


def test_pickle_keeps_everything_but_the_simulator(run):
    copy = pickle.loads(pickle.dumps(run))
    assert copy["sugar"] == pytest.approx(SUGAR)
    assert copy.status is twin.Status.SUCCESS


def test_compare_counts_the_known_errors(run):
    result = run.compare({"sugar": ([1.0, 2.0, 3.0], [7.0, 4.0, 1.0])})
    d = result["sugar"]
    assert d.count == 3
    assert d.unit == "g/l"
    assert d.rmse == pytest.approx(math.sqrt((1 + 0 + 4) / 3))
    assert d.bias == pytest.approx((-1 + 0 + 2) / 3)
    assert d.nrmse == pytest.approx(d.rmse / 6)
    assert d.r2 == pytest.approx(1 - 5 / 18)
    assert result.table().loc[("data", "sugar"), "count"] == 3


def test_compare_leaves_out_gaps_and_times_outside(run):
    result = run.compare({"sugar": ([1.0, 2.0, 9.0], [6.0, math.nan, 1.0]), "volume": ([8.0], [3.0])})
    assert result["sugar"].count == 1
    assert math.isnan(result["sugar"].r2)
    assert result.skipped == ("data: volume has no finite measurement within the simulated span.",)


def test_compare_a_frame_and_several_runs(run):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"sugar": SUGAR, "volume": VOLUME, "color": 1.0}, index=TIMES)
    result = run.compare(frame)
    assert result["volume"].rmse == 0.0
    assert result["volume"].r2 == 1.0
    with pytest.raises(twin.SpecError, match="cannot be compared with 2 runs"):
        run.compare([{"sugar": (TIMES, SUGAR)}, {"sugar": (TIMES, SUGAR)}])


def test_compare_errors_name_the_signal(run):
    with pytest.raises(twin.SpecError, match="Unknown measured signal 'volume' of the data"):
        run.compare({"sugar": (TIMES, SUGAR)}, ["volume"])
    with pytest.raises(twin.SpecError, match="Nothing to compare"):
        run.compare({"sugar": ([7.0], [1.0])})
    with pytest.raises(twin.SpecError, match="Unknown compared signal"):
        run.compare({"sugar": (TIMES, SUGAR)})["volume"]


def test_plot_has_a_panel_a_signal_with_units(run):
    fig = run.plot(data={"sugar": (TIMES, SUGAR)}, title="Batch 1")
    titles = [a.get_title(loc="left") for a in fig.axes if a.get_title(loc="left")]
    assert titles == ["profile", "sugar", "volume", "mass", "feed"]
    assert fig.axes[1].get_ylabel() == "[g/l]"
    assert fig.axes[1].get_xlabel() == "time [h]"
    fig.canvas.draw()


def test_plot_shades_only_what_is_crossed(run):
    (mass,) = run.plot(["mass"]).axes
    (sugar,) = run.plot(["sugar"]).axes
    assert len(mass.patches) == 1
    assert len(sugar.patches) == 0
    assert sugar.get_ylim()[0] >= 0.0
    with pytest.raises(twin.SpecError, match="Did you mean 'mass'"):
        run.plot(["mas"])


def test_comparison_plot(run):
    fig = run.compare({"sugar": (TIMES, SUGAR), "volume": (TIMES, VOLUME)}).plot()
    assert len(fig.axes) == 2
    assert "RMSE 0 g/l" in fig.axes[0].get_title(loc="left")


def test_without_matplotlib_the_extra_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(twin.MissingExtraError, match=r"pip install 'twinworks\[plot\]'"):
        run.plot()


def test_an_empty_run_says_so():
    empty = Trajectory("Vessel", twin.Status.NOT_FINITE, "It failed.", "h", [], {}, {})
    assert empty.final == {}
    with pytest.raises(twin.SpecError, match=r"is empty: nothing to sample. It failed"):
        empty.at(1.0)


def test_numpy_is_not_needed_for_final():
    import subprocess

    code = ("import sys; from twin.simulation.trajectory import Trajectory; from twin.status import Status;"
            "t = Trajectory('M', Status.SUCCESS, '', 'h', [0.0], {}, {}); t.final; assert 'numpy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arrays_serve_as_rows(run):
    raw = {role: np.asarray(rows, dtype=float).reshape(5, -1) for role, rows in run.raw.items()}
    other = Trajectory("Vessel", run.status, "", "h", np.asarray(TIMES), raw, run.layout)
    assert other["sugar"] == pytest.approx(SUGAR)
    assert other.final["volume"] == 20.0
    assert other.at(0.5)["sugar"] == pytest.approx([7.0])


def test_signals_beyond_their_limits_are_said_in_a_sentence():
    """A volume that is pumped out below its limit ends normally, but the trajectory says so with value, unit and limits."""
    from processes.bioreactor import Penicillin

    drained = twin.simulate(Penicillin(evaporation=0.1), duration=50)
    assert drained.status
    assert any(re.search(r"Penicillin.volume reached 0\.\d+ l; its limits are 1 to 150 l\.", s) for s in drained.excursions)
    assert twin.simulate(Penicillin(), duration=400).excursions == ()
