"""Calibration: the frozen answer, and how it is put together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.calibration import replays
from twin.calibration.precision import correlation, intervals, precision_of
from twin.calibration.problem import Problem
from twin.calibration.residuals import Rows
from twin.calibration.squares import Outcome
from twin.calibration.unknowns import BIAS, INITIAL
from twin.scenarios import Scenarios
from twin.simulation.checks import Checker
from twin.status import Status


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What a calibration found and what it is worth; `calibration["mu_max"]` is a value.

    Attributes
    ----------
    model
        The calibrated model: parameters found for all runs are in it.
    status, message
        How the fit ended, and that in a sentence.
    parameters
        Value of each unknown by name ("name@run" where each run has its own), in the units of `units`.
    units
        Unit of each unknown.
    intervals
        (lower, upper) of each unknown at the level `confidence`, quadratic, with quantiles of Student's t; on a log
        scale they are factors. NaN where a bound holds the value.
    confidence
        Level of the intervals.
    standard_errors
        Standard error of each unknown, in its unit; 0 where a bound holds it.
    at_bound
        Names that a bound holds.
    covariance, correlation
        Matrices (n, n) in the order of `parameters`, in their units.
    objective
        Weighted sum of squares (of losses) of all residuals and priors.
    noise
        Standard deviation of each signal, stated or estimated, in its unit; with "equal" that of all samples.
    degrees
        Residuals and priors less free unknowns.
    reduced
        `objective` over `degrees`: about 1 where model and noise agree with the data.
    tests
        Tests of the residuals of each signal: a row (dictionary) each, see `tests_table`.
    findings
        Sentences on what a reader must know: unknowns that the data do not fix, runs that contradict, samples that stand
        out, residuals with a pattern.
    outliers
        (run, signal, time) of samples that stand out; `twin.calibrate(..., exclude=...)` leaves them out.
    starts
        (objective, values) of each of several starts, best first.
    rows
        The samples: arrays `run`, `signal`, `time`, `value`, and the names.
    values, residuals
        Model values at the samples, and (model - measured) over the standard deviation, shape (m,).
    method
        "multiple" or "shooting": how the optimum was found.
    stats
        Steps, evaluations, failed evaluations, seconds.
    problem, outcome
        What was solved and where it ended; for `profile` and for helpers.
    """

    model: Any
    status: Status
    message: str
    parameters: Mapping[str, float]
    units: Mapping[str, str]
    intervals: Mapping[str, tuple[float, float]]
    confidence: float
    standard_errors: Mapping[str, float]
    at_bound: tuple[str, ...]
    covariance: Any
    correlation: Any
    objective: float
    noise: Mapping[str, float]
    degrees: int
    reduced: float
    tests: tuple[Mapping[str, Any], ...]
    findings: tuple[str, ...]
    outliers: tuple[tuple[str, str, float], ...]
    starts: tuple[tuple[float, Any], ...]
    rows: Rows
    values: Any
    residuals: Any
    method: str
    stats: Mapping[str, float]
    problem: Problem
    outcome: Outcome

    def __getitem__(self, name: str) -> float:
        if name not in self.parameters:
            raise errors.unknown("unknown", name, "this calibration", self.parameters)
        return self.parameters[name]

    def __repr__(self) -> str:
        return f"Calibration({self.summary()} {self.status.name})"

    def summary(self) -> str:
        """One line: values with units."""
        shown = [f"{n} = {v:.6g} {self.units[n]}" for n, v in self.parameters.items()]
        return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more." if len(shown) > 8 else ".")

    def table(self) -> Any:
        """DataFrame: one row an unknown with value, unit, standard error, interval, relative error, start and bounds."""
        import pandas as pd

        rows = []
        for c in self.problem.space.coordinates:
            low, high = self.intervals[c.label]
            value, error = self.parameters[c.label], self.standard_errors[c.label]
            rows.append({"name": c.label, "value": value, "unit": c.unit, "std_error": error, "lower": low, "upper": high,
                         "relative": error / abs(value) if value else math.nan, "start": c.start, "bound_low": c.lower,
                         "bound_high": c.upper, "at_bound": c.label in self.at_bound})
        return pd.DataFrame(rows).set_index("name")

    def tests_table(self) -> Any:
        """DataFrame: one row a signal with number of samples, noise, bias and p-values of the tests of its residuals."""
        import pandas as pd

        return pd.DataFrame([dict(t) for t in self.tests]).set_index("signal")

    def to_frame(self) -> Any:
        """DataFrame: one row a sample with run, signal, time, measured, model and standardized residual."""
        import numpy as np
        import pandas as pd

        rows = self.rows
        runs, signals = (np.array(names, dtype=object) for names in (rows.runs, rows.signals))
        return pd.DataFrame({"run": runs[rows.run], "signal": signals[rows.signal], "time": rows.time, "measured": rows.value,
                             "model": self.values, "residual": self.residuals})

    def simulate(self, run: str | None = None, **options: Any) -> Any:
        """Trajectory of one of the runs with what was found for it; `options` as `twin.simulate`."""
        from twin.simulation.simulate import simulate

        names = [e.name for e in self.problem.engine.experiments]
        run = names[0] if run is None else run
        if run not in names:
            raise errors.unknown("run", run, "this calibration", names)
        experiment = self.problem.engine.experiments[names.index(run)]
        initial, parameters, recipe = replays.conditions(self.problem.engine, run, list(self.parameters.values()))
        options = {"duration": experiment.times[-1], "check_limits": False, **options}
        if "times" in options:
            del options["duration"]
        return simulate(self.model, recipe, initial=initial, parameters=parameters, **options)

    def compare(self) -> Any:
        """The calibrated model beside all runs: a `twin.compare` comparison."""
        from twin.simulation.comparison import compare

        experiments = [e for e in self.problem.engine.experiments if e.count]
        trajectories = {e.name: self.simulate(e.name) for e in experiments}
        return compare(trajectories, [e.data for e in experiments])

    def scenarios(self, count: int = 50, *, seed: int = 0) -> Scenarios:
        """Samples of the unknowns that belong to the model, from the linearized posterior.

        Parameters
        ----------
        count
            Number of samples, equally weighted.
        seed
            Of the random numbers.

        Returns
        -------
        twin.Scenarios
            A multivariate Student's t in the coordinates of the fit (logarithms on a log scale), kept within the bounds.
            Values of single runs ("name@run") are not part of it.

        Raises
        ------
        SpecError
            Where the data do not fix an unknown: it has no distribution.
        """
        from twin.calibration.posterior import sampled

        return sampled(self, count, seed)

    def profile(self, name: str, *, points: int = 13, reach: float = 3.0) -> Any:
        """Profile likelihood of one unknown: the best objective for each fixed value.

        Parameters
        ----------
        name
            One of `parameters`.
        points
            Number of values, around the optimum.
        reach
            How far they go, in standard errors each way.
        """
        from twin.calibration.posterior import profiled

        return profiled(self, name, points, reach)

    def plot(self, kind: str = "fit", **options: Any) -> Any:
        """matplotlib Figure: "fit" (model beside data), "residuals", "parameters" (intervals), or "correlation"."""
        from twin.calibration.plots import plot

        return plot(self, kind, **options)


def concluded(problem: Problem, outcome: Outcome, said: Sequence[str], confidence: float,
              others: Sequence[tuple[float, Any]], seconds: float, steps: int) -> Calibration:
    """The Calibration of an outcome."""
    import numpy as np

    from twin.calibration import diagnostics

    space, engine = problem.space, problem.engine
    q, natural = outcome.q, problem.space.natural(outcome.q)
    precision = precision_of(problem, outcome)
    slope = space.slope(natural)
    with np.errstate(invalid="ignore"):
        covariance = np.where(precision.covariance == 0, 0.0, precision.covariance * np.outer(slope, slope))
    labels = space.labels
    m = len(engine.rows)
    residuals = outcome.residuals[:m]
    values = engine.rows.value + residuals * problem.noise.sigma
    parameters = dict(zip(labels, (float(v) for v in natural), strict=True))
    noise = problem.noise.mean
    if problem.noise.equal:
        noise = dict.fromkeys(noise, math.sqrt(precision.reduced) if precision.degrees > 0 else math.nan)
    found = diagnostics.examine(problem, outcome, precision, confidence)
    message = f"{outcome.status} {outcome.message}".strip()
    return Calibration(
        model=_calibrated(engine, space, natural), status=outcome.status, message=message, parameters=parameters,
        units={c.label: c.unit for c in space.coordinates},
        intervals=dict(zip(labels, intervals(problem, q, precision, confidence), strict=True)), confidence=confidence,
        standard_errors=dict(zip(labels, (float(v) for v in np.sqrt(np.diag(covariance))), strict=True)),
        at_bound=tuple(label for label, held in zip(labels, precision.held, strict=True) if held), covariance=covariance,
        correlation=correlation(covariance), objective=outcome.cost, noise=noise, degrees=precision.degrees,
        reduced=precision.reduced, tests=found.tests, findings=(*said, *found.sentences), outliers=found.outliers,
        starts=tuple((cost, space.natural(point)) for cost, point in others), rows=engine.rows, values=values,
        residuals=residuals, method="multiple" if hasattr(engine, "fit") else "shooting",
        stats={"steps": steps, "evaluations": outcome.evaluations, "failed": outcome.failures, "seconds": seconds},
        problem=problem, outcome=outcome)


def _calibrated(engine: Any, space: Any, natural: Any) -> Any:
    """The model with the parameters that hold for all runs."""
    model = engine.model
    names = Checker(model).parameter_names()
    p = [float(v) for v in Checker(model).parameters(None)]
    for c, value in zip(space.coordinates, natural, strict=True):
        if c.run is None and not c.name.startswith((INITIAL, BIAS)):
            p[names.index(c.name)] = float(value)
    import numpy as np

    changed = model.with_parameter_vector(np.asarray(p))
    for f in dataclasses.fields(changed):
        value = getattr(changed, f.name)
        if isinstance(value, np.floating):
            object.__setattr__(changed, f.name, float(value))
    return changed
