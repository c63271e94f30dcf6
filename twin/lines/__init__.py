"""Lines of stations with finite buffers, breakdowns and setups: discrete-event simulation in compiled code."""

from __future__ import annotations

from twin.lazy import exports

# Public name -> module; loaded at first use.
_PUBLIC = {
    **dict.fromkeys(("Law", "Station", "Line"), "twin.lines.line"),
    **dict.fromkeys(("LineResult", "simulate_line"), "twin.lines.simulation"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
