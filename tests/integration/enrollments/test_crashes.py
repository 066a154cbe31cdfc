"""What happens to a case when a process dies at a bad moment, or two of them work simultaneously."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from enrollments.actions import acceptance, proven_outcomes, wakeups, writes
from enrollments.engine.leases import most_urgent, take_over
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, WriteKind, WriteStatus
from poa_documents.actions import verify_or_suspend
from tests.integration.enrollments.flow import Flow

pytestmark = pytest.mark.sqlite


class Killed(BaseException):
    """Simulates signal 9: none of our handlers runs after it."""


def ready_to_accept(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.pass_time(timedelta(hours=1))
    return case


def kill_at(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, after: bool) -> None:
    """Let the process die right before or right after `owner.name` did its work, once."""
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
def test_worker_killed_around_a_call_changes_no_outcome(
    flow: Flow,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    after: bool,  # noqa: FBT001
) -> None:
    case = flow.case()
    kill_at(monkeypatch, flow.light, call, after=after)

    died = 0
    for act in (lambda: flow.run(case), lambda: flow.finish_at_light(case), lambda: flow.report_pto(case)):
        died += _survive(flow, act)
        died += _survive(flow, lambda: flow.live(case, timedelta(hours=2)))
    died += _survive(flow, lambda: flow.live(case, timedelta(hours=3)))

    case.refresh_from_db()
    assert died == 1
    assert case.status == EnrollmentStatus.FINALIZED
    assert len(flow.acceptances_of(case)) == 1
    assert AcceptAttempt.objects.filter(succeeded=True).count() == 1
    assert not LightWrite.objects.filter(status__in=[WriteStatus.OPEN, WriteStatus.IN_DOUBT]).exists()
    accounts = flow.simulator.control.state()["accounts"]
    assert len(accounts) == 1


def _survive(flow: Flow, act: Callable[[], object]) -> int:
    try:
        act()
    except Killed:
        take_over(at=flow.clock.at)
        return 1
    return 0


@pytest.mark.cell("Q3", "P2")
def test_unrecorded_answer_is_found_by_reading(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    kill_at(monkeypatch, proven_outcomes, "confirm", after=False)

    with pytest.raises(Killed):
        flow.run(case)
    flow.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(flow.acceptances_of(case)) == 1
    accept = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
    assert accept.doubt_since is not None


@pytest.mark.one_dialect
@pytest.mark.cell("Q6")
def test_second_worker_finds_nothing_to_do(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    words: list[str] = []
    accept = flow.light.accept_plan

    def accept_while_another_worker_tries(*args: Any, **kwargs: Any) -> Any:
        wakeups.make_due(enrollment_id=case.pk, at=flow.clock.at)
        words.append(flow.engine.advance(case.pk))
        return accept(*args, **kwargs)

    monkeypatch.setattr(flow.light, "accept_plan", accept_while_another_worker_tries)

    flow.run(case)

    assert words == ["not due"]
    assert len(flow.acceptances_of(case)) == 1


@pytest.mark.one_dialect
def test_wakeup_during_a_turn_is_not_lost(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case(signed=False)
    place = flow.engine._rest

    def woken_in_between(*args: Any, **kwargs: Any) -> str:
        flow.pass_time(timedelta(seconds=1))
        wakeups.make_due(enrollment_id=case.pk, at=flow.clock.at)
        return place(*args, **kwargs)

    monkeypatch.setattr(type(flow.engine), "_rest", lambda _self, *args: woken_in_between(*args))

    flow.run(case)

    assert case.due_at == flow.clock.at
    assert case.lease_until is None


@pytest.mark.one_dialect
@pytest.mark.cell("U5")
def test_revocation_between_decision_and_call_sends_nothing(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    verify = verify_or_suspend

    def revoked_in_between(**kwargs: Any) -> None:
        verify(**kwargs)
        flow.revoke(case)

    monkeypatch.setattr(acceptance, "verify_or_suspend", revoked_in_between)

    flow.run(case)

    assert flow.acceptances_of(case) == []
    assert not AcceptAttempt.objects.exists()
    assert case.status == EnrollmentStatus.OPEN


@pytest.mark.one_dialect
@pytest.mark.cell("U8")
def test_pause_between_decision_and_call_sends_nothing(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    verify = verify_or_suspend

    def paused_in_between(**kwargs: Any) -> None:
        verify(**kwargs)
        flow.pause()

    monkeypatch.setattr(acceptance, "verify_or_suspend", paused_in_between)

    flow.run(case)

    assert flow.acceptances_of(case) == []
    assert not AcceptAttempt.objects.exists()


@pytest.mark.cell("G2")
def test_late_answer_to_a_canceled_call_is_kept(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    accept = flow.light.accept_plan

    def slow_accept(*args: Any, **kwargs: Any) -> Any:
        answer = accept(*args, **kwargs)
        write = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
        writes.record_doubt(write.pk, outcome="Taken for dead.", at=flow.clock.at)
        writes.close_not_done(write.pk, outcome="Not shown in time.", at=flow.clock.at)
        return answer

    monkeypatch.setattr(flow.light, "accept_plan", slow_accept)

    flow.run(case)

    assert case.status in {EnrollmentStatus.ACCEPTED, EnrollmentStatus.FINALIZED}
    assert len(flow.acceptances_of(case)) == 1
    assert AcceptAttempt.objects.get().succeeded


@pytest.mark.one_dialect
def test_sweep_finds_the_work_of_a_dead_worker(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    kill_at(monkeypatch, flow.light, "accept_plan", after=True)
    with pytest.raises(Killed):
        flow.run(case)
    case.refresh_from_db()
    assert case.due_at is None
    assert most_urgent(at=flow.clock.at, limit=10) == []

    flow.pass_time(timedelta(seconds=settings.LEASE_SECONDS))

    assert most_urgent(at=flow.clock.at, limit=10) == [case.pk]
