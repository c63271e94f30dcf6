"""Kinds of jobs that are no records against a model: found by entry point, chosen by a table of the job file."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twin.jobs.toml import Table
from twin.status import Status

ENTRY_POINTS = "twinworks.jobkinds"


@dataclasses.dataclass(frozen=True, eq=False)
class Done:
    """What a job of another kind did.

    Attributes
    ----------
    status
        How it ended.
    usable
        False where there is no answer; `twin run` then ends with an error.
    said
        Findings, the most important one first.
    files
        What was written, by what it is.
    value
        The answer itself.
    """

    status: Status
    usable: bool
    said: Sequence[str]
    files: Mapping[str, Path]
    value: Any = None


class Kind(abc.ABC):
    """One kind of job; the table that marks its job files has the name of its entry point."""

    @abc.abstractmethod
    def run(self, top: Table, output: str | Path | None, progress: Callable[[int, int, str], None] | None) -> Done:
        """Check the job file strictly, do what it asks, and write the files."""


def installed() -> Mapping[str, Any]:
    """Entry points of the kinds by name."""
    from importlib.metadata import entry_points

    return {e.name: e for e in entry_points(group=ENTRY_POINTS)}


def find(top: Table) -> Kind | None:
    """The kind that a job file asks for; None: records against a model."""
    known = installed()
    kind: Kind | None = next((known[key].load() for key in top.values if key in known), None)
    return kind
