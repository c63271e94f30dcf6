"""Gas equilibria as plain functions of temperature."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = dict.fromkeys(("water_gas_shift", "methanol", "reverse_water_gas_shift", "ammonia", "ammonia_share"),
                        "processes.chemical.equilibria.gases")

__getattr__, __dir__ = exports(__name__, _PUBLIC)
