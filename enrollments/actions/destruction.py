"""
Permanent destruction, with proof, of records whose retention period has ended.

Each case, and each request that was never signed, is destroyed in its own transaction, which first locks it and checks
again that nothing keeps it. The proof is written in the same transaction. Files are deleted afterward, once no record
refers to them, and retried with every purge until they are gone.
"""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db.models import Model, ProtectedError, Q, QuerySet

from core import stored_files
from core.actors import Actor
from core.dates import chicago_day, short_date
from core.errors import Conflict
from core.transactions import repeatable
from enrollments import retention_terms
from enrollments.engine.locked_case import lock_case
from enrollments.evidence_pack import contents
from enrollments.evidence_pack.building import PackNotMade, build
from enrollments.evidence_pack.spool import Spool
from enrollments.models import (
    AcceptAttempt,
    DestroyedFile,
    Destruction,
    Difference,
    Enrollment,
    LightWrite,
    PlanDocument,
    PlanOffer,
    RemoteCall,
    RetentionRule,
    WebhookDelivery,
)
from enrollments.retention_terms import RecordClass, RetentionClock, Rule, Term
from enrollments.states import SETTLED_STATUSES, UNSETTLED_WRITE_STATUSES
from installations.models import Customer, KeptProof, ProofFile
from poa_documents.journal import chain
from poa_documents.journal.chain import JournalBroken, canonical_json
from poa_documents.models import Envelope, EvidenceEntry, PaperSignature, PoaDocument, StopSignal
from poa_documents.states import PoaStatus

NEVER_SIGNED = frozenset({PoaStatus.DECLINED, PoaStatus.EXPIRED, PoaStatus.VOIDED})


class NotDueForDestruction(Conflict):
    """Something keeps the record. Nothing was destroyed."""


@dataclass(frozen=True)
class Candidate:
    """One case or request, its record class, and how long it is kept."""

    record_class: RecordClass
    record: Enrollment | PoaDocument
    term: Term
    obstacle: str = ""

    @property
    def subject(self) -> str:
        kind = "enrollment" if isinstance(self.record, Enrollment) else "POA"
        return f"{kind} {self.record.public_id}"

    def is_due(self, today: date) -> bool:
        return not self.obstacle and self.term.until is not None and self.term.until < today


# Finding candidates


def candidates(*, today: date) -> Iterator[Candidate]:
    """Yield every settled case and every request that was never signed, with its term and what else keeps it."""
    rules = _rules()
    for enrollment in Enrollment.objects.filter(status__in=sorted(SETTLED_STATUSES)).order_by("pk").iterator():
        yield _case(enrollment, rules, today=today)
    for poa in PoaDocument.objects.filter(status__in=sorted(NEVER_SIGNED)).order_by("pk").iterator():
        yield _request(poa, rules, today=today)


def open_subjects() -> Iterator[str]:
    """Yield the names of cases and requests that are not settled. No rule applies to them yet."""
    unsettled = Enrollment.objects.exclude(status__in=sorted(SETTLED_STATUSES)).order_by("pk")
    for public_id in unsettled.values_list("public_id", flat=True):
        yield f"enrollment {public_id}"
    waiting = PoaDocument.objects.exclude(status__in=sorted(NEVER_SIGNED)).filter(signed_at=None)
    for public_id in waiting.order_by("pk").values_list("public_id", flat=True):
        yield f"POA {public_id}"


def _rules() -> list[Rule]:
    rows = RetentionRule.objects.values_list("record_class", "clock", "months", "effective_from_date")
    return [Rule(*row) for row in rows]


def _case(enrollment: Enrollment, rules: list[Rule], *, today: date) -> Candidate:
    was_signed = any(poa.signed_at is not None for poa in contents.poas_of(enrollment))
    record_class = RecordClass.CASE if was_signed else RecordClass.UNSIGNED
    in_force = retention_terms.rules_in_force(rules, record_class, today=today)
    term = retention_terms.keep_until(in_force, _clocks(enrollment))
    return Candidate(record_class, enrollment, term, _obstacle(enrollment))


def _clocks(enrollment: Enrollment) -> dict[str, date | None]:
    """Return the days from which rules count, the later one if there are two."""
    ended = chicago_day(enrollment.ended_at) if enrollment.ended_at else None
    if enrollment.accepted_offer is None or enrollment.accepted_at is None:
        return {RetentionClock.ENROLLMENT: ended, RetentionClock.REQUEST_END: ended}
    start, months = enrollment.service_start_date, enrollment.accepted_offer.term_months
    enrolled = max(day for day in (chicago_day(enrollment.accepted_at), start, ended) if day)
    contract_end = retention_terms.add_months(start, months) if start and months else None
    if contract_end and ended:
        contract_end = max(contract_end, ended)
    return {RetentionClock.ENROLLMENT: enrolled, RetentionClock.CONTRACT_END: contract_end}


def _obstacle(enrollment: Enrollment) -> str:
    legal_hold = enrollment.legal_holds.filter(lifted_at__isnull=True).first()
    if legal_hold is not None:
        return f"{legal_hold.get_kind_display()}: {legal_hold.reason}"
    if enrollment.holds.filter(released_at__isnull=True).exists():
        return "it is on hold for a person"
    if enrollment.writes.filter(status__in=sorted(UNSETTLED_WRITE_STATUSES)).exists():
        return "a call to Light is not settled"
    return ""


def _request(poa: PoaDocument, rules: list[Rule], *, today: date) -> Candidate:
    in_force = retention_terms.rules_in_force(rules, RecordClass.UNSIGNED, today=today)
    ended = chicago_day(poa.ended_at) if poa.ended_at else None
    term = retention_terms.keep_until(in_force, {RetentionClock.REQUEST_END: ended})
    held = Enrollment.objects.filter(
        customer_id=poa.customer_id, site_id=poa.site_id, legal_holds__lifted_at__isnull=True, legal_holds__isnull=False
    )
    obstacle = "its case is on legal hold" if held.exists() else ""
    return Candidate(RecordClass.UNSIGNED, poa, term, obstacle)


# Destroying


def destroy(candidate: Candidate, *, by: Actor, at: datetime) -> Destruction:
    """
    Destroy one case or request whose retention period has ended, and then its files.

    :raises NotDueForDestruction: something keeps it, such as a new legal hold or a journal that does not verify
    """
    try:
        if isinstance(candidate.record, Enrollment):
            destruction = _destroy_case(candidate.record.pk, sha256=_fingerprint(candidate.record), by=by, at=at)
        else:
            destruction = _destroy_request(candidate.record.pk, by=by, at=at)
    except (JournalBroken, PackNotMade) as problem:
        raise NotDueForDestruction(str(problem)) from problem
    destroy_files(at=at, of=destruction)
    return destruction


def _fingerprint(enrollment: Enrollment) -> str:
    """Return the fingerprint of the evidence pack, which shows later whether a copy matches what was destroyed."""
    with tempfile.TemporaryFile(prefix="evidence-") as target:
        return build(enrollment.pk, target).sha256


@repeatable
def _destroy_case(enrollment_id: int, *, sha256: str, by: Actor, at: datetime) -> Destruction:
    enrollment = lock_case(enrollment_id).enrollment
    today = chicago_day(at)
    candidate = _case(enrollment, _rules(), today=today)
    destruction = _begin(candidate, sha256=sha256, by=by, at=at)
    poas = [] if _has_other_cases(enrollment) else contents.poas_of(enrollment)
    if any(poa.is_open for poa in poas):
        raise NotDueForDestruction(f"A power of attorney of {candidate.subject} is still open.")
    rows: Counter[str] = Counter()
    proofs = [
        proof
        for model in (ProofFile, KeptProof)
        for proof in _proofs_of(enrollment, model)
        if not _has_other_cases(enrollment)
    ]
    files = [(proof.storage_key, proof.sha256) for proof in proofs]
    files += [(proof.received_storage_key, proof.received_sha256) for proof in proofs]
    files += PlanDocument.objects.filter(offer__enrollment=enrollment).values_list("storage_key", "sha256")
    for proof in proofs:
        rows[proof._meta.label] += 1
        proof.delete()
    _destroy_records_of(enrollment, rows)
    for poa in poas:
        files += _files_of(poa)
        _destroy_poa(poa, destruction, rows, by=by, at=at)
    _erase_personal_data(enrollment.customer_id, rows)
    return _finish(destruction, rows, files)


def _has_other_cases(enrollment: Enrollment) -> bool:
    others = Enrollment.objects.filter(customer_id=enrollment.customer_id, site_id=enrollment.site_id)
    return others.exclude(pk=enrollment.pk).exists()


def _proofs_of(enrollment: Enrollment, model: type[ProofFile] | type[KeptProof]) -> "QuerySet[Any]":
    path = "report__installation__in" if model is ProofFile else "installation__in"
    return model.objects.filter(**{path: enrollment.installations.all()})


def _destroy_records_of(enrollment: Enrollment, rows: Counter[str]) -> None:
    """Remove every row that refers to the case, in the order of their foreign keys, and then the case."""
    Enrollment.objects.filter(pk=enrollment.pk).update(accepted_offer=None, attested_poa=None, attested_at=None)
    named: tuple[QuerySet[Any], ...] = (
        RemoteCall.objects.filter(enrollment=enrollment),
        WebhookDelivery.objects.filter(enrollment=enrollment),
        Difference.objects.filter(enrollment=enrollment),
        enrollment.holds.all(),
        enrollment.legal_holds.all(),
        enrollment.evidence_reads.all(),
        PlanDocument.objects.filter(offer__enrollment=enrollment),
        AcceptAttempt.objects.filter(enrollment=enrollment),
        enrollment.notices.all(),
        PlanOffer.objects.filter(enrollment=enrollment),
        LightWrite.objects.filter(enrollment=enrollment),
        enrollment.events.all(),
    )
    for each in named:
        _remove(each, rows)
    enrollment.installations.clear()
    _remove(Enrollment.objects.filter(pk=enrollment.pk), rows)


@repeatable
def _destroy_request(poa_id: int, *, by: Actor, at: datetime) -> Destruction:
    poa = PoaDocument.objects.select_for_update(of=("self",)).get(pk=poa_id)
    if poa.status not in NEVER_SIGNED:
        raise NotDueForDestruction(f"{poa} is “{poa.get_status_display()}”.")
    candidate = _request(poa, _rules(), today=chicago_day(at))
    destruction = _begin(candidate, sha256=_sha256_of(poa), by=by, at=at)
    rows: Counter[str] = Counter()
    files = _files_of(poa)
    _destroy_poa(poa, destruction, rows, by=by, at=at)
    _erase_personal_data(poa.customer_id, rows)
    return _finish(destruction, rows, files)


def _files_of(poa: PoaDocument) -> list[tuple[str, str]]:
    papers = PaperSignature.objects.filter(poa=poa)
    scans = papers.values_list("scan_storage_key", "scan_sha256")
    received = papers.values_list("received_storage_key", "received_sha256")
    return [(poa.pdf_storage_key, poa.pdf_sha256), *scans, *received]


def _sha256_of(poa: PoaDocument) -> str:
    """Return the hash of everything on record about one request, as an evidence pack would show it."""
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        spool = Spool(Path(folder))
        contents.collect_authority(poa, spool)
        hashes = {path: hashlib.sha256((spool.folder / path).read_bytes()).hexdigest() for path in spool.made()}
    return hashlib.sha256(canonical_json(hashes).encode()).hexdigest()


def _begin(candidate: Candidate, *, sha256: str, by: Actor, at: datetime) -> Destruction:
    if candidate.term.until is None or not candidate.is_due(chicago_day(at)):
        until = short_date(candidate.term.until) if candidate.term.until else "further notice"
        why = candidate.obstacle or f"it is kept until {until}"
        raise NotDueForDestruction(f"{candidate.subject} is kept: {why}.")
    return Destruction.objects.create(
        record_class=candidate.record_class,
        subject=candidate.subject,
        rule=candidate.term.because,
        kept_until_date=candidate.term.until,
        sha256=sha256,
        actor=str(by),
        at=at,
    )


def _finish(destruction: Destruction, rows: Counter[str], files: Iterable[tuple[str, str]]) -> Destruction:
    destruction.rows = dict(sorted(rows.items()))
    destruction.save(update_fields=["rows"])
    DestroyedFile.objects.bulk_create(
        DestroyedFile(destruction=destruction, storage_key=key, sha256=sha256)
        for key, sha256 in dict(each for each in files if each[0]).items()
    )
    return destruction


def _destroy_poa(poa: PoaDocument, destruction: Destruction, rows: Counter[str], *, by: Actor, at: datetime) -> None:
    """Remove a POA and its own app's records about it. Fails if records of higher apps still refer to it."""
    entries = EvidenceEntry.objects.filter(poa=poa).count()
    if entries:
        reason = (
            f"{destruction.get_record_class_display()}; {destruction.rule}; SHA-256 of "
            f"what was destroyed: {destruction.sha256}."
        )
        chain.destroy(poa, reason=reason, by=by, at=at)
        rows[EvidenceEntry._meta.label] += entries
    _remove_in_order(_rows_about(poa), rows)
    envelope = poa.envelope
    _remove(PoaDocument.objects.filter(pk=poa.pk), rows)
    _remove(Envelope.objects.filter(pk=envelope.pk), rows)


def _rows_about(poa: PoaDocument) -> list["QuerySet[Any]"]:
    """Find its own app's records about a POA, including those of models added later."""
    relations = [(each.related_model, each.field.name) for each in PoaDocument._meta.related_objects]
    return [
        model._default_manager.filter(**{name: poa})
        for model, name in relations
        if isinstance(model, type) and model._meta.app_label == PoaDocument._meta.app_label
    ]


def _remove_in_order(found: list["QuerySet[Any]"], rows: Counter[str]) -> None:
    """Remove rows that may refer to each other, retrying protected ones after the rows that refer to them."""
    waiting: list[QuerySet[Any]] = []
    for each in found:
        try:
            _remove(each, rows)
        except ProtectedError:
            waiting.append(each)
    if len(waiting) == len(found) > 0:
        raise NotDueForDestruction(
            f"Other records refer to the {waiting[0].model._meta.verbose_name_plural} to be destroyed."
        )
    if waiting:
        _remove_in_order(waiting, rows)


def _remove(found: "QuerySet[Any]", rows: Counter[str]) -> None:
    _, counts = found.delete()
    rows.update(counts)


def _erase_personal_data(customer_id: int, rows: Counter[str]) -> None:
    """
    Once no enrollment of a customer is left, remove what only enrollments need: birth date and reports about them.

    The customer record stays, for the hardware they bought. Of an open report of death or incapacity, only the kind and
    times stay, so that no new document is drafted in their name.
    """
    is_needed = Q(enrollments__isnull=False) | Q(poas__isnull=False)
    customer = Customer.objects.filter(pk=customer_id).exclude(is_needed).first()
    if customer is None:
        return
    Customer.objects.filter(pk=customer_id).update(date_of_birth_text="")
    _remove(StopSignal.objects.filter(customer=customer, ended_at__isnull=False), rows)
    StopSignal.objects.filter(customer=customer).update(source="")


# Files


def destroy_files(*, at: datetime, of: Destruction | None = None) -> tuple[int, int]:
    """
    Remove the files of destroyed records, unless another record uses them. Return how many are gone and how many are
    left.

    A file that the storage cannot delete, such as a locked object, stays listed with the reason.
    """
    left = DestroyedFile.objects.filter(destroyed_at__isnull=True)
    gone = remaining = 0
    for file in (left.filter(destruction=of) if of else left).order_by("pk"):
        problem = (
            "another record uses the same file"
            if _is_referenced(file.storage_key)
            else _try_to_destroy(file.storage_key)
        )
        if problem:
            remaining += 1
            file.kept_because = problem
        else:
            gone += 1
            file.kept_because, file.destroyed_at = "", at
        file.save(update_fields=["kept_because", "destroyed_at"])
    return gone, remaining


def _try_to_destroy(key: str) -> str:
    try:
        stored_files.destroy(key)
    except Exception as problem:  # noqa: BLE001 - any storage error is kept on the row and retried
        return f"{type(problem).__name__}: {problem}"
    return ""


def _is_referenced(key: str) -> bool:
    fields: tuple[tuple[type[Model], tuple[str, ...]], ...] = (
        (PoaDocument, ("pdf_storage_key",)),
        (PaperSignature, ("scan_storage_key", "received_storage_key")),
        (ProofFile, ("storage_key", "received_storage_key")),
        (KeptProof, ("storage_key", "received_storage_key")),
        (PlanDocument, ("storage_key",)),
    )
    return any(model._default_manager.filter(**{name: key}).exists() for model, names in fields for name in names)
