"""Every code block of the page on data runs, in one session."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from twin.io.tags import TagMap

PAGE = Path(__file__).parents[2] / "docs" / "data.md"


def test_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    session: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 7
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), session)
    assert "in row 2. Expected a number. It looks like a decimal comma" in capsys.readouterr().out
    assert set(session["records"][0].inputs(session["model"])) == {"feed", "temperature"}
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert TagMap.of(tomllib.loads(toml)["tags"]) == TagMap.of(session["tags"])
