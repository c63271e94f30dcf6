"""The source key: what an installed model's programs depend on, told without importing JAX or tracing.

It exists only where every source file that the equations can reach belongs to an installed, non-editable distribution.
Wherever something cannot be told (a notebook, an editable install, a patched method, a foreign object in a module) there
is no key, and the model is traced.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import sys
import types
from pathlib import Path
from typing import Any

from twin import module
from twin.lazy import LazyModule
from twin.lowering.cache import digest

LOWERING_VERSION = 2


class _UnknownError(Exception):
    """Something on which the programs may depend cannot be told."""


def source_key(model: Any) -> str | None:
    """Key of an installed model by its sources, versions and structure; None where only tracing tells the truth."""
    reach = _Reach()
    try:
        told = [reach.structure(model), *reach.constants()]
        packages = sorted({"twin", *reach.packages})
        told += [_sources(top) for top in packages]
        told += [name for home in sorted({_site(top) for top in packages}) for name in _distributions(home)]
    except (_UnknownError, OSError):
        return None
    return digest(LOWERING_VERSION, sys.version_info[:2], *told)


class _Reach:
    """Walks the model object, its classes and the modules their code can see."""

    def __init__(self) -> None:
        self.packages: set[str] = set()  # whose sources count; of other installed packages the version counts
        self._modules: list[str] = []
        self._classes: dict[type, str] = {}

    def structure(self, value: Any) -> str:
        """Classes, static fields and shapes of a model; its numbers are arguments of the programs and left out."""
        if isinstance(value, module.Module):
            parts = [self.of_class(type(value))]
            for f in dataclasses.fields(value):  # type: ignore[arg-type]
                held = getattr(value, f.name)
                parts.append(f"{f.name}:{self.constant(held) if f.metadata.get('static') else self.structure(held)}")
            return f"({';'.join(parts)})"
        if isinstance(value, dict):
            return f"{{{';'.join(f'{k!r}:{self.structure(value[k])}' for k in sorted(value))}}}"
        if isinstance(value, tuple | list):
            return f"{type(value).__name__}({';'.join(map(self.structure, value))})"
        if isinstance(value, bool | str) or value is None:
            return repr(value)
        if isinstance(value, int | float):
            return "number"
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return f"array{tuple(value.shape)}"
        raise _UnknownError

    def of_class(self, cls: type) -> str:
        """A model class: its packages, its constants and what its methods have captured."""
        if cls not in self._classes:
            told = []
            for c in cls.__mro__[:-1]:
                self.packages.add(c.__module__.partition(".")[0])
                self.of_module(c.__module__)
                for name, v in vars(c).items():
                    functions = [f for f in (v, *(getattr(v, a, None) for a in ("function", "__func__", "fget", "func")))
                                 if isinstance(f, types.FunctionType)]
                    if functions:
                        told += [f"{name}{self.captured(f, c.__module__)}" for f in functions]
                    elif not name.startswith("_"):
                        told.append(f"{name}={self.constant(v)}")
            self._classes[cls] = f"{cls.__module__}.{cls.__qualname__}[{';'.join(told)}]"
        return self._classes[cls]

    def of_module(self, name: str) -> None:
        """A module that the equations can see: it must be installed; the model's own packages are walked further."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            return
        _site(top)
        if top in self.packages and top != "twin" and name not in self._modules:
            self._modules.append(name)

    def constants(self) -> list[str]:
        """Values of the names in every module reached; more modules may be reached on the way."""
        return [f"{name}.{key}={self.constant(value)}" for name in self._modules
                for key, value in sorted(vars(sys.modules[name]).items()) if not key.startswith("__")]

    def constant(self, value: Any) -> str:
        """Text of a value that becomes part of the program."""
        if isinstance(value, LazyModule):
            return value._name
        if isinstance(value, types.ModuleType):
            self.of_module(value.__name__)
            return value.__name__
        if isinstance(value, bool | int | float | complex | str | bytes) or value is None:
            return f"{type(value).__name__}:{value!r}"
        if isinstance(value, tuple | list):
            return f"{type(value).__name__}({';'.join(map(self.constant, value))})"
        if isinstance(value, set | frozenset):
            return f"set({';'.join(sorted(map(self.constant, value)))})"
        if isinstance(value, dict | types.MappingProxyType):
            return f"{{{';'.join(f'{self.constant(k)}:{self.constant(v)}' for k, v in value.items())}}}"
        if isinstance(value, module.Module):
            return self.structure(value) + ";".join(f"{path}={self.constant(v)}" for path, v in module.leaves(value))
        if isinstance(value, type | types.BuiltinFunctionType):
            self.of_module(value.__module__ or "builtins")
            return f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, types.FunctionType):
            self.of_module(value.__module__)
            return f"{value.__module__}.{value.__qualname__}{self.captured(value, value.__module__)}"
        if isinstance(value, enum.Enum):
            self.of_module(type(value).__module__)
            return str(value)
        if hasattr(value, "tobytes") and hasattr(value, "shape"):
            return digest(value.shape, value.dtype, hashlib.sha256(value.tobytes()).hexdigest())
        home = type(value).__module__.partition(".")[0]
        if home == "twin" and dataclasses.is_dataclass(value):
            return repr(value)
        if home in ("twin", "typing", "types", "__future__", "logging"):
            return type(value).__name__
        raise _UnknownError

    def captured(self, function: types.FunctionType, home: str) -> str:
        """Defaults and closed-over values of a function, whose code must come from the file of its module."""
        file, name = function.__code__.co_filename, function.__name__
        if (file == "<string>" and name.startswith("__")) or file == dataclasses.__file__:
            return ""  # made by dataclasses, or theirs (`__replace__`, from Python 3.13 on)
        if file != getattr(sys.modules.get(home), "__file__", None):
            raise _UnknownError
        try:
            held = [c.cell_contents for c in function.__closure__ or ()]
        except ValueError:  # not filled yet
            raise _UnknownError from None
        held = [v for v in held if not isinstance(v, type)]  # the class itself, for super()
        held += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        return f"[{';'.join(map(self.constant, held))}]" if held else ""


@functools.cache
def _site(top: str) -> Path:
    """The site folder in which a package is installed."""
    loaded = sys.modules.get(top)
    file = getattr(loaded, "__file__", None)
    if not file:
        raise _UnknownError
    home = Path(file).parents[1 if hasattr(loaded, "__path__") else 0]
    if home.name not in ("site-packages", "dist-packages"):
        raise _UnknownError
    return home


@functools.cache
def _sources(top: str) -> str:
    """Hash of all source files of a package."""
    home = _site(top)
    path = home / top
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return digest(*(f"{f.relative_to(home)}={hashlib.sha256(f.read_bytes()).hexdigest()}" for f in files))


@functools.cache
def _distributions(home: Path) -> list[str]:
    """Names and versions of all distributions in a site folder."""
    return sorted(p.name for p in home.iterdir() if p.suffix == ".dist-info")
