"""Run a job file: records against a model, or a plan; a report and stored results."""

from __future__ import annotations

import argparse
import sys

from twin.cli.main import FAILED, INTERRUPTED


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `twin run`."""
    parser.add_argument("job", help="the job file (TOML)")
    parser.add_argument("--data", metavar="FILE", help="records in place of those the job names")
    parser.add_argument("--output", metavar="FOLDER", help="output folder in place of the one the job names")


def run(options: argparse.Namespace) -> int:
    """Run the job and say where its report lies."""
    from twin.jobs.run import run_job
    from twin.status import Status

    line = _Line()
    try:
        result = run_job(options.job, data=options.data, output=options.output, progress=line)
    finally:
        line.clear()
    for sentence in result.said:
        print(sentence)
    if not result.usable:
        print(str(result.status), file=sys.stderr)
    for what, path in result.files.items():
        print(f"{what}: {path}")
    if result.usable:
        return 0
    return INTERRUPTED if result.status is Status.STOPPED else FAILED


class _Line:
    """One line of progress, rewritten in place on a terminal; silent where the output is not one."""

    def __init__(self) -> None:
        self.shown = 0
        self.terminal = sys.stderr.isatty()

    def __call__(self, done: int, total: int, name: str) -> None:
        text = f"{done}/{total} {name}"
        if self.terminal:
            sys.stderr.write("\r" + text.ljust(self.shown))
            sys.stderr.flush()
            self.shown = len(text)

    def clear(self) -> None:
        """Wipe the line."""
        if self.shown:
            sys.stderr.write("\r" + " " * self.shown + "\r")
            sys.stderr.flush()
            self.shown = 0
