"""Numbers and pictures of the page on steel: `python docs/steel_tables.py [--pictures]`; the money comes from the two jobs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import twin
from processes.steel import BilletSlice, CasterMeasure, FurnaceMeasure, ReheatingFurnace, SlabSlice, stefan_constant

ROOT = Path(__file__).parents[1]
REFERENCE = (900.0, 550.0, 380.0, 280.0, 220.0, 150.0)
# independent computation of the reference slab on other code: way in m, shell in mm
INDEPENDENT = ((0.8, 1.5, 3.5, 7.0, 12.0, 18.0), (16.3, 23.9, 37.9, 54.4, 72.3, 89.9))


def say(text: str = "") -> None:
    """A line of the page."""
    sys.stdout.write(f"{text}\n")


def stefan(cells: int) -> tuple[Any, Any, Any]:
    """Times in s, shell found and shell exact in mm for 100 mm of steel with a wall of 1100 degC."""
    model = SlabSlice(cells=cells, thickness=0.2, mould=-5.0, still=1e8, water_temperature=1100.0, water=(1e-6,) * 6,
                      superheat=0.0,
                      t_solidus=1499.5, t_liquidus=1500.5, latent=272e3 - 700.0, c_solid=700.0, c_liquid=700.0,
                      k_1000=30.0, k_slope=0.0)
    t = np.arange(2.0, 61.0)
    run = twin.simulate(model, twin.Recipe.constant(), duration=60, times=[0.0, *t], rtol=1e-7)
    core = np.asarray(run["liquid_core"])
    return t, core[0] - core[1:], 2e3 * stefan_constant(700 * 400 / 272e3) * np.sqrt(30 / (7400 * 700) * t)


def meshes() -> None:
    """Tables of mesh convergence."""
    say("| cells | solid after, m | shell at mould exit, mm | at 15 m, degC |\n| --- | --- | --- | --- |")
    for n in (22, 44, 88, 110, 220):
        slab = SlabSlice(cells=n).with_practice(h=REFERENCE)
        found = CasterMeasure(slab).of(twin.simulate(slab, every=2.0))
        say(f"| {n} | {found['metallurgical_length']:.2f} | {found['shell_at_exit']:.2f} | {found['straightening']:.1f} |")
    say("\n| cells | solid after, m | middle of the face at 15 m, degC |\n| --- | --- | --- |")
    for n in (11, 22, 33):
        billet = BilletSlice(nx=n, ny=n, machine_length=25.0, emissivity=0.8,
                             stirred=4.0).with_practice(h=(700, 450, 300, 200, 120, 80))
        found = CasterMeasure(billet).of(twin.simulate(billet, every=4.0))
        say(f"| {n} x {n} | {found['metallurgical_length']:.2f} | {found['straightening']:.1f} |")
    say("\n| layers | GJ/t | thick slab, degC | its face - core, K |\n| --- | --- | --- | --- |")
    for n in (8, 16, 32, 64):
        furnace = ReheatingFurnace(cells=n)
        found = FurnaceMeasure(furnace).of(twin.simulate(furnace, every=1.0))
        say(f"| {n} | {found['specific']:.4f} | {found['discharge_2']:.1f} | {found['spread_2']:.1f} |")


def money() -> None:
    """What the two jobs say."""
    for name in ("reheating_furnace", "caster"):
        done = twin.run_job(ROOT / "examples" / "jobs" / f"{name}.toml", output=ROOT / "out" / name)
        d = done.value
        say(f"\n{name}\n\n| | today | best | limit | margin | shadow price |\n| --- | --- | --- | --- | --- | --- |")
        for n in (*(m for m in d.metrics if m not in d.limits), *d.limits):
            low, high = d.limits.get(n, (None, None))
            span = "" if low is None and high is None else " to ".join("" if v is None else f"{v:g}" for v in (low, high))
            room = "" if not span else f"{d.margin(n) + 0.0:.3g}" if abs(d.margin(n)) > 1e-4 else "0"
            price = f"{d.prices[n]:.3g}" if n in d.prices else ""
            say(f"| `{n}`, {d.units.get(n, '')} | {d.reference[n]:.4g} | {d.metrics[n]:.4g} | {span} | {room} | {price} |")
        say()
        say("\n".join(done.said))


def pictures() -> None:
    """docs/images/steel_validation.png: Stefan and the independent shell."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for n, color in ((25, "#CCBB44"), (50, "#228833"), (100, "#4477AA")):
        t, shell, exact = stefan(n)
        left.plot(t, shell - exact, color=color, label=f"{n} cells")
    left.axhline(0.0, color="black", lw=0.7)
    left.set_xlabel("time [s]")
    left.set_ylabel("shell minus exact [mm]")
    left.set_title("Stefan problem, wall of 1100 degC", fontsize=10)
    left.legend(fontsize=8)
    run = twin.simulate(SlabSlice().with_practice(h=REFERENCE), every=2.0)
    right.plot(run["way_cast"], run["shell"], color="#4477AA", label="this model, 110 cells")
    right.plot(*INDEPENDENT, "o", color="#EE6677", label="independent computation")
    right.plot([23.25], [110.0], "s", color="#EE6677", label="its metallurgical length, 23.25 m")
    right.set_xlim(0, 26)
    right.set_xlabel("way below the meniscus [m]")
    right.set_ylabel("shell [mm]")
    right.set_title("Reference slab", fontsize=10)
    right.legend(fontsize=8)
    figure.savefig(ROOT / "docs" / "images" / "steel_validation.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    if "--pictures" in sys.argv:
        pictures()
    else:
        meshes()
        money()
