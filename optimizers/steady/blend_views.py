"""Tables and pictures of a blend."""

from __future__ import annotations

import math
from typing import Any

LIMIT = "#D55E00"
BARS = "#0072B2"


def to_frame(solution: Any) -> Any:
    """DataFrame: one row a material with amounts, share, price, and the price range in which the blend stays the best."""
    import pandas as pd

    blend, total = solution.problem, sum(solution.value[s] for s in solution.problem.materials) or math.nan
    ranges = solution.details["price_range"]
    rows = {}
    for name, m in blend.materials.items():
        amount = solution.value[name]
        row = {"amount": amount, "dry": amount * m.dry, "share [%]": 100 * amount / total, "price": m.price}
        if name in ranges:
            row |= {"price from": ranges[name][0], "price to": ranges[name][1]}
        rows[name] = row
    frame = pd.DataFrame.from_dict(rows, orient="index")
    price = f"{blend.money}/{blend.amount_unit}"
    frame.attrs["units"] = {"amount": blend.amount_unit, "dry": blend.amount_unit,
                            **dict.fromkeys(("price", "price from", "price to"), price)}
    return frame


def quality_frame(solution: Any) -> Any:
    """DataFrame: one row a limited quality of a product with its value and limits."""
    import pandas as pd

    blend, rows = solution.problem, []
    for product, p in blend.products.items():
        for name, given in p.limits.items():
            low, high, price = blend.limit(product, name, given)
            rows.append({"product": product, "quality": name, "value": solution.details["quality"][product][name], "lower": low,
                         "upper": high, "unit": blend.unit(name), "soft": price < math.inf})
    return pd.DataFrame(rows)


def table(solution: Any) -> str:
    """Materials, qualities against limits, and active limits as text."""
    blend = solution.problem
    text = [f"amounts in {blend.amount_unit}, prices in {blend.money}/{blend.amount_unit}",
            to_frame(solution).to_string(float_format=lambda v: f"{v:.5g}")]
    quality = quality_frame(solution)
    if len(quality):
        text += ["", quality.to_string(index=False, float_format=lambda v: f"{v:.5g}")]
    return "\n".join([*text, "", *(str(a) for a in solution.active)])


def plot(solution: Any) -> Any:
    """Matplotlib Figure: amounts of the materials, and each limited quality within its limits."""
    from twin.simulation import plots

    blend, quality = solution.problem, quality_frame(solution)
    height = 0.4 + 0.32 * max(len(blend.materials), len(quality), 5)
    fig, axes = plots.figure(2 if len(quality) else 1, columns=2, width=4.2, height=height)
    names = list(blend.materials)
    axes[0].barh(names, [solution.value[s] for s in names], color=BARS)
    axes[0].invert_yaxis()
    axes[0].set_xlabel(f"amount [{blend.amount_unit}]")
    if len(quality):
        _limits(axes[1], quality, len(blend.products) > 1)
    return fig


def _limits(axis: Any, quality: Any, many: bool) -> None:
    """Each value as a share of the way from its lower to its upper limit."""
    labels = []
    for k, row in enumerate(quality.itertuples()):
        low = row.lower if math.isfinite(row.lower) else min(0.0, row.value)
        high = row.upper if math.isfinite(row.upper) else max(2 * row.value - low, row.value)
        width = (high - low) or 1.0
        at = (row.value - low) / width if high > low else 0.5
        axis.plot([0, 1], [k, k], color="#BBBBBB", linewidth=5, solid_capstyle="butt")
        for end, limit in ((0.0, row.lower), (1.0, row.upper)):
            if math.isfinite(limit):
                axis.plot([end, end], [k - 0.18, k + 0.18], color=LIMIT, linewidth=1.5)
                _label(axis, limit, end, k, -14, LIMIT)
        axis.plot([at], [k], "o", color=BARS, markersize=5)
        _label(axis, row.value, at, k, 7, "#222222")
        unit = "" if row.unit == "-" else f" [{row.unit}]"
        labels.append(f"{row.quality}{unit}" + (f", {row.product}" if many else ""))
    axis.set_yticks(range(len(labels)), labels)
    axis.set_xticks([])
    axis.set_xlim(-0.15, 1.15)
    axis.set_ylim(len(labels) - 0.4, -0.6)


def _label(axis: Any, value: float, x: float, y: float, shift: int, color: str) -> None:
    axis.annotate(f"{value:.4g}", (x, y), xytext=(0, shift), textcoords="offset points", ha="center", fontsize=7, color=color)
