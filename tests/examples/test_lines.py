"""The notebooks of the bioreactor and chemical lines run, and are stored without outputs."""

import json
import os
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bioreactor", "chemical"])
def test_the_notebook_runs(name, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    root = str(NOTEBOOKS.parents[1])  # the kernel is a process of its own
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]))
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=200, kernel_name="python3",
                                     resources={"metadata": {"path": str(NOTEBOOKS)}})
    client.execute()
    assert sum(cell.cell_type == "code" for cell in notebook.cells) >= 6


@pytest.mark.parametrize("name", ["bioreactor", "chemical"])
def test_the_notebook_is_stored_without_outputs(name):
    for cell in json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
