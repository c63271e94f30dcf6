"""Models of equal cells in a row: every program against JAX, in every language, at a code size that does not grow."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
import pytest

import twin
from processes.chemical import TubularReactor
from twin import errors, jnp
from twin.lowering import derivatives
from twin.lowering.cell_mode import lower_cells, structure
from twin.lowering.emit_c import emit_c
from twin.lowering.program import Program
from twin.lowering.system import CellStructure, System, system_of
from twin.lowering.verify import verify_system

COMMON = ("input_jacobian", "parameter_jacobian", "outputs", "output_jacobian", "sensitivity", "sensitivity_tangent")
PROGRAMS = ("rhs", "jacobian", *COMMON)


class Bed(twin.DynamicModel):
    """All at once: algebraics on cells, profiles, position, time, ghosts of all kinds, recycle and pressure drop."""

    cells = twin.static(30)
    c = twin.state("mol/l", shape=("cells",), lower=0.5, upper=1.5)
    q = twin.state("mol/l", shape=("cells",), lower=0.5, upper=1.5)
    heat = twin.algebraic("K", shape=("cells",), lower=0.5, upper=1.5)
    recycle = twin.state("mol/l", lower=0.5, upper=1.5)
    drop = twin.algebraic("Pa", lower=0.5, upper=1.5)
    feed = twin.input("mol/l", lower=0.5, upper=1.5)
    flow = twin.disturbance("m/s", lower=0.5, upper=1.5)
    total = twin.output("mol")
    last = twin.output("-")
    activity = twin.parameter(np.linspace(1.0, 2.0, 30), "-", shape=("cells",))
    k = twin.parameter(1.3, "1/s")
    share = twin.parameter(0.4, "-")

    @twin.term("1/s")
    def rate(self, c: Any, heat: Any) -> Any:
        return self.k * jnp.exp(-1 / heat) * c

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Any:
        r = self.rate(own.c, own.heat) * own.activity * s.drop * (1 + 0.1 * own.position)
        mixed = 0.1 * (right.c - 2 * own.c + left.c) + 0.01 * s.time * own.c
        return {"c": s.flow * (left.c - own.c) * 30 - r + mixed, "q": r - own.q * right.q,
                "heat": own.heat - 1.0 - own.c**2 * 0.1 - 0.2 * left.heat}

    def ends(self, first: Any, last: Any, s: Any) -> Any:
        low = {"c": (s.feed + self.share * s.recycle) * jnp.sin(s.time) + 0.1 * first.c * first.activity,
               "heat": s.drop + first.heat * first.position}
        return low, {"c": last.c * s.feed * last.activity, "q": 0.5 * last.q}

    def rhs(self, s: Any) -> Any:
        return {"recycle": s.c[-1] - s.recycle * s.time}

    def residual(self, s: Any) -> Any:
        return {"drop": s.drop - jnp.sum(s.c * s.q) * 0.01 - self.share * s.flow}

    def outputs(self, s: Any) -> Any:
        return {"total": jnp.sum(s.c), "last": s.c[-1] / s.heat[0]}


class Kiln(twin.DynamicModel):
    """Counter-current: the bed enters on the left, the gas on the right."""

    cells = twin.static(50)
    bed = twin.state("K", shape=("cells",), lower=800, upper=1600)
    lime = twin.state("-", shape=("cells",), lower=0.1, upper=0.9)
    gas = twin.state("K", shape=("cells",), lower=1000, upper=2000)
    fuel = twin.input("kg/s", lower=1, upper=3)
    speed = twin.parameter(0.03, "1/s")
    exchange = twin.parameter(0.002, "1/s")

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Any:
        burnt = 1e7 * jnp.exp(-22000 / own.bed) * (1 - own.lime)
        to_bed = self.exchange * (own.gas - own.bed)
        return {"bed": self.speed * self.cells * (left.bed - own.bed) + to_bed - 1600 * burnt,
                "lime": self.speed * self.cells * (left.lime - own.lime) + burnt,
                "gas": 5.0 * self.cells * (right.gas - own.gas) - 3 * to_bed}

    def ends(self, first: Any, last: Any, s: Any) -> Any:
        return {"bed": 1100.0, "lime": 0.0}, {"gas": 1200.0 + 300.0 * s.fuel}


def corrected() -> Bed:
    return Bed().with_learned({"rate": twin.Mlp.random(inputs=("c", "heat"), hidden=(4,), seed=1)})


MODELS = {"tube": lambda n: TubularReactor(cells=n), "kiln": lambda n: Kiln(cells=n),
          "bed": lambda n: Bed(cells=n, activity=np.linspace(1.0, 2.0, n))}


def point(model: Any, program: Program, seed: int) -> list[Any]:
    """Random values within the limits of the signals; parameters near theirs."""
    rng = np.random.default_rng(seed)
    found = []
    for role in ("state", "algebraic", "input", "disturbance"):
        v = np.zeros(model.size(role))
        for r in model.layout(role):
            v[r.where] = rng.uniform(r.signal.lower, r.signal.upper, r.count if r.shape else None)
        found.append(v)
    p = np.array(model.parameter_vector())
    return [*found, np.concatenate([p * rng.uniform(0.9, 1.1, p.size), rng.normal(size=program.size("p") - p.size)])]


def compiled(f: Any) -> Any:
    fast = jax.jit(f)

    def run(t: float, vectors: list[Any]) -> Any:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, fast(t, *vectors))

    return run


def dense(cells: CellStructure, out: Any) -> tuple[Any, Any]:
    """Full Jacobian in the order [x, z], and dF/dt, from the layout of cells."""
    n, m_x, m_z = cells.count, cells.m_x, cells.m_z
    n_x, b = n * m_x + cells.border_x, cells.border_x + cells.border_z
    in_cell = np.array([[c * m_x + j for j in range(m_x)] + [n_x + c * m_z + j for j in range(m_z)] for c in range(n)])
    border = [n * m_x + k for k in range(cells.border_x)] + [n_x + n * m_z + k for k in range(cells.border_z)]
    size = n * (m_x + m_z) + b
    full, at = np.zeros((size, size)), 0
    for c in range(n):
        for which, i, j in cells.pattern:
            if which == 3 or 0 <= c + which - 1 < n:
                full[in_cell[c, i], border[j] if which == 3 else in_cell[c + which - 1, j]] = out[at]
            else:
                assert out[at] == 0.0
            at += 1
    for k in border:
        full[k, in_cell.reshape(-1)] = out[at:at + in_cell.size]
        at += in_cell.size
    for k in border:
        full[k, border] = out[at:at + b]
        at += b
    return full, out[at:]


def agree(model: Any, name: str, run: Any, seeds: tuple[int, ...] = (0,), t: float = 0.3) -> None:
    """Compare one program with JAX, to 1e-12 of the magnitude of the terms."""
    system = system_of(model)
    program = system.program(name)
    known = derivatives.functions(model)
    f = known["jacobian_dense" if name == "jacobian" else name]()[0]
    if name == "rhs":
        exact = compiled(lambda *a: (f(*a), jax.jacfwd(f, (1, 2))(*a)))
    elif name == "jacobian":
        exact = compiled(lambda *a: (f(*a), derivatives.time_derivative(model)(*a)))
    else:
        exact = compiled(f)
    for seed in seeds:
        vectors = point(model, program, seed)
        got, want = run(program, "python", t, vectors), exact(t, vectors)
        if name == "rhs":
            terms = sum(abs(slope) @ abs(v) for slope, v in zip(want[1], vectors[:2], strict=True))
            assert np.all(abs(got - want[0]) <= 1e-12 * (terms + abs(want[0])))
        elif name == "jacobian":
            full, slope = dense(system.cells, got)
            assert np.all(abs(full - want[0]) <= 1e-12 * abs(want[0]).max(1, keepdims=True))
            assert np.all(abs(slope - want[1]) <= 1e-12 * abs(want[1]).max())
        elif want.size == 0:
            assert got.size == 0
        else:
            rows = want if want.ndim == 2 else want.reshape(1, -1)
            assert np.all(abs(got.reshape(rows.shape) - rows) <= 1e-12 * abs(rows).max(1, keepdims=True))


@pytest.mark.parametrize(("which", "name"), [("tube", n) for n in ("rhs", "jacobian", "input_jacobian")]
                         + [(k, n) for k in ("kiln", "bed") for n in PROGRAMS])
def test_programs_agree_with_jax(which: str, name: str, run_program: Any) -> None:
    agree(MODELS[which](24), name, run_program, seeds=(0, 1, 2))


@pytest.mark.parametrize("name", ["rhs", "jacobian"])
def test_the_shipped_reactor_agrees_with_jax_at_100_points(name: str, run_program: Any) -> None:
    """The reactor of `processes.chemical`, a few cells: |a - b| <= 1e-12 of the magnitude of the terms within its limits."""
    from processes.chemical import TubularReactor

    agree(TubularReactor(cells=6), name, run_program, seeds=tuple(range(100)))


@pytest.mark.parametrize("name", ["rhs", "jacobian", "parameter_jacobian", "sensitivity"])
def test_corrected_term_on_cells(name: str, run_program: Any) -> None:
    agree(corrected(), name, run_program)


@pytest.mark.parametrize("count", [1, 2])
def test_few_cells(count: int, run_program: Any) -> None:
    for name in ("rhs", "jacobian", "parameter_jacobian"):
        agree(MODELS["bed"](count), name, run_program)


@pytest.mark.parametrize("which", MODELS)
def test_c_gives_the_same_bits(which: str, run_program: Any) -> None:
    system = system_of(MODELS[which](24))
    for name in ("rhs", "jacobian", "sensitivity"):
        program = system.program(name)
        vectors = point(MODELS[which](24), program, 2)
        assert np.array_equal(run_program(program, "c", 0.3, vectors), run_program(program, "python", 0.3, vectors))


@pytest.mark.slow
@pytest.mark.parametrize("which", MODELS)
def test_numba_agrees(which: str, run_program: Any) -> None:
    system = system_of(MODELS[which](24))
    for name in PROGRAMS:
        program = system.program(name)
        vectors = point(MODELS[which](24), program, 2)
        want = run_program(program, "python", 0.3, vectors)
        np.testing.assert_allclose(run_program(program, "numba", 0.3, vectors), want, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("which", ["kiln", "bed"])
def test_code_does_not_grow_with_the_cells(which: str) -> None:
    def length(n: int) -> list[int]:
        return [emit_c([lower_cells(MODELS[which](n), name)]).count("\n") for name in ("rhs", "jacobian", "sensitivity")]

    assert length(20) == length(100) == length(400)


def test_lowering_is_quick_and_short() -> None:
    def length(programs: list[Program]) -> list[int]:
        return [emit_c([p]).count("\n") for p in programs]

    names = ("rhs", "jacobian")
    small = length([lower_cells(TubularReactor(cells=20), name) for name in names])
    start = time.process_time()
    large = length([lower_cells(TubularReactor(cells=400), name) for name in names])
    assert time.process_time() - start < 3.0
    assert large == small
    assert large[0] < 200
    assert large[1] < 320


def test_structure_of_the_tube() -> None:
    cells = structure(TubularReactor())
    assert (cells.count, cells.m_x, cells.m_z, cells.border_x, cells.border_z) == (100, 9, 0, 0, 0)
    sides = [(i, j) for which, i, j in cells.pattern if which in (0, 2)]
    assert sorted(sides) == sorted([(i, i) for i in range(9)] * 2)  # transport couples a quantity to itself only


def test_system_of_a_model_on_cells_is_stored_exactly() -> None:
    system = system_of(Bed())
    again = System.from_json(system.to_json(PROGRAMS))
    verify_system(again)
    assert again.cells == system.cells
    assert again.program("jacobian") == system.program("jacobian")


def test_ghost_that_reads_the_other_end_is_refused() -> None:
    class Loop(twin.DynamicModel):
        cells = twin.static(5)
        c = twin.state("-", shape=("cells",))

        def cell(self, left: Any, own: Any, right: Any, s: Any) -> Any:
            return {"c": left.c - own.c}

        def ends(self, first: Any, last: Any, s: Any) -> Any:
            return {"c": last.c}, {}

    with pytest.raises(errors.SpecError, match="before the first cell depend on the last cell"):
        structure(Loop())


def test_index_above_one_on_cells_is_refused() -> None:
    class Slip(twin.DynamicModel):
        cells = twin.static(5)
        c = twin.state("-", shape=("cells",))
        flow = twin.algebraic("-", shape=("cells",))

        def cell(self, left: Any, own: Any, right: Any, s: Any) -> Any:
            return {"c": left.c - own.c * own.flow, "flow": own.c - 1.0}

        def ends(self, first: Any, last: Any, s: Any) -> Any:
            return {"c": 1.0}, {}

    with pytest.raises(errors.SpecError, match=r"'flow'.*index above 1"):
        structure(Slip())


def test_primitive_that_cannot_be_lowered_is_named() -> None:
    class Odd(twin.DynamicModel):
        cells = twin.static(5)
        c = twin.state("-", shape=("cells",))

        def cell(self, left: Any, own: Any, right: Any, s: Any) -> Any:
            return {"c": jax.scipy.special.i0e(own.c)}

        def ends(self, first: Any, last: Any, s: Any) -> Any:
            return {}, {}

    with pytest.raises(errors.LoweringError, match=r"bessel_i0e.*test_lowering_cells\.py"):
        structure(Odd())
