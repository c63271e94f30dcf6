"""Electronics lines: reflow ovens, and single steps of wafer processing."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "Oxidation": "processes.electronics.oxidation",
    "Polishing": "processes.electronics.polishing",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
