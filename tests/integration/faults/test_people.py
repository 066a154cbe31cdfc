"""Cells U5 to U7 and U10: people change their mind, or act late, while the engine is at work."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from core.dates import chicago_day
from enrollments.actions import case_opening, closing, holds
from enrollments.decision.steps import Waiting
from enrollments.models import AcceptAttempt, Enrollment
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner
from installations import actions as installation_actions
from installations.models import GoLiveReport, GoLiveSource
from poa_documents.models import CustomerMail, MailKind, PoaDocument
from poa_documents.states import PoaStatus
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import OFFICE, SECOND_PERSON, Flow
from tests.integration.faults.walks import assert_accepted_once, calls, open_hold, ready_to_accept, release, walk

in_one_dialect = pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True)


@in_one_dialect
def test_U5_paused_acceptance_is_not_sent_after_a_revocation(flow: Flow) -> None:
    case = ready_to_accept(flow)
    pause = flow.pause()
    walk(flow, case, span=timedelta(hours=2))
    assert case.next_step == Waiting.PAUSED
    flow.revoke(case)
    flow.resume(pause)

    walk(flow, case)

    assert calls(flow, "accept") == 0
    assert _held_for(case) == (HoldCode.AUTHORITY_ENDED, HoldOwner.OFFICE)


@pytest.mark.parametrize("answer", ["comes", "is lost"])
def test_U6_revocation_during_an_acceptance_reaches_office_and_customer(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    case = ready_to_accept(flow)
    accept = flow.light.accept_plan
    if answer == "is lost":
        flow.simulator.control.inject_fault("accept", "drop_after")

    def revoked_in_between(*args: Any, **kwargs: Any) -> Any:
        try:
            return accept(*args, **kwargs)
        finally:
            flow.pass_time(timedelta(seconds=1))
            flow.revoke(case)

    monkeypatch.setattr(flow.light, "accept_plan", revoked_in_between)

    walk(flow, case, span=timedelta(hours=3))

    assert len(flow.acceptances_of(case)) == 1
    assert AcceptAttempt.objects.get().succeeded
    assert calls(flow, "finalize") == 0
    assert _held_for(case) == (HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE)
    poa = PoaDocument.objects.get(site=case.site)
    assert poa.status == PoaStatus.REVOKED
    assert CustomerMail.objects.filter(poa=poa, kind=MailKind.REVOKED_RECEIPT).exists()


@in_one_dialect
@pytest.mark.cell("U7")
def test_report_withdrawn_before_acceptance_closes_the_gate(flow: Flow) -> None:
    case = ready_to_accept(flow)
    pause = flow.pause()
    walk(flow, case, span=timedelta(hours=2))
    _withdraw(flow, case)
    flow.resume(pause)

    walk(flow, case, span=timedelta(hours=5))

    assert calls(flow, "accept") == 0
    assert case.next_step == Waiting.GO_LIVE
    assert case.whose_turn == HoldOwner.TECHNICIAN


@in_one_dialect
@pytest.mark.cell("U7")
def test_report_withdrawn_after_acceptance_goes_to_the_office(flow: Flow) -> None:
    flow.simulator.control.inject_fault("finalize", "drop_before")
    case = ready_to_accept(flow)
    flow.run(case)
    assert case.status == EnrollmentStatus.ACCEPTED
    _withdraw(flow, case)

    walk(flow, case, span=timedelta(hours=5))

    assert _held_for(case) == (HoldCode.GO_LIVE_WITHDRAWN, HoldOwner.OFFICE)
    assert len(flow.acceptances_of(case)) == 1
    release(flow, case, "The customer wants it all the same.")
    walk(flow, case)
    assert_accepted_once(flow, case)


@in_one_dialect
def test_U7_report_corrected_before_acceptance_counts_with_new_date(flow: Flow) -> None:
    case = ready_to_accept(flow)
    pause = flow.pause()
    walk(flow, case, span=timedelta(hours=2))
    report = GoLiveReport.objects.get()
    corrected = installation_actions.correct_go_live(
        report_id=report.pk,
        submission_id=uuid4(),
        granted_date=chicago_day(flow.clock.at),
        source=GoLiveSource.LETTER,
        utility_reference="DG-2026-0099",
        reason="The letter has another date.",
        by=OFFICE,
        at=flow.clock.at,
    )
    installation_actions.confirm_go_live(report_id=corrected.pk, by=SECOND_PERSON, at=flow.clock.at)
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)
    flow.resume(pause)

    walk(flow, case)

    assert_accepted_once(flow, case)
    report.refresh_from_db()
    assert corrected.corrects == report
    assert case.service_start_date is not None
    assert case.service_start_date > corrected.granted_date


@in_one_dialect
def test_U9_U10_form_of_a_stale_page_is_refused(flow: Flow) -> None:
    flow.simulator.control.inject_fault("accept", "unprocessable")
    case = ready_to_accept(flow)
    walk(flow, case)
    hold = open_hold(case)
    assert hold is not None
    release(flow, case, "Light fixed it.")
    walk(flow, case)

    with pytest.raises(holds.HoldNotOpen, match="Light fixed it"):
        holds.release_hold(hold_id=hold.pk, reason="Once more.", by=OFFICE, at=flow.clock.at)
    with pytest.raises(closing.CannotClose, match="finalized"):
        closing.close_enrollment(enrollment_id=case.pk, reason="No more.", by=OFFICE, at=flow.clock.at)

    assert_accepted_once(flow, case)


def _withdraw(flow: Flow, case: Enrollment) -> None:
    report = GoLiveReport.objects.get(installation=case.installations.get())
    installation_actions.withdraw_go_live(
        report_id=report.pk, reason="It was another house.", by=OFFICE, at=flow.clock.at
    )
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)


def _held_for(case: Enrollment) -> tuple[str, str]:
    hold = open_hold(case)
    assert hold is not None, (case.status, case.next_step, case.because)
    return hold.code, hold.owner
