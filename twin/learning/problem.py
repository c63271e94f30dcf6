"""The problem behind `train`: a model with corrections, its unknowns in scaled coordinates, and runs to meet."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors, learned
from twin.calibration.experiments import Experiment, experiments_of
from twin.calibration.noise import Noise
from twin.calibration.residuals import Residuals, Rows
from twin.calibration.squares import Loss
from twin.functions import Mlp
from twin.learning.domain import ROLES, arguments
from twin.learning.kept import with_numbers
from twin.learning.matching import Changes, changes
from twin.simulation.checks import parameter_facts

RELATIVE = 0.2  # usual relative change of a parameter that is fitted beside the terms
HIDDEN = (5,)
LEAST = 1e-3  # of the median: smallest width of an input that a net is scaled to
LOSS = Loss("soft_l1", 3.0)  # one sample in another unit does not decide the fit


@dataclasses.dataclass(frozen=True)
class Prior:
    """Rows A and targets a of the penalty |A theta - a|**2."""

    rows: Any
    target: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is fitted to what.

    Attributes
    ----------
    model
        With corrections in place, near zero.
    unknowns
        Names of weights, then of parameters, as `model.parameter_names()` has them.
    engine
        Simulates all runs and gives derivatives with respect to the unknowns.
    spread
        Usual error of each sample, shape (m,), in the order of `engine.rows`.
    start
        Values of the samples by the model without corrections, shape (m,); NaN in runs that it cannot be simulated through.
    heard
        Arguments of the terms along these simulations: {term: {argument: values}} by run.
    """

    model: Any
    terms: tuple[str, ...]
    unknowns: tuple[str, ...]
    weights: int
    index: Any
    base: Any
    engine: Residuals
    spread: Any
    start: Any
    heard: Mapping[str, Mapping[str, Mapping[str, Any]]]
    lower: Any
    upper: Any

    @functools.cached_property
    def changes(self) -> Changes | None:
        """What the fast start matches."""
        return changes(self)

    @functools.cached_property
    def sizes(self) -> Any:
        """Change of each unknown for one unit of its coordinate: 1 for weights, the value for parameters."""
        import numpy as np

        return np.concatenate([np.ones(self.weights), np.abs(self.base[self.index][self.weights:])])

    @property
    def rows(self) -> Rows:
        """Where each sample comes from."""
        return self.engine.rows

    @functools.cached_property
    def usable(self) -> tuple[int, ...]:
        """Positions of the runs that the model without corrections can be simulated through."""
        return tuple(k for k, name in enumerate(self.rows.runs) if name in self.heard)

    def of(self, runs: Sequence[int]) -> Any:
        """Mask of the samples of some runs."""
        import numpy as np

        return np.isin(self.rows.run, list(runs))

    def values(self, theta: Any) -> Any:
        """Unknowns in their units: weights as they are, parameters from their relative change."""
        moved = theta * self.sizes
        moved[self.weights:] += self.base[self.index][self.weights:]
        return moved

    def encode(self, model: Any) -> Any:
        """Coordinates of a model."""
        import numpy as np

        p = np.asarray(model.parameter_vector(), float)[self.index]
        p[self.weights:] -= self.base[self.index][self.weights:]
        return p / self.sizes

    def model_at(self, theta: Any) -> Any:
        """The model with these unknowns, as plain numbers."""
        p = self.base.copy()
        p[self.index] = self.values(theta)
        return with_numbers(self.model, p)

    def restarted(self, seed: int) -> tuple[Any, Mapping[str, Any]]:
        """Coordinates of a fresh random start, and its corrections by term."""
        fixes = {n: dataclasses.replace(self.model.learned[n], net=self.model.learned[n].net.restarted(seed + 101 * k))
                 for k, n in enumerate(self.terms)}
        return self.encode(self.model.with_learned(fixes)), fixes

    def prior(self, fixes: Mapping[str, Any], size: float) -> Prior:
        """Usual weights for outputs of about `size`, usual parameters near where they are."""
        import numpy as np
        from scipy.linalg import block_diag

        parts = [fixes[n].net.prior(size) for n in self.terms]
        spare = len(self.unknowns) - self.weights
        rows = block_diag(*(rows for rows, _ in parts), np.eye(spare) / RELATIVE)
        return Prior(rows, np.concatenate([*(target for _, target in parts), np.zeros(spare)]))

    def residuals(self, runs: Sequence[int], scale: Mapping[str, float], prior: Prior) -> Callable[[Any], Any]:
        """theta -> residuals of some runs with the prior below them, and their Jacobian when it is asked for."""
        import numpy as np

        runs = [k for k in runs if k in self.usable]
        engine, mask = self.engine.restrict([self.rows.runs[k] for k in runs]), self.of(runs)
        spread = self.spread[mask] * np.array([scale[self.rows.signals[s]] for s in self.rows.signal[mask]])

        def jacobian(theta: Any) -> Any:
            found = engine.evaluate(self.values(theta))
            return None if found.failed else np.vstack([found.jacobian * self.sizes / spread[:, None], prior.rows])

        def function(theta: Any) -> Any:
            found = engine.evaluate(self.values(theta), False)
            if found.failed:
                return None
            r = np.concatenate([(found.values - self.rows.value[mask]) / spread, prior.rows @ theta - prior.target])
            return r, functools.partial(jacobian, theta)

        return function

    def predicted(self, theta: Any, runs: Sequence[int] | None = None) -> Any:
        """Model values of all samples, shape (m,); NaN for other runs, and for those that cannot be simulated."""
        import numpy as np

        runs = self.usable if runs is None else [k for k in runs if k in self.usable]
        values = np.full(len(self.rows), np.nan)
        if runs:
            found = self.engine.restrict([self.rows.runs[k] for k in runs]).evaluate(self.values(theta), False)
            values[self.of(runs)] = found.values
        return values


def state_problem(model: Any, data: Any, terms: Any, *, parameters: Sequence[str], signals: Sequence[str] | None, noise: Any,
                  initial: Any, inputs: Mapping[str, Any] | None, rtol: float, execution: str | None) -> Problem:
    """Check everything and prepare the simulations."""
    import numpy as np

    if not hasattr(model, "with_learned"):
        raise errors.SpecError(f"{getattr(model, 'name', model)} is stored without its class, so that no term of it can be "
                               "corrected. Give the class: twin.load(path, model=Class).")
    names = tuple(sorted((terms,) if isinstance(terms, str) else terms))
    known = model.terms()
    for n in names:
        if n not in known:
            raise errors.unknown("term", n, model.title, known)
    if not names:
        raise errors.SpecError(f"terms is empty. Name what shall be learned: {', '.join(known) or 'the model has no term'}.")
    experiments = experiments_of(model, data, signals=signals, inputs=inputs, initial=initial)
    if len(experiments) < 2:
        raise errors.DataError(f"train got {len(experiments)} run. Expected at least two: one to learn from and one to judge by. "
                               "Cut a long run in two with run.between(first, last).")
    for e in experiments:
        if not e.count:
            raise errors.DataError(f"Run '{e.name}' has no usable sample of a fitted signal. Leave the run out.", name=e.name)
    options: dict[str, Any] = {"rtol": rtol, "execution": execution}
    plain = Residuals(model, experiments, [], **options)
    found = plain.evaluate(np.zeros(0), False)
    if len(found.failed) == len(experiments):
        raise errors.ConvergenceError(f"{model.title} cannot be simulated through any of the {len(experiments)} runs. "
                                      f"{next(iter(found.failed.values()))} Check parameters, initial states and inputs with "
                                      "twin.simulate.")
    heard = {e.name: heard_along(model, names, plain, e) for e in experiments if e.name not in found.failed}
    given = terms if isinstance(terms, Mapping) else {n: known[n].arguments for n in names}
    fixes = {n: _correction(known[n], given[n], list(heard.values()), n) for n in names}
    hybrid = model.with_learned(fixes)
    every = list(hybrid.parameter_names())
    weights = [n for n in every if n.startswith("learned.") and n.split(".")[1] in fixes]
    unknowns = (*weights, *parameters)
    low, high = _box(model, parameters)
    free = np.full(len(weights), np.inf)
    engine = Residuals(hybrid, experiments, [(n, None) for n in unknowns], **options)
    return Problem(hybrid, names, unknowns, len(weights), np.array([every.index(n) for n in unknowns]),
                   np.asarray(hybrid.parameter_vector(), float), engine, Noise(model, engine.rows, noise).sigma, found.values,
                   heard, np.concatenate([-free, low]), np.concatenate([free, high]))


def heard_along(model: Any, names: Sequence[str], engine: Residuals, experiment: Experiment, values: Any = ()
                ) -> dict[str, dict[str, Any]]:
    """Arguments of terms along the simulation of a run, at its sample times."""
    raw, p = run_of(engine, experiment, values)
    rows = {role: raw.part(part) for role, part in zip(ROLES, ("x", "z", "u", "d"), strict=True)}
    return arguments(model, names, rows, raw.times, p)


def run_of(engine: Residuals, experiment: Experiment, values: Any, times: Sequence[float] | None = None) -> tuple[Any, Any]:
    """One simulation of a run, and its parameter vector."""
    from twin.engine.runner import Runner

    shot = next(s for s in engine.shots if s.experiment is experiment)
    x0, p, _ = shot.point(values)
    runner = shot.runner(False) if times is None else Runner(engine.system, experiment.recipe, times=times, duration=times[-1],
                                                            **shot.options)
    return runner.run(x0, p), p


def _correction(of: Any, given: Any, heard: Sequence[Any], name: str) -> Any:
    """A correction with a net that has a prior; argument names become a small Mlp in scaled coordinates."""
    import numpy as np

    if isinstance(given, str):
        given = (given,)
    if isinstance(given, tuple | list):
        for n in given:
            if n not in of.arguments:
                raise errors.unknown("argument", n, f"the term {name}", of.arguments)
        values = {n: np.concatenate([h[name][n] for h in heard]) for n in given}
        centers = {n: float(np.median(v)) for n, v in values.items()}
        widths = {n: _width(v) for n, v in values.items()}
        given = Mlp.random(inputs=tuple(given), hidden=HIDDEN, scales=tuple(widths.values()), centers=tuple(centers.values()),
                           size=0.0)
    fix = given if isinstance(given, learned.Multiply | learned.Add | learned.Replace) else learned.Multiply(given)
    if not hasattr(fix.net, "prior"):
        raise errors.SpecError(f"The net of {name} is a {type(fix.net).__name__}. Expected twin.Mlp, twin.MonotoneMlp, "
                               "twin.GaussianProcess or twin.Spline.")
    return fix


def _width(values: Any) -> float:
    """Half of where most values lie; quantities that spend most of their time in one place are resolved there."""
    import numpy as np

    low, high = np.quantile(values, [0.15, 0.85])
    width = 0.5 * float(high - low)
    return width if width > LEAST * abs(float(np.median(values))) else float(np.std(values)) or 1.0


def _box(model: Any, parameters: Sequence[str]) -> tuple[Any, Any]:
    """Bounds of the relative changes of parameters."""
    import numpy as np

    facts = parameter_facts(model)
    low, high = [], []
    for name in parameters:
        if name not in facts or name not in model.parameter_names():
            raise errors.unknown("parameter", name, model.title, list(facts))
        value = float(getattr(model, name))
        if value == 0:
            raise errors.SpecError(f"{model.title}.{name} is 0. Expected a value to start from. Calibrate it first.")
        _, lower, upper = facts[name]
        low.append(-np.inf if lower is None else (lower - value) / abs(value))
        high.append(np.inf if upper is None else (upper - value) / abs(value))
    return np.array(low), np.array(high)
