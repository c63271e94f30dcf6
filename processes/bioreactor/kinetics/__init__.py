"""Kinetics of cells, of their environment, and of transfer: plain functions of numbers, arrays and traced values."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    **dict.fromkeys(("monod", "monod_signed", "contois", "haldane", "moser", "luedeking_piret", "uptake", "inhibition",
                     "overflow", "respiration"),
                    "processes.bioreactor.kinetics.cells"),
    **dict.fromkeys(("cardinal_temperature", "cardinal_ph", "arrhenius", "smooth_switch"),
                    "processes.bioreactor.kinetics.environment"),
    **dict.fromkeys(("van_t_riet", "oxygen_transfer_rate", "needed_kla", "metabolic_heat"),
                    "processes.bioreactor.kinetics.transfer"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
