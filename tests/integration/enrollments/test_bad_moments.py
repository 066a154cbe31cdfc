"""Events at the worst moment: between a record and its call, while an outcome is unknown, after an end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from enrollments.actions import case_opening, wakeups, writes
from enrollments.light.errors import InDoubt
from enrollments.models import AcceptAttempt, Enrollment, LightWrite
from enrollments.states import EnrollmentStatus, HoldCode, HoldOwner, WriteKind, WriteStatus
from installations import actions as installation_actions
from installations.models import GoLiveReport, HardwareKind
from poa_documents.models import PoaDocument
from poa_documents.states import PoaStatus
from tests.factories import installations as made
from tests.integration.enrollments.flow import OFFICE, Flow
from tests.integration.enrollments.test_crashes import ready_to_accept


def withdraw_pto(flow: Flow, case: Enrollment) -> None:
    report = GoLiveReport.objects.get(installation__enrollments=case)
    installation_actions.withdraw_go_live(report_id=report.pk, reason="Wrong house.", by=OFFICE, at=flow.clock.at)


def take_over(flow: Flow, case: Enrollment) -> None:
    writes.abandon_open_writes(case.pk, at=flow.clock.at)


WHILE_THE_TOKEN_COMES: dict[str, Callable[[Flow, Enrollment], object]] = {
    "the customer revokes": lambda flow, case: flow.revoke(case),
    "the office pauses": lambda flow, _: flow.pause(),
    "the permission is withdrawn": withdraw_pto,
    "another worker takes over": take_over,
    "a day passes": lambda flow, _: flow.pass_time(timedelta(hours=14)),
}


@pytest.mark.one_dialect
@pytest.mark.parametrize("change", WHILE_THE_TOKEN_COMES.values(), ids=WHILE_THE_TOKEN_COMES.keys())
def test_change_while_the_token_is_fetched_stops_the_acceptance(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, change: Callable[[Flow, Enrollment], object]
) -> None:
    case = ready_to_accept(flow)
    mint = flow.light._account_token
    sent_while_unwanted = []

    def slow_mint(account_uuid: str) -> str:
        monkeypatch.undo()
        token = mint(account_uuid)
        change(flow, case)
        monkeypatch.setattr(flow.light, "_account_token", lambda _uuid: stop_here())
        return token

    def stop_here() -> str:
        sent_while_unwanted.append(len(flow.acceptances_of(case)))
        raise InDoubt("A later acceptance is not what this test is about.")

    monkeypatch.setattr(flow.light, "_account_token", slow_mint)

    flow.run(case)

    assert flow.acceptances_of(case) == []
    first = LightWrite.objects.filter(kind=WriteKind.ACCEPT_PLAN).earliest("pk")
    assert first.status == WriteStatus.NOT_DONE
    assert first.outcome.startswith("Not sent")
    assert not any(sent_while_unwanted)


@pytest.mark.one_dialect
def test_case_waits_for_the_storage_without_a_person(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)

    with monkeypatch.context() as outage:
        outage.setattr(type(storages["default"]), "_open", _refuse)
        flow.live(case, timedelta(hours=6))
        assert flow.acceptances_of(case) == []
        assert (case.status, case.whose_turn) == (EnrollmentStatus.OPEN, HoldOwner.OPERATIONS)
        assert "The file storage does not answer" in case.because
    flow.live(case, timedelta(hours=2))

    assert not case.holds.exists()
    assert len(flow.acceptances_of(case)) == 1
    assert case.whose_turn == ""


def _refuse(*_arguments: Any, **_options: Any) -> None:
    raise OSError("The storage is down.")


@pytest.mark.one_dialect
def test_accepted_case_keeps_its_authority_after_a_newer_signature(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = ready_to_accept(flow)
    accept = flow.light.accept_plan

    def accepted_but_lost(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.undo()
        accept(*args, **kwargs)
        write = LightWrite.objects.get(kind=WriteKind.ACCEPT_PLAN)
        writes.record_doubt(write.pk, outcome="Lost.", at=flow.clock.at)
        writes.close_not_done(write.pk, outcome="Light's reading lags.", at=flow.clock.at)
        flow.sign(case.installations.get())
        flow.pass_time(timedelta(minutes=6))
        raise InDoubt("The answer was lost.")

    monkeypatch.setattr(flow.light, "accept_plan", accepted_but_lost)

    flow.live(case, timedelta(hours=2))

    older, newer = PoaDocument.objects.filter(site=case.site).order_by("pk")
    assert len(flow.acceptances_of(case)) == 1
    assert AcceptAttempt.objects.get(succeeded=True).poa == older
    assert older.uses_made == 1
    assert newer.uses_made == 0
    assert older.evidence.filter(kind="enrollment.confirm_late").exists()
    assert not newer.evidence.filter(kind="enrollment.confirm_late").exists()
    assert not LightWrite.objects.filter(kind=WriteKind.FINALIZE).exists()
    assert case.status == EnrollmentStatus.ACCEPTED
    assert case.holds.get(released_at__isnull=True).code == HoldCode.AUTHORITY_UNCLEAR


def test_manually_linked_account_is_not_replaced_by_late_answer(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    create = flow.light.create_account
    linked = "99999999-9999-4999-8999-999999999999"

    def slow_create(*args: Any, **kwargs: Any) -> Any:
        answer = create(*args, **kwargs)
        Enrollment.objects.filter(pk=case.pk).update(light_account_uuid=linked)
        return answer

    monkeypatch.setattr(flow.light, "create_account", slow_create)
    monkeypatch.setattr(flow.light, "read_account", lambda _uuid: pytest.fail("A person must look first."))

    flow.run(case)

    assert str(case.light_account_uuid) == linked
    assert case.holds.get(released_at__isnull=True).code == HoldCode.ACCOUNT_UNCLEAR


def test_older_attestation_is_not_taken_for_the_lost_one(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case()
    flow.run(case)
    flow.pass_time(timedelta(days=1))
    newer = flow.sign(case.installations.get())
    record = flow.light.record_client_agent
    tries = []

    def mark_in_doubt(*args: Any, **kwargs: Any) -> None:
        tries.append(kwargs["accepted_at"])
        if len(tries) == 1:
            raise InDoubt("The request was lost.")
        record(*args, **kwargs)

    monkeypatch.setattr(flow.light, "record_client_agent", mark_in_doubt)

    flow.live(case, timedelta(hours=2))

    assert tries == [newer.signed_at, newer.signed_at]
    assert case.attested_poa == newer


def test_opt_out_leaves_no_authority_for_another_acceptance(flow: Flow) -> None:
    case = flow.case(signed=False)
    job = case.installations.get()
    flow.sign(job, uses=2)
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))
    poa = PoaDocument.objects.get(site=case.site)
    assert poa.status == PoaStatus.SIGNED

    flow.simulator.control.opt_out(str(case.light_account_uuid))
    flow.live(case, timedelta(days=3))
    made.installation(flow.clock.at, customer=job.customer, site=job.site, kind=HardwareKind.BATTERY)
    again = case_opening.reconsider_site(site_id=job.site_id, at=flow.clock.at)

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SUSPENDED
    assert again is not None
    wakeups.make_due(enrollment_id=again.pk, at=flow.clock.at)
    flow.run(again)
    assert again.holds.get(released_at__isnull=True).code == HoldCode.AUTHORITY_ENDED


def test_accepted_plan_not_named_by_light_needs_a_person(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    case = flow.case(tags="+acceptlost")
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    read = flow.light.read_account

    def without_locations(account_uuid: str) -> Any:
        return read(account_uuid).model_copy(update={"locations": ()})

    monkeypatch.setattr(flow.light, "read_account", without_locations)

    flow.live(case, timedelta(hours=2))

    assert case.status == EnrollmentStatus.IN_DOUBT
    assert case.holds.get(released_at__isnull=True).code == HoldCode.OUTCOME_UNKNOWN
    monkeypatch.undo()
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    assert not case.holds.filter(released_at__isnull=True).exists()
    assert len(flow.acceptances_of(case)) == 1


@pytest.mark.one_dialect
@pytest.mark.parametrize("harm", ["lost", "altered"])
def test_nothing_is_accepted_under_a_lost_or_altered_document(flow: Flow, harm: str) -> None:
    case = ready_to_accept(flow)
    poa = PoaDocument.objects.get(site=case.site)
    storage, key = storages["default"], poa.pdf_storage_key
    with storage.open(key) as file:
        signed = file.read()
    storage.delete(key)
    if harm == "altered":
        storage.save(key, ContentFile(bytes([signed[0] ^ 1]) + signed[1:]))

    flow.run(case)
    flow.live(case, timedelta(hours=2))

    poa.refresh_from_db()
    assert poa.status == PoaStatus.SUSPENDED
    assert flow.acceptances_of(case) == []
    assert not AcceptAttempt.objects.exists()
    assert case.holds.filter(released_at__isnull=True).exclude(owner="").exists()
    storage.delete(key)
    storage.save(key, ContentFile(signed))
