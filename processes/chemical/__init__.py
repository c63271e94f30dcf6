"""Chemical reactors."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "ExothermicCstr": "processes.chemical.exothermic_cstr",
    "Polymerization": "processes.chemical.polymerization",
    "TubularReactor": "processes.chemical.tubular_reactor",
    "VanDeVusse": "processes.chemical.van_de_vusse",
    "WilliamsOtto": "processes.chemical.williams_otto",
    "WilliamsOttoTwoReactions": "processes.chemical.williams_otto",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
