"""train: learned terms fitted through the simulation, as large as runs that were left out say they should be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors, learned
from twin.learning.conclusion import conclude
from twin.learning.problem import state_problem
from twin.learning.result import Training
from twin.learning.walk import Clock, LateError, Walk, best, errors_of
from twin.status import Status

SIZES = (0.03, 0.1, 0.3, 1.0)
FOLDS = 8  # with more runs than these they are left out in groups
MEMBERS = 3  # with other random starts, where named runs decide
WORSE = 1.25  # times the best error on runs left out: beyond it larger corrections are not tried
Terms = Mapping[str, Any] | Sequence[str]


def train(model: Any, data: Any, *, terms: Terms, parameters: Sequence[str] = (), signals: Sequence[str] | None = None,
          noise: Any = None, initial: Any = None,
          inputs: Mapping[str, Any] | None = None, left_out: int | Sequence[str] | None = None,
          sizes: Sequence[float] = SIZES, max_iterations: int = 8, start: str | None = None, rtol: float = 1e-5, seed: int = 0,
          max_seconds: float | None = None, execution: str | None = None, throw: bool = True,
          progress: Callable[[str], None] | None = None) -> Training:
    """Learn corrections of terms from measured runs, through the simulation.

    The runs are left out in turn: one member of an ensemble is trained on the others, from small corrections to larger
    ones (`sizes`, the usual size of a net's output), and judged on the runs that it never saw. What predicts these best,
    over all members, is the size and length of training; no correction at all is one of the choices. The returned model
    is trained on all runs with that choice. Steps are those of Levenberg and Marquardt with exact forward sensitivities.

    Parameters
    ----------
    model
        A dynamic model with its class (not a stored one); its parameters are best calibrated before.
    data
        `twin.Data`, at least two runs. Inputs and disturbances are taken as measured.
    terms
        {term: correction}, where a correction is `twin.Multiply`, `twin.Add` or `twin.Replace`, or a net alone (which
        multiplies), or the names of the arguments that a small `twin.Mlp` shall see. A sequence of terms lets it see all.
    parameters
        Names of parameters that are fitted beside the terms, held near their values (20 %) and within their bounds.
    signals
        Measured states, algebraics and outputs to fit; all that are measured without.
    noise
        As in `calibrate`: {signal: 0.1, "3 %" or (0.1, "3 %")}. Sizes are estimated from the residuals of each signal; this
        says how the error grows with the value.
    initial
        As in `calibrate`: {state: value}, {run: {state: value}}, or "first" for the first sample of each measured state.
    inputs
        Inputs and disturbances that are not measured, or replace what is.
    left_out
        Number of groups that are left out in turn, or names of the runs that alone decide. Every run in turn without,
        in groups where there are more than eight.
    sizes
        Usual sizes of the output of a net, increasing.
    max_iterations
        Most steps for each size.
    start
        "zero" starts each member at no correction; "rates" at what matches the changes between measurements, found without
        simulating: where a term is replaced, or the model diverges without its correction. By itself "rates" where a term is
        replaced, else "zero".
    rtol
        Tolerance of the simulations.
    seed
        Seed of the random starts.
    max_seconds
        Time after which training ends with what it has.
    execution
        As in `twin.simulate`.
    throw
        False returns a result with its status where the time ran out or the user stopped it.
    progress
        Called with a sentence now and then.

    Returns
    -------
    Training
        `.model`, `.members`, `.left_out`, `.sentences`, `.table()`, `.plot()`.

    Raises
    ------
    SpecError
        Where a name is unknown or a correction does not fit its term.
    DataError
        Where there are too few runs or a run measures nothing.
    ConvergenceError
        Where the model cannot be simulated through any of the runs; where training ended early, with `.training`.

    Examples
    --------
    >>> import twin
    >>> from processes.bioreactor import BajpaiReuss
    >>> runs = []
    >>> for k, feed in enumerate((8.0, 11.0)):
    ...     run = twin.simulate(BajpaiReuss(k_i=0.3), {"feed": feed}, duration=60, points=21)
    ...     series = [twin.Series(n, run.times, run[n], run.unit(n)) for n in ("feed", "biomass", "product")]
    ...     runs.append(twin.Run(f"batch {k}", None, series, "h"))
    >>> made = {"production_rate": twin.Spline.over({"substrate": (0.0, 0.5)}, pieces=2)}
    >>> result = twin.train(BajpaiReuss(), twin.Data(runs), terms=made, sizes=(0.3,))
    >>> result.gain("product") > 0.5
    True
    """
    began = time.perf_counter()
    if not sizes or min(sizes) <= 0 or list(sizes) != sorted(sizes):
        raise errors.SpecError(f"sizes are {tuple(sizes)}. Expected positive sizes, increasing.")
    if start not in (None, "rates", "zero"):
        raise errors.unknown("start", str(start), "train", ("rates", "zero"))
    problem = state_problem(model, data, terms, parameters=tuple(parameters), signals=signals, noise=noise,
                            initial=initial, inputs=inputs, rtol=rtol, execution=execution)
    if start is None:
        start = "rates" if any(isinstance(problem.model.learned[n], learned.Replace) for n in problem.terms) else "zero"
    folds = folds_of(problem.rows.runs, left_out)
    clock = Clock(None if max_seconds is None else began + max_seconds)
    walks = [Walk(problem, fold, seed + k, clock) for k, fold in enumerate(folds)]
    final, chosen, status = Walk(problem, (), seed, clock), None, Status.SUCCESS
    try:
        for k, walk in enumerate(walks):
            _tell(progress, f"member {k + 1} of {len(walks)}: {'slopes' if start == 'rates' else 'start'}")
            walk.begin(start)
        for size in sizes:
            for k, walk in enumerate(walks):
                _tell(progress, f"member {k + 1} of {len(walks)}: corrections of size {size:g}")
                walk.advance(size, max_iterations)
            chosen = best(walks)
            if errors_of(walks)[-1].min() > WORSE * chosen.error:
                break
        if chosen is not None and chosen.stage >= 0:
            _tell(progress, "all runs")
            final.begin(start)
            for k, size in enumerate(sizes[:chosen.stage + 1]):
                final.advance(size, chosen.iteration + 1 if k == chosen.stage else max_iterations)
    except KeyboardInterrupt:
        status = Status.STOPPED
    except LateError:
        status = Status.TIME_LIMIT
    result = conclude(model, problem, walks, final, chosen, tuple(sizes), status, time.perf_counter() - began)
    if throw and not status:
        raise errors.ConvergenceError(result.message, status=status, training=result)
    return result


def folds_of(names: Sequence[str], left_out: int | Sequence[str] | None) -> list[tuple[int, ...]]:
    """Which runs each member does without."""
    if left_out is None:
        left_out = min(len(names), FOLDS)
    if isinstance(left_out, int):
        if not 2 <= left_out <= len(names):
            raise errors.SpecError(f"left_out is {left_out}. Expected 2 to {len(names)} groups of the {len(names)} runs, or "
                                   "names of runs.")
        return [tuple(range(k, len(names), left_out)) for k in range(left_out)]
    left_out = (left_out,) if isinstance(left_out, str) else tuple(left_out)
    for name in left_out:
        if name not in names:
            raise errors.unknown("run", name, "the data", names)
    if not 0 < len(left_out) < len(names):
        raise errors.SpecError(f"left_out names {len(left_out)} of {len(names)} runs. Expected at least one, and at least one "
                               "that is left to learn from.")
    return [tuple(k for k, n in enumerate(names) if n in left_out)] * MEMBERS


def _tell(progress: Callable[[str], None] | None, text: str) -> None:
    if progress is not None:
        progress(text)
