"""Every code block of the page on writing models runs, in one session."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "how_to_write_a_model.md"


def test_blocks_run_in_order() -> None:
    """As a newcomer would type them."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 12
    session: dict[str, Any] = {"__name__": "notebook"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"block {number}", "exec", dont_inherit=True), session)
