"""What a reader of a calibration must know, in sentences: residuals, what the data do not fix, bounds, too few data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin.calibration import replays, suspects
from twin.calibration.precision import Precision, correlation, t_quantile
from twin.calibration.problem import Problem
from twin.calibration.squares import Outcome
from twin.calibration.unknowns import INITIAL
from twin.recipe import Profile

HAIR = 1e10  # standard deviations for a change of 100 % from which on an optimum is doubtful
LOOSE = 0.5  # relative standard error from which on a direction counts as not fixed
CLOSE = 0.98  # correlation of two that are hard to tell apart
DOUBT = 0.01  # p-value below which a test is told


@dataclasses.dataclass(frozen=True)
class Found:
    """Tests of the residuals by signal, sentences, and samples that stand out."""

    tests: tuple[Mapping[str, Any], ...]
    sentences: tuple[str, ...]
    outliers: tuple[tuple[str, str, float], ...]


def examine(problem: Problem, outcome: Outcome, precision: Precision, confidence: float) -> Found:
    """Everything there is to say about a fit."""
    tests = [_tests(problem, outcome, precision, k) for k in range(len(problem.engine.rows.signals))]
    suspicion = suspects.suspects_of(problem, outcome, precision)
    at = problem, outcome, precision
    sentences = [*_few(*at), *_explosive(*at), *_bounds(*at), *_weak(*at), *_starts(problem, outcome), *suspicion.sentences,
                 *_misfit(problem, precision), *_growing(problem, outcome), *_patterns(tests)]
    return Found(tuple(tests), tuple(sentences), suspicion.outliers)


def _tests(problem: Problem, outcome: Outcome, precision: Precision, k: int) -> dict[str, Any]:
    """Tests of the residuals of one signal."""
    import numpy as np

    rows = problem.engine.rows
    mine = np.flatnonzero(rows.signal == k)
    r = outcome.residuals[mine] / math.sqrt(precision.factor or 1.0)
    z, lag = _runs_test(r, rows.run[mine])
    sigma = problem.noise.mean[rows.signals[k]] * math.sqrt(precision.factor)
    return {"signal": rows.signals[k], "count": len(mine), "noise": sigma,
            "rms": float(np.sqrt(np.mean((outcome.residuals[mine] * problem.noise.sigma[mine]) ** 2))),
            "bias": float(r.mean()), "lag_1": lag, "runs_p": math.erfc(abs(z) / math.sqrt(2)), "normality_p": _normality(r)}


def _runs_test(r: Any, run: Any) -> tuple[float, float]:
    """Standardized number of stretches of equal sign (Wald, Wolfowitz 1940), and the correlation of neighbors."""
    import numpy as np

    seen = expected = variance = 0.0
    products, squares = 0.0, float(r @ r)
    for k in np.unique(run):
        part = r[run == k]
        up, down = float((part >= 0).sum()), float((part < 0).sum())
        n = up + down
        if n > 1:
            products += float(part[1:] @ part[:-1])
        if min(up, down) == 0 or n < 4:
            continue
        seen += 1 + float(((part[1:] >= 0) != (part[:-1] >= 0)).sum())
        expected += 1 + 2 * up * down / n
        variance += 2 * up * down * (2 * up * down - n) / (n * n * (n - 1))
    return ((seen - expected) / math.sqrt(variance) if variance > 0 else 0.0), (products / squares if squares > 0 else 0.0)


def _normality(r: Any) -> float:
    """p-value of the test of Jarque and Bera (1987): too small in short series."""
    import numpy as np

    s = float(np.std(r))
    if len(r) < 8 or s == 0:
        return math.nan
    z = (r - r.mean()) / s
    return math.exp(-len(r) / 12 * (float(np.mean(z**3)) ** 2 + (float(np.mean(z**4)) - 3) ** 2 / 4))


def _patterns(tests: Sequence[Mapping[str, Any]]) -> list[str]:
    said = []
    for t in tests:
        if t["runs_p"] < DOUBT and t["lag_1"] > 0 and t["rms"] > 0.05 * t["noise"]:
            said.append(f"The residuals of {t['signal']} keep their sign longer than chance would (runs test p = "
                        f"{t['runs_p']:.2g}, "
                        f"neighbors correlate by {t['lag_1']:.2f}): the model misses something there, and the intervals are too "
                        "narrow.")
    return said


def _growing(problem: Problem, outcome: Outcome) -> list[str]:
    """Signals whose residuals grow with their value (rank correlation): their noise is a share of it."""
    import numpy as np

    rows, said = problem.engine.rows, []
    for k, name in enumerate(rows.signals):
        mine = np.flatnonzero(rows.signal == k)
        if len(mine) < 20:
            continue
        size = np.abs(rows.value[mine])
        one, other = (np.argsort(np.argsort(v, kind="stable")) for v in (size, np.abs(outcome.residuals[mine])))
        together = float(np.corrcoef(one, other)[0, 1])
        if together > max(0.3, 4 / math.sqrt(len(mine))):
            said.append(f"The residuals of {name} grow with its value (rank correlation {together:.2f}): state its noise as "
                        f"a share, as in noise={{'{name}': ({0.01 * float(np.median(size)):.1g}, '3 %')}}.")
    return said


def _misfit(problem: Problem, precision: Precision) -> list[str]:
    """Residuals that disagree with the noise stated."""
    from scipy import special

    if problem.noise.equal or precision.degrees < 1 or problem.loss.kind != "squares" or problem.noise.estimated:
        return []
    above = float(special.chdtrc(precision.degrees, precision.reduced * precision.degrees))
    ratio = math.sqrt(precision.reduced)
    if above < 1e-3:
        return [f"The residuals are {ratio:.3g} times as large as the noise stated: the model does not describe the data "
                "within it, "
                "or the noise is larger. The intervals hold for the noise stated."
                + (" It may be a local optimum: try starts=10." if ratio > 3 else "")]
    if above > 1 - 1e-3:
        return [f"The residuals are only {ratio:.3g} times the noise stated: it is stated too large, and so are the intervals."]
    return []


def _few(problem: Problem, outcome: Outcome, precision: Precision) -> list[str]:
    free, rows = len(precision.free), len(outcome.residuals)
    if rows >= free + 1:
        return []
    what = "samples and priors" if len(problem.space.prior_rows()[0]) else "samples"
    return [f"{rows} {what} cannot fix {free} unknowns with anything left to judge the fit by. Measure more, hold "
            "some "
            "unknowns at known values, or give priors."]


def _explosive(problem: Problem, outcome: Outcome, precision: Precision) -> list[str]:
    """Unknowns of which a hair's breadth moves the samples beyond all measure: the optimum is lost in rounding."""
    import numpy as np

    if not len(precision.free) or not precision.singular[0] * math.sqrt(precision.factor) > HAIR:
        return []
    k = precision.free[int(np.argmax(np.abs(precision.directions[0])))]
    return [f"A change of {problem.space.labels[k]} by one part in {HAIR:.0e} moves the samples by standard deviations: errors "
            "grow along "
            "the runs, and the optimum may be lost in rounding. Use method='multiple', or cut the runs into shorter ones."]


def _bounds(problem: Problem, outcome: Outcome, precision: Precision) -> list[str]:
    said = []
    for k, c in enumerate(problem.space.coordinates):
        if precision.held[k]:
            value = c.to_natural(float(outcome.q[k]))
            side, bound = ("lower", c.lower) if abs(value - c.lower) <= abs(c.upper - value) else ("upper", c.upper)
            said.append(f"{c.label} is held by its {side} bound {bound:.6g} {c.unit}; without it the fit would go further. "
                        "It has no interval.")
    return said


def _weak(problem: Problem, outcome: Outcome, precision: Precision) -> list[str]:
    """Directions that the data do not fix: which unknowns move together, and what would help."""
    import numpy as np

    labels = [problem.space.labels[k] for k in precision.free]
    said, named = [], set()
    for s, direction in zip(precision.singular[::-1], precision.directions[::-1], strict=True):
        if s * LOOSE > 1:
            break
        strong = [k for k in np.argsort(-np.abs(direction)) if abs(direction[k]) > 0.3 * np.abs(direction).max()]
        names = [labels[k] for k in strong]
        share = "not at all" if s < 1e-6 else f"only to about {100 / s:.0f} %"
        if len(names) == 1:
            text = f"The data fix {names[0]} {share}."
        else:
            same = np.sign(direction[strong[0]]) == np.sign(direction[strong[1]])
            positive = all(problem.space.coordinates[precision.free[k]].lower >= 0 for k in strong)
            how = "a combination of them"
            if len(names) == 2 and positive:
                how = "their ratio" if same else "their product"
            move = "moving them together" if len(names) > 2 else "raising both" if same else "raising one and lowering the other"
            text = (f"{_listed(names)} cannot be told apart: {move} hardly changes the fit; {how} is what the data fix "
                    f"(this direction {share}).")
        helps = _what_helps(problem, outcome, precision, direction)
        said.append(f"{text} {helps}")
        named |= set(names)
    t = t_quantile(0.975, precision.spread_degrees)
    for k, label in zip(precision.free, labels, strict=True):
        c, error = problem.space.coordinates[k], math.sqrt(precision.covariance[k, k])
        value = c.to_natural(float(outcome.q[k]))
        if c.scale == "linear" and label not in named and c.lower >= 0 and abs(float(outcome.q[k])) < t * error < math.inf:
            said.append(f"{label} cannot be told from zero: {value:.3g} +- {t * error * c.size:.2g} {c.unit}.")
    related = correlation(precision.covariance)
    for a in range(len(related)):
        for b in range(a):
            if abs(related[a, b]) > CLOSE and not {problem.space.labels[a], problem.space.labels[b]} <= named:
                said.append(f"{problem.space.labels[b]} and {problem.space.labels[a]} are correlated by {related[a, b]:.3f}: "
                            "quote them together, not one by one.")
    return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]


def _what_helps(problem: Problem, outcome: Outcome, precision: Precision, direction: Any) -> str:
    """The unmeasured signal that would see the direction best, inputs that never moved, or a prior."""
    import numpy as np

    engine, natural = problem.engine, problem.space.natural(outcome.q)
    size = np.array([abs(v) or 1.0 for v in natural])[precision.free]
    step = np.zeros(len(natural))
    step[precision.free] = direction * size
    seen: list[tuple[float, str]] = []
    for name, (values, slopes) in replays.unmeasured(engine, natural).items():
        typical = float(np.abs(values).max(initial=0.0))
        if typical > 0:
            seen.append((float(np.linalg.norm(slopes @ step)) / (0.05 * typical), name))
    parts = []
    best = max(seen, default=(0.0, ""))
    if best[0] > 1:
        parts.append(f"samples of {best[1]} at the same times (to 5 %) would fix it to about {100 / best[0]:.2g} %")
    still = still_inputs(engine)
    if still:
        parts.append(f"runs in which {_listed(still)} {'moves' if len(still) == 1 else 'move'} may separate them (now constant)")
    weakest = problem.space.labels[precision.free[int(np.argmax(np.abs(direction)))]]
    parts.append(f"or fix one of them from elsewhere (a prior on {weakest})" if parts else f"A prior on {weakest} would help")
    text = "; ".join(parts)
    return text[0].upper() + text[1:] + "."


def still_inputs(engine: Any) -> list[str]:
    """Inputs that have the same constant value in every run."""
    values: dict[str, set[Any]] = {}
    for e in engine.experiments:
        for phase in e.recipe.phases:
            for name, v in phase.inputs.items():
                values.setdefault(name, set()).update(v.values if isinstance(v, Profile) else [v])
    return [n for n, v in values.items() if len(v) == 1]


def _starts(problem: Problem, outcome: Outcome) -> list[str]:
    """Runs whose first sample at time 0 contradicts the initial state that was taken."""
    import numpy as np

    rows, said = problem.engine.rows, []
    free = {(c.name.removeprefix(INITIAL), c.run) for c in problem.space.coordinates if c.name.startswith(INITIAL)}
    states = {s.name: s.unit for s in problem.engine.model.of_role("state")}
    for k in np.flatnonzero(rows.time == 0):
        name, run = rows.signals[rows.signal[k]], rows.runs[rows.run[k]]
        if name in states and not free & {(name, run), (name, None)} and abs(outcome.residuals[k]) > 6:
            taken = rows.value[k] + outcome.residuals[k] * problem.noise.sigma[k]
            said.append(f"Run '{run}' starts with {name} = {taken:.4g} {states[name]}, but was measured at {rows.value[k]:.4g} "
                        f"{states[name]} then. Give initial='first', or make initial.{name} an unknown.")
    return said
