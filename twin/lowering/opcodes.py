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
    numpy: str  # on arrays of any shape


def _function(name: str, arity: int = 1, numba: str = "", numpy: str = "") -> Opcode:
    args = ", ".join(f"{{{i}}}" for i in range(arity))
    return Opcode(arity, f"math.{name}({args})", f"safe(math.{name}, {args})", f"{name}({args})",
                  numba or f"math.{name}({args})", f"{numpy or f'np.{name}'}({args})")


def _infix(symbol: str, careful: str = "") -> Opcode:
    text = f"{{0}} {symbol} {{1}}"
    return Opcode(2, text, careful or text, text, text, text)


def _compare(symbol: str) -> Opcode:
    text = f"{{0}} {symbol} {{1}}"
    return Opcode(2, text, text, f"(double)({text})", text, f"1.0 * ({text})")


def _choice(name: str, arity: int, text: str, numpy: str) -> Opcode:
    """Operation that Python writes with comparisons, C as a function of its prelude."""
    args = f"({', '.join(f'{{{i}}}' for i in range(arity))})"
    return Opcode(arity, text, text, f"tw_{name}{args}", text, numpy + args)


def _whole(name: str, numba: str) -> Opcode:
    """Rounding to a whole number, with the sign of zero as in C."""
    return Opcode(1, f"tw_{name}({{0}})", f"tw_{name}({{0}})", f"tw_{name}({{0}})", f"{numba}({{0}})", f"{numba}({{0}})")


OPCODES: dict[str, Opcode] = {
    "add": _infix("+"), "sub": _infix("-"), "mul": _infix("*"), "div": _infix("/", "div({0}, {1})"),
    "neg": Opcode(1, "-{0}", "-{0}", "-{0}", "-{0}", "-{0}"),
    "abs": Opcode(1, "abs({0})", "abs({0})", "fabs({0})", "abs({0})", "abs({0})"),
    "sqrt": _function("sqrt"), "cbrt": _function("cbrt", numba="np.cbrt({0})"),
    "exp": _function("exp"), "exp2": _function("exp2", numba="np.exp2({0})"), "expm1": _function("expm1"),
    "log": _function("log"), "log1p": _function("log1p"), "pow": _function("pow", 2, numpy="np.power"),
    "sin": _function("sin"), "cos": _function("cos"), "tan": _function("tan"),
    "asin": _function("asin", numpy="np.arcsin"), "acos": _function("acos", numpy="np.arccos"),
    "atan": _function("atan", numpy="np.arctan"), "atan2": _function("atan2", 2, numpy="np.arctan2"),
    "sinh": _function("sinh"), "cosh": _function("cosh"), "tanh": _function("tanh"),
    "asinh": _function("asinh", numpy="np.arcsinh"), "acosh": _function("acosh", numpy="np.arccosh"),
    "atanh": _function("atanh", numpy="np.arctanh"), "erf": _function("erf", numpy="special.erf"),
    "erfc": _function("erfc", numpy="special.erfc"),
    "min": _choice("min", 2, "{0} if {0} < {1} or {0} != {0} else {1}", "np.minimum"),
    "max": _choice("max", 2, "{0} if {0} > {1} or {0} != {0} else {1}", "np.maximum"),
    "sign": _choice("sign", 1, "{0} if {0} != {0} or {0} == 0.0 else 1.0 if {0} > 0.0 else -1.0", "np.sign"),
    "is_finite": _choice("is_finite", 1, "{0} - {0} == 0.0", "1.0 * np.isfinite"),
    "floor": _whole("floor", "np.floor"), "ceil": _whole("ceil", "np.ceil"), "round": _whole("round", "np.rint"),
    "lt": _compare("<"), "le": _compare("<="), "gt": _compare(">"), "ge": _compare(">="), "eq": _compare("=="),
    "ne": _compare("!="),
    "and": Opcode(2, "{0} and {1}", "{0} and {1}", "(double)({0} != 0.0 && {1} != 0.0)", "{0} and {1}",
                  "1.0 * np.logical_and({0}, {1})"),
    "or": Opcode(2, "{0} or {1}", "{0} or {1}", "(double)({0} != 0.0 || {1} != 0.0)", "{0} or {1}",
                 "1.0 * np.logical_or({0}, {1})"),
    "not": Opcode(1, "not {0}", "not {0}", "(double)({0} == 0.0)", "not {0}", "1.0 * np.logical_not({0})"),
    "select": Opcode(3, "{1} if {0} else {2}", "{1} if {0} else {2}", "{0} != 0.0 ? {1} : {2}", "{1} if {0} else {2}",
                     "np.where({0}, {1}, {2})"),
}

BOOLEAN = frozenset(("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "is_finite"))

PYTHON_PRELUDE = """import math

from twin.lowering.ieee import deferred, div, safe, tw_ceil, tw_floor, tw_round
"""

NUMBA_PRELUDE = """import math

import numpy as np
"""

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
    own = getattr(ieee, f"tw_{opcode}", None)
    if own is not None:
        return float(own(*args))
    return ieee.safe(getattr(math, opcode), *args)
