"""Pictures show themselves in notebooks."""

import sys

import pytest

import twin
from processes.chemical import ExothermicCstr
from twin.figures import new_figure


def test_a_figure_is_shown_without_pyplot():
    """IPython asks for `_repr_png_`; nothing has to be imported or switched on."""
    figure = new_figure(3, 2)
    figure.subplots().plot([0, 1], [0, 1])
    assert figure._repr_png_().startswith(b"\x89PNG")
    run = twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, duration=1.0)
    assert run.plot(["temperature"])._repr_png_().startswith(b"\x89PNG")
    assert repr(figure).startswith("<Figure size 300x200")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(twin.errors.MissingExtraError, match=r"Plots need matplotlib.*twinworks\[plot\]"):
        new_figure(3, 2)
