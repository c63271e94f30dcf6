"""Files of the cache: compiled engines and kernels, filed under a hash of all they depend on."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from twin import __version__


def folder() -> Path:
    """Cache folder: TWINWORKS_CACHE, else the user's cache folder."""
    named = os.environ.get("TWINWORKS_CACHE")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "twinworks"


def writable(name: str) -> Path | None:
    """Subfolder of the cache, made where it can be, or None."""
    path = folder() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK) else None


def scratch() -> Path:
    """A folder that lives as long as the process, for where there is no cache."""
    import atexit

    path = Path(tempfile.mkdtemp(prefix="twinworks-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def key_of(*parts: str) -> str:
    """Hash of texts."""
    digest = hashlib.sha256()
    for part in (__version__, *parts):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:32]


@functools.cache
def machine() -> str:
    """The processor and its features, since code is compiled for this one."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(("flags", "Features")):
                return platform.machine() + line
    except OSError:
        pass
    return platform.machine() + platform.processor()


@functools.cache
def compiler() -> str | None:
    """Path of the C compiler: environment variable CC, else cc, gcc or clang on the path."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        found = name and shutil.which(name)
        if found:
            return found
    return None
