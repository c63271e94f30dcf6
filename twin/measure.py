"""Measures: what whole runs are judged by, as named numbers with units; designs and job files are stated in them."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.figures import new_figure

ENTRY_POINTS = "twinworks.measures"


class Measure(abc.ABC):
    """Named numbers of whole runs, such as a peak, a time above a temperature, the fuel burnt.

    A measure is a frozen dataclass whose first field is the model; its further fields are numbers that a job file may set. It is
    registered as an entry point of the group "twinworks.measures".

    Attributes
    ----------
    signals
        Signals that it reads.
    units
        {metric: unit} of all that it finds.
    """

    @property
    @abc.abstractmethod
    def signals(self) -> tuple[str, ...]:
        """Names of the signals that it reads."""

    @property
    @abc.abstractmethod
    def units(self) -> Mapping[str, str]:
        """Unit of each metric."""

    @abc.abstractmethod
    def __call__(self, times: Any, seen: Mapping[str, Any]) -> Mapping[str, Any]:
        """Metrics of many runs.

        Parameters
        ----------
        times
            Output times, shape (times,), in the time unit of the model.
        seen
            {signal: values of shape (members, times, ...)} and, where they differ between members, {parameter: (members,)}.

        Returns
        -------
        Mapping
            {metric: (members,)}, smooth in the parameters where a solver is to find its way.
        """

    def of(self, run: Any) -> dict[str, float]:
        """Metrics of one simulated run of the measure's model, with the parameters of the run."""
        import numpy as np

        seen = {n: np.array([v]) for n, v in run.parameters.items()} | {n: run[n][None] for n in self.signals}
        return {n: float(v[0]) for n, v in self(run.times, seen).items()}

    def plot(self, runs: Mapping[str, Any], limits: Mapping[str, tuple[float | None, float | None]]) -> Any:
        """Figure of runs by name, such as {"best": ..., "today": ...}: all signals that have no cells over time.

        Parameters
        ----------
        runs
            {name: `Trajectory`}, the most important one first.
        limits
            {metric: (lower, upper)}, for measures that can show them.
        """
        first = next(iter(runs.values()))
        names = [n for n in self.signals if first[n].ndim == 1] or list(self.signals)
        figure = new_figure(9, 2.4 * len(names))
        for k, name in enumerate(names):
            axes = figure.add_subplot(len(names), 1, k + 1)
            for style, (label, run) in zip(("-", "--", ":"), runs.items(), strict=False):
                axes.plot(run.times, run[name].reshape(len(run), -1), style, lw=1.2, label=label)
            axes.set_ylabel(f"{name.replace('_', ' ')} [{first.unit(name)}]")
            axes.legend(fontsize=8)
        axes.set_xlabel(f"time [{first.time_unit}]")
        return figure


def registered() -> dict[str, Any]:
    """Entry points of the measures by name, sorted."""
    from importlib.metadata import entry_points

    return {e.name: e for e in sorted(entry_points(group=ENTRY_POINTS), key=lambda e: e.name)}


def find(name: str) -> Any:
    """The class of the measure of this name.

    Raises
    ------
    SpecError
        Where no installed package registers it.
    """
    known = registered()
    if name not in known:
        raise errors.unknown("measure", name, "the installed packages", known)
    return known[name].load()
