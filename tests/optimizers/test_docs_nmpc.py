"""Every code block of the page on controllers and estimators runs, in one session."""

import re
from pathlib import Path

import matplotlib as mpl

PAGE = Path(__file__).parents[2] / "docs" / "nmpc.md"


def test_blocks_run(capsys):
    mpl.use("agg")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 8
    session: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), session)
    assert "is exceeded by up to 12 degC" in capsys.readouterr().out
    assert len(session["figure"].axes) == 6
