"""Every code block of the pages on learning and forecasts runs, each page in one session."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("page", "fewest"), [("learning.md", 3), ("forecast.md", 3)])
def test_blocks_run(page: str, fewest: int) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= fewest
    session: dict = {}
    for block in blocks:
        exec(compile(block, page, "exec"), session)
