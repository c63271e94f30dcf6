"""The engine subset in its three languages: small functions give the same, what leaves the subset is an error."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
import pytest

from twin.engine import load_c, load_numba, records, store
from twin.engine.linear import factor_dense, invert, solve_dense
from twin.engine.translate_c import SubsetError, Translator
from twin.engine.translate_llvm import LlvmTranslator

SOURCE = '''
from __future__ import annotations
from typing import NamedTuple

Vector = list[float]
STEP, FIRST = 2, 1
TABLE = ((1.5, -2.25, 0.1), (3.0, 1e-300, 7.0))
WEIGHTS = (0.5, 0.25)


class Box(NamedTuple):
    """A record."""

    values: Matrix
    places: Integers


def last_negative(values: Vector, n: int) -> int:
    """Short circuit: nothing behind the end is looked at."""
    i = 0
    while i < n and values[i] >= 0.0:
        i += 1
    return i if i < n else -1


def mixed(n: int, x: float) -> float:
    """Whole numbers and reals, signs, powers, choices."""
    total = 0.0
    for i in range(FIRST, n):
        if i % STEP == 0:
            continue
        if i > 8:
            break
        total += i / 2 - x * (i // 3)
        total = -total if total < -3.0 or not i < 5 else total
    return max(min(total, 5.0), abs(x) ** 0.3) + (1.0 if n > 3 else x) + WEIGHTS[1]


def fill(box: Box, cube: Cube, values: Vector, n: int, m: int) -> int:
    """Rows, tables, records."""
    for i in range(n):
        row = box.values[i]
        plane = cube[i]
        for j in range(m):
            row[j] = TABLE[i][j] * values[j]
            plane[j][i] = row[j] - i
            cube[i][j][1 - i] += 0.5
        row[0] /= 3
    box.places[0] = last_negative(box.values[0], m)
    box.places[1] += last_negative(box.values[1], m)
    values[0] = mixed(12, values[1])
    return box.places[0] + 10
'''
VALUES = [0.3, 1.7, -4.0]


def expected() -> tuple[Any, ...]:
    space: dict[str, Any] = {"Matrix": None, "Integers": None, "Cube": None}
    exec(SOURCE, space)
    box = space["Box"]([[0.0] * 3, [0.0] * 3], [7, 7])
    cube, values = [[[0.0] * 2 for _ in range(3)] for _ in range(2)], list(VALUES)
    code = space["fill"](box, cube, values, 2, 3)
    return code, box.values, box.places, cube, values


def compiled(call: Any) -> tuple[Any, ...]:
    rows, places, cube, values = np.zeros((2, 3)), np.array([7, 7]), np.zeros((2, 3, 2)), np.array(VALUES)
    slots = np.array([rows.ctypes.data, 3, places.ctypes.data, cube.ctypes.data, 3, 2, values.ctypes.data, 2, 3])
    code = call(slots.ctypes.data)
    return code, rows.tolist(), places.tolist(), cube.tolist(), values.tolist()


@pytest.mark.skipif(store.compiler() is None, reason="needs a C compiler")
def test_c_gives_what_python_gives() -> None:
    entry = load_c.library_of_text(Translator().translate([SOURCE], ("fill",))).fill_packed
    entry.argtypes, entry.restype = [ctypes.c_void_p], ctypes.c_int64
    assert compiled(entry) == expected()


def test_llvm_gives_what_python_gives() -> None:
    kept, entry = load_numba._load(load_numba._compile(LlvmTranslator().translate([SOURCE], ("fill",))), "fill")
    assert kept is not None
    assert compiled(entry) == expected()


def test_fixed_entries_become_literals() -> None:
    fixed = {("Box", "places"): {1: 5}}
    text = Translator(fixed).translate([SOURCE.replace("box.places[0] + 10", "box.places[FIRST] + 10")], ())
    assert "return (INT64_C(5) + INT64_C(10));" in text


@pytest.mark.parametrize(("body", "what"), [
    ("return x[0:2]", "Slice"), ("y = [1.0]\n    return 0", "List is outside the subset"),
    ("for v in x:\n        pass\n    return 0", "only `for name in range"), ("return len(x)", "call of 'len'"),
    ("return 0 < n < 3", "chained comparison"), ("a, b = n, n\n    return a", "Tuple is outside the subset"),
    ("return unknown", "'unknown' has no value yet"), ("y = x\n    y = n\n    return 0", "'y' is both"),
    ("with n:\n        pass\n    return 0", "With is outside the subset"), ("return 's'", "the constant 's'"),
])
def test_what_leaves_the_subset_is_told(body: str, what: str) -> None:
    with pytest.raises(SubsetError, match=what):
        Translator().translate([f"def f(x: Vector, n: int) -> int:\n    {body}\n"], ())


def test_engine_sources_are_in_the_subset() -> None:
    text = Translator().translate(load_c.sources(), ("run_members",))
    assert "int64_t run_members_packed(int64_t *s)" in text
    assert sum(max(1, {"Matrix": 2, "Cube": 3, "IntegerRows": 2}.get(a.__forward_arg__, 1))
               for a in records.Work.__annotations__.values()) < 64


@pytest.mark.parametrize("n", [1, 3, 8, 15])
def test_factors_and_inverse_solve(n: int) -> None:
    random = np.random.default_rng(n)
    matrix = random.normal(size=(n, n))
    matrix[0, 0] = 0.0 if n > 1 else 2.0  # needs an exchange of rows
    right = random.normal(size=n)
    a, b, pivot = matrix.tolist(), right.tolist(), [0] * n
    assert factor_dense(a, pivot, n) == 0
    solve_dense(a, pivot, b, n)
    assert np.allclose(matrix @ b, right, atol=1e-11)
    a = matrix.tolist()
    assert invert(a, pivot, n) == 0
    assert np.allclose(matrix @ np.array(a), np.eye(n), atol=1e-11)


@pytest.mark.parametrize("function", [factor_dense, invert])
def test_singular_and_broken_matrices_are_told(function: Any) -> None:
    for bad in ([[1.0, 2.0], [2.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]], [[math.nan, 1.0], [1.0, 1.0]], [[math.inf, 1.0], [1.0, 1.0]]):
        assert function(bad, [0, 0], 2) == 1


@pytest.mark.parametrize(("text", "free"), [
    ("row[j] -= ratio * top[j]", True), ("row[j] = 0.0", True), ("a[k][j] = b[j] + c[0][j]", True),
    ("b[j] = b[j - 1]", False), ("b[p[j]] = 0.0", False), ("total += row[j]", False), ("row[j] = a[j][k]", False),
    ("keep = b[j]\nb[j] = b[other]\nb[other] = keep", False), ("row[j] = exp(top[j])", False), ("a[j][j] = 1.0", False),
])
def test_only_loops_without_carried_values_are_marked(text: str, free: bool) -> None:
    """The C compiler is told that passes are independent only where each touches nothing but its own elements."""
    import ast

    from twin.engine.translate_c import independent

    assert independent(ast.parse(text).body, "j") is free
