"""From a Trajectory to its Plan: names, units, grids and contradictions are told here, before anything is solved."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.dynamic import integrals
from optimizers.dynamic.objective import terms_of
from optimizers.dynamic.plan import Decision, Limit, Moved, PhasePlan, Place, Plan
from optimizers.dynamic.problem import Integral, Move, count
from optimizers.dynamic.reading import MEASURED, bounds_of, limit_of, moves_of, pair, places, rate_of
from twin import errors
from twin.recipe import PID, Profile, Recipe
from twin.simulation.checks import Checker, parameter_facts

SHORTEST = 1e-3  # of its longest length: a free phase never vanishes


def plan_of(problem: Any) -> Plan:
    """The checked plan of a Trajectory.

    Raises
    ------
    twin.errors.SpecError
        In a sentence: what is wrong, with name, value and unit, and what to do.
    """
    if not hasattr(problem.model, "layout") or not problem.model.layout("state"):
        raise errors.SpecError(f"Trajectory got {type(problem.model).__name__}. Expected a dynamic model, such as Penicillin().")
    if (problem.maximize is None) == (problem.minimize is None):
        raise errors.SpecError("A Trajectory needs one goal. Give either maximize= or minimize=.")
    return _Reader(problem).plan()


class _Reader:
    """Reads one problem against its model."""

    def __init__(self, problem: Any) -> None:
        self.problem = problem
        self.bare = Checker(problem.model)
        wanted = [g.signal for g in _goals(problem) if isinstance(g, Integral)] + list(problem.totals)
        for name in wanted:
            self.bare.known("signal", name, *MEASURED, "input", "disturbance")
        phases = self._phases()
        elapsed = len(phases) > 1 and problem.duration is not None and any(isinstance(p.until, tuple) or k in self._free(phases)
                                                                           for k, p in enumerate(phases))
        self.model = integrals.with_integrals(problem.model, tuple(dict.fromkeys(wanted)), elapsed)
        self.check = Checker(self.model)
        self.elapsed = elapsed
        self.recipe_phases = phases

    # -- phases -----------------------------------------------------------------------------------------------------------

    def _phases(self) -> tuple[Any, ...]:
        problem = self.problem
        recipe = problem.recipe
        if recipe is None and hasattr(problem.model, "recipe"):
            recipe = problem.model.recipe()
        if recipe is None:
            recipe = Recipe.constant()
        if isinstance(recipe, Mapping):
            recipe = Recipe.constant(**recipe)
        if not isinstance(recipe, Recipe):
            raise errors.SpecError(f"recipe is a {type(recipe).__name__}. Expected a Recipe or {{input: value}}.")
        self.moves = self._moves()
        first = dict(recipe.phases[0].inputs)
        self.unset = {n for n in self.moves if n not in first and n not in problem.inputs}
        starts = {n: self.bare.known("input", n, "input").signal.nominal for n in self.unset}
        filled = (type(recipe.phases[0])(inputs={**starts, **first}, until=recipe.phases[0].until,
                                         at_most=recipe.phases[0].at_most, reset=recipe.phases[0].reset,
                                         name=recipe.phases[0].name), *recipe.phases[1:])
        return tuple(self.bare.recipe(Recipe(filled), problem.inputs).phases)

    def _free(self, phases: Sequence[Any]) -> dict[int, Any]:
        """The bounds of `durations` by the number of the phase."""
        names = [p.name for p in phases]
        found = {}
        for key, bounds in self.problem.durations.items():
            if isinstance(key, int) and 0 <= key < len(phases):
                found[key] = bounds
            elif key in names:
                found[names.index(key)] = bounds
            else:
                known = [n or str(k) for k, n in enumerate(names)]
                raise errors.unknown("phase", str(key), f"the recipe of {self.bare.name}", known)
        return found

    def _moves(self) -> dict[str, Move]:
        problem = self.problem
        found = moves_of(self.bare, problem.moves)
        if not found and not problem.parameters and not problem.initial and problem.duration is None and not problem.durations:
            raise errors.SpecError(f"Nothing is free: no moves, durations or pairs in parameters or initial. Name an input of "
                                   f"{self.bare.name} in moves=: {', '.join(self.bare.rows('input')) or 'it has none'}.")
        return found

    def _lengths(self) -> list[tuple[float, float, float]]:
        """(start, shortest, longest) of each phase, in the time unit of the model."""
        unit, free = self.bare.model.time_unit, self._free(self.recipe_phases)
        found: list[tuple[float, float, float]] = []
        total = pair("duration", self.problem.duration, unit) if self.problem.duration is not None else None
        if total is not None and not 0 < total[0] <= total[1] < math.inf:
            raise errors.SpecError(f"duration is {total[0]:g} to {total[1]:g} {unit}. Expected positive times, the "
                                   "shortest first.")
        last = len(self.recipe_phases) - 1
        for k, phase in enumerate(self.recipe_phases):
            label = f"phase {k} '{phase.name}'" if phase.name else f"phase {k}"
            if k in free:
                low, high = pair(f"the duration of {label}", free[k], unit)
            elif isinstance(phase.until, tuple):
                low, high = 0.0, phase.at_most if math.isfinite(phase.at_most) or total is None else total[1]
            elif phase.until is not None:
                low = high = float(phase.until)
            elif total is None:
                raise errors.SpecError(f"The recipe of {self.bare.name} has no end. Give duration=, as in duration='10 {unit}', "
                                       f"or duration=(5, 20) where it is free.")
            elif k == last == 0:
                low, high = total
            elif self.elapsed:
                low, high = 0.0, total[1]
            else:
                before = sum(v[1] for v in found)
                low, high = total[0] - before, total[1] - before
            if not math.isfinite(high):
                raise errors.SpecError(f"The length of {label} has no upper bound. Give at_most= in the phase, or durations="
                                       f"{{{phase.name or k!r}: (shortest, longest)}}.")
            if high < max(low, 0) or high <= 0:
                raise errors.SpecError(f"The length of {label} is {low:g} to {high:g} {unit}. Expected positive times, the "
                                       "shortest first.")
            low = low if low == high else max(low, SHORTEST * high)
            found.append((0.5 * (low + high), low, high))
        if total is not None and self.recipe_phases[last].until is not None and not self.elapsed:
            end = sum(v[1] for v in found)
            if abs(end - total[0]) > 1e-9 * end or total[0] != total[1]:
                raise errors.SpecError(f"duration is {total[0]:g} to {total[1]:g} {unit}, but the phases of the recipe take "
                                       f"{end:g} {unit}. Leave one of the two out, or free a phase with durations=.")
        return found

    # -- decisions --------------------------------------------------------------------------------------------------------

    def _moved(self, k: int, length: tuple[float, float, float], phase: Any, state: Mapping[str, Any]) -> tuple[Moved, ...]:
        found = []
        for name, move in self.moves.items():
            if move.phases is not None and k not in self._numbers(name, move):
                continue
            place = places(self.check, name, "input")[0]
            low, high = bounds_of(self.check, name, move)
            rate = rate_of(self.check, name, move, self.check.known("input", name, "input").signal)
            found.append(Moved(place, low, high, self._shares(name, move, length), move.hold, rate, state[name]))
        return tuple(found)

    def _numbers(self, name: str, move: Move) -> set[int]:
        names = [p.name for p in self.recipe_phases]
        found = set()
        for key in move.phases or ():
            if isinstance(key, int) and 0 <= key < len(names):
                found.add(key)
            elif key in names:
                found.add(names.index(key))
            else:
                raise errors.unknown("phase", str(key), f"the move of {name}", [n or str(k) for k, n in enumerate(names)])
        return found

    def _shares(self, name: str, move: Move, length: tuple[float, float, float]) -> tuple[float, ...]:
        if move.grid is None:
            n = count("intervals", self.problem.intervals if move.intervals is None else move.intervals)
            return tuple(i / n for i in range(n + 1))
        end, unit = move.grid[-1], self.bare.model.time_unit
        if length[1] == length[2] and abs(end - length[2]) > 1e-9 * end:
            raise errors.SpecError(f"The grid of {name} ends at {end:g} {unit}, its phase at {length[2]:g} {unit}. Expected both "
                                   "to end together.")
        return tuple(t / end for t in move.grid)

    def _limits(self, x0: Sequence[float], free: Sequence[str], phases: Sequence[PhasePlan]) -> tuple[Limit, ...]:
        found: list[Limit] = []
        for where, table, phase in (("", self.problem.limits, None), ("final ", self.problem.final, -1),
                                    ("total ", self.problem.totals, -1)):
            for name, given in table.items():
                own = integrals.PREFIX + name if where == "total " else name
                roles = (*MEASURED, "input") if phase is None else MEASURED
                for place in places(self.check, own, *roles):
                    for one in given if isinstance(given, list) else [given]:
                        said = f"{where}{name if where == 'total ' else place.name}"
                        found.append(limit_of(self.check, place, one, phase, said))
        for k, phase_given in enumerate(self.recipe_phases):
            if isinstance(phase_given.until, tuple):
                name, _, value = phase_given.until
                label = f"{name} at the end of phase '{phase_given.name or k}'"
                found.append(Limit(places(self.check, name)[0], float(value), float(value), None, k, label))
        if self.elapsed:
            low, high = pair("duration", self.problem.duration, self.bare.model.time_unit)
            found.append(Limit(places(self.check, integrals.ELAPSED)[0], low, high, None, -1, "duration"))
        self._refuse_contradictions(found, x0, free, phases)
        return tuple(found)

    def _refuse_contradictions(self, limits: Sequence[Limit], x0: Sequence[float], free: Sequence[str],
                               phases: Sequence[PhasePlan]) -> None:
        for one, other in itertools.combinations([k for k in limits if k.price is None], 2):
            same = one.place == other.place and (one.phase == other.phase or None in (one.phase, other.phase))
            for a, b in ((one, other), (other, one)):
                low, high = a.sides(0.0)[0], b.sides(0.0)[1]
                if same and low > high and not any(isinstance(v, Profile) for v in (a.lower, b.upper)):
                    raise errors.SpecError(f"{a.said or a.place.name} must be at least {low:g} {a.place.unit}, and "
                                           f"{b.said or b.place.name} at most {high:g} {b.place.unit}. Both cannot hold. "
                                           "Change one.")
        for limit in limits:
            if (isinstance(limit.lower, Profile) or isinstance(limit.upper, Profile)) and any(p.free for p in phases):
                raise errors.SpecError(f"The limit of {limit.place.name} changes in time while the length of the run is free. "
                                       "Fix the length, or give a constant limit.")
            if limit.phase is None and limit.price is None and limit.place.role == "state" and limit.place.name not in free \
                    and not phases[0].reset:
                value, (low, high) = x0[limit.place.index], limit.sides(0.0)
                slack = 1e-9 * limit.place.size
                if not low - slack <= value <= high + slack:
                    raise errors.SpecError(f"{self.bare.name}.{limit.place.name} starts at {value:g} {limit.place.unit}, outside "
                                           f"its limits of {low:g} to {high:g} {limit.place.unit}. Change the start or the "
                                           "limit, or make it a twin.soft limit.")

    def _decisions(self) -> tuple[tuple[Decision, ...], list[float], tuple[Decision, ...], list[float]]:
        """Free parameters, the parameter vector, free initial values, the initial states."""
        names, facts = self.check.parameter_names(), parameter_facts(self.problem.model)
        fixed: dict[str, Any] = {}
        pairs: dict[str, Any] = {}
        for name, value in self.problem.parameters.items():
            (pairs if isinstance(value, tuple) else fixed)[name] = value
        p = self.check.parameters(fixed)
        free_p = []
        for name, value in pairs.items():
            if name not in names:
                raise errors.unknown("parameter", name, self.bare.name, names)
            unit, low, high = facts.get(name.split("[")[0], ("", None, None))
            found = self._bounded(f"{self.bare.name}.{name}", value, unit, low, high)
            k = names.index(name)
            start = min(max(p[k], found[0]), found[1])
            free_p.append(Decision(Place(name, "parameter", k, unit, start or 0.5 * (found[1] - found[0])), *found, start))
            p[k] = start
        fixed, pairs = {}, {}
        for name, value in self.problem.initial.items():
            (pairs if isinstance(value, tuple) else fixed)[name] = value
        x0 = self.check.initial(fixed)
        free_x = []
        for name, value in pairs.items():
            place = places(self.check, name, "state", kind="state")[0]
            signal = self.check.known("state", name, "state").signal
            found = self._bounded(f"the initial {self.bare.name}.{name}", value, place.unit, signal.lower, signal.upper)
            start = min(max(x0[place.index], found[0]), found[1])
            free_x.append(Decision(place, *found, start))
            x0[place.index] = start
        return tuple(free_p), p, tuple(free_x), x0

    def _bounded(self, label: str, value: Any, unit: str, lower: float | None, upper: float | None) -> tuple[float, float]:
        low, high = pair(label, value, unit)
        low, high = max(low, -math.inf if lower is None else lower), min(high, math.inf if upper is None else upper)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise errors.SpecError(f"{label} is free from {low:g} to {high:g} {unit}. Expected two finite bounds, the lower "
                                   "first.")
        return low, high

    # -- all together -----------------------------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The checked plan."""
        problem, lengths = self.problem, self._lengths()
        count("intervals", problem.intervals)
        parameters, p, initial, x0 = self._decisions()
        phases: list[PhasePlan] = []
        state: dict[str, Any] = {}
        for k, (phase, length) in enumerate(zip(self.recipe_phases, lengths, strict=True)):
            state |= phase.inputs
            moved = self._moved(k, length, phase, state)
            names = {m.place.name for m in moved}
            given = {n: v for n, v in state.items() if n not in names}
            for name, value in given.items():
                if isinstance(value, PID):
                    raise errors.SpecError(f"{self.bare.name}.{name} is moved by a PID in the recipe. Expected a number or a "
                                           "Profile, or name it in moves=.")
                if isinstance(value, Profile) and length[1] != length[2]:
                    raise errors.SpecError(f"{self.bare.name}.{name} follows a Profile in a phase whose length is free. Fix the "
                                           "length, or give a number.")
            phases.append(PhasePlan(phase.name, *length, given, moved, tuple(phase.reset),
                                    1 if moved else problem.intervals))
        terms, time_weight, unit, goal = terms_of(self, problem)
        if time_weight and not any(f.free for f in phases):
            raise errors.SpecError(f"The goal names the duration, which is fixed. Give duration=(shortest, longest) in "
                                   f"{self.bare.model.time_unit}.")
        decided = any(f.moved or f.free for f in phases) or parameters or initial
        if not decided:
            raise errors.SpecError("Nothing is free. Name an input in moves=, or give a pair in duration=, parameters= or "
                                   "initial=.")
        limits = self._limits(x0, [d.place.name for d in initial], phases)
        sign = 1.0 if problem.maximize is None else -1.0
        return Plan(self.model, self.bare.name, self.bare.model.time_unit, sign, terms, time_weight, tuple(phases), limits,
                    parameters, initial, tuple(x0), tuple(p), problem.unit or unit, goal, self.recipe_phases)


def _goals(problem: Any) -> list[Any]:
    goal = problem.minimize if problem.maximize is None else problem.maximize
    return list(goal) if isinstance(goal, Mapping) else [goal]
