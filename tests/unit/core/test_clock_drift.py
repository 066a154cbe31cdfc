from contextlib import closing
from datetime import UTC, datetime, timedelta

import environ
import pytest
from django.db.utils import ConnectionHandler

from core import clock, clock_drift

pytestmark = pytest.mark.sqlite

SENT = datetime(2026, 3, 5, 16, 0, 0, 700_000, tzinfo=UTC)
RECEIVED = SENT + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("date", "is_wrong"),
    [
        (SENT.replace(microsecond=0), False),
        (RECEIVED.replace(microsecond=0), False),
        (SENT - timedelta(seconds=59), False),
        (RECEIVED + timedelta(seconds=59), False),
        (SENT - timedelta(seconds=62), True),
        (RECEIVED + timedelta(seconds=61), True),
        (SENT - timedelta(hours=26), True),
        (RECEIVED + timedelta(days=400), True),
    ],
)
def test_clock_off_by_more_than_a_minute_is_wrong(date: datetime, *, is_wrong: bool) -> None:
    clock_drift.note_light_date(date, sent_at=SENT, received_at=RECEIVED)

    assert bool(clock_drift.clock_problem()) is is_wrong


@pytest.mark.parametrize(
    ("date", "words"),
    [
        (SENT - timedelta(hours=26, minutes=3), "is 26 h 3 min ahead of that of Light."),
        (RECEIVED + timedelta(minutes=2, seconds=5), "is 2 min 5 s behind that of Light."),
    ],
)
def test_warning_says_which_side_and_how_far(date: datetime, words: str) -> None:
    clock_drift.note_light_date(date, sent_at=SENT, received_at=RECEIVED)

    assert clock_drift.clock_problem().endswith(words)


def test_corrected_clock_is_right_at_the_next_answer() -> None:
    clock_drift.note_light_date(SENT - timedelta(hours=26), sent_at=SENT, received_at=RECEIVED)

    clock_drift.note_light_date(SENT, sent_at=SENT, received_at=RECEIVED)

    assert clock_drift.clock_problem() == ""


def test_warning_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        clock_drift.note_light_date(SENT - timedelta(hours=26), sent_at=SENT, received_at=RECEIVED)

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "This process writes nothing to Light" in caplog.text


def test_process_uses_the_shared_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.use_shared_time(SENT)

    monkeypatch.setattr(clock, "machine_now", lambda: SENT + timedelta(hours=26))

    assert SENT <= clock.SystemClock().now() < SENT + timedelta(minutes=10)


@pytest.mark.django_db
@pytest.mark.services
@pytest.mark.parametrize("hours", [26, -26])
def test_new_postgresql_connection_reveals_our_wrong_clock(
    postgres_url: str, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_now = clock.machine_now
    monkeypatch.setattr(clock, "machine_now", lambda: true_now() + timedelta(hours=hours))
    connection = ConnectionHandler({"default": environ.Env.db_url_config(postgres_url)})["default"]

    with closing(connection):
        connection.connect()

    assert clock_drift.clock_problem().startswith("The clock of")
    assert abs(clock.SystemClock().now() - true_now()) < timedelta(seconds=30)
