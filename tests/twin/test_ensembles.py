"""Ensembles: the same results on threads and executors, in any order; failures and stops are kept apart."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import twin
from processes.chemical import ExothermicCstr
from twin.engine import store

OPTIONS = {"inputs": {"t_coolant": 305.0}, "duration": 3.0, "points": 13}


@pytest.fixture(scope="module")
def seventy():
    return {"ua": np.linspace(4.5e4, 5.5e4, 70)}


@pytest.fixture(scope="module")
def here(seventy):
    return twin.simulate_many(ExothermicCstr(), parameters=seventy, **OPTIONS)


def test_members_equal_single_runs(here, seventy):
    assert here["temperature"].shape == (70, 13)
    assert here.status is twin.Status.SUCCESS
    assert all(here.statuses)
    for k in (0, 41, 69):
        single = twin.simulate(ExothermicCstr(), parameters={"ua": seventy["ua"][k]}, **OPTIONS)
        assert np.array_equal(here["temperature"][k], single["temperature"])
        assert np.array_equal(here["conversion"][k], single["conversion"])


def test_any_executor_gives_the_same(here, seventy):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        there = twin.simulate_many(ExothermicCstr(), parameters=seventy, executor=pool, **OPTIONS)
    assert np.array_equal(there["temperature"], here["temperature"])


@pytest.mark.slow
def test_spawned_processes_give_the_same(here, seventy):
    there = twin.simulate_many(ExothermicCstr(), parameters=seventy, executor=twin.spawn_executor, **OPTIONS)
    assert np.array_equal(there["temperature"], here["temperature"])


class Breaking(concurrent.futures.Executor):
    """Loses every second task, as a pool whose process died."""

    made = 0

    def __init__(self):
        self.count = 0
        Breaking.made += 1

    def submit(self, fn, /, *args, **kwargs):
        self.count += 1
        future = concurrent.futures.Future()
        if self.count % 2:
            future.set_result(fn(*args, **kwargs))
        else:
            future.set_exception(concurrent.futures.BrokenExecutor("gone"))
        return future


def test_a_broken_pool_is_made_anew(here, seventy):
    Breaking.made = 0
    there = twin.simulate_many(ExothermicCstr(), parameters=seventy, executor=Breaking, **OPTIONS)
    assert np.array_equal(there["temperature"], here["temperature"])
    assert Breaking.made == 2


def test_what_a_given_pool_loses_is_done_here(here, seventy):
    there = twin.simulate_many(ExothermicCstr(), parameters=seventy, executor=Breaking(), **OPTIONS)
    assert np.array_equal(there["temperature"], here["temperature"])
    assert all(there.statuses)


def test_progress_is_told(seventy):
    seen = []
    twin.simulate_many(ExothermicCstr(), parameters=seventy, progress=lambda *counts: seen.append(counts), **OPTIONS)
    assert seen[-1] == (70, 70)
    assert [d for d, _ in seen] == sorted({d for d, _ in seen})


def test_rows_from_frames_arrays_and_initial_values():
    pd = pytest.importorskip("pandas")
    model = ExothermicCstr()
    frame = pd.DataFrame({"ua": [4.9e4, 5.1e4], "heat": [5e4, 4.9e4]})
    by_frame = twin.simulate_many(model, parameters=frame, **OPTIONS)
    base = np.array([model.parameter_vector()] * 2)
    names = model.parameter_names()
    base[:, names.index("ua")], base[:, names.index("heat")] = frame["ua"], frame["heat"]
    by_array = twin.simulate_many(model, parameters=base, **OPTIONS)
    assert np.array_equal(by_frame["c_a"], by_array["c_a"])
    starts = twin.simulate_many(model, initial={"temperature": [330.0, 350.0, 370.0]}, **OPTIONS)
    assert starts["temperature"][:, 0] == pytest.approx([330.0, 350.0, 370.0])


def test_rows_that_do_not_fit_are_named():
    model = ExothermicCstr()
    with pytest.raises(twin.SpecError, match=r"parameters, row 1: ExothermicCstr.ua is -1 J/\(min K\)"):
        twin.simulate_many(model, parameters={"ua": [5e4, -1.0]}, **OPTIONS)
    with pytest.raises(twin.SpecError, match=r"parameters\['heat'\] has 3 values. Expected 4"):
        twin.simulate_many(model, parameters={"ua": [5e4] * 4, "heat": [1.0, 1.0, 1.0]}, **OPTIONS)
    with pytest.raises(twin.SpecError, match=r"initial has 3 rows and parameters 2"):
        twin.simulate_many(model, parameters={"ua": [5e4, 5e4]}, initial=np.full((3, 2), 300.0), **OPTIONS)
    with pytest.raises(twin.SpecError, match=r"parameters\[1, 0\] is nan"):
        twin.simulate_many(model, parameters=np.array([[1.0] * 7, [np.nan] * 7]), **OPTIONS)
    with pytest.raises(twin.SpecError, match=r"shape \(1, 3\). Expected \(members, 7\)"):
        twin.simulate_many(model, parameters=np.ones(3), **OPTIONS)


def test_failed_members_keep_their_status():
    many = twin.simulate_many(ExothermicCstr(), parameters={"ua": [5e4, 5e4]}, max_steps=5, **OPTIONS)
    assert many.status is twin.Status.SUCCESS
    assert many.statuses == (twin.Status.STEP_LIMIT,) * 2
    assert np.isnan(many["temperature"][0, -1])
    assert "2 of 2: The step limit" in many.message
    with pytest.raises(twin.SpecError, match="No member of the ensemble reached its end"):
        many.quantiles("temperature")


def test_summary_and_picture(here):
    table = here.table()
    assert table["status"].eq("SUCCESS").all()
    assert table["temperature"].iloc[3] == here["temperature"][3, -1]
    low, middle, high = here.quantiles("temperature")
    assert (low <= middle).all()
    assert (middle <= high).all()
    fig = here.plot(["temperature"])
    assert fig.axes[0].get_ylabel() == "[K]"
    assert here.member(3).events[0].name == ""


SCRIPT = """
import twin
from processes.chemical import ExothermicCstr

def told(done, of):
    if done:
        print("going", flush=True)

many = twin.simulate_many(ExothermicCstr(), parameters={"ua": [5e4 + k * 1e-3 for k in range(20_000)]},
                          inputs={"t_coolant": 305.0}, duration=500.0, points=5, progress=told)
whole = bool(many.finished) and not any(v != v for v in many["temperature"][many.finished[0]])
print(many.status.name, len(many.finished), len(many), whole, flush=True)
"""


@pytest.mark.parametrize("execution", ["c", "numba"])
def test_ctrl_c_returns_what_is_finished(tmp_path, execution):
    """Within 0.1 s of the signal, in the middle of compiled code: the names, the counts, and at least one whole member."""
    if execution == "c" and store.compiler() is None:
        pytest.skip("no C compiler here")
    script = tmp_path / "long.py"
    script.write_text(textwrap.dedent(SCRIPT))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
                                    "TWINWORKS_EXECUTION": execution})
    deadline = threading.Timer(120.0, process.kill)
    deadline.start()
    try:
        assert process.stdout.readline().strip() == "going"
        process.send_signal(signal.SIGINT)
        sent = time.perf_counter()
        line = next((text for text in process.stdout if not text.startswith("going")), "killed 0 0 False")
        took = time.perf_counter() - sent
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    name, finished, count, whole = line.split()
    assert name == "STOPPED"
    assert 0 < int(finished) < int(count)
    assert whole == "True"
    assert took < 0.1


class Charged(twin.DynamicModel):
    """A first-order decay whose charge is a parameter."""

    amount = twin.state("mol", lower=0, upper=100, nominal=1)
    heat = twin.state("kJ", lower=0, upper=100, nominal=1)
    charge = twin.parameter(1.0, "mol", bounds=(0, 50))
    rate = twin.parameter(0.5, "1/s", bounds=(0, 10))

    def rhs(self, s):
        return {"amount": -self.rate * s.amount, "heat": self.rate * s.amount}

    def initial(self):
        return {"amount": self.charge, "heat": 2.0}


def test_a_start_that_the_model_sets_from_parameters_follows_them():
    """Once and in ensembles; what is given by name wins, and a sensitivity that would miss it is refused."""
    model = Charged()
    once = twin.simulate(model, parameters={"charge": 4.0}, duration=2.0, rtol=1e-9)
    assert once["amount"][0] == 4.0
    assert once["amount"][-1] == pytest.approx(4.0 * np.exp(-1.0), rel=1e-7)
    many = twin.simulate_many(model, parameters={"charge": [4.0, 5.0], "rate": 0.5}, duration=2.0)
    assert many["amount"][:, 0].tolist() == [4.0, 5.0]
    assert many["heat"][:, 0].tolist() == [2.0, 2.0]
    table = twin.simulate_many(model, parameters=np.array([[4.0, 0.5], [5.0, 0.5]]), initial={"heat": [3.0, 4.0]}, duration=2.0)
    assert table["amount"][:, 0].tolist() == [4.0, 5.0]
    assert table["heat"][:, 0].tolist() == [3.0, 4.0]
    fixed = twin.simulate_many(model, parameters={"charge": [4.0, 5.0]}, initial={"amount": 7.0}, duration=2.0)
    assert fixed["amount"][:, 0].tolist() == [7.0, 7.0]
    with pytest.raises(twin.SpecError, match=r"initial amount of Charged moves with the parameters of sensi.*=\['charge'\]"):
        twin.simulate(model, sensitivities=["charge"], duration=2.0)
    assert twin.simulate(model, sensitivities=["charge", "rate"], initial={"amount": 1.0}, duration=2.0).status
    assert twin.simulate(model, sensitivities=["rate"], duration=2.0).status
