"""Shared by all tests: one cache folder for the session (each thing is compiled once), and no network."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest

if "TWINWORKS_CACHE" not in os.environ:
    os.environ["TWINWORKS_CACHE"] = tempfile.mkdtemp(prefix="twinworks-tests-")
    atexit.register(shutil.rmtree, os.environ["TWINWORKS_CACHE"], ignore_errors=True)
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may leave this machine; loopback is needed by notebook kernels."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"A test tried to reach {address}.")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own, empty."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TWINWORKS_CACHE", str(folder))
    return folder


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The entry points of pyproject.toml, as an installation would register them; the folder that holds them."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / f"{project['name']}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in points.items())
             for group, points in project["entry-points"].items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(info.parent))
    return info.parent
