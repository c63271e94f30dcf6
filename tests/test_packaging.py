"""The wheel: what is in it, and that it works where nothing of the source tree is in sight."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from benchmarks.installed import Installed, build_wheel, install

SMOKE = """
import json, pathlib
import twin, processes, optimizers
from processes.bioreactor import Penicillin
batch = twin.simulate(Penicillin(), duration="400 h")
places = [str(pathlib.Path(m.__file__).resolve()) for m in (twin, processes, optimizers)]
print(json.dumps({"places": places, "product": batch.final["product"], "status": str(batch.status)}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A virtual environment with the wheel in it."""
    return install(wheel, tmp_path_factory.mktemp("environment"))


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    """Three packages with their type marker, license and entry points; no tests, benchmarks or bytecode."""
    names = zipfile.ZipFile(wheel).namelist()
    info = f"{wheel.name.rpartition('-py3')[0]}.dist-info"
    assert {n.partition("/")[0] for n in names} == {"twin", "processes", "optimizers", info}
    assert {"twin/py.typed", "processes/py.typed", "optimizers/py.typed", f"{info}/entry_points.txt",
            f"{info}/licenses/LICENSE"} <= set(names)
    assert not [n for n in names if n.endswith(".pyc")]


def test_wheel_runs_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    """Import and simulate: every package comes from the environment, the product is PenSim's 1.61937 g/l at 400 h."""
    done = installed.python("-c", SMOKE, cwd=tmp_path)
    found = json.loads(done.stdout)
    assert all(Path(p).is_relative_to(installed.folder.resolve()) for p in found["places"])
    assert found["product"] == pytest.approx(1.61937, abs=2e-5)  # five decimals are published
    assert found["status"] == "The computation ended normally."


def test_installed_command(installed: Installed, tmp_path: Path) -> None:
    """`twin doctor` finds nothing to complain about, `twin describe` knows the registered models."""
    doctor = subprocess.run([installed.script("twin"), "doctor"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    assert str(installed.folder.resolve() / "lib") in doctor.stdout
    describe = subprocess.run([installed.script("twin"), "describe"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "penicillin" in describe.stdout
