"""Which account at Light is ours, when Light knows the customer's e-mail address already."""

from datetime import timedelta

import pytest

from enrollments.actions.attesting import WrongAccount, link_account
from enrollments.actions.stopping import ReasonMissing
from enrollments.light.payloads import Account, NewAccount
from enrollments.models import Enrollment
from enrollments.states import EnrollmentStatus, HoldCode
from tests.integration.enrollments.road import OFFICE, Road


def unclear_case(road: Road) -> tuple[Enrollment, Account]:
    """A customer whom Light had before us, so that it refuses to create a second account."""
    case = road.case()
    known = NewAccount(
        email=case.customer.email, first_name=case.customer.first_name, last_name=case.customer.last_name
    )
    account = road.light.create_account(known)
    road.simulator.control.set_dialect(create_with_known_email="conflict")
    road.run(case)
    assert case.holds.get(released_at__isnull=True).code == HoldCode.ACCOUNT_UNCLEAR
    return case, account


def link(road: Road, case: Enrollment, account_uuid: str, *, reason: str = "Light's support named it.") -> None:
    road.pass_time(timedelta(minutes=10))
    link_account(
        enrollment_id=case.pk,
        account_uuid=account_uuid,
        reason=reason,
        light=road.light,
        by=OFFICE,
        at=road.clock.at,
    )


def test_a_known_e_mail_address_asks_the_office_and_linking_lets_the_case_go_on(road: Road) -> None:
    case, account = unclear_case(road)

    link(road, case, account.uuid)
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert str(case.light_account_uuid) == account.uuid
    assert len(road.acceptances_of(case)) == 1


def test_an_account_under_the_address_that_was_corrected_since_is_linked(road: Road) -> None:
    case, account = unclear_case(road)
    road.correct_address(case, "corrected@example.com")

    link(road, case, account.uuid)

    case.refresh_from_db()
    assert str(case.light_account_uuid) == account.uuid


def test_another_persons_account_is_not_linked(road: Road) -> None:
    case, _ = unclear_case(road)
    stranger = road.light.create_account(
        NewAccount(email="somebody.else@example.com", first_name="Some", last_name="Body")
    )

    with pytest.raises(WrongAccount):
        link(road, case, stranger.uuid)

    case.refresh_from_db()
    assert case.light_account_uuid is None
    assert case.holds.filter(released_at__isnull=True).exists()


def test_linking_needs_a_reason(road: Road) -> None:
    case, account = unclear_case(road)

    with pytest.raises(ReasonMissing):
        link(road, case, account.uuid, reason=" ")
