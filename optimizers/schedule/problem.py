"""Schedule: which unit carries out which task when, as data."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from optimizers.schedule.plant import Buffer, Crew, Unit
from optimizers.schedule.work import Campaign, Link, Order, Placed, Task
from twin import errors

if TYPE_CHECKING:
    from optimizers.schedule.twin_tasks import TwinTable, TwinTask


@dataclasses.dataclass(frozen=True)
class Goal:
    """What a plan should make small: a weighted sum, in the currency of the plan.

    Attributes
    ----------
    makespan
        Weight of the end of the last task.
    tardiness
        Weight of the time that an order ends after `due`; multiplied by the weight of the order.
    earliness
        Weight of the time that an order ends before `due`; multiplied by the weight of the order.
    waiting
        Weight of the time between linked tasks beyond `min_wait`.
    flow
        Weight of the time from release to end of each order.
    energy
        Weight of the energy cost at `Schedule.prices`.
    changeover
        Weight of the costs of changeovers.
    modes
        Weight of `Mode.cost`.

    Examples
    --------
    >>> Goal(tardiness=1).makespan
    0.0
    """

    makespan: float = 0.0
    tardiness: float = 0.0
    earliness: float = 0.0
    waiting: float = 0.0
    flow: float = 0.0
    energy: float = 1.0
    changeover: float = 1.0
    modes: float = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """Orders on units: which unit carries out which task, and when. Solved by `optimizers.solve`.

    Attributes
    ----------
    units, orders
        The plant and the work.
    goal
        What should be small; the makespan where nothing is said.
    links
        Links between tasks of different orders, by full name "order/task".
    campaigns
        Groups of tasks that run without a gap on one unit.
    crews, buffers
        What tasks share besides units.
    horizon
        Every task ends by then; None: long enough for all tasks one after another.
    step
        Grid of all times: durations and dates are whole multiples of it.
    time_unit, power_unit, currency
        Units of times, of powers and of the objective, for texts. Energy is power times time: with "MW" and "h" in MWh.
    prices
        Price of energy in each step from time 0, per power unit and hour; empty: energy costs nothing.
    hours
        How many hours one time unit is; 1/60 for minutes.
    power_limit
        Most power of all running tasks together; a number or one for each step; None is no limit.
    now
        The present: no task starts earlier unless it is `fixed`.
    fixed
        Tasks that are running or frozen, where they are.
    previous
        An earlier plan, for `change_cost`.
    change_cost
        Cost of each task that moves to another unit, and of each time unit that a start moves, against `previous`.
    tables
        What process models say about tasks, from `from_twin`.

    Notes
    -----
    Options of `optimizers.solve` for a Schedule: `workers` (threads of CP-SAT, 8; fewer than 5 prove far less), `search`
    ("exact" or "large"; by size without it), `gap` (stop at this relative gap), `log` (called with each line of the solver).

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Order, Task, Unit
    >>> jobs = [Order("A", [Task("cut", {"saw": 3}), Task("drill", {"press": 2})]),
    ...         Order("B", [Task("drill", {"press": 4}), Task("cut", {"saw": 1})])]
    >>> plan = optimizers.solve(optimizers.Schedule([Unit("saw"), Unit("press")], jobs))
    >>> plan.objective, plan.bound
    (6.0, 6.0)
    """

    solved_by: ClassVar[str] = "optimizers.schedule.solving"

    units: Sequence[Unit]
    orders: Sequence[Order]
    goal: Goal | None = None
    links: Sequence[Link] = ()
    campaigns: Sequence[Campaign] = ()
    crews: Sequence[Crew] = ()
    buffers: Sequence[Buffer] = ()
    horizon: float | None = None
    step: float = 1.0
    time_unit: str = "min"
    power_unit: str = "MW"
    currency: str = ""
    prices: Sequence[float] = ()
    hours: float = 1.0
    power_limit: float | Sequence[float] | None = None
    now: float = 0.0
    fixed: Sequence[Placed] = ()
    previous: Sequence[Placed] = ()
    change_cost: float = 0.0
    tables: Mapping[str, TwinTable] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_twin(cls, units: Sequence[Unit], orders: Sequence[Order], tasks: Mapping[str, TwinTask], *, step: float = 1.0,
                  time_unit: str = "min", hours: float | None = None, **attributes: Any) -> Schedule:
        """A plan whose tasks take what process models say: each setting that keeps the quality limits becomes a mode.

        `units`, `orders`, `step`, `time_unit`, `hours` and `attributes` are those of the class; `hours` follows from the time
        unit where that is one of pint. `tasks` are `TwinTask` by the name of the task in its order; such tasks are stated
        without modes. The tables with their errors are in `tables`; `optimizers.schedule.replay_on_twins` simulates the plan.
        """
        from optimizers.schedule.twin_tasks import tabulate
        from twin import units as conversion

        length = conversion.convert(1.0, time_unit, "h") if hours is None else hours
        tables = {name: tabulate(task, step=step, time_unit=time_unit) for name, task in tasks.items()}
        filled = [dataclasses.replace(o, tasks=tuple(
            dataclasses.replace(t, modes=tables[t.name].modes(step, length)) if t.name in tables else t for t in o.tasks))
            for o in orders]
        return cls(units, filled, step=step, time_unit=time_unit, hours=length, tables=tables, **attributes)

    def __post_init__(self) -> None:
        if self.goal is None:
            object.__setattr__(self, "goal", Goal(makespan=1.0))

    @functools.cached_property
    def aims(self) -> Goal:
        """The goal."""
        return self.goal or Goal(makespan=1.0)

    @functools.cached_property
    def tasks(self) -> dict[str, Task]:
        """Every task by its full name "order/task"."""
        return {f"{o.name}/{t.name}": t for o in self.orders for t in o.tasks}

    @functools.cached_property
    def order_of(self) -> dict[str, Order]:
        """The order of every task by its full name."""
        return {f"{o.name}/{t.name}": o for o in self.orders for t in o.tasks}

    @functools.cached_property
    def all_links(self) -> tuple[Link, ...]:
        """Links of the orders and between orders, by full names."""
        inner = [dataclasses.replace(k, before=f"{o.name}/{k.before}", after=f"{o.name}/{k.after}") for o in self.orders
                 for k in o.links or ()]
        return (*inner, *self.links)

    @functools.cached_property
    def unit_of(self) -> dict[str, Unit]:
        """Every unit by name."""
        return {u.name: u for u in self.units}

    def family(self, task: str) -> str:
        """Product family of a task by full name."""
        return self.tasks[task].family or self.order_of[task].family

    @functools.cached_property
    def end_of_time(self) -> float:
        """The horizon, or a time by which all tasks fit one after another."""
        if self.horizon is not None:
            return self.horizon
        latest = max([self.now, *(o.release for o in self.orders), *(w.end for u in self.units for w in u.closed),
                      *(p.end for p in self.fixed)])
        work = sum(max((m.duration for m in t.ways), default=0) for t in self.tasks.values())
        change = sum(max(u.changeover.times.values(), default=0) for u in self.units if u.changeover) * max(1, len(self.tasks))
        waits = sum(max([k.min_wait, *k.transfer.values()]) for k in self.all_links) + sum(c.setup for c in self.campaigns)
        closed = sum(w.length for u in self.units for w in u.closed)
        return latest + work + change + waits + closed

    def energy_cost(self, power: float, start: float, end: float) -> float:
        """Cost of a constant power between two times, at `prices`; what lies beyond the last price costs nothing."""
        if not self.prices or not power or end <= start:
            return 0.0
        total, k = 0.0, int(start // self.step)
        while k * self.step < end and k < len(self.prices):
            inside = min(end, (k + 1) * self.step) - max(start, k * self.step)
            total += self.prices[k] * inside
            k += 1
        return power * total * self.hours

    def replace(self, **changes: Any) -> Schedule:
        """A copy with other attributes."""
        return dataclasses.replace(self, **changes)

    def find(self, kind: str, name: str, known: Mapping[str, Any], where: str) -> Any:
        """Entry of a table by name, or an error that names the nearest one."""
        if name not in known:
            raise errors.unknown(kind, name, where, known)
        return known[name]
