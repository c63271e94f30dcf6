"""Learned terms: corrections of a mechanism, trained through its simulation, judged on runs that they never saw."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {"train": "twin.learning.training", **dict.fromkeys(("Training", "LeftOut"), "twin.learning.result")}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
