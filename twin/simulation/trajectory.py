"""Trajectory: the frozen result of a simulation, every signal by name with its unit."""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.status import Status

if TYPE_CHECKING:
    from twin.simulation.comparison import Comparison

SHOWN = ("state", "algebraic", "output", "input", "disturbance")
PARTS = {"state": "x", "algebraic": "z", "output": "y", "input": "u", "disturbance": "d"}  # names in the engine


@dataclasses.dataclass(frozen=True)
class Event:
    """What happened at one instant: the start of a phase, with the states just before and just after.

    Attributes
    ----------
    time
        In the time unit of the model.
    phase, name
        Number and name of the phase that starts.
    before, after
        States by name on both sides of the resets.
    """

    time: float
    phase: int
    name: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Trajectory:
    """One simulated run.

    `trajectory["biomass"]` (or `trajectory.biomass`) gives the values at `trajectory.times`; signals on cells have
    the shape (times, cells). Nothing is converted to numpy before it is asked for.

    Attributes
    ----------
    model
        Name of the model.
    status
        How the simulation ended; `bool(status)` tells success.
    message
        The status in a sentence with time, signal and value, or "".
    time_unit
        Unit of all times.
    events
        Starts of phases with the states before and after.
    stats
        Work done: steps, rejected steps and so on.
    parameters
        Values of the parameters, by name.
    sensitivities
        Forward sensitivities, or None where none were asked for.
    raw_times, raw, layout
        As the engine left it: times, rows by role, and where each signal lies in a row.
    again
        Repeats the run at other times; None after it was stored or sent to another process.
    """

    model: str
    status: Status
    message: str
    time_unit: str
    raw_times: Sequence[float]
    raw: Mapping[str, Sequence[Sequence[float]]]
    layout: Mapping[str, tuple[Any, ...]]
    events: Sequence[Event] = ()
    stats: Mapping[str, float] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, float] = dataclasses.field(default_factory=dict, repr=False)
    sensitivities: Any = dataclasses.field(default=None, repr=False)
    again: Callable[[Sequence[float]], Trajectory] | None = dataclasses.field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "again": None}  # a compiled simulator stays in its process

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def row(self, name: str) -> Any:
        """Layout row of a signal: its `signal` (unit, limits, role) and where it lies."""
        for role in SHOWN:
            for r in self.layout.get(role, ()):
                if r.signal.name == name:
                    return r
        raise errors.unknown("signal", name, self.model, self.names())

    def names(self, *roles: str) -> tuple[str, ...]:
        """Names of the signals of the roles given, of all without."""
        return tuple(r.signal.name for role in roles or SHOWN for r in self.layout.get(role, ()))

    def unit(self, name: str) -> str:
        """Unit of a signal."""
        return str(self.row(name).signal.unit)

    def __getitem__(self, name: str) -> Any:
        import numpy as np

        if name == "time":
            return self.times
        row = self.row(name)
        flat = np.asarray(self.raw[row.signal.role], dtype=float).reshape(len(self.raw_times), -1)
        return flat[:, row.where].copy()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "layout" not in self.__dict__:
            raise AttributeError(name)
        return self[name]

    def __repr__(self) -> str:
        span = f"{self.raw_times[0]:g} to {self.raw_times[-1]:g} {self.time_unit}" if len(self) else "empty"
        return f"Trajectory({self.model}, {span}, {len(self)} points, {self.status.name})"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.names()})

    def __len__(self) -> int:
        return len(self.raw_times)

    @property
    def times(self) -> Any:
        """Times (numpy, shape (times,)), in `time_unit`."""
        import numpy as np

        return np.asarray(self.raw_times, dtype=float)

    @property
    def states(self) -> dict[str, Any]:
        """States by name."""
        return {n: self[n] for n in self.names("state")}

    @property
    def outputs(self) -> dict[str, Any]:
        """Outputs by name."""
        return {n: self[n] for n in self.names("output")}

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs and disturbances by name."""
        return {n: self[n] for n in self.names("input", "disturbance")}

    @property
    def final(self) -> dict[str, Any]:
        """Last value of every signal: floats, lists on cells."""
        if not len(self.raw_times):
            return {}
        last: dict[str, Any] = {"time": float(self.raw_times[-1])}
        for role in SHOWN:
            for r in self.layout.get(role, ()):
                part = self.raw[role][-1][r.where]
                last[r.signal.name] = [float(v) for v in part] if r.shape else float(part)
        return last

    def at(self, times: float | Iterable[float]) -> Trajectory:
        """The same run at other times.

        The run is repeated with the same steps and read off the integrator's own interpolant. A trajectory that was
        pickled or loaded has lost its simulator and is interpolated linearly between its points.
        """
        wanted = sorted({float(t) for t in ([times] if isinstance(times, int | float) else times)})
        if not len(self.raw_times):
            raise errors.SpecError(f"The trajectory of {self.model} is empty: nothing to sample. {self.message}")
        first, last = float(self.raw_times[0]), float(self.raw_times[-1])
        slack = 1e-9 * max(abs(first), abs(last))
        for t in wanted:
            if not first - slack <= t <= last + slack:
                raise errors.out_of_range("time", t, self.time_unit, first, last, "Sample within the simulated span.")
        wanted = [min(max(t, first), last) for t in wanted]
        if self.again is not None:
            return self.again(wanted)
        raw = {role: [self._between(rows, t) for t in wanted] for role, rows in self.raw.items()}
        return dataclasses.replace(self, raw_times=wanted, raw=raw)

    def _between(self, rows: Sequence[Sequence[float]], t: float) -> list[float]:
        if len(rows) == 1:
            return list(rows[0])
        k = min(max(bisect.bisect_right(self.raw_times, t), 1), len(rows) - 1)
        a, b = self.raw_times[k - 1], self.raw_times[k]
        w = (t - a) / (b - a) if b > a else 1.0
        return [p + w * (q - p) for p, q in zip(rows[k - 1], rows[k], strict=True)]

    def amount(self, name: str) -> Any:
        """Concentration times volume of a state declared with `per=`, shape (times,), in the product of both units."""
        signal = self.row(name).signal
        if not getattr(signal, "per", ""):
            known = [n for n in self.names("state") if self.row(n).signal.per]
            raise errors.SpecError(f"{self.model}.{name} in {signal.unit} is not declared per volume. "
                                   f"Expected one of: {', '.join(known) or 'none'}. Declare it with `per=`.")
        return self[name] * self[signal.per]

    def total(self, content: Mapping[str, float]) -> Any:
        """Inventory of one conserved quantity, shape (times,): the sum of content x amount.

        `content` is what one unit of each state holds, for example {"biomass": 0.488, "substrate": 0.4} in g carbon
        per g; states without `per=` count as amounts themselves.
        """
        parts = [share * (self.amount(n) if self.row(n).signal.per else self[n]) for n, share in content.items()]
        if not parts:
            raise errors.SpecError("total() was given no states. Expected {state: content}, as in {'biomass': "
                                   "0.488}.")
        return sum(parts[1:], parts[0])

    def to_frame(self) -> Any:
        """pandas DataFrame: one row a time, one column a signal ("name[cell]" on cells), units in `attrs["units"]`."""
        import pandas as pd

        columns: dict[str, Any] = {}
        units: dict[str, str] = {}
        for name in self.names():
            values = self[name]
            wide = values.ndim > 1
            parts = {f"{name}[{i}]": values[:, i] for i in range(values.shape[1])} if wide else {name: values}
            columns |= parts
            units |= dict.fromkeys(parts, self.unit(name))
        frame = pd.DataFrame(columns, index=pd.Index(self.times, name=f"time [{self.time_unit}]"))
        frame.attrs.update(units=units, time_unit=self.time_unit, model=self.model, status=str(self.status))
        return frame

    def _ranges(self) -> list[dict[str, Any]]:
        """The rows of `table`."""
        import numpy as np

        rows = []
        for name in self.names():
            signal, values = self.row(name).signal, self[name]
            out = (values < signal.lower) | (values > signal.upper)
            worst = np.maximum(signal.lower - values, values - signal.upper)
            rows.append({"signal": name, "role": signal.role, "unit": signal.unit, "first": values[:1].mean(),
                         "last": values[-1:].mean(), "min": values.min(initial=math.inf),
                         "max": values.max(initial=-math.inf), "lower": signal.lower, "upper": signal.upper,
                         "beyond": float(worst.max(initial=0.0)),
                         "share_beyond": float(out.mean()) if out.size else 0.0})
        return rows

    def table(self) -> Any:
        """DataFrame: one row a signal with unit, first, last, range, limits, and what lies beyond them."""
        import pandas as pd

        return pd.DataFrame(self._ranges()).set_index("signal")

    @property
    def excursions(self) -> tuple[str, ...]:
        """A sentence for each signal that left its limits: there the model is extrapolated, whatever the status says."""
        said = []
        for row in self._ranges():
            name = row["signal"]
            if row["beyond"] <= 1e-9 * abs(self.row(name).signal.nominal):
                continue  # rounding error at a limit
            reached = row["max"] if row["max"] > row["upper"] else row["min"]
            said.append(f"{self.model}.{name} reached {reached:.6g} {row['unit']}; its limits are {row['lower']:g} to "
                        f"{row['upper']:g} {row['unit']}. Beyond them in {row['share_beyond']:.0%} of the points.")
        return tuple(said)

    def spans(self) -> list[tuple[float, float, str]]:
        """Start, end and name of each phase."""
        if not len(self.raw_times):
            return []
        starts = [(e.time, e.name) for e in self.events] or [(float(self.raw_times[0]), "")]
        ends = [t for t, _ in starts[1:]] + [float(self.raw_times[-1])]
        return [(a, b, name) for (a, name), b in zip(starts, ends, strict=True)]

    def compare(self, data: Any, signals: Sequence[str] | None = None) -> Comparison:
        """Deviation from measured data, signal by signal; see `twin.simulation.comparison.compare`."""
        from twin.simulation.comparison import compare

        return compare(self, data, signals)

    def plot(self, signals: Sequence[str] | None = None, *, data: Any = None, title: str | None = None) -> Any:
        """Matplotlib Figure, one panel a signal: units on the axes, limits shaded, phases marked, data as points."""
        from twin.simulation.plots import plot_trajectories

        return plot_trajectories({"model": self}, signals, data=data, title=title)
