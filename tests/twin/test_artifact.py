"""Stored models: they run without their class and without JAX, and a damaged file is a sentence."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from processes.chemical import TubularReactor, VanDeVusse
from twin import artifact
from twin.lowering.program import Program
from twin.lowering.verify import verify_program

ROOT = Path(__file__).parents[2]
DECAY = """
    import twin

    class Decay(twin.DynamicModel):
        '''A substance that decays.'''
        time_unit = "h"
        amount = twin.state("g", lower=0, nominal=1)
        feed = twin.input("g/h", lower=0, upper=10, nominal=1)
        rate = twin.parameter(0.5, "1/h", bounds=(0, 10), source="this test")

        def rhs(self, s):
            return {"amount": s.feed - self.rate * s.amount}

        def initial(self):
            return {"amount": 2.0}

        def recipe(self):
            return twin.Recipe([twin.Phase(inputs={"feed": twin.Profile([0, 1], [0.0, 2.0])}, until=3.0)])
"""


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    path = tmp_path_factory.mktemp("stored") / "penicillin.h5"
    twin.save(path, Penicillin(mu_max=0.1), note="a test")
    return path


def rewrite(source, target, change):
    """Copy of an artifact whose parts were changed, with a checksum that fits again."""
    with h5py.File(source) as file:
        parts = {n: file[n][()].tobytes() for n in ("manifest", "system")}
    change(parts)
    with h5py.File(target, "w") as file:
        file.attrs.update(format=artifact.FORMAT, version=artifact.VERSION, sha256=artifact._checksum(parts))
        for name, content in parts.items():
            file.create_dataset(name, data=np.frombuffer(content, dtype=np.uint8))
    return target


def test_a_stored_model_knows_what_it_is(stored):
    model = twin.load(stored)
    assert model.title == "Penicillin"
    assert model.time_unit == "h"
    roles = ("state", "algebraic", "input", "disturbance", "output")
    assert [s.name for s in model.signals] == [s.name for role in roles for s in Penicillin.of_role(role)]
    assert dict(zip(model.parameter_names(), model.parameter_vector(), strict=True))["mu_max"] == 0.1
    assert model.parameter_facts()["mu_max"] == ("1/h", 0, 1)
    assert "Birol" in next(f.source for f in model.facts if f.name == "mu_max")
    assert model.info["note"] == "a test"
    assert model.recipe() == Penicillin().recipe()
    assert model.initial() == Penicillin().initial()


def test_it_gives_the_same_trajectory_as_its_class(stored):
    by_class = twin.simulate(Penicillin(mu_max=0.1), duration=100, execution="python")
    by_file = twin.simulate(twin.load(stored), duration=100, execution="python")
    for name in by_class.names():
        np.testing.assert_array_equal(by_class[name], by_file[name])


def test_it_runs_without_its_class_and_without_jax(tmp_path):
    (tmp_path / "decay.py").write_text(textwrap.dedent(DECAY))
    blocked = textwrap.dedent("""
        import sys

        class Blocked:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("jax", "jaxlib", "decay", "processes"):
                    raise ImportError(f"{name} is blocked")

        sys.meta_path.insert(0, Blocked())
    """)
    make = f"import twin, decay; twin.save(r'{tmp_path}/decay.h5', decay.Decay(rate=0.25))"
    use = blocked + textwrap.dedent(f"""
        import twin
        model = twin.load(r'{tmp_path}/decay.h5')
        run = twin.simulate(model, rtol=1e-10)
        print(repr(run.final["amount"]), "jax" in sys.modules)
    """)
    run(make, tmp_path)
    (tmp_path / "decay.py").unlink()
    amount, has_jax = run(use, tmp_path).split()
    at_1 = 2.0 * np.exp(-0.25)
    assert float(amount) == pytest.approx(8.0 + (at_1 - 8.0) * np.exp(-0.25 * 2), rel=1e-8)
    assert has_jax == "False"


def run(code, folder):
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120,
                          check=False, env={"PYTHONPATH": f"{ROOT}:{folder}", "PATH": "/usr/bin:/bin",
                                            "TWINWORKS_CACHE": str(folder / "cache")})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_class_is_named_to_recalibrate(stored):
    model = twin.load(stored, model=Penicillin)
    assert isinstance(model, Penicillin)
    assert model.mu_max == 0.1
    assert model.parameter_vector() == twin.load(stored).parameter_vector()


def test_another_class_is_refused(stored):
    with pytest.raises(twin.SpecError, match="VanDeVusse does not fit"):
        twin.load(stored, model=VanDeVusse)


def test_a_stored_model_is_stored_again(stored, tmp_path):
    twin.save(tmp_path / "again.h5", twin.load(stored))
    again = twin.load(tmp_path / "again.h5")
    assert again.system.to_json() == twin.load(stored).system.to_json()
    assert again.info["class"].endswith("Penicillin")


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(twin.StorageError, match=r"none\.h5 does not exist.*Check the path"):
        twin.load(tmp_path / "none.h5")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_a_sentence(stored, tmp_path, share):
    content = stored.read_bytes()
    torn = tmp_path / "torn.h5"
    torn.write_bytes(content[:int(share * len(content))])
    with pytest.raises(twin.StorageError, match=r"truncated|damaged"):
        twin.load(torn)


def test_a_foreign_file_is_a_sentence(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.arange(3)
    (tmp_path / "text.h5").write_text("biomass,substrate\n")
    for name in ("other.h5", "text.h5"):
        with pytest.raises(twin.StorageError, match=r"not a stored model.*twin\.save"):
            twin.load(tmp_path / name)


def test_a_changed_byte_is_found(stored, tmp_path):
    def change(parts):
        parts["manifest"] = parts["manifest"].replace(b"a test", b"A test")

    changed = rewrite(stored, tmp_path / "changed.h5", change)
    with h5py.File(changed, "r+") as file:
        file["manifest"][5] = file["manifest"][5] ^ 1
    with pytest.raises(twin.StorageError, match="damaged: its checksum"):
        twin.load(changed)


def test_a_newer_version_says_so(stored, tmp_path):
    newer = rewrite(stored, tmp_path / "newer.h5", lambda parts: None)
    with h5py.File(newer, "r+") as file:
        file.attrs["version"] = artifact.VERSION + 1
    with pytest.raises(twin.StorageError, match="Update twinworks"):
        twin.load(newer)


def program_change(change):
    """Change of the text of the stored right-hand side."""

    def apply(parts):
        raw = json.loads(parts["system"])
        change(raw["programs"]["rhs"], raw)
        parts["system"] = json.dumps(raw).encode()

    return apply


def first(body, kind):
    return next(s for s in body if s[0] == kind)


TAMPERED = {
    "index beyond the array": lambda p, raw: first(p["body"], "load").__setitem__(3, [10_000, []]),
    "negative index": lambda p, raw: first(p["body"], "store").__setitem__(2, [-1, []]),
    "write into the inputs": lambda p, raw: first(p["body"], "store").__setitem__(1, "u"),
    "text instead of an identifier": lambda p, raw: first(p["body"], "let").__setitem__(1, "v0; system(0)"),
    "unknown opcode": lambda p, raw: first(p["body"], "let").__setitem__(2, "exec"),
    "value that is never set": lambda p, raw: first(p["body"], "let").__setitem__(3, 99_999),
    "unknown statement": lambda p, raw: p["body"].append(["import", 1]),
    "name with code": lambda p, raw: p.__setitem__("name", "rhs(){} int evil"),
    "huge work array": lambda p, raw: p.__setitem__("sizes", [[n, 10**9 if n == "work" else k] for n, k in p["sizes"]]),
    "too short an out": lambda p, raw: p.__setitem__("sizes", [[n, 1 if n == "out" else k] for n, k in p["sizes"]]),
    "endless loop": lambda p, raw: p["body"].append(["loop", 0, 10**15, []]),
    "pattern beyond the states": lambda p, raw: raw["patterns"]["jacobian"][0].__setitem__(0, 400),
    "program nobody knows": lambda p, raw: raw["programs"].__setitem__("evil", p),
    "layout with a hole": lambda p, raw: raw["rows"]["state"][0].__setitem__(1, 7),
    "parameter without a value": lambda p, raw: raw["values"].pop(),
    "no programs": lambda p, raw: raw.pop("programs"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_program_is_refused(stored, tmp_path, what):
    changed = rewrite(stored, tmp_path / "tampered.h5", program_change(TAMPERED[what]))
    with pytest.raises(twin.StorageError, match="not consistent"):
        twin.load(changed)


def test_links_out_of_the_file_are_not_followed(stored, tmp_path):
    changed = rewrite(stored, tmp_path / "linked.h5", lambda parts: None)
    with h5py.File(changed, "r+") as file:
        del file["system"]
        file["system"] = h5py.ExternalLink(str(stored), "/system")
    with pytest.raises(twin.StorageError, match="no 'system' of its own"):
        twin.load(changed)


def test_an_unwritable_place_leaves_the_old_file(stored, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(twin.StorageError, match="cannot be written"):
        twin.save(tmp_path / "file" / "model.h5", Penicillin())
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_data_hash_tells_other_values_apart():
    def data(value):
        series = type("Series", (), {"name": "feed", "unit": "l/h", "times": [0.0, 1.0], "values": [0.0, value]})
        return [type("Run", (), {"name": "one", "series": (series,)})]

    assert artifact.data_hash(data(1.0)) == artifact.data_hash(data(1.0))
    assert artifact.data_hash(data(1.0)) != artifact.data_hash(data(1.0 + 1e-15))


def test_loops_are_verified_too():
    sizes = tuple((n, 3) for n in ("x", "z", "u", "d", "p", "out", "work"))
    index = (0, ((0, 1),))
    loop = ("loop", 0, 3, (("load", 1, "x", index), ("let", 2, "exp", 1), ("store", "out", index, 2)))
    verify_program(Program("good", sizes, (), (loop,)), {"x": 3})
    longer = ("loop", 0, 4, loop[3])
    with pytest.raises(ValueError, match="from 0 to 3 of 3"):
        verify_program(Program("long", sizes, (), (longer,)), {"x": 3})
    outside = (loop, ("store", "out", (0, ()), 2))
    with pytest.raises(ValueError, match="read before it is set"):
        verify_program(Program("late", sizes, (), outside), {"x": 3})


def test_a_model_on_cells_is_stored_with_its_loops(tmp_path):
    model = TubularReactor(cells=12)
    twin.save(tmp_path / "tube.h5", model)
    stored = twin.load(tmp_path / "tube.h5")
    assert stored.system.structure == "cells"
    by_class, by_file = (twin.simulate(m, duration=0.5, execution="python") for m in (model, stored))
    assert by_class.final == by_file.final
