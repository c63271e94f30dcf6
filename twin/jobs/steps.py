"""Steps of a job beyond simulating and comparing: found by entry point, run in the order of the job file."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin import errors
from twin.status import Status

ENTRY_POINTS = "twinworks.jobsteps"


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What a step is given.

    Attributes
    ----------
    job, records
        The checked job and what was read.
    model
        The model of the job, or what an earlier step made of it.
    trajectories, comparison
        Simulated runs by name, and how they compare.
    folder
        Where the job writes.
    outcomes
        What earlier steps gave, by name.
    progress
        Called with a line of text.
    """

    job: Any
    records: Any
    model: Any
    trajectories: Mapping[str, Any]
    comparison: Any
    folder: Path
    outcomes: Mapping[str, Outcome]
    progress: Callable[[str], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What a step did.

    Attributes
    ----------
    title
        Of its section in the report.
    status
        How it ended.
    sentences
        Findings; the first of them stands in the summary of the report.
    tables
        (caption, columns, rows) of each table.
    pictures
        PNG by caption.
    summary
        Numbers for programs, under "steps" in `summary.json`.
    model
        A changed model for later steps and for `twin.h5`, or None.
    value
        Anything that later steps may use.
    """

    title: str
    status: Status
    sentences: Sequence[str]
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = ()
    pictures: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    summary: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    model: Any = None
    value: Any = None


class Step(abc.ABC):
    """One kind of step; its table in the job file has the name of its entry point."""

    @abc.abstractmethod
    def read(self, table: Any, job: Any) -> Any:
        """What its table asks for, checked strictly; nothing is computed here."""

    @abc.abstractmethod
    def run(self, asked: Any, context: Context) -> Outcome:
        """Do it."""


def installed() -> Mapping[str, Any]:
    """Entry points of the steps by name."""
    from importlib.metadata import entry_points

    return {e.name: e for e in entry_points(group=ENTRY_POINTS)}


def read_steps(top: Any, job: Any) -> tuple[tuple[str, Step, Any], ...]:
    """(name, step, what is asked) of each table of the job file that is a step, in the order of the file."""
    found, known = [], installed()
    for key in top.values:
        if key in known:
            step = known[key].load()
            found.append((key, step, step.read(top.table(key), job)))
    return tuple(found)


def run_steps(steps: Sequence[tuple[str, Step, Any]], context: Context) -> dict[str, Outcome]:
    """Run the steps one after another; one that fails is told, and later ones go on without it."""
    outcomes: dict[str, Outcome] = {}
    for name, step, asked in steps:
        context.progress(f"step {name}")
        here = dataclasses.replace(context, outcomes=dict(outcomes))
        try:
            outcome = step.run(asked, here)
        except errors.TwinError as e:
            status = getattr(e, "status", None) or Status.NOT_CONVERGED
            outcome = Outcome(name.capitalize(), status, [f"Step '{name}' ended without a result: {e}"])
        outcomes[name] = outcome
        if outcome.model is not None:
            context = dataclasses.replace(context, model=outcome.model)
        if outcome.status is Status.STOPPED:
            break
    return outcomes
