"""Write the tables of signals, parameters and terms into the pages of the lines: `python docs/write_tables.py`.

A page holds `<!-- model processes.bioreactor:EColi -->` and `<!-- end -->`; what stands between them is made from the code.
"""

from __future__ import annotations

import importlib
import math
import re
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parent / "lines"
BLOCK = re.compile(r"(<!-- model (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with every table as the code says."""
    return BLOCK.sub(lambda found: found[1] + tables(found[2]) + found[3], text)


def tables(place: str) -> str:
    """Signals, terms, parameters and sources of one model."""
    module, _, name = place.partition(":")
    told = getattr(importlib.import_module(module), name).example().describe()
    must = ", ".join(f"`{n}`" for n in told.must_set)
    parts = [f"{told.doc.partition(chr(10))[0]} Time in {told.time_unit}." + (f" Must be set: {must}." if must else ""), ""]
    parts += table(("signal", "role", "unit", "limits", "what it is"),
                   [(f"`{s['name']}`" + (" (cells)" if s["shape"] else ""), s["role"], s["unit"], span(s), s["doc"])
                    for s in told.signals])
    if told.terms:
        parts += table(("term", "unit", "limits", "vanishes with", "what it is"),
                       [(f"`{t['name']}({t['arguments']})`", t["unit"], span(t), t["vanishes_with"], t["doc"])
                        for t in told.terms])
    numbers: dict[str, int] = {}
    rows = [(f"`{p['name']}`", value(p["value"]), p["unit"], span(p), f"[{numbers.setdefault(p['source'], len(numbers) + 1)}]",
             p["doc"]) for p in told.parameters]
    parts += table(("parameter", "value", "unit", "limits", "source", "what it is"), rows)
    parts += [f"[{k}] {source}  " for source, k in numbers.items()]
    return "\n".join(parts) + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    """Lines of one Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines] + [""]


def span(row: dict[str, Any]) -> str:
    """Limits in words; empty where there are none."""
    low, high = row["lower"], row["upper"]
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(low) or math.isinf(high):
        return f"from {low:g}" if math.isinf(high) else f"to {high:g}"
    return f"{low:g} to {high:g}"


def value(given: Any) -> str:
    """A number, or how many there are."""
    return f"{given:.10g}" if not getattr(given, "shape", ()) else f"{given.size} values"


if __name__ == "__main__":
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
