"""Which account is ours if Light already knows the customer's e-mail address: none is created before that is clear."""

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
from tests.integration.enrollments.flow import OFFICE, Flow


def account_of(flow: Flow, case: Enrollment) -> Account:
    """An account without a case, such as one whose case was lost in a restore."""
    person = case.customer
    return flow.light.create_account(
        NewAccount(email=person.email, first_name=person.first_name, last_name=person.last_name)
    )


def unclear_case(flow: Flow) -> tuple[Enrollment, Account]:
    """A customer Light knew before us."""
    case = flow.case()
    account = account_of(flow, case)
    flow.run(case)
    assert case.holds.get(released_at__isnull=True).code == HoldCode.ACCOUNT_UNCLEAR
    return case, account


def account_uuids(flow: Flow) -> list[str]:
    return [account["uuid"] for account in flow.simulator.control.state()["accounts"]]


def link(flow: Flow, case: Enrollment, account_uuid: str, *, reason: str = "Light's support named it.") -> None:
    flow.pass_time(timedelta(minutes=10))
    link_account(
        enrollment_id=case.pk,
        account_uuid=account_uuid,
        reason=reason,
        light=flow.light,
        by=OFFICE,
        at=flow.clock.at,
    )


def test_known_email_asks_the_office_and_linking_continues(flow: Flow) -> None:
    case, account = unclear_case(flow)

    assert account_uuids(flow) == [account.uuid]
    link(flow, case, account.uuid)
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.FINALIZED
    assert str(case.light_account_uuid) == account.uuid
    assert len(flow.acceptances_of(case)) == 1


def test_light_refuses_a_second_account_for_the_address(flow: Flow) -> None:
    case = flow.case(tags="+dup")

    flow.run(case)

    assert case.holds.get().code == HoldCode.ACCOUNT_UNCLEAR
    assert case.writes.get().status == WriteStatus.REFUSED


@pytest.mark.cell("B1")
def test_account_under_a_former_address_is_asked_about_too(flow: Flow) -> None:
    case = flow.case()
    account = account_of(flow, case)
    flow.correct_address(case, "corrected@example.com")
    flow.prove_corrected_address(case)

    flow.run(case)

    assert account.uuid in case.holds.get(released_at__isnull=True).because
    assert account_uuids(flow) == [account.uuid]


def reject_account(flow: Flow, case: Enrollment) -> None:
    hold = case.holds.get(released_at__isnull=True)
    release_hold(hold_id=hold.pk, reason="It is her mother's.", by=OFFICE, at=flow.clock.at)


@pytest.mark.cell("B1")
@pytest.mark.parametrize("fault", ["none", "drop_before", "drop_after"])
def test_strangers_account_is_asked_about_once_and_never_used(flow: Flow, fault: str) -> None:
    flow.simulator.control.set_dialect(create_with_known_email="new")
    case, account = unclear_case(flow)
    hold = case.holds.get()
    if fault != "none":
        flow.simulator.control.inject_fault("create", fault)

    reject_account(flow, case)
    flow.run(case)
    flow.live(case, timedelta(hours=1))

    assert case.holds.get() == hold
    assert case.light_account_uuid is not None
    assert str(case.light_account_uuid) != account.uuid
    assert len(account_uuids(flow)) == 2


@pytest.mark.cell("B1")
def test_strangers_account_returned_by_light_is_not_used(flow: Flow) -> None:
    flow.simulator.control.set_dialect(create_with_known_email="return_old")
    case, account = unclear_case(flow)

    reject_account(flow, case)
    flow.run(case)

    hold = case.holds.get(released_at__isnull=True)
    assert (hold.code, case.light_account_uuid) == (HoldCode.ACCOUNT_UNCLEAR, None)
    assert account.uuid in hold.because


def other_case(flow: Flow, case: Enrollment) -> Enrollment:
    """A case at another site of the same customer."""
    job = made.installation(flow.clock.at, customer=case.customer, site=made.site(flow.clock.at))
    flow.sign(job)
    other = case_opening.reconsider_site(site_id=job.site_id, at=flow.clock.at)
    assert other is not None
    return other


def test_account_of_the_customers_other_case_is_not_used(flow: Flow) -> None:
    flow.simulator.control.set_dialect(create_with_known_email="return_old")
    case = flow.case()
    flow.run(case)
    other = other_case(flow, case)

    flow.run(other)

    hold = other.holds.get()
    assert (hold.code, other.light_account_uuid) == (HoldCode.ACCOUNT_UNCLEAR, None)
    assert str(case.light_account_uuid) in hold.because


@pytest.mark.cell("B1")
@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_account_for_a_closed_case_blocks_no_other(flow: Flow, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.simulator.control.set_dialect(create_with_known_email="new")
    case = flow.case()
    flow.run(case)
    closed = other_case(flow, case)
    create = flow.light.create_account

    def create_and_lose_it(new: NewAccount, *, before_send: Callable[[], None] | None = None) -> Account:
        flow.simulator.control.inject_fault("create", fault)
        flow.simulator.control.inject_fault("list", "error_before", status=503, times=None)
        return create(new, before_send=before_send)

    with monkeypatch.context() as patch:
        patch.setattr(flow.light, "create_account", create_and_lose_it)
        flow.run(closed)
    assert closed.writes.get().status == WriteStatus.IN_DOUBT
    close_enrollment(enrollment_id=closed.pk, reason="Not this site.", by=OFFICE, at=flow.clock.at)
    flow.simulator.control.clear_faults()

    other = other_case(flow, case)
    flow.live(other, timedelta(hours=1))

    is_asked = other.holds.filter(code=HoldCode.ACCOUNT_UNCLEAR, released_at__isnull=True).exists()
    assert is_asked == (fault == "drop_after")
    assert is_asked or other.light_account_uuid is not None


@pytest.mark.cell("B1")
def test_unanswered_account_is_asked_about_again(flow: Flow) -> None:
    case = flow.case(signed=False)
    first = account_of(flow, case)
    accounts.hold_for_unlinked_accounts(case.pk, [first.uuid], at=flow.clock.at)
    flow.simulator.control.set_dialect(create_with_known_email="new")
    second = account_of(flow, case)
    accounts.hold_for_unlinked_accounts(case.pk, [second.uuid], at=flow.clock.at)

    reject_account(flow, case)
    flow.sign(case.installations.get())
    flow.run(case)

    assert first.uuid in case.holds.get(released_at__isnull=True).because
    assert set(account_uuids(flow)) == {first.uuid, second.uuid}


def test_account_linked_since_then_is_not_asked_about(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)

    assert not accounts.hold_for_unlinked_accounts(case.pk, [str(case.light_account_uuid)], at=flow.clock.at)

    assert not case.holds.exists()


@pytest.mark.cell("B1")
def test_account_being_created_for_another_case_is_not_unknown(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.simulator.control.set_dialect(create_with_known_email="new")
    case = flow.case()
    other = other_case(flow, case)
    create = flow.light.create_account

    def create_during_the_others_search(new: NewAccount, *, before_send: Callable[[], None] | None = None) -> Account:
        account = create(new, before_send=before_send)
        flow.run(other)
        return account

    with monkeypatch.context() as patch:
        patch.setattr(flow.light, "create_account", create_during_the_others_search)
        flow.run(case)
    assert other.light_account_uuid is None
    flow.live(other, timedelta(minutes=1))

    assert not Hold.objects.exists()
    assert {str(each.light_account_uuid) for each in (case, other)} == set(account_uuids(flow))
    assert len(account_uuids(flow)) == 2


def test_account_under_the_corrected_address_is_linked(flow: Flow) -> None:
    case, account = unclear_case(flow)
    flow.correct_address(case, "corrected@example.com")

    link(flow, case, account.uuid)

    case.refresh_from_db()
    assert str(case.light_account_uuid) == account.uuid


def test_another_persons_account_is_not_linked(flow: Flow) -> None:
    case, _ = unclear_case(flow)
    stranger = flow.light.create_account(
        NewAccount(email="somebody.else@example.com", first_name="Some", last_name="Body")
    )

    with pytest.raises(WrongAccount):
        link(flow, case, stranger.uuid)

    case.refresh_from_db()
    assert case.light_account_uuid is None
    assert case.holds.filter(released_at__isnull=True).exists()


def test_linking_needs_a_reason(flow: Flow) -> None:
    case, account = unclear_case(flow)

    with pytest.raises(ReasonMissing):
        link(flow, case, account.uuid, reason=" ")
