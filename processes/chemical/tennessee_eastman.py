"""Adapter for a Tennessee Eastman simulator of your own: its XMEAS and XMV by name, as data, and step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twin import errors, units

DOWNS = "Downs, Vogel, Comput. Chem. Eng. 17 (1993) 245-255, doi:10.1016/0098-1354(93)80018-I"

_FLOWS = (
    ("a_feed", "kNm3/h", "A feed"), ("d_feed", "kg/h", "D feed"), ("e_feed", "kg/h", "E feed"),
    ("ac_feed", "kNm3/h", "A and C feed"), ("recycle_flow", "kNm3/h", "recycle"), ("reactor_feed", "kNm3/h", "reactor feed"),
    ("reactor_pressure", "kPag", "reactor"), ("reactor_level", "%", "reactor"), ("reactor_temperature", "degC", "reactor"),
    ("purge_flow", "kNm3/h", "purge"), ("separator_temperature", "degC", "separator"), ("separator_level", "%", "separator"),
    ("separator_pressure", "kPag", "separator"), ("separator_underflow", "m3/h", "separator"),
    ("stripper_level", "%", "stripper"), ("stripper_pressure", "kPag", "stripper"),
    ("stripper_underflow", "m3/h", "stripper"), ("stripper_temperature", "degC", "stripper"),
    ("steam_flow", "kg/h", "steam to the stripper"), ("compressor_work", "kW", "compressor"),
    ("reactor_water", "degC", "cooling water leaving the reactor"),
    ("condenser_water", "degC", "cooling water leaving the condenser"),
)
_SAMPLES = (*(f"feed_{c}" for c in "abcdef"), *(f"purge_{c}" for c in "abcdefgh"), *(f"product_{c}" for c in "defgh"))
XMEAS = (*_FLOWS, *((name, "mol%", f"analyzer: {name[-1].upper()} in the {name[:-2]}") for name in _SAMPLES))
XMV = tuple((name, "%", doc) for name, doc in (
    ("v_d_feed", "D feed"), ("v_e_feed", "E feed"), ("v_a_feed", "A feed"), ("v_ac_feed", "A and C feed"),
    ("v_recycle", "compressor recycle valve"), ("v_purge", "purge valve"), ("v_separator", "separator liquid"),
    ("v_stripper", "stripper liquid product"), ("v_steam", "stripper steam"), ("v_reactor_water", "reactor cooling water"),
    ("v_condenser_water", "condenser cooling water"), ("agitator", "agitator speed")))
BASE = (63.053, 53.980, 24.644, 61.302, 22.210, 40.064, 38.100, 46.534, 47.446, 41.106, 18.114, 50.0)
# Where the process shuts itself down [textbook]
SHUTDOWN = {"reactor_pressure": (0.0, 3000.0), "reactor_temperature": (0.0, 175.0)}
_PRICE = {"a": 2.206, "c": 6.177, "d": 22.06, "e": 14.56, "f": 17.89, "g": 30.44, "h": 22.94}  # $/kmol
_PURGE, _PRODUCT = 44.79, 211.3  # kmol a kNm3 as the source converts, kmol/h of product at the base rate
_POWER, _STEAM = 0.0536, 0.0318  # $/kWh, $/kg

Plant = Callable[[Sequence[float]], Sequence[float]] | Iterator[Sequence[float]]


class TennesseeEastman:
    """A Tennessee Eastman simulator that you bring, seen through named and checked signals.

    The process itself is not part of this library. Bring any simulator that advances one sample when it is called with the
    12 XMV (in %) and returns the 41 XMEAS, or an iterator that yields XMEAS (a recording: valves then have no effect).
    Signals are named in `TennesseeEastman.measurements()` and `.valves()`.
    Source of names, units and base case: Downs, Vogel (1993), doi:10.1016/0098-1354(93)80018-I.

    Parameters
    ----------
    plant
        Function of 12 numbers that gives 41, or an iterator of 41.
    sample_time
        Between two calls: a number in hours, or text with a unit.
    valves
        The 12 XMV at the start; the published base case without.

    Examples
    --------
    >>> plant = TennesseeEastman(lambda xmv: [0.1 * sum(xmv)] * 41, sample_time="3 min")
    >>> measured = plant.step({"v_purge": 50.0})
    >>> round(measured["purge_flow"], 3)
    51.649
    """

    def __init__(self, plant: Plant, *, sample_time: float | str, valves: Sequence[float] = BASE) -> None:
        self._plant = plant
        self.sample_time = units.to_model_unit("sample_time", sample_time, "h")
        if not self.sample_time > 0:
            raise errors.SpecError(f"sample_time is {self.sample_time:g} h. Expected a positive time.")
        self.time, self._rows = 0.0, list[tuple[float, tuple[float, ...], tuple[float, ...]]]()
        self._valves = dict(zip(self.valves(), _row("valves", valves, len(XMV)), strict=True))

    @staticmethod
    def measurements() -> tuple[str, ...]:
        """Names of XMEAS 1 to 41, in order."""
        return tuple(name for name, _, _ in XMEAS)

    @staticmethod
    def valves() -> tuple[str, ...]:
        """Names of XMV 1 to 12, in order."""
        return tuple(name for name, _, _ in XMV)

    def step(self, moves: Mapping[str, float] | None = None) -> dict[str, float]:
        """Set valves by name (in %, the others stay), advance one sample, and return the measurements by name.

        Raises
        ------
        SpecError
            For an unknown valve, one beyond 0 to 100 %, or a simulator that does not return 41 finite numbers.
        ConvergenceError
            Where the process shuts down, or a recording has ended.
        """
        for name, value in (moves or {}).items():
            if name not in self._valves:
                raise errors.unknown("valve", name, "TennesseeEastman", self._valves)
            units.check_limits(f"TennesseeEastman.{name}", float(value), "%", 0.0, 100.0)
            self._valves[name] = float(value)
        xmv = tuple(self._valves.values())
        try:
            raw = self._plant(xmv) if callable(self._plant) else next(self._plant)
        except StopIteration:
            raise errors.ConvergenceError(f"The recording of the Tennessee Eastman process ended at {self.time:g} h. Take fewer "
                                          "steps.", time=self.time) from None
        xmeas = _row("XMEAS", raw, len(XMEAS))
        self.time = len(self._rows) * self.sample_time + self.sample_time
        self._rows.append((self.time, xmv, xmeas))
        measured = dict(zip(self.measurements(), xmeas, strict=True))
        for name, (low, high) in SHUTDOWN.items():
            if not low <= measured[name] <= high:
                unit = next(u for n, u, _ in XMEAS if n == name)
                raise errors.ConvergenceError(f"The process shut down at {self.time:g} h: {name} is {measured[name]:g} {unit}. "
                                              f"It stops beyond {low:g} to {high:g} {unit}. Act earlier.", time=self.time,
                                              name=name)
        return measured

    def run(self, duration: float | str, control: Callable[[float, Mapping[str, float]], Mapping[str, float]] | None = None,
            name: str = "tennessee eastman") -> Any:
        """Advance for a while under a control law and return what was recorded in it, as a `twin.Run`.

        Parameters
        ----------
        duration
            A number in hours, or text with a unit.
        control
            Function of the time (h) and the last measurements that gives moves of valves; None holds the valves. At the very
            first sample of all there are no measurements: it gets an empty mapping.
        name
            Of the run.
        """
        first = len(self._rows)
        steps = round(units.to_model_unit("duration", duration, "h") / self.sample_time)
        if steps < 1:
            raise errors.SpecError(f"duration is {duration}. Expected at least one sample of {self.sample_time:g} h.")
        last = dict(zip(self.measurements(), self._rows[-1][2], strict=True)) if self._rows else {}
        for _ in range(steps):
            last = self.step(control(self.time, last) if control else None)
        return self.recorded(name, first)

    def recorded(self, name: str = "tennessee eastman", first: int = 0) -> Any:
        """All samples from number `first` on as a `twin.Run` in hours: measurements, and valves as they were held.

        `name` is that of the run. Time 0 is the sample before the first one that is shown.
        """
        from twin.data import Run
        from twin.series import Series

        rows, start = self._rows[first:], first * self.sample_time
        times = [t - start for t, _, _ in rows]
        series = [Series(n, times, [row[2][k] for row in rows], unit, hold="linear") for k, (n, unit, _) in enumerate(XMEAS)]
        before = [t - self.sample_time for t in times]  # a valve acts from the start of its sample on
        series += [Series(n, before, [row[1][k] for row in rows], unit) for k, (n, unit, _) in enumerate(XMV)]
        return Run(name, None, series, "h")

    @staticmethod
    def cost(measured: Mapping[str, float]) -> dict[str, float]:
        """Operating cost in $/h by Downs and Vogel: purge, product, compressor, steam and their sum `total`.

        `measured` are measurements by name. The product loss is that of the base production rate.
        """
        purge = _PURGE * measured["purge_flow"] * sum(p * measured[f"purge_{c}"] / 100 for c, p in _PRICE.items())
        product = _PRODUCT * sum(_PRICE[c] * measured[f"product_{c}"] / 100 for c in "def")
        parts = {"purge": purge, "product": product, "compressor": _POWER * measured["compressor_work"],
                 "steam": _STEAM * measured["steam_flow"]}
        return parts | {"total": sum(parts.values())}


def _row(what: str, values: Any, count: int) -> tuple[float, ...]:
    """That many finite numbers."""
    row = tuple(float(v) for v in values)
    if len(row) != count:
        raise errors.SpecError(f"{what} has {len(row)} values. Expected {count}, in the order of Downs and Vogel.")
    for k, value in enumerate(row, start=1):
        if not math.isfinite(value):
            raise errors.SpecError(f"{what}({k}) is {value}. Expected a finite number. Check the simulator.")
    return row
