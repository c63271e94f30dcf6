"""Chemical reactors."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "BatchReactor": "processes.chemical.batch_reactor",
    "Crystallizer": "processes.chemical.crystallizer",
    "DistillationColumn": "processes.chemical.distillation",
    "EbertPanchal": "processes.chemical.heat_exchanger",
    "ExothermicCstr": "processes.chemical.exothermic_cstr",
    "HeatExchanger": "processes.chemical.heat_exchanger",
    "IsothermalVanDeVusse": "processes.chemical.isothermal_van_de_vusse",
    "OxyleneTube": "processes.chemical.packed_bed",
    "PackedBed": "processes.chemical.packed_bed",
    "Polymerization": "processes.chemical.polymerization",
    "SemiBatchReactor": "processes.chemical.batch_reactor",
    "TennesseeEastman": "processes.chemical.tennessee_eastman",
    "TubularReactor": "processes.chemical.tubular_reactor",
    "VanDeVusse": "processes.chemical.van_de_vusse",
    "WilliamsOtto": "processes.chemical.williams_otto",
    "WilliamsOttoTwoReactions": "processes.chemical.williams_otto",
    "preheat_train": "processes.chemical.heat_exchanger",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
