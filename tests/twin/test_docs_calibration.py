"""Every code block of the page on calibration runs, in one session; its pictures are there."""

import re
from pathlib import Path

import matplotlib as mpl

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"


def test_blocks_run():
    mpl.use("agg")
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 8
    session: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), session)
    assert all((PAGE.parent / name).is_file() for name in re.findall(r"\]\((images/\S+)\)", text))
    spread = session["fit"].table()["relative"]  # what the page says of the intervals
    assert 0.02 < spread["cracking"] < 0.03
    assert 0.33 < spread["direct"] < 0.36
