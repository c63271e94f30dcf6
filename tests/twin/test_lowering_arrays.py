"""Array code as loops: against JAX in every language; large models in whole arrays and the structure found in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import twin
from twin import errors, jnp
from twin.lowering import derivatives, sparsity
from twin.lowering.arrays import lower_arrays
from twin.lowering.emit_c import emit_c
from twin.lowering.program import Program
from twin.lowering.system import System, system_of
from twin.lowering.verify import verify_program, verify_system

SIZES = {"x": 60, "z": 0, "u": 3, "d": 0, "p": 4}
SQUARE = np.random.default_rng(1).normal(size=(60, 60)) / 8
MATRIX = np.random.default_rng(0).normal(size=(30, 60))
Function = Callable[..., Any]


def upwind(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
    flux = p[0] * jnp.exp(-p[1] / x)
    return jnp.concatenate([u[:1], flux[:-1]]) - flux * x + jnp.sum(flux)


def relaxed(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
    def step(carry: Any, value: Any) -> Any:
        mean, peak = carry
        mean = 0.5 * mean + p[0] * jnp.sin(value + t)
        return (mean, jnp.maximum(peak, mean * x[:20])), mean * value

    (mean, peak), rows = jax.lax.scan(step, (u[0], jnp.zeros(20)), x)
    (again, _), back = jax.lax.scan(step, (mean, peak), rows, reverse=True)
    return jnp.concatenate([rows, mean[None], peak, again[None], back])


def species(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
    made = np.array([[-1.0, 0, 2], [1, -1, 0], [0, 1, 0]])
    c = x.reshape(20, 3)
    rates = jnp.stack([c[:, 0] * c[:, 1], c[:, 2], p[0] * c[:, 0]], 1) @ made
    return (rates + jnp.pad(c[1:], ((0, 1), (0, 0)))).reshape(-1)


FUNCTIONS: dict[str, Function] = {
    "upwind": upwind, "relaxed": relaxed, "species": species,
    "reduce": lambda t, x, z, u, d, p: jnp.stack([x.sum(), x.max(), (x * x).min(), x.prod(), x[:5].max(), x.mean()]),
    "reduce_axis": lambda t, x, z, u, d, p: jnp.max(x.reshape(3, 20), 1) + jnp.min(x.reshape(20, 3), 0) * jnp.sum(u),
    "cumulative": lambda t, x, z, u, d, p: jnp.cumsum(x) * jnp.cumsum(x[::-1])[::-1] + jax.lax.cummax(x, reverse=True),
    "backward": lambda t, x, z, u, d, p: jax.lax.cumsum(x * p[0], reverse=True) / x,
    "cumulative_axis": lambda t, x, z, u, d, p: jnp.cumsum(jnp.cumprod(x.reshape(20, 3), 1), 0),
    "updated": lambda t, x, z, u, d, p: x.at[0].set(u[0]).at[3:7].add(u[1]).at[-1].multiply(2.0),
    "picked": lambda t, x, z, u, d, p: x[np.array([0, 5, 10, 15])] + x[-4:] * x[np.array([3, 3, 8, 1])],
    "matrix": lambda t, x, z, u, d, p: jnp.tanh(MATRIX @ x) @ MATRIX,
    "outer": lambda t, x, z, u, d, p: jnp.outer(x[:20], x[20:45]).T + jnp.arange(25.0)[:, None],
    "moved": lambda t, x, z, u, d, p: jnp.concatenate([x[10:50:2][::-1], x.reshape(4, 15).T.reshape(-1)[5:], u]),
    "chosen": lambda t, x, z, u, d, p: jnp.where(x > p[0], jnp.clip(x, 0.7, 1.2) ** 3, jnp.sqrt(x)) % 0.4,
    "branched": lambda t, x, z, u, d, p: jax.lax.cond(u[0] > 1, jnp.sin, jnp.cos, x) / x[0],
    "split": lambda t, x, z, u, d, p: jnp.concatenate(jnp.split(x, [7, 30])[::-1]) * jnp.repeat(u, 20),
    "tiled": lambda t, x, z, u, d, p: jnp.tile(x[:20].reshape(10, 2), (3, 2)) * jnp.mod(x[0], 0.3),
    "rolled": lambda t, x, z, u, d, p: jnp.roll(x, 3) - jnp.diff(x, append=u[0]),
}
DERIVATIVES: dict[str, Function] = {
    "upwind by parameters": lambda *a: jax.jacfwd(upwind, 5)(*a),
    "upwind gradient": lambda *a: jax.grad(lambda *b: jnp.sum(upwind(*b) ** 2), 1)(*a),
    "scan tangent": lambda t, x, *a: jax.jvp(lambda v: relaxed(t, v, *a), (x,), (x * x,))[1],
    "scan gradient": lambda *a: jax.grad(lambda *b: jnp.sum(relaxed(*b)), 1)(*a),
    "species by states": lambda *a: jax.jacfwd(species, 1)(*a),
    "strided gradient": lambda *a: jax.grad(lambda t, x, *b: jnp.sum(x[1:40:3] ** 2), 1)(*a),
}


def random_step(r: random.Random, a: Any, b: Any, u: Any, p: Any) -> Any:
    axis, shift, row = r.randrange(a.ndim), r.randint(-3, 3), r.randrange(a.shape[0])
    shape = r.choice([(60,), (30, 2), (2, 30), (4, 15)])
    return r.choice([
        lambda: a * b + u[0], lambda: jnp.sin(a) - b, lambda: a / (1.5 + b * b), lambda: jnp.roll(a, shift, axis),
        lambda: 0.05 * jnp.cumsum(a, axis), lambda: 0.05 * jax.lax.cumsum(a, axis, reverse=True),
        lambda: a - jnp.mean(a, axis, keepdims=True), lambda: a * jnp.max(b, axis, keepdims=True), lambda: a[::-1],
        lambda: a.T.reshape(a.shape), lambda: a.reshape(shape), lambda: jnp.concatenate([b[1:], a[:1]]),
        lambda: jnp.where(a > b, a, p[0] * jnp.tanh(b)), lambda: a.at[row].set(0.3),
        lambda: jnp.tanh(a @ SQUARE[:a.shape[-1], :a.shape[-1]]),
    ])()


def random_function(seed: int) -> Function:
    """A chain of random array operations, its tangent or its gradient."""

    def f(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        r = random.Random(seed)
        values = [x, jnp.exp(-x), x.reshape(30, 2), x.reshape(2, 30)]
        for _ in range(r.randint(4, 12)):
            a = r.choice(values)
            values.append(random_step(r, a, r.choice([v for v in values if v.shape == a.shape]), u, p))
        return jnp.concatenate([v.reshape(-1) for v in r.sample(values, 3)])

    if seed % 3 == 1:
        return lambda t, x, *a: jax.jvp(lambda v: f(t, v, *a), (x,), (x * x,))[1]
    if seed % 3 == 2:
        return jax.grad(lambda *a: jnp.sum(jnp.sin(f(*a))), 1)
    return f


def vectors(sizes: dict[str, int], seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 1.5, sizes[a]) for a in "xzudp"]


def expected(f: Function, at: list[Any]) -> Any:
    with jax.enable_x64(True):
        return np.asarray(jax.jit(f)(0.3, *at)).reshape(-1)


def statements(program: Program) -> int:
    def count(body: Any) -> int:
        return sum(1 + (count(s[3]) if s[0] == "loop" else 0) for s in body)

    return count(program.body)


@pytest.mark.parametrize("name", [*FUNCTIONS, *DERIVATIVES])
def test_array_code_agrees_with_jax(name: str, run_program: Any) -> None:
    f = (FUNCTIONS | DERIVATIVES)[name]
    program = lower_arrays(f, "f", SIZES)
    verify_program(program, SIZES)
    for seed in (0, 1):
        at = vectors(SIZES, seed)
        want = expected(f, at)
        got = run_program(program, "python", 0.3, at)
        assert got.shape == want.shape
        assert np.all(abs(got - want) <= 1e-12 * abs(want).max())


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(k, marks=pytest.mark.slow) for k in range(12, 120))])
def test_random_array_code_agrees_with_jax(seed: int, run_program: Any) -> None:
    f, at = random_function(seed), vectors(SIZES, seed)
    program = lower_arrays(f, "f", SIZES)
    verify_program(program, SIZES)
    want = expected(f, at)
    assert np.all(abs(run_program(program, "python", 0.3, at) - want) <= 1e-11 * abs(want).max())


def test_c_gives_the_same_bits(run_program: Any) -> None:
    for f in (upwind, relaxed, FUNCTIONS["cumulative"], FUNCTIONS["chosen"]):
        program = lower_arrays(f, "f", SIZES)
        at = vectors(SIZES)
        assert np.array_equal(run_program(program, "c", 0.3, at), run_program(program, "python", 0.3, at))


@pytest.mark.slow
@pytest.mark.parametrize("name", FUNCTIONS)
def test_numba_agrees(name: str, run_program: Any) -> None:
    program = lower_arrays(FUNCTIONS[name], "f", SIZES)
    at = vectors(SIZES)
    want = run_program(program, "python", 0.3, at)
    np.testing.assert_allclose(run_program(program, "numba", 0.3, at), want, rtol=1e-13)


def test_elementwise_chains_are_one_loop() -> None:
    program = lower_arrays(lambda t, x, z, u, d, p: jnp.sin(x * p[0] + u[0]) / (1 + x * x), "f", SIZES)
    assert [s[0] for s in program.body].count("loop") == 1
    assert program.size("work") == 0


def test_dear_values_are_computed_once() -> None:
    def calls(body: Any, times: int = 1) -> int:
        return sum(calls(s[3], times * s[2]) if s[0] == "loop" else times * (s[0] == "let" and s[2] == "exp") for s in body)

    assert calls(lower_arrays(upwind, "f", SIZES).body) == SIZES["x"]


def test_code_does_not_grow_with_the_arrays() -> None:
    for f in (upwind, relaxed, DERIVATIVES["upwind gradient"]):
        lengths = {statements(lower_arrays(f, "f", SIZES | {"x": n})) for n in (40, 100, 400)}
        assert len(lengths) == 1


def test_primitive_that_cannot_be_lowered_is_named() -> None:
    with pytest.raises(errors.LoweringError, match=r"'sort'.*test_lowering_arrays\.py"):
        lower_arrays(lambda t, x, *rest: jnp.sort(x), "f", SIZES)


def test_index_from_data_is_refused() -> None:
    with pytest.raises(errors.LoweringError, match="depends on the data"):
        lower_arrays(lambda t, x, *rest: jax.lax.dynamic_slice(x, (x[0].astype(int),), (3,)), "f", SIZES)


class Kiln(twin.DynamicModel):
    """Counter-current flow in whole arrays, with a scalar state that reads the whole row."""

    cells = twin.static(30)
    bed = twin.state("K", shape=("cells",))
    gas = twin.state("K", shape=("cells",))
    lime = twin.state("-", shape=("cells",))
    hood = twin.state("K")
    fuel = twin.input("kg/s")
    speed = twin.parameter(0.03, "1/s")
    free = twin.output("-")

    def rhs(self, s: Any) -> Any:
        burnt = jnp.exp(-2.0 / s.bed) * (1 - s.lime)
        heat = 0.2 * (s.gas - s.bed)
        up = lambda x, inlet: self.speed * self.cells * (jnp.concatenate([jnp.full(1, inlet), x[:-1]]) - x)  # noqa: E731
        gas = jnp.concatenate([s.gas[1:], (s.hood + 3.0 * s.fuel)[None]])
        return {"bed": up(s.bed, 1.1) + heat - 1.6 * burnt, "gas": 5.0 * (gas - s.gas) - 3 * heat,
                "lime": up(s.lime, 0.0) + burnt, "hood": s.bed[-1] - s.hood + jnp.mean(s.gas) * s.time}

    def outputs(self, s: Any) -> Any:
        return {"free": s.lime[-1] / s.bed[-1]}


class Wide(twin.DynamicModel):
    """Second-order upwind: two cells to the left, with an algebraic on each cell."""

    cells = twin.static(40)
    a = twin.state("-", shape=("cells",))
    b = twin.state("-", shape=("cells",))
    drag = twin.algebraic("-", shape=("cells",))
    inlet = twin.input("-")

    def rhs(self, s: Any) -> Any:
        wide = jnp.concatenate([jnp.stack([s.inlet, s.inlet * 2]), s.a])
        return {"a": -(1.5 * wide[2:] - 2 * wide[1:-1] + 0.5 * wide[:-2]) * s.drag, "b": s.a - s.b * s.drag}

    def residual(self, s: Any) -> Any:
        return {"drag": s.drag - 1 - s.a * s.b * 0.1}


class Mixed(twin.DynamicModel):
    """Every cell sees every other: no block structure."""

    cells = twin.static(64)
    a = twin.state("-", shape=("cells",))

    def rhs(self, s: Any) -> Any:
        return {"a": jnp.sin(s.a) * jnp.sum(s.a) - s.a}


def jacobian(system: System, out: Any) -> Any:
    n = system.n_x + system.n_z
    full = np.zeros((n, n))
    if system.cells is None:
        rows, columns = system.pattern
        full[list(rows), list(columns)] = out[:len(rows)]
        return np.concatenate([full.reshape(-1), out[len(rows):]])
    c, at = system.cells, 0
    m, b = c.m_x + c.m_z, c.border_x + c.border_z
    cell = np.array([[k * c.m_x + j for j in range(c.m_x)] + [system.n_x + k * c.m_z + j for j in range(c.m_z)]
                     for k in range(c.count)])
    border = [*range(c.count * c.m_x, system.n_x), *range(system.n_x + c.count * c.m_z, n)]
    for k in range(c.count):
        for which, i, j in c.pattern:
            if which == 3 or 0 <= k + which - 1 < c.count:
                full[cell[k, i], border[j] if which == 3 else cell[k + which - 1, j]] = out[at]
            at += 1
    for r in border:
        full[r, cell.reshape(-1)] = out[at:at + c.count * m]
        at += c.count * m
    for r in border:
        full[r, border] = out[at:at + b]
        at += b
    return np.concatenate([full.reshape(-1), out[at:]])


@pytest.mark.parametrize("name", ["rhs", "jacobian", "input_jacobian", "parameter_jacobian", "outputs", "output_jacobian",
                                  "sensitivity", "sensitivity_tangent"])
@pytest.mark.parametrize("model", [Kiln(), Wide(), Mixed()], ids=lambda m: type(m).__name__)
def test_models_in_whole_arrays(model: Any, name: str, run_program: Any) -> None:
    system = system_of(model)
    known = derivatives.functions(model)
    f, sizes = known["jacobian_dense" if name == "jacobian" else name]()
    at = vectors(sizes)
    got = run_program(system.program(name), "python", 0.3, at)
    want = expected(f, at)
    if name == "jacobian":
        got = jacobian(system, got)
        want = np.concatenate([want, expected(derivatives.time_derivative(model), at)])
    assert got.shape == want.shape
    assert want.size == 0 or np.all(abs(got - want) <= 1e-12 * abs(want).max())


def test_structure_is_found() -> None:
    kiln, wide = sparsity.structure(Kiln()), sparsity.structure(Wide())
    assert kiln is not None
    assert (kiln.count, kiln.m_x, kiln.m_z, kiln.border_x, kiln.border_z) == (30, 3, 0, 1, 0)
    assert {(w, i, j) for w, i, j in kiln.pattern if w in (0, 2)} == {(0, 0, 0), (2, 1, 1), (0, 2, 2)}
    assert wide is not None
    assert (wide.count, wide.m_x, wide.m_z) == (20, 4, 2)  # pairs of cells
    assert sparsity.structure(Wide(cells=41)) is None
    assert sparsity.structure(Mixed()) is None


def test_small_models_stay_scalar() -> None:
    assert system_of(Kiln(cells=4)).cells is None
    assert all(s[0] != "loop" for s in system_of(Kiln(cells=4)).program("rhs").body)


def test_large_systems_are_stored() -> None:
    system = system_of(Kiln())
    again = System.from_json(system.to_json())
    verify_system(again)
    assert again.cells == system.cells
    assert again.program("jacobian") == system.program("jacobian")


def test_jacobian_code_does_not_grow() -> None:
    texts = [emit_c([system_of(Kiln(cells=n)).program("jacobian")]) for n in (30, 100, 400)]
    lengths = [t.count("\n") for t in texts]
    assert max(lengths) - min(lengths) == 0
