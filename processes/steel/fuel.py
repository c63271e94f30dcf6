"""Fuel of the zones of a reheating furnace from what the slabs take, the walls lose and the gas carries from zone to zone."""

from __future__ import annotations

from typing import Any


def zone_fuel(furnace: Any, times: Any, uptake: Any, *, zone_temperature: Any = None, residence: Any = None) -> dict[str, Any]:
    """Fuel that each zone burns in steady operation.

    The gas flows from the discharging end to the charging end and leaves each zone at its set point; each zone closes
    fuel (heating value + air) + gas from behind = gas out + slabs + walls.

    Parameters
    ----------
    furnace
        A `ReheatingFurnace`.
    times, uptake
        Minutes, and heat taken by the slabs since charging in MJ/t: the outputs of a run, shape (times,), or (members, times).
    zone_temperature, residence
        Set points (members, zones) in degC and residence (members,) in min where they differ between members.

    Returns
    -------
    dict
        `fuel` in m3/h of each zone (members, zones), `specific` in GJ/t, `power` in MW, `flue` the temperature of the flue
        gas in degC, `efficiency`, `tonnes` in t/h; without the first axis for a single run.

    Examples
    --------
    >>> import twin
    >>> from processes.steel import ReheatingFurnace
    >>> furnace = ReheatingFurnace()
    >>> run = twin.simulate(furnace)
    >>> 1.0 < zone_fuel(furnace, run.times, run["uptake"])["specific"] < 1.8
    True
    """
    import numpy as np

    rows = np.atleast_2d(np.asarray(uptake, dtype=float))
    t = np.asarray(times, dtype=float)
    n = len(rows)
    stay = np.broadcast_to(furnace.residence if residence is None else residence, (n,)).astype(float)
    points = np.broadcast_to(furnace.zone_temperature if zone_temperature is None else zone_temperature, (n, furnace.zones))
    ends = np.concatenate([[0.0], np.asarray(furnace.zone_end, dtype=float)])
    tonnes = furnace.throughput * 180.0 / stay
    held = np.array([[np.interp(e * s, t, row) for e in ends] for row, s in zip(rows, stay, strict=True)])
    into = np.diff(held, axis=1) * tonnes[:, None]  # MJ/h
    walls = 3600.0 * np.asarray(furnace.wall_loss) * (points - 20.0) / (np.asarray(furnace.wall_at) - 20.0)
    gas = np.zeros(n)  # m3/h of flue gas that comes from behind
    before = points[:, -1]
    fuel = np.zeros_like(points, dtype=float)
    for k in range(furnace.zones - 1, -1, -1):
        here = points[:, k]
        useful = (furnace.heating_value + furnace.air_ratio * furnace.c_air * (furnace.air_temperature - 20.0)
                  - (1.0 + furnace.air_ratio) * furnace.c_flue * (here - 20.0))
        fuel[:, k] = (into[:, k] + walls[:, k] + gas * furnace.c_flue * (here - before)) / useful
        gas = gas + (1.0 + furnace.air_ratio) * fuel[:, k]
        before = here
    burnt = fuel.sum(axis=1) * furnace.heating_value
    made = {"fuel": fuel, "specific": 1e-3 * burnt / tonnes, "power": burnt / 3600.0, "flue": points[:, 0] * np.ones(n),
            "efficiency": into.sum(axis=1) / burnt, "tonnes": tonnes * np.ones(n)}
    return made if np.ndim(uptake) > 1 else {k: v[0] if k == "fuel" else float(v[0]) for k, v in made.items()}
