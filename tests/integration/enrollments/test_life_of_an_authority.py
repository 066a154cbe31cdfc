"""Each reason why an authority does not let us act, as the engine meets it over real HTTP."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from core.actors import Actor
from core.dates import chicago_midnight
from enrollments.actions import case_opening, wakeups
from enrollments.decision.steps import Waiting
from enrollments.models import AcceptAttempt, Enrollment, Hold, LightWrite
from enrollments.queries import QueueChoice, QueuePart, cases_of
from enrollments.states import HoldCode, HoldOwner
from installations import actions as installation_actions
from poa_documents import actions as poa_actions
from poa_documents.models import PoaDocument, RevocationChannel, StopKind, StopSignal
from poa_documents.states import PoaStatus
from tests.contract.dialects import REFERENCE
from tests.factories import installations as made
from tests.integration.enrollments.flow import OFFICE, Flow, roomy_promise
from tests.integration.faults.walks import ARRIVED, calls, ready_to_accept, release

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def poa_of(case: Enrollment) -> PoaDocument:
    return PoaDocument.objects.filter(site=case.site).latest("pk")


def report(kind: StopKind) -> Callable[[Flow, Enrollment], object]:
    def reported(flow: Flow, case: Enrollment) -> StopSignal:
        return poa_actions.record_stop_signal(
            customer_id=case.customer_id, kind=kind, source="Her son called.", by=OFFICE, at=flow.clock.at
        )

    return reported


def open_hold(case: Enrollment) -> Hold:
    return case.holds.get(released_at__isnull=True)


def revoke_by_phone(flow: Flow, case: Enrollment) -> None:
    poa_actions.revoke_poa(
        poa_id=poa_of(case).pk, channel=RevocationChannel.PHONE, reason="She called.", by=OFFICE, at=flow.clock.at
    )


def suspend(flow: Flow, case: Enrollment) -> None:
    poa_actions.suspend_poa(poa_id=poa_of(case).pk, reason="A doubt.", by=OFFICE, at=flow.clock.at)


def cancel_sale(flow: Flow, case: Enrollment) -> None:
    for job in case.installations.all():
        installation_actions.cancel_installation(
            installation_id=job.pk, reason="The buyer stepped back.", by=OFFICE, at=flow.clock.at
        )


STOPS = {
    "revoked by phone": revoke_by_phone,
    "suspended": suspend,
    "reported dead": report(StopKind.DECEASED),
    "reported unable to decide": report(StopKind.INCAPACITATED),
    "the sale is canceled": cancel_sale,
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS.keys())
def test_stop_signal_reaches_an_acceptance_about_to_be_sent(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, stop: Callable[[Flow, Enrollment], object]
) -> None:
    case = ready_to_accept(flow)
    accept = flow.light.accept_plan
    reached = []

    def stopped_in_between(*args: object, **kwargs: object) -> object:
        reached.append(AcceptAttempt.objects.filter(succeeded__isnull=True).count())
        stop(flow, case)
        return accept(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(flow.light, "accept_plan", stopped_in_between)

    flow.live(case, timedelta(hours=3))

    assert reached == [1]
    assert flow.acceptances_of(case) == []
    assert AcceptAttempt.objects.get().succeeded is False
    assert calls(flow, "accept") == 0


@pytest.mark.parametrize("kind", StopKind)
def test_work_queue_says_what_to_do_after_a_report(flow: Flow, kind: StopKind) -> None:
    case = ready_to_accept(flow)
    report(kind)(flow, case)

    flow.run(case)

    hold = open_hold(case)
    assert (hold.code, hold.owner) == (HoldCode.AUTHORITY_ENDED, HoldOwner.OFFICE)
    if kind == StopKind.INCAPACITATED:
        assert "end the stop signal" in hold.because


def test_suspended_case_is_accepted_once_after_the_office_decides(flow: Flow) -> None:
    case = ready_to_accept(flow)
    signal = report(StopKind.INCAPACITATED)(flow, case)
    flow.run(case)
    assert isinstance(signal, StopSignal)

    poa_actions.end_stop_signal(signal_id=signal.pk, decision="She can decide.", by=OFFICE, at=flow.clock.at)
    flow.live(case, timedelta(hours=2))
    assert flow.acceptances_of(case) == []
    poa_actions.resume_poa(poa_id=poa_of(case).pk, reason="She can decide.", by=OFFICE, at=flow.clock.at)
    wakeups.make_due(enrollment_id=case.pk, at=flow.clock.at)
    flow.live(case, timedelta(hours=2))

    assert len(flow.acceptances_of(case)) == 1


def test_death_after_the_acceptance_stops_all_writes(flow: Flow) -> None:
    flow.simulator.control.inject_fault("finalize", "drop_before")
    case = ready_to_accept(flow)
    flow.run(case)
    assert len(flow.acceptances_of(case)) == 1
    report(StopKind.DECEASED)(flow, case)
    finalized = calls(flow, "finalize")

    flow.live(case, timedelta(days=2))

    hold = open_hold(case)
    assert (hold.code, hold.owner) == (HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE)
    assert "the person who now decides" in hold.because
    assert calls(flow, "finalize") == finalized
    assert poa_of(case).status == PoaStatus.CEASED


def accepted_not_finished(flow: Flow, *, uses: int = 1) -> Enrollment:
    flow.simulator.control.inject_fault("finalize", "drop_before")
    case = flow.case(signed=False)
    flow.sign(case.installations.get(), uses=uses)
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=1), until=lambda: AcceptAttempt.objects.filter(succeeded=True).exists())
    assert len(flow.acceptances_of(case)) == 1
    return case


def accepted_and_stopped(flow: Flow, kind: StopKind, *, uses: int = 1) -> tuple[Enrollment, StopSignal]:
    """A plan is accepted but not finalized, and a report holds the case."""
    case = accepted_not_finished(flow, uses=uses)
    signal = report(kind)(flow, case)
    assert isinstance(signal, StopSignal)
    flow.live(case, timedelta(hours=2))
    assert open_hold(case).code == HoldCode.REVOKED_AFTER_ACCEPTANCE
    return case, signal


def end(flow: Flow, signal: StopSignal) -> None:
    poa_actions.end_stop_signal(signal_id=signal.pk, decision="It was a mistake.", by=OFFICE, at=flow.clock.at)


def queued(case: Enrollment) -> str:
    return cases_of(QueueChoice(QueuePart.HELD)).get(pk=case.pk).hold_because  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("kind", StopKind)
def test_open_report_keeps_the_case_on_the_queue(flow: Flow, kind: StopKind) -> None:
    case, _signal = accepted_and_stopped(flow, kind)
    finalized = calls(flow, "finalize")

    release(flow, case, reason="Her son was asked.")
    flow.live(case, timedelta(days=2))

    assert open_hold(case).code == HoldCode.REVOKED_AFTER_ACCEPTANCE
    assert "end the stop signal" in queued(case)
    assert calls(flow, "finalize") == finalized


@pytest.mark.parametrize("later", StopKind)
def test_release_for_one_report_does_not_cover_the_next(flow: Flow, later: StopKind) -> None:
    case, earlier = accepted_and_stopped(flow, StopKind.INCAPACITATED)
    end(flow, earlier)
    release(flow, case, reason="She can decide after all.")
    flow.pass_time(timedelta(minutes=1))
    report(later)(flow, case)

    flow.run(case)

    assert open_hold(case).code == HoldCode.REVOKED_AFTER_ACCEPTANCE
    assert ("died" in queued(case)) == (later == StopKind.DECEASED)


def test_later_suspension_is_shown_after_its_report_ended(flow: Flow) -> None:
    case, earlier = accepted_and_stopped(flow, StopKind.INCAPACITATED, uses=2)
    end(flow, earlier)
    poa_actions.resume_poa(poa_id=poa_of(case).pk, reason="She can decide.", by=OFFICE, at=flow.clock.at)
    release(flow, case, reason="She can decide after all.")
    flow.pass_time(timedelta(minutes=1))
    later = report(StopKind.INCAPACITATED)(flow, case)
    assert isinstance(later, StopSignal)
    end(flow, later)

    flow.run(case)

    assert "suspended after the plan was accepted" in open_hold(case).because


def test_second_manual_suspension_is_shown_after_a_release(flow: Flow) -> None:
    case = accepted_not_finished(flow, uses=2)
    suspend(flow, case)
    flow.live(case, timedelta(hours=2))
    release(flow, case, reason="The doubt is over.")
    poa_actions.resume_poa(poa_id=poa_of(case).pk, reason="The doubt is over.", by=OFFICE, at=flow.clock.at)
    flow.pass_time(timedelta(minutes=1))

    suspend(flow, case)
    flow.run(case)

    assert "suspended after the plan was accepted" in open_hold(case).because


def test_blocked_finalizing_is_not_shown_as_done(flow: Flow) -> None:
    case = accepted_not_finished(flow, uses=2)
    revoke_by_phone(flow, case)
    flow.live(case, timedelta(hours=2))
    release(flow, case, reason="She will cancel at Light herself.")

    assert flow.run(case) == Waiting.SERVICE_TO_START

    assert "not finalized at Light" in case.because


def test_release_after_the_report_ended_allows_finalizing(flow: Flow) -> None:
    case, signal = accepted_and_stopped(flow, StopKind.INCAPACITATED)

    end(flow, signal)
    release(flow, case, reason="She can decide after all.")
    flow.live(case, timedelta(days=1))

    assert not case.holds.filter(released_at__isnull=True).exists()
    assert case.status in ARRIVED


def test_superseded_authority_yields_to_the_newer_one(flow: Flow) -> None:
    case = ready_to_accept(flow)
    older = poa_of(case)
    newer = flow.sign(case.installations.get())

    flow.live(case, timedelta(hours=2))

    older.refresh_from_db()
    assert older.status == PoaStatus.SUPERSEDED
    assert AcceptAttempt.objects.get().poa == newer


def test_lapsed_authority_accepts_nothing_the_next_day(flow: Flow) -> None:
    case = ready_to_accept(flow)
    poa = poa_of(case)
    pause = flow.pause()
    flow.clock.at = chicago_midnight(poa.envelope.sunset_date + timedelta(days=1))
    flow.pass_time(timedelta(0))
    poa_actions.sweep_poas(at=flow.clock.at)
    flow.resume(pause)

    flow.run(case)

    poa.refresh_from_db()
    assert poa.status == PoaStatus.LAPSED
    assert open_hold(case).code == HoldCode.AUTHORITY_ENDED
    assert calls(flow, "accept") == 0


def test_nothing_is_written_until_every_cancellation_reading_ends(flow: Flow) -> None:
    """Signed on Thursday 2026-11-19: by plain days it ends on the 26th, by ERCOT's on Monday the 30th."""
    flow.clock.at = datetime(2026, 11, 19, 20, tzinfo=UTC)
    flow.pass_time(timedelta(0))
    customer = made.customer(flow.clock.at)
    job = made.installation(
        flow.clock.at, customer=customer, site=made.site(flow.clock.at), contract_signed_date=date(2026, 11, 19)
    )
    assert job.embargo_end_date == date(2026, 11, 30)
    flow.sign(job)
    case = case_opening.reconsider_site(site_id=job.site_id, at=flow.clock.at)
    assert case is not None
    first_day = chicago_midnight(date(2026, 12, 1))

    for at in (first_day - timedelta(days=4), first_day - timedelta(days=1), first_day - timedelta(seconds=1)):
        flow.clock.at = at
        flow.pass_time(timedelta(0))
        assert flow.run(case) == Waiting.EMBARGO
        assert not LightWrite.objects.exists()
    flow.clock.at = first_day
    flow.pass_time(timedelta(0))
    assert flow.run(case) == Waiting.CUSTOMER_TO_FINISH
    assert LightWrite.objects.count() == 2


def test_paper_request_before_signing_is_the_office_turn(flow: Flow) -> None:
    case = flow.case(signed=False)
    job = case.installations.get()
    poa = poa_actions.draft_poa(
        customer_id=job.customer_id,
        site_id=job.site_id,
        promise_id=_promise_id(),
        by=OFFICE,
        at=flow.clock.at,
    )
    poa_actions.send_poa(poa_id=poa.pk, by=OFFICE, at=flow.clock.at)
    poa_actions.withdraw_econsent(poa_id=poa.pk, by=Actor.customer(job.customer.public_id), at=flow.clock.at)

    assert flow.run(case) == Waiting.PAPER_TO_BE_SENT

    assert case.whose_turn == HoldOwner.OFFICE


def _promise_id() -> int:
    poa_actions.ensure_templates()
    return roomy_promise().pk
