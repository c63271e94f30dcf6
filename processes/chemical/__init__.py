"""Chemical reactors."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "BatchReactor": "processes.chemical.batch_reactor",
    "DistillationColumn": "processes.chemical.distillation",
    "ExothermicCstr": "processes.chemical.exothermic_cstr",
    "IsothermalVanDeVusse": "processes.chemical.isothermal_van_de_vusse",
    "Polymerization": "processes.chemical.polymerization",
    "SemiBatchReactor": "processes.chemical.batch_reactor",
    "TubularReactor": "processes.chemical.tubular_reactor",
    "VanDeVusse": "processes.chemical.van_de_vusse",
    "WilliamsOtto": "processes.chemical.williams_otto",
    "WilliamsOttoTwoReactions": "processes.chemical.williams_otto",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
