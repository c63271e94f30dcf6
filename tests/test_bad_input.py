"""Bad input is a clear error: name, value, unit, row, and one thing to do.

What is not here stands beside the code it tests:

==============================  =======================================================================================
unknown signal or column        below; columns, tags, sheets: twin/test_io_csv.py; series, runs: twin/test_data.py
wrong or missing unit           below; twin/test_io_csv.py, twin/test_data.py, twin/test_units.py
degC and K mixed up             below; in data: twin/test_data.py
time backwards, duplicate       twin/test_io_csv.py, twin/test_io_times.py (daylight saving, midnights, counts)
ambiguous hour                  twin/test_io_times.py
empty file, all-NaN column      twin/test_io_csv.py; frames: below
frozen sensor                   twin/test_quality.py
negative volume                 below
NaN in parameters               below
unsupported primitive, index 2  below, by the verb that a user calls; each primitive: twin/test_lowering_primitives.py
truncated, foreign HDF5         twin/test_io_hdf5.py; stored models: twin/test_artifact.py
folder that cannot be written   twin/test_jobs.py, twin/test_io_formats.py, twin/test_artifact.py, twin/test_report.py
garbage, kill -9                twin/test_io_formats.py (hypothesis), twin/test_kill.py, twin/test_jobs.py
==============================  =======================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import twin
from processes.bioreactor import Penicillin
from twin import jnp

AIR = {"feed": 0.05, "aeration": 8.6, "agitation": 30.0}


def batch(recipe: Any = None, **options: Any) -> Any:
    return twin.simulate(Penicillin(), AIR if recipe is None else recipe, **{"duration": 10.0} | options)


def then(*resets: Any) -> twin.Recipe:
    return twin.Recipe([twin.Phase(inputs=AIR, until=2.0, name="grow"), twin.Phase(name="drawn", reset=resets)])


class Pendulum(twin.DynamicModel):
    """A mass on a rod: the force follows from the rod's length, which holds no force (index 3)."""

    x = twin.state("m", lower=-1, upper=1)
    v = twin.state("m/s", lower=-5, upper=5)
    force = twin.algebraic("1/s**2", lower=-50, upper=50)

    def rhs(self, s: Any) -> Any:
        return {"x": s.v, "v": -s.force * s.x}

    def residual(self, s: Any) -> Any:
        return {"force": s.x**2 - 1.0}


class Sorted(twin.DynamicModel):
    """Uses an operation that has no place in smooth equations."""

    cells = twin.static(3)
    x = twin.state("kg", shape=("cells",), lower=0, upper=5)

    def rhs(self, s: Any) -> Any:
        return {"x": -jnp.sort(s.x)}


Case = tuple[Callable[[], Any], type[twin.TwinError], str]
CASES: dict[str, Case] = {
    "unknown input": (lambda: batch(AIR | {"fed": 1.0}), twin.SpecError,
                      r"Unknown input 'fed' of Penicillin\. Did you mean 'feed'"),
    "unknown state": (lambda: batch(initial={"biomas": 1.0}), twin.SpecError, r"Unknown state 'biomas'.* Did you mean 'biomass'"),
    "unknown parameter": (lambda: batch(parameters={"mu_mx": 0.1}), twin.SpecError, r"'mu_mx'.* Did you mean 'mu_max'"),
    "unknown field": (lambda: Penicillin(mu_mx=0.1), twin.SpecError, r"'mu_mx' of Penicillin\. Did you mean 'mu_max'"),
    "unknown result": (lambda: batch()["bomass"], twin.SpecError,
                       r"Unknown signal 'bomass' of Penicillin\. Did you mean 'biomass'"),
    "wrong unit": (lambda: batch(AIR | {"feed": "10 kg"}), twin.UnitError,
                   r"Penicillin\.feed .*= 10 kg: cannot convert kg .*to l/h.*Give a unit of the same dimension"),
    "unit unknown": (lambda: batch(AIR | {"feed": "10 litre/fortnigt"}), twin.UnitError, r"feed.*unknown unit 'litre/fortnigt'"),
    "unit missing": (lambda: batch(AIR | {"feed": "0.05"}), twin.UnitError, r"feed.*'0\.05'.*l/h"),
    "unit of a parameter": (lambda: batch(parameters={"mu_max": "0.1 g/l"}), twin.UnitError, r"mu_max = 0\.1 g/l.*1/h"),
    "degC as K": (lambda: batch(AIR | {"temperature": 25.0}), twin.SpecError,
                  r"temperature.* is 25 K\. Expected 290 to 305 K\. 25 degC would be 298\.15 K: was the unit mixed up"),
    "K as degC": (lambda: batch(AIR | {"temperature": "298 degC"}), twin.SpecError,
                  r"temperature.* is 571\.15 K\. Expected 290 to 305 K\. It is 298 degC, and 298 K would do: was the "
                  r"unit mixed up"),
    "times backwards": (lambda: batch(times=[0.0, 2.0, 1.0]), twin.SpecError, r"times\[2\] is 1 h after 2\. .*Sort them"),
    "times twice": (lambda: batch(times=[0.0, 1.0, 1.0]), twin.SpecError, r"times\[2\] is 1 h after 1\. .*drop duplicates"),
    "volume at the start": (lambda: batch(initial={"volume": -5.0}), twin.SpecError,
                            r"Penicillin\.volume is -5 l\. Expected 1 to 150 l\. Check value and unit"),
    "volume in a vector": (lambda: batch(initial=[0.1, 15, 0, 1, -5, 0, 0, 0], check_limits=False), twin.SpecError,
                           r"volume is -5 l\. Expected a positive volume\. Check value"),
    "volume assigned": (lambda: batch(then(twin.Assign("volume", -5.0))), twin.SpecError,
                        r"volume in a reset is -5 l\. Expected 1 to"),
    "volume drawn off": (lambda: batch(then(twin.Harvest("volume", amount=500.0))), twin.SpecError,
                         r"volume is -4\d\d\.\d+ l after the harvest in phase 1 'drawn' at 2 h\. Expected a positive volume\. "
                         r"Draw off less than the \d+\.\d+ l"),
    "volume added": (lambda: batch(then(twin.Bolus("volume", -5.0))), twin.SpecError,
                     r"Bolus moves -5 l of Penicillin\.volume\. Expected a positive amount\. Use Bolus to add and Harvest"),
    "NaN in a model": (lambda: Penicillin(mu_max=math.nan), twin.SpecError,
                       r"Penicillin\.mu_max is NaN 1/h\. Expected a number\. Leave it out to take the published value"),
    "NaN in a mapping": (lambda: batch(parameters={"y_xs": math.nan}), twin.SpecError,
                         r"y_xs is NaN g/g\. Expected a number\. Fill"),
    "NaN in a vector": (lambda: batch(parameters=vector("k_x", math.nan)), twin.SpecError,
                        r"k_x is NaN g/g\. Expected a number\. Fill"),
    "NaN in an array": (lambda: batch(parameters=np.array(vector("k_x", math.nan))), twin.SpecError, r"k_x is NaN g/g"),
    "NaN in an ensemble": (lambda: twin.simulate_many(Penicillin(), AIR, parameters={"k_x": [0.1, math.nan]}, duration=1.0),
                           twin.SpecError, r"parameters, row 1.*k_x is NaN g/g.*Fill"),
    "NaN at the start": (lambda: batch(initial=[0.1, math.nan, 0, 1, 100, 0, 0, 0]), twin.SpecError,
                         r"substrate is nan g/l\. Expected a finite number\. Fill"),
    "NaN in a profile": (lambda: twin.Profile([0, 1], [1.0, math.nan]), twin.SpecError,
                         r"row 1 is \(1\.0, nan\).*Drop or fill the row"),
    "unsupported primitive": (lambda: twin.simulate(Sorted(), duration=1.0), twin.LoweringError,
                              r"'sort' at .*test_bad_input\.py:\d+ \(Sorted\.rhs\) cannot be lowered\. Write it with"),
    "index above 1": (lambda: twin.simulate(Pendulum(), duration=1.0), twin.SpecError,
                      r"Pendulum: the algebraic residual 'force'.*index above 1.*Differentiate"),
}


def vector(name: str, value: float) -> list[float]:
    model = Penicillin()
    found = list(model.parameter_vector())
    found[model.parameter_names().index(name)] = value
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_message_says_what_and_what_to_do(case: str) -> None:
    """Each at the verb that a user calls."""
    build, kind, message = CASES[case]
    with pytest.raises(kind, match=message):
        build()


def test_frames_that_are_empty_or_hold_no_number() -> None:
    """A DataFrame is held to what a file is."""
    import pandas as pd

    index = pd.date_range("2024-05-01", periods=3, freq="min", tz="UTC")
    with pytest.raises(twin.DataError, match=r"is empty"):
        twin.read(pd.DataFrame(), units={})
    with pytest.raises(twin.DataError, match=r"'T' \(degC\) holds no number in rows 0 to 2.*leave_out=\['T'\]"):
        twin.read(pd.DataFrame({"T": [math.nan] * 3}, index=index), units={"T": "degC"})
