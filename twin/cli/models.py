"""Models by name: what installed packages register in the entry point group "twinworks.models"."""

from __future__ import annotations

from typing import Any

from twin import errors

GROUP = "twinworks.models"


def registered() -> dict[str, Any]:
    """Entry points by name, sorted."""
    from importlib.metadata import entry_points

    return {e.name: e for e in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


def example(name: str) -> Any:
    """The model of this name with its published parameters.

    Raises
    ------
    SpecError
        Where no installed package registers it.
    """
    found = registered()
    if name not in found:
        raise errors.unknown("model", name, "the installed packages", found)
    return found[name].load().example()
