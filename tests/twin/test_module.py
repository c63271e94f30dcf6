"""Frozen classes that are pytrees: names, freezing, order of leaves, rebuilding."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pytest

import twin
from twin import module
from twin.module import FrozenMap


class Plain(twin.Module):
    """A module with data, structure and a nested module."""

    a: float = 1.0
    inner: Any = None
    n: int = twin.static(3)


def test_modules_are_frozen_and_final() -> None:
    """Fields cannot be set, classes cannot be subclassed."""
    import dataclasses

    with pytest.raises(dataclasses.FrozenInstanceError):
        Plain().a = 2.0  # type: ignore[misc]
    with pytest.raises(TypeError, match=r"Sub subclasses the final class Plain\. Wrap it"):
        type("Sub", (Plain,), {})


def test_frozen_map_refuses_changes_and_survives_copies() -> None:
    """Every mutating method raises; pickle and deepcopy keep the type."""
    frozen = FrozenMap(b=1.0, a=2.0)
    changes = (lambda: frozen.__setitem__("c", 1), lambda: frozen.update(c=1), lambda: frozen.pop("a"), frozen.clear)
    for change in changes:
        with pytest.raises(TypeError, match="frozen"):
            change()
    for back in (pickle.loads(pickle.dumps(frozen)), copy.deepcopy(frozen)):
        assert back == frozen
        assert type(back) is FrozenMap


def test_leaves_and_rebuild_have_one_order() -> None:
    """What `leaves` lists, `rebuild` asks for in the same order; structure is untouched."""
    value = Plain(1.0, Plain(2.0, FrozenMap(z=np.array([3.0, 4.0]), y=5.0)), n=7)
    paths = module.leaves(value)
    assert [p for p, _ in paths] == ["a", "inner.a", "inner.inner.y", "inner.inner.z"]
    seen: list[Any] = []
    back = module.rebuild(value, lambda leaf: (seen.append(leaf), leaf)[1])
    assert [id(v) for v in seen] == [id(v) for _, v in paths]
    assert (back.n, back.inner.a, back.inner.inner["y"]) == (7, 2.0, 5.0)


def test_pytree_keeps_structure_static() -> None:
    """tree_map sees the data only; another structure is another tree."""
    import jax

    doubled = jax.tree_util.tree_map(lambda v: 2 * v, Plain(1.5, FrozenMap(a=2.0), n=4))
    assert (doubled.a, doubled.inner["a"], doubled.n) == (3.0, 4.0, 4)
    assert jax.tree_util.tree_structure(Plain(n=3)) != jax.tree_util.tree_structure(Plain(n=4))


def test_instances_made_before_jax_is_imported_are_pytrees() -> None:
    """Defining and making models imports no JAX, and they work once it comes in."""
    text = """
        import sys, twin
        class M(twin.Module):
            a: float = 1.0
        m = M()
        assert "jax" not in sys.modules
        import jax
        M()
        assert jax.tree_util.tree_leaves(m) == [1.0]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(text)], check=True)


def test_two_declarations_of_one_name_are_refused() -> None:
    """A signal, a parameter and a method never share a name."""
    with pytest.raises(TypeError, match=r"'x' is declared twice in .*Twice"):
        class Twice(twin.DynamicModel):
            x = twin.state("g")
            x = twin.parameter(1.0, "g")
    for body in ("def x(self): ...\n    x = twin.state('g')", "x = twin.state('g')\n    def x(self): ..."):
        with pytest.raises(TypeError, match=r"'x' is declared twice"):
            exec(f"class Tank(twin.DynamicModel):\n    {body}", {"twin": twin, "__name__": "notebook"})


def test_repr_shows_what_differs() -> None:
    """Changed numbers only."""
    assert repr(Plain(2.0)) == "Plain(a=2.0)"
