"""Cement line: raw mix, clinker chemistry and burning."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "ClinkerParcel": "processes.cement.parcel",
    "RotaryKiln": "processes.cement.kiln",
    "reduced_kiln": "processes.cement.kiln_control",
    "free_lime_sensor": "processes.cement.kiln_control",
    **dict.fromkeys(("Fuel", "mix_formulas", "raw_material"), "processes.cement.fuels"),
    **dict.fromkeys(("Analysis", "moduli", "bogue", "taylor", "liquid_phase", "process_carbon_dioxide", "heat_of_formation",
                     "free_lime_at"), "processes.cement.raw_mix"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
