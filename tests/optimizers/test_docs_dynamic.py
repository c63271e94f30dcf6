"""Every code block of the page on dynamic optimization runs, in one session; its job table is a right one."""

import re
import tomllib
from pathlib import Path

import matplotlib as mpl
import pytest

import twin
from optimizers.dynamic.job import STEP
from processes.bioreactor import BajpaiReuss, Penicillin
from twin.jobs import toml

PAGE = Path(__file__).parents[2] / "docs" / "dynamic_optimization.md"


def test_blocks_run():
    mpl.use("agg")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 7
    session: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), session)
    assert session["best"].objective > 80.0


class _Job:
    """A job that has nothing but a model."""

    def __init__(self, model):
        self.model = model


def _table(text):
    return toml.Table(tomllib.loads(text), Path("job.toml"), text).table("optimize")


def test_the_job_table_of_the_page_is_read():
    text = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    asked = STEP.read(_table(text), _Job(Penicillin()))
    assert asked.problem(Penicillin()).plan.moved == ("feed",)


@pytest.mark.parametrize(("text", "message"), [
    ("[optimize]\nmaximize='product_mass'\nduration=100\n", r"has no table \[optimize.moves\]"),
    ("[optimize]\nduration=100\n[optimize.moves.feed]\n", "0 goals"),
    ("[optimize]\nmaximize='product_mas'\nduration=100\n[optimize.moves.feed]\n", "line 1: Unknown signal 'product_mas'"),
    ("[optimize]\nmaximize='product_mass'\nduratio=100\n[optimize.moves.feed]\n", "line 3.*Did you mean 'duration'"),
    ("[optimize]\nmaximize='product_mass'\nduration=100\n[optimize.moves.fed]\n", "line 4.*Did you mean 'feed'"),
    ("[optimize]\nmaximize='product_mass'\nduration=100\n[optimize.moves.feed]\nuppr=3\n", "line 5.*Did you mean 'upper'"),
    ("[optimize]\nmaximize='product_mass'\nduration=100\n[optimize.moves.feed]\nupper=99\n", "feed is 99 g/h"),
])
def test_a_wrong_job_table_is_an_error_with_line(text, message):
    with pytest.raises(twin.SpecError, match=message):
        STEP.read(_table(text), _Job(BajpaiReuss()))
