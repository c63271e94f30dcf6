"""The report of a data check: a row for each tag and run, and findings with from, to and a sentence."""

from __future__ import annotations

import dataclasses
from typing import Any

from twin import errors
from twin.figures import new_figure

KINDS = ("bad", "gap", "clock", "duplicate", "frozen", "saturated", "spike", "limits", "mixed-up unit", "constant",
         "twin tag",
         "drift", "no excitation")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is suspicious.

    Attributes
    ----------
    run, tag
        Where; run is empty for what concerns all runs.
    kind
        One of `KINDS`.
    first, last
        From and to, in the time unit of the run.
    count
        Samples (or intervals) concerned.
    message
        The finding in a sentence, with name, value, unit and times.
    """

    run: str
    tag: str
    kind: str
    first: float
    last: float
    count: int
    message: str


@dataclasses.dataclass(frozen=True)
class TagQuality:
    """How sound one tag of one run is; the shares are of the samples expected at its usual spacing, 0 to 1.

    Attributes
    ----------
    run, tag, unit
        Which series.
    samples, spacing
        Number of samples, and their median distance in `time_unit`.
    missing, bad, frozen, spikes, outside
        Shares: not there, of bad quality, in a frozen stretch, isolated spikes, outside the limits of the model.
    gaps, clock_jumps
        Numbers of intervals.
    changes
        Number of times the value changed.
    score
        100 times the share of expected samples that nothing was found against.
    todo
        What to do, in a sentence.
    """

    run: str
    tag: str
    unit: str
    time_unit: str
    samples: int
    spacing: float
    missing: float
    bad: float
    frozen: float
    spikes: float
    outside: float
    gaps: int
    clock_jumps: int
    changes: int
    score: float
    todo: str


@dataclasses.dataclass(frozen=True)
class QualityReport:
    """What `twin.check_data` found.

    Attributes
    ----------
    rows
        One `TagQuality` a run and tag.
    findings
        What was found, run by run.
    """

    rows: tuple[TagQuality, ...]
    findings: tuple[Finding, ...]

    @property
    def score(self) -> float:
        """The score of all tags and runs, each counted with its samples; NaN without any."""
        total = sum(r.samples for r in self.rows)
        return sum(r.score * r.samples for r in self.rows) / total if total else float("nan")

    @property
    def ok(self) -> bool:
        """True where nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        runs = len({r.run for r in self.rows})
        head = f"{len(self.rows)} tags in {runs} run{'s' if runs != 1 else ''}, score {self.score:.0f} of 100"
        return "\n".join([f"{head}, {len(self.findings) or 'no'} findings.",
                          *(f"- {f.message}" for f in self.findings)])

    def of(self, kind: str) -> tuple[Finding, ...]:
        """The findings of one kind."""
        if kind not in KINDS:
            raise errors.unknown("kind", kind, "findings", KINDS)
        return tuple(f for f in self.findings if f.kind == kind)

    def table(self) -> Any:
        """DataFrame with one row a run and tag; shares in percent."""
        import pandas as pd

        frame = pd.DataFrame([dataclasses.asdict(r) for r in self.rows],
                             columns=[f.name for f in dataclasses.fields(TagQuality)])
        for name in ("missing", "bad", "frozen", "spikes", "outside"):
            frame[name] = (100 * frame[name].astype(float)).round(2)
        frame["score"] = frame["score"].astype(float).round(1)
        shown = {n: f"{n} [%]" for n in ("missing", "bad", "frozen", "spikes", "outside")}
        return frame.rename(columns=shown)

    def plot(self) -> Any:
        """matplotlib Figure: the score of each tag in each run as a colored table.

        Raises
        ------
        MissingExtraError
            Without matplotlib.
        """
        runs, tags = (list(dict.fromkeys(getattr(r, k) for r in self.rows)) for k in ("run", "tag"))
        grid = [[float("nan")] * len(runs) for _ in tags]
        for r in self.rows:
            grid[tags.index(r.tag)][runs.index(r.run)] = r.score
        figure = new_figure(2.5 + 0.7 * max(len(runs), 2), 1.2 + 0.35 * max(len(tags), 2))
        axes = figure.add_subplot()
        image = axes.imshow(grid or [[float("nan")]], vmin=0, vmax=100, cmap="RdYlGn", aspect="auto")
        axes.set_xticks(range(len(runs)), runs, rotation=30, ha="right")
        axes.set_yticks(range(len(tags)), tags)
        for y, line in enumerate(grid):
            for x, value in enumerate(line):
                if value == value:
                    axes.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=8)
        axes.set_title("Share of sound samples [%]")
        figure.colorbar(image, ax=axes)
        return figure
