"""Steel lines: continuous casting and reheating."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    **dict.fromkeys(("SlabSlice", "BilletSlice"), "processes.steel.caster"),
    "ReheatingFurnace": "processes.steel.reheating",
    **dict.fromkeys(("FurnaceMeasure", "CasterMeasure"), "processes.steel.measures"),
    "zone_fuel": "processes.steel.fuel",
    **dict.fromkeys(("liquidus", "stefan_constant"), "processes.steel.solidification"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
