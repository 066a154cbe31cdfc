"""From a signed authority to active service, over real HTTP, in both dialects."""

from datetime import date, timedelta

import pytest

from core.dates import chicago_day
from enrollments.actions import holds
from enrollments.actions.account_reading import request_reading
from enrollments.decision.steps import Waiting
from enrollments.light.payloads import Account, Location
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, LeavingReason, WriteKind, WriteStatus
from poa_documents.journal import chain
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.integration.enrollments.flow import OFFICE, Flow, tight_promise

A_MONTH = timedelta(days=31)


@pytest.mark.sqlite
def test_case_goes_straight_to_active_service(flow: Flow) -> None:
    case = flow.case()

    assert flow.run(case) == Waiting.CUSTOMER_TO_FINISH
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2), until=lambda: False)

    assert case.status == EnrollmentStatus.FINALIZED
    [acceptance] = flow.acceptances_of(case)
    assert acceptance["service_start_date"] == str(case.service_start_date)
    assert acceptance["esi_id"] == case.site.esi_id

    flow.live(case, A_MONTH)

    assert case.status == EnrollmentStatus.ACTIVE
    assert len(flow.acceptances_of(case)) == 1
    poa = PoaDocument.objects.get(site=case.site)
    assert poa.status == PoaStatus.EXHAUSTED
    assert chain.verify(poa).problem == ""


def test_light_receives_the_signing_instant(flow: Flow) -> None:
    case = flow.case()

    flow.run(case)

    poa = PoaDocument.objects.get(site=case.site)
    write = LightWrite.objects.get(kind=WriteKind.RECORD_CLIENT_AGENT)
    assert poa.signed_at is not None
    assert write.request["client_agent_accepted_at"] == poa.signed_at.isoformat()
    assert case.attested_poa == poa


@pytest.mark.one_dialect
def test_nothing_is_sent_to_light_before_the_signature(flow: Flow) -> None:
    case = flow.case(signed=False)

    assert flow.run(case) == Waiting.POA_TO_BE_SENT

    assert not LightWrite.objects.exists()
    assert flow.simulator.control.state()["accounts"] == []


def test_frozen_credit_delays_the_case(flow: Flow) -> None:
    case = flow.case(tags="+frozen14")
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=3))
    assert case.next_step == Waiting.CREDIT_FROZEN
    assert case.status == EnrollmentStatus.OPEN

    flow.live(case, timedelta(days=1))
    assert case.next_step == Waiting.CREDIT_FROZEN
    flow.pass_time(timedelta(days=12))  # nobody looks, so the test can skip two weeks of readings
    flow.live(case, timedelta(days=2), until=lambda: case.status == EnrollmentStatus.FINALIZED)

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(flow.acceptances_of(case)) == 1


@pytest.mark.one_dialect
def test_pto_before_readiness_waits_for_the_customer(flow: Flow) -> None:
    case = flow.case()
    flow.report_pto(case)
    flow.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_FINISH
    assert case.act_by_date is not None

    flow.finish_at_light(case)
    flow.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED


@pytest.mark.one_dialect
def test_offer_outside_the_limits_is_held_and_never_accepted(flow: Flow) -> None:
    case = flow.case(promise=tight_promise())
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)

    flow.live(case, A_MONTH)

    assert case.status == EnrollmentStatus.OPEN
    hold = case.holds.get(released_at__isnull=True)
    assert hold.code == HoldCode.OUTSIDE_LIMITS
    assert "signed at most 1.5 ¢/kWh" in hold.because
    assert flow.acceptances_of(case) == []


@pytest.mark.cell("L3")
def test_lost_acceptance_answer_is_settled_by_reading(flow: Flow) -> None:
    case = flow.case(tags="+acceptlost")
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)

    flow.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(flow.acceptances_of(case)) == 1
    attempt = AcceptAttempt.objects.get()
    assert attempt.succeeded
    assert attempt.write.status == WriteStatus.DONE
    assert attempt.write.doubt_since is not None
    assert case.events.filter(name="mark_in_doubt").exists()


def test_opt_out_before_the_start_ends_the_case(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))

    flow.simulator.control.opt_out(str(case.light_account_uuid))
    flow.live(case, timedelta(days=3))

    assert case.status == EnrollmentStatus.ENDED
    assert "opted out" in case.ended_because


@pytest.mark.cell("L26")
def test_nothing_is_accepted_over_a_self_enrolled_plan(flow: Flow) -> None:
    case = flow.case(tags="+self-enroll")
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)

    flow.live(case, timedelta(days=2))

    assert case.holds.get(released_at__isnull=True).code == HoldCode.SELF_ENROLLED
    assert all(row["by_customer"] for row in flow.acceptances_of(case))


def test_ended_case_asks_only_about_the_departed_customer(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))
    flow.revoke(case)
    flow.live(case, timedelta(hours=1))
    assert case.holds.get(released_at__isnull=True).code == HoldCode.REVOKED_AFTER_ACCEPTANCE

    flow.simulator.control.opt_out(str(case.light_account_uuid))
    flow.live(case, timedelta(days=3))

    assert case.status == EnrollmentStatus.ENDED
    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, hold.owner) == (HoldCode.CUSTOMER_LEFT, HoldOwner.OFFICE)
    assert "before it began" in hold.because
    with pytest.raises(holds.LeavingReasonMissing):
        holds.release_hold(hold_id=hold.pk, reason="Moved to another state.", by=OFFICE, at=flow.clock.at)
    holds.record_leaving(
        enrollment_id=case.pk,
        left_reason=LeavingReason.MOVED,
        win_back_note="Call when the new house is ready.",
        by=OFFICE,
        at=flow.clock.at,
    )
    flow.live(case, timedelta(days=1))
    assert not case.holds.filter(released_at__isnull=True).exists()
    assert case.next_step == "FINISHED"
    assert (case.left_reason, case.win_back_note) == (LeavingReason.MOVED, "Call when the new house is ready.")


def case_in_service(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(days=30))
    assert case.status == EnrollmentStatus.ACTIVE
    return case


def test_ending_service_is_known_before_its_last_day(flow: Flow) -> None:
    case = case_in_service(flow)

    flow.simulator.control.cancel(str(case.light_account_uuid))
    request_reading(enrollment_id=case.pk, at=flow.clock.at)
    flow.run(case)

    assert case.status == EnrollmentStatus.ACTIVE
    assert case.service_end_date == chicago_day(flow.clock.at)
    assert case.holds.get(released_at__isnull=True).code == HoldCode.CUSTOMER_LEFT
    flow.live(case, timedelta(days=2))
    assert case.status == EnrollmentStatus.ENDED
    assert case.holds.get(released_at__isnull=True).code == HoldCode.CUSTOMER_LEFT


@pytest.mark.one_dialect
def test_revocation_during_service_reaches_the_office(flow: Flow) -> None:
    case = case_in_service(flow)

    flow.revoke(case)
    flow.run(case)

    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, hold.owner) == (HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE)
    assert "this does not end it" in hold.because


def test_second_home_on_the_account_is_not_ours(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    read_account = flow.light.read_account
    second_home = Location(
        uuid="second-home", esi_id="10443720009999999", plan_uuid="other", service_start_date=date(2026, 1, 1)
    )

    def with_second_home(account_uuid: str) -> Account:
        account = read_account(account_uuid)
        return account.model_copy(update={"has_accepted_plan": True, "locations": (*account.locations, second_home)})

    monkeypatch.setattr(flow.light, "read_account", with_second_home)
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=3))

    assert len(flow.acceptances_of(case)) == 1
    assert case.accepted_at is not None
    assert not case.holds.filter(code=HoldCode.SELF_ENROLLED).exists()


def test_call_records_hold_no_customer_data(flow: Flow) -> None:
    case = flow.case()

    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))

    told = case.customer
    kept = repr(list(LightWrite.objects.values_list("kind", "request", "answer", "outcome")))
    assert WriteKind.FINALIZE in kept
    for fact in (told.email, str(told.phone), told.date_of_birth_text, flow.simulator.app_token):
        assert fact
        assert fact not in kept
