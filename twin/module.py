"""Frozen classes that are JAX pytrees without importing JAX: the base of models, terms and learned corrections."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any, ClassVar

from twin import errors

_pending: list[type] = []
_registered: list[type] = []


def _declared(value: Any) -> bool:
    return isinstance(value, dataclasses.Field) or hasattr(value, "role")


class _Namespace(dict):
    """Class body that refuses to bind one signal or parameter name twice."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self and not name.startswith("__") and (_declared(self[name]) or _declared(value)):
            raise TypeError(f"'{name}' is declared twice in {self.get('__qualname__', 'a class')}. Rename one of the "
                            "two.")
        if isinstance(value, dataclasses.Field) and name not in self.get("__annotations__", {}):
            self.setdefault("__annotations__", {})[name] = Any
        super().__setitem__(name, value)


class ModuleType(type):
    """Metaclass of `Module`: checks names while the class body runs."""

    @classmethod
    def __prepare__(metacls, name: str, bases: tuple[type, ...], /, **kw: Any) -> dict[str, Any]:
        return _Namespace()

    def __new__(metacls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kw: Any) -> type:
        plain = dict(namespace)
        plain.setdefault("__module__", sys._getframe(1).f_globals.get("__name__", ""))  # classes made by type(...)
        for key, value in namespace.items():
            if isinstance(value, dataclasses.Field):
                plain.setdefault("__annotations__", {}).setdefault(key, Any)
        return super().__new__(metacls, name, bases, plain, **kw)


class Module(metaclass=ModuleType):
    """Frozen dataclass and pytree; abstract or final, never overridden.

    Checks in `__post_init__` run when a user constructs an instance, never when JAX rebuilds one.
    """

    final = False
    __dataclass_fields__: ClassVar[dict[str, Any]]  # every subclass is a dataclass: tells type checkers so

    def __init_subclass__(cls, abstract: bool = False, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        for base in cls.__mro__[1:]:
            if getattr(base, "final", False):
                raise TypeError(f"{cls.__name__} subclasses the final class {base.__name__}. "
                                "Wrap it, or correct a @term with with_learned.")
        cls.final = not abstract
        dataclasses.dataclass(frozen=True, eq=False, repr=False)(cls)
        _pending.append(cls)
        if "jax" in sys.modules:
            register()

    def __new__(cls, *args: Any, **kw: Any) -> Any:
        for name in kw:
            if name not in cls.__dataclass_fields__:
                known = [n for n, f in cls.__dataclass_fields__.items() if f.metadata.get("kind")]
                raise errors.unknown("parameter", name, cls.__name__, known or cls.__dataclass_fields__)
        if "jax" in sys.modules:
            register()
        return object.__new__(cls)

    def __repr__(self) -> str:
        changed = []
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if f.default is dataclasses.MISSING and (hasattr(value, "shape") or value):
                changed.append(f"{f.name}=...")
            elif isinstance(value, int | float | str) and value != f.default:
                changed.append(f"{f.name}={value!r}")
        return f"{type(self).__name__}({', '.join(changed)})"


def children(module: Any) -> list[tuple[str, Any]]:
    """Field names and values that are data (not structure): fields in order, then corrections of terms."""
    found = [(f.name, getattr(module, f.name)) for f in dataclasses.fields(module) if not f.metadata.get("static")]
    return sorted(found, key=lambda pair: isinstance(pair[1], FrozenMap))


def register() -> None:
    """Make every class defined so far known to JAX; each tracing verb calls it first."""
    if not _pending:
        return
    import jax

    if not _registered:
        _registered.append(FrozenMap)
        _register_frozen_map()
    while _pending:
        cls = _pending.pop()
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        data = tuple(f.name for f in fields if not f.metadata.get("static"))
        fixed = tuple(f.name for f in fields if f.metadata.get("static"))

        def flatten(m: Any, data: tuple[str, ...] = data, fixed: tuple[str, ...] = fixed) -> Any:
            keyed = [(jax.tree_util.GetAttrKey(n), getattr(m, n)) for n in data]
            return keyed, tuple(getattr(m, n) for n in fixed)

        def build(aux: Any, values: Any, cls: type = cls, data: tuple[str, ...] = data,
                  fixed: tuple[str, ...] = fixed) -> Any:
            new: Any = object.__new__(cls)
            for n, v in (*zip(data, values, strict=True), *zip(fixed, aux, strict=True)):
                object.__setattr__(new, n, v)
            return new

        jax.tree_util.register_pytree_with_keys(cls, flatten, build)


class FrozenMap(dict):
    """Read-only mapping whose names are structure and whose values are data."""

    def _refuse(self, *args: Any, **kw: Any) -> Any:
        raise TypeError("A model is frozen. Make a changed copy with model.with_learned({...}) or dataclasses.replace.")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __reduce__(self) -> Any:  # the default would call __setitem__ and fail in deepcopy and process pools
        return FrozenMap, (dict(self),)


def _register_frozen_map() -> None:
    import jax

    jax.tree_util.register_pytree_node(FrozenMap, lambda m: ([m[k] for k in sorted(m)], tuple(sorted(m))),
                                       lambda names, values: FrozenMap(zip(names, values, strict=True)))


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """All numbers and arrays below `value` with their paths, in the order of the parameter vector."""
    if isinstance(value, Module):
        flat = {f.name for f in dataclasses.fields(value) if f.metadata.get("flat")}  # type: ignore[arg-type]
        pairs = [(path if n in flat else _below(path, n), v) for n, v in children(value)]
    elif isinstance(value, FrozenMap):
        pairs = [(_below(path, n), value[n]) for n in sorted(value)]
    elif isinstance(value, tuple | list):
        pairs = [(f"{path}[{i}]", v) for i, v in enumerate(value)]
    elif isinstance(value, bool | str) or value is None:
        return []
    else:
        return [(path, value)]
    return [row for p, v in pairs for row in leaves(v, p)]


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def size(value: Any) -> int:
    """Number of floats in one leaf."""
    return int(value.size) if hasattr(value, "size") else 1


def rebuild(value: Any, take: Any) -> Any:
    """Copy of `value` with every leaf replaced by `take(leaf)`, in the order of `leaves`; nothing is checked."""
    if isinstance(value, Module):
        new: Any = object.__new__(type(value))
        for f in dataclasses.fields(value):  # type: ignore[arg-type]
            object.__setattr__(new, f.name, getattr(value, f.name))
        for name, old in children(value):
            object.__setattr__(new, name, rebuild(old, take))
        return new
    if isinstance(value, FrozenMap):
        return FrozenMap({n: rebuild(value[n], take) for n in sorted(value)})
    if isinstance(value, tuple | list):
        return type(value)(rebuild(v, take) for v in value)
    if isinstance(value, bool | str) or value is None:
        return value
    return take(value)
