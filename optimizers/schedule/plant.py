"""What a plan uses: units with calendars and changeovers, crews, buffers.

Names follow ISA-88 and ISA-95: a unit carries out one task at a time, a crew is a personnel class, a changeover is what a unit
needs between two product families.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from twin import errors


@dataclasses.dataclass(frozen=True)
class Window:
    """A span of time with the reason for it.

    Attributes
    ----------
    start, end
        Its limits, in the time unit of the plan; the end belongs to what follows.
    reason
        What it is for, such as "relining".

    Examples
    --------
    >>> Window(6, 14, "shift").length
    8
    """

    start: float
    end: float
    reason: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end) and self.end > self.start):
            raise errors.SpecError(f"The window '{self.reason}' goes from {self.start:g} to {self.end:g}. Expected an end "
                                   "after its start.")

    @property
    def length(self) -> float:
        """End minus start."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.reason or 'window'} {self.start:g} to {self.end:g}"


def shifts(open_windows: Iterable[tuple[float, float]], *, horizon: float, every: float = 0.0, first: float = 0.0,
           reason: str = "no shift") -> tuple[Window, ...]:
    """The closed windows of a unit that works in shifts only.

    Parameters
    ----------
    open_windows
        Start and end of each shift, in the time unit of the plan.
    horizon
        Up to where the calendar reaches.
    every
        The pattern repeats after so long, such as 24 for a day in hours; 0: it does not repeat.
    first
        From where the calendar begins.
    reason
        Name of the closed time.

    Returns
    -------
    tuple of Window
        What lies between the shifts, for `Unit.closed`.

    Raises
    ------
    twin.errors.SpecError
        Two shifts overlap.

    Examples
    --------
    >>> [str(w) for w in shifts([(6, 22)], horizon=48, every=24)]
    ['no shift 0 to 6', 'no shift 22 to 30', 'no shift 46 to 48']
    """
    pattern = [Window(a, b, "shift") for a, b in open_windows]
    repeats = math.ceil((horizon - first) / every) if every else 1
    spans = sorted((w.start + k * every, w.end + k * every) for k in range(-1 if every else 0, repeats) for w in pattern)
    closed, at = [], first
    for k, (start, end) in enumerate(spans):
        if k and start < spans[k - 1][1]:
            raise errors.SpecError(f"The shifts {spans[k - 1][0]:g} to {spans[k - 1][1]:g} and {start:g} to {end:g} overlap. "
                                   "Expected shifts one after another. Join them or shorten one.")
        if end <= first:
            continue
        if start > at:
            closed.append(Window(at, min(start, horizon), reason))
        at = max(at, end)
        if at >= horizon:
            break
    if at < horizon:
        closed.append(Window(at, horizon, reason))
    return tuple(w for w in closed if w.length > 0)


@dataclasses.dataclass(frozen=True)
class Changeover:
    """What a unit needs between tasks of two families.

    Attributes
    ----------
    times
        Time by (family before, family after), in the time unit of the plan; pairs that are missing take none.
    costs
        Cost by (family before, family after), or one number for every change of family.
    initial
        Family that the unit is set for at the start; empty: the first task needs no changeover.

    Examples
    --------
    >>> Changeover({("A", "B"): 2}, costs=50).time("A", "B")
    2
    """

    times: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    costs: Mapping[tuple[str, str], float] | float = 0.0
    initial: str = ""

    def time(self, before: str, after: str) -> float:
        """Time between a task of one family and a task of another."""
        return self.times.get((before, after), 0)

    def cost(self, before: str, after: str) -> float:
        """Cost between a task of one family and a task of another."""
        if isinstance(self.costs, Mapping):
            return self.costs.get((before, after), 0.0)
        return float(self.costs) if before != after else 0.0


@dataclasses.dataclass(frozen=True)
class PowerStates:
    """What a unit draws while it runs no task, where switching it off is a choice.

    Attributes
    ----------
    idle
        Power while it stands ready.
    on_time, on_power
        How long switching on takes and the power meanwhile.
    off_time, off_power
        How long switching off takes and the power meanwhile.

    Examples
    --------
    >>> PowerStates(idle=2, on_time=2, on_power=5, off_time=1, off_power=1).idle
    2
    """

    idle: float
    on_time: float = 0.0
    on_power: float = 0.0
    off_time: float = 0.0
    off_power: float = 0.0


@dataclasses.dataclass(frozen=True)
class Unit:
    """Equipment that carries out one task at a time (ISA-88 unit, ISA-95 work unit).

    Attributes
    ----------
    name
        Its name.
    closed
        Windows without work: maintenance, holidays, time between shifts (`shifts`). A task does not run into one.
    changeover
        Times and costs between product families.
    states
        Power while no task runs, where the unit may be switched off; None: none is counted.
    group
        Equipment class, for tables and pictures.

    Examples
    --------
    >>> Unit("kiln", closed=(Window(10, 14, "relining"),)).closed[0].length
    4
    """

    name: str
    closed: Sequence[Window] = ()
    changeover: Changeover | None = None
    states: PowerStates | None = None
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Crew:
    """People or tools that several units share (ISA-95 personnel class).

    Attributes
    ----------
    name
        Its name, which `Mode.crews` refers to.
    size
        How many there are.
    absent
        (window, number) pairs when fewer are there.

    Examples
    --------
    >>> Crew("operators", 3, absent=((Window(22, 30, "night"), 1),)).present(23)
    2
    """

    name: str
    size: int
    absent: Sequence[tuple[Window, int]] = ()

    def present(self, time: float) -> int:
        """How many are there at a time."""
        return self.size - sum(n for w, n in self.absent if w.start <= time < w.end)


@dataclasses.dataclass(frozen=True)
class Buffer:
    """Places where work waits between two tasks.

    Attributes
    ----------
    name
        Its name, which `Link.buffer` refers to.
    places
        How many can wait at once.

    Examples
    --------
    >>> Buffer("ladle stand", 2).places
    2
    """

    name: str
    places: int
