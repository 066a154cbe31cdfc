"""From a signed authority to active service, over real HTTP, in both dialects."""

from datetime import date, timedelta

import pytest

from core.dates import chicago_day
from enrollments.actions import holds
from enrollments.actions.account_reading import ask_for_reading
from enrollments.decision.steps import Waiting
from enrollments.light.payloads import Account, Location
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, LeavingReason, WriteKind, WriteStatus
from poa_documents.journal import evidence
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.integration.enrollments.road import OFFICE, Road, tight_promise

A_MONTH = timedelta(days=31)


@pytest.mark.sqlite
def test_a_case_goes_straight_through_to_active_service(road: Road) -> None:
    case = road.case()

    assert road.run(case) == Waiting.CUSTOMER_TO_FINISH
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=2), until=lambda: False)

    assert case.status == EnrollmentStatus.FINALIZED
    [acceptance] = road.acceptances_of(case)
    assert acceptance["service_start_date"] == str(case.service_start_date)
    assert acceptance["esi_id"] == case.site.esi_id

    road.live(case, A_MONTH)

    assert case.status == EnrollmentStatus.ACTIVE
    assert len(road.acceptances_of(case)) == 1
    poa = PoaDocument.objects.get(site=case.site)
    assert poa.status == PoaStatus.EXHAUSTED
    assert evidence.verify(poa).problem == ""


def test_light_hears_the_instant_of_the_signature(road: Road) -> None:
    case = road.case()

    road.run(case)

    poa = PoaDocument.objects.get(site=case.site)
    write = LightWrite.objects.get(kind=WriteKind.RECORD_CLIENT_AGENT)
    assert poa.signed_at is not None
    assert write.request["client_agent_accepted_at"] == poa.signed_at.isoformat()
    assert case.attested_poa == poa


def test_nothing_is_sent_to_light_before_the_customer_signed(road: Road) -> None:
    case = road.case(signed=False)

    assert road.run(case) == Waiting.POA_TO_BE_SENT

    assert not LightWrite.objects.exists()
    assert road.simulator.control.state()["accounts"] == []


def test_frozen_credit_is_waited_out(road: Road) -> None:
    case = road.case(tags="+frozen14")
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=3))
    assert case.next_step == Waiting.CREDIT_FROZEN
    assert case.status == EnrollmentStatus.OPEN

    road.live(case, timedelta(days=1))
    assert case.next_step == Waiting.CREDIT_FROZEN
    road.pass_time(timedelta(days=12))  # nobody looks, so the test need not walk through two weeks of readings
    road.live(case, timedelta(days=2), until=lambda: case.status == EnrollmentStatus.FINALIZED)

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(road.acceptances_of(case)) == 1


def test_pto_before_identity_and_card_waits_for_the_customer(road: Road) -> None:
    case = road.case()
    road.report_pto(case)
    road.run(case)
    assert case.next_step == Waiting.CUSTOMER_TO_FINISH
    assert case.act_by_date is not None

    road.finish_at_light(case)
    road.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED


def test_an_offer_outside_the_limits_is_held_for_a_person_and_never_accepted(road: Road) -> None:
    case = road.case(promise=tight_promise())
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)

    road.live(case, A_MONTH)

    assert case.status == EnrollmentStatus.OPEN
    hold = case.holds.get(released_at__isnull=True)
    assert hold.code == HoldCode.OUTSIDE_LIMITS
    assert "signed at most 1.5 ¢/kWh" in hold.because
    assert road.acceptances_of(case) == []


def test_a_revocation_before_the_acceptance_stops_everything(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.revoke(case)

    road.live(case, A_MONTH)

    assert case.status == EnrollmentStatus.OPEN
    assert case.holds.get(released_at__isnull=True).code == HoldCode.AUTHORITY_ENDED
    assert road.acceptances_of(case) == []


@pytest.mark.cell("L3")
def test_a_lost_answer_to_the_acceptance_is_settled_by_reading(road: Road) -> None:
    case = road.case(tags="+acceptlost")
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)

    road.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert len(road.acceptances_of(case)) == 1
    attempt = AcceptAttempt.objects.get()
    assert attempt.succeeded
    assert attempt.write.status == WriteStatus.DONE
    assert attempt.write.doubt_since is not None
    assert case.events.filter(name="lose_answer").exists()


def test_a_customer_who_opts_out_before_the_start_ends_the_case(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=2))

    road.simulator.control.opt_out(str(case.light_account_uuid))
    road.live(case, timedelta(days=3))

    assert case.status == EnrollmentStatus.ENDED
    assert "opted out" in case.ended_because


@pytest.mark.cell("L26")
def test_a_plan_the_customer_chose_himself_is_never_accepted_over(road: Road) -> None:
    case = road.case(tags="+self-enroll")
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)

    road.live(case, timedelta(days=2))

    assert case.holds.get(released_at__isnull=True).code == HoldCode.SELF_ENROLLED
    assert all(row["by_customer"] for row in road.acceptances_of(case))


def test_offers_that_went_stale_are_asked_for_again(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    pause = road.pause()
    road.report_pto(case)
    road.live(case, timedelta(hours=2))
    assert case.next_step == Waiting.PAUSED

    road.live(case, timedelta(days=9))
    road.resume(pause)
    road.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert LightWrite.objects.filter(kind=WriteKind.REQUEST_PLANS).count() == 2
    assert case.accepted_offer is not None
    assert case.accepted_at is not None
    assert case.accepted_offer.stale_at > case.accepted_at


def test_case_that_has_ended_asks_only_about_the_customer_who_left(road: Road) -> None:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=2))
    road.revoke(case)
    road.live(case, timedelta(hours=1))
    assert case.holds.get(released_at__isnull=True).code == HoldCode.REVOKED_AFTER_ACCEPTANCE

    road.simulator.control.opt_out(str(case.light_account_uuid))
    road.live(case, timedelta(days=3))

    assert case.status == EnrollmentStatus.ENDED
    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, hold.owner) == (HoldCode.CUSTOMER_LEFT, HoldOwner.OFFICE)
    assert "before it began" in hold.because
    with pytest.raises(holds.LeavingReasonMissing):
        holds.release_hold(hold_id=hold.pk, reason="Moved to another state.", by=OFFICE, at=road.clock.at)
    holds.record_leaving(
        enrollment_id=case.pk,
        left_reason=LeavingReason.MOVED,
        win_back_note="Call when the new house is ready.",
        by=OFFICE,
        at=road.clock.at,
    )
    road.live(case, timedelta(days=1))
    assert not case.holds.filter(released_at__isnull=True).exists()
    assert case.next_step == "FINISHED"
    assert (case.left_reason, case.win_back_note) == (LeavingReason.MOVED, "Call when the new house is ready.")


def case_in_service(road: Road) -> Enrollment:
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(days=30))
    assert case.status == EnrollmentStatus.ACTIVE
    return case


def test_service_that_ends_is_known_before_its_last_day(road: Road) -> None:
    case = case_in_service(road)

    road.simulator.control.cancel(str(case.light_account_uuid))
    ask_for_reading(enrollment_id=case.pk, at=road.clock.at)
    road.run(case)

    assert case.status == EnrollmentStatus.ACTIVE
    assert case.service_end_date == chicago_day(road.clock.at)
    assert case.holds.get(released_at__isnull=True).code == HoldCode.CUSTOMER_LEFT
    road.live(case, timedelta(days=2))
    assert case.status == EnrollmentStatus.ENDED
    assert case.holds.get(released_at__isnull=True).code == HoldCode.CUSTOMER_LEFT


def test_revocation_while_service_runs_reaches_the_office(road: Road) -> None:
    case = case_in_service(road)

    road.revoke(case)
    road.run(case)

    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, hold.owner) == (HoldCode.REVOKED_AFTER_ACCEPTANCE, HoldOwner.OFFICE)
    assert "this does not end it" in hold.because


def test_second_home_on_the_account_is_not_taken_for_ours(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    read_account = road.light.read_account
    second_home = Location(
        uuid="second-home", esi_id="10443720009999999", plan_uuid="other", service_start_date=date(2026, 1, 1)
    )

    def with_second_home(account_uuid: str) -> Account:
        account = read_account(account_uuid)
        return account.model_copy(update={"has_accepted_plan": True, "locations": (*account.locations, second_home)})

    monkeypatch.setattr(road.light, "read_account", with_second_home)
    case = road.case()
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=3))

    assert len(road.acceptances_of(case)) == 1
    assert case.accepted_at is not None
    assert not case.holds.filter(code=HoldCode.SELF_ENROLLED).exists()


def test_no_record_of_a_call_holds_facts_about_the_customer(road: Road) -> None:
    case = road.case()

    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=2))

    told = case.customer
    kept = repr(list(LightWrite.objects.values_list("kind", "request", "answer", "outcome")))
    assert WriteKind.FINALIZE in kept
    for fact in (told.email, str(told.phone), told.date_of_birth_text, road.simulator.app_token):
        assert fact
        assert fact not in kept
