"""Uncompiled Python, C and LLVM give the same bits; ensembles, threads, Ctrl-C, cache files, the choice of execution."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import ExothermicCstr, TubularReactor
from twin import PID, Assign, Bolus, Harvest, Phase, Profile, Recipe, Status, errors, jnp
from twin.engine import executions, load_c, load_numba, store
from twin.engine.runner import Runner
from twin.lowering import cache
from twin.lowering.system import system_of

NEEDS_CC = pytest.mark.skipif(store.compiler() is None, reason="needs a C compiler")
COMPILED: list[Any] = [pytest.param("c", marks=NEEDS_CC), "numba"]


class Mixer(twin.DynamicModel):
    """Index 1, an output, controllers, resets."""

    volume = twin.state("l", nominal=10)
    c = twin.state("g/l", per="volume")
    t = twin.state("K", nominal=300)
    w = twin.algebraic("-", nominal=0.5)
    feed = twin.input("l/h")
    duty = twin.input("K/h")
    load = twin.output("g")
    k = twin.parameter(0.3, "1/h")

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"volume": s.feed, "c": s.feed / s.volume * (5 - s.c) - self.k * s.w * s.c, "t": s.duty - 0.2 * (s.t - 290)}

    def residual(self, s: Any) -> dict[str, Any]:
        return {"w": s.w * jnp.exp(s.w) - s.c / (1 + 0.01 * (s.t - 290) ** 2)}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"load": s.c * s.volume * s.w}


class Bed(twin.DynamicModel):
    """Cells with a local algebraic, and a border: a mean and a pressure."""

    cells = twin.static(6)
    hot = twin.state("-", shape=("cells",))
    wet = twin.state("-", shape=("cells",))
    flux = twin.algebraic("-", shape=("cells",))
    store = twin.state("-")
    level = twin.algebraic("-")
    inlet = twin.input("-")
    speed = twin.parameter(2.0, "1/s")

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> dict[str, Any]:
        back = 0.3 * (right.wet - 2 * own.wet + left.wet)
        return {"hot": self.speed * (left.hot - own.hot) - own.flux + 0.05 * (right.wet - own.wet) + 0.1 * s.store,
                "wet": back + own.flux - 0.2 * s.level, "flux": own.flux + 0.1 * own.flux**3 - own.hot * own.wet}

    def ends(self, first: Any, last: Any, s: Any) -> Any:
        return {"hot": s.inlet, "wet": first.wet}, {"hot": last.hot, "wet": 0.1}

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"store": jnp.mean(s.hot) - s.store}

    def residual(self, s: Any) -> dict[str, Any]:
        return {"level": s.level - 0.5 * s.store - 0.1 * jnp.sum(s.wet)}


class Wide(twin.DynamicModel):
    """More unknowns than the inverse is formed for."""

    cells = twin.static(12)
    x = twin.state("-", shape=("cells",))

    def rhs(self, s: Any) -> dict[str, Any]:
        mixed = sum(s.x * jnp.roll(s.x, k) / (k + 1.0) for k in (1, 5))
        return {"x": 1.0 - 0.5 * s.x - 0.2 * mixed + 0.3 * jnp.roll(s.x, 3)}


MIXER_RECIPE = Recipe([
    Phase(inputs={"feed": Profile((0.0, 2.0, 3.0), (0.2, 1.0, 0.1), "linear"),
                  "duty": PID(measured="t", setpoint=320.0, gain=0.5, integral_time=4.0, sample_time=0.7, lower=0.0)},
          until=("load", "above", 14.0), at_most=40),
    Phase(inputs={"feed": Profile((0.0, 0.5), (0.2, 0.6))}, reset=[Bolus("volume", 1.5, {"c": 3.0})], until=2.5),
    Phase(inputs={"duty": 1.0}, reset=[Harvest("volume", fraction=0.4), Assign("t", 310.0)], until=("w", "below", 0.5),
          at_most=60),
    Phase(inputs={"feed": 0.0})])
START = {"Mixer": [10.0, 1.0, 300.0], "Bed": [0.1 * i for i in range(12)] + [0.3], "Wide": [0.1 * i for i in range(12)]}


def case(model: Any, recipe: Recipe, duration: float, count: int, **options: Any) -> tuple[Any, ...]:
    return model, recipe, duration, count, options


CASES = {
    "penicillin": case(Penicillin(), Penicillin().recipe(), 400.0, 101),
    "exothermic": case(ExothermicCstr(), ExothermicCstr().recipe(), 10.0, 31),
    "mixer": case(Mixer(), MIXER_RECIPE, 30.0, 61),
    "mixer with sensitivities": case(Mixer(), Recipe([
        Phase(inputs={"feed": Profile((0.0, 2.0), (0.2, 1.0), "linear"), "duty": 1.0}, until=("load", "above", 14.0), at_most=40),
        Phase(reset=[Bolus("volume", 1.5)])]), 10.0, 21, sensitivities=("k", "initial.c")),
    "bed": case(Bed(), Recipe([Phase(inputs={"inlet": 2.0}, until=("hot[5]", "above", 0.9), at_most=20),
                               Phase(inputs={"inlet": 0.5})]), 8.0, 9, sensitivities=("speed", "initial.store")),
    "wide": case(Wide(), Recipe.constant(), 5.0, 11),
    "tubular": case(TubularReactor(cells=8), TubularReactor(cells=8).recipe(), 3.0, 4),
}


def start_of(system: Any) -> list[float]:
    if system.name in START:
        return START[system.name]
    x = [0.0] * system.n_x
    for row in system.rows["state"]:
        value = system.initial.get(row.signal.name, row.signal.nominal)
        for i in range(row.count):
            x[row.start + i * row.step] = value[i] if isinstance(value, list) else value
    return x


def runner_of(name: str, execution: str) -> tuple[Runner, list[float], list[float]]:
    model, recipe, duration, count, options = CASES[name]
    system = system_of(model)
    runner = Runner(system, recipe, times=np.linspace(0, duration, count), duration=duration, execution=execution, **options)
    return runner, start_of(system), system.parameter_vector()


def pairs() -> list[Any]:
    """Every case in C; through numba, whose kernels take seconds to compile, two of them and the rest as slow tests."""
    slow = [pytest.param(name, "numba", marks=pytest.mark.slow) for name in CASES if name not in ("mixer", "bed")]
    return [pytest.param(name, *c.values, marks=c.marks) for name in CASES for c in COMPILED[:1]] + [
        ("mixer", "numba"), ("bed", "numba"), *slow]


@pytest.mark.parametrize(("name", "execution"), pairs())
def test_executions_agree_to_the_last_bit(name: str, execution: str) -> None:
    runs = []
    for which in ("python", execution):
        runner, x0, p = runner_of(name, which)
        runs.append(runner.run(x0, p))
    plain, compiled = runs
    assert plain.status is compiled.status is Status.SUCCESS
    assert plain.stats == compiled.stats
    assert np.array_equal(np.array(plain.rows), compiled.rows)
    assert np.array_equal(np.array(plain.events), compiled.events)
    if plain.tangents is not None:
        assert np.array_equal(np.array(plain.tangents), compiled.tangents)


@pytest.mark.parametrize("execution", ["python", *COMPILED])
def test_failures_agree(execution: str) -> None:
    system = system_of(Mixer())
    runner = Runner(system, Recipe([Phase(inputs={"feed": -1.0, "duty": 0.0})]), times=[5.0, 30.0], duration=30.0,
                    execution=execution)
    raw = runner.run([10.0, 6.0, 300.0], [0.0])  # the tank runs empty at 10 h, where the salt stays behind
    assert not raw.status
    assert raw.done == 1
    assert raw.end == pytest.approx(10.0, abs=1e-3)


def test_cell_sensitivities_against_differences() -> None:
    runner, x0, p = runner_of("bed", "python")
    tangents = np.array(runner.run(x0, p).tangents).reshape(9, 2, -1)
    plain = Runner(runner.system, CASES["bed"][1], times=runner.task.times, duration=8.0, rtol=1e-11, execution="python")
    for column, (vector, at) in enumerate(((p, 0), (x0, 12))):
        ends = []
        for side in (1, -1):
            moved = [list(x0), list(p)]
            moved[vector is p][at] += side * 1e-4
            raw = plain.run(*moved)
            ends.append(np.hstack([raw.part("x"), raw.part("z")]))
        difference = (ends[0] - ends[1]) / 2e-4
        assert np.abs(tangents[:, column] - difference).max() < 1e-4 * max(1.0, np.abs(difference).max())


@pytest.mark.parametrize("execution", ["python", *COMPILED])
def test_ensemble_equals_lone_runs(execution: str) -> None:
    runner, x0, p = runner_of("mixer", execution)
    members = 7
    strength = np.array(p) * np.linspace(0.8, 1.2, members)[:, None]
    seen: list[int] = []
    many = runner.run_many(x0, strength, threads=3, progress=seen.append)
    assert many.statuses == [Status.SUCCESS] * members
    assert not many.stopped
    for i in range(members):
        lone = runner.run(x0, strength[i].tolist())
        assert np.array_equal(np.array(lone.rows), many.member(i).rows)
        assert many.member(i).stats == lone.stats
    assert many.part("x").shape == (members, 61, 3)
    with pytest.raises(errors.SpecError, match=r"p has the shape \(7, 2\)"):
        runner.run_many(x0, np.ones((members, 2)))


INTERRUPTED = """
import sys, threading, time, _thread
import numpy as np
import twin
from processes.bioreactor import Penicillin
from twin.engine.runner import Runner
from twin.lowering.system import system_of
m = Penicillin()
s = system_of(m)
r = Runner(s, m.recipe(), times=np.linspace(40, 400, 10), duration=400.0, rtol=1e-11, execution=sys.argv[1])
x0 = [s.initial[row.signal.name] for row in s.rows["state"]]
p = s.parameter_vector()
r.run_many(x0, np.array([p]))
members = int(sys.argv[2])
print("go", flush=True)
many = r.run_many(x0, np.tile(p, (members, 1)), threads=2)
ended = time.time()
done = sum(bool(status) for status in many.statuses)
print(many.stopped, done, bool(np.isfinite(many.rows[many.codes == 0]).all()), ended, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("execution", "members"), [("python", 60), ("c", 20000)])
def test_ctrl_c_returns_at_once_with_what_is_done(execution: str, members: int) -> None:
    if execution == "c" and store.compiler() is None:
        pytest.skip("needs a C compiler")
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED, execution, str(members)], stdout=subprocess.PIPE, text=True,
                          cwd=Path(twin.__file__).parents[1]) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "go"
        time.sleep(1.0)
        begin = time.time()
        child.send_signal(signal.SIGINT)
        stopped, done, whole, ended = child.stdout.read().split()
    assert (stopped, whole) == ("True", "True")
    assert 0 < int(done) < members
    assert float(ended) - begin < 0.5  # 0.1 s on a quiet machine; tests share theirs


def test_worker_errors_reach_the_caller() -> None:
    from twin.engine import workers

    stopped: list[bool] = []

    def bad() -> None:
        raise ZeroDivisionError("inside")

    with pytest.raises(ZeroDivisionError, match="inside"):
        workers.wait_for([bad, lambda: None], lambda: stopped.append(True))
    assert stopped == [True]


def test_choice_of_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "_chosen", None)
    monkeypatch.delenv("TWINWORKS_EXECUTION", raising=False)
    assert executions.wanted() == "auto"
    monkeypatch.setenv("TWINWORKS_EXECUTION", "numba")
    assert executions.wanted() == "numba"
    twin.use("python")
    assert executions.wanted() == "python"
    assert executions.wanted("c") == "c"
    with pytest.raises(errors.SpecError, match="'fortran'"):
        twin.use("fortran")
    monkeypatch.setattr(executions, "_chosen", None)
    monkeypatch.setenv("TWINWORKS_EXECUTION", "fast")
    with pytest.raises(errors.SpecError, match="TWINWORKS_EXECUTION got the execution 'fast'"):
        executions.wanted()


def test_auto_begins_in_python_and_compiles_what_is_used_often(monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
    monkeypatch.setattr(executions, "_chosen", None)
    monkeypatch.delenv("TWINWORKS_EXECUTION", raising=False)
    monkeypatch.setattr(load_c, "_loaded", {})
    system = system_of(Mixer())

    def auto() -> Runner:
        return Runner(system, MIXER_RECIPE, times=[1.0], duration=2.0)

    assert executions.name_for(auto(), many=False) == "python"
    assert executions.name_for(auto(), many=True) == executions.compiled_name()
    executions._used[system] = 100.0
    assert executions.name_for(auto(), many=False) == executions.compiled_name()
    bed = Runner(system_of(Bed()), CASES["bed"][1], times=[1.0], duration=2.0)
    assert executions.name_for(bed, many=False) == executions.compiled_name()
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    assert executions.compiled_name() == "numba"


@NEEDS_CC
def test_a_broken_compiler_is_told_and_auto_goes_on(monkeypatch: pytest.MonkeyPatch, empty_cache: Path, tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho no licence >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    monkeypatch.setattr(executions, "_chosen", None)
    monkeypatch.delenv("TWINWORKS_EXECUTION", raising=False)

    class Fresh(twin.DynamicModel):
        a = twin.state("-")

        def rhs(self, s: Any) -> dict[str, Any]:
            return {"a": -0.7654321 * s.a}

    system = system_of(Fresh())
    with pytest.raises(errors.LoweringError, match="no licence"):
        Runner(system, Recipe.constant(), times=[1.0], duration=1.0, execution="c").run([1.0], [])
    told: list[str] = []
    monkeypatch.setattr(executions, "progress", told.append)
    monkeypatch.setattr(load_numba, "ready", lambda: True)
    many = Runner(system, Recipe.constant(), times=[1.0], duration=1.0).run_many(np.ones((2, 1)), [])
    assert many.part("x")[1, 0, 0] == pytest.approx(np.exp(-0.7654321), rel=1e-6)
    assert "going on with numba" in told[0]


@NEEDS_CC
def test_damaged_and_missing_cache_files_are_made_again(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer() -> Any:
        monkeypatch.setattr(load_c, "_loaded", {})
        return load_c.library_of_text("int twinworks_answer(void) { return 42; }\n").twinworks_answer()

    assert answer() == 42
    (made,) = empty_cache.glob("*.so")
    whole = made.read_bytes()
    for damage in (whole[:100], whole[:-200], b"", whole.replace(b"ELF", b"FLE", 1)):
        made.unlink()  # a new file: the old one is still mapped
        made.write_bytes(damage)
        assert cache.find(made.name) is None
        assert answer() == 42
        assert cache.find(made.name) == made


@NEEDS_CC
def test_without_a_writable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("TWINWORKS_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(load_c, "_loaded", {})
    assert load_c.library_of_text("int twinworks_answer(void) { return 43; }\n").twinworks_answer() == 43
    made = load_numba._functions("def answer(x):\n    return x + 1.0\n", ["answer"], "float64(float64)")
    assert made["answer"].ctypes(43.0) == 44.0
