"""Bioreactors."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "BajpaiReuss": "processes.bioreactor.bajpai_reuss",
    "Penicillin": "processes.bioreactor.penicillin",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
