"""Errors carry their facts, also through process pools."""

from __future__ import annotations

import copy
import pickle

import pytest

from twin import errors

KINDS = [errors.TwinError, errors.SpecError, errors.NameUnknownError, errors.UnitError, errors.DataError,
         errors.LoweringError, errors.ConvergenceError, errors.StorageError, errors.MissingExtraError]


@pytest.mark.parametrize("kind", KINDS)
def test_facts_survive_pickle_and_copy(kind: type[errors.TwinError]) -> None:
    """Message and attributes are the same after a round trip, whatever the built-in base."""
    fault = kind("Flow is -1 kg/s.", name="flow", value=-1.0, path="a.csv")
    for back in (pickle.loads(pickle.dumps(fault)), copy.deepcopy(fault)):
        assert type(back) is kind
        assert (str(back), back.name, back.value, back.path) == ("Flow is -1 kg/s.", "flow", -1.0, "a.csv")


def test_unknown_names_the_nearest() -> None:
    """An unknown name gets the nearest known one and the list."""
    fault = errors.unknown("output", "free_line", "Kiln", ["free_lime", "exit_temperature"])
    assert str(fault) == ("Unknown output 'free_line' of Kiln. Did you mean 'free_lime'? "
                          "Known: free_lime, exit_temperature.")
    assert fault.name == "free_line"
    assert isinstance(fault, AttributeError)


def test_out_of_range_says_value_unit_and_limits() -> None:
    """Value, unit, limits and one thing to do; a missing limit is infinite."""
    fault = errors.out_of_range("feed", -1.0, "kg/s", 0.0, None, "Check the sign.")
    assert str(fault) == "feed is -1 kg/s. Expected 0 to inf kg/s. Check the sign."
    assert (fault.lower, fault.upper, fault.value) == (0.0, None, -1.0)
