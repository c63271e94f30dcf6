"""What a plan carries out: tasks with modes, links, recipes, orders, campaigns."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence

from optimizers.schedule.plant import Window
from twin import errors


@dataclasses.dataclass(frozen=True)
class Mode:
    """One way to carry out a task.

    Attributes
    ----------
    unit
        Name of the unit.
    duration
        How long it takes, in the time unit of the plan.
    power
        What it draws meanwhile, in the power unit of the plan.
    cost
        What else it costs, in the currency of the plan.
    crews
        How many of each crew it binds, by name.

    Examples
    --------
    >>> Mode("EAF 1", 75, power=85).duration
    75
    """

    unit: str
    duration: float
    power: float = 0.0
    cost: float = 0.0
    crews: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Task:
    """A piece of work on one unit without interruption (ISA-88 unit procedure, ISA-95 operations segment).

    Attributes
    ----------
    name
        Its name, once in an order.
    modes
        The ways to carry it out; one of them is chosen. A mapping of unit to duration is short for modes without power.
    family
        Product family, for changeovers; without it the family of the order.

    Examples
    --------
    >>> Task("cast", {"CC 1": 60, "CC 2": 65}).ways[1].duration
    65
    """

    name: str
    modes: Sequence[Mode] | Mapping[str, float]
    family: str = ""

    def __post_init__(self) -> None:
        for mode in self.ways:
            if not (isinstance(mode, Mode) and mode.duration >= 0):
                got = f"{mode.duration:g}" if isinstance(mode, Mode) else repr(mode)
                raise errors.SpecError(f"A mode of the task '{self.name}' has the duration {got}. Expected 0 or more.")

    @functools.cached_property
    def ways(self) -> tuple[Mode, ...]:
        """The modes, also where they were given as a mapping."""
        if isinstance(self.modes, Mapping):
            return tuple(Mode(unit, duration) for unit, duration in self.modes.items())
        return tuple(self.modes)


@dataclasses.dataclass(frozen=True)
class Link:
    """One task comes before another.

    Attributes
    ----------
    before, after
        Names of the tasks: within an order their names, between orders "order/task".
    min_wait, max_wait
        Time between the end of one and the start of the other; `max_wait=0` is no-wait, None is no limit.
    transfer
        Least time by (unit before, unit after), where transport depends on the units.
    buffer
        Name of the buffer where it waits; empty: it waits somewhere else.

    Examples
    --------
    >>> Link("refine", "cast", min_wait=15, max_wait=60).max_wait
    60
    """

    before: str
    after: str
    min_wait: float = 0.0
    max_wait: float | None = None
    transfer: Mapping[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    buffer: str = ""

    def __post_init__(self) -> None:
        if self.max_wait is not None and self.max_wait < self.min_wait:
            raise errors.SpecError(f"The link '{self.before}' -> '{self.after}' waits at least {self.min_wait:g} and at most "
                                   f"{self.max_wait:g}. Expected max_wait of {self.min_wait:g} or more.")


def chain(names: Sequence[str], min_wait: float = 0.0, max_wait: float | Sequence[float | None] | None = None) -> tuple[Link,
                                                                                                                        ...]:
    """Links that put tasks one after another.

    Parameters
    ----------
    names
        Names of the tasks in order.
    min_wait
        Time between two of them at least.
    max_wait
        Time between two of them at most: one number, one for each pair, or None.

    Returns
    -------
    tuple of Link
        One link for each pair.

    Examples
    --------
    >>> chain(["melt", "refine", "cast"], max_wait=30)[1].before
    'refine'
    """
    pairs = list(itertools.pairwise(names))
    longest = list(max_wait) if isinstance(max_wait, Sequence) else [max_wait] * len(pairs)
    return tuple(Link(a, b, min_wait, w) for (a, b), w in zip(pairs, longest, strict=True))


@dataclasses.dataclass(frozen=True)
class Order:
    """Work with a date (ISA-95 job order, ISA-88 control recipe).

    Attributes
    ----------
    name
        Its name.
    tasks
        Its tasks.
    links
        Which task comes before which; None: one after another as listed.
    release
        No task starts earlier.
    due
        When it should be finished; later counts as tardiness.
    deadline
        When it must be finished.
    weight
        How much a time unit of tardiness weighs.
    family
        Product family of its tasks.
    quantity
        How much it makes, for tables.

    Examples
    --------
    >>> Order("O1", [Task("a", {"M1": 3}), Task("b", {"M2": 2})], due=10).links[0].after
    'b'
    """

    name: str
    tasks: Sequence[Task]
    links: Sequence[Link] | None = None
    release: float = 0.0
    due: float | None = None
    deadline: float | None = None
    weight: float = 1.0
    family: str = ""
    quantity: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        links = chain([t.name for t in self.tasks]) if self.links is None else tuple(self.links)
        object.__setattr__(self, "links", links)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A master recipe: tasks and links that many orders share.

    Attributes
    ----------
    name
        The product.
    tasks, links
        As in `Order`; durations are for a batch of `size`.
    size
        Batch size that the durations are for.

    Examples
    --------
    >>> steel = Recipe("rebar", [Task("melt", {"EAF": 60}), Task("cast", {"CC": 45})], chain(["melt", "cast"], max_wait=30))
    >>> steel.order("heat 7", due=240).links[0].max_wait
    30
    """

    name: str
    tasks: Sequence[Task]
    links: Sequence[Link] | None = None
    size: float = 1.0

    def order(self, name: str, *, release: float = 0.0, due: float | None = None, deadline: float | None = None,
              weight: float = 1.0,
              quantity: float | None = None) -> Order:
        """An order for one batch; `name`, `release`, `due`, `deadline`, `weight`, `quantity` as in `Order`."""
        return Order(name, self.tasks, self.links, release, due, deadline, weight, self.name, self.size if quantity is None
                     else quantity)


@dataclasses.dataclass(frozen=True)
class Campaign:
    """Tasks that run on one unit one after another without a gap, such as the charges of a cast.

    Attributes
    ----------
    name
        Its name.
    tasks
        Full names "order/task" in order.
    setup
        Time that the unit needs before the next campaign.

    Examples
    --------
    >>> Campaign("cast 1", ["heat 1/cast", "heat 2/cast"], setup=60).setup
    60
    """

    name: str
    tasks: Sequence[str]
    setup: float = 0.0


@dataclasses.dataclass(frozen=True)
class Placed:
    """A task in a plan.

    Attributes
    ----------
    task, unit
        Full name "order/task" and the unit.
    start, end
        When, in the time unit of the plan.
    mode
        Position of the mode among those of the task.

    Examples
    --------
    >>> Placed("O1/a", "M1", 0, 3).window.length
    3
    """

    task: str
    unit: str
    start: float
    end: float
    mode: int = 0

    @property
    def window(self) -> Window:
        """Start and end."""
        return Window(self.start, self.end, self.task)
