"""Public names are a decision: they stand in docs/api_names.txt; each is documented with all its arguments."""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import twin

ROOT = Path(__file__).parents[1]
PACKAGES = [".".join(p.parent.relative_to(ROOT).parts) for package in ("twin", "processes", "optimizers")
            for p in sorted((ROOT / package).rglob("__init__.py"))]


def exported() -> list[str]:
    """All public names: what a package lists as its exports."""
    names = []
    for package in PACKAGES:
        table = getattr(importlib.import_module(package), "_PUBLIC", {})
        names += [f"{package}.{name}" for name in table]
    return sorted([*names, "twin.jnp"])


NAMES = (ROOT / "docs" / "api_names.txt").read_text().split()


def test_exported_names_are_those_of_the_list() -> None:
    """A new or missing name is a change of docs/api_names.txt, made on purpose."""
    assert exported() == NAMES


def value(name: str) -> Any:
    """The object behind a public name."""
    package, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(package), attribute)


def missing_arguments(function: Any, doc: str) -> list[str]:
    """Arguments that the docstring does not mention."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return []
    named = [p.name for p in parameters if p.name not in ("self", "cls") and not p.name.startswith("_")
             and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    for other in re.findall(r"[Aa]s (?:in )?`(?:twin\.)?(\w+)`", doc):  # "arguments as `simulate`"
        doc += inspect.getdoc(getattr(twin, other)) or ""
    return [n for n in named if not re.search(rf"\b{n}\b", doc)]


@pytest.mark.parametrize("name", [n for n in NAMES if n != "twin.jnp"])
def test_name_is_documented(name: str) -> None:
    """A docstring of at least a sentence; functions name every argument; public methods have a docstring."""
    found = value(name)
    doc = inspect.getdoc(found) or ""
    assert doc.partition("\n\n")[0].rstrip().endswith("."), f"{name}: the docstring does not begin with a sentence"
    if inspect.isfunction(found):
        assert not missing_arguments(found, doc), f"{name} does not describe {missing_arguments(found, doc)}"
        assert "return" in found.__annotations__, f"{name} has no return type"
        return
    if issubclass(found, enum.Enum | BaseException | twin.DynamicModel | twin.SteadyModel):
        return
    if dataclasses.is_dataclass(found):
        lost = [f.name for f in dataclasses.fields(found)
                if not (f.name.startswith("_") or f.metadata.get("doc") or re.search(rf"\b{f.name}\b", doc))]
        assert not lost, f"{name} does not describe {lost}"
    for method, function in vars(found).items():
        if not method.startswith("_") and inspect.isfunction(inspect.unwrap(getattr(function, "fget", None) or function)):
            assert inspect.getdoc(getattr(found, method)), f"{name}.{method} has no docstring"


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("processes.")])
def test_model_is_documented(name: str) -> None:
    """Every parameter of a shipped model has a source and says what it is; every signal says what it is."""
    model = value(name)
    if not (isinstance(model, type) and issubclass(model, twin.DynamicModel | twin.SteadyModel)):
        return  # a function of kinetics or a connected line: told by its docstring alone
    for field in dataclasses.fields(model):
        if field.metadata.get("kind") == "parameter":
            assert field.metadata["source"], f"{name}.{field.name} has no source"
            assert field.metadata["doc"], f"{name}.{field.name} says not what it is"
    for signal in model.signals:
        assert signal.doc, f"{name}.{signal.name} says not what it is"
