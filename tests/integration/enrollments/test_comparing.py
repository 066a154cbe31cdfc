"""Every account at Light is compared with our records, over real HTTP; the comparison itself only reads."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction

from enrollments.actions import case_opening, reconciliation
from enrollments.actions.reconciliation import RunFinished
from enrollments.engine.locked_case import lock_case
from enrollments.light.errors import NotReached
from enrollments.light.payloads import NewAccount
from enrollments.models import Enrollment, LightWrite, ReconciliationRun
from enrollments.states import DifferenceKind, EnrollmentStatus, HoldCode, WriteKind, WriteStatus
from tests.factories import installations as made
from tests.integration.enrollments.flow import OFFICE, Flow


def compared(flow: Flow, *, limit: int = 50) -> ReconciliationRun:
    run = reconciliation.start_run(by=OFFICE, at=flow.clock.at)
    while not reconciliation.continue_run(run.pk, flow.engine.tools, limit=limit, pause=lambda _seconds: None):
        pass
    run.refresh_from_db()
    return run


def kinds(run: ReconciliationRun) -> list[str]:
    return list(run.differences.values_list("kind", flat=True))


def finalized_case(flow: Flow) -> Enrollment:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    return case


def forget_acceptance(flow: Flow, case: Enrollment) -> None:
    """Leave what a database from before the acceptance knows of the case."""
    flow.has_lost_records = True
    Enrollment.objects.filter(pk=case.pk).update(
        status=EnrollmentStatus.OPEN,
        accepted_offer=None,
        accepted_at=None,
        service_start_date=None,
        finalized_at=None,
        light_account={},
        last_read_at=None,
    )


def requests_of(flow: Flow) -> list[dict[str, str]]:
    return list(flow.simulator.control.requests())


def test_matching_cases_at_every_stage_write_nothing(flow: Flow) -> None:
    finalized_case(flow)
    flow.run(flow.case())
    before = [request for request in requests_of(flow) if request["method"] != "GET"]

    run = compared(flow, limit=1)

    assert (run.read_count, run.matching_count, run.unread_count) == (2, 2, 0)
    assert run.is_complete
    assert kinds(run) == []
    assert [request for request in requests_of(flow) if request["method"] != "GET"] == before


def test_forgotten_acceptance_is_named_and_never_repeated(flow: Flow) -> None:
    case = finalized_case(flow)
    forget_acceptance(flow, case)

    run = compared(flow)
    flow.live(case, timedelta(days=2))

    assert kinds(run) == [DifferenceKind.ACCEPTED_UNKNOWN_TO_US]
    difference = run.differences.get()
    assert difference.enrollment == case
    assert "plan" in difference.theirs
    assert difference.repair
    assert len(flow.acceptances_of(case)) == 1
    assert case.holds.filter(released_at=None).exists() or case.status == EnrollmentStatus.FINALIZED


def test_different_start_is_named(flow: Flow) -> None:
    case = finalized_case(flow)
    assert case.service_start_date is not None
    Enrollment.objects.filter(pk=case.pk).update(service_start_date=case.service_start_date + timedelta(days=1))

    assert kinds(compared(flow)) == [DifferenceKind.ACCEPTED_DIFFERENTLY]


def test_case_further_at_light_moves_forward_automatically(flow: Flow) -> None:
    case = finalized_case(flow)
    flow.has_lost_records = True
    Enrollment.objects.filter(pk=case.pk).update(status=EnrollmentStatus.ACCEPTED, finalized_at=None)
    flow.pass_time(timedelta(hours=1))

    run = compared(flow)
    flow.live(case, timedelta(minutes=1))

    assert kinds(run) == [DifferenceKind.FINALIZED_AT_LIGHT]
    assert case.status == EnrollmentStatus.FINALIZED
    assert LightWrite.objects.filter(kind=WriteKind.FINALIZE).count() == 1


def test_account_unknown_to_light_is_named(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    Enrollment.objects.filter(pk=case.pk).update(light_account_uuid=uuid4())

    run = compared(flow)

    assert DifferenceKind.ACCOUNT_UNKNOWN_TO_LIGHT in kinds(run)
    assert run.is_complete


def test_forgotten_account_link_holds_the_case_before_a_second(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    account_uuid = case.light_account_uuid
    Enrollment.objects.filter(pk=case.pk).update(light_account_uuid=None, light_account={}, last_read_at=None)
    Enrollment.objects.filter(pk=case.pk).update(attested_poa=None, attested_at=None)

    run = compared(flow)
    flow.live(case, timedelta(days=1))

    difference = run.differences.get()
    assert (difference.kind, difference.enrollment) == (DifferenceKind.ACCOUNT_WITHOUT_CASE, case)
    hold = case.holds.get(released_at=None)
    assert hold.code == HoldCode.ACCOUNT_UNCLEAR
    assert str(account_uuid) in hold.because
    assert len(flow.simulator.control.state()["accounts"]) == 1


def forget_account(case: Enrollment) -> None:
    """Leave what a database from before the account creation knows of the case."""
    Enrollment.objects.filter(pk=case.pk).update(
        light_account_uuid=None, light_account={}, last_read_at=None, attested_poa=None, attested_at=None
    )


@pytest.mark.cell("B1")
def test_B1_held_case_creates_no_second_account_after_release(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    forget_account(case)
    flow.revoke(case)
    flow.run(case)
    assert case.holds.get(released_at=None).code == HoldCode.AUTHORITY_ENDED

    compared(flow)
    flow.pass_time(timedelta(hours=1))
    flow.sign(case.installations.get())
    flow.run(case)

    assert len(flow.simulator.control.state()["accounts"]) == 1
    assert case.holds.get(released_at=None).code == HoldCode.ACCOUNT_UNCLEAR


@pytest.mark.cell("B1")
def test_B1_ambiguous_accounts_hold_all_cases_of_the_customer(flow: Flow) -> None:
    flow.simulator.control.set_dialect(create_with_known_email="new")
    case = flow.case()
    other_job = made.installation(flow.clock.at, customer=case.customer, site=made.site(flow.clock.at))
    flow.sign(other_job)
    other = case_opening.reconsider_site(site_id=other_job.site_id, at=flow.clock.at)
    assert other is not None
    cases = (case, other)
    for each in cases:
        flow.run(each)
    accounts = [str(each.light_account_uuid) for each in cases]
    for each in cases:
        forget_account(each)

    run = compared(flow)
    compared(flow)
    for each in cases:
        flow.run(each)

    assert len(flow.simulator.control.state()["accounts"]) == 2
    for each in cases:
        hold = each.holds.get()
        assert hold.released_at is None
        assert all(account_uuid in hold.because for account_uuid in accounts)
    assert all(f"{case.site}; {other.site}" in difference.theirs for difference in run.differences.all())


@pytest.mark.parametrize("limit", [2, 10], ids=["in several turns", "in one"])
def test_B1_run_under_another_app_token_compares_nothing(flow: Flow, limit: int) -> None:
    for _ in range(3):
        flow.run(flow.case())
    flow.simulator.control.inject_fault("read", "not_found", times=None)

    run = compared(flow, limit=limit)

    assert not run.is_complete
    assert reconciliation.WRONG_APP_MESSAGE in run.differences.get(kind=DifferenceKind.NOT_READ).theirs
    flow.simulator.control.clear_faults()
    assert compared(flow, limit=limit).is_complete


def test_account_of_a_lost_case_is_named_without_one(flow: Flow) -> None:
    stranger = flow.light.create_account(
        NewAccount(email="nobody.we.know@example.com", first_name="No", last_name="Body")
    )

    run = compared(flow)

    difference = run.differences.get()
    assert (difference.kind, difference.enrollment) == (DifferenceKind.ACCOUNT_WITHOUT_CASE, None)
    assert difference.light_account_uuid == stranger.uuid


def test_case_with_a_doubtful_call_is_left_to_the_engine(flow: Flow) -> None:
    case = flow.case()
    flow.run(case)
    with transaction.atomic():
        LightWrite.objects.create(
            enrollment=lock_case(case.pk).enrollment,
            kind=WriteKind.REQUEST_PLANS,
            status=WriteStatus.IN_DOUBT,
            opened_at=flow.clock.at,
            doubt_since=flow.clock.at,
        )

    assert kinds(compared(flow)) == [DifferenceKind.UNDER_WAY]


def test_unreadable_accounts_leave_the_run_incomplete(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        flow.run(flow.case())
    asked: list[str] = []

    def away(account_uuid: str) -> None:
        asked.append(account_uuid)
        raise NotReached("Light is away.")

    monkeypatch.setattr(flow.light, "read_account", away)

    run = compared(flow)

    assert run.finished_at is not None
    assert not run.is_complete
    assert (run.read_count, run.unread_count) == (0, 5)
    assert len(set(asked)) == 3


def test_busy_light_is_asked_again_after_its_wait(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    flow.run(case)
    read_account = flow.light.read_account
    pauses: list[float] = []

    def busy(_account_uuid: str) -> None:
        monkeypatch.setattr(flow.light, "read_account", read_account)
        raise NotReached("Too busy.", retry_after_seconds=7)

    monkeypatch.setattr(flow.light, "read_account", busy)

    run = reconciliation.start_run(by=OFFICE, at=flow.clock.at)
    reconciliation.continue_run(run.pk, flow.engine.tools, pause=pauses.append)

    run.refresh_from_db()
    assert pauses == [7]
    assert run.is_complete


def test_case_that_moves_during_comparison_is_compared_again(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    read_account = flow.light.read_account

    def read_and_move(account_uuid: str) -> object:
        account = read_account(account_uuid)
        monkeypatch.setattr(flow.light, "read_account", read_account)
        flow.live(case, timedelta(hours=2))
        return account

    monkeypatch.setattr(flow.light, "read_account", read_and_move)

    run = compared(flow)

    assert case.status == EnrollmentStatus.FINALIZED
    assert kinds(run) == []


def test_two_processes_do_not_continue_the_same_run(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    flow.run(case)
    run = reconciliation.start_run(by=OFFICE, at=flow.clock.at)
    read_account = flow.light.read_account

    def overtaken(account_uuid: str) -> object:
        monkeypatch.setattr(flow.light, "read_account", read_account)
        reconciliation.continue_run(run.pk, flow.engine.tools)
        return read_account(account_uuid)

    monkeypatch.setattr(flow.light, "read_account", overtaken)

    with pytest.raises(RunFinished):
        reconciliation.continue_run(run.pk, flow.engine.tools)

    run.refresh_from_db()
    assert run.read_count == 1
