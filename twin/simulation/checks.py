"""What a user hands to a verb, checked and turned into plain floats in the units of the model."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.parameters import warn_beyond
from twin.recipe import PID, Assign, Bolus, Harvest, Phase, Profile, Recipe


def name_of(model: Any) -> str:
    """What to call a model in messages."""
    return str(model.name) if hasattr(model, "rows") else str(getattr(model, "title", "") or type(model).__name__)


def number(name: str, value: Any, unit: str) -> float:
    """A number, a string with unit ("25 degC") or a pint quantity as a float in `unit`."""
    if isinstance(value, str) or hasattr(value, "magnitude"):
        from twin import units

        return float(units.to_model_unit(name, value, unit))
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise errors.SpecError(f"{name} is {value!r}. Expected a number in {unit} or a string with unit, as in '1 "
                               f"{unit}'.",
                               name=name)
    result = float(value)
    if math.isnan(result):
        raise errors.SpecError(f"{name} is NaN {unit}. Expected a number. Fill the gap or leave it out.", name=name)
    return result


@dataclasses.dataclass(frozen=True)
class Checker:
    """Checks values against the signals of one model."""

    model: Any
    limits: bool = True

    @property
    def name(self) -> str:
        """Name of the model."""
        return name_of(self.model)

    def rows(self, *roles: str) -> dict[str, Any]:
        """Layout rows of the roles by signal name."""
        return {r.signal.name: r for role in roles for r in self.model.layout(role)}

    def known(self, kind: str, name: str, *roles: str) -> Any:
        """Layout row of a signal, or the error that names the nearest one."""
        rows = self.rows(*roles)
        if name not in rows:
            raise errors.unknown(kind, name, self.name, rows)
        return rows[name]

    def value(self, signal: Any, value: Any, what: str = "") -> float:
        """One value of a signal as a float within its limits."""
        label = f"{self.name}.{signal.name}{what}"
        result = number(label, value, signal.unit)
        slack = 1e-9 * max(abs(signal.nominal), abs(result))
        if self.limits and not signal.lower - slack <= result <= signal.upper + slack:
            from twin import units

            hint = (units.mixed_up(result, signal.unit, signal.lower, signal.upper)
                    or "Check value and unit, or allow it with check_limits=False.")
            raise errors.out_of_range(label, result, signal.unit, signal.lower, signal.upper, hint)
        return result

    def vector(self, role: str, given: Mapping[str, Any], start: Sequence[float], kind: str) -> list[float]:
        """`start` with the given values written over it."""
        flat = [float(v) for v in start]
        for name, value in given.items():
            row = self.known(kind, name, role)
            if row.shape and isinstance(value, Iterable) and not isinstance(value, str):
                values = list(value)
                if len(values) != row.count:
                    raise errors.SpecError(f"{self.name}.{name} has {len(values)} values. Expected {row.count}, "
                                           "one a cell.")
                for i, v in enumerate(values):
                    flat[row.start + i * row.step] = self.value(row.signal, v, f"[{i}]")
            else:
                v = self.value(row.signal, value)
                for i in range(row.count):
                    flat[row.start + i * row.step] = v
        return flat

    def initial(self, given: Mapping[str, Any] | Sequence[float] | None,
                parameters: Sequence[float] | None = None) -> list[float]:
        """Initial states: the nominal values, over them those of the model with `parameters`, over them the given ones."""
        rows = self.model.layout("state")
        flat = self.nominal("state")
        flat = Checker(self.model, False).vector("state", self.defaults(parameters), flat, "state")
        if isinstance(given, Mapping):
            flat = self.vector("state", given, flat, "state")
        elif given is not None:
            values = [float(v) for v in given]
            if len(values) != len(flat):
                raise errors.SpecError(f"initial has {len(values)} values. Expected {len(flat)} states of "
                                       f"{self.name}, or a "
                                       "mapping by name.")
            flat = values
        self._whole({r.signal.name: flat[r.where] for r in rows if not r.shape})
        volumes = {r.signal.per for r in rows if r.signal.per}
        for r in rows:
            for v in flat[r.where] if r.shape else [flat[r.where]]:
                if not math.isfinite(v):
                    raise errors.SpecError(f"The initial {self.name}.{r.signal.name} is {v} {r.signal.unit}. "
                                           "Expected a finite number. Fill the gap or leave it out.")
                if r.signal.name in volumes and v <= 0:
                    raise errors.SpecError(f"The initial {self.name}.{r.signal.name} is {v:g} {r.signal.unit}. "
                                           "Expected a positive volume. Check value and unit.")
        return flat

    def _whole(self, values: Mapping[str, Any]) -> None:
        """Raise where given shares of a whole do not sum to it."""
        for shares in getattr(self.model, "_shares", ()) if self.limits else ():
            shares.check(self.name, values)

    def defaults(self, parameters: Sequence[float] | None = None) -> Mapping[str, Any]:
        """Initial states that the model gives, with its own parameters or others."""
        model = self.model
        if parameters is not None:
            import numpy as np

            model = model.with_parameter_vector(np.asarray(parameters, dtype=float))
        initial = model.initial
        return {n: v.tolist() if hasattr(v, "tolist") else v
                for n, v in (initial() if callable(initial) else initial).items()}

    def moved_starts(self, names: Iterable[str] | None = None) -> tuple[str, ...]:
        """States whose start, as the model gives it, moves with parameters; with those named, or any."""
        if not hasattr(self.model, "with_parameter_vector"):
            return ()
        own, chosen = self.parameters(None), None if names is None else set(names)
        moved = [v * 1.01 + 1e-3 if chosen is None or n in chosen else v
                 for n, v in zip(self.parameter_names(), own, strict=True)]
        here, there = self.defaults(own), self.defaults(moved)
        return tuple(n for n in here if here[n] != there[n])

    def parameter_names(self) -> list[str]:
        """Names of the entries of the parameter vector."""
        names = self.model.parameter_names
        return list(names() if callable(names) else names)

    def nominal(self, role: str) -> list[float]:
        """Nominal values of a role."""
        flat = [0.0] * sum(r.count for r in self.model.layout(role))
        for r in self.model.layout(role):
            for i in range(r.count):
                flat[r.start + i * r.step] = float(r.signal.nominal)
        return flat

    def parameters(self, given: Mapping[str, Any] | Sequence[float] | None) -> list[float]:
        """Parameter vector of the model with the given values written over it."""
        flat = [float(v) for v in self.model.parameter_vector()]
        if given is None:
            return flat
        names = self.parameter_names()
        if not isinstance(given, Mapping):
            values = [float(v) for v in given]
            if len(values) != len(flat):
                raise errors.SpecError(f"parameters has {len(values)} values. Expected {len(flat)} of {self.name}, "
                                       "or a "
                                       "mapping by name.")
            given = dict(zip(names, values, strict=True))
        facts, declared = parameter_facts(self.model), _declared(self.model)
        for name, value in given.items():
            if name not in names:
                raise errors.unknown("parameter", name, self.name, names)
            field = name.split("[")[0]
            unit, low, high = facts.get(field, ("", None, None))
            label = f"{self.name}.{name}"
            v = number(label, value, unit)
            if not ((low is None or v >= low) and (high is None or v <= high)):
                raise errors.out_of_range(label, v, unit, low, high, "Check value and unit.")
            if field in declared:
                warn_beyond(label, v, declared[field])
            flat[names.index(name)] = v
        return flat

    def recipe(self, recipe: Any, inputs: Mapping[str, Any] | None) -> Recipe:
        """The recipe with `inputs` written over it in every phase, all values checked and in the model's units."""
        if recipe is None and hasattr(self.model, "recipe"):
            recipe = self.model.recipe()
        if recipe is None:
            recipe = Recipe.constant()
        elif isinstance(recipe, Mapping):
            recipe = Recipe.constant(**recipe)
        elif not isinstance(recipe, Recipe):
            recipe = Recipe.constant(**_from_data(recipe, self.model))
        extra = dict(inputs or {})
        phases = []
        held: dict[str, Any] = {r.signal.name: r.signal.nominal for r in self.model.layout("disturbance")}
        for k, phase in enumerate(recipe.phases):
            phases.append(self._phase(phase, {**phase.inputs, **extra} if k == 0 or extra else phase.inputs, k))
            held |= phases[-1].inputs
            self._whole(held)
        missing = [r.signal for r in self.model.layout("input") if r.signal.name not in phases[0].inputs]
        if missing:
            rows = "; ".join(f"{s.name} in {s.unit}, {s.lower:g} to {s.upper:g}, for example {s.nominal:g}"
                             for s in missing)
            raise errors.SpecError(f"{self.name} needs a value for {len(missing)} input(s): {rows}. Give them in "
                                   "the recipe or "
                                   f"as inputs={{'{missing[0].name}': {missing[0].nominal:g}}}.",
                                   missing=tuple(s.name for s in missing))
        return Recipe(phases)

    def _phase(self, phase: Phase, inputs: Mapping[str, Any], k: int) -> Phase:
        where = f" in phase {k} '{phase.name}'" if phase.name else ""
        checked: dict[str, Any] = {}
        for name, value in inputs.items():
            signal = self.known("input", name, "input", "disturbance").signal
            if isinstance(value, Profile):
                rows = tuple(self.value(signal, v, f"[row {i}]{where}") for i, v in enumerate(value.values))
                checked[name] = dataclasses.replace(value, values=rows)
            elif isinstance(value, PID):
                if signal.role != "input":
                    raise errors.SpecError(f"{self.name}.{name}{where} is a disturbance and cannot be moved by a "
                                           "PID. Give a "
                                           "number or a Profile.")
                self.known("signal", value.measured.partition("[")[0], "state", "algebraic", "output")
                checked[name] = value
            else:
                checked[name] = self.value(signal, value, where)
        until = phase.until
        if isinstance(until, tuple):
            row = self.known("signal", until[0].partition("[")[0], "state", "algebraic", "output")
            if row.shape and "[" not in until[0]:
                raise errors.SpecError(f"until names {self.name}.{until[0]}, which lies on {row.count} cells. "
                                       "Expected a scalar "
                                       "signal. Add an output for it.")
            until = (until[0], until[1], number(f"until {until[0]}", until[2], row.signal.unit))
        elif until is not None:
            until = self.time("until", until)
        return dataclasses.replace(phase, inputs=checked, until=until, at_most=self.time("at_most", phase.at_most),
                                   reset=tuple(self._reset(r) for r in phase.reset))

    def _reset(self, reset: Any) -> Any:
        if isinstance(reset, Assign):
            signal = self.known("state", reset.state, "state").signal
            return Assign(reset.state, self.value(signal, reset.value, " in a reset"))
        name = reset.into if isinstance(reset, Bolus) else reset.out_of
        signal = self.known("state", name, "state").signal
        amount = number(f"the amount of {name}", reset.amount, signal.unit)
        if amount < 0:
            raise errors.SpecError(f"A {type(reset).__name__} moves {amount:g} {signal.unit} of "
                                   f"{self.name}.{name}. Expected a "
                                   "positive amount. Use Bolus to add and Harvest to draw off.")
        if isinstance(reset, Harvest):
            if not 0 <= reset.fraction < 1:
                raise errors.SpecError(f"A Harvest draws off the fraction {reset.fraction:g} of "
                                       f"{self.name}.{name}. Expected 0 "
                                       "to less than 1.")
            return dataclasses.replace(reset, amount=amount)
        contents = {}
        for n, v in reset.contents.items():
            content = self.known("state", n, "state").signal
            if content.per != name:
                raise errors.SpecError(f"A Bolus into {name} carries {n} in {content.unit}, which is not declared "
                                       f"per {name}. Declare it with twin.state(..., per='{name}').")
            contents[n] = number(f"the content {n}", v, content.unit)
        return dataclasses.replace(reset, amount=amount, contents=contents)

    def time(self, name: str, value: Any) -> float:
        """A positive time in the model's time unit."""
        result = number(name, value, self.model.time_unit)
        if not result > 0:
            raise errors.SpecError(f"{name} is {result:g} {self.model.time_unit}. Expected a positive time.")
        return result

    def span(self, recipe: Recipe, duration: Any, times: Iterable[Any] | None, points: int, every: Any) -> list[float]:
        """Output times."""
        unit = self.model.time_unit
        if times is not None:
            grid = [number("times", t, unit) for t in times]
            for i, (a, b) in enumerate(itertools.pairwise(grid)):
                if not b > a:
                    raise errors.SpecError(f"times[{i + 1}] is {b:g} {unit} after {a:g}. Expected increasing "
                                           "times. Sort them "
                                           "and drop duplicates.")
            if not grid or grid[0] < 0 or not grid[-1] > 0 or not math.isfinite(grid[-1]):
                raise errors.SpecError(f"times runs from {grid[0]:g} to {grid[-1]:g} {unit}. Expected finite times "
                                       "from 0 on."
                                       if grid else "times is empty. Give at least one time.")
            return grid
        if duration is None:
            lengths: list[Any] = [p.at_most if isinstance(p.until, tuple) else p.until for p in recipe.phases]
            end = math.fsum(v if v is not None else math.inf for v in lengths)
            if not math.isfinite(end):
                raise errors.SpecError(f"The recipe of {self.name} has no end. Give the duration, as in "
                                       f"duration='10 {unit}'.")
        else:
            end = self.time("duration", duration)
            if not math.isfinite(end):
                raise errors.SpecError(f"duration is {end} {unit}. Expected a finite time.")
        if every is not None:
            step = self.time("every", every)
            count = math.floor(end / step * (1 + 1e-12))
            grid = [k * step for k in range(count + 1)]
            return grid if end - grid[-1] <= 1e-9 * end else [*grid, end]
        if points < 2:
            raise errors.SpecError(f"points is {points}. Expected at least 2.")
        return [end * (k / (points - 1)) for k in range(points)]


def parameter_facts(model: Any) -> dict[str, tuple[str, float | None, float | None]]:
    """Unit, lower and upper bound of each parameter field by name."""
    return {name: (meta["unit"], *meta["bounds"]) for name, meta in _declared(model).items()}


def _declared(model: Any) -> dict[str, Mapping[str, Any]]:
    """What each parameter field declares, by name."""
    if not dataclasses.is_dataclass(model) or hasattr(model, "rows"):
        return {}
    return {f.name: f.metadata for f in dataclasses.fields(model) if f.metadata.get("kind") == "parameter"}


def _from_data(data: Any, model: Any) -> Mapping[str, Any]:
    """Inputs and disturbances of a measured run as profiles."""
    if hasattr(data, "inputs"):
        return dict(data.inputs(model))
    runs = list(data) if isinstance(data, Iterable) else []
    if len(runs) == 1 and hasattr(runs[0], "inputs"):
        return dict(runs[0].inputs(model))
    if runs:
        raise errors.SpecError(f"The data hold {len(runs)} runs. Expected one. Choose a run: data[0].")
    raise errors.SpecError(f"recipe is a {type(data).__name__}. Expected a Recipe, {{input: value}} or a run of "
                           "twin.Data.")
