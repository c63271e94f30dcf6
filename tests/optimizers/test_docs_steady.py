"""Every code block of the pages on steady optimization runs, page by page in one session; the pages check their own numbers."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("page", "least"), [("blending.md", 6), ("steady_optimization.md", 9)])
def test_blocks_run(page: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    """No block fails, none is lost."""
    mpl.use("agg")
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= least
    session: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), session)
