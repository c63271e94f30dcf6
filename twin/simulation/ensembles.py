"""Many simulations of one recipe: on threads over the compiled kernels, or on any executor; the order never matters."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.status import Status

if TYPE_CHECKING:
    from twin.simulation.simulate import Simulator
    from twin.simulation.trajectory import Trajectory

Progress = Callable[[int, int], None]


def spawn_executor(workers: int | None = None) -> concurrent.futures.ProcessPoolExecutor:
    """A process pool whose processes start clean (never forked), `workers` of them (None: one a core).

    Scripts that use it need the usual `if __name__ == "__main__":` guard.
    """
    import multiprocessing

    return concurrent.futures.ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def simulate_many(model: Any, recipe: Any = None, *, parameters: Any = None, initial: Any = None,
                  executor: concurrent.futures.Executor | Callable[[], concurrent.futures.Executor] | None = None,
                  threads: int | None = None, progress: Progress | None = None, **options: Any) -> Ensemble:
    """Simulate one recipe for many parameter sets or initial states.

    Parameters
    ----------
    model, recipe
        As in `twin.simulate`.
    parameters, initial
        One row a member: a DataFrame or {name: values} (names not given keep the value of the model), or an array of
        shape (members, n). A single value or row holds for all members.
    executor
        None runs on threads over the compiled model. Any `concurrent.futures.Executor` takes tasks of 32 members; a
        function that makes one (`twin.spawn_executor`) lets a broken pool be made anew.
    threads
        Number of threads without executor; all processors without.
    progress
        Called with (members done, members in all).
    options
        As in `twin.simulator`: inputs, duration, times, rtol and so on.

    Raises
    ------
    SpecError
        Where names, units, shapes or values are wrong. Members that fail are kept with their status instead.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> many = twin.simulate_many(ExothermicCstr(), parameters={"ua": [4.9e4, 5e4, 5.1e4]}, duration=5)
    >>> many["temperature"].shape
    (3, 201)
    """
    from twin.simulation.simulate import Simulator

    return Simulator(model, recipe, **options).many(initial, parameters, executor=executor, threads=threads,
                                                    progress=progress)


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """Results of many runs; `ensemble["biomass"]` has the shape (members, times), NaN where a run did not get to.

    Attributes
    ----------
    status
        STOPPED where the user stopped it, else SUCCESS; single failures are in `statuses`.
    statuses
        Status of each member; STOPPED for members that were not reached.
    """

    simulator: Simulator = dataclasses.field(repr=False)
    status: Status
    statuses: tuple[Status, ...] = dataclasses.field(repr=False)
    times: Any = dataclasses.field(repr=False)
    raw: Mapping[str, Any] = dataclasses.field(repr=False)
    initial: Any = dataclasses.field(repr=False)
    parameters: Any = dataclasses.field(repr=False)

    def __len__(self) -> int:
        return len(self.statuses)

    def __iter__(self) -> Iterator[Trajectory]:
        return (self.member(k) for k in range(len(self)))

    @property
    def finished(self) -> list[int]:
        """Indices of the members that reached their end."""
        return [k for k, s in enumerate(self.statuses) if s]

    @property
    def message(self) -> str:
        """How many members ended how."""
        counts: dict[Status, int] = {}
        for s in self.statuses:
            counts[s] = counts.get(s, 0) + 1
        return "; ".join(f"{n} of {len(self)}: {s}" for s, n in counts.items())

    def __getitem__(self, name: str) -> Any:
        row = self._row(name)
        return self.raw[row.signal.role][:, :, row.where]

    def _row(self, name: str) -> Any:
        for rows in self.simulator.layout.values():
            for r in rows:
                if r.signal.name == name:
                    return r
        known = [r.signal.name for rows in self.simulator.layout.values() for r in rows]
        raise errors.unknown("signal", name, self.simulator.name, known)

    def member(self, k: int) -> Trajectory:
        """One member, simulated again in full (events, statistics, sampling)."""
        return self.simulator(self.initial[k], self.parameters[k], throw=False)

    def quantiles(self, name: str, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> Any:
        """Quantiles over the finished members, shape (levels, times)."""
        import numpy as np

        values = self[name][self.finished]
        if not len(values):
            raise errors.SpecError(f"No member of the ensemble reached its end. {self.message}")
        return np.quantile(values, levels, axis=0)

    def table(self) -> Any:
        """DataFrame: one row a member with its status and the last value of every scalar signal; units in attrs."""
        import pandas as pd

        columns: dict[str, Any] = {"status": [s.name for s in self.statuses]}
        units = {}
        for rows in self.simulator.layout.values():
            for r in rows:
                if not r.shape:
                    columns[r.signal.name] = self.raw[r.signal.role][:, -1, r.where]
                    units[r.signal.name] = r.signal.unit
        frame = pd.DataFrame(columns).rename_axis("member")
        frame.attrs["units"] = units
        return frame

    def plot(self, signals: Sequence[str] | None = None, *, levels: tuple[float, float] = (0.05, 0.95)) -> Any:
        """Matplotlib Figure: median and band of each scalar state and output over the finished members."""
        from twin.simulation import plots

        names = list(signals) if signals is not None else [
            r.signal.name for role in ("state", "output") for r in self.simulator.layout[role] if not r.shape]
        fig, axes = plots.figure(len(names))
        unit = self.simulator.model.time_unit
        for axis, name in zip(axes, names, strict=True):
            signal = self._row(name).signal
            low, middle, high = self.quantiles(name, (levels[0], 0.5, levels[1]))
            axis.fill_between(self.times, low, high, color=plots.COLORS[0], alpha=0.2, linewidth=0,
                              label=f"{levels[0]:.0%} to {levels[1]:.0%} of {len(self.finished)} runs")
            axis.plot(self.times, middle, color=plots.COLORS[0], linewidth=1.5, label="median")
            plots.title(axis, name, signal.unit)
            axis.set_xlabel(f"time [{unit}]")
            plots.limits(axis, signal.lower, signal.upper)
        plots.legend(axes)
        return fig


def members(simulator: Simulator, initial: Any, parameters: Any) -> tuple[Any, Any]:
    """Initial states and parameters as arrays with one row a member."""
    import numpy as np

    x0, p = simulator.start()
    check = simulator.check
    states = {r.signal.name: r.where for r in simulator.layout["state"] if not r.shape}
    names = {name: k for k, name in enumerate(simulator.parameter_names)}
    tables = (_table(initial, x0, "initial", check.initial, states),
              _table(parameters, p, "parameters", check.parameters, names))
    sizes = {len(t) for t in tables if len(t) != 1}
    if len(sizes) > 1:
        raise errors.SpecError(f"initial has {len(tables[0])} rows and parameters {len(tables[1])}. Expected as "
                               "many, or "
                               "one of them single.")
    count = sizes.pop() if sizes else 1
    if not count:
        raise errors.SpecError("The ensemble has no members. Give at least one row.")
    x, q = (np.ascontiguousarray(np.broadcast_to(t, (count, t.shape[1]))) for t in tables)
    by_name = initial is None or isinstance(initial, Mapping) or hasattr(initial, "columns")
    if parameters is not None and by_name and simulator.moved_starts:
        given = () if initial is None else tuple(initial)
        free = np.concatenate([np.arange(len(x0))[r.where].reshape(-1) for r in simulator.layout["state"]
                               if r.signal.name not in given])
        x = x.copy()
        for k in range(count):
            x[k, free] = np.asarray(check.initial(None, q[k]))[free]
    return x, q


def _table(given: Any, base: Sequence[float], what: str, convert: Callable[[Mapping[str, Any]], list[float]],
           places: Mapping[str, int]) -> Any:
    import numpy as np

    if given is None:
        return np.asarray([base], dtype=float)
    if hasattr(given, "columns"):
        given = {str(c): given[c].to_numpy() for c in given.columns}
    if not isinstance(given, Mapping):
        rows = np.atleast_2d(np.asarray(given, dtype=float))
        if rows.ndim != 2 or rows.shape[1] != len(base):
            raise errors.SpecError(f"{what} has the shape {rows.shape}. Expected (members, {len(base)}).")
        bad = np.argwhere(~np.isfinite(rows))
        if len(bad):
            i, j = (int(v) for v in bad[0])
            raise errors.SpecError(f"{what}[{i}, {j}] is {rows[i, j]}. Expected a finite number.")
        return rows
    columns = {n: [v] if isinstance(v, int | float | str) else v.tolist() if hasattr(v, "tolist") else list(v)
               for n, v in given.items()}
    count = max((len(v) for v in columns.values()), default=1)
    for n, v in columns.items():
        if len(v) not in (1, count):
            raise errors.SpecError(f"{what}['{n}'] has {len(v)} values. Expected {count}, as the others, or one.")

    def one(k: int) -> list[float]:
        try:
            return convert({n: v[k] if len(v) > 1 else v[0] for n, v in columns.items()})
        except errors.SpecError as error:
            raise errors.SpecError(f"{what}, row {k}: {error}", row=k) from None

    if not all(n in places and all(isinstance(x, int | float) for x in v) for n, v in columns.items()):
        return np.asarray([one(k) for k in range(count)], dtype=float)
    rows = np.tile(np.asarray(base, dtype=float), (count, 1))
    for n, v in columns.items():
        values = np.asarray(v, dtype=float)
        for k in {int(np.argmin(values)), int(np.argmax(values))}:  # bounds hold if they hold here; NaN is found too
            one(k)
        rows[:, places[n]] = values
    return rows


def run_members(simulator: Simulator, initial: Any, parameters: Any, executor: Any, threads: int | None,
                progress: Progress | None) -> Ensemble:
    """Run all members and put the results into arrays."""
    import numpy as np

    from twin.simulation import pools

    x0, p = members(simulator, initial, parameters)
    store = pools.Store(len(x0), progress)
    try:
        if executor is None:
            pools.on_threads(simulator, x0, p, threads, store)
        else:
            pools.on_executor(simulator, x0, p, executor, store)
    except KeyboardInterrupt:
        store.stopped = True
    return Ensemble(simulator, Status.STOPPED if store.stopped else Status.SUCCESS, tuple(store.statuses),
                    np.asarray(simulator.times, dtype=float), store.filled(simulator.layout, len(simulator.times)), x0, p)
