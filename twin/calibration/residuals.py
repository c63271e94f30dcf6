"""Model values at the samples of all runs, and their derivatives with respect to the unknowns, by simulation.

Single shooting: each run is simulated from its start with forward sensitivities. A run that cannot be simulated is
flagged; its rows are NaN and the others stay.
"""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from twin.calibration.biased import system_with
from twin.calibration.experiments import Experiment
from twin.calibration.unknowns import BIAS, INITIAL
from twin.engine.runner import Runner
from twin.simulation.checks import Checker
from twin.status import Status

RTOL = 1e-7
LONG = 5e-3  # seconds: from here on runs go on threads of their own


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Where each sample comes from, in the order of the residuals; arrays of shape (m,)."""

    runs: tuple[str, ...]
    signals: tuple[str, ...]
    run: Any  # position in `runs`
    signal: Any  # position in `signals`
    time: Any
    value: Any

    def __len__(self) -> int:
        return len(self.value)


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """Model values at all samples.

    Attributes
    ----------
    values
        Shape (m,), in the units of the signals; NaN in runs that failed.
    jacobian
        Shape (m, n), with respect to the unknowns in their units; None where it was not asked for.
    failed
        Sentence for each run that could not be simulated, by name.
    """

    values: Any
    jacobian: Any
    failed: Mapping[str, str]


def rows_of(experiments: Sequence[Experiment]) -> Rows:
    """Rows of all samples: run by run, signal by signal, in time."""
    import numpy as np

    signals = tuple(dict.fromkeys(n for e in experiments for n in e.samples))
    parts: list[tuple[Any, Any, Any, Any]] = []
    for k, e in enumerate(experiments):
        grid = np.array(e.times)
        for name, (at, values) in e.samples.items():
            parts.append((np.full(len(at), k), np.full(len(at), signals.index(name)), grid[at], values))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Rows(tuple(e.name for e in experiments), signals, *columns)


class Residuals:
    """Model values at the samples of all runs as a function of the unknowns.

    Parameters
    ----------
    model
        A dynamic model.
    experiments
        From `experiments_of`.
    unknowns
        (name, run or None) of each unknown: a parameter (weights included), "initial.<state>" or "bias.<input>"; None
        stands for all runs.
    rtol, max_steps, execution
        As in `twin.simulate`.
    threads
        Most runs at once; None: as many as there are processors.
    """

    def __init__(self, model: Any, experiments: Sequence[Experiment], unknowns: Sequence[tuple[str, str | None]], *,
                 rtol: float = RTOL, max_steps: int = 100_000, execution: str | None = None,
                 threads: int | None = None) -> None:
        self.model, self.experiments, self.unknowns = model, tuple(experiments), tuple(unknowns)
        self.rows = rows_of(self.experiments)
        self.biases = tuple(dict.fromkeys(n.removeprefix(BIAS) for n, _ in self.unknowns if n.startswith(BIAS)))
        self.system = system_with(model, self.biases)
        self.threads = threads
        self.names = tuple(self.system.parameter_names())
        self.base = [*Checker(model).parameters(None), *(0.0 for _ in self.biases)]
        states = {r.signal.name: r for r in model.layout("state")}
        self.states = states
        self.tied = self._tied_starts()
        options = {"rtol": rtol, "max_steps": max_steps, "execution": execution}
        self.shots = [_Shot(self, e, options) for e in self.experiments]
        self.took = 0.0
        self._slope: Any = None

    def _tied_starts(self) -> tuple[str, ...]:
        """States whose start, as the model gives it, moves with an unknown parameter."""
        wanted = {n for n, _ in self.unknowns} & set(self.names[:len(self.names) - len(self.biases)])
        return Checker(self.model, False).moved_starts(wanted) if wanted else ()

    def model_start(self, p: Sequence[float]) -> dict[str, Any]:
        """Initial states that the model gives with the parameters p."""
        import numpy as np

        flat = np.asarray(p[:len(p) - len(self.biases)], dtype=float)
        return {n: np.asarray(v, dtype=float).tolist() for n, v in
                self.model.with_parameter_vector(flat).initial().items()}

    def output_slope(self) -> Any:
        """Tangent of the outputs on arrays, made when first needed."""
        from twin.lowering.emit_numpy import on_arrays

        if self._slope is None:
            self._slope = on_arrays(self.system.program("output_sensitivity"))
        return self._slope

    def clone(self) -> Residuals:
        """The same with buffers of its own, for another thread."""
        other = copy.copy(self)
        other.shots = [shot.clone(other) for shot in self.shots]
        return other

    def restrict(self, names: Sequence[str]) -> Residuals:
        """The same for some runs only; the rows are those of these runs."""
        other = copy.copy(self)
        other.experiments = tuple(e for e in self.experiments if e.name in names)
        other.rows = rows_of(other.experiments)
        other.shots = [s for s in self.shots if s.experiment.name in names]
        return other

    def evaluate(self, values: Any, jacobian: bool = True) -> Evaluation:
        """Simulate all runs; `values` are those of the unknowns, in their units, shape (n,)."""
        import time

        import numpy as np

        begin = time.perf_counter()
        many = len(self.shots) > 1 and self.took / len(self.shots) > LONG and self.threads != 1
        if many and all(shot.compiled(jacobian) for shot in self.shots):
            with concurrent.futures.ThreadPoolExecutor(self.threads or 2) as pool:
                parts = list(pool.map(lambda shot: shot.run(values, jacobian), self.shots))
        else:
            parts = [shot.run(values, jacobian) for shot in self.shots]
        self.took = time.perf_counter() - begin
        failed = {s.experiment.name: why for s, (_, _, why) in zip(self.shots, parts, strict=True) if why}
        return Evaluation(np.concatenate([v for v, _, _ in parts]),
                          np.concatenate([j for _, j, _ in parts]) if jacobian else None, failed)


class _Shot:
    """One run: two runners (with and without sensitivities) and where its samples lie in their rows."""

    def __init__(self, owner: Residuals, experiment: Experiment, options: Mapping[str, Any]) -> None:
        self.owner, self.experiment, self.options = owner, experiment, options
        own = [(k, n) for k, (n, run) in enumerate(owner.unknowns) if run in (None, experiment.name)]
        self.moved = [(k, n, owner.names.index(n)) for k, n in own if not n.startswith(INITIAL)]
        self.starts = [(k, n.removeprefix(INITIAL)) for k, n in own if n.startswith(INITIAL)]
        fixed = {n for _, n in self.starts}
        self.tied = tuple(n for n in owner.tied if n not in fixed and experiment.initial[n] == owner.model_start(owner.base)[n])
        # A sensitivity for each parameter, then for each initial state that moves by itself or with a parameter.
        columns = [n for _, n, _ in self.moved] + [f"{INITIAL}{n}" for n in (*(s for _, s in self.starts), *self.tied)]
        self.columns = tuple(columns)
        times = experiment.times or (1.0,)
        self.runners: dict[bool, Runner] = {}
        self.times = times

    def clone(self, owner: Residuals) -> _Shot:
        """With runners of its own."""
        other = copy.copy(self)
        other.owner, other.runners = owner, {}
        return other

    def runner(self, jacobian: bool) -> Runner:
        """The runner, made when first needed."""
        if jacobian not in self.runners:
            columns = self.columns if jacobian else ()
            self.runners[jacobian] = Runner(self.owner.system, self.experiment.recipe, times=self.times, duration=self.times[-1],
                                            sensitivities=columns, **self.options)
        return self.runners[jacobian]

    def compiled(self, jacobian: bool) -> bool:
        """True where the run goes through compiled code, which releases the interpreter."""
        return any(name in self.runner(jacobian).runs for name in ("c", "numba"))

    def point(self, values: Any) -> tuple[list[float], list[float], dict[str, Any]]:
        """Initial states and parameters of this run as flat vectors, and the start by name."""
        p = list(self.owner.base)
        for k, _, at in self.moved:
            p[at] = float(values[k])
        start: dict[str, Any] = dict(self.experiment.initial)
        if self.tied:
            given = self.owner.model_start(p)
            start |= {n: given[n] for n in self.tied}
        start |= {n: float(values[k]) for k, n in self.starts}
        x0 = [0.0] * sum(r.count for r in self.owner.states.values())
        for name, r in self.owner.states.items():
            v = start[name]
            for i in range(r.count):
                x0[r.start + i * r.step] = v[i] if r.shape else v
        return x0, p, start

    def run(self, values: Any, jacobian: bool) -> tuple[Any, Any, str]:
        """Values at the samples, derivatives (m, n) and what went wrong."""
        import numpy as np

        n, m = len(self.owner.unknowns), self.experiment.count
        if not m:
            return np.zeros(0), np.zeros((0, n)), ""
        x0, p, start = self.point(values)
        raw = self.runner(jacobian and bool(self.columns)).run(x0, p)
        if raw.status is Status.STOPPED:
            raise KeyboardInterrupt
        if not raw.status:
            where = f" at {raw.end:.4g} {self.owner.model.time_unit}" + (f" ({raw.trouble})" if raw.trouble else "")
            return np.full(m, np.nan), np.full((m, n), np.nan) if jacobian else None, f"{raw.status}{where}"
        rows = np.asarray(raw.rows, dtype=float)
        out = [rows[at, self.place(name)] for name, (at, _) in self.experiment.samples.items()]
        if not jacobian:
            return np.concatenate(out), None, ""
        if not self.columns:
            return np.concatenate(out), np.zeros((m, n)), ""
        tangents = np.asarray(raw.tangents, dtype=float).reshape(len(rows), len(self.columns), -1)
        slopes = [self.slope(name, at, rows, tangents, p) for name, (at, _) in self.experiment.samples.items()]
        return np.concatenate(out), np.concatenate(slopes) @ self.spread(p, start), ""

    def place(self, name: str) -> int:
        """Column of a scalar signal in the rows [x, z, y, u, d]."""
        at = 0
        for role in ("state", "algebraic", "output"):
            for r in self.owner.system.rows[role]:
                if r.signal.name == name:
                    return at + int(r.start)
            at += self.owner.system.size(role)
        raise KeyError(name)

    def slope(self, name: str, at: Any, rows: Any, tangents: Any, p: Sequence[float]) -> Any:
        """Derivative of a signal at its samples with respect to the columns, shape (samples, columns)."""
        import numpy as np

        system, place = self.owner.system, self.place(name)
        n_x, n_z, n_y = system.n_x, system.n_z, system.n_y
        n = n_x + n_z
        if place < n:
            return tangents[at, :, place]
        row = rows[at]
        s = tangents[at].transpose(2, 0, 1)  # (n, samples, columns)
        q = np.zeros((system.n_p, len(self.columns)))
        for c, (_, _, where) in enumerate(self.moved):
            q[where, c] = 1.0
        extended = [*(np.float64(v) for v in p), *s, *q]
        x, z, u, d = (row[:, a:b].T[:, :, None] for a, b in (
            (0, n_x), (n_x, n), (n + n_y, n + n_y + system.n_u), (n + n_y + system.n_u, row.shape[1])))
        times = np.asarray(self.times)[at][:, None]
        found = self.owner.output_slope()(times, x, z, u, d, extended, (len(at), len(self.columns)))
        return found[place - n]

    def spread(self, p: Sequence[float], start: Mapping[str, Any]) -> Any:
        """Derivative of the columns with respect to the unknowns, shape (columns, n): one entry each, but for tied starts."""
        import numpy as np

        found = np.zeros((len(self.columns), len(self.owner.unknowns)))
        for c, (k, _, _) in enumerate(self.moved):
            found[c, k] = 1.0
        for c, (k, _) in enumerate(self.starts):
            found[len(self.moved) + c, k] = 1.0
        if self.tied:
            first = len(self.moved) + len(self.starts)
            for k, _, at in self.moved:
                step = 1e-6 * (abs(p[at]) or 1.0)
                ends = [self.owner.model_start([v + sign * step if i == at else v for i, v in enumerate(p)])
                        for sign in (1, -1)]
                for c, name in enumerate(self.tied):
                    found[first + c, k] = (ends[0][name] - ends[1][name]) / (2 * step)
        return found
