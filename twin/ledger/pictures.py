"""Picture of a ledger: where the CO2 comes from, when, and for which product."""

from __future__ import annotations

from typing import Any

from twin.figures import new_figure

COLORS = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")


def draw(ledger: Any) -> Any:
    """Two panels: activities (over the periods, or as bars) and products, with standard uncertainties."""
    import numpy as np

    figure = new_figure(10, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    counted = [x for x in ledger.lines if x.scope in ("1", "2")]
    names = list(dict.fromkeys(x.activity.name for x in counted))
    rows = [np.sum([x.co2 for x in counted if x.activity.name == n], axis=0) for n in names]
    n = len(rows[0]) if rows else 0
    if n > 1:
        edges = np.arange(n + 1) * ledger.hours
        up, down = np.zeros(n), np.zeros(n)
        for k, (name, row) in enumerate(zip(names, rows, strict=True)):
            base = np.where(row >= 0, up, down)
            left.stairs(base + row, edges, baseline=base, fill=True, color=COLORS[k % len(COLORS)], label=name)
            up, down = up + np.maximum(row, 0.0), down + np.minimum(row, 0.0)
        left.set_xlabel("time [h]" if ledger.start is None else f"hours since {ledger.start:%Y-%m-%d %H:%M}")
        left.set_ylabel("kg CO2 a period")
        left.legend(fontsize=8)
    else:
        frame = ledger.by_activity()
        frame = frame[[s in ("1", "2") for s in frame.index.get_level_values("scope")]]
        places = np.arange(len(frame))[::-1]
        left.barh(places, frame["co2_kg"], xerr=frame["uncertainty_kg"], color=COLORS[0], capsize=3)
        left.set_yticks(places, [f"{a} (scope {s})" for a, s in frame.index])
        left.set_xlabel("kg CO2, with standard uncertainty")
    left.axhline(0.0, color="black", lw=0.6) if n > 1 else left.axvline(0.0, color="black", lw=0.6)
    products = ledger.by_product()
    known = bool(ledger.production)
    value = products["co2_kg_per_unit" if known else "co2_kg"]
    spread = products["uncertainty_kg_per_unit" if known else "uncertainty_kg"]
    right.bar(np.arange(len(products)), value, yerr=spread, color=COLORS[2], capsize=4, width=0.6)
    right.set_xticks(np.arange(len(products)), list(products.index))
    right.set_xlim(-1.0, len(products))
    right.set_ylabel(f"kg CO2/{ledger.production_unit}" if known else "kg CO2")
    right.axhline(0.0, color="black", lw=0.6)
    return figure
