"""Pauses between attempts."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.due_rows import Backoff

AT = datetime(2026, 3, 10, 18, tzinfo=UTC)
BACKOFF = Backoff(first=timedelta(seconds=10), longest=timedelta(hours=1), max_failures=12)


@given(failures=st.integers(1, 11))
def test_next_time_is_the_pause_plus_up_to_25_percent(failures: int) -> None:
    pause = BACKOFF.pause_after(failures)
    due_at = BACKOFF.next_time(failures, at=AT)

    assert due_at is not None
    assert AT + pause <= due_at <= AT + pause * 1.25


@given(failures=st.integers(1, 10**6))
def test_pauses_never_shrink_or_exceed_the_maximum(failures: int) -> None:
    assert BACKOFF.first <= BACKOFF.pause_after(failures) <= BACKOFF.pause_after(failures + 1) <= BACKOFF.longest


def test_retries_stop_after_the_maximum_failures() -> None:
    assert BACKOFF.next_time(12, at=AT) is None
    assert Backoff(first=BACKOFF.first, longest=BACKOFF.longest).next_time(10**6, at=AT) is not None
