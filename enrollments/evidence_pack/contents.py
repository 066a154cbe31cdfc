"""
The records in a pack. Fields are listed explicitly, so that new model fields are not included by accident.

There is no birth date, signature, token or link among them. What the customer wrote is in the sealed document.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Model, QuerySet

from core.stored_files import StoredFile
from enrollments.evidence_pack.spool import Spool, fields, id_of, identified
from enrollments.light.documents import SUFFIXES as DOCUMENT_SUFFIXES
from enrollments.light.redaction import redact, redact_text
from enrollments.models import (
    AcceptAttempt,
    AdvanceNotice,
    Enrollment,
    EnrollmentEvent,
    Hold,
    LightWrite,
    PlanDocument,
    PlanOffer,
    RemoteCall,
    WebhookDelivery,
)
from installations.models import Customer, GoLiveReport, Installation, InstallationEvent, ProofFile, Site
from installations.proofs import SUFFIXES as PROOF_SUFFIXES
from installations.proofs import received_file
from poa_documents.limited_fields import LIMIT_FIELDS, OFFERED_FIELDS
from poa_documents.models import ConsentRecord, Envelope, EvidenceEntry, PaperSignature, PoaDocument

RECORDS_IN_PACK: tuple[type[Model], ...] = (
    Customer,
    Site,
    Enrollment,
    EnrollmentEvent,
    Hold,
    PoaDocument,
    Envelope,
    ConsentRecord,
    EvidenceEntry,
    PaperSignature,
    Installation,
    InstallationEvent,
    GoLiveReport,
    ProofFile,
    LightWrite,
    RemoteCall,
    WebhookDelivery,
    PlanOffer,
    PlanDocument,
    AcceptAttempt,
    AdvanceNotice,
)
"""The models in a pack. Only users who may view all of them may download one."""

ROWS_AT_ONCE = 500
_REVOCATION_FIELDS = ("revocation_received_at", "paper_wanted_at")
MAX_UNREADABLE_BODY = 2000


def collect(enrollment: Enrollment, spool: Spool) -> None:
    """Write every record of the case into the spool, and name its stored files."""
    _case(enrollment, spool)
    poas = poas_of(enrollment)
    for poa in poas:
        collect_authority(poa, spool)
    _go_live(enrollment, spool)
    _light(enrollment, spool)
    _plan_documents(enrollment, spool)


def poas_of(enrollment: Enrollment) -> list[PoaDocument]:
    """Return every power of attorney for this customer and site, oldest first, including declined and replaced ones."""
    poas = PoaDocument.objects.filter(customer_id=enrollment.customer_id, site_id=enrollment.site_id)
    return list(poas.select_related("envelope", "template", "promise").order_by("pk"))


def folder_of(poa: PoaDocument) -> str:
    return f"authority/poa-{poa.public_id}"


def _case(enrollment: Enrollment, spool: Spool) -> None:
    customer, site = enrollment.customer, enrollment.site
    case = {
        "customer": {
            **identified(customer, "first_name", "last_name", "email", "phone", "language"),
            "contact_verified_at": spool.fact_at(customer.contact_verified_at),
        },
        "site": identified(site, "address_1", "address_2", "city", "state", "postal_code", "esi_id", "tdu_code"),
        "enrollment": {
            **identified(enrollment, "status", "light_account_uuid", "light_status", "service_start_date"),
            **{
                name: spool.fact_at(getattr(enrollment, name))
                for name in ("opened_at", "attested_at", "accepted_at", "finalized_at", "active_at", "ended_at")
            },
            "attested_poa": id_of(enrollment.attested_poa),
            "accepted_offer": id_of(enrollment.accepted_offer),
            "ended_because": enrollment.ended_because,
            **fields(enrollment, "service_end_date", "left_reason", "win_back_note"),
        },
        "decision": {
            **fields(enrollment, "next_step", "because", "whose_turn", "act_by_date", "gates", "decided_at"),
            **fields(enrollment, "customer_code", "customer_until_date"),
        },
    }
    spool.write_json("case/case.json", case)
    spool.write_lines("case/events.jsonl", (_event(event, spool) for event in _rows(enrollment.events.all())))
    holds = [
        {
            **identified(hold, "code", "because", "owner", "act_by_date", "released_by", "release_reason"),
            "since": spool.fact_at(hold.since),
            "released_at": spool.fact_at(hold.released_at),
        }
        for hold in enrollment.holds.order_by("pk")
    ]
    spool.write_json("case/holds.json", holds)


def _event(event: EnrollmentEvent | InstallationEvent, spool: Spool) -> dict[str, Any]:
    return {
        **identified(event, "name", "reason"),
        "from": event.old_status,
        "to": event.new_status,
        "by": event.actor,
        "at": spool.fact_at(event.at),
    }


# The authority


def collect_authority(poa: PoaDocument, spool: Spool) -> None:
    """Write every record of one power of attorney into the spool, and name its sealed file."""
    folder = folder_of(poa)
    envelope_names = ("plan_name", "esi_id", "earliest_start_date", "latest_start_date", "sunset_date", "uses")
    document = {
        **identified(poa, "status", "signature_kind", "signed_from_ip", "signed_user_agent", "document_sha256"),
        **fields(poa, "pdf_sha256", "pdf_size_bytes", "suspended_because", "ended_because", "revocation_channel"),
        **fields(poa, "uses_made", "paper_wanted_channel"),
        **{
            name: spool.fact_at(getattr(poa, name))
            for name in ("created_at", "sent_at", "signed_at", "sealed_at", "ended_at", *_REVOCATION_FIELDS)
        },
        "wording": fields(poa.template, "version", "language", "title"),
        "promise": identified(poa.promise, "name"),
        "envelope": identified(poa.envelope, *envelope_names, *LIMIT_FIELDS),
    }
    spool.write_json(f"{folder}/poa.json", document)
    consents = poa.consents.order_by("given_at", "pk")
    spool.write_json(f"{folder}/consents.json", [_consent(consent, spool) for consent in consents])
    numbers = Enrollment.objects.filter(customer=poa.customer_id).values_list("pk", "public_id")
    enrollments: dict[int | None, str] = {number: str(public_id) for number, public_id in numbers}
    mails = [
        {
            **identified(mail, "kind", "attempts", "sent_to"),
            "enrollment": enrollments.get(mail.case_number),
            **{
                name: spool.fact_at(getattr(mail, name))
                for name in ("created_at", "sent_at", "returned_at", "not_needed_at")
            },
        }
        for mail in poa.mails.order_by("pk")
    ]
    spool.write_json(f"{folder}/mails.json", mails)
    spool.write_json(f"{folder}/paper.json", [_paper(paper, folder, spool) for paper in _papers(poa)])
    entries = _rows(poa.evidence.order_by("number"))
    spool.write_lines(f"{folder}/journal.jsonl", (_entry(entry, spool) for entry in entries))
    if poa.pdf_storage_key:
        file = StoredFile(poa.pdf_storage_key, poa.pdf_sha256, poa.pdf_size_bytes or 0)
        spool.name_stored(f"{folder}/document.pdf", file)


def _papers(poa: PoaDocument) -> "QuerySet[PaperSignature]":
    return PaperSignature.objects.filter(poa=poa).order_by("pk")


def _paper(paper: PaperSignature, folder: str, spool: Spool) -> dict[str, Any]:
    path = f"{folder}/scan-{paper.public_id}{PROOF_SUFFIXES[paper.scan_content_type]}"
    spool.name_stored(path, StoredFile(paper.scan_storage_key, paper.scan_sha256, paper.scan_size_bytes))
    received = path if paper.received_sha256 == paper.scan_sha256 else None
    if received is None and paper.received_storage_key:
        received = f"{folder}/scan-{paper.public_id}-as-received{PROOF_SUFFIXES[paper.scan_content_type]}"
        size = paper.received_size_bytes or 0
        spool.name_stored(received, StoredFile(paper.received_storage_key, paper.received_sha256, size))
    return {
        **identified(paper, "signed_date", "document_sha256", "recorded_by", "confirmed_by", "refused_by"),
        **fields(paper, "refused_because"),
        **{name: spool.fact_at(getattr(paper, name)) for name in ("recorded_at", "confirmed_at", "refused_at")},
        "sha256": paper.scan_sha256,
        "path": path,
        "received_sha256": paper.received_sha256,
        "received_path": received,
    }


def _consent(consent: ConsentRecord, spool: Spool) -> dict[str, Any]:
    names = ("statement", "wording_version", "words", "wording_sha256", "language", "ip_address", "user_agent")
    return {**identified(consent, *names), "given_at": spool.fact_at(consent.given_at)}


def _entry(entry: EvidenceEntry, spool: Spool) -> dict[str, Any]:
    """Return exactly what the entry's hash covers, and the hash."""
    return {
        "poa": id_of(entry.poa),
        **fields(entry, "number", "kind", "actor", "details", "previous_sha256", "sha256"),
        "at": spool.fact_at(entry.at),
    }


# Going live


def _go_live(enrollment: Enrollment, spool: Spool) -> None:
    jobs = list(enrollment.installations.order_by("pk"))
    spool.write_json("go-live/installations.json", [_job(job, spool) for job in jobs])
    proofs = [
        _proof(proof, spool)
        for proof in ProofFile.objects.filter(report__installation__in=jobs)
        .select_related("report")
        .order_by("pk")
        .iterator(chunk_size=1)
    ]
    spool.write_json("go-live/proofs.json", proofs)


def _job(job: Installation, spool: Spool) -> dict[str, Any]:
    names = ("kind", "size_kw", "contract_signed_date", "embargo_end_date", "scheduled_date", "status")
    return {
        **identified(job, *names),
        "created_at": spool.fact_at(job.created_at),
        "events": [_event(event, spool) for event in job.events.all()],
        "reports": [_report(report, spool) for report in job.reports.select_related("corrects").order_by("pk")],
    }


def _report(report: GoLiveReport, spool: Spool) -> dict[str, Any]:
    return {
        **identified(report, "granted_date", "source", "utility_reference", "note", "status", "reported_by"),
        **fields(report, "device_at", "confirmed_by", "closing_reason"),
        "received_at": spool.fact_at(report.received_at),
        "confirmed_at": spool.fact_at(report.confirmed_at),
        "corrects": id_of(report.corrects),
    }


def _proof(proof: ProofFile, spool: Spool) -> dict[str, Any]:
    path = f"go-live/proof-{proof.public_id}{PROOF_SUFFIXES[proof.content_type]}"
    if proof.unstored_content is not None:
        spool.write_bytes(path, bytes(proof.unstored_content))
    else:
        spool.name_stored(path, StoredFile(proof.storage_key, proof.sha256, proof.size_bytes))
    received = f"go-live/proof-{proof.public_id}-as-received{PROOF_SUFFIXES[proof.content_type]}"
    if proof.unstored_received is not None:
        spool.write_bytes(received, bytes(proof.unstored_received))
    elif proof.received_storage_key:
        spool.name_stored(received, received_file(proof))
    elif proof.sha256 == proof.received_sha256:
        received = path
    else:
        received = ""
    return {
        **identified(proof, "sha256", "received_sha256", "size_bytes", "content_type", "original_name"),
        "report": id_of(proof.report),
        "path": path,
        "received_path": received or None,
    }


# Communication with Light


def _light(enrollment: Enrollment, spool: Spool) -> None:
    writes = _rows(enrollment.writes.order_by("opened_at", "pk"))
    spool.write_lines("light/writes.jsonl", (_write(write, spool) for write in writes))
    offers = _rows(enrollment.offers.select_related("write").order_by("requested_at", "pk"))
    spool.write_lines("light/offers.jsonl", (_offer(offer, spool) for offer in offers))
    attempts = list(enrollment.acceptances.select_related("write", "offer", "poa__envelope").order_by("pk"))
    spool.write_json("light/acceptances.json", [_acceptance(attempt, spool) for attempt in attempts])
    spool.write_json("case/date-plan.json", [_date_plan(attempt) for attempt in attempts])
    notices = enrollment.notices.select_related("offer", "poa").order_by("given_at", "pk")
    spool.write_json("case/notices.json", [_notice(notice, spool) for notice in notices])
    calls = _rows(enrollment.remote_calls.order_by("at", "pk"))
    spool.write_lines("light/calls.jsonl", (_call(call, spool) for call in calls))
    deliveries = _rows(enrollment.deliveries.order_by("received_at", "pk"))
    spool.write_lines("light/webhooks.jsonl", (_delivery(delivery, spool) for delivery in deliveries))


def _write(write: LightWrite, spool: Spool) -> dict[str, Any]:
    return {
        **identified(write, "kind", "status", "request", "answer", "outcome", "hold_code"),
        **{name: spool.fact_at(getattr(write, name)) for name in ("opened_at", "doubt_since", "closed_at")},
    }


def _offer(offer: PlanOffer, spool: Spool) -> dict[str, Any]:
    return {
        **identified(offer, "light_plan_uuid", "name", *OFFERED_FIELDS, "stale_at", "verdict", "fits", "raw"),
        "asked_by_write": id_of(offer.write),
        "requested_at": spool.fact_at(offer.requested_at),
    }


def _notice(notice: AdvanceNotice, spool: Spool) -> dict[str, Any]:
    return {
        **identified(notice, "start_date", "until"),
        "offer": id_of(notice.offer),
        "plan_uuid": str(notice.offer.light_plan_uuid),
        "poa": id_of(notice.poa),
        "given_at": spool.fact_at(notice.given_at),
    }


def _acceptance(attempt: AcceptAttempt, spool: Spool) -> dict[str, Any]:
    request = attempt.write.request
    return {
        **identified(
            attempt,
            "poa_sha256",
            "offer_sha256",
            "poa_use",
            "esi_id",
            "service_start_date",
            "chicago_date",
            "succeeded",
        ),
        "offer": id_of(attempt.offer),
        "plan_uuid": str(attempt.offer.light_plan_uuid),
        "poa": id_of(attempt.poa),
        "notice": request.get("notice"),
        "verdict": request.get("verdict", []),
        "write": id_of(attempt.write),
        "opened_at": spool.fact_at(attempt.write.opened_at),
        "closed_at": spool.fact_at(attempt.write.closed_at),
    }


def _date_plan(attempt: AcceptAttempt) -> dict[str, Any]:
    """Return which rule determined each date when it was sent. Attempts by old releases recorded only the date."""
    return {
        "acceptance": id_of(attempt),
        **fields(attempt, "chicago_date", "service_start_date"),
        "signed_range": fields(attempt.poa.envelope, "earliest_start_date", "latest_start_date", "sunset_date"),
        "bounds": attempt.write.request.get("date_plan"),
    }


def _call(call: RemoteCall, spool: Spool) -> dict[str, Any]:
    return {
        **identified(call, "purpose", "method", "path", "http_status", "seconds", "problem"),
        "at": spool.fact_at(call.at),
    }


def _delivery(delivery: WebhookDelivery, spool: Spool) -> dict[str, Any]:
    """Only webhooks with a valid signature are stored. The hash is that of the body before redaction."""
    return {
        **identified(delivery, "event_key", "event_name", "light_account_uuid", "outcome", "last_error"),
        "signature": "verified over the raw body before it was stored",
        "body_sha256": delivery.body_sha256,
        "body": _readable(delivery.body),
        "received_at": spool.fact_at(delivery.received_at),
        "settled_at": spool.fact_at(delivery.settled_at),
    }


def _readable(body: str) -> Any:
    try:
        return redact(json.loads(body))
    except (ValueError, RecursionError):
        return redact_text(body, limit=MAX_UNREADABLE_BODY)


def _plan_documents(enrollment: Enrollment, spool: Spool) -> None:
    documents = (
        PlanDocument.objects.filter(offer__enrollment=enrollment).select_related("offer").order_by("offer_id", "kind")
    )
    listed = []
    for document in documents:
        path = ""
        if document.storage_key:
            suffix = DOCUMENT_SUFFIXES[document.content_type]
            path = f"plan/{document.kind.lower()}-offer-{document.offer.public_id}{suffix}"
            spool.name_stored(path, StoredFile(document.storage_key, document.sha256, document.size_bytes or 0))
        listed.append(
            {
                **fields(document, "kind", "sha256", "size_bytes", "content_type", "last_error"),
                "offer": id_of(document.offer),
                "address": redact_text(document.url),
                "path": path,
                "owed_since": spool.fact_at(document.owed_since),
                "stored_at": spool.fact_at(document.stored_at),
            }
        )
    spool.write_json("plan/documents.json", listed)


def _rows(rows: "QuerySet[Any]") -> Iterator[Any]:
    found: Iterable[Any] = rows.iterator(chunk_size=ROWS_AT_ONCE)
    return iter(found)
