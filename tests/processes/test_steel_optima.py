"""Measures of furnace and caster, optima replayed, learned spray and emissivities recovered, speed beyond the machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import optimizers
import twin
from processes.steel import BilletSlice, CasterMeasure, FurnaceMeasure, ReheatingFurnace, SlabSlice
from twin import jnp, smooth

JOBS = Path(__file__).parents[2] / "examples" / "jobs"
PLACES = (1.4, 3.4, 6.9, 9.5, 11.9, 15.0, 17.9, 21.0, 23.0)  # m: pyrometers


class Clogged(twin.Module):
    """Nozzles that give less and less along the machine: down to 0.75 of what the law says."""

    law: SlabSlice

    def __call__(self, water: Any, way: Any) -> Any:
        return (1.0 - 0.25 * smooth.step(way - 8.0, 5.0)) * self.law.spray(water, way)


@pytest.fixture(scope="module")
def slab() -> tuple[SlabSlice, Any]:
    """A coarse reference slab and its run."""
    model = SlabSlice(cells=22, machine_length=26.0)
    return model, twin.simulate(model, every=4.0)


def test_caster_measure_by_hand(slab: Any) -> None:
    """Shell, length and surface of the reference slab; throughput and water by arithmetic."""
    model, run = slab
    found = CasterMeasure(model).of(run)
    way = run["way_cast"]
    assert found["shell_at_exit"] == pytest.approx(np.interp(0.8, way, run["shell"]), rel=1e-3)
    assert found["straightening"] == pytest.approx(np.interp(15.0, way, run["surface_temperature"]), abs=0.2)
    assert found["metallurgical_length"] == pytest.approx(23.25, rel=0.01)
    assert found["throughput"] == pytest.approx(1.2 * 60 * 0.22 * 1.5 * 7.4)
    lengths = np.diff([*model.zone_start, 26.0])
    assert found["water"] == pytest.approx(3.6 * 2 * 1.5 * float(np.dot(model.water, lengths)))
    end = (way > 12.5) & (way <= 18.0)
    assert found["coldest_5"] == pytest.approx(run["surface_temperature"][end].min(), abs=0.5)
    assert set(found) == set(CasterMeasure(model).units)
    assert CasterMeasure(model).plot({"best": run}, {"coldest_1": (900.0, None)}).axes[0].get_ylabel() == "surface [degC]"


def test_measures_follow_the_parameters_of_the_run() -> None:
    """A run with another speed is judged at its speed."""
    model = SlabSlice(cells=22, machine_length=26.0)
    run = twin.simulate(model, twin.Recipe.constant(), parameters={"speed": 1.0}, duration=1560, every=4.0)
    found = CasterMeasure(model).of(run)
    assert found["throughput"] == pytest.approx(1.0 * 60 * 0.22 * 1.5 * 7.4)
    assert found["metallurgical_length"] == pytest.approx(dict(CasterMeasure(model).of(twin.simulate(
        dataclasses.replace(model, speed=1.0), every=4.0)))["metallurgical_length"], rel=1e-4)


def test_core_still_liquid_counts_as_long(slab: Any) -> None:
    """Beyond the end of the run the length goes on growing with what is liquid, so that a search finds back."""
    model, _ = slab
    lengths = [CasterMeasure(model).of(twin.simulate(dataclasses.replace(model, machine_length=m),
                                                     every=4.0))["metallurgical_length"]
               for m in (18.5, 20.0)]
    assert lengths[0] > 19.0
    assert lengths[1] > 20.5


@pytest.mark.slow
def test_learned_spray_recovers_what_was_planted(slab: Any) -> None:
    """Pyrometers at nine places, 5 K of noise, four slices: spray of all six zones to 0.05, the error on slices left out near the
    noise."""
    model, _ = slab
    truth = model.with_term("spray", Clogged(model))
    run = twin.simulate(truth, every=4.0)
    times = np.array(PLACES) / (model.speed / 60)
    exact = np.interp(times, run.times, run["surface_temperature"])
    slices = [twin.Run(f"slice {k}", None, [twin.Series("surface_temperature", times,
                                                        exact + np.random.default_rng(k).normal(0, 5.0, 9),
                                                        "degC")], "s") for k in range(4)]
    made = twin.train(model, twin.Data(slices), terms={"spray": twin.Multiply(twin.Spline.over({"way": (0.8, 18.0)}, pieces=4))},
                      noise={"surface_temperature": 5.0}, left_out=2, sizes=(0.1, 0.3), max_iterations=4)
    with jax.enable_x64(True):
        learned, planted = (np.array([float(m.spray(jnp.asarray(w), z) / model.spray(jnp.asarray(w), z))
                                      for w, z in zip(model.water, model.zone_start, strict=True)]) for m in (made.model, truth))
    assert planted.min() < 0.77
    assert np.abs(learned - planted).max() < 0.05
    assert made.gain("surface_temperature") > 0.7


def test_emissivities_are_calibrated_from_an_instrumented_slab() -> None:
    """Four zones, noise of 3 and 5 K: every planted factor within its 95 % interval, three of them to 2 %."""
    model = ReheatingFurnace(cells=8, slabs=1, thickness=(0.22,), charged=(20.0,), share=(1.0,))
    planted = (0.48, 0.66, 0.60, 0.70)
    run = twin.simulate(dataclasses.replace(model, emission=planted), every=3.0)
    draw = np.random.default_rng(2)
    data = {"probe_core": (run.times, run["probe_core"] + draw.normal(0, 3.0, len(run))),
            "probe_face": (run.times, run["probe_face"] + draw.normal(0, 5.0, len(run)))}
    fit = twin.calibrate(model, data, [f"emission[{k}]" for k in range(4)])
    table = fit.table()
    value, error = (table[c].to_numpy(dtype=float) for c in ("value", "std_error"))
    assert np.all(np.abs(value - planted) < 2.0 * error)
    assert np.abs(value / planted - 1.0)[:3].max() < 0.02


def test_furnace_measure_plots_zones_and_gradients() -> None:
    """Two panels, one line a kind of slab and run."""
    model = ReheatingFurnace(cells=6)
    run = twin.simulate(model, every=5.0)
    figure = FurnaceMeasure(model).plot({"best": run, "reference": run},
                                        {"gradient_1": (None, 300.0), "discharge_2": (1150.0, None)})
    assert len(figure.axes[1].lines) == 2 * 2
    assert set(FurnaceMeasure(model).of(run)) == set(FurnaceMeasure(model).units)


def test_speed_beyond_the_machine_is_a_sentence() -> None:
    """In a model, in a measure and in a design."""
    with pytest.raises(twin.SpecError, match=r"speed is 9 m/min\. Expected 0\.1 to 8 m/min"):
        SlabSlice(speed=9.0)
    with pytest.raises(twin.SpecError, match=r"the machine ends at 16 m\. Expected them to rise"):
        CasterMeasure(SlabSlice(machine_length=16.0))
    with pytest.raises(twin.SpecError, match=r"straightener is 31 m\. Expected 0\.8 to 30 m"):
        CasterMeasure(SlabSlice(), straightener=31.0)
    model = SlabSlice(cells=22, machine_length=20.0)
    fixed = optimizers.Design(model=model, measure=CasterMeasure(model), decisions={"speed": (1.3, 1.6)}, maximize="throughput",
                              limits={"metallurgical_length": (None, 19.0)}, duration=1000.0, every=4.0,
                              recipe=twin.Recipe.constant())
    found = optimizers.solve(fixed, starts=1, throw=False)
    assert found.status is twin.Status.INFEASIBLE
    assert "metallurgical_length is 2" in found.message
    assert "Its upper limit is 19." in found.message


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_shipped_caster_job(tmp_path: Path) -> None:
    """A tenth more throughput; every limit met on 110 cells; in two directions the core is solid at the same place to 1 %."""
    done = twin.run_job(JOBS / "caster.toml", output=tmp_path / "out")
    assert done.status is twin.Status.SUCCESS
    designed = done.value
    assert designed.metrics["throughput"] / designed.reference["throughput"] > 1.09
    assert min(designed.margin(n) / max(1.0, abs(designed.metrics[n])) for n in designed.limits) > -1e-4
    value = designed.best.value
    water = tuple(value[f"zone_{k}"] for k in range(1, 7))
    wide = BilletSlice(nx=22, ny=22, thickness=0.22, width=1.5, machine_length=26.0, speed=value["speed"], water=water)
    found = CasterMeasure(wide).of(twin.simulate(wide, every=4.0))
    assert found["metallurgical_length"] == pytest.approx(designed.metrics["metallurgical_length"], rel=0.01)
    assert found["straightening"] == pytest.approx(designed.metrics["straightening"], abs=5.0)
