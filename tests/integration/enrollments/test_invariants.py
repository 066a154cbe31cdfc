"""The checker itself: each promise is broken once in the records of a finished case, and only that one is named."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import transaction

from core.actors import Actor
from core.models import CaseChange
from enrollments.actions.moves import note
from enrollments.engine.locked_case import lock_case
from enrollments.models import (
    AcceptAttempt,
    Enrollment,
    EnrollmentEvent,
    LightWrite,
    PlanOffer,
    WebhookDelivery,
)
from enrollments.states import EnrollmentStatus, WriteKind, WriteStatus
from installations.models import GoLiveReport, KeptProof
from poa_documents.models import ConsentRecord, EvidenceEntry, PoaDocument, Statement, StopKind
from tests.contract.dialects import DIALECT_PAIRS, DialectPair
from tests.integration.enrollments.flow import Flow
from tests.invariants import CHECKS, broken_invariants


@dataclass
class Records:
    """The one finished case, and what the checker is told beside the database."""

    flow: Flow
    case: Enrollment
    acceptances: list[dict[str, Any]]
    captured: str = ""
    calls_inside_transactions: tuple[str, ...] = ()

    @property
    def attempt(self) -> AcceptAttempt:
        return AcceptAttempt.objects.select_related("write", "offer", "poa").get()

    def change_write(self, kind: WriteKind, **fields: object) -> None:
        LightWrite.objects.filter(kind=kind).update(**fields)

    def change_attempt(self, **fields: object) -> None:
        AcceptAttempt.objects.update(**fields)

    def change_offer(self, **fields: object) -> None:
        PlanOffer.objects.filter(pk=self.attempt.offer_id).update(**fields)

    def change_poa(self, **fields: object) -> None:
        PoaDocument.objects.update(**fields)

    def add_event(self, name: str, *, old_status: str, new_status: str) -> None:
        EnrollmentEvent.objects.create(
            enrollment=self.case,
            name=name,
            old_status=old_status,
            new_status=new_status,
            actor="system",
            at=self.flow.clock.at,
        )

    @property
    def names_of_broken(self) -> set[str]:
        broken = broken_invariants(
            self.acceptances, captured=self.captured, calls_inside_transactions=self.calls_inside_transactions
        )
        return {finding.partition(":")[0] for finding in broken}


@pytest.fixture
def pair() -> DialectPair:
    """One dialect is enough: the checker reads our records."""
    return DIALECT_PAIRS[0]


@pytest.fixture
def records(flow: Flow) -> Records:
    """One case, accepted and finalized."""
    case = flow.case()
    flow.run(case)
    flow.finish_at_light(case)
    flow.report_pto(case)
    flow.live(case, timedelta(hours=2))
    assert case.status == EnrollmentStatus.FINALIZED
    flow.has_lost_records = True  # the records are broken on purpose, so the flow does not check them at its end
    return Records(flow, case, flow.simulator.control.acceptances())


def sign_too_late(records: Records) -> None:
    records.change_poa(signed_at=records.flow.clock.at + timedelta(hours=1))


def seal_another_document(records: Records) -> None:
    records.change_attempt(poa_sha256="0" * 64)


def revoke_before_the_call(records: Records) -> None:
    """An acceptance that looks as if it was sent an hour after the customer revoked the authority."""
    sent_at = records.attempt.write.opened_at
    records.change_poa(status="REVOKED", ended_at=sent_at - timedelta(hours=1))


def send_after_the_sunset(records: Records) -> None:
    envelope = records.attempt.poa.envelope
    type(envelope).objects.filter(pk=envelope.pk).update(sunset_date=records.attempt.chicago_date - timedelta(days=1))


def forget_the_attestation(records: Records) -> None:
    records.change_write(WriteKind.RECORD_CLIENT_AGENT, status=WriteStatus.NOT_DONE)


def offer_for_another_meter(records: Records) -> None:
    records.change_offer(esi_id="10443720000000000")


def accept_what_nobody_recorded(records: Records) -> None:
    records.acceptances[0]["plan_uuid"] = str(uuid4())


def accept_before_the_notice_is_over(records: Records) -> None:
    attempt = records.attempt
    sent_at = attempt.write.opened_at
    records.case.notices.create(
        poa=attempt.poa,
        offer=attempt.offer,
        start_date=attempt.service_start_date,
        given_at=sent_at - timedelta(days=1),
        until=sent_at + timedelta(seconds=1),
    )


def accept_despite_the_customers_hold(records: Records) -> None:
    held_at = records.attempt.write.opened_at - timedelta(hours=1)
    with transaction.atomic():
        note(
            lock_case(records.case.pk), "customer_held", by=Actor.customer(records.case.customer.public_id), at=held_at
        )


def accept_after_a_reported_death(records: Records) -> None:
    reported_at = records.attempt.write.opened_at - timedelta(hours=1)
    records.case.customer.stop_signals.create(
        kind=StopKind.DECEASED, source="A son called.", received_at=reported_at, recorded_at=reported_at
    )


def count_a_use_too_many(records: Records) -> None:
    records.change_poa(uses_made=2)


def accept_twice_at_light(records: Records) -> None:
    records.acceptances.append({**records.acceptances[0]})


def raise_the_price(records: Records) -> None:
    records.change_offer(average_cents_per_kwh_1000=Decimal(99))


def leave_the_term_open(records: Records) -> None:
    records.change_offer(term_months=None)


def keep_no_verdict(records: Records) -> None:
    request = {**records.attempt.write.request, "verdict": []}
    records.change_write(WriteKind.ACCEPT_PLAN, request=request)


def start_on_day(days: int) -> Callable[[Records], None]:
    def change(records: Records) -> None:
        start = records.attempt.chicago_date + timedelta(days=days)
        records.change_attempt(service_start_date=start)
        records.acceptances[0]["service_start_date"] = start.isoformat()

    return change


def record_a_wrong_call_time(records: Records) -> None:
    records.change_attempt(chicago_date=records.attempt.chicago_date - timedelta(days=1))


def call_inside_a_transaction(records: Records) -> None:
    records.calls_inside_transactions = ("accept a plan",)


def begin_before_the_last_one_ended(records: Records) -> None:
    records.change_write(WriteKind.REQUEST_PLANS, closed_at=records.flow.clock.at + timedelta(hours=1))


def change_status_by_hand(records: Records) -> None:
    Enrollment.objects.update(status=EnrollmentStatus.ACCEPTED)


def record_an_unknown_move(_records: Records) -> None:
    EnrollmentEvent.objects.filter(name="finalize").update(old_status=EnrollmentStatus.OPEN)


def lose_the_file(records: Records) -> None:
    storages["default"].delete(records.attempt.poa.pdf_storage_key)


def alter_the_file(records: Records) -> None:
    key = records.attempt.poa.pdf_storage_key
    storages["default"].delete(key)
    storages["default"].save(key, ContentFile(b"%PDF-1.7 other words"))


def drop_a_webhook(records: Records) -> None:
    body = "{}"
    WebhookDelivery.objects.create(
        event_key="dropped",
        body=body,
        body_sha256=hashlib.sha256(body.encode()).hexdigest(),
        received_at=records.flow.clock.at,
    )


def wait_for_nobody(records: Records) -> None:
    CaseChange.objects.all().delete()
    Enrollment.objects.update(due_at=None, lease_until=None, whose_turn="")


def change_without_evidence(records: Records) -> None:
    records.add_event("look", old_status=EnrollmentStatus.FINALIZED, new_status=EnrollmentStatus.FINALIZED)


def forge_an_entry(records: Records) -> None:
    last = EvidenceEntry.objects.filter(poa=records.attempt.poa).latest("number")
    EvidenceEntry(
        poa=records.attempt.poa,
        number=last.number + 1,
        kind="poa.note",
        actor="system",
        at=records.flow.clock.at,
        details={},
        previous_sha256=last.sha256,
        sha256="f" * 64,
    ).save(force_insert=True)


def lose_a_photo(records: Records) -> None:
    report = GoLiveReport.objects.get()
    KeptProof.objects.create(
        installation=report.installation,
        submission_id=uuid4(),
        kept_by="technician 7",
        kept_at=records.flow.clock.at,
        storage_key="proofs/00/nowhere.jpg",
        sha256="0" * 64,
        received_sha256="0" * 64,
        size_bytes=1,
        content_type="image/jpeg",
        original_name="letter.jpg",
    )


def lose_the_signature(records: Records) -> None:
    records.change_poa(signature_kind="", signature_text="")


def lose_a_consent(records: Records) -> None:
    ConsentRecord.objects.filter(statement=Statement.values[0]).delete()


def log_a_birth_date(records: Records) -> None:
    born = records.case.customer.date_of_birth_text
    Enrollment.objects.update(last_error=f"No account for a person born {born}.")


def log_a_token(records: Records) -> None:
    records.captured = f"GET /v1/app/accounts Authorization: {settings.LIGHT_APP_TOKEN}"


BREACHES: list[tuple[str, Callable[[Records], None]]] = [
    ("I1", sign_too_late),
    ("I1", seal_another_document),
    ("I1", revoke_before_the_call),
    ("I1", send_after_the_sunset),
    ("I1", forget_the_attestation),
    ("I1", offer_for_another_meter),
    ("I1", accept_what_nobody_recorded),
    ("I1", accept_before_the_notice_is_over),
    ("I1", accept_despite_the_customers_hold),
    ("I1", accept_after_a_reported_death),
    ("I2", count_a_use_too_many),
    ("I2", accept_twice_at_light),
    ("I3", raise_the_price),
    ("I3", leave_the_term_open),
    ("I3", keep_no_verdict),
    ("I4", start_on_day(6)),
    ("I4", start_on_day(31)),
    ("I4", record_a_wrong_call_time),
    ("I5", call_inside_a_transaction),
    ("I5", begin_before_the_last_one_ended),
    ("I6", change_status_by_hand),
    ("I6", record_an_unknown_move),
    ("I7", lose_the_file),
    ("I7", alter_the_file),
    ("I8", drop_a_webhook),
    ("I9", wait_for_nobody),
    ("I10", change_without_evidence),
    ("I10", forge_an_entry),
    ("I11", lose_a_photo),
    ("I11", lose_the_signature),
    ("I11", lose_a_consent),
    ("I12", log_a_birth_date),
    ("I12", log_a_token),
]


def test_no_promise_is_named_while_all_hold(records: Records) -> None:
    assert records.names_of_broken == set()


def test_every_invariant_is_broken_here_at_least_once() -> None:
    assert {name for name, _ in BREACHES} == set(CHECKS)


def test_only_the_broken_promise_is_named(records: Records, subtests: pytest.Subtests) -> None:
    """One case is enough for all: each breach of its records is rolled back."""
    for name, break_it in BREACHES:
        with subtests.test(f"{name} {break_it.__qualname__}"), undone(records) as spoiled:
            break_it(spoiled)

            assert spoiled.names_of_broken == {name}


@contextmanager
def undone(records: Records) -> Iterator[Records]:
    storage, key = storages["default"], records.attempt.poa.pdf_storage_key
    with storage.open(key) as file:
        content = file.read()
    try:
        with transaction.atomic():
            yield replace(records, acceptances=[{**row} for row in records.acceptances])
            transaction.set_rollback(True)
    finally:
        storage.delete(key)
        storage.save(key, ContentFile(content))
