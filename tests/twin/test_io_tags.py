"""Tag maps as mappings and as TOML."""

from __future__ import annotations

from pathlib import Path

import pytest

import twin
from twin.io.tags import Tag, TagMap


def test_all_forms_of_an_entry() -> None:
    tags = TagMap.of({"A": "a", "B": ("b", "K"), "C": {"signal": "c", "unit": "l/h", "factor": 2}, "D": Tag("x", "d",
                                                                                                            "-")})
    assert [(t.column, t.signal, t.unit, t.factor) for t in tags] == [
        ("A", "a", "", 1.0), ("B", "b", "K", 1.0), ("C", "c", "l/h", 2), ("D", "d", "-", 1.0)]
    assert TagMap.of(tags) is tags


def test_a_toml_file_gives_the_same_map(tmp_path: Path) -> None:
    path = tmp_path / "tags.toml"
    path.write_text('[tags]\n"TI1.PV" = ["t", "degC"]\n"FI1" = { signal = "feed", unit = "l/h", hold = "linear" }\n')
    assert TagMap.read(path) == TagMap.of({"TI1.PV": ("t", "degC"),
                                           "FI1": {"signal": "feed", "unit": "l/h", "hold": "linear"}})


@pytest.mark.parametrize(("entry", "message"), [
    ({"A": {"signl": "a"}}, r"Unknown key 'signl' of tag 'A'.*Did you mean 'signal'"),
    ({"A": {"unit": "K"}}, r"'A' names no signal"),
    ({"A": ("a", "K", 3)}, r"'A' is \('a', 'K', 3\)"),
    ({"A": 3}, r"'A' is 3"),
    ({"A": {"signal": "a", "factor": 0}}, r"factor = 0"),
    ({"A": {"signal": "a", "factor": True}}, r"factor = True"),
    ({"A": {"signal": "a", "hold": "next"}}, r"hold = 'next'"),
    ({"A": ("a", 3)}, r"unit = 3.*Put it in quotes"),
    ({"A": ""}, r"Expected two names"),
    ({"A": "x", "B": "x"}, r"signal 'x' is mapped twice"),
    ({}, r"has no tags"),
    ([1], r"tags is a list"),
])
def test_wrong_entries(entry: object, message: str) -> None:
    with pytest.raises(twin.SpecError, match=message):
        TagMap.of(entry)  # type: ignore[arg-type]


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    with pytest.raises(twin.StorageError, match=r"cannot be read: No such file"):
        TagMap.read(path)
    path.write_text("[tags\n")
    with pytest.raises(twin.SpecError, match=r"is no TOML file.*line 1"):
        TagMap.read(path)
    path.write_text("[tag]\n")
    with pytest.raises(twin.SpecError, match=r"has no table \[tags\]"):
        TagMap.read(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(twin.SpecError, match=r"is no TOML file"):
        TagMap.read(path)
