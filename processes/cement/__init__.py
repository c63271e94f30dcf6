"""Cement line: clinker burning."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "ClinkerParcel": "processes.cement.parcel",
    "RotaryKiln": "processes.cement.kiln",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
