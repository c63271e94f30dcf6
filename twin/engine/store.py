"""What compiled code depends on besides its text, and where it lies when there is no cache."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from twin import __version__
from twin.lowering import cache


@functools.cache
def scratch() -> Path:
    """A folder that lives as long as the process, for where the cache cannot be written."""
    import atexit
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="twinworks-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def keep(name: str, data: bytes) -> Path:
    """File the data in the cache, or for the life of the process; the path of it."""
    path = cache.store(name, data)
    if path is None:
        path = scratch() / name
        path.write_bytes(data)
    return path


def key_of(*parts: object) -> str:
    """Hash of the parts and of the version of the library."""
    return cache.digest(__version__, *parts)


@functools.cache
def machine() -> str:
    """The processor and its features, since code is compiled for this one."""
    import platform

    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return platform.machine() + line
    except OSError:
        pass
    return platform.machine() + platform.processor()


def compiler() -> str | None:
    """Path of the C compiler: environment variable CC, else cc, gcc or clang on the path."""
    return _compiler(os.environ.get("CC"), os.environ.get("PATH"))


@functools.cache
def _compiler(named: str | None, path: str | None) -> str | None:
    import shutil

    for name in (named,) if named else ("cc", "gcc", "clang"):
        found = shutil.which(name, path=path)
        if found:
            return found
    return None
