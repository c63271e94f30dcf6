"""closed_loop: a controller, an estimator and a simulated plant, step by step."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.dynamic.problem import count
from optimizers.nmpc.formulation import sampled
from twin import errors
from twin.controller import AbstractController, AbstractEstimator, ControllerInfo, EstimatorInfo, Reading
from twin.estimation.interval import Interval
from twin.simulation.checks import number
from twin.status import Status

RTOL = 1e-8


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ClosedLoop:
    """What happened in a closed loop; `loop["c_b"]` gives a state of the plant at `loop.times` or an input over the intervals.

    Attributes
    ----------
    model
        Name of the plant.
    status
        SUCCESS, or how the plant ended before its time.
    time_unit
        Unit of all times.
    times
        Times of the steps and of the end, numpy, shape (steps + 1,).
    states, inputs
        States of the plant at the times, inputs over the intervals, by name.
    outputs
        Scalar outputs of the plant and what is measured, without noise, at each step just before its inputs change.
    estimates
        What the controller was told, by name, at each step.
    infos, estimator_infos
        What controller and estimator said at each step.
    controller
        The controller.
    """

    model: str
    status: Status
    time_unit: str
    times: Any
    states: Mapping[str, Any]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    estimates: Mapping[str, Any]
    infos: Sequence[ControllerInfo]
    estimator_infos: Sequence[EstimatorInfo]
    controller: Any

    def __getitem__(self, name: str) -> Any:
        tables = (self.states, self.inputs, self.outputs, self.estimates)
        for table in tables:
            if name in table:
                return table[name]
        raise errors.unknown("signal", name, self.model, [n for table in tables for n in table])

    def __repr__(self) -> str:
        return f"ClosedLoop({self.model}, {len(self.infos)} steps, {len(self.failures)} of them by a fallback)"

    @property
    def failures(self) -> tuple[int, ...]:
        """Steps whose inputs came from a fallback."""
        return tuple(k for k, info in enumerate(self.infos) if info.fallback)

    def rmse(self, name: str) -> float:
        """Root mean square of estimate minus state over the steps, in the unit of the state."""
        import numpy as np

        if name not in self.states or name not in self.estimates:
            raise errors.unknown("estimated state", name, self.model, [n for n in self.states if n in self.estimates])
        off = np.asarray(self.estimates[name]) - self.states[name][:len(self.estimates[name])]
        return float(np.sqrt(np.mean(off**2)))

    def to_frame(self) -> Any:
        """DataFrame: one row a step with states, inputs from then on, estimates ("estimate of c_b"), status, seconds, message."""
        import pandas as pd

        n = len(self.infos)
        columns: dict[str, Any] = {"time": self.times[:n]}
        columns |= {k: v[:n] for k, v in self.states.items()} | dict(self.inputs)
        columns |= {f"estimate of {k}": v for k, v in self.estimates.items()}
        columns |= {"status": [i.status.name for i in self.infos], "fallback": [i.fallback for i in self.infos],
                    "iterations": [i.iterations for i in self.infos], "seconds": [i.seconds for i in self.infos],
                    "message": [i.message for i in self.infos]}
        return pd.DataFrame(columns)

    def plot(self, at: int | None = None) -> Any:
        """Matplotlib figure of states and inputs with the limits of the controller; `at` adds the prediction of one step."""
        from optimizers.nmpc.plots import plot_loop

        return plot_loop(self, at)


def closed_loop(controller: AbstractController, *, steps: int, plant: Any = None, estimator: AbstractEstimator | None = None,
                initial: Mapping[str, Any] | None = None, inputs: Mapping[str, float] | None = None,
                disturbances: Mapping[str, Any] | None = None, noise: Mapping[str, float] | None = None,
                missing: float = 0.0, seed: int = 0, known: Sequence[str] = (),
                laboratory: Mapping[str, tuple[float | str, float | str]] | None = None) -> ClosedLoop:
    """Run a controller on a simulated plant.

    Parameters
    ----------
    controller
        The controller.
    steps
        Number of its intervals.
    plant
        Model of the plant, whose parameters may differ from those of the controller; None: that of the controller.
    estimator
        What turns readings into estimates; None: the controller sees the true states.
    initial
        Initial states of the plant by name where they differ from those of its model.
    inputs
        Moved inputs before the first step, for controllers that want to know.
    disturbances
        Disturbances and inputs of the plant that the controller does not move: numbers or profiles. It is not told of them, but
        for those that are `known`.
    noise
        Standard deviation of each reading, by name; exact where left out.
    missing
        Share of the readings that do not come.
    seed
        Seed of noise and gaps.
    known
        Disturbances that are measured: estimator and controller get their values of now at each step.
    laboratory
        {measurement: (time between two samples, time from sample to result)}; the estimator gets each result with the time of its
        sample, and needs a `longest_delay` of that length.

    Returns
    -------
    ClosedLoop
        States, inputs, estimates, and what was said at each step.

    Examples
    --------
    >>> import optimizers
    >>> from processes.chemical import VanDeVusse
    >>> control = optimizers.Nmpc(VanDeVusse.do_mpc(), moves={"flow": (5, 100), "duty": (-8500, 0)}, interval="18 s",
    ...                           track={"c_b": 0.6}, change={"flow": 1e-5, "duty": 2.5e-10}, limits={"t_reactor": (None, 140)})
    >>> loop = optimizers.closed_loop(control, steps=20)
    >>> round(float(loop["c_b"][-1]), 3), loop.failures
    (0.6, ())
    """
    import numpy as np

    model: Any = getattr(controller, "model", None) if plant is None else plant
    if not 0 <= missing < 1:
        raise errors.out_of_range("missing", missing, "-", 0, 1, "Give the share of readings that are lost.")
    names = tuple(getattr(estimator, "names", ()))
    moved = set(getattr(controller, "moved", ()))
    real = _Plant(model, names, controller.interval, disturbances or {}, count("steps", steps), moved)
    lab = _Laboratory(laboratory or {}, names, real)
    for name in known:
        if name not in real.rows:
            raise errors.unknown("disturbance or input", name, real.check.name, real.rows)
    rng = np.random.default_rng(seed)
    x = np.asarray(real.check.initial(initial), dtype=float)
    state = controller.init(inputs)
    watch = estimator.init() if estimator is not None else None
    applied: dict[str, float] = dict(inputs or {})
    rows: dict[str, list[Any]] = {"x": [x], "u": [], "told": [], "info": [], "seen": [], "out": []}
    status = Status.SUCCESS
    for k in range(steps):
        told: Mapping[str, Any] = real.named(x)
        seen_now = {n: float(real.held[k, real.rows[n]]) for n in known}
        values = real.measured(x, applied, k)
        if estimator is not None:
            readings: dict[str, Any] = {n: math.nan if rng.random() < missing else v + (noise or {}).get(n, 0.0) * rng.normal()
                                        for n, v in zip(names, values, strict=False)}
            before = {n: float(real.held[max(k - 1, 0), real.rows[n]]) for n in known}
            watch, seen = estimator.step(watch, lab.results(readings, k * controller.interval), inputs={**applied, **before},
                                         time=k * controller.interval)
            told = seen.estimate
            rows["seen"].append(seen)
        told = {**told, **seen_now}
        state, info = controller.step(state, told)
        applied = dict(info.inputs)
        x, wrong = real.moved(x, applied, k)
        for key, value in (("told", told), ("info", info), ("u", applied), ("x", x), ("out", values)):
            rows[key].append(value)
        if wrong:
            status = Status.NOT_FINITE
            break
    done = len(rows["info"])
    table = np.array(rows["x"])
    return ClosedLoop(real.check.name, status, str(model.time_unit), controller.interval * np.arange(done + 1),
                      {n: table[:, at] for n, at in real.states.items()},
                      {n: np.array([u[n] for u in rows["u"]]) for n in (rows["u"][0] if done else ())},
                      {n: np.array([v[j] for v in rows["out"]]) for j, n in enumerate(real.watched)},
                      {n: np.array([t[n] for t in rows["told"]]) for n in (rows["told"][0] if done else ())},
                      tuple(rows["info"]), tuple(rows["seen"]), controller)


class _Plant:
    """A model advanced one interval at a time, with disturbances that the controller does not know."""

    def __init__(self, model: Any, names: tuple[str, ...], interval: float, disturbances: Mapping[str, Any], steps: int,
                 moved: set[str]) -> None:
        import numpy as np

        outputs = tuple(r.signal.name for r in model.layout("output") if not r.shape)
        self.watched = (*names, *(n for n in outputs if n not in names))
        self.numbers = Interval.of(model, (), self.watched, None, RTOL, None)
        self.check = self.numbers.kernels.check
        self.interval, self.unit = interval, str(model.time_unit)
        from twin.simulation.checks import Checker

        self.check = Checker(model)
        self.states = {n: r.where for n, r in self.check.rows("state").items()}
        self.rows = {**{n: r.start for n, r in self.check.rows("input").items()},
                     **{n: model.size("input") + r.start for n, r in self.check.rows("disturbance").items()}}
        times = interval * np.arange(steps + 1)
        n_p = len(self.numbers.p) - 2 - self.numbers.n_held
        self.held = np.tile(self.numbers.p[n_p:-2], (steps + 1, 1))
        recipe = model.recipe() if hasattr(model, "recipe") else None
        given = {n: v for n, v in (recipe.phases[0].inputs if recipe is not None else {}).items() if isinstance(v, int | float)}
        for name, value in {**given, **disturbances}.items():
            if name not in self.rows:
                raise errors.unknown("disturbance or input", name, self.check.name, self.rows)
            if name in moved and name in disturbances:
                raise errors.SpecError(f"{name} is moved by the controller. Leave it out of disturbances=.")
            self.held[:, self.rows[name]] = sampled(value, times)

    def _parameters(self, applied: Mapping[str, float], k: int) -> Any:
        held = self.held[k].copy()
        for name, value in applied.items():
            held[self.rows[name]] = value
        return self.numbers.parameters(held, k * self.interval, self.interval)

    def named(self, x: Any) -> dict[str, Any]:
        """States by name."""
        return {n: float(x[at]) if not isinstance(at, slice) else x[at] for n, at in self.states.items()}

    def measured(self, x: Any, applied: Mapping[str, float], k: int) -> Any:
        """Readings and outputs without noise, in the order of `watched`."""
        return self.numbers.measure(x, self._parameters(applied, k))

    def moved(self, x: Any, applied: Mapping[str, float], k: int) -> tuple[Any, str]:
        """States one interval later, and what went wrong."""
        return self.numbers.end(x, self._parameters(applied, k))


class _Laboratory:
    """Samples that are taken rarely and whose results come late."""

    def __init__(self, given: Mapping[str, tuple[float | str, float | str]], names: tuple[str, ...], real: _Plant) -> None:
        for name in given:
            if name not in names:
                raise errors.unknown("measurement", name, "the laboratory", names)
        self.given = {n: (real.check.time(f"the sampling of {n}", every), number(f"the delay of {n}", delay, real.unit))
                      for n, (every, delay) in given.items()}
        self.next = dict.fromkeys(self.given, 0.0)
        self.waiting: list[tuple[float, str, Reading]] = []

    def results(self, readings: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Readings of now, with results of samples in place of those that the laboratory makes."""
        found = {n: v for n, v in readings.items() if n not in self.given}
        for name, (every, delay) in self.given.items():
            if now >= self.next[name] - 1e-9 * every:
                self.waiting.append((now + delay, name, Reading(float(readings[name]), time=now)))
                self.next[name] += every
        ready = [w for w in self.waiting if w[0] <= now + 1e-9]
        self.waiting = [w for w in self.waiting if w[0] > now + 1e-9]
        for _, name, reading in ready:
            found[name] = [*found.get(name, []), reading]
        return found
