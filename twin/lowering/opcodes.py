"""The opcode table: arity and text of every operation in Python, C99 and numba. One place for all emitters.

All values are doubles; comparisons give 0 or 1. The plain Python text may raise where C gives infinity or NaN; then the
careful text, which never raises, is run instead.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import NamedTuple

from twin.lowering import ieee


class Opcode(NamedTuple):
    """Text templates of one operation; {0}, {1}, {2} are its arguments."""

    arity: int
    python: str
    careful: str
    c: str
    numba: str


def _function(name: str, arity: int = 1, numba: str = "") -> Opcode:
    args = ", ".join(f"{{{i}}}" for i in range(arity))
    return Opcode(arity, f"math.{name}({args})", f"safe(math.{name}, {args})", f"{name}({args})",
                  numba or f"math.{name}({args})")


def _infix(symbol: str, careful: str = "") -> Opcode:
    text = f"{{0}} {symbol} {{1}}"
    return Opcode(2, text, careful or text, text, text)


def _compare(symbol: str) -> Opcode:
    text = f"{{0}} {symbol} {{1}}"
    return Opcode(2, text, text, f"(double)({text})", text)


def _own(name: str, arity: int) -> Opcode:
    """Operation written out once for each language in its prelude."""
    text = f"tw_{name}({', '.join(f'{{{i}}}' for i in range(arity))})"
    return Opcode(arity, text, text, text, text)


OPCODES: dict[str, Opcode] = {
    "add": _infix("+"), "sub": _infix("-"), "mul": _infix("*"), "div": _infix("/", "div({0}, {1})"),
    "neg": Opcode(1, "-{0}", "-{0}", "-{0}", "-{0}"),
    "abs": Opcode(1, "abs({0})", "abs({0})", "fabs({0})", "abs({0})"),
    "sqrt": _function("sqrt"), "cbrt": _function("cbrt", numba="np.cbrt({0})"),
    "exp": _function("exp"), "exp2": _function("exp2", numba="np.exp2({0})"), "expm1": _function("expm1"),
    "log": _function("log"), "log1p": _function("log1p"), "pow": _function("pow", 2),
    "sin": _function("sin"), "cos": _function("cos"), "tan": _function("tan"), "asin": _function("asin"),
    "acos": _function("acos"), "atan": _function("atan"), "atan2": _function("atan2", 2), "sinh": _function("sinh"),
    "cosh": _function("cosh"), "tanh": _function("tanh"), "asinh": _function("asinh"), "acosh": _function("acosh"),
    "atanh": _function("atanh"), "erf": _function("erf"), "erfc": _function("erfc"),
    "min": _own("min", 2), "max": _own("max", 2), "sign": _own("sign", 1), "floor": _own("floor", 1),
    "ceil": _own("ceil", 1), "round": _own("round", 1), "is_finite": _own("is_finite", 1),
    "lt": _compare("<"), "le": _compare("<="), "gt": _compare(">"), "ge": _compare(">="), "eq": _compare("=="),
    "ne": _compare("!="),
    "and": Opcode(2, "{0} and {1}", "{0} and {1}", "(double)({0} != 0.0 && {1} != 0.0)", "{0} and {1}"),
    "or": Opcode(2, "{0} or {1}", "{0} or {1}", "(double)({0} != 0.0 || {1} != 0.0)", "{0} or {1}"),
    "not": Opcode(1, "not {0}", "not {0}", "(double)({0} == 0.0)", "not {0}"),
    "select": Opcode(3, "{1} if {0} else {2}", "{1} if {0} else {2}", "{0} != 0.0 ? {1} : {2}", "{1} if {0} else {2}"),
}

BOOLEAN = frozenset(("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "is_finite"))

PYTHON_PRELUDE = """import math
from twin.lowering.ieee import div, safe, tw_ceil, tw_floor, tw_is_finite, tw_max, tw_min, tw_round, tw_sign
"""

NUMBA_PRELUDE = '''
import math
import numba
import numpy as np
@numba.njit(inline="always", error_model="numpy")
def tw_min(a, b):
    return a if a != a else (b if b != b else (a if a < b else b))
@numba.njit(inline="always", error_model="numpy")
def tw_max(a, b):
    return a if a != a else (b if b != b else (a if a > b else b))
@numba.njit(inline="always", error_model="numpy")
def tw_sign(a):
    return a if a != a or a == 0.0 else (1.0 if a > 0.0 else -1.0)
@numba.njit(inline="always", error_model="numpy")
def tw_floor(a):
    return np.floor(a)
@numba.njit(inline="always", error_model="numpy")
def tw_ceil(a):
    return np.ceil(a)
@numba.njit(inline="always", error_model="numpy")
def tw_round(a):
    return np.rint(a)
@numba.njit(inline="always", error_model="numpy")
def tw_is_finite(a):
    return a - a == 0.0
'''

C_PRELUDE = '''
#include <math.h>
#include <stdint.h>
static inline double tw_min(double a, double b) { return a != a ? a : (b != b ? b : (a < b ? a : b)); }
static inline double tw_max(double a, double b) { return a != a ? a : (b != b ? b : (a > b ? a : b)); }
static inline double tw_sign(double a) { return (a != a || a == 0.0) ? a : (a > 0.0 ? 1.0 : -1.0); }
static inline double tw_floor(double a) { return floor(a); }
static inline double tw_ceil(double a) { return ceil(a); }
static inline double tw_round(double a) { return rint(a); }
static inline double tw_is_finite(double a) { return (double)(a - a == 0.0); }
'''

_VALUES: dict[str, Callable[..., float]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": ieee.div, "neg": operator.neg, "abs": abs,
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq, "ne": operator.ne,
    "and": lambda a, b: bool(a) and bool(b), "or": lambda a, b: bool(a) or bool(b), "not": operator.not_,
    "select": lambda c, a, b: a if c else b,
}


def evaluate(opcode: str, *args: float) -> float:
    """Exact value of an operation on constants, as every emitter computes it."""
    if opcode in _VALUES:
        return float(_VALUES[opcode](*args))
    if OPCODES[opcode].python.startswith("tw_"):
        return float(getattr(ieee, f"tw_{opcode}")(*args))
    return ieee.safe(getattr(math, opcode), *args)
