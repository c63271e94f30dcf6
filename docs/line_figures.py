"""Draw the validation figures of the pages of the lines: `python docs/line_figures.py` writes docs/images/line_*.png.

Lines are simulated; crosses are the published or independently computed numbers that the tests check.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import twin
from processes import bioreactor as bio
from processes import chemical as chem

mpl.use("agg")
IMAGES = Path(__file__).parent / "images"
BLUE, RED, GREEN, GRAY = "#1f5fa8", "#b5432c", "#2f7d4f", "#777777"


def figure() -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(2, 3, figsize=(13, 7.2), layout="constrained")
    for axis in axes.flat:
        axis.grid(alpha=0.25)
    return fig, axes.flat


def label(axis: Any, title: str, x: str, y: str, legend: bool = True) -> None:
    axis.set(title=title, xlabel=x, ylabel=y)
    axis.title.set_fontsize(10)
    if legend:
        axis.legend(fontsize=8, frameon=False)


def bioreactors() -> None:
    """Six panels of the bioreactor line."""
    fig, (penicillin, cho, yeast, chemostat, ecoli, digester) = figure()
    for feed, end, color in ((0.042, 1.61937, BLUE), (0.05, 1.87709, GREEN), (0.06, 2.18045, RED)):
        batch, _ = bio.Penicillin().recipe().phases
        run = twin.simulate(bio.Penicillin(), twin.Recipe([batch, twin.Phase(inputs={"feed": feed})]), duration=400)
        penicillin.plot(run.times, run["product"], color=color, label=f"{feed} l/h")
        penicillin.plot(400, end, "x", color="black")
    label(penicillin, "PenSim: penicillin", "time [h]", "product [g/l]")

    run = twin.simulate(bio.ChoFedBatch())
    for name, color, points in (("glucose", BLUE, (23.816, 9.123, 0)), ("lactate", RED, (19.906, 37.978, 49.2)),
                                ("ammonia", GREEN, (3.093, 3.436, 2.666))):
        cho.plot(run.times, run[name], color=color, label=name)
        cho.plot((96, 144, 192), points, "x", color="black")
    label(cho, "CHO batch", "time [h]", "[mmol/l]")

    dilutions = np.linspace(0.2, 0.47, 19)
    model = bio.YeastOverflow(oxygen_saturation=0.007)
    ends = [twin.simulate(model, {"feed": 10 * d, "harvest": 10 * d, "kla": 1e7}, duration=300, check_limits=False,
                          initial={"biomass": 10.0, "oxygen": 0.007}).final for d in dilutions]
    for name, color, points in (("biomass", BLUE, (17.5002, 11.9725, 7.9538)), ("ethanol", RED, (0, 4.9366, 8.4435))):
        yeast.plot(dilutions, [e[name] for e in ends], color=color, label=name)
        yeast.plot((0.25, 0.40, 0.43), points, "x", color="black")
    yeast.axvline(0.383028, color=GRAY, linestyle=":", label="critical growth rate")
    label(yeast, "Yeast in a chemostat: overflow to ethanol", "dilution rate [1/h]", "[g/l]")

    branches: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for d in np.linspace(0.2, 0.36, 41):
        for p in twin.steady(bio.Chemostat.bequette(), {"dilution": d}):
            if p["biomass"] > 1e-6:
                branches[p.stable].append((d, p["substrate"]))
    for stable, points in branches.items():
        chemostat.plot(*zip(*points, strict=True), ".", color=BLUE if stable else RED, markersize=4,
                       label="stable" if stable else "unstable")
    chemostat.plot((0.3, 0.3), (0.174593, 1.512243), "x", color="black")
    label(chemostat, "Inhibited chemostat: two branches", "dilution rate [1/h]", "substrate [g/l]")

    held = {"feed": 0.15, "gas_velocity": 0.02, "temperature": 37.0, "ph": 7.0}
    start = {"biomass": 20.0, "glucose": 0.05, "acetate": 0.0, "oxygen": 0.1}
    for power, color in ((2000, RED), (6000, BLUE), (12000, GREEN)):
        run = twin.simulate(bio.EColi(), {**held, "power": power}, duration=10, initial=start)
        ecoli.plot(run.times, run["acetate"], color=color, label=f"{power / 1000:g} kW/m3, kLa {run['kla'][0]:.0f} 1/h")
    label(ecoli, "E. coli fed beyond its oxygen: acetate", "time [h]", "acetate [g/l]")

    rates = np.linspace(0.1, 1.3, 49)
    methane = []
    for d in rates:
        alive = [p["methane"] for p in twin.steady(bio.AnaerobicDigester(), {"dilution": d}, throw=False).stable]
        methane.append(max(alive, default=0.0))
    digester.plot(rates, methane, color=BLUE, label="best stable state")
    digester.plot(0.34, 65.4282, "x", color="black")
    digester.axvline(1.0719, color=GRAY, linestyle=":", label="methanogens washed out")
    label(digester, "Anaerobic digester", "dilution rate [1/day]", "methane [mmol/(l day)]")
    fig.savefig(IMAGES / "line_bioreactor.png", dpi=110)


def chemicals() -> None:
    """Six panels of the chemical line."""
    fig, (cycle, column, bed, semi, crystals, vessel) = figure()
    run = twin.simulate(chem.ExothermicCstr(), {"t_coolant": 305.0}, duration=20, points=2001)
    cycle.plot(run.times, run["temperature"], color=BLUE, label="coolant 305 K")
    for t in (362.4505, 405.4536):
        cycle.axhline(t, color="black", linestyle=":", linewidth=0.8)
    label(cycle, "Exothermic reactor: limit cycle 362.45 to 405.45 K", "time [min]", "temperature [K]")

    final = twin.simulate(chem.DistillationColumn()).final
    stages = [final["x_b"], *final["x"], final["x_d"]]
    column.plot(range(1, 42), stages, color=BLUE, label="liquid")
    column.plot(range(1, 42, 5), [0.01, 0.046651, 0.151543, 0.338496, 0.498725, 0.667507, 0.846866, 0.950071, 0.99], "x",
                color="black")
    label(column, "Column A", "stage (1 reboiler, 41 condenser)", "light component [-]")

    for p_in, color in ((0.011, BLUE), (0.017, GREEN), (0.018, "#c98a1b"), (0.0185, RED)):
        run = twin.simulate(chem.OxyleneTube(p_in=p_in), points=1001)
        bed.plot(run["z"], np.minimum(run["temperature"], 800), color=color, label=f"{p_in} bar")
    for t in (638.27, 663.37, 746.1):
        bed.axhline(t, color="black", linestyle=":", linewidth=0.8)
    label(bed, "o-Xylene: hot spot, runaway (cut at 800 K)", "place [m]", "temperature [K]")

    run = twin.simulate(chem.SemiBatchReactor())
    semi.plot(run.times, run["t_failure"], color=BLUE, label="after a cooling failure [degC]")
    semi.axhline(80, color=RED, linestyle=":", label="limit")
    semi.axvline(19.801, color="black", linestyle=":", label="19.801 h")
    other = semi.twinx()
    other.plot(run.times, 1000 * run["feed"], color=GREEN)
    other.set_ylabel("feed [ml/h]", color=GREEN)
    label(semi, "Semi-batch: shortest safe batch", "time [h]", "temperature [degC]")

    for kind, color, size in (("linear", BLUE, 0.413195), ("cubic", GREEN, 0.364880), ("natural", RED, 0.524337)):
        run = twin.simulate(chem.Crystallizer(), {"temperature": chem.Crystallizer.cooling(kind)}, duration=160)
        crystals.plot(run.times, run["nucleated_ratio"], color=color, label=kind)
        crystals.plot(160, size, "x", color="black")
    label(crystals, "Crystallizer: nuclei over seeds, by cooling", "time [min]", "volume ratio [-]")

    run = twin.simulate(chem.HeatExchanger())
    vessel.plot(run.times, run["duty"], color=BLUE, label="fouling")
    clean = [twin.Phase(inputs={"hot_flow": 20.0, "cold_flow": 15.0}, until=80.695)]
    clean += [twin.Phase(reset=[twin.Assign("resistance", 0.0)], until=80.695) for _ in range(4)]
    run = twin.simulate(chem.HeatExchanger(), twin.Recipe(clean), duration=365, points=2000)
    vessel.plot(run.times, run["duty"], color=GREEN, label="cleaned every 80.7 days")
    vessel.plot((0, 30, 365), (3.8211, 3.6527, 3.4209), "x", color="black")
    label(vessel, "Heat exchanger", "time [day]", "duty [MW]")
    fig.savefig(IMAGES / "line_chemical.png", dpi=110)


if __name__ == "__main__":
    bioreactors()
    chemicals()
