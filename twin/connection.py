"""Joining units into one flat model: prefixed names, converted units, recycles as algebraic variables."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors, units
from twin.model import DynamicModel, Model
from twin.module import FrozenMap
from twin.signals import Signal, static
from twin.terms import term
from twin.values import Values

SOURCES = ("state", "algebraic", "output", "input", "disturbance")
TARGETS = ("input", "disturbance")


@dataclasses.dataclass(frozen=True)
class Link:
    """One connection with its conversion: target = source x factor + offset; `cut` where it closes a recycle."""

    source: str
    target: str
    factor: float = 1.0
    offset: float = 0.0
    from_output: bool = False
    cut: bool = False


def connect(parts: Mapping[str, Model], links: Sequence[tuple[str, str]] = (), *, name: str = "line") -> Connected:
    """Join units into one model whose signals carry the name of their unit: "kiln.t_bed", in a model `s.kiln.t_bed`.

    Parameters
    ----------
    parts
        Models by unit name. The time unit of the line is that of the first one.
    links
        (source, target) pairs: a state, algebraic, output or free input of one unit feeds an input or disturbance of
        another. Values are converted between the declared units. Where outputs feed each other in a circle, one
        input of the circle becomes an algebraic variable of the line.
    name
        Name of the line.

    Raises
    ------
    SpecError
        For an unknown unit or port, a target that is no input or is fed twice, or a source on cells.
    UnitError
        Where the two ends have different dimensions.

    Examples
    --------
    >>> from processes.chemical import ExothermicCstr
    >>> line = connect({"first": ExothermicCstr(), "second": ExothermicCstr()},
    ...                [("first.temperature", "second.t_feed"), ("first.c_a", "second.c_feed")])
    """
    for unit, model in parts.items():
        if not unit.isidentifier() or unit == "time":
            raise errors.SpecError(f"'{unit}' cannot name a unit of {name}. Choose a plain name such as "
                                   "'kiln'.", name=unit)
        if not isinstance(model, Model):
            what = f"the class {model.__name__}" if isinstance(model, type) else f"a {type(model).__name__}"
            raise errors.SpecError(f"The unit '{unit}' of {name} is {what}. Expected a model, as in {unit}=Kiln().")
    if not parts:
        raise errors.SpecError(f"{name} has no units. Give at least one model by name.")
    found = [_link(name, parts, source, target) for source, target in links]
    fed: dict[str, str] = {}
    for link in found:
        if link.target in fed:
            raise errors.SpecError(f"{link.target} is fed by {fed[link.target]} and {link.source}. Keep one of the "
                                   "two links.")
        fed[link.target] = link.source
    for link in found:
        if link.source in fed:
            raise errors.SpecError(f"{link.target} is fed by {link.source}, which is fed by {fed[link.source]}. "
                                   f"Link {link.target} to {fed[link.source]}.")
    order, cut = _order(tuple(parts), found)
    plan = tuple(dataclasses.astuple(dataclasses.replace(k, cut=k.target in cut)) for k in found)
    return Connected(FrozenMap(parts), tuple(parts), plan, order, name, time_unit=next(iter(parts.values())).time_unit)


class Connected(DynamicModel):
    """Units joined by `connect`; parameters and terms carry the name of their unit, as "kiln.length"."""

    units: Any = dataclasses.field(metadata={"flat": True})
    names: tuple[str, ...] = static((), doc="units in the order given: the map holds them sorted")
    plan: tuple[Any, ...] = static((), doc="the links")
    order: tuple[str, ...] = static((), doc="units, sources of outputs first")
    name: str = static("line", doc="name of the line")
    time_unit: str = dataclasses.field(default="s", kw_only=True, metadata={"static": True})  # type: ignore[misc]

    @property
    def title(self) -> str:
        """Name of the line."""
        return self.name

    def _parts(self) -> list[tuple[str, Any]]:
        return [(n, self.units[n]) for n in self.names]

    @functools.cached_property
    def links(self) -> tuple[Link, ...]:
        """The links with their conversions."""
        return tuple(Link(*row) for row in self.plan)

    @functools.cached_property
    def _flat(self) -> tuple[Signal, ...]:
        roles = {k.target: "algebraic" if k.cut else "" for k in self.links}
        flat = []
        for unit, model in self._parts():
            for s in model.signals:
                role = roles.get(f"{unit}.{s.name}", s.role)
                if role:
                    shape = tuple(f"{unit}.{a}" for a in s.shape)
                    flat.append(dataclasses.replace(s, name=f"{unit}.{s.name}", role=role, shape=shape,
                                                    per=s.per and f"{unit}.{s.per}"))
        return tuple(flat)

    def _all_signals(self) -> tuple[Signal, ...]:
        return (*self._flat, *(signal for signal, _ in self.added))

    def _axis(self, name: str) -> int:
        unit, _, axis = name.partition(".")
        return self.units[unit]._axis(axis)

    def _seconds(self, unit: str) -> float:
        return units.factor(self.time_unit, self.units[unit].time_unit, f"time unit of {unit}")

    def _evaluated(self, s: Values) -> tuple[dict[str, Values], dict[str, Any], dict[str, Any]]:
        """Values of each unit with what its links feed, all outputs, and the residuals of the recycles."""
        values: dict[str, Values] = {}
        outputs: dict[str, Any] = {}

        def fed(link: Link) -> Any:
            value = outputs[link.source] if link.from_output else s[link.source]
            value = value if link.factor == 1.0 else value * link.factor
            return value + link.offset if link.offset else value

        for unit in self.order:
            own = {n[len(unit) + 1:]: v for n, v in s._values.items() if n.startswith(unit + ".")}
            into = [k for k in self.links if k.target.startswith(unit + ".") and not k.cut]
            own |= {k.target[len(unit) + 1:]: fed(k) for k in into}
            seconds = self._seconds(unit)
            own["time"] = s.time if seconds == 1.0 else s.time * seconds
            values[unit] = Values(f"{self.name}.{unit}", own)
            for n, v in self.units[unit].all_outputs(values[unit]).items():
                outputs[f"{unit}.{n}"] = v
        return values, outputs, {k.target: fed(k) - s[k.target] for k in self.links if k.cut}

    def equations(self, s: Values) -> tuple[dict[str, Any], dict[str, Any]]:
        """Rates in the time unit of the line and residuals, by prefixed name."""
        values, _, residuals = self._evaluated(s)
        rates: dict[str, Any] = {}
        for unit, model in self._parts():
            seconds = self._seconds(unit)
            dx, r = model.equations(values[unit])
            rates |= {f"{unit}.{n}": v if seconds == 1.0 else v * seconds for n, v in dx.items()}
            residuals |= {f"{unit}.{n}": v for n, v in r.items()}
        return rates, residuals

    def rhs(self, s: Values) -> Mapping[str, Any]:
        """Time derivatives of all states."""
        return self.equations(s)[0]

    def residual(self, s: Values) -> Mapping[str, Any]:
        """Residuals of the units and of the recycles."""
        return self.equations(s)[1]

    def outputs(self, s: Values) -> Mapping[str, Any]:
        """Outputs of all units."""
        return self._evaluated(s)[1]

    def initial(self) -> Mapping[str, Any]:
        """Initial states of all units."""
        return {f"{unit}.{n}": v for unit, model in self._parts() for n, v in model.initial().items()}

    def balances(self, s: Values) -> Mapping[str, tuple[Any, Any]]:
        """What each unit conserves."""
        values = self._evaluated(s)[0]
        return {f"{unit}.{n}": (held, flow * self._seconds(unit))
                for unit, model in self._parts() for n, (held, flow) in model.balances(values[unit]).items()}

    def terms(self) -> dict[str, term]:
        """The terms of all units."""
        return {f"{unit}.{n}": t for unit, model in self._parts() for n, t in model.terms().items()}

    def corrections(self) -> dict[str, Any]:
        """The learned corrections of all units."""
        return {f"{unit}.{n}": c for unit, model in self._parts() for n, c in model.corrections().items()}

    def with_learned(self, corrections: Mapping[str, Any]) -> Connected:
        """Copy whose terms, named like "kiln.burnability", are corrected."""
        changed = dict(self.units)
        for name, fix in corrections.items():
            self._term(name)
            unit, _, own = name.partition(".")
            changed[unit] = changed[unit].with_learned({own: fix})
        return dataclasses.replace(self, units=FrozenMap(changed))

    def with_term(self, name: str, relation: Any) -> Connected:
        """Copy whose term `name` is computed by another relation."""
        self._term(name)
        unit, _, own = name.partition(".")
        changed = self.units[unit].with_term(own, relation)
        return dataclasses.replace(self, units=FrozenMap({**self.units, unit: changed}))


def _port(name: str, parts: Mapping[str, Model], port: str, roles: tuple[str, ...]) -> Signal:
    unit, _, own = port.partition(".")
    if unit not in parts:
        raise errors.unknown("unit", unit, f"{name} (in the link port '{port}')", parts)
    signals = {s.name: s for s in parts[unit].signals}
    if own not in signals:
        raise errors.unknown("port", port, name, [f"{unit}.{n}" for n, s in signals.items() if s.role in roles])
    signal = signals[own]
    if signal.role not in roles:
        raise errors.SpecError(f"{port} is a {signal.role} of {name}. Expected {' or '.join(roles)} as the end of a "
                               "link: "
                               "links run from (source) to (target).", name=port)
    if signal.shape:
        raise errors.SpecError(f"{port} lies on cells ({', '.join(signal.shape)}). Expected one value. "
                               "Give its unit an output for the end that is meant.", name=port)
    return signal


def _link(name: str, parts: Mapping[str, Model], source: str, target: str) -> Link:
    one, other = _port(name, parts, source, SOURCES), _port(name, parts, target, TARGETS)
    factor, offset = units.line(one.unit, other.unit, f"link {source} -> {target}")
    return Link(source, target, factor, offset, one.role == "output")


def _order(names: tuple[str, ...], links: Sequence[Link]) -> tuple[tuple[str, ...], set[str]]:
    """Units so that outputs are there before they are fed on, and the targets where a circle is cut."""
    home = lambda port: port.partition(".")[0]  # noqa: E731
    left, order, cut = list(names), [], set()
    while left:
        waiting = {u: {k.target for k in links if k.from_output and home(k.target) == u and home(k.source) in left
                       and k.target not in cut} for u in left}
        ready = [u for u in left if not waiting[u]]
        if not ready:
            cut |= waiting[min(left, key=lambda u: len(waiting[u]))]
            continue
        order.append(ready[0])
        left.remove(ready[0])
    return tuple(order), cut
