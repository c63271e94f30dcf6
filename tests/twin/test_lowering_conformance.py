"""Freezes what everything generated stands on: opcode table, kernel ABI, text of programs and systems.

Stored models and caches hold these texts. Where a change here is meant, raise PROGRAM_VERSION or SYSTEM_VERSION and
LOWERING_VERSION, and write the file anew: `python tests/twin/test_lowering_conformance.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import twin
from twin import jnp
from twin.lowering.emit_c import emit_c
from twin.lowering.emit_numba import emit_numba
from twin.lowering.emit_python import emit_python
from twin.lowering.opcodes import BOOLEAN, OPCODES
from twin.lowering.program import ARRAYS, PROGRAM_VERSION, Program
from twin.lowering.system import PROGRAMS, SYSTEM_VERSION, System, system_of

FILE = Path(__file__).with_name("golden_lowering.json")
POINT = (0.5, [1.25], [0.75], [2.0], [0.5])


class Vessel(twin.DynamicModel):
    """One state, one algebraic, one input, one disturbance, time, a power and a condition."""

    time_unit = "min"
    mass = twin.state("kg", lower=0, upper=10, nominal=1)
    pressure = twin.algebraic("bar", nominal=1)
    inflow = twin.input("kg/min", lower=0, upper=5)
    loss = twin.disturbance("kg/min")
    fill = twin.output("-")
    volume = twin.parameter(4.0, "m**3", bounds=(0.1, None))
    rate = twin.parameter(0.3, "1/min")

    def rhs(self, s: Any) -> Any:
        leak = jnp.where(s.pressure > 1.0, self.rate * s.mass**2, 0.0)
        return {"mass": s.inflow * jnp.exp(-s.time) - s.loss - leak}

    def residual(self, s: Any) -> Any:
        return {"pressure": s.pressure * self.volume - s.mass * jnp.sqrt(s.pressure + 2.0)}

    def outputs(self, s: Any) -> Any:
        return {"fill": jnp.maximum(s.mass / self.volume, 0.0)}

    def initial(self) -> Any:
        return {"mass": 1.0}


def loops() -> Program:
    """Out[i] = table[i] * x[i], then out[3] = sum of the products, by a loop."""
    body: tuple[Any, ...] = (
        ("const", 0, 0.0), ("store", "out", (3, ()), 0),
        ("loop", 0, 3, (("load", 1, "table", (0, ((0, 1),))), ("load", 2, "x", (0, ((0, 1),))), ("let", 3, "mul", 1, 2),
                        ("store", "out", (0, ((0, 1),)), 3), ("add", "out", (3, ()), 3))))
    sizes = (("x", 3), ("z", 0), ("u", 0), ("d", 0), ("p", 0), ("out", 4), ("work", 0))
    return Program("loops", sizes, (0.5, -2.0, 1.5), body)


def now() -> dict[str, Any]:
    system = system_of(Vessel())
    programs = [system.program("rhs"), loops()]
    return {
        "versions": [PROGRAM_VERSION, SYSTEM_VERSION], "arrays": ARRAYS, "programs": PROGRAMS,
        "opcodes": {name: list(o) for name, o in OPCODES.items()}, "boolean": sorted(BOOLEAN),
        "python": emit_python(programs).splitlines(), "c": emit_c(programs, "m_").splitlines(),
        "numba": emit_numba(programs).splitlines(), "loops": json.loads(loops().to_json()),
        "system": json.loads(system.to_json(("rhs", "outputs"))), "keys": [p.key() for p in programs],
    }


def frozen() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def test_nothing_generated_has_changed() -> None:
    """Opcode table, signatures and text in every language, program and system text, keys."""
    fresh = json.loads(json.dumps(now()))
    for name, value in frozen().items():
        assert fresh.pop(name) == value, name
    assert not fresh


def test_a_stored_system_still_runs() -> None:
    """The text of the file, not of this version, gives the numbers of the equations."""
    import math

    system = System.from_json(json.dumps(frozen()["system"]))
    assert json.loads(system.to_json(("rhs", "outputs"))) == frozen()["system"]
    assert [system.n_x, system.n_z, system.n_u, system.n_d, system.n_p, system.n_y] == [1, 1, 1, 1, 2, 1]
    assert not system.autonomous
    scope: dict[str, Any] = {}
    exec(emit_python([system.program("rhs"), system.program("outputs"), loops()]), scope)
    out = [0.0] * 2
    scope["rhs"](*POINT, system.parameter_vector(), out, [])
    assert out == [2.0 * math.exp(-0.5) - 0.5, 0.75 * 4.0 - 1.25 * math.sqrt(2.75)]
    scope["outputs"](*POINT, system.parameter_vector(), out, [])
    assert out[0] == 1.25 / 4.0
    out = [0.0] * 4
    scope["loops"](0.0, [1.0, 2.0, 3.0], [], [], [], [], out, [])
    assert out == [0.5, -4.0, 4.5, 1.0]


def test_another_version_is_refused() -> None:
    """A text of a newer library is not guessed at."""
    import pytest

    raw = frozen()["loops"] | {"version": PROGRAM_VERSION + 1}
    with pytest.raises(twin.StorageError, match="Expected 1"):
        Program.from_json(json.dumps(raw))
    with pytest.raises(twin.SpecError, match=f"Expected {SYSTEM_VERSION}"):
        System.from_json(json.dumps(frozen()["system"] | {"version": SYSTEM_VERSION + 1}))


if __name__ == "__main__":
    FILE.write_text("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in now().items()) + "\n}\n")
