"""Pictures of recipes: the profile with its limits, and how much of each window is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processes.electronics.boards import node_rows
from processes.electronics.profile import shares
from twin.figures import new_figure

if TYPE_CHECKING:
    from processes.electronics.product_mix import MixPlan
    from processes.electronics.recipes import RecipeCheck

COLORS = ("tab:blue", "tab:purple", "tab:cyan", "tab:brown", "tab:pink")
BOARDS = ("tab:olive", "tab:pink", "tab:gray")


def recipe_figure(check: RecipeCheck) -> Any:
    """Profiles on the left, windows on the right."""
    limits, stated = check.stated.limits, check.stated
    figure = new_figure(12, 4.8)
    axes, bars = figure.subplots(1, 2, width_ratios=(3, 2))
    low, high = limits.rows.get("peak", (None, None))
    if high is not None:
        axes.axhspan(limits.liquidus if low is None else low, high, color="tab:green", alpha=0.15, label="peak allowed")
    axes.axhline(limits.liquidus, color="tab:red", lw=1, ls="--", label=f"liquidus {limits.liquidus:g} degC")
    axes.axhspan(*limits.soak, color="tab:orange", alpha=0.10, label="soak counts")
    axes.plot(check.own.run.times, check.own.run["air_temperature"], color="gray", lw=0.8, ls=":", label="air")
    for k, y in enumerate(check.reference.nodes.values()):
        axes.plot(check.reference.run.times, y, color="gray", lw=1.2, label="reference" if k == 0 else None)
    for k, (name, y) in enumerate(check.own.nodes.items()):
        axes.plot(check.own.run.times, y, color=COLORS[k % len(COLORS)], lw=1.8, label=f"{stated.goal}: {name}")
    for k, (board, run) in enumerate(check.replays.items()):
        hot, cold = max(run.nodes.values(), key=max), min(run.nodes.values(), key=max)
        axes.fill_between(run.run.times, cold, hot, color=BOARDS[k % len(BOARDS)], alpha=0.5, lw=1.5, label=board)
    axes.set_xlabel("time [s]")
    axes.set_ylabel("temperature [degC]")
    axes.legend(loc="upper left", fontsize=7.5)
    rows = node_rows(check.oven, limits)
    used = {n: 100.0 * v for n, v in shares(rows, check.own.metrics).items()}
    before = shares(rows, check.reference.metrics)
    places = range(len(used))
    bars.barh(places, list(used.values()), color=["tab:red" if v > 100.01 else "tab:blue" for v in used.values()], height=0.6)
    bars.plot([100.0 * before[n] for n in used], places, "D", color="gray", label="reference")
    bars.axvline(100.0, color="tab:red", lw=1, ls="--")
    bars.set_yticks(places, list(used), fontsize=8)
    bars.invert_yaxis()
    bars.set_xlabel("share of the window used [%], 100 is the limit")
    bars.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return figure


def mix_figure(plan: MixPlan) -> Any:
    """Minutes of each way of working on top, changeover matrices below."""
    figure = new_figure(11, 6.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.7))
    bars = figure.add_subplot(grid[0, :])
    ways = list(plan.compared)
    made = bars.barh(range(len(ways)), [plan.compared[w] for w in ways], color=["gray", "tab:olive", "tab:cyan", "tab:blue"])
    bars.bar_label(made, fmt="%.0f min", padding=3)
    bars.set_yticks(range(len(ways)), ways)
    bars.invert_yaxis()
    bars.margins(x=0.1)
    bars.set_xlabel("oven time for all products [min]")
    names = plan.mix.members()
    top = max([*plan.matrix.values(), *plan.own_matrix.values(), 1e-9])
    for k, (matrix, title) in enumerate(((plan.own_matrix, "own recipes"), (plan.matrix, "shared recipes"))):
        axes = figure.add_subplot(grid[1, k])
        values = [[matrix.get((a, b), 0.0) for b in names] for a in names]
        axes.imshow(values, cmap="Blues", vmin=0.0, vmax=1.3 * top)
        for i, row in enumerate(values):
            for j, value in enumerate(row):
                axes.text(j, i, "" if i == j else f"{value:.1f}", ha="center", va="center")
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set_xlabel("next product")
        axes.set_ylabel("product")
        axes.set_title(f"changeover [min], {title}", fontsize=10)
    return figure
