"""The cache of lowered and compiled code: files that carry their own checksum, found by what they depend on.

Two keys. The program key (`Program.key`) is the truth: compiled kernels are filed under it. The source key is a
shortcut that spares importing JAX: only for classes of an installed distribution, whose source files cannot change unnoticed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from twin import errors, files, module

LOWERING_VERSION = 1
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
    with contextlib.suppress(OSError, errors.StorageError):
        folder().mkdir(parents=True, exist_ok=True)
        return files.replace_file(folder() / name, lambda path: path.write_bytes(sealed))
    return None


def load(name: str) -> bytes | None:
    """The data of a file; None where it is missing or damaged, so that it is made anew."""
    try:
        sealed = (folder() / name).read_bytes()
    except OSError:
        return None
    data, mark, seal = sealed.rpartition(_MARK)
    return data if mark and seal.strip() == hashlib.sha256(data).hexdigest().encode() else None


def find(name: str) -> Path | None:
    """Path of an undamaged file; the checksum at its end is ignored by loaders of shared objects and of Python text."""
    return folder() / name if load(name) is not None else None


def source_key(model: Any) -> str | None:
    """Key of an installed model by its sources and structure, or None where only tracing tells the truth."""
    structure = _structure(model)
    if structure is None:
        return None
    home = _site(type(model))
    if home is None:
        return None
    packages = sorted({"twin", type(model).__module__.partition(".")[0]})
    sources = [f"{p.relative_to(home)}={hashlib.sha256(p.read_bytes()).hexdigest()}"
               for package in packages for p in sorted((home / package).rglob("*.py"))]
    installed = sorted(n for n in os.listdir(home) if n.endswith(".dist-info"))
    return digest(LOWERING_VERSION, sys.version_info[:2], structure, *sources, *installed)


def _site(cls: type) -> Path | None:
    """The site-packages folder a class is installed in; None for notebooks, scripts and editable installs."""
    found = sys.modules.get(cls.__module__)
    file = getattr(found, "__file__", None)
    if not file:
        return None
    depth = cls.__module__.count(".") + (1 if Path(file).name != "__init__.py" else 2)
    home = Path(file).resolve().parents[depth - 1]
    return home if home.name in ("site-packages", "dist-packages") else None


def _structure(value: Any) -> str | None:
    """All that the traced program can depend on apart from the sources; None where that cannot be told."""
    if isinstance(value, module.Module):
        cls = type(value)
        if not _unpatched(cls):
            return None
        import dataclasses

        parts: list[str | None] = []
        for f in dataclasses.fields(value):  # type: ignore[arg-type]
            held = getattr(value, f.name)
            text = _fixed(held) if f.metadata.get("static") else _structure(held)
            parts.append(None if text is None else f"{f.name}:{text}")
        named = [f"{k}={v!r}" for k, v in sorted(vars(sys.modules[cls.__module__]).items())
                 if isinstance(v, int | float | str | tuple) and not k.startswith("__")]
        if any(p is None for p in parts):
            return None
        return f"{cls.__module__}.{cls.__qualname__}({';'.join(map(str, parts))})[{';'.join(named)}]"
    if isinstance(value, dict):
        pairs = [(k, _structure(v)) for k, v in sorted(value.items())]
        return None if any(v is None for _, v in pairs) else f"{{{pairs}}}"
    if isinstance(value, tuple | list):
        items = [_structure(v) for v in value]
        return None if any(v is None for v in items) else f"{type(value).__name__}{items}"
    if isinstance(value, bool | str) or value is None:
        return repr(value)
    if isinstance(value, int | float):
        return "number"
    shape = getattr(value, "shape", None)
    return None if shape is None else f"array{tuple(shape)}"


def _fixed(value: Any) -> str | None:
    """Text of a static field, or None where a repr would not tell everything (functions, foreign objects)."""
    if isinstance(value, tuple | list):
        items = [_fixed(v) for v in value]
        return None if any(v is None for v in items) else f"{type(value).__name__}{items}"
    return repr(value) if isinstance(value, bool | int | float | str) or value is None else None


def _unpatched(cls: type) -> bool:
    """True where every method of the class comes from the file of its module, and that is installed."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if file is None or _site(cls) is None:
        return False
    for value in vars(cls).values():
        value = getattr(value, "function", getattr(value, "__func__", value))
        code = getattr(value, "__code__", None)
        generated = code is not None and code.co_filename.startswith("<")
        if code is not None and not generated and Path(code.co_filename).resolve() != Path(file).resolve():
            return False
    return True
