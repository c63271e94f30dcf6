"""Control charts with designed run lengths, and multivariate monitoring with limits that hold for small samples."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    **dict.fromkeys(("Shewhart", "Ewma", "Cusum", "ChartReport", "Alarm"), "twin.monitor.charts"),
    **dict.fromkeys(("arl_shewhart", "arl_ewma", "arl_cusum"), "twin.monitor.run_length"),
    **dict.fromkeys(("PcaMonitor", "PcaReport"), "twin.monitor.multivariate"),
    **dict.fromkeys(("Capability", "capability"), "twin.monitor.capability_index"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
