"""Runner: one System, one recipe and what is asked of it, ready to be run again and again."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from twin import errors
from twin.engine import kernels, shapes
from twin.engine import records as r
from twin.engine.recipe_tables import Names, make_task
from twin.recipe import Recipe
from twin.status import ENGINE_CODES, Status

PARTS = ("x", "z", "y", "u", "d")


@dataclasses.dataclass(slots=True, eq=False)
class RawRun:
    """One trajectory as the engine left it: lists in Python execution, numpy arrays otherwise.

    Attributes
    ----------
    status
        How it ended.
    times
        Output times that were reached, length `done`, in the model's time unit.
    rows
        One row an output time: [x, z, y, u, d].
    events
        One row a phase that began: time, phase, states before, states after its resets.
    counts
        Counts as the engine keeps them; `stats` has them by name.
    end
        Time where the integration ended.
    x_end, z_end
        States and algebraics there.
    trouble
        Name of the state or algebraic that gave trouble; empty after success.
    tangents
        Sensitivities of [x, z]: row `time * columns + column`; None where none were asked for.
    """

    status: Status
    times: Sequence[float]
    rows: Any
    events: Any
    counts: Sequence[int]
    end: float
    x_end: Any
    z_end: Any
    trouble: str
    tangents: Any
    widths: tuple[int, int, int, int, int]

    @property
    def stats(self) -> dict[str, int]:
        """Counts by name: steps, rejected, calls (of the right-hand side), jacobians, factors."""
        return dict(zip(("steps", "rejected", "calls", "jacobians", "factors"), self.counts, strict=False))

    @property
    def done(self) -> int:
        """How many output times were reached."""
        return len(self.times)

    def part(self, name: str) -> Any:
        """Rows of one of "x", "z", "y", "u", "d", indices (time, component)."""
        k = PARTS.index(name)
        first = sum(self.widths[:k])
        stop = first + self.widths[k]
        if isinstance(self.rows, list):
            return [row[first:stop] for row in self.rows]
        return self.rows[..., first:stop]


class RawMany:
    """An ensemble as the engine left it.

    Attributes
    ----------
    rows
        Indices (member, time, [x, z, y, u, d]); NaN where a member did not come.
    codes
        Position in `twin.status.ENGINE_CODES` of each member; -1 where it was never begun.
    events, tangents, stats, ends
        As the engine writes them: see `RawRun`; `ends` holds time, x, z.
    stopped
        True where Ctrl-C ended it.
    """

    rows: Any
    codes: Any
    events: Any
    tangents: Any
    stats: Any
    ends: Any

    def __init__(self, runner: Runner, batch: Any, stopped: bool) -> None:
        self.runner, self.stopped, self.times = runner, stopped, runner.task.times
        for name in ("rows", "codes", "events", "tangents", "stats", "ends"):
            setattr(self, name, getattr(batch, name))

    @property
    def statuses(self) -> list[Status]:
        """How each member ended; one never begun is STOPPED."""
        return [ENGINE_CODES[c] if c >= 0 else Status.STOPPED for c in self.codes]

    def part(self, name: str) -> Any:
        """Rows of one of "x", "z", "y", "u", "d", indices (member, time, component)."""
        k = PARTS.index(name)
        first = sum(self.runner.widths[:k])
        return self.rows[..., first:first + self.runner.widths[k]]

    def member(self, i: int) -> RawRun:
        """One member as a RawRun."""
        code = int(self.codes[i])
        raw = {name: getattr(self, name)[i] for name in ("rows", "events", "tangents")}
        return self.runner.wrap({**raw, "code": code if code >= 0 else ENGINE_CODES.index(Status.STOPPED),
                                 "stat": self.stats[i].tolist(), "end": self.ends[i]})


class Runner:
    """One System with one recipe, to be run for many initial states and parameters.

    Parameters
    ----------
    system
        A `twin.lowering.system.System`.
    recipe
        What is done, phase by phase.
    times
        Output times, increasing, in the model's time unit. At the boundary of two phases the row belongs to the later one.
    duration
        Length of the simulation; None: to the end of the recipe.
    start
        Time at the start.
    rtol, atol
        Tolerances of the integration; `atol` is a number, or one for each of [x, z]. None: 1e-3 rtol times the nominal values.
    max_steps
        Most steps, rejected ones included.
    execution
        "auto", "python", "c" or "numba"; None: what `twin.use` chose.
    sensitivities
        Names of parameters, and of initial states ("initial.biomass"), to which the derivatives of [x, z] are wanted.
    """

    def __init__(self, system: Any, recipe: Recipe, *, times: Sequence[float], duration: float | None = None, start: float = 0.0,
                 rtol: float = 1e-6, atol: float | Sequence[float] | None = None, max_steps: int = 100_000,
                 execution: str | None = None, sensitivities: Sequence[str] = ()) -> None:
        self.system, self.execution = system, execution
        self.names = Names(system.name, rows_of(system))
        self.n_p = system.n_p
        self.widths = (system.n_x, system.n_z, system.n_y, system.n_u, system.n_d)
        times = [float(t) for t in times]
        for before, after in itertools.pairwise(times):
            if not after > before:
                raise errors.SpecError(f"Output time {after:g} follows {before:g} {system.time_unit}. Expected increasing times.")
        if duration is not None and not duration > 0:
            raise errors.SpecError(f"duration is {duration:g} {system.time_unit}. Expected a positive time.")
        if not 0 < rtol < 1:
            raise errors.SpecError(f"rtol is {rtol:g}. Expected a number between 0 and 1, such as 1e-6.")
        self.columns = columns_of(system, self.names, sensitivities)
        self.task = make_task(system, self.names, recipe, times=times, start=start, duration=duration, rtol=rtol,
                              atol=self._tolerances(rtol, atol), max_steps=max_steps, columns=self.columns)
        self.first_z = self._nominal_z()
        self._check_columns(recipe)
        self.facts = shapes.facts_of(system)
        self.programs = kernels.needed(system, self.task)
        self.runs: dict[str, Any] = {}

    def _check_columns(self, recipe: Recipe) -> None:
        """Sensitivities through sampled controllers, and past crossings where time is explicit, are not carried."""
        if not self.columns:
            return
        name = self.system.name
        if self.task.counts[r.PIDS]:
            raise errors.SpecError(f"Sensitivities of {name} were asked for under a PID. Expected given inputs. "
                                   "Replace the PID by a Profile of the inputs it gave.")
        crossings = [p for p in recipe.phases[:-1] if isinstance(p.until, tuple)]
        if crossings and not self.system.autonomous:
            raise errors.SpecError(f"Sensitivities of {name} were asked for past the crossing {crossings[0].until}, but its "
                                   "equations name the time. End that phase by a duration.")

    def _tolerances(self, rtol: float, atol: float | Sequence[float] | None) -> list[float]:
        n = self.system.n_x + self.system.n_z
        if atol is None:
            scale = [0.0] * n
            for role, at in (("state", 0), ("algebraic", self.system.n_x)):
                for row in self.names.rows[role]:
                    for i in range(row.count):
                        scale[at + row.start + i * row.step] = abs(row.signal.nominal) or 1.0
            return [1e-3 * rtol * v for v in scale]
        values = [float(atol)] * n if isinstance(atol, int | float) else [float(v) for v in atol]
        if len(values) != n or not all(v > 0 for v in values):
            raise errors.SpecError(f"atol has {len(values)} entries. Expected a positive number, or {n} of them.")
        return values

    def _nominal_z(self) -> list[float]:
        """Nominal values of the algebraics."""
        z = [0.0] * self.widths[1]
        for row in self.names.rows["algebraic"]:
            for i in range(row.count):
                z[row.start + i * row.step] = float(row.signal.nominal)
        return z

    def run(self, x0: Sequence[float], p: Sequence[float], z0: Sequence[float] | None = None) -> RawRun:
        """One trajectory from the states `x0` (n_x) with parameters `p` (n_p); `z0` is the first guess of the algebraics."""
        from twin.engine import executions

        if len(x0) != self.widths[0] or len(p) != self.n_p:
            what, n, right = ("x0", len(x0), self.widths[0]) if len(x0) != self.widths[0] else ("p", len(p), self.n_p)
            raise errors.SpecError(f"{what} has {n} entries. Expected {right} for {self.system.name}.")
        return self.wrap(executions.run_one(self, x0, self.first_z if z0 is None else z0, p))

    def run_many(self, x0: Any, p: Any, z0: Any = None, *, threads: int | None = None,
                 progress: Callable[[int], None] | None = None) -> RawMany:
        """An ensemble on threads; Ctrl-C returns what is finished.

        Parameters
        ----------
        x0, p, z0
            States (members, n_x), parameters (members, n_p) and first guess of the algebraics (members, n_z); a vector
            stands for all members.
        threads
            Number of threads; None: as many as there are processors.
        progress
            Called now and then with the number of members finished.
        """
        import numpy as np

        from twin.engine import executions, workers

        parts = [np.asarray(v, np.float64) for v in (x0, p, self.first_z if z0 is None else z0)]
        members = max((v.shape[0] for v in parts if v.ndim == 2), default=1)
        for what, v, n in zip(("x0", "p", "z0"), parts, (self.system.n_x, self.system.n_p, self.system.n_z), strict=True):
            if v.shape not in ((n,), (members, n)):
                raise errors.SpecError(f"{what} has the shape {v.shape}. Expected ({n},) or ({members}, {n}).")
        run = executions.obtain(self, many=True)
        batch = run.batch(members)
        batch.x0[:], batch.p[:], batch.z0[:] = parts
        stopped = workers.run_batch(run, batch, threads or workers.default_threads(), progress)
        return RawMany(self, batch, stopped)

    def wrap(self, raw: dict[str, Any]) -> RawRun:
        """The RawRun of what an execution gives."""
        stat, end, n_x = raw["stat"], raw["end"], self.widths[0]
        done, status = stat[r.ROW], ENGINE_CODES[raw["code"]]
        columns = len(self.columns)
        return RawRun(status, self.task.times[:done], raw["rows"][:done], raw["events"][:stat[r.EVENTS]], stat, end[0],
                      end[1:1 + n_x], end[1 + n_x:], "" if status is Status.SUCCESS else self.component(stat[r.WORST]),
                      raw["tangents"][:done * columns] if columns else None, self.widths)

    def component(self, k: int) -> str:
        """Name of a component of [x, z]."""
        role, at = ("state", k) if k < self.system.n_x else ("algebraic", k - self.system.n_x)
        for row in self.names.rows[role]:
            for i in range(row.count):
                if row.start + i * row.step == at:
                    return f"{row.signal.name}[{i}]" if row.shape else row.signal.name
        return ""


def rows_of(system: Any) -> dict[str, Sequence[Any]]:
    """Layout of a System by role."""
    return {role: tuple(system.rows.get(role, ())) for role in ("state", "algebraic", "input", "disturbance", "output")}


def columns_of(system: Any, names: Names, wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Columns of the sensitivities: (0, parameter) or (1, state); "initial.NAME" is the initial value of a state."""
    columns: list[tuple[int, int]] = []
    parameters = list(system.parameter_names())
    states = names.signals("state")
    for name in wanted:
        kind, _, state = name.partition(".")
        if name in parameters:
            columns.append((0, parameters.index(name)))
        elif kind == "initial":
            columns += [(1, place) for place in names.places(state, "state", what="state")[1]]
        else:
            raise errors.unknown("parameter", name, system.name, [*parameters, *(f"initial.{s}" for s in states)])
    return columns
