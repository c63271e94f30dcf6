"""What the documents say is true: code runs, links lead somewhere, examples in docstrings give what they show."""

from __future__ import annotations

import doctest
import importlib
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
MODULES = [p for package in ("twin", "processes", "optimizers") for p in sorted((ROOT / package).rglob("*.py"))
           if ">>> " in p.read_text()]


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def execute(code: str, folder: Path) -> None:
    """Run code as a script."""
    script = folder / "readme.py"
    script.write_text(code)
    runpy.run_path(str(script), run_name="readme")


def test_first_code_of_the_readme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first block runs, is about ten lines long, and its first number is PenSim's published 1.61937 g/l."""
    code = blocks(ROOT / "README.md", "python")[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    execute(code, tmp_path)
    published, richer = (float(line.split()[0]) for line in capsys.readouterr().out.splitlines())
    assert published == pytest.approx(1.61937, abs=1e-5)
    assert richer > published  # more sugar, more product: the kinetics saturate far above


def test_own_model_of_the_readme(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tank runs; its level is on the way to the steady level (inflow / valve)^2 = 1.5625 m."""
    execute(blocks(ROOT / "README.md", "python")[1], tmp_path)
    level, unit = capsys.readouterr().out.split()
    assert 1.5 < float(level) < 1.5625
    assert unit == "m"


def test_commands_of_the_readme_exist() -> None:
    """Every `make TARGET` that a page names is a target of the Makefile, every job file that it names is there."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        text = page.read_text()
        named = set(re.findall(r"(?:^|`)make ([a-z][\w-]*)", text, re.MULTILINE))
        assert named <= targets, f"{page.name}: {named - targets}"
        for job in re.findall(r"examples/jobs/[\w.]+", text):
            assert (ROOT / job).is_file(), f"{page.name}: {job}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links and pictures exist."""
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_in_docstrings(path: Path) -> None:
    """The examples give what they show."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0
