"""python -m benchmarks NAME [--json] [--quick] [--data DIR] [--only PART]: the last line printed is one JSON object."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import sys

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy is loaded: every tool gets one thread unless it says otherwise


def names() -> list[str]:
    """Benchmarks in this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(importlib.import_module("benchmarks").__path__)
                  if not m.ispkg and m.name not in ("__main__", "harness", "installed", "reflow_data"))


def main() -> int:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", choices=names())
    parser.add_argument("--json", action="store_true", help="print only the JSON object")
    parser.add_argument("--quick", action="store_true", help="assert the answers, time nothing")
    parser.add_argument("--data", default="", help="folder with measured data that are not part of the project")
    parser.add_argument("--only", nargs="+", default=[], metavar="PART",
                        help="run these parts and keep the others from earlier runs, each with its own date and commit")
    options = parser.parse_args()
    from benchmarks import harness

    log = harness.Log(quiet=options.json)
    module = importlib.import_module(f"benchmarks.{options.name}")
    parts = getattr(module, "PARTS", {})
    unknown = [name for name in options.only if name not in parts]
    if unknown:
        parser.error(f"'{options.name}' has no part '{unknown[0]}'. Its parts: {', '.join(parts) or 'none'}.")
    try:
        if parts and not options.quick:
            result = harness.by_parts(options.name, parts, options.only or list(parts), log, options.data)
        else:
            result = module.run(options.quick, log, options.data, *([options.only] if options.only else []))
    except harness.PeerMissing as e:
        sys.stderr.write(f"{e}\n")
        return 2
    if not options.quick and not parts:
        harness.save(options.name, result)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
