"""What runs of a reflow oven are judged by, as a measure for designs and job files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import twin
from processes.electronics.boards import node_metrics, node_names, node_units, split_nodes
from processes.electronics.profile import ProfileLimits
from twin.figures import new_figure

COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377")


@dataclasses.dataclass(frozen=True, eq=False)
class ReflowMeasure(twin.Measure):
    """Profile metrics, throughput and electricity of a reflow oven.

    The metrics of `profile_metrics` for one joint; for a board with several places "peak of part 1" and so on, with
    `lowest_peak`, `highest_peak` and the like over all places, and `spread` of the peaks. `boards_per_hour`, `energy_per_board`
    and `power` of the loaded oven; `demand_power` and `demand_time` are the mean power and the minutes of oven time that `demand`
    boards an hour take: what recipes of different speeds can be compared by.

    Attributes
    ----------
    model
        A `ReflowOven`, `ReflowAssembly` or `ReflowSection`.
    liquidus, soak_from, soak_to
        As in `ProfileLimits`, degC.
    demand
        Boards an hour that the line needs.

    Examples
    --------
    >>> from processes.electronics import ReflowMeasure, ReflowOven
    >>> found = ReflowMeasure(ReflowOven(), demand=70.0).of(twin.simulate(ReflowOven(), every=0.5))
    >>> round(found["peak"]), round(found["boards_per_hour"]), round(found["demand_time"])
    (242, 140, 30)
    """

    model: Any
    liquidus: float = 217.0
    soak_from: float = 150.0
    soak_to: float = 200.0
    demand: float = 100.0

    def __post_init__(self) -> None:
        self.counted()

    def counted(self) -> ProfileLimits:
        """From where metrics count."""
        return ProfileLimits({}, self.liquidus, (self.soak_from, self.soak_to))

    @property
    def signals(self) -> tuple[str, ...]:
        return (*self.model.judged, "energy_per_board", "power_drawn")

    @property
    def units(self) -> Mapping[str, str]:
        return {**node_units(self.model), "power": "kW", "demand_power": "kW", "demand_time": "min/h"}

    def __call__(self, times: Any, seen: Mapping[str, Any]) -> Mapping[str, Any]:
        energy, power = seen["energy_per_board"][:, -1], seen["power_drawn"][:, -1]
        boards = power / energy
        return node_metrics(times, {s: seen[s] for s in self.model.judged}, self.counted()) | {
            "energy_per_board": energy, "power": power, "boards_per_hour": boards, "demand_power": energy * self.demand,
            "demand_time": 60.0 * self.demand / boards}

    def plot(self, runs: Mapping[str, Any], limits: Mapping[str, tuple[float | None, float | None]]) -> Any:
        """Profiles of each place over time, the first run in full, others dashed; the peak that is allowed shaded."""
        figure = new_figure(10, 4.8)
        axes = figure.add_subplot()
        lows = [pair[0] for name, pair in limits.items() if "peak" in name and "to_peak" not in name and pair[0] is not None]
        highs = [pair[1] for name, pair in limits.items() if "peak" in name and "to_peak" not in name and pair[1] is not None]
        if highs:
            axes.axhspan(max(lows, default=self.liquidus), min(highs), color="tab:green", alpha=0.15, label="peak allowed")
        axes.axhline(self.liquidus, color="tab:red", lw=1, ls="--", label=f"liquidus {self.liquidus:g} degC")
        axes.axhspan(self.soak_from, self.soak_to, color="tab:orange", alpha=0.10, label="soak counts")
        for style, (label, run) in zip(("-", "--", ":"), runs.items(), strict=False):
            nodes = split_nodes({s: run[s][None, ...] for s in self.model.judged})
            for color, (place, y) in zip(COLORS * (1 + len(nodes) // len(COLORS)), nodes.items(), strict=False):
                axes.plot(run.times, y[0], style, color=color, lw=1.4, label=f"{place}, {label}")
        axes.set_xlabel("time [s]")
        axes.set_ylabel("temperature [degC]")
        axes.legend(fontsize=7.5, loc="upper right", ncols=1 + (len(node_names(self.model)) > 2))
        return figure
