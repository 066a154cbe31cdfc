"""Every way in which an account can differ from our records has a name and a proposed repair."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from enrollments.decision.account_differences import REPAIRS, Finding, OurRecord, compare
from enrollments.decision.policy import Policy
from enrollments.light.dialect import Dialect
from enrollments.light.payloads import Account, Location
from enrollments.states import DifferenceKind, EnrollmentStatus

NOW = datetime(2026, 3, 5, 18, tzinfo=UTC)
START = date(2026, 3, 20)
ESI_ID = "10443720000000001"
PLAN = "33333333-3333-4333-8333-333333333333"
OTHER_PLAN = "33333333-3333-4333-8333-444444444444"
OPEN = OurRecord(EnrollmentStatus.OPEN)
ACCEPTED = OurRecord(
    EnrollmentStatus.ACCEPTED,
    accepted_plan_uuid=PLAN,
    accepted_esi_id=ESI_ID,
    accepted_start=START,
    last_step_at=NOW - timedelta(days=1),
)
FINALIZED = replace(ACCEPTED, status=EnrollmentStatus.FINALIZED)
ACTIVE = replace(ACCEPTED, status=EnrollmentStatus.ACTIVE)

PLACE = Location(uuid="a", esi_id=ESI_ID, plan_uuid=PLAN, service_start_date=START)
AT_LIGHT = Account(uuid="11111111-1111-4111-8111-111111111111")
AT_LIGHT_ACCEPTED = AT_LIGHT.model_copy(update={"has_accepted_plan": True, "locations": (PLACE,)})
AT_LIGHT_FINALIZED = AT_LIGHT_ACCEPTED.model_copy(update={"is_enrollment_finalized": True})
AT_LIGHT_ACTIVE = AT_LIGHT_FINALIZED.model_copy(update={"is_service_active": True})


def found(ours: OurRecord, account: Account) -> Finding | None:
    return compare(ours, account, now=NOW, policy=Policy(), known_statuses=Dialect().known_statuses)


def at_light(account: Account, **place: object) -> Account:
    return account.model_copy(update={"locations": (PLACE.model_copy(update=place),)})


@pytest.mark.parametrize(
    ("ours", "account"),
    [
        (OPEN, AT_LIGHT),
        (ACCEPTED, AT_LIGHT_ACCEPTED),
        (ACCEPTED, AT_LIGHT_ACCEPTED.model_copy(update={"locations": ()})),
        (ACCEPTED, at_light(AT_LIGHT_ACCEPTED, plan_uuid=None, service_start_date=None)),
        (ACCEPTED, at_light(AT_LIGHT_ACCEPTED, plan_uuid=PLAN.upper())),
        (FINALIZED, AT_LIGHT_FINALIZED),
        (ACTIVE, AT_LIGHT_ACTIVE),
        (ACTIVE, at_light(AT_LIGHT_ACTIVE, service_start_date=START + timedelta(days=2))),
        (replace(ACCEPTED, status=EnrollmentStatus.ENDED), AT_LIGHT_ACCEPTED),
    ],
)
def test_matching_records_are_no_difference(ours: OurRecord, account: Account) -> None:
    assert found(ours, account) is None


@pytest.mark.parametrize(
    ("ours", "account", "kind"),
    [
        (OPEN, AT_LIGHT_ACCEPTED, DifferenceKind.ACCEPTED_UNKNOWN_TO_US),
        (OPEN, AT_LIGHT_ACTIVE, DifferenceKind.ACCEPTED_UNKNOWN_TO_US),
        (OurRecord(EnrollmentStatus.ENDED), AT_LIGHT_ACCEPTED, DifferenceKind.ACCEPTED_UNKNOWN_TO_US),
        (ACCEPTED, at_light(AT_LIGHT_ACCEPTED, plan_uuid=OTHER_PLAN), DifferenceKind.ACCEPTED_DIFFERENTLY),
        (
            ACCEPTED,
            at_light(AT_LIGHT_ACCEPTED, service_start_date=START + timedelta(days=1)),
            DifferenceKind.ACCEPTED_DIFFERENTLY,
        ),
        (ACCEPTED, AT_LIGHT_FINALIZED, DifferenceKind.FINALIZED_AT_LIGHT),
        (ACCEPTED, AT_LIGHT_ACTIVE, DifferenceKind.ACTIVE_AT_LIGHT),
        (FINALIZED, AT_LIGHT_ACTIVE, DifferenceKind.ACTIVE_AT_LIGHT),
        (
            FINALIZED,
            at_light(AT_LIGHT_FINALIZED, final_service_date=date(2026, 3, 1)),
            DifferenceKind.ENDED_AT_LIGHT,
        ),
        (ACCEPTED, AT_LIGHT, DifferenceKind.NOT_SHOWN_AT_LIGHT),
        (FINALIZED, AT_LIGHT_ACCEPTED, DifferenceKind.NOT_SHOWN_AT_LIGHT),
        (ACTIVE, AT_LIGHT_FINALIZED, DifferenceKind.NOT_SHOWN_AT_LIGHT),
        (replace(OPEN, is_unsettled=True), AT_LIGHT_ACCEPTED, DifferenceKind.UNDER_WAY),
        (OurRecord(EnrollmentStatus.IN_DOUBT), AT_LIGHT, DifferenceKind.UNDER_WAY),
        (
            OPEN,
            AT_LIGHT.model_copy(update={"unreadable_fields": ("enrollment.has_accepted_plan",)}),
            DifferenceKind.UNREADABLE,
        ),
    ],
)
def test_every_difference_is_named(ours: OurRecord, account: Account, kind: DifferenceKind) -> None:
    finding = found(ours, account)

    assert finding is not None
    assert finding.kind == kind
    assert finding.ours
    assert finding.theirs


def test_recent_changes_may_not_show_yet() -> None:
    finding = found(replace(ACCEPTED, last_step_at=NOW - timedelta(minutes=1)), AT_LIGHT)

    assert finding is not None
    assert finding.kind == DifferenceKind.UNDER_WAY


def test_every_difference_has_a_proposed_repair() -> None:
    assert set(REPAIRS) == set(DifferenceKind)
    assert all(REPAIRS.values())
