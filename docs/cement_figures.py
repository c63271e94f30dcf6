"""Numbers and pictures of the page on cement: `python docs/cement_figures.py [setpoints] [reduced] [control] [mix]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import optimizers
import twin
from processes.cement import RotaryKiln, free_lime_sensor, reduced_kiln

IMAGES = Path(__file__).parent / "images"
TODAY = {"feed": 35.0, "fuel": 1.05, "air": 9.6, "tertiary": 37.0, "rpm": 3.5}
LIMITS = {"free_lime": (None, 1.4), "burning_zone": (1400, 1490), "oxygen": (2.0, 4.0), "exit_oxygen": (1.0, None),
          "nox": (None, 0.5), "hottest_shell": (None, 350), "inlet_gas": (None, 1150), "preheater_gas": (None, 400),
          "filling": (None, 6.5)}
HELD_OUT = {"fuel +3 %": {"fuel": 1.03}, "fuel -3 %": {"fuel": 0.97}, "air -5 %": {"air": 8.17}, "turning +6 %": {"rpm": 3.7},
            "lime +1 %": {"lime": 1.01}, "burnability -20 %": {"ease": 0.8}, "coal -3 %": {"coal": 0.97},
            "feed +2 %": {"feed": 35.7}}
DISTURBED = {"ease": twin.Profile([0, 180], [1.0, 0.8]), "coal": twin.Profile([0, 480], [1.0, 0.97]),
             "lime": twin.Profile([0, 840], [1.0, 1.01])}
NOISE = {"burning_zone": 5.0, "oxygen": 0.1, "nox": 0.05, "inlet_gas": 5.0, "free_lime": 0.1}


def say(*cells: Any) -> None:
    """One row of a table."""
    sys.stdout.write("| " + " | ".join(c if isinstance(c, str) else f"{c:.4g}" for c in cells) + " |\n")


def setpoints() -> None:
    """Least heat within the limits on 100 cells, beside the practice of today, replayed on 200 cells."""
    kiln = RotaryKiln()
    problem = optimizers.Setpoints(kiln, minimize="heat_demand", inputs={"feed": 35.0}, limits=LIMITS,
                                   moves={"fuel": (0.85, 1.15), "air": (7, 11), "tertiary": (30, 42), "rpm": (2.8, 4.2)})
    best = optimizers.solve(problem, starts=1)
    before, fine = twin.steady(kiln, TODAY)[0], twin.steady(RotaryKiln(cells=200), {"feed": 35.0, **best.value})[0]
    prices = {a.name: a.shadow_price for a in best.active}
    sys.stdout.write(best.explain() + "\n")
    for name in (*best.value, *LIMITS, "heat_demand", "carbon_dioxide"):
        low, high = LIMITS.get(name, problem.moves.get(name, (None, None)))
        room = [v for v in (None if low is None else best.replay[name] - low, None if high is None else high - best.replay[name])
                if v is not None]
        limit = f"{'' if low is None else low} to {'' if high is None else high}".strip() if room else ""
        say(name, before[name], best.replay[name], fine[name], limit, min(room) if room else "", prices.get(name, 0.0) or "")


def reduced() -> None:
    """Error of the reduced kiln on steps that it was not made from."""
    kiln = RotaryKiln(cells=40)
    small = reduced_kiln(kiln)
    found = small.errors(HELD_OUT, "10 h", every="5 min")
    for run in HELD_OUT:
        say(run, *(cell for name in ("free_lime", "oxygen", "burning_zone") for cell in (
            found.loc[(run, name), "change"], found.loc[(run, name), "rms"])))
    for name in ("free_lime", "oxygen", "burning_zone"):
        say(name, "largest share missed", found.xs(name, level="output")["missed"].max())


def loops(hours: float = 20.0, cells: int = 25) -> tuple[Any, dict[str, Any]]:
    """The controlled kiln, and the same hours with constant inputs and with two PID loops."""
    kiln = RotaryKiln(cells=cells)
    point = twin.steady(kiln)[0]
    small = reduced_kiln(kiln, point)
    start = {row.signal.name: point[row.signal.name] for row in kiln.layout("state")}
    control = optimizers.Nmpc(
        small.model, interval="5 min", blocks=(1, 1, 1, 2, 3, 4, 6, 6), change={"fuel": 2000.0, "air": 10.0, "rpm": 100.0},
        moves={"fuel": optimizers.Move(0.85, 1.2, rate=(-0.01, 0.01)), "air": optimizers.Move(7.0, 10.5, rate=(-0.1, 0.1)),
               "rpm": optimizers.Move(3.0, 4.2, rate=(-0.02, 0.02))},
        track={"free_lime": (1.4, 10.0), "oxygen": (2.6, 2.0)}, limits={"burning_zone": twin.soft(1380, 1470, price=1.0)})
    loop = optimizers.closed_loop(
        control, steps=int(12 * hours), plant=kiln, estimator=free_lime_sensor(small.model), initial=start,
        inputs={"fuel": 1.0, "air": 8.6, "rpm": 3.5}, disturbances=DISTURBED, known=("lime",),
        laboratory={"free_lime": ("60 min", "30 min")}, noise=NOISE)
    pid = {"fuel": twin.PID(measured="burning_zone", setpoint=1440.0, gain=5e-4, sample_time=5.0, integral_time=60.0, bias=1.0,
                            lower=0.85, upper=1.2),
           "air": twin.PID(measured="oxygen", setpoint=2.6, gain=0.3, sample_time=5.0, integral_time=15.0, bias=8.6, lower=7.0,
                           upper=10.5)}
    others = {name: twin.simulate(kiln, initial=start, inputs={**DISTURBED, **inputs}, duration=60.0 * hours, every=5.0)
              for name, inputs in (("constant inputs", {}), ("two PID loops", pid))}
    others["constant, burnt hard"] = burnt_hard(kiln, start, float(loop["free_lime"][24:].max()), hours)
    return loop, others


def burnt_hard(kiln: Any, start: Any, lime: float, hours: float) -> Any:
    """Constant inputs with the least coal, and air in proportion, whose free lime stays below a limit after the first hours."""
    low, high = 1.0, 1.2

    def run(fuel: float) -> Any:
        inputs = {**DISTURBED, "fuel": fuel, "air": 8.6 * fuel}
        return twin.simulate(kiln, initial=start, inputs=inputs, duration=60.0 * hours, every=5.0)

    for _ in range(9):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if run(middle)["free_lime"][24:].max() < lime else (middle, high)
    return run(high)


def control() -> None:
    """Table and picture of the controlled kiln."""
    loop, others = loops()
    sys.stdout.write(f"{loop!r}; statuses {sorted({i.status.name for i in loop.infos})}; "
                     f"{1e3 * np.median([i.seconds for i in loop.infos]):.1f} ms a step\n")
    from_hour = 2.0
    for name, run in {**others, "NMPC": loop}.items():
        keep = np.asarray(run.times)[:len(run["free_lime"])] >= 60 * from_hour
        fuel = np.asarray(run["fuel"])[:len(keep)] * np.ones(len(keep))
        say(name, *(f(np.asarray(run[n])[keep]) for n in ("free_lime", "oxygen") for f in (np.mean, np.std, np.max)),
            float(np.mean(fuel[keep])), float(np.mean(np.asarray(run["heat_demand"])[keep])))
    figure = Figure(figsize=(9, 7.6), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True)
    colors = {"constant inputs": "gray", "two PID loops": "tab:orange", "constant, burnt hard": "tab:red",
              "NMPC": "tab:blue"}
    for axis, (name, label) in zip(axes, (("free_lime", "free lime [%]"), ("oxygen", "O2 at the inlet [%]"),
                                          ("burning_zone", "burning zone [degC]"), ("fuel", "coal [kg/s]")), strict=True):
        for key, run in {**others, "NMPC": loop}.items():
            values = np.asarray(run[name])
            axis.plot(np.asarray(run.times)[:len(values)] / 60, values, color=colors[key], label=key)
        for hour in (3, 8, 14):
            axis.axvline(hour, color="k", lw=0.6, ls=":")
        axis.set_ylabel(label)
    axes[0].axhline(1.4, color="tab:green", lw=0.8, ls="--", label="target")
    axes[1].axhline(2.6, color="tab:green", lw=0.8, ls="--")
    axes[0].set_ylim(top=3.4)
    for hour, text in ((3, "hard meal"), (8, "poor coal"), (14, "lime-rich meal (measured)")):
        axes[0].annotate(text, (hour, axes[0].get_ylim()[1]), fontsize=8, xytext=(3, -10), textcoords="offset points")
    axes[0].legend(fontsize=8, loc="center left", bbox_to_anchor=(0, 0.45))
    axes[-1].set_xlabel("time [h]")
    figure.savefig(IMAGES / "line_cement_control.png", dpi=90)


if __name__ == "__main__":
    for job in sys.argv[1:] or ("setpoints", "reduced", "control"):
        sys.stdout.write(f"{job}\n")
        {"setpoints": setpoints, "reduced": reduced, "control": control}[job]()
