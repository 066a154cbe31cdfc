"""What customers read about their case: in both languages, for every state, and without office internals."""

import re
import tomllib
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from core.dates import chicago_day
from enrollments.customer_home.progress import PHRASES_FILE, MilestoneState, Progress, progress
from enrollments.decision.customer_message import customer_state
from enrollments.decision.decide import decide
from enrollments.decision.facts import Facts, HoldFacts
from enrollments.decision.gates import gates
from enrollments.decision.steps import Hold, ReadAccount, Step, Wait, Waiting
from enrollments.light.payloads import LightStage
from enrollments.models import Enrollment, PlanOffer
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner
from poa_documents.models import Envelope, PoaDocument
from poa_documents.states import PoaStatus
from tests.unit.enrollments.facts_of_a_case import (
    ACCEPTED,
    ACCOUNT,
    AUTHORITY,
    NOT_LIVE,
    NOW,
    POLICY,
    READY_TO_ACCEPT,
)

SECTIONS = tomllib.loads(PHRASES_FILE.read_text(encoding="utf-8"))
OFFER = PlanOffer(
    name="Fixed 12",
    average_cents_per_kwh_1000=Decimal("14.900000"),
    term_months=12,
    termination_fee_dollars=Decimal(150),
    efl_url="https://light.example/efl.pdf",
    tos_url="https://light.example/tos.pdf",
    yrac_url="",
)
ENVELOPE = Envelope(
    plan_name="Fixed",
    esi_id="10443720000000001",
    rate_kind="FIXED",
    max_average_cents_per_kwh_500=Decimal("18.5"),
    max_average_cents_per_kwh_1000=Decimal("16.9"),
    max_average_cents_per_kwh_2000=Decimal("16.1"),
    max_base_fee_dollars=Decimal("9.95"),
    max_term_months=12,
    max_termination_fee_dollars=Decimal(150),
    min_buyback_cents_per_kwh=Decimal("3.0"),
    earliest_start_date=date(2026, 3, 2),
    latest_start_date=date(2026, 5, 1),
    sunset_date=date(2026, 6, 1),
)
COLLECTING = replace(ACCOUNT, stage=LightStage.COLLECTING, missing=("identity", "payment_method"))
OFFICE_WORDS = "Our dialect is wrong, says Ann of the back office."


def seen(facts: Facts, step: Step | None = None, *, language: str = "en", offer: PlanOffer | None = None) -> Progress:
    """What the customer reads after `step` was decided from `facts` and stored."""
    authority, account = facts.authority, facts.account
    told = customer_state(facts, step or decide(facts, now=NOW, policy=POLICY), now=NOW, policy=POLICY)
    stored = decide(facts, now=NOW, policy=POLICY)
    case = Enrollment(
        status=facts.status,
        customer_code=told.code,
        customer_until_date=told.until,
        act_by_date=getattr(stored, "act_by", None),
        gates=[{"name": gate.name, "is_open": gate.is_open} for gate in gates(facts, now=NOW, policy=POLICY)],
        service_start_date=facts.accepted_start,
        service_end_date=facts.service_end,
        accepted_at=facts.accepted_at,
        active_at=facts.active_at,
        held_by_customer_at=facts.held_by_customer_since,
        light_account_uuid=account.uuid if account else None,
        readings_asked=int(account is not None and account.is_reading_requested),
    )
    return shown(case, authority.status if authority else PoaStatus.SIGNED, facts=facts, language=language, offer=offer)


def shown(
    case: Enrollment,
    poa_status: PoaStatus = PoaStatus.SIGNED,
    *,
    facts: Facts = READY_TO_ACCEPT,
    is_outdated: bool = False,
    language: str = "en",
    offer: PlanOffer | None = None,
) -> Progress:
    return progress(
        case,
        PoaDocument(status=poa_status, envelope=ENVELOPE),
        is_outdated=is_outdated,
        missing=facts.account.missing if facts.account else (),
        notice=None,
        offer=offer,
        language=language,
        contact="the office",
    )


def states(shown: Progress) -> list[MilestoneState]:
    return [milestone.state for milestone in shown.milestones]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_phrase_has_both_languages_and_equal_placeholders(section: str) -> None:
    for versions in SECTIONS[section].values():
        assert set(versions) == {"en", "es"}
        assert all(versions.values())
        assert re.findall(r"{\w+}", versions["en"]) == re.findall(r"{\w+}", versions["es"])


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("code", Waiting)
def test_every_wait_has_customer_text(code: Waiting, language: str) -> None:
    shown = seen(READY_TO_ACCEPT, Wait(until=None, code=code, because=OFFICE_WORDS), language=language)

    assert shown.title
    assert OFFICE_WORDS not in repr(shown)


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("code", HoldCode)
def test_every_hold_has_customer_text_without_office_reasons(code: HoldCode, language: str) -> None:
    shown = seen(READY_TO_ACCEPT, Hold(code, HoldOwner.OPERATIONS, because=OFFICE_WORDS), language=language)

    assert shown.title
    assert OFFICE_WORDS not in repr(shown)
    assert shown.tone == "warn"


def test_our_own_trouble_is_shown_as_being_checked() -> None:
    for code in (
        HoldCode.WRONG_DIALECT,
        HoldCode.NOT_AUTHORIZED,
        HoldCode.REPEATED_FAILURES,
        HoldCode.REFUSED_BY_LIGHT,
    ):
        assert seen(READY_TO_ACCEPT, Hold(code, HoldOwner.OPERATIONS, because="x")).code == "CHECKING"


def test_remaining_steps_are_listed_with_a_deadline() -> None:
    shown = seen(replace(READY_TO_ACCEPT, account=COLLECTING))

    assert shown.can_continue_at_light
    assert shown.todo == ("your name, date of birth and identity", "a card for your electricity bills")
    assert "July" in shown.act_by
    assert states(shown) == ["done", "yours", "done", "ahead", "ahead"]


def test_frozen_credit_is_the_customers_turn_outside_light() -> None:
    shown = seen(replace(READY_TO_ACCEPT, account=replace(ACCOUNT, stage=LightStage.FROZEN)))

    assert (shown.is_customers_turn, shown.can_continue_at_light) == (True, False)


def test_finished_customer_waits_for_their_equipment() -> None:
    shown = seen(replace(READY_TO_ACCEPT, go_live=NOT_LIVE))

    assert (shown.code, shown.is_customers_turn) == (Waiting.GO_LIVE, False)
    assert states(shown) == ["done", "done", "ahead", "ahead", "ahead"]


def test_signature_is_shown_during_cancellation_days_and_storing() -> None:
    embargo = replace(READY_TO_ACCEPT.go_live, embargo_end=chicago_day(NOW))
    storing = replace(AUTHORITY, status=PoaStatus.SEALING, is_sealed=False)

    for facts, code in (
        (replace(READY_TO_ACCEPT, go_live=embargo), Waiting.EMBARGO),
        (replace(READY_TO_ACCEPT, authority=storing), Waiting.DOCUMENT_TO_BE_STORED),
    ):
        shown = seen(facts)

        assert shown.code == code
        assert states(shown)[0] == "done"


def test_missing_steps_are_named_during_automatic_work() -> None:
    shown = seen(replace(READY_TO_ACCEPT, account=COLLECTING), ReadAccount(because="x"))

    assert shown.code == Waiting.CUSTOMER_TO_FINISH


def test_open_hold_is_not_hidden_by_a_reading() -> None:
    hold = HoldFacts(hold_id=1, code=HoldCode.NO_PLANS, because="x", owner=HoldOwner.OFFICE, since=NOW)

    assert seen(replace(READY_TO_ACCEPT, hold=hold), ReadAccount(because="x")).code == HoldCode.NO_PLANS


def test_reading_in_progress_is_shown() -> None:
    asked = replace(COLLECTING, is_reading_requested=True)

    assert seen(replace(READY_TO_ACCEPT, account=asked)).is_being_checked


def test_accepted_plan_shows_documents_start_and_opt_out() -> None:
    shown = seen(replace(ACCEPTED, status=EnrollmentStatus.FINALIZED), offer=OFFER)

    assert shown.plan is not None
    assert shown.plan.rows == (
        ("Service starts", "March 14, 2026"),
        ("Plan", "Fixed 12"),
        ("Last day to rescind free of charge", "March 10, 2026"),
    )
    assert [document.url for document in shown.plan.documents] == [OFFER.efl_url, OFFER.tos_url]
    assert "until service starts on March 14, 2026" in shown.plan.opt_out
    assert "the office" in shown.plan.opt_out
    assert states(shown) == ["done", "done", "done", "done", "ahead"]


def test_active_service_offers_no_opt_out() -> None:
    shown = seen(replace(ACCEPTED, status=EnrollmentStatus.ACTIVE, active_at=NOW), offer=OFFER, language="es")

    assert shown.plan is not None
    assert shown.plan.opt_out == ""
    assert shown.plan.rows[0] == ("El servicio empezó", "14 de marzo de 2026")
    assert set(states(shown)) == {MilestoneState.DONE}


def test_revoked_case_promises_nothing_more() -> None:
    revoked = replace(AUTHORITY, status=PoaStatus.REVOKED)

    assert seen(replace(READY_TO_ACCEPT, authority=revoked)).code == HoldCode.AUTHORITY_ENDED


def test_suspended_authority_is_shown_as_being_checked() -> None:
    suspended = replace(AUTHORITY, status=PoaStatus.SUSPENDED)

    assert seen(replace(READY_TO_ACCEPT, authority=suspended)).code == "CHECKING"


def test_end_of_the_cancellation_days_is_named() -> None:
    end = date(2026, 3, 9)
    embargoed = replace(READY_TO_ACCEPT, go_live=replace(READY_TO_ACCEPT.go_live, embargo_end=end))

    assert "March 9, 2026" in seen(embargoed).text
    assert "9 de marzo de 2026" in seen(embargoed, language="es").text


def test_distant_start_names_the_day_we_begin() -> None:
    wait = Wait(until=NOW + timedelta(days=10), code=Waiting.START_TOO_FAR, because="x")

    assert "March 15, 2026" in seen(READY_TO_ACCEPT, wait).text
