"""Describe a model: what must be set, its signals, parameters and their sources."""

from __future__ import annotations

import argparse

from twin.cli.models import example, registered


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `twin describe`."""
    parser.add_argument("model", nargs="?", help="name of an installed model; without it the names are listed")


def run(options: argparse.Namespace) -> int:
    """Print the description, or the names of all models."""
    if options.model is not None:
        print(example(options.model).describe())
        return 0
    for name, entry in registered().items():
        print(f"{name:24s}{(entry.load().__doc__ or '').partition(chr(10))[0]}")
    return 0
