"""Energy: tariffs, storage, steam and power, demand response, carbon caps, as data; `optimizers.solve` finds the dispatch."""

from __future__ import annotations

from twin.lazy import exports

# Public name -> module; loaded at first use.
_PUBLIC = {
    **dict.fromkeys(("DemandCharge", "Rate", "Tariff", "price_series"), "optimizers.energy.tariff"),
    **dict.fromkeys(("Converter", "Profile", "Shift", "Source", "Storage"), "optimizers.energy.assets"),
    **dict.fromkeys(("Dispatch",), "optimizers.energy.dispatch"),
    **dict.fromkeys(("abatement_curve", "demand_baseline"), "optimizers.energy.carbon"),
    **dict.fromkeys(("compression_energy", "photovoltaic_power", "pump_power"), "optimizers.energy.machines"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
