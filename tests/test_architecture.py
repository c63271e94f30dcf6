"""The arrows, sizes and habits that docs/architecture.md promises, read from the source text."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = sorted(p for package in ("twin", "processes", "optimizers") for p in (ROOT / package).rglob("*.py"))
OUTSIDE = sorted([*ROOT.glob("benchmarks/**/*.py"), *ROOT.glob("examples/**/*.py")])
SOURCES = sorted({*LIBRARY, *OUTSIDE, *ROOT.glob("tests/**/*.py")})
HEAVY = {"jax", "numba", "numpy", "pandas", "h5py", "pint", "pyomo", "scipy", "matplotlib", "diffrax", "optax", "highspy"}


def rows() -> list[tuple[int, list[str]]]:
    """Row number and names of files and folders, from the table in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    found = re.findall(r"^\| (\d+) \| (.*?) \|", text, re.MULTILINE)
    assert found, "docs/architecture.md has no table of rows"
    return [(int(k), re.findall(r"[\w/]+", names.split("(")[0].replace("`", ""))) for k, names in found]


def row_of(module: str) -> int | None:
    """Row of a module of twin by its first part below `twin`; the longest name wins."""
    parts = module.split(".")[1:]
    for number, names in rows():
        if parts and any(parts[0] == n.rstrip("/") for n in names):
            return number
    return None


def imports(path: Path, top_only: bool) -> list[tuple[str, int]]:
    """Absolute names of imported modules with their line."""
    tree = ast.parse(path.read_text())
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import) and (top or not top_only):
                found.extend((a.name, child.lineno) for a in child.names)
            elif isinstance(child, ast.ImportFrom) and (top or not top_only):
                base = child.module or ""
                found.extend((f"{base}.{a.name}" if base in ("twin", *packages()) else base, child.lineno)
                             for a in child.names)
            inner = top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            guard = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            visit(child, inner and not guard)

    visit(tree, True)
    return found


def packages() -> set[str]:
    return {".".join(p.relative_to(ROOT).parent.parts) for p in LIBRARY if p.name == "__init__.py"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path: Path) -> None:
    """processes and optimizers stand on twin and never on each other; inside twin a file imports from its row or above."""
    own = name_of(path)
    for name, line in imports(path, top_only=False):
        top = name.partition(".")[0]
        if own.startswith("twin"):
            assert top not in ("processes", "optimizers"), f"{path}:{line} imports {name}"
            mine, other = row_of(own), row_of(name) if top == "twin" else None
            if own != "twin" and mine is None:
                pytest.fail(f"{own} stands in no row of docs/architecture.md")
            if mine is not None and other is not None:
                assert other <= mine, f"{path}:{line}: row {mine} imports {name} of row {other}"
        if own.startswith("processes"):
            assert top != "optimizers", f"{path}:{line} imports {name}"
        if own.startswith("optimizers"):
            assert top != "processes", f"{path}:{line} imports {name}"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(ROOT)))
def test_library_habits(path: Path) -> None:
    """No heavy import at module top, no print, no assert, no pickle, no eval; a docstring."""
    for name, line in imports(path, top_only=True):
        assert name.partition(".")[0] not in HEAVY, f"{path}:{line} imports {name} at module top"
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.Assert), f"{where}: assert in library code"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "eval", f"{where}: eval"
            if not path.is_relative_to(ROOT / "twin" / "cli"):
                assert node.func.id != "print", f"{where}: print"
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {a.name for a in node.names} | {getattr(node, "module", "")}
            if "*" in names:  # the files of the engine's subset are one text in C: they share their constants
                assert path.parent.name == "engine", f"{where}: star import"
                assert str(node.module).startswith("twin.engine."), f"{where}: star import"
            assert not getattr(node, "level", 0), f"{where}: relative import, which the arrows do not see"
            assert not names & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}, f"{where}: {names}"
    if path.read_text().strip():
        assert ast.get_docstring(tree), f"{path} has no docstring"


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda p: str(p.relative_to(ROOT)))
def test_examples_and_benchmarks_use_public_names(path: Path) -> None:
    """What stands outside the library imports `twin` and the lines of `processes`, nothing below them."""
    public = ({*packages(), "twin.testing"} - {p for p in packages() if p.startswith("twin.")}) | {"twin.quality"}
    for node in ast.walk(ast.parse(path.read_text())):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            if name.partition(".")[0] in ("twin", "processes", "optimizers"):
                assert name in public, f"{path}:{node.lineno} imports {name}, which is not public"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small(path: Path) -> None:
    """At most 500 lines a file."""
    assert len(path.read_text().splitlines()) <= 500


def test_repository_names_no_machine_and_no_registry() -> None:
    """No absolute path of a developer's machine and no package registry host in any tracked text."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    forbidden = re.compile(r"/(work|farm)/|/root/|/tmp/w/|" + "pypi" + r"\.|" + "registry" + r"\.npm")
    for name in tracked.stdout.split():
        path = ROOT / name
        if path.suffix in (".png", ".h5", ".ico") or path == Path(__file__) or not path.is_file():
            continue
        hit = forbidden.search(path.read_text(errors="replace"))
        assert not hit, f"{name}: {hit and hit.group(0)}"
