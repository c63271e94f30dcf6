"""Dispatch problems: a battery under time of use and a demand charge for a day and a year, a week of steam and power."""

from __future__ import annotations

import datetime as dt

import numpy as np

from optimizers.energy import Converter, DemandCharge, Dispatch, Rate, Source, Storage, Tariff

TARIFF = Tariff([Rate(40, ((22, 6),), name="night"), Rate(140, ((17, 21),), name="peak"), Rate(85, name="day")],
                [DemandCharge(15000)])
# Objectives in EUR, as first found and then kept: the year is a linear program, the week is within 1e-4 of its bound.
GOLDEN = {"year": 5800407.447918922, "steam": 426770.538993038}


def battery(hours: int, noise: float) -> Dispatch:
    """Load of 6 MW with a daily and a weekly wave; 4 MWh and 1 MW at 95 % each way."""
    h = np.arange(hours)
    load = 6 + 2 * np.sin(2 * np.pi * (h - 8) / 24) + 0.8 * np.sin(2 * np.pi * h / 168)
    load += np.random.default_rng(0).normal(0, noise, hours) if noise else 0.0
    return Dispatch({"electricity": load}, [Source("grid", "electricity", TARIFF), Storage("battery", "electricity", 4, 1, 0.95)],
                    start=dt.datetime(2026, 1, 1), currency="EUR")


def day() -> Dispatch:
    """24 hours."""
    return battery(24, 0.0)


def year() -> Dispatch:
    """8760 hours."""
    return battery(8760, 0.3)


def steam_week(hours: int = 168) -> Dispatch:
    """Two boilers on gas, a back-pressure turbine on its Willans line, a reducing valve, the grid."""
    h = np.arange(hours)
    demand = {"electricity": 12 + 4 * np.sin(2 * np.pi * (h - 9) / 24), "low steam": 60 + 20 * np.sin(2 * np.pi * (h - 6) / 24)}
    parts = [
        Source("grid", "electricity", 70 + 30 * np.sin(2 * np.pi * (h - 10) / 24)), Source("gas", "gas", 30.0, co2=0.2),
        Converter("boiler 1", {"gas": (1.08, 3.0)}, {"high steam": (1, 0)}, most=60, least=15, start_cost=400, least_on=6,
                  least_off=4),
        Converter("boiler 2", {"gas": (1.15, 2.0)}, {"high steam": (1, 0)}, most=50, least=12, start_cost=250, least_on=4,
                  least_off=4),
        Converter("turbine", {"high steam": (1, 0)}, {"electricity": (0.22, -1.0), "low steam": (0.78, 0)}, most=80, least=20,
                  start_cost=150,
                  least_on=4),
        Converter("valve", {"high steam": (1, 0)}, {"low steam": (1, 0)}, most=100),
    ]
    return Dispatch(demand, parts, currency="EUR")
