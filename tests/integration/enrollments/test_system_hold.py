"""While operations hold all writes, nothing starts at Light; reading continues, and cases say whose turn it is."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from enrollments.actions.system_holds import NotReconciled, hold_writes, release_writes
from enrollments.decision.steps import Waiting
from enrollments.light.pace_interface import UnlimitedPace
from enrollments.models import Enrollment, LightWrite, ReconciliationRun, SystemHold
from enrollments.states import EnrollmentStatus, HoldOwner, WriteKind, WriteStatus
from tests.integration.enrollments.flow import OFFICE, Flow

pytestmark = pytest.mark.one_dialect


def hold(flow: Flow, *, needs_reconciliation: bool = False) -> SystemHold:
    return hold_writes(
        reason="The provider moves.", by=OFFICE, at=flow.clock.at, needs_reconciliation=needs_reconciliation
    )


def ready_to_accept(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.pass_time(timedelta(hours=1))
    return case


def test_no_account_is_opened(flow: Flow) -> None:
    case = flow.case()
    hold(flow)

    assert flow.run(case) == Waiting.WRITES_STOPPED

    assert case.whose_turn == HoldOwner.OPERATIONS
    assert "The provider moves." in case.because
    assert not LightWrite.objects.exists()
    assert flow.simulator.control.state()["accounts"] == []


def test_nothing_is_accepted_while_reading_continues(flow: Flow) -> None:
    case = ready_to_accept(flow)
    hold(flow)

    flow.live(case, timedelta(hours=5))

    assert case.next_step == Waiting.WRITES_STOPPED
    assert case.last_read_at is not None
    assert case.last_read_at > flow.clock.at - timedelta(hours=2)
    assert flow.acceptances_of(case) == []


def test_accepted_plan_is_not_finalized(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    finalize = flow.light.finalize
    monkeypatch.setattr(flow.light, "finalize", lambda *_args, **_rest: hold(flow) and finalize(*_args, **_rest))

    flow.live(case, timedelta(hours=5))

    assert case.status == EnrollmentStatus.ACCEPTED
    assert case.next_step == Waiting.WRITES_STOPPED
    assert len(flow.acceptances_of(case)) == 1


class HeldWhileWaiting(UnlimitedPace):
    """All writes are stopped at the very moment when one kind of write waits to be sent."""

    def __init__(self, flow: Flow, kind: WriteKind) -> None:
        self._flow, self._kind = flow, kind

    def take_turn(self, *, seconds_before: float = 0.0) -> None:
        waits = LightWrite.objects.filter(kind=self._kind, status=WriteStatus.OPEN).exists()
        if waits and not SystemHold.objects.exists():
            hold(self._flow)


@pytest.mark.parametrize("kind", WriteKind)
def test_write_waiting_for_its_turn_is_not_sent(flow: Flow, monkeypatch: pytest.MonkeyPatch, kind: WriteKind) -> None:
    monkeypatch.setattr(flow.light, "_pace", HeldWhileWaiting(flow, kind))
    case = flow.case()
    flow.run(case)
    if case.light_account_uuid is not None:
        flow.finish_at_light(case)
    if kind == WriteKind.UPDATE_ACCOUNT:
        flow.pass_time(timedelta(seconds=1))
        flow.correct_address(case, "corrected@example.com")
        flow.prove_corrected_address(case)
    flow.report_pto(case)

    flow.live(case, timedelta(hours=5))

    write = LightWrite.objects.get(kind=kind)
    assert write.status == WriteStatus.NOT_DONE
    assert write.outcome.startswith("Not sent")
    assert "The provider moves." in write.outcome
    assert case.next_step == Waiting.WRITES_STOPPED


def test_every_case_continues_automatically_after_release(flow: Flow) -> None:
    case = ready_to_accept(flow)
    hold(flow)
    flow.live(case, timedelta(hours=2))

    assert release_writes(by=OFFICE, at=flow.clock.at) == 1
    flow.live(case, timedelta(minutes=1))

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(flow.acceptances_of(case)) == 1


def test_case_resting_during_the_release_is_decided_again(flow: Flow) -> None:
    case = ready_to_accept(flow)
    hold(flow)
    Enrollment.objects.filter(pk=case.pk).update(
        lease_until=flow.clock.at + timedelta(seconds=30), leased_by="a turn", due_at=None
    )

    release_writes(by=OFFICE, at=flow.clock.at)

    case.refresh_from_db()
    assert case.due_at == flow.clock.at


@pytest.mark.parametrize("stop", ["hold", "pause"])
def test_recorded_acceptance_is_not_sent_after_the_stop(flow: Flow, monkeypatch: pytest.MonkeyPatch, stop: str) -> None:
    case = ready_to_accept(flow)
    fetch_token = flow.light._account_token

    def fetch_slowly(account_uuid: str) -> str:
        token = fetch_token(account_uuid)
        monkeypatch.setattr(flow.light, "_account_token", fetch_token)
        hold(flow) if stop == "hold" else flow.pause()
        return token

    monkeypatch.setattr(flow.light, "_account_token", fetch_slowly)

    flow.live(case, timedelta(hours=1))

    assert flow.acceptances_of(case) == []
    write = LightWrite.objects.get(kind="ACCEPT_PLAN")
    assert write.status == WriteStatus.NOT_DONE
    assert write.outcome.startswith("Not sent.")
    assert case.status == EnrollmentStatus.OPEN
    assert case.next_step == (Waiting.WRITES_STOPPED if stop == "hold" else Waiting.PAUSED)


def test_restored_database_is_released_only_after_all_readings(flow: Flow) -> None:
    hold(flow, needs_reconciliation=True)
    at = flow.clock.at

    with pytest.raises(NotReconciled, match="reconcile --all"):
        release_writes(by=OFFICE, at=at)
    ReconciliationRun.objects.create(started_at=at - timedelta(hours=1), finished_at=at, started_by="system")
    ReconciliationRun.objects.create(started_at=at, finished_at=at, started_by="system", unread_count=1)
    ReconciliationRun.objects.create(started_at=at, started_by="system")
    with pytest.raises(NotReconciled):
        release_writes(by=OFFICE, at=at)

    ReconciliationRun.objects.create(started_at=at, finished_at=at, started_by="system")
    release_writes(by=OFFICE, at=at)

    assert not SystemHold.objects.filter(ended_at=None).exists()


def test_commands_hold_and_release(db: None) -> None:
    call_command("hold_writes", reason="A restore.")

    held = SystemHold.objects.get(ended_at=None)
    assert (held.reason, held.started_by) == ("A restore.", "system:operator")

    call_command("release_writes")

    held.refresh_from_db()
    assert held.ended_by == "system:operator"
    with pytest.raises(CommandError, match="not stopped"):
        call_command("release_writes")


def test_stopping_everything_requires_a_reason(db: None) -> None:
    with pytest.raises(CommandError, match="Say why"):
        call_command("hold_writes", reason=" ")

    assert not SystemHold.objects.exists()
