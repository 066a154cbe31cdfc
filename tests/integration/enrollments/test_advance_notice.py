"""The customer is told before a plan is accepted, may stop it, and may resume it: over real HTTP."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.actors import Actor
from core.dates import chicago_day
from enrollments.actions import closing, customer_holds, holds
from enrollments.decision.offers import is_no_worse
from enrollments.decision.steps import Waiting
from enrollments.engine.gathering import offered_plan
from enrollments.models import AcceptAttempt, AdvanceNotice, Enrollment
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner
from poa_documents import actions as poa_actions
from poa_documents.models import CustomerMail, EvidenceEntry, MailState, PoaDocument
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import OFFICE, POLICY, Flow

pytestmark = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)

A_DAY = timedelta(days=1)


@pytest.fixture
def notice_flow(flow: Flow) -> Flow:
    """A flow in which customers have three days to object."""
    flow.policy = replace(POLICY, notice_days=3)
    flow.restart_client()
    return flow


def announced_case(flow: Flow) -> Enrollment:
    """A case whose customer was just told of a plan."""
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=3), until=AdvanceNotice.objects.exists)
    flow.run(case)
    assert case.next_step == Waiting.NOTICE
    return case


def customer_of(case: Enrollment) -> Actor:
    return Actor.customer(case.customer.public_id)


def test_plan_is_announced_then_accepted_after_the_notice(notice_flow: Flow) -> None:
    case = announced_case(notice_flow)
    notice = AdvanceNotice.objects.get()
    assert notice.offer.fits
    assert notice.last_day == chicago_day(notice.given_at) + timedelta(days=3)

    notice_flow.live(case, notice.until - notice_flow.clock.at - timedelta(minutes=1))
    assert notice_flow.acceptances_of(case) == []
    notice_flow.live(case, timedelta(hours=1))

    [acceptance] = notice_flow.acceptances_of(case)
    assert acceptance["service_start_date"] == str(notice.start_date)
    assert AdvanceNotice.objects.count() == 1
    assert AcceptAttempt.objects.get().write.request["notice"] == str(notice.public_id)
    entry = EvidenceEntry.objects.get(kind="enrollment.notice_given")
    assert entry.details["offer_sha256"] == notice.offer.raw_sha256
    assert entry.details["until"] == notice.until.isoformat()


def test_customer_stops_and_resumes_during_the_notice(notice_flow: Flow) -> None:
    case = announced_case(notice_flow)
    customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)
    customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)

    notice_flow.live(case, timedelta(days=8))

    assert notice_flow.acceptances_of(case) == []
    assert (case.next_step, case.whose_turn) == (Waiting.HELD_BY_CUSTOMER, HoldOwner.CUSTOMER)
    customer_holds.resume_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)
    notice_flow.live(case, timedelta(hours=1))
    assert AdvanceNotice.objects.count() == 2, "the start moved away from the announced date, so a new notice goes out"
    notice_flow.live(case, timedelta(days=5), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    assert case.status == EnrollmentStatus.FINALIZED
    assert case.service_start_date == AdvanceNotice.objects.latest("pk").start_date
    kinds = list(EvidenceEntry.objects.filter(kind__startswith="enrollment.customer_").values_list("kind", flat=True))
    assert kinds == ["enrollment.customer_held", "enrollment.customer_resumed"]


def test_hold_stops_an_acceptance_about_to_be_sent(notice_flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = announced_case(notice_flow)
    accept = notice_flow.light.accept_plan

    def held_in_the_last_moment(*args: Any, **kwargs: Any) -> Any:
        customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)
        return accept(*args, **kwargs)

    monkeypatch.setattr(notice_flow.light, "accept_plan", held_in_the_last_moment)

    notice_flow.live(case, timedelta(days=5))

    assert notice_flow.acceptances_of(case) == []
    assert AcceptAttempt.objects.get().succeeded is False
    assert case.next_step == Waiting.HELD_BY_CUSTOMER


def _held_by(case: Enrollment) -> str | None:
    return case.holds.filter(released_at__isnull=True).values_list("code", flat=True).first()


def test_revocation_during_the_notice_ends_it(notice_flow: Flow) -> None:
    case = announced_case(notice_flow)
    notice_flow.revoke(case)

    notice_flow.live(case, timedelta(days=6))

    assert notice_flow.acceptances_of(case) == []
    assert _held_by(case) == HoldCode.AUTHORITY_ENDED


def test_only_an_announced_unaccepted_plan_can_be_held(notice_flow: Flow) -> None:
    case = notice_flow.case()

    with pytest.raises(customer_holds.NothingToHold):
        customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)

    notice_flow.run(case)
    notice_flow.finish_at_light(case)
    notice_flow.report_pto(case)
    notice_flow.live(case, timedelta(days=5), until=lambda: case.status == EnrollmentStatus.FINALIZED)
    with pytest.raises(customer_holds.NothingToHold):
        customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)


def test_case_without_a_hold_cannot_be_resumed(notice_flow: Flow) -> None:
    case = announced_case(notice_flow)

    with pytest.raises(customer_holds.NotOnHold):
        customer_holds.resume_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_lost_answer_after_the_notice_is_accepted_once(notice_flow: Flow, fault: str) -> None:
    case = announced_case(notice_flow)
    notice_flow.simulator.control.inject_fault("accept", fault)

    notice_flow.live(case, timedelta(days=10), until=lambda: case.status != EnrollmentStatus.OPEN)
    notice_flow.live(case, timedelta(hours=2))
    if fault == "drop_before":  # a person compares before it is sent again
        hold = case.holds.get(released_at__isnull=True)
        assert hold.code == HoldCode.OUTCOME_UNKNOWN
        holds.release_hold(hold_id=hold.pk, reason="Light has no acceptance.", by=OFFICE, at=notice_flow.clock.at)
    notice_flow.live(case, timedelta(days=10), until=lambda: case.status == EnrollmentStatus.FINALIZED)

    assert len(notice_flow.acceptances_of(case)) == 1
    assert case.status == EnrollmentStatus.FINALIZED
    accepted, newest = case.accepted_offer, AdvanceNotice.objects.latest("pk")
    assert accepted is not None
    assert is_no_worse(offered_plan(accepted), than=offered_plan(newest.offer)), "a higher price needs a new notice"


def test_pause_at_the_end_of_the_notice_delays_acceptance(notice_flow: Flow) -> None:
    case = announced_case(notice_flow)
    pause = notice_flow.pause()
    notice_flow.live(case, timedelta(days=4, hours=1))
    assert case.next_step == Waiting.PAUSED
    notice_flow.resume(pause)

    notice_flow.live(case, timedelta(hours=2))

    assert len(notice_flow.acceptances_of(case)) == 1
    assert AdvanceNotice.objects.count() == 1


def test_held_case_can_be_closed_by_the_office(notice_flow: Flow) -> None:
    case = announced_case(notice_flow)
    customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)
    closing.close_enrollment(
        enrollment_id=case.pk, reason="The customer changed their mind.", by=OFFICE, at=notice_flow.clock.at
    )
    notice_flow.live(case, timedelta(days=5))

    assert notice_flow.acceptances_of(case) == []


@pytest.mark.parametrize("is_answer_lost", [False, True], ids=["the answer comes", "the answer is lost"])
def test_hold_during_the_acceptance_stops_finalizing(
    notice_flow: Flow, monkeypatch: pytest.MonkeyPatch, *, is_answer_lost: bool
) -> None:
    case = announced_case(notice_flow)
    accept = notice_flow.light.accept_plan
    if is_answer_lost:
        notice_flow.simulator.control.inject_fault("accept", "drop_after")

    def held_before_the_answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return accept(*args, **kwargs)
        finally:
            customer_holds.hold_for_customer(enrollment_id=case.pk, by=customer_of(case), at=notice_flow.clock.at)

    monkeypatch.setattr(notice_flow.light, "accept_plan", held_before_the_answer)

    notice_flow.live(case, timedelta(days=6))

    assert len(notice_flow.acceptances_of(case)) == 1
    assert case.status == EnrollmentStatus.ACCEPTED
    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, hold.owner) == (HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE)
    assert "put the enrollment on hold" in hold.because
    holds.release_hold(hold_id=hold.pk, reason="She wants it after all.", by=OFFICE, at=notice_flow.clock.at)
    notice_flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED

    notice_flow.revoke(case)
    notice_flow.live(case, timedelta(hours=2))

    assert "revoked the authority" in case.holds.get(released_at__isnull=True).because


def want_paper(flow: Flow, case: Enrollment) -> None:
    poa = PoaDocument.objects.get(site=case.site)
    poa_actions.withdraw_econsent(poa_id=poa.pk, by=customer_of(case), at=flow.clock.at)


def announced_by_post(flow: Flow) -> tuple[Enrollment, CustomerMail]:
    """A case whose customer wants paper, and the letter that announces the plan, not posted yet."""
    case = flow.case()
    flow.run(case)
    want_paper(flow, case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=3), until=AdvanceNotice.objects.exists)
    flow.run(case)
    letter = letter_of(AdvanceNotice.objects.get())
    assert letter.state == MailState.TO_BE_POSTED
    return case, letter


def letter_of(notice: AdvanceNotice) -> CustomerMail:
    return CustomerMail.objects.get(once_key=notice.mail_key)


def test_notice_posted_the_same_day_counts(notice_flow: Flow) -> None:
    case, letter = announced_by_post(notice_flow)
    poa_actions.mark_posted(mail_id=letter.pk, by=OFFICE, at=notice_flow.clock.at)

    notice_flow.live(case, timedelta(days=7))

    assert case.next_step == Waiting.NOTICE
    assert AdvanceNotice.objects.count() == 1


def test_notice_posted_too_late_is_given_again(notice_flow: Flow) -> None:
    case, letter = announced_by_post(notice_flow)
    notice = AdvanceNotice.objects.get()
    notice_flow.live(case, notice.until - notice_flow.clock.at - timedelta(hours=20))
    assert AdvanceNotice.objects.count() == 1

    poa_actions.mark_posted(mail_id=letter.pk, by=OFFICE, at=notice_flow.clock.at)
    notice_flow.run(case)

    assert AdvanceNotice.objects.count() == 2
    assert AdvanceNotice.objects.latest("pk").until > notice.until
    assert notice_flow.acceptances_of(case) == []


def test_superseded_notice_letter_is_not_posted(notice_flow: Flow) -> None:
    case, letter = announced_by_post(notice_flow)

    notice_flow.live(case, timedelta(days=15), until=lambda: AdvanceNotice.objects.count() == 2)
    notice_flow.send_case_mail()

    letter.refresh_from_db()
    assert letter.state == MailState.OVERTAKEN
    assert letter_of(AdvanceNotice.objects.latest("pk")).state == MailState.TO_BE_POSTED
    assert notice_flow.acceptances_of(case) == []
