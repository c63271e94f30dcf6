"""The cache: never a stale kernel, damaged files are made anew, two processes at once, no folder at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr
from twin.lowering import cache
from twin.lowering.emit_python import emit_python
from twin.lowering.source_key import source_key
from twin.lowering.system import System, system_of

MODEL = '''"""A tank."""
from typing import Any

import twin
from twin import jnp
from plant.constants import FACTOR


def outflow(level: Any, power: int = 1) -> Any:
    return level**power


class Tank(twin.DynamicModel):
    """A tank with some stages."""

    stages = twin.static(2)
    level = twin.state("m", nominal=1)
    filling = twin.output("m")
    area = twin.parameter(1.0, "m**2")

    def rhs(self, s):
        return {"level": -FACTOR * self.stages * outflow(s.level) / self.area}

    def outputs(self, s):
        return {"filling": s.level}


def made_with(factor):
    class Made(twin.DynamicModel):
        level = twin.state("m", nominal=1)

        def rhs(self, s):
            return {"level": -factor * s.level}

    return Made()
'''

RUN = '''
import json, sys
from plant.tank import Tank
from twin.lowering.source_key import source_key
from twin.lowering.system import system_of
from twin.lowering.emit_python import emit_python

model = Tank(**json.loads(sys.argv[1]))
system = system_of(model)
scope, out = {}, [0.0]
exec(emit_python([system.program(n) for n in ("rhs", "jacobian", "outputs")]), scope)
scope["rhs"](0.0, [1.0], [], [], [], system.parameter_vector(), out, [])
print(json.dumps({"key": source_key(model), "rhs": out[0], "jax": "jax" in sys.modules, "numpy": "numpy" in sys.modules}))
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site-packages folder with the library and a plant's own package, as two wheels would leave it."""
    home = tmp_path / "site-packages"
    shutil.copytree(Path(twin.__file__).parent, home / "twin", ignore=shutil.ignore_patterns("__pycache__"))
    (home / "twinworks-0.1.0.dist-info").mkdir()
    (home / "plant").mkdir()
    (home / "plant" / "__init__.py").write_text("")
    (home / "plant" / "constants.py").write_text("FACTOR = 2.0\n")
    (home / "plant" / "tank.py").write_text(MODEL)
    return home


def start(site: Path, code: str, *arguments: str, folder: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "TWINWORKS_CACHE": str(folder or site.parent / "cache"),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, cwd=site.parent, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def answer(process: subprocess.Popen[str]) -> Any:
    out, problem = process.communicate(timeout=100)
    assert process.returncode == 0, problem
    return json.loads(out.splitlines()[-1])


def run(site: Path, folder: Path | None = None, **static: Any) -> Any:
    return answer(start(site, RUN, json.dumps(static), folder=folder))


def test_second_process_needs_no_jax_and_never_gets_a_stale_kernel(site: Path) -> None:
    """Installed model: cached without JAX and numpy; another constant, static field, version or a damaged file are told."""
    first = run(site)
    assert first["rhs"] == -4.0
    assert first["jax"]
    assert run(site, area=4.0) == {"key": first["key"], "rhs": -1.0, "jax": False, "numpy": False}

    other = run(site, stages=3)
    assert (other["rhs"], other["jax"]) == (-6.0, True)

    (site / "plant" / "constants.py").write_text("FACTOR = 5.0\n")
    changed = run(site)
    assert (changed["rhs"], changed["jax"]) == (-10.0, True)
    assert not run(site)["jax"]

    (site / "twinworks-0.1.0.dist-info").rename(site / "twinworks-0.2.0.dist-info")
    renewed = run(site)
    assert renewed["jax"]
    assert len({first["key"], other["key"], changed["key"], renewed["key"]}) == 4

    file = site.parent / "cache" / f"system-{renewed['key']}.json"
    whole = file.read_bytes()
    damaged = whole.replace(b'"div"', b'"mul"')
    assert damaged != whole
    file.write_bytes(damaged)
    assert run(site) == renewed
    assert file.read_bytes() == whole


def test_two_processes_fill_the_cache_at_once(site: Path) -> None:
    """Both succeed, and one whole file is left."""
    both = [start(site, RUN, "{}") for _ in range(2)]
    found = [answer(p) for p in both]
    assert found[0] == found[1]
    assert found[0]["rhs"] == -4.0
    assert [p.name for p in (site.parent / "cache").iterdir()] == [f"system-{found[0]['key']}.json"]
    assert not run(site)["jax"]


def test_a_folder_that_cannot_be_written_is_no_obstacle(site: Path) -> None:
    """The place of the folder is taken by a file; a folder without the right to write."""
    (site.parent / "taken").write_text("")
    assert run(site, folder=site.parent / "taken" / "cache")["rhs"] == -4.0
    locked = site.parent / "locked"
    locked.mkdir(mode=0o500)
    assert run(site, folder=locked)["rhs"] == -4.0
    assert os.geteuid() == 0 or not list(locked.iterdir())


SAME_PROCESS = '''
import json, types
import numpy as np
import plant.tank as tank, plant.constants
from plant.tank import Tank
from twin.lowering.source_key import source_key

keys = {"first": source_key(Tank()), "number": source_key(Tank(area=3.0)), "static": source_key(Tank(stages=3))}
tank.FACTOR = 7.0
keys["constant"] = source_key(Tank())
tank.FACTOR = np.array([1.0, 2.0])
keys["array"] = source_key(Tank())
tank.FACTOR = np.array([1.0, 3.0])
keys["other array"] = source_key(Tank())
tank.FACTOR = 2.0
keys["again"] = source_key(Tank())
tank.outflow.__defaults__ = (2,)
keys["default"] = source_key(Tank())
tank.outflow.__defaults__ = (1,)
keys["closure 1"], keys["closure 2"] = source_key(tank.made_with(1.0)), source_key(tank.made_with(2.0))
whole, tank.outflow = tank.outflow, lambda level: level
keys["patched function"] = source_key(Tank())
tank.outflow, tank.foreign = whole, object()
keys["foreign object"] = source_key(Tank())
del tank.foreign
Tank.rhs = lambda self, s: {"level": s.level}
keys["patched method"] = source_key(Tank())
print(json.dumps(keys))
'''


def test_source_key_tells_apart_what_sources_do_not(site: Path) -> None:
    """Constants, arrays, defaults and closures changed while the program runs; what cannot be told has no key."""
    keys = answer(start(site, SAME_PROCESS))
    for untold in ("patched function", "foreign object", "patched method"):
        assert keys.pop(untold) is None
    assert keys["first"] == keys.pop("number") == keys.pop("again")
    assert None not in keys.values()
    assert len(set(keys.values())) == len(keys)


def test_a_checkout_is_always_traced() -> None:
    """Sources that may change unnoticed have no key: this checkout, a class in a test or notebook."""
    assert source_key(ExothermicCstr()) is None
    assert source_key(weighted(np.ones(3))) is None


def weighted(weights: Any) -> Any:
    class Weighted(twin.DynamicModel):
        a = twin.state("-")

        def rhs(self, s: Any) -> Any:
            return {"a": (weights * s.a).sum()}

    return Weighted()


def rate(system: System) -> float:
    scope: dict[str, Any] = {}
    exec(emit_python([system.program("rhs")]), scope)
    out = [0.0]
    scope["rhs"](0.0, [1.0], [], [], [], [], out, [])
    return out[0]


def test_program_key_holds_the_bytes_of_constants() -> None:
    """Two closed-over arrays of equal shape: other programs, other keys; equal arrays: one key."""
    one, two, same = (system_of(weighted(np.array(v))) for v in ([1.0, 2.0], [1.0, 2.0 + 1e-15], [1.0, 2.0]))
    assert rate(one) == 3.0
    assert rate(two) == 1.0 + (2.0 + 1e-15)
    assert one.program("rhs").key() != two.program("rhs").key()
    assert one.program("rhs").key() == same.program("rhs").key()


def test_damaged_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, cut, altered, emptied, without seal."""
    monkeypatch.setenv("TWINWORKS_CACHE", str(tmp_path / "deep" / "cache"))
    assert cache.load("a") is None
    path = cache.store("a", b"text\n")
    assert path == tmp_path / "deep" / "cache" / "a"
    assert cache.load("a") == b"text\n"
    assert cache.find("a") == path
    whole = path.read_bytes()
    for damaged in (whole[:-10], whole.replace(b"text", b"tent"), b"", b"text\n", whole[1:]):
        path.write_bytes(damaged)
        assert cache.load("a") is None
        assert cache.find("a") is None
    assert cache.store("a", b"text\n") == path
    assert path.read_bytes() == whole


def test_the_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TWINWORKS_CACHE, else the user's cache folder of the platform; without a home nothing is kept and nothing fails."""
    monkeypatch.delenv("TWINWORKS_CACHE", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "twinworks"
    monkeypatch.delenv("XDG_CACHE_HOME")

    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert cache.store("a", b"") is None
    assert cache.load("a") is None


def stopped(stop: bool) -> Any:
    import jax

    if stop:
        class Decay(twin.DynamicModel):
            a = twin.state("-")

            def rhs(self, s: Any) -> Any:
                return {"a": -jax.lax.stop_gradient(s.a) * s.a}
    else:
        class Decay(twin.DynamicModel):  # type: ignore[no-redef]
            a = twin.state("-")

            def rhs(self, s: Any) -> Any:
                return {"a": -s.a * s.a}

    return Decay()


def test_equal_equations_with_other_derivatives_are_told_apart() -> None:
    """`stop_gradient` leaves no trace in the right-hand side, only in the Jacobian."""
    found = []
    for stop in (False, True, False):
        system, scope, out = system_of(stopped(stop)), {}, [0.0, 0.0]
        exec(emit_python([system.program("jacobian")]), scope)
        scope["jacobian"](0.0, [3.0], [], [], [], [], out, [])
        found.append(out[0])
    assert found == [-6.0, -3.0, -6.0]
