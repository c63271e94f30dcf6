"""From the members of a training to its result: models, errors on runs left out, sentences."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from twin.learning.domain import widest
from twin.learning.problem import Problem, heard_along
from twin.learning.result import LeftOut, Prediction, Step, Training
from twin.learning.walk import Choice, Walk
from twin.status import Status

ODD_SAMPLE = 8.0  # times the usual error: a sample that is asked about
ODD_RUN = 5.0  # times the median error of the other runs: a run that is asked about


def conclude(before: Any, problem: Problem, walks: Sequence[Walk], final: Walk, chosen: Choice | None, sizes: Sequence[float],
             status: Status, seconds: float) -> Training:
    """The result of a training, also of one that ended early."""
    useful = chosen is not None and chosen.stage >= 0
    done = useful and len(final.path) > chosen.stage  # type: ignore[union-attr]
    theta = final.at(chosen) if done else walks[0].at(chosen) if useful else None
    model = before if theta is None else _with_domain(problem, problem.model_at(theta))
    thetas = [w.at(chosen) for w in walks] if useful else []
    members = tuple(_with_domain(problem, problem.model_at(t), model) for t in thetas)
    left_out, predictions = _judge(problem, walks, thetas)
    steps = tuple(Step(k, sizes[s], i, w.costs[s][i], w.errors[s][i]) for k, w in enumerate(walks)
                  for s in range(len(w.path)) for i in range(len(w.path[s])))
    size = sizes[chosen.stage] if useful else 0.0  # type: ignore[union-attr]
    told = _sentences(problem, left_out, predictions, size, status)
    return Training(status, told[0] if status else f"Training of {problem.model.title} ended early. {status}", model, members,
                    before, problem.terms, size, chosen.iteration + 1 if useful else 0,  # type: ignore[union-attr]
                    left_out, predictions, steps, tuple(problem.heard.values()), tuple(told), seconds)


def _with_domain(problem: Problem, model: Any, like: Any = None) -> Any:
    """The model with what its corrections saw along all runs as their domain; `like` has it already."""
    if like is not None:
        domains = {n: dict((r[0], r[1:]) for r in like.learned[n].domain) for n in problem.terms}
    else:
        values = problem.values(problem.encode(model))
        heard = [heard_along(model, problem.terms, problem.engine, problem.engine.experiments[k], values) for k in problem.usable]
        domains = {n: widest(heard, n, model.learned[n].net.inputs) for n in problem.terms}
    return model.with_learned({n: dataclasses.replace(model.learned[n], domain=d) for n, d in domains.items()})


def _judge(problem: Problem, walks: Sequence[Walk], thetas: Sequence[Any]) -> tuple[tuple[LeftOut, ...], tuple[Prediction, ...]]:
    """Errors and predictions of each run by a member that never saw it; by the model as it was where there are no members."""
    import numpy as np

    units, table = {s.name: s.unit for s in problem.model.signals}, problem.rows
    told = [problem.predicted(theta) for theta in thetas]
    rows: list[LeftOut] = []
    predictions: list[Prediction] = []
    for k in problem.usable:
        mine = table.run == k
        blind = [m for m, w in enumerate(walks) if k in w.fold]
        own = [told[m][mine] for m in blind if m < len(told) and np.isfinite(told[m][mine]).all()]
        if not blind:
            continue
        value = np.mean(own, axis=0) if own else problem.start[mine]
        others = [v[mine] for v in told if np.isfinite(v[mine]).all()]
        spread = np.std(others, axis=0) if len(others) > 1 else np.zeros(mine.sum())
        for s, signal in enumerate(table.signals):
            of = table.signal[mine] == s
            if of.any():
                times, measured, start = (v[mine][of] for v in (table.time, table.value, problem.start))
                before, after = (float(np.sqrt(np.mean((v - measured) ** 2))) for v in (start, value[of]))
                rows.append(LeftOut(table.runs[k], signal, units[signal], len(times), before, after))
                predictions.append(Prediction(table.runs[k], signal, times, measured, value[of], spread[of]))
    return tuple(rows), tuple(predictions)


def _sentences(problem: Problem, rows: Sequence[LeftOut], predictions: Sequence[Prediction], size: float, status: Status
               ) -> list[str]:
    import numpy as np

    terms = " and ".join(problem.terms)
    found = []
    if size:
        found.append(f"{terms} of {problem.model.title}: {problem.weights} weights learned from {len(problem.rows.runs)} runs, "
                     f"corrections of the usual size {size:g}; the runs left out decided.")
    elif status:
        found.append(f"{terms} of {problem.model.title}: no correction predicts the runs left out better than the model as it "
                     "is; it was kept. More runs, other arguments or calibrated parameters may help.")
    else:
        found.append(f"{terms} of {problem.model.title}: training ended before anything could be compared; the model was kept.")
    for signal in problem.rows.signals:
        mine = [r for r in rows if r.signal == signal]
        if mine and size:
            before, after = (float(np.sqrt(np.mean([getattr(r, n) ** 2 for r in mine]))) for n in ("before", "after"))
            word = "less" if after < before else "more"
            found.append(f"{signal}: runs left out are met with an error of {after:.3g} {mine[0].unit}; without correction "
                         f"it is {before:.3g} {mine[0].unit} ({abs(1 - after / before):.0%} {word}).")
    found += [f"Worse than before: {r.signal} of run '{r.run}', {r.after:.3g} instead of {r.before:.3g} {r.unit}."
              for r in rows if size and r.after > 1.1 * r.before]
    found += [f"Run '{run}' cannot be simulated by the model as it is and was left aside. Check its inputs and start."
              for run in problem.rows.runs if run not in problem.heard]
    return [*found, *_odd_samples(predictions, rows), *_odd_runs(rows)]


def _odd_samples(predictions: Sequence[Prediction], rows: Sequence[LeftOut]) -> list[str]:
    """Samples that no member comes near, with the power of ten that would explain them."""
    import numpy as np

    units, found = {r.signal: r.unit for r in rows}, []
    for p in predictions:
        off = p.measured - p.predicted
        usual = 1.4826 * float(np.median(np.abs(off)))
        for k in np.flatnonzero(np.abs(off) > ODD_SAMPLE * max(usual, 1e-12)):
            alone = abs(off[k]) > 0.5 * max(abs(float(p.measured[k])), float(np.ptp(p.predicted)))
            ratio = p.measured[k] / p.predicted[k] if p.predicted[k] else 0.0
            power = round(float(np.log10(ratio))) if ratio > 0 else 0
            if not alone or abs(power) < 2 or abs(np.log10(ratio) - power) > 0.3:
                continue
            found.append(f"{p.signal} of run '{p.run}' is {float(p.measured[k]):.3g} {units[p.signal]} at "
                         f"{float(p.times[k]):.3g}, where {float(p.predicted[k]):.3g} {units[p.signal]} is expected: "
                         f"about {10.0**power:g} times. Is the sample in another unit?")
    return found


def _odd_runs(rows: Sequence[LeftOut]) -> list[str]:
    """Runs that members trained on the others do not meet."""
    import numpy as np

    usual = {s: float(np.median([r.after for r in rows if r.signal == s])) for s in {r.signal for r in rows}}
    worst: dict[str, list[LeftOut]] = {}
    for r in rows:
        if r.after > ODD_RUN * usual[r.signal] > 0:
            worst.setdefault(r.run, []).append(r)
    if len({r.run for r in rows}) < 4:
        return []
    found = []
    for run, mine in worst.items():
        told = ", ".join(f"{r.signal} is off by {r.after:.3g} {r.unit}, usual is {usual[r.signal]:.3g}" for r in mine)
        found.append(f"Run '{run}' contradicts the others: {told}. Is it labeled right, or was something else done that is not "
                     "recorded?")
    return found
