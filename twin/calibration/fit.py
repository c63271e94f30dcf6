"""calibrate: parameters, initial states and biases from measured runs, with what they are worth."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.calibration import starts as starting
from twin.calibration.experiments import experiments_of, unused
from twin.calibration.noise import Noise
from twin.calibration.pieces import Pieces, small, usable
from twin.calibration.problem import Problem, leverages
from twin.calibration.residuals import RTOL, Residuals
from twin.calibration.result import Calibration, concluded
from twin.calibration.squares import TOLERANCE, Loss, Outcome
from twin.calibration.unknowns import Unknown, space_of
from twin.simulation.checks import Checker
from twin.status import Status

METHODS = ("auto", "shooting", "multiple")
ROUNDS = 20  # most estimates of the noise
ROUGH = 1e-2  # a tenth of a standard error
Progress = Callable[[int, float], None]


def calibrate(model: Any, data: Any, unknowns: Sequence[str | Unknown] | Mapping[str, Any] | str | None = None, *,
              signals: Sequence[str] | None = None, recipe: Any = None, inputs: Mapping[str, Any] | None = None,
              initial: Any = None, noise: Any = None, loss: str | Loss = "squares", method: str = "auto", starts: int = 1,
              spread: float = 10.0, exclude: Iterable[tuple[str, str, float]] = (), confidence: float = 0.95,
              rtol: float = RTOL, max_iterations: int = 100, max_seconds: float = math.inf, seed: int = 0,
              threads: int | None = None, execution: str | None = None, progress: Progress | None = None,
              throw: bool = True) -> Calibration:
    """Fit parameters, initial states and input biases of a dynamic model to measured runs.

    Parameters
    ----------
    model
        A dynamic model.
    data
        `twin.Data`, one of its runs, a DataFrame, or {signal: (times, values)} in the units of the model. Every series
        that is a state, algebraic or output is fitted, at its own times; inputs and disturbances are used as measured.
    unknowns
        Names or `twin.Unknown`: parameters, "initial.<state>", "bias.<input>"; {name: start} works as well. All
        parameters of the model without.
    signals
        Measured signals to fit; all without.
    recipe
        A recipe for all runs or {run: recipe}; without, the measured inputs, over those of the recipe of the model.
    inputs
        Inputs and disturbances for all runs where they were not measured.
    initial
        Initial states that are known: {state: value}, {run: {state: value}}, or "first": the first sample of each
        measured state. Those of the model without.
    noise
        Standard deviation of each signal: {signal: number, "0.1 g/l", "3 %", or (absolute, relative)}. Signals not named
        get one that is estimated from their residuals. "equal": all samples count alike (ordinary least squares).
    loss
        "squares", "huber" or "soft_l1": the last two let single wild samples count less; a `Loss` sets their threshold.
    method
        "shooting" (each run in one piece, exact sensitivities), "multiple" (many short pieces that are joined at the
        optimum: for stiff, unstable or badly started fits), or "auto".
    starts
        Number of starts; those after the first are drawn within the bounds and a factor `spread` of the first guess.
    spread
        How far other starts lie: a factor each way, on a log scale where the value is positive.
    exclude
        Samples to leave out: (run, signal, time); the attribute `outliers` of a calibration has this form.
    confidence
        Level of the intervals, 0.95 for 95 %.
    rtol, execution
        Tolerance and execution of the simulations, as in `twin.simulate`.
    max_iterations, max_seconds
        Limits of the whole fit.
    seed
        Of the random starts.
    threads
        Most simulations at once; all processors without.
    progress
        Called with the number of steps and the cost; a line on a terminal without.
    throw
        False returns a fit that did not converge with its status instead of raising.

    Raises
    ------
    SpecError
        Where names, units, bounds or options are wrong.
    DataError
        Where the data hold nothing that can be fitted.
    ConvergenceError
        Where the model cannot be simulated from any start, or the fit does not converge; `.calibration` holds it.

    Notes
    -----
    Levenberg-Marquardt on scaled coordinates within bounds; see `twin.calibration.squares`. Intervals are quadratic, with
    quantiles of Student's t; `profile` checks them.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> plant = twin.simulate(ExothermicCstr(ua=5.2e4), {"t_coolant": 300.0}, duration=4, points=21)
    >>> data = {"temperature": (plant.times, plant["temperature"])}
    >>> fit = twin.calibrate(ExothermicCstr(), data, ["ua"], inputs={"t_coolant": 300.0}, noise={"temperature": 0.1})
    >>> round(fit["ua"])
    52000
    """
    begin = time.perf_counter()
    if method not in METHODS:
        raise errors.SpecError(f"method is {method!r}. Expected one of {', '.join(METHODS)}.")
    if not 0 < confidence < 1:
        raise errors.out_of_range("confidence", confidence, "-", 0, 1, "Give 0.95, for example.")
    experiments = experiments_of(model, data, signals=signals, recipe=recipe, inputs=inputs, initial=initial, exclude=exclude)
    space = space_of(model, unknowns, [e.name for e in experiments], {e.name: e.initial for e in experiments})
    engine = Residuals(model, experiments, [(c.name, c.run) for c in space.coordinates], rtol=rtol, execution=execution,
                       threads=threads)
    robust = loss if isinstance(loss, Loss) else Loss(loss)
    problem = Problem(engine, space, Noise(model, engine.rows, noise), robust)
    limits = _Limits(max_iterations, begin + max_seconds, progress)
    found = _by_method(problem, method, noise, limits, threads, (starts, spread, seed))
    limits.close()
    said = [*unused(model, experiments), *found.said]
    result = concluded(found.problem, found.outcome, said, confidence, found.others, time.perf_counter() - begin, limits.used)
    if throw and result.status in (Status.NOT_CONVERGED, Status.ITERATION_LIMIT):
        raise errors.ConvergenceError(f"{result.message} Best so far: {result.summary()}", status=result.status,
                                      calibration=result)
    return result


def _by_method(problem: Problem, method: str, noise: Any, limits: _Limits, threads: int | None,
               starts: tuple[int, float, int]) -> _Search:
    """The search by the method wanted; "auto" goes on with shooting where pieces cannot be used or do not get there."""
    why = usable(problem.engine) if method != "shooting" else ""
    if method == "multiple" and why:
        raise errors.SpecError(f"{why} Use method='shooting'.")
    if method == "shooting" or why or (method == "auto" and not small(problem.engine)):
        return _Search(problem, noise, limits, threads).run(*starts)
    joined = dataclasses.replace(problem, engine=Pieces(problem.engine))
    try:
        search = _Search(joined, noise, limits, threads).run(*starts)
    except errors.ConvergenceError:
        if method == "multiple":
            raise
        return _Search(problem, noise, limits, threads).run(*starts)
    if search.outcome.status is Status.NOT_CONVERGED and method == "auto":
        again = _Search(problem, noise, limits, threads)
        return again.run(1, *starts[1:], q=search.outcome.q)
    return search


class _Limits:
    """What is left of steps and time."""

    def __init__(self, iterations: int, until: float, progress: Progress | None) -> None:
        self.left, self.until, self.used = iterations, until, 0
        self.line = starting.Line()
        self.progress = progress or self.line

    @property
    def seconds(self) -> float:
        return self.until - time.perf_counter()

    def close(self) -> None:
        self.line.close()

    def take(self, outcome: Outcome) -> None:
        self.used += outcome.iterations
        self.left -= outcome.iterations


class _Search:
    """From the first guess to the optimum: runs that fail, several starts, noise."""

    def __init__(self, problem: Problem, noise: Any, limits: _Limits, threads: int | None) -> None:
        self.problem, self.noise, self.limits, self.threads = problem, noise, limits, threads
        self.said = list(problem.space.moved)
        self.others: tuple[tuple[float, Any], ...] = ()
        self.outcome: Outcome

    @property
    def model(self) -> Any:
        return self.problem.engine.model

    def run(self, count: int, spread: float, seed: int, q: Any = None) -> _Search:
        """Find the optimum, from q or from the first guess."""
        q = self.problem.space.start if q is None else q
        if not hasattr(self.problem.engine, "fit"):
            q = self._simulable(q, spread, seed)
        if count > 1:
            found = starting.from_many(self.problem, q, count, spread, seed, self.threads, self.limits.left, self.limits.seconds)
            self.others, q = tuple(found.tried), found.best
            self.said.append(found.sentence)
        self._fit(q)
        return self

    def _fit(self, q: Any) -> None:
        """Fit, estimate the noise, fit again until it stands still."""
        problem, rough = self.problem, bool(self.problem.noise.estimated)
        for _ in range(ROUNDS):
            self.outcome = problem.fit(q, max_iterations=max(self.limits.left, 1), max_seconds=self.limits.seconds,
                                       tolerance=ROUGH if rough else TOLERANCE, progress=self.limits.progress)
            self.limits.take(self.outcome)
            q, m = self.outcome.q, len(problem.engine.rows)
            if not problem.noise.estimated or not self.outcome.status:
                break
            raw = self.outcome.residuals[:m] * problem.noise.sigma
            hat = leverages(self.outcome.jacobian[:, ~problem.held(q, self.outcome)])[:m]
            change = problem.noise.update(raw, hat, problem.loss.kind != "squares")
            still = change < 1e-3 or self._only_scales()
            if still and not rough:
                break
            rough = not still and change > 0.05  # deviations that still move need no optimum to the last digit
        if problem.noise.estimated:
            again = problem.weighted(q)  # with the last deviations
            if again is not None:
                self.outcome = _with(self.outcome, *again, problem.loss)

    def _only_scales(self) -> bool:
        """True where the deviation of the only signal moves the cost, but not the optimum."""
        p = self.problem
        return len(p.engine.rows.signals) == 1 and p.loss.kind == "squares" and not len(p.space.prior_rows()[0])

    def _simulable(self, q: Any, spread: float, seed: int) -> Any:
        """A first guess from which every run, or at least some, can be simulated."""
        problem = self.problem
        found = problem.evaluation(q)
        names = [e.name for e in problem.engine.experiments if e.count]
        if not found.failed:
            return q
        if len(found.failed) == len(names):
            for other in starting.drawn(problem.space, q, 20, spread, seed):
                trial = problem.evaluation(other)
                if len(trial.failed) < len(names):
                    self.said.append(f"{Checker(self.model).name} cannot be simulated from the first guess "
                                     f"({next(iter(found.failed.values()))}); the fit started elsewhere.")
                    q, found = other, trial
                    break
            else:
                raise errors.ConvergenceError(
                    f"{Checker(self.model).name} cannot be simulated at the start of the fit, nor at 20 others around it: "
                    f"{next(iter(found.failed.values()))} Give another start or tighter bounds, or method='multiple'.",
                    status=Status.NOT_FINITE)
        return self._without_failing(q, found.failed) if found.failed else q

    def _without_failing(self, q: Any, failed: Mapping[str, str]) -> Any:
        """Fit the runs that can be simulated first; those that fail even then are left out."""
        full = self.problem
        alive = [e.name for e in full.engine.experiments if e.name not in failed and e.count]
        part = full.engine.restrict(alive)
        problem = Problem(part, full.space, Noise(self.model, part.rows, self.noise), full.loss)
        outcome = problem.fit(q, max_iterations=self.limits.left, max_seconds=self.limits.seconds, progress=self.limits.progress)
        self.limits.take(outcome)
        still = full.evaluation(outcome.q).failed
        for name, why in failed.items():
            if name in still:
                self.said.append(f"Run '{name}' could not be simulated and was left out: {why}")
            else:
                self.said.append(f"Run '{name}' could not be simulated from the first guess ({why}); it could after the others "
                                 "were fitted, and was used.")
        if still:
            alive = [e.name for e in full.engine.experiments if e.name not in still and e.count]
            part = full.engine.restrict(alive)
            self.problem = Problem(part, full.space, Noise(self.model, part.rows, self.noise), full.loss)
        return outcome.q


def _with(outcome: Outcome, residuals: Any, jacobian: Any, loss: Loss) -> Outcome:
    """The outcome with rows in other deviations."""
    return dataclasses.replace(outcome, residuals=residuals, jacobian=jacobian, cost=loss.cost(residuals))

