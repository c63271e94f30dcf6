"""The command `twin`: finds the module of a subcommand and runs it; other packages add subcommands by entry point."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from twin import __version__, errors

GROUP = "twinworks.commands"
# Name -> module with `arguments(parser)` and `run(options) -> exit code`; the first line of its docstring is the help.
COMMANDS = {"run": "twin.cli.run", "describe": "twin.cli.describe", "doctor": "twin.cli.doctor"}
FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 after success, 1 where a run failed, 2 after bad input, 130 after Ctrl-C."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        options = _parser(words).parse_args(words)
        code = int(options.command(options))
        sys.stdout.flush()
    except errors.TwinError as e:
        print(f"twin: {e}", file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        print("twin: stopped by the user.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) has gone: nothing to tell
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Parser of the command; only the module of the subcommand that is called is imported, all of them for the help."""
    about = "Hybrid process models: run jobs, describe models, check the set-up."
    parser = argparse.ArgumentParser(prog="twin", description=about)
    parser.add_argument("--version", action="version", version=f"twinworks {__version__}")
    chosen = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    first = next((w for w in words if not w.startswith("-")), None)
    for name, module in ([(first, _load(first))] if first in COMMANDS else _all()):
        text = (module.__doc__ or "").partition("\n")[0]
        sub = chosen.add_parser(str(name), help=text, description=text)
        module.arguments(sub)
        sub.set_defaults(command=module.run)
    return parser


def _load(name: str) -> Any:
    return importlib.import_module(COMMANDS[name])


def _all() -> list[tuple[str, Any]]:
    from importlib.metadata import entry_points

    others = {e.name: e for e in entry_points(group=GROUP) if e.name not in COMMANDS}
    return [(name, _load(name)) for name in COMMANDS] + [(name, e.load()) for name, e in sorted(others.items())]


if __name__ == "__main__":
    sys.exit(main())
