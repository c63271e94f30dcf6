"""The pages of the lines: tables as the code says, every model of the two lines described, code that runs."""

from __future__ import annotations

import importlib
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import twin

ROOT = Path(__file__).parents[1]
WRITER = runpy.run_path(str(ROOT / "docs" / "write_tables.py"))
PAGES = sorted((ROOT / "docs" / "lines").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_tables_are_current(page: Path) -> None:
    """What `python docs/write_tables.py` would write stands there."""
    text = page.read_text(encoding="utf-8")
    assert WRITER["filled"](text) == text, f"Run `python docs/write_tables.py`: {page.name} is behind the code"


@pytest.mark.parametrize("line", ["bioreactor", "chemical"])
def test_every_model_has_its_table(line: str) -> None:
    package = importlib.import_module(f"processes.{line}")
    text = (ROOT / "docs" / "lines" / f"{line}.md").read_text(encoding="utf-8")
    described = set(re.findall(rf"<!-- model processes\.{line}:(\w+) -->", text))
    models: set[str] = set()
    for name in package._PUBLIC:
        found: Any = getattr(package, name)
        if isinstance(found, type) and issubclass(found, twin.DynamicModel | twin.SteadyModel):
            models.add(name)
    assert described == models


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_blocks_run(page: Path) -> None:
    """Every block of code on the page, in one session."""
    session: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(page), "exec"), session)
