"""What becomes of a case when a process dies at a bad moment, or two of them work at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from enrollments.actions import acceptance, confirmations, due_cases, writes
from enrollments.engine.leases import most_urgent, take_over
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, WriteKind, WriteStatus
from poa_documents.actions import verify_or_suspend
from tests.integration.enrollments.road import Road

pytestmark = pytest.mark.sqlite


class Killed(BaseException):
    """Stands for signal 9: no handler of ours runs after it."""


def ready_to_accept(road: Road) -> Enrollment:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.pass_time(timedelta(hours=1))
    return case


def kill_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool) -> None:
    """Let the process die right before or right after `owner.name` has done its work, once."""
    original: Callable[..., Any] = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(owner, name, original)
        if after:
            original(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(owner, name, dying)


@pytest.mark.cell("Q1", "Q2", "Q3")
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", ["create_account", "record_client_agent", "request_plans", "accept_plan", "finalize"])
def test_a_worker_killed_around_a_call_changes_no_outcome(
    road: Road,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    after: bool,  # noqa: FBT001
) -> None:
    case = road.case()
    kill_at(monkeypatch, road.light, call, after=after)

    died = 0
    for act in (lambda: road.run(case), lambda: road.finish_at_light(case), lambda: road.report_pto(case)):
        died += _survive(road, act)
        died += _survive(road, lambda: road.live(case, timedelta(hours=2)))
    died += _survive(road, lambda: road.live(case, timedelta(hours=3)))

    case.refresh_from_db()
    assert died == 1
    assert case.status == EnrollmentStatus.FINALIZED
    assert len(road.acceptances_of(case)) == 1
    assert AcceptAttempt.objects.filter(succeeded=True).count() == 1
    assert not LightWrite.objects.filter(status__in=[WriteStatus.OPEN, WriteStatus.IN_DOUBT]).exists()
    accounts = road.simulator.control.state()["accounts"]
    assert len(accounts) == 1


def _survive(road: Road, act: Callable[[], object]) -> int:
    try:
        act()
    except Killed:
        take_over(at=road.clock.at)
        return 1
    return 0


@pytest.mark.cell("Q3", "P2")
def test_an_answer_that_was_never_kept_is_found_again_by_reading(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    kill_at(monkeypatch, confirmations, "confirm", after=False)

    with pytest.raises(Killed):
        road.run(case)
    road.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(road.acceptances_of(case)) == 1
    accept = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
    assert accept.doubt_since is not None


@pytest.mark.cell("Q6")
def test_a_second_worker_finds_nothing_to_do(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    words: list[str] = []
    accept = road.light.accept_plan

    def accept_while_another_worker_tries(*args: Any, **kwargs: Any) -> Any:
        due_cases.make_due(enrollment_id=case.pk, at=road.clock.at)
        words.append(road.engine.advance(case.pk))
        return accept(*args, **kwargs)

    monkeypatch.setattr(road.light, "accept_plan", accept_while_another_worker_tries)

    road.run(case)

    assert words == ["not due"]
    assert len(road.acceptances_of(case)) == 1


def test_a_nudge_during_a_turn_is_not_lost(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = road.case(signed=False)
    place = road.engine._rest

    def nudged_meanwhile(*args: Any, **kwargs: Any) -> str:
        road.pass_time(timedelta(seconds=1))
        due_cases.make_due(enrollment_id=case.pk, at=road.clock.at)
        return place(*args, **kwargs)

    monkeypatch.setattr(type(road.engine), "_rest", lambda _self, *args: nudged_meanwhile(*args))

    road.run(case)

    assert case.due_at == road.clock.at
    assert case.lease_until is None


@pytest.mark.cell("U5")
def test_a_revocation_between_decision_and_call_sends_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    verify = verify_or_suspend

    def revoked_meanwhile(**kwargs: Any) -> None:
        verify(**kwargs)
        road.revoke(case)

    monkeypatch.setattr(acceptance, "verify_or_suspend", revoked_meanwhile)

    road.run(case)

    assert road.acceptances_of(case) == []
    assert not AcceptAttempt.objects.exists()
    assert case.status == EnrollmentStatus.OPEN


@pytest.mark.cell("U8")
def test_a_pause_between_decision_and_call_sends_nothing(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    verify = verify_or_suspend

    def paused_meanwhile(**kwargs: Any) -> None:
        verify(**kwargs)
        road.pause()

    monkeypatch.setattr(acceptance, "verify_or_suspend", paused_meanwhile)

    road.run(case)

    assert road.acceptances_of(case) == []
    assert not AcceptAttempt.objects.exists()


@pytest.mark.cell("G2")
def test_a_late_answer_to_a_call_that_was_called_off_is_kept(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    accept = road.light.accept_plan

    def slow_accept(*args: Any, **kwargs: Any) -> Any:
        answer = accept(*args, **kwargs)
        write = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
        writes.lose_answer(write.pk, outcome="Taken for dead.", at=road.clock.at)
        writes.close_not_done(write.pk, outcome="Not shown in time.", at=road.clock.at)
        return answer

    monkeypatch.setattr(road.light, "accept_plan", slow_accept)

    road.run(case)

    assert case.status in {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED}
    assert len(road.acceptances_of(case)) == 1
    assert AcceptAttempt.objects.get().succeeded


def test_the_sweep_finds_what_a_dead_worker_had_in_hand(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(road)
    kill_at(monkeypatch, road.light, "accept_plan", after=True)
    with pytest.raises(Killed):
        road.run(case)
    case.refresh_from_db()
    assert case.due_at is None
    assert most_urgent(at=road.clock.at, limit=10) == []

    road.pass_time(timedelta(seconds=settings.LEASE_SECONDS))

    assert most_urgent(at=road.clock.at, limit=10) == [case.pk]
