"""Which account at Light is ours, when Light knows the customer's e-mail address already: nothing is made before."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from core.errors import ReasonMissing
from enrollments.actions import accounts, case_opening
from enrollments.actions.accounts import WrongAccount, link_account
from enrollments.actions.closing import close_enrollment
from enrollments.actions.holds import release_hold
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


def account_uuids(road: Road) -> list[str]:
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

    assert account_uuids(road) == [account.uuid]
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
    road.prove_corrected_address(case)

    road.run(case)

    assert account.uuid in case.holds.get(released_at__isnull=True).because
    assert account_uuids(road) == [account.uuid]


def say_it_is_not_hers(road: Road, case: Enrollment) -> None:
    hold = case.holds.get(released_at__isnull=True)
    release_hold(hold_id=hold.pk, reason="It is her mother's.", by=OFFICE, at=road.clock.at)


@pytest.mark.cell("B1")
@pytest.mark.parametrize("fault", ["none", "drop_before", "drop_after"])
def test_an_account_that_is_not_the_customers_is_asked_about_once_and_never_taken(road: Road, fault: str) -> None:
    road.simulator.control.set_dialect(create_with_known_email="new")
    case, account = unclear_case(road)
    hold = case.holds.get()
    if fault != "none":
        road.simulator.control.inject_fault("create", fault)

    say_it_is_not_hers(road, case)
    road.run(case)
    road.live(case, timedelta(hours=1))

    assert case.holds.get() == hold
    assert case.light_account_uuid is not None
    assert str(case.light_account_uuid) != account.uuid
    assert len(account_uuids(road)) == 2


@pytest.mark.cell("B1")
def test_light_hands_over_the_account_that_is_not_the_customers_and_the_case_does_not_take_it(road: Road) -> None:
    road.simulator.control.set_dialect(create_with_known_email="return_old")
    case, account = unclear_case(road)

    say_it_is_not_hers(road, case)
    road.run(case)

    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, case.light_account_uuid) == (HoldCode.ACCOUNT_UNCLEAR, None)
    assert account.uuid in hold.because


def other_case(road: Road, case: Enrollment) -> Enrollment:
    """A case at another site of the same customer."""
    job = made.installation(road.clock.at, customer=case.customer, site=made.site(road.clock.at))
    road.sign(job)
    other = case_opening.look_again(site_id=job.site_id, at=road.clock.at)
    assert other is not None
    return other


def test_light_hands_over_the_account_of_the_customers_other_case_and_this_one_does_not_take_it(road: Road) -> None:
    road.simulator.control.set_dialect(create_with_known_email="return_old")
    case = road.case()
    road.run(case)
    other = other_case(road, case)

    road.run(other)

    hold = other.holds.get()
    assert (hold.code, other.light_account_uuid) == (HoldCode.ACCOUNT_UNCLEAR, None)
    assert str(case.light_account_uuid) in hold.because


@pytest.mark.cell("B1")
@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_an_account_that_was_on_its_way_to_a_closed_case_keeps_no_other_case_waiting(
    road: Road, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.simulator.control.set_dialect(create_with_known_email="new")
    case = road.case()
    road.run(case)
    closed = other_case(road, case)
    create = road.light.create_account

    def create_and_lose_it(new: NewAccount, *, before_send: Callable[[], None] | None = None) -> Account:
        road.simulator.control.inject_fault("create", fault)
        road.simulator.control.inject_fault("list", "error_before", status=503, times=None)
        return create(new, before_send=before_send)

    with monkeypatch.context() as patch:
        patch.setattr(road.light, "create_account", create_and_lose_it)
        road.run(closed)
    assert closed.writes.get().status == WriteStatus.IN_DOUBT
    close_enrollment(enrollment_id=closed.pk, reason="Not this site.", by=OFFICE, at=road.clock.at)
    road.simulator.control.clear_faults()

    other = other_case(road, case)
    road.live(other, timedelta(hours=1))

    is_asked = other.holds.filter(code=HoldCode.ACCOUNT_UNCLEAR, released_at__isnull=True).exists()
    assert is_asked == (fault == "drop_after")
    assert is_asked or other.light_account_uuid is not None


@pytest.mark.cell("B1")
def test_an_account_about_which_nobody_answered_is_asked_about_again(road: Road) -> None:
    case = road.case(signed=False)
    first = account_of(road, case)
    accounts.ask_whose_accounts(case.pk, [first.uuid], at=road.clock.at)
    road.simulator.control.set_dialect(create_with_known_email="new")
    second = account_of(road, case)
    accounts.ask_whose_accounts(case.pk, [second.uuid], at=road.clock.at)

    say_it_is_not_hers(road, case)
    road.sign(case.installations.get())
    road.run(case)

    assert first.uuid in case.holds.get(released_at__isnull=True).because
    assert set(account_uuids(road)) == {first.uuid, second.uuid}


def test_nobody_is_asked_about_an_account_that_was_linked_meanwhile(road: Road) -> None:
    case = road.case()
    road.run(case)

    assert not accounts.ask_whose_accounts(case.pk, [str(case.light_account_uuid)], at=road.clock.at)

    assert not case.holds.exists()


@pytest.mark.cell("B1")
def test_an_account_that_is_just_being_made_for_another_case_of_the_customer_is_no_strangers(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.simulator.control.set_dialect(create_with_known_email="new")
    case = road.case()
    other = other_case(road, case)
    create = road.light.create_account

    def create_while_the_other_looks(new: NewAccount, *, before_send: Callable[[], None] | None = None) -> Account:
        account = create(new, before_send=before_send)
        road.run(other)
        return account

    with monkeypatch.context() as patch:
        patch.setattr(road.light, "create_account", create_while_the_other_looks)
        road.run(case)
    assert other.light_account_uuid is None
    road.live(other, timedelta(minutes=1))

    assert not Hold.objects.exists()
    assert {str(each.light_account_uuid) for each in (case, other)} == set(account_uuids(road))
    assert len(account_uuids(road)) == 2


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
