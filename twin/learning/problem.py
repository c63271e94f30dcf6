"""The problem behind `train`: a model with corrections, its unknowns in scaled coordinates, and runs to meet."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors, learned
from twin.functions import Mlp
from twin.learning.domain import ROLES, arguments
from twin.learning.levenberg import Prior
from twin.learning.matching import Changes, changes
from twin.learning.runs import MeasuredRun, evaluate, noise_of

RELATIVE = 0.2  # usual relative change of a parameter that is fitted beside the terms
HIDDEN = (5,)
WILD = 3.0  # standard deviations: beyond them a residual counts less than its square
LEAST = 1e-3  # of its nominal value: smallest width of an input that a net is scaled to


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is fitted to what.

    Attributes
    ----------
    model
        With corrections in place, near zero.
    unknowns
        Names of weights, then of parameters, as `model.parameter_names()` has them.
    runs
        One `MeasuredRun` a run.
    start
        Values of the samples by the model without corrections; None for a run that it cannot be simulated through.
    heard
        Arguments of the terms along these simulations: one {term: {argument: values}} a run that was simulated.
    """

    model: Any
    terms: tuple[str, ...]
    signals: tuple[str, ...]
    unknowns: tuple[str, ...]
    weights: int
    index: Any
    base: Any
    runs: tuple[MeasuredRun, ...]
    start: tuple[Any, ...]
    heard: tuple[Mapping[str, Mapping[str, Any]], ...]
    lower: Any
    upper: Any

    @functools.cached_property
    def changes(self) -> Changes | None:
        """What the fast start matches."""
        return changes(self)

    @functools.cached_property
    def sizes(self) -> Any:
        """Change of each entry of the parameter vector for one unit of its unknown."""
        import numpy as np

        return np.concatenate([np.ones(self.weights), np.abs(self.base[self.index][self.weights:])])

    def encode(self, model: Any) -> Any:
        """Unknowns of a model: weights as they are, parameters as relative change."""
        import numpy as np

        p = np.asarray(model.parameter_vector(), float)[self.index]
        sizes = self.base[self.index][self.weights:]
        return np.concatenate([p[:self.weights], (p[self.weights:] - sizes) / np.abs(sizes)])

    def decode(self, theta: Any) -> Any:
        """Parameter vector for the unknowns theta."""
        p = self.base.copy()
        sizes = self.base[self.index][self.weights:]
        p[self.index[:self.weights]] = theta[:self.weights]
        p[self.index[self.weights:]] = sizes + theta[self.weights:] * abs(sizes)
        return p

    def model_at(self, theta: Any, model: Any = None) -> Any:
        """The model with these unknowns, as plain numbers."""
        import numpy as np

        def plain(leaf: Any, value: Any) -> Any:
            return np.asarray(value, float).reshape(leaf.shape) if getattr(leaf, "shape", ()) else float(value)

        from twin import module

        p, at = self.decode(theta), 0

        def take(leaf: Any) -> Any:
            nonlocal at
            n = module.size(leaf)
            at += n
            return plain(leaf, p[at - n:at] if getattr(leaf, "shape", ()) else p[at - 1])

        return module.rebuild(self.model if model is None else model, take)

    def restarted(self, seed: int) -> Any:
        """Unknowns of a fresh random start."""
        fixes = {n: dataclasses.replace(fix, net=fix.net.restarted(seed + 101 * k))
                 for k, (n, fix) in enumerate((n, self.model.learned[n]) for n in self.terms)}
        return self.encode(self.model.with_learned(fixes)), fixes

    def prior(self, fixes: Mapping[str, Any], size: float) -> Prior:
        """Usual weights for outputs of about `size`, usual parameters near where they are."""
        import numpy as np
        from scipy.linalg import block_diag

        parts = [fixes[n].net.prior(size) for n in sorted(self.terms)]
        spare = len(self.unknowns) - self.weights
        rows = block_diag(*(rows for rows, _ in parts), np.eye(spare) / RELATIVE)
        return Prior(rows, np.concatenate([*(target for _, target in parts), np.zeros(spare)]), self.lower, self.upper)

    def residuals(self, chosen: Sequence[int], scale: Mapping[str, float]) -> Callable[[Any, bool], Any]:
        """Function of theta for `descend`: weighted residuals of the chosen runs with their Jacobian.

        A run whose simulation fails makes the point unusable, unless the model without corrections fails on it too.
        """
        import numpy as np

        chosen = [k for k in chosen if self.start[k] is not None]
        runs = [self.runs[k] for k in chosen]
        spread = [r.samples.spread * np.array([scale[s] for s in r.samples.signals]) for r in runs]

        def function(theta: Any, derivatives: bool) -> Any:
            found: list[Any] = list(evaluate(runs, self.decode(theta), derivatives))
            if any(v is None for v in found):
                return None
            residuals, slope = tamed(np.concatenate([(v[0] - r.samples.values) / s
                                                     for v, r, s in zip(found, runs, spread, strict=True)]))
            if not derivatives:
                return residuals, None
            jacobian = np.concatenate([v[1] / s[:, None] for v, s in zip(found, spread, strict=True)])
            jacobian *= slope[:, None] * self.sizes
            return (residuals, jacobian) if np.isfinite(jacobian).all() else None

        return function

    def predicted(self, theta: Any, chosen: Sequence[int]) -> list[Any]:
        """Model values of the samples of the chosen runs; None for a run that cannot be simulated."""
        found = evaluate([self.runs[k] for k in chosen], self.decode(theta))
        return [None if v is None else v[0] for v in found]


def tamed(r: Any) -> tuple[Any, Any]:
    """Residuals whose squares are those of r up to `WILD` and grow like abs(r) beyond, and their derivative.

    One sample in another unit then does not decide the fit (soft L1).
    """
    import numpy as np

    root = np.sqrt(1.0 + (r / WILD) ** 2)
    size = np.sqrt(2.0 * WILD**2 * (root - 1.0))
    small = np.abs(r) < 1e-4 * WILD
    return np.where(small, r, np.copysign(size, r)), np.where(small, 1.0, np.abs(r) / (np.where(small, 1.0, size) * root))


def state_problem(model: Any, data: Any, terms: Any, *, parameters: Sequence[str], signals: Sequence[str] | None,
                  noise: Mapping[str, Any], initial: Mapping[str, Any], inputs: Mapping[str, Any], rtol: float,
                  execution: str | None) -> Problem:
    """Check everything and prepare the simulations."""
    import numpy as np

    if not hasattr(model, "with_learned"):
        raise errors.SpecError(f"{getattr(model, 'name', model)} is stored without its class, so that no term of it can be "
                               "corrected. Give the class: twin.load(path, model=Class).")
    runs = [run.in_units_of(model) for run in data]
    if len(runs) < 2:
        raise errors.DataError(f"train got {len(runs)} run. Expected at least two: one to learn from and one to judge by. "
                               "Cut a long run in two with run.between(first, last).")
    found = measured_signals(model, runs, signals)
    options: dict[str, Any] = {"signals": found, "noise": noise_of(runs, found, noise), "initial": initial, "inputs": inputs,
                               "rtol": rtol, "execution": execution}
    plain = [MeasuredRun(model, run, (), **options) for run in runs]
    p = np.asarray(model.parameter_vector(), float)
    start = tuple(None if v is None else v[0] for v in evaluate(plain, p))
    if all(v is None for v in start):
        raise errors.ConvergenceError(f"{model.title} cannot be simulated through any of the {len(runs)} runs. Check "
                                      "parameters, initial states and inputs with twin.simulate.")
    known = model.terms()
    names = tuple(terms)
    for n in names:
        if n not in known:
            raise errors.unknown("term", n, model.title, known)
    if not names:
        raise errors.SpecError(f"terms is empty. Name what shall be learned: {', '.join(known) or 'the model has no term'}.")
    heard = tuple(heard_along(model, names, run, p) for run, v in zip(plain, start, strict=True) if v is not None)
    given = terms if isinstance(terms, Mapping) else {n: known[n].arguments for n in names}
    fixes = {n: _correction(known[n], fix, heard, n) for n, fix in given.items()}
    hybrid = model.with_learned(fixes)
    every = list(hybrid.parameter_names())
    weights = [n for n in every if n.startswith("learned.") and n.split(".")[1] in fixes]
    unknowns = (*weights, *parameters)
    base = np.asarray(hybrid.parameter_vector(), float)
    low, high = _box(model, parameters, every)
    free = np.full(len(weights), np.inf)
    return Problem(hybrid, tuple(sorted(names)), tuple(found), unknowns, len(weights),
                   np.array([every.index(n) for n in unknowns]), base,
                   tuple(MeasuredRun(hybrid, run, unknowns, **options) for run in runs), start, heard,
                   np.concatenate([-free, low]), np.concatenate([free, high]))


def heard_along(model: Any, names: Sequence[str], run: MeasuredRun, p: Any) -> dict[str, dict[str, Any]]:
    """Arguments of terms along the simulation of a run, at its sample times."""
    raw = run.plain.runner.run(run.start, p)
    rows = {role: raw.part(part) for role, part in zip(ROLES, ("x", "z", "u", "d"), strict=True)}
    return arguments(model, names, rows, raw.times, p)


def measured_signals(model: Any, runs: Sequence[Any], wanted: Sequence[str] | None) -> list[str]:
    """The states and algebraics that are fitted."""
    known = [s.name for role in ("state", "algebraic") for s in model.of_role(role) if not s.shape]
    for name in wanted or ():
        if name not in known:
            raise errors.unknown("state or algebraic", name, model.title, known)
    found = [n for n in wanted or known if any(n in run for run in runs)]
    if not found:
        raise errors.DataError(f"The data measure no state or algebraic of {model.title} ({', '.join(known)}). Check the names.")
    return found


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


def _box(model: Any, parameters: Sequence[str], known: Sequence[str]) -> tuple[Any, Any]:
    """Bounds of the relative changes of parameters."""
    import numpy as np

    fields = {f.name: f.metadata for f in dataclasses.fields(model) if f.metadata.get("kind") == "parameter"}
    low, high = [], []
    for name in parameters:
        if name not in fields or name not in known:
            raise errors.unknown("parameter", name, model.title, list(fields))
        value = float(getattr(model, name))
        if value == 0:
            raise errors.SpecError(f"{model.title}.{name} is 0. Expected a value to start from. Calibrate it first.")
        bounds = [None if b is None else (float(b) - value) / abs(value) for b in fields[name].get("bounds") or (None, None)]
        low.append(-np.inf if bounds[0] is None else bounds[0])
        high.append(np.inf if bounds[1] is None else bounds[1])
    return np.array(low), np.array(high)
