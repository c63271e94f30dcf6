"""Every code block of the page on the ledger runs, in one session."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def test_blocks_run():
    session: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), session)
    assert session["ledger"].co2 == pytest.approx(258 * 56.1 + 3000 * 0.5366 + 5280)
    assert session["saved"].co2 == pytest.approx(-18 * 56.1)
    assert session["later"].co2 == pytest.approx(1560)
