"""Light may show an acceptance only a while after it happened: not shown yet is not the same as not done."""

from datetime import timedelta

import pytest
from pytest_django.fixtures import Settings

from enrollments import wiring
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, WriteKind, WriteStatus
from tests.integration.enrollments.road import Road
from tests.integration.faults.journey import assert_accepted_once, calls, open_hold, ready_to_accept, walk


def lose_the_answer_while_reads_lag(road: Road, lag: timedelta) -> Enrollment:
    case = ready_to_accept(road)
    road.simulator.control.change_settings(read_lag_seconds=lag.total_seconds())
    road.simulator.control.order_fault("accept", "drop_after")
    return case


def test_the_setting_says_how_long_a_doubt_is_held(settings: Settings) -> None:
    settings.DOUBT_SETTLING_SECONDS = 1234

    assert wiring.policy().settling_period == timedelta(seconds=1234)


@pytest.mark.cell("R1")
@pytest.mark.parametrize("share", [0.05, 0.5, 0.99])
def test_an_acceptance_that_shows_within_the_settling_period_is_found_and_not_repeated(
    road: Road, share: float
) -> None:
    case = lose_the_answer_while_reads_lag(road, road.policy.settling_period * share)

    walk(road, case)

    assert_accepted_once(road, case)
    assert calls(road, "accept") == 1
    assert AcceptAttempt.objects.get().succeeded


@pytest.mark.cell("R2")
def test_an_acceptance_that_shows_later_is_repeated_at_most_once_and_never_held_twice(road: Road) -> None:
    case = lose_the_answer_while_reads_lag(road, road.policy.settling_period * 3)

    walk(road, case)
    road.live(case, timedelta(hours=3))

    road.check()
    assert len(road.acceptances_of(case)) == 1
    assert calls(road, "accept") <= 2
    assert case.status == EnrollmentStatus.FINALIZED
    assert AcceptAttempt.objects.filter(succeeded=True).count() == 1
    assert not LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN, status=WriteStatus.IN_DOUBT).exists()


@pytest.mark.cell("R2")
def test_an_acceptance_that_shows_after_days_is_recognized_or_put_before_a_person(road: Road) -> None:
    case = lose_the_answer_while_reads_lag(road, timedelta(days=2))

    walk(road, case, span=timedelta(days=5))

    assert len(road.acceptances_of(case)) == 1
    assert calls(road, "accept") <= 2
    road.live(case, timedelta(days=3))
    assert case.status == EnrollmentStatus.FINALIZED
    assert open_hold(case) is None
