"""The cache of lowered and compiled code: files that carry their own checksum, found by what they depend on.

Two keys. The program key (`Program.key`) is the truth: compiled kernels are filed under it. The source key is a
shortcut that spares importing JAX, see `source_key`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path

from twin import errors, files

_MARK = b"\n#sha256:"


def folder() -> Path:
    """The cache folder: TWINWORKS_CACHE, or the user's cache folder of the platform."""
    given = os.environ.get("TWINWORKS_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "twinworks"


def digest(*parts: object) -> str:
    """Short hash of the parts."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]


def store(name: str, data: bytes) -> Path | None:
    """File the data with its checksum at the end; None where the folder cannot be written."""
    sealed = data + _MARK + hashlib.sha256(data).hexdigest().encode() + b"\n"
    with contextlib.suppress(OSError, RuntimeError, errors.StorageError):  # RuntimeError: there is no home folder
        folder().mkdir(parents=True, exist_ok=True)
        return files.replace_file(folder() / name, lambda path: path.write_bytes(sealed))
    return None


def load(name: str) -> bytes | None:
    """The data of a file; None where it is missing or damaged, so that it is made anew."""
    try:
        sealed = (folder() / name).read_bytes()
    except (OSError, RuntimeError):
        return None
    data, mark, seal = sealed.rpartition(_MARK)
    return data if mark and seal.strip() == hashlib.sha256(data).hexdigest().encode() else None


def find(name: str) -> Path | None:
    """Path of an undamaged file; the checksum at its end is ignored by loaders of shared objects and of Python text."""
    return folder() / name if load(name) is not None else None
