"""The durations and counts that govern a decision."""

from dataclasses import dataclass
from datetime import timedelta

from enrollments.decision import start_dates
from enrollments.decision.start_dates import Window


@dataclass(frozen=True)
class Policy:
    """
    How long to wait, how often to read and how many tries to allow. The defaults suit a typical office.

    Source: Light notes, sections 7 and 8; reliability notes, section 2.
    """

    window: Window = start_dates.DEFAULT_WINDOW
    collecting_interval: timedelta = timedelta(hours=1)
    watching_interval: timedelta = timedelta(days=1)
    fresh_reading: timedelta = timedelta(minutes=5)
    max_call_duration: timedelta = timedelta(minutes=5)
    settling_period: timedelta = timedelta(minutes=10)
    max_unknown_status_time: timedelta = timedelta(days=1)
    max_complete_time: timedelta = timedelta(days=2)
    active_grace: timedelta = timedelta(days=3)
    tries_after_doubt: int = 2
    max_failing_time: timedelta = timedelta(hours=1)
    min_plan_life: timedelta = timedelta(minutes=5)
    max_calls_a_day: int = 100
    notice_days: int = 0
    notice_start_slack: timedelta = timedelta(days=3)
