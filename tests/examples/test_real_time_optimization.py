"""The notebook on real-time optimization runs, and is stored without outputs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"
PAGE = NOTEBOOKS / "real_time_optimization.ipynb"


@pytest.mark.slow
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own asserts hold: the cost of the wrong model, the analyzer that is found, the profit that is reached."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    root = str(NOTEBOOKS.parents[1])  # the kernel is a process of its own
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    notebook = nbformat.read(PAGE, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3",
                                     resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()
    assert sum(cell.cell_type == "code" for cell in notebook.cells) >= 7


def test_the_notebook_is_stored_without_outputs() -> None:
    """No outputs, no execution counts."""
    for cell in json.loads(PAGE.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
