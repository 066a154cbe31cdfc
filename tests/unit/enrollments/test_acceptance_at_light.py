"""What an answer or an account proves about an acceptance."""

from datetime import date

import pytest

from enrollments.decision.acceptance_at_light import SentAcceptance, difference, is_proven_by, is_shown_by
from enrollments.light.dialect import Dialect
from enrollments.light.payloads import Location, WriteResult, parse_write_answer

ESI_ID = "10443720000000001"
OTHER_ESI_ID = "10443720000000002"
PLAN_UUID = "33333333-3333-4333-8333-333333333333"
START = date(2026, 3, 14)
SENT = SentAcceptance(plan_uuid=PLAN_UUID, plan_name="Fixed 12", esi_id=ESI_ID, start=START)
OURS = {"uuid": "l", "utility_number": ESI_ID, "plan_uuid": PLAN_UUID, "service_start_date": START.isoformat()}
ACCOUNT = {
    "uuid": "c3f1d2b4-7a68-4e0e-9a55-0f1e2d3c4b5a",
    "email": "maria@example.com",
    "enrollment": {"has_accepted_plan": True},
}


def answered(body: object, *, status: int = 200) -> WriteResult:
    return parse_write_answer(body, status=status, dialect=Dialect())


@pytest.mark.parametrize(
    "body",
    [OURS, {"location": OURS}, {**ACCOUNT, "locations": [OURS]}, {"account": {**ACCOUNT, "locations": [OURS]}}],
    ids=["location", "inner location", "account", "inner account"],
)
def test_answer_naming_plan_meter_and_start_is_proof(body: object) -> None:
    assert is_proven_by(answered(body), SENT)


@pytest.mark.parametrize("absent", ["utility_number", "plan_uuid", "service_start_date"])
def test_answer_with_an_omission_proves_nothing(absent: str) -> None:
    answer = answered({**OURS, absent: None})

    assert not is_proven_by(answer, SENT)
    assert difference(answer.locations, SENT) == ""


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"success": False},
        {"error": "could not process", "success": False},
        {"detail": "queued"},
        {**OURS, "error": "could not process"},
        ACCOUNT,
    ],
)
def test_empty_or_error_answer_proves_nothing(body: object) -> None:
    assert not is_proven_by(answered(body), SENT)


@pytest.mark.parametrize(
    "change",
    [
        {"plan_uuid": "44444444-4444-4444-8444-444444444444"},
        {"service_start_date": "2026-03-15"},
        {"utility_number": OTHER_ESI_ID},
    ],
)
def test_every_contradiction_is_named_with_both_sides(change: dict[str, str]) -> None:
    answer = answered({**OURS, **change})

    told = difference(answer.locations, SENT)

    assert not is_proven_by(answer, SENT)
    assert all(side in told for side in (PLAN_UUID, str(START), ESI_ID, *change.values()))


def test_second_home_under_its_own_plan_proves_nothing() -> None:
    second_home = Location(
        uuid="l", esi_id=OTHER_ESI_ID, plan_uuid="44444444-4444-4444-8444-444444444444", service_start_date=START
    )

    assert not is_shown_by(second_home, SENT)
    assert difference([second_home], SENT) == ""


def test_active_service_may_have_started_another_day() -> None:
    running = Location(
        uuid="l", esi_id=ESI_ID, plan_uuid=PLAN_UUID, service_start_date=date(2026, 3, 16), is_service_active=True
    )

    assert is_shown_by(running, SENT)
