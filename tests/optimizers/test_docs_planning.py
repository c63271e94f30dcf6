"""Every code block of the pages on scheduling and energy runs, each page in one session."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def session(page: str) -> dict:  # type: ignore[type-arg]
    """The names after all blocks of a page."""
    mpl = pytest.importorskip("matplotlib")
    pytest.importorskip("ortools", reason="extra schedule")
    mpl.use("agg")
    names: dict = {}  # type: ignore[type-arg]
    for block in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, page, "exec"), names)
    return names


def test_scheduling_page() -> None:
    """Plans are whole, the repair keeps what has begun, batches keep their quality on the model."""
    names = session("scheduling.md")
    assert not names["best"].violated
    assert names["best"].bound <= names["best"].objective + 1e-6
    assert len(names["figure"].axes) == 3
    assert "tasks moved" in names["new"].details["changes"]
    assert all(not p.broken and p.duration <= p.planned for p in names["played"])
    assert 0.5 < names["shift"].throughput.mean() < 1.1


def test_energy_page() -> None:
    """Costs and prices are there."""
    names = session("energy.md")
    assert not names["week"].violated
    assert not names["steam"].violated
    assert names["week"].details["prices"]["electricity"].min() > 0
