"""What a model says about itself."""

from __future__ import annotations

import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import TubularReactor


def test_description_lists_what_must_be_set_and_every_source_once() -> None:
    """Text with units, sources as numbers, and the inputs that have no value."""
    text = repr(TubularReactor(cells=4).describe())
    assert text.startswith("TubularReactor: Cooled tubular reactor")
    assert "must be set: " in text
    long = repr(Penicillin().describe())
    assert long.count("Birol, Undey, Cinar") == 1
    assert "must be set: nothing" in long


def test_tables_have_units_bounds_and_sources() -> None:
    """DataFrames by name."""
    description = Penicillin().describe()
    row = description.table("parameters").loc["mu_max"]
    assert (row["unit"], row["value"], row["lower"], row["upper"]) == ("1/h", 0.092, 0, 1)
    assert description.table().loc["feed", "role"] == "input"
    assert description.table("terms").loc["growth_rate", "vanishes_with"] == "substrate, dissolved_oxygen"
    with pytest.raises(twin.SpecError, match=r"Unknown table 'parameter' of Penicillin\. Did you mean 'parameters'"):
        description.table("parameter")


def test_html_is_escaped_and_corrections_show() -> None:
    """Notebook view; a corrected term says how."""
    net = twin.Mlp.random(inputs=("substrate",))
    html = Penicillin().with_learned({"growth_rate": net}).describe()._repr_html_()
    assert "<th>vanishes_with</th>" in html
    assert "<td>Multiply</td>" in html
    assert "<b>" not in Penicillin().with_output("o", "-", lambda s: s.feed, doc="<b>x</b>").describe()._repr_html_()
