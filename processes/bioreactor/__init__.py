"""Bioreactors."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "AnaerobicDigester": "processes.bioreactor.digestion",
    "BajpaiReuss": "processes.bioreactor.bajpai_reuss",
    "Chemostat": "processes.bioreactor.chemostat",
    "ChoFedBatch": "processes.bioreactor.cho",
    "EColi": "processes.bioreactor.e_coli",
    "EthanolFedBatch": "processes.bioreactor.ethanol",
    "LeeRamirez": "processes.bioreactor.lee_ramirez",
    "Lysine": "processes.bioreactor.lysine",
    "ParkRamirez": "processes.bioreactor.park_ramirez",
    "Penicillin": "processes.bioreactor.penicillin",
    "YeastOverflow": "processes.bioreactor.yeast",
    "exponential_feed": "processes.bioreactor.vessel",
    "well_mixed": "processes.bioreactor.vessel",
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
