"""Compiled code in the cache: never stale, made anew where damaged, filled by two processes at once, done without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr
from twin.engine import load_c, store
from twin.lowering.system import system_of

COMPILED = ["c", "numba"] if store.compiler() else ["numba"]
RUN = """
import sys, twin
from processes.chemical import ExothermicCstr

for execution in sys.argv[1:]:
    run = twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, duration=3.0, points=4, execution=execution)
    print(run["temperature"].tolist())
from twin.engine import load_numba
print(sum(f.cache_hits for made in load_numba._compiled.values() if isinstance(made, dict) for f in made.values()))
"""


def start(folder: Path, executions: Sequence[str] = COMPILED) -> subprocess.Popen[str]:
    environment = {**os.environ, "TWINWORKS_CACHE": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-c", RUN, *executions], env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def answer(process: subprocess.Popen[str]) -> tuple[list[str], int]:
    """Lines of results, and how many kernels numba found in its files."""
    out, problem = process.communicate(timeout=200)
    assert process.returncode == 0, problem
    lines = out.splitlines()
    return lines[:-1], int(lines[-1])


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_two_processes_at_once_then_damage_then_no_folder(tmp_path: Path) -> None:
    """Every kind of compiled file: whole after a race, used, made anew where cut, altered or emptied, and done without."""
    plain = twin.simulate(ExothermicCstr(), {"t_coolant": 305.0}, duration=3.0, points=4, execution="python")
    expected = [str(plain["temperature"].tolist())] * len(COMPILED)
    folder = tmp_path / "cache"
    both = [start(folder), start(folder)]
    assert [answer(p)[0] for p in both] == [expected, expected]
    held = names(folder)
    kinds = sorted(Path(n).suffix for n in held)
    assert kinds == ([".o", ".so", ".zip"] if "c" in COMPILED else [".o", ".zip"])

    whole = {n: (folder / n).read_bytes() for n in held}
    for n, damage in zip(held, (lambda b: b[:len(b) // 2], lambda b: b[:2000] + bytes([b[2000] ^ 1]) + b[2001:],
                                lambda b: b""), strict=False):
        (folder / n).write_bytes(damage(whole[n]))
    found, hits = answer(start(folder))
    assert (found, hits) == (expected, 0)
    assert names(folder) == held
    found, hits = answer(start(folder))
    assert (found, hits) == (expected, 3)

    (tmp_path / "taken").write_text("")
    found, hits = answer(start(tmp_path / "taken" / "cache", COMPILED[:1]))
    assert (found, hits) == (expected[:1], 0)


FACTOR = 1.0


class Scaled(twin.DynamicModel):
    """Equations that hold a global constant, a static field and an array from outside."""

    order = twin.static(1)
    weights = np.array([1.0, 2.0])
    x = twin.state("-", nominal=1)

    def rhs(self, s: Any) -> Any:
        return {"x": -FACTOR * self.order * (type(self).weights * s.x).sum()}

    def initial(self) -> Any:
        return {"x": 1.0}


@pytest.mark.parametrize("execution", ["python", *COMPILED])
def test_no_kernel_is_stale(execution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """dx/dt = -k x with k held in a constant, a static field and an array: each change is seen at once, and back again."""

    def slope(model: Any) -> float:
        run = twin.simulate(model, duration=0.5, points=2, rtol=1e-9, execution=execution)
        return -2.0 * float(np.log(run.final["x"]))

    assert slope(Scaled()) == pytest.approx(3.0, rel=1e-6)
    assert slope(Scaled(order=2)) == pytest.approx(6.0, rel=1e-6)
    monkeypatch.setitem(globals(), "FACTOR", 1.5)
    assert slope(Scaled()) == pytest.approx(4.5, rel=1e-6)
    monkeypatch.setattr(Scaled, "weights", np.array([1.0, 3.0]))
    assert slope(Scaled()) == pytest.approx(6.0, rel=1e-6)
    monkeypatch.undo()
    assert slope(Scaled()) == pytest.approx(3.0, rel=1e-6)


@pytest.mark.skipif(store.compiler() is None, reason="no C compiler here")
def test_another_version_or_machine_has_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a library holds the version of Twinworks, the processor and the compiler."""
    runner = twin.simulator(Scaled(), duration=1.0).runner

    def key() -> str:
        return load_c._model_key(system_of(runner.system), runner.programs, runner.facts)

    first = key()
    assert key() == first
    for module, name, other in ((store, "__version__", "99.0"), (store, "machine", lambda: "another"),
                                (load_c, "FLAGS", (*load_c.FLAGS, "-O2"))):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, other)
            assert key() != first
    assert key() == first
