"""Which account at Light is ours, when Light knows the customer's e-mail address already: nothing is made before."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from enrollments.actions import opening
from enrollments.actions.attesting import WrongAccount, link_account
from enrollments.actions.stopping import ReasonMissing, release_hold
from enrollments.light.payloads import Account, NewAccount
from enrollments.models import Enrollment, Hold
from enrollments.states import EnrollmentStatus, HoldCode, WriteStatus
from tests.factories import installations as made
from tests.integration.enrollments.road import OFFICE, Road


def account_of(road: Road, case: Enrollment) -> Account:
    """An account that no case knows, such as that of a case which a restore lost."""
    person = case.customer
    return road.light.create_account(
        NewAccount(email=person.email, first_name=person.first_name, last_name=person.last_name)
    )


def unclear_case(road: Road) -> tuple[Enrollment, Account]:
    """A customer whom Light had before us."""
    case = road.case()
    account = account_of(road, case)
    road.run(case)
    assert case.holds.get(released_at__isnull=True).code == HoldCode.ACCOUNT_UNCLEAR
    return case, account


def accounts(road: Road) -> list[str]:
    return [account["uuid"] for account in road.simulator.control.state()["accounts"]]


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

    assert accounts(road) == [account.uuid]
    link(road, case, account.uuid)
    road.run(case)
    road.finish_at_light(case)
    road.report_pto(case)
    road.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert str(case.light_account_uuid) == account.uuid
    assert len(road.acceptances_of(case)) == 1


def test_light_itself_refuses_a_second_account_of_the_address(road: Road) -> None:
    case = road.case(tags="+dup")

    road.run(case)

    assert case.holds.get().code == HoldCode.ACCOUNT_UNCLEAR
    assert case.writes.get().status == WriteStatus.REFUSED


@pytest.mark.cell("B1")
def test_an_account_under_a_former_address_is_asked_about_too(road: Road) -> None:
    case = road.case()
    account = account_of(road, case)
    road.correct_address(case, "corrected@example.com")

    road.run(case)

    assert account.uuid in case.holds.get(released_at__isnull=True).because
    assert accounts(road) == [account.uuid]


@pytest.mark.cell("B1")
def test_an_account_that_is_not_the_customers_is_asked_about_once(road: Road) -> None:
    road.simulator.control.set_dialect(create_with_known_email="new")
    case, account = unclear_case(road)
    hold = case.holds.get()

    release_hold(hold_id=hold.pk, reason="It is her mother's.", by=OFFICE, at=road.clock.at)
    road.run(case)

    assert case.holds.get() == hold
    assert case.light_account_uuid is not None
    assert str(case.light_account_uuid) != account.uuid


@pytest.mark.cell("B1")
def test_an_account_that_is_just_being_made_for_another_case_of_the_customer_is_no_strangers(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.simulator.control.set_dialect(create_with_known_email="new")
    case = road.case()
    other_job = made.installation(road.clock.at, customer=case.customer, site=made.site(road.clock.at))
    road.sign(other_job)
    other = opening.look_again(site_id=other_job.site_id, at=road.clock.at)
    assert other is not None
    create = road.light.create_account

    def create_while_the_other_looks(new: NewAccount, *, last_look: Callable[[], None] | None = None) -> Account:
        account = create(new, last_look=last_look)
        road.run(other)
        return account

    with monkeypatch.context() as patch:
        patch.setattr(road.light, "create_account", create_while_the_other_looks)
        road.run(case)
    assert other.light_account_uuid is None
    road.live(other, timedelta(minutes=1))

    assert not Hold.objects.exists()
    assert {str(each.light_account_uuid) for each in (case, other)} == set(accounts(road))
    assert len(accounts(road)) == 2


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
