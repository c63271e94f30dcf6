"""A Recipe and a System as the tables of `records.Task`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.engine import records as r
from twin.recipe import PID, Assign, Bolus, Harvest, Phase, Profile, Recipe

ROLES = {"state": r.STATE, "algebraic": r.ALGEBRAIC, "output": r.OUTPUT}


@dataclasses.dataclass(frozen=True)
class Names:
    """Where each signal of a system lies in the flat vector of its role."""

    system: str
    rows: Mapping[str, Sequence[Any]]

    def signals(self, *roles: str) -> list[str]:
        """Names of the signals of some roles."""
        return [row.signal.name for role in roles for row in self.rows[role]]

    def places(self, name: str, *roles: str, what: str) -> tuple[str, list[int], Any]:
        """Role, positions and signal of a name; `name[3]` is one place of a signal on cells."""
        base, bracket, index = name.partition("[")
        for role in roles:
            for row in self.rows[role]:
                if row.signal.name != base:
                    continue
                places = [row.start + i * row.step for i in range(row.count)]
                if not bracket:
                    return role, places, row.signal
                if index.endswith("]") and index[:-1].isdigit() and int(index[:-1]) < row.count:
                    return role, [places[int(index[:-1])]], row.signal
                raise errors.SpecError(f"'{name}' is not a place of {base}. Expected {base}[0] to {base}[{row.count - 1}].")
        raise errors.unknown(what, base, self.system, self.signals(*roles))

    def place(self, name: str, *roles: str, what: str) -> tuple[str, int, Any]:
        """Role, position and signal of one scalar quantity."""
        role, places, signal = self.places(name, *roles, what=what)
        if len(places) > 1:
            raise errors.SpecError(f"'{name}' of {self.system} lies on {len(places)} cells. Expected one place. "
                                   f"Name one, such as '{name}[0]'.")
        return role, places[0], signal

    def volume_rows(self, volume: str) -> list[tuple[str, list[int]]]:
        """Concentration states that declare per=volume, with their positions."""
        return [(row.signal.name, [row.start + i * row.step for i in range(row.count)])
                for row in self.rows["state"] if row.signal.per == volume]


def _segments(phase: Phase, order: Mapping[str, int], n_v: int) -> tuple[list[int], list[list[float]]]:
    """Kind of each input, and rows (start, values, slopes) of one phase."""
    kind = [r.KEPT] * n_v
    starts = {0.0}
    for name, value in phase.inputs.items():
        kind[order[name]] = r.LOOP if isinstance(value, PID) else r.TABLE
        if isinstance(value, Profile):
            times = value.times[:-1] if value.hold == "previous" else value.times
            starts |= {t for t in times if t > 0} | ({value.times[-1]} if value.times[-1] > 0 else set())
    rows = []
    for start in sorted(starts):
        values, slopes = [0.0] * n_v, [0.0] * n_v
        for name, value in phase.inputs.items():
            if isinstance(value, Profile):
                values[order[name]], slopes[order[name]] = _profile_at(value, start)
            elif not isinstance(value, PID):
                values[order[name]] = float(value)
        rows.append([start, *values, *slopes])
    return kind, rows


def _profile_at(profile: Profile, t: float) -> tuple[float, float]:
    """Value and slope of a profile from `t` on."""
    times, values = profile.times, profile.values
    if t < times[0]:
        return values[0], 0.0
    k = max(i for i, at in enumerate(times) if at <= t)
    if profile.hold == "previous" or k + 1 == len(times):
        return values[k], 0.0
    slope = (values[k + 1] - values[k]) / (times[k + 1] - times[k])
    return values[k] + slope * (t - times[k]), slope


class _Resets:
    """Rows of the reset tables."""

    def __init__(self, names: Names, n_x: int) -> None:
        self.names, self.n_x = names, n_x
        self.rows: list[list[int]] = []
        self.amounts: list[list[float]] = []
        self.dilutes: list[list[int]] = []

    def add(self, what: int, where: int, amount: float) -> None:
        self.rows.append([what, where])
        self.amounts.append([float(amount)] + [0.0] * self.n_x)
        self.dilutes.append([0] * self.n_x)

    def take(self, reset: Any, phase: str) -> None:
        if isinstance(reset, Assign):
            for where in self.names.places(reset.state, "state", what="state")[1]:
                self.add(r.ASSIGN, where, reset.value)
        elif isinstance(reset, Bolus):
            _, where, signal = self.names.place(reset.into, "state", what="state")
            diluted = self.names.volume_rows(signal.name)
            for name in reset.contents:
                if name not in dict(diluted):
                    known = ", ".join(n for n, _ in diluted) or "none"
                    raise errors.SpecError(f"The Bolus into {reset.into} in {phase} carries '{name}'. Expected states that "
                                           f"declare per='{reset.into}': {known}. Correct the name, or declare it.")
            self.add(r.BOLUS, where, reset.amount)
            for name, places in diluted:
                for at in places:
                    self.dilutes[-1][at] = 1
                    self.amounts[-1][1 + at] = float(reset.contents.get(name, 0.0))
        elif isinstance(reset, Harvest):
            where = self.names.place(reset.out_of, "state", what="state")[1]
            if reset.fraction:
                self.add(r.HARVEST_FRACTION, where, reset.fraction)
            else:
                self.add(r.HARVEST, where, reset.amount)
        else:
            raise errors.SpecError(f"A reset in {phase} is {reset!r}. Expected Assign, Bolus or Harvest.")


class _Loops:
    """Rows of the controller tables, and which controller moves which input in each phase."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.rows: list[list[int]] = []
        self.gains: list[list[float]] = []
        self.points: list[list[float]] = []
        self.active: list[list[int]] = []
        self.holds: dict[int, int] = {}

    def phase(self, inputs: Mapping[str, Any], order: Mapping[str, int]) -> None:
        state = {loop: r.GOES_ON for loop in self.holds.values()}
        for name, value in inputs.items():
            before = self.holds.pop(order[name], None)
            if before is not None:
                state[before] = r.OFF
            if isinstance(value, PID):
                self.holds[order[name]] = len(self.rows)
                state[len(self.rows)] = r.STARTS
                self.add(value, order[name])
        self.active.append([state.get(i, r.OFF) for i in range(len(self.rows))])

    def add(self, pid: PID, where: int) -> None:
        role, index, _ = self.names.place(pid.measured, "state", "algebraic", "output", what="measured signal")
        point = pid.setpoint if isinstance(pid.setpoint, Profile) else Profile((0.0,), (float(pid.setpoint),))
        first = len(self.points)
        self.points += [[t, v] for t, v in zip(point.times, point.values, strict=True)]
        self.rows.append([where, ROLES[role], index, first, len(self.points), int(point.hold == "linear")])
        self.gains.append([float(v) for v in (pid.gain, pid.integral_time, pid.derivative_time, pid.bias, pid.lower,
                                              pid.upper, pid.sample_time)])


def make_task(system: Any, names: Names, recipe: Recipe, *, times: Sequence[float], start: float, duration: float | None,
              rtol: float, atol: Sequence[float], max_steps: int, columns: Sequence[tuple[int, int]] = ()) -> r.Task:
    """The tables of one recipe, as lists.

    Raises
    ------
    twin.errors.SpecError
        A name is unknown, an input has no value, or the recipe has no end.
    """
    held = names.signals("input", "disturbance")
    order = {name: i for i, name in enumerate(held)}
    first = [0.0] * system.n_u + [float(row.signal.nominal) for row in names.rows["disturbance"]]
    phases: list[list[int]] = []
    limits: list[list[float]] = []
    kinds: list[list[int]] = []
    segments: list[list[float]] = []
    resets, loops = _Resets(names, system.n_x), _Loops(names)
    for k, phase in enumerate(recipe.phases):
        title = f"phase {k}" + (f" '{phase.name}'" if phase.name else "")
        for name, value in phase.inputs.items():
            if name not in order:
                raise errors.unknown("input", name, system.name, held)
            if isinstance(value, PID) and order[name] >= system.n_u:
                raise errors.SpecError(f"{title} gives the disturbance '{name}' a PID. Expected a number or a Profile.")
            if isinstance(value, int | float) and not math.isfinite(value):
                raise errors.SpecError(f"{title} gives '{name}' the value {value}. Expected a finite number.")
        if k == 0:
            missing = [row.signal.name for row in names.rows["input"] if row.signal.name not in phase.inputs]
            if missing:
                raise errors.SpecError(f"The recipe for {system.name} gives no value for {', '.join(missing)}. "
                                       "Name every input in the first phase.")
        kind, rows = _segments(phase, order, len(held))
        kinds.append(kind)
        loops.phase(phase.inputs, order)
        at, reset_at = len(segments), len(resets.rows)
        segments += rows
        for reset in phase.reset:
            resets.take(reset, title)
        rule = [at, len(segments), r.AT_STOP, 0, 0, 1, reset_at, len(resets.rows)]
        limit = [math.inf, 0.0]
        if isinstance(phase.until, tuple):
            name, side, level = phase.until
            role, index, _ = names.place(name, "state", "algebraic", "output", what="signal")
            rule[r.END:r.SIGN + 1] = [r.BY_CROSSING, ROLES[role], index, 1 if side == "above" else -1]
            limit = [float(phase.at_most), float(level)]
        elif phase.until is not None:
            rule[r.END], limit[0] = r.BY_TIME, float(phase.until)
        phases.append(rule)
        limits.append(limit)
    length = math.inf if duration is None else float(duration)
    if math.isinf(length) and phases[-1][r.END] == r.AT_STOP:
        raise errors.SpecError(f"The simulation of {system.name} has no end. Give `duration`, or `until` of the last phase.")
    for row in loops.active:
        row += [r.OFF] * (len(loops.rows) - len(row))
    known = [abs(start), *(abs(start + v[0]) for v in limits if math.isfinite(v[0])), *(abs(t) for t in times[-1:])]
    tiny = 1e-13 * max(*known, sum(v[0] for v in limits if math.isfinite(v[0])), length if math.isfinite(length) else 0.0)
    return r.Task(
        counts=[len(phases), len(loops.rows), len(times), int(max_steps), len(columns)],
        setting=[float(start), start + length, float(rtol), tiny], atol=[float(v) for v in atol], phase=phases, limit=limits,
        kind=kinds, segment=segments, first=first, reset=resets.rows, amount=resets.amounts, dilutes=resets.dilutes,
        loop=loops.rows, gain=loops.gains, point=loops.points, active=loops.active, times=[float(t) for t in times],
        column=[list(c) for c in columns])
