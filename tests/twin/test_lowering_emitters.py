"""The three emitters against JAX: every opcode, and every program of several models."""

from __future__ import annotations

import ctypes
import math
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import twin
from processes.bioreactor import BajpaiReuss, Penicillin
from processes.chemical import ExothermicCstr, VanDeVusse
from twin import jnp
from twin.functions import Mlp
from twin.learned import Multiply
from twin.lowering import ieee
from twin.lowering.derivatives import functions
from twin.lowering.emit_c import emit_c
from twin.lowering.emit_numba import emit_numba
from twin.lowering.emit_python import emit_python
from twin.lowering.opcodes import BOOLEAN, OPCODES, evaluate
from twin.lowering.program import Program
from twin.lowering.system import PROGRAMS, System, system_of


class Tank(twin.DynamicModel):
    """Index-1: the pressure follows from an equation of state, time occurs, where and powers occur."""

    mass = twin.state("kg", lower=0.5, upper=5, nominal=1)
    pressure = twin.algebraic("bar", lower=0.5, upper=20, nominal=1)
    flow = twin.input("kg/s", lower=0, upper=1)
    weights = twin.parameter(np.array([0.3, -0.2, 0.5]), "-")
    level = twin.output("-")

    def rhs(self, s: Any) -> Any:
        net = jnp.tanh(jnp.stack([s.mass, s.pressure, s.flow]) @ self.weights)
        return {"mass": s.flow * jnp.sin(s.time) - 0.1 * jnp.where(s.pressure > 3, s.pressure, s.mass**3) + net}

    def residual(self, s: Any) -> Any:
        return {"pressure": s.pressure * (1 + 0.1 * s.pressure) - 2 * s.mass**1.4}

    def outputs(self, s: Any) -> Any:
        return {"level": jnp.sum(self.weights * s.mass) + jnp.maximum(s.pressure, 2.0)}


NETWORK = Mlp.random(inputs=("temperature",), hidden=(6, 5), scales=(50.0,), centers=(350.0,), seed=3)
CORRECTED = ExothermicCstr().with_learned({"rate_constant": Multiply(NETWORK)})
MODELS = [Penicillin(), BajpaiReuss(), VanDeVusse.klatt_engell(), CORRECTED, Tank()]
Kernel = Callable[..., list[float]]


def python_kernel(program: Program) -> Kernel:
    space: dict[str, Any] = {}
    exec(emit_python([program]), space)

    def run(*args: Any) -> list[float]:
        out, work = [0.0] * program.size("out"), [0.0] * program.size("work")
        space[program.name](*args, out, work)
        return [float(v) for v in out]

    return run


def c_kernels(programs: list[Program], folder: Path) -> dict[str, Kernel]:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler here")
    source, library = folder / "k.c", folder / "k.so"
    source.write_text(emit_c(programs, "m_"))
    command = ["cc", "-O1", "-ffp-contract=off", "-shared", "-fPIC", "-std=c99", str(source), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    loaded = ctypes.CDLL(str(library))

    def bind(program: Program) -> Kernel:
        f = getattr(loaded, f"m_{program.name}")
        f.argtypes, f.restype = [ctypes.c_double] + [ctypes.c_void_p] * 7, None

        def run(t: float, *vectors: Any) -> list[float]:
            arrays = [np.ascontiguousarray(v, dtype=float) for v in vectors]
            out, work = np.zeros(program.size("out")), np.zeros(program.size("work"))
            f(t, *(a.ctypes.data for a in (*arrays, out, work)))
            return out.tolist()

        return run

    return {p.name: bind(p) for p in programs}


def numba_kernel(program: Program) -> Kernel:
    import numba

    space: dict[str, Any] = {}
    exec(emit_numba([program]), space)
    compiled = numba.njit(error_model="numpy")(space[program.name])

    def run(t: float, *vectors: Any) -> list[float]:
        out, work = np.zeros(program.size("out")), np.zeros(program.size("work"))
        compiled(t, *(np.asarray(v, dtype=float) for v in vectors), out, work)
        return out.tolist()

    return run


IN_JAX = {
    "sub": "subtract", "mul": "multiply", "div": "divide", "neg": "negative", "pow": "power", "asin": "arcsin",
    "acos": "arccos", "atan": "arctan", "atan2": "arctan2", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh",
    "min": "minimum", "max": "maximum", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "eq": "equal", "ne": "not_equal", "is_finite": "isfinite",
}


ON_ARRAYS: dict[str, Callable[..., Any]] = {
    **{n: getattr(np, IN_JAX.get(n, n)) for n in OPCODES if hasattr(np, IN_JAX.get(n, n))},
    "and": np.logical_and, "or": np.logical_or, "not": np.logical_not, "select": np.where, "round": np.rint,
}


def magnitude(program: Program, t: Any, vectors: dict[str, Any]) -> Any:
    """Sum of the magnitudes of the terms of every output at every point: the scale of unavoidable rounding."""
    value: dict[int, Any] = {}
    size: dict[int, Any] = {}
    out = np.zeros((len(t), program.size("out")))
    for s in program.body:
        if s[0] == "store":
            out[:, s[2][0]] = size[s[3]]
            continue
        if s[0] == "const":
            v = np.full(len(t), s[2])
        elif s[0] == "time":
            v = t
        elif s[0] == "load":
            v = vectors[s[2]][:, s[3][0]]
        else:
            with np.errstate(all="ignore"):
                v = ON_ARRAYS[s[2]](*(value[a] for a in s[3:]))
        value[s[1]], size[s[1]] = v, np.abs(v)
        if s[0] == "let":
            m, vs = [size[a] for a in s[3:]], [value[a] for a in s[3:]]
            if s[2] in ("add", "sub"):
                size[s[1]] = m[0] + m[1]
            elif s[2] == "mul":
                size[s[1]] = m[0] * m[1]
            elif s[2] == "div":
                size[s[1]] = m[0] * m[1] / vs[1] ** 2
            elif s[2] in ("exp", "pow"):
                size[s[1]] = np.abs(v) * (1 + np.max(m, 0) * (1 if s[2] == "exp" else np.abs(vs[1])))
            else:
                size[s[1]] = np.max([np.abs(v), *(m[1:] if s[2] == "select" else m)], 0)
    return out


def points(system: System, program: Program, count: int) -> list[tuple[Any, ...]]:
    """Random arguments (t, x, z, u, d, p) within the signal limits; extra entries of p (weights, tangents) are random."""
    rng = random.Random(7)
    found = []
    for _ in range(count):
        vectors: dict[str, Any] = {}
        for role, array in (("state", "x"), ("algebraic", "z"), ("input", "u"), ("disturbance", "d")):
            vectors[array] = [0.0] * system.size(role)
            for r in system.layout(role):
                low = r.signal.lower if math.isfinite(r.signal.lower) else 0.1 * r.signal.nominal
                high = r.signal.upper if math.isfinite(r.signal.upper) else 2 * r.signal.nominal
                for k in range(r.count):
                    vectors[array][r.start + k * r.step] = rng.uniform(low + 1e-3 * (high - low), high)
        extra = program.size("p") - system.n_p
        vectors["p"] = system.parameter_vector() + [rng.uniform(-1, 1) for _ in range(extra)]
        found.append((rng.uniform(0, 3), *(vectors[a] for a in "xzudp")))
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_python_agrees_with_jax_at_100_points(model: Any) -> None:
    """|a - b| <= 1e-12 x (sum of the magnitudes of the terms) for rhs, Jacobian, Hessian and all other programs."""
    import jax

    system, known = system_of(model), functions(model)
    with jax.enable_x64(True):
        for name in PROGRAMS:
            program = system.program(name)
            if not program.size("out"):
                continue
            dense = name == "jacobian"
            f = jax.jit(jax.vmap(known["jacobian_dense" if dense else name]()[0]),
                        compiler_options={"xla_backend_optimization_level": 0})  # compiles in half the time
            kernel = python_kernel(program)
            rows = points(system, program, 100 if name in ("rhs", "jacobian", "hessian") else 5)
            t, *vectors = (np.array(column) for column in zip(*rows, strict=True))
            found = np.array([kernel(*row) for row in rows])
            scale = magnitude(program, t, dict(zip("xzudp", vectors, strict=True)))
            expected = np.asarray(f(t, *vectors))
            if dense:
                i, j = system.pattern
                assert all(np.count_nonzero(e) <= len(i) for e in expected)
                expected, found, scale = expected[:, list(i), list(j)], found[:, :len(i)], scale[:, :len(i)]
            error = np.abs(found - expected.reshape(len(rows), -1))
            assert (error <= 1e-12 * scale + 1e-300).all(), name


def test_hessian_of_a_reactor_of_few_cells_agrees_with_jax_at_100_points() -> None:
    """Up to 60 unknowns a model on cells has a dense Hessian too, to 1e-12 x (sum of the magnitudes of the terms)."""
    import jax

    from processes.chemical import TubularReactor

    model = TubularReactor(cells=2)
    system = system_of(model)
    program = system.program("hessian")
    rows = points(system, program, 100)
    t, *vectors = (np.array(column) for column in zip(*rows, strict=True))
    found = np.array([python_kernel(program)(*row) for row in rows])
    scale = magnitude(program, t, dict(zip("xzudp", vectors, strict=True)))
    with jax.enable_x64(True):
        expected = np.asarray(jax.jit(jax.vmap(functions(model)["hessian"]()[0]))(t, *vectors))
    assert np.count_nonzero(expected)
    assert (np.abs(found - expected) <= 1e-12 * scale + 1e-300).all()


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_c_and_python_agree_to_the_last_bit(model: Any, tmp_path: Path) -> None:
    """The same statements in the same order: equal results for every program at 20 points."""
    system = system_of(model)
    programs = [p for n in PROGRAMS if (p := system.program(n)).size("out")]
    compiled = c_kernels(programs, tmp_path)
    for program in programs:
        plain = python_kernel(program)
        for args in points(system, program, 20):
            assert compiled[program.name](*args) == plain(*args), program.name


@pytest.mark.parametrize("model", [Penicillin(), Tank()], ids=lambda m: type(m).__name__)
def test_numba_and_python_agree_to_the_last_bit(model: Any) -> None:
    """The same for numba, for the programs that the integrator calls."""
    system = system_of(model)
    for name in ("rhs", "jacobian"):
        program = system.program(name)
        compiled, plain = numba_kernel(program), python_kernel(program)
        for args in points(system, program, 10):
            assert compiled(*args) == plain(*args), name


def every_opcode() -> Program:
    """Program out[k] = opcode k of (x[0], x[1], x[2]); conditions are comparisons with 0.5."""
    body: list[Any] = [("load", i, "x", (i, ())) for i in range(3)]
    body += [("const", 3, 0.5), ("const", 4, 1.0), ("const", 5, 0.0)]
    body += [("let", 6 + i, "gt", i, 3) for i in range(3)]
    v = 10
    for k, (name, opcode) in enumerate(OPCODES.items()):
        arguments = list(range(opcode.arity))
        if name in ("and", "or", "not"):
            arguments = [6 + a for a in arguments]
        elif name == "select":
            arguments[0] = 6
        body.append(("let", v, name, *arguments))
        if name in BOOLEAN:
            body.append(("let", v + 1, "select", v, 4, 5))
        body.append(("store", "out", (k, ()), v + (name in BOOLEAN)))
        v += 2
    sizes = (("x", 3), ("z", 0), ("u", 0), ("d", 0), ("p", 0), ("out", len(OPCODES)), ("work", 0))
    return Program("every", sizes, (), tuple(body))


NUMBERS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 1e-300, 1e300, -1e300, 710.0, math.inf, -math.inf, math.nan, 3.5]


def same(a: float, b: float) -> bool:
    return (a != a and b != b) or (a == b and (a != 0 or math.copysign(1, a) == math.copysign(1, b)))


def test_every_opcode_is_the_same_in_all_languages(tmp_path: Path) -> None:
    """Every opcode on ordinary numbers, zeros, huge numbers, infinities and NaN, to the last bit; no kernel raises."""
    program = every_opcode()
    plain, others = python_kernel(program), {"numba": numba_kernel(program)}
    if shutil.which("cc"):
        others["C"] = c_kernels([program], tmp_path)["every"]
    for a in NUMBERS:
        for b in NUMBERS:
            args = (0.0, [a, b, 0.25], [], [], [], [])
            expected = plain(*args)
            for language, kernel in others.items():
                for name, found, value in zip(OPCODES, kernel(*args), expected, strict=True):
                    assert same(found, value), (language, name, a, b, found, value)


def test_folding_gives_what_kernels_give() -> None:
    """Constants are folded with the same arithmetic that kernels use."""
    plain = python_kernel(every_opcode())
    for a in NUMBERS:
        for name, value in zip(OPCODES, plain(0.0, [a, 1.5, -0.75], [], [], [], []), strict=True):
            args = [a, 1.5, -0.75][:OPCODES[name].arity]
            if name in ("and", "or", "not"):
                args = [float(v > 0.5) for v in args]
            elif name == "select":
                args[0] = float(a > 0.5)
            assert same(evaluate(name, *args), value), (name, a)


def test_every_opcode_is_what_jax_computes() -> None:
    """Equal infinities, NaN and signs of comparison; numbers within the rounding of the two mathematical libraries."""
    import jax

    plain, names = python_kernel(every_opcode()), [n for n in OPCODES if n not in ("and", "or", "not", "select")]
    with jax.enable_x64(True):
        found = np.array([plain(0.0, [v, w, 0.25], [], [], [], []) for v in NUMBERS for w in NUMBERS])
        a, b = np.repeat(NUMBERS, len(NUMBERS)), np.tile(NUMBERS, len(NUMBERS))
        for name in names:
            f = getattr(jax.scipy.special if name in ("erf", "erfc") else jax.numpy, IN_JAX.get(name, name))
            expected = np.asarray(f(*(a, b)[:OPCODES[name].arity]), dtype=float)
            np.testing.assert_allclose(found[:, list(OPCODES).index(name)], expected, rtol=1e-12, err_msg=name)


def test_division_that_python_refuses() -> None:
    """Division by zero and overflow become infinity and NaN as in C."""
    assert ieee.div(1.0, 0.0) == math.inf
    assert ieee.div(-1.0, 0.0) == -math.inf
    assert math.isnan(ieee.div(0.0, 0.0))
    assert ieee.safe(math.exp, 1000.0) == math.inf
    assert math.isnan(ieee.safe(math.log, -1.0))


def test_unsupported_primitive_names_itself_and_the_line() -> None:
    """A sort cannot be lowered: the error names the primitive and the user's line."""

    class Sorting(twin.DynamicModel):
        a = twin.state("-")
        b = twin.state("-")

        def rhs(self, s: Any) -> Any:
            low, high = jnp.sort(jnp.stack([s.a, s.b]))
            return {"a": low, "b": high}

    with pytest.raises(twin.LoweringError, match=r"'sort'.*test_lowering_emitters.py"):
        system_of(Sorting()).program("rhs")


def test_index_two_residual_names_the_variable() -> None:
    """A residual that does not contain its algebraic variable has index 2."""

    class Pendulum(twin.DynamicModel):
        angle = twin.state("rad")
        force = twin.algebraic("N")

        def rhs(self, s: Any) -> Any:
            return {"angle": s.force}

        def residual(self, s: Any) -> Any:
            return {"force": s.angle - 1}

    with pytest.raises(twin.SpecError, match=r"Pendulum: the algebraic residual 'force'.*index above 1.*Differentiate"):
        system_of(Pendulum()).program("jacobian")


def test_system_survives_its_text_exactly() -> None:
    """JSON and back gives the same text, programs, limits and values."""
    system = system_of(Penicillin())
    text = system.to_json(PROGRAMS)
    again = System.from_json(text)
    assert again.to_json(PROGRAMS) == text
    assert again.program("hessian") == system.program("hessian")
    assert [r.signal for r in again.layout("state")] == [r.signal for r in system.layout("state")]
    less = System.from_json(system.to_json(("rhs",)))
    with pytest.raises(twin.LoweringError, match=r"does not hold the program 'jacobian'"):
        less.program("jacobian")
