"""What a model is, as a record: what must be set, signals, parameters and terms, with units and sources."""

from __future__ import annotations

import dataclasses
import html
import inspect
import math
from typing import Any

from twin import errors

KINDS = ("signals", "parameters", "terms")


@dataclasses.dataclass(frozen=True)
class Description:
    """A model in words; shows itself as text and, in a notebook, as tables.

    Attributes
    ----------
    name, doc, time_unit
        Name, docstring and unit of time.
    must_set
        Inputs without a value in the recipe: those a user must give.
    signals, parameters, terms
        Rows as dictionaries with name, unit, limits, doc and source.
    """

    name: str
    doc: str
    time_unit: str
    must_set: tuple[str, ...]
    signals: tuple[dict[str, Any], ...]
    parameters: tuple[dict[str, Any], ...]
    terms: tuple[dict[str, Any], ...]

    def table(self, kind: str = "signals") -> Any:
        """DataFrame of the "signals", "parameters" or "terms", rows by name."""
        import pandas as pd

        if kind not in KINDS:
            raise errors.unknown("table", kind, self.name, KINDS)
        rows = getattr(self, kind)
        return pd.DataFrame([dict(r) for r in rows], columns=list(rows[0]) if rows else ["name"]).set_index("name")

    def __repr__(self) -> str:
        first = self.doc.splitlines()[0] if self.doc else ""
        parts = [f"{self.name}: {first}".rstrip(": "), f"time in {self.time_unit}",
                 f"must be set: {', '.join(self.must_set) or 'nothing'}"]
        sources: dict[str, str] = {}
        for kind in KINDS:
            rows = [{k: _text(v) for k, v in r.items()} for r in getattr(self, kind)]
            for r in rows:
                if r.get("source"):  # sources are long: a number in the table, the text below
                    r["source"] = sources.setdefault(r["source"], f"[{len(sources) + 1}]")
            if rows:
                parts += ["", kind, *_columns(rows)]
        return "\n".join([*parts, *([""] if sources else []), *(f"{k} {s}" for s, k in sources.items())])

    def _repr_html_(self) -> str:
        parts = [f"<h4>{html.escape(self.name)}</h4><p>{html.escape(self.doc)}</p>",
                 f"<p>Must be set: {html.escape(', '.join(self.must_set) or 'nothing')}. Time in "
                 f"{html.escape(self.time_unit)}.</p>"]
        for kind in KINDS:
            rows = getattr(self, kind)
            if rows:
                head = "".join(f"<th>{html.escape(k)}</th>" for k in rows[0])
                cells = [[f"<td>{html.escape(_text(v))}</td>" for v in r.values()] for r in rows]
                body = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
                parts.append(f"<h5>{kind}</h5><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        return "".join(parts)


def description(model: Any) -> Description:
    """Describe a model; see `Model.describe`."""
    signals = tuple({"name": s.name, "role": s.role, "unit": s.unit, "lower": s.lower, "upper": s.upper,
                     "nominal": s.nominal, "shape": " x ".join(s.shape), "doc": s.doc} for s in model.signals)
    terms = tuple({"name": n, "unit": t.unit, "lower": t.lower, "upper": t.upper, "arguments": ", ".join(t.arguments),
                   "vanishes_with": ", ".join(t.vanishes_with), "learned": type(f).__name__ if f else "",
                   "doc": (t.__doc__ or "").strip().split("\n")[0]} for n, t, f in _terms(model))
    doc = inspect.getdoc(type(model)) or ""
    return Description(model.title, doc, model.time_unit, model.what_must_i_set(), signals,
                       tuple(parameter_rows(model)), terms)


def parameter_rows(model: Any, path: str = "") -> list[dict[str, Any]]:
    """Name, value, unit, bounds, scale, source and doc of every parameter, and of those of the units of a line."""
    rows = []
    for f in dataclasses.fields(model):
        value, m = getattr(model, f.name), f.metadata
        if m.get("kind") == "parameter":
            low, high = m["bounds"]
            rows.append({"name": path + f.name, "value": value, "unit": m["unit"],
                         "lower": -math.inf if low is None else low, "upper": math.inf if high is None else high,
                         "scale": m["scale"], "source": m["source"], "doc": m["doc"]})
        elif m.get("flat"):
            for name, unit in value.items():
                rows += parameter_rows(unit, f"{path}{name}.")
    return rows


def _terms(model: Any) -> list[tuple[str, Any, Any]]:
    corrections = model.corrections()
    return [(n, t, corrections.get(n)) for n, t in model.terms().items()]


def _text(value: Any) -> str:
    if hasattr(value, "shape") and value.shape:
        return f"{value.size} values, {value.min():g} to {value.max():g}"
    if not isinstance(value, float | int):
        return str(value)
    return "" if math.isinf(value) else f"{value:g}"


def _columns(rows: list[dict[str, str]]) -> list[str]:
    keys = [k for k in rows[0] if any(r[k] for r in rows)]
    width = {k: max(len(k), *(len(r[k]) for r in rows)) for k in keys}
    lines = [{k: k for k in keys}, *rows]
    return ["  " + "  ".join(r[k].ljust(width[k]) for k in keys).rstrip() for r in lines]
