"""Every code block of the page on simulation runs, in one session."""

import re
from pathlib import Path

import matplotlib as mpl

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"


def test_blocks_run():
    mpl.use("agg")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 7
    session: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), session)
    assert abs(session["batch"].final["product"] - 1.619) < 1e-3
    assert len(session["points"]) == 3
    assert session["slope"].shape == (7,)
