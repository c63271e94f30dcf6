"""Scheduling: orders with tasks on units, as data; `optimizers.solve` finds the plan, an independent checker replays it."""

from __future__ import annotations

from twin.lazy import exports

# Public name -> module; loaded at first use.
_PUBLIC = {
    **dict.fromkeys(("Buffer", "Changeover", "Crew", "PowerStates", "Unit", "Window", "shifts"), "optimizers.schedule.plant"),
    **dict.fromkeys(("Campaign", "Link", "Mode", "Order", "Placed", "Recipe", "Task", "chain"), "optimizers.schedule.work"),
    **dict.fromkeys(("Goal",), "optimizers.schedule.problem"),
    **dict.fromkeys(("Batch", "Fit", "Material", "Network", "Process", "Utility"), "optimizers.schedule.network"),
    **dict.fromkeys(("Activity", "Draw", "Give", "Hold", "Resource", "ResourceNetwork", "Take", "resources_of"),
                    "optimizers.schedule.resource_network"),
    **dict.fromkeys(("TwinTable", "TwinTask", "replay_on_twins", "tabulate"), "optimizers.schedule.twin_tasks"),
    "schedule_from_tables": "optimizers.schedule.tables",
    "plan_ledger": "optimizers.schedule.footprint",
    **dict.fromkeys(("dispatch_rules",), "optimizers.schedule.rules"),
    **dict.fromkeys(("repair", "rolling", "unit_hours"), "optimizers.schedule.repairing"),
    **dict.fromkeys(("export", "lateness", "resources"), "optimizers.schedule.views"),
    **dict.fromkeys(("Replay", "replay"), "optimizers.schedule.replaying"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
