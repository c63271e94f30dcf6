"""The library as a user has it: a wheel built from this tree, installed in a virtual environment of its own."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class Installed:
    """A virtual environment that holds the wheel; the dependencies are those of the Python that runs this."""

    folder: Path

    def script(self, name: str) -> str:
        """Path of a command of the environment."""
        return str(self.folder / ("Scripts" if os.name == "nt" else "bin") / name)

    def python(self, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run its Python; stderr is in the error where it fails."""
        done = subprocess.run([self.script("python"), *words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)[:200]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done


def build_wheel(folder: Path) -> Path:
    """Build the wheel into a folder."""
    done = subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise RuntimeError(f"The wheel was not built. Is hatchling installed (extra dev)? {done.stderr[-2000:]}")
    return wheels[0]


def install(wheel: Path, folder: Path) -> Installed:
    """A new environment with the wheel; a path file, not an installation, brings in the dependencies.

    Path files of that other folder are not read, so that an editable install there stays out of sight.
    """
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    made = Installed(folder)
    site = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))
    outside = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    (site / "dependencies.pth").write_text("\n".join(outside) + "\n")
    options = ["-q", "--no-deps", "--no-index", "--disable-pip-version-check", "--ignore-installed"]
    done = subprocess.run([sys.executable, "-m", "pip", "--python", made.script("python"), "install", *options, str(wheel)],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"The wheel was not installed: {done.stderr[-2000:]}")
    return made
