"""Check the set-up: where the packages come from, compiler, cache, versions; --warm compiles ahead."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import sys
import time
from pathlib import Path

from twin import __version__
from twin.cli.main import FAILED
from twin.cli.models import registered

PACKAGES = ("twin", "processes", "optimizers")
NEEDED = ("numpy", "scipy", "jax", "numba", "pandas", "h5py", "pint", "pyomo", "highspy")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `twin doctor`."""
    parser.add_argument("--warm", action="store_true", help="compile every installed model now, so that nothing waits later")


def run(options: argparse.Namespace) -> int:
    """Print what was found; the exit code is 1 where something needs attention."""
    from twin.engine import store
    from twin.lowering import cache

    troubles = shadows() + foreign()
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"twinworks {__version__}, Python {platform.python_version()} ({sys.executable}), {system}")
    for name in PACKAGES:
        print(f"  {name:12s}{home(name) or 'not found'}")
    print(f"models        {', '.join(registered()) or 'none registered: install the distribution, pip install twinworks'}")
    compiler = store.compiler()
    print(f"C compiler    {compiler or 'none: numba compiles instead'}")
    print(f"execution     {execution()}")
    folder = cache.folder()
    size, count = usage(folder)
    print(f"cache         {folder} ({count} files, {size / 1e6:.1f} MB)")
    if not writable(folder):
        troubles.append(f"The cache folder {folder} cannot be written, so that every process compiles again. "
                        "Set TWINWORKS_CACHE to a folder that can.")
    print("versions      " + ", ".join(f"{name} {version(name) or 'MISSING'}" for name in NEEDED))
    troubles += [f"{name} is not installed. Install it with: pip install {name}" for name in NEEDED if version(name) is None]
    for sentence in troubles:
        print(f"\n! {sentence}")
    if options.warm:
        warm()
    return FAILED if troubles else 0


def home(package: str) -> Path | None:
    """Folder a package is loaded from, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return Path(places[0]).resolve().parent if spec.origin else Path(places[0]).resolve()


def shadows() -> list[str]:
    """Sentences about folders and files that hide a package, or would in a script or notebook started here."""
    found = []
    beside = (home("twin") or Path()).parent
    for name in PACKAGES:
        own = home(name)
        if own is None or own.parent != beside:
            found.append(f"{name} is loaded from {own or 'nowhere'}, but twin from {beside}. Another '{name}' comes first on "
                         "the path: rename or remove it, or install twinworks again.")
        here = Path.cwd() / name
        for candidate in (here, here.with_suffix(".py")):
            if candidate.exists() and candidate.resolve() != own:
                found.append(f"{candidate} hides the installed package '{name}' from scripts and notebooks started in this "
                             "folder. Rename it, or work in another folder.")
    return found


def foreign() -> list[str]:
    """Sentences about other distributions that install files into our packages (there is one named 'processes')."""
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    return [f"The distribution '{owner}' also installs a package named '{name}' and may have overwritten ours. "
            f"Remove it (pip uninstall {owner}), then install twinworks again (pip install --force-reinstall twinworks)."
            for name in PACKAGES for owner in dict.fromkeys(owners.get(name, ())) if owner.lower() != "twinworks"]


def version(distribution: str) -> str | None:
    """Version of an installed distribution."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        return version_of(distribution)
    except PackageNotFoundError:
        return None


def execution() -> str:
    """What simulations run on: what was asked for, and what "auto" means on this machine."""
    from twin.engine import executions

    asked = executions.wanted()
    return asked if asked != "auto" else f"auto: plain Python at first, {executions.compiled_name()} once it pays"


def usage(folder: Path) -> tuple[int, int]:
    """Bytes and number of files below a folder."""
    sizes = [p.stat().st_size for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
    return sum(sizes), len(sizes)


def writable(folder: Path) -> bool:
    """True where the folder, or the nearest one above it that exists, can be written."""
    nearest = next(p for p in (folder, *folder.parents) if p.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def warm() -> None:
    """Compile the engine, then every registered model, for the execution that ensembles use."""
    from twin.engine import executions
    from twin.simulation.simulate import simulator

    print(f"warm          engine in {executions.warm()['seconds']:.1f} s")
    for name, entry in registered().items():
        start = time.perf_counter()
        model = entry.load().example()
        if not model.of_role("state"):
            continue
        inputs = {s.name: s.nominal for s in model.of_role("input")} if model.recipe() is None else None
        simulator(model, inputs=inputs, duration=1e-3, points=2, execution=executions.compiled_name())()
        print(f"warm          {name} in {time.perf_counter() - start:.1f} s")
