"""The goal of a Trajectory as weighted terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic import integrals
from optimizers.dynamic.plan import Term
from optimizers.dynamic.problem import Integral, Sum
from optimizers.dynamic.reading import MEASURED, places
from twin import errors


def terms_of(reader: Any, problem: Any) -> tuple[tuple[Term, ...], float, str, str]:
    """Terms, weight of the duration, unit, and the goal in words."""
    goal = problem.minimize if problem.maximize is None else problem.maximize
    given = goal if isinstance(goal, Mapping) else {goal: 1.0}
    if not given:
        raise errors.SpecError("The goal is empty. Expected a signal, or {term: weight}.")
    terms, time_weight, units = [], 0.0, []
    for what, weight in given.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not math.isfinite(weight) or weight == 0:
            raise errors.SpecError(f"The weight of {said(what)} is {weight!r}. Expected a number other than 0.")
        if what == "duration" and "duration" not in {s.name for s in problem.model.signals}:
            time_weight = float(weight)
            units.append(reader.bare.model.time_unit)
            continue
        if isinstance(what, Integral):
            name, times = integrals.PREFIX + what.signal, None
        elif isinstance(what, Sum):
            name, times = what.signal, tuple(what.times)
        elif isinstance(what, str):
            name, times = what, None
        else:
            raise errors.SpecError(f"The goal names {what!r}. Expected a signal, 'duration', Integral(signal) or "
                                   "Sum(signal, times).")
        found = places(reader.check, name, *MEASURED)
        if len(found) > 1:
            raise errors.SpecError(f"The goal '{name}' lies on {len(found)} cells. Expected one quantity. Name one, such as "
                                   f"'{name}[0]', or add an output.")
        terms.append(Term(found[0], float(weight), times))
        units.append(found[0].unit)
    single = len(units) == 1 and next(iter(given.values())) == 1.0
    words = " + ".join(said(w) if v == 1 else f"{v:g} {said(w)}" for w, v in given.items())
    return tuple(terms), time_weight, units[0] if single or len(set(units)) == 1 else "", words


def said(what: Any) -> str:
    """A term in words."""
    if isinstance(what, Integral):
        return f"integral of {what.signal}"
    if isinstance(what, Sum):
        return f"sum of {what.signal} over {len(what.times)} times"
    return f"{what}"
