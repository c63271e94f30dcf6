"""Resets as rates over a pseudo-time from 0 to 1, so that a collocated edge carries them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.recipe import Assign, Bolus, Harvest


def reset_rates(model: Any, reset: Any, x: Any) -> list[Any]:
    """d(states)/ds while s runs from 0 to 1: adding at a constant rate mixes as the whole bolus does.

    A harvest leaves concentrations as they are. Assigning a state has no such form: there the rate is a decision of its own,
    see `jumps_of`.
    """
    rows = {r.signal.name: r for r in model.layout("state")}
    rates: list[Any] = [0.0 * x[0]] * sum(r.count for r in rows.values())
    if isinstance(reset, Harvest):
        at = rows[reset.out_of].start
        rates[at] = x[at] * math.log(1 - reset.fraction) + 0.0 if reset.fraction else -reset.amount + 0.0 * x[at]
        return rates
    if isinstance(reset, Bolus):
        at = rows[reset.into].start
        rates[at] = reset.amount + 0.0 * x[at]
        for row in rows.values():
            if row.signal.per == reset.into:
                for k in range(row.start, row.start + row.step * row.count, row.step):
                    rates[k] = reset.amount * (float(reset.contents.get(row.signal.name, 0.0)) - x[k]) / x[at]
        return rates
    return rates  # an Assign: the engine finds the jump that ends at the value


def jumps_of(model: Any, phases: Sequence[Any]) -> tuple[tuple[int, int, int], ...]:
    """(phase, step, state) of each reset that sets a state to a value."""
    rows = {r.signal.name: r for r in model.layout("state")}
    found = []
    for k, phase in enumerate(phases):
        for step, reset in enumerate(phase.reset):
            if isinstance(reset, Assign):
                if rows[reset.state].count > 1:
                    raise errors.SpecError(f"The recipe sets {reset.state}, which has {rows[reset.state].count} cells, at the "
                                           "start of a phase. An optimization can set single numbers only.")
                found.append((k, step, rows[reset.state].start))
    return tuple(found)
