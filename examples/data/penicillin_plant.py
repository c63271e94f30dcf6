"""The plant behind `penicillin_seed0.csv`: richer than any model that is fitted to its records.

A fed-batch penicillin fermentation after Birol et al. (2002) in which the culture also loses viability, slowly and
faster when starved; the shipped model knows nothing of that. There is no evaporation. Eight batches differ in when the
feed starts and how it steps, in stirrer power, air flow and temperature.

    python penicillin_plant.py SEED FILE.csv

writes one row every 12 minutes. The laboratory samples biomass, substrate and product every 8 hours. Measurements carry
3 % relative noise and a small absolute one; what is set (feed, power, air, temperature) and the volume carry none.
"""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp

DURATION = 300.0  # h
TAG_INTERVAL = 0.2  # h
LAB_EVERY = 40  # tag rows
RELATIVE_NOISE = 0.03
FLOOR = {"biomass": 0.02, "substrate": 0.003, "product": 0.003, "oxygen": 0.005}  # g/l
START = [0.1, 15.0, 0.0, 1.16, 100.0, 1.0]  # biomass, substrate, product, oxygen g/l; volume l; viable share
COLUMNS = ("batch", "time_h", "feed_l_h", "power_W", "aeration_l_h", "temperature_K", "dissolved_oxygen_g_l",
           "volume_l", "biomass_g_l", "substrate_g_l", "product_g_l")


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the operators did in one batch."""

    feed_starts_below: float  # substrate, g/l
    feeds: tuple[float, float, float]  # l/h, on equal thirds of the fed phase
    power: float  # W
    aeration: float  # l/h
    temperature: float  # K


SETTINGS = (
    Setting(0.30, (0.040, 0.045, 0.045), 30.0, 8.6, 298.0),
    Setting(0.30, (0.050, 0.050, 0.050), 34.0, 9.0, 298.0),
    Setting(0.30, (0.060, 0.050, 0.040), 30.0, 8.6, 297.0),
    Setting(0.50, (0.030, 0.045, 0.060), 26.0, 8.0, 299.0),
    Setting(0.30, (0.055, 0.060, 0.055), 38.0, 9.5, 298.5),
    Setting(0.20, (0.035, 0.040, 0.050), 28.0, 8.3, 296.5),
    Setting(0.40, (0.045, 0.055, 0.060), 32.0, 8.8, 300.0),
    Setting(0.30, (0.065, 0.045, 0.035), 36.0, 9.2, 297.5),
)


def warmth(temperature: float) -> float:
    """Growth at a temperature in K, relative to 298 K: Arrhenius growth over thermal inactivation."""

    def rate(kelvin: float) -> float:
        return 7e3 * np.exp(-5100.0 / (1.987 * kelvin)) / (1.0 + 1e33 * np.exp(-50000.0 / (1.987 * kelvin)))

    return rate(temperature) / rate(298.0)


def rates(t: float, y: np.ndarray, setting: Setting, feed: float) -> list[float]:
    """Time derivatives in 1/h of the six quantities of START."""
    biomass, substrate, product, oxygen, volume, viable = y
    substrate, oxygen = max(substrate, 0.0), max(oxygen, 1e-9)
    growth = (0.092 * warmth(setting.temperature) * substrate / (0.15 * biomass + substrate)
              * oxygen / (0.02 * biomass + oxygen) * viable)
    making = (0.005 * substrate / (2e-4 + substrate + substrate * substrate / 0.1)
              * oxygen**3 / (5e-4 * biomass + oxygen**3) * viable)
    transfer = 70.0 * np.sqrt(setting.aeration) * (setting.power / volume) ** 0.4
    dilution = feed / volume
    starving = 1.0 + 4.0 * np.exp(-substrate / 0.05)
    return [
        growth * biomass - dilution * biomass,
        (-growth / 0.45 * biomass - making / 0.9 * biomass - 0.014 * biomass * substrate / (substrate + 1e-4)
         + dilution * (600.0 - substrate)),
        making * biomass - 0.04 * product - dilution * product,
        (-growth / 0.04 * biomass - making / 0.2 * biomass - 0.467 * biomass * oxygen / (oxygen + 1e-3)
         + transfer * (1.16 - oxygen) - dilution * oxygen),
        feed,
        -2.0e-3 * viable * starving * (t > 24.0),
    ]


def batch(setting: Setting) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (n,) in h, the quantities of START (6, n) and the feed (n,) in l/h of one batch on the tag grid."""

    def crossing(t: float, y: np.ndarray) -> float:
        return y[1] - setting.feed_starts_below

    crossing.terminal, crossing.direction = True, -1  # type: ignore[attr-defined]
    grid = np.arange(0.0, DURATION + 1e-9, TAG_INTERVAL)
    options = {"method": "LSODA", "rtol": 1e-9, "atol": 1e-11, "dense_output": True}
    leg = solve_ivp(lambda t, y: rates(t, y, setting, 0.0), (0.0, DURATION), START, events=crossing, **options)
    inside = grid[grid <= leg.t[-1]]
    times, states, feeds = [inside], [leg.sol(inside)], [np.zeros_like(inside)]
    edges = np.linspace(leg.t[-1], DURATION, 4)
    for feed, begin, end in zip(setting.feeds, edges[:-1], edges[1:], strict=True):
        leg = solve_ivp(lambda t, y, feed=feed: rates(t, y, setting, feed), (begin, end), leg.y[:, -1], **options)
        inside = grid[(grid > begin) & (grid <= end)]
        times.append(inside)
        states.append(leg.sol(inside))
        feeds.append(np.full_like(inside, feed))
    return np.concatenate(times), np.concatenate(states, axis=1), np.concatenate(feeds)


def records(seed: int) -> Iterator[list[str]]:
    """Rows of the file, after COLUMNS; empty cells where the laboratory took no sample."""
    random = np.random.default_rng(seed)

    def measured(value: float, floor: float) -> float:
        return max(value * (1 + RELATIVE_NOISE * random.standard_normal()) + floor * random.standard_normal(), 0.0)

    for number, setting in enumerate(SETTINGS):
        times, states, feeds = batch(setting)
        for i, t in enumerate(times):
            sampled = i % LAB_EVERY == 0
            # The laboratory draws its noise before the oxygen probe does: the order is part of the frozen record.
            lab = [measured(states[k, i], FLOOR[name]) for k, name in enumerate(("biomass", "substrate", "product"))
                   if sampled]
            tags = [number, round(t, 4), feeds[i], setting.power, setting.aeration, setting.temperature,
                    measured(states[3, i], FLOOR["oxygen"]), states[4, i]]
            yield [f"{value:.6g}" for value in tags + lab] + [""] * (3 - len(lab))


def main(seed: int, path: Path) -> None:
    """Write the records of a seed."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(records(seed))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
