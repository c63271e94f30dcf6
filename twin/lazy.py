"""Stand-ins for modules that are expensive to import; nothing is loaded before the first attribute is asked for."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Looks like the module `name`, which is imported at the first use."""

    def __init__(self, name: str) -> None:
        self.__dict__["_name"] = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        self.__dict__[attribute] = value
        return value


jnp: Any = LazyModule("jax.numpy")
