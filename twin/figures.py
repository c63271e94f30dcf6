"""Figures of matplotlib that a notebook shows by themselves; matplotlib is imported late."""

from __future__ import annotations

import functools
from typing import Any

from twin import errors


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib Figure, width and height in inches, tied to no window and no global state.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise errors.MissingExtraError("Plots need matplotlib, which is not installed. "
                                       "Run: pip install 'twinworks[plot]'.", extra="plot") from None
    return _shown(Figure)(figsize=(width, height), layout="constrained")


@functools.cache
def _shown(base: Any) -> Any:
    class Shown(base):  # type: ignore[misc]
        """Notebooks ask an object for `_repr_png_`; a plain Figure answers only where pyplot has been set up."""

        def _repr_png_(self) -> bytes:
            import io

            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=90, bbox_inches="tight")
            return buffer.getvalue()

    Shown.__name__ = Shown.__qualname__ = base.__name__
    return Shown
