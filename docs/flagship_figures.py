"""Pictures and the mesh table of the pages on electronics, steel and cement: `python docs/flagship_figures.py [--mesh]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import twin
from processes.cement import RotaryKiln
from processes.electronics import ProfileLimits, ReflowOven
from processes.steel import SlabSlice

IMAGES = Path(__file__).parent / "images"


def electronics() -> Any:
    """Fit of the synthetic reflow profile within its window, and what it misses, on another recipe too."""
    limits, data = ProfileLimits.contest(), Path(__file__).parents[1] / "examples" / "data" / "reflow"
    profiles = {n: np.loadtxt(data / f"profile_{n}.csv", delimiter=",", skiprows=1).T for n in ("reference", "check")}
    names = [*(f"rates[{k}]" for k in range(4)), "entry_center", "entry_width", "cool_length", "cool_air"]
    oven = twin.calibrate(ReflowOven(), {"joint": profiles["reference"]}, names, initial={"joint": 25.0},
                          recipe=twin.Recipe.constant()).model
    run = twin.simulate(oven, every=1.0)
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    axes.axhspan(*limits.rows["peak"], color="tab:green", alpha=0.18, label="peak, 240 to 250 degC")
    axes.axhline(limits.liquidus, color="tab:red", lw=1, ls="--", label="liquidus, 217 degC")
    axes.axhspan(*limits.soak, color="tab:orange", alpha=0.12, label="soak, 150 to 190 degC in 60 to 120 s")
    axes.plot(run.times, run["air_temperature"], color="gray", lw=1.2, label="air, fitted")
    axes.plot(*profiles["reference"], ".", color="black", ms=2, label="synthetic profile")
    axes.plot(run.times, run["joint"], color="tab:blue", lw=1.5, label="solder joint, fitted")
    axes.set_ylabel("temperature [degC]")
    axes.legend(loc="upper left", fontsize=8)
    other = oven.with_recipe(z1_5=182.0, z6=203.0, z7=237.0, z8_9=254.0, speed=76.0)
    for model, name, label, color in ((oven, "reference", "fitted profile", "tab:blue"),
                                      (other, "check", "another recipe, never fitted", "tab:purple")):
        t, y = profiles[name]
        miss = y - np.asarray(twin.simulate(model, times=t)["joint"])
        below.plot(t, miss, color=color, lw=0.8, label=f"{label}: RMSE {np.sqrt(np.mean(miss**2)):.2f} degC")
    below.axhline(0.0, color="black", lw=0.8)
    below.set_ylabel("profile - model [degC]")
    below.set_xlabel("time [s]")
    below.legend(fontsize=8)
    return figure


def steel() -> Any:
    """Temperatures and shell of the reference slab."""
    run = twin.simulate(SlabSlice().with_practice(h=(900, 550, 380, 280, 220, 150)), every=2.0)
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    way = np.asarray(run["way_cast"])
    top.axhspan(900, 1250, color="tab:green", alpha=0.10, label="ductile: above 900 degC at the straightener")
    top.plot(way, run["center_temperature"], color="tab:red", label="center")
    top.plot(way, run["surface_temperature"], color="tab:blue", label="surface")
    top.set_ylabel("temperature [degC]")
    top.legend(fontsize=8)
    bottom.plot(way, run["shell"], color="tab:blue", label="shell (solidus)")
    bottom.axhline(110, color="gray", lw=1, ls="--", label="half thickness")
    bottom.axvspan(0, 0.8, color="gray", alpha=0.2, label="mould")
    bottom.set_xlabel("way below the meniscus [m]")
    bottom.set_ylabel("shell [mm]")
    bottom.legend(fontsize=8)
    return figure


def cement() -> Any:
    """Steady profile of the reference kiln."""
    kiln = RotaryKiln()
    point = twin.steady(kiln)[0]
    z = (np.arange(kiln.cells) + 0.5) * kiln.length / kiln.cells
    figure = Figure(figsize=(9, 5.8), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    for name, label, color in (("t_gas", "gas", "tab:red"), ("t_wall", "lining", "gray"), ("t_bed", "bed", "tab:blue")):
        top.plot(z, np.asarray(point[name]) - 273.15, label=label, color=color)
    top.set_ylabel("temperature [degC]")
    top.legend(fontsize=8)
    solids = ("caco3", "cao", "c2s", "c3s", "c3a", "c4af")
    total = sum(np.asarray(point[s]) for s in (*solids, "sio2", "al2o3", "fe2o3", "rest"))
    for name, label in zip(solids, ("CaCO3", "free CaO", "C2S", "C3S", "C3A", "C4AF"), strict=True):
        bottom.plot(z, 100 * np.asarray(point[name]) / total, label=label)
    bottom.set_xlabel("from the feed end [m]")
    bottom.set_ylabel("share of the bed [%]")
    bottom.legend(fontsize=8, ncols=3)
    return figure


def mesh() -> None:
    """Rows of the table of cells."""
    for n in (25, 50, 100, 200, 400):
        p = twin.steady(RotaryKiln(cells=n))[0]
        row = (f"{p['free_lime']:.3f}", f"{p['burning_zone']:.1f}", f"{p['inlet_gas']:.1f}", f"{p['heat_demand']:.3f}")
        sys.stdout.write(f"| {n} | {' | '.join(row)} |\n")


if __name__ == "__main__":
    if "--mesh" in sys.argv:
        mesh()
    else:
        for name, draw in (("electronics", electronics), ("steel", steel), ("cement", cement)):
            draw().savefig(IMAGES / f"line_{name}.png", dpi=90)
