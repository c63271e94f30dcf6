"""Tasks whose duration, energy and quality come from a process model: tables with a stated error, and the plan replayed on the
models.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optimizers.schedule.work import Mode
from twin import errors

if TYPE_CHECKING:
    from optimizers.solution import Solution


@dataclasses.dataclass(frozen=True, eq=False)
class TwinTask:
    """A task that a process model describes.

    Attributes
    ----------
    model
        The dynamic model.
    units
        Names of the units that may carry it out.
    settings
        Values of what is free, rising: a power level, a batch size. Each becomes a mode.
    run
        Function of a setting that gives the arguments of `twin.simulate` by name (`recipe`, `inputs`, `initial`, `duration`);
        a recipe that ends at a crossing gives the duration.
    energy
        Signal whose rise over the run is the energy of the task; empty: none is counted.
    quality
        Limits (lower, upper) of final values by signal; None is no limit. Settings outside them become no mode.

    Examples
    --------
    >>> from processes.bioreactor import BajpaiReuss
    >>> task = TwinTask(BajpaiReuss(), ["fermenter"], [90.0, 110.0, 130.0], lambda hours: {"duration": hours})
    >>> tabulate(task, step=10, time_unit="h").rows[0].duration
    90.0
    """

    model: Any
    units: Sequence[str]
    settings: Sequence[float]
    run: Callable[[float], Mapping[str, Any]]
    energy: str = ""
    quality: Mapping[str, tuple[float | None, float | None]] = dataclasses.field(default_factory=dict)

    def play(self, setting: float, time_unit: str) -> TwinRow:
        """One simulation: what the task takes and makes at a setting, times in `time_unit`."""
        import twin
        from twin import units

        result = twin.simulate(self.model, **self.run(setting))
        final = result.final
        duration = units.convert(float(result.time[-1]) - float(result.time[0]), result.time_unit, time_unit)
        energy = float(final[self.energy]) - float(result[self.energy][0]) if self.energy else 0.0
        values = {name: float(final[name]) for name in self.quality}
        broken = [f"{name} is {value:.4g} {result.unit(name)}" for name, value in values.items()
                  if (self.quality[name][0] is not None and value < self.quality[name][0])  # type: ignore[operator]
                  or (self.quality[name][1] is not None and value > self.quality[name][1])]  # type: ignore[operator]
        return TwinRow(setting, duration, energy, values, tuple(broken))


@dataclasses.dataclass(frozen=True)
class TwinRow:
    """What a task takes and makes at a setting; `broken` are the quality limits that it misses."""

    setting: float
    duration: float
    energy: float
    quality: Mapping[str, float]
    broken: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class TwinTable:
    """Rows at the settings of a task, straight lines between them, and how far the lines are from the model.

    Attributes
    ----------
    task
        What was tabulated.
    rows
        One simulation for each setting.
    error
        Largest difference between the lines and the model halfway between neighbors, by name: "duration", "energy", and signals.
    time_unit
        Unit of the durations.
    """

    task: TwinTask
    rows: Sequence[TwinRow]
    error: Mapping[str, float]
    time_unit: str

    def at(self, setting: float, name: str = "duration") -> float:
        """Value on the straight lines at a setting: "duration", "energy" or a signal of `quality`.

        Raises
        ------
        twin.errors.SpecError
            The setting lies outside the table.
        """
        import numpy as np

        xs = [r.setting for r in self.rows]
        if not xs[0] <= setting <= xs[-1]:
            raise errors.SpecError(f"The setting is {setting:g}. Expected {xs[0]:g} to {xs[-1]:g}, the range of the table. "
                                   "Tabulate further.")
        return float(np.interp(setting, xs, [_value(r, name) for r in self.rows]))

    def modes(self, step: float, hours: float) -> tuple[Mode, ...]:
        """Modes of the settings whose quality fits, durations rounded up to `step`, the energy spread over them; `hours` a
        time unit.
        """
        found = []
        for row in self.rows:
            if not row.broken:
                duration = math.ceil(row.duration / step - 1e-9) * step
                found += [Mode(unit, duration, power=row.energy / (duration * hours)) for unit in self.task.units]
        return tuple(found)

    def explain(self) -> str:
        """What was tabulated, which settings miss which limits, and the error of the lines, in sentences."""
        lines = [f"{len(self.rows)} settings from {self.rows[0].setting:g} to {self.rows[-1].setting:g}."]
        lines += [f"At {r.setting:g}: {'; '.join(r.broken)}, outside the limits: no mode." for r in self.rows if r.broken]
        lines += [f"Straight lines miss the {name} by {error:.3g} at most, halfway between settings." for name,
                  error in self.error.items()]
        return "\n".join(lines)


def _value(row: TwinRow, name: str) -> float:
    return row.duration if name == "duration" else row.energy if name == "energy" else row.quality[name]


def tabulate(task: TwinTask, *, step: float = 1.0, time_unit: str = "min") -> TwinTable:
    """Simulate a task at its settings, and halfway between them for the error.

    Parameters
    ----------
    task
        The task.
    step
        Grid of the plan; only durations of more than 0 make sense on it.
    time_unit
        Unit of the durations.

    Returns
    -------
    TwinTable
        Rows, and the error of straight lines between them, measured at settings that are not in the table.

    Raises
    ------
    twin.errors.SpecError
        Settings do not rise, or no setting keeps the quality limits.

    Examples
    --------
    >>> from processes.bioreactor import BajpaiReuss
    >>> task = TwinTask(BajpaiReuss(), ["fermenter"], [90.0, 110.0, 130.0], lambda hours: {"duration": hours},
    ...                 quality={"product": (3.0, None)})
    >>> [len(row.broken) for row in tabulate(task, time_unit="h").rows]
    [0, 0, 0]
    """
    values = [float(s) for s in task.settings]
    if not values or any(b <= a for a, b in itertools.pairwise(values)):
        raise errors.SpecError(f"The settings are {values}. Expected at least one, rising.")
    rows = [task.play(s, time_unit) for s in values]
    if all(r.broken for r in rows):
        raise errors.SpecError("No setting keeps the quality limits: " + "; ".join(f"at {r.setting:g} {', '.join(r.broken)}"
                                                                                   for r in rows) + ".")
    if min(r.duration for r in rows) <= 0 or step <= 0:
        raise errors.SpecError(f"A run takes {min(r.duration for r in rows):g} {time_unit}, the step is {step:g}. Expected "
                               "more than 0.")
    names = ["duration", *(["energy"] if task.energy else []), *task.quality]
    error = dict.fromkeys(names, 0.0)
    for a, b in itertools.pairwise(rows):
        between = task.play((a.setting + b.setting) / 2, time_unit)
        for name in names:
            error[name] = max(error[name], abs(_value(between, name) - (_value(a, name) + _value(b, name)) / 2))
    return TwinTable(task, tuple(rows), error, time_unit)


@dataclasses.dataclass(frozen=True)
class Played:
    """A planned task on its model: planned and simulated duration and energy, and the quality limits that it misses."""

    task: str
    setting: float
    planned: float
    duration: float
    planned_energy: float
    energy: float
    broken: tuple[str, ...]


def replay_on_twins(solution: Solution) -> list[Played]:
    """Simulate every task of a plan that a model describes, with the setting that was chosen.

    Parameters
    ----------
    solution
        A solution of a plan made by `Schedule.from_twin`.

    Returns
    -------
    list of Played
        One entry for each such task. The plan holds on the models where no `duration` is longer than `planned` and nothing is
        `broken`.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Order, Task, Unit
    >>> from processes.bioreactor import BajpaiReuss
    >>> task = TwinTask(BajpaiReuss(), ["fermenter"], [90.0, 110.0], lambda hours: {"duration": hours})
    >>> orders = [Order("batch", [Task("ferment", ())])]
    >>> plan = optimizers.Schedule.from_twin([Unit("fermenter")], orders, {"ferment": task}, step=8, time_unit="h")
    >>> played = replay_on_twins(optimizers.solve(plan))[0]
    >>> played.planned, played.duration
    (96, 90.0)
    """
    plan = solution.problem
    cache: dict[tuple[int, float], TwinRow] = {}
    found = []
    for p in solution.replay.placed if solution.replay is not None else ():
        name = p.task.rpartition("/")[2]
        table: TwinTable | None = plan.tables.get(name)
        if table is None:
            continue
        good = [r for r in table.rows if not r.broken]
        setting = good[p.mode // len(table.task.units)].setting
        key = (id(table), setting)
        if key not in cache:
            cache[key] = table.task.play(setting, table.time_unit)
        row, mode = cache[key], plan.tasks[p.task].ways[p.mode]
        found.append(Played(p.task, setting, mode.duration, row.duration, mode.power * mode.duration * plan.hours, row.energy,
                            row.broken))
    return found
