"""Network: batches of a multipurpose plant, whose sizes and times are both free (state-task and resource-task networks), as
data.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from optimizers.schedule.plant import Unit
from twin import errors


def refuse(mistakes: Iterable[str]) -> None:
    """Raise a SpecError with every mistake, if there is one."""
    found = list(mistakes)
    if found:
        raise errors.SpecError("\n".join(found), mistakes=tuple(found))


def off_grid(what: str, times: Iterable[float], step: float, unit: str) -> Iterator[str]:
    """A sentence about each time that is no multiple of the step."""
    for t in times:
        if abs(t / step - round(t / step)) > 1e-6:
            yield f"{what} has the time {t:g} {unit}. Expected a multiple of the step, {step:g} {unit}."


@dataclasses.dataclass(frozen=True)
class Material:
    """A state of the network (ISA-95 material definition).

    Attributes
    ----------
    name
        Its name.
    initial
        Amount at the start.
    capacity
        Most that can be stored; None is no limit, 0 is no storage at all.
    price
        Value of one amount unit at the end; negative: what is left over costs.
    least
        Amount that must be there at the end.
    receipts
        (time, amount) that arrives, negative: that is delivered.

    Examples
    --------
    >>> Material("hot A", capacity=100, price=-1).capacity
    100
    """

    name: str
    initial: float = 0.0
    capacity: float | None = None
    price: float = 0.0
    least: float = 0.0
    receipts: Sequence[tuple[float, float]] = ()


@dataclasses.dataclass(frozen=True)
class Utility:
    """Something that running tasks draw together: power, steam, people.

    Attributes
    ----------
    name
        Its name.
    limit
        Most of it at a time; None is no limit.
    prices
        Price in each step for one unit of it over one time unit; empty: it costs nothing.

    Examples
    --------
    >>> Utility("steam", limit=40).limit
    40
    """

    name: str
    limit: float | None = None
    prices: Sequence[float] = ()


@dataclasses.dataclass(frozen=True)
class Fit:
    """How a process runs on a unit.

    Attributes
    ----------
    most, least
        Limits of the batch size.
    duration, per_amount
        Time of a batch: duration + per_amount x size.
    cost
        Cost of a batch.

    Examples
    --------
    >>> Fit(80, duration=2).most
    80
    """

    most: float
    least: float = 0.0
    duration: float = 1.0
    per_amount: float = 0.0
    cost: float = 0.0


@dataclasses.dataclass(frozen=True)
class Process:
    """A task of the network: materials in, materials out (ISA-95 process segment).

    Attributes
    ----------
    name
        Its name.
    consumes
        Share of the batch by material.
    produces
        Share of the batch by material, or (share, delay) where it is there before the end of the batch.
    units
        How it runs on each unit.
    uses
        (fixed, per amount) of each utility while it runs.

    Examples
    --------
    >>> Process("heat", {"A": 1.0}, {"hot A": 1.0}, {"heater": Fit(100)}).units["heater"].most
    100
    """

    name: str
    consumes: Mapping[str, float]
    produces: Mapping[str, float | tuple[float, float]]
    units: Mapping[str, Fit]
    uses: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def outputs(self, unit: str) -> Iterator[tuple[str, float, float]]:
        """Material, share and delay of everything that it makes on a unit."""
        for material, made in self.produces.items():
            share, delay = made if isinstance(made, tuple) else (made, self.units[unit].duration)
            yield material, share, delay


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch in a plan: process, unit, start, end, size."""

    process: str
    unit: str
    start: float
    end: float
    size: float


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """Batches whose number, sizes and times are free. Solved by `optimizers.solve`, which makes the value as large as it can be.

    Attributes
    ----------
    materials, processes, units
        What flows, what happens, where. Units may have closed windows.
    horizon
        Every batch ends by then.
    step
        Time slot of the discrete formulation.
    events
        None: discrete time, for fixed durations, utilities and prices. A number: unit-specific event points in continuous
        time, for durations that depend on the size; "auto": as many as raise the value.
    utilities
        What running batches share.
    time_unit, amount_unit, currency
        Units for texts.
    plain
        True: the textbook discrete formulation without the redundant totals that make it faster.

    Notes
    -----
    Options of `optimizers.solve` for a Network: `gap` (relative gap to stop at, 0) and `threads` (1).

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Fit, Material, Network, Process, Unit
    >>> mill = Process("grind", {"clinker": 1.0}, {"cement": 1.0}, {"mill": Fit(10, duration=2)})
    >>> plant = Network([Material("clinker", 100), Material("cement", price=3)], [mill], [Unit("mill")], horizon=6)
    >>> optimizers.solve(plant).objective
    90.0
    """

    solved_by: ClassVar[str] = "optimizers.schedule.network_solving"

    materials: Sequence[Material]
    processes: Sequence[Process]
    units: Sequence[Unit]
    horizon: float
    step: float = 1.0
    events: int | str | None = None
    utilities: Sequence[Utility] = ()
    time_unit: str = "h"
    amount_unit: str = "kg"
    currency: str = ""
    plain: bool = False

    @functools.cached_property
    def material_of(self) -> dict[str, Material]:
        """Materials by name."""
        return {m.name: m for m in self.materials}

    @functools.cached_property
    def unit_of(self) -> dict[str, Unit]:
        """Units by name."""
        return {u.name: u for u in self.units}

    @functools.cached_property
    def process_of(self) -> dict[str, Process]:
        """Processes by name."""
        return {p.name: p for p in self.processes}

    def check(self) -> None:
        """Raise a SpecError with every mistake in the statement."""
        refuse(self._mistakes())

    def _mistakes(self) -> Iterator[str]:
        if not isinstance(self.events, int | None) and self.events != "auto":
            yield f"events is {self.events!r}. Expected None, a number or 'auto'."
        utilities = {u.name for u in self.utilities}
        for p in self.processes:
            if not p.units:
                yield f"No unit can carry out '{p.name}'. Expected at least one."
            for kind, names, known in (("material", [*p.consumes, *p.produces], self.material_of),
                                       ("unit", list(p.units), self.unit_of),
                                       ("utility", list(p.uses), dict.fromkeys(utilities))):
                for name in names:
                    if name not in known:
                        yield str(errors.unknown(kind, name, f"the process '{p.name}'", known))
            for unit, fit in p.units.items():
                if not 0 <= fit.least <= fit.most:
                    yield (f"'{p.name}' on '{unit}' takes {fit.least:g} to {fit.most:g} {self.amount_unit}. Expected 0 <= "
                           "least <= most.")
                if self.events is None and fit.per_amount:
                    yield (f"'{p.name}' on '{unit}' takes longer for a larger batch. Discrete time rounds such durations up, "
                           "and what it finds is "
                           "then not even monotone in the step. Give events='auto', or per_amount=0.")
                yield from self._on_grid(f"'{p.name}' on '{unit}'", [fit.duration, *(d for _, _, d in p.outputs(unit))])
        for m in self.materials:
            if m.capacity is not None and m.initial > m.capacity:
                yield (f"{m.name} has {m.initial:g} {self.amount_unit} at the start. Expected {m.capacity:g} at most, its "
                       "capacity.")

    def _on_grid(self, what: str, times: Sequence[float]) -> Iterator[str]:
        if self.events is None:
            yield from off_grid(what, times, self.step, self.time_unit)

    def replace(self, **changes: Any) -> Network:
        """A copy with other attributes."""
        return dataclasses.replace(self, **changes)
