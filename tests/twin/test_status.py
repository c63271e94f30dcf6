"""The one enum of sentences."""

from __future__ import annotations

from twin.status import ENGINE_CODES, Status


def test_statuses_are_sentences_and_only_success_is_true() -> None:
    """str() is a sentence, bool() tells success, and no sentence occurs twice."""
    assert [s for s in Status if s] == [Status.SUCCESS]
    assert all(str(s).endswith(".") and " " in str(s) for s in Status)
    assert len({str(s) for s in Status}) == len(list(Status))


def test_engine_codes_start_with_success_and_are_distinct() -> None:
    """The engine's 0 means success; each code is another status."""
    assert ENGINE_CODES[0] is Status.SUCCESS
    assert len(set(ENGINE_CODES)) == len(ENGINE_CODES)
