"""A fast start for learned terms: match the changes between measurements along smoothed trajectories, without simulating.

The states are those of the model without corrections, moved onto the measurements (the differences are interpolated).
Along them the rates depend on the weights alone, and their integral from one sample to the next must give what was
measured: integral matching, as in Varah, SIAM J. Sci. Stat. Comput. 3 (1982) 28-46, doi:10.1137/0903003, in weak form.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.calibration.squares import fit_squares

BETWEEN = 6  # points in each interval of samples, fewer where there are many samples
MOST = 4000  # points in all
SIZE = 0.3  # usual size of the corrections of the start
STEPS = 15


@dataclasses.dataclass(frozen=True, eq=False)
class Changes:
    """Measured changes of states from sample to sample, and the points along which rates are integrated.

    Attributes
    ----------
    rates
        (weights and parameters p at the unknowns) -> predicted changes of all rows, and their Jacobian.
    change, spread, run, signal
        Of each row: measured change, its usual error, position of the run, name of the signal.
    """

    rates: Any
    change: Any
    spread: Any
    run: Any
    signal: tuple[str, ...]


def changes(problem: Any) -> Changes | None:
    """Prepare the matching; None where no state is measured twice in a run."""
    import jax
    import numpy as np

    from twin import module
    from twin.lazy import jnp
    from twin.learning.problem import run_of

    places = {r.signal.name: r.start for r in problem.model.layout("state") if not r.shape}
    parts: list[Any] = []
    rows: list[Any] = []
    at, table, zero = 0, problem.rows, problem.encode(problem.model)
    for k in problem.usable:
        points = _points(problem.engine.experiments[k].times, len(table.runs))
        raw = run_of(problem.engine, problem.engine.experiments[k], problem.values(zero), points)[0]
        if not raw.status:
            continue
        x, z, u, d = (np.array(raw.part(n), float).reshape(len(points), -1) for n in ("x", "z", "u", "d"))
        for s, signal in enumerate(table.signals):
            mask = (table.run == k) & (table.signal == s) & (table.time > 0)
            if signal not in places or not mask.any():
                continue
            times, off = table.time[mask], (table.value - problem.start)[mask]
            first = float(x[0, places[signal]])
            x[:, places[signal]] += np.interp(points, np.concatenate([[0.0], times]), np.concatenate([[0.0], off]))
            where = np.concatenate([[0], np.searchsorted(points, times)]) + at
            values = np.concatenate([[first], table.value[mask]])
            spread = np.concatenate([[0.0], problem.spread[mask]])
            rows += [(k, signal, places[signal], a, b, w - v, np.hypot(p, q)) for a, b, v, w, p, q in
                     zip(where[:-1], where[1:], values[:-1], values[1:], spread[:-1], spread[1:], strict=True)]
        parts.append((np.array(points), x, z, u, d))
        at += len(points)
    if not rows:
        return None
    whose, names, place, first_at, last_at, change, sizes = (list(v) for v in zip(*rows, strict=True))
    t, x, z, u, d = (np.concatenate([part[i] for part in parts]) for i in range(5))
    width = np.maximum(np.diff(t, prepend=t[0]), 0.0)  # no area from one run to the next
    used = sorted(set(place))
    column: Any = np.array([used.index(i) for i in place])
    begin, end, base, index = np.array(first_at), np.array(last_at), problem.base, problem.index

    def predicted(unknown: Any) -> Any:
        told = problem.model.with_parameter_vector(jnp.asarray(base).at[index].set(unknown))
        f = jax.vmap(lambda *s: told.derivative(*s)[0][jnp.array(used)])(t, x, z, u, d)
        steps = 0.5 * (f + jnp.concatenate([f[:1], f[:-1]])) * width[:, None]
        total = jnp.cumsum(steps, axis=0)
        return total[end, column] - total[begin, column]

    module.register()
    both = jax.jit(lambda v: (predicted(v), jax.jacfwd(predicted)(v)))

    def rates(unknown: Any) -> tuple[Any, Any]:
        with jax.enable_x64(True):
            values, slopes = both(np.asarray(unknown, float))
            return np.asarray(values), np.asarray(slopes)

    return Changes(rates, np.array(change), np.array(sizes), np.array(whose), tuple(names))


def matched(problem: Any, theta: Any, fixes: Mapping[str, Any], seen: Sequence[int]) -> Any:
    """Coordinates that match the changes in the runs `seen` best, from `theta`."""
    import numpy as np

    told: Changes | None = problem.changes
    if told is None:
        return theta
    mask, prior = np.isin(told.run, list(seen)), problem.prior(fixes, SIZE)
    spread = told.spread.copy()
    start = told.rates(problem.values(theta))[0]
    for signal in dict.fromkeys(told.signal):  # each signal counts alike: rates of fast states are known badly
        mine = mask & np.array([s == signal for s in told.signal])
        if mine.any():
            spread[mine] *= max(float(np.sqrt(np.mean(((start - told.change) / spread)[mine] ** 2))), 1e-3)

    def function(point: Any) -> Any:
        values, slopes = told.rates(problem.values(point))
        residuals = np.concatenate([((values - told.change) / spread)[mask], prior.rows @ point - prior.target])
        return residuals, np.vstack([(slopes * problem.sizes / spread[:, None])[mask], prior.rows])

    try:
        return fit_squares(function, theta, problem.lower, problem.upper, max_iterations=STEPS, tolerance=1e-3).q
    except errors.ConvergenceError:  # rates that are not finite along the measurements
        return theta


def _points(times: Sequence[float], runs: int) -> list[float]:
    """Sample times from 0 on with points between."""
    grid = [0.0, *(t for t in times if t > 0)]
    between = max(1, min(BETWEEN, MOST // max(1, runs * len(grid))))
    points = [grid[0]]
    for a, b in itertools.pairwise(grid):
        points += [a + (b - a) * j / between for j in range(1, between)] + [b]
    return points
