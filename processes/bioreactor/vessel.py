"""The vessel that all fed-batch models share: inflow, dilution, evaporation and harvest of a well-mixed broth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twin.lazy import array_module


def well_mixed(s: Any, made: Mapping[str, Any], feeds: Sequence[tuple[Any, Mapping[str, Any]]], *, volume: str = "volume",
               evaporation: Any = 0.0, harvest: Any = 0.0) -> dict[str, Any]:
    """Rates of change of concentrations and volume in a well-mixed vessel.

    `dc/dt = made + (sum of flow c_flow - (sum of flow - evaporation) c) / V`, `dV/dt = sum of flow - evaporation - harvest`.

    Parameters
    ----------
    s
        Values of the instant: the concentrations named in `made`, and the volume.
    made
        Net formation by state name, in concentration over time.
    feeds
        (flow, {state name: concentration in it}): flow in volume over time; what is not named is not in it.
    volume
        Name of the volume state.
    evaporation, harvest
        Flow that leaves without and with what is dissolved, in volume over time. A harvest dilutes nothing.

    Examples
    --------
    >>> broth = {"sugar": 2.0, "volume": 10.0}
    >>> well_mixed(broth, {"sugar": -1.0}, [(0.5, {"sugar": 400.0})])
    {'sugar': 18.9, 'volume': 0.5}
    """
    inflow = sum(flow for flow, _ in feeds)
    dilution = (inflow - evaporation) / s[volume]
    rates = {}
    for name, rate in made.items():
        rates[name] = rate + sum(flow * contents[name] for flow, contents in feeds if name in contents) / s[volume] \
            - dilution * s[name]
    return rates | {volume: inflow - evaporation - harvest}


def exponential_feed(time: Any, growth: Any, biomass: Any, volume: Any, biomass_yield: Any, feed: Any,
                     maintenance: Any = 0.0) -> Any:
    """Feed that keeps a specific growth rate: `(mu / Y + m) X0 V0 exp(mu t) / (S_feed - S)`, in volume over time.

    Valid while all that is fed is taken up at once; then the biomass is `X V = X0 V0 exp(mu t)` exactly.

    Parameters
    ----------
    time
        Since the start of the feed (h).
    growth
        Specific growth rate to keep (1/h).
    biomass, volume
        At the start of the feed (g/l, l).
    biomass_yield
        Biomass from substrate (g/g).
    feed
        Substrate in the feed, less that in the broth (g/l).
    maintenance
        Uptake without growth (g/(g h)).

    Examples
    --------
    >>> round(float(exponential_feed(0.0, 0.2, 10.0, 5.0, 0.5, 400.0)), 3)
    0.05
    """
    return (growth / biomass_yield + maintenance) * biomass * volume * array_module(time, growth).exp(growth * time) / feed
