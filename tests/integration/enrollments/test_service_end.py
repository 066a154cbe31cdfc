"""Customers are told once when their service ends or will end, and the office keeps why they left."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail

from core.dates import chicago_day
from enrollments.actions import case_opening
from enrollments.actions.account_reading import request_reading
from enrollments.actions.system_holds import hold_writes
from enrollments.models import Enrollment
from enrollments.queries import timeline
from enrollments.states import EnrollmentStatus, HoldCode
from installations.actions import confirm_go_live, correct_go_live
from installations.models import Language
from poa_documents import actions as poa_actions
from poa_documents.limits import format_date
from poa_documents.models import EvidenceEntry, MailKind, StopKind
from tests.contract.dialects import REFERENCE
from tests.integration.enrollments.flow import OFFICE, SECOND_PERSON, Flow
from tests.integration.poa_documents.spanish import english_in

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("pair", [REFERENCE], ids=["reference"], indirect=True),
]


def told() -> list[Any]:
    return [each for each in mail.outbox if each.extra_headers["X-Switchyard-Mail"] == MailKind.SERVICE_ENDS]


def accepted(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    return case


def in_service(flow: Flow) -> Enrollment:
    case = accepted(flow)
    flow.live(case, timedelta(days=30), until=lambda: case.status == EnrollmentStatus.ACTIVE)
    return case


def cancel(flow: Flow, case: Enrollment) -> None:
    flow.simulator.control.cancel(str(case.light_account_uuid))
    request_reading(enrollment_id=case.pk, at=flow.clock.at)
    flow.run(case)


def test_announced_end_is_mailed_once(flow: Flow) -> None:
    case = in_service(flow)
    cancel(flow, case)
    flow.live(case, timedelta(days=3))

    [message] = told()
    assert case.status == EnrollmentStatus.ENDED
    assert case.service_end_date is not None
    assert format_date(case.service_end_date, "en") in message.subject
    assert "provider of last resort" in message.body
    assert EvidenceEntry.objects.filter(kind="mail_sent", details__mail_kind=MailKind.SERVICE_ENDS).count() == 1
    assert case.events.filter(name="last_day_of_service").count() == 1


def test_cancellation_before_the_start_says_power_stays_on(flow: Flow) -> None:
    case = accepted(flow)
    flow.simulator.control.opt_out(str(case.light_account_uuid))
    flow.live(case, timedelta(days=3))

    [message] = told()
    assert case.status == EnrollmentStatus.ENDED
    assert "canceled before" in message.subject
    assert "stays on with the company that serves you now" in message.body


def test_end_is_announced_in_spanish(flow: Flow) -> None:
    case = in_service(flow)
    case.customer.language = Language.SPANISH
    case.customer.save()
    cancel(flow, case)

    [message] = told()
    assert case.accepted_offer is not None
    assert english_in((message.subject + message.body).replace(case.accepted_offer.name, "")) == set()


def test_restored_backup_repeats_no_old_end(flow: Flow) -> None:
    case = in_service(flow)
    hold_writes(reason="After a restore.", by=OFFICE, at=flow.clock.at, needs_reconciliation=True)
    cancel(flow, case)
    flow.live(case, timedelta(days=2))

    assert case.service_end_date is not None
    assert told() == []


def test_deceased_customer_gets_no_end_mail(flow: Flow) -> None:
    case = in_service(flow)
    poa_actions.record_stop_signal(
        customer_id=case.customer_id, kind=StopKind.DECEASED, source="Their sister called.", by=OFFICE, at=flow.clock.at
    )
    cancel(flow, case)

    assert case.service_end_date == chicago_day(flow.clock.at)
    assert told() == []


@pytest.mark.parametrize("days", [-3, -1])
def test_harmless_go_live_correction_is_recorded(flow: Flow, days: int) -> None:
    case = accepted(flow)
    correct_go_live_by(flow, case, days)
    case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)
    flow.run(case)
    assert not case.events.filter(name="go_live_corrected").exists()
    correction = case.installations.get().reports.latest("pk")
    confirm_go_live(report_id=correction.pk, by=SECOND_PERSON, at=flow.clock.at)

    for _ in range(2):
        case_opening.reconsider_site(site_id=case.site_id, at=flow.clock.at)
        flow.run(case)

    noted = case.events.get(name="go_live_corrected")
    assert "the plan stays as it is" in noted.reason
    assert not case.holds.filter(released_at__isnull=True).exists()
    assert noted.reason in [entry.detail for entry in timeline(case)]


def test_correction_past_the_start_asks_the_office(flow: Flow) -> None:
    case = accepted(flow)
    flow.pass_time(timedelta(days=20))
    correct_go_live_by(flow, case, 19)
    flow.run(case)

    assert case.holds.get(released_at__isnull=True).code == HoldCode.GO_LIVE_WITHDRAWN
    assert not case.events.filter(name="go_live_corrected").exists()


def correct_go_live_by(flow: Flow, case: Enrollment, days: int) -> None:
    report = case.installations.get().reports.get()
    flow.pass_time(timedelta(minutes=5))
    correct_go_live(
        report_id=report.pk,
        submission_id=uuid4(),
        granted_date=report.granted_date + timedelta(days=days),
        source=report.source,
        utility_reference=report.utility_reference or "WO-1",
        reason="The letter says another day.",
        by=OFFICE,
        at=flow.clock.at,
    )
