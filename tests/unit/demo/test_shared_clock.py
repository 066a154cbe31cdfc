from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo.shared_clock import SharedClock

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
A_MOMENT = timedelta(seconds=10)


def test_unmoved_clock_shows_real_time(tmp_path: Path) -> None:
    file = tmp_path / "clock"

    shown = SharedClock(file).now()

    assert abs(shown.timestamp() - tmp_path.stat().st_mtime) < A_MOMENT.total_seconds()


def test_every_process_shows_the_same_time_including_new_ones(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    first, second = SharedClock(file), SharedClock(file)
    second.now()

    first.start_at(AT)
    first.move_to(AT + timedelta(days=14))

    for machine in (first, second, SharedClock(file)):
        assert timedelta() <= machine.now() - (AT + timedelta(days=14)) < A_MOMENT


def test_time_goes_on_between_moves(tmp_path: Path) -> None:
    machine = SharedClock(tmp_path / "clock")
    machine.start_at(AT)

    first, second = machine.now(), machine.now()

    assert AT <= first <= second


def test_clock_only_moves_forward(tmp_path: Path) -> None:
    machine = SharedClock(tmp_path / "clock")
    machine.start_at(AT)

    with pytest.raises(ValueError, match="only moves forward"):
        machine.move_to(AT - timedelta(days=1))

    assert machine.now() >= AT
