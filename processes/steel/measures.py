"""What a reheating furnace and a caster are judged by: fuel, discharge and gradients; shell, length, surface and water."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import twin
from processes.steel.fuel import zone_fuel
from twin import errors
from twin.figures import new_figure

COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")
CORE = 0.005  # m: innermost part of a half slab whose mean must be solid; a single thin cell would be so in a second
GRID = 0.05  # m: distance at which the surface of a strand is looked at


def _shade(axes: Any, pairs: Sequence[Any], start: float, end: float) -> None:
    """Shade what the tightest of some limits does not allow, over a share of the axis."""
    lows = [p[0] for p in pairs if p and p[0] is not None]
    highs = [p[1] for p in pairs if p and p[1] is not None]
    bottom, top = axes.get_ylim()
    if lows and max(lows) > bottom:
        axes.axhspan(bottom, max(lows), start, end, color="#EE6677", alpha=0.15, lw=0)
    if highs:
        top = max(top, min(highs) * 1.05)
        axes.axhspan(min(highs), top, start, end, color="#EE6677", alpha=0.15, lw=0)
    axes.set_ylim(bottom, top)


def _forbid(axes: Any, pair: Any, at: float) -> None:
    """Bars above and below the limits of what counts at one place."""
    low, high = pair or (None, None)
    for limit, mark in ((low, "^"), (high, "v")):
        if limit is not None:
            axes.plot([at], [limit], mark, color="#EE6677", ms=9, label=f"{'at least' if mark == '^' else 'at most'} {limit:g} "
                                                                        f"there")


@dataclasses.dataclass(frozen=True, eq=False)
class FurnaceMeasure(twin.Measure):
    """Fuel of a reheating furnace and what its slabs went through.

    For each kind k of slab, from 1: `discharge_k` mean temperature at the end; `spread_k` upper face minus core at the end;
    `skin_k` hottest upper face on the way; `gradient_k` largest difference of upper face and core on the way. `fuel_k` of each
    zone, `specific` fuel, `power` of the burners, `flue` gas, `efficiency`, `tonnes`.

    Attributes
    ----------
    model
        A `ReheatingFurnace`.

    Examples
    --------
    >>> from processes.steel import ReheatingFurnace
    >>> furnace = ReheatingFurnace()
    >>> found = FurnaceMeasure(furnace).of(twin.simulate(furnace, every=2.0))
    >>> 1.2 < found["specific"] < 1.4
    True
    """

    model: Any

    @property
    def signals(self) -> tuple[str, ...]:
        return ("mean_temperature", "top_temperature", "core_temperature", "uptake")

    @property
    def units(self) -> Mapping[str, str]:
        kinds = {f"{n}_{k + 1}": u for n, u in (("discharge", "degC"), ("spread", "K"), ("skin", "degC"), ("gradient", "K"))
                 for k in range(self.model.slabs)}
        zones = {f"fuel_{k + 1}": "Nm3/h" for k in range(self.model.zones)}
        return {"specific": "GJ/t", "power": "MW", "flue": "degC", "efficiency": "-", "tonnes": "t/h", **zones, **kinds}

    def __call__(self, times: Any, seen: Mapping[str, Any]) -> Mapping[str, Any]:
        import numpy as np

        n = len(seen["uptake"])
        points = np.array([np.broadcast_to(seen.get(f"zone_temperature[{k}]", self.model.zone_temperature[k]), (n,))
                           for k in range(self.model.zones)]).T
        burnt = zone_fuel(self.model, times, seen["uptake"], zone_temperature=points, residence=seen.get("residence"))
        found = {name: burnt[name] for name in ("specific", "power", "flue", "efficiency", "tonnes")}
        found |= {f"fuel_{k + 1}": burnt["fuel"][:, k] for k in range(self.model.zones)}
        top, core = (seen[f"{s}_temperature"].reshape(n, len(times), -1) for s in ("top", "core"))
        mean = seen["mean_temperature"].reshape(n, len(times), -1)
        for k in range(self.model.slabs):
            across = top[:, :, k] - core[:, :, k]
            found |= {f"discharge_{k + 1}": mean[:, -1, k], f"spread_{k + 1}": across[:, -1],
                      f"skin_{k + 1}": top[:, :, k].max(axis=1),
                      f"gradient_{k + 1}": across.max(axis=1)}
        return found

    def plot(self, runs: Mapping[str, Any], limits: Mapping[str, tuple[float | None, float | None]]) -> Any:
        """Zones and faces over time for the first run, cores beside the other one; gradients with their limit below."""
        figure = new_figure(10, 6.4)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        for style, (name, run) in zip(("-", "--"), runs.items(), strict=False):
            faint = 1.0 if style == "-" else 0.6
            above.plot(run.times, run["zone_at_slab"], style, color="#BBBBBB", lw=1.5, label=f"zone, {name}")
            for k in range(self.model.slabs):
                what = f"{1e3 * self.model.thickness[k]:.0f} mm from {self.model.charged[k]:.0f} degC, {name}"
                across = run["top_temperature"][:, k] - run["core_temperature"][:, k]
                above.plot(run.times, run["core_temperature"][:, k], style, color=COLORS[k % len(COLORS)], lw=1.2, alpha=faint,
                           label=f"core of {what}")
                below.plot(run.times, across, style, color=COLORS[k % len(COLORS)], lw=1.2, alpha=faint)
        _shade(above, [limits.get(f"discharge_{k + 1}") for k in range(self.model.slabs)], 0.97, 1.0)
        _shade(below, [limits.get(f"gradient_{k + 1}") for k in range(self.model.slabs)], 0.0, 1.0)
        _shade(below, [limits.get(f"spread_{k + 1}") for k in range(self.model.slabs)], 0.97, 1.0)
        above.set_ylabel("temperature [degC]")
        above.legend(fontsize=7, ncols=2, loc="lower right")
        below.set_ylabel("upper face - core [K]")
        below.set_xlabel("time since charging [min]")
        return figure


@dataclasses.dataclass(frozen=True, eq=False)
class CasterMeasure(twin.Measure):
    """Shell, length, surface and water of a strand.

    `shell_at_exit` of the mould, `metallurgical_length`, `straightening` surface temperature where the strand is straightened,
    `coldest_k` surface in each spray zone k, `reheating_k` there: hottest surface in the zone minus the surface where it begins;
    `throughput`, `water` and `specific_water`.

    Attributes
    ----------
    model
        A `SlabSlice` or `BilletSlice` (the middle of its face counts).
    width
        Of the slab, m; a billet has its own.
    straightener
        Way below the meniscus, m.

    Notes
    -----
    Runs must be long enough for the slowest speed to reach the end of the machine: state a constant recipe and a duration. A core
    that is still liquid at the end of the run counts with 0.1 m for each mm.

    Examples
    --------
    >>> from processes.steel import SlabSlice
    >>> slab = SlabSlice(cells=32)
    >>> found = CasterMeasure(slab).of(twin.simulate(slab, every=4.0))
    >>> 22.0 < found["metallurgical_length"] < 25.0
    True
    """

    model: Any
    width: float = 1.5
    straightener: float = 15.0

    def __post_init__(self) -> None:
        edges = (self.model.mould, *self.model.zone_start, self.model.machine_length)
        for k, (a, b) in enumerate(pairwise(edges)):
            if b - a < (0.0 if k == 0 else 4 * GRID):
                raise twin.SpecError(f"{self.model.title}: the mould ends, and zones begin, at "
                                     f"{', '.join(f'{e:g}' for e in edges[:-1])} m; "
                                     f"the machine ends at {edges[-1]:g} m. Expected them to rise, zones of "
                                     f"at least {4 * GRID:g} m.")
        if not self.model.mould < self.straightener < self.model.machine_length:
            raise errors.out_of_range("straightener", self.straightener, "m", self.model.mould, self.model.machine_length,
                                      "It stands between mould and end of the machine.")
        if not self.width > 0:
            raise errors.out_of_range("width", self.width, "m", 0.0, None, "Give the width of the slab.")

    @property
    def signals(self) -> tuple[str, ...]:
        return ("enthalpy", "shell", "surface_temperature" if hasattr(self.model, "cells") else "middle_temperature")

    @property
    def units(self) -> Mapping[str, str]:
        zones = {f"{n}_{k + 1}": u for n, u in (("coldest", "degC"), ("reheating", "K")) for k in range(self.model.zones)}
        return {"shell_at_exit": "mm", "metallurgical_length": "m", "straightening": "degC", **zones,
                "throughput": "t/h", "water": "m3/h", "specific_water": "l/kg"}

    def __call__(self, times: Any, seen: Mapping[str, Any]) -> Mapping[str, Any]:
        import numpy as np

        model, shell = self.model, seen["shell"]
        n, t = len(shell), np.asarray(times, dtype=float)
        surface = seen[self.signals[2]].reshape(n, len(t))
        inner = max(1, round(CORE / (0.5 * model.thickness / model.cells))) if hasattr(model, "cells") else 1
        middle = seen["enthalpy"].reshape(n, len(t), -1)[:, :, -inner:].mean(axis=2)
        speed = np.broadcast_to(seen.get("speed", model.speed), (n,)) / 60.0
        water = np.array([np.broadcast_to(seen.get(f"water[{k}]", model.water[k]), (n,)) for k in range(model.zones)])
        edges = [*model.zone_start, model.machine_length]
        ways = np.arange(model.mould, model.machine_length + GRID, GRID)
        on_way = np.array([np.interp(ways / v, t, row) for v, row in zip(speed, surface, strict=True)])
        found = {"shell_at_exit": np.array([np.interp(model.mould / v, t, row) for v, row in zip(speed, shell, strict=True)]),
                 "metallurgical_length": speed * np.array([self._solid_after(t, row, half) for row,
                                                           half in zip(middle, shell, strict=True)]),
                 "straightening": np.array([np.interp(self.straightener, ways, row) for row in on_way])}
        for k in range(model.zones):
            begin = np.array([np.interp(edges[k], ways, row) for row in on_way])
            inside = on_way[:, (ways >= edges[k] + 2 * GRID) & (ways <= edges[k + 1])]
            found |= {f"coldest_{k + 1}": inside.min(axis=1), f"reheating_{k + 1}": inside.max(axis=1) - begin}
        wide = self.width if hasattr(model, "cells") else model.width
        around = 2.0 * wide if hasattr(model, "cells") else 2.0 * (wide + model.thickness)
        found["throughput"] = 3.6 * speed * model.thickness * wide * model.density
        found["water"] = 3.6 * around * (water * np.diff(edges)[:, None]).sum(axis=0)
        found["specific_water"] = found["water"] / found["throughput"]
        return found

    def plot(self, runs: Mapping[str, Any], limits: Mapping[str, tuple[float | None, float | None]]) -> Any:
        """Surface and shell over the way, zones marked, what is not allowed shaded."""
        import numpy as np
        figure = new_figure(10, 6.4)
        above, below = figure.subplots(2, 1, sharex=True)
        half = 0.5e3 * self.model.thickness
        for color, (name, run) in zip(COLORS, runs.items(), strict=False):
            way, length = run["way_cast"], self.of(run)["metallurgical_length"]
            above.plot(way, run[self.signals[2]], color=color, lw=1.4, label=f"surface, {name}")
            below.plot(way, np.where(way < length, run["shell"], half), color=color, lw=1.4, label=f"shell, {name}")
            below.axvline(length, color=color, ls=":", lw=1.0)
        for axes in (above, below):
            for at in self.model.zone_start:
                axes.axvline(at, color="0.85", lw=0.8, zorder=0)
        edges = [*self.model.zone_start, self.model.machine_length]
        for k in range(self.model.zones):
            low = (limits.get(f"coldest_{k + 1}") or (None, None))[0]
            if low is not None:
                above.fill_between(edges[k:k + 2], 0.0, low, color="#EE6677", alpha=0.15, lw=0)
        _forbid(above, limits.get("straightening"), self.straightener)
        _forbid(below, limits.get("shell_at_exit"), self.model.mould)
        high = (limits.get("metallurgical_length") or (None, None))[1]
        if high is not None:
            below.axvspan(high, self.model.machine_length, color="#EE6677", alpha=0.15, label="core must be solid before")
        above.set_ylim(700, 1250)
        above.set_xlim(0, self.model.machine_length)
        above.set_ylabel("surface [degC]")
        below.set_ylabel("shell [mm]")
        below.set_xlabel("way below the meniscus [m]; grey: begin of a spray zone")
        for axes in (above, below):
            axes.legend(fontsize=8)
        return figure

    def _solid_after(self, t: Any, middle: Any, shell: Any) -> float:
        """Time in s after which the middle is solid."""
        import numpy as np

        k = int(np.argmax(middle < 0.0))
        if middle[k] >= 0.0:
            left = 0.5e3 * self.model.thickness - shell[-1]
            return float(t[-1] + 0.1 * left * 60.0 / self.model.speed)
        if k < 3:
            return float(t[k])
        h, at = middle[k - 3:k], t[k - 3:k]  # a parabola from above: at the solidus itself the enthalpy has a kink
        found = sum(at[i] * np.prod([h[j] / (h[j] - h[i]) for j in range(3) if j != i]) for i in range(3))
        return float(np.clip(found, t[k - 1], t[k]))
