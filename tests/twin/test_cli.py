"""The command: dispatch, exit codes, sentences; doctor's findings in made-up surroundings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import twin
from twin.cli import doctor
from twin.cli.main import main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`twin --version` prints the version and ends with 0."""
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.strip() == f"twinworks {twin.__version__}"


def test_help_lists_every_command(registered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The help names the commands, and says in a line what each does."""
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("run", "describe", "doctor", "Run a job file", "Describe a model", "Check the set-up"):
        assert word in text


def test_other_packages_add_commands(registered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An entry point in the group of commands becomes a subcommand."""
    (registered / "extra_command.py").write_text(
        '"""Say a word."""\ndef arguments(parser):\n    parser.add_argument("word")\n'
        'def run(options):\n    print(options.word)\n    return 0\n')
    points = next(registered.glob("*.dist-info")) / "entry_points.txt"
    points.write_text(points.read_text() + "\n[twinworks.commands]\nsay = extra_command\n")
    assert main(["say", "hello"]) == 0
    assert capsys.readouterr().out == "hello\n"


def test_describe_lists_models(registered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, `twin describe` lists the registered models."""
    assert main(["describe"]) == 0
    out = capsys.readouterr().out
    assert "penicillin" in out
    assert "tubular_reactor" in out


def test_describe_unknown_model(registered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt model is answered with the nearest one, on stderr, exit code 2."""
    assert main(["describe", "penicilin"]) == 2
    assert "Did you mean 'penicillin'?" in capsys.readouterr().err


def test_registered_models_exist(registered: Path) -> None:
    """Every entry point of pyproject.toml loads and gives an example."""
    from twin.cli.models import example
    from twin.cli.models import registered as names

    assert {"penicillin", "bajpai_reuss", "van_de_vusse", "exothermic_cstr", "tubular_reactor"} <= set(names())
    for name in names():
        assert example(name).signals


def test_doctor_tells_where_and_what(registered: Path, empty_cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Doctor names the folders, the cache, the versions; a healthy set-up ends with 0."""
    empty_cache.mkdir()
    (empty_cache / "x.c").write_bytes(b"12345")
    code = main(["doctor"])
    out = capsys.readouterr().out
    assert str(Path(twin.__file__).parent) in out
    assert f"{empty_cache} (1 files, 0.0 MB)" in out
    assert "numpy" in out
    assert code == (1 if "!" in out else 0)


def test_doctor_names_a_hiding_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or file of the same name in the current folder is told in a sentence."""
    monkeypatch.chdir(tmp_path)
    assert doctor.shadows() == []
    (tmp_path / "processes").mkdir()
    (tmp_path / "optimizers.py").touch()
    first, second = doctor.shadows()
    assert str(tmp_path / "processes") in first
    assert "hides the installed package 'processes'" in first
    assert "hides the installed package 'optimizers'" in second


def test_doctor_names_a_package_loaded_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another `processes` that comes first on the path is told, with both places."""
    (tmp_path / "other" / "processes").mkdir(parents=True)
    (tmp_path / "other" / "processes" / "__init__.py").touch()
    text = subprocess.run([sys.executable, "-c", "from twin.cli import doctor; print(*doctor.shadows(), sep='\\n')"],
                          env={"PYTHONPATH": f"{tmp_path / 'other'}:{Path(twin.__file__).parents[1]}"}, cwd=tmp_path,
                          capture_output=True, text=True, check=True).stdout
    assert f"processes is loaded from {tmp_path / 'other' / 'processes'}" in text


def test_doctor_names_the_other_distribution(registered: Path) -> None:
    """A distribution that installs a package named `processes` is named, with the cure."""
    info = registered / "processes-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: processes\nVersion: 0.1\n")
    (info / "top_level.txt").write_text("processes\n")
    sentences = [s for s in doctor.foreign() if "'processes'" in s]
    assert len(sentences) == 1
    assert "pip uninstall processes" in sentences[0]


def test_doctor_tells_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    """A cache folder below a file is told, with the variable that moves it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TWINWORKS_CACHE", str(tmp_path / "file" / "cache"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "cannot be written" in out
    assert "Set TWINWORKS_CACHE" in out


def test_missing_job_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A job file that is not there: one sentence with its name, exit code 2, no traceback."""
    assert main(["run", str(tmp_path / "none.toml")]) == 2
    err = capsys.readouterr().err
    assert err.startswith("twin: ")
    assert "none.toml" in err


def test_import_costs_nothing() -> None:
    """`import twin, processes, optimizers, twin.cli.main` loads no third-party module."""
    code = ("import sys; before = set(sys.modules)\nimport twin, processes, optimizers, processes.bioreactor, twin.cli.main\n"
            "tops = {m.partition('.')[0] for m in set(sys.modules) - before}\n"
            "print(sorted(tops - set(sys.stdlib_module_names) - {'twin', 'processes', 'optimizers'}))")
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(twin.__file__).parents[1], capture_output=True, text=True,
                          check=True)
    assert done.stdout.strip() == "[]"
