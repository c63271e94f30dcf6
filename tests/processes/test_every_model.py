"""Every registered bioreactor and chemical model: conformance kit, a run without a compiler, a round trip through a file."""

from __future__ import annotations

import functools
import importlib
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

import twin
from processes.chemical import TubularReactor
from twin.testing import check_model

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
SHIPPED = {name: place for name, place in PROJECT["entry-points"]["twinworks.models"].items()
           if place.startswith(("processes.bioreactor:", "processes.chemical:"))}
# Seconds of tracing each; the others are checked with every change
SLOW = {"penicillin", "park_ramirez", "lee_ramirez", "ethanol_fed_batch", "cho_fed_batch", "polymerization",
        "distillation_column", "tubular_reactor", "packed_bed", "crystallizer", "williams_otto", "williams_otto_two_reactions"}
DURATION = {"penicillin": 400.0, "bajpai_reuss": 132.0, "van_de_vusse": 0.5, "exothermic_cstr": 4.0, "tubular_reactor": 5.0,
            "williams_otto": 3000.0}
NAMES = [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in SHIPPED]


@functools.cache
def model(name: str) -> Any:
    module, _, attribute = SHIPPED[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    return found(cells=20) if found is TubularReactor else found.example()


@pytest.mark.parametrize("name", NAMES)
def test_model_passes_the_conformance_kit(name: str) -> None:
    """All checks, random corrections in every term included; kinks would be warnings, which are errors here."""
    report = check_model(model(name), points=10)
    assert {c.name for c in report.checks if c.status == "failed"} == set()


@pytest.mark.parametrize("name", NAMES)
def test_model_runs_at_once_without_a_compiler(name: str, tmp_path: Path) -> None:
    """Its documented operation in plain Python, from the cache of lowered programs: under 2 s of CPU time; nothing leaves
    its limits; stored and loaded again it gives the same numbers.

    The tubular reactor has 20 cells here: with the 100 of the benchmark (900 states) it takes 3 s without a compiler.
    """
    subject = model(name)
    if not subject.size("state"):
        pytest.skip("no states: nothing to simulate")
    options: dict[str, Any] = {"execution": "python", "duration": DURATION.get(name)}
    twin.simulate(subject, points=2, max_steps=2, throw=False, **options)  # lowers it
    begun = time.process_time()
    run = twin.simulate(subject, **options)
    assert time.process_time() - begun < 2.0
    assert run.status
    assert not run.excursions
    stored = twin.load(twin.save(tmp_path / "model.h5", subject))
    assert twin.simulate(stored, **options).final == run.final
