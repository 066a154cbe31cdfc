"""Each way in which an authority does not let us act, as the engine meets it over real HTTP."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from core.actors import Actor
from core.dates import chicago_midnight
from enrollments.actions import case_opening, due_cases
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
from tests.integration.enrollments.road import OFFICE, Road, roomy_promise
from tests.integration.faults.journey import ARRIVED, calls, ready_to_accept, release

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


def poa_of(case: Enrollment) -> PoaDocument:
    return PoaDocument.objects.filter(site=case.site).latest("pk")


def report(kind: StopKind) -> Callable[[Road, Enrollment], object]:
    def reported(road: Road, case: Enrollment) -> StopSignal:
        return poa_actions.record_stop_signal(
            customer_id=case.customer_id, kind=kind, source="Her son called.", by=OFFICE, at=road.clock.at
        )

    return reported


def open_hold(case: Enrollment) -> Hold:
    return case.holds.get(released_at__isnull=True)


def revoke_by_phone(road: Road, case: Enrollment) -> None:
    poa_actions.revoke_poa(
        poa_id=poa_of(case).pk, channel=RevocationChannel.PHONE, reason="She called.", by=OFFICE, at=road.clock.at
    )


def suspend(road: Road, case: Enrollment) -> None:
    poa_actions.suspend_poa(poa_id=poa_of(case).pk, reason="A doubt.", by=OFFICE, at=road.clock.at)


def cancel_sale(road: Road, case: Enrollment) -> None:
    for job in case.installations.all():
        installation_actions.cancel_installation(
            installation_id=job.pk, reason="The buyer stepped back.", by=OFFICE, at=road.clock.at
        )


STOPS = {
    "revoked by phone": revoke_by_phone,
    "suspended": suspend,
    "reported dead": report(StopKind.DECEASED),
    "reported unable to decide": report(StopKind.INCAPACITATED),
    "the sale is canceled": cancel_sale,
}


@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS.keys())
def test_a_stop_reaches_the_acceptance_that_is_about_to_be_sent(
    road: Road, monkeypatch: pytest.MonkeyPatch, stop: Callable[[Road, Enrollment], object]
) -> None:
    case = ready_to_accept(road)
    accept = road.light.accept_plan
    reached = []

    def stopped_meanwhile(*args: object, **kwargs: object) -> object:
        reached.append(AcceptAttempt.objects.filter(succeeded__isnull=True).count())
        stop(road, case)
        return accept(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(road.light, "accept_plan", stopped_meanwhile)

    road.live(case, timedelta(hours=3))

    assert reached == [1]
    assert road.acceptances_of(case) == []
    assert AcceptAttempt.objects.get().succeeded is False
    assert calls(road, "accept") == 0


@pytest.mark.parametrize("kind", StopKind)
def test_the_work_queue_says_what_to_do_after_a_report(road: Road, kind: StopKind) -> None:
    case = ready_to_accept(road)
    report(kind)(road, case)

    road.run(case)

    hold = open_hold(case)
    assert (hold.code, hold.owner) == (HoldCode.AUTHORITY_ENDED, HoldOwner.OFFICE)
    if kind == StopKind.INCAPACITATED:
        assert "end the stop signal" in hold.because


def test_after_the_office_decided_a_suspended_case_goes_on_and_is_accepted_once(road: Road) -> None:
    case = ready_to_accept(road)
    signal = report(StopKind.INCAPACITATED)(road, case)
    road.run(case)
    assert isinstance(signal, StopSignal)

    poa_actions.end_stop_signal(signal_id=signal.pk, decision="She can decide.", by=OFFICE, at=road.clock.at)
    road.live(case, timedelta(hours=2))
    assert road.acceptances_of(case) == []
    poa_actions.resume_poa(poa_id=poa_of(case).pk, reason="She can decide.", by=OFFICE, at=road.clock.at)
    due_cases.make_due(enrollment_id=case.pk, at=road.clock.at)
    road.live(case, timedelta(hours=2))

    assert len(road.acceptances_of(case)) == 1


def test_a_death_after_the_acceptance_goes_to_the_office_and_nothing_more_is_sent(road: Road) -> None:
    road.simulator.control.inject_fault("finalize", "drop_before")
    case = ready_to_accept(road)
    road.run(case)
    assert len(road.acceptances_of(case)) == 1
    report(StopKind.DECEASED)(road, case)
    finalized = calls(road, "finalize")

    road.live(case, timedelta(days=2))

    hold = open_hold(case)
    assert (hold.code, hold.owner) == (HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE)
    assert "the person who now decides" in hold.because
    assert calls(road, "finalize") == finalized
    assert poa_of(case).status == PoaStatus.CEASED


def accepted_not_finished(road: Road, *, uses: int = 1) -> Enrollment:
    road.simulator.control.inject_fault("finalize", "drop_before")
    case = road.case(signed=False)
    road.sign(case.installations.get(), uses=uses)
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=1), until=lambda: AcceptAttempt.objects.filter(succeeded=True).exists())
    assert len(road.acceptances_of(case)) == 1
    return case


def accepted_and_stopped(road: Road, kind: StopKind, *, uses: int = 1) -> tuple[Enrollment, StopSignal]:
    """A plan is accepted, not finished yet, and a report holds the case."""
    case = accepted_not_finished(road, uses=uses)
    signal = report(kind)(road, case)
    assert isinstance(signal, StopSignal)
    road.live(case, timedelta(hours=2))
    assert open_hold(case).code == HoldCode.REVOKED_AFTER_ACCEPTANCE
    return case, signal


def end(road: Road, signal: StopSignal) -> None:
    poa_actions.end_stop_signal(signal_id=signal.pk, decision="It was a mistake.", by=OFFICE, at=road.clock.at)


def queued(case: Enrollment) -> str:
    return cases_of(QueueChoice(QueuePart.HELD)).get(pk=case.pk).hold_because  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("kind", StopKind)
def test_a_case_stays_on_the_queue_for_as_long_as_the_report_stands_whatever_is_released(
    road: Road, kind: StopKind
) -> None:
    case, _signal = accepted_and_stopped(road, kind)
    finalized = calls(road, "finalize")

    release(road, case, reason="Her son was asked.")
    road.live(case, timedelta(days=2))

    assert open_hold(case).code == HoldCode.REVOKED_AFTER_ACCEPTANCE
    assert "end the stop signal" in queued(case)
    assert calls(road, "finalize") == finalized


@pytest.mark.parametrize("later", StopKind)
def test_a_release_for_one_report_does_not_cover_a_later_one(road: Road, later: StopKind) -> None:
    case, earlier = accepted_and_stopped(road, StopKind.INCAPACITATED)
    end(road, earlier)
    release(road, case, reason="She can decide after all.")
    road.pass_time(timedelta(minutes=1))
    report(later)(road, case)

    road.run(case)

    assert open_hold(case).code == HoldCode.REVOKED_AFTER_ACCEPTANCE
    assert ("died" in queued(case)) == (later == StopKind.DECEASED)


def test_what_a_later_report_suspended_is_shown_even_when_that_report_has_ended(road: Road) -> None:
    case, earlier = accepted_and_stopped(road, StopKind.INCAPACITATED, uses=2)
    end(road, earlier)
    poa_actions.resume_poa(poa_id=poa_of(case).pk, reason="She can decide.", by=OFFICE, at=road.clock.at)
    release(road, case, reason="She can decide after all.")
    road.pass_time(timedelta(minutes=1))
    later = report(StopKind.INCAPACITATED)(road, case)
    assert isinstance(later, StopSignal)
    end(road, later)

    road.run(case)

    assert "suspended after the plan was accepted" in open_hold(case).because


def test_a_second_suspension_by_hand_is_shown_whatever_was_released_for_the_first(road: Road) -> None:
    case = accepted_not_finished(road, uses=2)
    suspend(road, case)
    road.live(case, timedelta(hours=2))
    release(road, case, reason="The doubt is over.")
    poa_actions.resume_poa(poa_id=poa_of(case).pk, reason="The doubt is over.", by=OFFICE, at=road.clock.at)
    road.pass_time(timedelta(minutes=1))

    suspend(road, case)
    road.run(case)

    assert "suspended after the plan was accepted" in open_hold(case).because


def test_what_was_accepted_and_must_not_be_finished_is_not_said_to_be_done(road: Road) -> None:
    case = accepted_not_finished(road, uses=2)
    revoke_by_phone(road, case)
    road.live(case, timedelta(hours=2))
    release(road, case, reason="She will cancel at Light herself.")

    assert road.run(case) == Waiting.SERVICE_TO_START

    assert "not finalized at Light" in case.because


def test_after_the_report_has_ended_a_release_lets_the_enrollment_be_finished(road: Road) -> None:
    case, signal = accepted_and_stopped(road, StopKind.INCAPACITATED)

    end(road, signal)
    release(road, case, reason="She can decide after all.")
    road.live(case, timedelta(days=1))

    assert not case.holds.filter(released_at__isnull=True).exists()
    assert case.status in ARRIVED


def test_a_superseded_authority_gives_way_to_the_newer_one(road: Road) -> None:
    case = ready_to_accept(road)
    older = poa_of(case)
    newer = road.sign(case.installations.get())

    road.live(case, timedelta(hours=2))

    older.refresh_from_db()
    assert older.status == PoaStatus.SUPERSEDED
    assert AcceptAttempt.objects.get().poa == newer


def test_an_authority_that_lapsed_accepts_nothing_on_the_day_after_its_last(road: Road) -> None:
    case = ready_to_accept(road)
    poa = poa_of(case)
    pause = road.pause()
    road.clock.at = chicago_midnight(poa.envelope.sunset_date + timedelta(days=1))
    road.pass_time(timedelta(0))
    poa_actions.sweep_poas(at=road.clock.at)
    road.resume(pause)

    road.run(case)

    poa.refresh_from_db()
    assert poa.status == PoaStatus.LAPSED
    assert open_hold(case).code == HoldCode.AUTHORITY_ENDED
    assert calls(road, "accept") == 0


def test_nothing_is_written_before_the_buyers_days_to_cancel_are_over_in_the_latest_reading(road: Road) -> None:
    """Signed on Thursday 2026-11-19: plain days end on the 26th, ERCOT's on Monday the 30th."""
    road.clock.at = datetime(2026, 11, 19, 20, tzinfo=UTC)
    road.pass_time(timedelta(0))
    customer = made.customer(road.clock.at)
    job = made.installation(
        road.clock.at, customer=customer, site=made.site(road.clock.at), contract_signed_date=date(2026, 11, 19)
    )
    assert job.embargo_end_date == date(2026, 11, 30)
    road.sign(job)
    case = case_opening.look_again(site_id=job.site_id, at=road.clock.at)
    assert case is not None
    first_day = chicago_midnight(date(2026, 12, 1))

    for at in (first_day - timedelta(days=4), first_day - timedelta(days=1), first_day - timedelta(seconds=1)):
        road.clock.at = at
        road.pass_time(timedelta(0))
        assert road.run(case) == Waiting.EMBARGO
        assert not LightWrite.objects.exists()
    road.clock.at = first_day
    road.pass_time(timedelta(0))
    assert road.run(case) == Waiting.CUSTOMER_TO_FINISH
    assert LightWrite.objects.count() == 2


def test_a_customer_who_wants_paper_before_signing_is_the_offices_turn(road: Road) -> None:
    case = road.case(signed=False)
    job = case.installations.get()
    poa = poa_actions.draft_poa(
        customer_id=job.customer_id,
        site_id=job.site_id,
        promise_id=_promise_id(),
        by=OFFICE,
        at=road.clock.at,
    )
    poa_actions.send_poa(poa_id=poa.pk, by=OFFICE, at=road.clock.at)
    poa_actions.withdraw_econsent(poa_id=poa.pk, by=Actor.customer(job.customer_id), at=road.clock.at)

    assert road.run(case) == Waiting.PAPER_TO_BE_SENT

    assert case.whose_turn == HoldOwner.OFFICE


def _promise_id() -> int:
    poa_actions.ensure_templates()
    return roomy_promise().pk
