"""Samples and runs that do not fit to the rest: wild samples, wrong units, runs that contradict, labels that were swapped."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.calibration import replays
from twin.calibration.precision import Precision, t_quantile
from twin.calibration.problem import Problem
from twin.calibration.squares import Outcome

LIGHT = 1e-7  # weight of a sample that is left out
MANY = 3  # so many wild samples may always be told, in large data one in fifty
WILD = 6.0  # robust standard deviations from which on a sample stands out
FACTORS = {1e3: "a factor 1000, as between g and mg", 60.0: "a factor 60, as between h and min", 3600.0: "a factor 3600, as "
                                                                                                         "between h and s",
           24.0: "a factor 24, as between d and h", 100.0: "a factor 100, as between a share and percent",
           10.0: "a factor 10, as by a shifted decimal point", 1e6: "a factor 1e6, as between g and ug"}
KELVIN = 273.15


@dataclasses.dataclass(frozen=True)
class Suspects:
    """Sentences, and samples that stand out as (run, signal, time)."""

    sentences: tuple[str, ...]
    outliers: tuple[tuple[str, str, float], ...]


def suspects_of(problem: Problem, outcome: Outcome, precision: Precision) -> Suspects:
    """What does not fit to the rest."""
    if precision.degrees < 3 or not outcome.cost > problem.floor * 1e4:
        return Suspects((), ())
    rows = problem.engine.rows
    wild, clean = _wild(problem, outcome, precision)
    runs = contradicting(problem, outcome, precision)
    homes = [rows.runs[rows.run[k]] for k in wild]
    # Many wild samples in one run are a run that differs; a few are wild samples, and spoil the test of their run.
    whole = any(homes.count(name) >= max(3, len(wild) / 2) for name, _ in runs)
    if wild and not whole:
        names = tuple((rows.runs[rows.run[k]], rows.signals[rows.signal[k]], float(rows.time[k])) for k in wild)
        return Suspects(tuple(_told(problem, outcome, wild, clean)), names)
    return Suspects(tuple(swapped(problem, outcome, runs) or [s for _, s in runs]), ())


def _deviations(problem: Problem, r: Any) -> Any:
    """Robust standard deviation of each sample, in units of the deviations taken: by signal, or of all where all count alike."""
    import numpy as np

    rows = problem.engine.rows
    groups = [np.ones(len(rows), dtype=bool)] if problem.noise.equal else [rows.signal == k for k in range(len(rows.signals))]
    found = np.ones(len(rows))
    for mine in groups:
        if mine.sum() >= 5:
            found[mine] = max(1.4826 * float(np.median(np.abs(r[mine]))), 1e-12 * float(np.abs(r[mine]).max()), 1e-300)
    return found


def _least(problem: Problem) -> Any:
    """Residuals below this are no matter: three deviations where they were stated, else 1e-4 of the spread of the signal."""
    import numpy as np

    rows, noise = problem.engine.rows, problem.noise
    found = np.full(len(rows), 3.0)
    for k, name in enumerate(rows.signals):
        mine = rows.signal == k
        if noise.equal or name in noise.estimated:
            found[mine] = 1e-4 * float(np.std(rows.value[mine])) / noise.sigma[mine]
    return found


def _bent(r: Any, jacobian: Any, deviation: Any) -> Any:
    """Residuals of a robust fit of the linearized model: weights that fall with the size of a residual (Cauchy)."""
    import numpy as np

    scale = np.maximum(np.sqrt((jacobian * jacobian).sum(axis=0)), 1e-300)
    a, left = jacobian / scale, r.copy()
    for _ in range(40):
        w = 1 / (1 + (left / (2 * deviation)) ** 2) / deviation**2
        step = np.linalg.lstsq((a.T * w) @ a, -(a.T * w) @ r, rcond=1e-12)[0]
        new = r + a @ step
        if np.abs(new - left).max(initial=0.0) <= 1e-3 * deviation.min(initial=1.0):
            break
        left = new
    return left


def _wild(problem: Problem, outcome: Outcome, precision: Precision) -> tuple[list[int], Outcome | None]:
    """Positions of samples far from a fit that they cannot bend, and the fit without them; only where the fit gives cause."""
    import numpy as np

    m, free = len(problem.engine.rows), precision.free
    limit = max(WILD, t_quantile(1 - 0.005 / m, max(precision.degrees, 1)))
    wild: set[int] = set()
    here, clean = outcome, None
    for _ in range(3):  # a very wild sample hides others
        r = here.residuals[:m] / (1.0 if clean is None else _weights(m, wild))
        if not np.any(np.abs(r) > 4 * _deviations(problem, r)):
            break
        jacobian = here.jacobian[:m][:, free] / _weights(m, wild)[:, None]
        left = _bent(r, jacobian, _deviations(problem, r))
        bar = np.maximum(limit * _deviations(problem, left), _least(problem))
        far = {int(k) for k in np.flatnonzero(np.abs(left) > bar)}
        if not far - wild:
            break
        if len(far | wild) > max(MANY, m // 50):
            return [], None  # so many are no accidents: the model or the noise is another
        wild |= far
        light = problem.noise.fixed(problem.noise.sigma / _weights(m, wild))
        try:
            clean = here = dataclasses.replace(problem, noise=light).fit(here.q, max_iterations=40)
        except errors.ConvergenceError:
            return [], None
    if clean is None:
        return [], None
    fitted = clean.residuals[:m] / _weights(m, wild)
    sure = [k for k in sorted(wild) if abs(fitted[k]) > limit * _deviations(problem, fitted)[k]]
    return (sure, clean) if sure else ([], None)


def _weights(m: int, wild: set[int]) -> Any:
    """Next to nothing for samples that are left out, 1 for the others."""
    import numpy as np

    w = np.ones(m)
    w[sorted(wild)] = LIGHT
    return w


def _told(problem: Problem, outcome: Outcome, wild: Sequence[int], clean: Outcome | None) -> list[str]:
    """A sentence for each wild sample (for the first few), and what the fit would be without them."""
    import numpy as np

    if clean is None:
        return []
    rows, model = problem.engine.rows, problem.engine.model
    units = {s.name: s.unit for s in model.signals}
    said = []
    for k in wild[:5]:
        name = rows.signals[rows.signal[k]]
        fitted = float(rows.value[k] + clean.residuals[k] / LIGHT * problem.noise.sigma[k])
        unit = "" if units[name] == "-" else f" {units[name]}"
        text = (f"The sample of {name} at {rows.time[k]:g} {model.time_unit} in run '{rows.runs[rows.run[k]]}' is "
                f"{rows.value[k]:.4g}{unit}; the other data say {fitted:.4g}{unit}.")
        said.append(f"{text}{factor_of(float(rows.value[k]), fitted, units[name])}")
    if len(wild) > 5:
        said.append(f"{len(wild) - 5} more samples stand out; see `outliers`.")
    moved = []
    before, after = problem.space.natural(outcome.q), problem.space.natural(clean.q)
    for c, a, b in zip(problem.space.coordinates, before, after, strict=True):
        if abs(a - b) > 0.01 * max(abs(a), abs(b)):
            moved.append(f"{c.label} {b:.4g} instead of {a:.4g} {c.unit}")
    for name in dict.fromkeys(rows.signals[rows.signal[k]] for k in wild):
        kept = (rows.signal == rows.signals.index(name)) & ~np.isin(np.arange(len(rows)), wild)
        if name in problem.noise.estimated and kept.sum() > len(problem.space):
            rest = float(np.sqrt(np.mean((clean.residuals[:len(rows)][kept] * problem.noise.sigma[kept]) ** 2)))
            if rest < 0.5 * problem.noise.estimated[name]:
                moved.append(f"a deviation of {name} of {rest:.3g} instead of {problem.noise.estimated[name]:.3g} {units[name]}")
    if moved:
        said.append(f"Without {'it' if len(wild) == 1 else 'them'} the fit gives {', '.join(moved[:4])}"
                    f"{' and more' if len(moved) > 4 else ''}. Correct the data, or fit again with exclude=result.outliers.")
    return said


def factor_of(measured: float, fitted: float, unit: str) -> str:
    """A guess at the unit in which a sample was written down; empty without one."""
    if unit in ("K", "degC") and abs(abs(measured - fitted) - KELVIN) < 10:
        return " They differ by 273.15: K and degC may have been mixed up."
    if measured * fitted <= 0:
        return ""
    ratio = measured / fitted
    for factor, words in FACTORS.items():
        if abs(math.log(max(ratio, 1 / ratio) / factor)) < 0.12:
            return f" That is {words}: it may be in another unit."
    return ""


def contradicting(problem: Problem, outcome: Outcome, precision: Precision) -> list[tuple[str, str]]:
    """Runs that the fit of all others does not predict (test of Chow 1960 on the linearized fit), with a sentence each."""
    import numpy as np
    from scipy import special

    rows = problem.engine.rows
    m, n = len(rows), len(precision.free)
    count = len(np.unique(rows.run))
    if count < 2:
        return []
    w = np.sqrt(problem.loss.weights(outcome.residuals))
    jacobian, r = outcome.jacobian[:, precision.free] * w[:, None], outcome.residuals * w
    scale = np.maximum(np.sqrt((jacobian * jacobian).sum(axis=0)), 1e-300)
    found = []
    for k in np.unique(rows.run):
        mine = np.zeros(len(r), dtype=bool)
        mine[:m] = rows.run == k
        degrees = int((~mine).sum()) - n
        if degrees < 2:
            continue
        step = np.linalg.lstsq(jacobian[~mine] / scale, -r[~mine], rcond=1e-9)[0]
        left = r[~mine] + jacobian[~mine] / scale @ step
        rest = float(left @ left)
        # What the own unknowns of the run can take up by themselves is no contradiction.
        own = np.array([problem.space.coordinates[j].run == rows.runs[k] for j in precision.free], dtype=bool)
        ahead = r[mine] + jacobian[mine] / scale @ step
        if own.any():
            ahead = ahead + jacobian[mine][:, own] @ np.linalg.lstsq(jacobian[mine][:, own], -ahead, rcond=1e-9)[0]
        freedom = max(int(mine.sum()) - int(own.sum()), 1)
        ratio = (float(r @ r) - rest) / freedom / (rest / degrees) if rest > 0 else math.inf
        p = float(special.fdtrc(freedom, degrees, ratio)) if math.isfinite(ratio) else 0.0
        # The test is exact for linear models with equal noise only: a wide margin spares false alarms.
        if p < 1e-4 / count and ratio > 4:
            said = (f"Run '{rows.runs[k]}' contradicts the others: predicted from them, it is off by "
                    f"{math.sqrt(float(ahead @ ahead) / freedom):.3g} "
                    f"standard deviations a sample where {math.sqrt(rest / degrees):.3g} is usual. Look at it first, or give "
                    "it unknowns of "
                    "its own (per_run=True).")
            found.append((ratio, rows.runs[k], said))
    found.sort(key=lambda f: -f[0])
    # One bad run spoils the test of the good ones: only those near the worst are told.
    return [(name, said) for ratio, name, said in found if ratio > 0.3 * found[0][0]]


def swapped(problem: Problem, outcome: Outcome, suspects: Sequence[tuple[str, str]]) -> list[str]:
    """Sentences for pairs of runs whose samples fit far better to each other's conditions."""
    engine = problem.engine
    names = [e.name for e in engine.experiments if e.count]
    natural = problem.space.natural(outcome.q)
    if not suspects or len(names) < 2:
        return []
    bad = [name for name, _ in suspects]
    said: list[str] = []
    used: set[str] = set()
    pairs = {tuple(sorted((a, b), key=names.index)) for a in bad for b in names if a != b}
    for a, b in sorted(pairs, key=lambda pair: [names.index(n) for n in pair]):
        if used & {a, b}:
            continue
        costs = [replays.cross(engine, x, y, natural, problem.noise.mean) for x, y in ((a, a), (b, b), (a, b), (b, a))]
        own, other = costs[0] + costs[1], costs[2] + costs[3]
        if other < 0.25 * own:
            used |= {a, b}
            said.append(f"The samples of run '{a}' fit to the conditions of run '{b}' and those of '{b}' to '{a}' (sum of "
                        "squares "
                        f"{other:.3g} instead of {own:.3g}): are the two labels swapped?")
    if used:
        return said
    return [f"{sentence}{_better_home(engine, name, names, natural, problem)}" for name, sentence in suspects]


def _better_home(engine: Any, name: str, names: Sequence[str], natural: Any, problem: Problem) -> str:
    """The run to whose conditions the samples of a suspect fit best, where that is far better than its own."""
    own = replays.cross(engine, name, name, natural, problem.noise.mean)
    cost, home = min((replays.cross(engine, name, b, natural, problem.noise.mean), b) for b in names if b != name)
    return f" Its samples fit to the conditions of run '{home}': it may carry the wrong label." if cost < 0.1 * own else ""
