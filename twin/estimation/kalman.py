"""What Kalman filters share: names, noise, gates, limits, and readings that come late, rarely or not at all."""

from __future__ import annotations

import abc
import dataclasses
import math
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.controller import AbstractEstimator, EstimatorInfo, Reading
from twin.estimation.interval import Interval, deviations
from twin.simulation.checks import Checker, number
from twin.status import Status

RTOL = 1e-8
GATE = 5.0
LOCKED_OUT = 5  # refusals in a row after which the model is doubted rather than the sensor


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """One instant of a filter: estimate before and after its readings, and the inputs applied from here on."""

    time: float
    x: Any
    cov: Any
    readings: tuple[tuple[str, float], ...] = ()
    held: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class FilterState:
    """State of a filter: the instants that a late reading may still reach, the newest last, and refusals in a row by name."""

    nodes: tuple[Node, ...]
    x: Any
    cov: Any
    refused: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def time(self) -> float:
        """Time of the estimate."""
        return self.nodes[-1].time


@dataclasses.dataclass(frozen=True, eq=False)
class _Update:
    """What the readings of one instant did."""

    x: Any
    cov: Any
    innovations: Mapping[str, float]
    nis: float | None
    refused: Mapping[str, str]
    clipped: tuple[str, ...]
    believed: tuple[str, ...] = ()  # far from what was expected, but too often to be refused again


class KalmanFilter(AbstractEstimator):
    """What the filters share: names, noise, late readings, gates and limits."""

    interval: float

    def __init__(self, model: Any, measured: Mapping[str, Any], *, interval: float | str, noise: Mapping[str, Any] | None = None,
                 walks: Mapping[str, Any] | None = None, initial: Mapping[str, Any] | None = None,
                 sd: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None,
                 longest_delay: float | str = 0.0, gate: float | None = GATE, rtol: float = RTOL,
                 execution: str | None = None) -> None:
        import numpy as np

        if not measured:
            raise errors.SpecError("An estimator was given no measurements. Give their standard deviations by name, as in "
                                   "measured={'temperature': 0.5}.")
        self.names, self.walked = tuple(measured), tuple(walks or {})
        self.numbers = Interval.of(model, self.walked, self.names, parameters, rtol, execution)
        held, check = self.numbers.model, Checker(model)
        title = self.numbers.kernels.name
        self.model = model
        self.interval = check.time("interval", interval)
        unit = str(model.time_unit)
        self.longest_delay = number("longest_delay", longest_delay, unit)
        self.gate = gate
        signals = [held.place(n)[1] for n in self.names]
        self.units = {n: s.unit for n, s in zip(self.names, signals, strict=True)}
        sizes = [number(f"the standard deviation of {n}", measured[n], u) for n, u in self.units.items()]
        for n, size in zip(self.names, sizes, strict=True):
            if not (size > 0 and math.isfinite(size)):
                raise errors.SpecError(f"The standard deviation of {title}.{n} is {size:g} {self.units[n]}. "
                                       "Expected a number above 0.")
        self.noise_of_readings = np.array(sizes) ** 2
        self.labels = self.numbers.kernels.labels("state")
        scale = np.abs(np.asarray(self.numbers.kernels.check.nominal("state"), dtype=float))
        scale[scale == 0.0] = 1.0
        stays = np.arange(len(scale)) >= len(scale) - len(self.walked)
        default = np.where(stays, 0.0, 0.01 * scale) if noise is None else np.zeros(len(scale))
        added = deviations(self.labels, title, {**(noise or {}), **(walks or {})}, default, "noise")
        self.density = np.diag(added**2) / self.interval
        self.sd = deviations(self.labels, title, sd or {}, 0.1 * scale, "sd")
        self.start = self._start(initial)
        low, high = self.numbers.kernels.limits()
        self.low, self.high = low[:len(scale)], high[:len(scale)]
        first = {"input": 0, "disturbance": model.size("input")}
        self.entries = {r.signal.name: first[role] + r.start for role in first for r in model.layout(role) if not r.shape}
        n_p = len(self.numbers.p) - 2 - self.numbers.n_held
        self.nominal_held = self.numbers.p[n_p:-2].copy()

    def _start(self, initial: Mapping[str, Any] | None) -> Any:
        """First estimate: states of the model, walks at their nominal values, what is given written over them."""
        import numpy as np

        given = dict(initial or {})
        walks = {n: given.pop(n) for n in self.walked if n in given}
        flat = list(Checker(self.model, False).initial(given))
        for name in self.walked:
            signal = self.numbers.model.walk(name)
            flat.append(number(name, walks.get(name, signal.nominal), signal.unit))
        return np.asarray(flat, dtype=float)

    def init(self, initial: Mapping[str, float] | None = None, *, sd: Mapping[str, float] | None = None,
             time: float = 0.0) -> FilterState:
        """First state.

        Parameters
        ----------
        initial, sd
            Estimates and standard deviations that differ from those of the filter, by name.
        time
            In the time unit of the model.
        """
        import numpy as np

        x = self.start if initial is None else self._start(initial)
        spread = deviations(self.labels, self.numbers.kernels.name, sd or {}, self.sd, "sd")
        cov = np.diag(spread**2)
        return FilterState((Node(float(time), x, cov, (), self.nominal_held),), x, cov)

    def warm_up(self) -> None:
        """Compile what a step needs."""
        self.numbers.warm_up()
        state = self.init()
        self.step(state, {n: math.nan for n in self.names}, inputs={})

    def step(self, state: FilterState, measurements: Mapping[str, Any], *, inputs: Mapping[str, float],
             time: float | None = None) -> tuple[FilterState, EstimatorInfo]:
        """State and estimate at `time`.

        Parameters
        ----------
        state
            From `init` or the step before.
        measurements
            By name: a number, NaN or None where it is missing, or a `twin.Reading` with its own time and quality.
        inputs
            Inputs and disturbances since the last step, by name; what is left out or is not a number keeps its value.
        time
            Now, in the time unit of the model; one interval after the last step without.

        Returns
        -------
        state, info
            `info.estimate` and `info.sd` by name; what was used, refused and clipped.
        """
        begin = clock.perf_counter()
        now = state.time + self.interval if time is None else float(time)
        said: list[str] = []
        if not now >= state.time:
            said.append(f"The time {now:g} lies before the last step at {state.time:g} {self.model.time_unit}; nothing was done.")
            return state, self._info(state, Status.NOT_CONVERGED, said, {}, (), begin)
        held = self._held(state.nodes[-1].held, inputs, said)
        fresh, refused = self._sorted(state, measurements, now)
        nodes, updates, trouble = self._replay(state, held, fresh, now)
        said += trouble
        new = {name for _, name, _ in fresh}
        counts = dict(state.refused)
        for update in updates.values():
            refused |= {n: why for n, why in update.refused.items() if n in new}
        believed = {n for update in updates.values() for n in update.believed if n in new}
        said += [f"{n} was far from what was expected for the {LOCKED_OUT + 1}th time in a row or more; it was used." for n in
                 sorted(believed)]
        for n in new:
            counts[n] = counts.get(n, 0) + 1 if n in refused or n in believed else 0
        last = updates[nodes[-1].time]
        kept = [k for k in range(len(nodes)) if nodes[k].time <= now - self.longest_delay]
        new_state = FilterState(tuple(nodes[max(kept, default=0):]), last.x, last.cov, counts)
        seen = {n: v for at, u in updates.items() for n, v in u.innovations.items() if (at, n) in {(t, m) for t, m, _ in fresh}}
        said += refused.values()
        clipped = last.clipped
        if clipped:
            said.append(f"Held at a limit: {', '.join(clipped)}.")
        status = Status.NOT_FINITE if trouble else Status.SUCCESS
        return new_state, self._info(new_state, status, said, refused, clipped, begin, seen, last.nis)

    def expected(self, state: FilterState) -> dict[str, tuple[float, float]]:
        """What each measurement would show now without noise, and the standard deviation of that: a soft sensor.

        Examples
        --------
        >>> import twin
        >>> from processes.chemical import VanDeVusse
        >>> watch = twin.Ekf(VanDeVusse.do_mpc(), {"t_reactor": 0.3, "c_b": 0.02}, interval="18 s")
        >>> value, sd = watch.expected(watch.init())["c_b"]
        >>> sd > 0
        True
        """
        import numpy as np

        p = self.numbers.parameters(state.nodes[-1].held, state.time, self.interval)
        mean, spread, _ = self._expected(state.x, state.cov, p)
        sd = np.sqrt(np.maximum(np.diag(spread), 0.0))
        return {n: (float(m), float(v)) for n, m, v in zip(self.names, mean, sd, strict=True)}

    def _info(self, state: FilterState, status: Status, said: Sequence[str], refused: Mapping[str, str], clipped: tuple[str, ...],
              begin: float, seen: Mapping[str, float] | None = None, nis: float | None = None) -> EstimatorInfo:
        import numpy as np

        spread = np.sqrt(np.maximum(np.diag(state.cov), 0.0))
        return EstimatorInfo(status, " ".join(said), state.time, dict(zip(self.labels, map(float, state.x), strict=True)),
                             dict(zip(self.labels, map(float, spread), strict=True)), dict(seen or {}), nis, tuple(seen or {}),
                             dict(refused), clipped, clock.perf_counter() - begin)

    def _held(self, last: Any, inputs: Mapping[str, Any], said: list[str]) -> Any:
        held = last.copy()
        for name, value in inputs.items():
            if name not in self.entries:
                said.append(f"{self.numbers.kernels.name} has no input '{name}'; it was ignored.")
            elif value is None or not math.isfinite(value):
                said.append(f"The input {name} is {value}; its last value {held[self.entries[name]]:g} was kept.")
            else:
                held[self.entries[name]] = float(value)
        return held

    def _sorted(self, state: FilterState, measurements: Mapping[str, Any],
                now: float) -> tuple[list[tuple[float, str, float]], dict[str, str]]:
        """Usable readings with their times, and why others are not."""
        fresh, refused = [], {}
        unit, slack = self.model.time_unit, 1e-9 * self.interval
        oldest = max(state.nodes[0].time, min(state.time, now - self.longest_delay))
        for name, value in measurements.items():
            many = value if isinstance(value, list | tuple) else (value,)
            for one in many:
                reading = one if isinstance(one, Reading) else Reading(None if one is None else float(one))
                at = now if reading.time is None else float(reading.time)
                if name not in self.names:
                    refused[name] = f"{name} is not measured by this estimator; it was ignored."
                elif not reading.usable:
                    refused[name] = f"{name} is missing or bad."
                elif at > now + slack:
                    refused[name] = f"{name} was taken at {at:g} {unit}, after now ({now:g} {unit})."
                elif at < oldest - slack:
                    refused[name] = f"{name} was taken at {at:g} {unit}, before {oldest:g} {unit}. Raise longest_delay."
                else:
                    known = next((t for t in (now, *(n.time for n in state.nodes)) if abs(t - at) <= slack), at)
                    fresh.append((known, name, float(reading.value)))  # type: ignore[arg-type]
        return fresh, refused

    def _replay(self, state: FilterState, held: Any, fresh: Sequence[tuple[float, str, float]],
                now: float) -> tuple[list[Node], dict[float, _Update], list[str]]:
        """Nodes from the oldest instant that changed to now, and what each update did."""
        plan = {n.time: n for n in state.nodes}
        plan[state.time] = dataclasses.replace(state.nodes[-1], held=held)
        for at in sorted({now, *(t for t, _, _ in fresh)}):
            if at not in plan:
                before = max(t for t in plan if t <= at)
                plan[at] = Node(at, None, None, (), plan[before].held)
        for at, name, value in fresh:
            plan[at] = dataclasses.replace(plan[at], readings=(*plan[at].readings, (name, value)))
        instants = sorted(plan)
        changed = {now, *(t for t, _, _ in fresh)}
        first = max(k for k, t in enumerate(instants) if t <= min(changed) and plan[t].x is not None)
        nodes = [plan[t] for t in instants[:first]]
        updates: dict[float, _Update] = {}
        trouble: list[str] = []
        x = cov = None
        for k in range(first, len(instants)):
            node = plan[instants[k]]
            if k > first:
                last = nodes[-1]
                x, cov, wrong = self._predicted(x, cov, last.held, last.time, node.time - last.time)
                if wrong:
                    trouble.append(f"The model could not be followed from {last.time:g} to {node.time:g} {self.model.time_unit}; "
                                   f"the estimate was kept. {wrong}")
                node = dataclasses.replace(node, x=x, cov=cov)
            nodes.append(node)
            unchanged = k == first and node.time == state.time and node.time not in {t for t, _, _ in fresh}
            update = _Update(state.x, state.cov, {}, None, {}, ()) if unchanged else self._updated(node, state.refused)
            updates[node.time], x, cov = update, update.x, update.cov
        return nodes, updates, trouble

    def _predicted(self, x: Any, cov: Any, held: Any, start: float, length: float) -> tuple[Any, Any, str]:
        """Estimate at the end of an interval."""
        import numpy as np

        if length <= 0:
            return x, cov, ""
        p = self.numbers.parameters(held, start, length)
        moved, spread, wrong = self._moved(x, cov, p)
        noise = self.numbers.gathered(x, p, self.density) if not wrong else self.density * length
        spread = spread + noise if not wrong else cov + noise
        if not (np.isfinite(moved).all() and np.isfinite(spread).all()):
            return x, cov + self.density * length, wrong or str(Status.NOT_FINITE)
        return (x if wrong else moved), 0.5 * (spread + spread.T), wrong

    def _updated(self, node: Node, refusals: Mapping[str, int]) -> _Update:
        """Estimate with the readings of an instant, those far from what is expected left out."""
        import numpy as np

        if not node.readings:
            return _Update(node.x, node.cov, {}, None, {}, ())
        p = self.numbers.parameters(node.held, node.time, self.interval)
        expected, seen, cross = self._expected(node.x, node.cov, p)
        rows, values, refused, believed = [], [], {}, []
        for name, value in node.readings:
            k = self.names.index(name)
            off, spread = value - expected[k], math.sqrt(max(seen[k, k] + self.noise_of_readings[k], 0.0))
            if not math.isfinite(off):
                refused[name] = f"{name} cannot be computed at this estimate."
                continue
            far = self.gate is not None and abs(off) > self.gate * spread
            if far and refusals.get(name, 0) < LOCKED_OUT:
                refused[name] = (f"{name} is {value:g} {self.units[name]}, {abs(off) / spread:.1f} standard deviations from the "
                                 f"{expected[k]:g} {self.units[name]} expected.")
                continue
            if far:
                believed.append(name)
            rows.append(k)
            values.append(off)
        if not rows:
            return _Update(node.x, node.cov, {}, None, refused, ())
        at, off = np.array(rows), np.array(values)
        total = seen[np.ix_(at, at)] + np.diag(self.noise_of_readings[at])
        gain = np.linalg.solve(total, cross[:, at].T).T
        x = node.x + gain @ off
        cov = node.cov - gain @ total @ gain.T
        held = np.clip(x, self.low, self.high)
        clipped = tuple(n for n, a, b in zip(self.labels, x, held, strict=True) if a != b)
        names = [self.names[k] for k in rows]
        return _Update(held, 0.5 * (cov + cov.T), dict(zip(names, map(float, off), strict=True)),
                       float(off @ np.linalg.solve(total, off)), refused, clipped, tuple(believed))

    @abc.abstractmethod
    def _moved(self, x: Any, cov: Any, p: Any) -> tuple[Any, Any, str]:
        """Estimate and covariance at the end of the interval, without noise."""

    @abc.abstractmethod
    def _expected(self, x: Any, cov: Any, p: Any) -> tuple[Any, Any, Any]:
        """Expected measurements, their covariance without noise, and that with the states."""
